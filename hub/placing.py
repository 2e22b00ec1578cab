"""Where the hub's own data sets lie: the catalogue and the databases as the settings place them."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping

from sqlalchemy import select
from sqlalchemy.exc import SQLAlchemyError

from catalog.load import Catalog, load
from catalog.placing import misplaced, placed
from hub.settings import Settings, SettingsError
from store.catalogue import divisions
from store.engine import single
from store.migrate import status
from store.words import division


def catalogue(settings: Settings) -> Catalog:
    """The catalogue with every data set at its source.

    CatalogError for a file, SettingsError for data sets that cannot lie where they are placed.
    """
    words = load(settings.catalog_extra_dir)
    if not settings.placed:
        return words
    wrong = [(f"placed.{name}", why) for name, why in misplaced(words, settings.placed)]
    if wrong:
        raise SettingsError(tuple(settings.objection(key, why) for key, why in wrong))
    return placed(words, settings.placed)


def copies(settings: Settings) -> Mapping[str, str]:
    """Source -> address of every database that data sets are placed in."""
    return {name: settings.sources[name] for name in sorted(set(settings.placed.values()))}


def address_of(settings: Settings, dataset: str) -> str:
    """The address of the database one of the hub's own data sets lies in."""
    where = settings.placed.get(dataset)
    return settings.store_url if where is None else settings.sources[where]


def unfit(address: str, words: Catalog, within_s: float) -> str:
    """Why a database cannot hold data sets of ours, and what to do; empty if it can.

    Its tables must be of the program's version, its divisions those of the catalogue: places
    are read beside the rows that are masked by them. One that does not answer `within_s` is
    not judged. Not inside a coroutine.
    """
    try:
        current, head = status(address, readonly=True, within_s=within_s)
        if current != head:
            return f"的数据库版本为 {current or '空'}，程序需要 {head}：{REMEDY}"
        known = {(row["path"], row["name"]) for row in divisions(words)}
        if asyncio.run(_divisions(address, within_s)) != known:
            return f"的区划与目录不一致：{REMEDY}"
    except (SQLAlchemyError, OSError):
        pass
    return ""


REMEDY = "请以其地址为 store.url 运行 hub db upgrade"


async def _divisions(address: str, within_s: float) -> set[tuple[str, str]]:
    async with asyncio.timeout(within_s), single(address, readonly=True) as connection:
        rows = await connection.execute(select(division.c.path, division.c.name))
        return {(row.path, row.name) for row in rows}
