"""A segment comes back as a file of its own, with what the store had, and never unverified."""

from __future__ import annotations

import sqlite3
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy.engine import Row
from sqlalchemy.ext.asyncio import AsyncEngine

from audit.batch import EVENT_COLUMNS
from audit.derived import SUBJECT_COLUMNS
from audit.record import Draft
from audit.restore import RestoreError, restore
from audit.segments import Fault
from tests.audit.sealed import KEYS, archive, seal, write

pytestmark = pytest.mark.anyio

Sql = Callable[..., Awaitable[list[Row[Any]]]]
Drafts = Callable[..., Draft]
NAMED = "segment-000000000008-000000000016"


@pytest.fixture
async def folder(engine: AsyncEngine, drafts: Drafts, tmp_path: Path) -> Path:
    await write(engine, [drafts(n) for n in range(14)])
    await seal(engine, 16)
    await archive(engine, tmp_path / "archive", segment=8).run()
    return tmp_path / "archive"


def read(file: Path, table: str, columns: tuple[str, ...]) -> list[tuple[Any, ...]]:
    connection = sqlite3.connect(file)
    found = connection.execute(f"SELECT {','.join(columns)} FROM {table} ORDER BY 1, 2, 3")
    rows = found.fetchall()
    connection.close()
    return rows


async def test_it_has_the_rows_that_the_store_had(folder: Path, tmp_path: Path, sql: Sql) -> None:
    target = tmp_path / "search.sqlite"
    assert restore(folder, 8, target, keys=KEYS).end == 16
    assert target.stat().st_mode & 0o777 == 0o600
    for table, columns in (("audit_event", EVENT_COLUMNS), ("audit_subject", SUBJECT_COLUMNS)):
        span = f"FROM {table} WHERE idx >= 8 AND idx < 16 ORDER BY 1, 2, 3"
        stored = [tuple(row) for row in await sql(f"SELECT {','.join(columns)} {span}")]
        assert read(target, table, columns) == stored
        assert len(stored) == {"audit_event": 8, "audit_subject": 14}[table]


async def test_a_file_that_is_there_is_left_alone(folder: Path, tmp_path: Path) -> None:
    target = tmp_path / "store.sqlite.bak"
    target.write_text("somebody's")
    with pytest.raises(RestoreError) as caught:
        restore(folder, 8, target, keys=KEYS)
    assert (caught.value.reason, target.read_text()) == ("EXISTS", "somebody's")


async def test_what_is_not_there_or_not_what_it_was_is_not_restored(
    folder: Path, tmp_path: Path
) -> None:
    target, reasons = tmp_path / "search.sqlite", []
    data, manifest = folder / f"{NAMED}.jsonl.gz", folder / f"{NAMED}.json"
    whole, said = data.read_bytes(), manifest.read_bytes()
    for deed in (
        lambda: data.write_bytes(whole[:-20]),
        data.unlink,
        lambda: manifest.write_bytes(said[:-20]),
        manifest.unlink,
    ):
        deed()
        with pytest.raises(RestoreError) as caught:
            restore(folder, 8, target, keys=KEYS)
        reasons.append((caught.value.reason, [one.fault for one in caught.value.findings]))
    assert reasons == [
        ("SEGMENT", [Fault.UNREADABLE]),
        ("SEGMENT", [Fault.MISSING]),
        ("SEGMENT", [Fault.MANIFEST]),
        ("NO_SEGMENT", []),
    ]
    assert not target.exists()
