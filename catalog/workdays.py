"""Working days of mainland China, with the days moved for holidays (调休).

The State Council gives notice of a year's holidays the autumn before; `chinesecalendar`
carries them. A year it does not know yet has its weekends only, and `confirmed` says so.

`Workdays` is the county's own calendar: ``county_days.csv`` lays days over the library's. A row
of scope NATIONAL is a day of the State Council's notice; a year with such rows is known, also
if the library is older. A row of scope LOCAL is a day that prefecture or county fixes; it
counts once `in_force` is yes, and makes no year known.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from enum import StrEnum
from functools import lru_cache
from pathlib import Path
from zoneinfo import ZoneInfo

import chinese_calendar

from catalog.errors import CatalogError
from catalog.table import read_csv
from catalog.validity import LegalBasis, LegalStanding

ZONE = ZoneInfo("Asia/Shanghai")
WEEKEND = 5  # Saturday, counted from Monday 0
DAYS_KEPT = 4_096  # eleven years
HOLIDAYS_A_YEAR = 13  # 全国年节及纪念日放假办法 (2024): fewer rows are half a notice
COUNTY_DAYS = "county_days.csv"
COLUMNS = ("date", "kind", "scope", "title", "basis", "standing", "in_force")
KNOWN_YEARS = frozenset(day.year for day in chinese_calendar.holidays)


def confirmed(day: date) -> bool:
    """Whether the holidays of the day's year are known."""
    return day.year in KNOWN_YEARS


@lru_cache(DAYS_KEPT)
def is_working(day: date) -> bool:
    """A working day; in a year that is not `confirmed`, Monday to Friday."""
    if not confirmed(day):
        return day.weekday() < WEEKEND
    return bool(chinese_calendar.is_workday(day))


def after(moment: datetime, working_days: int) -> datetime:
    """The end of the n-th working day after the day of `moment` (aware)."""
    day = moment.astimezone(ZONE).date()
    while working_days:
        day += timedelta(days=1)
        working_days -= is_working(day)
    return datetime(day.year, day.month, day.day, tzinfo=ZONE) + timedelta(days=1)


class Scope(StrEnum):
    """Whose day it is: of the State Council's notice, or of prefecture or county."""

    NATIONAL = "national"
    LOCAL = "local"


@dataclass(frozen=True, slots=True)
class CountyDay:
    """A row of ``county_days.csv``. `working`: kind ``work``, else ``rest``."""

    day: date
    working: bool
    scope: Scope
    title: str
    legal_basis: str
    standing: LegalStanding
    in_force: bool


@dataclass(frozen=True, slots=True)
class Workdays:
    """The county's calendar: `rows` in force over the library's days. A pure value."""

    rows: Mapping[date, CountyDay]
    covered: frozenset[int]

    def is_working(self, day: date) -> bool:
        """A working day; in a year that is not `confirmed`, Monday to Friday and the rows."""
        row = self.rows.get(day)
        return is_working(day) if row is None else row.working

    def confirmed(self, day: date) -> bool:
        """Whether the library or the county's table knows the holidays of the day's year."""
        return confirmed(day) or day.year in self.covered


def workdays(rows: Iterable[CountyDay]) -> Workdays:
    """The calendar of those rows that are in force; of one day's rows the last counts."""
    valid = {row.day: row for row in rows if row.in_force}
    national = {row.day.year for row in valid.values() if row.scope is Scope.NATIONAL}
    return Workdays(valid, frozenset(national))


def read_county_days(file: Path, bases: Mapping[str, LegalBasis]) -> tuple[CountyDay, ...]:
    """``county_days.csv``; CatalogError names the line."""
    found: dict[date, CountyDay] = {}
    for line, row in read_csv(file, COLUMNS):
        try:
            one = _county_day(row, bases)
        except ValueError as error:
            raise CatalogError(file.name, f"line {line}", str(error)) from None
        if one.day in found:
            raise CatalogError(file.name, f"line {line}", f"{one.day} is there twice: keep one")
        found[one.day] = one
    notice = [d for d in found.values() if d.scope is Scope.NATIONAL and d.in_force]
    rest = Counter(d.day.year for d in notice if not d.working)
    for year in sorted({d.day.year for d in notice}):
        if rest[year] < HOLIDAYS_A_YEAR:
            raise CatalogError(
                file.name, str(year), "has national rows, but not a year of them: enter the notice"
            )
    return tuple(found.values())


def _county_day(row: Mapping[str, str], bases: Mapping[str, LegalBasis]) -> CountyDay:
    if row["basis"] not in bases:
        raise ValueError(f"basis `{row['basis']}` is no legal basis: add it to legal_bases.toml")
    if not row["title"]:
        raise ValueError("title is missing: say what day it is")
    standing = LegalStanding(_word(row, "standing", tuple(LegalStanding)))
    if standing is LegalStanding.STATUTORY and not bases[row["basis"]].confirmed:
        raise ValueError("standing: the basis is not confirmed: write TO_BE_CONFIRMED")
    return CountyDay(
        day=_day(row["date"]),
        working=_word(row, "kind", ("work", "rest")) == "work",
        scope=Scope(_word(row, "scope", tuple(Scope))),
        title=row["title"],
        legal_basis=row["basis"],
        standing=standing,
        in_force=_word(row, "in_force", ("yes", "no")) == "yes",
    )


def _word(row: Mapping[str, str], key: str, words: tuple[str, ...]) -> str:
    if row[key] not in words:
        raise ValueError(f"{key} `{row[key]}` is unknown: use one of {' '.join(words)}")
    return row[key]


def _day(text: str) -> date:
    try:
        day = date.fromisoformat(text)
    except ValueError:
        raise ValueError(f"date `{text}` is none: write it as 2027-04-01") from None
    if text != day.isoformat():  # 20270401 is read, too
        raise ValueError(f"date `{text}` is none: write it as 2027-04-01")
    return day
