"""One reader a database for all subscribers of a worker; each has a bounded queue."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import delete, event, insert
from sqlalchemy.engine import Engine

from catalog.errors import RateLimited, SourceUnavailable
from hub.demo.site import Site
from hub.edge.changes import ALL, POLL_S, Changes, Subscriber, where
from store.changes import NOTED, change
from store.engine import single
from store.migrate import upgrade

pytestmark = pytest.mark.anyio
SOON_S = 5.0


def noted(dataset: str, key: str) -> dict[str, Any]:
    """A row as the triggers write it."""
    return {"dataset": dataset, "row_id": key, "second": 1}


async def note(url: str, *rows: tuple[str, str]) -> None:
    async with single(url) as connection:
        await connection.execute(insert(change), [noted(*row) for row in rows])


@pytest.fixture
async def url(store_url: str, anyio_backend: str) -> str:
    await asyncio.to_thread(upgrade, store_url)
    return store_url


@contextlib.asynccontextmanager
async def following(changes: Changes) -> AsyncIterator[None]:
    task = asyncio.create_task(changes.follow())
    try:
        yield
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


@contextlib.contextmanager
def looks() -> Iterator[list[str]]:
    """The statements that read changes meanwhile."""
    seen: list[str] = []

    def look(_c: object, _cursor: object, statement: str, *_more: object) -> None:
        if "FROM change" in statement:
            seen.append(statement)

    event.listen(Engine, "before_cursor_execute", look)
    try:
        yield seen
    finally:
        event.remove(Engine, "before_cursor_execute", look)


async def test_rows_come_in_order_and_one_that_waits_comes_once() -> None:
    subscriber = Subscriber()
    for key in ("a", "b", "a", "c"):
        subscriber.tell(key)
    assert [await subscriber.next(1) for _ in range(3)] == ["a", "b", "c"]
    assert await subscriber.next(0.01) is None
    subscriber.tell("a")
    assert await subscriber.next(1) == "a"


async def test_a_counter_counts_at_once_and_again_for_any_change() -> None:
    subscriber = Subscriber(counted=True)
    assert await subscriber.next(0.01) == ALL
    assert await subscriber.next(0.01) is None
    for key in ("a", "b"):
        subscriber.tell(key)
    assert await subscriber.next(1) == ALL
    assert await subscriber.next(0.01) is None


async def test_who_is_too_far_behind_is_told_so_and_nothing_is_kept_for_him() -> None:
    subscriber = Subscriber(most=3)
    for key in ("a", "b", "c", "a"):
        subscriber.tell(key)
    assert await subscriber.next(1) == "a"
    for key in ("d", "e"):
        subscriber.tell(key)
    for _ in range(2):
        with pytest.raises(RateLimited) as error:
            await subscriber.next(1)
        assert error.value.reason == "SLOW_READER"
        subscriber.tell("f")
    assert subscriber._keys == {}


async def test_all_subscribers_are_served_by_one_look(url: str) -> None:
    changes = Changes(dict.fromkeys(NOTED, url))
    async with following(changes), contextlib.AsyncExitStack() as stack:
        await note(url, ("case_event", "before"))
        those = [
            await stack.enter_async_context(changes.joined("case_event")) for _ in range(1_000)
        ]
        other = await stack.enter_async_context(changes.joined("supervision_order"))
        assert changes.subscribers == 1_001
        with looks() as seen:
            await asyncio.sleep(4 * POLL_S)
        assert 2 <= len(seen) <= 6
        rows = [("case_event", "e1"), ("supervision_order", "o1"), ("case_event", "e2")]
        await note(url, *rows, ("case", "c1"))
        for subscriber in those:
            assert [await subscriber.next(SOON_S) for _ in range(2)] == ["e1", "e2"]
        assert await other.next(SOON_S) == "o1"
        assert await other.next(0.01) is None
    assert changes.subscribers == 0


async def test_nothing_is_asked_while_nobody_listens(url: str) -> None:
    changes = Changes(dict.fromkeys(NOTED, url))
    async with following(changes):
        async with changes.joined("case"):
            await asyncio.sleep(POLL_S / 2)
        await asyncio.sleep(POLL_S)  # the look that was under way
        with looks() as seen:
            await note(url, ("case", "meanwhile"))
            await asyncio.sleep(4 * POLL_S)
        assert seen == []
        async with changes.joined("case") as subscriber:
            await note(url, ("case", "later"))
            assert await subscriber.next(SOON_S) == "later"


async def test_more_than_one_look_holds_is_read_to_the_end(url: str) -> None:
    changes = Changes(dict.fromkeys(NOTED, url))
    async with following(changes), changes.joined("case", counted=True) as counter:
        assert await counter.next(1) == ALL
        async with changes.joined("case_event") as subscriber:
            rows = [("case", f"c{n}") for n in range(2_500)] + [("case_event", "last")]
            await note(url, *rows)
            assert await subscriber.next(SOON_S) == "last"
        assert await counter.next(SOON_S) == ALL


async def test_a_store_that_is_away_admits_nobody_and_one_that_comes_back_misses_nothing(
    tmp_path: Path,
) -> None:
    file = tmp_path / "store.sqlite"
    url = f"sqlite+aiosqlite:///{file}"
    changes = Changes(dict.fromkeys(NOTED, url))
    with pytest.raises(SourceUnavailable):  # no such table
        async with changes.joined("case"):
            pass
    await asyncio.to_thread(upgrade, url)
    async with following(changes), changes.joined("case") as subscriber:
        async with single(url) as connection:
            await connection.exec_driver_sql("ALTER TABLE change RENAME TO gone")
        await asyncio.sleep(3 * POLL_S)
        async with single(url) as connection:
            await connection.exec_driver_sql("ALTER TABLE gone RENAME TO change")
        await note(url, ("case", "c1"))
        assert await subscriber.next(SOON_S) == "c1"


async def test_each_data_set_is_followed_where_it_lies(tmp_path: Path, url: str) -> None:
    apart = f"sqlite+aiosqlite:///{tmp_path / 'apart.sqlite'}"
    await asyncio.to_thread(upgrade, apart)
    changes = Changes({"case": url, "supervision_order": url, "case_event": apart})
    async with following(changes):
        async with changes.joined("case_event") as events, changes.joined("case") as cases:
            await note(url, ("case_event", "not here"), ("case", "c1"))
            await note(apart, ("case_event", "e1"), ("case", "not here"))
            assert await events.next(SOON_S) == "e1"
            assert await cases.next(SOON_S) == "c1"
            assert await events.next(2 * POLL_S) is None
        async with single(apart) as connection:
            await connection.execute(delete(change))


def test_the_settings_say_where_each_lies_and_the_keys_let_in(tmp_path: Path) -> None:
    site = Site(tmp_path, 0.01, 0, ())
    plain = site.settings()
    assert where(plain, {}) == dict.fromkeys(NOTED, site.store_url)
    address = "postgresql+asyncpg://reader@127.0.0.1:5432/events"
    placed = site.settings(None, **{"sources.events": address, "placed.case_event": "events"})
    found = where(placed, {"events": "secret"})
    assert found["case"] == site.store_url
    assert found["case_event"] == "postgresql+asyncpg://reader:secret@127.0.0.1:5432/events"
