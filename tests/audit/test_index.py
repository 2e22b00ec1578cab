"""The subject index follows the log, misses nothing, and holds up nobody."""

from __future__ import annotations

import asyncio
import hashlib
import time
from collections.abc import Awaitable, Callable
from typing import Any

import pytest
from sqlalchemy.engine import Row
from sqlalchemy.ext.asyncio import AsyncEngine

from audit.index import Steps, SubjectIndex
from audit.log import AuditLog
from audit.postgres_index import PostgresIndex
from audit.record import Draft
from audit.sqlite_index import SqliteIndex
from audit.verify import Exit, check

pytestmark = pytest.mark.anyio
LOG = "demo.invalid/hub/test/sha256"

Sql = Callable[..., Awaitable[list[Row[Any]]]]
Drafts = Callable[..., Draft]
CURSOR = "SELECT next_idx FROM audit_index"
ROWS = "SELECT count(*) FROM audit_subject"


def tokens(first: int, count: int) -> bytes:
    return b"".join(
        hashlib.sha256(n.to_bytes(4)).digest()[:16] for n in range(first, first + count)
    )


def steps(engine: AsyncEngine) -> Steps:
    if engine.dialect.name == "sqlite":
        return SqliteIndex(str(engine.url.database))
    return PostgresIndex(engine.url)


@pytest.fixture
async def unindexed(engine: AsyncEngine, drafts: Drafts, sql: Sql) -> AsyncEngine:
    """Twelve records of 500 subjects and one sought each, as a killed process leaves them."""
    log = AuditLog(engine, "node/1", LOG, wait_s=5.0)
    await log.start()
    await sql("ALTER TABLE audit_subject RENAME TO away")
    for number in range(12):
        many = tokens(number * 500, 500)
        await log.append(drafts(number, subjects=many, sought=tokens(90_000 + number, 1)))
    await log.stop()
    await sql("ALTER TABLE away RENAME TO audit_subject")
    assert await sql(ROWS) == [(0,)]
    return engine


async def test_a_log_at_work_is_indexed_within_five_seconds(
    log: AuditLog, engine: AsyncEngine, drafts: Drafts, sql: Sql
) -> None:
    for number in range(20):
        await log.append(drafts(number, subjects=tokens(number, 40)))
    end = time.monotonic() + 5
    while log.state().unindexed != 0:
        assert time.monotonic() < end
        await asyncio.sleep(0.05)
    assert await sql(CURSOR) == [(21,)]
    assert await sql(ROWS) == [(20 * 41,)]
    verdicts = await check(engine)
    assert (verdicts.exit, verdicts.unindexed) == (Exit.INTACT, 0)


async def test_a_stop_leaves_a_complete_index(
    engine: AsyncEngine, drafts: Drafts, sql: Sql
) -> None:
    log = AuditLog(engine, "node/1", LOG)
    await log.start()
    await asyncio.gather(*(log.append(drafts(n, subjects=tokens(n, 100))) for n in range(30)))
    await log.stop()
    assert await sql(CURSOR) == [(32,)]
    assert log.state().unindexed == 0
    assert await sql(ROWS) == [(30 * 101,)]


async def test_who_is_seen_and_sought_is_in_the_index_once_as_seen(
    log: AuditLog, engine: AsyncEngine, drafts: Drafts, sql: Sql
) -> None:
    await log.append(drafts(subjects=tokens(0, 100), sought=tokens(99, 2)))
    await log.append(drafts(subjects=tokens(0, 2), sought=tokens(1, 2)))
    await log.append(drafts(subjects=b"", sought=b""))
    assert await log.indexed()
    counted = await sql("SELECT idx, how, count(*) FROM audit_subject GROUP BY 1, 2 ORDER BY 1, 2")
    assert [tuple(r) for r in counted] == [
        (1, "SEEN", 100),
        (1, "SOUGHT", 1),
        (2, "SEEN", 2),
        (2, "SOUGHT", 1),
    ]
    assert (await check(engine)).exit is Exit.INTACT


async def test_without_the_index_records_are_written_and_it_is_told(
    log: AuditLog, engine: AsyncEngine, drafts: Drafts, sql: Sql
) -> None:
    assert await log.indexed()
    await sql("ALTER TABLE audit_subject RENAME TO away")
    assert (await log.append(drafts(1))).idx == 1
    assert not await log.indexed()
    state = log.state()
    assert (state.error, state.unindexed) == (None, 1)
    assert state.index_error is not None
    await sql("ALTER TABLE away RENAME TO audit_subject")
    assert await log.indexed()
    assert (log.state().index_error, log.state().unindexed) == (None, 0)
    assert (await check(engine)).exit is Exit.INTACT


async def test_a_step_is_bounded(unindexed: AsyncEngine, sql: Sql) -> None:
    indexer = steps(unindexed)
    reached = [await indexer.step()]
    assert (await sql(ROWS))[0][0] <= (1_501 if unindexed.dialect.name == "sqlite" else 8_600)
    while reached[-1] < 14:
        reached.append(await indexer.step())
    assert reached == sorted(set(reached))  # every step moved on
    assert await indexer.step() == 14
    assert await sql(ROWS) == [(12 * 501,)]
    await indexer.close()


async def test_the_next_start_takes_up_what_was_left(
    unindexed: AsyncEngine, drafts: Drafts, sql: Sql
) -> None:
    log = AuditLog(unindexed, "node/2", LOG)
    await log.start()
    await log.stop()
    assert await sql(CURSOR) == [(16,)]
    verdicts = await check(unindexed)
    assert (verdicts.exit, verdicts.subjects, verdicts.unindexed) == (Exit.INTACT, 12 * 501, 0)


async def test_many_processes_index_each_record_once(unindexed: AsyncEngine, sql: Sql) -> None:
    indexers = [SubjectIndex(steps(unindexed)) for _ in range(4)]
    assert await asyncio.gather(*(one.catch_up(14) for one in indexers)) == [True] * 4
    for one in indexers:
        await one.stop(None)
    assert [one.error for one in indexers] == [None] * 4
    assert await sql(ROWS) == [(12 * 501,)]
    assert (await check(unindexed)).exit is Exit.INTACT


async def test_a_row_that_is_there_already_is_not_overwritten(
    unindexed: AsyncEngine, sql: Sql
) -> None:
    stolen = tokens(500, 1).hex()
    blob = f"x'{stolen}'" if unindexed.dialect.name == "sqlite" else f"decode('{stolen}', 'hex')"
    await sql(
        f"INSERT INTO audit_subject (subject, idx, key_ver, how) VALUES ({blob}, 2, 1, 'SOUGHT')"
    )
    indexer = SubjectIndex(steps(unindexed))
    assert not await indexer.catch_up(14)
    assert indexer.error is not None
    await indexer.stop(None)
    verdicts = await check(unindexed)
    assert (verdicts.exit, verdicts.first_bad) == (Exit.TAMPERED, 2)


async def test_an_index_without_a_cursor_says_so(unindexed: AsyncEngine, sql: Sql) -> None:
    await sql("DELETE FROM audit_index")
    indexer = SubjectIndex(steps(unindexed))
    assert not await indexer.catch_up(14)
    assert indexer.error == "LookupError"
    await indexer.stop(None)


@pytest.mark.postgres
@pytest.mark.parametrize("store_url", ["postgres"], indirect=True)
async def test_a_cut_connection_is_made_anew(log: AuditLog, drafts: Drafts, sql: Sql) -> None:
    await log.append(drafts(1))
    assert await log.indexed()
    cut = await sql(
        "SELECT pg_terminate_backend(pid, 1000) FROM pg_stat_activity "
        "WHERE application_name = 'hub-audit-index' AND datname = current_database()"
    )
    assert cut == [(True,)]
    await log.append(drafts(2))
    await log.indexed()
    assert await log.indexed()
    assert log.state().unindexed == 0
