"""The menu, by the roles of a reader's posts. It hides nothing: what a post may, the Plan says."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from console.page import ROOT

EVERYBODY = ("*",)
CASEWORK = ("village", "town", "dept", "lead", "office", "lab")
REPORTS = ("office", "dept", "lead", "authority", "lab")
AUDITOR = ("auditor", "lab")


@dataclass(frozen=True, slots=True)
class Entry:
    """A word of the menu, where it leads, and whose it is."""

    title: str
    path: str
    roles: Sequence[str] = EVERYBODY


@dataclass(frozen=True, slots=True)
class Item:
    """An entry as a page shows it."""

    title: str
    href: str
    current: bool


MENU = (
    Entry("首页", ""),
    Entry("超时看板", "/board", CASEWORK),
    Entry("诉求件", "/cases", CASEWORK),
    Entry("督办单", "/orders", CASEWORK),
    Entry("月度通报", "/bulletins", REPORTS),
    Entry("季度红黑榜", "/ranking", REPORTS),
    Entry("审计查询", "/audit", AUDITOR),
    Entry("谁看过", "/audit/who", AUDITOR),
    Entry("告警", "/audit/alerts", AUDITOR),
    Entry("完整性", "/audit/integrity", AUDITOR),
    Entry("数据目录", "/catalogue"),
    Entry("运行状态", "/sources"),
    Entry("我的权限", "/own/rights"),
    Entry("我的访问记录", "/own/history"),
)


def menu(roles: Sequence[str], path: str) -> list[Item]:
    """What a reader with these roles is offered, on the page at `path`."""
    shown = list(_shown(roles))
    best = max((ROOT + e.path for e in shown if _below(path, ROOT + e.path)), key=len, default="")
    return [Item(e.title, ROOT + e.path, ROOT + e.path == best) for e in shown]


def _shown(roles: Sequence[str]) -> Iterator[Entry]:
    for entry in MENU:
        if entry.roles == EVERYBODY or set(entry.roles) & set(roles):
            yield entry


def _below(path: str, above: str) -> bool:
    return path == above or (above != ROOT and path.startswith(f"{above}/"))
