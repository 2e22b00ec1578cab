"""One invented department, 承包地经营权, behind every kind of source: the same rows everywhere.

`opened(kind)` gives the source as the registry makes it from one catalogue file and an address.
The rows hold what departments hold: a lower-case x, a number of 15 digits, a name written
otherwise, a name that is another's, an amount nobody can read, a place nobody knows.
"""

from __future__ import annotations

import asyncio
import contextlib
import csv
import hashlib
import io
import json
import sqlite3
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from pathlib import Path
from typing import Any

import strawberry
from sqlalchemy import text
from sqlalchemy.ext.asyncio import create_async_engine
from strawberry.schema.config import StrawberryConfig

from adapters.contract import Source
from adapters.drops.drop import load_drop
from adapters.drops.files import snapshot_of
from adapters.drops.snapshot import shapes
from adapters.identity import with_check_digit
from adapters.registry import Wiring, sources
from catalog.datasets import FieldType
from catalog.grades import Mask
from catalog.load import Catalog, load
from store.tables import metadata
from tests.servers import Asked, http, serving

NAME, DATASET, TABLE, KEY = "land", "plot", "plots", "hub:geheim"
ENDS_IN_X = next(
    one
    for one in (with_check_digit(f"53992219900101{n:03d}") for n in range(1, 999))
    if one.endswith("X")
)
OLD = with_check_digit("53992219600101002")
OTHER = with_check_digit("53992219800101002")
UNASKED = with_check_digit("53992219800101003")
NOBODY = with_check_digit("53992219800101004")
NAMES = {ENDS_IN_X: "陆云", OLD: "韦山", OTHER: "农某", NOBODY: "黄某"}
COLUMNS = ("plot_no", "owner", "owner_name", "area", "rent", "since", "place", "grade")
ROWS = (
    ("P1", ENDS_IN_X.lower(), "陆云", "120㎡", "1200.50", "20200301", "532622205000", "1"),
    ("P2", ENDS_IN_X.lower(), "陆云", "80.5", "0", "20210401", "532622206000", "2"),
    ("P3", OLD[:6] + OLD[8:17], "韦　山", "60㎡", "一千", "20220501", "532622205000", "1"),
    ("P4", OTHER, "王大海", "40㎡", "-10.00", "20221301", "532699999000", "9"),
    ("P5", UNASKED, "谁也没问", "1㎡", "1", "20200301", "532622205000", "1"),
)
AS_OF = "2026-11-01T00:00:00+08:00"
WORDS = f"""
[[code_table]]
name = "PlotGrade"
title = "地块等级"
values = {{ GOOD = "好", POOR = "差" }}

[source]
name = "{NAME}"
title = "承包地经营权"
department = "rev"
kind = "sql"
code_scheme = "NBS_STAT"
[source.rest]
path = "/land/$table"
success = {{ field = "code", value = "0" }}
rows = "rows"
total = "total"
batch = 4
page_size = 2
body = {{ ids = "$keys", page = "$page", size = "$size" }}
[source.graphql]
by = "query"
type = "Holder"
key = "owner"
field = "holders"
argument = "owners"
fields = {{ {TABLE} = "plots" }}
batch = 4

[[dataset]]
name = "{DATASET}"
type = "Plot"
title = "承包地"
description = "承包地块及其等级"
object = "Citizen.monitoring"
legal_basis = "MEASURES_ART_4"
update_cycle = "YEARLY"
table = "{TABLE}"
person_name = "owner_name"
order = ["plot_no"]
sharing = {{ kind = "CONDITIONAL", condition = "按岗位", basis = "MEASURES_ART_11" }}
key = {{ kind = "identity", columns = ["owner"], formats = ["id18", "lower_x", "id15"] }}
region = {{ kind = "citizen" }}
facet = {{ container = "land", field = "plots", many = true }}
[[dataset.field]]
name = "plotNo"
column = "plot_no"
title = "地块编号"
type = "string"
sensitivity = "L3_PERSONAL"
mask = "TAIL4"
[[dataset.field]]
name = "area"
title = "面积"
type = "decimal"
decode = "square_metres"
sensitivity = "L3_PERSONAL"
[[dataset.field]]
name = "rent"
title = "租金"
type = "money"
decode = "amount"
sensitivity = "L4_SENSITIVE"
mask = "HIDE"
[[dataset.field]]
name = "since"
title = "起始日期"
type = "date"
decode = "yyyymmdd"
sensitivity = "L3_PERSONAL"
[[dataset.field]]
name = "place"
title = "所在乡镇"
type = "division"
decode = "division"
sensitivity = "L3_PERSONAL"
[[dataset.field]]
name = "grade"
title = "等级"
type = "code"
code = "PlotGrade"
values = {{ "1" = "GOOD", "2" = "POOR" }}
sensitivity = "L3_PERSONAL"
"""

Made = Callable[[str], Awaitable[str]]
"""A new, empty database of the kind asked for; its address."""


def words(folder: Path, kind: str) -> Catalog:
    """The catalogue with the department in it, connected as this kind."""
    extra = folder / "words"
    extra.mkdir(exist_ok=True)
    said = kind if kind in ("rest", "graphql", "files") else "sql"
    told = WORDS.replace('kind = "sql"', f'kind = "{said}"')
    (extra / f"{NAME}.toml").write_text(told, encoding="utf-8")
    return load(extra)


def starred(mask: Mask, value: Any, _kind: FieldType) -> Any:
    """A masked value that shows how it was masked."""
    return f"{mask}:{value}"


def wired(catalog: Catalog, folder: Path, address: str) -> Source:
    """The source at this address, as the hub would have it."""
    wiring = Wiring(
        store=f"sqlite+aiosqlite:///{folder / 'store.sqlite'}",
        metadata=metadata,
        addresses={NAME: address},
        keys={},
        outages={},
        deadline_s=60.0,
        snapshots=folder / "snapshots",
    )
    return sources({NAME: catalog.sources[NAME]}, wiring, catalog.divisions, starred)[NAME]


@contextlib.asynccontextmanager
async def opened(kind: str, folder: Path, database: Made) -> AsyncIterator[tuple[Source, Catalog]]:
    """The department behind a source of this kind."""
    catalog = words(folder, kind)
    async with PLACES[kind](folder, catalog, database) as address:
        source = wired(catalog, folder, address)
        try:
            yield source, catalog
        finally:
            await source.close()


# ---- where the rows are -------------------------------------------------------------------------


@contextlib.asynccontextmanager
async def _sqlite(folder: Path, _catalog: Catalog, _made: Made) -> AsyncIterator[str]:
    file = folder / "land.sqlite"
    with contextlib.closing(sqlite3.connect(file)) as connection, connection:
        connection.execute(f"CREATE TABLE {TABLE} ({', '.join(f'{c} TEXT' for c in COLUMNS)})")
        marks = ",".join("?" * len(COLUMNS))
        connection.executemany(f"INSERT INTO {TABLE} VALUES ({marks})", ROWS)
    yield f"sqlite+aiosqlite:///{file}"


def _server(kind: str) -> Callable[..., contextlib.AbstractAsyncContextManager[str]]:
    @contextlib.asynccontextmanager
    async def made(_folder: Path, _catalog: Catalog, database: Made) -> AsyncIterator[str]:
        address = await database(kind)
        engine = create_async_engine(address)
        columns = ", ".join(f"{name} VARCHAR(64)" for name in COLUMNS)
        marks = ", ".join(f":{name}" for name in COLUMNS)
        async with engine.begin() as connection:
            await connection.execute(text(f"CREATE TABLE {TABLE} ({columns})"))
            rows = [dict(zip(COLUMNS, row, strict=True)) for row in ROWS]
            await connection.execute(text(f"INSERT INTO {TABLE} VALUES ({marks})"), rows)
        await engine.dispose()
        yield address

    return made


@contextlib.asynccontextmanager
async def _rest(_folder: Path, _catalog: Catalog, _made: Made) -> AsyncIterator[str]:
    async def land(asked: Asked) -> bytes:
        assert asked.line == f"POST /land/{TABLE} HTTP/1.1"
        body = json.loads(asked.body)
        found = [dict(zip(COLUMNS, row, strict=True)) for row in ROWS if row[1] in body["ids"]]
        start = (body["page"] - 1) * body["size"]
        page = found[start : start + body["size"]]
        return http(200, json.dumps({"code": 0, "total": len(found), "rows": page}).encode())

    async with serving(land) as served:
        yield served.address


@strawberry.type
class Plot:
    """A plot as the subgraph has it."""

    plot_no: str
    area: str
    rent: str
    since: str
    place: str
    grade: str


@strawberry.type
class Holder:
    """A person as the subgraph has him."""

    owner: str
    owner_name: str

    @strawberry.field
    def plots(self) -> list[Plot]:
        """His plots, of which the hub sorts."""
        found = [dict(zip(COLUMNS, row, strict=True)) for row in ROWS if row[1] == self.owner]
        for row in found:
            del row["owner"], row["owner_name"]
        return [Plot(**row) for row in reversed(found)]


@strawberry.type
class Query:
    """The subgraph's root."""

    @strawberry.field
    def holders(self, owners: list[str]) -> list[Holder | None]:
        """One entry a number, in order."""
        names = {row[1]: row[2] for row in ROWS}
        return [Holder(owner=o, owner_name=names[o]) if o in names else None for o in owners]


SUBGRAPH = strawberry.Schema(Query, config=StrawberryConfig(auto_camel_case=False))


@contextlib.asynccontextmanager
async def _graphql(_folder: Path, _catalog: Catalog, _made: Made) -> AsyncIterator[str]:
    async def land(asked: Asked) -> bytes:
        body = json.loads(asked.body)
        assert not any(row[1] in body["query"] for row in ROWS)
        result = await SUBGRAPH.execute(body["query"], variable_values=body["variables"])
        assert result.errors is None, result.errors
        return http(200, json.dumps({"data": result.data}).encode())

    async with serving(land) as served:
        yield served.address


@contextlib.asynccontextmanager
async def _files(folder: Path, catalog: Catalog, _made: Made) -> AsyncIterator[str]:
    drop = folder / "drop"
    drop.mkdir()
    written = io.StringIO()
    csv.writer(written).writerows((COLUMNS, *ROWS))
    content = written.getvalue().encode("gb18030")
    (drop / "plots.csv").write_bytes(content)
    told = {"table": TABLE, "file": "plots.csv", "as_of": AS_OF, "rows": len(ROWS)}
    told |= {"encoding": "gb18030", "sha256": hashlib.sha256(content).hexdigest()}
    (drop / "plots.manifest.json").write_text(json.dumps(told), encoding="utf-8")
    snapshot = snapshot_of(folder / "snapshots", NAME)
    loaded = await asyncio.to_thread(load_drop, drop, snapshot, shapes(catalog.sources[NAME]))
    assert not loaded.refused
    yield f"files://{drop}"


PLACES: Mapping[str, Callable[..., contextlib.AbstractAsyncContextManager[str]]] = {
    "sqlite": _sqlite,
    "postgres": _server("postgres"),
    "mariadb": _server("mariadb"),
    "rest": _rest,
    "graphql": _graphql,
    "files": _files,
}
GONE = {
    "sqlite": "sqlite+aiosqlite:///none/none.sqlite",
    "postgres": "postgresql+asyncpg://hub:geheim@127.0.0.1:9/none",
    "mariadb": "mysql+aiomysql://hub:geheim@127.0.0.1:9/none",
    "rest": "http://127.0.0.1:9",
    "graphql": "http://127.0.0.1:9",
    "files": "files:///none/none",
}
"""Addresses at which nobody is."""
