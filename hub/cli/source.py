"""``hub source``: which departments are connected, do they answer, are they as described."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Iterator, Mapping
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from catalog.workdays import ZONE
from hub.cli.chosen import DIR, chosen
from hub.cli.grid import grid
from hub.cli.say import FAILED, JSON, OPERATOR, USAGE, as_json, no_store, stop
from hub.cli.source_sync import sync
from hub.telemetry import logs

if TYPE_CHECKING:
    from adapters.drops.files import Standing
    from adapters.fit import ColumnFit, Fit
    from adapters.health import Health
    from hub.settings import Settings
    from hub.source_check import Checked
    from hub.worker import Hub

KINDS = ("sql", "rest", "graphql", "files")
SAID = {
    "ANSWERS": "应答",
    "NOT_ASKED": "尚未访问",
    "NOT_CONNECTED": "尚未接入",
    "DOWN": "未能应答",
    "TIMEOUT": "应答超时",
    "BREAKER_OPEN": "暂缓访问",
    "OUTAGE_WINDOW": "停机时段",
    "BUSY": "访问过多",
    "QUOTA": "当日次数用完",
    "SCHEMA": "结构不符",
    "TLS": "证书未通过校验",
    "REFUSED": "拒绝读取：请检查账号的权限",
    "UNSEEN": "这一种数据源不能取样，不能核对",
    "NO_ROWS": "没有取得底册中任何人的行，不能核对",
}
NOTHING = "—"


@click.group(help="数据源：列出、探测、对照目录核对、新写一份、载入送达的文件。")
def source() -> None:
    """The group."""
    logs.configure("CRITICAL")  # what is wrong is said in one line, below


source.add_command(sync)


@source.command(name="list", help="列出目录中的全部数据源，并逐个询问是否应答。")
@DIR
@JSON
def list_(folder: Path | None, json_: bool) -> None:
    """0 told, whether they answer or not; 3 settings."""
    with _connected(folder) as (settings, hub):
        rows = asyncio.run(_standing(settings, hub))
    if json_:
        as_json(rows)
        return
    head = ("名称", "部门", "种类", "状态", "毫秒", "数据时点", "今日次数", "停机时段", "数据集")
    _echo(grid([head, *(_line(row) for row in rows)]))


@source.command(help="逐个询问数据源（不给名称即全部），互不等候；全部应答为 0，否则为 1。")
@click.argument("names", nargs=-1)
@DIR
@JSON
def ping(names: tuple[str, ...], folder: Path | None, json_: bool) -> None:
    """0 all answer, 1 one does not, 2 no such source, 3 settings."""
    with _connected(folder) as (_, hub):
        unknown = [name for name in names if name not in hub.sources]
        if unknown:
            stop(f"没有数据源 `{unknown[0]}`：hub source list 列出全部", USAGE)
        found = asyncio.run(_health(hub, names or tuple(hub.sources)))
    if json_:
        as_json([_pinged(one) for one in found])
    else:
        told = [
            (o.name, SAID[o.state], f"{o.latency_ms:.0f}", NOTHING if o.answers else o.state)
            for o in found
        ]
        _echo(grid([("名称", "状态", "毫秒", "原因"), *told]))
    raise SystemExit(0 if all(one.answers for one in found) else FAILED)


@source.command(help="取样对照目录核对一个数据源：表、列、写法、键、区划；只给出计数，查询留痕。")
@click.argument("name")
@click.option("--as", "account", required=True, help="系统管理员或数据主管的账号；记在其名下")
@DIR
@JSON
def check(name: str, account: str, folder: Path | None, json_: bool) -> None:
    """0 fits, 1 does not, 2 no such source or not his to do, 3 store, log or settings."""
    found = _checked(name, account, folder)
    if json_:
        as_json(_report(found))
    else:
        _echo(_told(found))
    raise SystemExit(0 if found.ok else FAILED)


@source.command(help="新写一份数据源的目录文件，带说明与空格；不覆盖已有的文件。")
@click.argument("name")
@click.option("--kind", type=click.Choice(KINDS), required=True, help="种类")
@click.option("--dept", required=True, help="提供数据的部门代码")
@click.option(
    "--into",
    type=click.Path(path_type=Path, file_okay=False),
    help="写入的目录，没有则新建；不给则为设置 catalog.extra_dir",
)
@DIR
def new(name: str, kind: str, dept: str, into: Path | None, folder: Path | None) -> None:
    """0 written, 2 not written, 3 settings."""
    from catalog.datasets import Kind
    from catalog.load import load
    from hub.settings import is_source
    from hub.source_form import NoForm, next_steps, write

    settings, _ = chosen(folder)
    target = into or settings.catalog_extra_dir
    if not is_source(name):
        stop(f"名称 `{name}` 无法使用：请用小写英文字母开头，只含小写字母、数字与下划线", USAGE)
    if target is None:
        stop("没有写入的目录：请设置 catalog.extra_dir，或以 --into 指明", OPERATOR)
    try:
        file = write(target, load(settings.catalog_extra_dir), name, Kind(kind), dept)
    except NoForm as error:
        stop(str(error), USAGE)
    _echo(iter(next_steps(name, Kind(kind), file, settings.catalog_extra_dir)))


# ---- asking ------------------------------------------------------------------------------------


@contextlib.contextmanager
def _known(folder: Path | None) -> Iterator[Settings]:
    """The settings; a demonstration brings its HTTP system along."""
    from hub.demo.run import connected

    settings, site = chosen(folder)
    with connected(site) if site else contextlib.nullcontext(settings) as known:
        yield known


@contextlib.contextmanager
def _connected(folder: Path | None) -> Iterator[tuple[Settings, Hub]]:
    from hub.app import assemble

    with _known(folder) as settings:
        yield settings, assemble(settings)


async def _health(hub: Hub, names: tuple[str, ...]) -> list[Health]:
    from adapters.health import health_of

    found = await health_of({name: hub.sources[name] for name in names})
    await _closed(hub)
    return found


async def _standing(settings: Settings, hub: Hub) -> list[dict[str, Any]]:
    """Every source asked, with what its files and the day's book of calls say."""
    from adapters.drops.files import FilesSource
    from adapters.health import health_of
    from hub.statuses import used_today

    found = await health_of(hub.sources)
    used, rows = await used_today(hub.budgets), list[dict[str, Any]]()
    for one in found:
        source = hub.sources[one.name]
        files = await source.standing() if isinstance(source, FilesSource) else None
        rows.append(_listed(settings, hub, one, files, used))
    await _closed(hub)
    return rows


async def _closed(hub: Hub) -> None:
    for one in hub.sources.values():
        await one.close()
    await hub.store.dispose()
    hub.telemetry.close()


def _checked(name: str, account: str, folder: Path | None) -> Checked:
    from sqlalchemy.exc import SQLAlchemyError

    from catalog.errors import HubError
    from hub.source_check import NoSuchSource, NotHis, check

    try:
        with _known(folder) as settings:
            return asyncio.run(check(settings, name, account))
    except (NoSuchSource, NotHis) as error:
        stop(str(error), USAGE)
    except HubError as error:
        stop(f"{error.code}: {error.message}", OPERATOR)
    except (SQLAlchemyError, OSError):
        no_store()


# ---- telling -----------------------------------------------------------------------------------


def _echo(lines: Iterator[str]) -> None:
    for line in lines:
        click.echo(line)


def _listed(
    settings: Settings,
    hub: Hub,
    one: Health,
    files: Standing | None,
    used: Mapping[str, int] | None,
) -> dict[str, Any]:
    spec = hub.catalog.sources[one.name]
    window = settings.outages.get(one.name)
    counted = spec.limited and used is not None
    return {
        "name": one.name,
        "title": spec.title,
        "department": spec.department,
        "kind": spec.kind,
        "state": one.state,
        "latencyMs": round(one.latency_ms, 1),
        "asOf": None if files is None else files.as_of.astimezone(ZONE).isoformat(),
        "stale": None if files is None else files.stale,
        "quotaLimit": spec.quota,
        "quotaUsed": used.get(one.name, 0) if counted and used is not None else None,
        "outage": str(window) if window else None,
        "datasets": [dataset.name for dataset in spec.datasets],
    }


def _line(row: Mapping[str, Any]) -> tuple[str, ...]:
    as_of = NOTHING if row["asOf"] is None else row["asOf"][:16]
    return (
        row["name"],
        row["department"],
        row["kind"],
        SAID[row["state"]],
        f"{row['latencyMs']:.0f}",
        f"{as_of}（逾期）" if row["stale"] else as_of,
        _used(row["quotaUsed"], row["quotaLimit"]),
        row["outage"] or NOTHING,
        "、".join(row["datasets"]),
    )


def _used(used: int | None, limit: int | None) -> str:
    if used is None:
        return NOTHING
    return str(used) if limit is None else f"{used}/{limit}"


def _pinged(one: Health) -> dict[str, Any]:
    reason = None if one.answers else one.state
    shown = round(one.latency_ms, 1)
    return {"name": one.name, "answers": one.answers, "latencyMs": shown, "reason": reason}


def _report(found: Checked) -> dict[str, Any]:
    fits = [asdict(one) | {"fits": one.fits} for one in found.fits]
    return {
        "source": found.source,
        "fits": found.ok,
        "state": found.health.state,
        "datasets": fits,
    }


def _told(found: Checked) -> Iterator[str]:
    state = SAID[found.health.state]
    yield f"数据源 {found.source}（{found.title}）：{state}"
    if found.health.answers and not found.fits:
        yield "目录中没有它的数据集：请加 [[dataset]]"
    for one in found.fits:
        yield ""
        yield f"数据集 {one.dataset}（{one.title}）：{_verdict(one.fits)}"
        yield from (f"  {line}" for line in _fit(one))
    yield ""
    yield f"结论：{_verdict(found.ok)}"


def _verdict(fits: bool) -> str:
    return "相符" if fits else "不相符"


def _fit(one: Fit) -> Iterator[str]:
    if one.reason is not None:
        yield SAID.get(one.reason, one.reason)
        return
    yield from (f"没有表 {name}" for name in one.missing)
    if not one.columns:
        return
    yield f"表 {one.table}，取样 {one.rows} 行"
    told = [
        (c.column, c.field or NOTHING, str(c.filled), str(c.read), _said(c)) for c in one.columns
    ]
    yield from grid([("列", "字段", "有值", "可读", "结论"), *told])
    if one.key is not None:
        key = one.key
        yield f"键：有值 {key.filled}，有效 {key.canonical}，按所列写法可查到 {key.reachable}"
        if key.known is not None:
            share = _share(key.known, key.people)
            yield f"人员：{key.people} 人，其中底册中有 {key.known} 人{share}"
    if one.region is not None:
        yield f"区划：有值 {one.region.filled}，识别 {one.region.understood}"
    counted = "，".join(f"{code} {count}" for code, count in one.faults.items())
    yield f"数据质量：{counted or '无'}"


def _said(column: ColumnFit) -> str:
    if not column.found:
        return "没有此列"
    if column.holes:
        return f"必填而空 {column.holes}"
    if column.read == column.filled:
        return "正常"
    return "少数不可读" if column.fits else "多数不可读"


def _share(part: int, whole: int) -> str:
    return f"（{part / whole:.0%}）" if whole else ""
