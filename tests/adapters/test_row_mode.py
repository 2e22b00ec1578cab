"""Departments' databases that are read in rows, on a real MariaDB and on one
the hub has never heard of."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import text
from sqlalchemy.engine import make_url
from sqlalchemy.ext.asyncio import create_async_engine

import tests.adapters.elsewhere  # registers its dialect  # noqa: F401
from adapters.contract import EXTRA, KEY, Call, ReadRequest
from adapters.databases.database import EngineDatabase, open_database
from adapters.databases.row_mode import MOST, Marked, batches
from adapters.databases.sql import SqlSource
from adapters.identity import with_check_digit
from adapters.resilience import Guard
from catalog.datasets import Dataset, Key, KeyKind
from catalog.errors import Readable
from catalog.load import Catalog, load
from store.metadata import metadata
from tests.adapters.plots import OTHER, OWNER, WORDS, unmasked

pytestmark = pytest.mark.anyio

TABLES = (
    "CREATE TABLE plots (plot_no VARCHAR(40), owner VARCHAR(20), owner_name VARCHAR(40))",
    "CREATE TABLE crops (plot_no VARCHAR(40), kind VARCHAR(40), sown_on VARCHAR(20))",
    "CREATE INDEX ix_owner ON plots (owner)",
    "CREATE INDEX ix_plot ON crops (plot_no)",
)
ROWS = (
    f"INSERT INTO plots VALUES ('P1', '{OWNER.lower()}', '陆云'), ('P2', '{OWNER}', '陆 云'),"
    f" ('P3', '{OTHER}', '韦山')",
    "INSERT INTO crops VALUES ('P1', '水稻', '2026-05-01'), ('P1', '油菜', '2026-10-01'),"
    " ('P1', NULL, '2025-05-01'), ('P3', '玉米', '2026-04-01'), ('p3', '荞麦', '2026-04-02')",
)

Made = Callable[..., Awaitable[SqlSource]]


# -- text and values


@pytest.mark.parametrize(
    ("style", "filled"),
    [
        ("format", "a IN (%s, %s) AND b IN (%s) AND c"),
        ("qmark", "a IN (?, ?) AND b IN (?) AND c"),
        ("numeric", "a IN (:1, :2) AND b IN (:3) AND c"),
        ("numeric_dollar", "a IN ($1, $2) AND b IN ($3) AND c"),
    ],
)
def test_each_list_gets_as_many_placeholders_as_it_has_values(style: str, filled: str) -> None:
    marked = Marked.of("a IN (:keys) AND b IN (:codes) AND c", style)
    assert marked.filled({"codes": ["3"], "keys": ["1", "2"]}) == (filled, ["1", "2", "3"])
    assert marked.filled({"codes": [], "keys": ["1"]})[0].count("(NULL)") == 1


def test_the_spellings_of_one_key_stay_together() -> None:
    keys = [str(n) for n in range(334)]
    found = list(batches(keys, lambda some: [k + end for k in some for end in "abc"]))
    assert [len(texts) for _, texts in found] == [498, 498, 6]
    assert [k for some, _ in found for k in some] == keys
    for some, texts in found:
        assert texts == [k + end for k in some for end in "abc"]
    assert list(batches([], list)) == []
    assert list(batches(["1"], lambda _: [])) == []


# -- sources


@pytest.fixture
def catalog(tmp_path: Path) -> Catalog:
    folder = tmp_path / "words"
    folder.mkdir()
    (folder / "fields.toml").write_text(WORDS, encoding="utf-8")
    return load(folder)


@pytest.fixture(params=["elsewhere", pytest.param("mariadb", marks=pytest.mark.mariadb)])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    if request.param == "elsewhere":
        return f"elsewhere+aiosqlite:///{tmp_path / 'rows.sqlite'}"
    return str(request.getfixturevalue("maria_url"))


@pytest.fixture
async def made(catalog: Catalog) -> AsyncIterator[Made]:
    """``await made(url, *statements)``: the source over a database they have made."""
    sources: list[SqlSource] = []

    async def make(url: str, *statements: str) -> SqlSource:
        engine = create_async_engine(url)
        async with engine.begin() as connection:
            for statement in statements:
                await connection.execute(text(statement))
        await engine.dispose()
        spec = catalog.sources["fields"]
        guard = Guard(spec.name, deadline_s=30)
        database = open_database(url, statement_s=30)
        places = catalog.divisions
        sources.append(SqlSource(spec, database, places, guard=guard, mask=unmasked))
        return sources[-1]

    yield make
    for source in sources:
        await source.close()


@pytest.fixture
async def source(made: Made, url: str) -> SqlSource:
    return await made(url, *TABLES, *ROWS)


def _plots(catalog: Catalog) -> ReadRequest:
    dataset = catalog.datasets["plot"]
    return ReadRequest(dataset, ("plotNo",), (EXTRA + "plot_no",), key="identity", masks={})


def _crops(catalog: Catalog) -> ReadRequest:
    return ReadRequest(catalog.datasets["crop"], ("kind", "sownOn"), key="plot_no", masks={})


async def test_a_person_is_found_in_every_spelling_and_graded(
    catalog: Catalog, source: SqlSource
) -> None:
    assert not source.json
    prepared = source.prepare(_plots(catalog))
    assert prepared.columns == (KEY, "__grade", "__dq", "plotNo", EXTRA + "plot_no")
    assert "IN (:keys) ORDER BY" in " ".join(prepared.describe().split())
    found = await source.read(prepared, Call([OWNER], {}, names={OWNER: "陆云"}, limit=100))
    assert found.rows == [(OWNER, "M1", "", "P1", "P1"), (OWNER, "M2", "DQ06", "P2", "P2")]
    assert source.calls == 1


async def test_a_nest_is_asked_by_its_rows_keys_latest_first(
    catalog: Catalog, source: SqlSource
) -> None:
    found = await source.read(source.prepare(_crops(catalog)), Call(["P1", "P2"], {}, limit=100))
    assert [row[3:] for row in found.rows] == [
        ("油菜", "2026-10-01"),
        ("水稻", "2026-05-01"),
        (None, "2025-05-01"),
    ]


async def test_a_key_in_other_letters_is_another_key_whatever_the_collation(
    catalog: Catalog, source: SqlSource
) -> None:
    prepared = source.prepare(_crops(catalog))
    for keys, kinds in ((["P3"], ["玉米"]), (["p3"], ["荞麦"]), (["P3", "p3"], ["荞麦", "玉米"])):
        found = await source.read(prepared, Call(keys, {}, limit=100))
        assert [row[3] for row in found.rows] == kinds


async def test_a_value_that_looks_like_sql_is_a_value(catalog: Catalog, source: SqlSource) -> None:
    prepared = source.prepare(_crops(catalog))
    hostile = [
        "P1') OR ('1'='1",
        "\\",
        "\\' OR 1=1 -- ",
        "%s",
        "%(keys)s",
        ":keys",
        "P1\0",
        "㛃",
    ]
    assert (await source.read(prepared, Call(hostile, {}, limit=100))).rows == []
    assert source.calls == 1


async def test_nobody_asked_for_is_no_statement(catalog: Catalog, source: SqlSource) -> None:
    assert (await source.read(source.prepare(_plots(catalog)), Call([], {}, limit=1))).rows == []
    assert source.calls == 0


async def test_many_keys_are_several_statements_and_each_persons_rows_stay_in_order(
    catalog: Catalog, made: Made, url: str
) -> None:
    people = [with_check_digit(f"53992219800101{n:03}") for n in range(999)]
    spelled = sum(2 if number.endswith("X") else 1 for number in people)
    rows = [f"('{where}{n}', '{who}', '陆云')" for n, who in enumerate(people) for where in "BA"]
    insert = f"INSERT INTO plots VALUES {', '.join(rows)}"
    source = await made(url, *TABLES, insert)
    prepared = source.prepare(_plots(catalog))
    found = await source.read(prepared, Call(people, {}, limit=100))
    assert spelled > 2 * MOST
    assert source.calls == 3
    told = [(row[0], row[3]) for row in found.rows]
    for n, who in enumerate(people):
        assert [plot for key, plot in told if key == who] == [f"A{n}", f"B{n}"]
    assert len(told) == 2 * len(people)
    cut = await source.read(prepared, Call(people, {}, limit=1))
    assert {row[3] for row in cut.rows} == {f"A{n}" for n in range(len(people))}


async def test_a_key_of_two_columns_and_the_codes_of_the_own_places(
    catalog: Catalog, made: Made, url: str
) -> None:
    source = await made(
        url,
        "CREATE TABLE `供水 工程` (`乡 镇` VARCHAR(40), `村%名` VARCHAR(40), `状态` VARCHAR(40),"
        " `区划` VARCHAR(20))",
        "INSERT INTO `供水 工程` VALUES ('者腊乡', '者腊村委会', '正常', '532622205000'),"
        " ('者腊乡', '者腊', '停用', '532622206000'), (NULL, '者腊', '不明', '532622205000')",
    )
    crop = catalog.datasets["crop"]
    works: Dataset = replace(
        crop,
        table="供水 工程",
        key=Key(KeyKind.DIVISION, ("乡 镇", "村%名"), (), crop.key.scheme),
        order=(("状态", False),),
        fields=(replace(crop.by_name["kind"], column="状态"),),
        region=replace(crop.region, column="区划"),
    )
    place = next(v for v in catalog.divisions.villages() if v.name == "者腊村委会")
    asked = ReadRequest(works, ("kind",), key="division", masks={})
    found = await source.read(source.prepare(asked), Call([place.path], {}, limit=100))
    assert sorted(row[3] for row in found.rows) == ["停用", "正常"]
    coded = source.prepare(replace(asked, codes=True))
    for codes, kinds in ((["532622205000"], ["正常"]), ([], [])):
        found = await source.read(coded, Call([place.path], {"codes": codes}, limit=100))
        assert [row[3] for row in found.rows] == kinds


def test_the_hubs_own_tables_lie_nowhere_else(catalog: Catalog, tmp_path: Path) -> None:
    database = open_database(f"elsewhere+aiosqlite:///{tmp_path / 'x'}", statement_s=3)
    assert isinstance(database, EngineDatabase)
    spec = catalog.sources["fields"]
    with pytest.raises(Readable, match="只能放在 SQLite 或 PostgreSQL"):
        SqlSource(
            spec,
            database,
            catalog.divisions,
            guard=Guard(spec.name),
            mask=unmasked,
            metadata=metadata,
        )


# -- MariaDB's own


@pytest.mark.mariadb
async def test_a_list_of_keys_uses_the_index_of_a_utf8mb3_column(
    catalog: Catalog, made: Made, maria_url: str
) -> None:
    people = [with_check_digit(f"53992219800101{n:03}") for n in range(999)]
    rows = ", ".join(f"('P{n}', '{who}', '陆云')" for n, who in enumerate(people))
    source = await made(maria_url, *TABLES, f"INSERT INTO plots VALUES {rows}")
    read: Any = source.prepare(_plots(catalog))
    engine = create_async_engine(make_url(maria_url).update_query_dict({"charset": "utf8mb4"}))
    async with engine.connect() as connection:
        sort = "SELECT character_set_name FROM information_schema.columns WHERE column_name='owner'"
        assert set((await connection.scalars(text(sort))).all()) == {"utf8mb3"}
        statement, values = read.marked.filled({"keys": people[:20], "codes": []})
        plan = (await connection.exec_driver_sql("EXPLAIN " + statement, tuple(values))).one()
        assert (plan.type, plan.key, int(plan.rows)) == ("range", "ix_owner", 20)
    await engine.dispose()


@pytest.mark.mariadb
async def test_a_sample_tells_which_columns_a_mariadb_has_in_any_case(
    catalog: Catalog, made: Made, maria_url: str
) -> None:
    source = await made(
        maria_url,
        "CREATE TABLE plots (PLOT_NO VARCHAR(20), Owner CHAR(18))",
        f"INSERT INTO plots VALUES ('P1', '{OWNER}')",
    )

    async def nobody(_limit: int) -> list[str]:
        return []

    sample = await source.sample(catalog.datasets["plot"], nobody)
    assert sample.tables == ()
    assert set(sample.columns or ()) == {"plot_no", "owner"}
    assert list(sample.rows) == [{"plot_no": "P1", "owner": OWNER}]
    missing = await source.sample(catalog.datasets["crop"], nobody)
    assert missing.tables == ("crops",)
    await source.ping()
