"""The catalogue as the settings place it, and the databases that are fit to hold it."""

from __future__ import annotations

import asyncio
import re
import socket
import time
from collections.abc import Mapping
from pathlib import Path

import pytest
from sqlalchemy import text
from sqlalchemy.engine import make_url

from catalog.load import load
from hub.found import found
from hub.placing import address_of, catalogue, copies, unfit
from hub.settings import Settings, SettingsError, load_settings
from store.engine import open_engine
from store.migrate import upgrade

CASES, EVENTS = "sqlite+aiosqlite:////nowhere/c", "postgresql+asyncpg://db/events"
PLACED = {
    "HUB_PROFILE": "demo",
    "HUB_SOURCES_CASES": CASES,
    "HUB_SOURCES_EVENTS": EVENTS,
    "HUB_PLACED_CASE": "cases",
    "HUB_PLACED_SUPERVISION_ORDER": "cases",
    "HUB_PLACED_CASE_EVENT": "events",
}
WAIT_S = 5.0


def settings(**more: str) -> Settings:
    return load_settings(PLACED | more)


def test_without_a_placement_the_catalogue_is_that_of_the_files() -> None:
    assert catalogue(load_settings({"HUB_PROFILE": "demo"})) is load(None)
    assert copies(load_settings({"HUB_PROFILE": "demo"})) == {}


def test_each_data_set_is_at_its_source() -> None:
    words = catalogue(settings())
    sources = {name: words.datasets[name].source for name in ("citizen", "case", "case_event")}
    assert sources == {"citizen": "hub", "case": "cases", "case_event": "events"}
    assert copies(settings()) == {"cases": CASES, "events": EVENTS}
    addresses = [address_of(settings(), name) for name in ("citizen", "case", "case_event")]
    assert addresses == [settings().store_url, CASES, EVENTS]


@pytest.mark.parametrize(
    ("more", "lines"),
    [
        (
            {"HUB_PLACED_CASS": "cases"},
            [
                "设置 `placed.cass` 的值 `cases` 无法使用（来自环境变量 HUB_PLACED_CASS）："
                "没有数据集 `cass`，是否应为 `case`？"
            ],
        ),
        (
            {"HUB_PLACED_DIVISION": "events", "HUB_PLACED_HOUSE": "cases"},
            [
                "设置 `placed.division` 的值 `events` 无法使用（来自环境变量 HUB_PLACED_DIVISION）"
                "：数据集 `division` 由目录写入自有库，须留在 `hub`；`citizen` 按区划脱敏时在自己的"
                "库中读取它，请删除此设置",
                "设置 `placed.house` 的值 `cases` 无法使用（来自环境变量 HUB_PLACED_HOUSE）："
                "数据集 `house` 属于数据源 `wfgz`，只有自有库（`hub`）的数据集可以另放，"
                "请删除此设置",
            ],
        ),
        (
            {"HUB_PLACED_CITIZEN": "wfgz", "HUB_SOURCES_WFGZ": CASES},
            [
                "设置 `placed.citizen` 的值 `wfgz` 无法使用（来自环境变量 HUB_PLACED_CITIZEN）："
                "`wfgz` 是住建农村危房改造系统，不能存放自有库的数据集，请换一个名称并在 sources 中"
                "填写其地址"
            ],
        ),
    ],
)
def test_what_cannot_be_placed_is_a_line_of_its_setting(
    more: Mapping[str, str], lines: list[str]
) -> None:
    with pytest.raises(SettingsError) as caught:
        catalogue(settings(**more))
    assert list(caught.value.lines) == lines


def execute(url: str, statement: str) -> None:
    async def run() -> None:
        engine = open_engine(url, pool_size=1)
        async with engine.begin() as connection:
            await connection.execute(text(statement))
        await engine.dispose()

    asyncio.run(run())


def test_a_copy_of_the_store_is_fit(store_url: str) -> None:
    upgrade(store_url)
    asyncio.run(found(store_url))
    assert unfit(store_url, load(), WAIT_S) == ""


def test_other_tables_are_unfit(store_url: str) -> None:
    execute(store_url, "CREATE TABLE other (id INTEGER)")
    upgrade_ = "请以其地址为 store.url 运行 hub db upgrade"
    assert re.fullmatch(
        rf"的数据库版本为 空，程序需要 \w+：{upgrade_}", unfit(store_url, load(), WAIT_S)
    )
    upgrade(store_url)
    execute(store_url, "UPDATE alembic_version SET version_num = 'older'")
    assert unfit(store_url, load(), WAIT_S).startswith("的数据库版本为 older，")


@pytest.mark.parametrize(
    "statement",
    ["DELETE FROM division", "UPDATE division SET name = '误' WHERE path = '532622205'"],
)
def test_other_places_are_unfit(store_url: str, statement: str) -> None:
    upgrade(store_url)
    asyncio.run(found(store_url))
    execute(store_url, statement)
    assert unfit(store_url, load(), WAIT_S) == (
        "的区划与目录不一致：请以其地址为 store.url 运行 hub db upgrade"
    )


def test_what_is_not_there_is_not_judged_and_not_made(tmp_path: Path) -> None:
    file = tmp_path / "cases.sqlite"
    assert unfit(f"sqlite+aiosqlite:///{file}", load(), WAIT_S) == ""
    assert not file.exists()


@pytest.mark.postgres
def test_a_database_that_is_gone_is_not_judged(pg_url: str) -> None:
    assert unfit(f"{pg_url}_gone", load(), WAIT_S) == ""


@pytest.mark.loopback
def test_a_database_that_never_answers_holds_up_no_start() -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        port = silent.getsockname()[1]
        begun = time.monotonic()
        assert unfit(f"postgresql+asyncpg://a@127.0.0.1:{port}/hub", load(), 0.2) == ""
    assert 0.2 <= time.monotonic() - begun < 5


def test_judging_a_file_changes_nothing_in_it(tmp_path: Path) -> None:
    url = f"sqlite+aiosqlite:///{tmp_path / 'cases.sqlite'}"
    upgrade(url)
    asyncio.run(found(url))
    before = Path(str(make_url(url).database)).read_bytes()
    assert unfit(url, load(), WAIT_S) == ""
    assert Path(str(make_url(url).database)).read_bytes() == before
