"""``hub schema``: the contract."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path

import click

from catalog.load import load
from hub.cli.say import FAILED, JSON, USAGE, as_json, stop


@click.group(help="接口定义。")
def schema() -> None:
    """The group."""


@schema.command("print", help="打印 SDL。")
@click.option("--subgraph", is_flag=True, help="交给联邦合成器的 SDL")
def print_(subgraph: bool) -> None:
    """The SDL as it stands in git, or as a composer wants it."""
    from schema.build import build, sdl

    built = build(load())
    click.echo(built.subgraph if subgraph else sdl(built), nl=False)


@schema.command(help="比较：照 FILE（SDL）写的客户端，在现在的接口定义下有什么会失效。")
@click.argument(
    "file", type=click.Path(path_type=Path, exists=True, dir_okay=False), required=False
)
@JSON
def check(file: Path | None, json_: bool) -> None:
    """What breaks since FILE, by default since the last release."""
    from schema.build import build, sdl
    from schema.changes import NotSDL, breaking, dangerous, deprecated, released

    now = sdl(build(load()))
    try:
        old = released() if file is None else file.read_text(encoding="utf-8")
        broken, changed = breaking(old, now), dangerous(old, now)
    except (NotSDL, UnicodeDecodeError, OSError):
        stop(
            f"文件 {file} 不是可读的 SDL：请用 hub schema print 或 /schema.graphql 得到的文本",
            USAGE,
        )
    going = deprecated(now)
    if json_:
        as_json(
            {
                "breaking": [asdict(c) for c in broken],
                "dangerous": [asdict(c) for c in changed],
                "deprecated": going,
            }
        )
    else:
        for change in broken:
            click.echo(f"[失效] {change.what}：{change.said}")
        for change in changed:
            click.echo(f"[留意] {change.what}：{change.said}")
        for coordinate, reason in going.items():
            click.echo(f"[将停] {coordinate}：{reason}")
        click.echo(f"失效 {len(broken)} 处，留意 {len(changed)} 处，将停 {len(going)} 处")
    raise SystemExit(FAILED if broken else 0)
