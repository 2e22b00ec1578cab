"""``hub documents``: register, review, approve and retire trusted documents; each deed recorded.

A document is compiled when it is registered, so that whoever approves it sees which data sets and
fields it could read, by which rights and at what cost, before it has run once.
"""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from catalog.errors import Readable
from hub.cli.chosen import DIR, selected
from hub.cli.say import FAILED, JSON, USAGE, as_json, no_store, stop
from hub.cli.signed import BY, done
from hub.telemetry import logs

if TYPE_CHECKING:
    from sqlalchemy.ext.asyncio import AsyncConnection

    from hub.settings import Settings
    from store.documents import Added, Registered

CLIENT = click.option("--client", required=True, help="应用的代码，即令牌中的 client_id")
BASIS = click.option("--basis", required=True, help="依据：文号或评审记录")
CLASH = "内容不合要求，或刚被他人登记：请核对"
LABELS = click.argument("labels", metavar="NAME/VERSION...", nargs=-1, required=True)


@click.group(help="受信查询：登记、查看、批准、停用、比较；登记与批准须为不同的人，均留痕。")
def documents() -> None:
    """The group."""
    logs.configure("CRITICAL")  # what is wrong is said in one line, below


@documents.command(
    help="登记查询文件（.graphql）或工具的清单（.json）：编译、列出所读内容，待批准。"
)
@click.argument("files", nargs=-1, required=True, type=click.Path(path_type=Path))
@CLIENT
@BY
@DIR
@JSON
def add(files: tuple[Path, ...], client: str, by: str, folder: Path | None, json_: bool) -> None:
    """0 registered or known, 1 refused, 2 usage, 3 store."""
    from hub.deeds import Deed, Signature
    from hub.registering import candidates, examining, is_client, read_file, shown
    from store.documents import register, sha256_of

    if not is_client(client):
        stop(f"应用代码 `{client}` 不合要求：小写字母、数字与 . _ -，至多 40 个字符", USAGE)
    settings, words = selected(folder)
    added: list[Added] = []

    async def compiled() -> Any:
        async with examining(settings) as examiner:
            return candidates([one for file in files for one in read_file(file)], examiner)

    try:
        given = asyncio.run(compiled())
    except Readable as error:
        stop(str(error), FAILED)

    async def change(conn: AsyncConnection) -> int:
        added[:] = [await register(conn, client, given, by=by)]
        return added[0].policy

    digests = sorted(sha256_of(one.text) for one in given)
    whole = (
        digests[0] if len(digests) == 1 else hashlib.sha256("".join(digests).encode()).hexdigest()
    )
    about: dict[str, str | int | bool] = {"client": client, "documents": len(digests)}
    deed = Deed("document.add", (Signature(by),), ref=f"sha256:{whole}", about=about)
    done(settings, words, deed, change, clash=CLASH)
    (found,) = added
    if json_:
        told = {"new": _plain(found.new), "known": _plain(found.known), "aliases": found.aliases}
        as_json(told)
        return
    for one in found.new:
        _echo(shown(one))
    for one in found.known:
        click.echo(f"{one.client} {one.label} {one.state}：同一文本已登记")
    click.echo(f"新登记 {len(found.new)} 份，已有 {len(found.known)} 份，新标识 {found.aliases} 个")


@documents.command("list", help="全部受信查询：应用、名称与版本、状态、费用、数据集。")
@click.option("--client", help="只列此应用的")
@click.option("--state", type=click.Choice(["DRAFT", "APPROVED", "RETIRED"]), help="只列此状态的")
@DIR
@JSON
def list_(client: str | None, state: str | None, folder: Path | None, json_: bool) -> None:
    """0, or 3 if the store does not answer."""
    known = _documents(selected(folder)[0], client)
    found = [one for one in known if state in (None, one.state)]
    if json_:
        as_json(_plain(found))
        return
    for one in found:
        sets = " ".join(read["dataset"] for read in one.reads) or "无"
        click.echo(f"{one.client} {one.label} {one.state} 费用 {one.cost} 数据集 {sets}")
    click.echo(f"受信查询 {len(found)} 份")


@documents.command(help="一份受信查询：文本、所读数据集与字段、级别、权限、费用、经手人。")
@click.argument("label", metavar="NAME/VERSION")
@CLIENT
@DIR
@JSON
def show(label: str, client: str, folder: Path | None, json_: bool) -> None:
    """0, 1 if there is none, 3 store."""
    from hub.registering import shown

    found = _one(_documents(selected(folder)[0], client), label)
    if json_:
        as_json(_plain([found])[0] | {"text": found.text})
        return
    _echo(shown(found))
    click.echo("")
    click.echo(found.text)


@documents.command(help="批准受信查询：由安全管理员签署，登记人以外；一秒内可用。")
@LABELS
@CLIENT
@BY
@BASIS
@DIR
def approve(labels: tuple[str, ...], client: str, by: str, basis: str, folder: Path | None) -> None:
    """0 in force, 1 refused, 3 store."""
    from store.documents import approve as deed

    _signed(labels, client, by, basis, folder, ("document.approve", "已批准", deed))


@documents.command(help="停用受信查询：安全管理员一人签署，一秒内不再接受。")
@LABELS
@CLIENT
@BY
@BASIS
@DIR
def retire(labels: tuple[str, ...], client: str, by: str, basis: str, folder: Path | None) -> None:
    """0 ended, 1 refused, 3 store."""
    from store.documents import retire as deed

    _signed(labels, client, by, basis, folder, ("document.retire", "已停用", deed))


@documents.command(
    help="比较同名的两个版本（不写则为最近两个）：多读、少读的数据集、权限与字段，费用。"
)
@click.argument("name")
@click.argument("versions", metavar="[OLD NEW]", nargs=-1, type=click.IntRange(1))
@CLIENT
@DIR
@JSON
def diff(
    name: str, versions: tuple[int, ...], client: str, folder: Path | None, json_: bool
) -> None:
    """0 compared, 1 no such versions, 2 usage, 3 store."""
    from hub.registering import difference

    if len(versions) not in (0, 2):
        stop("请写两个版本号（如 1 2），或都不写", USAGE)
    known = [one for one in _documents(selected(folder)[0], client) if one.name == name]
    if versions:
        before, after = (_one(known, f"{name}/{number}") for number in versions)
    elif len(known) < 2:
        stop(f"受信查询 `{name}` 不足两个版本", FAILED)
    else:
        before, after = known[-2:]
    found = difference(before, after)
    if json_:
        as_json(asdict(found))
        return
    click.echo(f"{found.before} → {found.after}，费用 {found.cost[0]} → {found.cost[1]}")
    _echo([f"+ {one}" for one in found.more] + [f"- {one}" for one in found.less])
    click.echo(f"多读 {len(found.more)} 项，少读 {len(found.less)} 项")


# ---- the store


def _documents(settings: Settings, client: str | None) -> tuple[Registered, ...]:
    from sqlalchemy.exc import SQLAlchemyError

    async def read() -> tuple[Registered, ...]:
        from store.documents import read_documents
        from store.engine import single

        async with single(settings.store_url, readonly=True) as conn:
            return await read_documents(conn, client)

    try:
        return asyncio.run(read())
    except (SQLAlchemyError, OSError):
        no_store()


def _one(known: Sequence[Registered], label: str) -> Registered:
    found = next((one for one in known if one.label == label), None)
    if found is None:
        stop(f"没有受信查询 `{label}`：请用 hub documents list 核对", FAILED)
    return found


def _signed(
    labels: tuple[str, ...],
    client: str,
    by: str,
    basis: str,
    folder: Path | None,
    how: tuple[str, str, Callable[..., Awaitable[int]]],
) -> None:
    """Each document a deed and a record of its own; what was done before a refusal stands."""
    from hub.deeds import SECURITY, Deed, Signature

    settings, words = selected(folder)
    known, (what, said, deed) = _documents(settings, client), how
    for one in [_one(known, label) for label in labels]:

        async def change(conn: AsyncConnection, one: Registered = one) -> int:
            return await deed(conn, client, one.name, one.version, by=by, basis=basis)

        about: dict[str, str | int | bool] = {
            "client": client,
            "name": one.name,
            "version": one.version,
            "registered_by": one.registered_by,
        }
        signed = (Signature(by, (SECURITY,)),)
        made = Deed(what, signed, ref=f"sha256:{one.sha256}", about=about)
        version = done(settings, words, made, change, clash=CLASH)
        click.echo(f"{client} {one.label} {said}，策略版本 {version}")


# ---- what is said


def _plain(found: Sequence[Registered]) -> list[dict[str, Any]]:
    """As JSON values, without the texts."""
    told = []
    for one in found:
        times = {
            name: at.isoformat()
            for name in ("registered_at", "approved_at", "retired_at")
            if (at := getattr(one, name)) is not None
        }
        told.append(asdict(one) | times)
        del told[-1]["text"]
    return told


def _echo(lines: Any) -> None:
    for line in lines:
        click.echo(line)
