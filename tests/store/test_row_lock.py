"""The second lock: what a session of a reading role sees, whatever its statement says."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from datetime import UTC, date, datetime

import pytest
from sqlalchemy import insert, text
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import AsyncConnection

from store import migrate
from store.cases import case_event, case_file
from store.complaints import complaint, complaint_event
from store.engine import open_engine
from store.register import citizen, household
from store.row_lock import BY_PLACE, COUNTY, OPEN, REACH, TOWN, is_locked, lock
from store.spot_checks import spot_check, spot_check_item
from store.supervision import supervision_order

pytestmark = [pytest.mark.anyio, pytest.mark.postgres]
ZHELAI, BANGE = "532622205", "532622206"
PLACES = (ZHELAI, f"{ZHELAI}203", BANGE, f"{BANGE}206", "532622")
AT = datetime(2026, 11, 1, tzinfo=UTC)


def _rows(number: int, place: str) -> dict[str, dict[str, object]]:
    """One row of every locked table at a place."""
    own = {"region_path": place, "handling_dept": "rev", "applicant_uid": f"u{number}"}
    filed = {"item": "TEMP_AID", "state": "ACCEPTED", "channel": "WINDOW", "intake": "SELF"}
    flags = {"overdue": False, "has_complaint": False}
    return {
        "citizen": {
            "id": f"p{number}", "citizen_uid": f"u{number}", "name": "某某", "sex": "UNKNOWN",
            "region_path": place, "region_state": "PLACED", "dq": "", "as_of": date(2026, 1, 1),
        },
        "case_file": own | filed | flags | {
            "id": f"c{number}", "case_no": f"SQ{number}", "applicant_id": f"p{number}",
            "filed_at": AT,
        },
        "case_event": own | {
            "id": f"e{number}", "case_id": f"c{number}", "seq": 1, "state": "ACCEPTED", "at": AT,
            "post": "town", "overdue": False,
        },
        "supervision_order": own | {
            "id": f"o{number}", "order_no": f"DB{number}", "case_id": f"c{number}", "kind": "URGE",
            "reason": "OVERDUE", "state": "ISSUED", "issued_at": AT, "due_at": AT,
            "expired": False,
        },
        "complaint": own | {
            "id": f"t{number}", "complaint_no": f"TS{number}", "kind": "COMPLAINT", "version": 1,
            "state": "RECEIVED", "received_at": AT, "due_confirmed": True, "overdue": False,
            "body": "内容", "applicant_id": f"p{number}",
        },
        "complaint_event": own | {
            "id": f"u{number}", "complaint_id": f"t{number}", "seq": 1, "state": "RECEIVED",
            "at": AT, "post": "town", "overdue": False,
        },
        "spot_check": {
            "id": f"s{number}", "check_no": f"CC{number}", "month": "2026-10", "seed": "种子",
            "size": 1, "population": f"SQ{number}\n", "population_size": 1,
            "population_digest": "0" * 64, "drawn_at": AT, "post": "office", "region_path": place,
        },
        "spot_check_item": own | {
            "id": f"i{number}", "item_no": f"CC{number}-001", "spot_check_id": f"s{number}",
            "case_id": f"c{number}", "seq": 1, "lot": "0" * 64, "version": 1, "state": "DRAWN",
            "drawn_at": AT, "due_confirmed": True, "overdue": False,
        },
    }  # fmt: skip


@pytest.fixture
async def locked(pg_url: str, anyio_backend: str) -> AsyncIterator[AsyncConnection]:
    """A connection of the owner to a store with a row of each kind in five places, locked."""
    await asyncio.to_thread(migrate.upgrade, pg_url)
    engine = open_engine(pg_url, pool_size=2)
    own = (citizen, case_file, case_event, supervision_order)
    later = (complaint, complaint_event, spot_check, spot_check_item)
    tables = {t.name: t for t in (*own, *later)}
    async with engine.begin() as connection:
        assert not await is_locked(connection)
        for number, place in enumerate(PLACES):
            for name, row in _rows(number, place).items():
                await connection.execute(insert(tables[name]), [row])
        await lock(connection)
        await lock(connection)  # again does no harm
        assert await is_locked(connection)
    async with engine.connect() as connection:
        yield connection
    await engine.dispose()


async def _as(connection: AsyncConnection, role: str, reach: str | None) -> None:
    await connection.execute(text("RESET ROLE"))
    await connection.execute(text("SELECT set_config('role', :role, false)"), {"role": role})
    if reach is not None:
        given = {"name": REACH, "reach": reach}
        await connection.execute(text("SELECT set_config(:name, :reach, false)"), given)


async def _seen(connection: AsyncConnection, table: str) -> set[str]:
    return {row[0] for row in await connection.execute(text(f"SELECT region_path FROM {table}"))}


FILLED = (
    *("citizen", "case_file", "case_event", "supervision_order"),
    *("complaint", "complaint_event", "spot_check", "spot_check_item"),
)


@pytest.mark.parametrize("table", FILLED)
async def test_a_town_session_sees_its_township_and_nothing_else(
    locked: AsyncConnection, table: str
) -> None:
    await _as(locked, TOWN, ZHELAI)
    assert await _seen(locked, table) == {ZHELAI, f"{ZHELAI}203"}
    await _as(locked, TOWN, BANGE)
    assert await _seen(locked, table) == {BANGE, f"{BANGE}206"}


@pytest.mark.parametrize("table", FILLED)
async def test_a_session_that_names_no_township_sees_no_row(
    locked: AsyncConnection, table: str
) -> None:
    await _as(locked, TOWN, None)
    assert await _seen(locked, table) == set()
    await _as(locked, TOWN, "53262220")  # the beginning of several
    assert await _seen(locked, table) == set()


@pytest.mark.parametrize("table", FILLED)
async def test_county_sessions_and_the_owner_see_all(locked: AsyncConnection, table: str) -> None:
    assert await _seen(locked, table) == {*PLACES}
    await _as(locked, COUNTY, None)
    assert await _seen(locked, table) == {*PLACES}


async def test_the_reading_roles_read_what_plans_read_and_write_nothing(
    locked: AsyncConnection,
) -> None:
    assert household.name in BY_PLACE
    for role in (TOWN, COUNTY):
        for table in (*BY_PLACE, *OPEN):
            await _as(locked, role, ZHELAI)
            await locked.execute(text(f"SELECT count(*) FROM {table}"))
        for forbidden in ("SELECT * FROM principal", "DELETE FROM citizen"):
            with pytest.raises(DBAPIError, match="permission denied"):
                await locked.execute(text(forbidden))
            await locked.rollback()
            await _as(locked, role, ZHELAI)


async def test_an_unlocked_table_is_found_out(locked: AsyncConnection) -> None:
    await locked.execute(text("ALTER TABLE case_event DISABLE ROW LEVEL SECURITY"))
    assert not await is_locked(locked)
