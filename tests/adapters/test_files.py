"""adapters/drops/files.py: a snapshot answers as any SQL source does, and says of when it is."""

from __future__ import annotations

import asyncio
import hashlib
import json
import sqlite3
from collections.abc import AsyncIterator, Callable, Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import MetaData

from adapters import registry
from adapters.contract import (
    EXTRA,
    KEY,
    SEPARATOR,
    Call,
    Freshness,
    Output,
    ReadRequest,
    Ride,
    Rows,
    Source,
)
from adapters.databases.sql import SqlSource
from adapters.drops.delivery import drop_folder
from adapters.drops.drop import load_drop
from adapters.drops.files import FilesSource, SnapshotPool
from adapters.drops.snapshot import shapes
from adapters.identity import with_check_digit
from adapters.resilience import BreakerState, Guard
from catalog.datasets import SourceSpec
from catalog.errors import SourceUnavailable
from catalog.load import Catalog, load
from tests.adapters import plots
from tests.adapters.plots import OTHER, OWNER, unmasked

pytestmark = pytest.mark.anyio

NOW = datetime(2026, 11, 26, 12, tzinfo=UTC)
WORDS = (
    plots.WORDS.replace('kind = "sql"', 'kind = "files"')
    .replace("YEARLY", "MONTHLY")
    .replace("many = true }\n", "many = true }\nfile = { header_row = 2 }\n")
)
PLOTS = f"""承包地台账,,
plot_no,owner,owner_name
P1,{OWNER.lower()},陆云
P2,{OWNER},陆 云
P3,{OTHER},韦山
"""
CROPS = """plot_no,kind,sown_on
P1,水稻,2026-05-01
P1,油菜,2026-10-01
P1,,2025-05-01
P3,玉米,2026-04-01
"""


class Fields:
    """The source of `WORDS`, its drop folder, and a source over its snapshot."""

    def __init__(self, tmp_path: Path) -> None:
        words = tmp_path / "words"
        words.mkdir()
        (words / "fields.toml").write_text(WORDS, encoding="utf-8")
        self.catalog: Catalog = load(words)
        self.spec: SourceSpec = self.catalog.sources["fields"]
        self.folder, self.snapshot = tmp_path / "drop", tmp_path / "fields.sqlite"
        self.folder.mkdir()
        self.now = NOW
        pool = SnapshotPool(self.snapshot)
        self.guard = Guard(self.spec.name, title=self.spec.title)
        inner = SqlSource(self.spec, pool, self.catalog.divisions, guard=self.guard, mask=unmasked)
        self.source = FilesSource(self.spec, pool, inner, now=lambda: self.now)

    def take(self, table: str, text: str, rows: int, as_of: str = "2026-11-01") -> None:
        """Delivered and loaded."""
        content = text.encode("gb18030")
        file = f"{table}.csv"
        told = {"table": table, "file": file, "as_of": as_of, "rows": rows}
        told |= {"encoding": "gb18030", "sha256": hashlib.sha256(content).hexdigest()}
        (self.folder / file).write_bytes(content)
        (self.folder / f"{table}.manifest.json").write_text(json.dumps(told), encoding="utf-8")
        loaded = load_drop(self.folder, self.snapshot, shapes(self.spec), now=lambda: NOW)
        assert loaded.refused == ()

    async def plots(self, *keys: str, rides: tuple[Ride, ...] = (), limit: int = 100) -> Rows:
        """The plots of these owners."""
        dataset = self.catalog.datasets["plot"]
        request = ReadRequest(
            dataset, ("plotNo",), (EXTRA + "plot_no",), key="identity", masks={}, rides=rides
        )
        prepared = self.source.prepare(request)
        call = Call(list(keys), {}, names={OWNER: "陆云"}, limit=limit)
        return await self.source.read(prepared, call)

    @property
    def crops(self) -> Ride:
        """The crops of each plot."""
        request = ReadRequest(self.catalog.datasets["crop"], ("kind", "sownOn"))
        outputs = (Output("kind", column="kind"), Output("sown", column="sownOn"))
        return Ride("7", request, EXTRA + "plot_no", "plot_no", True, outputs)


@pytest.fixture
async def fields(tmp_path: Path) -> AsyncIterator[Fields]:
    made = Fields(tmp_path)
    yield made
    await made.source.close()


async def test_a_person_is_found_in_every_spelling_and_graded(fields: Fields) -> None:
    fields.take("plots", PLOTS, 3)
    found = await fields.plots(OWNER)
    assert found.rows == [
        (OWNER, "M1", "", "P1", "P1"),
        (OWNER, "M2", "DQ06", "P2", "P2"),
    ]
    assert fields.source.calls == 1


async def test_rows_are_of_the_asked_alone_and_as_many_as_wanted(fields: Fields) -> None:
    fields.take("plots", PLOTS, 3)
    assert [row[3] for row in (await fields.plots(OWNER, OTHER, limit=1)).rows] == ["P1", "P3"]
    assert (await fields.plots(with_check_digit("53992219800101009"))).rows == []


async def test_a_nest_rides_as_json(fields: Fields) -> None:
    fields.take("plots", PLOTS, 3)
    fields.take("crops", CROPS, 4)
    assert fields.source.json
    found = await fields.plots(OWNER, rides=(fields.crops,))
    prepared = fields.source.prepare(
        ReadRequest(
            fields.catalog.datasets["plot"],
            ("plotNo",),
            (EXTRA + "plot_no",),
            key="identity",
            masks={},
            rides=(fields.crops,),
        )
    )
    at = prepared.columns.index("__json_7")
    assert [json.loads(row[at]) for row in found.rows] == [
        [
            {"kind": "油菜", "sown": "2026-10-01"},
            {"kind": "水稻", "sown": "2026-05-01"},
            {"kind": None, "sown": "2025-05-01"},
        ],
        [],
    ]
    side = prepared.columns.index("__side_7")
    assert found.rows[0][side] == SEPARATOR * 2
    assert prepared.columns[0] == KEY
    assert "json_each" in prepared.describe()


async def test_rows_are_of_the_day_the_department_says(fields: Fields) -> None:
    fields.take("plots", PLOTS, 3, as_of="2026-11-20T18:00:00")
    found = await fields.plots(OWNER)
    assert found.as_of == datetime(2026, 11, 20, 10, tzinfo=UTC)
    assert found.freshness is Freshness.LIVE


async def test_rows_read_together_are_of_the_older_day(fields: Fields) -> None:
    fields.take("plots", PLOTS, 3, as_of="2026-11-20T00:00:00Z")
    fields.take("crops", CROPS, 4, as_of="2026-11-05T00:00:00Z")
    assert (await fields.plots(OWNER)).as_of == datetime(2026, 11, 20, tzinfo=UTC)
    both = await fields.plots(OWNER, rides=(fields.crops,))
    assert both.as_of == datetime(2026, 11, 5, tzinfo=UTC)


async def test_a_list_that_is_overdue_is_stale_and_still_given(fields: Fields) -> None:
    fields.take("plots", PLOTS, 3, as_of="2026-11-01T00:00:00Z")
    fields.now = datetime(2026, 11, 1, tzinfo=UTC) + timedelta(days=41)
    assert (await fields.plots(OWNER)).freshness is Freshness.LIVE
    fields.now += timedelta(seconds=1)
    stale = await fields.plots(OWNER)
    assert (stale.freshness, len(stale.rows)) == (Freshness.STALE, 2)


async def test_a_new_snapshot_is_read_from_the_next_question_on(fields: Fields) -> None:
    fields.take("plots", PLOTS, 3)
    assert len((await fields.plots(OWNER)).rows) == 2
    fields.take("plots", PLOTS + f"P4,{OWNER},陆云\n", 4, as_of="2026-11-10T00:00:00Z")
    found = await fields.plots(OWNER)
    assert [row[3] for row in found.rows] == ["P1", "P2", "P4"]
    assert found.as_of == datetime(2026, 11, 10, tzinfo=UTC)


async def test_who_reads_while_snapshots_come_always_has_a_whole_one(fields: Fields) -> None:
    fields.take("plots", PLOTS, 3)
    done = asyncio.Event()
    seen: set[int] = set()

    async def ask() -> None:
        while not done.is_set():
            found = await fields.plots(OWNER, OTHER)
            seen.add(len(found.rows))

    askers = [asyncio.create_task(ask()) for _ in range(4)]
    more = PLOTS
    for n in range(1, 11):
        more += f"Q{n},{OTHER},韦山\n"
        await asyncio.to_thread(fields.take, "plots", more, 3 + n)
    done.set()
    await asyncio.gather(*askers)
    assert seen <= set(range(3, 14))
    assert len(seen) > 2
    assert len((await fields.plots(OWNER, OTHER)).rows) == 13


async def test_nothing_delivered_is_a_source_that_is_down(fields: Fields) -> None:
    with pytest.raises(SourceUnavailable) as caught:
        await fields.plots(OWNER)
    assert caught.value.reason == "DOWN"
    with pytest.raises(SourceUnavailable):
        await fields.source.ping()
    fields.take("plots", PLOTS, 3)
    await fields.source.ping()
    assert len((await fields.plots(OWNER)).rows) == 2


async def test_a_table_nobody_delivered_is_down_and_its_neighbour_is_not(fields: Fields) -> None:
    fields.take("crops", CROPS, 4)
    for _ in range(10):
        with pytest.raises(SourceUnavailable, match="尚未送达") as caught:
            await fields.plots(OWNER)
    assert caught.value.extensions()["source"] == "fields"
    assert fields.guard.state.breaker is BreakerState.CLOSED


async def test_a_snapshot_that_is_broken_is_down_and_opens_the_breaker(fields: Fields) -> None:
    fields.take("plots", PLOTS, 3)
    await fields.plots(OWNER)
    fields.snapshot.write_bytes(b"\x00" * 8_192)
    for _ in range(10):
        with pytest.raises(SourceUnavailable):
            await fields.plots(OWNER)
    assert fields.guard.state.breaker is BreakerState.OPEN


@pytest.mark.parametrize(
    ("address", "folder"),
    [
        ("files:///srv/drop/jt", "/srv/drop/jt"),
        ("files:///srv/%E9%80%81%E8%BE%BE", "/srv/送达"),
        ("files://srv/drop", None),
        ("files:///srv?x=1", None),
        ("sqlite+aiosqlite:///a.sqlite", None),
        ("", None),
    ],
)
def test_an_address_is_an_absolute_folder(address: str, folder: str | None) -> None:
    if folder is None:
        with pytest.raises(ValueError, match="no drop folder"):
            drop_folder(address)
    else:
        assert drop_folder(address) == Path(folder)


# -- sources of the catalogue, by their address


async def _read(sources: Mapping[str, Source], name: str, request: ReadRequest, key: str) -> Rows:
    source = sources[name]
    try:
        return await source.read(source.prepare(request), Call([key], {}, limit=100))
    finally:
        await source.close()


def _sources(drop: Any) -> Mapping[str, Source]:
    words = load()
    address = {drop.spec.name: f"files://{drop.folder}"}
    folder = drop.snapshot.parent
    store = f"sqlite+aiosqlite:///{folder}/store.sqlite"
    wiring = registry.Wiring(store, MetaData(), address, {}, {}, 3.0, snapshots=folder)
    specs = {drop.spec.name: drop.spec}
    return registry.sources(specs, wiring, words.divisions, unmasked)


async def test_an_education_list_is_read_by_its_address_alone(
    school: Any, roll: Callable[..., bytes]
) -> None:
    school.deliver("在校生名册", "a.csv", roll(1, 2, encoding="gb18030"), encoding="gb18030")
    school.load()
    dataset = load().datasets["enrolment"]
    request = ReadRequest(dataset, ("name", "sex", "birthDate"), key="identity", masks={})
    asked = with_check_digit("53992220150101002")
    found = await _read(_sources(school), "jt_xueji", request, asked)
    assert found.rows == [(asked, None, "", "陆云", "MALE", "2015-01-01")]


async def test_water_works_are_read_by_village_with_their_serial_dates(
    water: Any, workbook: Callable[..., bytes], tmp_path: Path
) -> None:
    words = load()
    (shape,) = water.shapes
    told = {
        "工程编码": "SW1", "乡镇": "者腊乡", "村委会": "者腊村委会", "受益户数": 120,
        "故障日期": ("day", 46327), "修复日期": 46330, "供水状态": "正常\u3000",
    }  # fmt: skip
    rows = [("农村饮水工程台账",), tuple(shape.columns)]
    rows.append(tuple(told.get(column) for column in shape.columns))
    titled = type(shape)(
        shape.table, shape.names, shape.columns, shape.keys, type(shape.layout)(header_row=2)
    )
    water.shapes = (titled,)
    water.deliver("water_work", "a.xlsx", workbook(rows, tmp_path), rows=1)
    assert water.load().refused == ()
    village = next(d.code for d in words.divisions if d.name == "者腊村委会")
    fields = ("workNo", "households", "state", "faultOn", "repairedOn")
    request = ReadRequest(words.datasets["water_work"], fields, key="division", masks={})
    sources = _sources(water)
    statement = sources["sw_gongcheng"].prepare(request).describe()
    connection = sqlite3.connect(water.snapshot)
    plan = connection.execute(f"EXPLAIN QUERY PLAN {statement}", ("[]",)).fetchall()
    connection.close()
    assert any("USING INDEX" in step[3] for step in plan)  # of both names joined
    found = await _read(sources, "sw_gongcheng", request, village)
    assert found.rows == [(village, None, "", "SW1", 120, "NORMAL", "2026-11-01", "2026-11-04")]
