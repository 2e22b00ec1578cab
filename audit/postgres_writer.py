"""The log's connection to PostgreSQL: one round trip a batch while nobody else writes.

The writer remembers where its last commit left the log, numbers the next batch from there
and sends it as one statement, which is a transaction by itself:

    head still there? ──yes──► head, counter, records move together ──► COMMIT
                      └──no──► nothing happens: another writer was here

Then, and whenever an outcome is unknown, the batch goes the long way: BEGIN, lock and read
the head, the same statement, COMMIT. A writer that finds the head where it left it is alone
again and goes the short way with its next batch; two that write at once both stay on the
long one, where the head's lock makes them wait instead of trying in vain.

One array of rows instead of one INSERT a row: the text of a statement stays the same and is
prepared once. One record alone, the usual case of a quiet hour, has a statement without it.
"""

from __future__ import annotations

from collections.abc import Sequence
from operator import itemgetter
from typing import Any

from sqlalchemy import BigInteger, Boolean, Column, Integer, LargeBinary
from sqlalchemy.engine import URL

from audit.batch import (
    EVENT_COLUMNS,
    Batch,
    Head,
    NotDurable,
    OutOfOrder,
    Place,
    Ticks,
    number,
)
from audit.postgres_link import PostgresLink
from audit.record import Entry
from audit.tree import SHA256, Suite
from store.audit import audit_event

# A replica that hangs while it holds the head lock is thrown out after 5 s; the others
# have answered AUDIT_UNAVAILABLE after 2 s by then (audit T12).
SESSION = {
    "application_name": "hub-audit",
    "lock_timeout": "2s",
    "idle_in_transaction_session_timeout": "5s",
    "statement_timeout": "5s",
}
DURABLE = {
    "fsync": {"on"},
    "synchronous_commit": {"on", "remote_apply"},
    "server_encoding": {"UTF8"},
}

# Both rows are locked, so both are read as the last committed writer left them.
_LOCKED = (
    "SELECT h.size, h.frontier, h.root, w.last_wseq FROM audit_head h, audit_writer w "
    "WHERE h.id = 1 AND w.writer = $1 FOR UPDATE"
)
_FOUND = "SELECT idx, leaf FROM audit_event WHERE id = ANY($1::text[]) ORDER BY idx"


class PostgresWriter:
    """`url` as SQLAlchemy reads it, with asyncpg as its driver."""

    def __init__(self, url: URL, *, writer: str, ticks: Ticks, suite: Suite = SHA256) -> None:
        self._writer, self._ticks, self._suite = writer, ticks, suite
        self._link = PostgresLink(url, SESSION)
        self._left: Head | None = None
        """Where our last commit left the log; None if we do not know."""
        self._alone = False

    async def open(self) -> None:
        """Connect. NotDurable if an acknowledged commit might not be on disk."""
        await self._link.driver(_durable)

    async def write(self, entries: Sequence[Entry], *, again: bool) -> list[Place]:
        """One transaction: at once if the head is where we left it, else under its lock."""
        driver = await self._link.driver(_durable)
        left = self._left
        if self._alone and left is not None and not again:
            batch = await self._inserted(driver, entries, left)
            if batch is not None:
                self._left = batch.head
                return batch.places
        return await self._under_lock(driver, entries, again)

    async def reset(self) -> None:
        """Cut the connection; the server rolls back what was not committed."""
        self._left = None
        await self._link.reset()

    async def close(self) -> None:
        """For good."""
        await self._link.close()

    async def _under_lock(self, driver: Any, entries: Sequence[Entry], again: bool) -> list[Place]:
        await driver.execute("BEGIN")
        head = await self._lock(driver)
        self._alone = self._left in (head, None)
        # The lock is held: had an earlier try been committed, its rows would be seen now.
        if again and (found := await self._found(driver, entries)):
            await driver.execute("COMMIT")
            return found
        batch = await self._inserted(driver, entries, head)
        if batch is None:
            raise OutOfOrder("head or counter moved under the lock")
        await driver.execute("COMMIT")
        self._left = batch.head
        return batch.places

    async def _lock(self, driver: Any) -> Head:
        row = await driver.fetchrow(_LOCKED, self._writer)
        if row is None:
            raise OutOfOrder("the log's head or this writer's row is not there")
        return Head(*row)

    async def _found(self, driver: Any, entries: Sequence[Entry]) -> list[Place]:
        rows = await driver.fetch(_FOUND, [e.id for e in entries])
        return [Place(*row) for row in rows]

    async def _inserted(self, driver: Any, entries: Sequence[Entry], head: Head) -> Batch | None:
        """The batch, or None if the log is not where `head` says: then nothing happened."""
        batch = number(entries, head, writer=self._writer, ticks=self._ticks, suite=self._suite)
        done = await driver.execute(*self._statement(batch, head))
        return batch if done == f"INSERT 0 {len(entries)}" else None

    def _statement(self, batch: Batch, was: Head) -> tuple[Any, ...]:
        to = batch.head
        move = (to.size, to.frontier, to.root, to.wseq, self._writer, was.size, was.root, was.wseq)
        if len(batch.events) == 1:
            return _ONE, *move, *batch.events[0]
        return _MANY, *move, [_in_table_order(event) for event in batch.events]


async def _durable(driver: Any) -> None:
    for name, good in DURABLE.items():
        value = await driver.fetchval(f"SHOW {name}")
        if value not in good:
            raise NotDurable(f"{name} {value}: {' or '.join(sorted(good))} is needed")


# INVARIANT: the head moves only with its records, and they only with the head.
_MOVE = (
    "WITH moved AS (UPDATE audit_head h SET size = $1, frontier = $2, root = $3 "
    "FROM audit_writer w WHERE h.id = 1 AND h.size = $6 AND h.root = $7 "
    "AND w.writer = $5 AND w.last_wseq = $8 RETURNING h.id), "
    "counted AS (UPDATE audit_writer SET last_wseq = $4 "
    "WHERE writer = $5 AND EXISTS (SELECT FROM moved)) "
    "INSERT INTO audit_event ({}) {} WHERE EXISTS (SELECT FROM moved)"
)
_NAMES = ",".join(EVENT_COLUMNS)
_FIRST = 9  # number of the parameter after those of the move


def _type(column: Column[Any]) -> str:
    kinds = {BigInteger: "bigint", Integer: "int", Boolean: "boolean", LargeBinary: "bytea"}
    return next((name for kind, name in kinds.items() if isinstance(column.type, kind)), "text")


def _insertion() -> str:
    types = (_type(audit_event.c[name]) for name in EVENT_COLUMNS)
    values = ",".join(f"${at}::{kind}" for at, kind in enumerate(types, start=_FIRST))
    return _MOVE.format(_NAMES, f"SELECT {values}")


_ONE = _insertion()
# An array of whole rows, not one of each column: the driver looks at every element of an array
# to see whether it is one itself, but not at the fields of a row.
_MANY = _MOVE.format(_NAMES, f"SELECT {_NAMES} FROM unnest(${_FIRST}::audit_event[])")  # noqa: S608  our own names
_in_table_order = itemgetter(*(EVENT_COLUMNS.index(c.name) for c in audit_event.columns))
