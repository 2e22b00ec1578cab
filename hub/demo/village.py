"""What the writers of rows are given: a village, its households, the as-of date."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, timedelta

from hub.demo.people import Household, Person
from hub.demo.places import Place


@dataclass(frozen=True, slots=True)
class Village:
    """One village on the as-of date; `civil_code` is its code in the civil-affairs scheme."""

    place: Place
    civil_code: str
    households: tuple[Household, ...]
    as_of: date

    def persons(self) -> Iterator[tuple[Household, Person]]:
        """Everybody with their household."""
        for household in self.households:
            for person in household.members:
                yield household, person

    def day(self, ago: int) -> date:
        """The date so many days before the as-of date."""
        return self.as_of - timedelta(days=ago)

    def compact(self, ago: int) -> str:
        """The same as YYYYMMDD."""
        return f"{self.day(ago):%Y%m%d}"

    def month(self, ago: int) -> str:
        """The month so many months before the as-of date's, YYYYMM."""
        months = self.as_of.year * 12 + self.as_of.month - 1 - ago
        return f"{months // 12}{months % 12 + 1:02d}"
