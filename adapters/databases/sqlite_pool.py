"""SQLite for reading: two threads with a connection each, one hop to a thread a statement.

    fetch ──► queue ──► whichever thread is free: execute, fetchall ──► back to the loop
      │
      └─ cancelled: a statement that has begun is interrupted, one that has not is skipped

The file is opened as it is and never made: our own store is in WAL mode already, and a
department's file is not ours to change.
"""

from __future__ import annotations

import asyncio
import contextlib
import sqlite3
import threading
from collections.abc import Sequence
from pathlib import Path
from queue import SimpleQueue
from typing import Any
from urllib.parse import quote

from sqlalchemy.engine import Dialect

from adapters.databases.database import Row, StatementFault
from adapters.resilience import Fault
from store.engine import BUSY_MS, READING

THREADS = 2  # the second helps short reads; a third showed no gain on two cores (measured)
STATEMENTS = 256  # kept prepared on each connection
AGAIN_S = 0.01  # an interrupt that comes before the statement's first step is lost

OURS = (sqlite3.ProgrammingError, sqlite3.DataError, OverflowError)


class SqlitePool:
    """One file. Threads start with the first statement and end with ``close``."""

    def __init__(self, file: Path, dialect: Dialect) -> None:
        self.dialect, self._file = dialect, file
        self._jobs: SimpleQueue[_Job | None] = SimpleQueue()
        self._threads: list[threading.Thread] = []

    async def fetch(
        self, text: str, values: Sequence[Any], _reach: str | None = None
    ) -> Sequence[Row]:
        """All rows, as tuples. SQLite has no lock by place."""
        if not self._threads:
            self._start()
        job = _Job(text, values)
        self._jobs.put(job)
        try:
            return await job.answer
        except asyncio.CancelledError:
            job.abandon()
            raise

    async def close(self) -> None:
        """End the threads once what is queued is answered; their connections close with them."""
        threads, self._threads = self._threads, []
        for _ in threads:
            self._jobs.put(None)
        for thread in threads:
            await asyncio.to_thread(thread.join)

    def _start(self) -> None:
        for _ in range(THREADS):
            thread = _Reader(self._file, self._jobs)
            thread.start()
            self._threads.append(thread)


class _Job:
    """One statement. `answer` belongs to the loop; the rest to whoever holds the lock."""

    def __init__(self, text: str, values: Sequence[Any]) -> None:
        self.text, self.values = text, values
        self._loop = asyncio.get_running_loop()
        self.answer: asyncio.Future[list[Row]] = self._loop.create_future()
        self._lock = threading.Lock()
        self._running: sqlite3.Connection | None = None
        self._abandoned = False

    def abandon(self) -> None:
        """Nobody waits any more: stop the statement, or keep it from starting."""
        with self._lock:
            self._abandoned = True
            if self._running is None:
                return
            # INVARIANT: the lock is held, so this connection works for no other job.
            self._running.interrupt()
        self._loop.call_later(AGAIN_S, self.abandon)

    def begin(self, connection: sqlite3.Connection) -> bool:
        """False if it was abandoned before its turn."""
        with self._lock:
            if not self._abandoned:
                self._running = connection
            return not self._abandoned

    def end(self) -> None:
        """The connection goes on to the next job."""
        with self._lock:
            self._running = None

    def tell(self, rows: list[Row] | None, error: Exception | None) -> None:
        """Answer the asker; a loop that is gone has nobody waiting."""
        with contextlib.suppress(RuntimeError):
            self._loop.call_soon_threadsafe(self._settle, rows, error)

    def _settle(self, rows: list[Row] | None, error: Exception | None) -> None:
        if self.answer.done():
            return
        if error is not None:
            self.answer.set_exception(error)
        else:
            self.answer.set_result(rows or [])


def _not_so(error: Exception) -> bool:
    """SQLite's own word for a statement it cannot make sense of: no such table, no such column."""
    code = getattr(error, "sqlite_errorcode", None)
    return isinstance(error, sqlite3.OperationalError) and code == sqlite3.SQLITE_ERROR


class _Reader(threading.Thread):
    """A thread and its connection, which no other thread touches but to interrupt it."""

    def __init__(self, file: Path, jobs: SimpleQueue[_Job | None]) -> None:
        super().__init__(name=f"sqlite {file.stem}", daemon=True)
        self._file, self._jobs = file, jobs
        self._connection: sqlite3.Connection | None = None

    def run(self) -> None:
        """Serve until the queue says None."""
        while (job := self._jobs.get()) is not None:
            self._serve(job)
            del job  # its values name a person; they do not wait here for the next one
        self._drop()

    def _serve(self, job: _Job) -> None:
        try:
            connection = self._connection or self._connect()
            if job.begin(connection):
                try:
                    rows = connection.execute(job.text, job.values).fetchall()
                finally:
                    job.end()
                job.tell(rows, None)
        except OURS as error:
            job.tell(None, StatementFault(type(error).__name__))
        except Exception as error:
            # The file may be gone or another one by now: the next statement opens it anew.
            self._drop()
            ours = StatementFault(type(error).__name__) if _not_so(error) else None
            job.tell(None, ours or Fault(again=True))

    def _connect(self) -> sqlite3.Connection:
        # mode=rw: a missing file is refused, not made.
        address = f"file:{quote(str(self._file))}?mode=rw"
        connection = sqlite3.connect(
            address,
            uri=True,
            timeout=BUSY_MS / 1_000,
            isolation_level=None,
            cached_statements=STATEMENTS,
        )
        self._connection = connection
        for pragma in READING:
            connection.execute(f"PRAGMA {pragma}")
        return connection

    def _drop(self) -> None:
        connection, self._connection = self._connection, None
        if connection is not None:
            connection.close()
