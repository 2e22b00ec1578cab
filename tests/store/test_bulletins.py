"""Frozen months in the store: the first stands, nothing is changed, rows are of one moment."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from datetime import UTC, datetime

import pytest
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError

from store import bulletins as store
from store import migrate
from store.bulletins import TABLES, Bulletin, FigureRow, PlaceRow, Ranking
from store.engine import open_engine, single

AT = datetime(2026, 11, 3, 1, 2, 3, tzinfo=UTC)
MADE = Bulletin("2026-10", AT, "office-01", "E", "a" * 64, "b" * 64, "{}", '{"1":2}')
LINES = ("[1]", '["二"]', "[3]")
FIGURES = (
    FigureRow("COUNTY", "532622000000", "closed", "12", None),
    FigureRow("COUNTY", "532622000000", "appeals", None, "NO_REGISTER"),
)
RANKED = Ranking("2026-Q4", AT, "office-01", "E", "c" * 64, "{}")
PLACES = (
    PlaceRow("TOWNSHIP", "532622101000", 20, 1, "99.0000", "RED", None, ""),
    PlaceRow("TOWNSHIP", "532622102000", 3, None, None, None, "TOO_FEW", ""),
)


def test_a_month_is_frozen_once_and_read_as_it_was(store_url: str) -> None:
    migrate.upgrade(store_url)

    async def run() -> None:
        async with single(store_url) as conn:
            assert await store.bulletin(conn, "2026-10") is None
            assert await store.freeze(conn, MADE, LINES, FIGURES)
            assert await store.keep(conn, RANKED, PLACES)
        async with single(store_url) as conn:
            other = replace(MADE, document="{}", sha256="d" * 64)
            assert not await store.freeze(conn, other, ("[9]",), ())
            assert not await store.keep(conn, replace(RANKED, document="[]"), ())
        async with single(store_url, readonly=True) as conn:
            assert await store.bulletin(conn, "2026-10") == MADE
            assert await store.inputs_of(conn, "2026-10") == LINES
            assert await store.figures_of(conn, "2026-10") == set(FIGURES)
            assert await store.ranking(conn, "2026-Q4") == RANKED
            assert await store.bulletin(conn, "2026-11") is None
            assert await store.ranking(conn, "2026-Q3") is None
            places = await conn.execute(text("SELECT id FROM ranking_place ORDER BY id"))
            assert [row.id for row in places] == ["2026-Q4/TOWNSHIP/001", "2026-Q4/TOWNSHIP/002"]

    asyncio.run(run())


def test_of_two_at_once_the_second_waits_and_finds_the_first(store_url: str) -> None:
    migrate.upgrade(store_url)

    async def run() -> None:
        engine = open_engine(store_url)
        held = asyncio.Event()

        async def first() -> bool:
            async with engine.begin() as conn:
                done = await store.freeze(conn, MADE, LINES, FIGURES)
                held.set()
                await asyncio.sleep(0.2)
            return done

        async def second() -> bool:
            await held.wait()
            async with engine.begin() as conn:
                return await store.freeze(conn, replace(MADE, document="{}"), LINES, FIGURES)

        assert list(await asyncio.gather(first(), second())) == [True, False]
        async with engine.connect() as conn:
            assert await store.bulletin(conn, "2026-10") == MADE
        await engine.dispose()

    asyncio.run(run())


@pytest.mark.parametrize("table", TABLES)
def test_what_is_frozen_is_never_changed(store_url: str, table: str) -> None:
    migrate.upgrade(store_url)
    column = {"quarterly_ranking": "quarter", "ranking_place": "code"}.get(table, "month")
    changes = [f"UPDATE {table} SET {column} = 'x'", f"DELETE FROM {table}"]
    if store_url.startswith("postgresql"):
        changes.append(f"TRUNCATE {table} CASCADE")

    async def run() -> None:
        async with single(store_url) as conn:
            await store.freeze(conn, MADE, LINES, FIGURES)
            await store.keep(conn, RANKED, PLACES)
        for change in changes:
            with pytest.raises(DBAPIError, match="frozen bulletins are never changed"):
                async with single(store_url) as conn:
                    await conn.execute(text(change))

    asyncio.run(run())


def test_what_is_held_still_does_not_see_who_writes_meanwhile(store_url: str) -> None:
    migrate.upgrade(store_url)

    async def run() -> None:
        async with single(store_url, readonly=True) as reader:
            await store.hold_still(reader)
            assert await store.bulletin(reader, "2026-10") is None
            async with single(store_url) as writer:
                assert await store.freeze(writer, MADE, LINES, FIGURES)
            assert await store.bulletin(reader, "2026-10") is None
        async with single(store_url, readonly=True) as reader:
            assert await store.bulletin(reader, "2026-10") == MADE

    asyncio.run(run())
