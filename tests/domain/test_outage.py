"""停机: an outage stops clocks by their unit, counts once, and shortens nothing (领域设计 1.5)."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from catalog.limits import Limit, Unit
from catalog.load import load
from catalog.workdays import ZONE
from domain.clock import due, elapsed, extension
from domain.outage import Outage, stops

CALENDAR = load().calendar
PROPERTY = settings(max_examples=300, deadline=None, derandomize=True, database=None)
W, DAYS, HOURS = Unit.WORKING_DAY, Unit.DAY, Unit.HOUR
FIRST = datetime(2025, 1, 1, tzinfo=UTC)
LIMITS = st.builds(Limit, st.integers(1, 12), st.sampled_from(list(Unit)))


def at(text: str) -> datetime:
    """A Shanghai clock time, as ``2026-02-13 17:00``."""
    return datetime.fromisoformat(text).replace(tzinfo=ZONE)


def out(start: str, end: str | None, *, announced: bool = False) -> Outage:
    return Outage("yb_settle", announced, at(start), None if end is None else at(end))


def due_with(start: str, limit: Limit, *outages: Outage) -> str | None:
    found = due(at(start), limit, CALENDAR, stops(outages, limit.unit))
    return None if found is None else f"{found.at.astimezone(ZONE):%Y-%m-%d %H:%M}"


NIGHT = out("2026-11-23 23:30", "2026-11-24 05:30", announced=True)  # a Monday
DOWN = out("2026-11-24 10:00", "2026-11-24 16:00")


@pytest.mark.parametrize(
    ("start", "limit", "outages", "when"),
    [
        # Two hours from 22:30: one before the source closes, one after it opens.
        ("2026-11-23 22:30", Limit(2, HOURS), [], "2026-11-24 00:30"),
        ("2026-11-23 22:30", Limit(2, HOURS), [NIGHT], "2026-11-24 06:30"),
        ("2026-11-23 23:40", Limit(2, HOURS), [NIGHT], "2026-11-24 07:30"),
        # Who has days has the day: announced hours of the night are no part of it.
        ("2026-11-23 22:30", Limit(1, DAYS), [NIGHT], "2026-11-25 00:00"),
        ("2026-11-23 22:30", Limit(2, W), [NIGHT], "2026-11-26 00:00"),
        # What nobody announced costs the day its hours fall into, by any unit.
        ("2026-11-23 22:30", Limit(2, W), [DOWN], "2026-11-27 00:00"),
        ("2026-11-23 22:30", Limit(1, DAYS), [DOWN], "2026-11-26 00:00"),
        ("2026-11-24 09:00", Limit(2, HOURS), [DOWN], "2026-11-24 17:00"),
        ("2026-11-24 09:00", Limit(2, W), [DOWN], "2026-11-27 00:00"),  # the day of the start
        # Over a weekend, when no working day runs, it costs nothing.
        (
            *("2026-11-27 09:00", Limit(1, W)),
            *([out("2026-11-28 00:00", "2026-11-29 20:00")], "2026-12-01 00:00"),
        ),
        ("2026-11-23 22:30", Limit(2, HOURS), [out("2026-11-23 23:00", None)], None),
        ("2026-11-23 22:30", Limit(2, W), [out("2026-11-23 23:00", None)], None),
    ],
)
def test_an_outage_moves_a_due_moment_by_the_clocks_unit(
    start: str, limit: Limit, outages: list[Outage], when: str | None
) -> None:
    assert due_with(start, limit, *outages) == when


def test_overlapping_outages_of_two_sources_count_once() -> None:
    other = Outage("mz_assist", False, at("2026-11-24 09:30"), at("2026-11-24 12:00"))
    both = due_with("2026-11-24 09:00", Limit(2, HOURS), DOWN, other)
    whole = due_with(
        "2026-11-24 09:00", Limit(2, HOURS), out("2026-11-24 09:30", "2026-11-24 16:00")
    )
    assert both == whole == "2026-11-24 17:30"


@pytest.mark.parametrize(
    ("until", "longer", "when"),
    [
        ("2026-11-26 00:00", Limit(3, W), "2026-12-01 00:00"),  # Wednesday's end and three days
        ("2026-11-28 00:00", Limit(1, W), "2026-12-01 00:00"),  # Friday's end, then Monday's
        ("2026-11-26 00:00", Limit(3, DAYS), "2026-11-29 00:00"),
    ],
)
def test_an_extension_adds_its_days_to_what_was_due(until: str, longer: Limit, when: str) -> None:
    limit = Limit(2, longer.unit)
    start = at(until) - timedelta(days=2, hours=9)
    before = due(start, limit, CALENDAR)
    assert before.at == at(until)
    after = due(start, limit, CALENDAR, [extension(before.at, longer, CALENDAR)])
    assert after is not None
    assert after.at == at(when)


@st.composite
def cases(draw: st.DrawFn) -> tuple[datetime, list[Outage]]:
    """A start, and outages around it, some of them announced, many overlapping."""
    start = FIRST + timedelta(minutes=draw(st.integers(0, 2 * 365 * 24 * 60)))
    found = []
    for _ in range(draw(st.integers(0, 6))):
        begin = start + timedelta(minutes=draw(st.integers(-3_000, 40_000)))
        length = timedelta(minutes=draw(st.integers(1, 4_000)))
        source = draw(st.sampled_from(["yb_settle", "mz_assist"]))
        found.append(Outage(source, draw(st.booleans()), begin, begin + length))
    return start, found


@PROPERTY
@given(cases(), LIMITS)
def test_an_outage_more_never_makes_a_due_moment_earlier(
    case: tuple[datetime, list[Outage]], limit: Limit
) -> None:
    start, outages = case
    found = [
        due(start, limit, CALENDAR, stops(outages[:number], limit.unit))
        for number in range(len(outages) + 1)
    ]
    moments = [one.at for one in found if one is not None]
    assert len(moments) == len(found)
    assert moments == sorted(moments)


@PROPERTY
@given(cases(), LIMITS, st.integers(-100, 1_500))
def test_outages_take_no_more_than_there_was_and_overlaps_once(
    case: tuple[datetime, list[Outage]], limit: Limit, hours: int
) -> None:
    start, outages = case
    now, pauses = start + timedelta(hours=hours), stops(outages, limit.unit)
    without, left = (
        elapsed(start, now, limit, CALENDAR),
        elapsed(start, now, limit, CALENDAR, pauses),
    )
    assert timedelta(0) <= left <= without
    assert elapsed(start, now, limit, CALENDAR, pauses + pauses) == left
    taken = sum(
        (without - elapsed(start, now, limit, CALENDAR, [one]) for one in pauses), timedelta(0)
    )
    assert without - left <= taken


@PROPERTY
@given(cases(), st.integers(1, 12), st.sampled_from([W, DAYS]), st.integers(1, 10))
def test_an_extension_is_exact_whatever_has_stopped_the_clock(
    case: tuple[datetime, list[Outage]], amount: int, unit: Unit, more: int
) -> None:
    start, outages = case
    limit, pauses = Limit(amount, unit), stops(outages, unit)
    before = due(start, limit, CALENDAR, pauses)
    assert before is not None
    longer = extension(before.at, Limit(more, unit), CALENDAR)
    after = due(start, limit, CALENDAR, [*pauses, longer])
    assert after is not None
    quiet = all(one.end is not None and one.end <= longer.start for one in outages)
    if quiet:
        assert after.at == due(before.at, Limit(more, unit), CALENDAR).at
    assert after.at >= due(before.at, Limit(more, unit), CALENDAR).at
