"""``hub config show``: every setting, its value and where it came from."""

from __future__ import annotations

import click

from hub.cli.say import JSON, as_json
from hub.settings import load_settings


@click.group(help="设置。")
def config() -> None:
    """The group."""


@config.command(help="列出全部设置及其来源；密钥不显示。")
@JSON
def show(json_: bool) -> None:
    """Name, value, origin."""
    shown = list(load_settings().shown())
    if json_:
        as_json({name: {"value": value, "origin": origin} for name, value, origin in shown})
        return
    for name, value, origin in shown:
        click.echo(f"{name} = {value}  （{origin}）")
