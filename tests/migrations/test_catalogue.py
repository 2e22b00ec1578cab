"""The catalogue's words as rows: complete, and the same however often they are loaded."""

from __future__ import annotations

import asyncio
from typing import Any

from sqlalchemy import select
from sqlalchemy.engine import Row

from catalog.load import Catalog, load
from store import migrate
from store.catalogue import load_words
from store.engine import open_engine
from store.words import dataset, dataset_field, department, division

TABLES = (division, department, dataset, dataset_field)


def loaded(url: str, catalog: Catalog) -> list[list[Row[Any]]]:
    async def run() -> list[list[Row[Any]]]:
        engine = open_engine(url)
        async with engine.begin() as connection:
            await load_words(connection, catalog)
        async with engine.connect() as connection:
            found = [
                list(await connection.execute(select(t).order_by(*t.primary_key))) for t in TABLES
            ]
        await engine.dispose()
        return found

    return asyncio.run(run())


def test_loading_twice_is_loading_once(store_url: str) -> None:
    catalog = load()
    migrate.upgrade(store_url)
    first = loaded(store_url, catalog)
    assert loaded(store_url, catalog) == first
    divisions, departments, datasets, fields = first
    assert len(divisions) == 120
    assert {d.code for d in departments} == set(catalog.departments)
    assert {d.name for d in datasets} == set(catalog.datasets)
    assert len(fields) == sum(len(d.fields) for d in catalog.datasets.values())


def test_the_migration_and_the_catalogue_load_the_same_divisions(store_url: str) -> None:
    migrate.upgrade(store_url)

    async def run() -> list[Row[Any]]:
        engine = open_engine(store_url)
        async with engine.connect() as connection:
            found = list(await connection.execute(select(division).order_by(division.c.path)))
        await engine.dispose()
        return found

    migrated = asyncio.run(run())
    assert loaded(store_url, load())[0] == migrated
