"""审计: events by every filter, one event, who saw a citizen, and how the log itself stands."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date, datetime, time, timedelta
from typing import Any

from catalog.errors import BadUserInput
from catalog.workdays import ZONE
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
    Links,
    Note,
    Page,
    Row,
    Table,
    View,
)
from console.pages.accounts import to_account
from console.pages.cases import paged, townships
from console.words import Words

WORDS = ("actor", "org", "division", "kind", "outcome", "purpose", "operation", "caseRef")
WHO = f"{ROOT}/audit/who"


def _to_event(row: Row) -> str:
    return f"{ROOT}/audit/events/{row['idx']}"


LISTED = (
    Column("序号", "idx", kind="number", link=_to_event),
    Column("时间", "at", kind="moment"),
    Column("类别", "kind", code="AuditKind"),
    Column("结果", "outcome", code="AuditOutcome"),
    Column("代码", "decisionCode", kind="code"),
    Column("账号", "actor", kind="code", link=to_account),
    Column("单位", "actorOrg", kind="department"),
    Column("角色", "actorRole", kind="role"),
    Column("用途", "purpose", kind="purpose"),
    Column("关联编号", "caseRef", kind="code"),
    Column("操作", "operation", kind="code"),
    Column("行数", "rowCount", kind="number"),
    Column("人数", "subjectCount", kind="number"),
    Column("来源地址", "sourceIp", kind="code"),
)
ONE = (
    *LISTED[:6],
    *(Column(c.title, c.key, kind=c.kind) for c in LISTED[6:]),
    Column("岗位辖区", "division.name"),
    Column("接入程序", "client", kind="code"),
    Column("请求编号", "requestId", kind="code"),
    Column("依据", "legalBasis", kind="basis"),
    Column("应急访问", "breakGlass", kind="flag"),
    Column("策略版本", "policyVersion", kind="code"),
    Column("操作指纹", "operationHash", kind="code"),
    Column("第几份", "part", kind="number"),
    Column("共几份", "parts", kind="number"),
    Column("叶哈希", "leaf", kind="code"),
)
SAW = (
    Column("时间", "at", kind="moment"),
    Column("方式", "how", code="AuditHow"),
    Column("账号", "actor", kind="code", link=to_account),
    Column("单位", "actorOrg", kind="department"),
    Column("角色", "actorRole", kind="role"),
    Column("用途", "purpose", kind="purpose"),
    Column("依据", "legalBasis", kind="basis"),
    Column("关联编号", "caseRef", kind="code"),
    Column("操作", "operation", kind="code"),
    Column("结果", "outcome", code="AuditOutcome"),
    Column("接入程序", "client", kind="code"),
    Column("序号", "idx", kind="number", link=_to_event),
)
HEALTH = (
    Column("日志名", "log", kind="code"),
    Column("摘要算法", "suite", kind="code"),
    Column("记录数", "size", kind="number"),
    Column("根", "root", kind="code"),
    Column("检查点覆盖", "signed", kind="number"),
    Column("检查点时间", "signedAt", kind="moment"),
    Column("见证覆盖", "witnessed", kind="number"),
    Column("见证时间", "witnessedAt", kind="moment"),
    Column("人员索引编到", "indexed", kind="number"),
    Column("活动汇总编到", "rolledUp", kind="number"),
    Column("告警检查到", "alerted", kind="number"),
    Column("未处置告警", "openAlerts", kind="number"),
    Column("最近核验", "verifiedAt", kind="moment"),
    Column("核验的记录数", "verified", kind="number"),
    Column("核验结论", "verdict", code="AuditVerdict"),
)


def _day(address: Address, name: str, ahead: int = 0) -> str | None:
    """A day of the address, Beijing time, as a moment; `ahead` days later."""
    given = address.word(name)
    if given is None:
        return None
    try:
        day = date.fromisoformat(given) + timedelta(days=ahead)
    except (ValueError, OverflowError):
        raise BadUserInput("日期请写作 2026-11-26", reason="VARIABLE") from None
    return datetime.combine(day, time(), ZONE).isoformat()


def _filter(address: Address) -> Mapping[str, Any]:
    chosen: dict[str, Any] = {name: address.word(name) for name in WORDS if address.word(name)}
    if address.word("request"):
        chosen["requestId"] = address.word("request")
    days = {"since": _day(address, "since"), "until": _day(address, "until", 1)}
    chosen |= {name: day for name, day in days.items() if day is not None}
    return {"filter": chosen or None, **paged(address)}


def _list(answer: Answer, address: Address, words: Words) -> View:
    departments = [(one.code, one.short) for one in words.catalog.departments.values()]
    purposes = [(one.code, one.title) for one in words.catalog.purposes.values()]

    def given(name: str) -> str:
        return address.word(name) or ""

    filters = Filters(
        "筛选",
        address.path,
        [
            Field("since", "自", given("since"), kind="date"),
            Field("until", "至（含）", given("until"), kind="date"),
            Field("actor", "账号", given("actor")),
            Field("org", "单位", given("org"), [("", "全部"), *departments]),
            Field("division", "岗位辖区", given("division"), townships(words)),
            Field("kind", "类别", given("kind"), words.choices("AuditKind")),
            Field("outcome", "结果", given("outcome"), words.choices("AuditOutcome")),
            Field("purpose", "用途", given("purpose"), [("", "全部"), *purposes]),
            Field("operation", "操作", given("operation")),
            Field("caseRef", "关联编号", given("caseRef")),
            Field("request", "请求编号", given("request")),
        ],
    )
    found = answer.nodes("auditEvents")
    info, total = answer.info("auditEvents"), answer.total("auditEvents")
    table = Table("审计事件", LISTED, found, info, total)
    return View("审计查询", [filters, table], table)


def _of_event(address: Address) -> Mapping[str, Any]:
    return {"idx": int(address.parts["idx"])}


def _event(answer: Answer, _address: Address, _words: Words) -> View:
    found = answer.nodes("auditEvents")
    if not found:
        return View("审计事件", [Note("没有此序号的记录")])
    (event,) = found
    proof = (answer.data.get("auditProof") or {}).get("proof")
    body = event.get("body")
    blocks: list[Block] = [Facts("记录", ONE, event)]
    if body:
        blocks.append(Note(body, "记录正文（规范字节）", code=True))
    said = proof or "检查点尚未覆盖此记录，请稍后再看"
    blocks.append(Note(said, "证明（可交持有回执的人离线核对）", code=proof is not None))
    return View(f"审计事件 {event['idx']}", blocks)


def _of_person(address: Address) -> Mapping[str, Any] | None:
    person = address.word("person")
    return None if person is None else {"of": {"person": person}, **paged(address)}


def _sought(form: Mapping[str, str], address: Address) -> Mapping[str, Any]:
    return {"of": {"idNumber": form.get("idNumber", "").strip()}, "first": address.first}


def _who(answer: Answer, address: Address, _words: Words) -> View:
    form = Deed(
        "按证件号码查",
        address.path,
        [Field("idNumber", "公民身份号码", required=True, hint="不写入网址，不写入日志")],
        "查谁看过",
    )
    if "subjectAccess" not in answer.data:
        return View("谁看过", [form])
    found, info = answer.nodes("subjectAccess"), answer.info("subjectAccess")
    by_person = address.word("person") is not None
    table = Table(
        "谁看过、查过此人",
        SAW,
        found,
        info if by_person else None,
        answer.total("subjectAccess"),
        "没有人看过或查过此人",
    )
    blocks: list[Block] = [form, table]
    if found and not by_person:
        person = found[0]["person"]
        blocks.append(Links("固定链接", [(f"人员代号 {person}", f"{WHO}?person={person}")]))
    return View("谁看过", blocks, table if by_person else None)


def _integrity(answer: Answer, _address: Address, _words: Words) -> View:
    health = answer.data.get("auditHealth") or {}
    told = Note(
        "在本机另行核验：hub audit verify；脱离中枢核验：audit_verify.py（见 docs/audit.md）。",
        "核验",
    )
    return View("完整性", [Facts("日志的状态", HEALTH, health), told])


PAGES = (
    Page("/audit", "审计查询", "audit", _list, _filter, datasets=("audit_event",)),
    Page("/audit/events/{idx:number}", "审计事件", "event", _event, _of_event),
    Page(
        "/audit/who",
        "谁看过",
        "who_saw",
        _who,
        _of_person,
        posted=_sought,
        datasets=("audit_access",),
    ),
    Page("/audit/integrity", "完整性", "integrity", _integrity),
)
