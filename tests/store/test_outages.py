"""Outages in the store, on both databases: one of a source is open, whoever writes it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import insert
from sqlalchemy.ext.asyncio import AsyncEngine

from store.cases import case_file
from store.engine import open_engine
from store.metadata import metadata
from store.outages import (
    FIRST,
    OutageRow,
    OutageSpan,
    begin,
    end,
    open_outages,
    outages_of,
    source_outage,
    swept,
    take_turn,
    unswept,
)
from store.register import citizen, household
from store.work_orders import (
    RunningOrder,
    order_to_change,
    running,
    timeout_event,
    unrecorded,
    work_order,
)

pytestmark = pytest.mark.anyio
NOW = datetime(2026, 11, 26, 2, tzinfo=UTC)
HOUR = timedelta(hours=1)
OUT = OutageRow("o1", "yb_settle", False, NOW, None, "DOWN", NOW, FIRST)
TABLES = [source_outage, household, citizen, case_file, work_order, timeout_event]


@pytest.fixture
async def engine(store_url: str, anyio_backend: str) -> AsyncIterator[AsyncEngine]:
    made = open_engine(store_url)
    async with made.begin() as conn:
        await conn.run_sync(lambda sync: metadata.create_all(sync, TABLES))
    yield made
    await made.dispose()


async def begun(engine: AsyncEngine, row: OutageRow, by: str = "one") -> bool:
    async with engine.begin() as conn:
        return await begin(conn, row, by)


async def ended(engine: AsyncEngine, key: str, at: datetime, by: str = "two") -> bool:
    async with engine.begin() as conn:
        return await end(conn, key, at, by)


async def test_one_outage_of_a_source_is_open_whoever_writes_it(engine: AsyncEngine) -> None:
    tries = [begun(engine, replace(OUT, id=f"o{n}"), f"w{n}") for n in range(1, 6)]
    assert sorted(await asyncio.gather(*tries)) == [False] * 4 + [True]
    assert await begun(engine, replace(OUT, id="m1", source="mz_assist"))
    async with engine.connect() as conn:
        lasting = await open_outages(conn)
    assert set(lasting) == {"yb_settle", "mz_assist"}
    key = lasting["yb_settle"].id
    assert lasting["yb_settle"] == replace(OUT, id=key)
    assert await ended(engine, key, NOW + HOUR)
    assert not await ended(engine, key, NOW + 2 * HOUR)
    # The next of the source begins; the one before stays as it was.
    assert await begun(engine, replace(OUT, id="o9", started_at=NOW + 3 * HOUR))
    async with engine.connect() as conn:
        assert await outages_of(conn, ["yb_settle"], NOW) == [
            OutageSpan("yb_settle", False, NOW, NOW + HOUR),
            OutageSpan("yb_settle", False, NOW + 3 * HOUR, None),
        ]
        assert len(await outages_of(conn, ["yb_settle"], NOW + HOUR)) == 1
        assert await outages_of(conn, [], NOW) == []


async def test_workers_take_turns_in_asking(engine: AsyncEngine) -> None:
    await begun(engine, OUT)

    async def turn(now: datetime) -> bool:
        async with engine.begin() as conn:
            return await take_turn(conn, "o1", now, now - HOUR)

    assert not await turn(NOW + HOUR / 2)
    assert sorted(await asyncio.gather(*(turn(NOW + HOUR) for _ in range(4)))) == [
        *([False] * 3),
        True,
    ]
    await ended(engine, "o1", NOW + 2 * HOUR)
    assert not await turn(NOW + 9 * HOUR)


async def test_an_outage_is_swept_when_it_begins_and_when_it_ends(engine: AsyncEngine) -> None:
    await begun(engine, OUT)
    await begun(engine, replace(OUT, id="m1", source="mz_assist", started_at=NOW - HOUR))
    async with engine.begin() as conn:
        for key in ("m1", "o1"):
            row = await unswept(conn)
            assert row is not None
            assert (row.id, row.swept_to) == (key, FIRST)
            await swept(conn, key, "w7")
            again = await unswept(conn)
            assert again is not None
            assert (again.id, again.swept_to) == (key, "w7")
            await swept(conn, key, None)
        assert await unswept(conn) is None
    await ended(engine, "o1", NOW + HOUR)
    async with engine.begin() as conn:
        row = await unswept(conn)
        assert row is not None
        assert (row.id, row.ended_at, row.swept_to) == ("o1", NOW + HOUR, FIRST)


async def test_open_orders_are_found_by_what_their_cases_are_for(engine: AsyncEngine) -> None:
    place = {
        "applicant_uid": "u1",
        "household_id": "h1",
        "region_path": "532622205203",
        "handling_dept": "med",
    }
    async with engine.begin() as conn:
        person = {"id": "p1", "citizen_uid": "u1", "name": "陆某", "sex": "MALE"}
        lives = {"region_path": "532622205203", "region_state": "EXACT", "as_of": NOW.date()}
        await conn.execute(insert(citizen).values(**person, **lives))
        for number, item in enumerate(("TEMP_AID", "MIN_LIVING", "TEMP_AID"), start=1):
            case = {
                **place,
                "id": f"c{number}",
                "case_no": f"SQ2026-{number:06d}",
                "item": item,
                "flow": "F1",
                "state": "ROUTED",
                "channel": "SELF_RAISED",
                "intake": "ONLINE",
                "applicant_id": "p1",
                "filed_at": NOW,
                "overdue": False,
                "has_complaint": False,
            }
            await conn.execute(insert(case_file).values(**case))
            order = {
                **place,
                "id": f"w{number}",
                "case_id": f"c{number}",
                "node": "VERIFY",
                "opened_at": NOW,
                "due_at": NOW + HOUR,
                "due_confirmed": True,
                "open": True,
                "void": False,
                "late": False,
            }
            await conn.execute(insert(work_order).values(**order))
        wanted = [("TEMP_AID", "VERIFY"), ("MIN_LIVING", "ACCEPT")]
        one, three = (
            RunningOrder(key, "TEMP_AID", "F1", "VERIFY", None, NOW, NOW + HOUR)
            for key in ("w1", "w3")
        )
        assert await running(conn, wanted, FIRST, 9) == [one, three]
        assert await running(conn, wanted, FIRST, 1) == [one]
        assert await running(conn, wanted, "w1", 9) == [three]
        assert [late.item for late in await unrecorded(conn, NOW + HOUR, 9)] == [
            *("TEMP_AID", "MIN_LIVING", "TEMP_AID")
        ]
        found = await order_to_change(conn, "w2")
        assert found is not None
        assert (found.case_no, found.item, found.due_at) == (
            *("SQ2026-000002", "MIN_LIVING"),
            NOW + HOUR,
        )
        assert await order_to_change(conn, "w9") is None
