"""Principals and their posts (办法第六条: one real-name account per person, rights by post).

三员分立 (GB/T 39477-2020) by declaration: a principal has one `duty`, a post carries the
duty its role implies, and a composite foreign key makes them equal. So nobody can hold
secadmin, auditor or sysadmin together with each other or with a working role.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any

from sqlalchemy import (
    BigInteger,
    CheckConstraint,
    Column,
    Date,
    ForeignKey,
    ForeignKeyConstraint,
    Index,
    Integer,
    Row,
    String,
    Table,
    UniqueConstraint,
    delete,
    insert,
    select,
    text,
    update,
)
from sqlalchemy.ext.asyncio import AsyncConnection

from store.metadata import BYTES, PATH, metadata, region_shape
from store.policy import Change, bump_version, note

SEPARATE_DUTIES = ("secadmin", "auditor", "sysadmin")
WORK = "work"
NO_END = date(9999, 12, 31)
PURCHASED = "purchased"  # 购买服务人员
OFFICIAL, CLOSED = "official", "closed"
NEW_NAME = re.compile(r"[a-z0-9][a-z0-9._-]{2,39}\Z")
"""Names of accounts to be opened: a post's key is made of one."""
_OPEN = text(f"state <> '{CLOSED}'")
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
    # The person's key in the hub, never his number; None for accounts that were there before.
    Column("person_uid", BYTES),
    Index(
        "uq_principal_person", "person_uid", unique=True, sqlite_where=_OPEN, postgresql_where=_OPEN
    ),
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
    person_uid: str | None = None


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
        "person_uid": one.person_uid,
    }


def _post_row(held: NewPost, by: str, approved: str | None = None) -> dict[str, object]:
    return {
        "dept": held.dept,
        "role": held.role,
        "region_path": held.region_path,
        "starts_on": held.starts_on,
        "ends_on": held.ends_on,
        "appointed_by": by,
        "approved_by": approved or by,
    }


# ---- account changes (办法第六条) ----------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Account:
    """An account in whatever state, with its posts in force on the day that was asked for."""

    id: str
    kind: str
    real_name: str
    home_dept: str
    employment: str
    state: str
    duty: str
    person_uid: str | None
    posts: tuple[HeldPost, ...]


@dataclass(frozen=True, slots=True)
class Hand:
    """Who changes an account: who puts it in force, who approved it, on which ground, on which day.

    The day is a Beijing day: the first of a new post, the one after the last of an old one.
    """

    by: str
    approved: str
    basis: str
    day: date


async def account_of(conn: AsyncConnection, principal_id: str, day: date) -> Account | None:
    """The account of this name; None if there never was one."""
    of = principal.c
    columns = (of.id, of.kind, of.real_name, of.home_dept, of.employment, of.state, of.duty)
    asked = select(*columns, of.person_uid).where(of.id == principal_id)
    row = (await conn.execute(asked)).first()
    if row is None:
        return None
    held = (
        select(post.c.dept, post.c.role, post.c.region_path)
        .where(post.c.principal_id == principal_id)
        .where(post.c.starts_on <= day, post.c.ends_on >= day)
        .order_by(post.c.id)
    )
    posts = tuple(HeldPost(*one) for one in await conn.execute(held))
    return Account(*row, posts)


async def has_account(conn: AsyncConnection, person_uid: str) -> bool:
    """Does this person hold an account that is not closed?"""
    of = principal.c
    asked = select(of.id).where(of.person_uid == person_uid, of.state != CLOSED)
    return (await conn.execute(asked)).first() is not None


async def open_account(conn: AsyncConnection, one: NewPrincipal, hand: Hand) -> int:
    """Open an account with its one post, in the caller's transaction; the new policy version.

    SeparationOfDuties, NoRealName; IntegrityError for a name or a person that has one.
    """
    if not one.real_name.strip():
        raise NoRealName("账号须写明实名")
    duty = duty_of(one.posts)
    await conn.execute(insert(principal), _principal_row(one, duty))
    for held in one.posts:
        await _give(conn, one.id, duty, held, hand)
    return await _noted(conn, "account.open", one.id, (), one.posts, hand)


async def move_account(conn: AsyncConnection, account: Account, held: NewPost, hand: Hand) -> int:
    """Give an account this post and no other; the new policy version. Its state stays as it is."""
    duty = duty_of((held,))
    await _end_posts(conn, account.id, hand.day)
    changed = update(principal).where(principal.c.id == account.id)
    await conn.execute(changed.values(home_dept=held.dept))
    await _give(conn, account.id, duty, held, hand)
    return await _noted(conn, "account.move", account.id, account.posts, (held,), hand)


async def close_account(conn: AsyncConnection, account: Account, hand: Hand) -> int:
    """End its posts and close it for good; the new policy version."""
    await _end_posts(conn, account.id, hand.day)
    changed = update(principal).where(principal.c.id == account.id)
    await conn.execute(changed.values(state=CLOSED))
    return await _noted(conn, "account.close", account.id, account.posts, (), hand)


async def _end_posts(conn: AsyncConnection, principal_id: str, day: date) -> None:
    """No post of this account is in force on `day` or later."""
    mine = post.c.principal_id == principal_id
    # A post that would end before it began is none.
    await conn.execute(delete(post).where(mine, post.c.starts_on >= day))
    ending = update(post).where(mine, post.c.ends_on >= day)
    await conn.execute(ending.values(ends_on=day - timedelta(days=1)))


async def _give(
    conn: AsyncConnection, principal_id: str, duty: str, held: NewPost, hand: Hand
) -> None:
    mine = select(post.c.id).where(post.c.principal_id == principal_id)
    numbers = [int(key.rpartition(".")[2]) for key in await conn.scalars(mine)]
    key = f"{principal_id}.{max(numbers, default=0) + 1}"
    row = {"id": key, "principal_id": principal_id, "duty": duty}
    await conn.execute(insert(post), row | _post_row(held, hand.by, hand.approved))


async def _noted(
    conn: AsyncConnection,
    what: str,
    principal_id: str,
    before: Iterable[HeldPost | NewPost],
    after: Iterable[HeldPost | NewPost],
    hand: Hand,
) -> int:
    version = await bump_version(conn)
    was, now = (f"{principal_id} {posts_told(held)}".rstrip() for held in (before, after))
    await note(conn, Change(hand.by, what, was, now, hand.basis), version)
    return version


def posts_told(posts: Iterable[HeldPost | NewPost]) -> str:
    """Posts as a reader is told them: ``rev/town/532622205``, several with 、 between."""
    return "、".join(f"{held.dept}/{held.role}/{held.region_path}" for held in posts)


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
