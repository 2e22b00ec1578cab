"""``hub schema``: the contract."""

from __future__ import annotations

import click

from catalog.load import load


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
