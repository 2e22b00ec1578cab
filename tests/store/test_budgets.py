"""Calls counted in the store: exactly the quota, one moment a call, whoever counts."""

from __future__ import annotations

import asyncio
import subprocess
import sys
from collections.abc import Awaitable, Callable
from datetime import datetime
from pathlib import Path

import pytest
from sqlalchemy.ext.asyncio import AsyncEngine

from catalog.workdays import ZONE
from store import migrate
from store.budgets import Budgets, Crowded, Limits, Spent
from store.engine import open_engine

NOON = datetime(2026, 11, 26, 12, tzinfo=ZONE).timestamp()
TRIES, PROCESSES = 30, 3
ROOT = Path(__file__).parents[2]
TAKER = f"""
import asyncio, sys
from store.budgets import Budgets, Limits, Spent
from store.engine import open_engine

async def main(url):
    engine, taken = open_engine(url), 0
    budgets = Budgets(engine, clock=lambda: {NOON})
    for _ in range({TRIES}):
        try:
            await budgets.take("sj_exchange", Limits(quota=50), within_s=0)
            taken += 1
        except Spent:
            pass
    await engine.dispose()
    print(taken)

asyncio.run(main(sys.argv[1]))
"""


class Clock:
    """Seconds since 1970, moved by hand."""

    def __init__(self, now: float = NOON) -> None:
        self.now = now

    def __call__(self) -> float:
        return self.now


Deed = Callable[[AsyncEngine, Clock], Awaitable[None]]


def run(store_url: str, deed: Deed) -> None:
    """`deed` on a migrated store."""
    migrate.upgrade(store_url)

    async def whole() -> None:
        engine = open_engine(store_url)
        try:
            await deed(engine, Clock())
        finally:
            await engine.dispose()

    asyncio.run(whole())


async def fate(budgets: Budgets, limits: Limits, within_s: float = 0) -> float | str:
    """The seconds to wait, or why not."""
    try:
        return round(await budgets.take("x", limits, within_s=within_s), 3)
    except (Spent, Crowded) as error:
        return type(error).__name__


def test_several_processes_together_take_exactly_the_quota(store_url: str) -> None:
    migrate.upgrade(store_url)
    programs = [
        subprocess.Popen(
            [sys.executable, "-c", TAKER, store_url], cwd=ROOT, stdout=subprocess.PIPE, text=True
        )
        for _ in range(PROCESSES)
    ]
    taken = [int(program.communicate(timeout=120)[0]) for program in programs]
    assert PROCESSES * TRIES > 50
    assert sum(taken) == 50


def test_many_tasks_at_once_take_exactly_the_quota_and_each_its_own_moment(store_url: str) -> None:
    async def deed(engine: AsyncEngine, clock: Clock) -> None:
        budgets, limits = Budgets(engine, clock=clock), Limits(rate=5, quota=20)
        found = await asyncio.gather(*(fate(budgets, limits, 60) for _ in range(40)))
        waits = sorted(wait for wait in found if isinstance(wait, float))
        assert waits == pytest.approx([0.2 * number for number in range(20)])
        assert found.count("Spent") == 20
        assert await budgets.used() == {"x": 20}

    run(store_url, deed)


def test_a_moment_that_comes_too_late_is_not_booked(store_url: str) -> None:
    async def deed(engine: AsyncEngine, clock: Clock) -> None:
        budgets, limits = Budgets(engine, clock=clock), Limits(rate=5)
        assert [await fate(budgets, limits, 0.5) for _ in range(5)] == [
            0.0, 0.2, 0.4, "Crowded", "Crowded",
        ]  # fmt: skip
        assert await budgets.used() == {"x": 3}
        clock.now += 0.6
        assert [await fate(budgets, limits) for _ in range(2)] == [0.0, "Crowded"]

    run(store_url, deed)


def test_no_second_of_the_clock_sees_more_calls_than_the_rate(store_url: str) -> None:
    async def deed(engine: AsyncEngine, clock: Clock) -> None:
        budgets, limits, went = Budgets(engine, clock=clock), Limits(rate=3), list[float]()
        for _ in range(60):
            found = await fate(budgets, limits, 0.25)
            if isinstance(found, float):
                went.append(clock.now + found)
            clock.now += 0.07
        assert len(went) >= 12  # 4.2 seconds: it was asked more often than it went
        # The fourth is a second after the first; `fate` tells thousandths.
        assert all(late - early > 0.998 for early, late in zip(went, went[3:], strict=False))

    run(store_url, deed)


def test_the_day_begins_anew_at_midnight_in_beijing(store_url: str) -> None:
    async def deed(engine: AsyncEngine, clock: Clock) -> None:
        budgets, limits = Budgets(engine, clock=clock), Limits(quota=2)
        clock.now = datetime(2026, 11, 26, 23, 59, 59, tzinfo=ZONE).timestamp()
        assert [await fate(budgets, limits) for _ in range(3)] == [0.0, 0.0, "Spent"]
        clock.now += 1
        assert await budgets.used() == {}
        assert [await fate(budgets, limits) for _ in range(3)] == [0.0, 0.0, "Spent"]

    run(store_url, deed)


def test_a_clock_behind_at_midnight_counts_with_the_others(store_url: str) -> None:
    async def deed(engine: AsyncEngine, clock: Clock) -> None:
        clock.now = datetime(2026, 11, 27, tzinfo=ZONE).timestamp()
        ahead, behind = Budgets(engine, clock=clock), Budgets(engine, clock=lambda: clock.now - 1)
        limits = Limits(quota=3)
        found = [await fate(one, limits) for one in (ahead, behind, ahead, behind, ahead)]
        assert found == [0.0, 0.0, 0.0, "Spent", "Spent"]

    run(store_url, deed)


def test_sources_do_not_share(store_url: str) -> None:
    async def deed(engine: AsyncEngine, clock: Clock) -> None:
        budgets = Budgets(engine, clock=clock)
        await budgets.take("a", Limits(quota=1), within_s=0)
        await budgets.take("b", Limits(quota=1), within_s=0)
        with pytest.raises(Spent):
            await budgets.take("a", Limits(quota=1), within_s=0)
        assert await budgets.used() == {"a": 1, "b": 1}

    run(store_url, deed)
