"""What was altered is found, with the first bad idx; what was not is called intact."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import text
from sqlalchemy.engine import Row, make_url
from sqlalchemy.ext.asyncio import AsyncEngine

from audit.batch import EVENT_COLUMNS, Head, Ticks, now_us, number
from audit.log import AuditLog
from audit.record import Draft, Kind, entry
from audit.verify import CannotRead, Code, Exit, Verdicts, check, run
from store.audit import audit_event, audit_subject, trigger_names
from store.engine import open_engine

pytestmark = pytest.mark.anyio
LOG = "demo.invalid/hub/test/sha256"
RECORDS = 12  # HUB_START, ten reads, HUB_STOP

Sql = Callable[..., Awaitable[list[Row[Any]]]]
Drafts = Callable[..., Draft]


@pytest.fixture
async def written(engine: AsyncEngine, drafts: Drafts) -> AsyncEngine:
    """A closed log of twelve records by one writer."""
    log = AuditLog(engine, "node/1", LOG, wait_s=5.0)
    await log.start()
    for count in range(10):
        await log.append(drafts(count))
    await log.stop()
    assert (await check(engine)).exit is Exit.INTACT
    return engine


async def tamper(engine: AsyncEngine, *statements: str) -> None:
    """As one with the database's password would: the triggers do not stop him."""
    async with engine.begin() as connection:
        if engine.dialect.name == "sqlite":
            for name in trigger_names("sqlite"):
                await connection.execute(text(f"DROP TRIGGER {name}"))
        else:
            await connection.execute(text("SET LOCAL session_replication_role = replica"))
        changed = 0
        for statement in statements:
            changed += (await connection.exec_driver_sql(statement)).rowcount
        assert changed > 0, "nothing was altered: the test would prove nothing"


def found(verdicts: Verdicts) -> set[Code]:
    return set(verdicts.counts)


async def test_an_untouched_log_is_intact(written: AsyncEngine) -> None:
    verdicts = await check(written)
    assert (verdicts.exit, verdicts.first_bad, verdicts.findings) == (Exit.INTACT, None, ())
    assert (verdicts.integrity, verdicts.completeness, verdicts.indexes) == (True, True, True)
    assert (verdicts.log, verdicts.size, verdicts.subjects) == (LOG, RECORDS, 20)
    assert verdicts.unstopped == ()


@pytest.mark.parametrize("window", [1, 5, 12, 13])
async def test_windows_change_nothing_and_progress_is_told(
    written: AsyncEngine, window: int
) -> None:
    told: list[tuple[int, int]] = []
    verdicts = await check(written, window=window, progress=lambda *at: told.append(at))
    assert (verdicts.exit, verdicts.size) == (Exit.INTACT, RECORDS)
    assert told[-1] == (RECORDS, RECORDS)
    assert len(told) == -(-RECORDS // window)


RENUMBER = (
    "DELETE FROM audit_event WHERE idx = 4",
    "DELETE FROM audit_subject WHERE idx = 4",
    *(f"UPDATE audit_event SET idx = {n - 1} WHERE idx = {n}" for n in range(5, RECORDS)),
    *(f"UPDATE audit_subject SET idx = {n - 1} WHERE idx = {n}" for n in range(5, RECORDS)),
    f"UPDATE audit_head SET size = {RECORDS - 1}",
)
SWAP = (
    "UPDATE audit_event SET idx = 100 WHERE idx = 3",
    "UPDATE audit_event SET idx = 3 WHERE idx = 4",
    "UPDATE audit_event SET idx = 4 WHERE idx = 100",
)
INSERT = (
    "UPDATE audit_event SET idx = 100 WHERE idx = 11",
    "INSERT INTO audit_event SELECT 11, 'forged', ts, writer, 99, kind, outcome, decision_code, "
    "actor, actor_org, actor_role, actor_area, client_app, src_ip, session, request_id, trace_id, "
    "op_name, op_hash, purpose, legal_basis, case_ref, area, row_count, subject_count, "
    "break_glass, policy_rev, part, parts, leaf, body FROM audit_event WHERE idx = 10",
    "UPDATE audit_event SET idx = 12 WHERE idx = 100",
    "UPDATE audit_head SET size = 13",
)
BODY = "UPDATE audit_event SET body = replace(body, '{}', '{}') WHERE idx = 6"
TAMPERINGS: dict[str, tuple[tuple[str, ...], int, set[Code]]] = {
    "edit body": (
        (BODY.format("zhelai-town-01", "another-clerk1"),),
        6,
        {Code.LEAF, Code.COLUMN, Code.HEAD},
    ),
    "edit body beyond form": ((BODY.format("{", "{ "),), 6, {Code.LEAF, Code.NOT_CANONICAL}),
    "body is no JSON": ((BODY.format("{", "("),), 6, {Code.LEAF, Code.NOT_CANONICAL}),
    "body is no record": (
        ("UPDATE audit_event SET body = '[1]' WHERE idx = 6",),
        6,
        {Code.LEAF, Code.NOT_CANONICAL},
    ),
    "body is an empty object": (
        ('UPDATE audit_event SET body = \'{"op":1,"subjects":1}\' WHERE idx = 6',),
        6,
        {Code.LEAF, Code.COLUMN, Code.WRITER_SEQ},
    ),
    "edit leaf": (
        (f"UPDATE audit_event SET leaf = '{'00' * 32}' WHERE idx = 6",),
        6,
        {Code.LEAF},
    ),
    "edit a derived column": (
        ("UPDATE audit_event SET actor = 'another-clerk' WHERE idx = 5",),
        5,
        {Code.COLUMN},
    ),
    "delete a row": (("DELETE FROM audit_event WHERE idx = 4",), 4, {Code.GAP}),
    "delete and renumber": (RENUMBER, 4, {Code.COLUMN, Code.WRITER_SEQ}),
    "swap two rows": (SWAP, 3, {Code.COLUMN, Code.WRITER_SEQ}),
    "insert a copy": (INSERT, 11, {Code.COLUMN, Code.WRITER_SEQ}),
    "delete a subject row": (
        ("DELETE FROM audit_subject WHERE idx = 7 AND how = 'SEEN'",),
        7,
        {Code.SUBJECT_INDEX},
    ),
    "edit a subject row": (
        ("UPDATE audit_subject SET how = 'SOUGHT' WHERE idx = 7",),
        7,
        {Code.SUBJECT_INDEX},
    ),
    "a subject row of no record": (
        ("UPDATE audit_subject SET idx = 50 WHERE idx = 7 AND how = 'SEEN'",),
        7,
        {Code.SUBJECT_INDEX},
    ),
    "move the index's cursor back": (
        ("UPDATE audit_index SET next_idx = 7",),
        7,
        {Code.SUBJECT_INDEX},
    ),
    "move the index's cursor on": (
        ("UPDATE audit_index SET next_idx = 40",),
        RECORDS,
        {Code.SUBJECT_INDEX},
    ),
    "delete the index's cursor": (("DELETE FROM audit_index",), 0, {Code.SUBJECT_INDEX}),
    "delete the index": (
        ("DELETE FROM audit_subject",),
        1,
        {Code.SUBJECT_INDEX},
    ),
    "cut the tail": (("DELETE FROM audit_event WHERE idx >= 9",), 9, {Code.GAP}),
    "cut the tail with its head's size": (
        (
            "DELETE FROM audit_event WHERE idx >= 9",
            "DELETE FROM audit_subject WHERE idx >= 9",
            "UPDATE audit_head SET size = 9",
        ),
        9,
        {Code.HEAD, Code.WRITER_SEQ},
    ),
    "cut everything": (("DELETE FROM audit_event",), 0, {Code.GAP}),
    "edit root": ((f"UPDATE audit_head SET root = '{'00' * 32}'",), RECORDS, {Code.HEAD}),
    "edit suite": (("UPDATE audit_head SET suite = 'md5'",), RECORDS, {Code.HEAD}),
    "delete head": (("DELETE FROM audit_head",), RECORDS, {Code.HEAD}),
    "delete writer": (("DELETE FROM audit_writer",), RECORDS, {Code.WRITER_SEQ}),
}


@pytest.mark.parametrize("name", TAMPERINGS)
async def test_tampering_is_found_at_its_first_record(written: AsyncEngine, name: str) -> None:
    statements, first, codes = TAMPERINGS[name]
    await tamper(written, *statements)
    verdicts = await check(written, window=5)
    assert verdicts.exit is Exit.TAMPERED
    assert verdicts.first_bad == first
    assert found(verdicts) >= codes
    assert verdicts.findings[0].idx == first
    assert all("zhelai" not in f.about for f in verdicts.findings)


async def test_each_verdict_stands_for_itself(written: AsyncEngine) -> None:
    await tamper(written, "DELETE FROM audit_subject WHERE idx = 7")
    verdicts = await check(written)
    assert (verdicts.integrity, verdicts.completeness, verdicts.indexes) == (True, True, False)


async def test_a_stopped_log_whose_index_lags_is_found_after_five_seconds(
    written: AsyncEngine,
) -> None:
    """Rows and cursor agree: only that nobody will index the rest gives it away."""
    await tamper(
        written,
        "DELETE FROM audit_subject WHERE idx >= 7",
        "UPDATE audit_index SET next_idx = 7",
    )
    soon = await check(written)
    assert (soon.exit, soon.unindexed) == (Exit.INTACT, RECORDS - 7)
    later = await check(written, clock=lambda: now_us() + 6_000_000)
    assert (later.exit, later.first_bad, later.unindexed) == (Exit.INCOMPLETE, 7, RECORDS - 7)
    assert later.counts == {Code.INDEX_BEHIND: 1}
    assert [f.about for f in later.findings] == [
        "all writers have stopped, but only 7 of 12 records are indexed"
    ]


async def test_a_log_in_use_may_have_an_index_behind_it(
    written: AsyncEngine, drafts: Drafts
) -> None:
    log = AuditLog(written, "node/2", LOG)
    await log.start()
    await tamper(
        written,
        "DELETE FROM audit_subject WHERE idx >= 7",
        "UPDATE audit_index SET next_idx = 7",
    )
    verdicts = await check(written, clock=lambda: now_us() + 60_000_000)
    assert verdicts.exit is Exit.INTACT
    await log.stop()
    verdicts = await check(written, clock=lambda: now_us() + 60_000_000)
    assert (verdicts.exit, verdicts.unindexed, verdicts.subjects) == (Exit.INTACT, 0, 20)


async def test_a_writer_s_time_that_goes_back_is_found(engine: AsyncEngine) -> None:
    log = AuditLog(engine, "node/1", LOG)
    await log.start()
    await log.stop()
    # A forger who knows the format: everything fits but the hour.
    forged = number(
        [entry(Draft(Kind.HUB_START), "forged")],
        Head(0, b"", "", 2),
        writer="node/1",
        ticks=Ticks(lambda: 1_000),
    )
    (row,) = forged.events
    named = dict(zip(EVENT_COLUMNS, row, strict=True)) | {"idx": 2}
    async with engine.begin() as connection:
        await connection.execute(audit_event.insert(), named)
    verdicts = await check(engine)
    assert Code.CLOCK_BACK in found(verdicts)
    assert verdicts.first_bad == 2


async def test_a_flood_of_findings_is_counted_and_the_first_are_listed(
    engine: AsyncEngine, drafts: Drafts
) -> None:
    log = AuditLog(engine, "node/1", LOG, wait_s=5.0)
    await log.start()
    await asyncio.gather(*(log.append(drafts(n)) for n in range(150)))
    await log.stop()
    await tamper(engine, "UPDATE audit_event SET actor = 'x'")
    verdicts = await check(engine)
    assert verdicts.counts[Code.COLUMN] == 152
    assert len(verdicts.findings) == 100


async def test_a_log_that_was_never_begun_proves_nothing(engine: AsyncEngine) -> None:
    verdicts = await check(engine)
    assert verdicts.exit is Exit.INCOMPLETE
    assert (verdicts.size, verdicts.begun, verdicts.completeness) == (0, False, False)


async def test_a_log_in_use_is_verified_while_it_grows(
    log: AuditLog, engine: AsyncEngine, drafts: Drafts
) -> None:
    async def grow() -> None:
        for count in range(150):
            await log.append(drafts(count))

    growing = asyncio.create_task(grow())
    sizes = []
    while not growing.done():
        verdicts = await check(engine, window=20)
        assert verdicts.exit is Exit.INTACT, verdicts.findings
        assert len(verdicts.unstopped) == 1
        sizes.append(verdicts.size)
    await growing
    assert len(set(sizes)) >= 3  # it did grow meanwhile
    assert sizes == sorted(sizes)


async def test_a_store_without_a_log_cannot_be_read(store_url: str) -> None:
    engine = open_engine(store_url)
    with pytest.raises(CannotRead):
        await check(engine)
    await engine.dispose()


def test_a_file_that_is_not_there_is_not_made(tmp_path: Path) -> None:
    with pytest.raises(CannotRead, match="no such file"):
        run(f"sqlite+aiosqlite:///{tmp_path / 'none.sqlite'}")
    assert list(tmp_path.iterdir()) == []


def test_a_file_that_is_no_database_cannot_be_read(tmp_path: Path) -> None:
    file = tmp_path / "text.sqlite"
    file.write_text("this is no database, only a text that is long enough to be looked at" * 20)
    with pytest.raises(CannotRead):
        run(f"sqlite+aiosqlite:///{file}")


@pytest.mark.postgres
def test_a_server_that_does_not_answer_cannot_be_read(pg_url: str) -> None:
    gone = make_url(pg_url).set(database="no_such_database")
    with pytest.raises(CannotRead):
        run(gone.render_as_string(hide_password=False))


async def test_run_reads_the_store_at_an_address(written: AsyncEngine, audit_url: str) -> None:
    verdicts = await asyncio.to_thread(run, audit_url)
    assert (verdicts.exit, verdicts.size) == (Exit.INTACT, RECORDS)


@pytest.mark.parametrize("table", [audit_event.name, audit_subject.name])
async def test_rows_of_the_log_refuse_change(written: AsyncEngine, sql: Sql, table: str) -> None:
    before = await sql(f"SELECT * FROM {table} ORDER BY idx")
    deeds = [f"UPDATE {table} SET idx = idx + 1000", f"DELETE FROM {table}"]
    if written.dialect.name == "postgresql":
        deeds.append(f"TRUNCATE {table}")
    for deed in deeds:
        with pytest.raises(Exception, match="audit rows are never changed"):
            await sql(deed)
    assert await sql(f"SELECT * FROM {table} ORDER BY idx") == before
    assert len(before) >= RECORDS
