"""比对规则: what a comparison looks for, from how much on, whose clue it is, when it is run.

``comparison.toml`` holds rows with a legal basis and days of validity; ``domain/comparison.py``
says what is done with them. A run keeps the rows it was made by (`plain`).
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from datetime import date
from enum import StrEnum
from typing import TypeVar

from catalog.items import ServiceItem
from catalog.limits import Limit, Unit
from catalog.table import Table
from catalog.validity import Ground, LegalBasis, alone, read_ground

LAST_DAY = 28  # every month has it
HOURS = 24


class Outcome(StrEnum):
    """What a hit asks for: a visit (疑似清单), or to be looked at again (关注名单)."""

    LIFT = "LIFT"
    WATCH = "WATCH"


class Tier(StrEnum):
    """How much of it there is, the most first."""

    RED = "RED"
    ORANGE = "ORANGE"
    YELLOW = "YELLOW"
    PLAIN = "PLAIN"


class HouseholdClass(StrEnum):
    """脱贫户 or any other: from how much on a hit counts."""

    EX_POOR = "EX_POOR"
    OTHER = "OTHER"


@dataclass(frozen=True, slots=True)
class Schedule:
    """The month's run: on this day and hour, made up for between `opens` and `closes` (Beijing)."""

    day: int
    hour: int
    opens: int
    closes: int
    ground: Ground


@dataclass(frozen=True, slots=True)
class Threshold:
    """From so many yuan on, a member of such a household is a hit of this outcome."""

    household: HouseholdClass
    yuan: int
    outcome: Outcome
    ground: Ground


@dataclass(frozen=True, slots=True)
class Rule:
    """One rule for some time. `item`: what a lift is filed for; `limit`: for the visit."""

    code: str
    version: int
    title: str
    owner: str
    item: str
    limit: Limit
    quiet_days: int
    parameters: Mapping[str, int]
    thresholds: tuple[Threshold, ...]
    tiers: tuple[tuple[Tier, int], ...]
    ground: Ground

    def on(self, day: date) -> tuple[Threshold, ...]:
        """The thresholds in force on a day, the highest first."""
        held = [one for one in self.thresholds if one.ground.holds(day)]
        return tuple(sorted(held, key=lambda one: -one.yuan))


Row = TypeVar("Row", Rule, Schedule)


@dataclass(frozen=True, slots=True)
class Comparisons:
    """All rows, those of other days too."""

    schedules: tuple[Schedule, ...]
    rules: tuple[Rule, ...]

    def schedule(self, day: date) -> Schedule | None:
        """When the runs of a day's month are due; None if no row says."""
        return next(iter(_in_force(self.schedules, day)), None)

    def on(self, day: date) -> tuple[Rule, ...]:
        """The rules of a Beijing day, by code."""
        return tuple(sorted(_in_force(self.rules, day), key=lambda one: one.code))

    def rule(self, code: str, day: date) -> Rule:
        """The rule on a day; LookupError if it is not in force then."""
        for one in self.on(day):
            if one.code == code:
                return one
        raise LookupError(f"no rule {code} on {day}")


def _in_force(rows: Iterable[Row], day: date) -> tuple[Row, ...]:
    return tuple(row for row in rows if row.ground.holds(day))


def plain(rule: Rule, day: date) -> str:
    """The rule as a run of a day keeps it: canonical JSON of what it was made by."""
    told = asdict(rule) | {"thresholds": [asdict(one) for one in rule.on(day)]}
    return json.dumps(told, ensure_ascii=False, sort_keys=True, default=date.isoformat)


def read_comparisons(
    table: Table,
    items: Mapping[str, ServiceItem],
    departments: Mapping[str, object],
    bases: Mapping[str, LegalBasis],
) -> Comparisons:
    """``comparison.toml``, strictly: no rule and no threshold stands twice for one day."""
    schedules = tuple(_schedule(entry, bases) for entry in table.subs("schedule", "day"))
    rules = tuple(_rule(entry, items, departments, bases) for entry in table.subs("rule", "code"))
    table.done()
    alone(table, "schedule", [("schedule", row.ground) for row in schedules])
    alone(table, "rule", [(row.code, row.ground) for row in rules])
    return Comparisons(schedules, rules)


def _schedule(entry: Table, bases: Mapping[str, LegalBasis]) -> Schedule:
    day, hour = entry.count("day"), entry.count("hour")
    opens, closes = entry.count("opens"), entry.count("closes")
    if day > LAST_DAY:
        raise entry.fail("day", f"is no day of every month: use 1 to {LAST_DAY}")
    if not opens <= hour < closes <= HOURS:
        raise entry.fail("hour", "must lie between `opens` and `closes`")
    found = Schedule(day, hour, opens, closes, read_ground(entry, bases))
    entry.done()
    return found


def _rule(
    entry: Table,
    items: Mapping[str, ServiceItem],
    departments: Mapping[str, object],
    bases: Mapping[str, LegalBasis],
) -> Rule:
    parameters = entry.nested("parameters")
    for name, value in parameters.items():
        if not isinstance(value, int) or isinstance(value, bool) or value < 1:
            raise entry.fail(f"parameters.{name}", "must be a whole number from 1")
    thresholds = tuple(_threshold(one, bases) for one in entry.subs("threshold", "household"))
    tiers = tuple(_tier(one) for one in entry.subs("tier", "tier"))
    found = Rule(
        code=entry.text("code"),
        version=entry.count("version"),
        title=entry.text("title"),
        owner=entry.known("owner", departments, "department"),
        item=entry.known("item", items, "service item"),
        limit=Limit(entry.count("amount"), entry.choice("unit", Unit)),
        quiet_days=entry.count("quiet_days"),
        parameters=parameters,
        thresholds=thresholds,
        tiers=tuple(sorted(tiers, key=lambda one: -one[1])),
        ground=read_ground(entry, bases),
    )
    entry.done()
    named = [(f"{one.household} {one.outcome}", one.ground) for one in thresholds]
    alone(entry, "threshold", named)
    return found


def _threshold(entry: Table, bases: Mapping[str, LegalBasis]) -> Threshold:
    found = Threshold(
        entry.choice("household", HouseholdClass),
        entry.count("yuan"),
        entry.choice("outcome", Outcome),
        read_ground(entry, bases),
    )
    entry.done()
    return found


def _tier(entry: Table) -> tuple[Tier, int]:
    found = entry.choice("tier", Tier), entry.count("yuan")
    entry.done()
    return found
