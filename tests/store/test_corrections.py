"""What is disputed, which records name a person, and rows that stay: on both databases."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from datetime import UTC, date, datetime
from typing import Any

import pytest
from sqlalchemy import insert, text
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import AsyncEngine

from store.audit import audit_event, audit_index, audit_subject
from store.corrections import (
    CorrectionRow,
    add_correction,
    add_correction_event,
    add_readers,
    change_correction,
    correction_to_change,
    disputed,
    open_correction_no,
    records_naming,
    records_of_requests,
)
from store.engine import open_engine
from store.migrate import upgrade
from store.register import citizen, household

pytestmark = pytest.mark.anyio

NOW = datetime(2026, 6, 1, tzinfo=UTC)
PLACE = {"citizen_uid": "u1", "household_id": "h1", "region_path": "532622205"}
ME, OTHER = b"m" * 16, b"o" * 16


def a_correction(number: int, state: str, coordinate: str = "Citizen.phone") -> dict[str, Any]:
    """A row."""
    row: dict[str, Any] = {"id": f"k{number}", "correction_no": f"JH2026-{number:06}", "version": 1}
    row |= {"state": state, "coordinate": coordinate, "citizen_id": "p1", "intake": "ONLINE"}
    row |= dict.fromkeys(("filed_at", "accept_due_at", "due_at"), NOW)
    return {**row, **PLACE, "provider": "rev", "text": "x"}


def a_record(idx: int, ts: int, actor: str | None = "town", **more: object) -> dict[str, Any]:
    """A row of the log."""
    row: dict[str, Any] = {"idx": idx, "id": f"r{idx}", "ts": ts, "writer": "w", "wseq": idx}
    row |= {"kind": "READ", "outcome": "OK", "actor": actor, "actor_org": "rev"}
    row |= {"area": "532622", "row_count": 1, "subject_count": 1, "break_glass": False}
    return {**row, "part": 1, "parts": 1, "leaf": "0", "body": f"body {idx}", **more}


@pytest.fixture
async def engine(store_url: str, anyio_backend: str) -> AsyncIterator[AsyncEngine]:
    await asyncio.to_thread(upgrade, store_url)
    made = open_engine(store_url)
    day, place = date(2026, 6, 1), {"region_path": "532622205", "region_state": "PLACED"}
    home = {"id": "h1", "household_no": "1", "size": 1, "as_of": day}
    person = {"id": "p1", "citizen_uid": "u1", "name": "某", "sex": "MALE", "as_of": day, "dq": ""}
    async with made.begin() as conn:
        await conn.execute(insert(household).values(**home, **place))
        await conn.execute(insert(citizen).values(**person, **place))
    yield made
    await made.dispose()


async def test_what_is_disputed_is_what_stands_in_one_of_the_states(engine: AsyncEngine) -> None:
    states = ("FLAGGED", "UPHELD")
    assert await disputed(engine, states) == []
    async with engine.begin() as conn:
        for number, state in enumerate(("SUBMITTED", "FLAGGED", "CLOSED", "UPHELD")):
            await add_correction(conn, a_correction(number, state, f"House.f{number}"))
    assert sorted(await disputed(engine, states)) == [("u1", "House.f1"), ("u1", "House.f3")]


async def test_an_open_one_is_found_by_its_value_until_it_ends(engine: AsyncEngine) -> None:
    async with engine.begin() as conn:
        await add_correction(conn, a_correction(1, "FLAGGED"))
        await add_correction(conn, a_correction(2, "CLOSED", "Citizen.name"))
        found = [
            await open_correction_no(conn, who, what, ("CLOSED",))
            for who, what in (
                ("p1", "Citizen.phone"),
                ("p1", "Citizen.name"),
                ("p2", "Citizen.phone"),
            )
        ]
    assert found == ["JH2026-000001", None, None]


async def test_a_change_counts_and_what_was_done_stays(engine: AsyncEngine) -> None:
    event = {**PLACE, "provider": "rev", "act": None, "note": None, "at": NOW, "post": "x"}
    reader: dict[str, Any] = {
        "id": "n1",
        "correction_id": "k1",
        "correction_no": "JH2026-000001",
        **PLACE,
    }
    reader |= {"coordinate": "Citizen.phone", "citizen_id": "p1", "account": "town"}
    reader |= {"department": "rev", "last_read_at": NOW, "told_at": NOW}
    async with engine.begin() as conn:
        await add_correction(conn, a_correction(1, "SUBMITTED"))
        row = await correction_to_change(conn, "JH2026-000001")
        assert isinstance(row, CorrectionRow)
        assert await correction_to_change(conn, "JH2026-000002") is None
        await change_correction(conn, row, {"state": "ACCEPTED", "accepted_at": NOW})
        for number, state in enumerate(("SUBMITTED", "ACCEPTED"), start=1):
            await add_correction_event(conn, "k1", {**event, "id": f"e{number}", "state": state})
        await add_readers(conn, [])
        await add_readers(conn, [reader])
        changed = await correction_to_change(conn, "JH2026-000001")
        assert changed is not None
        assert (changed.state, changed.version) == ("ACCEPTED", 2)
        with pytest.raises(RuntimeError):
            await change_correction(conn, row, {"state": "FLAGGED"})
        seqs = await conn.scalars(text("SELECT seq FROM correction_event ORDER BY id"))
        assert seqs.all() == [1, 2]
    for table in ("correction_event", "correction_reader"):
        for deed in (f"DELETE FROM {table}", f"UPDATE {table} SET region_path = '532622'"):
            with pytest.raises(DBAPIError, match="what was done to a correction stays recorded"):
                async with engine.begin() as conn:
                    await conn.execute(text(deed))


async def test_records_of_a_person_are_found_by_the_index_and_behind_it(
    engine: AsyncEngine,
) -> None:
    rows = [
        a_record(0, 50),  # too long ago
        a_record(1, 100, request_id="q1", parts=2),
        a_record(2, 110, request_id="q1", part=2, parts=2),  # names somebody else
        a_record(3, 120),  # sought, not seen
        a_record(4, 130, "office"),  # not yet indexed
        a_record(5, 140, None),  # the log's own
    ]
    seen = [(0, ME, "SEEN"), (1, ME, "SEEN"), (2, OTHER, "SEEN"), (3, ME, "SOUGHT")]
    async with engine.begin() as conn:
        await conn.execute(insert(audit_event), [{"request_id": None, **row} for row in rows])
        subjects = [{"idx": i, "subject": s, "how": h, "key_ver": 1} for i, s, h in seen]
        await conn.execute(insert(audit_subject), subjects)
        await conn.execute(text("DELETE FROM audit_index"))
        await conn.execute(insert(audit_index).values(id=1, next_idx=4))
        found = await records_naming(conn, [ME], 60)
        parts = await records_of_requests(conn, {"q1"})
        none = await records_of_requests(conn, set())
    assert [(one.body, one.account, one.ts, one.parts) for one in found] == [
        ("body 1", "town", 100, 2),
        ("body 4", "office", 130, 1),
    ]
    assert [one.body for one in parts] == ["body 1", "body 2"]
    assert none == []
