"""Requests of an account within a minute, handed out to workers in shares.

One row an account: the minute, what of it has been handed out, and the last share. A worker takes
a share of what is left by one UPDATE and counts requests against it by itself, so that all
workers together let no more through than the account may ask, and most requests cost no
statement. Shares shrink as the minute's budget does: what idle workers hold of it stays small.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass

from sqlalchemy import Column, Integer, Table, case, or_, select, update
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from store.metadata import BYTES, metadata
from store.rows import INSERT

MINUTE_S = 60
PARTS = 8
"""A share is an eighth of what is left: 44 statements for a budget of 600 that one worker uses
up, 62 for one of 6,000; a worker that takes one and idles keeps an eighth from the others."""

rate_use = Table(
    "rate_use",
    metadata,
    Column("principal_id", BYTES, primary_key=True),
    Column("minute", Integer, nullable=False),  # since 1970, UTC
    Column("taken", Integer, nullable=False),  # requests handed out of that minute
    Column("share", Integer, nullable=False),  # requests of the last share
)
_COLUMNS = rate_use.c


@dataclass(slots=True)
class Share:
    """Requests that one worker may let through: `left`, of `minute`; `rest`: others may have."""

    minute: int
    left: int
    rest: int


class Rates:
    """The store's book of minutes. `clock` gives seconds since 1970, alike for all workers."""

    def __init__(self, engine: AsyncEngine, *, clock: Callable[[], float] = time.time) -> None:
        self._engine, self._clock = engine, clock

    def now(self) -> float:
        """Seconds since 1970 by the clock that minutes are told by."""
        return self._clock()

    async def take(self, principal_id: str, limit: int) -> Share:
        """A share of `limit` requests a minute; one of nothing if the minute's are handed out.

        SQLAlchemyError or OSError if the store does not answer.
        """
        minute = int(self._clock() // MINUTE_S)
        async with self._engine.begin() as connection:
            share = await _taken(connection, principal_id, limit, minute)
            if share is None:
                await _open(connection, principal_id, minute)
                share = await _taken(connection, principal_id, limit, minute)
            if share is None:
                asked = select(_COLUMNS.minute).where(_COLUMNS.principal_id == principal_id)
                return Share(int((await connection.execute(asked)).scalar_one()), 0, 0)
            return share


async def _taken(
    connection: AsyncConnection, principal_id: str, limit: int, minute: int
) -> Share | None:
    """A share, counted as handed out; None if nothing is left, or there is no row yet."""
    # INVARIANT: a minute never goes back, so that a worker whose clock is behind counts with the
    # others instead of beginning the minute before anew.
    fresh = _COLUMNS.minute < minute
    left = case((fresh, limit), else_=limit - _COLUMNS.taken)
    share = case((left > PARTS, left // PARTS), else_=1)
    changed = (
        update(rate_use)
        .where(_COLUMNS.principal_id == principal_id, or_(fresh, _COLUMNS.taken < limit))
        .values(
            minute=case((fresh, minute), else_=_COLUMNS.minute),
            taken=case((fresh, share), else_=_COLUMNS.taken + share),
            share=share,
        )
        .returning(_COLUMNS.minute, _COLUMNS.taken, _COLUMNS.share)
    )
    row = (await connection.execute(changed)).one_or_none()
    return None if row is None else Share(int(row.minute), int(row.share), limit - int(row.taken))


async def _open(connection: AsyncConnection, principal_id: str, minute: int) -> None:
    """A row for an account that has none; another worker may be doing the same."""
    row = {"principal_id": principal_id, "minute": minute, "taken": 0, "share": 0}
    made = INSERT[connection.dialect.name](rate_use).values(row)
    await connection.execute(made.on_conflict_do_nothing())
