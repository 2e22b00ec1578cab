"""On what a row of an office's rule stands, and from which day to which it holds."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from enum import StrEnum

from catalog.table import Table


@dataclass(frozen=True, slots=True)
class LegalBasis:
    """依据: the text a rule rests on; `confirmed` by the county's legal office or not.

    `law`: 法律或行政法规, which alone may keep data from being shared at all.
    """

    code: str
    title: str
    article: str | None
    confirmed: bool
    law: bool = False


class LegalStanding(StrEnum):
    """A default of this product, a confirmed law's value, or a law's value nobody confirmed."""

    DEFAULT = "DEFAULT"
    STATUTORY = "STATUTORY"
    TO_BE_CONFIRMED = "TO_BE_CONFIRMED"


@dataclass(frozen=True, slots=True)
class Ground:
    """Basis (a code of ``legal_bases.toml``), standing, and first and last day of a row.

    `until` is the last day on which the row holds, None for as long as nobody ends it.
    """

    legal_basis: str
    standing: LegalStanding
    since: date
    until: date | None

    def holds(self, day: date) -> bool:
        """Is the row in force on this day?"""
        return self.since <= day and (self.until is None or day <= self.until)

    def meets(self, other: Ground) -> bool:
        """Is there a day on which both hold?"""
        return self.holds(max(self.since, other.since)) and other.holds(
            max(self.since, other.since)
        )


def read_ground(table: Table, bases: Mapping[str, LegalBasis]) -> Ground:
    """``legal_basis``, ``standing``, ``from`` and ``until`` of a row."""
    basis = table.known("legal_basis", bases, "legal basis")
    standing = table.choice("standing", LegalStanding)
    if standing is LegalStanding.STATUTORY and not bases[basis].confirmed:
        raise table.fail("standing", f"`{basis}` is not confirmed: write TO_BE_CONFIRMED")
    since, until = table.day("from"), table.day("until")
    if since is None:
        raise table.fail("from", "is missing: add the first day on which the row holds")
    if until is not None and until < since:
        raise table.fail("until", "lies before `from`: give the last day on which the row holds")
    return Ground(basis, standing, since, until)


def alone(table: Table, key: str, rows: Sequence[tuple[str, Ground]]) -> None:
    """Refuse two rows of one name that hold on one day."""
    for index, (name, ground) in enumerate(rows):
        for other, earlier in rows[:index]:
            if name == other and ground.meets(earlier):
                raise table.fail(f"{key}[{name}]", "stands twice for one day: end the earlier row")
