"""A bulkhead: at most so many calls to one source are on their way at once, of one worker.

A source that hangs then holds its own places and nothing else: no connection, thread or memory
that another source's callers would need. Who finds all places taken waits in order until his own
deadline; a place that is given back goes to whoever waits longest.
"""

from __future__ import annotations

import asyncio
from collections import deque

from catalog.datasets import ROOM

QUEUE = 1_000  # who wait, a future each; their deadlines end that, this keeps a flood out of memory
UNBOUNDED = 2**31  # for what is the hub's own: its pool has places enough, and a queue


class Full(Exception):
    """No place before the deadline, or too many who wait already."""


class Bulkhead:
    """`room` places and a queue of at most `queue`; of one event loop at a time."""

    def __init__(self, room: int = ROOM, queue: int = QUEUE) -> None:
        self.room, self._queue = room, queue
        self.in_flight = 0
        self._waiting: deque[asyncio.Future[None]] = deque()

    @property
    def waiting(self) -> int:
        """How many wait for a place."""
        return len(self._waiting)

    async def enter(self, end: float) -> None:
        """Take a place, given back by `leave`; Full if none is free before `end` (loop time)."""
        if self.in_flight < self.room:
            # INVARIANT: nobody waits while a place is free: `leave` hands it on.
            self.in_flight += 1
            return
        if self.waiting >= self._queue:
            raise Full
        await self._wait(end)

    def leave(self) -> None:
        """Give the place to whoever waits longest, or back."""
        if self._waiting:
            self._waiting.popleft().set_result(None)
        else:
            self.in_flight -= 1

    async def _wait(self, end: float) -> None:
        place = asyncio.get_running_loop().create_future()
        self._waiting.append(place)
        try:
            async with asyncio.timeout_at(end):
                await place
        except TimeoutError:
            self._gave_up(place)
            raise Full from None
        except BaseException:
            self._gave_up(place)
            raise

    def _gave_up(self, place: asyncio.Future[None]) -> None:
        if place in self._waiting:
            self._waiting.remove(place)
        else:
            self.leave()  # it was handed over in the very moment its taker left
