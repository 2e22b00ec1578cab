"""Jobs that one of several workers does at a time: who has one, until when, and when it was done.

A worker takes a job by one UPDATE, for a lease. One that dies leaves the lease behind, which runs
out; the next one does the job from where its rows are, so that a run missed for a day, or broken
off, is made up for.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import Column, DateTime, Integer, String, Table, or_, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from store.metadata import BYTES, metadata
from store.rows import INSERT, utc

_AT = DateTime(timezone=True)

job = Table(
    "job",
    metadata,
    Column("name", BYTES, primary_key=True),
    Column("holder", String(64)),
    Column("until", _AT),
    Column("finished_at", _AT),
    Column("done", Integer, nullable=False),
)


@dataclass(frozen=True, slots=True)
class JobRow:
    """A job as it stands: when it was last done, how much it did then, who has it now."""

    name: str
    holder: str | None
    finished_at: datetime | None
    done: int


async def take(
    connection: AsyncConnection,
    name: str,
    holder: str,
    now: datetime,
    *,
    lease: timedelta,
    every: timedelta,
) -> bool:
    """Take the job if it is due and nobody has it."""
    made = INSERT[connection.dialect.name](job).values(name=name, done=0)
    await connection.execute(made.on_conflict_do_nothing())
    of = job.c
    free = or_(of.holder.is_(None), of.until <= now)
    due = or_(of.finished_at.is_(None), of.finished_at <= now - every)
    taken = update(job).where(of.name == name, free, due).values(holder=holder, until=now + lease)
    return (await connection.execute(taken)).rowcount == 1


async def finish(
    connection: AsyncConnection, name: str, holder: str, now: datetime, done: int
) -> None:
    """Give it back as done; nothing if the lease ran out and another has it."""
    of = job.c
    mine = update(job).where(of.name == name, of.holder == holder)
    await connection.execute(mine.values(holder=None, until=None, finished_at=now, done=done))


async def give_back(connection: AsyncConnection, name: str, holder: str) -> None:
    """Give it back undone: the next worker takes it at once."""
    of = job.c
    mine = update(job).where(of.name == name, of.holder == holder)
    await connection.execute(mine.values(holder=None, until=None))


async def read_jobs(connection: AsyncConnection) -> dict[str, JobRow]:
    """Every job that was ever taken, by name."""
    found = await connection.execute(
        select(job.c.name, job.c.holder, job.c.finished_at, job.c.done)
    )
    return {
        row.name: JobRow(row.name, row.holder, row.finished_at and utc(row.finished_at), row.done)
        for row in found
    }
