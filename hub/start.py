"""What must be true before the hub may answer: the right tables, people, and log.

A store at an older migration is refused with the command that mends it, and so is a database
that data sets are placed in, unless it does not answer: then its fields alone are missing.
A log that is not the one whose checkpoints were signed is refused, too (`hub/signing.py`).
The register is judged wherever it lies; it must answer. Invented people
(id prefix 5399) and real ones never meet: production refuses the former, the demonstration
everybody else.
"""

from __future__ import annotations

import asyncio

from sqlalchemy import func, select
from sqlalchemy.exc import SQLAlchemyError

from catalog.errors import Readable
from catalog.load import Catalog
from hub.placing import address_of, catalogue, copies, unfit
from hub.settings import Profile, Settings
from hub.signing import rollback
from store.engine import single
from store.migrate import status
from store.register import citizen
from store.row_lock import is_locked

INVENTED = "5399"


class Unready(Readable):
    """One Chinese line: what is wrong and what to do."""


def ready(settings: Settings) -> None:
    """Return if the hub may start; Unready otherwise. Not inside a coroutine.

    CatalogError, SettingsError as `catalogue`.
    """
    words = catalogue(settings)
    try:
        current, head = status(settings.store_url)
        if current != head:
            raise Unready(
                f"数据库版本为 {current or '空'}，程序需要 {head}：请先运行 hub db upgrade"
            )
    except (SQLAlchemyError, OSError):
        raise Unready("数据库无法连接：请检查 store.url") from None
    if settings.store_row_lock:
        _locks(settings)
    _copies(settings, words)
    where = settings.placed.get(citizen.name)
    try:
        invented, others = asyncio.run(_people(address_of(settings, citizen.name)))
    except (SQLAlchemyError, OSError):
        key = "store.url" if where is None else f"sources.{where}"
        raise Unready(f"数据库无法连接，不能核对底册：请检查 {key}") from None
    if settings.profile is Profile.PRODUCTION and invented:
        raise Unready(f"正式环境的底册中有 {invented} 名虚构人员（5399 开头）：请换用正式数据库")
    if settings.profile is Profile.DEMO and others:
        raise Unready(f"演示环境的底册中有 {others} 名非虚构人员：请换用演示数据库")
    suspect = rollback(settings)
    if suspect is not None:
        raise Unready(suspect)


def _locks(settings: Settings) -> None:
    """The lock by place is set wherever own tables lie; a copy that does not answer is let be."""
    addresses = {"store.url": settings.store_url}
    addresses |= {f"sources.{name}": url for name, url in copies(settings).items()}
    for key, address in addresses.items():
        if not address.startswith("postgresql"):
            raise Unready(f"{key} 不是 PostgreSQL，没有行级锁：请把 store.row_lock 设为 0")
        try:
            locked = asyncio.run(_locked(address))
        except (SQLAlchemyError, OSError):
            continue
        if not locked:
            raise Unready(f"{key} 的行级锁尚未设置：请以其地址为 store.url 运行 hub db lock")


async def _locked(url: str) -> bool:
    async with single(url, readonly=True) as connection:
        return await is_locked(connection)


def _copies(settings: Settings, words: Catalog) -> None:
    for name, address in copies(settings).items():
        why = unfit(address, words, settings.source_deadline_s)
        if why:
            raise Unready(f"数据源 {name} {why}")


async def _people(url: str) -> tuple[int, int]:
    """How many register rows have an invented id number, and how many another one."""
    whole = select(func.count()).where(citizen.c.id18.is_not(None))
    invented = whole.where(citizen.c.id18 >= INVENTED, citizen.c.id18 < "5400")
    async with single(url, readonly=True) as connection:
        made_up = int(await connection.scalar(invented) or 0)
        everybody = int(await connection.scalar(whole) or 0)
    return made_up, everybody - made_up
