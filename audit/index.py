"""The subject index follows the log: which records name this citizen?

Index rows are many (500 for one answer) and nobody waits for them, so no append writes any.
One task a process looks every second for records behind the stored cursor, puts their
subjects into `audit_subject` and moves the cursor, both in one transaction:

    audit_event  0 … next_idx-1 | next_idx … size-1
                 indexed        | not yet: at most some seconds' worth, or what a kill left

One process at a time holds the cursor; the others see that it is held and go on. Nothing is
lost by a kill: rows and cursor are the one transaction or not there, and the next start
takes it up. A row that is there already is a fault that stays visible, never overwritten:
`hub audit verify` compares every row below the cursor and allows none above it.
"""

from __future__ import annotations

import asyncio
import contextlib
import time
from typing import Protocol

REST = 3  # times as long as a step took, before the next: a quarter of a core at most
EVERY_S = 1.0  # a quiet log is indexed within this and one step; 5 s are promised
FLUSH_S = 60.0  # a stop waits no longer; what is left then the next start does
HELD_S = 0.01  # another process holds the cursor


class Steps(Protocol):
    """One connection of its own to the store."""

    async def step(self) -> int:
        """Index a bounded number of records; the cursor after it, moved or not."""

    async def reset(self) -> None:
        """Drop the connection; the next `step` makes a new one."""

    async def close(self) -> None:
        """For good."""


class SubjectIndex:
    """The task of one process."""

    def __init__(self, steps: Steps, *, every_s: float = EVERY_S) -> None:
        self._steps, self._every_s = steps, every_s
        self._task: asyncio.Task[None] | None = None
        self._closing = asyncio.Event()
        self._turn = asyncio.Lock()  # one step at a time
        self._reached: int | None = None
        self._error: str | None = None

    @property
    def reached(self) -> int | None:
        """Records below this are indexed, as far as the last step knows."""
        return self._reached

    @property
    def error(self) -> str | None:
        """Kind of the last step's failure; None if it did its work."""
        return self._error

    def start(self) -> None:
        """Begin to follow."""
        self._task = asyncio.create_task(self._follow(), name="audit-index")

    async def stop(self, size: int | None) -> None:
        """End; index what is left below `size` first, if that can be done in time."""
        self._closing.set()
        task, self._task = self._task, None
        if task is not None:
            await task
            await self.catch_up(size or 0)
        await self._steps.close()

    async def catch_up(self, size: int, within_s: float = FLUSH_S) -> bool:
        """Index until the cursor has reached `size`; False if it could not be done in time."""
        end = time.monotonic() + within_s
        while self._reached is None or self._reached < size:
            moved = await self._step()
            if self._error is not None or time.monotonic() > end:
                return False
            if not moved:
                await asyncio.sleep(HELD_S)
        return True

    async def _follow(self) -> None:
        while not self._closing.is_set():
            await self._what_is_there()
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(self._every_s):
                    await self._closing.wait()

    async def _what_is_there(self) -> None:
        moved = True
        while moved and not self._closing.is_set():
            began = time.monotonic()
            moved = await self._step()
            # A part of the time at most, so that the answers of a busy hour come first.
            await asyncio.sleep(REST * (time.monotonic() - began) if moved else 0)

    async def _step(self) -> bool:
        """True if the cursor moved."""
        async with self._turn:
            try:
                reached = await self._steps.step()
            except Exception as error:
                self._error = type(error).__name__
                await self._steps.reset()
                return False
            moved, self._reached, self._error = reached != self._reached, reached, None
            return moved
