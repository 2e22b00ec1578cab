"""Deadlines of many short calls, watched by one timer instead of a timer each.

Most calls are over in a thousandth of their time, and setting up and taking down a timer for
each costs a tenth of a small read. Here a call only enters itself in a list, which is looked
through every TICK_S for as long as anybody calls.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any, TypeVar

TICK_S = 0.05  # a call ends at most this late, never early

T = TypeVar("T")


class Deadlines:
    """Of one event loop at a time; calls of an earlier loop are forgotten with it."""

    def __init__(self) -> None:
        self._loop: asyncio.AbstractEventLoop | None = None
        self._running: dict[_Limited, None] = {}
        self._ticking = False

    async def within(self, end: float, ask: Callable[[], Awaitable[T]]) -> T:
        """What `ask` answers; at `end` (loop time) it is cancelled, and TimeoutError raised."""
        limited = _Limited(end)
        running = self._enter(limited)
        try:
            return await ask()
        except asyncio.CancelledError:
            if limited.taken_back():
                raise TimeoutError from None
            raise  # the asker himself left
        finally:
            del running[limited]
            limited.taken_back()  # struck, and yet it ended in another way

    def _enter(self, limited: _Limited) -> dict[_Limited, None]:
        loop = asyncio.get_running_loop()
        if loop is not self._loop:
            self._loop, self._running, self._ticking = loop, {}, False
        if not self._ticking:
            self._ticking = True
            loop.call_later(TICK_S, self._tick, loop)
        self._running[limited] = None
        return self._running

    def _tick(self, loop: asyncio.AbstractEventLoop) -> None:
        if loop is not self._loop:
            return
        now = loop.time()
        for limited in self._running:
            if limited.end <= now:
                limited.strike()
        self._ticking = bool(self._running)
        if self._ticking:
            loop.call_later(TICK_S, self._tick, loop)


class _Limited:
    """The task of one call: cancelled at most once, and that is taken back exactly once."""

    __slots__ = ("_before", "_over", "_struck", "_task", "end")

    def __init__(self, end: float) -> None:
        task = asyncio.current_task()
        assert task is not None  # noqa: S101  a coroutine is always run by a task
        self.end = end
        self._task: asyncio.Task[Any] = task
        self._before = task.cancelling()
        self._struck = self._over = False

    def strike(self) -> None:
        """Cancel what the task waits for."""
        if not self._struck:
            self._struck = True
            self._task.cancel()

    def taken_back(self) -> bool:
        """True if the cancellation was ours alone; the task may then go on."""
        if not self._struck or self._over:
            return False
        self._over = True
        return self._task.uncancel() <= self._before
