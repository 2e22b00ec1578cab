"""What can be printed: a row a kind, with its document, its words and its template.

Whoever adds one adds a row, a document and a template; nothing else names the kinds. One that was
printed stays: its papers are out, and are verified for ever.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from types import MappingProxyType
from typing import Any

from catalog.errors import BadUserInput
from domain.case import CaseState, is_decided

HERE = Path(__file__).parent
EVENTS = MappingProxyType({"events": 100})
"""Of a work order: the longest flow with its returns has some thirty."""
FIGURES = MappingProxyType({"figures": 50, "groups": 100})
"""Of a bulletin: some two dozen of the county; a figure has some forty groups."""
ROOT = "record"
"""The one root field of every document of ours, whatever it stands for."""

CODED: Mapping[str, str] = MappingProxyType(
    {
        "item": "ServiceItem",
        "caseState": "CaseState",
        "channel": "ApplicationChannel",
        "intake": "IntakeMode",
        "orderKind": "SupervisionKind",
        "orderReason": "SupervisionReason",
        "orderState": "SupervisionState",
        "figureCode": "FigureCode",
        "figureAbsence": "FigureAbsence",
        "groupKind": "BulletinGroup",
    }
)
"""Name in our documents -> the code table whose words are printed for its values."""

Row = Mapping[str, Any]


def _always(_row: Row) -> None:
    """Whatever it says may be printed."""


def _decided(row: Row) -> None:
    """A decision is printed once there is one. BadUserInput UNDECIDED."""
    if not is_decided(CaseState(row["caseState"])):
        raise BadUserInput("此诉求尚未办出结论，不能打印审批决定书", reason="UNDECIDED")


@dataclass(frozen=True)
class Kind:
    """`name` stands in the address, `title` on the paper; `number` is what the body calls it.

    `template` is file and version: a page that says something else is another version, and the
    old one stays, since a stored print is printed again as it was. `lists` are the page sizes
    that the document takes. `check` says whether a row can be printed yet.
    """

    name: str
    title: str
    number: str
    document: str
    template: str
    lists: Mapping[str, int] | None = None
    folder: Path = HERE / "documents"
    check: Callable[[Row], None] = _always

    @cached_property
    def text(self) -> str:
        """The document."""
        return (self.folder / f"{self.document}.graphql").read_text(encoding="utf-8")

    def variables(self, number: str, page_max: int) -> Mapping[str, Any]:
        """What the document is asked with; lists are no longer than a page may be."""
        return {"number": number} | {
            n: min(size, page_max) for n, size in (self.lists or {}).items()
        }


KINDS: Mapping[str, Kind] = MappingProxyType(
    {
        kind.name: kind
        for kind in (
            Kind("work-order", "工单", "caseNo", "work_order", "work_order/1", EVENTS),
            Kind("decision", "审批决定书", "caseNo", "decision", "decision/1", check=_decided),
            Kind("supervision", "督办通知单", "orderNo", "supervision", "supervision/1"),
            Kind("bulletin", "月通报", "month", "bulletin", "bulletin/1", FIGURES),
        )
    }
)
