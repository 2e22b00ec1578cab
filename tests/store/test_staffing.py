"""Gaps of staff out of rows and accounts are those that `domain` works out: on both databases."""

from __future__ import annotations

import asyncio
from datetime import timedelta

import pytest
from sqlalchemy import delete, select

from catalog.load import load
from domain.staffing import StaffingGap, Station, gaps, required
from hub.rights import today
from store.accounts import NewPost, NewPrincipal, principal, seed_accounts, suspend
from store.catalogue import load_words
from store.engine import open_engine
from store.migrate import upgrade
from store.staffing import staffing, staffing_gap

pytestmark = pytest.mark.anyio

DAY = today()
EDU = Station("edu", "532622")
ENDED = NewPost("edu", "dept", "532622", ends_on=DAY - timedelta(days=1))
COMING = NewPost("edu", "dept", "532622", DAY + timedelta(days=1))
HELD = NewPost("edu", "dept", "532622", ends_on=DAY)
AUDITING = NewPost("edu", "auditor", "532622")
CASES = {
    "nobody": ((), 0),
    "one whose last day is today": ((NewPrincipal("a", "official", "某", "edu", (HELD,)),), 1),
    "one with two posts at a place": (
        (NewPrincipal("a", "official", "某", "edu", (HELD, NewPost("edu", "lead", "532622"))),),
        1,
    ),
    "one whose post has ended": ((NewPrincipal("a", "official", "某", "edu", (ENDED,)),), 0),
    "one who is to come": ((NewPrincipal("a", "official", "某", "edu", (COMING,)),), 0),
    "one of the three duties": ((NewPrincipal("a", "official", "某", "edu", (AUDITING,)),), 0),
    "a system": ((NewPrincipal("a", "system", "某", "edu", (HELD,)),), 0),
    "one of another department": (
        (NewPrincipal("a", "official", "某", "mca", (NewPost("mca", "dept", "532622"),)),),
        0,
    ),
    "one below": (
        (NewPrincipal("a", "official", "某", "edu", (NewPost("edu", "dept", "532622101"),)),),
        0,
    ),
}
"""Accounts, and how many of them the department holds at the county."""


async def found(url: str, accounts: tuple[NewPrincipal, ...], gone: str = "") -> set[StaffingGap]:
    engine = open_engine(url)
    try:
        async with engine.begin() as conn:
            await load_words(conn, load())
            await load_words(conn, load())  # as with every upgrade
            await seed_accounts(conn, accounts)
            if gone:
                await suspend(conn, gone, by="test", basis="test")
        async with engine.connect() as conn:
            rows = (await conn.execute(select(staffing_gap()))).all()
    finally:
        await engine.dispose()
    assert all(row.missing == row.required - row.held for row in rows)
    assert all(row.id == f"{row.department}/{row.region_path}" for row in rows)
    return {
        StaffingGap(Station(row.department, row.region_path), row.required, row.held)
        for row in rows
    }


def needed() -> dict[Station, int]:
    catalog = load()
    return required(catalog.procedures.staffing(DAY), catalog.divisions)


@pytest.mark.parametrize("case", CASES)
async def test_who_counts_and_who_does_not(store_url: str, case: str) -> None:
    await asyncio.to_thread(upgrade, store_url)
    accounts, held = CASES[case]
    there = {Station(p.dept, p.region_path): 1 for a in accounts for p in a.posts}
    others = {station: count for station, count in there.items() if station != EDU}
    assert await found(store_url, accounts) == {*gaps(needed(), {**others, EDU: held})}


async def test_who_is_suspended_counts_no_more(store_url: str) -> None:
    await asyncio.to_thread(upgrade, store_url)
    accounts = tuple(NewPrincipal(n, "official", "某", "edu", (HELD,)) for n in ("a", "b"))
    assert await found(store_url, accounts, "b") == {*gaps(needed(), {EDU: 1})}


async def test_rows_of_other_days_demand_nothing(store_url: str) -> None:
    await asyncio.to_thread(upgrade, store_url)
    engine = open_engine(store_url)
    row = {"department": "edu", "level": "COUNTY", "accounts": 7, "legal_basis": "x"}
    async with engine.begin() as conn:
        await load_words(conn, load())
        await conn.execute(delete(staffing))
        days = ((DAY, DAY), (DAY - timedelta(days=9), DAY - timedelta(days=1)))
        for since, until in (*days, (DAY + timedelta(days=1), DAY + timedelta(days=9))):
            await conn.execute(staffing.insert().values(**row, since=since, until=until))
        rows = (await conn.execute(select(staffing_gap()))).all()
        assert await conn.scalar(select(principal.c.id)) is None
    await engine.dispose()
    assert [(one.id, one.required, one.held) for one in rows] == [("edu/532622", 7, 0)]
