"""The 16 service items: the union of the lists in 办法第四条 and 第七条 (15 each)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

from catalog.table import Table


class FlowKind(StrEnum):
    """办理流程类型 (领域设计 1.4)."""

    F1 = "F1"
    F1_URGENT = "F1_URGENT"
    F2 = "F2"
    F3 = "F3"
    F4 = "F4"
    F5 = "F5"


@dataclass(frozen=True, slots=True)
class ServiceItem:
    """One 服务事项: its department, flow kind and where the Measures list it.

    `urgent`: a case may go by F1_URGENT instead (急难型：先救助，后补手续).
    """

    code: str
    title: str
    department: str
    flow: FlowKind
    urgent: bool
    in_article_4: bool
    in_article_7: bool
    legal_basis: str


def read_items(
    table: Table, departments: Mapping[str, object], bases: Mapping[str, object]
) -> dict[str, ServiceItem]:
    """``items.toml``: one table an item, keyed by its code."""
    found = {}
    for code, sub in table.tables():
        found[code] = ServiceItem(
            code=code,
            title=sub.text("title"),
            department=sub.known("department", departments, "department"),
            flow=sub.choice("flow", FlowKind),
            urgent=sub.flag("urgent", False),
            in_article_4=sub.flag("in_article_4", False),
            in_article_7=sub.flag("in_article_7", False),
            legal_basis=sub.known("legal_basis", bases, "legal basis"),
        )
        sub.done()
    return found
