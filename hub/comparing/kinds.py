"""What each rule asks, how a person of its answer is read, and which rule of `domain` judges him.

Whoever adds a rule adds a row here, a document, and its row in ``catalog/comparison.toml``; a rule
that lacks one of them is a CatalogError when the program starts.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from functools import cached_property
from pathlib import Path
from types import MappingProxyType
from typing import Any

from catalog.comparison import Rule
from catalog.errors import CatalogError
from catalog.load import Catalog
from catalog.workdays import ZONE
from domain.comparison import Judged
from domain.findings import (
    Aided,
    Appraisal,
    Entitled,
    House,
    Owner,
    Payer,
    Payment,
    Plan,
    Record,
    Watched,
    anybody,
    self_pay,
    twice_aided,
    unhelped,
    uninsured,
    unplanned,
)
from hub.comparing.reading import Node, Person

HERE = Path(__file__).parent / "documents"
OPEN = "OPEN"  # 风险未消除
ACTIVE = "ACTIVE"  # 在保; 正常参保
INSURED = ("RESIDENT", "EMPLOYEE")  # 390, 310
HEAD = "户主"


@dataclass(frozen=True)
class Kind:
    """`read` makes of a person and the run's day what `judge` reckons with."""

    code: str
    read: Callable[[Person, date], Any]
    judge: Callable[[Iterable[Any], Rule, date], Judged]

    @cached_property
    def text(self) -> str:
        """The document."""
        return (HERE / f"{self.code.lower()}.graphql").read_text(encoding="utf-8")


def payer(person: Person) -> Payer:
    """R03: what he paid, and what is known of his household through him."""
    paid = person.rows("medicalInsurance", "settlements")
    return Payer(
        person.id,
        person.household,
        None if paid is None else tuple(_payments(paid)),
        watched(person),
        ex_poor(person),
        person.cut("medicalInsurance", "settlements"),
    )


def watched(person: Person) -> bool | None:
    """Is he of a monitored household, its risk not removed? None if nobody could say."""
    rows = person.rows("monitoring", "record")
    return None if rows is None else any(row["riskStatus"] == OPEN for row in rows)


def _payments(rows: Iterable[Node]) -> Iterable[Payment]:
    for row in rows:
        amounts = [row[name] for name in ("personalYuan", "ownExpenseYuan", "overLimitYuan")]
        # A settlement whose day or amount cannot be read (DQ10) is no ground for a suspicion.
        if row["settledAt"] is None or None in amounts:
            continue
        at = datetime.fromisoformat(row["settledAt"]).astimezone(ZONE)
        yield Payment(at.date(), *map(Decimal, amounts))


def owner(person: Person) -> Owner:
    """R04: his houses, and whether he is of a low-income household."""
    houses = person.rows("housing", "house")
    return Owner(
        person.id,
        person.household,
        None if houses is None else tuple(map(_house, houses)),
        anybody((watched(person), min_living(person), supported(person), ex_poor(person))),
    )


def entitled(person: Person, day: date) -> Entitled:
    """R05: what he is entitled by, and whether he is insured for the day's year.

    A doubtful enrolment (M3) is a matter of identity and no ground for this suspicion.
    """
    rows = person.rows("medicalInsurance", "enrolment")
    insured = None if rows is None else any(_insured(row, day) for row in rows)
    if insured is False and person.doubtful("medicalInsurance", "enrolment"):
        insured = True
    aided = anybody((min_living(person), supported(person)))
    return Entitled(person.id, aided, watched(person), insured)


def aided(person: Person) -> Aided:
    """R06: the schemes he is in."""
    return Aided(person.id, min_living(person), supported(person))


def on_the_list(person: Person) -> Watched:
    """R16: his records as monitored."""
    rows = person.rows("monitoring", "record")
    records = None if rows is None else tuple(map(_record, rows))
    head = any(row["relation"] == HEAD for row in rows or ())
    return Watched(person.id, person.household, head, records)


def min_living(person: Person) -> bool | None:
    """Is 低保 of his household in pay? A row that stays though it was stopped is none."""
    rows = person.rows("civilAffairs", "minLiving")
    return None if rows is None else any(row["status"] == ACTIVE for row in rows)


def supported(person: Person) -> bool | None:
    """Is he in 特困供养?"""
    rows = person.rows("civilAffairs", "extremePoverty")
    return None if rows is None else bool(rows)


def ex_poor(person: Person) -> bool | None:
    """Is he of a household that was poor?"""
    rows = person.rows("monitoring", "formerPoverty")
    return None if rows is None else bool(rows)


def _insured(row: Node, day: date) -> bool:
    kind, state = row["insuranceType"] in INSURED, row["state"] == ACTIVE
    return bool(row["year"] == day.year and kind and state)


def _house(row: Node) -> House:
    appraisals = [
        Appraisal(date.fromisoformat(one["appraisedOn"]), one["grade"])
        for one in row["appraisals"]
        if one["appraisedOn"] and one["grade"]
    ]
    plans = [Plan(_day(one["startedOn"]), _day(one["finishedOn"])) for one in row["plans"]]
    return House(tuple(appraisals), tuple(plans))


def _record(row: Node) -> Record:
    month = row["identifiedIn"]
    identified = None if month is None else date.fromisoformat(f"{month}-01")
    return Record(identified, row["riskStatus"] == OPEN, bool(row["measures"]))


def _day(text: str | None) -> date | None:
    return None if text is None else date.fromisoformat(text)


KINDS: Mapping[str, Kind] = MappingProxyType(
    {
        kind.code: kind
        for kind in (
            Kind("R03", lambda person, _: payer(person), self_pay),
            Kind("R04", lambda person, _: owner(person), unplanned),
            Kind("R05", entitled, uninsured),
            Kind("R06", lambda person, _: aided(person), twice_aided),
            Kind("R16", lambda person, _: on_the_list(person), unhelped),
        )
    }
)


def checked(catalog: Catalog) -> Mapping[str, Kind]:
    """`KINDS`, if every rule of the catalogue has its kind and every kind a rule."""
    ruled = {rule.code for rule in catalog.comparisons.rules}
    for code in sorted(ruled ^ KINDS.keys()):
        raise CatalogError("comparison.toml", f"rule[{code}]", "has no kind, or its kind no rule")
    return KINDS
