"""Runs and clues in the store, on both databases: a run stays, a clue moves under its lock."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from datetime import UTC, date, datetime
from typing import Any

import pytest
from sqlalchemy import insert, text
from sqlalchemy.exc import DBAPIError, IntegrityError

from store import comparisons as store
from store import migrate
from store.deeds import next_number, next_numbers
from store.engine import open_engine, single
from store.register import citizen

AT = datetime(2026, 11, 5, 11, tzinfo=UTC)
PATH = "532622205203"
RUN: Mapping[str, Any] = {
    "id": "r1",
    "run_no": "BD2026-000001",
    "rule": "R03",
    "rule_version": 1,
    "period": "2026-11",
    "as_of": date(2026, 11, 5),
    "state": "COMPLETE",
    "started_at": AT,
    "finished_at": AT,
    "people": 3,
    "unjudged": 0,
    "hits": 2,
    "added": 2,
    "standing": 0,
    "suppressed": 0,
    "parameters": "{}",
    "snapshots": "[]",
    "digest": "a" * 64,
    "region_path": "532622",
}


def person(key: str) -> dict[str, Any]:
    return {
        **{"id": key, "citizen_uid": f"u-{key}", "name": "某", "sex": "MALE"},
        **{"region_path": PATH, "region_state": "PLACED", "as_of": date(2026, 11, 1)},
    }


def clue(number: int, who: str, state: str = "OPEN") -> dict[str, Any]:
    return {
        **{"id": f"c{number}", "clue_no": f"XS2026-{number:06d}", "run_id": "r1", "rule": "R03"},
        **{"version": 1, "state": state, "tier": "RED", "item": "TEMP_AID", "found_at": AT},
        **{"due_at": AT, "due_confirmed": True, "detail": "说明", "applicant_id": who},
        **{"applicant_uid": f"u-{who}", "household_id": None, "region_path": PATH},
        "handling_dept": "rev",
    }


async def filled(url: str) -> None:
    async with single(url) as conn:
        await conn.execute(insert(citizen), [person("p1"), person("p2"), person("p3")])
        clues = [clue(1, "p1"), clue(2, "p2", "WATCH"), clue(3, "p3", "WATCH")]
        await store.add_run(conn, RUN, clues)


def test_a_run_is_kept_with_its_clues_and_never_changed(store_url: str) -> None:
    migrate.upgrade(store_url)

    async def run() -> None:
        await filled(store_url)
        async with single(store_url, readonly=True) as conn:
            (row,) = await store.runs(conn, 9)
            assert (row.run_no, row.hits, row.finished_at) == ("BD2026-000001", 2, AT)
            assert await store.scheduled(conn, "2026-11") == {"R03"}
            assert await store.scheduled(conn, "2026-12") == set()
            assert await store.counted(conn) == {"R03": {"OPEN": 1, "WATCH": 2}}
        for changed in ("UPDATE comparison_run SET hits = 0", "DELETE FROM comparison_run"):
            with pytest.raises(DBAPIError):
                async with single(store_url) as conn:
                    await conn.execute(text(changed))

    asyncio.run(run())


def test_a_month_has_one_run_a_rule_and_by_hand_there_are_many(store_url: str) -> None:
    migrate.upgrade(store_url)

    async def run() -> None:
        await filled(store_url)
        async with single(store_url) as conn:
            for number in (2, 3):
                by_hand = {"id": f"r{number}", "run_no": f"BD{number}", "period": None}
                await store.add_run(conn, {**RUN, **by_hand}, [])
            other = {"id": "r4", "run_no": "BD4", "rule": "R99"}
            await store.add_run(conn, {**RUN, **other}, [])
        with pytest.raises(IntegrityError):
            async with single(store_url) as conn:
                await store.add_run(conn, {**RUN, "id": "r5", "run_no": "BD5"}, [])

    asyncio.run(run())


def test_what_is_known_of_people_is_found_by_their_keys(store_url: str) -> None:
    migrate.upgrade(store_url)

    async def run() -> None:
        await filled(store_url)
        many = [f"nobody-{n}" for n in range(1_200)]
        async with single(store_url, readonly=True) as conn:
            people = await store.people_of(conn, ["p1", *many, "p3"])
            known = await store.earlier(conn, "R03", [*many, "p1", "p2"])
            assert await store.earlier(conn, "R99", ["p1"]) == {}
        assert {key: one.citizen_uid for key, one in people.items()} == {"p1": "u-p1", "p3": "u-p3"}
        states = {who: [one.state for one in rows] for who, rows in known.items()}
        assert states == {"p1": ["OPEN"], "p2": ["WATCH"]}

    asyncio.run(run())


def test_a_watch_list_lapses_whole_or_for_some(store_url: str) -> None:
    migrate.upgrade(store_url)

    async def run() -> None:
        await filled(store_url)
        async with single(store_url) as conn:
            await store.lapse(conn, "R03", "WATCH", "LAPSED", [])
            await store.lapse(conn, "R03", "WATCH", "LAPSED", ["p1", "p3"])
            assert await store.counted(conn) == {"R03": {"OPEN": 1, "WATCH": 1, "LAPSED": 1}}
            await store.lapse(conn, "R99", "WATCH", "LAPSED")
            await store.lapse(conn, "R03", "WATCH", "LAPSED")
            assert await store.counted(conn) == {"R03": {"OPEN": 1, "LAPSED": 2}}

    asyncio.run(run())


def test_of_two_who_lift_one_clue_the_second_finds_it_lifted(store_url: str) -> None:
    migrate.upgrade(store_url)

    async def run() -> None:
        await filled(store_url)
        engine = open_engine(store_url)
        held = asyncio.Event()

        async def lifting(*, first: bool) -> str:
            if not first:
                await held.wait()
            async with engine.connect() as conn:
                if engine.dialect.name == "sqlite":
                    while True:
                        try:
                            await conn.exec_driver_sql("BEGIN IMMEDIATE")
                            break
                        except DBAPIError:
                            await conn.rollback()
                            await asyncio.sleep(0.02)
                row = await store.clue_to_change(conn, "XS2026-000001")
                assert row is not None
                held.set()
                await asyncio.sleep(0.1)
                if row.state == "OPEN":
                    await store.change_clue(conn, row, {"state": "LIFTED", "lifted_at": AT})
                await conn.commit()
                return row.state

        found = await asyncio.gather(lifting(first=True), lifting(first=False))
        assert list(found) == ["OPEN", "LIFTED"]
        async with engine.connect() as conn:
            assert await store.clue_to_change(conn, "XS2026-999999") is None
            assert await store.clue_of_case(conn, "nothing") is None
        await engine.dispose()

    asyncio.run(run())


def test_numbers_are_taken_in_one_go_without_gaps(store_url: str) -> None:
    migrate.upgrade(store_url)

    async def run() -> None:
        async with single(store_url) as conn:
            assert list(await next_numbers(conn, "clue", 2026, 3)) == [1, 2, 3]
            assert await next_number(conn, "clue", 2026) == 4
            assert list(await next_numbers(conn, "clue", 2026, 2)) == [5, 6]
            assert list(await next_numbers(conn, "clue", 2027, 1)) == [1]

    asyncio.run(run())
