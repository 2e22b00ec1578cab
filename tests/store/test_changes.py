"""What changes is noted by whoever changes it, and whoever follows the numbers misses nothing."""

from __future__ import annotations

import asyncio
import contextlib
import uuid
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from typing import Any

import pytest
from sqlalchemy import delete, insert, text, update
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from store.cases import case_event, case_file
from store.changes import CHANNEL, NOTED, Change, after, change, forget, head
from store.engine import open_engine
from store.listen import listen
from store.migrate import upgrade
from store.register import citizen, household
from store.supervision import supervision_order

pytestmark = pytest.mark.anyio

NOW = datetime(2026, 6, 1, tzinfo=UTC)
WHO = {"applicant_uid": "u", "region_path": "532622205", "handling_dept": "mca"}
CASE = {
    **WHO,
    **{"id": "c1", "case_no": "N-1", "item": "TEMP_AID", "state": "SUBMITTED"},
    **{"channel": "SELF_RAISED", "intake": "WINDOW", "applicant_id": "p1", "filed_at": NOW},
    **{"overdue": False, "has_complaint": False},
}


def event(number: int) -> dict[str, Any]:
    """A row of `case_event`."""
    row = {"id": f"e{number:03}", "case_id": "c1", "seq": number, "state": "ROUTED", "at": NOW}
    return {**WHO, **row, "post": "x", "overdue": False}


@pytest.fixture
async def engine(store_url: str, anyio_backend: str) -> AsyncIterator[AsyncEngine]:
    async with _filled_store(store_url) as made:
        yield made


@pytest.fixture
async def postgres(pg_url: str, anyio_backend: str) -> AsyncIterator[AsyncEngine]:
    async with _filled_store(pg_url) as made:
        yield made


@contextlib.asynccontextmanager
async def _filled_store(url: str) -> AsyncIterator[AsyncEngine]:
    await asyncio.to_thread(upgrade, url)
    made = open_engine(url, pool_size=8)
    async with made.begin() as conn:
        await conn.execute(insert(household).values(_household()))
        await conn.execute(insert(citizen).values(_person()))
        await conn.execute(insert(case_file).values(CASE))
    yield made
    await made.dispose()


def _filled(table: Any, given: dict[str, Any]) -> dict[str, Any]:
    """A row with something in every column that must be filled."""
    plain = {str: "x", int: 0, bool: False, datetime: NOW}
    row = {
        c.name: NOW.date() if c.type.python_type.__name__ == "date" else plain[c.type.python_type]
        for c in table.columns
        if not c.nullable
    }
    return row | given


def _household() -> dict[str, Any]:
    return _filled(household, {"id": "h1", "region_path": "532622205"})


def _person() -> dict[str, Any]:
    row = {"id": "p1", "region_path": "532622205", "household_id": "h1"}
    return _filled(citizen, row)


async def noted(engine: AsyncEngine, seq: int = 0) -> list[Change]:
    async with engine.connect() as conn:
        return await after(conn, seq, 1_000)


async def test_every_deed_on_a_subscribed_data_set_is_one_row(engine: AsyncEngine) -> None:
    order = _filled(supervision_order, {**WHO, "id": "o1", "case_id": "c1"})
    async with engine.begin() as conn:
        await conn.execute(insert(case_event).values(event(1)))
    async with engine.begin() as conn:
        await conn.execute(update(case_file).values(state="ROUTED"))
    async with engine.begin() as conn:
        await conn.execute(insert(supervision_order).values(order))
    async with engine.begin() as conn:
        await conn.execute(update(supervision_order).values(expired=True))
    async with engine.begin() as conn:
        await conn.execute(update(citizen).values(name="y"))  # nobody subscribes to the register
    found = await noted(engine)
    assert [(c.dataset, c.key) for c in found] == [
        ("case", "c1"),
        ("case_event", "e001"),
        ("case", "c1"),
        ("supervision_order", "o1"),
        ("supervision_order", "o1"),
    ]
    assert [c.seq for c in found] == sorted({c.seq for c in found})
    assert {c.dataset for c in found} == set(NOTED)
    async with engine.connect() as conn:
        assert await head(conn) == found[-1].seq


async def test_what_is_rolled_back_was_never_noted(engine: AsyncEngine) -> None:
    before = await noted(engine)
    async with engine.connect() as conn:
        await conn.execute(insert(case_event).values(event(1)))
        await conn.rollback()
    assert await noted(engine) == before


async def test_old_notes_are_forgotten_and_no_number_comes_again(engine: AsyncEngine) -> None:
    async with engine.begin() as conn:
        await conn.execute(insert(case_event), [event(n) for n in range(1, 6)])
    last = (await noted(engine))[-1]
    async with engine.begin() as conn:
        await forget(conn, 1)
    assert len(await noted(engine)) == 6  # none is as old as that
    async with engine.begin() as conn:
        await forget(conn, 2**40)
    assert await noted(engine) == [last]
    async with engine.begin() as conn:
        await conn.execute(insert(case_event).values(event(6)))
    assert [c.key for c in await noted(engine, last.seq)] == ["e006"]
    async with engine.begin() as conn:
        await conn.execute(delete(change))  # by hand
        await conn.execute(delete(case_event))
    assert await noted(engine) == []  # deeds that nobody is told of leave nothing


@pytest.mark.postgres
async def test_interleaved_commits_lose_no_change_and_keep_the_order_of_commits(
    postgres: AsyncEngine,
) -> None:
    """A long transaction writes first and commits last; a follower reads after every commit."""
    engine = postgres
    async with engine.connect() as conn:
        start = await head(conn)
    seen: list[Change] = []

    async def follow() -> None:
        seen.extend(await noted(engine, seen[-1].seq if seen else start))

    async with engine.connect() as slow, engine.connect() as quick:
        await slow.execute(insert(case_event).values(event(1)))
        await quick.execute(insert(case_event).values(event(2)))
        await follow()
        assert seen == []
        await quick.commit()
        await follow()
        await quick.execute(insert(case_event).values(event(3)))
        await quick.commit()
        await follow()
        assert [c.key for c in seen] == ["e002", "e003"]
        await slow.commit()
        await follow()
    assert [c.key for c in seen] == ["e002", "e003", "e001"]
    assert [c.seq for c in seen] == sorted(c.seq for c in seen)


async def test_twenty_writers_at_once_are_followed_without_a_gap(engine: AsyncEngine) -> None:
    async with engine.connect() as conn:
        start = await head(conn)
    numbers, done = range(1, 61), asyncio.Event()
    seen: list[Change] = []
    turns = asyncio.Semaphore(1 if engine.dialect.name == "sqlite" else 5)

    async def write(number: int) -> None:
        async with turns, engine.begin() as conn:
            await conn.execute(insert(case_event).values(event(number)))
            await asyncio.sleep(number % 7 / 500)

    async def follow() -> None:
        while True:
            last = done.is_set()
            seen.extend(await noted(engine, seen[-1].seq if seen else start))
            if last:
                return

    async with asyncio.TaskGroup() as group:
        group.create_task(follow())
        await asyncio.gather(*(write(number) for number in numbers))
        done.set()
    assert sorted(c.key for c in seen) == [f"e{n:03}" for n in numbers]
    assert [c.seq for c in seen] == sorted({c.seq for c in seen})


@pytest.mark.postgres
async def test_two_transactions_over_the_same_rows_in_other_orders_do_not_wait_for_each_other(
    postgres: AsyncEngine,
) -> None:
    """The lock is taken last: it can close no circle."""
    engine = postgres
    async with engine.begin() as conn:
        await conn.execute(insert(case_file).values({**CASE, "id": "c2", "case_no": "N-2"}))

    async def move(conn: AsyncConnection, key: str) -> None:
        await conn.execute(update(case_file).where(case_file.c.id == key).values(state="ROUTED"))

    async with engine.connect() as one, engine.connect() as other, asyncio.timeout(5):
        await move(one, "c1")
        await move(other, "c2")
        await one.commit()  # with the change lock, while the other holds a row
        await move(other, "c1")
        await other.commit()
    assert [c.key for c in (await noted(engine))[-3:]] == ["c1", "c2", "c1"]


@pytest.mark.postgres
async def test_who_may_only_write_cases_is_noted_too(postgres: AsyncEngine) -> None:
    engine = postgres
    role = f"writer_{uuid.uuid4().hex}"
    async with engine.begin() as conn:
        await conn.execute(text(f"CREATE ROLE {role} NOLOGIN"))
        await conn.execute(text(f"GRANT SELECT, INSERT ON case_event, case_file TO {role}"))
    before = await noted(engine)
    async with engine.begin() as conn:
        await conn.execute(text(f"SET LOCAL ROLE {role}"))
        await conn.execute(insert(case_event).values(event(1)))
    assert [c.key for c in (await noted(engine))[len(before) :]] == ["e001"]
    async with engine.begin() as conn:
        await conn.execute(text(f"DROP OWNED BY {role}"))
        await conn.execute(text(f"DROP ROLE {role}"))


@pytest.mark.postgres
async def test_postgresql_tells_of_a_change_once_it_is_there(
    postgres: AsyncEngine,
) -> None:
    engine, heard = postgres, asyncio.Event()
    task = asyncio.create_task(listen(engine.url, heard.set, channel=CHANNEL, name="test"))
    try:
        async with asyncio.timeout(5):
            await heard.wait()  # the line is new
            heard.clear()
            async with engine.begin() as conn:
                await conn.execute(insert(case_event).values(event(1)))
                await asyncio.sleep(0.1)
                assert not heard.is_set()
            await heard.wait()
        async with engine.connect() as conn:
            assert await conn.scalar(text("SELECT count(*) FROM change")) == 2
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
