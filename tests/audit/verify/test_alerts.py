"""Alerts and the records of their raising and handling belong together, both ways."""

from __future__ import annotations

from typing import Any

import pytest
from sqlalchemy import delete, insert, update
from sqlalchemy.ext.asyncio import AsyncEngine

from audit.drill import made
from audit.plant import Store, renumbered, write
from audit.verify import Code, Exit, check
from store.audit import audit_alert

pytestmark = pytest.mark.anyio


def store() -> Store:
    """Two alerts are raised (the second twice, after a kill), the first is handled."""
    bodies = [dict(body) for body in made(150).bodies]
    for idx, kind, ref in (
        (10, "ALERT_RAISED", "a"),
        (20, "ALERT_RAISED", "b"),
        (21, "ALERT_RAISED", "b"),
        (30, "ALERT_HANDLED", "a"),
    ):
        bodies[idx] |= {"kind": kind, "ref": ref}
    return Store("demo.invalid/hub/test/sha256", tuple(renumbered(bodies)), ())


def row(name: str, raised: int, handled: int | None = None) -> dict[str, Any]:
    return {
        "id": name,
        "rule": "bulk-read",
        "actor": f"clerk-{name}",
        "area": "532622",
        "window_start": 0,
        "count": 1,
        "evidence": "[]",
        "state": "OPEN" if handled is None else "HANDLED",
        "raised_at": 0,
        "raised_idx": raised,
        "handled_idx": handled,
    }


@pytest.fixture
async def alerted(engine: AsyncEngine) -> AsyncEngine:
    async with engine.begin() as connection:
        await write(connection, store(), [])
        await connection.execute(insert(audit_alert), [row("a", 10, 30), row("b", 21)])
    return engine


@pytest.mark.parametrize("window", [1, 9, 500])
async def test_alerts_with_their_records_are_intact(alerted: AsyncEngine, window: int) -> None:
    verdicts = await check(alerted, window=window)
    assert (verdicts.exit, verdicts.counts) == (Exit.INTACT, {})


OPEN = {"state": "OPEN", "handled_idx": None}


@pytest.mark.parametrize(
    ("deed", "found", "first"),
    [
        (delete(audit_alert).where(audit_alert.c.id == "b"), 2, 20),
        (update(audit_alert).where(audit_alert.c.id == "a").values(**OPEN), 1, 30),
        (update(audit_alert).where(audit_alert.c.id == "b").values(raised_idx=22), 1, 22),
        (update(audit_alert).where(audit_alert.c.id == "b").values(raised_idx=900), 1, 150),
        (insert(audit_alert).values(**row("c", 40)), 1, 40),
        (
            update(audit_alert)
            .where(audit_alert.c.id == "b")
            .values(state="HANDLED", handled_idx=30),
            1,
            30,
        ),
    ],
)
async def test_an_alert_that_was_removed_reopened_or_invented_is_found(
    alerted: AsyncEngine, deed: Any, found: int, first: int
) -> None:
    async with alerted.begin() as connection:
        assert (await connection.execute(deed)).rowcount == 1
    verdicts = await check(alerted, window=9)
    assert (verdicts.exit, verdicts.counts) == (Exit.TAMPERED, {Code.ALERT: found})
    assert (verdicts.first_bad, verdicts.indexes) == (first, False)


async def test_a_record_whose_row_is_not_there_yet_has_a_minute(engine: AsyncEngine) -> None:
    bodies = [dict(body) for body in made(150).bodies]
    bodies[148] |= {"kind": "ALERT_RAISED", "ref": "new"}
    async with engine.begin() as connection:
        await write(connection, Store("x/sha256", tuple(bodies), ()), [])
    now = bodies[-1]["ts"]
    soon = await check(engine, clock=lambda: now + 50_000_000)
    assert soon.counts == {}
    later = await check(engine, clock=lambda: now + 61_000_000)
    assert (later.counts, later.first_bad) == ({Code.ALERT: 1}, 148)
