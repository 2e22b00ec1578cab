"""Changing what departments share: grants (共享授权) and the classes of objects (共享属性).

Each function works in the caller's transaction: it makes sure that the policy is what its last
change left, changes one row, seals the outcome under the next version and writes down who, what,
before, after, on which ground. Whether the outcome can be loaded is for
``authz.keeper.proved`` to say, before the caller commits.
"""

from __future__ import annotations

import json
from dataclasses import asdict, replace
from datetime import date

from sqlalchemy import insert, update
from sqlalchemy.ext.asyncio import AsyncConnection

from catalog.errors import Readable
from store.grants import ACTIVE, PENDING, REVOKED, Grant, share_grant
from store.policy import Change, authz_object, seal, sealed_rows


class GrantRefused(Readable):
    """One Chinese line: why a grant cannot be filed, approved or revoked."""


async def file_grant(conn: AsyncConnection, grant: Grant, *, by: str, basis: str) -> int:
    """Store a grant as `by` wrote it, PENDING; the new version. BrokenSeal.

    IntegrityError for what no grant may be, or an id that is taken. It gives nothing until
    `activate_grant`.
    """
    await sealed_rows(conn)
    filed = replace(grant, state=PENDING, written_by=by, approved_by="")
    await conn.execute(insert(share_grant), _row(filed))
    return await seal(conn, Change(by, "grant.file", "", _text(filed), basis))


async def activate_grant(conn: AsyncConnection, grant_id: str, *, by: str, basis: str) -> int:
    """Approve a PENDING grant; the new version. GrantRefused, BrokenSeal.

    The provider's head signs, or his system for him; never who wrote it (两人签批).
    """
    grant = await _found(conn, grant_id)
    if grant.state != PENDING:
        raise GrantRefused(f"共享授权 `{grant_id}` 的状态是 {grant.state}：只有 PENDING 可以批准")
    if grant.written_by == by:
        raise GrantRefused(f"共享授权 `{grant_id}` 由本人填写：请由另一人批准")
    signed = replace(grant, state=ACTIVE, approved_by=by)
    return await _changed(conn, grant, signed, Change(by, "grant.activate", "", "", basis))


async def revoke_grant(conn: AsyncConnection, grant_id: str, *, by: str, basis: str) -> int:
    """End a grant at once; one person is enough. The new version. GrantRefused, BrokenSeal."""
    grant = await _found(conn, grant_id)
    if grant.state == REVOKED:
        raise GrantRefused(f"共享授权 `{grant_id}` 已经撤销")
    ended = replace(grant, state=REVOKED)
    return await _changed(conn, grant, ended, Change(by, "grant.revoke", "", "", basis))


async def reclassify(
    conn: AsyncConnection, obj: str, share_class: str, *, by: str, approved_by: str, basis: str
) -> int:
    """Give an object another sharing class, on a ground (NOT_SHARED: a law); the new version.

    KeyError for an object the policy does not hold, IntegrityError for an unknown class,
    BrokenSeal, GrantRefused if one person signed twice: a class may open data to everybody.
    """
    if by == approved_by:
        raise GrantRefused("变更共享属性须两人签批：请由另一人批准")
    rows = await sealed_rows(conn)
    before = {name: (share, why) for name, _, share, why in rows.objects}[obj]
    changed = update(authz_object).where(authz_object.c.object == obj)
    await conn.execute(changed.values(share_class=share_class, basis=basis))
    said = (" ".join((obj, *before)).rstrip(), f"{obj} {share_class} {basis} {approved_by}")
    return await seal(conn, Change(by, "share.class", *said, basis))


async def _found(conn: AsyncConnection, grant_id: str) -> Grant:
    for grant in (await sealed_rows(conn)).grants:
        if grant.id == grant_id:
            return grant
    raise GrantRefused(f"共享授权 `{grant_id}` 不存在：请核对编号")


async def _changed(conn: AsyncConnection, old: Grant, new: Grant, change: Change) -> int:
    row = {"state": new.state, "approved_by": new.approved_by or None}
    await conn.execute(update(share_grant).where(share_grant.c.id == old.id).values(row))
    return await seal(conn, replace(change, before=_text(old), after=_text(new)))


def _row(grant: Grant) -> dict[str, object]:
    row: dict[str, object] = asdict(grant)
    days = {name: date.fromisoformat(str(row[name])) for name in ("since", "until")}
    return row | days | {"approved_by": grant.approved_by or None}


def _text(grant: Grant) -> str:
    return json.dumps(asdict(grant), ensure_ascii=False, separators=(",", ":"))
