"""办理计时: when a limit ends, how much of it is used, when to remind (领域设计 1.5).

A limit is used up by *counting time*:

1. MINUTE and HOUR count every moment from the start. The other units leave out the day of the
   start and count whole Shanghai days from its end: DAY every day, WORKING_DAY the days on
   which the calendar works, MONTH up to the day of the same number n months later (the last
   of a shorter month), MONTH_END up to the last day of the n-th month after.
2. Time in a pause does not count. A pause is half-open, ``[start, end)``; without an end it
   lasts, and what it keeps from coming has no due moment.
3. A limit in days is due at the end (24:00) of the day on which its last moment is used up,
   so without a pause "1 working day" is the end of the next working day. Midnight is the end
   of a day, also as a start: two working days after a notice that ended on Monday at 24:00
   are Tuesday and Wednesday (elsewhere as ``catalog/workdays.py::after``). A day limit is not
   moved when its last day is a holiday; only WORKING_DAY knows holidays.

Two pauses that overlap stop the clock once. Every moment given is aware; every moment answered
is UTC. A due moment itself is late: who acts before it is in time.
"""

from __future__ import annotations

from calendar import monthrange
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from enum import StrEnum
from typing import Protocol, overload

from catalog.limits import Limit, ReminderRule, Unit
from catalog.workdays import ZONE

DAY = timedelta(days=1)
NOTHING = timedelta(0)
MONTHS_A_YEAR = 12
PER_CENT = 100

_ELAPSED: Mapping[Unit, timedelta] = {
    Unit.MINUTE: timedelta(minutes=1),
    Unit.HOUR: timedelta(hours=1),
}


class Calendar(Protocol):
    """Which days are worked; ``catalog/workdays.py::Workdays`` is the county's."""

    def is_working(self, day: date, /) -> bool:
        """A working day, as far as is known."""

    def confirmed(self, day: date, /) -> bool:
        """Whether the holidays of the day's year are known."""


class PauseReason(StrEnum):
    """Why a clock stands; nothing else stops one. Labels in ``codes.toml``."""

    RETURNED = "RETURNED"  # 补正: the citizen completes what is missing
    NOTICING = "NOTICING"  # made by `noticing`: the notice, not the state NOTICING
    SOURCE_OUTAGE = "SOURCE_OUTAGE"  # proven by SourceHealth, for the node's own source
    EXTENSION = "EXTENSION"  # approved, once


class Clock(StrEnum):
    """The clocks of a case. Each is stopped by its own reasons."""

    NODE = "NODE"  # from the start of the node
    NOTICE = "NOTICE"  # node NOTICE: a fixed length nobody shortens or stretches
    SEVEN_DAYS = "SEVEN_DAYS"  # SevenDayRule: from SUBMITTED to the first disposal
    PROCEDURE = "PROCEDURE"  # the statute's, from ACCEPTED


STOPS: Mapping[Clock, frozenset[PauseReason]] = {
    Clock.NODE: frozenset(PauseReason),
    Clock.NOTICE: frozenset(),
    Clock.SEVEN_DAYS: frozenset(PauseReason),
    # 公示 days do not count; the platform's other pauses are no ground in the statute.
    Clock.PROCEDURE: frozenset({PauseReason.NOTICING}),
}


@dataclass(frozen=True, slots=True)
class Pause:
    """A clock stands from `start` (included) until `end` (not); None: it stands still.

    ValueError for a moment without a zone or an end that is not after the start.
    """

    reason: PauseReason
    start: datetime
    end: datetime | None

    def __post_init__(self) -> None:
        if self.end is not None and self.end <= self.start:
            raise ValueError("a pause ends after its start")
        _utc(self.start)


@dataclass(frozen=True, slots=True)
class Due:
    """`at`: the first moment that is late, UTC. Not `confirmed`: holidays on the way unknown."""

    at: datetime
    confirmed: bool


@dataclass(frozen=True, slots=True)
class StoredDue:
    """What a store keeps of a due moment: the present one, and the first ever told."""

    at: datetime
    confirmed: bool
    first_at: datetime


@overload
def due(start: datetime, limit: Limit, calendar: Calendar) -> Due: ...
@overload
def due(
    start: datetime,
    limit: Limit,
    calendar: Calendar,
    pauses: Sequence[Pause],
    clock: Clock = Clock.NODE,
) -> Due | None: ...
def due(
    start: datetime,
    limit: Limit,
    calendar: Calendar,
    pauses: Sequence[Pause] = (),
    clock: Clock = Clock.NODE,
) -> Due | None:
    """When the limit ends; None while a pause without end keeps it from ending.

    ValueError for two extensions, or a moment without a zone.
    """
    total = _length(start, limit)
    used_up = _reached(start, limit, total, calendar, _stops(pauses, clock))
    if used_up is None:
        return None
    at = used_up if limit.unit in _ELAPSED else _end_of(_day_ending(used_up))
    return Due(at, _confirmed(start, used_up, limit.unit, calendar))


def elapsed(
    start: datetime,
    now: datetime,
    limit: Limit,
    calendar: Calendar,
    pauses: Sequence[Pause] = (),
    clock: Clock = Clock.NODE,
) -> timedelta:
    """Counting time from the start until now, in the sense of the limit's unit; never below 0.

    Only the unit of `limit` is asked: the time goes on when the limit is used up.
    """
    total = NOTHING
    for begin, end in _running(start, limit.unit, calendar, _stops(pauses, clock)):
        if begin >= now:
            break
        total += (min(end, now) if end is not None else now) - begin
    return total


def reminder(
    start: datetime,
    limit: Limit,
    calendar: Calendar,
    rule: ReminderRule,
    pauses: Sequence[Pause] = (),
    clock: Clock = Clock.NODE,
) -> datetime | None:
    """When to remind: a share of the limit, or working days before its end if that is earlier.

    Working days before count back from the due moment, days off left out. Where they lead to
    the start or behind it (a limit of hours) the share alone says when: nobody is reminded of
    what has just come in. None while the limit has no end.
    """
    ends = due(start, limit, calendar, pauses, clock)
    share = _length(start, limit) * rule.percent / PER_CENT
    at = _reached(start, limit, share, calendar, _stops(pauses, clock))
    if ends is None or at is None:
        return None
    before = _before(ends.at, rule.working_days, calendar)
    return min(at, before) if before > start else at


def noticing(
    posted: datetime, limit: Limit, calendar: Calendar, ended: datetime | None = None
) -> Pause:
    """The pause a notice is: its fixed length, or until an objection or withdrawal before that.

    Not as long as the case stays in state NOTICING: who is slow to go on is on the clock again.
    """
    over = due(posted, limit, calendar).at
    return Pause(PauseReason.NOTICING, posted, over if ended is None else min(over, ended))


def extension(until: datetime, limit: Limit, calendar: Calendar) -> Pause:
    """The pause an approved extension is: it adds `limit`, in days, to what was due `until`.

    It lies before the last day of the limit, which then comes so many days later. It never makes a
    due moment earlier: a day that is not worked ends no limit of working days.
    """
    start = _start_of(_day_ending(until))
    return Pause(PauseReason.EXTENSION, start, due(start, limit, calendar).at)


def counts_moments(unit: Unit) -> bool:
    """True for a unit by which every moment counts, false for one of whole days."""
    return unit in _ELAPSED


def overdue(due: Due | StoredDue | None, now: datetime) -> bool:
    """Is the limit past? Never while it has no end. Finishing later does not undo it (第十六条)."""
    return due is not None and now >= due.at


def late_by(
    due: Due | StoredDue, now: datetime, pauses: Sequence[Pause] = (), clock: Clock = Clock.NODE
) -> timedelta:
    """Time past the due moment, pauses left out: they are charged to nobody."""
    total = NOTHING
    for begin, end in _between(due.at, max(now, due.at), _stops(pauses, clock)):
        total += (end if end is not None else now) - begin
    return total


def to_store(old: StoredDue | None, new: Due) -> StoredDue:
    """What to keep when a due moment was reckoned, or reckoned again with newer data.

    The new value counts; the first one ever told is kept beside it.
    """
    return StoredDue(new.at, new.confirmed, new.at if old is None else old.first_at)


# ---- counting time -------------------------------------------------------------------------

Span = tuple[datetime, datetime | None]
"""From (included) until (not), UTC; None: without end."""


def _stops(pauses: Sequence[Pause], clock: Clock) -> list[Span]:
    """The time the clock stands, in order, overlaps made one."""
    if sum(p.reason is PauseReason.EXTENSION for p in pauses) > 1:
        raise ValueError("a limit is extended once")
    merged: list[Span] = []
    mine = [p for p in pauses if p.reason in STOPS[clock]]
    for pause in sorted(mine, key=lambda p: p.start):
        begin, end = _utc(pause.start), None if pause.end is None else _utc(pause.end)
        if merged and (merged[-1][1] is None or begin <= merged[-1][1]):
            first, last = merged.pop()
            begin, end = first, None if last is None or end is None else max(last, end)
        merged.append((begin, end))
    return merged


def _between(begin: datetime, end: datetime | None, stops: Iterable[Span]) -> Iterator[Span]:
    """What is left of a span when the stops are taken out."""
    for stop, resumed in stops:
        if end is not None and stop >= end:
            break
        if stop > begin:
            yield begin, stop
        if resumed is None:
            return
        begin = max(begin, resumed)
    if end is None or begin < end:
        yield begin, end


def _running(
    start: datetime, unit: Unit, calendar: Calendar, stops: Sequence[Span]
) -> Iterator[Span]:
    """Counting time from the start, in order, for as long as it goes on."""
    if unit in _ELAPSED:
        yield from _between(_utc(start), None, stops)
        return
    still = stops[-1][0] if stops and stops[-1][1] is None else None
    day = _day_ending(start) + DAY
    while still is None or _start_of(day) < still:
        if unit is not Unit.WORKING_DAY or calendar.is_working(day):
            yield from _between(_start_of(day), _end_of(day), stops)
        day += DAY


def _reached(
    start: datetime, limit: Limit, share: timedelta, calendar: Calendar, stops: Sequence[Span]
) -> datetime | None:
    """The moment at which so much counting time has passed, None if it never does."""
    left = share
    for begin, end in _running(start, limit.unit, calendar, stops):
        if end is None or end - begin >= left:
            return begin + left
        left -= end - begin
    return None


def _length(start: datetime, limit: Limit) -> timedelta:
    """The counting time of a whole limit."""
    if limit.unit in _ELAPSED:
        return limit.amount * _ELAPSED[limit.unit]
    if limit.unit in (Unit.DAY, Unit.WORKING_DAY):
        return limit.amount * DAY
    first = _day_ending(start)
    return _last_day(first, limit) - first


def _last_day(first: date, limit: Limit) -> date:
    years, month = divmod(first.month - 1 + limit.amount, MONTHS_A_YEAR)
    year, month = first.year + years, month + 1
    _, days = monthrange(year, month)
    return date(year, month, days if limit.unit is Unit.MONTH_END else min(first.day, days))


def _before(at: datetime, days: int, calendar: Calendar) -> datetime:
    """The moment from which so many working days' time is left until `at`."""
    left, day, end = days * DAY, _day_ending(at), at
    while True:
        if calendar.is_working(day):
            if end - _start_of(day) >= left:
                return end - left
            left -= end - _start_of(day)
        day, end = day - DAY, _start_of(day)


def _confirmed(start: datetime, used_up: datetime, unit: Unit, calendar: Calendar) -> bool:
    if unit is not Unit.WORKING_DAY:
        return True
    # The last day's year is enough only if the years between are known, too.
    first, last = _day_ending(start) + DAY, _day_ending(used_up)
    years = {first.replace(year=y, day=1) for y in range(first.year, last.year + 1)}
    return all(calendar.confirmed(day) for day in years)


# ---- Shanghai days ---------------------------------------------------------------------------


def _utc(at: datetime) -> datetime:
    if at.tzinfo is None:
        raise ValueError("a moment needs its zone")
    return at.astimezone(UTC)


def _day_ending(at: datetime) -> date:
    """The day a moment lies in; midnight belongs to the day that ends."""
    return (_utc(at) - datetime.resolution).astimezone(ZONE).date()


def _start_of(day: date) -> datetime:
    return datetime(day.year, day.month, day.day, tzinfo=ZONE).astimezone(UTC)


def _end_of(day: date) -> datetime:
    return _start_of(day + DAY)
