"""Limits, routes and staffing of the office's procedures: rows with a legal basis and dates.

``procedures.toml`` says how long, which way and how many; ``domain/`` says what is done then.
A row is in force from its first day to its last (`until`); two rows for one thing never are
at once, so a day has one answer.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date
from enum import StrEnum
from typing import TypeVar

from catalog.divisions import Level
from catalog.limits import Limit
from catalog.limits import Unit as Span
from catalog.table import Table
from catalog.validity import Ground, LegalBasis, alone, read_ground


class Unit(StrEnum):
    """What is counted: working days (``workdays.py``), natural days, how often."""

    WORKING_DAY = "WORKING_DAY"
    DAY = "DAY"
    TIMES = "TIMES"


class Procedure(StrEnum):
    """Procedures beside the case's."""

    SUPERVISION = "SUPERVISION"
    COMPLAINT = "COMPLAINT"
    APPEAL = "APPEAL"
    PRIVACY_OBJECTION = "PRIVACY_OBJECTION"
    CORRECTION = "CORRECTION"
    SPOT_CHECK = "SPOT_CHECK"
    SHARING = "SHARING"


class Step(StrEnum):
    """What is limited: something to be done, a kind of order, or when something follows."""

    SIGN = "SIGN"
    URGE = "URGE"
    SUPERVISE = "SUPERVISE"
    KEY = "KEY"
    LEADER = "LEADER"
    ESCALATE_SENT_BACK = "ESCALATE_SENT_BACK"
    """Sent back so often: to the county's leader."""
    ESCALATE_LATE = "ESCALATE_LATE"
    """So long past the limit: to the county's leader."""
    RECEIVE = "RECEIVE"
    ANSWER = "ANSWER"
    ANSWER_ESCALATED = "ANSWER_ESCALATED"
    ACCEPT = "ACCEPT"
    CORRECT = "CORRECT"
    EXTEND = "EXTEND"
    """What the one extension adds."""
    TELL_READERS_OF = "TELL_READERS_OF"
    """Who has read the value so long back is told."""
    RECTIFY = "RECTIFY"
    REVIEW = "REVIEW"
    ANSWER_UNCONDITIONAL = "ANSWER_UNCONDITIONAL"
    """An answer about data that is shared without conditions."""
    PROVISION = "PROVISION"
    """From the yes to the first day of use."""
    MEDIATE = "MEDIATE"


_ANSWERING = frozenset({Step.RECEIVE, Step.ANSWER, Step.ANSWER_ESCALATED})

STEPS: Mapping[Procedure, frozenset[Step]] = {
    Procedure.SUPERVISION: frozenset(
        {
            Step.SIGN,
            Step.URGE,
            Step.SUPERVISE,
            Step.KEY,
            Step.LEADER,
            Step.ESCALATE_SENT_BACK,
            Step.ESCALATE_LATE,
        }
    ),
    Procedure.COMPLAINT: _ANSWERING,
    Procedure.APPEAL: _ANSWERING,
    Procedure.PRIVACY_OBJECTION: _ANSWERING,
    Procedure.CORRECTION: frozenset({Step.ACCEPT, Step.CORRECT, Step.EXTEND, Step.TELL_READERS_OF}),
    Procedure.SPOT_CHECK: frozenset({Step.RECTIFY}),
    Procedure.SHARING: frozenset(
        {
            Step.REVIEW,
            Step.ANSWER_UNCONDITIONAL,
            Step.ANSWER,
            Step.EXTEND,
            Step.PROVISION,
            Step.MEDIATE,
        }
    ),
}
"""The steps of each procedure; each has a row."""

AS_WRITTEN = frozenset({Step.KEY, Step.LEADER})
"""Orders that say their limit themselves, if no row does."""
_LENGTHS = frozenset({Unit.WORKING_DAY, Unit.DAY})
_UNITS: Mapping[Step, frozenset[Unit]] = {
    Step.ESCALATE_SENT_BACK: frozenset({Unit.TIMES}),
    Step.ESCALATE_LATE: frozenset({Unit.DAY}),
    Step.TELL_READERS_OF: frozenset({Unit.DAY}),
}
"""What a step is counted in, if not in days of either kind."""


class ChangeRoute(StrEnum):
    """Who has the last word on an account change (第六条)."""

    COUNTY = "COUNTY"
    PREFECTURE = "PREFECTURE"


@dataclass(frozen=True, slots=True)
class ProcedureLimit:
    """How long or how often. `amount` None: as the order itself says (`as_written`)."""

    procedure: Procedure
    step: Step
    amount: int | None
    unit: Unit | None
    ground: Ground

    @property
    def count(self) -> int:
        """The amount; LookupError where the order itself says it."""
        if self.amount is None:
            raise LookupError(f"{self.procedure} {self.step} is as written")
        return self.amount

    @property
    def length(self) -> Limit:
        """The amount as a length of time; LookupError where the order itself says it.

        ValueError for how often.
        """
        return Limit(self.count, Span(str(self.unit)))


@dataclass(frozen=True, slots=True)
class RouteRow:
    """The way of account changes of organisations of a level."""

    level: Level
    route: ChangeRoute
    ground: Ground


@dataclass(frozen=True, slots=True)
class StaffingRow:
    """The accounts each of these departments holds at each place of a level, at least."""

    departments: tuple[str, ...]
    level: Level
    accounts: int
    ground: Ground


Row = TypeVar("Row", ProcedureLimit, RouteRow, StaffingRow)


@dataclass(frozen=True, slots=True)
class Procedures:
    """All rows, those of other days too."""

    limits: tuple[ProcedureLimit, ...]
    routes: tuple[RouteRow, ...]
    staffing_rows: tuple[StaffingRow, ...]

    def limit(self, procedure: Procedure, step: Step, day: date) -> ProcedureLimit:
        """The limit on a Beijing day; LookupError if none is in force then."""
        for row in in_force(self.limits, day):
            if (row.procedure, row.step) == (procedure, step):
                return row
        raise LookupError(f"no limit for {procedure} {step} on {day}")

    def route(self, level: Level, day: date) -> ChangeRoute:
        """Which way an account change of this level goes; LookupError if none says."""
        for row in in_force(self.routes, day):
            if row.level is level:
                return row.route
        raise LookupError(f"no route for {level} on {day}")

    def staffing(self, day: date) -> tuple[StaffingRow, ...]:
        """The rows of 第十二条 in force on a day."""
        return in_force(self.staffing_rows, day)


def in_force(rows: Iterable[Row], day: date) -> tuple[Row, ...]:
    """The rows of a Beijing day."""
    return tuple(row for row in rows if row.ground.holds(day))


def read_procedures(
    table: Table, departments: Mapping[str, object], bases: Mapping[str, LegalBasis]
) -> Procedures:
    """``procedures.toml``, strictly: every step has a row, and no two of a thing meet."""
    limits = tuple(_limit(entry, bases) for entry in table.subs("limit", "step"))
    routes = tuple(_route(entry, bases) for entry in table.subs("change_route", "level"))
    staffing = tuple(
        _staffing(entry, departments, bases) for entry in table.subs("staffing", "level")
    )
    table.done()
    for procedure, steps in STEPS.items():
        told = {row.step for row in limits if row.procedure is procedure}
        for step in sorted(steps - told):
            raise table.fail(f"limit[{procedure} {step}]", "is missing: add a row")
    alone(table, "limit", [(f"{row.procedure} {row.step}", row.ground) for row in limits])
    alone(table, "change_route", [(row.level.value, row.ground) for row in routes])
    posts = [(f"{d} {row.level}", row.ground) for row in staffing for d in row.departments]
    alone(table, "staffing", posts)
    return Procedures(limits, routes, staffing)


def _limit(entry: Table, bases: Mapping[str, LegalBasis]) -> ProcedureLimit:
    procedure = entry.choice("procedure", Procedure)
    step = entry.choice("step", Step)
    if step not in STEPS[procedure]:
        raise entry.fail("step", f"is none of {procedure}: use one of {_words(STEPS[procedure])}")
    amount, unit = None, None
    as_written = entry.flag("as_written", False)
    if as_written and step not in AS_WRITTEN:
        raise entry.fail("as_written", f"is for {_words(AS_WRITTEN)} only: add an amount")
    if not as_written:
        amount, unit = entry.count("amount"), entry.choice("unit", Unit)
        if unit not in _UNITS.get(step, _LENGTHS):
            raise entry.fail("unit", f"`{unit}` does not count {step}")
    found = ProcedureLimit(procedure, step, amount, unit, read_ground(entry, bases))
    entry.done()
    return found


def _route(entry: Table, bases: Mapping[str, LegalBasis]) -> RouteRow:
    level, route = entry.choice("level", Level), entry.choice("route", ChangeRoute)
    found = RouteRow(level, route, read_ground(entry, bases))
    entry.done()
    return found


def _staffing(
    entry: Table, departments: Mapping[str, object], bases: Mapping[str, LegalBasis]
) -> StaffingRow:
    named = entry.texts("departments")
    for department in named:
        if department not in departments:
            raise entry.fail("departments", f"`{department}` is no department")
    if not named:
        raise entry.fail("departments", "is missing: name one or more")
    level, accounts = entry.choice("level", Level), entry.count("accounts")
    found = StaffingRow(named, level, accounts, read_ground(entry, bases))
    entry.done()
    return found


def _words(steps: frozenset[Step]) -> str:
    return " ".join(step for step in Step if step in steps)
