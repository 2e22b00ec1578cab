"""``hub source sync NAME``: what departments have dropped, loaded into the source's snapshot."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from hub.cli.chosen import DIR, chosen
from hub.cli.say import FAILED, JSON, OPERATOR, USAGE, as_json, stop

if TYPE_CHECKING:
    from adapters.drop import Outcome

_FATES = {"LOADED": "已载入", "KNOWN": "此前已载入"}


@click.command(help="把送达目录中的新文件载入数据源 NAME 的快照；有一份被拒绝时退出码为 1。")
@click.argument("name")
@DIR
@JSON
def sync(name: str, folder: Path | None, json_: bool) -> None:
    """Judge every manifest of the drop folder; one line each, never a value."""
    from adapters.delivery import drop_folder
    from adapters.drop import load_drop
    from adapters.files import snapshot_of
    from adapters.snapshot import shapes
    from hub.placing import catalogue

    settings, _ = chosen(folder)
    spec = catalogue(settings).sources.get(name)
    if spec is None:
        stop(f"没有数据源 {name}：见 catalog/datasets 与 catalog.extra_dir", USAGE)
    try:
        drop = drop_folder(settings.sources.get(name, ""))
    except ValueError:
        stop(f"数据源 {name} 不以文件送达：请把 sources.{name} 写作 files:///送达目录", OPERATOR)
    loaded = load_drop(drop, snapshot_of(settings.snapshots_dir, name), shapes(spec))
    if json_:
        waiting = list(loaded.waiting)
        as_json({"deliveries": [_told(o) for o in loaded.outcomes], "waiting": waiting})
    else:
        for outcome in loaded.outcomes:
            click.echo(_line(outcome))
        for file in loaded.waiting:
            click.echo(f"{file}：尚无清单，等待")
    raise SystemExit(FAILED if loaded.refused else 0)


def _line(outcome: Outcome) -> str:
    if outcome.refused is not None:
        return f"{outcome.manifest}：未载入 {outcome.refused.reason} {outcome.refused}"
    as_of = outcome.as_of.isoformat(timespec="minutes") if outcome.as_of else ""
    return f"{outcome.manifest}：{_FATES[outcome.fate]} {outcome.rows} 行，数据时点 {as_of}"


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
