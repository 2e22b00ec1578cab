"""A department's columns may have real types; the answer is their texts'."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import text
from sqlalchemy.ext.asyncio import create_async_engine

from adapters.contract import EXTRA, Call, Output, ReadRequest, Ride
from adapters.databases.database import open_database
from adapters.databases.sql import SqlSource
from adapters.resilience import Guard
from catalog.datasets import Dataset, Decode, Field, FieldType
from catalog.load import Catalog, load
from tests.adapters.plots import OTHER, OWNER, WORDS, unmasked

pytestmark = pytest.mark.anyio

OLD = OWNER[:6] + OWNER[8:17]  # the same person in 15 digits
FIELDS = (
    ("plotNo", "plot_no", FieldType.STRING, Decode.PLAIN),
    ("since", "since", FieldType.DATE, Decode.YYYYMMDD),
    ("month", "month", FieldType.MONTH, Decode.PLAIN),
    ("seen", "seen", FieldType.DATETIME, Decode.PLAIN),
    ("area", "area", FieldType.DECIMAL, Decode.PLAIN),
    ("rent", "rent", FieldType.MONEY, Decode.AMOUNT),
    ("shares", "shares", FieldType.INT, Decode.PLAIN),
    ("state", "state", FieldType.CODE, Decode.VALUES),
)
NAMES = ["plot_no", "owner", "owner_name", *(column for _, column, _, _ in FIELDS[1:])]
TEXTS = [
    ("P1", OLD, "陆云", "20260501", "2026-05", "2026-05-01 08:30:00", "3.50", "1200", "4", "1"),
    ("P2", OWNER, "陆云", "20260228", "2026-02", "2026-02-28 00:00:00", "0", "0.50", "-1", "0"),
    ("P3", OTHER, "韦山", None, None, None, None, None, None, None),
]
DAYS = [
    (
        "P1",
        OLD,
        "陆云",
        "2026-05-01",
        "2026-05-01",
        "2026-05-01 08:30:00",
        "3.50",
        "1200",
        "4",
        "1",
    ),
    ("P2", OWNER, "陆云", "2026-02-28", "2026-02-01", "2026-02-28 00:00:00", "0", "0.5", "-1", "0"),
    TEXTS[2],
]
CROPS = (
    "CREATE TABLE crops (plot_no CHAR(12), kind CHAR(10), sown_on DATE)",
    "INSERT INTO crops VALUES ('P1', '水稻', '2026-05-01'), ('P1', '油菜', '2026-10-01'),"
    " ('P1', '荞麦', NULL), ('P3', '玉米', '2026-04-01')",
)
TYPES = {
    "sqlite": "TEXT TEXT TEXT TEXT TEXT TEXT TEXT TEXT TEXT TEXT",
    "postgresql": "CHAR(10) CHAR(18) CHAR(20) DATE DATE TIMESTAMP NUMERIC(18,8) NUMERIC(12,2)"
    " INTEGER BOOLEAN",
    "mysql": "CHAR(10) CHAR(18) CHAR(20) DATE DATE TIMESTAMP DECIMAL(18,8) DECIMAL(12,2)"
    " BIGINT TINYINT",
}


@pytest.fixture
def catalog(tmp_path: Path) -> Catalog:
    folder = tmp_path / "words"
    folder.mkdir()
    (folder / "fields.toml").write_text(WORDS, encoding="utf-8")
    return load(folder)


@pytest.fixture
def plots(catalog: Catalog) -> Dataset:
    """The plots, in 15 or 18 digits, with a field of each type."""
    plot = catalog.datasets["plot"]
    found = tuple(_field(plot.fields[0], *given) for given in FIELDS)
    key = replace(plot.key, formats=("id18", "id15"))
    return replace(plot, fields=found, key=key)


def _field(like: Field, name: str, column: str, kind: FieldType, decode: Decode) -> Field:
    values = {"1": "USED", "0": "IDLE"} if decode is Decode.VALUES else {}
    return replace(like, name=name, column=column, type=kind, decode=decode, values=values)


@pytest.fixture(
    params=[
        pytest.param("pg_url", marks=pytest.mark.postgres),
        pytest.param("maria_url", marks=pytest.mark.mariadb),
    ]
)
def url(request: pytest.FixtureRequest) -> str:
    return str(request.getfixturevalue(request.param))


@pytest.fixture
async def typed(url: str, catalog: Catalog) -> AsyncIterator[SqlSource]:
    """The department with real types."""
    await _fill(url, DAYS, CROPS)
    source = _source(catalog, url)
    yield source
    await source.close()


async def _fill(url: str, rows: Sequence[Sequence[str | None]], more: Sequence[str] = ()) -> None:
    engine = create_async_engine(url)
    kinds = TYPES[engine.dialect.name].split()
    columns = ", ".join(f"{n} {kind}" for n, kind in zip(NAMES, kinds, strict=True))
    listed = (", ".join("NULL" if v is None else f"'{v}'" for v in row) for row in rows)
    async with engine.begin() as connection:
        if engine.dialect.name == "mysql":  # a TIMESTAMP is a moment: the writers' clock is ours
            await connection.execute(text("SET time_zone = '+08:00'"))
        await connection.execute(text(f"CREATE TABLE plots ({columns})"))
        await connection.execute(text("CREATE INDEX ix_owner ON plots (owner)"))
        for row in listed:
            await connection.execute(text(f"INSERT INTO plots VALUES ({row})"))
        for statement in more:
            await connection.execute(text(statement))
    await engine.dispose()


def _source(catalog: Catalog, url: str) -> SqlSource:
    spec, database = catalog.sources["fields"], open_database(url, statement_s=30)
    guard = Guard(spec.name, deadline_s=30)
    return SqlSource(spec, database, catalog.divisions, guard=guard, mask=unmasked)


async def _rows(source: SqlSource, plots: Dataset) -> list[tuple[Any, ...]]:
    names = tuple(field.name for field in plots.fields)
    asked = ReadRequest(plots, names, (EXTRA + "plot_no",), key="identity", masks={})
    call = Call([OWNER, OTHER], {}, names={OWNER: "陆云", OTHER: "韦山"}, limit=100)
    return list((await source.read(source.prepare(asked), call)).rows)


async def test_real_types_give_the_answers_of_their_texts(
    typed: SqlSource, plots: Dataset, catalog: Catalog, tmp_path: Path
) -> None:
    url = f"sqlite+aiosqlite:///{tmp_path / 'plots.sqlite'}"
    await _fill(url, TEXTS)
    written = _source(catalog, url)
    rows = await _rows(typed, plots)
    assert rows == await _rows(written, plots)
    moments = ("2026-05-01", "2026-05", "2026-05-01T08:30:00+08:00")
    first = (OWNER, "M1", "", "P1", *moments, "3.5", "1200.00", 4, "USED", "P1")
    assert rows[0] == first
    assert [row[2] for row in rows] == ["", "", ""]
    await written.close()


async def test_a_nest_by_padded_keys_comes_latest_first_and_what_has_no_date_last(
    typed: SqlSource, plots: Dataset, catalog: Catalog
) -> None:
    asked = ReadRequest(catalog.datasets["crop"], ("kind", "sownOn"), key="plot_no", masks={})
    above = [row[-1] for row in await _rows(typed, plots)]  # the keys as the facet hands them on
    found = await typed.read(typed.prepare(asked), Call(above, {}, limit=100))
    assert [(row[0], *row[3:]) for row in found.rows if row[0] == "P1"] == [
        ("P1", "油菜", "2026-10-01"),
        ("P1", "水稻", "2026-05-01"),
        ("P1", "荞麦", None),
    ]
    assert len(found.rows) == 4


@pytest.mark.postgres
async def test_a_riding_nest_tells_typed_columns_as_texts(
    pg_url: str, plots: Dataset, catalog: Catalog
) -> None:
    await _fill(pg_url, DAYS, CROPS)
    source = _source(catalog, pg_url)
    request = ReadRequest(catalog.datasets["crop"], ("kind", "sownOn"))
    outputs = (Output("kind", column="kind"), Output("sown", column="sownOn"))
    ride = Ride("7", request, EXTRA + "plot_no", "plot_no", True, outputs)
    asked = ReadRequest(plots, ("plotNo",), key="identity", masks={}, rides=(ride,))
    prepared = source.prepare(asked)
    found = await source.read(prepared, Call([OTHER], {}, limit=1))
    at = prepared.columns.index("__json_7")
    assert [row[at] for row in found.rows] == ['[{"kind" : "玉米", "sown" : "2026-04-01"}]']
    await source.close()


@pytest.mark.postgres
async def test_padded_keys_keep_their_index(pg_url: str, plots: Dataset, catalog: Catalog) -> None:
    many = [(f"P{n}", f"{539922198001010000 + n}", "x", *[None] * 7) for n in range(3_000)]
    await _fill(pg_url, many[:300], ["ANALYZE plots"])
    source = _source(catalog, pg_url)
    prepared: Any = source.prepare(ReadRequest(plots, ("plotNo",), key="identity", masks={}))
    await source.database.fetch("SELECT set_config('enable_seqscan', 'off', false)", ())
    plan = await source.database.fetch("EXPLAIN " + prepared.text, ([many[7][1]],))
    assert "Index Cond: (owner = ANY" in str([row[0] for row in plan])
    await source.close()
