"""One connection to SQLite in one thread of its own, made when first needed.

A commit is a blocking fsync, so it needs a thread anyway; going through a general async
driver would hop threads once a statement instead of once a batch.
"""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TypeVar

T = TypeVar("T")

Opened = Callable[[sqlite3.Connection], None]


class SqliteLink:
    """`file` must exist: an empty store is made by the migrations, never by its log."""

    def __init__(self, file: str, thread: str, busy_ms: int, opened: Opened) -> None:
        self._file, self._busy_ms, self._opened = file, busy_ms, opened
        self._thread = ThreadPoolExecutor(max_workers=1, thread_name_prefix=thread)
        self._connection: sqlite3.Connection | None = None

    async def run(self, deed: Callable[[sqlite3.Connection], T]) -> T:
        """Do `deed` in the thread, with the connection."""
        return await self._in_thread(lambda: deed(self._connected()))

    async def reset(self) -> None:
        """Close; the next deed connects anew."""
        await self._in_thread(self._close)

    async def close(self) -> None:
        """For good: the thread ends too."""
        await self.reset()
        self._thread.shutdown(wait=False)

    async def _in_thread(self, deed: Callable[[], T]) -> T:
        return await asyncio.get_running_loop().run_in_executor(self._thread, deed)

    def _connected(self) -> sqlite3.Connection:
        if self._connection is None:
            self._connection = _connect(self._file, self._busy_ms, self._opened)
        return self._connection

    def _close(self) -> None:
        connection, self._connection = self._connection, None
        if connection is not None:
            connection.close()


def _connect(file: str, busy_ms: int, opened: Opened) -> sqlite3.Connection:
    connection = sqlite3.connect(
        f"{Path(file).absolute().as_uri()}?mode=rw",
        uri=True,
        timeout=busy_ms / 1000,
        isolation_level=None,
    )
    try:
        opened(connection)
    except BaseException:
        connection.close()
        raise
    return connection
