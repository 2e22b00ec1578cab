"""Principals and their posts (办法第六条: one real-name account per person, rights by post).

三员分立 (GB/T 39477-2020) by declaration: a principal has one `duty`, a post carries the
duty its role implies, and a composite foreign key makes them equal. So nobody can hold
secadmin, auditor or sysadmin together with each other or with a working role.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date
from typing import Any

from sqlalchemy import (
    BigInteger,
    CheckConstraint,
    Column,
    Date,
    ForeignKey,
    ForeignKeyConstraint,
    Integer,
    Row,
    String,
    Table,
    UniqueConstraint,
    insert,
    select,
    update,
)
from sqlalchemy.ext.asyncio import AsyncConnection

from store.metadata import BYTES, PATH, metadata, region_shape
from store.policy import Change, bump_version, note

SEPARATE_DUTIES = ("secadmin", "auditor", "sysadmin")
WORK = "work"
NO_END = date(9999, 12, 31)
PURCHASED = "purchased"  # 购买服务人员
_DUTIES = ", ".join(f"'{duty}'" for duty in SEPARATE_DUTIES)

principal = Table(
    "principal",
    metadata,
    Column("id", BYTES, primary_key=True),
    Column("kind", String(16), nullable=False),
    Column("real_name", String(64), nullable=False),
    Column("home_dept", String(32), nullable=False),
    Column("employment", String(16), nullable=False),
    Column("state", String(16), nullable=False),
    Column("duty", String(16), nullable=False),
    Column("token_epoch", Integer, nullable=False),
    UniqueConstraint("id", "duty", name="uq_principal_duty"),
    CheckConstraint("kind IN ('official', 'system', 'portal')", name="kind"),
    CheckConstraint("employment IN ('civil', 'institution', 'purchased')", name="employment"),
    CheckConstraint("state IN ('active', 'suspended', 'closed')", name="state"),
    CheckConstraint(f"duty IN ('{WORK}', {_DUTIES})", name="duty"),
)

voided_tokens = Table(
    "voided_tokens",
    metadata,
    Column("principal_id", BYTES, ForeignKey("principal.id"), primary_key=True),
    Column("at", BigInteger, nullable=False),  # seconds since 1970: when token_epoch last grew
)

post = Table(
    "post",
    metadata,
    Column("id", BYTES, primary_key=True),
    Column("principal_id", BYTES, nullable=False, index=True),
    Column("duty", String(16), nullable=False),
    Column("dept", String(32), nullable=False),
    Column("role", String(32), nullable=False),
    Column("region_path", PATH, nullable=False),
    Column("starts_on", Date, nullable=False),
    Column("ends_on", Date, nullable=False),
    Column("appointed_by", String(64), nullable=False),
    Column("approved_by", String(64), nullable=False),
    ForeignKeyConstraint(
        ["principal_id", "duty"], ["principal.id", "principal.duty"], name="fk_post_duty"
    ),
    CheckConstraint(region_shape("region_path"), name="region_path"),
    CheckConstraint("starts_on <= ends_on", name="term"),
    CheckConstraint(
        f"duty = CASE WHEN role IN ({_DUTIES}) THEN role ELSE '{WORK}' END", name="duty"
    ),
)


_OF_TOKENS = (principal.c.token_epoch, principal.c.home_dept, voided_tokens.c.at)


class SeparationOfDuties(ValueError):
    """三员 may not be held together, nor with a working role."""


class NoRealName(ValueError):
    """An account is somebody's by name, or a named system's (办法第六条)."""


@dataclass(frozen=True, slots=True)
class NewPost:
    """A post to be given; dates inclusive."""

    dept: str
    role: str
    region_path: str
    starts_on: date = date(2022, 1, 1)  # the year the measures took force
    ends_on: date = NO_END


@dataclass(frozen=True, slots=True)
class NewPrincipal:
    """An account to be opened with its posts."""

    id: str
    kind: str
    real_name: str
    home_dept: str
    posts: tuple[NewPost, ...]
    employment: str = "civil"
    state: str = "active"


@dataclass(frozen=True, slots=True)
class Holder:
    """An active principal: official, system or portal; whether his service is purchased.

    `epoch` counts how often all his tokens were made void, `epoch_at` when last (seconds since
    1970); `dept` the department he belongs to.
    """

    kind: str
    purchased: bool
    epoch: int = 0
    epoch_at: int = 0
    dept: str = ""


@dataclass(frozen=True, slots=True)
class HeldPost:
    """A post in force."""

    dept: str
    role: str
    region_path: str


def duty_of(posts: Iterable[NewPost]) -> str:
    """The one duty these posts imply; SeparationOfDuties if they imply two."""
    duties = {p.role if p.role in SEPARATE_DUTIES else WORK for p in posts} or {WORK}
    if len(duties) > 1:
        raise SeparationOfDuties("安全管理员、审计员、系统管理员不得互兼，也不得兼任其他岗位")
    return duties.pop()


async def seed_accounts(
    conn: AsyncConnection, principals: Iterable[NewPrincipal], by: str = "hub"
) -> int:
    """Open accounts in the caller's transaction; the new policy version.

    SeparationOfDuties, NoRealName before anything is written; IntegrityError for an account that
    exists.
    """
    principals = tuple(principals)
    if not all(one.real_name.strip() for one in principals):
        raise NoRealName("账号须写明实名")
    given = [(one, duty_of(one.posts)) for one in principals]
    for one, duty in given:
        await conn.execute(insert(principal), _principal_row(one, duty))
        for number, held in enumerate(one.posts, start=1):
            row = {"id": f"{one.id}.{number}", "principal_id": one.id, "duty": duty}
            await conn.execute(insert(post), row | _post_row(held, by))
    return await bump_version(conn)


async def suspend(conn: AsyncConnection, principal_id: str, *, by: str, basis: str) -> int:
    """Take an account its posts, in the caller's transaction; the new policy version.

    One person may do it: who leaves is let in nowhere from the next request on.
    NoResultFound for an account that does not exist.
    """
    state = principal.c.state
    found = await conn.execute(select(state).where(principal.c.id == principal_id))
    before = found.scalar_one()
    changed = update(principal).where(principal.c.id == principal_id)
    await conn.execute(changed.values(state="suspended"))
    version = await bump_version(conn)
    shown = (f"{principal_id} {before}", f"{principal_id} suspended")
    await note(conn, Change(by, "account.suspend", *shown, basis), version)
    return version


async def void_tokens(
    conn: AsyncConnection, principal_id: str, *, by: str, basis: str, now: int
) -> int:
    """Make every token of an account void that is older than `now` (seconds since 1970).

    In the caller's transaction; the new policy version. NoResultFound for no such account.
    """
    epoch = principal.c.token_epoch
    found = await conn.execute(select(epoch).where(principal.c.id == principal_id))
    before = int(found.scalar_one())
    changed = update(principal).where(principal.c.id == principal_id)
    await conn.execute(changed.values(token_epoch=epoch + 1))
    # By hand, because the two databases have no word for this in common.
    mine = voided_tokens.c.principal_id == principal_id
    if (await conn.execute(update(voided_tokens).where(mine).values(at=now))).rowcount == 0:
        await conn.execute(insert(voided_tokens).values(principal_id=principal_id, at=now))
    version = await bump_version(conn)
    shown = (f"{principal_id} epoch {before}", f"{principal_id} epoch {before + 1}")
    await note(conn, Change(by, "account.void_tokens", *shown, basis), version)
    return version


async def is_account(conn: AsyncConnection, principal_id: str) -> bool:
    """Was an account of this name ever opened?"""
    asked = select(principal.c.id).where(principal.c.id == principal_id)
    return (await conn.execute(asked)).first() is not None


async def holder_only(
    conn: AsyncConnection, principal_id: str, *, active: bool = True
) -> Holder | None:
    """A principal, whatever posts he has; None for anybody else. Not `active`: in any state."""
    asked = (
        select(principal.c.kind, principal.c.employment, *_OF_TOKENS)
        .select_from(principal.outerjoin(voided_tokens))
        .where(principal.c.id == principal_id)
    )
    if active:
        asked = asked.where(principal.c.state == "active")
    row = (await conn.execute(asked)).first()
    return None if row is None else _holder(row)


def _holder(row: Row[*tuple[Any, ...]]) -> Holder:
    return Holder(
        row.kind, row.employment == PURCHASED, row.token_epoch, row.at or 0, row.home_dept
    )


def _principal_row(one: NewPrincipal, duty: str) -> dict[str, object]:
    return {
        "id": one.id,
        "kind": one.kind,
        "real_name": one.real_name,
        "home_dept": one.home_dept,
        "employment": one.employment,
        "state": one.state,
        "duty": duty,
        "token_epoch": 0,
    }


def _post_row(held: NewPost, by: str) -> dict[str, object]:
    return {
        "dept": held.dept,
        "role": held.role,
        "region_path": held.region_path,
        "starts_on": held.starts_on,
        "ends_on": held.ends_on,
        "appointed_by": by,
        "approved_by": by,
    }


async def holder_of(
    conn: AsyncConnection, principal_id: str, day: date
) -> tuple[Holder | None, list[HeldPost]]:
    """An active principal and his posts in force on `day`, in a fixed order; else nobody."""
    joined = post.join(principal, principal.c.id == post.c.principal_id).outerjoin(
        voided_tokens, voided_tokens.c.principal_id == principal.c.id
    )
    asked = (
        select(principal.c.kind, principal.c.employment, post.c.dept, post.c.role)
        .add_columns(post.c.region_path, *_OF_TOKENS)
        .select_from(joined)
        .where(principal.c.id == principal_id, principal.c.state == "active")
        .where(post.c.starts_on <= day, post.c.ends_on >= day)
        .order_by(post.c.id)
    )
    rows = (await conn.execute(asked)).all()
    held = [HeldPost(row.dept, row.role, row.region_path) for row in rows]
    return (_holder(rows[0]) if rows else None), held


async def posts_of(conn: AsyncConnection, principal_id: str, day: date) -> list[HeldPost]:
    """Posts in force on `day` of an active principal, in a fixed order; else none."""
    return (await holder_of(conn, principal_id, day))[1]


async def kinds_in_use(conn: AsyncConnection, day: date) -> list[HeldPost]:
    """Every kind of post somebody active holds on `day`, once, in a fixed order."""
    columns = (post.c.dept, post.c.role, post.c.region_path)
    found = await conn.execute(
        select(*columns)
        .select_from(post.join(principal, principal.c.id == post.c.principal_id))
        .where(principal.c.state == "active")
        .where(post.c.starts_on <= day, post.c.ends_on >= day)
        .distinct()
        .order_by(*columns)
    )
    return [HeldPost(row.dept, row.role, row.region_path) for row in found]
