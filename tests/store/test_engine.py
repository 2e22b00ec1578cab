"""store/engine.py: durability of our own store, and hands off everybody else's files."""

from __future__ import annotations

import sqlite3
from pathlib import Path

import pytest
from sqlalchemy import text
from sqlalchemy.exc import OperationalError

from store.engine import open_engine

pytestmark = pytest.mark.anyio


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "department.sqlite"
    connection = sqlite3.connect(path)
    connection.execute("CREATE TABLE rows (a TEXT)")
    connection.execute("INSERT INTO rows VALUES ('1')")
    connection.commit()
    connection.close()
    return path


def _bytes(file: Path) -> bytes:
    return file.read_bytes()


async def test_reading_a_departments_file_leaves_every_byte(file: Path) -> None:
    before = _bytes(file)
    engine = open_engine(f"sqlite+aiosqlite:///{file}", readonly=True)
    async with engine.connect() as connection:
        assert await connection.scalar(text("SELECT a FROM rows")) == "1"
        with pytest.raises(OperationalError):
            await connection.execute(text("INSERT INTO rows VALUES ('2')"))
    await engine.dispose()
    assert _bytes(file) == before


async def test_a_departments_missing_file_is_not_made(tmp_path: Path) -> None:
    missing = tmp_path / "部门 100%.sqlite"
    engine = open_engine(f"sqlite+aiosqlite:///{missing}", readonly=True)
    with pytest.raises(OperationalError):
        async with engine.connect():
            pass
    assert not missing.exists()
    sqlite3.connect(missing).close()
    async with engine.connect() as connection:  # the same address, once the file is there
        assert await connection.scalar(text("SELECT 1")) == 1
    await engine.dispose()


async def test_our_own_store_commits_to_the_disk(file: Path) -> None:
    engine = open_engine(f"sqlite+aiosqlite:///{file}")
    async with engine.connect() as connection:
        modes = [
            await connection.scalar(text(f"PRAGMA {name}"))
            for name in ("journal_mode", "synchronous", "foreign_keys")
        ]
    await engine.dispose()
    assert modes == ["wal", 2, 1]
