"""Counting look-ups in the store: exact, shared by all workers, forgotten in time."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

import pytest
from sqlalchemy import func, select
from sqlalchemy.ext.asyncio import AsyncEngine

from catalog.errors import SourceUnavailable
from store import migrate
from store.engine import open_engine
from store.lookups import HOUR, MINUTE_S, SHORT, Lookups, lookup_use

NOON = 1_795_000_000.0


class Clock:
    """Seconds since 1970, moved by hand."""

    def __init__(self) -> None:
        self.now = NOON

    def __call__(self) -> float:
        return self.now

    def minutes(self, count: int) -> None:
        """Let time pass."""
        self.now += count * MINUTE_S


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


def test_no_more_than_so_many_an_hour(store_url: str) -> None:
    async def deed(engine: AsyncEngine, clock: Clock) -> None:
        lookups = Lookups(engine, per_hour=5, misses=5, clock=clock)
        assert [await lookups.take("a", 1) for _ in range(3)] == [True] * 3
        clock.minutes(HOUR - 1)
        assert await lookups.take("a", 3) is False  # and none of the three is counted
        assert [await lookups.take("a", 1) for _ in range(3)] == [True, True, False]
        assert await lookups.take("b", 5) is True  # another account is not disturbed
        clock.minutes(1)  # the first three are an hour old
        assert [await lookups.take("a", 3), await lookups.take("a", 1)] == [True, False]

    run(store_url, deed)


def test_finding_nobody_is_counted_apart(store_url: str) -> None:
    async def deed(engine: AsyncEngine, clock: Clock) -> None:
        lookups = Lookups(engine, per_hour=50, misses=4, clock=clock)
        assert await lookups.take("a", 5) is False  # all five might find nobody
        assert await lookups.take("a", 4) is True
        await lookups.missed("a", 3)
        assert await lookups.take("a", 2) is False
        assert await lookups.take("a", 1) is True
        await lookups.missed("a", 1)
        clock.minutes(SHORT - 1)
        assert await lookups.take("a", 1) is False
        clock.minutes(1)
        assert await lookups.take("a", 4) is True

    run(store_url, deed)


def test_two_workers_count_the_same_ones(store_url: str) -> None:
    async def deed(engine: AsyncEngine, clock: Clock) -> None:
        other = open_engine(store_url)
        workers = [Lookups(e, per_hour=20, misses=20, clock=clock) for e in (engine, other)]
        taken = await asyncio.gather(*(workers[n % 2].take("a", 1) for n in range(40)))
        await other.dispose()
        assert sum(taken) == 20

    run(store_url, deed)


def test_what_is_older_than_the_hour_is_removed(store_url: str) -> None:
    async def deed(engine: AsyncEngine, clock: Clock) -> None:
        lookups = Lookups(engine, per_hour=500, misses=5, clock=clock)
        for _ in range(HOUR + 20):
            assert await lookups.take("a", 1)
            clock.minutes(1)
        async with engine.connect() as connection:
            kept = await connection.scalar(select(func.count()).select_from(lookup_use))
        assert kept == HOUR

    run(store_url, deed)


def test_who_cannot_be_counted_looks_nobody_up(store_url: str) -> None:
    async def whole() -> None:
        engine = open_engine(store_url)  # a store without the table
        lookups = Lookups(engine, per_hour=5, misses=5)
        for ask in (lookups.take, lookups.missed):
            with pytest.raises(SourceUnavailable) as refused:
                await ask("a", 1)
            assert refused.value.reason == "DOWN"
        await engine.dispose()

    asyncio.run(whole())
