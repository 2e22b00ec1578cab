"""A department's file on its real server: the same rows, found by index, read by a reader only."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import text
from sqlalchemy.engine import make_url
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import create_async_engine

from hub.demo.files import RowFile
from hub.demo.serve_sql import serve_sql
from hub.demo.sources.civil_affairs import SHEETS

pytestmark = pytest.mark.anyio

NUMBERS = [f"53992219770412{n:03}x" for n in range(1_500)]
MEMBERS = [(f"D{n}", "𣲗某", number, "本人") for n, number in enumerate(NUMBERS)]
HOMES = [("D1", "𣲗某", NUMBERS[1], "532622204000", "3", "600", "202610", "1")]


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "mz_assist.sqlite"
    made = RowFile(path, SHEETS)
    made.put({"v_dbcy": MEMBERS, "v_dbhz": HOMES})
    made.close()
    return path


@pytest.fixture(
    params=[
        pytest.param("maria_url", marks=pytest.mark.mariadb),
        pytest.param("pg_url", marks=pytest.mark.postgres),
    ]
)
def url(request: pytest.FixtureRequest) -> str:
    return str(request.getfixturevalue(request.param))


async def test_the_rows_are_the_files_but_for_what_three_bytes_cannot_hold(
    file: Path, url: str
) -> None:
    counts = await serve_sql(file, url)
    assert counts == {s.name: 0 for s in SHEETS} | {"v_dbcy": 1_500, "v_dbhz": 1}
    found = await _all(url, "SELECT * FROM v_dbcy")
    lost = "?某" if url.startswith("mysql") else "𣲗某"
    assert sorted(found) == sorted((a, lost, c, d) for a, _, c, d in MEMBERS)
    assert (await serve_sql(file, url)) == counts  # anew, not beside
    with closing(sqlite3.connect(file)) as connection:
        assert connection.execute("SELECT COUNT(*) FROM v_dbcy").fetchone() == (1_500,)


async def test_a_person_is_found_by_index(file: Path, url: str) -> None:
    await serve_sql(file, url)
    asked = f"EXPLAIN SELECT * FROM v_dbcy WHERE sfzh IN ('{NUMBERS[7]}', '{NUMBERS[8]}')"
    plan = str(await _all(url, asked))
    assert "ix_v_dbcy_0" in plan


@pytest.mark.mariadb
async def test_an_old_mariadb_has_three_bytes_a_character(file: Path, maria_url: str) -> None:
    await serve_sql(file, maria_url)
    kinds = "SELECT DISTINCT character_set_name FROM information_schema.columns"
    told = await _all(maria_url, f"{kinds} WHERE table_schema = DATABASE()")
    assert told == [("utf8mb3",)]


@pytest.mark.postgres
async def test_on_postgresql_a_reader_reads_views_and_changes_nothing(
    file: Path, pg_url: str
) -> None:
    reader = f"reader_{make_url(pg_url).database}"
    await _all(pg_url, f"CREATE ROLE {reader} LOGIN")
    try:
        await serve_sql(file, pg_url, reader)
        narrow = make_url(pg_url).set(username=reader).render_as_string(hide_password=False)
        assert await _all(narrow, "SELECT dbzh FROM v_dbhz") == [("D1",)]
        for statement in ("SELECT dbzh FROM dbhz", "DELETE FROM v_dbhz", "CREATE TABLE t (a int)"):
            with pytest.raises(DBAPIError, match="permission denied"):
                await _all(narrow, statement)
    finally:
        await _all(pg_url, f"DROP OWNED BY {reader}")
        await _all(pg_url, f"DROP ROLE {reader}")


async def _all(url: str, statement: str) -> list[tuple[Any, ...]]:
    engine = create_async_engine(url)
    try:
        async with engine.begin() as connection:
            result = await connection.execute(text(statement))
            return [tuple(row) for row in result] if result.returns_rows else []
    finally:
        await engine.dispose()
