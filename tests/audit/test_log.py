"""Append: durable before its receipt, one transaction for many, closed when it fails."""

from __future__ import annotations

import asyncio
import json
import resource
import sqlite3
import time
import uuid
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import text
from sqlalchemy.engine import Row, make_url
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from audit.batch import NotDurable, OutOfOrder, Ticks
from audit.log import AuditLog, uuid7, writer_name
from audit.postgres_writer import PostgresWriter
from audit.record import BadRecord, Draft, Kind, entry
from audit.sqlite_writer import SqliteWriter, make_durable
from audit.tree import leaf
from audit.verify import Exit, check
from catalog.errors import AuditUnavailable
from store.engine import open_engine
from tests.proxy import COMMITTED, INSERTED, Proxy, losing

pytestmark = pytest.mark.anyio
LOG = "demo.invalid/hub/test/sha256"

Sql = Callable[..., Awaitable[list[Row[Any]]]]
Drafts = Callable[..., Draft]


@asynccontextmanager
async def head_lock(engine: AsyncEngine) -> AsyncIterator[AsyncConnection]:
    """Another replica that holds the head row and does not go on."""
    async with engine.connect() as connection:
        await connection.execute(text("UPDATE audit_head SET size = size"))
        yield connection
        await connection.rollback()


async def test_a_receipt_names_a_record_that_others_can_read(
    log: AuditLog, drafts: Drafts, sql: Sql
) -> None:
    receipt = await log.append(drafts())
    assert (receipt.idx, receipt.log) == (1, LOG)
    (row,) = await sql("SELECT body, leaf, kind, subject_count FROM audit_event WHERE idx = 1")
    assert (row.kind, row.subject_count) == ("READ", 1)
    assert leaf(row.body.encode()).hex() == row.leaf == receipt.leaf
    assert json.loads(row.body)["actor"] == "zhelai-town-01"
    assert await log.indexed()
    assert [r.how for r in await sql("SELECT how FROM audit_subject ORDER BY how")] == [
        "SEEN",
        "SOUGHT",
    ]


async def test_a_start_and_a_stop_are_records(engine: AsyncEngine, sql: Sql) -> None:
    log = AuditLog(engine, "node/1", LOG)
    assert log.state().running is False
    boot = await log.start(Draft(Kind.HUB_START, policy="12"))
    assert boot.idx == 0
    assert log.state().running is True
    assert log.state().size == 1
    await log.stop()
    await log.stop()  # a second one has nothing to do
    rows = await sql("SELECT kind, writer, wseq, policy_rev FROM audit_event ORDER BY idx")
    assert [tuple(r) for r in rows] == [
        ("HUB_START", "node/1", 1, "12"),
        ("HUB_STOP", "node/1", 2, None),
    ]
    assert log.state().running is False


async def test_nothing_is_appended_before_start_or_after_stop(
    engine: AsyncEngine, drafts: Drafts
) -> None:
    log = AuditLog(engine, "node/1", LOG)
    with pytest.raises(AuditUnavailable):
        await log.append(drafts())
    await log.start()
    await log.stop()
    with pytest.raises(AuditUnavailable) as refused:
        await log.append(drafts())
    assert refused.value.reason == "WRITE"
    with pytest.raises(RuntimeError):
        await log.start()


async def test_many_waiters_share_few_transactions(
    log: AuditLog, engine: AsyncEngine, drafts: Drafts, sql: Sql
) -> None:
    receipts = await asyncio.gather(*(log.append(drafts(n)) for n in range(300)))
    assert sorted(r.idx for r in receipts) == list(range(1, 301))
    if engine.dialect.name == "postgresql":
        (row,) = await sql("SELECT count(DISTINCT xmin::text) AS n FROM audit_event")
        assert row.n <= 4  # HUB_START, and 300 in batches of what had queued up
    assert (await check(engine)).exit is Exit.INTACT


async def test_an_answer_about_1001_people_is_three_records_in_a_row(
    log: AuditLog, engine: AsyncEngine, drafts: Drafts, sql: Sql
) -> None:
    people = b"".join(n.to_bytes(16) for n in range(1001))
    receipts = await asyncio.gather(
        log.append(drafts(subjects=people, sought=b"")), *(log.append(drafts(n)) for n in range(5))
    )
    assert receipts[0].idx == 1
    assert [r.idx for r in receipts[1:]] == [4, 5, 6, 7, 8]
    rows = await sql(
        "SELECT part, parts, subject_count, row_count FROM audit_event WHERE parts > 1 ORDER BY idx"
    )
    assert [tuple(r) for r in rows] == [(1, 3, 500, 1), (2, 3, 500, 0), (3, 3, 1, 0)]
    assert (await check(engine)).exit is Exit.INTACT


async def test_a_bad_draft_is_refused_alone(
    log: AuditLog, drafts: Drafts, engine: AsyncEngine, sql: Sql
) -> None:
    good, bad, other = await asyncio.gather(
        log.append(drafts(1)),
        log.append(drafts(2, actor="539922199001011239")),
        log.append(drafts(3)),
        return_exceptions=True,
    )
    assert isinstance(bad, AuditUnavailable)
    assert isinstance(bad.__cause__, BadRecord)
    assert not isinstance(good, BaseException)
    assert not isinstance(other, BaseException)
    assert await sql("SELECT count(*) FROM audit_event") == [(3,)]
    assert log.state().error is None


async def test_a_waiter_that_waits_too_long_gets_no_receipt(
    engine: AsyncEngine, drafts: Drafts
) -> None:
    log = AuditLog(engine, "node/1", LOG, wait_s=0.2)
    await log.start()
    async with head_lock(engine):
        began = time.monotonic()
        with pytest.raises(AuditUnavailable) as refused:
            await log.append(drafts())
        assert 0.15 < time.monotonic() - began < 1.0
        assert refused.value.reason == "WRITE"
    # It goes on by itself, and what was late is in the log: over-reporting is accepted.
    while (receipt := await retried(log, drafts(2))).idx < 2:
        pass
    await log.stop()
    verdicts = await check(engine)
    assert verdicts.exit is Exit.INTACT
    assert verdicts.size == receipt.idx + 2


async def retried(log: AuditLog, draft: Draft) -> Any:
    for _ in range(40):
        try:
            return await log.append(draft)
        except AuditUnavailable:
            await asyncio.sleep(0.05)
    raise AssertionError("the log did not recover within 10 s")


async def test_a_cancelled_waiter_gets_no_receipt_but_its_record_stays(
    log: AuditLog, engine: AsyncEngine, drafts: Drafts, sql: Sql
) -> None:
    async with head_lock(engine):
        waiter = asyncio.create_task(log.append(drafts(request="gone")))
        await asyncio.sleep(0.05)
        waiter.cancel()
        with pytest.raises(asyncio.CancelledError):
            await waiter
    await log.append(drafts())
    rows = await sql("SELECT idx FROM audit_event WHERE request_id = 'gone'")
    assert rows == [(1,)]


async def test_a_full_queue_refuses_at_once(engine: AsyncEngine, drafts: Drafts) -> None:
    log = AuditLog(engine, "node/1", LOG, wait_s=5.0, queue=3)
    await log.start()
    async with head_lock(engine):
        first = asyncio.create_task(log.append(drafts(0)))
        await asyncio.sleep(0.05)  # is being written now, waits for the lock
        waiting = [asyncio.create_task(log.append(drafts(n))) for n in (1, 2, 3)]
        await asyncio.sleep(0)
        assert log.state().queued == 3
        with pytest.raises(AuditUnavailable, match="排队已满"):
            await log.append(drafts(4))
    receipts = await asyncio.gather(first, *waiting)
    assert [r.idx for r in receipts] == [1, 2, 3, 4]
    await log.stop()


async def test_a_stop_that_cannot_be_recorded_ends_all_the_same(
    engine: AsyncEngine, drafts: Drafts
) -> None:
    log = AuditLog(engine, "node/1", LOG, wait_s=0.3)
    await log.start()
    async with head_lock(engine):
        first = asyncio.create_task(log.append(drafts(0)))
        await asyncio.sleep(0.05)
        waiting = [asyncio.create_task(log.append(drafts(n))) for n in (1, 2)]
        await asyncio.sleep(0)
        stopping = asyncio.create_task(log.stop())
        ends = await asyncio.gather(first, *waiting, return_exceptions=True)
        assert [type(e) for e in ends] == [AuditUnavailable] * 3
        await asyncio.sleep(0.1)
    with pytest.raises(AuditUnavailable):
        await stopping
    state = log.state()
    assert (state.running, state.queued, state.size, state.error) == (False, 0, 2, None)
    verdicts = await check(engine)
    assert (verdicts.exit, verdicts.size) == (Exit.INTACT, 2)


@pytest.mark.parametrize("table", ["audit_event", "audit_head", "audit_writer"])
async def test_without_a_table_nothing_is_acknowledged(
    log: AuditLog, engine: AsyncEngine, drafts: Drafts, sql: Sql, table: str
) -> None:
    await log.append(drafts(1))
    await sql(f"ALTER TABLE {table} RENAME TO gone")
    with pytest.raises(AuditUnavailable) as refused:
        await log.append(drafts(2))
    assert table in str(refused.value.__cause__)  # the fault that was planted, no other
    assert log.state().error is not None
    await sql(f"ALTER TABLE gone RENAME TO {table}")
    assert await sql("SELECT count(*) FROM audit_event") == [(2,)]
    assert (await log.append(drafts(3))).idx == 2
    assert log.state().error is None
    assert (await check(engine)).exit is Exit.INTACT


@pytest.mark.parametrize("row", ["audit_head", "audit_writer"])
async def test_without_its_row_nothing_is_acknowledged(
    engine: AsyncEngine, drafts: Drafts, sql: Sql, row: str
) -> None:
    log = AuditLog(engine, "node/1", LOG)
    await log.start()
    await sql(f"DELETE FROM {row}")
    with pytest.raises(AuditUnavailable) as refused:
        await log.append(drafts())
    assert isinstance(refused.value.__cause__, OutOfOrder)
    assert await sql("SELECT count(*) FROM audit_event") == [(1,)]
    with pytest.raises(AuditUnavailable):
        await log.stop()
    assert log.state().running is False


def size_of(file: str) -> int:
    return Path(file).stat().st_size


@contextmanager
def disk_full_beyond(size: int) -> Iterator[None]:
    """No file of this process grows beyond `size` bytes: the kernel refuses the write."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


@pytest.mark.parametrize("store_url", ["sqlite"], indirect=True)
async def test_a_full_disk_refuses_and_recovers_by_itself(
    log: AuditLog, audit_url: str, engine: AsyncEngine, drafts: Drafts, sql: Sql
) -> None:
    await log.append(drafts(1))
    with disk_full_beyond(size_of(f"{make_url(audit_url).database}-wal")):
        with pytest.raises(AuditUnavailable) as refused:
            await log.append(drafts(2))
        assert any(word in str(refused.value.__cause__) for word in ("disk I/O error", "is full"))
        assert await sql("SELECT count(*) FROM audit_event") == [(2,)]  # readers go on
    assert (await log.append(drafts(3))).idx == 2
    assert (await check(engine)).exit is Exit.INTACT


async def test_a_store_without_tables_does_not_start(store_url: str, tmp_path: Path) -> None:
    engine = open_engine(store_url)
    log = AuditLog(engine, "node/1", LOG)
    with pytest.raises(AuditUnavailable):
        await log.start()
    assert log.state().running is False
    await engine.dispose()


async def test_a_store_that_is_not_there_is_not_made(tmp_path: Path) -> None:
    engine = open_engine(f"sqlite+aiosqlite:///{tmp_path / 'none.sqlite'}")
    with pytest.raises(AuditUnavailable):
        await AuditLog(engine, "node/1", LOG).start()
    assert not (tmp_path / "none.sqlite").exists()
    await engine.dispose()


async def test_a_store_that_cannot_have_a_write_ahead_log_is_refused() -> None:
    connection = sqlite3.connect(":memory:")
    with pytest.raises(NotDurable, match="journal_mode memory"):
        make_durable(connection)
    connection.close()


@pytest.mark.postgres
@pytest.mark.parametrize("store_url", ["postgres"], indirect=True)
async def test_a_database_that_may_lose_a_commit_is_refused(engine: AsyncEngine, sql: Sql) -> None:
    name = engine.url.database
    await sql(f"ALTER DATABASE {name} SET synchronous_commit = off")
    with pytest.raises(AuditUnavailable) as refused:
        await AuditLog(engine, "node/1", LOG).start()
    assert isinstance(refused.value.__cause__, NotDurable)
    assert "synchronous_commit off" in str(refused.value.__cause__)
    assert await sql("SELECT count(*) FROM audit_event") == [(0,)]


@pytest.mark.postgres
@pytest.mark.parametrize("store_url", ["postgres"], indirect=True)
async def test_a_role_without_the_right_to_write_is_refused(
    engine: AsyncEngine, audit_url: str, sql: Sql, drafts: Drafts
) -> None:
    role = f"hub_reader_{uuid.uuid4().hex[:8]}"
    tables = "audit_event, audit_subject, audit_index, audit_head, audit_writer"
    await sql(f"CREATE ROLE {role} LOGIN", f"GRANT ALL ON {tables} TO {role}")
    reader = open_engine(make_url(audit_url).set(username=role).render_as_string(False))
    log = AuditLog(reader, "node/1", LOG)
    try:
        await log.start()
        await sql(f"REVOKE INSERT ON audit_event FROM {role}")
        with pytest.raises(AuditUnavailable) as refused:
            await log.append(drafts())
        assert "permission denied for table audit_event" in str(refused.value.__cause__)
        assert await sql("SELECT count(*) FROM audit_event") == [(1,)]
        await sql(f"GRANT INSERT ON audit_event TO {role}")
        assert (await log.append(drafts())).idx == 1
        await log.stop()
    finally:
        await reader.dispose()
        await sql(f"REVOKE ALL ON {tables} FROM {role}", f"DROP ROLE {role}")


async def test_a_start_that_cannot_be_recorded_is_no_start(
    engine: AsyncEngine, drafts: Drafts, sql: Sql
) -> None:
    log = AuditLog(engine, "node/1", LOG)
    with pytest.raises(AuditUnavailable):
        await log.start(Draft(Kind.HUB_START, actor="539922199001011239"))
    assert log.state().running is False
    with pytest.raises(AuditUnavailable):
        await log.append(drafts())
    assert await sql("SELECT count(*) FROM audit_event") == [(0,)]


async def test_a_store_of_another_log_is_refused(log: AuditLog, engine: AsyncEngine) -> None:
    with pytest.raises(AuditUnavailable) as refused:
        await AuditLog(engine, "node/2", "demo.invalid/hub/other/sha256").start()
    assert isinstance(refused.value.__cause__, OutOfOrder)


async def test_a_writer_s_name_is_used_once(engine: AsyncEngine, sql: Sql) -> None:
    first = AuditLog(engine, "node/1", LOG)
    await first.start()
    with pytest.raises(AuditUnavailable):
        await AuditLog(engine, "node/1", LOG).start()
    await first.stop()
    assert await sql("SELECT kind FROM audit_event ORDER BY idx") == [("HUB_START",), ("HUB_STOP",)]


async def test_a_writer_s_name_is_a_code(engine: AsyncEngine) -> None:
    with pytest.raises(ValueError, match="code"):
        AuditLog(engine, "two words", LOG)
    with pytest.raises(ValueError, match="64"):
        AuditLog(engine, "w" * 65, LOG)
    assert writer_name("node") != writer_name("node")


async def test_time_does_not_go_back_and_a_step_is_a_record(
    engine: AsyncEngine, drafts: Drafts, sql: Sql
) -> None:
    shift = 0

    def clock() -> int:
        return time.time_ns() // 1000 + shift

    log = AuditLog(engine, "node/1", LOG, clock)
    await log.start()
    for shift in (0, -3_600_000_000, 3_600_000_000):  # noqa: B007  the clock reads it
        await log.append(drafts())
    await log.stop()
    rows = await sql("SELECT kind, ts FROM audit_event ORDER BY idx")
    assert [r.kind for r in rows] == [
        "HUB_START",
        "READ",
        "CLOCK_STEP",
        "READ",
        "CLOCK_STEP",
        "READ",
        "HUB_STOP",
    ]
    assert [r.ts for r in rows] == sorted(r.ts for r in rows)
    assert rows[1].ts == rows[2].ts == rows[3].ts < rows[5].ts - 3_000_000_000
    assert (await check(engine)).exit is Exit.INTACT


async def test_a_command_s_record_is_in_the_command_s_transaction(
    log: AuditLog, engine: AsyncEngine, drafts: Drafts, sql: Sql
) -> None:
    await sql("CREATE TABLE thing (id INTEGER)")
    async with engine.begin() as connection:
        await connection.execute(text("INSERT INTO thing VALUES (1)"))
        receipt = await log.append_in(connection, drafts(kind=Kind.MUTATION))
    async with engine.connect() as connection:
        await connection.execute(text("INSERT INTO thing VALUES (2)"))
        await log.append_in(connection, drafts(kind=Kind.MUTATION, subjects=b"", sought=b""))
        await connection.rollback()
    assert receipt.idx == 1
    assert await sql("SELECT id FROM thing") == [(1,)]
    assert await sql("SELECT kind FROM audit_event WHERE idx > 0") == [("MUTATION",)]
    assert (await log.append(drafts(2))).idx == 2
    assert (await check(engine)).exit is Exit.INTACT


async def test_a_command_whose_record_cannot_be_written_does_not_happen(
    log: AuditLog, engine: AsyncEngine, drafts: Drafts, sql: Sql
) -> None:
    await sql("CREATE TABLE thing (id INTEGER)", "ALTER TABLE audit_writer RENAME TO gone")

    async def command() -> None:
        async with engine.begin() as connection:
            await connection.execute(text("INSERT INTO thing VALUES (1)"))
            await log.append_in(connection, drafts(kind=Kind.MUTATION))

    with pytest.raises(AuditUnavailable):
        await command()
    await sql("ALTER TABLE gone RENAME TO audit_writer")
    assert await sql("SELECT id FROM thing") == []
    assert await sql("SELECT count(*) FROM audit_event") == [(1,)]


async def test_commands_and_reads_at_once_keep_one_order(
    log: AuditLog, engine: AsyncEngine, drafts: Drafts
) -> None:
    async def command(number: int) -> int:
        async with engine.begin() as connection:
            return (await log.append_in(connection, drafts(number, kind=Kind.MUTATION))).idx

    async def read(number: int) -> int:
        return (await log.append(drafts(number))).idx

    found = await asyncio.gather(*((command if n % 3 == 0 else read)(n) for n in range(60)))
    assert sorted(found) == list(range(1, 61))
    verdicts = await check(engine)
    assert (verdicts.exit, verdicts.size) == (Exit.INTACT, 61)


async def test_writing_the_same_entries_again_gives_one_record(
    log: AuditLog, engine: AsyncEngine, drafts: Drafts, sql: Sql
) -> None:
    await sql("INSERT INTO audit_writer VALUES ('second', 0)")
    if engine.dialect.name == "sqlite":
        writer: SqliteWriter | PostgresWriter = SqliteWriter(
            str(engine.url.database), writer="second", ticks=Ticks()
        )
    else:
        writer = PostgresWriter(engine.url, writer="second", ticks=Ticks())
    entries = [entry(drafts(n), uuid7(n)) for n in range(3)]
    first = await writer.write(entries, again=False)
    await log.append(drafts(9))
    await writer.reset()
    assert await writer.write(entries, again=True) == first
    assert [p.idx for p in first] == [1, 2, 3]
    await writer.close()
    assert await sql("SELECT count(*) FROM audit_event") == [(5,)]
    assert (await check(engine)).exit is Exit.INTACT


@pytest.mark.postgres
@pytest.mark.parametrize("store_url", ["postgres"], indirect=True)
async def test_a_cut_connection_is_made_anew(log: AuditLog, drafts: Drafts, sql: Sql) -> None:
    await log.append(drafts(1))
    cut = await sql(
        "SELECT pg_terminate_backend(pid, 1000) FROM pg_stat_activity "
        "WHERE application_name = 'hub-audit' AND datname = current_database()"
    )
    assert cut == [(True,)]
    assert (await log.append(drafts(2))).idx == 2
    assert await sql("SELECT count(*) FROM audit_event") == [(3,)]


@pytest.mark.postgres
@pytest.mark.loopback
@pytest.mark.parametrize("store_url", ["postgres"], indirect=True)
async def test_a_lone_writer_waits_for_one_round_trip(audit_url: str, drafts: Drafts) -> None:
    proxy = Proxy(audit_url)
    async with proxy as url:
        through = open_engine(url)
        log = AuditLog(through, "node/1", LOG, wait_s=5.0)
        await log.start()
        await log.append(drafts(0))  # its statement is prepared
        before = proxy.sent
        for number in range(1, 11):
            await log.append(drafts(number))
        assert proxy.sent - before == 10
        await log.stop()
        await through.dispose()


@pytest.mark.postgres
@pytest.mark.loopback
@pytest.mark.parametrize("store_url", ["postgres"], indirect=True)
@pytest.mark.parametrize(("lose", "first"), [(INSERTED, 2), (COMMITTED, 3)])
async def test_a_commit_whose_answer_is_lost_gives_one_record(
    audit_url: str, engine: AsyncEngine, drafts: Drafts, sql: Sql, lose: bytes, first: int
) -> None:
    proxy = Proxy(audit_url)
    async with proxy as url:
        through = open_engine(url)
        log = AuditLog(through, "node/1", LOG, wait_s=5.0)
        await log.start()
        assert (await log.append(drafts(0))).idx == 1
        if lose == COMMITTED:  # another writer was here, so this one goes the long way
            other = AuditLog(engine, "node/2", LOG)
            await other.start()
        lost = losing(proxy, lose)
        assert (await log.append(drafts(1))).idx == first
        assert len(lost) == 1
        assert (await log.append(drafts(2))).idx == first + 1
        if lose == COMMITTED:
            await other.stop()
        await log.stop()
        await through.dispose()
    assert await sql("SELECT count(*) FROM audit_event WHERE kind = 'READ'") == [(3,)]
    assert (await check(engine)).exit is Exit.INTACT


@pytest.mark.postgres
@pytest.mark.parametrize("store_url", ["postgres"], indirect=True)
async def test_a_statement_that_went_astray_writes_nothing_after_its_repetition(
    log: AuditLog, engine: AsyncEngine, drafts: Drafts, sql: Sql
) -> None:
    """The answer did not come in time; the statement itself still waits for the head's lock."""
    await sql("INSERT INTO audit_writer VALUES ('second', 0)")
    writer, again = (PostgresWriter(engine.url, writer="second", ticks=Ticks()) for _ in range(2))
    await writer.write([entry(drafts(0), uuid7(0))], again=False)
    entries = [entry(drafts(1), uuid7(1))]
    async with head_lock(engine):
        astray = asyncio.create_task(writer.write(entries, again=False))
        repeated = asyncio.create_task(again.write(entries, again=True))
        await asyncio.sleep(0.2)
        assert not astray.done()
    ends = await asyncio.gather(astray, repeated, return_exceptions=True)
    assert any(isinstance(end, list) for end in ends)
    await writer.close()
    await again.close()
    assert await sql("SELECT count(*) FROM audit_event") == [(3,)]
    assert (await check(engine)).exit is Exit.INTACT


async def test_writers_that_take_turns_keep_one_order(
    engine: AsyncEngine, drafts: Drafts, sql: Sql
) -> None:
    """Each finds the head elsewhere than it left it, or not, in every pattern of turns."""
    logs = [AuditLog(engine, f"node/{n}", LOG) for n in range(3)]
    for log in logs:
        await log.start()
    turns = (0, 0, 0, 1, 0, 1, 0, 1, 2, 2, 2, 0, 2, 1, 1, 0, 0, 0)
    found = [(await logs[who].append(drafts(n))).idx for n, who in enumerate(turns)]
    assert found == list(range(3, 3 + len(turns)))
    await asyncio.gather(*(log.append(drafts(n)) for n in range(60) for log in logs))
    for log in logs:
        await log.stop()
    verdicts = await check(engine)
    assert (verdicts.exit, verdicts.size) == (Exit.INTACT, 3 + len(turns) + 180 + 3)


async def test_a_record_finds_its_place_behind_a_command_s(
    log: AuditLog, engine: AsyncEngine, drafts: Drafts
) -> None:
    for number in range(3):
        await log.append(drafts(number))
        async with engine.begin() as connection:
            await log.append_in(connection, drafts(number, kind=Kind.MUTATION))
    assert (await log.append(drafts(9))).idx == 7
    assert (await check(engine)).exit is Exit.INTACT


def test_ids_are_uuids_of_version_7_in_order_of_time() -> None:
    made = [uuid.UUID(uuid7(ms * 1000)) for ms in (1, 2, 1_700_000_000_000)]
    assert [u.version for u in made] == [7, 7, 7]
    assert [u.variant for u in made] == [uuid.RFC_4122] * 3
    assert made == sorted(made)
    assert made[2].int >> 80 == 1_700_000_000_000
