"""``hub schema``: the contract."""

from __future__ import annotations

import click

from catalog.load import load


@click.group(help="接口定义。")
def schema() -> None:
    """The group."""


@schema.command("print", help="打印 SDL。")
def print_() -> None:
    """The SDL as it stands in git."""
    from schema.build import build, sdl

    click.echo(sdl(build(load())), nl=False)
