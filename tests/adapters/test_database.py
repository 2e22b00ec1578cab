"""Which road an address takes, and that all say the same of faults."""

from __future__ import annotations

import asyncio
import sqlite3
from pathlib import Path

import pytest
from sqlalchemy import text

from adapters.databases.database import EngineDatabase, StatementFault, open_database
from adapters.resilience import Fault
from store.engine import open_engine

pytestmark = pytest.mark.anyio


async def test_an_address_with_options_keeps_sqlalchemys_road_and_its_faults_their_words(
    tmp_path: Path,
) -> None:
    file = tmp_path / "rows.sqlite"
    sqlite3.connect(file).close()
    database = open_database(f"sqlite+aiosqlite:///{file}?timeout=5", statement_s=3)
    assert isinstance(database, EngineDatabase)
    assert await database.fetch("SELECT ?, 2", ["1"]) == [("1", 2)]
    with pytest.raises(StatementFault, match=r"^ProgrammingError$"):
        await database.fetch("SELECT ?", [])
    with pytest.raises(Fault) as caught:
        await database.fetch("SELECT a FROM nowhere", [])
    assert caught.value.again
    await database.close()


async def test_what_is_prepared_for_one_address_is_read_by_many_at_once(store_url: str) -> None:
    engine = open_engine(store_url)
    async with engine.begin() as connection:
        await connection.execute(text("CREATE TABLE rows (a TEXT)"))
        await connection.execute(text("INSERT INTO rows VALUES ('1')"))
    await engine.dispose()
    database = open_database(store_url, statement_s=3)
    assert database.dialect.name == engine.dialect.name
    asked = (database.fetch("SELECT a FROM rows", ()) for _ in range(50))
    assert [rows[0][0] for rows in await asyncio.gather(*asked)] == ["1"] * 50
    await database.close()
