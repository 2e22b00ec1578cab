"""Working days with 调休, and what is said of a year nobody knows yet."""

from __future__ import annotations

from datetime import UTC, date, datetime

import pytest

from catalog.workdays import after, confirmed, is_working


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
