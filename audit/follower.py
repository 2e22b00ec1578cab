"""What follows the log behind a stored cursor: one task a process, bounded steps, little time.

The subject index has its own (`index.py`); roll-up and alerts share this one. A step moves
the cursor from exactly where it was found, in one transaction with what it wrote: of two
processes at the same records one wins, and the other has written nothing.
"""

from __future__ import annotations

import asyncio
import contextlib
import time
from typing import Protocol

from sqlalchemy import select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from store.audit import audit_follower

REST = 3  # times as long as a step took, before the next: a quarter of the time at most
EVERY_S = 1.0  # a quiet log is followed within this and one step
PAUSE_S = 5.0  # the longest rest: alerts read a day back once, and are due within 30 s
HELD_S = 0.01  # another process is at it


class Steps(Protocol):
    """What is done with the records behind the cursor."""

    async def step(self) -> int:
        """Do a bounded number of records; the cursor after it, moved or not."""


class Follower:
    """The task of one process; `name` is that of the cursor, `rest` and `pause_s` as above."""

    def __init__(
        self,
        name: str,
        steps: Steps,
        *,
        every_s: float = EVERY_S,
        rest: int = REST,
        pause_s: float = PAUSE_S,
    ) -> None:
        self.name, self._steps, self._every_s = name, steps, every_s
        self._rest, self._pause_s = rest, pause_s
        self._reached: int | None = None
        self._error: str | None = None

    @property
    def reached(self) -> int | None:
        """Records below this are done, as far as the last step knows."""
        return self._reached

    @property
    def error(self) -> str | None:
        """Kind of the last step's failure; None if it did its work."""
        return self._error

    async def follow(self) -> None:
        """Follow until cancelled; a step that fails is tried again a second later."""
        while True:
            began = time.monotonic()
            if await self._moved():
                rest = self._rest * (time.monotonic() - began)
                await asyncio.sleep(min(rest, self._pause_s))
            else:
                await asyncio.sleep(self._every_s)

    async def catch_up(self, size: int, within_s: float) -> bool:
        """Follow without rest up to `size`; False if that could not be done in time."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(within_s):
                while self._reached is None or self._reached < size:
                    if not await self._moved():
                        await asyncio.sleep(HELD_S)
                return True
        return False

    async def _moved(self) -> bool:
        try:
            reached = await self._steps.step()
        except Exception as error:  # whatever it was, the log goes on without its follower
            self._error = type(error).__name__
            return False
        moved, self._reached, self._error = reached != self._reached, reached, None
        return moved


async def cursor_of(connection: AsyncConnection, name: str) -> int | None:
    """Where a follower goes on; None if it has never begun."""
    asked = select(audit_follower.c.next_idx).where(audit_follower.c.name == name)
    found: int | None = await connection.scalar(asked)
    return found


async def move(connection: AsyncConnection, name: str, was: int, to: int) -> bool:
    """Move a cursor from where it was found, and hold it until the commit; False if it is not
    there any more. The first statement of a step's transaction."""
    row = audit_follower.c
    moved = update(audit_follower).where(row.name == name, row.next_idx == was)
    return (await connection.execute(moved.values(next_idx=to))).rowcount == 1
