"""A log of the release before keeps its index: the cursor begins where that ended."""

from __future__ import annotations

import asyncio

from sqlalchemy import text

from audit.log import AuditLog
from audit.record import Draft, Kind
from audit.verify import Exit, check
from store import migrate
from store.engine import open_engine

LOG = "demo.invalid/hub/test/sha256"
SEEN = Draft(Kind.READ, subjects=bytes(range(16)))


async def _written(url: str, node: str) -> None:
    engine = open_engine(url)
    log = AuditLog(engine, node, LOG)
    await log.start()
    await log.append(SEEN)
    await log.stop()
    await engine.dispose()


async def _judged(url: str) -> tuple[Exit, int, int, int]:
    engine = open_engine(url)
    found = await check(engine)
    async with engine.connect() as connection:
        cursor = (await connection.execute(text("SELECT next_idx FROM audit_index"))).scalar_one()
    await engine.dispose()
    return found.exit, found.subjects, found.unindexed, cursor


def test_the_cursor_begins_at_the_end_of_the_log(store_url: str) -> None:
    migrate.upgrade(store_url)
    asyncio.run(_written(store_url, "node/1"))
    migrate.downgrade(store_url, "tallies")  # as the release before left it, but for its bodies
    migrate.upgrade(store_url)
    assert asyncio.run(_judged(store_url)) == (Exit.INTACT, 1, 0, 3)
    asyncio.run(_written(store_url, "node/2"))
    assert asyncio.run(_judged(store_url)) == (Exit.INTACT, 2, 0, 6)


def test_an_empty_store_has_no_cursor_until_its_log_begins(store_url: str) -> None:
    migrate.upgrade(store_url)
    asyncio.run(_written(store_url, "node/1"))
    assert asyncio.run(_judged(store_url)) == (Exit.INTACT, 1, 0, 3)
