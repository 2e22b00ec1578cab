"""Deeds of the hub on its own rows: one transaction each, done once under its key.

A receipt is written first and completed last. It locks the deed's key against a second of the
same, and in SQLite the whole store, so that what is read afterwards stays as it is until the
commit. It holds keys of rows and plain values of the payload, and a keyed digest of what was asked;
an older one than DAY_S is of no more use.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import (
    Column,
    DateTime,
    Integer,
    PrimaryKeyConstraint,
    String,
    Table,
    Text,
    delete,
    select,
    update,
)
from sqlalchemy.exc import (
    DataError,
    DBAPIError,
    IntegrityError,
    OperationalError,
    ProgrammingError,
)
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from store.metadata import BYTES, metadata
from store.rows import INSERT

DAY_S = 24 * 3_600  # seconds a receipt is kept (protocol 1.5)
WAIT_S = 8.0  # for the one writer of SQLite; an asker waits ten seconds at most
OURS = (IntegrityError, ProgrammingError, DataError)
"""What a statement of ours was wrong about; it says nothing of the store."""
LOCK_NOT_AVAILABLE = "55P03"  # PostgreSQL's word for lock_timeout

deed_receipt = Table(
    "deed_receipt",
    metadata,
    Column("principal_id", BYTES, nullable=False),
    Column("key", String(80), nullable=False),
    Column("digest", String(64), nullable=False),
    Column("at", DateTime(timezone=True), nullable=False, index=True),
    Column("done", Text),
    PrimaryKeyConstraint("principal_id", "key"),
)

number_range = Table(
    "number_range",
    metadata,
    Column("kind", String(16), nullable=False),
    Column("year", Integer, nullable=False),
    Column("last", Integer, nullable=False),
    PrimaryKeyConstraint("kind", "year"),
)


class StoreBusy(Exception):
    """The one writer of SQLite was not free in time, or a row stayed locked by somebody else."""


class StoreDown(Exception):
    """The store does not answer; nothing of the deed stays."""


class OtherDeed(Exception):
    """The key stands for a deed with other arguments."""


@dataclass(frozen=True, slots=True)
class Receipt:
    """Whose deed, under which key, with which digest of its name and arguments."""

    principal_id: str
    key: str
    digest: str


class Deeds:
    """The store's transactions for deeds; one per worker. `wait_s` for whoever is before it."""

    def __init__(self, engine: AsyncEngine, *, wait_s: float = WAIT_S) -> None:
        self._engine, self._wait_s = engine, wait_s
        self._turn = asyncio.Lock()

    @contextlib.asynccontextmanager
    async def deed(self) -> AsyncIterator[AsyncConnection]:
        """A transaction, committed at the end, rolled back if anything is raised.

        StoreBusy if another is in its way for too long, StoreDown if the store does not answer.
        """
        try:
            async with self._begun() as connection:
                yield connection
        except OURS:
            raise
        except DBAPIError as error:
            locked = getattr(error.orig, "sqlstate", None) == LOCK_NOT_AVAILABLE
            raise (StoreBusy if locked else StoreDown) from error
        except OSError as error:
            raise StoreDown from error

    @contextlib.asynccontextmanager
    async def reading(self) -> AsyncIterator[AsyncConnection]:
        """What is committed, without being in a writer's way. StoreDown if it does not answer."""
        try:
            async with self._engine.connect() as connection:
                yield connection
        except (DBAPIError, OSError) as error:
            raise StoreDown from error

    @contextlib.asynccontextmanager
    async def _begun(self) -> AsyncIterator[AsyncConnection]:
        if self._engine.dialect.name != "sqlite":
            async with self._engine.begin() as connection:
                limit = f"SET LOCAL lock_timeout = {int(self._wait_s * 1_000)}"
                await connection.exec_driver_sql(limit)
                yield connection
            return
        # One at a time: SQLite lets no second writer in, and does not queue those who wait.
        async with self._turn, self._engine.connect() as connection:
            await self._write(connection)
            yield connection
            await connection.commit()

    async def _write(self, connection: AsyncConnection) -> None:
        end = asyncio.get_running_loop().time() + self._wait_s
        while True:
            try:
                await connection.exec_driver_sql("BEGIN IMMEDIATE")
                return
            except OperationalError as error:
                await connection.rollback()
                if "locked" not in str(error.orig):
                    raise
                if asyncio.get_running_loop().time() > end:
                    raise StoreBusy from None


async def begun(connection: AsyncConnection, receipt: Receipt, now: datetime) -> Any:
    """None if the deed is to be done now; what came of it if it was done before.

    OtherDeed if the key stands for another.
    """
    row = {
        "principal_id": receipt.principal_id,
        "key": receipt.key,
        "digest": receipt.digest,
        "at": now,
    }
    made = INSERT[connection.dialect.name](deed_receipt).values(row).on_conflict_do_nothing()
    if (await connection.execute(made)).rowcount == 1:
        return None
    columns = (deed_receipt.c.digest, deed_receipt.c.done)
    digest, done = (await connection.execute(select(*columns).where(_is(receipt)))).one()
    if digest != receipt.digest:
        raise OtherDeed
    return json.loads(done)


async def ended(connection: AsyncConnection, receipt: Receipt, done: Mapping[str, Any]) -> None:
    """Note what came of the deed, for whoever asks for it again."""
    text = json.dumps(done, ensure_ascii=False)
    await connection.execute(update(deed_receipt).where(_is(receipt)).values(done=text))


async def forget(connection: AsyncConnection, now: datetime) -> int:
    """Take away receipts that are of no more use; how many they were."""
    old = deed_receipt.c.at < now - timedelta(seconds=DAY_S)
    return (await connection.execute(delete(deed_receipt).where(old))).rowcount


async def next_number(connection: AsyncConnection, kind: str, year: int) -> int:
    """The next number of a kind within a year, from 1; without gaps, for the row is locked."""
    return (await next_numbers(connection, kind, year, 1))[0]


async def next_numbers(connection: AsyncConnection, kind: str, year: int, count: int) -> range:
    """The next so many numbers, likewise; one at least."""
    range_ = number_range
    made = INSERT[connection.dialect.name](range_).values(kind=kind, year=year, last=count)
    counted = made.on_conflict_do_update(
        index_elements=[range_.c.kind, range_.c.year], set_={"last": range_.c.last + count}
    )
    last = int((await connection.execute(counted.returning(range_.c.last))).scalar_one())
    return range(last - count + 1, last + 1)


def _is(receipt: Receipt) -> Any:
    return (deed_receipt.c.principal_id == receipt.principal_id) & (
        deed_receipt.c.key == receipt.key
    )
