"""Working time as one number: days of eight hours, Monday to Friday, in Shanghai.

Holidays are left out: an invented county needs plausible clocks, not due dates in law.
"""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta

from adapters.identity import COUNTY_ZONE

MONDAY = date(2024, 1, 1)  # day 0; every day of the county's cases is later
OPENS_H, HOURS = 9, 8  # 09:00–17:00
WORK_WEEK = 5


def moment(worktime: float) -> datetime:
    """The instant (UTC, whole seconds) of a point in working time."""
    day = int(worktime)
    week, weekday = divmod(day, WORK_WEEK)
    start = local(MONDAY + timedelta(days=7 * week + weekday), OPENS_H)
    return start + timedelta(seconds=int((worktime - day) * HOURS * 3600))


def worktime(at: datetime) -> float:
    """Working time of an instant; outside opening hours that of the next opening."""
    here = at.astimezone(COUNTY_ZONE)
    days = (here.date() - MONDAY).days
    week, weekday = divmod(days, 7)
    if weekday >= WORK_WEEK:
        return float((week + 1) * WORK_WEEK)
    hours = here.hour + here.minute / 60 + here.second / 3600 - OPENS_H
    return week * WORK_WEEK + weekday + min(1.0, max(0.0, hours / HOURS))


def local(day: date, hour: float) -> datetime:
    """The instant (UTC) of a clock time of a Shanghai day."""
    midnight = datetime(day.year, day.month, day.day, tzinfo=COUNTY_ZONE)
    return midnight.astimezone(UTC) + timedelta(seconds=round(hour * 3600))
