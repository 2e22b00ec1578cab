"""``hub audit drill``: what verify finds, shown by tampering with copies."""

from __future__ import annotations

import asyncio
import tempfile
from pathlib import Path

import click
from sqlalchemy.engine import make_url

from audit import drill as drills
from hub.cli.audit import audit
from hub.cli.chosen import chosen
from hub.cli.say import FAILED, JSON, OPERATOR, as_json, stop
from hub.verdict import HEADLINES


@audit.command(help="篡改演练：在副本上逐一篡改并核验，打印结果表；不动原日志。")
@click.option(
    "--dir",
    "folder",
    type=click.Path(path_type=Path, file_okay=False),
    help="演示目录；取其日志的副本（仅 SQLite）。不给则用临时日志",
)
@JSON
def drill(folder: Path | None, json_: bool) -> None:
    """0 as demanded, 1 a cell differs, 3 no log to copy."""
    source = _file(folder) if folder is not None else None
    with tempfile.TemporaryDirectory(prefix="drill-") as place:
        try:
            table = asyncio.run(drills.drill(Path(place), source))
        except drills.TooSmall:
            stop("日志太短，或本身不完好：请先核验，或不给 --dir", OPERATOR)
    if json_:
        as_json({name: {str(c): _cell(cell) for c, cell in row.items()} for name, row in table})
    else:
        for line in _told(table):
            click.echo(line)
    held = all(cell.holds for _, row in table for cell in row.values())
    raise SystemExit(0 if held else FAILED)


def _file(folder: Path) -> Path:
    address = make_url(chosen(folder)[0].store_url)
    if address.get_backend_name() != "sqlite":
        stop("此数据库不能复制：请不给 --dir，用临时日志演练", OPERATOR)
    return Path(address.database or "")


def _cell(cell: drills.Cell) -> dict[str, object]:
    return {
        "demanded": cell.demanded,
        "found": cell.found,
        "exit": int(cell.verdicts.exit),
        "firstBad": cell.verdicts.first_bad,
        "findings": {str(code): count for code, count in cell.verdicts.counts.items()},
    }


def _told(table: drills.Table) -> list[str]:
    lines = [
        "A0 只改数据库；A1 并重算叶哈希、根与分块；A2 并持有签名密钥，重签检查点、重编索引。",
        "A2+检查点、A2+回执：核验者另有外部保存的检查点，或各系统的回执。",
        "",
    ]
    for name, row in table:
        lines.append(name)
        lines += [f"  {column:<8} {_said(cell)}" for column, cell in row.items()]
    differ = sum(not cell.holds for _, row in table for cell in row.values())
    return [*lines, "", f"{differ} 格与要求不符" if differ else "全部与要求相符"]


def _said(cell: drills.Cell) -> str:
    if not cell.found:
        told = "未发现（如所声明的限度）" if cell.holds else "未发现，应当发现"
    else:
        verdicts = cell.verdicts
        codes = "，".join(f"{code}" for code in verdicts.counts)
        told = f"{HEADLINES[verdicts.exit]}，自第 {verdicts.first_bad} 条：{codes}"
        told += "" if cell.holds else "（本不应发现）"
    return told
