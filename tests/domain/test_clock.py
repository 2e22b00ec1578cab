"""The two clocks: due moments, pauses, reminders (领域设计 1.5; traps 5; properties of 4)."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from catalog.items import FlowKind
from catalog.limits import Limit, ReminderRule, Unit
from catalog.load import load
from catalog.workdays import ZONE, CountyDay, Scope, after, workdays
from domain.clock import (
    STOPS,
    Clock,
    Due,
    Pause,
    PauseReason,
    StoredDue,
    due,
    elapsed,
    late_by,
    noticing,
    overdue,
    reminder,
    to_store,
)
from domain.nodes import nodes

W, DAYS, HOURS, MINUTES = Unit.WORKING_DAY, Unit.DAY, Unit.HOUR, Unit.MINUTE
OUTAGE, RETURNED = PauseReason.SOURCE_OUTAGE, PauseReason.RETURNED
NOTICING, EXTENSION = PauseReason.NOTICING, PauseReason.EXTENSION
CALENDAR = load().calendar
RULE = load().limits.reminder(date(2026, 11, 1))
PROPERTY = settings(max_examples=300, deadline=None, derandomize=True, database=None)


def at(text: str) -> datetime:
    """A Shanghai clock time, as ``2026-02-13 17:00``."""
    return datetime.fromisoformat(text).replace(tzinfo=ZONE)


def told(found: Due | StoredDue | None) -> str:
    """A due moment as Shanghai reads it; a question mark if it is not confirmed."""
    assert found is not None
    assert found.at.tzinfo is UTC
    return f"{found.at.astimezone(ZONE):%Y-%m-%d %H:%M}{'' if found.confirmed else '?'}"


def span(reason: PauseReason, start: str, end: str | None) -> Pause:
    return Pause(reason, at(start), None if end is None else at(end))


# ---- a second reckoning: the notices of the State Council, typed in, and hours counted ------


def days(*spans: str) -> Iterator[date]:
    """``0128-0204`` of a year, as ``2025: 0101 0128-0204``."""
    for line in spans:
        year, _, rest = line.partition(": ")
        for part in rest.split():
            first, _, last = part.partition("-")
            day, end = (
                date(int(year), int(x[:2]), int(x[2:])) for x in (first, last if last else first)
            )
            while day <= end:
                yield day
                day += timedelta(days=1)


REST = frozenset(
    days(
        "2025: 0101 0128-0204 0404-0406 0501-0505 0531-0602 1001-1008",
        "2026: 0101-0103 0215-0223 0404-0406 0501-0505 0619-0621 0925-0927 1001-1007",
    )
)
WORK = frozenset(
    days("2025: 0126 0208 0427 0928 1011", "2026: 0104 0214 0228 0509 0920 1010")
)  # 调休


@dataclass(frozen=True)
class Days:
    """A calendar of sets; Monday to Friday otherwise."""

    rest: frozenset[date] = REST
    work: frozenset[date] = WORK

    def is_working(self, day: date, /) -> bool:
        return day in self.work or (day not in self.rest and day.isoweekday() <= 5)

    def confirmed(self, day: date, /) -> bool:
        return day.year != 2027


REFERENCE = Days()


def by_days(start: date, amount: int, unit: Unit, calendar: Days) -> date:
    """The day a limit ends, one day after the other."""
    day = start
    while amount:
        day += timedelta(days=1)
        amount -= unit is DAYS or calendar.is_working(day)
    return day


def counted_from(start: datetime) -> date:
    """The day that does not count; midnight is the end of the day before."""
    here = start.astimezone(ZONE)
    return here.date() - timedelta(days=(here.hour, here.minute) == (0, 0))


def by_hours(start: datetime, limit: Limit, calendar: Days, pauses: list[Pause]) -> datetime:
    """Due by walking whole hours; start and pauses must lie on whole hours."""
    hour, used = start, 0
    wanted = limit.amount if limit.unit is HOURS else 24 * limit.amount
    while used < wanted:
        day = hour.astimezone(ZONE).date()
        counts = limit.unit is HOURS or (
            day > counted_from(start) and (limit.unit is DAYS or calendar.is_working(day))
        )
        stopped = any(p.start <= hour and (p.end is None or hour < p.end) for p in pauses)
        used += counts and not stopped
        hour += timedelta(hours=1)
    if limit.unit is HOURS:
        return hour
    here = hour.astimezone(ZONE)
    midnight = here.replace(hour=0)
    return midnight if here == midnight else midnight + timedelta(days=1)


def test_three_years_day_by_day_with_their_moved_days() -> None:
    checked = 0
    for number in range(3 * 365):
        day = date(2025, 1, 1) + timedelta(days=number)
        start = datetime(day.year, day.month, day.day, number % 24, number % 60, tzinfo=ZONE)
        for amount in (1, 2, 3, 5, 10, 20):
            end = by_days(counted_from(start), amount, W, REFERENCE)
            found = due(start, Limit(amount, W), CALENDAR)
            assert found.at == datetime(end.year, end.month, end.day, tzinfo=ZONE) + timedelta(1)
            assert found.confirmed is (end.year < 2027)
            checked += 1
        natural = due(start, Limit(7, DAYS), CALENDAR)
        assert natural.at.astimezone(ZONE).date() == counted_from(start) + timedelta(days=8)
        assert natural.confirmed
    assert checked == 6_570


@pytest.mark.parametrize(
    "day", ["2026-01-04", "2026-02-14", "2026-02-28", "2026-05-09", "2026-09-20", "2026-10-10"]
)
def test_a_weekend_that_is_worked_is_a_working_day(day: str) -> None:
    before = datetime.fromisoformat(day).replace(tzinfo=ZONE) - timedelta(hours=7)
    assert told(due(before, Limit(1, W), CALENDAR))[:10] == str(
        date.fromisoformat(day) + timedelta(days=1)
    )


def test_a_working_day_ends_where_the_catalogue_ends_it() -> None:
    friday = at("2026-02-13 17:00")
    for amount in (1, 3, 10, 30):
        assert due(friday, Limit(amount, W), CALENDAR).at == after(friday, amount)


@pytest.mark.parametrize(
    ("start", "amount", "unit", "ends"),
    [
        ("2026-11-27 16:55", 10, MINUTES, "2026-11-27 17:05"),
        ("2026-11-27 23:00", 2, HOURS, "2026-11-28 01:00"),
        ("2026-02-13 17:00", 1, W, "2026-02-15 00:00"),  # Saturday 14th is worked
        ("2026-02-14 00:01", 1, W, "2026-02-25 00:00"),  # the day of the start never counts
        ("2026-02-14 00:00", 1, W, "2026-02-15 00:00"),  # midnight ends the day before
        ("2026-12-01 00:00", 1, Unit.MONTH_END, "2027-01-01 00:00"),
        ("2026-12-01 00:00", 1, Unit.MONTH, "2026-12-31 00:00"),
        ("2026-02-13 23:59", 3, W, "2026-02-26 00:00"),
        ("2026-10-01 10:00", 7, DAYS, "2026-10-09 00:00"),
        ("2026-01-31 10:00", 1, Unit.MONTH, "2026-03-01 00:00"),
        ("2026-11-15 10:00", 13, Unit.MONTH, "2027-12-16 00:00"),
        ("2026-11-30 10:00", 3, Unit.MONTH, "2027-03-01 00:00"),
        ("2026-11-15 10:00", 1, Unit.MONTH_END, "2027-01-01 00:00"),
        ("2026-12-31 10:00", 1, Unit.MONTH_END, "2027-02-01 00:00"),
        ("2026-12-31 23:30", 1, W, "2027-01-02 00:00?"),
    ],
)
def test_what_each_unit_means(start: str, amount: int, unit: Unit, ends: str) -> None:
    assert told(due(at(start), Limit(amount, unit), CALENDAR)) == ends


def test_utc_and_shanghai_start_the_same_clock() -> None:
    here = at("2026-11-27 07:30")  # still the 26th in UTC
    assert due(here.astimezone(UTC), Limit(1, W), CALENDAR) == due(here, Limit(1, W), CALENDAR)


def test_a_moment_without_a_zone_is_refused() -> None:
    bare = at("2026-11-27 09:00").replace(tzinfo=None)
    with pytest.raises(ValueError, match="zone"):
        due(bare, Limit(1, W), CALENDAR)
    with pytest.raises(ValueError, match="zone"):
        Pause(RETURNED, bare, None)


def test_a_limit_is_at_least_one() -> None:
    with pytest.raises(ValueError, match="1 or more"):
        Limit(0, W)


# ---- pauses ----------------------------------------------------------------------------------


def test_an_outage_at_night_is_not_charged_to_the_clerk() -> None:
    # (d): 医保 down from 23:40, up again 05:30; 2 h 40 min of four hours were used.
    outage = [span(OUTAGE, "2026-11-26 23:40", "2026-11-27 05:30")]
    start, limit = at("2026-11-26 21:00"), Limit(4, HOURS)
    assert told(due(start, limit, CALENDAR)) == "2026-11-27 01:00"
    assert told(due(start, limit, CALENDAR, outage)) == "2026-11-27 06:50"
    for now in ("2026-11-26 23:40", "2026-11-27 03:00", "2026-11-27 05:30"):
        assert elapsed(start, at(now), limit, CALENDAR, outage) == timedelta(hours=2, minutes=40)


def test_a_pause_of_a_day_limit_ends_at_the_end_of_a_day() -> None:
    start, limit = at("2026-11-23 09:00"), Limit(2, W)  # Monday
    same_day = [span(RETURNED, "2026-11-23 10:00", "2026-11-23 16:00")]
    three_hours = [span(RETURNED, "2026-11-24 09:00", "2026-11-24 12:00")]
    weekend = [span(RETURNED, "2026-11-25 00:00", "2026-11-30 00:00")]
    assert told(due(start, limit, CALENDAR)) == "2026-11-26 00:00"
    assert told(due(start, limit, CALENDAR, same_day)) == "2026-11-26 00:00"
    assert told(due(start, limit, CALENDAR, three_hours)) == "2026-11-27 00:00"
    assert told(due(start, limit, CALENDAR, weekend)) == "2026-12-01 00:00"


def test_a_pause_without_end_has_no_due_moment_unless_the_limit_ran_out_before() -> None:
    start, limit = at("2026-11-23 09:00"), Limit(2, W)
    assert due(start, limit, CALENDAR, [span(RETURNED, "2026-11-25 23:00", None)]) is None
    assert not overdue(None, at("2030-01-01 00:00"))
    late = [span(RETURNED, "2026-11-26 00:00", None)]
    assert told(due(start, limit, CALENDAR, late)) == "2026-11-26 00:00"


def test_pauses_that_overlap_stop_the_clock_once() -> None:
    both = [
        span(OUTAGE, "2026-11-23 11:00", "2026-11-23 13:00"),
        span(RETURNED, "2026-11-23 10:00", "2026-11-23 12:00"),
        span(EXTENSION, "2026-11-23 13:00", "2026-11-23 14:00"),
    ]
    found = due(at("2026-11-23 09:00"), Limit(2, HOURS), CALENDAR, both)
    assert told(found) == "2026-11-23 15:00"


def test_a_limit_is_extended_once() -> None:
    twice = [
        span(EXTENSION, "2026-11-23 10:00", "2026-11-24 10:00"),
        span(EXTENSION, "2026-11-25 10:00", "2026-11-26 10:00"),
    ]
    assert due(at("2026-11-23 09:00"), Limit(1, W), CALENDAR, twice[:1]) is not None
    with pytest.raises(ValueError, match="once"):
        due(at("2026-11-23 09:00"), Limit(1, W), CALENDAR, twice)


def test_a_pause_has_a_length() -> None:
    with pytest.raises(ValueError, match="after its start"):
        span(RETURNED, "2026-11-23 10:00", "2026-11-23 10:00")


def test_the_reasons_are_the_code_table_and_each_clock_has_its_own() -> None:
    assert list(load().codes["PauseReason"]) == list(PauseReason)
    assert {clock: sorted(reasons) for clock, reasons in STOPS.items()} == {
        Clock.NODE: ["EXTENSION", "NOTICING", "RETURNED", "SOURCE_OUTAGE"],
        Clock.NOTICE: [],
        Clock.SEVEN_DAYS: ["EXTENSION", "NOTICING", "RETURNED", "SOURCE_OUTAGE"],
        Clock.PROCEDURE: ["NOTICING"],
    }


def test_a_notice_keeps_its_length_whatever_happens() -> None:
    start, limit = at("2026-11-23 15:00"), Limit(7, DAYS)
    pauses = [
        span(OUTAGE, "2026-11-24 00:00", "2026-11-26 00:00"),
        span(NOTICING, "2026-11-23 15:00", None),
    ]
    assert told(due(start, limit, CALENDAR, pauses, Clock.NOTICE)) == "2026-12-01 00:00"


def test_who_is_slow_after_a_notice_is_on_the_clock_again() -> None:
    posted, limit = at("2026-11-23 15:00"), Limit(7, DAYS)
    whole = span(NOTICING, "2026-11-23 15:00", "2026-12-01 00:00")
    assert noticing(posted, limit, CALENDAR) == whole
    assert noticing(posted, limit, CALENDAR, at("2026-12-09 09:00")) == whole
    objected = span(NOTICING, "2026-11-23 15:00", "2026-11-25 09:00")
    assert noticing(posted, limit, CALENDAR, at("2026-11-25 09:00")) == objected
    # The township's review starts at the notice's end, though the state is still NOTICING.
    review = due(at("2026-12-01 00:00"), Limit(2, W), CALENDAR, [whole])
    assert told(review) == "2026-12-03 00:00"


def test_notice_days_do_not_count_in_the_procedure() -> None:
    # 低保: accepted Monday 2 November 2026; thirty working days end on 14 December.
    accepted, limit = at("2026-11-02 10:00"), Limit(30, W)
    notice = [span(NOTICING, "2026-11-16 00:00", "2026-11-23 00:00")]  # five working days
    outage = [span(OUTAGE, "2026-11-25 00:00", "2026-11-27 00:00")]
    assert told(due(accepted, limit, CALENDAR, [], Clock.PROCEDURE)) == "2026-12-15 00:00"
    assert told(due(accepted, limit, CALENDAR, notice, Clock.PROCEDURE)) == "2026-12-22 00:00"
    # A department's outage is the platform's matter, not the statute's.
    found = due(accepted, limit, CALENDAR, notice + outage, Clock.PROCEDURE)
    assert told(found) == "2026-12-22 00:00"


def test_the_seven_days_run_from_filing_and_stand_while_papers_are_missing() -> None:
    rule = load().limits.seven_day("MIN_LIVING", date(2026, 11, 2))
    assert rule is not None
    filed, back = at("2026-11-02 10:00"), [span(RETURNED, "2026-11-03 00:00", "2026-11-06 00:00")]
    assert told(due(filed, rule.limit, CALENDAR, [], Clock.SEVEN_DAYS)) == "2026-11-10 00:00"
    assert told(due(filed, rule.limit, CALENDAR, back, Clock.SEVEN_DAYS)) == "2026-11-13 00:00"


# ---- reminders and what is late ----------------------------------------------------------------


@pytest.mark.parametrize(
    ("start", "limit", "when"),
    [
        ("2026-11-23 09:00", Limit(10, W), "2026-12-04 00:00"),  # 80 %: eight whole days
        ("2026-11-23 09:00", Limit(3, W), "2026-11-26 00:00"),  # one day before; 80 % is later
        ("2026-11-23 09:00", Limit(1, W), "2026-11-24 00:00"),
        ("2026-11-20 09:00", Limit(1, W), "2026-11-23 00:00"),  # over the weekend
        ("2026-11-23 09:00", Limit(4, HOURS), "2026-11-23 12:12"),  # a day before is no moment
        ("2026-11-23 09:00", Limit(10, MINUTES), "2026-11-23 09:08"),
        ("2026-11-28 10:00", Limit(1, DAYS), "2026-11-29 19:12"),  # Saturday; Friday is past
        ("2026-11-23 09:00", Limit(7, DAYS), "2026-11-29 14:24"),
        ("2026-11-20 09:00", Limit(7, DAYS), "2026-11-26 14:24"),
        ("2026-09-28 09:00", Limit(7, DAYS), "2026-09-30 00:00"),  # the last day worked
        ("2026-09-30 09:00", Limit(7, DAYS), "2026-10-06 14:24"),  # the festival, no day worked
    ],
)
def test_reminders_come_at_a_share_or_a_working_day_before(
    start: str, limit: Limit, when: str
) -> None:
    assert RULE is not None
    found = reminder(at(start), limit, CALENDAR, RULE)
    assert found is not None
    assert f"{found.astimezone(ZONE):%Y-%m-%d %H:%M}" == when


def test_reminders_wait_with_the_clock() -> None:
    assert RULE is not None
    start, limit = at("2026-11-23 09:00"), Limit(4, HOURS)
    pause = [span(OUTAGE, "2026-11-23 10:00", "2026-11-23 11:00")]
    assert reminder(start, limit, CALENDAR, RULE, pause) == at("2026-11-23 13:12")
    assert reminder(start, limit, CALENDAR, RULE, [span(OUTAGE, "2026-11-23 10:00", None)]) is None


def test_the_due_moment_itself_is_late() -> None:
    ends = due(at("2026-11-23 09:00"), Limit(2, HOURS), CALENDAR)
    assert not overdue(ends, at("2026-11-23 11:00") - timedelta(microseconds=1))
    assert overdue(ends, at("2026-11-23 11:00"))


def test_time_past_the_due_moment_leaves_pauses_out() -> None:
    ends = due(at("2026-11-23 09:00"), Limit(2, HOURS), CALENDAR)
    pauses = [
        span(OUTAGE, "2026-11-23 10:30", "2026-11-23 12:00"),
        span(OUTAGE, "2026-11-23 13:00", None),
    ]
    assert late_by(ends, at("2026-11-23 09:00")) == timedelta(0)
    assert late_by(ends, at("2026-11-23 12:30")) == timedelta(minutes=90)
    assert late_by(ends, at("2026-11-23 12:30"), pauses) == timedelta(minutes=30)
    assert late_by(ends, at("2026-11-23 18:00"), pauses) == timedelta(minutes=60)


# ---- years nobody knows yet ---------------------------------------------------------------------


def test_due_dates_in_an_unknown_year_are_unconfirmed() -> None:
    limits, seen = load().limits, 0
    for flow in FlowKind:
        for node in nodes(flow):
            row = limits.of(flow, node, "TEMP_AID", date(2026, 12, 31))
            if row is not None and row.limit is not None and row.limit.unit is W:
                assert not due(at("2026-12-31 10:00"), row.limit, CALENDAR).confirmed
                assert due(at("2026-12-01 10:00"), row.limit, CALENDAR).confirmed
                seen += 1
    assert seen == 12
    # Hours and natural days need no calendar.
    assert due(at("2026-12-31 10:00"), Limit(7, DAYS), CALENDAR).confirmed


def notice_of_2027() -> list[CountyDay]:
    """An invented notice: New Year to the 3rd, and ten days in October."""
    rest = days("2027: 0101-0103 1001-1010")
    basis = "STATE_COUNCIL_HOLIDAYS"
    standing = next(iter(load().limits.reminders)).ground.standing
    return [CountyDay(d, False, Scope.NATIONAL, "假日", basis, standing, True) for d in rest]


def test_when_the_year_becomes_known_the_first_value_is_kept() -> None:
    start, limit = at("2026-12-30 10:00"), Limit(3, W)
    first = due(start, limit, CALENDAR)
    assert told(first) == "2027-01-05 00:00?"  # 31 December, 1 and 4 January
    stored = to_store(None, first)
    assert stored == StoredDue(first.at, False, first.at)
    again = to_store(stored, due(start, limit, workdays(notice_of_2027())))
    assert told(again) == "2027-01-06 00:00"
    assert again.first_at == first.at
    assert to_store(again, due(start, limit, workdays(notice_of_2027()))) == again


# ---- what holds always ---------------------------------------------------------------------------

FIRST = datetime(2025, 1, 1, tzinfo=UTC)
MOMENTS = st.integers(0, 3 * 365 * 24 * 60).map(lambda minutes: FIRST + timedelta(minutes=minutes))
HOURLY = st.integers(0, 2 * 365 * 24).map(lambda hours: FIRST + timedelta(hours=hours))
LIMITS = st.builds(Limit, st.integers(1, 12), st.sampled_from(list(Unit)))
PLAIN = st.sampled_from([RETURNED, OUTAGE, NOTICING])


@st.composite
def paused(
    draw: st.DrawFn, moments: st.SearchStrategy[datetime] = MOMENTS
) -> tuple[datetime, list[Pause]]:
    """A start and pauses around it, whole hours apart."""
    start = draw(moments)
    hours = st.integers(-50, 700)
    found = []
    for _ in range(draw(st.integers(0, 5))):
        begin = start + timedelta(hours=draw(hours))
        found.append(Pause(draw(PLAIN), begin, begin + timedelta(hours=draw(st.integers(1, 120)))))
    return start, found


@PROPERTY
@given(paused(), LIMITS, st.integers(-100, 2_000), st.sampled_from(list(Clock)))
def test_time_elapsed_is_never_negative_and_never_more_than_without_pauses(
    case: tuple[datetime, list[Pause]], limit: Limit, hours: int, clock: Clock
) -> None:
    start, pauses = case
    now = start + timedelta(hours=hours)
    with_pauses = elapsed(start, now, limit, REFERENCE, pauses, clock)
    assert timedelta(0) <= with_pauses <= elapsed(start, now, limit, REFERENCE)
    assert with_pauses <= max(timedelta(0), now - start)


@PROPERTY
@given(paused(), LIMITS, st.sampled_from(list(Clock)))
def test_a_pause_never_makes_a_due_moment_earlier(
    case: tuple[datetime, list[Pause]], limit: Limit, clock: Clock
) -> None:
    start, pauses = case
    moments = [due(start, limit, REFERENCE, pauses[:n], clock) for n in range(len(pauses) + 1)]
    found = [m.at for m in moments if m is not None]
    assert found == sorted(found)
    assert len(found) == len(pauses) + 1


@PROPERTY
@given(paused(), LIMITS, st.lists(st.integers(0, 90), max_size=5))
def test_a_holiday_more_never_makes_a_due_moment_earlier(
    case: tuple[datetime, list[Pause]], limit: Limit, offsets: list[int]
) -> None:
    start, pauses = case
    more = frozenset(start.astimezone(ZONE).date() + timedelta(days=n) for n in offsets)
    fewer = due(start, limit, REFERENCE, pauses)
    later = due(start, limit, Days(REST | more, WORK - more), pauses)
    assert fewer is not None
    assert later is not None
    assert later.at >= fewer.at


@PROPERTY
@given(paused(), LIMITS)
def test_a_longer_limit_is_never_due_earlier(
    case: tuple[datetime, list[Pause]], limit: Limit
) -> None:
    start, pauses = case
    short = due(start, limit, REFERENCE, pauses)
    longer = due(start, Limit(limit.amount + 1, limit.unit), REFERENCE, pauses)
    assert short is not None
    assert longer is not None
    assert start < short.at < longer.at


@PROPERTY
@given(paused(HOURLY), st.integers(1, 12), st.sampled_from([HOURS, DAYS, W]))
def test_due_moments_equal_the_hours_counted(
    case: tuple[datetime, list[Pause]], amount: int, unit: Unit
) -> None:
    start, pauses = case
    found = due(start, Limit(amount, unit), REFERENCE, pauses)
    assert found is not None
    assert found.at == by_hours(start, Limit(amount, unit), REFERENCE, pauses)


@PROPERTY
@given(paused(HOURLY), st.integers(1, 45))
def test_no_notice_counts_in_the_procedure(case: tuple[datetime, list[Pause]], amount: int) -> None:
    accepted, pauses = case
    limit, notices = Limit(amount, W), [p for p in pauses if p.reason is NOTICING]
    found = due(accepted, limit, REFERENCE, pauses, Clock.PROCEDURE)
    assert found is not None
    assert found.at == by_hours(accepted, limit, REFERENCE, notices)
    # While a notice lasts, no time passes.
    for notice in notices:
        assert notice.end is not None
        at_start, at_end = (
            elapsed(accepted, now, limit, REFERENCE, pauses, Clock.PROCEDURE)
            for now in (notice.start, notice.end)
        )
        assert at_start == at_end


@PROPERTY
@given(paused(), LIMITS, st.integers(1, 99), st.integers(1, 3))
def test_a_reminder_lies_between_start_and_due(
    case: tuple[datetime, list[Pause]], limit: Limit, percent: int, working_days: int
) -> None:
    assert RULE is not None
    start, pauses = case
    rule = ReminderRule(percent, working_days, RULE.department_after, RULE.ground)
    ends = due(start, limit, REFERENCE, pauses)
    when = reminder(start, limit, REFERENCE, rule, pauses)
    assert ends is not None
    assert when is not None
    assert start < when < ends.at


# ---- no limit is a literal -----------------------------------------------------------------

CONVERSIONS = {"MONTHS_A_YEAR": 12, "PER_CENT": 100}
ROOT = Path(__file__).parents[2]


def literals(source: str) -> list[object]:
    """Numbers beside nought, one and the named unit conversions."""
    tree = ast.parse(source)
    named = {
        id(node.value)
        for node in tree.body
        if isinstance(node, ast.Assign)
        and isinstance(node.targets[0], ast.Name)
        and isinstance(node.value, ast.Constant)
        and CONVERSIONS.get(node.targets[0].id) == node.value.value
    }
    return [
        node.value
        for node in ast.walk(tree)
        if isinstance(node, ast.Constant)
        and type(node.value) in (int, float)
        and node.value not in (0, 1)
        and id(node) not in named
    ]


@pytest.mark.parametrize("name", ["clock", "nodes", "routing", "case"])
def test_no_limit_is_a_literal(name: str) -> None:
    assert literals((ROOT / f"domain/{name}.py").read_text(encoding="utf-8")) == []


def test_a_limit_written_as_a_literal_is_seen() -> None:
    planted = "PER_CENT = 100\nMONTHS_A_YEAR = 13\nSEVEN = 7\nx = timedelta(days=1) * 80"
    assert literals(planted) == [13, 7, 80]
