"""个案与督办: the overdue board, cases, one case in its order of time, and an order about it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from console.page import (
    ROOT,
    Address,
    Answer,
    Block,
    Column,
    Deed,
    Facts,
    Field,
    Filters,
    Note,
    Page,
    Row,
    Tab,
    Table,
    Tabs,
    View,
)
from console.pages.home import today
from console.words import Words

SHOWS = {"open": "未办结", "today": "今日到期", "late": "已超时"}
EVENTS = 100  # the longest flow with its returns has some thirty
ISSUER = "office"  # to whom the form is offered; who may use it the policy says
ORDERED = ("SUPERVISE", "KEY", "LEADER")  # an urge is opened by itself (casework)


def to_case(row: Row) -> str | None:
    """Where a row's case is shown."""
    case = row.get("case") or row
    return f"{ROOT}/cases/{case['caseNo']}" if case.get("caseNo") else None


def to_order(row: Row) -> str:
    """Where an order is shown."""
    return f"{ROOT}/orders/{row['orderNo']}"


BOARD = (
    Column("诉求编号", "case.caseNo", kind="code", link=to_case, coordinate="Case"),
    Column("服务事项", "case.item", code="ServiceItem", coordinate="Case"),
    Column("环节", "node", code="CaseNode"),
    Column("承办部门", "department.shortName"),
    Column("所在区划", "division.name"),
    Column("开始", "openedAt", kind="moment"),
    Column("到期", "dueAt", kind="moment"),
    Column("期限确定", "dueConfirmed", kind="flag"),
    Column("超时", "late", kind="flag"),
)
LISTED = (
    Column("诉求编号", "caseNo", kind="code", link=to_case),
    Column("服务事项", "item", code="ServiceItem"),
    Column("办理状态", "state", code="CaseState"),
    Column("申请渠道", "channel", code="ApplicationChannel"),
    Column("承办部门", "department.shortName"),
    Column("所在区划", "division.name"),
    Column("提交", "filedAt", kind="moment"),
    Column("到期", "dueAt", kind="moment"),
    Column("办结", "closedAt", kind="moment"),
    Column("超时", "overdue", kind="flag"),
    Column("有投诉", "hasComplaint", kind="flag"),
)
ONE = (
    Column("诉求编号", "caseNo", kind="code"),
    Column("服务事项", "item", code="ServiceItem"),
    Column("办理流程", "flow", code="FlowKind"),
    Column("办理状态", "state", code="CaseState"),
    Column("申请渠道", "channel", code="ApplicationChannel"),
    Column("受理方式", "intake", code="IntakeMode"),
    Column("申请人", "applicant.name", coordinate="Citizen.name"),
    Column("性别", "applicant.sex", code="Sex", coordinate="Citizen.sex"),
    Column("出生年代", "applicant.birthBand", coordinate="Citizen.birthBand"),
    Column("承办部门", "department.name"),
    Column("所在区划", "division.name"),
    Column("提交", "filedAt", kind="moment"),
    Column("到期", "dueAt", kind="moment"),
    Column("办结", "closedAt", kind="moment"),
    Column("超时", "overdue", kind="flag"),
    Column("诉求内容", "body", coordinate="Case.body"),
    Column("审批结论", "decision", coordinate="Case.decision"),
)
EVENT = (
    Column("序号", "seq", kind="number"),
    Column("时间", "at", kind="moment"),
    Column("动作", "act", code="CaseAct"),
    Column("到达状态", "state", code="CaseState"),
    Column("经办岗位", "post", kind="post"),
    Column("超时", "overdue", kind="flag"),
    Column("意见", "note", coordinate="CaseEvent.note"),
)
WORK = (
    Column("环节", "node", code="CaseNode"),
    Column("承办层级", "tier", code="Level"),
    Column("承办部门", "department.shortName"),
    Column("开始", "openedAt", kind="moment"),
    Column("到期", "dueAt", kind="moment"),
    Column("结束", "closedAt", kind="moment"),
    Column("超时", "late", kind="flag"),
    Column("作废", "void", kind="flag"),
)
TIMEOUT = (
    Column("环节", "node", code="CaseNode"),
    Column("应办结", "dueAt", kind="moment"),
    Column("记录", "recordedAt", kind="moment"),
    Column("承办部门", "department.shortName"),
)
ORDER = (
    Column("督办单号", "orderNo", kind="code", link=to_order),
    Column("类别", "kind", code="SupervisionKind"),
    Column("事由", "reason", code="SupervisionReason"),
    Column("状态", "state", code="SupervisionState"),
    Column("交办", "issuedAt", kind="moment"),
    Column("期限", "dueAt", kind="moment"),
    Column("逾期", "expired", kind="flag"),
)
COMPLAINT = (
    Column("投诉编号", "complaintNo", kind="code"),
    Column("类别", "kind", code="ComplaintKind"),
    Column("状态", "state", code="ComplaintState"),
    Column("登记", "receivedAt", kind="moment"),
    Column("期限", "dueAt", kind="moment"),
    Column("超时", "overdue", kind="flag"),
)


def _show(address: Address) -> str:
    show = address.word("show")
    return show if show in SHOWS else "open"


def paged(address: Address) -> dict[str, Any]:
    """How many rows from where."""
    return {"first": address.first, "after": address.word("after")}


def _board_filter(address: Address) -> Mapping[str, Any]:
    chosen: dict[str, Any] = {"open": True}
    if _show(address) == "today":
        begins, ends = today(address)
        chosen |= {"late": False, "dueFrom": begins, "dueBefore": ends}
    if _show(address) == "late":
        chosen["late"] = True
    for name in ("node", "division"):
        if address.word(name):
            chosen[name] = address.word(name)
    return {"filter": chosen, **paged(address)}


def townships(words: Words) -> list[tuple[str, str]]:
    """The county's townships as a form offers them."""
    found = [d for d in words.catalog.divisions if d.level.value == "TOWNSHIP"]
    return [("", "全部"), *((d.code, d.name) for d in found)]


def _board(answer: Answer, address: Address, words: Words) -> View:
    show = _show(address)
    tabs = Tabs(
        "显示",
        [
            Tab(title, address.link(show=name, after=None), name == show)
            for name, title in SHOWS.items()
        ],
    )
    filters = Filters(
        "筛选",
        address.path,
        [
            Field("show", "", show, kind="hidden"),
            Field("node", "环节", address.word("node") or "", words.choices("CaseNode")),
            Field("division", "乡（镇）", address.word("division") or "", townships(words)),
        ],
    )
    found = answer.nodes("workOrders")
    info, total = answer.info("workOrders"), answer.total("workOrders")
    table = Table(f"{SHOWS[show]}的环节", BOARD, found, info, total)
    return View("超时看板", [tabs, filters, table], table)


def _case_filter(address: Address) -> Mapping[str, Any]:
    chosen: dict[str, Any] = {
        name: address.word(name)
        for name in ("state", "item", "department", "division")
        if address.word(name)
    }
    if address.word("overdue"):
        chosen["overdue"] = address.word("overdue") == "yes"
    return {"filter": chosen or None, **paged(address)}


def _cases(answer: Answer, address: Address, words: Words) -> View:
    departments = [(one.code, one.short) for one in words.catalog.departments.values()]
    flags = [("", "全部"), ("yes", "是"), ("no", "否")]
    chosen = {name: address.word(name) or "" for name in address.query}
    filters = Filters(
        "筛选",
        address.path,
        [
            Field("state", "办理状态", chosen.get("state", ""), words.choices("CaseState")),
            Field("item", "服务事项", chosen.get("item", ""), words.choices("ServiceItem")),
            Field(
                "department",
                "承办部门",
                chosen.get("department", ""),
                [("", "全部"), *departments],
            ),
            Field("division", "乡（镇）", chosen.get("division", ""), townships(words)),
            Field("overdue", "超时", chosen.get("overdue", ""), flags),
        ],
    )
    table = Table(
        "诉求件", LISTED, answer.nodes("cases"), answer.info("cases"), answer.total("cases")
    )
    return View("诉求件", [filters, table], table)


def _of_case(address: Address) -> Mapping[str, Any]:
    return {"caseNo": address.parts["number"], "events": EVENTS}


def _case(answer: Answer, address: Address, words: Words) -> View:
    found = answer.data["case"]
    if found is None:
        return View("诉求件", [Note("没有此诉求件，或不在您的职责范围内")])
    events = Table("办理经过", EVENT, (found["events"] or {"nodes": ()})["nodes"])
    done = address.word("done")
    told: list[Block] = [Note(f"已交办督办单 {done}")] if done else []
    tables = [
        Table("各环节", WORK, found["workOrders"] or ()),
        Table("超时记录", TIMEOUT, found["timeouts"] or ()),
        Table("督办单", ORDER, found["orders"] or ()),
        Table("投诉与申诉", COMPLAINT, found["complaints"] or ()),
    ]
    title = f"诉求件 {found['caseNo']}"
    forms = [_supervise(address, words)] if ISSUER in words.roles else []
    return View(title, [*told, Facts("基本情况", ONE, found), events, *tables, *forms], events)


def _supervise(address: Address, words: Words) -> Deed:
    kinds = [(code, words.code("SupervisionKind", code)) for code in ORDERED]
    reasons = words.choices("SupervisionReason")[1:]
    return Deed(
        "交办督办单",
        address.path,
        [
            Field("kind", "督办类别", "SUPERVISE", kinds, required=True),
            Field("reason", "督办事由", "OVERDUE", reasons, required=True),
            Field("deadline", "办结期限", kind="date", hint="缺省按类别；重点与领导交办须写明"),
            Field("note", "督办说明", kind="long", required=True),
        ],
        "交办",
        "限领导小组办公室，用途为督办。催办在环节超时后自动开立，无需填写。",
    )


def _ordered(form: Mapping[str, str], address: Address) -> Mapping[str, Any]:
    given: dict[str, Any] = {
        "caseNo": address.parts["number"],
        "kind": form.get("kind", ""),
        "reason": form.get("reason", ""),
        "note": form.get("note", ""),
    }
    if form.get("deadline"):
        given["deadline"] = form["deadline"]
    return {"input": given}


PAGES = (
    Page(
        "/board",
        "超时看板",
        "board",
        _board,
        _board_filter,
        datasets=("work_order", "case"),
    ),
    Page("/cases", "诉求件", "cases", _cases, _case_filter, datasets=("case",)),
    Page(
        "/cases/{number}",
        "诉求件",
        "case",
        _case,
        _of_case,
        posted=_ordered,
        deed="supervise",
        after="issueSupervision.order.orderNo",
        datasets=("case", "case_event"),
    ),
)
