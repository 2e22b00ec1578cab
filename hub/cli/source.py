"""``hub source``: the departments' systems as the operator sees them."""

from __future__ import annotations

import click

from hub.cli.source_sync import sync


@click.group(help="数据源。")
def source() -> None:
    """The group."""


source.add_command(sync)
