"""On what a row stands, and on which days."""

from __future__ import annotations

from datetime import date

import pytest

from catalog.validity import Ground, LegalStanding


def ground(since: int, until: int | None) -> Ground:
    """A row of November 2026."""
    last = None if until is None else date(2026, 11, until)
    return Ground("MEASURES_2022", LegalStanding.DEFAULT, date(2026, 11, since), last)


def test_a_row_holds_on_its_first_and_its_last_day() -> None:
    held = [day for day in range(1, 31) if ground(10, 12).holds(date(2026, 11, day))]
    assert held == [10, 11, 12]
    assert ground(10, None).holds(date(2099, 1, 1))


@pytest.mark.parametrize(
    ("one", "other", "meet"),
    [
        ((1, 5), (6, 9), False),
        ((1, 5), (5, 9), True),
        ((1, None), (6, 9), True),
        ((7, None), (1, 6), False),
        ((1, 9), (3, 4), True),
        ((1, None), (2, None), True),
    ],
)
def test_rows_meet_if_they_share_a_day(
    one: tuple[int, int | None], other: tuple[int, int | None], meet: bool
) -> None:
    assert ground(*one).meets(ground(*other)) is meet
    assert ground(*other).meets(ground(*one)) is meet
