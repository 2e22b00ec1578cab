"""``hub print``: is a print genuine, where does it stand, and a public notice from a file.

None of them shows what a print says: that is read over the interface, under somebody's rights.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

import click

from hub.cli.chosen import DIR, selected, store_of
from hub.cli.say import FAILED, JSON, as_json, no_store, stop
from hub.telemetry import logs

if TYPE_CHECKING:
    from sqlalchemy.ext.asyncio import AsyncConnection

T = TypeVar("T")


@click.group("print", help="打印件与公示：核验校验码，查打印件的留存，由文件生成公示。")
def print_() -> None:
    """The group."""
    logs.configure("CRITICAL")  # what is wrong is said in one line, below


@print_.command(help="核验校验码：是否真件；给出内容摘要或网页文件时一并核对，文件须逐字节相同。")
@click.argument("code")
@click.option("--sha256", help="纸面上的内容摘要")
@click.option(
    "--file", type=click.Path(path_type=Path, dir_okay=False, exists=True), help="存下的打印件网页"
)
@DIR
@JSON
def verify(
    code: str, sha256: str | None, file: Path | None, folder: Path | None, json_: bool
) -> None:
    """0 genuine, 1 not, 3 store."""
    from hub.printing.code import code_of
    from hub.printing.page import paper
    from hub.printing.verifying import NOT_GENUINE, Verdict, verified
    from store.prints import by_code

    page = None if file is None else file.read_bytes()

    async def asked(connection: AsyncConnection) -> Verdict:
        verdict = await verified(connection, code, sha256)
        if page is None or not verdict.genuine:
            return verdict
        printed = await by_code(connection, code_of(code))
        same = printed is not None and paper(printed).body == page
        return verdict if same else NOT_GENUINE

    verdict = _asked(folder, asked)
    if json_:
        as_json(asdict(verdict))
    elif verdict.genuine:
        click.echo(f"真件：{verdict.kind} {verdict.number}，{verdict.date} {verdict.department}")
        click.echo(f"内容摘要 {verdict.sha256}")
    if not verdict.genuine:
        stop("不是真件", FAILED)


@print_.command(
    help="一份打印件的留存：种类、日期、单位、账号、摘要、访问记录序号，及是否相符；不显示内容与校验码。"
)
@click.argument("number")
@DIR
@JSON
def show(number: str, folder: Path | None, json_: bool) -> None:
    """0, 1 if there is none or it is not what was printed, 3 store."""
    from hub.printing.kinds import KINDS
    from hub.printing.verifying import genuine, printed_on
    from store.prints import Printed, by_number

    async def read(connection: AsyncConnection) -> tuple[Printed, bool] | None:
        found = await by_number(connection, number)
        if found is None:
            return None
        return found, await genuine(connection, found)

    kept = _asked(folder, read)
    if kept is None:
        stop(f"没有编号为 `{number}` 的打印件", FAILED)
    printed, sound = kept
    told = {
        "number": printed.number,
        "kind": KINDS[printed.kind].title,
        "date": printed_on(printed),
        "department": printed.issuer,
        "account": printed.account,
        "template": printed.template,
        "sha256": printed.sha256,
        "audit": printed.audit_idx,
        "sound": sound,
    }
    if json_:
        as_json(told)
    else:
        click.echo(
            f"{printed.number} {told['kind']} {told['date']} {printed.issuer} "
            f"账号 {printed.account} 版式 {printed.template} 访问记录 {printed.audit_idx}"
        )
        click.echo(f"内容摘要 {printed.sha256}")
    if not sound:
        stop("留存件与其摘要或访问记录不符：请告知审计员", FAILED)


@print_.command(
    help="由文件（TOML）生成公示页；发现证件号码、电话、账号或疾病信息即拒绝，并逐项列出。"
)
@click.argument("file", type=click.Path(path_type=Path, dir_okay=False, exists=True))
@click.option(
    "--out", required=True, type=click.Path(path_type=Path, dir_okay=False), help="写入的网页文件"
)
@DIR
def notice(file: Path, out: Path, folder: Path | None) -> None:
    """0 written, 1 refused with what was found, 2 usage."""
    import tomllib

    from domain.notice import Notice, checked
    from hub.printing.notice import Unfit, draft_of, public, rules_of, said

    _, catalog = selected(folder)
    try:
        draft = draft_of(tomllib.loads(file.read_text(encoding="utf-8")))
    except Unfit as unfit:
        stop(str(unfit), FAILED)
    except (OSError, ValueError):
        stop(f"文件 {file.name} 不是 UTF-8 的 TOML：请检查", FAILED)
    found = checked(draft, rules_of(catalog))
    if not isinstance(found, Notice):
        stop("\n".join(said(one) for one in found), FAILED)
    out.write_bytes(public(found, catalog).body)
    click.echo(f"已写入 {out.name}：{len(found.entries)} 人")


def _asked(folder: Path | None, ask: Callable[[AsyncConnection], Awaitable[T]]) -> T:
    from sqlalchemy.exc import SQLAlchemyError

    from store.engine import single

    async def read() -> T:
        async with single(store_of(folder), readonly=True) as connection:
            return await ask(connection)

    try:
        return asyncio.run(read())
    except (SQLAlchemyError, OSError):
        no_store()
