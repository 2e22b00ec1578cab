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
from domain.comparison import Judged, Payer, Payment, self_pay
from hub.comparing.reading import Node, Person

HERE = Path(__file__).parent / "documents"
OPEN = "OPEN"  # 风险未消除


@dataclass(frozen=True)
class Kind:
    """`read` makes of a person what `judge` reckons with."""

    code: str
    read: Callable[[Person], Any]
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
        None if (poor := person.rows("monitoring", "formerPoverty")) is None else bool(poor),
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


KINDS: Mapping[str, Kind] = MappingProxyType(
    {kind.code: kind for kind in (Kind("R03", payer, self_pay),)}
)


def checked(catalog: Catalog) -> Mapping[str, Kind]:
    """`KINDS`, if every rule of the catalogue has its kind and every kind a rule."""
    ruled = {rule.code for rule in catalog.comparisons.rules}
    for code in sorted(ruled ^ KINDS.keys()):
        raise CatalogError("comparison.toml", f"rule[{code}]", "has no kind, or its kind no rule")
    return KINDS
