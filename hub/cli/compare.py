"""``hub compare``: run rules now, list the runs there are and what visits say of the rules."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Iterator
from dataclasses import asdict
from datetime import date, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from hub.cli.chosen import DIR, chosen, store_of
from hub.cli.grid import grid
from hub.cli.say import FAILED, JSON, OPERATOR, as_json, no_store, stop
from hub.telemetry import logs

if TYPE_CHECKING:
    from hub.comparing.running import Ran
    from hub.settings import Settings
    from store.comparisons import RunRow

SHOWN = 24  # of the newest runs: two years of a rule
NONE = "—"
STATES = {"COMPLETE": "完整", "PARTIAL": "不完整"}
VISITED = ("VISITED_FOUND", "VISITED_NOT_FOUND")


@click.group(help="比对：运行规则、列出批次；命中只是疑似，不改动任何部门的数据。")
def compare() -> None:
    """The group."""
    logs.configure("CRITICAL")  # what is wrong is said in one line, below


@compare.command(
    help="立即运行比对规则，缺省为当日有效的全部；每次运行是一个新批次，原有批次不变。"
)
@click.option("--rule", "code", help="只运行这一条，如 R03")
@click.option("--as-of", "day", help="截至哪一天，如 2026-11-05；缺省为今日")
@DIR
@JSON
def run(code: str | None, day: str | None, folder: Path | None, json_: bool) -> None:
    """0 complete, 1 one of them is partial or was refused, 2 usage, 3 store or log."""
    as_of = _day(day)
    with _answering(), _settings(folder) as settings:
        found = asyncio.run(_run(settings, code, as_of))
    if json_:
        as_json([asdict(one) for one in found])
    for one in () if json_ else found:
        hits = "未知" if one.hits is None else str(one.hits)
        click.echo(
            f"{one.run_no} {one.rule} {STATES[one.state]}：{one.people} 人，命中 {hits}，"
            f"新增线索 {one.added}，已有 {one.standing}，抑制 {one.suppressed}，"
            f"未能判断 {one.unjudged}"
        )
        click.echo(f"摘要 {one.digest}")
    if any(one.state != "COMPLETE" for one in found):
        stop("有数据源未能读取或数据陈旧：恢复后请重新运行", FAILED)


@compare.command("list", help="列出最近的批次，及各规则入户核实的结果。")
@DIR
@JSON
def list_(folder: Path | None, json_: bool) -> None:
    """0, or 3 if the store does not answer."""
    with _answering():
        rows, counted = asyncio.run(_listed(store_of(folder)))
    if json_:
        as_json({"runs": [_plain(row) for row in rows], "clues": counted})
        return
    head = ("批次", "规则", "月份", "截至", "状态", "人数", "命中", "新增", "抑制", "未能判断")
    for line in grid([head, *map(_line, rows)]):
        click.echo(line)
    for rule, states in sorted(counted.items()):
        right, wrong = (states.get(state, 0) for state in VISITED)
        share = f"，不实率 {wrong / (right + wrong):.1%}" if right + wrong else ""
        click.echo(f"{rule} 入户核实：属实 {right}，不属实 {wrong}{share}")


def _day(text: str | None) -> date:
    from catalog.workdays import ZONE

    today = datetime.now(ZONE).date()
    if text is None:
        return today
    try:
        found = date.fromisoformat(text)
    except ValueError:
        raise click.BadParameter("日期请写作 2026-11-05", param_hint="--as-of") from None
    if found > today:
        raise click.BadParameter("不能晚于今日", param_hint="--as-of")
    return found


@contextlib.contextmanager
def _settings(folder: Path | None) -> Iterator[Settings]:
    """The settings; a demonstration's with its departments running beside it."""
    from hub.demo.run import connected

    settings, site = chosen(folder)
    if site is None:
        yield settings
        return
    with connected(site) as beside:
        yield beside


@contextlib.contextmanager
def _answering() -> Iterator[None]:
    """A rule that cannot be asked, a store or a log that does not answer ends the verb."""
    from sqlalchemy.exc import SQLAlchemyError

    from catalog.errors import HubError
    from hub.comparing.reading import NotRead
    from store.deeds import StoreBusy, StoreDown

    try:
        yield
    except NotRead as error:
        stop(str(error), FAILED)
    except HubError as error:
        stop(str(error), OPERATOR)
    except (SQLAlchemyError, OSError, StoreBusy, StoreDown):
        no_store()


async def _run(settings: Settings, code: str | None, day: date) -> list[Ran]:
    from hub.asked import opened

    async with opened(settings) as hub:
        rules = hub.catalog.comparisons.on(day)
        if code is not None:
            rules = tuple(one for one in rules if one.code == code)
        if not rules:
            stop(f"{day} 没有有效的规则 {code or ''}：见 catalog/comparison.toml", FAILED)
        ran = [await hub.comparing.run(one, day) for one in rules]
        return [one for one in ran if one is not None]


async def _listed(url: str) -> tuple[list[RunRow], dict[str, dict[str, int]]]:
    from store.comparisons import counted, runs
    from store.engine import single

    async with single(url, readonly=True) as connection:
        return await runs(connection, SHOWN), await counted(connection)


def _line(row: RunRow) -> tuple[str, ...]:
    hits = NONE if row.hits is None else str(row.hits)
    told = (row.people, hits, row.added, row.suppressed, row.unjudged)
    period = row.period or NONE
    return (row.run_no, row.rule, period, str(row.as_of), STATES[row.state], *map(str, told))


def _plain(row: RunRow) -> dict[str, Any]:
    told = asdict(row)
    return told | {"as_of": str(row.as_of), "finished_at": row.finished_at.isoformat()}
