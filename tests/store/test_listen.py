"""PostgreSQL tells of a new policy once it is committed; a broken line is opened again."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator
from dataclasses import dataclass, field

import pytest
from sqlalchemy import make_url, text
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from store.engine import open_engine
from store.listen import NAME, REOPEN_S, listen
from store.policy import bump_version, policy_version

pytestmark = [pytest.mark.anyio, pytest.mark.postgres, pytest.mark.loopback]

SESSIONS = (
    f"FROM pg_stat_activity WHERE application_name = '{NAME}' AND datname = current_database()"
)


@dataclass
class Heard:
    """How often something was heard; `more` waits for the next."""

    count: int = 0
    news: asyncio.Event = field(default_factory=asyncio.Event)

    def __call__(self) -> None:
        self.count += 1
        self.news.set()

    async def more(self, within_s: float = 5.0) -> None:
        async with asyncio.timeout(within_s):
            await self.news.wait()
        self.news.clear()


@dataclass
class Line:
    """A listener at work and a connection of ours beside it."""

    engine: AsyncEngine
    heard: Heard

    async def bumped(self) -> None:
        async with self.engine.begin() as conn:
            await bump_version(conn)

    async def sessions(self) -> int:
        async with self.engine.connect() as conn:
            return int(await conn.scalar(text(f"SELECT count(*) {SESSIONS}")) or 0)

    async def killed(self) -> int:
        async with self.engine.begin() as conn:
            return await _kill(conn)


async def _kill(conn: AsyncConnection) -> int:
    found = await conn.execute(text(f"SELECT pg_terminate_backend(pid) {SESSIONS}"))
    return len(found.all())


@pytest.fixture
async def line(pg_url: str, anyio_backend: str) -> AsyncIterator[Line]:
    made = Line(open_engine(pg_url), Heard())
    async with made.engine.begin() as conn:
        await conn.run_sync(policy_version.create)
    listening = asyncio.create_task(listen(make_url(pg_url), made.heard))
    await made.heard.more()  # a new line looks by itself
    yield made
    listening.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await listening
    for _ in range(250):  # it hung up; the server needs a moment to see it
        if await made.sessions() == 0:
            break
        await asyncio.sleep(0.02)
    assert await made.sessions() == 0
    await made.engine.dispose()


async def test_a_new_version_is_heard_of_once(line: Line) -> None:
    assert line.heard.count == 1
    for number in (2, 3, 4):
        await line.bumped()
        await line.heard.more()
        assert line.heard.count == number


async def test_what_is_not_committed_is_not_heard_of(line: Line) -> None:
    async with line.engine.connect() as conn:
        await bump_version(conn)
        await asyncio.sleep(0.1)
        assert line.heard.count == 1
        await conn.rollback()
    await line.bumped()  # notices come in order: the one rolled back would be before it
    await line.heard.more()
    await asyncio.sleep(0.1)
    assert line.heard.count == 2


async def test_other_channels_are_not_heard(line: Line) -> None:
    async with line.engine.begin() as conn:
        await conn.execute(text("NOTIFY something_else"))
    await line.bumped()
    await line.heard.more()
    await asyncio.sleep(0.1)
    assert line.heard.count == 2


async def test_a_line_that_was_cut_is_opened_again_and_looks_by_itself(line: Line) -> None:
    for number in (2, 4):
        assert await line.killed() == 1
        await line.heard.more(REOPEN_S + 5)
        assert line.heard.count == number
        await line.bumped()
        await line.heard.more()
        assert line.heard.count == number + 1
    assert await line.sessions() == 1


async def test_a_server_that_is_not_there_is_tried_again(pg_url: str) -> None:
    heard = Heard()
    nobody = make_url(pg_url).set(database="hub_not_there")
    listening = asyncio.create_task(listen(nobody, heard))
    await asyncio.sleep(2.5 * REOPEN_S)
    assert not listening.done()
    assert heard.count == 0
    listening.cancel()
    with pytest.raises(asyncio.CancelledError):
        await listening
