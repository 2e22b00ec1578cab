"""A store that is slow, a replica that hangs, many that start at once: bounded, and over soon."""

from __future__ import annotations

import asyncio
import gc
import time
from collections import Counter
from contextlib import suppress
from dataclasses import dataclass, field

import pytest
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncEngine

from audit.log import QUEUE, WAIT_S, AuditLog, _Job, writer_name
from audit.record import Draft, Kind
from audit.verify import Exit, check
from catalog.errors import AuditUnavailable
from store.engine import open_engine
from tests.audit.conftest import LOG, Drafts, Sql
from tests.proxy import Proxy

pytestmark = [pytest.mark.anyio, pytest.mark.loopback]

CLIENTS, LIMIT = 64, 48  # more clients than places in the queue
LATE_S = 1.0  # above the promised time, on a loaded machine


@dataclass(slots=True)
class Answers:
    """How long clients waited for a receipt or a refusal, in s."""

    receipts: list[float] = field(default_factory=list)
    refused: list[float] = field(default_factory=list)
    queued: int = 0
    jobs: int = 0

    async def client(self, log: AuditLog, until: float) -> None:
        while (began := time.monotonic()) < until:
            try:
                await log.append(Draft(Kind.READ, request="r-1"))
            except AuditUnavailable:
                self.refused.append(time.monotonic() - began)
                await asyncio.sleep(0.02)  # a client that is refused does not ask at once
            else:
                self.receipts.append(time.monotonic() - began)

    async def watch(self, log: AuditLog, until: float) -> None:
        while time.monotonic() < until:
            self.queued = max(self.queued, log.state().queued)
            gc.collect()  # refusals lie about in cycles with their tracebacks
            self.jobs = max(self.jobs, sum(isinstance(o, _Job) for o in gc.get_objects()))
            await asyncio.sleep(0.5)


async def holder(engine: AsyncEngine, hold_s: float, until: float, held: list[float]) -> None:
    """Another writer: takes the head for `hold_s`, lets go for a moment, takes it again."""
    while time.monotonic() < until:
        with suppress(Exception):  # on SQLite it may wait in vain for the log's own writer
            async with engine.connect() as connection:
                if engine.dialect.name == "sqlite":
                    await connection.exec_driver_sql("BEGIN IMMEDIATE")
                await connection.execute(text("UPDATE audit_head SET size = size"))
                held.append(hold_s)
                await asyncio.sleep(hold_s)
                await connection.rollback()
        await asyncio.sleep(0.01)


@pytest.mark.parametrize("hold_s", [0.05, 0.5, 5.0])
async def test_slow_commits_keep_the_queue_bounded_and_refuse_within_two_seconds(
    engine: AsyncEngine, drafts: Drafts, hold_s: float
) -> None:
    assert (WAIT_S, QUEUE) == (2.0, 4_096)
    log, answers, held = AuditLog(engine, "node/1", LOG, queue=LIMIT), Answers(), list[float]()
    await log.start()
    try:
        until = time.monotonic() + max(4.0, hold_s + 0.5)  # on SQLite a holder may wait in vain
        await asyncio.gather(
            holder(engine, hold_s, until, held),
            answers.watch(log, until),
            *(answers.client(log, until) for _ in range(CLIENTS)),
        )
        _judged(answers, held, hold_s, fair=engine.dialect.name != "sqlite")
        await _retried(log, drafts(2))
    finally:
        await log.stop()
    assert log.state().queued == 0
    assert (await check(engine)).exit is Exit.INTACT


def _judged(answers: Answers, held: list[float], hold_s: float, *, fair: bool) -> None:
    assert len(held) >= (1 if hold_s > WAIT_S else 2)  # it was slow
    assert len(answers.receipts) + len(answers.refused) > CLIENTS
    waited = sorted(answers.receipts + answers.refused)
    assert waited[-1] <= WAIT_S + LATE_S
    assert answers.queued <= LIMIT
    # Those in line, those being written, refused and answered ones until the next tick; a log
    # that kept them would have thousands.
    assert 0 < answers.jobs <= LIMIT + 16 * CLIENTS
    if hold_s > WAIT_S:
        assert len(answers.refused) > CLIENTS
        assert any(s < 0.1 for s in answers.refused)  # the queue was full
        assert any(abs(s - WAIT_S) < LATE_S for s in answers.refused)  # and some waited in vain
    elif fair:
        # SQLite's waiter sleeps and looks again, and may miss several moments; a lock has a line.
        receipts = sorted(answers.receipts)
        assert receipts[len(receipts) * 99 // 100] <= 3 * hold_s + LATE_S


async def _retried(log: AuditLog, draft: Draft) -> float:
    """Seconds until a record was taken; what is refused is refused in time."""
    began = time.monotonic()
    for _ in range(40):
        asked = time.monotonic()
        with suppress(AuditUnavailable):
            await log.append(draft)
            return time.monotonic() - began
        assert time.monotonic() - asked <= WAIT_S + LATE_S
        await asyncio.sleep(0.05)
    raise AssertionError("the log did not come back")


@pytest.mark.postgres
@pytest.mark.parametrize("store_url", ["postgres"], indirect=True)
async def test_a_replica_that_hangs_with_the_head_is_thrown_out(
    audit_url: str, engine: AsyncEngine, drafts: Drafts, sql: Sql
) -> None:
    """Its COMMIT never comes: others are refused after two seconds and free after five."""
    proxy, hung = Proxy(audit_url), asyncio.Event()

    async def ask(part: bytes) -> bool:
        if b"COMMIT\0" in part:
            hung.set()
        return not hung.is_set()

    async with proxy as url:
        through = open_engine(url)
        replica, log = AuditLog(through, "node/1", LOG), AuditLog(engine, "node/2", LOG)
        await replica.start()
        await log.start()  # now the replica has to take the head's lock
        proxy.ask = ask
        waiter = asyncio.create_task(replica.append(drafts(1)))
        await hung.wait()
        began = time.monotonic()
        with pytest.raises(AuditUnavailable):
            await log.append(drafts(2))
        assert WAIT_S - 0.2 <= time.monotonic() - began <= WAIT_S + LATE_S
        await _retried(log, drafts(3))
        assert 4.0 <= time.monotonic() - began <= 5.0 + 2 * LATE_S
        assert isinstance(
            (await asyncio.gather(waiter, return_exceptions=True))[0], AuditUnavailable
        )
        with suppress(AuditUnavailable):
            await replica.stop()
        await log.stop()
        await through.dispose()
    assert (await check(engine)).exit is Exit.INTACT


@pytest.mark.postgres
@pytest.mark.parametrize("store_url", ["postgres"], indirect=True)
async def test_a_command_that_hangs_with_the_head_is_thrown_out_too(
    engine: AsyncEngine, drafts: Drafts, sql: Sql
) -> None:
    """It has written its record in its own transaction and never commits."""
    log = AuditLog(engine, "node/1", LOG)
    await log.start()
    await sql("CREATE TABLE thing (id INTEGER)")
    async with engine.connect() as connection:
        await connection.execute(text("INSERT INTO thing VALUES (1)"))
        await log.append_in(connection, drafts(1, kind=Kind.MUTATION))
        began = time.monotonic()
        await asyncio.sleep(0.1)
        await _retried(log, drafts(2))
        assert 4.0 <= time.monotonic() - began <= 5.0 + 2 * LATE_S
        await connection.invalidate()
    await log.stop()
    assert await sql("SELECT id FROM thing") == []
    assert (await check(engine)).exit is Exit.INTACT


async def test_many_starts_at_once_are_one_order(engine: AsyncEngine, sql: Sql) -> None:
    """A storm of restarts: each has a name of its own, and writes its start and its stop."""
    names = [writer_name("node") for _ in range(24)]

    async def lived(name: str) -> None:
        log = AuditLog(engine, name, LOG, wait_s=15.0)
        await log.start()
        await log.append(Draft(Kind.READ, request="r-1"))
        await log.stop()

    await asyncio.gather(*(lived(name) for name in names))
    rows = await sql("SELECT writer, kind FROM audit_event ORDER BY idx")
    lives = Counter((r.writer, r.kind) for r in rows)
    assert lives == {(n, k): 1 for n in names for k in ("HUB_START", "READ", "HUB_STOP")}
    verdicts = await check(engine)
    assert (verdicts.exit, verdicts.size, verdicts.unstopped) == (Exit.INTACT, 72, ())
