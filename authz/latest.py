"""The latest value of something read elsewhere, for many askers at once.

Whoever asks is told what a read gave that began after he had asked: never what was true before
his question. Those who ask while a read is under way wait for the next one and share it, so a
crowd costs two reads and not one each.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Generic, TypeVar

T = TypeVar("T")


class Latest(Generic[T]):
    """`read` is never called twice at one time; what it raises, all who share it are told."""

    def __init__(self, read: Callable[[], Awaitable[T]]) -> None:
        self._read = read
        self._turn = asyncio.Lock()
        self._next: asyncio.Task[T] | None = None

    async def get(self) -> T:
        """A value read from now on."""
        if self._next is None:
            self._next = asyncio.create_task(self._begin(), name="latest")
            self._next.add_done_callback(_looked_at)
        # Who leaves early must not take the others' answer along.
        return await asyncio.shield(self._next)

    async def _begin(self) -> T:
        async with self._turn:
            self._next = None  # the read begins: it is too early for whoever asks from here on
            return await self._read()


def _looked_at(task: asyncio.Task[T]) -> None:
    """If all askers have left, nobody else takes note of a failure; it is theirs alone."""
    if not task.cancelled():
        task.exception()
