"""Published tables in the store: the first stands, on both databases."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta

import pytest

from catalog.errors import SourceUnavailable
from store import migrate
from store.engine import open_engine
from store.tallies import Tallies

FIRST = {"": "[[75]]", "MONTH": '[["2026-01",75]]'}


def test_a_period_is_published_once_and_whole(store_url: str) -> None:
    migrate.upgrade(store_url)

    async def run() -> None:
        engine = open_engine(store_url)
        tallies = Tallies(engine)
        assert await tallies.stored("case", "2026-11", "MONTH") is None
        await tallies.publish("case", "2026-11", FIRST, 7)
        # One who was slower does not replace it, nor add to it.
        await tallies.publish("case", "2026-11", {"ITEM": "[]", "MONTH": "[]"}, 8)
        cells, made_at = await tallies.stored("case", "2026-11", "MONTH") or ("", None)
        assert cells == FIRST["MONTH"]
        assert made_at is not None
        assert timedelta() <= datetime.now(UTC) - made_at < timedelta(minutes=1)
        assert await tallies.stored("case", "2026-11", "ITEM") is None
        assert await tallies.stored("case", "2026-12", "MONTH") is None
        await engine.dispose()

    asyncio.run(run())


def test_the_proposed_rules_are_there_from_the_start(store_url: str) -> None:
    migrate.upgrade(store_url)

    async def run() -> None:
        engine = open_engine(store_url)
        assert await Tallies(engine).rules("case") == [
            ("*", 5, 5, "MONTH"),
            ("DEPARTMENT", 10, 5, "MONTH"),
            ("ITEM", 10, 5, "MONTH"),
        ]
        assert await Tallies(engine).rules("nothing") == []
        await engine.dispose()

    asyncio.run(run())


def test_a_store_without_the_tables_is_a_source_that_is_down(store_url: str) -> None:
    async def run() -> None:
        engine = open_engine(store_url)
        tallies = Tallies(engine)
        for deed in (
            tallies.rules("case"),
            tallies.stored("case", "2026-11", ""),
            tallies.publish("case", "2026-11", FIRST, 7),
        ):
            with pytest.raises(SourceUnavailable) as raised:
                await deed
            assert raised.value.reason == "DOWN"
        await engine.dispose()

    asyncio.run(run())
