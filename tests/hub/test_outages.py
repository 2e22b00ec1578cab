"""What proves an outage and what ends it: faults asked again, timetables, turns between workers."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, cast

import pytest
from sqlalchemy import select

from adapters.contract import Source
from adapters.registry import Absent
from adapters.resilience import Breaker, Fault, Guard, Reason, Window
from hub.demo.site import Site
from hub.outages import ASK_EVERY, Outages
from store.deeds import Deeds
from store.outages import source_outage
from store.rows import utc
from tests.sites import copied
from tests.trusted import Edge, over

pytestmark = [pytest.mark.anyio]

NAME = "yb_settle"
START = datetime(2026, 11, 26, 2, tzinfo=UTC)  # ten in the morning there
NIGHT = Window.parse("23:30-05:30")
CLOSES, OPENS = (
    datetime(2026, 11, 26, 15, 30, tzinfo=UTC),
    datetime(2026, 11, 26, 21, 30, tzinfo=UTC),
)
MINUTE = timedelta(minutes=1)


class Clock:
    """Stands until it is moved."""

    def __init__(self) -> None:
        self.at = START

    def __call__(self) -> datetime:
        return self.at


class Department:
    """A source that answers, or says why not; `asked` counts what reached it."""

    json = False

    def __init__(self, clock: Clock, *windows: Window) -> None:
        # Seconds of the breaker stand still: what has opened stays open.
        breaker = Breaker(threshold=3, clock=lambda: 0.0)
        self.name, self.fails, self.asked = NAME, cast(Reason | None, None), 0
        self.guard = Guard(NAME, breaker=breaker, windows=windows, now=clock)

    async def ping(self) -> None:
        await self.guard.run(self._answer)

    async def _answer(self) -> None:
        self.asked += 1
        if self.fails is not None:
            raise Fault(self.fails)

    async def fault(self) -> None:
        """Somebody asked it, and was not answered."""
        with pytest.raises(Exception, match=NAME):
            await self.ping()


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
async def edge(pristine: Site, tmp_path: Path) -> AsyncIterator[Edge]:
    async with over(copied(pristine, tmp_path / "site")) as made:
        yield made


def worker(
    edge: Edge, clock: Clock, source: object, name: str = "one", *, night: bool = False
) -> Outages:
    sources, windows = {NAME: cast(Source, source)}, {NAME: NIGHT} if night else {}
    return Outages(Deeds(edge.hub.store), sources, windows, edge.hub.log, name, clock=clock)


async def rows(edge: Edge) -> list[dict[str, Any]]:
    """Every outage, oldest first, moments aware."""
    asked = select(source_outage).order_by(source_outage.c.started_at)
    async with edge.hub.store.connect() as conn:
        found = [dict(row) for row in (await conn.execute(asked)).mappings()]
    for row in found:
        row |= {k: utc(v) for k, v in row.items() if isinstance(v, datetime)}
    return found


async def told(edge: Edge) -> list[tuple[bool, str, datetime, datetime | None]]:
    names = ("announced", "reason", "started_at", "ended_at")
    return [tuple(row[name] for name in names) for row in await rows(edge)]


async def test_a_fault_that_is_not_repeated_proves_nothing(edge: Edge, clock: Clock) -> None:
    source = Department(clock)
    at = worker(edge, clock, source)
    await at.look()
    assert source.asked == 0  # nobody needed it: it is not asked to find out
    source.fails = Reason.TIMEOUT
    await source.fault()
    source.fails = None
    clock.at += MINUTE
    await at.look()
    assert (source.asked, await rows(edge)) == (2, [])
    await at.look()
    assert source.asked == 2


async def test_an_outage_begins_at_the_fault_and_ends_at_the_answer(
    edge: Edge, clock: Clock
) -> None:
    source = Department(clock)
    at = worker(edge, clock, source)
    source.fails = Reason.DOWN
    await source.fault()
    clock.at += MINUTE
    await at.look()
    assert await told(edge) == [(False, "DOWN", START, None)]
    asked = source.asked
    clock.at += ASK_EVERY / 2
    await at.look()
    assert source.asked == asked  # its turn comes every thirty seconds
    source.fails = None
    clock.at = START + 10 * MINUTE
    await at.look()
    assert await told(edge) == [(False, "DOWN", START, START + 10 * MINUTE)]
    (row,) = await rows(edge)
    assert (row["seen_by"], row["ended_by"], row["swept_to"]) == ("one", "one", "")
    records = [r["op"] for r in await edge.records() if r["kind"] == "MUTATION"]
    assert records[-2:] == [
        {"name": f"source.{what}", "type": "job", "vars": {"source": NAME, "state": state}}
        for what, state in (("out", "DOWN"), ("back", "ANSWERS"))
    ]


async def test_five_failures_in_a_row_are_proof_by_themselves(edge: Edge, clock: Clock) -> None:
    source = Department(clock)
    source.fails = Reason.TIMEOUT
    for _ in range(3):
        await source.fault()
    asked = source.asked
    await worker(edge, clock, source).look()
    assert await told(edge) == [(False, "BREAKER_OPEN", START, None)]
    assert source.asked == asked


@pytest.mark.parametrize("reason", [Reason.BUSY, Reason.QUOTA])
async def test_a_source_that_has_no_room_is_well(edge: Edge, clock: Clock, reason: Reason) -> None:
    source = Department(clock)
    source.fails = reason
    await source.fault()
    await worker(edge, clock, source).look()
    assert await rows(edge) == []


async def test_an_outage_is_ended_by_whoever_is_answered(edge: Edge, clock: Clock) -> None:
    mine, theirs = Department(clock), Department(clock)
    mine.fails = Reason.DOWN
    await mine.fault()
    one, two = worker(edge, clock, mine), worker(edge, clock, theirs, "two")
    await one.look()
    clock.at += MINUTE
    await theirs.ping()  # somebody asked the other worker, and was answered
    clock.at += MINUTE
    await two.look()
    (row,) = await rows(edge)
    assert (row["ended_at"], row["seen_by"], row["ended_by"]) == (START + MINUTE, "one", "two")
    clock.at += MINUTE
    await one.look()  # it remembers the old fault, asks, and is still not answered
    (_, again) = await rows(edge)
    assert (again["started_at"], again["ended_at"]) == (clock.at, None)


async def test_closing_hours_are_told_apart_from_what_was_found(edge: Edge, clock: Clock) -> None:
    source = Department(clock, NIGHT)
    at = worker(edge, clock, source, night=True)
    source.fails = Reason.DOWN
    await source.fault()
    await at.look()
    clock.at = CLOSES + 10 * MINUTE
    await at.look()
    found = (False, "DOWN", START, CLOSES)
    assert await told(edge) == [found, (True, "OUTAGE_WINDOW", CLOSES, None)]
    clock.at = OPENS + MINUTE
    await at.look()  # it opens, and is still down
    announced = (True, "OUTAGE_WINDOW", CLOSES, OPENS)
    assert await told(edge) == [found, announced, (False, "DOWN", OPENS + MINUTE, None)]


async def test_hours_that_are_not_announced_any_more_are_over(edge: Edge, clock: Clock) -> None:
    source = Department(clock)
    clock.at = CLOSES + 10 * MINUTE
    await worker(edge, clock, source, night=True).look()
    clock.at += MINUTE
    await worker(edge, clock, source).look()
    assert await told(edge) == [(True, "OUTAGE_WINDOW", CLOSES, clock.at)]


async def test_a_source_that_nobody_connects_any_more_stops_no_clock_for_ever(
    edge: Edge, clock: Clock
) -> None:
    source = Department(clock)
    source.fails = Reason.DOWN
    await source.fault()
    await worker(edge, clock, source).look()
    clock.at += MINUTE
    await worker(edge, clock, Absent(NAME, "医保")).look()
    assert await told(edge) == [(False, "DOWN", START, START + MINUTE)]
