"""Changes of accounts, and the accounts they make: on both databases."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import select, text
from sqlalchemy.exc import DBAPIError, IntegrityError
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from store.account_changes import (
    Running,
    add_account_change,
    add_account_change_event,
    add_training,
    change_account_change,
    change_to_go_on,
    is_trained,
    running_of,
    running_of_person,
)
from store.accounts import (
    Account,
    Hand,
    HeldPost,
    NewPost,
    NewPrincipal,
    account_of,
    close_account,
    has_account,
    move_account,
    open_account,
    post,
    posts_of,
    seed_accounts,
    suspend,
)
from store.engine import open_engine
from store.migrate import upgrade
from store.policy import policy_change, read_version

pytestmark = pytest.mark.anyio

AT = datetime(2026, 11, 2, tzinfo=UTC)
DAY = date(2026, 11, 2)
HAND = Hand("office", "lead", "办法第六条，ZH2026-000001", DAY)
ZHELAI, BANGE = "532622205", "532622206"


@pytest.fixture
async def engine(store_url: str, anyio_backend: str) -> AsyncIterator[AsyncEngine]:
    await asyncio.to_thread(upgrade, store_url)
    made = open_engine(store_url)
    async with made.begin() as conn:
        old = (NewPost("rev", "town", ZHELAI), NewPost("rev", "village", f"{ZHELAI}203"))
        await seed_accounts(conn, [NewPrincipal("clerk", "official", "陆某乙", "rev", old)])
    yield made
    await made.dispose()


def new(name: str, person: str | None = "u1") -> NewPrincipal:
    given = NewPost("rev", "town", ZHELAI, DAY)
    return NewPrincipal(name, "official", "某某", "rev", (given,), person_uid=person)


async def held(conn: AsyncConnection, name: str) -> list[tuple[Any, ...]]:
    columns = (post.c.id, post.c.region_path, post.c.starts_on, post.c.ends_on)
    asked = select(*columns).where(post.c.principal_id == name).order_by(post.c.id)
    return [tuple(row) for row in await conn.execute(asked)]


async def account(conn: AsyncConnection, name: str) -> Account:
    found = await account_of(conn, name, DAY)
    assert found is not None
    return found


async def test_who_moves_holds_the_new_post_alone_from_that_day_on(engine: AsyncEngine) -> None:
    async with engine.begin() as conn:
        before = await read_version(conn)
        given = NewPost("rev", "town", BANGE, DAY)
        after = await move_account(conn, await account(conn, "clerk"), given, HAND)
        assert after == await read_version(conn) == before + 1
        assert await posts_of(conn, "clerk", DAY) == [HeldPost("rev", "town", BANGE)]
        ended = (date(2022, 1, 1), DAY - timedelta(days=1))
        assert await held(conn, "clerk") == [
            ("clerk.1", ZHELAI, *ended),
            ("clerk.2", f"{ZHELAI}203", *ended),
            ("clerk.3", BANGE, DAY, date(9999, 12, 31)),
        ]
        (noted,) = (await conn.execute(select(policy_change))).mappings()
    assert (noted["who"], noted["what"], noted["basis"]) == ("office", "account.move", HAND.basis)
    assert noted["before"] == f"clerk rev/town/{ZHELAI}、rev/village/{ZHELAI}203"
    assert noted["after"] == f"clerk rev/town/{BANGE}"


async def test_who_moves_twice_a_day_leaves_no_post_that_never_was(engine: AsyncEngine) -> None:
    async with engine.begin() as conn:
        for place in (BANGE, "532622207"):
            given = NewPost("rev", "town", place, DAY)
            await move_account(conn, await account(conn, "clerk"), given, HAND)
        assert [row[:2] for row in await held(conn, "clerk")] == [
            ("clerk.1", ZHELAI),
            ("clerk.2", f"{ZHELAI}203"),
            ("clerk.3", "532622207"),
        ]


async def test_moving_does_not_lift_a_suspension_and_closing_ends_all(engine: AsyncEngine) -> None:
    async with engine.begin() as conn:
        await suspend(conn, "clerk", by="secadmin", basis="调查")
        given = NewPost("mca", "dept", "532622", DAY)
        await move_account(conn, await account(conn, "clerk"), given, HAND)
        found = await account(conn, "clerk")
        assert (found.state, found.home_dept) == ("suspended", "mca")
        assert found.posts == (HeldPost("mca", "dept", "532622"),)
        assert await posts_of(conn, "clerk", DAY) == []
        await close_account(conn, found, HAND)
        closed = await account(conn, "clerk")
        assert (closed.state, closed.posts) == ("closed", ())


async def test_a_person_has_one_account_that_is_not_closed(engine: AsyncEngine) -> None:
    async with engine.begin() as conn:
        await open_account(conn, new("a"), HAND)
        assert await has_account(conn, "u1")
        await open_account(conn, new("old", None), HAND)
        await open_account(conn, new("older", None), HAND)  # of whom the hub knows no number
    with pytest.raises(IntegrityError):
        async with engine.begin() as conn:
            await open_account(conn, new("b"), HAND)
    async with engine.begin() as conn:
        await close_account(conn, await account(conn, "a"), HAND)
        assert not await has_account(conn, "u1")
        await open_account(conn, new("b"), HAND)  # he comes back
    with pytest.raises(IntegrityError):
        async with engine.begin() as conn:
            await open_account(conn, new("a", "u2"), HAND)  # his name stays his


def a_change(number: int, account: str, **more: object) -> dict[str, Any]:
    row = {"id": f"k{number}", "change_no": f"ZH2026-{number:06}", "kind": "MOVING", "version": 1}
    row |= {"route": "COUNTY", "state": "DRAFT", "account": account, "real_name": "某某"}
    row |= {"employment": "CIVIL", "old_posts": "", "reason": "x", "filed_by": "admin"}
    return {**row, "filed_at": AT, "department": "rev", "region_path": ZHELAI, **more}


async def test_an_account_has_one_running_change(engine: AsyncEngine) -> None:
    async with engine.begin() as conn:
        await add_account_change(conn, a_change(1, "clerk", person_uid="u1"))
        running = Running("ZH2026-000001", "clerk", "MOVING", "rev", ZHELAI)
        assert await running_of(conn, "clerk") == running
        assert await running_of_person(conn, "u1") == running
        assert await running_of_person(conn, "u2") is None
    with pytest.raises(IntegrityError):
        async with engine.begin() as conn:
            await add_account_change(conn, a_change(2, "clerk"))
    async with engine.begin() as conn:
        row = await change_to_go_on(conn, "ZH2026-000001")
        assert row is not None
        await change_account_change(conn, row, {"state": "EFFECTIVE", "effective_at": AT})
        assert await running_of(conn, "clerk") is None
        await add_account_change(conn, a_change(2, "clerk"))


async def test_what_was_done_stays_recorded(engine: AsyncEngine) -> None:
    place = {"department": "rev", "region_path": ZHELAI}
    by = {"post": "rev/office/532622", "by_account": "office"}
    async with engine.begin() as conn:
        await add_account_change(conn, a_change(1, "clerk"))
        for key in ("e1", "e2"):
            event = {"id": key, "state": "DRAFT", "act": None, "at": AT, "note": None, **by}
            await add_account_change_event(conn, "k1", event | place)
        assert not await is_trained(conn, "clerk")
        training = {"id": "t1", "account": "clerk", "held_on": DAY, "subject": "x", **by}
        await add_training(conn, training | place | {"recorded_at": AT})
        assert await is_trained(conn, "clerk")
        seqs = await conn.scalars(text("SELECT seq FROM account_change_event ORDER BY id"))
        assert [*seqs] == [1, 2]
    for table in ("account_change_event", "training_record"):
        for deed in (f"UPDATE {table} SET post = 'x'", f"DELETE FROM {table}"):
            with pytest.raises(DBAPIError, match="stays recorded"):
                async with engine.begin() as conn:
                    await conn.execute(text(deed))
