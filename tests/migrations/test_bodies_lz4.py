"""Bodies are compressed by the quick method where the server has it; nothing else changes."""

from __future__ import annotations

import asyncio

import pytest
from sqlalchemy import text

from store import migrate
from store.engine import open_engine

HAS = (
    "SELECT count(*) FROM pg_settings WHERE name = 'default_toast_compression' "
    "AND 'lz4' = ANY (enumvals)"
)
BODY = (
    "SELECT attcompression::text FROM pg_attribute "
    "WHERE attname = 'body' AND attrelid = 'audit_event'::regclass"
)


def _asked(url: str, question: str) -> object:
    async def run() -> object:
        engine = open_engine(url)
        async with engine.connect() as connection:
            found: object = (await connection.execute(text(question))).scalar_one()
        await engine.dispose()
        return found

    return asyncio.run(run())


@pytest.mark.postgres
def test_bodies_are_compressed_by_lz4_where_it_is(pg_url: str) -> None:
    migrate.upgrade(pg_url)
    assert _asked(pg_url, BODY) == ("l" if _asked(pg_url, HAS) else "")
    migrate.downgrade(pg_url, "index_follows")
    assert _asked(pg_url, BODY) == ""
