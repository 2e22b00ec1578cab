"""The log's connection to SQLite: one hop into its thread and one transaction a batch."""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence

from audit.batch import (
    EVENT_COLUMNS,
    Head,
    NotDurable,
    OutOfOrder,
    Place,
    Ticks,
    number,
)
from audit.record import Entry
from audit.sqlite_link import SqliteLink
from audit.tree import SHA256, Suite
from store.engine import BUSY_MS

_FULL = 2  # PRAGMA synchronous: fsync at each commit


def _insert(table: str, columns: Sequence[str]) -> str:
    marks = ",".join("?" * len(columns))
    return f"INSERT INTO {table} ({','.join(columns)}) VALUES ({marks})"  # noqa: S608  our own names


_EVENT = _insert("audit_event", EVENT_COLUMNS)
_HEAD = "UPDATE audit_head SET size = ?, frontier = ?, root = ? WHERE id = 1"
_WRITER = "UPDATE audit_writer SET last_wseq = ? WHERE writer = ? AND last_wseq = ?"
_LOCKED = (
    "SELECT size, frontier, root, last_wseq FROM audit_head, audit_writer "
    "WHERE id = 1 AND writer = ?"
)
_FOUND = "SELECT idx, leaf FROM audit_event WHERE id = ?"


class SqliteWriter:
    """`file` must exist. A write waits `busy_ms` for another's transaction to end."""

    def __init__(
        self,
        file: str,
        *,
        writer: str,
        ticks: Ticks,
        suite: Suite = SHA256,
        busy_ms: int = BUSY_MS,
    ) -> None:
        self._writer, self._ticks, self._suite = writer, ticks, suite
        self._link = SqliteLink(file, "audit", busy_ms, make_durable)

    async def open(self) -> None:
        """Connect with WAL and synchronous FULL. NotDurable if the file cannot have them."""
        await self._link.run(lambda _: None)

    async def write(self, entries: Sequence[Entry], *, again: bool) -> list[Place]:
        """One transaction under the write lock; sqlite3.Error leaves nothing behind."""
        return await self._link.run(lambda connection: self._write(connection, entries, again))

    async def reset(self) -> None:
        """Close; the next write connects anew."""
        await self._link.reset()

    async def close(self) -> None:
        """For good: the thread ends too."""
        await self._link.close()

    def _write(
        self, connection: sqlite3.Connection, entries: Sequence[Entry], again: bool
    ) -> list[Place]:
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
        was = Head(*row)
        batch = number(entries, was, writer=self._writer, ticks=self._ticks, suite=self._suite)
        connection.executemany(_EVENT, batch.events)
        # INVARIANT: the head moves only with its records.
        self._move(connection, batch.head, was.wseq)
        return batch.places

    def _move(self, connection: sqlite3.Connection, head: Head, was: int) -> None:
        connection.execute(_HEAD, (head.size, head.frontier, head.root))
        moved = connection.execute(_WRITER, (head.wseq, self._writer, was))
        if moved.rowcount != 1:
            raise OutOfOrder("the writer's counter moved under the lock")


def make_durable(connection: sqlite3.Connection) -> None:
    """Set WAL and synchronous FULL and ask whether they hold. NotDurable if they do not."""
    (mode,) = connection.execute("PRAGMA journal_mode=WAL").fetchone()
    connection.execute("PRAGMA synchronous=FULL")
    (level,) = connection.execute("PRAGMA synchronous").fetchone()
    if mode != "wal" or level != _FULL:
        raise NotDurable(f"journal_mode {mode}, synchronous {level}: wal and {_FULL} are needed")
