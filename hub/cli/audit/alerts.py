"""``hub audit alerts``: what has been raised, and handling it with a note."""

from __future__ import annotations

import asyncio
import contextlib
import json
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import click
from sqlalchemy import select
from sqlalchemy.exc import SQLAlchemyError

from audit.alerts import NoSuchAlert, OwnAlert, acknowledge
from audit.rules import RULES, SECOND
from catalog.errors import AuditUnavailable
from catalog.workdays import ZONE
from hub.cli.audit import audit
from hub.cli.chosen import DIR, chosen, store_of
from hub.cli.say import JSON, OPERATOR, USAGE, as_json, stop
from hub.keys import load_keys, note_digest
from hub.settings import Profile, Settings
from store.audit import audit_alert
from store.engine import single

SHORTEST_NOTE = 4  # characters: less says nothing
SHOWN = 100  # the newest
STATES = {"OPEN": "未处置", "HANDLED": "已处置"}


@audit.group(help="告警：列出、处置。")
def alerts() -> None:
    """The group."""


@alerts.command("list", help="列出告警，新的在前。")
@click.option("--open", "open_", is_flag=True, help="只列未处置的")
@DIR
@JSON
def list_(open_: bool, folder: Path | None, json_: bool) -> None:
    """The newest hundred."""
    with said_in_one_line():
        rows = asyncio.run(_alerts(store_of(folder), open_))
    if json_:
        as_json([_told(row) for row in rows])
        return
    for row in rows:
        about = row.actor or "日志"
        due = f"  须于 {when(row.due_at)} 前处置" if row.due_at and row.state == "OPEN" else ""
        title = RULES[row.rule].title if row.rule in RULES else row.rule
        click.echo(
            f"{row.id}  {when(row.raised_at)}  {STATES[row.state]}  {row.rule} {title}"
            f"  {about}  计 {row.count}  记录第 {row.raised_idx} 条{due}"
        )
    if not rows:
        click.echo("没有未处置的告警" if open_ else "没有告警")


@alerts.command(help="处置一条告警：须写明情况；不得处置关于本人的告警。")
@click.argument("alert", metavar="ID")
@click.option("--by", required=True, help="审计员的账号")
@click.option("--note", required=True, help=f"处置情况，至少 {SHORTEST_NOTE} 个字")
@DIR
def ack(alert: str, by: str, note: str, folder: Path | None) -> None:
    """State, note and record in one transaction."""
    text = note.strip()
    if len(text) < SHORTEST_NOTE:
        stop(f"处置情况太短：请至少写 {SHORTEST_NOTE} 个字", USAGE)
    settings, _ = chosen(folder)
    with said_in_one_line():
        try:
            idx = asyncio.run(_handled(settings, alert, by, text))
        except NoSuchAlert:
            stop(f"没有未处置的告警 `{alert}`：请用 hub audit alerts list --open 查看", USAGE)
        except OwnAlert:
            stop("不得处置关于本人的告警：请由另一名审计员处置", USAGE)
    click.echo(f"告警 {alert} 已处置，记录第 {idx} 条")


async def _handled(settings: Settings, alert: str, by: str, text: str) -> int:
    from hub.recording import is_officer, recording

    digest = note_digest(keys_of(settings), text)
    async with recording(settings) as (engine, log):
        if not await is_officer(engine, by):
            raise NotAnOfficer
        return await acknowledge(engine, log, alert, by=by, note=text, digest=digest)


def keys_of(settings: Settings) -> Any:
    """The audit key ring."""
    return load_keys(settings.keys_dir, create=settings.profile is Profile.DEMO).audit


async def _alerts(url: str, open_: bool) -> Any:
    asked = select(audit_alert).order_by(audit_alert.c.raised_idx.desc()).limit(SHOWN)
    if open_:
        asked = asked.where(audit_alert.c.state == "OPEN")
    async with single(url, readonly=True) as connection:
        return (await connection.execute(asked)).all()


def _told(row: Any) -> dict[str, object]:
    return dict(row._mapping) | {"evidence": json.loads(row.evidence)}


def when(us: int) -> str:
    """A time as an officer reads it, in Shanghai."""
    return f"{datetime.fromtimestamp(us // SECOND, UTC).astimezone(ZONE):%Y-%m-%d %H:%M:%S}"


class NotAnOfficer(Exception):
    """The account named is not an auditor's."""


@contextlib.contextmanager
def said_in_one_line() -> Iterator[None]:
    """A store that is away, a log that cannot be written, somebody who may not."""
    try:
        yield
    except NotAnOfficer:
        stop("--by 须为在岗审计员的账号", USAGE)
    except AuditUnavailable:
        stop("访问审计无法写入，未作任何改动：请检查数据库", OPERATOR)
    except (SQLAlchemyError, OSError):
        stop("数据库无法连接或版本不符：请检查 store.url，或先运行 hub db upgrade", OPERATOR)
