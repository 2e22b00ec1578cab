"""月度通报与季度红黑榜: what is counted, how it is rounded, what it weighs (办法第十五条).

An `Edition` is one set of these, valid for the months that begin while it is in force. A frozen
bulletin keeps the edition it was made by (`plain`), so that it can be made again (`edition_of`)
whatever the file says later.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, replace
from datetime import date
from enum import StrEnum
from itertools import pairwise
from typing import Any

from catalog.errors import CatalogError
from catalog.table import Table

WHOLE = 100
"""What the weights of an edition's components add up to."""
LAST_FREEZE_DAY = 28  # every month has it
FIRST_KINDS = ("case", "order", "register")
"""What bulletins were made from before an edition said so; these say nothing of it."""
KINDS = (*FIRST_KINDS, "appeal", "survey")
"""Every kind of row that the program can read."""
CONTENT = range(1, 6)  # 满意度, as followUpCase takes it


class Standing(StrEnum):
    """CONFIRMED by the county, or a DEFAULT of this product that waits for that."""

    CONFIRMED = "CONFIRMED"
    DEFAULT = "DEFAULT"


class Unit(StrEnum):
    """COUNT: a whole number; RATE: a share of one; DAYS: natural days, a mean."""

    COUNT = "COUNT"
    RATE = "RATE"
    DAYS = "DAYS"


class Better(StrEnum):
    """Which end of a share is the good one."""

    HIGH = "HIGH"
    LOW = "LOW"


class Rounding(StrEnum):
    """HALF_UP: to the nearest, halves away from nought."""

    HALF_UP = "HALF_UP"


class GroupKind(StrEnum):
    """What figures are told for."""

    COUNTY = "COUNTY"
    TOWNSHIP = "TOWNSHIP"
    DEPARTMENT = "DEPARTMENT"
    ITEM = "ITEM"


@dataclass(frozen=True, slots=True)
class Figure:
    """One figure of a bulletin. `needs`: the kind of row it is made from.

    A RATE is `of` ÷ `per`, a DAYS a mean over `per` cases; both name COUNT figures.
    """

    code: str
    title: str
    unit: Unit
    needs: str
    definition: str
    of: str | None = None
    per: str | None = None


@dataclass(frozen=True, slots=True)
class Part:
    """A share of the quarter: the sum of `of` over the sum of `per`."""

    of: str
    per: str
    better: Better


@dataclass(frozen=True, slots=True)
class Component:
    """A weighted part of the score, the mean of its parts."""

    code: str
    title: str
    weight: int
    parts: tuple[Part, ...]


@dataclass(frozen=True, slots=True)
class Ranked:
    """How many of a kind the red and the black list have, and from how many cases one is ranked."""

    kind: GroupKind
    red: int
    black: int
    minimum_of: str
    minimum: int


@dataclass(frozen=True, slots=True)
class Edition:
    """The definitions and parameters of bulletins and rankings for some time.

    `freeze_day`: the day of the next month from which a month may be frozen (领域设计 1.7).
    `before_contact`: states no person has to do with; `machine_posts`: posts that are no person.
    `made_from`: the kinds of row that figures are made from. `satisfied_from`: the least answer,
    of 1 to 5, of one who is content.
    """

    code: str
    legal_basis: str
    standing: Standing
    valid_from: date
    valid_until: date | None
    freeze_day: int
    rounding: Rounding
    rate_decimals: int
    days_decimals: int
    before_contact: tuple[str, ...]
    machine_posts: tuple[str, ...]
    figures: tuple[Figure, ...]
    components: tuple[Component, ...]
    ranked: tuple[Ranked, ...]
    made_from: tuple[str, ...] = FIRST_KINDS
    satisfied_from: int | None = None

    def holds(self, day: date) -> bool:
        """Is it in force on this day? `valid_until` is the last one."""
        return self.valid_from <= day and (self.valid_until is None or day <= self.valid_until)


def in_force(editions: Iterable[Edition], day: date) -> Edition | None:
    """The edition of a day, None if there is none."""
    return next((one for one in editions if one.holds(day)), None)


# ---- as it is kept with a snapshot ------------------------------------------------------------


def plain(edition: Edition) -> dict[str, Any]:
    """The edition as JSON values; nothing of what the first editions did not say."""
    told = asdict(edition)
    if edition.made_from == FIRST_KINDS:
        del told["made_from"]
    if edition.satisfied_from is None:
        del told["satisfied_from"]
    told["valid_from"] = edition.valid_from.isoformat()
    told["valid_until"] = edition.valid_until.isoformat() if edition.valid_until else None
    return told


def edition_of(told: Mapping[str, Any]) -> Edition:
    """The edition that `plain` told. KeyError, TypeError or ValueError for anything else."""
    components = tuple(
        Component(c["code"], c["title"], c["weight"], tuple(_part(p) for p in c["parts"]))
        for c in told["components"]
    )
    until = told["valid_until"]
    made = dict(told) | {
        "standing": Standing(told["standing"]),
        "valid_from": date.fromisoformat(told["valid_from"]),
        "valid_until": date.fromisoformat(until) if until else None,
        "rounding": Rounding(told["rounding"]),
        "before_contact": tuple(told["before_contact"]),
        "machine_posts": tuple(told["machine_posts"]),
        "made_from": tuple(told.get("made_from", FIRST_KINDS)),
        "figures": tuple(Figure(**f | {"unit": Unit(f["unit"])}) for f in told["figures"]),
        "components": components,
        "ranked": tuple(Ranked(**r | {"kind": GroupKind(r["kind"])}) for r in told["ranked"]),
    }
    return Edition(**made)


def _part(told: Mapping[str, Any]) -> Part:
    return Part(told["of"], told["per"], Better(told["better"]))


# ---- as it is written -------------------------------------------------------------------------


def read_editions(table: Table, bases: Mapping[str, object]) -> tuple[Edition, ...]:
    """``bulletin.toml``: one table an edition, in the order of their validity."""
    found: list[Edition] = []
    for sub in table.subs("edition", "code"):
        found.append(_edition(sub, bases, {one.code: one for one in found}))
    table.done()
    for before, after in pairwise(found):
        if before.valid_until is None or before.valid_until >= after.valid_from:
            where = f"edition[{before.code}].valid_until"
            raise CatalogError(table.file, where, "must end before the next edition begins")
    return tuple(found)


def _edition(sub: Table, bases: Mapping[str, object], earlier: Mapping[str, Edition]) -> Edition:
    if sub.has("like"):
        return _successor(sub, bases, earlier[sub.known("like", earlier, "earlier edition")])
    code, begins = sub.text("code"), sub.day("valid_from")
    if begins is None:
        raise sub.fail("valid_from", "is missing: add a date, as in 2026-11-01")
    figures = tuple(_figure(one) for one in sub.subs("figure", "code"))
    counts = {f.code: f for f in figures if f.unit is Unit.COUNT}
    if len({f.code for f in figures}) < len(figures):
        raise sub.fail("figure", "names a code twice")
    for one in figures:
        for named in (one.of, one.per):
            if named is not None and named not in counts:
                raise sub.fail(f"figure[{one.code}]", f"`{named}` is no COUNT figure")
    components = tuple(_component(one, counts) for one in sub.subs("component", "code"))
    if sum(one.weight for one in components) != WHOLE:
        raise sub.fail("component", f"weights must add up to {WHOLE}")
    made = Edition(
        code,
        sub.known("legal_basis", bases, "legal basis"),
        sub.choice("standing", Standing),
        begins,
        sub.day("valid_until"),
        _within(sub, "freeze_day", 1, LAST_FREEZE_DAY),
        sub.choice("rounding", Rounding),
        _within(sub, "rate_decimals", 1, 9),
        _within(sub, "days_decimals", 1, 9),
        sub.texts("before_contact"),
        sub.texts("machine_posts"),
        figures,
        components,
        tuple(_ranked(one, counts) for one in sub.subs("ranked", "kind")),
    )
    sub.done()
    return made


def _successor(sub: Table, bases: Mapping[str, object], before: Edition) -> Edition:
    """An edition that is like an earlier one but for what it says itself."""
    code, begins = sub.text("code"), sub.day("valid_from")
    if begins is None:
        raise sub.fail("valid_from", "is missing: add a date, as in 2026-11-01")
    own = {figure.code: figure for figure in (_figure(one) for one in sub.subs("figure", "code"))}
    strange = sorted(own.keys() - {figure.code for figure in before.figures})
    if strange:
        raise sub.fail("figure", f"`{strange[0]}` is no figure of `{before.code}`")
    kinds = sub.texts("made_from")
    if not kinds or not set(kinds) <= set(KINDS):
        raise sub.fail("made_from", f"must be a list of {' '.join(KINDS)}")
    made = replace(
        before,
        code=code,
        legal_basis=sub.known("legal_basis", bases, "legal basis"),
        standing=sub.choice("standing", Standing),
        valid_from=begins,
        valid_until=sub.day("valid_until"),
        figures=tuple(own.get(figure.code, figure) for figure in before.figures),
        made_from=kinds,
        satisfied_from=_within(sub, "satisfied_from", CONTENT.start, CONTENT.stop - 1),
    )
    sub.done()
    return made


_NAMED = {Unit.COUNT: (False, False), Unit.RATE: (True, True), Unit.DAYS: (False, True)}


def _figure(sub: Table) -> Figure:
    code, title, unit = sub.text("code"), sub.text("title"), sub.choice("unit", Unit)
    made = Figure(
        *(code, title, unit, sub.text("needs"), sub.text("definition")),
        sub.optional("of"),
        sub.optional("per"),
    )
    if (made.of is not None, made.per is not None) != _NAMED[unit]:
        raise sub.fail("unit", "a RATE has `of` and `per`, a DAYS has `per`, a COUNT neither")
    sub.done()
    return made


def _component(sub: Table, counts: Mapping[str, object]) -> Component:
    made = Component(
        sub.text("code"),
        sub.text("title"),
        _within(sub, "weight", 1, WHOLE),
        tuple(_read_part(one, counts) for one in sub.subs("part", "of")),
    )
    if not made.parts:
        raise sub.fail("part", "is missing: add what it is made of")
    sub.done()
    return made


def _read_part(sub: Table, counts: Mapping[str, object]) -> Part:
    made = Part(
        sub.known("of", counts, "COUNT figure"),
        sub.known("per", counts, "COUNT figure"),
        sub.choice("better", Better),
    )
    sub.done()
    return made


def _ranked(sub: Table, counts: Mapping[str, object]) -> Ranked:
    made = Ranked(
        sub.choice("kind", GroupKind),
        _within(sub, "red", 1, WHOLE),
        _within(sub, "black", 1, WHOLE),
        sub.known("minimum_of", counts, "COUNT figure"),
        _within(sub, "minimum", 1, 1_000_000),
    )
    sub.done()
    return made


def _within(sub: Table, key: str, least: int, most: int) -> int:
    value = sub.number(key, least - 1)
    if not least <= value <= most:
        raise sub.fail(key, f"must be a whole number from {least} to {most}")
    return value
