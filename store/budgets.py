"""Calls to departments' systems, counted and paced in the store, so that all workers share them.

One row a source that sets limits: the day and the calls of it, and the moment the next call may
go out. A call is one UPDATE that counts it and hands out its moment, or does neither: two workers
never take the same one. A row knows no person and nothing of what was asked.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

from sqlalchemy import BigInteger, Column, Date, Integer, Table, case, or_, select, update
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from catalog.workdays import ZONE
from store.metadata import BYTES, metadata
from store.rows import INSERT

SECOND_US = 1_000_000

source_budget = Table(
    "source_budget",
    metadata,
    Column("source", BYTES, primary_key=True),
    Column("day", Date, nullable=False),  # in Beijing
    Column("used", Integer, nullable=False),  # calls of that day
    Column("next_at", BigInteger, nullable=False),  # µs UTC: no call before
)
_COLUMNS = source_budget.c


class Spent(Exception):
    """The day's calls are used up."""


class Crowded(Exception):
    """So many calls are booked that the next moment comes too late."""


@dataclass(frozen=True, slots=True)
class Limits:
    """What a source allows all workers together: calls a second, calls a day; None: no limit."""

    rate: int | None = None
    quota: int | None = None

    @property
    def step_us(self) -> int:
        """From one call to the next."""
        return 0 if self.rate is None else -(-SECOND_US // self.rate)


class Budgets:
    """The store's book of calls. `clock` gives seconds since 1970, alike for all workers."""

    def __init__(self, engine: AsyncEngine, *, clock: Callable[[], float] = time.time) -> None:
        self._engine, self._clock = engine, clock

    async def take(self, source: str, limits: Limits, *, within_s: float) -> float:
        """Count one call; how many seconds from now it may go out, at most `within_s`.

        Spent or Crowded: nothing was counted. SQLAlchemyError or OSError if the store does not
        answer.
        """
        now_us = int(self._clock() * SECOND_US)
        latest_us = now_us + int(within_s * SECOND_US)
        async with self._engine.begin() as connection:
            taken = await _taken(connection, source, limits, now_us, latest_us)
            if taken is None:
                await _open(connection, source, _day(now_us))
                taken = await _taken(connection, source, limits, now_us, latest_us)
            if taken is None:
                raise await _why(connection, source, limits, _day(now_us))
        return (taken - now_us) / SECOND_US

    async def used(self) -> dict[str, int]:
        """Today's calls by source; a source that was not called is not in it."""
        today = _day(int(self._clock() * SECOND_US))
        asked = select(_COLUMNS.source, _COLUMNS.used).where(_COLUMNS.day >= today)
        async with self._engine.connect() as connection:
            return {str(row.source): int(row.used) for row in await connection.execute(asked)}


async def _taken(
    connection: AsyncConnection, source: str, limits: Limits, now_us: int, latest_us: int
) -> int | None:
    """The moment (µs) of one call more, counted; None if none is to be had."""
    today = _day(now_us)
    begins = case((_COLUMNS.next_at > now_us, _COLUMNS.next_at), else_=now_us)
    # INVARIANT: a day never goes back, so that a worker whose clock is behind at midnight counts
    # with the others instead of beginning the day before anew.
    fresh = _COLUMNS.day < today
    changes: dict[str, Any] = {
        "day": case((fresh, today), else_=_COLUMNS.day),
        "used": case((fresh, 1), else_=_COLUMNS.used + 1),
    }
    conditions: list[Any] = [_COLUMNS.source == source]
    if limits.quota is not None:
        conditions.append(or_(fresh, _COLUMNS.used < limits.quota))
    if limits.rate is not None:
        conditions.append(begins <= latest_us)
        changes["next_at"] = begins + limits.step_us
    changed = update(source_budget).where(*conditions).values(changes).returning(_COLUMNS.next_at)
    after = (await connection.execute(changed)).scalar_one_or_none()
    if after is None or limits.rate is None:
        return None if after is None else now_us
    return int(after) - limits.step_us


async def _open(connection: AsyncConnection, source: str, today: date) -> None:
    """A row for a source that has none; another worker may be doing the same."""
    row = {"source": source, "day": today, "used": 0, "next_at": 0}
    made = INSERT[connection.dialect.name](source_budget).values(row)
    await connection.execute(made.on_conflict_do_nothing())


async def _why(
    connection: AsyncConnection, source: str, limits: Limits, today: date
) -> Spent | Crowded:
    asked = select(_COLUMNS.day, _COLUMNS.used).where(_COLUMNS.source == source)
    row = (await connection.execute(asked)).one()
    spent = limits.quota is not None and row.day >= today and row.used >= limits.quota
    return Spent() if spent else Crowded()


def _day(at_us: int) -> date:
    return datetime.fromtimestamp(at_us / SECOND_US, ZONE).date()
