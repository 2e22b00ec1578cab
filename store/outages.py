"""停机 of a source, as it was proven: from when until when, and which worker saw it.

A row is begun by the worker that saw the source fail and ended by one that saw it answer; at most
one of a source is open, whoever writes first. `announced`: the source's own closing hours, whose
begin and end are the timetable's. `asked_at`: when the source was last asked whether it answers
again, so that several workers ask no more often than one. `swept_to`: the key of the last work
order whose clock was reckoned again for this row; None when all have been.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import (
    Boolean,
    Column,
    DateTime,
    Index,
    String,
    Table,
    and_,
    func,
    or_,
    select,
    text,
    update,
)
from sqlalchemy.ext.asyncio import AsyncConnection

from store.metadata import BYTES, metadata
from store.rows import INSERT, utc

_AT = DateTime(timezone=True)
FIRST = ""  # before every key

source_outage = Table(
    "source_outage",
    metadata,
    Column("id", BYTES, primary_key=True),
    Column("source", BYTES, nullable=False),
    Column("announced", Boolean, nullable=False),
    Column("started_at", _AT, nullable=False),
    Column("ended_at", _AT),
    Column("reason", String(16), nullable=False),
    Column("seen_by", String(64), nullable=False),
    Column("ended_by", String(64)),
    Column("asked_at", _AT, nullable=False),
    Column("swept_to", BYTES),
    Index("ix_source_outage_started", "source", "started_at"),
    Index(
        "uq_source_outage_open",
        "source",
        unique=True,
        postgresql_where=text("ended_at IS NULL"),
        sqlite_where=text("ended_at IS NULL"),
    ),
)


@dataclass(frozen=True, slots=True)
class OutageRow:
    """An outage as it is stored; moments aware."""

    id: str
    source: str
    announced: bool
    started_at: datetime
    ended_at: datetime | None
    reason: str
    asked_at: datetime
    swept_to: str | None


@dataclass(frozen=True, slots=True)
class OutageSpan:
    """When a source was out, and whether by its timetable; no `ended_at`: it is still out."""

    source: str
    announced: bool
    started_at: datetime
    ended_at: datetime | None


_COLUMNS = [source_outage.c[name] for name in OutageRow.__dataclass_fields__]


async def open_outages(connection: AsyncConnection) -> dict[str, OutageRow]:
    """The outages that last, by source."""
    found = await connection.execute(select(*_COLUMNS).where(source_outage.c.ended_at.is_(None)))
    return {row.source: row for row in map(_read, found)}


async def outages_of(
    connection: AsyncConnection, sources: Collection[str], since: datetime
) -> list[OutageSpan]:
    """Outages of these sources that last or ended after a moment."""
    if not sources:
        return []
    of = source_outage.c
    asked = select(of.source, of.announced, of.started_at, of.ended_at).where(
        of.source.in_(sorted(sources)), or_(of.ended_at.is_(None), of.ended_at > since)
    )
    return [
        OutageSpan(
            row.source, row.announced, utc(row.started_at), row.ended_at and utc(row.ended_at)
        )
        for row in await connection.execute(asked)
    ]


async def last_end(connection: AsyncConnection, source: str) -> datetime | None:
    """When the last outage of a source ended; None if none has."""
    of = source_outage.c
    found = await connection.scalar(select(func.max(of.ended_at)).where(of.source == source))
    return None if found is None else utc(found)


async def begin(connection: AsyncConnection, row: OutageRow, seen_by: str) -> bool:
    """A source is out; False if that is known."""
    values = {name: getattr(row, name) for name in OutageRow.__dataclass_fields__}
    made = INSERT[connection.dialect.name](source_outage).values(**values, seen_by=seen_by)
    return (await connection.execute(made.on_conflict_do_nothing())).rowcount == 1


async def end(connection: AsyncConnection, outage_id: str, at: datetime, ended_by: str) -> bool:
    """It answers again; False if that is known."""
    of = source_outage.c
    mine = update(source_outage).where(of.id == outage_id, of.ended_at.is_(None))
    values = {"ended_at": at, "ended_by": ended_by, "swept_to": FIRST}
    return (await connection.execute(mine.values(**values))).rowcount == 1


async def take_turn(
    connection: AsyncConnection, outage_id: str, now: datetime, before: datetime
) -> bool:
    """Whose turn it is to ask the source: who finds that nobody has since `before`."""
    of = source_outage.c
    mine = and_(of.id == outage_id, of.ended_at.is_(None), of.asked_at <= before)
    taken = await connection.execute(update(source_outage).where(mine).values(asked_at=now))
    return taken.rowcount == 1


async def unswept(connection: AsyncConnection) -> OutageRow | None:
    """An outage whose work orders are still to be reckoned again, the oldest first; locked."""
    of = source_outage.c
    asked = (
        select(*_COLUMNS)
        .where(of.swept_to.is_not(None))
        .order_by(of.started_at, of.id)
        .limit(1)
        .with_for_update()
    )
    row = (await connection.execute(asked)).one_or_none()
    return None if row is None else _read(row)


async def swept(connection: AsyncConnection, outage_id: str, to: str | None) -> None:
    """Its work orders are reckoned again up to this key; None: all of them."""
    mine = update(source_outage).where(source_outage.c.id == outage_id)
    await connection.execute(mine.values(swept_to=to))


def _read(row: Any) -> OutageRow:
    made: Iterable[Any] = (utc(v) if isinstance(v, datetime) else v for v in row)
    return OutageRow(*made)
