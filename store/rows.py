"""Rows that commands change: read under a lock as a dataclass, changed once per version, with a
history that is only ever added to. And what the two databases differ in for them.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from typing import Any, Generic, Protocol, TypeVar

from sqlalchemy import Column, Select, Table, func, insert, select, update
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.ext.asyncio import AsyncConnection

INSERT: Mapping[str, Any] = {"postgresql": postgresql.insert, "sqlite": sqlite.insert}
"""A database's INSERT that knows ON CONFLICT, by the name of its dialect."""


def utc(at: datetime) -> datetime:
    """A moment of the store as an aware one: SQLite keeps no zone, all are UTC."""
    return at if at.tzinfo is not None else at.replace(tzinfo=UTC)


class Row(Protocol):
    """A row that is changed: its key, and how often it has been."""

    @property
    def id(self) -> str: ...
    @property
    def version(self) -> int: ...


R = TypeVar("R", bound=Row)


class Versioned(Generic[R]):
    """A table with `id` and `version`, whose rows a command reads as `row`, a dataclass.

    `row` has the columns that a command needs, by name; its moments are aware.
    """

    def __init__(self, table: Table, row: type[R]) -> None:
        self._table, self._row = table, row
        names: Iterable[str] = row.__dataclass_fields__  # type: ignore[attr-defined]
        self._columns: list[Column[Any]] = [table.c[name] for name in names]

    def locked(self, *where: Any) -> Select[Any]:
        """The rows that are so, locked until the transaction ends."""
        return select(*self._columns).where(*where).with_for_update()

    def read(self, row: Iterable[Any]) -> R:
        """A row of `locked`."""
        return self._row(*(utc(v) if isinstance(v, datetime) else v for v in row))

    async def to_change(self, connection: AsyncConnection, *where: Any) -> R | None:
        """The one row that is so, locked; None if there is none."""
        row = (await connection.execute(self.locked(*where))).one_or_none()
        return None if row is None else self.read(row)

    async def change(self, connection: AsyncConnection, row: R, values: Mapping[str, Any]) -> None:
        """Change one that is locked; its version moves on by one."""
        of = self._table.c
        changed = update(self._table).where(of.id == row.id, of.version == row.version)
        done = await connection.execute(changed.values(**values, version=row.version + 1))
        if done.rowcount != 1:
            raise RuntimeError(f"a locked row of {self._table.name} has changed")


async def add_history(
    connection: AsyncConnection, owner: Column[Any], owner_id: str, *events: Mapping[str, Any]
) -> None:
    """Add events after those that a row has; their numbers follow on.

    `owner`: the column of the events' table that names the row, which is locked.
    """
    seq = owner.table.c.seq
    last = await connection.scalar(select(func.max(seq)).where(owner == owner_id)) or 0
    rows = [{**e, owner.name: owner_id, "seq": last + n} for n, e in enumerate(events, 1)]
    await connection.execute(insert(owner.table), rows)


async def mark_overdue(connection: AsyncConnection, table: Table, late: Any, most: int) -> int:
    """Rows that are `late` and do not say so yet, at most so many; how many.

    Their versions stay: nobody has decided anything.
    """
    of = table.c
    found = select(of.id).where(of.overdue.is_(False), late).order_by(of.id).limit(most)
    done = await connection.execute(update(table).where(of.id.in_(found)).values(overdue=True))
    return done.rowcount
