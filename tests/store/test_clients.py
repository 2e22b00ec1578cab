"""Clients and their keys as rows: two live at once, disabled for good, counted for all workers."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from datetime import date
from typing import Any

import pytest
from sqlalchemy import func, select
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from store import migrate
from store.accounts import (
    NewPost,
    NewPrincipal,
    holder_of,
    holder_only,
    seed_accounts,
    suspend,
    void_tokens,
)
from store.clients import (
    FAILURES,
    MINUTE_S,
    WINDOW_MIN,
    Client,
    ClientKey,
    Failures,
    NoClient,
    add_key,
    client_by_certificate,
    client_of,
    create_client,
    disable_client,
    forget,
    is_revoked,
    read_clients,
    read_keys,
    revoke_token,
    sign_in_failure,
    use_assertion,
    used_assertion,
)
from store.engine import open_engine
from store.policy import policy_change, read_version

ACCOUNT, NAME = "mca-system-01", "mca-app"
DAY = date(2026, 11, 26)
MADE = Client(NAME, "民政", "mca", ACCOUNT, "system", ("sync", "report"), "active", DAY)
NOON = 1_795_000_000
SIGNED: dict[str, Any] = {"by": "admin-01", "basis": "文〔2026〕1号"}


Deed = Callable[[AsyncEngine], Awaitable[None]]


def run(store_url: str, deed: Deed) -> None:
    """`deed` on a migrated store with one system account and its client."""
    migrate.upgrade(store_url)

    async def whole() -> None:
        engine = open_engine(store_url)
        post = NewPost("mca", "system", "532622")
        try:
            async with engine.begin() as conn:
                await seed_accounts(
                    conn, [NewPrincipal(ACCOUNT, "system", "民政系统", "mca", (post,))]
                )
                await create_client(conn, MADE, **SIGNED)
            await deed(engine)
        finally:
            await engine.dispose()

    asyncio.run(whole())


def key(name: str, kind: str = "secret", at: int = 1) -> ClientKey:
    return ClientKey(name, NAME, kind, "material", at)


async def live(conn: AsyncConnection, kind: str) -> list[str]:
    return [k.id for k in await read_keys(conn, NAME) if k.live and k.kind == kind]


def test_a_client_is_what_was_written_and_let_in_through_its_last_day(store_url: str) -> None:
    async def deed(engine: AsyncEngine) -> None:
        async with engine.begin() as conn:
            assert await read_clients(conn) == (MADE,)
            assert await client_of(conn, NAME) == MADE
            assert await client_of(conn, "other") is None

    run(store_url, deed)
    assert [MADE.live(day) for day in (DAY, date(2026, 11, 27))] == [True, False]


def test_a_name_is_given_once_and_only_to_an_account_that_is_there(store_url: str) -> None:
    async def deed(engine: AsyncEngine) -> None:
        async with engine.begin() as conn:
            await disable_client(conn, NAME, **SIGNED)
        for wrong in (MADE, Client("x-app", "x", "mca", "nobody", "system", ("a",), "active", DAY)):
            with pytest.raises(IntegrityError):
                async with engine.begin() as conn:
                    await create_client(conn, wrong, **SIGNED)

    run(store_url, deed)


def test_of_each_kind_two_keys_live_the_oldest_goes(store_url: str) -> None:
    async def deed(engine: AsyncEngine) -> None:
        async with engine.begin() as conn:
            for at, name in enumerate(("s1", "s2", "s3")):
                await add_key(conn, key(name, at=at), **SIGNED)
            await add_key(conn, key("c1", "cert"), **SIGNED)
            assert (await live(conn, "secret"), await live(conn, "cert")) == (["s2", "s3"], ["c1"])
            await add_key(conn, key("s4", at=9), **SIGNED, alone=True)
            assert (await live(conn, "secret"), await live(conn, "cert")) == (["s4"], ["c1"])
            assert len(await read_keys(conn)) == 5  # none is removed
        with pytest.raises(NoClient, match="应用 `nobody` 不存在"):
            async with engine.begin() as conn:
                await add_key(conn, ClientKey("s5", "nobody", "secret", "", 1), **SIGNED)

    run(store_url, deed)


def test_a_key_names_one_client_even_when_it_is_retired(store_url: str) -> None:
    async def deed(engine: AsyncEngine) -> None:
        async with engine.begin() as conn:
            other = Client("x-app", "x", "mca", ACCOUNT, "system", ("sync",), "active", DAY)
            await create_client(conn, other, **SIGNED)
            await add_key(conn, key("c1", "cert"), **SIGNED)
            await add_key(conn, key("c2", "cert"), **SIGNED, alone=True)
            found = [await client_by_certificate(conn, c) for c in ("c1", "c2", "c3")]
            assert found == [None, MADE, None]
        for taken in ("c1", "c2"):
            with pytest.raises(IntegrityError):
                async with engine.begin() as conn:
                    await add_key(conn, ClientKey(taken, "x-app", "cert", "", 1), **SIGNED)

    run(store_url, deed)


def test_every_deed_is_a_new_version_and_a_line_of_who_did_it(store_url: str) -> None:
    async def deed(engine: AsyncEngine) -> None:
        async with engine.begin() as conn:
            before = await read_version(conn)
            await add_key(conn, key("s1"), **SIGNED)
            await void_tokens(conn, ACCOUNT, now=NOON, **SIGNED)
            assert await disable_client(conn, NAME, **SIGNED) == before + 3
            columns = (policy_change.c.what, policy_change.c.after, policy_change.c.version)
            rows = (await conn.execute(select(*columns).order_by(policy_change.c.id))).all()
            assert [tuple(row) for row in rows] == [
                ("client.create", NAME, before),
                ("client.key", f"{NAME} s1", before + 1),
                ("account.void_tokens", f"{ACCOUNT} epoch 1", before + 2),
                ("client.disable", f"{NAME} disabled", before + 3),
            ]

    run(store_url, deed)


def test_an_epoch_counts_and_says_when(store_url: str) -> None:
    async def deed(engine: AsyncEngine) -> None:
        async with engine.begin() as conn:
            first = await holder_only(conn, ACCOUNT)
            await void_tokens(conn, ACCOUNT, now=NOON, **SIGNED)
            await void_tokens(conn, ACCOUNT, now=NOON + 5, **SIGNED)
            then = await holder_only(conn, ACCOUNT)
            assert first is not None
            assert then is not None
            assert (first.epoch, first.epoch_at) == (0, 0)
            assert (then.epoch, then.epoch_at, then.dept) == (2, NOON + 5, "mca")
            assert (await holder_of(conn, ACCOUNT, DAY))[0] == then
            await suspend(conn, ACCOUNT, **SIGNED)
            assert await holder_only(conn, ACCOUNT) is None

    run(store_url, deed)


def test_an_assertion_is_used_once_per_client_and_forgotten_when_it_has_expired(
    store_url: str,
) -> None:
    async def deed(engine: AsyncEngine) -> None:
        async def use(name: str, jti: str) -> bool:
            async with engine.begin() as conn:
                return await use_assertion(conn, name, jti, NOON)

        found = await asyncio.gather(*(use(NAME, "1") for _ in range(4)))
        assert sorted(found) == [False, False, False, True]
        assert [await use("other", "1"), await use(NAME, "2")] == [True, True]
        count = select(func.count()).select_from(used_assertion)
        for now, left in ((NOON, 3), (NOON + 1, 0)):
            async with engine.begin() as conn:
                await forget(conn, now)
                assert await conn.scalar(count) == left

    run(store_url, deed)


def test_a_token_is_revoked_until_it_would_have_expired(store_url: str) -> None:
    async def deed(engine: AsyncEngine) -> None:
        async with engine.begin() as conn:
            await revoke_token(conn, "1", NOON)
            await revoke_token(conn, "1", NOON)  # twice is once
            assert [await is_revoked(conn, jti) for jti in ("1", "2")] == [True, False]
            await forget(conn, NOON + 1)
            assert await is_revoked(conn, "1") is False

    run(store_url, deed)


class Clock:
    def __init__(self) -> None:
        self.now = float(NOON // MINUTE_S * MINUTE_S)

    def __call__(self) -> float:
        return self.now


def test_failures_are_counted_by_client_and_address_for_ten_minutes(store_url: str) -> None:
    async def deed(engine: AsyncEngine) -> None:
        clock = Clock()
        one, other = (Failures(engine, clock) for _ in range(2))
        for _ in range(FAILURES - 1):
            await one.add(NAME, "10.0.0.1")
        assert await other.wait_s(NAME, "10.0.0.1") == 0
        clock.now += MINUTE_S
        await asyncio.gather(*(who.add(NAME, "10.0.0.1") for who in (one, other)))
        assert await other.wait_s(NAME, "10.0.0.1") == (WINDOW_MIN - 1) * MINUTE_S
        for free in ((NAME, "10.0.0.2"), ("x-app", "10.0.0.1"), ("", "10.0.0.1")):
            assert await one.wait_s(*free) == 0
        clock.now += (WINDOW_MIN - 1) * MINUTE_S
        assert await one.wait_s(NAME, "10.0.0.1") == 0  # the first nine are too long ago
        count = select(func.count()).select_from(sign_in_failure)
        async with engine.begin() as conn:
            await forget(conn, int(clock.now) + 2 * MINUTE_S)
            assert await conn.scalar(count) == 0

    run(store_url, deed)
