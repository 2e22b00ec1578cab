"""hub/policy.py: the version as the reading pool finds it, or plainly no answer."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import pytest
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncEngine

from adapters.databases.database import Database, open_database
from hub.policy import version_in
from store.engine import open_engine
from store.policy import bump_version, policy_version

pytestmark = pytest.mark.anyio


@pytest.fixture
async def engine(store_url: str, anyio_backend: str) -> AsyncIterator[AsyncEngine]:
    made = open_engine(store_url)
    async with made.begin() as conn:
        await conn.run_sync(policy_version.create)
    yield made
    await made.dispose()


@pytest.fixture
async def database(engine: AsyncEngine, store_url: str) -> AsyncIterator[Database]:
    made = open_database(store_url, statement_s=1)
    yield made
    await made.close()


async def test_it_is_that_of_the_last_commit(engine: AsyncEngine, database: Database) -> None:
    ask = version_in(database)
    told = [await ask()]
    for _ in range(3):
        async with engine.begin() as conn:
            await bump_version(conn)
            told.append(await ask())  # not yet
        told.append(await ask())
    assert told == [0, 0, 1, 1, 2, 2, 3]


async def test_no_answer_is_an_error_of_one_kind(engine: AsyncEngine, database: Database) -> None:
    ask = version_in(database)
    await ask()
    async with engine.begin() as conn:
        await conn.execute(text("ALTER TABLE policy_version RENAME TO gone"))
    with pytest.raises(ConnectionError):
        await ask()


async def test_a_store_that_is_not_there_is_one_too(
    tmp_path_factory: pytest.TempPathFactory,
) -> None:
    missing = tmp_path_factory.mktemp("nowhere") / "store.sqlite"
    database = open_database(f"sqlite+aiosqlite:///{missing}", statement_s=1)
    with pytest.raises(ConnectionError):
        await asyncio.wait_for(version_in(database)(), 5)
    await database.close()
