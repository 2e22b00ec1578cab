"""A pool over a locked store: each statement in the role and at the reach of its call."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import pytest

from adapters.databases.database import Database, open_database
from store import migrate
from store.engine import open_engine
from store.row_lock import COUNTY, TOWN, lock

pytestmark = [pytest.mark.anyio, pytest.mark.postgres]
WHERE = (
    "SELECT current_user::text, current_setting('hub.reach', true), pg_backend_pid(), "
    "pg_sleep(0.05)::text"
)


@pytest.fixture
async def pool(pg_url: str, anyio_backend: str) -> AsyncIterator[Database]:
    await asyncio.to_thread(migrate.upgrade, pg_url)
    engine = open_engine(pg_url, pool_size=1)
    async with engine.begin() as connection:
        await lock(connection)
    await engine.dispose()
    made = open_database(pg_url, statement_s=5, locked=True)
    yield made
    await made.close()


async def _where(pool: Database, reach: str | None) -> tuple[str, str, int]:
    (row,) = await pool.fetch(WHERE, (), reach)
    return row[0], row[1], row[2]


async def test_each_statement_is_at_its_own_reach(pool: Database) -> None:
    for reach in ("532622205", "532622206", None, "532622205"):
        role = COUNTY if reach is None else TOWN
        assert (await _where(pool, reach))[:2] == (role, reach or "")


async def test_a_connection_of_the_same_reach_is_taken_first(pool: Database) -> None:
    reaches = ("532622205", "532622206", None)
    first = await asyncio.gather(*(_where(pool, reach) for reach in reaches))
    homes = {reach: found[2] for reach, found in zip(reaches, first, strict=True)}
    assert len({*homes.values()}) == 3
    for reach in (*reaches, *reversed(reaches)):
        assert (await _where(pool, reach))[2] == homes[reach]


async def test_many_at_once_never_meet_at_a_wrong_reach(pool: Database) -> None:
    reaches = [f"5326222{number:02}" for number in range(1, 12)] * 4
    found = await asyncio.gather(*(_where(pool, reach) for reach in reaches))
    assert [row[1] for row in found] == reaches
    assert {row[0] for row in found} == {TOWN}
