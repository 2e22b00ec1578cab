"""Changes of rights made by hand: signed, proved, recorded and in force together, or not at all.

    who signed ──► the change ──► does it still make a book? ──► record ──► COMMIT

The names are those of the people who signed the paper; whoever types the command is known to the
machine's own log. Each must be an account with a post today, and the posts say what it may sign.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field

from sqlalchemy.ext.asyncio import AsyncConnection

from audit.record import Draft, Kind, Op
from authz.keeper import proved
from catalog.errors import Readable
from catalog.load import Catalog
from hub.recording import recording
from hub.rights import today
from hub.settings import Profile, Settings
from store.accounts import HeldPost, posts_of

SECURITY = ("secadmin", None)
ACCOUNTS = ("account_admin", None)


def head_of(dept: str) -> tuple[str, str]:
    """The post of a department's head."""
    return ("lead", dept)


class NotSigned(Readable):
    """One Chinese line: whose signature is missing."""


@dataclass(frozen=True, slots=True)
class Signature:
    """An account, and the posts of which it must hold one: (role, department or None for any)."""

    account: str
    posts: tuple[tuple[str, str | None], ...] = ()

    def fits(self, post: HeldPost) -> bool:
        """Does this post give the right to sign?"""
        fitting = (role == post.role and dept in (None, post.dept) for role, dept in self.posts)
        return not self.posts or any(fitting)

    @property
    def wanted(self) -> str:
        """The posts in words."""
        return "、".join(role if dept is None else f"{dept} 的 {role}" for role, dept in self.posts)


@dataclass(frozen=True, slots=True)
class Deed:
    """What is done: `what` is its code, `about` codes for the record, never a name or a text."""

    what: str
    signed: tuple[Signature, ...]
    kind: Kind = Kind.POLICY_CHANGED
    ref: str = ""
    about: dict[str, str | int | bool] = field(default_factory=dict)
    purpose: str = "admin"


Change = Callable[[AsyncConnection], Awaitable[int]]
"""Changes rows in the transaction it is given; the policy's new version."""


async def do(settings: Settings, catalog: Catalog, deed: Deed, change: Change) -> int:
    """The version now in force.

    NotSigned, whatever `change` raises, RuleError for an outcome no book takes, AuditUnavailable
    if it cannot be recorded, SQLAlchemyError or OSError for a store that does not answer: then
    nothing was changed.
    """
    async with recording(settings) as (engine, log), engine.begin() as conn:
        post = await signatures_of(conn, deed.signed)
        version = await change(conn)
        await proved(conn, catalog, demo=settings.profile is Profile.DEMO)
        await log.append_in(conn, _draft(deed, post, version))
    return version


async def signatures_of(conn: AsyncConnection, signatures: Sequence[Signature]) -> HeldPost:
    """The post by which the first of them signed; NotSigned if one may not, or signed twice."""
    accounts = [one.account for one in signatures]
    if len(set(accounts)) < len(accounts):
        raise NotSigned("须由不同的人签批：请由另一人批准")
    posts = [await _post(conn, one) for one in signatures]
    return posts[0]


async def _post(conn: AsyncConnection, one: Signature) -> HeldPost:
    held = await posts_of(conn, one.account, today())
    if not held:
        raise NotSigned(f"账号 `{one.account}` 不存在、已停用或今日没有岗位")
    for post in held:
        if one.fits(post):
            return post
    raise NotSigned(f"账号 `{one.account}` 无权签批：须任 {one.wanted} 岗位")


def _draft(deed: Deed, post: HeldPost, version: int) -> Draft:
    first, *others = (one.account for one in deed.signed)
    about = deed.about | ({"approved_by": others[0]} if others else {})
    return Draft(
        deed.kind,
        actor=first,
        org=post.dept,
        role=post.role,
        post_area=post.region_path,
        area=post.region_path,
        op=Op(name=deed.what, type="command", vars=about),
        purpose=deed.purpose,
        policy=str(version),
        ref=deed.ref,
    )
