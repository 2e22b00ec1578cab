"""Deeds: one transaction, done once under its key, numbers without gaps, a store that is busy."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from sqlalchemy import func, select
from sqlalchemy.ext.asyncio import AsyncEngine

from store.deeds import (
    Deeds,
    OtherDeed,
    Receipt,
    StoreBusy,
    StoreDown,
    begun,
    deed_receipt,
    ended,
    forget,
    next_number,
    number_range,
)
from store.engine import open_engine
from store.migrate import upgrade

pytestmark = pytest.mark.anyio

NOW = datetime(2026, 11, 27, 2, 0, tzinfo=UTC)
MINE = Receipt("town-01", "own/desk-0001", "d1")
DONE = {"kind": "CaseChanged", "rows": {"case": "1"}, "values": {}}


@pytest.fixture(params=["sqlite", pytest.param("postgres", marks=pytest.mark.postgres)])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """The address of an empty store."""
    if request.param == "postgres":
        return str(request.getfixturevalue("pg_url"))
    return f"sqlite+aiosqlite:///{tmp_path / 'store.sqlite'}"


@pytest.fixture
async def engine(url: str) -> AsyncIterator[AsyncEngine]:
    """A migrated, empty store."""
    await asyncio.to_thread(upgrade, url)
    made = open_engine(url)
    yield made
    await made.dispose()


async def count(engine: AsyncEngine) -> int:
    async with engine.connect() as conn:
        return int(await conn.scalar(select(func.count()).select_from(deed_receipt)) or 0)


async def test_a_deed_is_done_once_and_told_again(engine: AsyncEngine) -> None:
    deeds = Deeds(engine)
    async with deeds.deed() as conn:
        assert await begun(conn, MINE, NOW) is None
        await ended(conn, MINE, DONE)
    async with deeds.deed() as conn:
        assert await begun(conn, MINE, NOW) == DONE
    with pytest.raises(OtherDeed):
        async with deeds.deed() as conn:
            await begun(conn, Receipt("town-01", "own/desk-0001", "d2"), NOW)
    async with deeds.deed() as conn:  # a key is its account's own
        assert await begun(conn, Receipt("town-02", "own/desk-0001", "d2"), NOW) is None


async def test_what_is_raised_leaves_nothing_behind(engine: AsyncEngine) -> None:
    async def broken() -> None:
        async with Deeds(engine).deed() as conn:
            await begun(conn, MINE, NOW)
            await next_number(conn, "case", 2026)
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        await broken()
    assert await count(engine) == 0
    async with engine.connect() as conn:
        assert await conn.scalar(select(func.count()).select_from(number_range)) == 0


async def test_numbers_are_given_one_after_another(engine: AsyncEngine) -> None:
    deeds = Deeds(engine)

    async def one(kind: str, year: int) -> int:
        async with deeds.deed() as conn:
            return await next_number(conn, kind, year)

    given = await asyncio.gather(*(one("case", 2026) for _ in range(20)))
    assert sorted(given) == list(range(1, 21))
    assert [await one("case", 2027), await one("supervision", 2026)] == [1, 1]


async def test_a_receipt_is_forgotten_after_a_day_and_not_before(engine: AsyncEngine) -> None:
    async with Deeds(engine).deed() as conn:
        await begun(conn, MINE, NOW)
        await ended(conn, MINE, DONE)
        assert await forget(conn, NOW + timedelta(days=1)) == 0
        assert await forget(conn, NOW + timedelta(days=1, seconds=1)) == 1


async def test_who_waits_too_long_is_told_that_the_store_is_busy(engine: AsyncEngine) -> None:
    before, after = Deeds(engine), Deeds(engine, wait_s=0.2)
    async with before.deed() as conn:
        await begun(conn, MINE, NOW)
        with pytest.raises(StoreBusy):
            async with after.deed() as late:
                await begun(late, MINE, NOW)
        await ended(conn, MINE, DONE)
    assert await count(engine) == 1


async def test_a_store_that_is_no_database_is_down(tmp_path: Path) -> None:
    file = tmp_path / "store.sqlite"
    file.write_bytes(b"no database" * 1_000)
    engine = open_engine(f"sqlite+aiosqlite:///{file}")
    with pytest.raises(StoreDown):
        async with Deeds(engine).deed() as conn:
            await begun(conn, MINE, NOW)
    await engine.dispose()
