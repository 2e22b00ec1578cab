"""``hub client``: machine clients of departments, signed and recorded like any change of rights.

Each verb changes the store at once or not at all; every worker goes by it within a second.
"""

from __future__ import annotations

import asyncio
import re
from dataclasses import dataclass
from datetime import date, timedelta
from pathlib import Path
from typing import TYPE_CHECKING

import click

from hub.cli.chosen import DIR, selected
from hub.cli.say import FAILED, JSON, USAGE, as_json, no_store, stop
from hub.cli.signed import APPROVED, BASIS, BY, done
from hub.telemetry import logs

if TYPE_CHECKING:
    from sqlalchemy.ext.asyncio import AsyncConnection

    from catalog.load import Catalog
    from hub.settings import Settings
    from store.clients import Client, ClientKey

YEAR = 365  # days a client is let in unless another day is named
SECOND_US = 1_000_000
WARNED = 30  # days before its end it is told
NAME = re.compile(r"[a-z0-9][a-z0-9._-]{2,39}\Z")
ACCOUNT = re.compile(r"[a-z0-9][a-z0-9._-]{2,63}\Z")

FILE = click.Path(path_type=Path, exists=True, dir_okay=False)
KEY = click.option("--key", "key_file", type=FILE, help="登记公钥文件（JWK 或 PEM），用于签名断言")
CERTIFICATE = click.option("--cert", "cert_file", type=FILE, help="登记客户端证书文件（PEM）")


@click.group(help="应用（部门系统、网关）：新建、换密钥、停用、列出；均须签署并留痕。")
def client() -> None:
    """The group."""
    logs.configure("CRITICAL")  # what is wrong is said in one line, below


@client.command(help="新建应用（两人签署）：绑定一个部门系统账号；密钥只显示一次。")
@click.argument("name")
@click.option("--title", required=True, help="名称，如 民政救助系统")
@click.option("--dept", required=True, help="所属部门的代码")
@click.option("--account", required=True, help="部门系统账号；不存在则一并开立")
@click.option(
    "--class",
    "kind",
    type=click.Choice(["system", "gateway"]),
    default="system",
    help="system 部门系统（默认）或 gateway 网关",
)
@click.option("--purpose", "purposes", multiple=True, required=True, help="可用的用途代码，可多次")
@click.option("--until", type=click.DateTime(["%Y-%m-%d"]), help="截止日，含当日；默认一年后")
@KEY
@CERTIFICATE
@BY
@APPROVED
@BASIS
@DIR
@JSON
def create(
    name: str,
    title: str,
    dept: str,
    account: str,
    kind: str,
    purposes: tuple[str, ...],
    until: object,
    key_file: Path | None,
    cert_file: Path | None,
    by: str,
    approved_by: str,
    basis: str,
    folder: Path | None,
    json_: bool,
) -> None:
    """0 in force, 1 refused, 2 usage, 3 store."""
    from audit.record import Kind
    from hub.deeds import ACCOUNTS, SECURITY, Deed, Signature, head_of
    from hub.rights import today
    from store import clients

    settings, words = selected(folder)
    _check(words, name, account, dept, purposes)
    last = until.date() if hasattr(until, "date") else today() + timedelta(days=YEAR)
    if last < today():
        stop(f"--until：`{last}` 已过：请写今日或以后的日期", USAGE)
    made = clients.Client(
        name, title, dept, account, kind, tuple(dict.fromkeys(purposes)), clients.ACTIVE, last
    )
    given = _given(name, key_file, cert_file)

    async def change(conn: AsyncConnection) -> int:
        await _account(conn, made)
        version = await clients.create_client(conn, made, by=by, basis=basis)
        for key in given.keys:
            version = await clients.add_key(conn, key, by=by, basis=basis)
        return version

    signed = (
        Signature(by, (SECURITY, ACCOUNTS)),
        Signature(approved_by, (SECURITY, head_of(dept))),
    )
    about: dict[str, str | int | bool] = {"client": name, "account": account, "class": kind}
    deed = Deed("client.create", signed, Kind.ACCOUNT_CHANGED, about=about)
    version = done(settings, words, deed, change)
    _tell(f"应用 {name} 已新建，策略版本 {version}", name, version, given, json_)


@client.command(help="换密钥（一人签署）：新的立即可用，同类至多两个，最早的失效；密钥只显示一次。")
@click.argument("name")
@KEY
@CERTIFICATE
@click.option("--now", "alone", is_flag=True, help="同类的其他密钥立即全部失效（泄露时）")
@BY
@BASIS
@DIR
@JSON
def rotate(
    name: str,
    key_file: Path | None,
    cert_file: Path | None,
    alone: bool,
    by: str,
    basis: str,
    folder: Path | None,
    json_: bool,
) -> None:
    """0 in force, 1 refused, 2 usage, 3 store."""
    from audit.record import Kind
    from hub.deeds import ACCOUNTS, SECURITY, Deed, Signature, head_of
    from store import clients

    settings, words = selected(folder)
    known = _known(settings, name)
    given = _given(name, key_file, cert_file)

    async def change(conn: AsyncConnection) -> int:
        version = 0
        for key in given.keys:
            version = await clients.add_key(conn, key, by=by, basis=basis, alone=alone)
        return version

    signed = (Signature(by, (SECURITY, ACCOUNTS, head_of(known.dept))),)
    about: dict[str, str | int | bool] = {"client": name, "alone": alone}
    deed = Deed("client.rotate", signed, Kind.ACCOUNT_CHANGED, about=about)
    version = done(settings, words, deed, change)
    _tell(f"应用 {name} 的密钥已更换，策略版本 {version}", name, version, given, json_)


@client.command(help="停用应用（一人签署）：下一次请求即拒绝，已签发的令牌一并失效。")
@click.argument("name")
@BY
@BASIS
@DIR
@JSON
def disable(name: str, by: str, basis: str, folder: Path | None, json_: bool) -> None:
    """0 in force, 1 refused, 3 store."""
    from audit.record import Kind
    from hub.deeds import ACCOUNTS, SECURITY, Deed, Signature, head_of
    from store import clients

    settings, words = selected(folder)
    known = _known(settings, name)

    async def change(conn: AsyncConnection) -> int:
        return await clients.disable_client(conn, name, by=by, basis=basis)

    signed = (Signature(by, (SECURITY, ACCOUNTS, head_of(known.dept))),)
    deed = Deed("client.disable", signed, Kind.ACCOUNT_CHANGED, about={"client": name})
    version = done(settings, words, deed, change)
    if json_:
        as_json({"client": name, "policyVersion": version})
    else:
        click.echo(f"应用 {name} 已停用，策略版本 {version}")


@client.command("list", help="全部应用：状态、密钥与到期日；三十日内到期的另行注明。")
@DIR
@JSON
def list_(folder: Path | None, json_: bool) -> None:
    """0, or 3 if the store does not answer."""
    from hub.rights import today

    settings, _ = selected(folder)
    found, keys = _read(settings)
    held = {one.id: [k for k in keys if k.live and k.client == one.id] for one in found}
    if json_:
        as_json([_row(one, held[one.id], today()) for one in found])
        return
    for one in found:
        click.echo(_line(one, held[one.id], today()))
    click.echo(f"应用 {len(found)} 个")


def ending(one: Client, day: date) -> str:
    """In words, that a client's end is near or over; empty if it is not."""
    left = (one.expires_on - day).days
    if left < 0:
        return "已到期"
    return f"{left} 日后到期" if left <= WARNED else ""


# ---- what is given


@dataclass(frozen=True, slots=True)
class _Given:
    """Keys to be registered; `secret` is shown once."""

    keys: tuple[ClientKey, ...]
    secret: str | None


def _given(name: str, key_file: Path | None, cert_file: Path | None) -> _Given:
    """What the files hold, or a new secret if there is none."""
    from audit.batch import now_us
    from hub.identity.credentials import (
        UnfitKey,
        new_secret,
        registered_certificate,
        registered_key,
    )

    now, keys = now_us(), []
    try:
        if key_file is not None:
            keys.append(registered_key(name, key_file.read_bytes(), now))
        if cert_file is not None:
            keys.append(registered_certificate(name, cert_file.read_bytes(), now))
    except UnfitKey as error:
        stop(str(error), USAGE)
    except OSError:
        stop("文件无法读取：请检查文件与权限", USAGE)
    if keys:
        return _Given(tuple(keys), None)
    secret, key = new_secret(name, now)
    return _Given((key,), secret)


def _check(words: Catalog, name: str, account: str, dept: str, purposes: tuple[str, ...]) -> None:
    if not NAME.match(name):
        stop(f"应用名 `{name}` 不合要求：3 至 40 个小写字母、数字、点、横线、下划线", USAGE)
    if not ACCOUNT.match(account):
        stop(f"账号 `{account}` 不合要求：3 至 64 个小写字母、数字、点、横线、下划线", USAGE)
    if dept not in words.departments:
        stop(f"部门 `{dept}` 不存在：请核对代码", USAGE)
    for purpose in purposes:
        if purpose not in words.purposes:
            stop(f"用途 `{purpose}` 不存在：请核对代码", USAGE)


async def _account(conn: AsyncConnection, made: Client) -> None:
    """The account a client speaks for: one of its department's systems, opened if it is new."""
    from catalog.divisions import COUNTY
    from store.accounts import NewPost, NewPrincipal, holder_only, is_account, seed_accounts
    from store.clients import NoClient

    if not await is_account(conn, made.principal):
        post = NewPost(made.dept, "system", COUNTY)
        one = NewPrincipal(made.principal, "system", made.title, made.dept, (post,))
        await seed_accounts(conn, (one,))
        return
    holder = await holder_only(conn, made.principal)
    if holder is None or holder.kind != "system" or holder.dept != made.dept:
        raise NoClient(f"账号 `{made.principal}` 不是 {made.dept} 的部门系统账号，或已停用：请核对")


# ---- what is there


def _read(settings: Settings) -> tuple[tuple[Client, ...], tuple[ClientKey, ...]]:
    from sqlalchemy.exc import SQLAlchemyError

    try:
        return asyncio.run(read(settings.store_url))
    except (SQLAlchemyError, OSError):
        no_store()


async def read(url: str) -> tuple[tuple[Client, ...], tuple[ClientKey, ...]]:
    """Every client and every key of a store. SQLAlchemyError, OSError."""
    from store import clients
    from store.engine import single

    async with single(url, readonly=True) as conn:
        return await clients.read_clients(conn), await clients.read_keys(conn)


def _known(settings: Settings, name: str) -> Client:
    found = next((one for one in _read(settings)[0] if one.id == name), None)
    if found is None:
        stop(f"应用 `{name}` 不存在：请核对", FAILED)
    return found


# ---- what is said


def _tell(said: str, name: str, version: int, given: _Given, json_: bool) -> None:
    if json_:
        shown = {} if given.secret is None else {"secret": given.secret}
        keys = [{"kind": key.kind, "id": key.id} for key in given.keys]
        as_json({"client": name, "policyVersion": version, "keys": keys} | shown)
        return
    click.echo(said)
    for key in given.keys:
        click.echo(f"  {key.kind} {key.id}")
    if given.secret is not None:
        click.echo(f"  密钥（只显示这一次，请立即存入本系统的密钥库）：{given.secret}")


def _row(one: Client, keys: list[ClientKey], day: date) -> dict[str, object]:
    return {
        "client": one.id,
        "title": one.title,
        "dept": one.dept,
        "account": one.principal,
        "class": one.kind,
        "purposes": list(one.purposes),
        "state": one.state,
        "expiresOn": one.expires_on.isoformat(),
        "expiring": bool(ending(one, day)),
        "keys": [{"kind": k.kind, "id": k.id, "addedAt": k.added_at // SECOND_US} for k in keys],
    }


def _line(one: Client, keys: list[ClientKey], day: date) -> str:
    kinds = " ".join(f"{key.kind}:{key.id}" for key in keys) or "无密钥"
    end = ending(one, day)
    return (
        f"{one.id} {one.state} {one.kind} {one.dept} {one.principal} {one.title} "
        f"用途 {'、'.join(one.purposes)} 至 {one.expires_on}{f'（{end}）' if end else ''} {kinds}"
    )
