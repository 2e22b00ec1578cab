"""告警, and an account's week: when it asked how often, hour by hour."""

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
    Field,
    Filters,
    Heat,
    HeatCell,
    HeatLine,
    Links,
    Page,
    Row,
    Table,
    View,
)
from console.pages.cases import paged
from console.words import Words

DAYS, HOURS = 7, 24
LEVELS = 4  # shades of a cell that is not empty


def _to_event(row: Row) -> str | None:
    event = row.get("event")
    return None if event is None else f"{ROOT}/audit/events/{event['idx']}"


def to_account(row: Row) -> str | None:
    """Where an account's week is shown; None for the log's own records."""
    return f"{ROOT}/audit/accounts/{row['actor']}" if row.get("actor") else None


ALERTS = (
    Column("告警时间", "raisedAt", kind="moment"),
    Column("规则", "rule", kind="code"),
    Column("账号", "actor", kind="code", link=to_account),
    Column("岗位辖区", "division.name"),
    Column("时段起点", "windowStart", kind="moment"),
    Column("计数", "count", kind="number"),
    Column("状态", "state", code="AlertState"),
    Column("处置期限", "dueAt", kind="moment"),
    Column("处置人", "handledBy", kind="code"),
    Column("处置时间", "handledAt", kind="moment"),
    Column("记录", "event.idx", kind="number", link=_to_event),
)
KINDS = (
    Column("类别", "kind", code="AuditKind"),
    Column("结果", "outcome", code="AuditOutcome"),
    Column("次数", "events", kind="number"),
    Column("涉及人次", "subjects", kind="number"),
)


def _alert_filter(address: Address) -> Mapping[str, Any]:
    names = ("state", "rule", "actor")
    chosen = {name: address.word(name) for name in names if address.word(name)}
    return {"filter": chosen or None, **paged(address)}


def _alerts(answer: Answer, address: Address, words: Words) -> View:
    filters = Filters(
        "筛选",
        address.path,
        [
            Field("state", "状态", address.word("state") or "", words.choices("AlertState")),
            Field("rule", "规则", address.word("rule") or ""),
            Field("actor", "账号", address.word("actor") or ""),
        ],
    )
    found = answer.nodes("auditAlerts")
    info, total = answer.info("auditAlerts"), answer.total("auditAlerts")
    table = Table("告警", ALERTS, found, info, total, "没有告警")
    return View("告警", [filters, table], table)


def _last(address: Address) -> date:
    """The last day of the week that is shown: the one asked for, or today."""
    given = address.word("until")
    if given is None:
        return address.now.astimezone(ZONE).date()
    try:
        return date.fromisoformat(given)
    except ValueError:
        raise BadUserInput("日期请写作 2026-11-26", reason="VARIABLE") from None


def _week(address: Address) -> Mapping[str, Any]:
    last = _last(address)
    days = {"since": last - timedelta(days=DAYS - 1), "until": last + timedelta(days=1)}
    moments = {n: datetime.combine(d, time(), ZONE).isoformat() for n, d in days.items()}
    return {"filter": {"actor": address.parts["actor"], **moments}}


def _account(answer: Answer, address: Address, _words: Words) -> View:
    actor, last = address.parts["actor"], _last(address)
    week = Filters(
        "一周",
        address.path,
        [Field("until", "至（含）", last.isoformat(), kind="date")],
        "显示",
    )
    before = address.link(until=(last - timedelta(days=DAYS)).isoformat())
    links = [("前一周", before), ("此账号的全部记录", f"{ROOT}/audit?actor={actor}")]
    table = Table("按类别与结果", KINDS, answer.nodes("kinds"))
    blocks: list[Block] = [week, _heat(answer.nodes("hours"), last), table, Links("另见", links)]
    return View(f"账号 {actor}", blocks, table)


def _heat(rows: list[Row], last: date) -> Heat:
    counted = {(row["day"], row["hour"]): int(row["events"]) for row in rows}
    most = max(counted.values(), default=0)
    lines = []
    for back in range(DAYS):
        day = (last - timedelta(days=back)).isoformat()
        counts = [counted.get((day, hour), 0) for hour in range(HOURS)]
        cells = [HeatCell(count, _level(count, most)) for count in counts]
        lines.append(HeatLine(day, cells, sum(counts)))
    return Heat("每小时次数（北京时间）", [str(hour) for hour in range(HOURS)], lines)


def _level(count: int, most: int) -> int:
    return 0 if count == 0 else -(-count * LEVELS // most)


PAGES = (
    Page("/audit/alerts", "告警", "alerts", _alerts, _alert_filter, datasets=("audit_alert",)),
    Page(
        "/audit/accounts/{actor}",
        "账号视图",
        "account",
        _account,
        _week,
        datasets=("audit_activity",),
    ),
)
