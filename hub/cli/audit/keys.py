"""``hub audit keys list|rotate``: who signs the checkpoints, and from which day."""

from __future__ import annotations

import asyncio
import secrets
from datetime import datetime
from pathlib import Path

import click
from sqlalchemy.exc import SQLAlchemyError

from audit.batch import now_us
from audit.keyring import SEED_BYTES, Published, SigningKey, day_of
from audit.log import AuditLog
from audit.memory import RollbackSuspected
from audit.record import Draft, Kind, Op, is_code
from catalog.errors import AuditUnavailable
from hub.cli.audit import audit
from hub.cli.chosen import DIR, chosen
from hub.cli.say import OPERATOR, USAGE, stop
from hub.keys import add_signing_key, signing_keys
from hub.settings import Settings
from hub.signing import log_id, memory_of, process_writer
from store.engine import open_engine


@audit.group(help="签署检查点的密钥。")
def keys() -> None:
    """The group."""


@keys.command("list", help="逐行打印公钥：vkey 起用日 停用日（仍在使用为 -），供核验者保存。")
@DIR
def list_(folder: Path | None) -> None:
    """Under the log's name, and under the names it had before."""
    settings, _ = chosen(folder)
    ring = signing_keys(settings.keys_dir)
    for name in _names(settings):
        for key in ring.published(name):
            click.echo(str(key))


def _names(settings: Settings) -> tuple[str, ...]:
    try:
        memory = memory_of(settings).read()
    except (RollbackSuspected, OSError):
        memory = None
    return (*(memory.former if memory else ()), log_id(settings))


@keys.command(help="生成新的签名密钥，自 --from 当日起签署；旧密钥再一并签署七日。")
@click.option(
    "--from", "day", type=click.DateTime(["%Y-%m-%d"]), required=True, help="起用日（北京时间）"
)
@click.option("--by", required=True, help="办理人的账号")
@DIR
def rotate(day: datetime, by: str, folder: Path | None) -> None:
    """The record first, then the key: a key that nobody was told of never signs."""
    settings, _ = chosen(folder)
    ring, since = signing_keys(settings.keys_dir), day.date()
    if since < day_of(now_us()) or since <= ring.keys[-1].since:
        stop("起用日不得早于今日，并须晚于已有各密钥的起用日", USAGE)
    if not is_code(by):
        stop("--by 不是账号", USAGE)
    key = SigningKey(since, secrets.token_bytes(SEED_BYTES))
    told = Published(key.signer(log_id(settings)).verifier, since, None)
    try:
        asyncio.run(_record(settings, told, by))
    except (AuditUnavailable, SQLAlchemyError, OSError):
        stop("轮换无法记入日志，未更换密钥：请检查数据库", OPERATOR)
    add_signing_key(settings.keys_dir, key)
    click.echo(str(told))


async def _record(settings: Settings, key: Published, by: str) -> None:
    said = {"key": key.key.key_id.hex(), "from": str(key.since)}
    draft = Draft(Kind.KEY_ROTATED, actor=by, op=Op(name="keys-rotate", vars=said))
    engine = open_engine(settings.store_url)
    log = AuditLog(engine, process_writer(), log_id(settings), wait_s=settings.audit_wait_s)
    try:
        await log.start(draft)
        await log.stop()
    finally:
        await engine.dispose()
