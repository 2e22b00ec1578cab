"""``hub demo`` and ``hub token``: the invented county, asked by its own accounts."""

from __future__ import annotations

import asyncio
from pathlib import Path

import click

from hub.cli.say import FAILED, OPERATOR, USAGE, Progress, stop
from hub.demo.site import FOLDER, Site, opened, prepared
from hub.telemetry import logs

DIR = click.option(
    "--dir",
    "folder",
    type=click.Path(path_type=Path, file_okay=False),
    default=Path(FOLDER),
    help=f"演示目录，默认 ./{FOLDER}",
)
TOKEN_S = 12 * 3600  # a demo token lives for a working day


@click.command(help="生成虚构县（全部人员均为虚构），以三个岗位提问并核验审计日志。")
@DIR
@click.option(
    "--scale", type=click.FloatRange(0.01, 1), default=0.01, help="规模 0.01–1，1 为全县 48 万人"
)
@click.option("--serve", is_flag=True, help="保持运行，打印地址、账号与可粘贴的 curl")
@click.option("--port", type=click.IntRange(0, 65535), default=8532, help="--serve 的端口")
@click.option(
    "--without",
    multiple=True,
    metavar="SOURCE",
    help="--serve 时不接入这一数据源，可重复；用来看“某部门没有应答”是什么样",
)
@click.option(
    "--once", type=click.Path(path_type=Path, exists=True, dir_okay=False), help="只问一个查询文件"
)
@click.option("--event", is_flag=True, help="让一件诉求向前走一步，供观看订阅")
@click.option("--as", "account", help="--once 所用的演示账号")
@click.option("--purpose", help="--once 的用途代码，默认为该账号的首个用途")
@click.option("--case-no", help="--once 的诉求编号（X-Case-No）；--event 时是向前走的那一件")
@click.option(
    "--variables",
    type=click.Path(path_type=Path, exists=True, dir_okay=False),
    help="--once 的变量文件（JSON）；默认取查询文件旁的 .variables.json",
)
def demo(
    folder: Path,
    scale: float,
    serve: bool,
    port: int,
    without: tuple[str, ...],
    once: Path | None,
    event: bool,
    account: str | None,
    purpose: str | None,
    case_no: str | None,
    variables: Path | None,
) -> None:
    """The main job, or one of its two variants."""
    from hub.demo import run

    logs.configure("ERROR")
    if once is not None:
        if account is None:
            stop("--once 需要 --as ACCOUNT", USAGE)
        question = run.read_question(once, variables)
        site = _site(folder, scale)
        known(site, account)
        body, ok = asyncio.run(run.once(site, account, question, purpose, case_no))
        click.echo(body)
        raise SystemExit(0 if ok else FAILED)
    if event and not (account or purpose or variables or serve):
        click.echo(_event(folder, case_no))
        return
    if without and not serve:
        stop("--without 只用于 --serve", USAGE)
    if account or purpose or case_no or variables:
        stop("--as、--purpose、--case-no、--variables 只用于 --once FILE", USAGE)
    site = _site(folder, scale)
    if serve:
        import uvloop

        _sources(site, without)
        uvloop.run(run.serve(site, port, click.echo, without))
        return
    raise SystemExit(0 if asyncio.run(run.show(site, click.echo)) else FAILED)


@click.command(help="签发演示账号的访问令牌（仅演示）。")
@click.argument("account")
@DIR
def token(account: str, folder: Path) -> None:
    """Print a token of a demo account."""
    from hub.demo import run

    logs.configure("ERROR")
    site = opened(folder)
    if site is None:
        stop(f"目录 {folder} 中没有演示数据：请先运行 hub demo", OPERATOR)
    known(site, account)
    click.echo(asyncio.run(run.token(site, account, TOKEN_S)))


def _event(folder: Path, case_no: str | None) -> str:
    from hub.demo.event import happened

    site = opened(folder)
    if site is None:
        stop(f"目录 {folder} 中没有演示数据：请先运行 hub demo", OPERATOR)
    return asyncio.run(happened(site, case_no))


def _site(folder: Path, scale: float) -> Site:
    progress = Progress()
    found = opened(folder)
    try:
        # A folder that is already there keeps its scale unless another one is asked for.
        wanted = found.scale if found and _defaulted() else scale
        return asyncio.run(prepared(folder, wanted, progress))
    finally:
        progress.done()


def _sources(site: Site, named: tuple[str, ...]) -> None:
    """Stop if one of them is none; say which there are."""
    there = sorted(file.stem for file in (site.folder / "sources").glob("*.sqlite"))
    unknown = [name for name in named if name not in there]
    if unknown:
        stop(f"没有数据源 `{unknown[0]}`：演示中有 {'、'.join(there)}", USAGE)


def _defaulted() -> bool:
    source = click.get_current_context().get_parameter_source("scale")
    return source is click.core.ParameterSource.DEFAULT


def known(site: Site, account: str) -> None:
    """Stop if there is no such demo account; say which there are."""
    if site.account(account) is None:
        names = "、".join(a.name for a in site.accounts)
        stop(f"没有演示账号 `{account}`：可用账号 {names}", USAGE)
