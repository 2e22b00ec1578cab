"""``hub audit restart-log``: the only way on after a genuine loss, by two accounts."""

from __future__ import annotations

import asyncio
from pathlib import Path

import click
from sqlalchemy import select
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.ext.asyncio import AsyncEngine

from audit.record import is_code
from audit.restart import CannotRestart, Order, restart
from audit.verify import CannotRead
from catalog.errors import AuditUnavailable
from hub.cli.audit import audit
from hub.cli.chosen import DIR, chosen
from hub.cli.say import OPERATOR, USAGE, stop
from hub.settings import Settings
from hub.signing import memory_of, next_log_id, process_writer, signer_of, signers_of
from store.accounts import principal
from store.engine import open_engine

_WHY = {
    "BUSY": "中枢仍在运行：请先停止本机上的全部进程",
    "NOTHING": "从未签署过检查点，无须重新开始",
    "BROKEN": "数据库中余下的记录本身不完整：请先恢复一份完整的备份，再重新开始",
    "KEYS": "今日没有可用的签名密钥：请检查 checkpoint.keys",
}


@audit.command("restart-log", help="确属丢失后，由两人批准，以新名称重新开始日志；旧证据保留。")
@click.option("--by", required=True, help="办理人的账号")
@click.option("--approved-by", required=True, help="批准人的账号，须是另一人")
@click.option("--reason", required=True, help="原因代码，如 DISK_LOST")
@DIR
def restart_log(by: str, approved_by: str, reason: str, folder: Path | None) -> None:
    """Print the new log's first note."""
    if by == approved_by:
        stop("办理人与批准人须是不同的两个账号", USAGE)
    if not all(map(is_code, (by, approved_by, reason))):
        stop("账号与原因须是代码：不含空格，不超过 128 个字", USAGE)
    settings, _ = chosen(folder)
    order = Order(by, approved_by, reason)
    try:
        note = asyncio.run(_restarted(settings, order))
    except CannotRestart as error:
        stop(_WHY[error.reason], OPERATOR)
    except (SQLAlchemyError, OSError, CannotRead, AuditUnavailable):
        stop("数据库或签名者的文件无法读写：请检查后重试", OPERATOR)
    click.echo(note, nl=False)


async def _restarted(settings: Settings, order: Order) -> str:
    engine = open_engine(settings.store_url)
    try:
        await _known(engine, order)
        memory = await restart(
            engine,
            memory_of(settings),
            order,
            writer=process_writer(),
            name=lambda old: next_log_id(settings, old),
            keys=lambda log: tuple(signers_of(settings, log)),
        )
        signer = signer_of(settings, engine)
        await signer.step(now=True)  # into the database, and to the anchor
        signer.release()
        return memory.note
    finally:
        await engine.dispose()


async def _known(engine: AsyncEngine, order: Order) -> None:
    """Both are active accounts; a store that lost its accounts, too, takes their word."""
    async with engine.connect() as connection:
        rows = (await connection.execute(select(principal.c.id, principal.c.state))).all()
    active = {row.id for row in rows if row.state == "active"}
    unknown = [name for name in (order.by, order.approved_by) if name not in active]
    if rows and unknown:
        stop(f"没有在用的账号 `{unknown[0]}`", USAGE)
