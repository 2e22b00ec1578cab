"""首页: what is open, due today and late in my area, and how the sources stand; by the post."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from typing import Any

from catalog.workdays import ZONE
from console.page import (
    ROOT,
    Address,
    Answer,
    Block,
    Column,
    Facts,
    Figure,
    Figures,
    Page,
    Table,
    View,
)
from console.words import Words

CLERKS = ("village", "town", "dept", "lead")
ANSWERS = ("ANSWERS", "NOT_ASKED")  # of a source nobody needs to look after
SOURCES = (Column("数据源", "title"), Column("状态", "state", code="SourceState"))


def today(address: Address) -> tuple[str, str]:
    """When today begins and ends, Beijing time, as filters take it."""
    day = address.now.astimezone(ZONE).replace(hour=0, minute=0, second=0, microsecond=0)
    return day.isoformat(), (day + timedelta(days=1)).isoformat()


def _until(address: Address) -> Mapping[str, Any]:
    begins, ends = today(address)
    return {"today": begins, "tomorrow": ends}


def _sources(answer: Answer, words: Words) -> list[Block]:
    found = answer.nodes("sources")
    quiet = [one for one in found if one["state"] not in ANSWERS]
    told = f"{len(found)} 个数据源，{len(quiet)} 个未能应答或尚未接入"
    figure = Figure(told, len(found) - len(quiet), f"{ROOT}/sources", "late" if quiet else "calm")
    return [
        Figures("数据源", [figure]),
        *([Table("未能应答或尚未接入", SOURCES, quiet)] if quiet else []),
    ]


def _work(answer: Answer, *more: Figure) -> Figures:
    counts = {name: answer.total(name) for name in ("open", "today", "late")}
    late = "late" if counts["late"] else "calm"
    return Figures(
        "我的辖区",
        [
            Figure("未办结环节", _count(counts["open"]), f"{ROOT}/board"),
            Figure("今日到期", _count(counts["today"]), f"{ROOT}/board?show=today"),
            Figure("已超时", _count(counts["late"]), f"{ROOT}/board?show=late", late),
            *more,
        ],
    )


def _count(total: int | None) -> object:
    return "—" if total is None else total


def _plain(answer: Answer, _address: Address, words: Words) -> View:
    return View("首页", _sources(answer, words))


def _office(answer: Answer, _address: Address, words: Words) -> View:
    orders = Figure("督办单", _count(answer.total("orders")), f"{ROOT}/orders")
    return View("首页", [_work(answer, orders), *_sources(answer, words)])


def _clerk(answer: Answer, _address: Address, words: Words) -> View:
    cases = Figure("诉求件", _count(answer.total("cases")), f"{ROOT}/cases")
    return View("首页", [_work(answer, cases), *_sources(answer, words)])


def _auditor(answer: Answer, _address: Address, words: Words) -> View:
    health = answer.data.get("auditHealth") or {}
    open_ = health.get("openAlerts")
    figures = [
        Figure("审计记录", _count(health.get("size")), f"{ROOT}/audit"),
        Figure(
            "未处置告警",
            _count(open_),
            f"{ROOT}/audit/alerts?state=OPEN",
            "late" if open_ else "calm",
        ),
    ]
    columns = (
        Column("最近检查点", "signedAt", kind="moment"),
        Column("最近核验", "verifiedAt", kind="moment"),
        Column("核验结论", "verdict", code="AuditVerdict"),
    )
    return View(
        "首页",
        [Figures("访问审计", figures), Facts("完整性", columns, health), *_sources(answer, words)],
    )


PLAIN = Page("", "首页", "home", _plain)
OFFICE = Page("", "首页", "home_office", _office, _until)
CLERK = Page("", "首页", "home_clerk", _clerk, _until)
AUDITOR = Page("", "首页", "home_auditor", _auditor)
PAGES = (PLAIN,)


def home_of(roles: tuple[str, ...]) -> Page:
    """The first page of a post."""
    if "office" in roles:
        return OFFICE
    if "auditor" in roles:
        return AUDITOR
    return CLERK if set(roles) & set(CLERKS) else PLAIN
