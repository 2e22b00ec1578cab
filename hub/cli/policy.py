"""``hub policy``: put lines, sharing classes, grants and suspensions in force, signed and recorded.

Each verb changes the store at once or not at all; every worker goes by it within a second. What
a change would mean is asked before with ``hub authz diff FILE``.
"""

from __future__ import annotations

import asyncio
import time
import uuid
from dataclasses import asdict, replace
from pathlib import Path
from typing import TYPE_CHECKING

import click

from catalog.errors import Readable
from hub.cli.chosen import DIR, selected
from hub.cli.say import FAILED, JSON, USAGE, as_json, no_store, stop
from hub.cli.signed import APPROVED, BASIS, BY, done
from hub.telemetry import logs

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from sqlalchemy.ext.asyncio import AsyncConnection

    from catalog.load import Catalog
    from hub.deeds import Signature
    from hub.settings import Settings
    from store.grants import Grant


@click.group(help="改动权限策略：采用文件、禁止、停用账号、共享属性与共享授权；均须签署并留痕。")
def policy() -> None:
    """The group."""
    logs.configure("CRITICAL")  # what is wrong is said in one line, below


@policy.command(
    help="采用一个策略文件（两人签署）：此后的规则即文件所列，先用 hub authz diff 查看。"
)
@click.argument("file", type=click.Path(path_type=Path))
@BY
@APPROVED
@BASIS
@DIR
def adopt(file: Path, by: str, approved_by: str, basis: str, folder: Path | None) -> None:
    """0 in force, 1 refused, 2 usage, 3 store."""
    from authz.start import read_policy
    from hub.deeds import SECURITY, Deed, Signature
    from hub.settings import Profile
    from store import policy as rows

    settings, words = selected(folder)
    try:
        rules = read_policy(file, words, demo=settings.profile is Profile.DEMO)
    except (OSError, UnicodeDecodeError):
        stop(f"文件 {file} 无法按 UTF-8 读取：请检查文件与权限", USAGE)
    except Readable as error:
        stop(str(error), USAGE)
    lines = [(rule.id, *rule.line, rule.basis) for rule in rules]
    counted: list[int] = []

    async def change(conn: AsyncConnection) -> int:
        version, *counted[:] = await rows.adopt(
            conn, lines, by=by, approved_by=approved_by, basis=basis
        )
        return version

    signed = (Signature(by), Signature(approved_by, (SECURITY,)))
    version = done(settings, words, Deed("policy.adopt", signed), change)
    click.echo(f"策略版本 {version}：新增规则 {counted[0]} 条，删除 {counted[1]} 条")


@policy.command(help="立即禁止（一人签署，三个工作日内复核）：一条禁止规则，优先于一切允许。")
@click.option("--role", default="*", help="角色，默认全部")
@click.option("--dept", default="*", help="部门，默认全部")
@click.option("--object", "obj", required=True, help="授权对象，如 Citizen.health 或 Citizen.*")
@click.option("--act", required=True, help="操作，如 read")
@click.option("--reach", default="county", help="辖区：county 或辖区路径，默认 county")
@click.option("--purpose", default="*", help="用途代码，默认全部")
@click.option("--until", default="9999-12-31", help="截止日，含当日")
@BY
@BASIS
@DIR
def deny(
    role: str,
    dept: str,
    obj: str,
    act: str,
    reach: str,
    purpose: str,
    until: str,
    by: str,
    basis: str,
    folder: Path | None,
) -> None:
    """0 in force, 1 refused, 2 usage, 3 store."""
    from authz.rule import MINOR, Rule, check_rule
    from hub.deeds import SECURITY, Deed, Signature, head_of
    from store import policy as rows

    settings, words = selected(folder)
    rule = Rule(role, dept, obj, act, reach, "any", purpose, until, "deny", basis)
    fault = check_rule(rule, words)
    if fault is not None:
        stop(f"{fault.column}：{fault.message}", USAGE)

    async def change(conn: AsyncConnection) -> int:
        return await rows.add_denial(conn, (rule.id, *rule.line, rule.basis), by=by)

    known = words.objects.get(obj.removesuffix(MINOR))
    posts = (SECURITY, head_of(known.provider)) if known else (SECURITY,)
    deed = Deed("policy.deny", (Signature(by, posts),), ref=rule.id)
    version = done(settings, words, deed, change)
    click.echo(f"策略版本 {version}：禁止规则 {rule.id} 已生效")


@policy.command(help="停用账号（一人签署）：下一次请求即拒绝。")
@click.argument("account")
@BY
@BASIS
@DIR
def suspend(account: str, by: str, basis: str, folder: Path | None) -> None:
    """0 in force, 1 refused, 3 store."""
    from sqlalchemy.exc import NoResultFound

    from audit.record import Kind
    from hub.deeds import ACCOUNTS, SECURITY, Deed, Signature
    from store import accounts

    settings, words = selected(folder)

    async def change(conn: AsyncConnection) -> int:
        try:
            return await accounts.suspend(conn, account, by=by, basis=basis)
        except NoResultFound:
            raise Readable(f"账号 `{account}` 不存在：请核对") from None

    signed = (Signature(by, (SECURITY, ACCOUNTS)),)
    deed = Deed("account.suspend", signed, Kind.ACCOUNT_CHANGED, about={"account": account})
    click.echo(f"账号 {account} 已停用，策略版本 {done(settings, words, deed, change)}")


@policy.command(help="作废账号此前签发的全部令牌（一人签署）：下一次请求即拒绝，须重新取得令牌。")
@click.argument("account")
@BY
@BASIS
@DIR
@JSON
def revoke_tokens(account: str, by: str, basis: str, folder: Path | None, json_: bool) -> None:
    """0 in force, 1 refused, 3 store."""
    from sqlalchemy.exc import NoResultFound

    from audit.record import Kind
    from hub.deeds import ACCOUNTS, SECURITY, Deed, Signature
    from store import accounts

    settings, words = selected(folder)

    async def change(conn: AsyncConnection) -> int:
        now = int(time.time())
        try:
            return await accounts.void_tokens(conn, account, by=by, basis=basis, now=now)
        except NoResultFound:
            raise Readable(f"账号 `{account}` 不存在：请核对") from None

    signed = (Signature(by, (SECURITY, ACCOUNTS)),)
    deed = Deed("account.void_tokens", signed, Kind.ACCOUNT_CHANGED, about={"account": account})
    version = done(settings, words, deed, change)
    if json_:
        as_json({"account": account, "policyVersion": version})
    else:
        click.echo(f"账号 {account} 此前的令牌已作废，策略版本 {version}")


@policy.command(help="变更授权对象的共享属性（两人签署）：UNCONDITIONAL、CONDITIONAL、NOT_SHARED。")
@click.argument("obj", metavar="OBJECT")
@click.argument("kind", metavar="CLASS")
@BY
@APPROVED
@BASIS
@DIR
def reclassify(
    obj: str, kind: str, by: str, approved_by: str, basis: str, folder: Path | None
) -> None:
    """0 in force, 1 refused, 2 usage, 3 store."""
    from catalog.grades import SharingKind
    from hub.deeds import SECURITY, Deed, Signature, head_of
    from store import sharing

    settings, words = selected(folder)
    known = words.objects.get(obj)
    if known is None:
        stop(f"授权对象 `{obj}` 不存在：请核对拼写", USAGE)
    if kind not in [one.value for one in SharingKind]:
        stop(f"共享属性 `{kind}` 不存在：请写 {' '.join(one.value for one in SharingKind)}", USAGE)

    async def change(conn: AsyncConnection) -> int:
        return await sharing.reclassify(
            conn, obj, kind, by=by, approved_by=approved_by, basis=basis
        )

    signed = (Signature(by, (head_of(known.provider),)), Signature(approved_by, (SECURITY,)))
    deed = Deed("share.class", signed, about={"object": obj, "class": kind})
    click.echo(f"{obj} 现为 {kind}，策略版本 {done(settings, words, deed, change)}")


# ---- grants


@policy.group(help="共享授权：提供部门把一个授权对象给另一部门用。")
def grant() -> None:
    """The group."""


@grant.command("list", help="全部共享授权及其状态。")
@DIR
@JSON
def list_(folder: Path | None, json_: bool) -> None:
    """0, or 3 if the store does not answer."""
    found = _grants(selected(folder)[0])
    if json_:
        as_json([asdict(one) for one in found])
        return
    for one in found:
        click.echo(
            f"{one.id} {one.state} {one.provider}→{one.consumer} {one.object} {one.actions} "
            f"{one.purpose} {one.reach} {one.since}—{one.until} 申请 {one.request_id}"
        )
    click.echo(f"共享授权 {len(found)} 件")


@grant.command(help="填写一件共享授权：批准之前不起作用。")
@click.option("--request", "request_id", required=True, help="共享申请的编号")
@click.option("--object", "obj", required=True, help="授权对象，如 Citizen.employment")
@click.option("--to", "consumer", required=True, help="使用部门的代码")
@click.option("--acts", default="read", help="操作，多项以 | 分隔，默认 read")
@click.option("--purpose", required=True, help="用途代码，多项以 | 分隔")
@click.option("--reach", default="county", help="辖区：county 或辖区路径，默认 county")
@click.option("--since", help="起始日，默认今日")
@click.option("--until", required=True, help="截止日，含当日")
@BY
@BASIS
@DIR
def file(
    request_id: str,
    obj: str,
    consumer: str,
    acts: str,
    purpose: str,
    reach: str,
    since: str | None,
    until: str,
    by: str,
    basis: str,
    folder: Path | None,
) -> None:
    """0 filed, 1 refused, 2 usage, 3 store."""
    from authz.rule import MINOR
    from authz.sharing import check_grant
    from hub.deeds import Deed, Signature
    from hub.rights import today
    from store import sharing
    from store.grants import Grant

    settings, words = selected(folder)
    known = words.objects.get(obj.removesuffix(MINOR))
    if known is None:
        stop(f"授权对象 `{obj}` 不存在：请核对拼写", USAGE)
    provider, name = known.provider, f"g-{uuid.uuid4().hex[:12]}"
    begins = since or today().isoformat()
    filed = Grant(name, request_id, obj, provider, consumer, acts, reach, purpose, begins, until)
    fault = check_grant(replace(filed, written_by=by), words)
    if fault is not None:
        stop(f"{fault.column}：{fault.message}", USAGE)

    async def change(conn: AsyncConnection) -> int:
        return await sharing.file_grant(conn, filed, by=by, basis=basis)

    done(settings, words, Deed("grant.file", (Signature(by),), ref=name), change)
    click.echo(f"共享授权 {name} 已填写，待 {provider} 的负责人批准")


@grant.command(help="批准一件共享授权：由提供部门的负责人签署，填写人以外。")
@click.argument("name", metavar="GRANT")
@BY
@BASIS
@DIR
def approve(name: str, by: str, basis: str, folder: Path | None) -> None:
    """0 in force, 1 refused, 3 store."""
    from hub.deeds import Signature, head_of
    from store.sharing import activate_grant

    settings, words = selected(folder)
    signed = Signature(by, (head_of(_grant(settings, name).provider),))
    version = _changed(settings, words, name, signed, "grant.activate", activate_grant, basis)
    click.echo(f"共享授权 {name} 已生效，策略版本 {version}")


@grant.command(help="撤销一件共享授权：一人签署，下一次请求即不再给出。")
@click.argument("name", metavar="GRANT")
@BY
@BASIS
@DIR
def revoke(name: str, by: str, basis: str, folder: Path | None) -> None:
    """0 in force, 1 refused, 3 store."""
    from hub.deeds import SECURITY, Signature, head_of
    from store.sharing import revoke_grant

    settings, words = selected(folder)
    signed = Signature(by, (SECURITY, head_of(_grant(settings, name).provider)))
    version = _changed(settings, words, name, signed, "grant.revoke", revoke_grant, basis)
    click.echo(f"共享授权 {name} 已撤销，策略版本 {version}")


# ---- the store


def _changed(
    settings: Settings,
    words: Catalog,
    name: str,
    signed: Signature,
    what: str,
    deed: Callable[..., Awaitable[int]],
    basis: str,
) -> int:
    from hub.deeds import Deed

    async def change(conn: AsyncConnection) -> int:
        return await deed(conn, name, by=signed.account, basis=basis)

    return done(settings, words, Deed(what, (signed,), ref=name), change)


def _grants(settings: Settings) -> tuple[Grant, ...]:
    from sqlalchemy.exc import SQLAlchemyError

    async def read() -> tuple[Grant, ...]:
        from store.engine import single
        from store.grants import read_grants

        async with single(settings.store_url, readonly=True) as conn:
            return await read_grants(conn)

    try:
        return asyncio.run(read())
    except (SQLAlchemyError, OSError):
        no_store()


def _grant(settings: Settings, name: str) -> Grant:
    found = next((one for one in _grants(settings) if one.id == name), None)
    if found is None:
        stop(f"共享授权 `{name}` 不存在：请核对编号", FAILED)
    return found
