"""Working days of mainland China, with the days moved for holidays (调休).

The State Council gives notice of a year's holidays the autumn before; `chinesecalendar`
carries them. A year it does not know yet has its weekends only, and `confirmed` says so.
"""

from __future__ import annotations

from datetime import date, datetime, timedelta
from functools import lru_cache
from zoneinfo import ZoneInfo

import chinese_calendar

ZONE = ZoneInfo("Asia/Shanghai")
WEEKEND = 5  # Saturday, counted from Monday 0
DAYS_KEPT = 4_096  # eleven years
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
