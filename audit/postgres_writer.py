"""The log's connection to PostgreSQL: four round trips a batch, whatever its size.

BEGIN, lock and read the head, one statement for all four tables, COMMIT. Arrays instead of
one INSERT a row: the text of the statement stays the same and is prepared once.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from sqlalchemy import BigInteger, Boolean, Column, Integer, LargeBinary, Table
from sqlalchemy.engine import URL
from sqlalchemy.ext.asyncio import AsyncConnection, create_async_engine
from sqlalchemy.pool import NullPool

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
from store.audit import audit_event, audit_subject

# A replica that hangs while it holds the head lock is thrown out after 5 s; the others
# have answered AUDIT_UNAVAILABLE after 2 s by then (audit T12).
SESSION = {
    "application_name": "hub-audit",
    "lock_timeout": "2s",
    "idle_in_transaction_session_timeout": "5s",
    "statement_timeout": "5s",
}
COMMAND_S = 5.0  # the server does not answer at all
DURABLE = {
    "fsync": {"on"},
    "synchronous_commit": {"on", "remote_apply"},
    "server_encoding": {"UTF8"},
}

# Both rows are locked, so both are read as the last committed writer left them.
_LOCKED = (
    "SELECT h.size, h.frontier, w.last_wseq FROM audit_head h, audit_writer w "
    "WHERE h.id = 1 AND w.writer = $1 FOR UPDATE"
)
_FOUND = "SELECT idx, leaf FROM audit_event WHERE id = ANY($1::text[]) ORDER BY idx"
_HEAD = "UPDATE audit_head SET size = ${}, frontier = ${}, root = ${} WHERE id = 1"
_COUNTER = "UPDATE audit_writer SET last_wseq = ${} WHERE writer = ${} AND last_wseq = ${}"


class PostgresWriter:
    """`url` as SQLAlchemy reads it, with asyncpg as its driver."""

    def __init__(self, url: URL, *, writer: str, ticks: Ticks) -> None:
        self._writer, self._ticks = writer, ticks
        self._engine = create_async_engine(
            url,
            poolclass=NullPool,
            connect_args={"server_settings": SESSION, "command_timeout": COMMAND_S},
        )
        self._connection: AsyncConnection | None = None
        self._driver: Any = None

    async def open(self) -> None:
        """Connect. NotDurable if an acknowledged commit might not be on disk."""
        if self._driver is not None:
            return
        self._connection = await self._engine.connect()
        self._driver = (await self._connection.get_raw_connection()).driver_connection
        for name, good in DURABLE.items():
            value = await self._driver.fetchval(f"SHOW {name}")
            if value not in good:
                raise NotDurable(f"{name} {value}: {' or '.join(sorted(good))} is needed")

    async def write(self, entries: Sequence[Entry], *, again: bool) -> list[Place]:
        """One transaction under the head row's lock."""
        await self.open()
        driver = self._driver
        await driver.execute("BEGIN")
        head = await self._lock(driver)
        # The lock is held: had an earlier try been committed, its rows would be seen now.
        places = await self._found(driver, entries) if again else []
        places = places or await self._insert(driver, entries, head)
        await driver.execute("COMMIT")
        return places

    async def reset(self) -> None:
        """Cut the connection; the server rolls back what was not committed."""
        connection, driver = self._connection, self._driver
        self._connection = self._driver = None
        if driver is not None:
            driver.terminate()
        if connection is not None:
            await connection.invalidate()
            await connection.close()

    async def close(self) -> None:
        """For good."""
        await self.reset()
        await self._engine.dispose()

    async def _lock(self, driver: Any) -> Head:
        row = await driver.fetchrow(_LOCKED, self._writer)
        if row is None:
            raise OutOfOrder("the log's head or this writer's row is not there")
        return Head(*row)

    async def _found(self, driver: Any, entries: Sequence[Entry]) -> list[Place]:
        rows = await driver.fetch(_FOUND, [e.id for e in entries])
        return [Place(*row) for row in rows]

    async def _insert(self, driver: Any, entries: Sequence[Entry], head: Head) -> list[Place]:
        batch = number(entries, head, writer=self._writer, ticks=self._ticks)
        # INVARIANT: the head moves only with its records.
        done = await driver.execute(_WRITE, *self._values(batch, head))
        if done != "UPDATE 1":
            raise OutOfOrder("the writer's counter moved under the lock")
        return batch.places

    def _values(self, batch: Batch, was: Head) -> list[Any]:
        events = list(zip(*batch.events, strict=True))
        subjects = list(zip(*batch.subjects, strict=True)) or [()] * len(SUBJECT_COLUMNS)
        head = batch.head
        moved = [head.size, head.frontier, batch.root, head.wseq, self._writer, was.wseq]
        return [*events, *subjects, *moved]


def _array(column: Column[Any]) -> str:
    kinds = {BigInteger: "bigint", Integer: "int", Boolean: "boolean", LargeBinary: "bytea"}
    return next((name for kind, name in kinds.items() if isinstance(column.type, kind)), "text")


def _unnest(table: Table, columns: Sequence[str], first: int) -> str:
    arrays = ",".join(
        f"${at}::{_array(table.c[name])}[]" for at, name in enumerate(columns, start=first)
    )
    return f"INSERT INTO {table.name} ({','.join(columns)}) SELECT * FROM unnest({arrays})"  # noqa: S608  our own names


def _statement() -> str:
    subject = len(EVENT_COLUMNS) + 1
    size = subject + len(SUBJECT_COLUMNS)
    steps = (
        f"WITH event AS ({_unnest(audit_event, EVENT_COLUMNS, 1)})",
        f"subject AS ({_unnest(audit_subject, SUBJECT_COLUMNS, subject)})",
        f"head AS ({_HEAD.format(size, size + 1, size + 2)})",
    )
    return f"{', '.join(steps)} {_COUNTER.format(size + 3, size + 4, size + 5)}"


_WRITE = _statement()
