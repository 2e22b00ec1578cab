"""The machine's clock jumps: the order stays, a writer's time never decreases, and it is told."""

from __future__ import annotations

import asyncio
import itertools
import os
import time
from collections.abc import Iterator

import pytest
from sqlalchemy.ext.asyncio import AsyncEngine

from audit.batch import now_us
from audit.log import AuditLog
from audit.verify import Exit, check
from tests.audit.conftest import LOG, Drafts, Sql

pytestmark = pytest.mark.anyio
HOUR_US = 3_600_000_000
STEPS = {"an hour back": -HOUR_US, "an hour ahead": HOUR_US, "a day back": -24 * HOUR_US}


@pytest.mark.parametrize("step", STEPS)
async def test_one_replicas_clock_jumps_while_another_goes_on(
    engine: AsyncEngine, drafts: Drafts, sql: Sql, step: str
) -> None:
    shift = 0
    jumping = AuditLog(engine, "node/1", LOG, lambda: now_us() + shift)
    steady = AuditLog(engine, "node/2", LOG)
    for log in (jumping, steady):
        await log.start()
    for number in range(12):
        if number == 4:
            shift = STEPS[step]
        if number == 8:
            shift = 0  # somebody sets it right again
        await asyncio.gather(jumping.append(drafts(number)), steady.append(drafts(number)))
    for log in (jumping, steady):
        await log.stop()
    rows = await sql("SELECT idx, writer, kind, ts FROM audit_event ORDER BY idx")
    assert [r.idx for r in rows] == list(range(len(rows))) == list(range(2 * 14 + 2))
    told = [(r.writer, r.kind) for r in rows if r.kind == "CLOCK_STEP"]
    assert told == [("node/1", "CLOCK_STEP")] * 2  # there and back
    times = {w: [r.ts for r in rows if r.writer == w] for w in ("node/1", "node/2")}
    for of_one in times.values():
        assert of_one == sorted(of_one)
    jumped = max(b - a for a, b in itertools.pairwise(times["node/1"]))
    assert (jumped > HOUR_US * 9 // 10) == (step == "an hour ahead")  # back: it waits for the time
    assert max(b - a for a, b in itertools.pairwise(times["node/2"])) < HOUR_US // 10
    assert (await check(engine)).exit is Exit.INTACT


@pytest.fixture
def elsewhere() -> Iterator[None]:
    """The process's zone becomes another one."""
    before = os.environ.get("TZ")
    os.environ["TZ"] = "America/New_York"
    time.tzset()
    yield
    os.environ.pop("TZ")
    if before is not None:
        os.environ["TZ"] = before
    time.tzset()


async def test_another_zone_changes_nothing(
    engine: AsyncEngine, drafts: Drafts, sql: Sql, request: pytest.FixtureRequest
) -> None:
    log = AuditLog(engine, "node/1", LOG)
    await log.start()
    await log.append(drafts(1))
    zone = time.timezone
    request.getfixturevalue("elsewhere")
    assert time.timezone - zone in (5 * 3600, 13 * 3600)  # of a machine in UTC or in Shanghai
    await log.append(drafts(2))
    await log.stop()
    rows = await sql("SELECT kind, ts FROM audit_event ORDER BY idx")
    assert [r.kind for r in rows] == ["HUB_START", "READ", "READ", "HUB_STOP"]
    assert rows[-1].ts - rows[0].ts < 60_000_000
    assert (await check(engine)).exit is Exit.INTACT
