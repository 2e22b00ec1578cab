"""``hub source sync``: what departments have dropped, loaded into the sources' snapshots."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click

from hub.cli.chosen import DIR, chosen
from hub.cli.say import FAILED, JSON, OPERATOR, USAGE, as_json, stop

if TYPE_CHECKING:
    from adapters.drops.drop import Outcome
    from catalog.datasets import SourceSpec
    from catalog.load import Catalog
    from hub.settings import Settings
    from hub.source_sync import Synced

_FATES = {"LOADED": "已载入", "KNOWN": "此前已载入"}


@click.command(
    help="把送达目录中的新文件载入数据源 NAME（或全部）的快照，逐份留痕；有一份被拒绝时退出码为 1。"
)
@click.argument("name", required=False)
@click.option("--all", "all_", is_flag=True, help="全部以文件送达的数据源")
@DIR
@JSON
def sync(name: str | None, all_: bool, folder: Path | None, json_: bool) -> None:
    """Judge every manifest of the drop folders; one line each, never a value."""
    from hub.placing import catalogue

    if (name is None) is not all_:
        stop("请给出一个数据源的名称，或 --all", USAGE)
    settings, _ = chosen(folder)
    catalog = catalogue(settings)
    specs = _dropped(settings, catalog) if name is None else [_one(settings, catalog, name)]
    found = _synced(settings, catalog, specs)
    if name is not None and found[0].failed is not None:
        raise found[0].failed
    if json_:
        told = [_report(one) for one in found]
        as_json(told if name is None else told[0])
    else:
        for one in found:
            _tell(one, named=name is None)
    raise SystemExit(0 if all(one.ok for one in found) else FAILED)


def _dropped(settings: Settings, catalog: Catalog) -> list[SourceSpec]:
    from hub.source_sync import dropped

    found = dropped(settings, catalog)
    if not found:
        stop("没有以文件送达的数据源：请把 sources.名称 写作 files:///送达目录", OPERATOR)
    return found


def _one(settings: Settings, catalog: Catalog, name: str) -> SourceSpec:
    from adapters.drops.delivery import drop_folder

    spec = catalog.sources.get(name)
    if spec is None:
        stop(f"没有数据源 {name}：见 catalog/datasets 与 catalog.extra_dir", USAGE)
    try:
        drop_folder(settings.sources.get(name, ""))
    except ValueError:
        stop(f"数据源 {name} 不以文件送达：请把 sources.{name} 写作 files:///送达目录", OPERATOR)
    return spec


def _synced(settings: Settings, catalog: Catalog, specs: Sequence[SourceSpec]) -> list[Synced]:
    from catalog.errors import HubError
    from hub.source_sync import sync as load

    try:
        return asyncio.run(load(settings, catalog, specs))
    except HubError as error:
        stop(f"{error.code}: {error.message}", OPERATOR)


# ---- telling -----------------------------------------------------------------------------------


def _tell(one: Synced, *, named: bool) -> None:
    before = f"{one.source}：" if named else ""
    if one.loaded is None:
        click.echo(f"{before}{one.failed}")
        return
    for outcome in one.loaded.outcomes:
        click.echo(before + _line(outcome))
    for file in one.loaded.waiting:
        click.echo(f"{before}{file}：尚无清单，等待")


def _line(outcome: Outcome) -> str:
    if outcome.refused is not None:
        return f"{outcome.manifest}：未载入 {outcome.refused.reason} {outcome.refused}"
    as_of = outcome.as_of.isoformat(timespec="minutes") if outcome.as_of else ""
    return f"{outcome.manifest}：{_FATES[outcome.fate]} {outcome.rows} 行，数据时点 {as_of}"


def _report(one: Synced) -> dict[str, object]:
    if one.loaded is None:
        return {"source": one.source, "failed": str(one.failed), "deliveries": [], "waiting": []}
    return {
        "source": one.source,
        "failed": None,
        "deliveries": [_told(outcome) for outcome in one.loaded.outcomes],
        "waiting": list(one.loaded.waiting),
    }


def _told(outcome: Outcome) -> dict[str, object]:
    refused = outcome.refused
    return {
        "manifest": outcome.manifest,
        "fate": outcome.fate,
        "table": outcome.table,
        "asOf": None if outcome.as_of is None else outcome.as_of.isoformat(),
        "rows": outcome.rows,
        "reason": None if refused is None else refused.reason,
        "message": None if refused is None else str(refused),
        "file": None if refused is None else refused.file,
        "line": None if refused is None else refused.line,
        "column": None if refused is None else refused.column,
    }
