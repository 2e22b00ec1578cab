"""人员缺口: who must be there for the platform to be staffed, and who is not (第十二条)."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from catalog.divisions import Division
from catalog.procedures import StaffingRow


@dataclass(frozen=True, slots=True, order=True)
class Station:
    """Where accounts are held: a department at a place (region path)."""

    department: str
    path: str


@dataclass(frozen=True, slots=True)
class StaffingGap:
    """A station with fewer accounts than required."""

    station: Station
    required: int
    held: int

    @property
    def missing(self) -> int:
        """How many accounts short, one or more."""
        return self.required - self.held


def required(rows: Iterable[StaffingRow], places: Iterable[Division]) -> dict[Station, int]:
    """The accounts of every station: the rows in force, for every place of their level."""
    every = tuple(places)
    return {
        Station(department, place.path): row.accounts
        for row in rows
        for department in row.departments
        for place in every
        if place.level is row.level
    }


def gaps(required: Mapping[Station, int], held: Mapping[Station, int]) -> tuple[StaffingGap, ...]:
    """The stations that are short, in order. `held`: enabled accounts; absent is none."""
    return tuple(
        StaffingGap(station, count, held.get(station, 0))
        for station, count in sorted(required.items())
        if held.get(station, 0) < count
    )
