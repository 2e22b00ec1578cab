"""Real files, real threads; a runaway statement is seen to end."""

from __future__ import annotations

import asyncio
import sqlite3
import threading
import time
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from adapters.databases.database import StatementFault, open_database
from adapters.databases.sqlite_pool import THREADS, SqlitePool
from adapters.resilience import Fault, Guard
from catalog.errors import SourceUnavailable

pytestmark = pytest.mark.anyio

ENDLESS = (
    "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT count(*) FROM n"
    " WHERE i = ?"
)


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "民政 100%?.sqlite"
    connection = sqlite3.connect(path)
    connection.execute("CREATE TABLE rows (a TEXT, b INTEGER)")
    connection.execute("INSERT INTO rows VALUES ('1', 2), ('3', NULL)")
    connection.commit()
    connection.close()
    return path


@pytest.fixture
async def pool(file: Path) -> AsyncIterator[SqlitePool]:
    made = open_database(_url(file), statement_s=3)
    assert isinstance(made, SqlitePool)
    yield made
    await made.close()


def _url(file: Path) -> str:
    # What an operator writes: SQLAlchemy takes all after the slashes for the path up to a `?`.
    return f"sqlite+aiosqlite:///{str(file).replace('?', '%3F')}"


def _threads(file: Path) -> int:
    return sum(thread.name == f"sqlite {file.stem}" for thread in threading.enumerate())


def _folder(file: Path) -> dict[str, bytes]:
    """Every file beside it, so that a journal left behind is seen too."""
    return {path.name: path.read_bytes() for path in file.parent.iterdir()}


async def one(pool: SqlitePool, text: str, *values: Any) -> Any:
    return (await pool.fetch(text, values))[0][0]


async def test_rows_are_tuples_and_the_file_is_left_as_it_is(file: Path, pool: SqlitePool) -> None:
    before = _folder(file)
    assert await pool.fetch("SELECT a, b FROM rows ORDER BY a", ()) == [("1", 2), ("3", None)]
    with pytest.raises(Fault):
        await pool.fetch("INSERT INTO rows VALUES ('5', 6)", ())
    await pool.close()
    assert _folder(file) == before


async def test_threads_start_with_the_first_statement_and_end_with_close(
    file: Path, pool: SqlitePool
) -> None:
    assert _threads(file) == 0
    await asyncio.gather(*(one(pool, "SELECT ?", i) for i in range(20)))
    assert _threads(file) == THREADS
    await pool.close()
    await pool.close()
    assert _threads(file) == 0
    assert await one(pool, "SELECT 1") == 1


@pytest.mark.parametrize("after_s", [0, 0.0005, 0.1])
async def test_a_runaway_statement_ends_and_its_thread_is_free(
    pool: SqlitePool, after_s: float
) -> None:
    await one(pool, "SELECT 1")
    asked = [asyncio.create_task(pool.fetch(ENDLESS, (0,))) for _ in range(2 * THREADS)]
    await asyncio.sleep(after_s)
    for task in asked:
        task.cancel()
    told = await asyncio.gather(*asked, return_exceptions=True)
    assert [type(error) for error in told] == [asyncio.CancelledError] * len(asked)
    async with asyncio.timeout(1):  # every thread is needed for this, and nothing else runs
        assert await asyncio.gather(*(one(pool, "SELECT ?", i) for i in range(50))) == [*range(50)]
    begun = time.process_time()
    await asyncio.sleep(0.2)
    assert time.process_time() - begun < 0.1


async def test_a_deadline_stops_the_statement_and_spares_the_next_one(pool: SqlitePool) -> None:
    guard = Guard("mz", deadline_s=0.05)
    for _ in range(5):
        with pytest.raises(SourceUnavailable) as caught:
            await guard.run(lambda: pool.fetch(ENDLESS, (0,)))
        assert caught.value.reason == "TIMEOUT"
        assert await asyncio.gather(*(one(pool, "SELECT ?", i) for i in range(9))) == [*range(9)]


async def test_a_missing_file_is_down_and_not_made_and_found_once_it_is_there(
    tmp_path: Path,
) -> None:
    missing = tmp_path / "none.sqlite"
    pool = open_database(_url(missing), statement_s=3)
    with pytest.raises(Fault) as caught:
        await pool.fetch("SELECT 1", ())
    assert caught.value.again
    assert not missing.exists()
    sqlite3.connect(missing).close()
    assert await pool.fetch("SELECT 1", ()) == [(1,)]
    await pool.close()


@pytest.mark.parametrize(
    ("values", "named"),
    [((), "ProgrammingError"), (([],), "ProgrammingError"), ((2**70,), "OverflowError")],
)
async def test_a_fault_of_ours_names_its_class_alone(
    pool: SqlitePool, values: tuple[Any, ...], named: str
) -> None:
    with pytest.raises(StatementFault) as caught:
        await pool.fetch("SELECT ?", values)
    assert str(caught.value) == named
    assert await one(pool, "SELECT 1") == 1


async def test_a_commit_to_our_own_store_is_seen_by_the_next_statement(file: Path) -> None:
    writer = sqlite3.connect(file, isolation_level=None)
    writer.execute("PRAGMA journal_mode=WAL")
    pool = open_database(_url(file), statement_s=3)
    for count in range(3, 10):
        writer.execute("INSERT INTO rows VALUES ('x', ?)", (count,))
        assert await pool.fetch("SELECT count(*) FROM rows", ()) == [(count,)]
    await pool.close()
    writer.close()
