"""The rights of an account as the store has them today, for verbs that judge and ask nothing."""

from __future__ import annotations

from datetime import date, datetime
from zoneinfo import ZoneInfo

from sqlalchemy.ext.asyncio import AsyncEngine

from authz.gate import Gate
from authz.keeper import BookKeeper
from authz.post import Asker
from authz.versions import Version, version_at
from catalog.load import Catalog
from hub.asking import bound_to
from hub.case_files import Filed, read_filed
from hub.placing import address_of
from hub.settings import Profile, Settings
from store.accounts import HeldPost, kinds_in_use, posts_of
from store.engine import ZONE, open_engine


def today() -> date:
    """The day rights are judged by."""
    return datetime.now(ZoneInfo(ZONE)).date()


async def gate_of(
    settings: Settings, catalog: Catalog, account: str, purpose: str, case_no: str | None
) -> Gate | None:
    """What an account may do today for a purpose; None if it holds no post.

    Forbidden CASE for a case that is none of its business, RuleError for a policy that no
    book takes, SQLAlchemyError or OSError for a store that does not answer.
    """
    engine = open_engine(settings.store_url, pool_size=1, readonly=True)
    try:
        keeper = BookKeeper(engine, catalog, settings.profile is Profile.DEMO)
        await keeper.load()
        held = await _posts(engine, account)
    finally:
        await engine.dispose()
    if not held:
        return None
    book = keeper.current()
    posts = tuple(book.post(post.dept, post.role, post.region_path) for post in held)
    gate = Gate(book, Asker(account, "official", posts, purpose, today()), catalog)
    if case_no is None:
        return gate
    return Gate(book, bound_to(gate, case_no, await _filed(settings, case_no)), catalog)


async def versions(
    settings: Settings, catalog: Catalog, *numbers: int | None
) -> tuple[list[Version], list[HeldPost]]:
    """The policy as it was at these versions (None: now), and the kinds of post in use today.

    NoVersion, RuleError, SQLAlchemyError, OSError.
    """
    demo = settings.profile is Profile.DEMO
    engine = open_engine(settings.store_url, pool_size=1, readonly=True)
    try:
        async with engine.connect() as conn:
            found = [await version_at(conn, number, catalog, demo=demo) for number in numbers]
            return found, await kinds_in_use(conn, today())
    finally:
        await engine.dispose()


async def _posts(engine: AsyncEngine, account: str) -> list[HeldPost]:
    async with engine.connect() as conn:
        return await posts_of(conn, account, today())


async def _filed(settings: Settings, case_no: str) -> Filed | None:
    engine = open_engine(address_of(settings, "case"), pool_size=1, readonly=True)
    try:
        async with engine.connect() as conn:
            return await read_filed(conn, case_no)
    finally:
        await engine.dispose()
