"""The hub starts on its own tables and among its own kind of people, or says why not."""

from __future__ import annotations

import asyncio
import datetime
import re
from pathlib import Path

import pytest
from sqlalchemy import insert, text

from adapters.identity import with_check_digit
from hub.found import found
from hub.settings import Settings, SettingsError, load_settings
from hub.start import Unready, ready
from store import migrate
from store.engine import open_engine
from store.register import citizen
from store.row_lock import lock

INVENTED = with_check_digit("53992219900101001")
# Just below and just above the invented prefix; wrong check digits, so nobody's.
NEIGHBOURS = ("539822199001010010", "540022199001010010")


def settings(profile: str, url: str, folder: Path, **more: str) -> Settings:
    given = {
        "profile": profile,
        "data_dir": folder,
        "store.url": url,
        "issuer": "https://i.invalid",
        "store.row_lock": "0",
        **more,
    }
    return load_settings(environ={}, given=given)


def placed(dataset: str, url: str) -> dict[str, str]:
    """The settings that place a data set in the database at `url`."""
    return {"sources.apart": url, f"placed.{dataset}": "apart"}


def execute(url: str, *statements: str) -> None:
    async def run() -> None:
        engine = open_engine(url, pool_size=1)
        async with engine.begin() as connection:
            for statement in statements:
                await connection.execute(text(statement))
        await engine.dispose()

    asyncio.run(run())


def registered(url: str, *numbers: str | None) -> None:
    """People with these id numbers in the register of a migrated store."""

    async def run() -> None:
        engine = open_engine(url, pool_size=1)
        async with engine.begin() as connection:
            for index, number in enumerate(numbers):
                await connection.execute(
                    insert(citizen).values(
                        id=f"c{index}",
                        citizen_uid=f"u{index}",
                        id18=number,
                        name="某某",
                        sex="UNKNOWN",
                        region_path="532622205",
                        region_state="PLACED",
                        dq="",
                        as_of=datetime.date(2026, 1, 1),
                    )
                )
        await engine.dispose()

    asyncio.run(run())


def test_an_empty_register_suits_both_profiles(store_url: str, tmp_path: Path) -> None:
    migrate.upgrade(store_url)
    ready(settings("production", store_url, tmp_path))
    ready(settings("demo", store_url, tmp_path))


def test_production_refuses_invented_people(store_url: str, tmp_path: Path) -> None:
    migrate.upgrade(store_url)
    registered(store_url, INVENTED, *NEIGHBOURS, None)
    with pytest.raises(Unready, match="有 1 名虚构人员"):
        ready(settings("production", store_url, tmp_path))


def test_the_demonstration_refuses_everybody_else(store_url: str, tmp_path: Path) -> None:
    migrate.upgrade(store_url)
    registered(store_url, INVENTED, *NEIGHBOURS, None)
    with pytest.raises(Unready, match="有 2 名非虚构人员") as refused:
        ready(settings("demo", store_url, tmp_path))
    assert not re.search(r"\d{15}", str(refused.value))


def test_people_without_a_number_suit_both(store_url: str, tmp_path: Path) -> None:
    migrate.upgrade(store_url)
    registered(store_url, None, None)
    ready(settings("production", store_url, tmp_path))
    ready(settings("demo", store_url, tmp_path))


def test_each_profile_takes_its_own_people(store_url: str, tmp_path: Path) -> None:
    migrate.upgrade(store_url)
    registered(store_url, INVENTED)
    ready(settings("demo", store_url, tmp_path))
    execute(store_url, f"UPDATE citizen SET id18 = '{NEIGHBOURS[0]}'")
    ready(settings("production", store_url, tmp_path))


def test_an_empty_store_is_refused_with_the_remedy(store_url: str, tmp_path: Path) -> None:
    with pytest.raises(Unready, match=r"^数据库版本为 空，程序需要 \w+：请先运行 hub db upgrade$"):
        ready(settings("production", store_url, tmp_path))


def test_an_older_store_is_refused_with_the_remedy(store_url: str, tmp_path: Path) -> None:
    migrate.upgrade(store_url)
    execute(store_url, "UPDATE alembic_version SET version_num = 'older'")
    assert migrate.status(store_url)[0] == "older"
    with pytest.raises(
        Unready, match=r"^数据库版本为 older，程序需要 \w+：请先运行 hub db upgrade$"
    ):
        ready(settings("production", store_url, tmp_path))


@pytest.mark.parametrize(
    "url",
    [
        "sqlite+aiosqlite:////nowhere/store.sqlite",
        "postgresql+asyncpg://nobody:secret@127.0.0.1:1/hub",
    ],
)
def test_a_store_that_is_not_there_is_one_line(url: str, tmp_path: Path) -> None:
    with pytest.raises(Unready) as refused:
        ready(settings("production", url, tmp_path))
    assert str(refused.value) == "数据库无法连接：请检查 store.url"


def test_a_file_that_is_no_database_is_one_line(tmp_path: Path) -> None:
    (tmp_path / "store.sqlite").write_text("这不是数据库" * 100)
    with pytest.raises(Unready) as refused:
        ready(settings("demo", f"sqlite+aiosqlite:///{tmp_path / 'store.sqlite'}", tmp_path))
    assert str(refused.value) == "数据库无法连接：请检查 store.url"


@pytest.mark.postgres
def test_a_database_that_is_not_there_is_one_line(pg_url: str, tmp_path: Path) -> None:
    with pytest.raises(Unready) as refused:
        ready(settings("production", f"{pg_url}_gone", tmp_path))
    assert str(refused.value) == "数据库无法连接：请检查 store.url"


# ---- data sets in other databases ---------------------------------------------------------------


@pytest.fixture
def apart(tmp_path: Path) -> str:
    """Another database with the store's tables and the catalogue's words, nobody in it."""
    url = f"sqlite+aiosqlite:///{tmp_path / 'apart.sqlite'}"
    migrate.upgrade(url)
    asyncio.run(found(url))
    return url


def test_a_fit_database_may_hold_data_sets(store_url: str, apart: str, tmp_path: Path) -> None:
    migrate.upgrade(store_url)
    ready(settings("production", store_url, tmp_path, **placed("case", apart)))


def test_an_unfit_database_is_refused_with_its_name(
    store_url: str, apart: str, tmp_path: Path
) -> None:
    migrate.upgrade(store_url)
    execute(apart, "DELETE FROM division")
    with pytest.raises(Unready) as refused:
        ready(settings("production", store_url, tmp_path, **placed("case", apart)))
    assert str(refused.value) == (
        "数据源 apart 的区划与目录不一致：请以其地址为 store.url 运行 hub db upgrade"
    )


def test_a_database_that_is_down_does_not_keep_the_hub_from_starting(
    store_url: str, apart: str, tmp_path: Path
) -> None:
    migrate.upgrade(store_url)
    ready(settings("production", store_url, tmp_path, **placed("case", f"{apart}_gone")))
    assert not Path(f"{tmp_path / 'apart.sqlite'}_gone").exists()


def test_people_are_judged_where_they_lie(store_url: str, apart: str, tmp_path: Path) -> None:
    migrate.upgrade(store_url)
    registered(apart, INVENTED)
    with pytest.raises(Unready, match="有 1 名虚构人员"):
        ready(settings("production", store_url, tmp_path, **placed("citizen", apart)))
    ready(settings("demo", store_url, tmp_path, **placed("citizen", apart)))
    ready(settings("production", store_url, tmp_path, **placed("case", apart)))


def test_people_who_cannot_be_judged_keep_the_hub_from_starting(
    store_url: str, tmp_path: Path
) -> None:
    migrate.upgrade(store_url)
    away = placed("citizen", f"sqlite+aiosqlite:///{tmp_path / 'people.sqlite'}")
    with pytest.raises(Unready) as refused:
        ready(settings("production", store_url, tmp_path, **away))
    assert not (tmp_path / "people.sqlite").exists()
    assert str(refused.value) == "数据库无法连接，不能核对底册：请检查 sources.apart"


def test_what_cannot_be_placed_is_refused_first(tmp_path: Path) -> None:
    wrong = placed("house", "sqlite+aiosqlite:////nowhere/people.sqlite")
    with pytest.raises(SettingsError, match=r"数据集 `house` 属于数据源 `wfgz`"):
        ready(settings("production", "sqlite+aiosqlite:////nowhere/store", tmp_path, **wrong))


# ---- the lock by place -------------------------------------------------------------------------


def test_production_on_postgresql_is_locked_unless_it_says_no(tmp_path: Path) -> None:
    def locked(profile: str, url: str, **more: str) -> bool:
        given = {"profile": profile, "data_dir": tmp_path, "store.url": url, "issuer": "https://i"}
        return load_settings(environ={}, given={**given, **more}).store_row_lock

    sqlite, postgres = f"sqlite+aiosqlite:///{tmp_path}/s.sqlite", "postgresql+asyncpg://h@h/h"
    assert locked("production", postgres) is True
    assert locked("production", postgres, **{"store.row_lock": "0"}) is False
    assert locked("production", sqlite) is False
    assert locked("demo", postgres) is False
    assert locked("demo", postgres, **{"store.row_lock": "1"}) is True


@pytest.mark.postgres
def test_a_store_that_should_be_locked_and_is_not_is_refused(pg_url: str, tmp_path: Path) -> None:
    migrate.upgrade(pg_url)
    asyncio.run(found(pg_url))
    shut = {"store.row_lock": "1"}
    with pytest.raises(Unready) as refused:
        ready(settings("production", pg_url, tmp_path, **shut))
    assert str(refused.value) == (
        "store.url 的行级锁尚未设置：请以其地址为 store.url 运行 hub db lock"
    )
    ready(settings("production", pg_url, tmp_path))

    async def set_lock() -> None:
        engine = open_engine(pg_url, pool_size=1)
        async with engine.begin() as connection:
            await lock(connection)
        await engine.dispose()

    asyncio.run(set_lock())
    ready(settings("production", pg_url, tmp_path, **shut))


def test_sqlite_has_no_such_lock(tmp_path: Path) -> None:
    url = f"sqlite+aiosqlite:///{tmp_path}/s.sqlite"
    migrate.upgrade(url)
    asyncio.run(found(url))
    with pytest.raises(Unready, match="没有行级锁"):
        ready(settings("production", url, tmp_path, **{"store.row_lock": "1"}))
