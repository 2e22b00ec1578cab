"""The roll-up adds up to what the records say, once each, whoever runs it."""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from collections.abc import Awaitable, Callable
from typing import Any

import orjson
import pytest
from sqlalchemy.engine import Row
from sqlalchemy.ext.asyncio import AsyncEngine

from audit.follower import Follower
from audit.log import AuditLog
from audit.record import Draft, Outcome
from audit.rollup import HOUR_US, NAME, Rollup
from audit.subjects import seen_count

pytestmark = pytest.mark.anyio
Sql = Callable[..., Awaitable[list[Row[Any]]]]
Drafts = Callable[..., Draft]
CURSOR = "SELECT next_idx FROM audit_follower WHERE name = 'rollup'"
ROWS = "SELECT actor, hour, area, kind, outcome, events, subjects FROM audit_rollup_hour"


async def expected(sql: Sql) -> dict[tuple[Any, ...], tuple[int, int]]:
    """By the bodies, in Python."""
    events: Counter[tuple[Any, ...]] = Counter()
    subjects: Counter[tuple[Any, ...]] = Counter()
    for (text,) in await sql("SELECT body FROM audit_event"):
        b = orjson.loads(text)
        hour = b["ts"] // HOUR_US
        key = (b.get("actor", ""), hour, b["area"], b["kind"], b["outcome"])
        events[key] += 1
        subjects[key] += seen_count(b)
    return {key: (events[key], subjects[key]) for key in events}


async def stored(sql: Sql) -> dict[tuple[Any, ...], tuple[Any, ...]]:
    rows = [tuple(row) for row in await sql(ROWS)]
    return {row[:-2]: row[-2:] for row in rows}


async def written(engine: AsyncEngine, drafts: Drafts, count: int) -> int:
    """A stopped log of several hours, accounts and outcomes; how many records it has."""
    hours = iter(range(10**6))
    log = AuditLog(engine, "node/1", "demo.invalid/hub/test/sha256", _slow(hours), wait_s=5.0)
    await log.start()
    outcomes = list(Outcome)
    changed = (
        drafts(n, actor=f"clerk-{n % 3}", outcome=outcomes[n % len(outcomes)]) for n in range(count)
    )
    await asyncio.gather(*(log.append(draft) for draft in changed))
    await log.stop()
    size = log.state().size
    assert size is not None
    assert size > count + 2  # such a clock is noticed: there are records of its steps, too
    return size


def _slow(steps: Any) -> Callable[[], int]:
    """A clock that goes on by three minutes each time it is looked at."""
    return lambda: 1_790_000_000_000_000 + next(steps) * 180_000_000


async def test_the_rollup_says_what_the_bodies_say(
    engine: AsyncEngine, drafts: Drafts, sql: Sql
) -> None:
    size = await written(engine, drafts, 60)
    follower = Follower(NAME, Rollup(engine, records=7))
    assert await follower.catch_up(size, 20)
    assert await sql(CURSOR) == [(size,)]
    found = await stored(sql)
    assert found == await expected(sql)
    assert sum(events for events, _ in found.values()) == size
    assert len({hour for _, hour, *_ in found}) > 2
    assert ("", "HUB_START") in {(key[0], key[3]) for key in found}  # nobody's records, too


async def test_a_step_is_bounded_and_the_next_goes_on(
    engine: AsyncEngine, drafts: Drafts, sql: Sql
) -> None:
    size = await written(engine, drafts, 20)
    steps = Rollup(engine, records=9)
    assert [await steps.step() for _ in range(5)] == [0, 9, 18, size, size]


async def test_many_at_once_add_each_record_once(
    engine: AsyncEngine, drafts: Drafts, sql: Sql
) -> None:
    size = await written(engine, drafts, 80)
    followers = [Follower(NAME, Rollup(engine, records=3)) for _ in range(4)]
    assert await asyncio.gather(*(f.catch_up(size, 30) for f in followers)) == [True] * 4
    assert await stored(sql) == await expected(sql)


async def test_a_step_that_fails_leaves_rows_and_cursor_as_they_were(
    engine: AsyncEngine, drafts: Drafts, sql: Sql
) -> None:
    size = await written(engine, drafts, 20)
    follower = Follower(NAME, Rollup(engine, records=10))
    assert await follower.catch_up(10, 10)
    await sql("ALTER TABLE audit_rollup_hour RENAME TO away")
    assert not await follower.catch_up(size, 0.3)
    assert follower.error is not None
    assert await sql(CURSOR) == [(10,)]
    await sql("ALTER TABLE away RENAME TO audit_rollup_hour")
    assert await follower.catch_up(size, 10)
    assert follower.reached == size
    assert await stored(sql) == await expected(sql)


async def test_it_follows_a_log_at_work(
    engine: AsyncEngine, log: AuditLog, drafts: Drafts, sql: Sql
) -> None:
    follower = Follower(NAME, Rollup(engine), every_s=0.01)
    task = asyncio.create_task(follower.follow())
    try:
        for number in range(10):
            await log.append(drafts(number))
        end = time.monotonic() + 10
        while follower.reached != 11:
            assert time.monotonic() < end
            await asyncio.sleep(0.01)
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
    assert await stored(sql) == await expected(sql)
