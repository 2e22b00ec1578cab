"""Sessions of the console in either database: kept, used, turned, ended, forgotten."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import replace

import pytest
from sqlalchemy.ext.asyncio import AsyncEngine

from hub.identity.sessions import Sessions, csrf_of, is_csrf, mark_of
from store import sessions
from store.engine import open_engine
from store.metadata import metadata
from store.sessions import Kept, console_session

pytestmark = pytest.mark.anyio

ONE = Kept("a" * 64, "office-01", "c2VhbGVk", "supervise", "", 1_000, 1_000, 5_000)


@pytest.fixture
async def engine(store_url: str) -> AsyncIterator[AsyncEngine]:
    made = open_engine(store_url)
    async with made.begin() as conn:
        await conn.run_sync(lambda sync: metadata.create_all(sync, [console_session]))
    yield made
    await made.dispose()


async def test_a_session_is_kept_used_turned_and_ended_once(engine: AsyncEngine) -> None:
    async with engine.begin() as conn:
        await sessions.keep(conn, ONE)
    async with engine.begin() as conn:
        assert await sessions.kept(conn, ONE.digest) == ONE
        assert await sessions.kept(conn, "b" * 64) is None
        await sessions.seen(conn, ONE.digest, 1_060)
        await sessions.turn(conn, ONE.digest, "report", "SQ20520190001")
    async with engine.begin() as conn:
        turned = replace(ONE, seen_at=1_060, purpose="report", case_no="SQ20520190001")
        assert await sessions.kept(conn, ONE.digest) == turned
        assert await sessions.end(conn, ONE.digest)
        assert not await sessions.end(conn, ONE.digest)
        assert await sessions.kept(conn, ONE.digest) is None


async def test_what_has_ended_with_its_token_is_forgotten_when_another_begins(
    engine: AsyncEngine,
) -> None:
    later = replace(ONE, digest="b" * 64, begun_at=5_001, seen_at=5_001, until=9_000)
    async with engine.begin() as conn:
        await sessions.keep(conn, ONE)
        await sessions.keep(conn, later)
    async with engine.connect() as conn:
        assert await sessions.kept(conn, ONE.digest) is None
        assert await sessions.kept(conn, later.digest) == later


async def test_a_cookie_opens_its_row_and_no_other(engine: AsyncEngine) -> None:
    now = [1_000.0]
    kept = Sessions(engine, 600, lambda: now[0])
    async with engine.begin() as conn:
        mine = await kept.begin(conn, "office-01", "token-of-mine", "supervise", 50_000)
        theirs = await kept.begin(conn, "auditor-01", "token-of-theirs", "audit", 50_000)
    found = await kept.found(mine.secret)
    assert found is not None
    assert (found.account, found.token, found.idle) == ("office-01", "token-of-mine", False)
    for wrong in ("", "x", mine.secret[:-1], mine.secret + "A", mark_of(mine.secret)):
        assert await kept.found(wrong) is None
    async with engine.begin() as conn:  # a row under another's secret does not open
        row = await sessions.kept(conn, theirs.mark)
        assert row is not None
        await sessions.end(conn, mine.mark)
        await sessions.end(conn, theirs.mark)
        await sessions.keep(conn, replace(row, digest=mine.mark, begun_at=0))
    assert await kept.found(mine.secret) is None


async def test_idle_is_counted_from_the_last_page(engine: AsyncEngine) -> None:
    now = [1_000.0]
    kept = Sessions(engine, 600, lambda: now[0])
    async with engine.begin() as conn:
        made = await kept.begin(conn, "office-01", "token", "supervise", 50_000)
    written = []
    for wait in (30, 40, 599, 600, 601):
        now[0] += wait
        found = await kept.found(made.secret)
        assert found is not None
        async with engine.connect() as conn:
            row = await sessions.kept(conn, made.mark)
        assert row is not None
        written.append((found.idle, row.seen_at))
    assert written == [
        (False, 1_000),  # not yet a tenth of the time: no row is written
        (False, 1_070),
        (False, 1_669),
        (False, 2_269),
        (True, 2_269),
    ]


def test_the_word_of_a_form_follows_from_the_cookie_and_does_not_tell_it() -> None:
    secret, other = "a" * 43, "b" * 43
    assert is_csrf(secret, csrf_of(secret))
    assert not is_csrf(secret, csrf_of(other))
    assert not is_csrf(secret, "")
    assert csrf_of(secret) != mark_of(secret)
    assert secret not in csrf_of(secret)
