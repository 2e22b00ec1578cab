"""The log's connection to SQLite: plain `sqlite3` in one thread of its own.

A commit is a blocking fsync, so it needs a thread anyway; going through a general async
driver would hop threads once a statement instead of once a batch.
"""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TypeVar

from audit.batch import (
    EVENT_COLUMNS,
    SUBJECT_COLUMNS,
    Batch,
    Head,
    NotDurable,
    OutOfOrder,
    Place,
    Ticks,
    number,
)
from audit.record import Entry
from store.engine import BUSY_MS

T = TypeVar("T")

_FULL = 2  # PRAGMA synchronous: fsync at each commit


def _insert(table: str, columns: Sequence[str]) -> str:
    marks = ",".join("?" * len(columns))
    return f"INSERT INTO {table} ({','.join(columns)}) VALUES ({marks})"  # noqa: S608  our own names


_EVENT = _insert("audit_event", EVENT_COLUMNS)
_SUBJECT = _insert("audit_subject", SUBJECT_COLUMNS)
_HEAD = "UPDATE audit_head SET size = ?, frontier = ?, root = ? WHERE id = 1"
_WRITER = "UPDATE audit_writer SET last_wseq = ? WHERE writer = ? AND last_wseq = ?"
_LOCKED = (
    "SELECT size, frontier, last_wseq FROM audit_head, audit_writer WHERE id = 1 AND writer = ?"
)
_FOUND = "SELECT idx, leaf FROM audit_event WHERE id = ?"


class SqliteWriter:
    """`file` must exist: an empty store is made by the migrations, never by its log."""

    def __init__(self, file: str, *, writer: str, ticks: Ticks) -> None:
        self._file, self._writer, self._ticks = file, writer, ticks
        self._thread = ThreadPoolExecutor(max_workers=1, thread_name_prefix="audit")
        self._connection: sqlite3.Connection | None = None

    async def open(self) -> None:
        """Connect with WAL and synchronous FULL. NotDurable if the file cannot have them."""
        await self._run(self._connected)

    async def write(self, entries: Sequence[Entry], *, again: bool) -> list[Place]:
        """One transaction under the write lock; sqlite3.Error leaves nothing behind."""
        return await self._run(lambda: self._write(entries, again))

    async def reset(self) -> None:
        """Close; the next write connects anew."""
        await self._run(self._close)

    async def close(self) -> None:
        """For good: the thread ends too."""
        await self.reset()
        self._thread.shutdown(wait=False)

    async def _run(self, deed: Callable[[], T]) -> T:
        return await asyncio.get_running_loop().run_in_executor(self._thread, deed)

    def _connected(self) -> sqlite3.Connection:
        if self._connection is None:
            self._connection = _connect(self._file)
        return self._connection

    def _close(self) -> None:
        connection, self._connection = self._connection, None
        if connection is not None:
            connection.close()

    def _write(self, entries: Sequence[Entry], again: bool) -> list[Place]:
        connection = self._connected()
        # A deferred BEGIN could fail on the upgrade of its lock; this one waits its turn.
        connection.execute("BEGIN IMMEDIATE")
        try:
            places = self._found(connection, entries) if again else []
            places = places or self._insert(connection, entries)
            connection.execute("COMMIT")
        except BaseException:
            if connection.in_transaction:
                connection.execute("ROLLBACK")
            raise
        return places

    def _found(self, connection: sqlite3.Connection, entries: Sequence[Entry]) -> list[Place]:
        # One transaction wrote all of them or none.
        rows = (connection.execute(_FOUND, (e.id,)).fetchone() for e in entries)
        return [Place(*row) for row in rows if row is not None]

    def _insert(self, connection: sqlite3.Connection, entries: Sequence[Entry]) -> list[Place]:
        row = connection.execute(_LOCKED, (self._writer,)).fetchone()
        if row is None:
            raise OutOfOrder("the log's head or this writer's row is not there")
        batch = number(entries, Head(*row), writer=self._writer, ticks=self._ticks)
        connection.executemany(_EVENT, batch.events)
        connection.executemany(_SUBJECT, batch.subjects)
        # INVARIANT: the head moves only with its records.
        self._move(connection, batch, was=row[2])
        return batch.places

    def _move(self, connection: sqlite3.Connection, batch: Batch, was: int) -> None:
        head = batch.head
        connection.execute(_HEAD, (head.size, head.frontier, batch.root))
        moved = connection.execute(_WRITER, (head.wseq, self._writer, was))
        if moved.rowcount != 1:
            raise OutOfOrder("the writer's counter moved under the lock")


def _connect(file: str) -> sqlite3.Connection:
    connection = sqlite3.connect(
        f"{Path(file).absolute().as_uri()}?mode=rw",
        uri=True,
        timeout=BUSY_MS / 1000,
        isolation_level=None,
    )
    try:
        make_durable(connection)
    except BaseException:
        connection.close()
        raise
    return connection


def make_durable(connection: sqlite3.Connection) -> None:
    """Set WAL and synchronous FULL and ask whether they hold. NotDurable if they do not."""
    (mode,) = connection.execute("PRAGMA journal_mode=WAL").fetchone()
    connection.execute("PRAGMA synchronous=FULL")
    (level,) = connection.execute("PRAGMA synchronous").fetchone()
    if mode != "wal" or level != _FULL:
        raise NotDurable(f"journal_mode {mode}, synchronous {level}: wal and {_FULL} are needed")
