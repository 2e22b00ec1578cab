"""Requests of a minute handed out in shares: never more than the minute's, whoever takes them."""

from __future__ import annotations

import asyncio
import subprocess
import sys
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest
from sqlalchemy.ext.asyncio import AsyncEngine

from store import migrate
from store.engine import open_engine
from store.rates import MINUTE_S, PARTS, Rates

NOON = 1_795_000_000.0
MINUTE = int(NOON // MINUTE_S)
ROOT = Path(__file__).parents[2]
PROCESSES, LIMIT = 3, 200
TAKER = f"""
import asyncio, sys
from store.engine import open_engine
from store.rates import Rates

async def main(url):
    engine, passed = open_engine(url), 0
    rates = Rates(engine, clock=lambda: {NOON})
    while True:
        share = await rates.take("clerk", {LIMIT})
        if not share.left:
            break
        passed += share.left
        await asyncio.sleep(0)
    await engine.dispose()
    print(passed)

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


def test_several_processes_together_are_handed_exactly_the_minutes_budget(store_url: str) -> None:
    migrate.upgrade(store_url)
    programs = [
        subprocess.Popen(
            [sys.executable, "-c", TAKER, store_url], cwd=ROOT, stdout=subprocess.PIPE, text=True
        )
        for _ in range(PROCESSES)
    ]
    passed = [int(program.communicate(timeout=120)[0]) for program in programs]
    assert sum(passed) == LIMIT


def test_a_share_is_an_eighth_of_what_is_left_and_at_least_one(store_url: str) -> None:
    async def deed(engine: AsyncEngine, clock: Clock) -> None:
        rates, left, taken = Rates(engine, clock=clock), 80, 0
        while left:
            share = await rates.take("clerk", 80)
            assert share.left == max(1, left // PARTS)
            left -= share.left
            taken += 1
            assert (share.minute, share.rest) == (MINUTE, left)
        assert taken == 29  # statements for eighty requests
        empty = await rates.take("clerk", 80)
        assert (empty.minute, empty.left, empty.rest) == (MINUTE, 0, 0)

    run(store_url, deed)


def test_the_next_minute_begins_anew_and_never_goes_back(store_url: str) -> None:
    async def deed(engine: AsyncEngine, clock: Clock) -> None:
        ahead, behind = Rates(engine, clock=clock), Rates(engine, clock=lambda: clock.now - 60)
        for _ in range(2):
            assert (await ahead.take("clerk", 2)).left == 1
        assert (await ahead.take("clerk", 2)).left == 0
        clock.now += MINUTE_S
        assert (await ahead.take("clerk", 2)).minute == MINUTE + 1
        late = await behind.take("clerk", 2)
        assert (late.minute, late.left, late.rest) == (MINUTE + 1, 1, 0)
        assert (await behind.take("clerk", 2)).left == 0

    run(store_url, deed)


def test_accounts_do_not_share(store_url: str) -> None:
    async def deed(engine: AsyncEngine, clock: Clock) -> None:
        rates = Rates(engine, clock=clock)
        assert [(await rates.take(who, 1)).left for who in ("a", "b", "a", "b")] == [1, 1, 0, 0]

    run(store_url, deed)


@pytest.mark.parametrize(("before", "after"), [(100, 50), (50, 100)])
def test_a_limit_that_is_changed_counts_at_once(store_url: str, before: int, after: int) -> None:
    async def deed(engine: AsyncEngine, clock: Clock) -> None:
        rates, passed = Rates(engine, clock=clock), 0
        while passed < 60 and (share := await rates.take("clerk", before)).left:
            passed += share.left
        more = 0
        while (share := await rates.take("clerk", after)).left:
            more += share.left
        assert passed + more == max(passed, after)

    run(store_url, deed)
