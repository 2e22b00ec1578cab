"""Look-ups of persons, counted per account and minute, so that every worker counts the same ones.

A row holds an account and two numbers: nothing of whom was looked for. What is older than the
hour that is looked back on is removed with the account's next look-up.
"""

from __future__ import annotations

import time
from collections.abc import Callable

from sqlalchemy import Column, Integer, Table, delete, func, select
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from catalog.errors import SourceUnavailable
from store.metadata import BYTES, metadata
from store.rows import INSERT

HOUR, SHORT = 60, 10  # minutes looked back on: for all look-ups, for those that found nobody
MINUTE_S = 60

lookup_use = Table(
    "lookup_use",
    metadata,
    Column("principal_id", BYTES, primary_key=True),
    Column("minute", Integer, primary_key=True, autoincrement=False),  # since 1970, UTC
    Column("tried", Integer, nullable=False),
    Column("missed", Integer, nullable=False),
)


class Lookups:
    """The store's counters. `per_hour` look-ups, `misses` that found nobody in ten minutes.

    `clock` gives seconds since 1970. SourceUnavailable if the store does not answer: who cannot
    be counted does not look anybody up.
    """

    def __init__(
        self,
        engine: AsyncEngine,
        *,
        per_hour: int,
        misses: int,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._engine, self._per_hour, self._misses = engine, per_hour, misses
        self._clock = clock

    async def take(self, principal_id: str, count: int) -> bool:
        """Count look-ups about to be made; False, and nothing counted, if they are too many.

        Also False if more than are allowed would have found nobody, were none of these to find
        anybody: an operation of many aliases is no way round.
        """
        try:
            async with self._engine.connect() as connection:
                # Counted first: the row's lock makes two workers look one after the other.
                await self._add(connection, principal_id, tried=count)
                tried, missed = await self._used(connection, principal_id)
                if tried > self._per_hour or missed + count > self._misses:
                    await connection.rollback()
                    return False
                await connection.commit()
        except (SQLAlchemyError, OSError):
            raise _down() from None
        return True

    async def missed(self, principal_id: str, count: int) -> None:
        """Count look-ups that found nobody whom the account may see."""
        try:
            async with self._engine.begin() as connection:
                await self._add(connection, principal_id, missed=count)
        except (SQLAlchemyError, OSError):
            raise _down() from None

    async def _add(
        self, connection: AsyncConnection, principal_id: str, *, tried: int = 0, missed: int = 0
    ) -> None:
        now, mine = self._now(), lookup_use.c.principal_id == principal_id
        row = {"principal_id": principal_id, "minute": now, "tried": tried, "missed": missed}
        more = {"tried": lookup_use.c.tried + tried, "missed": lookup_use.c.missed + missed}
        made = INSERT[connection.dialect.name](lookup_use).values(row)
        keys = [column.name for column in lookup_use.primary_key]
        await connection.execute(made.on_conflict_do_update(index_elements=keys, set_=more))
        await connection.execute(delete(lookup_use).where(mine, lookup_use.c.minute <= now - HOUR))

    async def _used(self, connection: AsyncConnection, principal_id: str) -> tuple[int, int]:
        """Look-ups of the last hour, and those of the last ten minutes that found nobody."""
        minute = lookup_use.c.minute
        lately = func.coalesce(
            func.sum(lookup_use.c.missed).filter(minute > self._now() - SHORT), 0
        )
        asked = select(func.coalesce(func.sum(lookup_use.c.tried), 0), lately).where(
            lookup_use.c.principal_id == principal_id, minute > self._now() - HOUR
        )
        tried, missed = (await connection.execute(asked)).one()
        return int(tried), int(missed)

    def _now(self) -> int:
        return int(self._clock() // MINUTE_S)


def _down() -> SourceUnavailable:
    return SourceUnavailable("查找次数暂时无法核对，请稍后再试", reason="DOWN", source="hub")
