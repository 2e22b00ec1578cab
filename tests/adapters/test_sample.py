"""A sample says what is there and what is not, on both databases, and is never longer than ROWS."""

from __future__ import annotations

import sqlite3
from collections.abc import Awaitable, Callable, Sequence
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest
from sqlalchemy import text

from adapters.databases.database import open_database
from adapters.databases.sql import SqlSource
from adapters.resilience import Guard
from adapters.sample import ROWS, Sample, columns_of, tables_of
from catalog.datasets import Dataset
from catalog.load import load
from store.engine import open_engine

pytestmark = pytest.mark.anyio

SPEC = load().sources["mz_assist"]
MEMBERS = "CREATE TABLE v_dbcy (dbzh TEXT, sfzh TEXT, xm TEXT, ysqrgx TEXT)"
HOMES = (
    "CREATE TABLE v_dbhz (dbzh TEXT, xzqhdm TEXT, bzrk TEXT, bzje TEXT, ffny TEXT, zt TEXT)",
    "INSERT INTO v_dbhz VALUES ('D1', '532622205000', '3', '600', '202610', '1')",
)
ONE = "INSERT INTO v_dbcy VALUES ('D1', '539922197704129912', '陆某', '本人')"

Made = Callable[..., Awaitable[Sample]]


async def nobody(_limit: int) -> Sequence[str]:
    return ()


@pytest.fixture
async def sampled(store_url: str) -> Made:
    """``await sampled(*statements, dataset=…)``: what a database made by them shows."""

    async def made(*statements: str, dataset: Dataset = SPEC.datasets[0]) -> Sample:
        if store_url.startswith("sqlite"):
            file = Path(store_url.removeprefix("sqlite+aiosqlite:///"))
            with closing(sqlite3.connect(file)) as connection, connection:
                for statement in statements:
                    connection.execute(statement)
        else:
            engine = open_engine(store_url)
            async with engine.begin() as conn:
                for statement in statements:
                    await conn.execute(text(statement))
            await engine.dispose()
        database = open_database(store_url, statement_s=3)
        source = SqlSource(
            SPEC,
            database,
            load().divisions,
            guard=Guard(SPEC.name, deadline_s=10),
            mask=lambda _mask, value, _kind: value,
        )
        try:
            return await source.sample(dataset, nobody)
        finally:
            await source.close()

    return made


async def test_columns_of_both_tables_come_under_the_catalogues_names(sampled: Made) -> None:
    found = await sampled(MEMBERS, *HOMES, ONE)
    assert found.tables == ()
    assert found.columns == frozenset(columns_of(SPEC.datasets[0]))
    (row,) = found.rows
    assert (row["sfzh"], row["v_dbhz.xzqhdm"], row["v_dbhz.zt"]) == (
        "539922197704129912",
        "532622205000",
        "1",
    )


async def test_no_more_rows_than_are_needed(sampled: Made) -> None:
    found = await sampled(MEMBERS, *HOMES, *[ONE] * (ROWS + 5))
    assert len(found.rows) == ROWS


async def test_a_table_that_is_joined_may_be_missing(sampled: Made) -> None:
    found = await sampled(MEMBERS, ONE)
    assert found.tables == ("v_dbhz",)
    (row,) = found.rows
    assert row.keys() == {"sfzh", "dbzh", "xm", "ysqrgx"}


async def test_the_data_sets_own_table_may_be_missing(sampled: Made) -> None:
    found = await sampled(*HOMES)
    assert (found.tables, found.columns, found.rows) == (("v_dbcy",), frozenset(), ())


async def test_a_missing_column_is_not_taken_for_a_text(sampled: Made) -> None:
    # SQLite reads a quoted word that is no column as a text of its own.
    found = await sampled(MEMBERS.replace(", xm TEXT", ""), *HOMES, ONE.replace(", '陆某'", ""))
    assert found.columns is not None
    assert "xm" not in found.columns
    assert "xm" not in found.rows[0]


async def test_a_table_that_nothing_joins_has_no_columns_for_us(sampled: Made) -> None:
    alone = replace(SPEC.datasets[0], joins=())
    found = await sampled(MEMBERS, *HOMES, ONE, dataset=alone)
    assert found.columns == frozenset({"sfzh", "dbzh", "xm", "ysqrgx"})
    assert len(found.rows) == 1


async def test_a_view_is_a_table(sampled: Made) -> None:
    view = MEMBERS.replace("v_dbcy", "people")
    found = await sampled(
        view, *HOMES, ONE.replace("v_dbcy", "people"), "CREATE VIEW v_dbcy AS SELECT * FROM people"
    )
    assert found.tables == ()
    assert len(found.rows) == 1


async def test_names_in_capitals_are_read_as_statements_read_them(
    sampled: Made, store_url: str
) -> None:
    """SQLite takes either; PostgreSQL the very name, in quotes."""
    shown = SPEC.datasets[0]
    capital = replace(
        shown,
        table="V_Leute",
        joins=(),
        order=(),
        region=replace(shown.region, column="Ort"),
        key=replace(shown.key, columns=("Nummer",)),
        person_name=None,
        fields=(),
    )
    found = await sampled(
        'CREATE TABLE "V_Leute" ("Nummer" TEXT, "ORT" TEXT)',
        "INSERT INTO \"V_Leute\" VALUES ('539922197704129912', 'x')",
        dataset=capital,
    )
    alike = store_url.startswith("sqlite")
    assert found.columns == frozenset({"Nummer", "Ort"} if alike else {"Nummer"})
    assert found.rows[0]["Nummer"] == "539922197704129912"


def test_every_table_and_column_is_named_once() -> None:
    for dataset in load().datasets.values():
        columns = columns_of(dataset)
        assert len(columns) == len(set(columns))
        assert {f.column for f in dataset.fields} <= set(columns)
        assert tables_of(dataset)[0] == dataset.table
