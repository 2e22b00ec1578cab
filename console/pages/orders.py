"""督办单: what was ordered about which case, and what became of it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from console.page import Address, Answer, Column, Facts, Field, Filters, Note, Page, Table, View
from console.pages.cases import paged, to_case, to_order, townships
from console.words import Words

LISTED = (
    Column("督办单号", "orderNo", kind="code", link=to_order),
    Column("类别", "kind", code="SupervisionKind"),
    Column("事由", "reason", code="SupervisionReason"),
    Column("状态", "state", code="SupervisionState"),
    Column("诉求编号", "case.caseNo", kind="code", link=to_case, coordinate="Case"),
    Column("服务事项", "case.item", code="ServiceItem", coordinate="Case"),
    Column("承办部门", "department.shortName"),
    Column("所在区划", "division.name"),
    Column("交办", "issuedAt", kind="moment"),
    Column("期限", "dueAt", kind="moment"),
    Column("销号", "closedAt", kind="moment"),
    Column("逾期", "expired", kind="flag"),
    Column("升级", "escalated", kind="flag"),
    Column("退回次数", "sendBacks", kind="number"),
)
ONE = (
    Column("督办单号", "orderNo", kind="code"),
    Column("类别", "kind", code="SupervisionKind"),
    Column("事由", "reason", code="SupervisionReason"),
    Column("状态", "state", code="SupervisionState"),
    Column("诉求编号", "case.caseNo", kind="code", link=to_case, coordinate="Case"),
    Column("服务事项", "case.item", code="ServiceItem", coordinate="Case"),
    Column("所催办的环节", "node", code="CaseNode"),
    Column("承办部门", "department.name"),
    Column("所在区划", "division.name"),
    Column("交办", "issuedAt", kind="moment"),
    Column("签收", "signedAt", kind="moment"),
    Column("办果", "resultAt", kind="moment"),
    Column("回报", "reportedAt", kind="moment"),
    Column("期限", "dueAt", kind="moment"),
    Column("销号", "closedAt", kind="moment"),
    Column("逾期", "expired", kind="flag"),
    Column("升级", "escalated", kind="flag"),
    Column("退回次数", "sendBacks", kind="number"),
    Column("督办说明", "note", coordinate="SupervisionOrder.note"),
    Column("办理结果", "result", coordinate="SupervisionOrder.result"),
    Column("附件编号", "attachments", coordinate="SupervisionOrder.attachments"),
)
EVENT = (
    Column("序号", "seq", kind="number"),
    Column("时间", "at", kind="moment"),
    Column("动作", "act", code="SupervisionAct"),
    Column("到达状态", "state", code="SupervisionState"),
    Column("经办岗位", "post", kind="post"),
    Column("说明、结果或原因", "note", coordinate="SupervisionEvent.note"),
)


def _filter(address: Address) -> Mapping[str, Any]:
    names = ("state", "kind", "division")
    chosen = {name: address.word(name) for name in names if address.word(name)}
    return {"filter": chosen or None, **paged(address)}


def _list(answer: Answer, address: Address, words: Words) -> View:
    filters = Filters(
        "筛选",
        address.path,
        [
            Field("kind", "类别", address.word("kind") or "", words.choices("SupervisionKind")),
            Field("state", "状态", address.word("state") or "", words.choices("SupervisionState")),
            Field("division", "乡（镇）", address.word("division") or "", townships(words)),
        ],
    )
    found = answer.nodes("supervisionOrders")
    info, total = answer.info("supervisionOrders"), answer.total("supervisionOrders")
    table = Table("督办单", LISTED, found, info, total)
    return View("督办单", [filters, table], table)


def _of_order(address: Address) -> Mapping[str, Any]:
    return {"orderNo": address.parts["number"]}


def _one(answer: Answer, _address: Address, _words: Words) -> View:
    found = answer.data["supervisionOrder"]
    if found is None:
        return View("督办单", [Note("没有此督办单，或不在您的职责范围内")])
    events = Table("督办经过", EVENT, found["events"] or ())
    return View(f"督办单 {found['orderNo']}", [Facts("基本情况", ONE, found), events], events)


PAGES = (
    Page(
        "/orders",
        "督办单",
        "orders",
        _list,
        _filter,
        datasets=("supervision_order", "case"),
    ),
    Page(
        "/orders/{number}",
        "督办单",
        "order",
        _one,
        _of_order,
        datasets=("supervision_order", "supervision_event"),
    ),
)
