"""Counts per account, hour, place, kind and outcome: what group-bys over months read.

One statement adds up the columns of the new records, the same on both databases; the cursor
moves in its transaction. What the roll-up must say is what the bodies say again.
"""

from __future__ import annotations

from sqlalchemy import select, text
from sqlalchemy.ext.asyncio import AsyncEngine

from audit.follower import cursor_of, move
from store.audit import audit_head

NAME = "rollup"
RECORDS = 1_000  # a step: some 10 ms of SQLite's one write lock
HOUR_US = 3_600_000_000

_BEGIN = text(
    "INSERT INTO audit_follower (name, next_idx) VALUES (:name, 0) ON CONFLICT DO NOTHING"
)
_ADD = text(
    "INSERT INTO audit_rollup_hour (actor, hour, area, kind, outcome, events, subjects) "
    "SELECT coalesce(actor, ''), ts / :hour, area, kind, outcome, count(*), sum(subject_count) "
    "FROM audit_event WHERE idx >= :first AND idx < :end GROUP BY 1, 2, 3, 4, 5 "
    "ON CONFLICT (actor, hour, area, kind, outcome) DO UPDATE SET "
    "events = audit_rollup_hour.events + excluded.events, "
    "subjects = audit_rollup_hour.subjects + excluded.subjects"
)


class Rollup:
    """The steps of the roll-up."""

    def __init__(self, engine: AsyncEngine, *, records: int = RECORDS) -> None:
        self._engine, self._records = engine, records

    async def step(self) -> int:
        """Add some records; the cursor after it."""
        async with self._engine.connect() as connection:
            cursor = await cursor_of(connection, NAME)
            size = await connection.scalar(select(audit_head.c.size)) or 0
        if cursor is None:
            async with self._engine.begin() as connection:
                await connection.execute(_BEGIN, {"name": NAME})
            return 0
        end = min(size, cursor + self._records)
        if end == cursor:
            return cursor
        async with self._engine.begin() as connection:
            if not await move(connection, NAME, cursor, end):
                return cursor  # another process was here meanwhile
            await connection.execute(_ADD, {"hour": HOUR_US, "first": cursor, "end": end})
        return end
