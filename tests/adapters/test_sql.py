"""A department's database read by key, in rows and with a clean nest riding."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import replace
from pathlib import Path

import pytest
from sqlalchemy import MetaData, text

from adapters.contract import EXTRA, KEY, SEPARATOR, Call, Output, ReadRequest, Ride
from adapters.databases.database import StatementFault, open_database
from adapters.databases.sql import SqlSource
from adapters.resilience import THRESHOLD, Guard
from catalog.errors import SourceUnavailable
from catalog.grades import Mask
from catalog.load import Catalog, load
from store.engine import open_engine
from store.register import citizen
from tests.adapters.plots import OTHER, OWNER, WORDS, unmasked

pytestmark = pytest.mark.anyio

ROWS = (
    "CREATE TABLE plots (plot_no TEXT, owner TEXT, owner_name TEXT)",
    "CREATE TABLE crops (plot_no TEXT, kind TEXT, sown_on TEXT)",
    f"INSERT INTO plots VALUES ('P1', '{OWNER.lower()}', '陆云'), ('P2', '{OWNER}', '陆 云'),"
    f" ('P3', '{OTHER}', '韦山')",
    "INSERT INTO crops VALUES ('P1', '水稻', '2026-05-01'), ('P1', '油菜', '2026-10-01'),"
    " ('P1', NULL, '2025-05-01'), ('P3', '玉米', '2026-04-01')",
)


Made = Callable[..., Awaitable[SqlSource]]


@pytest.fixture
def catalog(tmp_path: Path) -> Catalog:
    folder = tmp_path / "words"
    folder.mkdir()
    (folder / "fields.toml").write_text(WORDS, encoding="utf-8")
    return load(folder)


@pytest.fixture
async def made(catalog: Catalog) -> AsyncIterator[Made]:
    """``await made(url, *statements)``: the source over a database they have made."""
    sources: list[SqlSource] = []

    async def make(url: str, *statements: str) -> SqlSource:
        engine = open_engine(url)
        async with engine.begin() as connection:
            for statement in statements:
                await connection.execute(text(statement))
        await engine.dispose()
        sources.append(_source(catalog, url))
        return sources[-1]

    yield make
    for source in sources:
        await source.close()


def _source(catalog: Catalog, url: str, ours: MetaData | None = None) -> SqlSource:
    spec, database = catalog.sources["fields"], open_database(url, statement_s=3)
    guard, places = Guard(spec.name, deadline_s=30), catalog.divisions
    return SqlSource(spec, database, places, guard=guard, mask=unmasked, metadata=ours)


@pytest.fixture
async def source(made: Made, store_url: str) -> SqlSource:
    return await made(store_url, *ROWS)


def _plots(catalog: Catalog, rides: tuple[Ride, ...] = ()) -> ReadRequest:
    dataset = catalog.datasets["plot"]
    return ReadRequest(
        dataset, ("plotNo",), (EXTRA + "plot_no",), key="identity", masks={}, rides=rides
    )


def _crops(catalog: Catalog) -> Ride:
    request = ReadRequest(catalog.datasets["crop"], ("kind", "sownOn"))
    outputs = (
        Output("__typename", constant="Crop"),
        Output("kind", column="kind"),
        Output("sown", column="sownOn"),
    )
    return Ride("7", request, EXTRA + "plot_no", "plot_no", True, outputs)


async def test_a_person_is_found_in_every_spelling_and_graded(
    catalog: Catalog, source: SqlSource
) -> None:
    prepared = source.prepare(_plots(catalog))
    assert prepared.columns == (KEY, "__grade", "__dq", "plotNo", EXTRA + "plot_no")
    found = await source.read(prepared, Call([OWNER], {}, names={OWNER: "陆云"}, limit=100))
    assert found.rows == [
        (OWNER, "M1", "", "P1", "P1"),
        (OWNER, "M2", "DQ06", "P2", "P2"),
    ]
    assert source.calls == 1


async def test_a_hidden_column_is_not_selected_and_a_limit_is_per_person(
    catalog: Catalog, source: SqlSource
) -> None:
    dataset = catalog.datasets["plot"]
    hidden = source.prepare(
        ReadRequest(dataset, ("plotNo",), key="identity", masks={"plotNo": Mask.HIDE})
    )
    assert "plot_no AS" not in hidden.describe()
    found = await source.read(hidden, Call([OWNER, OTHER], {}, limit=1))
    assert [(row[0], row[3]) for row in found.rows] == [(OWNER, None), (OTHER, None)]


async def test_a_clean_nest_rides_with_the_values_its_rows_have(
    catalog: Catalog, source: SqlSource
) -> None:
    riding = source.prepare(_plots(catalog, (_crops(catalog),)))
    found = await source.read(riding, Call([OWNER, OTHER], {}, limit=100))
    at = {name: i for i, name in enumerate(riding.columns)}
    told = {r[at["plotNo"]]: json.loads(r[at["__json_7"]]) for r in found.rows}
    assert told["P1"] == [
        {"__typename": "Crop", "kind": "油菜", "sown": "2026-10-01"},
        {"__typename": "Crop", "kind": "水稻", "sown": "2026-05-01"},
        {"__typename": "Crop", "kind": None, "sown": "2025-05-01"},
    ]
    assert told["P2"] == []
    sides = {r[at["plotNo"]]: r[at["__side_7"]] for r in found.rows}
    # A side has an entry a row; nothing need be told of a nest's rows but how many there are.
    assert sides == {"P1": SEPARATOR * 2, "P2": None, "P3": ""}
    assert source.calls == 1

    rows = source.prepare(
        ReadRequest(catalog.datasets["crop"], ("kind", "sownOn"), key="plot_no", masks={})
    )
    plain = await source.read(rows, Call(["P1", "P2", "P3"], {}, limit=100))
    ridden = [(plot, c["kind"], c["sown"]) for plot, crops in told.items() for c in crops]
    assert sorted((r[0], r[3], r[4]) for r in plain.rows if r[3]) == sorted(
        r for r in ridden if r[1]
    )
    assert len(plain.rows) == len(ridden) == 4


async def test_a_missing_table_is_the_sources_fault_and_never_its_text(
    catalog: Catalog, source: SqlSource, store_url: str, caplog: pytest.LogCaptureFixture
) -> None:
    engine = open_engine(store_url)
    async with engine.begin() as connection:
        await connection.execute(text("DROP TABLE plots"))
    await engine.dispose()
    with pytest.raises(SourceUnavailable) as caught:
        await source.read(source.prepare(_plots(catalog)), Call([OWNER], {}, limit=1))
    assert (caught.value.reason, caught.value.extensions()["retryable"]) == ("SCHEMA", False)
    assert source.guard.state.failures == 0
    said = f"{caught.value}{caught.value.__cause__}{[vars(r) for r in caplog.records]}"
    assert OWNER not in said
    assert "SELECT" not in said


@pytest.mark.postgres
async def test_a_source_that_does_not_fit_is_told_once_a_read_and_its_others_are_answered(
    catalog: Catalog, made: Made, pg_url: str, caplog: pytest.LogCaptureFixture
) -> None:
    renamed = "ALTER TABLE plots RENAME plot_no TO number"
    source = await made(pg_url, *ROWS, renamed)
    for _ in range(THRESHOLD):
        with pytest.raises(SourceUnavailable, match="结构与目录不符"):
            await source.read(source.prepare(_plots(catalog)), Call([OWNER], {}, limit=1))
    told = [r for r in caplog.records if r.name == "hub.sources"]
    assert len(told) == THRESHOLD
    assert {(r.levelname, vars(r)["source"], vars(r)["dataset"]) for r in told} == {
        ("ERROR", "fields", "plot")
    }
    assert {vars(r)["error"] for r in told} == {"UndefinedColumnError"}
    crops = ReadRequest(catalog.datasets["crop"], ("kind",), key="plot_no", masks={})
    found = await source.read(source.prepare(crops), Call(["P3"], {}, limit=1))
    assert [row[3] for row in found.rows] == ["玉米"]
    assert source.guard.state.failures == 0


@pytest.mark.postgres
async def test_a_fault_in_a_statement_over_our_own_tables_is_a_fault_of_ours(
    catalog: Catalog, pg_url: str
) -> None:
    words = replace(catalog.datasets["plot"], table="citizen", order=(), person_name=None)
    fields = tuple(replace(field, column="name") for field in words.fields)
    key = replace(words.key, columns=("id18",))
    source = _source(catalog, pg_url, citizen.metadata)  # no table is there
    asked = ReadRequest(replace(words, fields=fields, key=key), (), key="identity", masks={})
    with pytest.raises(StatementFault, match=r"^UndefinedTableError$"):
        await source.read(source.prepare(asked), Call([OWNER], {}, limit=1))
    await source.close()
