"""Mutations: ``verbNoun(input: VerbNounInput!): VerbNounPayload``; one a request.

A payload is a union: what was changed, read back by the Plan like any row, or why not, as a type
of its own for each business reason. What is no business of the asker's (rights, versions, states)
is an error with a code.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, Any, Union

import strawberry

from resolvers.binding import ChangedRow
from schema.bound import Arguments, Kit

CASE = {"caseNo": ("String!", "诉求编号"), "version": ("Int!", "您所见的版本；已变动则不办理")}
MESSAGE = {"message": ("String!", "原因与应当怎么办")}

REFUSALS: Mapping[str, tuple[str, Arguments]] = {
    "AlreadyFiled": (
        "未办理：此人同一事项已有在办的诉求件",
        {**MESSAGE, "caseNo": ("String!", "在办的诉求编号")},
    ),
    "ItemWithoutCase": ("未办理：查询事项不产生诉求件", MESSAGE),
    "ConsentMissing": ("未办理：他人代举缺少代办人、关系或授权记录", MESSAGE),
    "NoticeRunning": (
        "未办理：公示期未满",
        {**MESSAGE, "until": ("String!", "公示截止时间，此后方可办理")},
    ),
    "StampsMissing": (
        "未办理：督办单缺少签收、办果或回报，不能销号",
        {**MESSAGE, "missing": ("[String!]!", "缺少的时间：signed_at、result_at、reported_at")},
    ),
    "ClueMissing": ("未办理：政府托举缺少风险线索编号", MESSAGE),
    "ClueNotOpen": (
        "未办理：没有关于此人的待托举线索",
        {**MESSAGE, "state": ("ClueState", "线索的状态；没有这条线索时为空")},
    ),
    "AppealNotUpheld": ("未办理：没有认定成立并已办结的申诉", MESSAGE),
    "NotNotified": ("未办理：尚未将审批决定或最近一次答复告知本人", MESSAGE),
    "NotDelivered": ("未办理：尚未登记落实", MESSAGE),
    "NotDeliberated": ("未办理：紧急救助尚未补办民主评议", MESSAGE),
    "AlreadyExtended": ("未办理：此工单已延期一次", MESSAGE),
    "NotExtendable": ("未办理：此工单此刻不能延期", MESSAGE),
    "AlreadyEscalated": ("未办理：已提级一次", MESSAGE),
    "NothingToDraw": ("未办理：此范围当月没有办结的诉求件", MESSAGE),
    "NotRectified": ("未办理：检查发现问题而尚未整改", MESSAGE),
    "BasisMissing": ("未办理：不予共享须写明依据，没有依据的不是有效的答复", MESSAGE),
    "LawMissing": ("未办理：不予共享类的数据，须写明所依据的法律或行政法规", MESSAGE),
    "ObjectNotShared": ("未办理：此授权对象不予共享，授权不会起作用", MESSAGE),
    "SecondPersonNeeded": ("未办理：本人提交的申请须由另一人办理", MESSAGE),
    "AccountTaken": ("未办理：此账号已被使用，或已拟给他人", MESSAGE),
    "PersonHasAccount": ("未办理：此人已有账号，或有办理中的变更", MESSAGE),
    "ChangeRunning": (
        "未办理：此账号已有办理中的变更",
        {**MESSAGE, "changeNo": ("String!", "办理中的账号变更编号")},
    ),
    "OwnFiling": ("未办理：填报人与本人不得同意", MESSAGE),
    "TrainingMissing": (
        "未办理：此账号没有安全培训记录",
        {**MESSAGE, "account": ("String!", "须培训的账号")},
    ),
    "CorrectionOpen": (
        "未办理：此项数据已有在办的校核",
        {**MESSAGE, "correctionNo": ("String!", "在办的校核编号")},
    ),
}
"""Business refusals by type: description and fields."""


@dataclass(frozen=True, slots=True)
class Said:
    """A mutation's words: what it is, what it takes, what it may refuse for."""

    about: str
    takes: Arguments
    refuses: tuple[str, ...] = ()


def _with(name: str, about: str) -> Arguments:
    return {**CASE, name: ("String!", about)}


CASES: Mapping[str, Said] = {
    "submitCase": Said(
        "提交诉求：群众举手、他人代举或政府托举；提交即自动分流",
        {
            "applicant": ("ID!", "申请人的标识"),
            "item": ("ServiceItem!", "服务事项"),
            "channel": ("ApplicationChannel!", "申请渠道"),
            "intake": ("IntakeMode!", "受理方式"),
            "body": ("String!", "诉求内容"),
            "urgent": ("Boolean", "临时救助按紧急程序：先救助、后补手续"),
            "proxy": ("ProxyInput", "他人代举：代办人、关系与授权"),
            "clue": ("String", "政府托举：风险线索编号"),
        },
        ("AlreadyFiled", "ItemWithoutCase", "ConsentMissing", "ClueMissing", "ClueNotOpen"),
    ),
    "acceptCase": Said("受理，或补正齐全后受理", _with("opinion", "受理意见")),
    "returnCase": Said("退回补正；补正期间不计时", _with("reason", "须补正的内容")),
    "rejectCase": Said("不予受理", _with("reason", "不予受理的理由")),
    "transferCase": Said(
        "转办：改为另一事项，由其承办部门重新分流；群众不必重新提交",
        {**_with("reason", "转办原因"), "item": ("ServiceItem!", "转为的服务事项")},
        ("ItemWithoutCase",),
    ),
    "visitCase": Said(
        "入户核实",
        {
            **_with("findings", "核实情况"),
            "found": ("Boolean", "由风险线索托举的须写明：核实是否属实"),
        },
    ),
    "deliberateCase": Said(
        "民主评议",
        {
            **_with("opinion", "评议意见"),
            "attendance": ("Int!", "到会人数"),
            "votesFor": ("Int!", "同意人数"),
        },
        ("NotDelivered",),
    ),
    "publishCase": Said("公示", _with("opinion", "公示说明")),
    "objectToCase": Said("登记公示期间的异议，办理中止", _with("reason", "异议内容")),
    "reviewCase": Said("乡镇初审", _with("opinion", "初审意见"), ("NoticeRunning",)),
    "presentCase": Said("报县级审批", _with("opinion", "报审意见"), ("NoticeRunning",)),
    "approveCase": Said("同意", _with("conclusion", "审批结论")),
    "denyCase": Said("不同意，须书面告知理由", _with("conclusion", "不同意的理由")),
    "notifyDecision": Said(
        "将审批决定告知本人：不同意的书面告知理由；预审类告知何时可到线下办结",
        {
            **_with("note", "告知情况：何时、向谁、有何凭据，书面的写明文号"),
            "channel": ("NotificationChannel!", "告知方式"),
            "expectedOn": ("Date", "预计线下办结的日期；预审类同意的必填，其余不填"),
        },
    ),
    "deliverCase": Said(
        "落实；预审类为线下办结的结果",
        {**_with("measure", "落实措施或线下结果"), "deliveredOn": ("Date!", "落实日期")},
        ("NotNotified",),
    ),
    "closeCase": Said(
        "办结；不同意的须已告知本人，紧急救助须已落实并补办评议，预审类须已告知并落实",
        _with("result", "办理结果"),
        ("NotNotified", "NotDelivered", "NotDeliberated"),
    ),
    "followUpCase": Said(
        "回访",
        {**_with("result", "回访情况"), "satisfaction": ("Int!", "满意度，1 到 5，5 为非常满意")},
    ),
    "withdrawCase": Said("撤回；作出决定以后不能撤回", _with("reason", "撤回原因")),
    "reopenCase": Said(
        "重新办理：依据认定成立并已办结的申诉，一件申诉只能据以重新办理一次",
        {**_with("reason", "重新办理的理由"), "appealNo": ("String!", "申诉的投诉编号")},
        ("AppealNotUpheld",),
    ),
}


EXTENSIONS: Mapping[str, Said] = {
    "extendWorkOrder": Said(
        "批准工单延期，一张工单只能一次；由部门负责人或办公室批准，经办人不能自批",
        {
            "workOrder": ("ID!", "工单的标识"),
            "reason": ("String!", "经办人申请延期的理由"),
        },
        ("AlreadyExtended", "NotExtendable"),
    ),
}


ORDER = {"orderNo": ("String!", "督办单号"), "version": CASE["version"]}
SUPERVISION: Mapping[str, Said] = {
    "issueSupervision": Said(
        "交办督办单；催办单在超时后自动开立",
        {
            "caseNo": ("String!", "所督办的诉求编号"),
            "kind": ("SupervisionKind!", "督办类别"),
            "reason": ("SupervisionReason!", "督办事由"),
            "note": ("String!", "督办说明"),
            "deadline": ("Date", "办结期限，含当日；缺省按类别，重点与领导交办的须写明"),
        },
    ),
    "signSupervision": Said("签收", ORDER),
    "startSupervision": Said("开始办理，或退回后重新办理", ORDER),
    "finishSupervision": Said("办果：登记办理结果", {**ORDER, "result": ("String!", "办理结果")}),
    "reportSupervision": Said(
        "回报：附办理材料", {**ORDER, "attachments": ("String!", "附件编号，多个以顿号隔开")}
    ),
    "reviewSupervision": Said("复核", ORDER),
    "closeSupervision": Said("销号：须已签收、办果、回报", ORDER, ("StampsMissing",)),
    "sendBackSupervision": Said("退回重办", {**ORDER, "reason": ("String!", "退回原因")}),
}


COMPLAINT = {
    "complaintNo": ("String!", "投诉编号"),
    "version": ("Int!", "您所见的版本；已变动则不办理"),
}

COMPLAINTS: Mapping[str, Said] = {
    "fileComplaint": Said(
        "登记投诉、申诉或权益异议；所涉诉求件随即标明有投诉",
        {
            "kind": ("ComplaintKind!", "类别"),
            "caseNo": ("String", "所涉诉求编号；投诉与申诉必填"),
            "citizen": ("ID", "本人的标识；权益异议不涉及诉求件时填写，与诉求编号只填一项"),
            "body": ("String!", "投诉内容"),
        },
    ),
    "assignComplaint": Said(
        "转办：交由一个部门答复",
        {
            **COMPLAINT,
            "department": ("String!", "答复部门的代码；乡镇答复的填 rev"),
            "opinion": ("String!", "交办意见"),
        },
    ),
    "answerComplaint": Said(
        "答复并认定是否成立；提级以后由办公室答复",
        {
            **COMPLAINT,
            "answer": ("String!", "答复内容"),
            "outcome": ("ComplaintOutcome!", "是否成立"),
        },
    ),
    "notifyComplaint": Said(
        "将答复告知本人",
        {
            **COMPLAINT,
            "channel": ("NotificationChannel!", "告知方式"),
            "note": ("String!", "告知情况：何时、向谁、有何凭据"),
        },
    ),
    "escalateComplaint": Said(
        "提级：本人对答复不满意，限一次",
        {**COMPLAINT, "reason": ("String!", "不满意的理由")},
        ("AlreadyEscalated",),
    ),
    "closeComplaint": Said(
        "办结；须已将最近一次答复告知本人",
        {**COMPLAINT, "opinion": ("String!", "办结意见")},
        ("NotNotified",),
    ),
}

ITEM = {
    "itemNo": ("String!", "抽查件编号"),
    "version": ("Int!", "您所见的版本；已变动则不办理"),
}

SPOT_CHECKS: Mapping[str, Said] = {
    "drawSpotCheck": Said(
        "随机抽查：从当月办结的诉求件中按种子抽取",
        {
            "seed": ("String!", "种子：一行文字，应在总体确定之前公开"),
            "size": ("Int!", "抽取件数，1 到 200"),
            "month": ("Month!", "办结月份"),
            "department": ("String", "只抽此部门承办的；缺省不限"),
            "division": ("DivisionCode", "只抽该区划及其下级的；缺省为全县"),
        },
        ("NothingToDraw",),
    ),
    "checkSpotCheckItem": Said(
        "检查一件",
        {
            **ITEM,
            "inOrder": ("Boolean!", "检查无问题"),
            "finding": ("String!", "检查情况"),
        },
    ),
    "orderRectification": Said("责令整改", {**ITEM, "reason": ("String!", "整改要求")}),
    "rectifySpotCheckItem": Said(
        "整改完成",
        {
            **ITEM,
            "rootCause": ("String!", "问题根源"),
            "measure": ("String!", "整改措施"),
        },
    ),
    "closeSpotCheckItem": Said("销号：检查无问题，或已整改", ITEM, ("NotRectified",)),
}


REQUEST = {
    "requestNo": ("String!", "申请编号"),
    "version": ("Int!", "您所见的版本；已变动则不办理"),
}
TERMS: Arguments = {
    "since": ("Date", "授权的起始日；缺省为所申请的，已过则为今日"),
    "opinion": ("String", "意见"),
}
REFUSING: Arguments = {
    "reason": ("RefusalReason!", "不予共享的理由"),
    "basis": ("String", "依据：文号或法条；没有依据的不予办理"),
    "law": ("String", "所依据法律的代码，如 PIPL_ART_28；不予共享类的必填"),
}
UNBASED = ("BasisMissing", "LawMissing", "SecondPersonNeeded")
SHARING: Mapping[str, Said] = {
    "submitSharingRequest": Said(
        "提交共享申请：申请使用另一部门提供的数据；提交即转合规审查",
        {
            "object": ("String!", "授权对象，如 Citizen.employment"),
            "provider": ("String", "提供部门的代码；缺省为目录所载的提供部门"),
            "actions": ("[String!]!", "操作，如 read"),
            "purposes": ("[String!]!", "用途代码，如 aid.review"),
            "items": ("[ServiceItem!]!", "用于哪些服务事项"),
            "division": ("DivisionCode", "该区划及其下级；缺省为全县"),
            "since": ("Date!", "起始日"),
            "until": ("Date!", "截止日，含当日"),
            "frequency": ("UpdateCycle!", "使用频率"),
            "text": ("String!", "申请理由"),
            "basis": ("String!", "法律依据：文号或法条"),
            "renews": ("String", "续期：使用中的原申请编号，同意后接替其授权"),
        },
    ),
    "reviewSharingRequest": Said(
        "合规审查，随即转提供部门；无条件共享且合规的读取与列举随即同意",
        {
            **REQUEST,
            "compliant": ("Boolean!", "是否合规"),
            "opinion": ("String!", "审查意见"),
        },
        ("SecondPersonNeeded",),
    ),
    "grantSharingRequest": Said(
        "同意：授权随即写入策略", {**REQUEST, **TERMS}, ("ObjectNotShared", "SecondPersonNeeded")
    ),
    "grantSharingRequestPartly": Said(
        "部分同意：缩小操作、范围或期限，写明其余不予共享的理由与依据",
        {
            **REQUEST,
            **TERMS,
            "actions": ("[String!]", "同意的操作；缺省为所申请的"),
            "division": ("DivisionCode", "同意的范围：该区划及其下级；缺省为所申请的"),
            "until": ("Date", "授权的截止日，含当日；缺省为所申请的"),
            **REFUSING,
        },
        ("ObjectNotShared", *UNBASED),
    ),
    "refuseSharingRequest": Said(
        "不同意：须写明理由与依据",
        {**REQUEST, **REFUSING, "opinion": ("String", "意见")},
        UNBASED,
    ),
    "extendSharingRequest": Said(
        "延长答复期限，只能一次", {**REQUEST, "reason": ("String!", "延期理由")}
    ),
    "revokeSharing": Said("撤销：授权随即终止", {**REQUEST, "reason": ("String!", "撤销理由")}),
    "disputeSharingRefusal": Said(
        "对不同意提出异议", {**REQUEST, "reason": ("String!", "异议理由")}
    ),
    "rejectSharingBasis": Said(
        "不认可拒绝的依据：转协调并列入清单",
        {
            **REQUEST,
            "fault": ("SharingFault!", "拒绝而没有依据，或依据不予认可"),
            "reason": ("String!", "不认可的理由"),
        },
    ),
    "mediateSharingRequest": Said("协调", {**REQUEST, "opinion": ("String!", "协调意见")}),
    "decideSharingRequest": Said(
        "裁定；裁定不是授权，授权由提供部门另行签批",
        {
            **REQUEST,
            "decision": ("SharingDecision!", "裁定"),
            "conclusion": ("String!", "裁定意见"),
        },
    ),
}


ACCOUNT_CHANGE = {
    "changeNo": ("String!", "账号变更编号"),
    "version": ("Int!", "您所见的版本；已变动则不办理"),
}

ACCOUNT_CHANGES: Mapping[str, Said] = {
    "fileAccountChange": Said(
        "填报账号变更；离岗的，账号随即停用",
        {
            "kind": ("ChangeKind!", "类别"),
            "account": ("String!", "账号；新增的为拟用账号"),
            "person": ("NewPersonInput", "新增账号的本人；调岗与离岗不写"),
            "post": ("NewPostInput", "新岗位，调岗后只有这一岗位；离岗不写"),
            "reason": ("String!", "事由"),
        },
        ("AccountTaken", "PersonHasAccount", "ChangeRunning"),
    ),
    "approveAccountChange": Said(
        "本单位同意：乡镇领导或单位负责人，不得为填报人与本人",
        {**ACCOUNT_CHANGE, "opinion": ("String!", "意见")},
        ("OwnFiling",),
    ),
    "applyAccountChange": Said(
        "县办公室办理乡镇、村的变更", {**ACCOUNT_CHANGE, "opinion": ("String!", "意见")}
    ),
    "handOverAccountChange": Said(
        "县办公室将部门的变更移交州级主管部门",
        {**ACCOUNT_CHANGE, "opinion": ("String!", "移交说明")},
    ),
    "confirmAccountChange": Said(
        "县办公室登记州级主管部门的确认",
        {**ACCOUNT_CHANGE, "documentNo": ("String!", "确认文号")},
    ),
    "activateAccountChange": Said(
        "生效：开立账号、改换岗位或注销；启用与调岗须已培训",
        ACCOUNT_CHANGE,
        ("TrainingMissing",),
    ),
    "recordTraining": Said(
        "登记安全培训",
        {
            "account": ("String!", "受训人的账号，或新增账号变更中的拟用账号"),
            "heldOn": ("Date!", "培训日期"),
            "subject": ("String!", "培训内容"),
        },
    ),
}

CORRECTION = {
    "correctionNo": ("String!", "校核编号"),
    "version": ("Int!", "您所见的版本；已变动则不办理"),
}

CORRECTIONS: Mapping[str, Said] = {
    "fileCorrection": Said(
        "提交数据校核：本人认为某一项数据有误或缺漏",
        {
            "citizen": ("ID!", "本人的标识"),
            "coordinate": ("String!", "有异议的数据项：类型与字段，如 MinLiving.monthlyAmount"),
            "intake": ("IntakeMode!", "受理方式"),
            "text": ("String!", "异议内容"),
        },
        ("CorrectionOpen",),
    ),
    "acceptCorrection": Said("受理校核", {**CORRECTION, "opinion": ("String!", "受理意见")}),
    "flagCorrection": Said("标记：自此该项数据对任何人都注明校核中", CORRECTION),
    "assignCorrection": Said("转数据提供单位核查", CORRECTION),
    "investigateCorrection": Said("提供单位开始核查", CORRECTION),
    "decideCorrection": Said(
        "提供单位认定：属实、部分属实或不属实",
        {
            **CORRECTION,
            "decision": ("CorrectionDecision!", "认定"),
            "reason": ("String!", "认定的理由"),
        },
    ),
    "confirmCorrection": Said(
        "登记源头更正：提供单位自己的系统已更正；平台不改数据",
        {**CORRECTION, "asOf": ("Date!", "自哪一天起已更正")},
    ),
    "replayCorrection": Said("告知使用方：由访问日志查出期限内读取过该项数据的账号", CORRECTION),
    "notifyCorrection": Said(
        "登记告知本人",
        {
            **CORRECTION,
            "channel": ("NotificationChannel!", "告知方式"),
            "told": ("String!", "告知内容"),
        },
    ),
    "closeCorrection": Said("办结；未告知本人不能办结", CORRECTION),
    "extendCorrection": Said("延期，只能一次", {**CORRECTION, "reason": ("String!", "延期理由")}),
}


def mutation(kit: Kit) -> Any:
    """The Mutation type. Whoever changes a row is shown of it what he may read."""
    kit.input(
        "ProxyInput",
        "代办人",
        {
            "citizen": ("ID!", "代办人的标识"),
            "relation": ("String!", "与申请人的关系"),
            "consent": ("String!", "本人授权记录的编号"),
        },
    )
    kit.input(
        "NewPersonInput",
        "新增账号的本人",
        {
            "realName": ("String!", "实名"),
            "idNumber": (
                "String!",
                "公民身份号码，必须放在变量里；只用来保证一人一个账号，不存号码",
            ),
            "employment": ("EmploymentType!", "用工性质"),
        },
    )
    kit.input(
        "NewPostInput",
        "岗位",
        {
            "department": ("String!", "部门代码；村与乡镇经办为 rev"),
            "role": ("String!", "角色代码，如 town"),
            "division": ("DivisionCode!", "辖区"),
        },
    )
    for name, (about, fields) in REFUSALS.items():
        kit.object(name, about, {key: kit.part(*said) for key, said in fields.items()})
    kit.object(
        "CaseChanged",
        "诉求件已变更",
        {
            "case": kit.changed("Case", "变更后的诉求件；不在您可见范围时为空", ChangedRow("case")),
            "event": kit.changed("CaseEvent", "此次办件事件", ChangedRow("case_event")),
        },
    )
    kit.object(
        "WorkOrderChanged",
        "工单已变更",
        {
            "workOrder": kit.changed(
                "WorkOrder", "变更后的工单；不在您可见范围时为空", ChangedRow("work_order")
            )
        },
    )
    kit.object(
        "CorrectionChanged",
        "校核已变更",
        {
            "correction": kit.changed(
                "Correction", "变更后的校核；不在您可见范围时为空", ChangedRow("correction")
            ),
            "event": kit.changed("CorrectionEvent", "此次校核事件", ChangedRow("correction_event")),
        },
    )
    kit.object(
        "SharingRequestChanged",
        "共享申请已变更",
        {
            "request": kit.changed(
                "SharingRequest",
                "变更后的共享申请；不在您可见范围时为空",
                ChangedRow("sharing_request"),
            ),
            "event": kit.changed(
                "SharingRequestEvent", "此次事件", ChangedRow("sharing_request_event")
            ),
        },
    )
    kit.object(
        "SupervisionChanged",
        "督办单已变更",
        {
            "order": kit.changed(
                "SupervisionOrder", "变更后的督办单", ChangedRow("supervision_order")
            )
        },
    )
    kit.object(
        "ComplaintChanged",
        "投诉已变更",
        {
            "complaint": kit.changed(
                "Complaint", "变更后的投诉；不在您可见范围时为空", ChangedRow("complaint")
            ),
            "event": kit.changed("ComplaintEvent", "此次办理记录", ChangedRow("complaint_event")),
        },
    )
    kit.object(
        "SpotCheckDrawn",
        "已抽取",
        {"spotCheck": kit.changed("SpotCheck", "此次抽查", ChangedRow("spot_check"))},
    )
    kit.object(
        "SpotCheckItemChanged",
        "抽查件已变更",
        {
            "item": kit.changed(
                "SpotCheckItem",
                "变更后的抽查件；不在您可见范围时为空",
                ChangedRow("spot_check_item"),
            )
        },
    )
    kit.object(
        "AccountChangeChanged",
        "账号变更已变更",
        {
            "accountChange": kit.changed(
                "AccountChange",
                "变更后的账号变更；不在您可见范围时为空",
                ChangedRow("account_change"),
            ),
            "event": kit.changed(
                "AccountChangeEvent", "此次记录", ChangedRow("account_change_event")
            ),
        },
    )
    kit.object(
        "TrainingRecorded",
        "培训已登记",
        {"training": kit.changed("TrainingRecord", "此次培训", ChangedRow("training_record"))},
    )
    apart = {"drawSpotCheck": "SpotCheckDrawn", "recordTraining": "TrainingRecorded"}
    areas = {
        "CaseChanged": CASES,
        "WorkOrderChanged": EXTENSIONS,
        "SupervisionChanged": SUPERVISION,
        "ComplaintChanged": COMPLAINTS,
        "SpotCheckItemChanged": SPOT_CHECKS,
        "AccountChangeChanged": ACCOUNT_CHANGES,
        "CorrectionChanged": CORRECTIONS,
        "SharingRequestChanged": SHARING,
    }
    roots = {
        name: _command(kit, name, said, apart.get(name, changed))
        for changed, area in areas.items()
        for name, said in area.items()
    }
    return kit.object("Mutation", "数据共享中心的变更入口；一次请求一个变更", roots)


def _command(kit: Kit, name: str, said: Said, changed: str) -> Any:
    noun = name[0].upper() + name[1:]
    kit.input(f"{noun}Input", said.about, said.takes)
    payload = f"{noun}Payload"
    kinds = tuple(kit.names[kind] for kind in (changed, *said.refuses))
    union = strawberry.union(payload, description=f"{said.about}的结果")
    made: Any = Union[kinds] if len(kinds) > 1 else kinds[0]  # noqa: UP007  made at run time
    kit.names[payload] = Annotated[made, union]
    return kit.command(payload, said.about, name, {"input": (f"{noun}Input!", "内容")})
