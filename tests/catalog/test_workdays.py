"""Working days with 调休, and what is said of a year nobody knows yet."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import pytest

from catalog.errors import CatalogError
from catalog.load import load
from catalog.validity import LegalStanding
from catalog.workdays import (
    COLUMNS,
    COUNTY_DAYS,
    Scope,
    after,
    confirmed,
    is_working,
    read_county_days,
    workdays,
)


@pytest.mark.parametrize(
    ("day", "working"),
    [
        ("2026-02-13", True),  # Friday before the Spring Festival
        ("2026-02-14", True),  # Saturday, worked for the festival
        ("2026-02-16", False),  # Monday, the festival
        ("2026-02-24", True),
        ("2026-02-28", True),  # Saturday, worked for the festival
        ("2026-10-01", False),
        ("2026-11-28", False),  # a plain Saturday
        ("2026-11-30", True),
    ],
)
def test_days_moved_for_a_holiday_are_known(day: str, working: bool) -> None:
    found = date.fromisoformat(day)
    assert confirmed(found)
    assert is_working(found) is working


def test_a_year_nobody_knows_has_its_weekends_only() -> None:
    festival, saturday = date(2049, 10, 1), date(2049, 10, 2)
    assert not confirmed(festival)
    assert is_working(festival)  # a Friday; that it is a holiday is not known
    assert not is_working(saturday)


def test_three_working_days_pass_over_the_festival() -> None:
    # Friday 13th, 17:00 in Shanghai: Saturday 14th is worked, then nine days off.
    friday = datetime(2026, 2, 13, 9, tzinfo=UTC)
    assert after(friday, 1) == datetime(2026, 2, 14, 16, tzinfo=UTC)
    assert after(friday, 3) == datetime(2026, 2, 25, 16, tzinfo=UTC)


# ---- the county's own days ----------------------------------------------------------------------

HEADER = ",".join(COLUMNS)
FESTIVAL = "2026-04-20,rest,local,三月三,PREFECTURE_HOLIDAYS,TO_BE_CONFIRMED,yes"
PACKAGED = Path(__file__).parents[2] / "catalog" / COUNTY_DAYS
BASES = load().legal_bases


def notice(year: int) -> list[str]:
    """An invented notice of a year: thirteen days off from New Year, the Sunday after worked."""
    rest = [date(year, 1, 1) + timedelta(days=n) for n in range(13)]
    basis = "STATE_COUNCIL_HOLIDAYS,STATUTORY,yes"
    sunday = next(d for n in range(13, 20) if (d := rest[0] + timedelta(days=n)).isoweekday() == 7)
    return [f"{d},rest,national,假日,{basis}" for d in rest] + [
        f"{sunday},work,national,调休,{basis}"
    ]


def written(folder: Path, *rows: str, header: str = HEADER) -> Path:
    file = folder / COUNTY_DAYS
    file.write_text("\n".join((header, *rows)) + "\n", encoding="utf-8")
    return file


def test_the_prefectures_holidays_are_listed_and_wait_for_the_legal_office() -> None:
    rows = read_county_days(PACKAGED, BASES)
    assert [f"{r.day} {r.title}" for r in rows] == [
        "2026-04-01 文山州庆",
        "2026-04-19 三月三",
        "2026-04-20 三月三",
        "2026-04-21 三月三",
        "2027-04-01 文山州庆",
        "2027-04-09 三月三",
        "2027-04-10 三月三",
        "2027-04-11 三月三",
    ]
    assert {(r.scope, r.standing, r.in_force, r.working) for r in rows} == {
        (Scope.LOCAL, LegalStanding.TO_BE_CONFIRMED, False, False)
    }
    assert not BASES["PREFECTURE_HOLIDAYS"].confirmed


def test_without_rows_in_force_the_calendar_is_the_librarys() -> None:
    calendar = load().calendar
    assert (dict(calendar.rows), calendar.covered) == ({}, frozenset())
    for number in range(3 * 365):
        day = date(2025, 1, 1) + timedelta(days=number)
        assert calendar.is_working(day) is is_working(day)
        assert calendar.confirmed(day) is (day.year < 2027)


def test_a_day_of_the_prefecture_counts_once_it_is_switched_on(tmp_path: Path) -> None:
    monday = date(2026, 4, 20)
    off = workdays(read_county_days(written(tmp_path, FESTIVAL.replace("yes", "no")), BASES))
    on = workdays(read_county_days(written(tmp_path, FESTIVAL), BASES))
    assert (off.is_working(monday), on.is_working(monday)) == (True, False)
    assert on.is_working(date(2026, 4, 21))


def test_a_local_day_makes_no_year_known_and_a_notice_does(tmp_path: Path) -> None:
    local = FESTIVAL.replace("2026", "2027")
    only = workdays(read_county_days(written(tmp_path, local), BASES))
    both = workdays(read_county_days(written(tmp_path, local, *notice(2027)), BASES))
    spring, new_year, sunday = date(2027, 4, 20), date(2027, 1, 1), date(2027, 1, 17)
    assert not only.confirmed(spring)
    assert not only.is_working(spring)
    assert only.is_working(new_year)
    assert both.confirmed(spring)
    assert not both.is_working(new_year)
    assert both.is_working(sunday)
    assert not both.confirmed(date(2028, 1, 1))


def test_a_notice_goes_before_the_library(tmp_path: Path) -> None:
    calendar = workdays(read_county_days(written(tmp_path, *notice(2026)), BASES))
    monday = date(2026, 1, 12)
    assert (is_working(monday), calendar.is_working(monday)) == (True, False)


@pytest.mark.parametrize(
    ("row", "named"),
    [
        (FESTIVAL.replace("2026-04-20", "20.4.2026"), "date `20.4.2026` is none"),
        (FESTIVAL.replace("2026-04-20", "20260420"), "date `20260420` is none"),
        (FESTIVAL.replace("2026-04-20", "2026-02-30"), "date `2026-02-30` is none"),
        (FESTIVAL.replace("rest", "off"), "kind `off` is unknown: use one of work rest"),
        (FESTIVAL.replace("local", "town"), "scope `town` is unknown"),
        (FESTIVAL.replace("三月三", ""), "title is missing"),
        (FESTIVAL.replace("PREFECTURE_HOLIDAYS", "MOSES"), "basis `MOSES` is no legal basis"),
        (FESTIVAL.replace("TO_BE_CONFIRMED", "SURE"), "standing `SURE` is unknown"),
        (FESTIVAL.replace("TO_BE_CONFIRMED", "STATUTORY"), "the basis is not confirmed"),
        (FESTIVAL.replace("yes", "maybe"), "in_force `maybe` is unknown"),
        (FESTIVAL + ",more", "must have 7 values"),
        ("2026-04-20,rest", "must have 7 values"),
    ],
)
def test_a_wrong_row_is_refused_by_its_line(tmp_path: Path, row: str, named: str) -> None:
    with pytest.raises(CatalogError, match=named) as refused:
        read_county_days(written(tmp_path, row), BASES)
    assert (refused.value.file, refused.value.key) == (COUNTY_DAYS, "line 2")


def test_a_day_twice_another_header_and_half_a_notice_are_refused(tmp_path: Path) -> None:
    with pytest.raises(CatalogError, match="line 3: 2026-04-20 is there twice"):
        read_county_days(written(tmp_path, FESTIVAL, FESTIVAL), BASES)
    with pytest.raises(CatalogError, match="the header must be date,kind"):
        read_county_days(written(tmp_path, header="date,kind"), BASES)
    with pytest.raises(CatalogError, match="2027: has national rows, but not a year of them"):
        read_county_days(written(tmp_path, *notice(2027)[1:]), BASES)


def test_the_countys_own_file_goes_before_the_packaged_one(tmp_path: Path) -> None:
    written(tmp_path, FESTIVAL, *notice(2027))
    calendar = load(tmp_path).calendar
    assert not calendar.is_working(date(2026, 4, 20))
    assert calendar.is_working(date(2026, 4, 21))  # packaged, not switched on
    assert calendar.confirmed(date(2027, 6, 1))
    assert load().calendar.is_working(date(2026, 4, 20))
