"""``hub db``: migrations and the catalogue's words in the store."""

from __future__ import annotations

import asyncio
from pathlib import Path

import click
from sqlalchemy.exc import SQLAlchemyError

from hub.cli.chosen import DIR, chosen, store_of
from hub.cli.say import FAILED, JSON, OPERATOR, Progress, as_json, stop
from hub.telemetry import logs

_UNDONE = {
    False: "数据库无法连接或升级失败：请检查 store.url 与数据库日志",
    True: "数据库无法连接、升级失败，或账号无权创建行级锁的角色：请检查 store.url 与数据库日志，"
    "无权时可把 store.row_lock 设为 0",
}


@click.group(help="数据库。")
def db() -> None:
    """The group."""
    logs.configure("WARNING")


@db.command(help="升级到程序所需的版本，并更新目录词表与（首次）权限策略。")
@DIR
def upgrade(folder: Path | None) -> None:
    """Migrate, refill the words, seed the policy of an empty store."""
    from hub.found import found
    from hub.placing import catalogue
    from store import migrate

    settings, site = chosen(folder)
    words, url, progress = catalogue(settings), settings.store_url, Progress()
    try:
        progress("升级数据库", 0.0)
        migrate.upgrade(url)
        progress("装入目录词表", 0.5)
        asyncio.run(found(url, catalog=words, demo=site is not None))
        if settings.store_row_lock:
            progress("设置行级锁", 0.9)
            asyncio.run(_lock(url))
        if url.startswith("postgresql"):
            progress("设置数据库角色", 0.95)
            asyncio.run(_roles(url, anew=False))
        current, _ = migrate.status(url)
    except (SQLAlchemyError, OSError):
        stop(_UNDONE[settings.store_row_lock], OPERATOR)
    finally:
        progress.done()
    click.echo(f"数据库已是版本 {current}")


@db.command(help="设置行级锁（仅 PostgreSQL），供 store.row_lock 使用；可重复执行。")
@DIR
def lock(folder: Path | None) -> None:
    """Roles and policies of `store/row_lock.py`."""
    address = store_of(folder)
    if not address.startswith("postgresql"):
        stop("此数据库没有行级锁：请改用 PostgreSQL，或把 store.row_lock 设为 0", OPERATOR)
    try:
        asyncio.run(_lock(address))
    except (SQLAlchemyError, OSError):
        stop("行级锁未能设置：请确认账号是表的所有者，并有创建角色的权限", OPERATOR)
    click.echo("行级锁已设置")


async def _lock(address: str) -> None:
    from store.engine import single
    from store.row_lock import lock as set_lock

    async with single(address) as connection:
        await set_lock(connection)


@db.command(help="设置正式环境的数据库角色（仅 PostgreSQL）；可重复执行。")
@DIR
def roles(folder: Path | None) -> None:
    """Roles and rights of `store/roles.py`, by the tables' owner."""
    from store.roles import ROLES

    address = store_of(folder)
    if not address.startswith("postgresql"):
        stop("此数据库没有角色：请改用 PostgreSQL", OPERATOR)
    try:
        asyncio.run(_roles(address, anew=True))
    except (SQLAlchemyError, OSError):
        stop("角色未能设置：请确认账号是表的所有者、有创建角色的权限，并已升级数据库", OPERATOR)
    click.echo(f"角色已设置：{'、'.join(ROLES)}")


async def _roles(address: str, *, anew: bool) -> None:
    """Set the roles; without `anew` only where they are set already: new tables need rights."""
    from store.engine import single
    from store.roles import has_roles, set_roles

    async with single(address) as connection:
        if anew or await has_roles(connection):
            await set_roles(connection)


@db.command(help="查看数据库版本与程序所需版本。")
@DIR
@JSON
def status(folder: Path | None, json_: bool) -> None:
    """Exit 1 if they differ."""
    from store import migrate

    try:
        current, head = migrate.status(store_of(folder))
    except (SQLAlchemyError, OSError):
        stop("数据库无法连接：请检查 store.url", OPERATOR)
    if json_:
        as_json({"current": current, "needed": head})
    else:
        click.echo(f"数据库版本 {current or '空'}，程序需要 {head}")
    raise SystemExit(0 if current == head else FAILED)
