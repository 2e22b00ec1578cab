"""``hub job``: the scheduler's jobs, by hand; what a worker does by itself when they are due."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import click

from hub.cli.chosen import DIR, selected
from hub.cli.grid import grid
from hub.cli.say import JSON, OPERATOR, as_json, no_store, stop
from hub.telemetry import logs

if TYPE_CHECKING:
    from catalog.load import Catalog
    from hub.jobs import Ran
    from hub.settings import Settings
    from store.jobs import JobRow

TITLES = {
    "outages": "数据源停机与工单计时",
    "overdue": "超时记录与催办",
    "reminders": "延时提醒",
    "escalation": "督办逾期与升级",
    "expiry": "到期清理",
    "comparison": "每月比对批次",
}
"""What each job does."""


@click.group(help="定时任务：查看、立即执行；各进程轮流执行，同一时刻只有一个。")
def job() -> None:
    """The group."""
    logs.configure("CRITICAL")  # what is wrong is said in one line, below


@job.command("list", help="列出任务：上次完成的时间、当时处理的件数、正由谁执行。")
@DIR
@JSON
def list_(folder: Path | None, json_: bool) -> None:
    """0, or 3 if the store does not answer."""
    settings, _ = selected(folder)
    with _answering():
        found = asyncio.run(_rows(settings))
    if json_:
        as_json([_plain(name, found.get(name)) for name in TITLES])
        return
    lines = [("任务", "含义", "上次完成", "件数", "执行者")]
    for name, title in TITLES.items():
        row = found.get(name)
        holder = (row and row.holder) or "—"
        lines.append((name, title, _at(row), str(row.done if row else 0), holder))
    for line in grid(lines):
        click.echo(line)


@job.command("run", help="立即执行一项或几项任务；缺省为全部。中断以后再执行，不会重复。")
@click.argument("names", nargs=-1, type=click.Choice(list(TITLES)))
@DIR
def run(names: tuple[str, ...], folder: Path | None) -> None:
    """0, or 3 if the store or the log does not answer: what was done until then stays done."""
    settings, catalog = selected(folder)
    for name in names or tuple(TITLES):
        with _answering():
            ran = asyncio.run(_run(settings, catalog, name))
        said = "另一进程正在执行" if ran is None else f"处理 {ran.done} 件"
        click.echo(f"{name}：{said}")


@contextlib.contextmanager
def _answering() -> Iterator[None]:
    """A store or a log that does not answer ends the verb."""
    from sqlalchemy.exc import SQLAlchemyError

    from catalog.errors import HubError, Readable
    from store.deeds import StoreBusy, StoreDown

    try:
        yield
    except (HubError, Readable) as error:
        stop(f"{error}；已完成的部分有效", OPERATOR)
    except (SQLAlchemyError, OSError, StoreBusy, StoreDown):
        no_store()


async def _rows(settings: Settings) -> dict[str, JobRow]:
    from store.engine import single
    from store.jobs import read_jobs

    async with single(settings.store_url, readonly=True) as connection:
        return await read_jobs(connection)


async def _run(settings: Settings, catalog: Catalog, name: str) -> Ran | None:
    from audit.log import writer_name
    from hub.asked import opened
    from hub.jobs import COMPARISON, Jobs
    from hub.recording import recording
    from store.deeds import Deeds

    if name == COMPARISON:  # it asks the departments
        async with opened(settings) as hub:
            return await hub.jobs.run(name, now=True)
    async with recording(settings) as (engine, log):
        jobs = Jobs(Deeds(engine), catalog, log, writer_name("job"))
        return await jobs.run(name, now=True)


def _at(row: JobRow | None) -> str:
    from catalog.workdays import ZONE

    if row is None or row.finished_at is None:
        return "—"
    return row.finished_at.astimezone(ZONE).strftime("%Y-%m-%d %H:%M:%S")


def _plain(name: str, row: JobRow | None) -> dict[str, object]:
    finished = row and row.finished_at and row.finished_at.isoformat()
    return {
        "name": name,
        "finishedAt": finished,
        "done": row.done if row else 0,
        "holder": row.holder if row else None,
    }
