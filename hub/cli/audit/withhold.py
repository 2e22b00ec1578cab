"""``hub audit withhold``: what a citizen is not told of who saw him, on which ground, until when.

Two people sign; the record of it is one like any other. What is withheld is counted: the citizen
is told that there is something he is not told (个人信息保护法第四十五条).
"""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import Awaitable, Callable, Coroutine
from datetime import datetime
from pathlib import Path
from typing import Any, TypeVar

import click
from sqlalchemy import delete, insert, select
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.ext.asyncio import AsyncConnection

from audit.batch import now_us
from audit.record import Draft, Kind, Op
from catalog.errors import AuditUnavailable, Readable
from hub.cli.audit import audit
from hub.cli.chosen import DIR, chosen
from hub.cli.say import JSON, OPERATOR, USAGE, as_json, no_store, stop
from hub.deeds import SECURITY, Signature, signatures_of
from hub.recording import recording
from hub.settings import Settings
from store.audit import audit_withholding
from store.engine import single

T = TypeVar("T")
LEVELS = ("OFFICE_ONLY", "WITHHELD")
_ROW = audit_withholding.c
BY = click.option("--by", required=True, help="签署人的账号")
APPROVED = click.option("--approved-by", required=True, help="安全管理员的账号，须为另一人")


@audit.group(help="向本人说明的程度：依法对哪些查看暂不告知。")
def withhold() -> None:
    """The group."""


@withhold.command("list", help="列出各条，及其依据与截止日。")
@DIR
@JSON
def list_(folder: Path | None, json_: bool) -> None:
    """0, or 3 if the store does not answer."""
    settings, _ = chosen(folder)

    async def read() -> list[dict[str, object]]:
        async with single(settings.store_url, readonly=True) as connection:
            found = await connection.execute(select(audit_withholding).order_by(_ROW.at))
            return [dict(row._mapping) for row in found]

    rows = _run(read())
    if json_:
        as_json([row | {"until": str(row["until"])} for row in rows])
        return
    for row in rows:
        aims = (str(row[name]) or "—" for name in ("org", "purpose", "case_ref"))
        click.echo(f"{row['id']} {row['level']} {' '.join(aims)} 至 {row['until']} {row['basis']}")
    click.echo(f"共 {len(rows)} 条")


@withhold.command(help="新增一条（两人签署）：单位、用途、编号至少写一项，同时满足。")
@click.option("--level", type=click.Choice(LEVELS), required=True, help="仅单位，或暂不告知")
@click.option("--org", default="", help="查看者的部门代码")
@click.option("--purpose", default="", help="查看的用途代码")
@click.option("--case-ref", default="", help="查看所附的编号")
@click.option("--basis", required=True, help="依据：法条或文号")
@click.option(
    "--until", type=click.DateTime(["%Y-%m-%d"]), required=True, help="截止日，含当日，此后告知"
)
@BY
@APPROVED
@DIR
def add(
    level: str,
    org: str,
    purpose: str,
    case_ref: str,
    basis: str,
    until: datetime,
    by: str,
    approved_by: str,
    folder: Path | None,
) -> None:
    """0 in force, 2 refused, 3 store."""
    settings, _ = chosen(folder)
    if not (org or purpose or case_ref):
        stop("--org、--purpose、--case-ref 至少写一项", USAGE)
    name = f"w-{uuid.uuid4().hex[:12]}"
    row = {
        "id": name,
        "level": level,
        "org": org,
        "purpose": purpose,
        "case_ref": case_ref,
        "basis": basis,
        "until": until.date(),
        "written_by": by,
        "approved_by": approved_by,
        "at": now_us(),
    }

    async def change(connection: AsyncConnection) -> None:
        await connection.execute(insert(audit_withholding), row)

    _run(_signed(settings, (by, approved_by), "withhold.add", name, change))
    click.echo(f"{name} 已生效，至 {until.date()}")


@withhold.command(help="提前结束一条（两人签署）：此后照常告知。")
@click.argument("name", metavar="ID")
@BY
@APPROVED
@DIR
def end(name: str, by: str, approved_by: str, folder: Path | None) -> None:
    """0 ended, 2 refused, 3 store."""
    settings, _ = chosen(folder)

    async def change(connection: AsyncConnection) -> None:
        gone = await connection.execute(delete(audit_withholding).where(_ROW.id == name))
        if gone.rowcount != 1:
            raise Readable(f"没有 `{name}` 这一条：请核对编号")

    _run(_signed(settings, (by, approved_by), "withhold.end", name, change))
    click.echo(f"{name} 已结束")


async def _signed(
    settings: Settings,
    names: tuple[str, str],
    what: str,
    ref: str,
    change: Callable[[AsyncConnection], Awaitable[None]],
) -> None:
    by, approved = names
    async with recording(settings) as (engine, log), engine.begin() as connection:
        await signatures_of(connection, (Signature(by), Signature(approved, (SECURITY,))))
        await change(connection)
        op = Op(name=what, type="command", vars={"approved_by": approved})
        await log.append_in(connection, Draft(Kind.RULE_CHANGED, actor=by, ref=ref, op=op))


def _run(deed: Coroutine[Any, Any, T]) -> T:
    try:
        return asyncio.run(deed)
    except Readable as error:
        stop(str(error), USAGE)
    except AuditUnavailable as error:
        stop(f"{error.code}: {error.message}", OPERATOR)
    except (SQLAlchemyError, OSError):
        no_store()
