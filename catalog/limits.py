"""办理时限: how long each node and each statutory step may take (领域设计 1.5 and 1.6).

``limits.toml`` holds rows with a legal basis and days of validity; two rows that answer the
same question on the same day are a CatalogError. Clocks reckon with them in
``domain/clock.py``.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from enum import StrEnum
from typing import TypeVar

from catalog.items import FlowKind, ServiceItem
from catalog.nodes import Node, goes_by
from catalog.table import Table
from catalog.validity import Ground, LegalBasis, read_ground

WHOLE = 100  # per cent


class Unit(StrEnum):
    """What a limit is counted in; ``domain/clock.py`` says how."""

    MINUTE = "MINUTE"
    HOUR = "HOUR"
    DAY = "DAY"
    WORKING_DAY = "WORKING_DAY"
    MONTH = "MONTH"
    MONTH_END = "MONTH_END"


@dataclass(frozen=True, slots=True)
class Limit:
    """A length of time, as a rule writes it: 3 WORKING_DAY. ValueError below 1."""

    amount: int
    unit: Unit

    def __post_init__(self) -> None:
        if self.amount < 1:
            raise ValueError("a limit is 1 or more")


class Part(StrEnum):
    """A node's interim limit, kept beside the limit of the whole node."""

    HAULING = "HAULING"  # 拉水: water is brought while the works are repaired
    TOLD = "TOLD"  # the citizen is told (电话、微信) before the result offline
    REFUSAL = "REFUSAL"  # 不同意的，书面告知理由


class ProcedureStep(StrEnum):
    """What a statutory row limits, from the case's acceptance or the step before."""

    WHOLE = "WHOLE"
    WHOLE_SPECIAL = "WHOLE_SPECIAL"
    VERIFICATION = "VERIFICATION"
    TOWNSHIP = "TOWNSHIP"
    NOTICE = "NOTICE"
    COUNTY = "COUNTY"
    REFUSAL = "REFUSAL"
    URGENT_AID = "URGENT_AID"
    IDENTIFICATION = "IDENTIFICATION"
    MEASURE = "MEASURE"
    OBJECTION = "OBJECTION"
    DECISION = "DECISION"
    REGISTRATION = "REGISTRATION"
    FINISH = "FINISH"
    FINISH_MORE = "FINISH_MORE"


class Bound(StrEnum):
    """Is the limit the longest, the shortest or the only length allowed?"""

    AT_MOST = "AT_MOST"
    AT_LEAST = "AT_LEAST"
    EXACTLY = "EXACTLY"


SUBJECTS = ("MONITORING", "SUPERVISION", "PETITION")
"""Procedures that are no service item: 防返贫监测, 督办, 信访 (for comparison)."""


@dataclass(frozen=True, slots=True)
class NodeLimit:
    """`node_time_limit`: a node's limit for a flow, or for one item of it.

    `limit` is None where no length is set; `open` then says what stands in its place.
    `recurring`: due again and again (慢病随访). `note` is for people.
    """

    flow: FlowKind
    node: Node
    item: str | None
    part: Part | None
    limit: Limit | None
    open: str | None
    recurring: bool
    note: str | None
    ground: Ground


@dataclass(frozen=True, slots=True)
class Extension:
    """`extension`: what one approved extension adds to a node's limit (领域设计 1.5)."""

    flow: FlowKind
    node: Node
    limit: Limit
    ground: Ground


@dataclass(frozen=True, slots=True)
class ProcedureLimit:
    """`procedure_time_limit`: a row of the procedure clock. `subject`: an item or of SUBJECTS."""

    subject: str
    step: ProcedureStep
    bound: Bound
    limit: Limit
    note: str | None
    ground: Ground


@dataclass(frozen=True, slots=True)
class SevenDayRule:
    """第十七条第二款: from filing to the first platform disposal. No `item`: every item."""

    item: str | None
    limit: Limit
    note: str | None
    ground: Ground


@dataclass(frozen=True, slots=True)
class ReminderRule:
    """第十六条: remind at `percent` of the limit or `working_days` before, whichever is earlier.

    `department_after` the limit the department is reminded.
    """

    percent: int
    working_days: int
    department_after: Limit
    ground: Ground


@dataclass(frozen=True, slots=True)
class Limits:
    """Every row of ``limits.toml``. Each question has one answer a day, or None."""

    nodes: tuple[NodeLimit, ...]
    procedures: tuple[ProcedureLimit, ...]
    seven_days: tuple[SevenDayRule, ...]
    reminders: tuple[ReminderRule, ...]
    extensions: tuple[Extension, ...] = ()

    def of(
        self, flow: FlowKind, node: Node, item: str, day: date, *, part: Part | None = None
    ) -> NodeLimit | None:
        """The row of a node; a row of the item itself goes before the flow's."""
        rows = (r for r in self.nodes if (r.flow, r.node, r.part) == (flow, node, part))
        return _own_first(rows, item, day)

    def extension(self, flow: FlowKind, node: Node, day: date) -> Extension | None:
        """What an extension adds; None for a node that is not extended."""
        rows = (r for r in self.extensions if (r.flow, r.node) == (flow, node))
        return next((row for row in rows if row.ground.holds(day)), None)

    def procedure(self, subject: str, step: ProcedureStep, day: date) -> ProcedureLimit | None:
        """The statutory row of a subject's step."""
        rows = (r for r in self.procedures if (r.subject, r.step) == (subject, step))
        return next((r for r in rows if r.ground.holds(day)), None)

    def seven_day(self, item: str, day: date) -> SevenDayRule | None:
        """The SevenDayRule of an item; a row of the item itself goes first."""
        return _own_first(self.seven_days, item, day)

    def reminder(self, day: date) -> ReminderRule | None:
        """When to remind."""
        return next((r for r in self.reminders if r.ground.holds(day)), None)


Row = TypeVar("Row", NodeLimit, SevenDayRule)
Ruled = TypeVar("Ruled", NodeLimit, ProcedureLimit, SevenDayRule, ReminderRule, Extension)


def _own_first(rows: Iterable[Row], item: str, day: date) -> Row | None:
    fit = [r for r in rows if r.item in (item, None) and r.ground.holds(day)]
    return min(fit, key=lambda r: r.item is None, default=None)


def read_limits(
    table: Table, items: Mapping[str, ServiceItem], bases: Mapping[str, LegalBasis]
) -> Limits:
    """``limits.toml``; CatalogError for an unknown word or for rows that overlap."""
    found = Limits(
        _rows(
            table,
            "node_time_limit",
            lambda row: _node_limit(row, items, bases),
            lambda r: (r.flow, r.node, r.item, r.part),
        ),
        _rows(
            table,
            "procedure_time_limit",
            lambda row: _procedure(row, items, bases),
            lambda r: (r.subject, r.step),
        ),
        _rows(
            table, "seven_day_rule", lambda row: _seven_days(row, items, bases), lambda r: (r.item,)
        ),
        _rows(table, "reminder", lambda row: _reminder(row, bases), lambda r: ()),
        _rows(table, "extension", lambda row: _extension(row, bases), lambda r: (r.flow, r.node)),
    )
    table.done()
    return found


def _rows(
    table: Table,
    key: str,
    read: Callable[[Table], Ruled],
    question: Callable[[Ruled], tuple[object, ...]],
) -> tuple[Ruled, ...]:
    found: list[Ruled] = []
    for number, row in enumerate(table.subs(key), start=1):
        one = read(row)
        row.done()
        _no_overlap(table, f"{key}[{number}]", one, found, question)
        found.append(one)
    return tuple(found)


def _no_overlap(
    table: Table,
    where: str,
    one: Ruled,
    before: Sequence[Ruled],
    question: Callable[[Ruled], tuple[object, ...]],
) -> None:
    for number, other in enumerate(before, start=1):
        if question(other) == question(one) and other.ground.meets(one.ground):
            raise table.fail(where, f"row {number} answers the same on the same days: end one")


def _limit(row: Table) -> Limit:
    amount = row.positive("amount")
    if amount is None:
        raise row.fail("amount", "is missing: add a whole number")
    return Limit(amount, row.choice("unit", Unit))


def _item(row: Table, key: str, items: Mapping[str, ServiceItem]) -> str | None:
    return row.known(key, items, "service item") if row.has(key) else None


def _node_limit(
    row: Table, items: Mapping[str, ServiceItem], bases: Mapping[str, LegalBasis]
) -> NodeLimit:
    flow, item = row.choice("flow", FlowKind), _item(row, "item", items)
    if flow is FlowKind.F5 or (item is not None and not goes_by(items[item], flow)):
        raise row.fail("flow", f"no case goes by `{flow}` here: correct the flow or the item")
    opened = row.optional("open")
    return NodeLimit(
        flow=flow,
        node=row.choice("node", Node),
        item=item,
        part=row.choice("part", Part) if row.has("part") else None,
        limit=None if opened is not None else _limit(row),
        open=opened,
        recurring=row.flag("recurring", False),
        note=row.optional("note"),
        ground=read_ground(row, bases),
    )


def _extension(row: Table, bases: Mapping[str, LegalBasis]) -> Extension:
    found = Extension(
        row.choice("flow", FlowKind), row.choice("node", Node), _limit(row), read_ground(row, bases)
    )
    if found.limit.unit not in (Unit.DAY, Unit.WORKING_DAY):
        raise row.fail("unit", "an extension is counted in DAY or WORKING_DAY")
    return found


def _procedure(
    row: Table, items: Mapping[str, ServiceItem], bases: Mapping[str, LegalBasis]
) -> ProcedureLimit:
    return ProcedureLimit(
        row.known("subject", dict.fromkeys((*items, *SUBJECTS)), "item or procedure"),
        row.choice("step", ProcedureStep),
        row.choice("bound", Bound),
        _limit(row),
        row.optional("note"),
        read_ground(row, bases),
    )


def _seven_days(
    row: Table, items: Mapping[str, ServiceItem], bases: Mapping[str, LegalBasis]
) -> SevenDayRule:
    return SevenDayRule(
        _item(row, "item", items), _limit(row), row.optional("note"), read_ground(row, bases)
    )


def _reminder(row: Table, bases: Mapping[str, LegalBasis]) -> ReminderRule:
    percent, days = row.positive("percent"), row.positive("working_days")
    if percent is None or percent >= WHOLE:
        raise row.fail("percent", "must be a whole number from 1 to 99")
    if days is None:
        raise row.fail("working_days", "is missing: add a whole number")
    hours = row.positive("department_after_hours")
    if hours is None:
        raise row.fail("department_after_hours", "is missing: add a whole number")
    return ReminderRule(percent, days, Limit(hours, Unit.HOUR), read_ground(row, bases))
