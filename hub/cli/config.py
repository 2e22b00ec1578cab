"""``hub config show``: every setting, its value and where it came from."""

from __future__ import annotations

import click

from hub.settings import load_settings


@click.group(help="设置。")
def config() -> None:
    """The group."""


@config.command(help="列出全部设置及其来源；密钥不显示。")
def show() -> None:
    """Name, value, origin."""
    for name, value, origin in load_settings().shown():
        click.echo(f"{name} = {value}  （{origin}）")
