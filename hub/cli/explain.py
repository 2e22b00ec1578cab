"""``hub explain FILE --as ACCOUNT``: the Plan of a query, without running it."""

from __future__ import annotations

import asyncio
from pathlib import Path

import click

from hub.cli.demo import DIR, known
from hub.cli.say import FAILED, OPERATOR, stop
from hub.telemetry import logs


@click.command(help="打印一次查询的计划：每次读取的数据源、语句、行范围、列状态与审计记录。")
@click.argument("file", type=click.Path(path_type=Path, exists=True, dir_okay=False))
@click.option("--as", "account", required=True, help="演示账号")
@click.option("--purpose", help="用途代码，默认为该账号的首个用途")
@DIR
def explain(file: Path, account: str, purpose: str | None, folder: Path) -> None:
    """Print the Plan."""
    from catalog.errors import HubError
    from hub.demo.run import explained, read_question
    from hub.demo.site import opened

    logs.configure("ERROR")
    site = opened(folder)
    if site is None:
        stop(f"目录 {folder} 中没有演示数据：请先运行 hub demo", OPERATOR)
    known(site, account)
    try:
        click.echo(asyncio.run(explained(site, account, read_question(file), purpose)), nl=False)
    except HubError as error:
        stop(f"{error.code}: {error.message}", FAILED)
