"""An account is one real person's, or one named system's (办法第六条)."""

from __future__ import annotations

import asyncio

import pytest
from sqlalchemy import func, select
from sqlalchemy.exc import IntegrityError

from store import migrate
from store.accounts import NewPost, NewPrincipal, NoRealName, is_account, principal, seed_accounts
from store.engine import open_engine

POSTS = (NewPost("rev", "town", "532622205"),)


def person(name: str, real_name: str) -> NewPrincipal:
    return NewPrincipal(name, "official", real_name, "rev", POSTS)


def test_no_account_is_opened_without_a_real_name_nor_twice(store_url: str) -> None:
    migrate.upgrade(store_url)

    async def deed() -> None:
        engine = open_engine(store_url)
        try:
            for nameless in ("", "  "):
                with pytest.raises(NoRealName):
                    async with engine.begin() as conn:
                        await seed_accounts(conn, [person("a", "陆某乙"), person("b", nameless)])
            async with engine.begin() as conn:
                assert await conn.scalar(select(func.count()).select_from(principal)) == 0
                await seed_accounts(conn, [person("a", "陆某乙")])
                assert [await is_account(conn, name) for name in ("a", "b")] == [True, False]
            with pytest.raises(IntegrityError):
                async with engine.begin() as conn:
                    await seed_accounts(conn, [person("a", "韦某丙")])
        finally:
            await engine.dispose()

    asyncio.run(deed())
