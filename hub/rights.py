"""The rights of an account as the store has them today, for verbs that judge and ask nothing."""

from __future__ import annotations

from datetime import date, datetime
from zoneinfo import ZoneInfo

from authz.gate import Gate
from authz.keeper import BookKeeper
from authz.versions import Version, version_at
from catalog.load import Catalog
from hub.identity.asking import asker_of, bound_to
from hub.identity.case_files import NUMBERED, Filed, read_filed
from hub.placing import address_of
from hub.settings import Profile, Settings
from store.accounts import HeldPost, holder_of, kinds_in_use
from store.engine import ZONE, open_engine, single


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
        async with engine.connect() as conn:
            holder, held = await holder_of(conn, account, today())
    finally:
        await engine.dispose()
    if holder is None:
        return None
    book = keeper.current()
    gate = Gate(book, asker_of(book, account, holder, held, purpose, today()), catalog)
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
    async with single(settings.store_url, readonly=True) as conn:
        found = [await version_at(conn, number, catalog, demo=demo) for number in numbers]
        return found, await kinds_in_use(conn, today())


async def _filed(settings: Settings, number: str) -> Filed | None:
    """Case or order of this number, each looked for where its data set lies."""
    for name in NUMBERED:
        async with single(address_of(settings, name), readonly=True) as conn:
            found = await read_filed(conn, name, number)
        if found is not None:
            return found
    return None
