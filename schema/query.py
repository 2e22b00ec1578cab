"""Root fields. Each is answered by the function of its name in `resolvers/roots`."""

from __future__ import annotations

from typing import Any

from schema.bound import Arguments, Kit
from schema.entities import roots as gateways

BY_KEY: Arguments = {"by": ("CitizenKey!", "查找键")}
BY_ID: Arguments = {"id": ("ID!", "全局标识")}
BY_DIVISION: Arguments = {"code": ("DivisionCode!", "区划代码")}
BY_CASE_NO: Arguments = {"caseNo": ("String!", "诉求编号")}
BY_ORDER_NO: Arguments = {"orderNo": ("String!", "督办单号")}
BY_MONTH: Arguments = {"month": ("String!", "月份，如 2026-10")}
BY_COMPLAINT_NO: Arguments = {"complaintNo": ("String!", "投诉编号")}
BY_REQUEST_NO: Arguments = {"requestNo": ("String!", "申请编号")}
BY_CLUE_NO: Arguments = {"clueNo": ("String!", "线索编号")}
BY_CORRECTION_NO: Arguments = {"correctionNo": ("String!", "校核编号")}
BY_CHANGE_NO: Arguments = {"changeNo": ("String!", "账号变更编号")}
BY_CODE: Arguments = {"code": ("String!", "部门代码")}
BY_NAME: Arguments = {"name": ("String!", "目录项代码")}
BY_DIMENSIONS: Arguments = {
    "by": ("[CaseDimension!]!", "分组维度，按此顺序排列；空列表为一行总数；乡镇与村不能同用")
}
IN_DIVISION: Arguments = {"division": ("DivisionCode", "该区划及其下级；缺省为您的全部辖区")}
DIVISIONS: Arguments = {"level": ("Level", "行政层级"), "parent": ("DivisionCode", "上级区划")}
PERIOD: Arguments = {
    "since": ("DateTime", "从此时起（含）"),
    "until": ("DateTime", "到此时止（不含）"),
}
OF_PERSON: Arguments = {"of": ("AuditSubjectKey!", "谁"), **PERIOD}
OF_ACTOR: Arguments = {"actor": ("String!", "账号"), **PERIOD}
SAMPLED: Arguments = {
    "count": ("Int!", "抽几条，1 到 100"),
    "size": ("Sequence!", "从前多少条记录中抽；写明才能重现，如检查点覆盖的记录数"),
    "seed": ("String!", "种子；同一种子与范围抽出同样的记录"),
}
OF_PROVIDER: Arguments = {"provider": ("String", "提供单位的部门代码")}


def inputs(kit: Kit) -> None:
    """Input types; `CitizenKey` takes exactly one key."""
    kit.input(
        "CitizenKey",
        "人员的查找键，只能给一个",
        {"id": ("ID", "全局标识"), "idNumber": ("String", "公民身份号码，必须放在变量里")},
        one_of=True,
    )
    kit.input(
        "CaseFilter",
        "诉求件筛选条件，同时满足",
        {
            "state": ("CaseState", "办理状态"),
            "item": ("ServiceItem", "服务事项"),
            "department": ("String", "承办部门代码"),
            "division": ("DivisionCode", "该区划及其下级"),
            "overdue": ("Boolean", "是否超时"),
        },
    )
    kit.input(
        "SupervisionFilter",
        "督办单筛选条件，同时满足",
        {
            "state": ("SupervisionState", "督办状态"),
            "kind": ("SupervisionKind", "督办类别"),
            "division": ("DivisionCode", "该区划及其下级"),
        },
    )
    kit.input(
        "WorkOrderFilter",
        "工单筛选条件，同时满足",
        {
            "node": ("CaseNode", "环节"),
            "open": ("Boolean", "是否未结束"),
            "late": ("Boolean", "是否超时"),
            "dueFrom": ("DateTime", "在此时间或以后到期"),
            "dueBefore": ("DateTime", "在此时间以前到期；今日到期即自今日零时起、明日零时以前"),
            "division": ("DivisionCode", "该区划及其下级"),
        },
    )
    kit.input(
        "TimeoutFilter",
        "超时记录筛选条件，同时满足",
        {"node": ("CaseNode", "环节"), "division": ("DivisionCode", "该区划及其下级")},
    )
    kit.input(
        "BulletinFigureFilter",
        "通报指标筛选条件，同时满足",
        {
            "month": ("String", "月份，如 2026-10"),
            "kind": ("BulletinGroup", "分组"),
            "code": ("String", "分组代码"),
            "figure": ("FigureCode", "指标"),
        },
    )
    kit.input(
        "RankingFilter",
        "红黑榜筛选条件，同时满足",
        {
            "quarter": ("String", "季度，如 2026-Q4"),
            "kind": ("BulletinGroup", "分组"),
            "list": ("RankingList", "榜"),
        },
    )
    kit.input(
        "ComparisonRunFilter",
        "比对批次筛选条件，同时满足",
        {
            "rule": ("ComparisonRule", "比对规则"),
            "state": ("ComparisonState", "批次状态"),
            "period": ("String", "所属月份，如 2026-11"),
        },
    )
    kit.input(
        "RiskClueFilter",
        "风险线索筛选条件，同时满足",
        {
            "rule": ("ComparisonRule", "比对规则"),
            "state": ("ClueState", "线索状态"),
            "tier": ("ClueTier", "线索等级"),
            "division": ("DivisionCode", "该区划及其下级"),
        },
    )
    kit.input(
        "ComplaintFilter",
        "投诉筛选条件，同时满足",
        {
            "kind": ("ComplaintKind", "类别"),
            "state": ("ComplaintState", "状态"),
            "department": ("String", "承办部门代码"),
            "division": ("DivisionCode", "该区划及其下级"),
            "overdue": ("Boolean", "是否超时"),
        },
    )
    kit.input(
        "SpotCheckItemFilter",
        "抽查件筛选条件，同时满足",
        {
            "state": ("SpotCheckState", "状态"),
            "department": ("String", "承办部门代码"),
            "division": ("DivisionCode", "该区划及其下级"),
            "overdue": ("Boolean", "是否超期整改"),
        },
    )
    _account_inputs(kit)
    kit.input(
        "SharingRequestFilter",
        "共享申请筛选条件，同时满足",
        {
            "state": ("SharingState", "申请状态"),
            "requester": ("String", "申请部门的代码"),
            "provider": ("String", "提供部门的代码"),
            "overdue": ("Boolean", "是否有一步逾期"),
        },
    )
    kit.input(
        "SharingFaultFilter",
        "拒绝与逾期筛选条件，同时满足",
        {
            "reason": ("SharingFault", "列入原因"),
            "provider": ("String", "提供部门的代码"),
            "open": ("Boolean", "是否仍未办理"),
        },
    )
    kit.input(
        "CorrectionFilter",
        "校核筛选条件，同时满足",
        {
            "state": ("CorrectionState", "校核状态"),
            "provider": ("String", "数据提供单位的部门代码"),
            "division": ("DivisionCode", "该区划及其下级"),
        },
    )
    _audit_inputs(kit)


def _account_inputs(kit: Kit) -> None:
    place: Arguments = {
        "department": ("String", "所属部门代码"),
        "division": ("DivisionCode", "该区划及其下级"),
    }
    kit.input(
        "AccountChangeFilter",
        "账号变更筛选条件，同时满足",
        {
            "kind": ("ChangeKind", "类别"),
            "state": ("AccountChangeState", "状态"),
            "account": ("String", "账号"),
            **place,
        },
    )
    kit.input(
        "TrainingFilter",
        "安全培训记录筛选条件，同时满足",
        {"account": ("String", "账号"), **place},
    )
    kit.input(
        "StaffingFilter",
        "人员缺口筛选条件，同时满足",
        {"level": ("Level", "行政层级"), **place},
    )


def _audit_inputs(kit: Kit) -> None:
    kit.input(
        "AuditShown",
        "某个字段被给出的方式",
        {"field": ("String!", "字段，如 Citizen.phone"), "state": ("AuditShownAs!", "方式")},
    )
    kit.input(
        "AuditFilter",
        "审计事件筛选条件，同时满足",
        {
            "idx": ("Sequence", "序号"),
            "actor": ("String", "账号"),
            "org": ("String", "单位的部门代码"),
            "division": ("DivisionCode", "岗位在该区划及其下级"),
            "kind": ("AuditKind", "类别"),
            "outcome": ("AuditOutcome", "结果"),
            "operation": ("String", "操作名"),
            "purpose": ("String", "用途"),
            "caseRef": ("String", "关联编号"),
            "requestId": ("String", "请求编号"),
            "breakGlass": ("Boolean", "应急访问"),
            "shown": ("AuditShown", "给出了某个字段；逐条查看正文，请同时限定时间"),
            **PERIOD,
        },
    )
    kit.input(
        "AuditSubjectKey",
        "人员的查找键，只能给一个",
        {
            "idNumber": ("String", "公民身份号码，必须放在变量里"),
            "person": ("String", "人员代号"),
        },
        one_of=True,
    )
    kit.input(
        "AlertFilter",
        "审计告警筛选条件，同时满足",
        {
            "state": ("AlertState", "状态"),
            "rule": ("String", "规则"),
            "actor": ("String", "账号"),
        },
    )
    kit.input(
        "SummaryFilter", "审计汇总筛选条件，同时满足", {"actor": ("String", "账号"), **PERIOD}
    )


def _filter(name: str) -> Arguments:
    return {"filter": (name, "筛选条件")}


def query(kit: Kit) -> Any:
    """The Query type. Roots are nullable: one that is refused does not take the others along."""
    root = kit.root
    roots = {
        "viewer": kit.context("Viewer!", "当前请求的账号、岗位与用途", "viewer"),
        "citizen": root(
            "Citizen", "按标识或证件号码查一人；查无此人与不在辖区同样为空", "citizen", BY_KEY
        ),
        "citizens": root(
            "CitizenConnection", "辖区内人员名册；需要列表权限", "citizens", IN_DIVISION
        ),
        "household": root("Household", "按标识查家庭户", "household", BY_ID),
        "division": root("Division", "按代码查区划", "division", BY_DIVISION),
        "divisions": root("[Division!]", "区划列表", "divisions", DIVISIONS),
        "case": root("Case", "按编号查诉求件", "case", BY_CASE_NO),
        "cases": root("CaseConnection", "诉求件列表，新的在前", "cases", _filter("CaseFilter")),
        "workOrders": root(
            "WorkOrderConnection",
            "工单列表：待办、今日到期、超时，按开始时间",
            "work_orders",
            _filter("WorkOrderFilter"),
        ),
        "timeouts": root(
            "TimeoutEventConnection",
            "超时记录，新的在前；自动记录，只增不改",
            "timeouts",
            _filter("TimeoutFilter"),
        ),
        "caseStats": root(
            "[CaseStat!]",
            "诉求件汇总。筛选同 cases；仅可汇总者不能筛选，且只能按固定汇总表的维度分组",
            "case_stats",
            {**_filter("CaseFilter"), **BY_DIMENSIONS},
        ),
        "supervisionOrder": root(
            "SupervisionOrder", "按单号查督办单", "supervision_order", BY_ORDER_NO
        ),
        "supervisionOrders": root(
            "SupervisionOrderConnection",
            "督办单列表，新的在前",
            "supervision_orders",
            _filter("SupervisionFilter"),
        ),
        "comparisonRuns": root(
            "ComparisonRunConnection",
            "比对批次列表，新的在前",
            "comparison_runs",
            _filter("ComparisonRunFilter"),
        ),
        "riskClue": root("RiskClue", "按编号查风险线索", "risk_clue", BY_CLUE_NO),
        "riskClues": root(
            "RiskClueConnection",
            "风险线索列表，新的在前；疑似，须入户核实",
            "risk_clues",
            _filter("RiskClueFilter"),
        ),
        "complaint": root("Complaint", "按编号查投诉", "complaint", BY_COMPLAINT_NO),
        "complaints": root(
            "ComplaintConnection", "投诉列表，新的在前", "complaints", _filter("ComplaintFilter")
        ),
        "spotChecks": root("SpotCheckConnection", "抽查列表，新的在前", "spot_checks"),
        "spotCheckItems": root(
            "SpotCheckItemConnection",
            "抽查件列表，按编号先后",
            "spot_check_items",
            _filter("SpotCheckItemFilter"),
        ),
        "sharingRequest": root(
            "SharingRequest", "按编号查共享申请", "sharing_request", BY_REQUEST_NO
        ),
        "sharingRequests": root(
            "SharingRequestConnection",
            "共享申请列表，新的在前",
            "sharing_requests",
            _filter("SharingRequestFilter"),
        ),
        "refusedOrUnanswered": root(
            "SharingFaultEntryConnection",
            "无正当理由拒绝共享或逾期未答复的申请（办法第二十一条第三项），新的在前",
            "refused_or_unanswered",
            _filter("SharingFaultFilter"),
        ),
        "correction": root("Correction", "按编号查数据校核", "correction", BY_CORRECTION_NO),
        "corrections": root(
            "CorrectionConnection",
            "数据校核列表，新的在前",
            "corrections",
            _filter("CorrectionFilter"),
        ),
        "correctionReaders": root(
            "CorrectionReaderConnection",
            "校核告知列表：读取过已更正数据、须予告知的账号，新的在前",
            "correction_readers",
        ),
        "department": root("Department", "按代码查部门", "department", BY_CODE),
        "departments": root("[Department!]", "部门列表", "departments"),
        "dataset": root("Dataset", "按代码查共享目录项", "dataset", BY_NAME),
        "datasets": root("[Dataset!]", "共享目录", "datasets", OF_PROVIDER),
        "sources": root(
            "[SourceSystem!]", "各数据源的状态；不另行询问，询问用 hub source ping", "sources"
        ),
        "auditEvents": root(
            "AuditEventConnection",
            "访问审计，新的在前；仅审计员，读取本身也被记录",
            "audit_events",
            _filter("AuditFilter"),
        ),
        **_account_roots(kit),
        **_bulletin_roots(kit),
        **_audit_roots(kit),
        **gateways(kit),
    }
    return kit.object("Query", "数据共享中心的查询入口", roots)


def _account_roots(kit: Kit) -> dict[str, Any]:
    root = kit.root
    return {
        "accountChange": root("AccountChange", "按编号查账号变更", "account_change", BY_CHANGE_NO),
        "accountChanges": root(
            "AccountChangeConnection",
            "账号变更列表，新的在前",
            "account_changes",
            _filter("AccountChangeFilter"),
        ),
        "trainingRecords": root(
            "TrainingRecordConnection",
            "安全培训记录，新的在前",
            "training_records",
            _filter("TrainingFilter"),
        ),
        "staffingGaps": root(
            "StaffingGapConnection",
            "人员缺口：账号数不足的单位，按区划",
            "staffing_gaps",
            _filter("StaffingFilter"),
        ),
    }


def _bulletin_roots(kit: Kit) -> dict[str, Any]:
    return {
        "bulletin": kit.root("MonthlyBulletin", "按月份查月度通报", "bulletin", BY_MONTH),
        "bulletins": kit.root("MonthlyBulletinConnection", "月度通报，新的在前", "bulletins"),
        "bulletinFigures": kit.root(
            "BulletinFigureConnection",
            "月度通报的指标，新的月份在前",
            "bulletin_figures",
            _filter("BulletinFigureFilter"),
        ),
        "rankings": kit.root(
            "RankingPlaceConnection",
            "季度红黑榜，新的季度在前，按名次",
            "rankings",
            _filter("RankingFilter"),
        ),
    }


def _audit_roots(kit: Kit) -> dict[str, Any]:
    root = kit.root
    return {
        "subjectAccess": root(
            "AuditAccessConnection", "谁看过、查过这个人，新的在前", "subject_access", OF_PERSON
        ),
        "actorActivity": root(
            "AuditActivityConnection",
            "一个账号每小时做了什么，新的在前",
            "actor_activity",
            OF_ACTOR,
        ),
        "accessSummary": root(
            "[AuditSummary!]",
            "访问次数与涉及人次的汇总",
            "access_summary",
            {
                **_filter("SummaryFilter"),
                "by": ("[AuditDimension!]!", "分组维度，按此顺序排列；空列表为一行总数"),
            },
        ),
        "topSubjects": root("[AuditSubject!]", "被最多账号看过的五十人", "top_subjects", PERIOD),
        "auditAlerts": root(
            "AuditAlertConnection", "审计告警，新的在前", "audit_alerts", _filter("AlertFilter")
        ),
        "mySubjectAccess": root(
            "OwnAccessConnection",
            "谁看过、查过我，新的在前；仅群众端，以 X-End-User 写明本人",
            "my_subject_access",
            PERIOD,
        ),
        "myActivity": root(
            "OwnActivityConnection", "本账号做了什么，新的在前", "my_activity", PERIOD
        ),
        "auditProof": root(
            "AuditProof",
            "一条记录的证明，交给持有回执的人离线核对",
            "audit_proof",
            {"idx": ("Sequence!", "序号，即回执中的 idx")},
        ),
        "auditHealth": root("AuditHealth", "日志的状态", "audit_health"),
        "spotSample": root(
            "[AuditEvent!]", "随机抽查：按种子抽取的记录，新的在前", "spot_sample", SAMPLED
        ),
    }
