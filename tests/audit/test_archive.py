"""The log's lower part goes into files, state by state; what is not sure stays where it is."""

from __future__ import annotations

import asyncio
import fcntl
import json
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import text
from sqlalchemy.engine import Row
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import AsyncEngine

from audit.archive import DAY_US, ArchiveError, months_before
from audit.batch import now_us
from audit.memory import MemoryFile
from audit.note import Checkpoint, Note
from audit.record import Draft
from audit.segments import (
    ARCHIVED,
    DESTROYED,
    DETACHED,
    WRITTEN,
    Manifest,
    frontier_at,
    online_from,
    rows_of,
    verify_archive,
)
from audit.signer import Signer
from audit.tree import Frontier, leaf, root_of
from audit.verify import Exit, check
from tests.audit.sealed import KEYS, LOG, SIGNER, archive, seal, size_of, write

pytestmark = pytest.mark.anyio

Sql = Callable[..., Awaitable[list[Row[Any]]]]
Drafts = Callable[..., Draft]


@pytest.fixture
async def sealed(engine: AsyncEngine, drafts: Drafts) -> AsyncEngine:
    """298 old records, sealed at 109, 270 and 298: two segments of a hundred may go."""
    assert await write(engine, [drafts(n) for n in range(296)]) == 298
    await seal(engine, 109, 270, 298)
    return engine


async def bodies(engine: AsyncEngine) -> dict[int, str]:
    async with engine.connect() as connection:
        rows = await connection.execute(text("SELECT idx, body FROM audit_event ORDER BY idx"))
        return {row.idx: row.body for row in rows}


async def test_what_is_old_and_signed_is_archived_verified_and_recorded(
    sealed: AsyncEngine, tmp_path: Path, sql: Sql
) -> None:
    told: list[tuple[str, int]] = []
    before = await bodies(sealed)
    folder, copy = tmp_path / "archive", tmp_path / "copy"
    rows = await archive(
        sealed, folder, copy=copy, told=lambda deed, row: told.append((deed, row.first))
    ).run()
    assert [(r.first, r.end, r.state) for r in rows] == [(0, 100, ARCHIVED), (100, 200, ARCHIVED)]
    assert told == [(WRITTEN, 0), (ARCHIVED, 0), (WRITTEN, 100), (ARCHIVED, 100)]
    names = [f"segment-{a:012d}-{b:012d}" for a, b in ((0, 100), (100, 200))]
    files = sorted(f"{name}{ending}" for name in names for ending in (".json", ".jsonl.gz"))
    assert sorted(p.name for p in folder.iterdir() if p.name != ".lock") == files
    assert {p.name: p.read_bytes() for p in copy.iterdir()} == {
        name: (folder / name).read_bytes() for name in files
    }
    verdict = verify_archive(folder, keys=KEYS, rows=rows)
    assert (verdict.findings, verdict.segments, verdict.records, verdict.end) == ((), 2, 200, 200)
    records = await sql("SELECT body FROM audit_event WHERE kind = 'SEGMENT_ARCHIVED' ORDER BY idx")
    said = [json.loads(row.body) for row in records]
    assert [one["ref"] for one in said] == ["0-100", "100-200"]
    assert said[1]["op"]["vars"] == {
        "first": 100,
        "end": 200,
        "root": root_of([leaf_of(before[n]) for n in range(200)]).hex(),
        "sha256": rows[1].sha256,
    }
    assert {n: (await bodies(sealed))[n] for n in before} == before  # nothing has left yet


def names(folder: Path, pattern: str) -> list[str]:
    return sorted(path.name for path in folder.glob(pattern))


def leaf_of(body: str) -> bytes:
    return leaf(body.encode())


async def test_the_manifest_says_what_the_issue_asks(sealed: AsyncEngine, tmp_path: Path) -> None:
    await archive(sealed, tmp_path).run()
    text = (tmp_path / "segment-000000000100-000000000200.json").read_text()
    manifest, stored = Manifest.parse(text), await bodies(sealed)
    leaves = [leaf_of(stored[n]) for n in range(200)]
    before, after = Frontier(), Frontier()
    for n in range(200):
        if n < 100:
            before.append(leaves[n])
        after.append(leaves[n])
    plain = "".join(stored[n] + "\n" for n in range(100, 200)).encode()
    assert (manifest.log, manifest.suite, manifest.v) == (LOG, "sha256", 1)
    assert (manifest.first, manifest.end, manifest.plain_bytes) == (100, 200, len(plain))
    assert manifest.before == before.encode().hex()
    assert manifest.after == after.encode().hex()
    assert manifest.note.splitlines()[1] == "270"  # the first checkpoint that covers it
    assert manifest.last_ts == json.loads(stored[199])["ts"]
    assert len(text) < 2048


async def test_after_the_grace_the_rows_leave_and_nothing_else(
    sealed: AsyncEngine, tmp_path: Path, sql: Sql
) -> None:
    await archive(sealed, tmp_path).run()
    before = await bodies(sealed)
    rows = await archive(sealed, tmp_path, later_days=6.9).run()
    assert ([r.state for r in rows], await bodies(sealed)) == ([ARCHIVED] * 2, before)
    told: list[str] = []
    rows = await archive(
        sealed, tmp_path, later_days=7.1, batch=30, told=lambda deed, _row: told.append(deed)
    ).run()
    assert [r.state for r in rows] == [DETACHED] * 2
    assert told == [DETACHED, *["EMPTIED"] * 4] * 2  # a hundred rows, thirty at a time
    left = await bodies(sealed)
    assert {n: left[n] for n in before if n >= 200} == {n: before[n] for n in before if n >= 200}
    assert min(left) == 200
    (subjects,) = await sql("SELECT min(idx) AS low, count(*) AS n FROM audit_subject")
    assert (subjects.low, subjects.n) == (200, 2 * 97)
    assert verify_archive(tmp_path, keys=KEYS, rows=rows).findings == ()
    async with sealed.connect() as connection:
        stored = await rows_of(connection)
        start = await frontier_at(connection, online_from(stored))
        assert await frontier_at(connection, 150) is None
    assert start is not None
    for n in sorted(left):
        start.append(leaf_of(left[n]))
    (head,) = await sql("SELECT size, root FROM audit_head")
    verdicts = await check(sealed)
    assert (verdicts.exit, verdicts.first, verdicts.leaving) == (Exit.INTACT, 200, 0)
    assert (start.size, start.root().hex()) == (head.size, head.root)


async def test_a_signer_without_a_memory_begins_where_the_archive_ends(
    sealed: AsyncEngine, tmp_path: Path, sql: Sql
) -> None:
    await archive(sealed, tmp_path / "archive").run()
    await archive(sealed, tmp_path / "archive", later_days=8).run()
    assert min(await bodies(sealed)) == 200
    memory = MemoryFile(tmp_path / "signer.json")
    signer = Signer(sealed, LOG, memory, lambda: (SIGNER,))
    assert await signer.step(now=True)
    signer.release()
    (head,) = await sql("SELECT size, root FROM audit_head")
    (newest,) = await sql("SELECT note FROM audit_checkpoint ORDER BY size DESC LIMIT 1")
    checkpoint = Checkpoint.parse(Note.parse(newest.note).text)
    assert (checkpoint.size, checkpoint.root.hex()) == (head.size, head.root)


@pytest.mark.parametrize("table", ["audit_event", "audit_subject"])
async def test_the_trigger_lets_go_only_what_is_detached(
    sealed: AsyncEngine, tmp_path: Path, sql: Sql, table: str
) -> None:
    await archive(sealed, tmp_path).run()
    refused = "audit rows are never changed"
    for state in (WRITTEN, ARCHIVED, DESTROYED):
        await sql(f"UPDATE audit_segment SET state = '{state}'")
        with pytest.raises(DBAPIError, match=refused):
            await sql(f"DELETE FROM {table} WHERE idx = 99")
    await sql("UPDATE audit_segment SET state = 'DETACHED' WHERE \"first\" = 0")
    for statement in (
        f"DELETE FROM {table} WHERE idx = 100",
        f"DELETE FROM {table}",  # all, the detached among them
        f"UPDATE {table} SET idx = 1000 WHERE idx = 99",
    ):
        with pytest.raises(DBAPIError, match=refused):
            await sql(statement)
    (count,) = await sql(f"SELECT count(*) AS n FROM {table} WHERE idx = 99")
    assert count.n > 0
    await sql(f"DELETE FROM {table} WHERE idx = 99")
    (count,) = await sql(f"SELECT count(*) AS n FROM {table} WHERE idx = 99")
    assert count.n == 0


async def test_a_caller_cannot_put_his_own_segment_table_before_the_stores(
    sealed: AsyncEngine,
) -> None:
    temp = "temp" if sealed.dialect.name == "sqlite" else "pg_temp"
    forged = (
        'CREATE TEMP TABLE audit_segment ("first" bigint, "end" bigint, state text)',
        f"INSERT INTO {temp}.audit_segment VALUES (0, 1000, 'DETACHED')",
    )
    async with sealed.connect() as connection:
        for statement in forged:
            await connection.execute(text(statement))
        with pytest.raises(DBAPIError, match="audit rows are never changed"):
            await connection.execute(text("DELETE FROM audit_event WHERE idx = 3"))


async def test_what_is_young_unsigned_or_unread_stays(
    engine: AsyncEngine, drafts: Drafts, tmp_path: Path, sql: Sql
) -> None:
    await write(engine, [drafts(n) for n in range(98)])  # 0 … 99
    await write(engine, [drafts(n) for n in range(98)], age_us=0)  # 100 … 199
    assert await archive(engine, tmp_path).run() == []  # nothing is signed
    await seal(engine, 99)
    assert await archive(engine, tmp_path).run() == []  # the checkpoint does not cover it
    await seal(engine, 200)
    await sql("INSERT INTO audit_follower (name, next_idx) VALUES ('rollup', 200), ('alerts', 99)")
    assert await archive(engine, tmp_path).run() == []  # one has not read it
    await sql("UPDATE audit_follower SET next_idx = 100 WHERE name = 'alerts'")
    rows = await archive(engine, tmp_path).run()
    assert [(r.first, r.end) for r in rows] == [(0, 100)]  # the second has young records
    assert len(await archive(engine, tmp_path, later_days=397).run()) == 1  # one is not read
    await sql("UPDATE audit_follower SET next_idx = 200")
    rows = await archive(engine, tmp_path, later_days=397).run()
    assert [(r.first, r.end) for r in rows] == [(0, 100), (100, 200)]
    # The grace is over, but no tile holds the last leaves yet.
    assert [r.state for r in rows] == [ARCHIVED] * 2


async def test_records_that_were_altered_are_not_archived(
    sealed: AsyncEngine, tmp_path: Path, sql: Sql
) -> None:
    await untriggered(sealed, "UPDATE audit_event SET body = '{}' WHERE idx = 109")
    with pytest.raises(ArchiveError) as caught:
        await archive(sealed, tmp_path).run()
    assert (caught.value.reason, caught.value.first, caught.value.end) == ("UNSIGNED", 100, 200)
    assert [r.first for r in await sql('SELECT "first" FROM audit_segment')] == [0]
    assert names(tmp_path, "*.tmp") == []
    assert verify_archive(tmp_path, keys=KEYS).records == 100


async def test_a_gap_is_not_archived(sealed: AsyncEngine, tmp_path: Path) -> None:
    await untriggered(sealed, "DELETE FROM audit_event WHERE idx = 3")
    with pytest.raises(ArchiveError) as caught:
        await archive(sealed, tmp_path).run()
    assert (caught.value.reason, caught.value.first) == ("GAP", 0)


async def untriggered(engine: AsyncEngine, statement: str) -> None:
    """As one with the database's password would."""
    async with engine.begin() as connection:
        if engine.dialect.name == "sqlite":
            for deed in ("update", "delete"):
                await connection.execute(text(f"DROP TRIGGER audit_event_no_{deed}"))
        else:
            await connection.execute(text("SET LOCAL session_replication_role = replica"))
        assert (await connection.execute(text(statement))).rowcount == 1


async def test_a_segment_that_was_damaged_does_not_let_its_rows_go(
    sealed: AsyncEngine, tmp_path: Path
) -> None:
    await archive(sealed, tmp_path).run()
    file = tmp_path / "segment-000000000000-000000000100.jsonl.gz"
    whole = file.read_bytes()
    file.write_bytes(whole[:-9] + bytes([whole[-9] ^ 1]) + whole[-8:])
    with pytest.raises(ArchiveError) as caught:
        await archive(sealed, tmp_path, later_days=8).run()
    assert (caught.value.reason, caught.value.first) == ("SEGMENT", 0)
    assert min(await bodies(sealed)) == 0
    file.unlink()  # taken away, it is written anew: its records are there
    rows = await archive(sealed, tmp_path, later_days=8).run()
    assert ([r.state for r in rows], file.read_bytes()) == ([DETACHED] * 2, whole)


async def test_one_run_at_a_time(sealed: AsyncEngine, tmp_path: Path) -> None:
    with (tmp_path / ".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        with pytest.raises(ArchiveError) as caught:
            await archive(sealed, tmp_path).run()
    assert caught.value.reason == "BUSY"
    assert len(await archive(sealed, tmp_path).run()) == 2


async def test_appends_go_on_while_rows_leave(
    sealed: AsyncEngine, tmp_path: Path, drafts: Drafts
) -> None:
    await archive(sealed, tmp_path).run()
    size = await size_of(sealed)
    leaving = archive(sealed, tmp_path, later_days=8, batch=1)
    await asyncio.gather(leaving.run(), write(sealed, [drafts(n) for n in range(40)], age_us=0))
    assert sorted(await bodies(sealed)) == list(range(200, size + 42))


# -- the end of the time


async def test_the_end_of_a_segment_needs_its_time_and_two_people(
    sealed: AsyncEngine, tmp_path: Path, sql: Sql
) -> None:
    copy = tmp_path / "copy"
    ours = archive(sealed, tmp_path, later_days=8, copy=copy)
    await archive(sealed, tmp_path, copy=copy).run()
    await ours.run()
    assert await ours.due() == []
    with pytest.raises(ArchiveError) as early:
        await ours.destroy(0, ("zhao.min", "qian.li"))
    late = archive(sealed, tmp_path, later_days=800, copy=copy)
    assert [one.row.first for one in await late.due()] == [0, 100]
    refused = [early.value.reason]
    for approvers in (("zhao.min", "zhao.min"), ("", "zhao.min"), ("zhao.min", "")):
        with pytest.raises(ArchiveError) as caught:
            await late.destroy(0, approvers)
        refused.append(caught.value.reason)
    assert refused == ["NOT_DUE", "APPROVERS", "APPROVERS", "APPROVERS"]
    assert len(names(tmp_path, "*.gz")) == len(names(copy, "*.gz")) == 2
    row = await late.destroy(0, ("zhao.min", "qian.li"))
    assert (row.state, row.first, row.end) == (DESTROYED, 0, 100)
    assert (
        names(tmp_path, "*.gz") + names(copy, "*.gz")
        == ["segment-000000000100-000000000200.jsonl.gz"] * 2
    )
    (record,) = await sql("SELECT body FROM audit_event WHERE kind = 'SEGMENT_DESTROYED'")
    said = json.loads(record.body)
    assert (said["ref"], said["op"]["vars"]["first"], said["op"]["vars"]["end"]) == (
        "0-100",
        0,
        100,
    )
    assert said["op"]["vars"]["approver1"] == "zhao.min"
    assert said["op"]["vars"]["approver2"] == "qian.li"
    assert len(said["op"]["vars"]["root"]) == 64
    async with sealed.connect() as connection:
        rows = await rows_of(connection)
        start = await frontier_at(connection, online_from(rows))
    verdict = verify_archive(tmp_path, keys=KEYS, rows=rows)
    assert (verdict.findings, verdict.destroyed, verdict.records) == ((), ((0, 100),), 100)
    assert verdict.frontier is not None
    assert start is not None
    assert (verdict.end, verdict.frontier.encode()) == (200, start.encode())
    with pytest.raises(ArchiveError):
        await late.destroy(0, ("zhao.min", "qian.li"))


async def test_a_destruction_that_was_interrupted_is_named_and_finished(
    sealed: AsyncEngine, tmp_path: Path
) -> None:
    await archive(sealed, tmp_path).run()
    await archive(sealed, tmp_path, later_days=8).run()
    file = tmp_path / "segment-000000000000-000000000100.jsonl.gz"
    whole = file.read_bytes()
    late = archive(sealed, tmp_path, later_days=800)
    await late.destroy(0, ("zhao.min", "qian.li"))
    file.write_bytes(whole)  # as if it had been killed before the last step
    async with sealed.connect() as connection:
        rows = await rows_of(connection)
    assert verify_archive(tmp_path, keys=KEYS, rows=rows).unfinished == (file.name,)
    await late.run()
    assert not file.exists()
    assert verify_archive(tmp_path, keys=KEYS, rows=rows).unfinished == ()


@pytest.mark.parametrize(
    ("now", "months", "then"),
    [
        ("2026-03-31T12:00:00", 1, "2026-02-28T12:00:00"),
        ("2026-01-15T00:00:00", 13, "2024-12-15T00:00:00"),
        ("2026-12-01T08:30:00", 36, "2023-12-01T08:30:00"),
        ("2026-05-05T05:05:05", 0, "2026-05-05T05:05:05"),
    ],
)
def test_months_are_those_of_the_calendar(now: str, months: int, then: str) -> None:
    assert months_before(_us(now), months) == _us(then)


def _us(at: str) -> int:
    return int(datetime.fromisoformat(at).replace(tzinfo=UTC).timestamp()) * 1_000_000


def test_thirteen_months_are_more_than_a_year() -> None:
    assert now_us() - months_before(now_us(), 13) > 390 * DAY_US
