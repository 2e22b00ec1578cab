"""数据校核: what a citizen says is wrong, and who was told of it (第十四条; 领域设计 1.9).

A `correction` is about one value: a coordinate ``Type.field`` of the catalogue and a person. It
never holds the value, neither the old one nor the right one; the provider mends it in its own
system. `version` counts its changes. Events and readers are only ever added.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import (
    Boolean,
    CheckConstraint,
    Column,
    Date,
    DateTime,
    ForeignKey,
    Index,
    Integer,
    String,
    Table,
    Text,
    and_,
    false,
    insert,
    or_,
    select,
)
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from catalog.errors import SourceUnavailable
from store.audit import audit_event, audit_index, audit_subject
from store.frozen import Frozen
from store.metadata import BYTES, PATH, TOWNSHIP, metadata
from store.register import PATH_SHAPE
from store.rows import Versioned, add_history, mark_overdue

_AT = DateTime(timezone=True)

correction = Table(
    "correction",
    metadata,
    Column("id", BYTES, primary_key=True),
    Column("correction_no", BYTES, nullable=False, unique=True),
    Column("version", Integer, nullable=False),
    Column("state", String(20), nullable=False, index=True),
    Column("coordinate", String(96), nullable=False),
    Column("citizen_id", BYTES, ForeignKey("citizen.id"), nullable=False),
    Column("intake", String(16), nullable=False),
    Column("filed_at", _AT, nullable=False),
    Column("accept_due_at", _AT, nullable=False),
    Column("due_at", _AT, nullable=False),
    Column("overdue", Boolean, nullable=False, server_default=false()),
    Column("accepted_at", _AT),
    Column("flagged_at", _AT),
    Column("decided_at", _AT),
    Column("extended_at", _AT),
    Column("corrected_at", _AT),
    Column("source_as_of", Date),
    Column("notified_at", _AT),
    Column("notified_by", String(16)),
    Column("closed_at", _AT),
    Column("text", Text, nullable=False),
    Column("finding", Text),
    Column("citizen_uid", BYTES, nullable=False),
    Column("household_id", BYTES),
    Column("region_path", PATH, nullable=False),
    Column("provider", BYTES, nullable=False),
    CheckConstraint(PATH_SHAPE, name="region_path"),
    Index("ix_correction_person", "citizen_id", "coordinate"),
    Index("ix_correction_region", "region_path", "filed_at", "id"),
    Index("ix_correction_township", TOWNSHIP, "filed_at", "id"),
    Index("ix_correction_filed", "filed_at", "id"),
)

correction_event = Table(
    "correction_event",
    metadata,
    Column("id", BYTES, primary_key=True),
    Column("correction_id", BYTES, ForeignKey("correction.id"), nullable=False),
    Column("seq", Integer, nullable=False),
    Column("state", String(20), nullable=False),
    Column("act", String(16)),
    Column("note", Text),
    Column("at", _AT, nullable=False),
    Column("post", String(64), nullable=False),
    Column("citizen_uid", BYTES, nullable=False),
    Column("household_id", BYTES),
    Column("region_path", PATH, nullable=False),
    Column("provider", BYTES, nullable=False),
    CheckConstraint(PATH_SHAPE, name="region_path"),
    Index("ix_correction_event_correction", "correction_id", "at", "id"),
)

correction_reader = Table(
    "correction_reader",
    metadata,
    Column("id", BYTES, primary_key=True),
    Column("correction_id", BYTES, ForeignKey("correction.id"), nullable=False),
    Column("correction_no", BYTES, nullable=False),
    Column("coordinate", String(96), nullable=False),
    Column("citizen_id", BYTES, nullable=False),
    Column("account", BYTES, nullable=False),
    Column("department", BYTES, nullable=False),
    Column("last_read_at", _AT, nullable=False),
    Column("told_at", _AT, nullable=False),
    Column("citizen_uid", BYTES, nullable=False),
    Column("household_id", BYTES),
    Column("region_path", PATH, nullable=False),
    CheckConstraint(PATH_SHAPE, name="region_path"),
    Index("ix_correction_reader_correction", "correction_id", "told_at", "id"),
    Index("ix_correction_reader_region", "region_path", "told_at", "id"),
    Index("ix_correction_reader_township", TOWNSHIP, "told_at", "id"),
)

FROZEN = Frozen(
    ("correction_event", "correction_reader"),
    "correction_refuse",
    "what was done to a correction stays recorded",
)


@dataclass(frozen=True, slots=True)
class CorrectionRow:
    """What a command needs to know of a correction before it changes it."""

    id: str
    correction_no: str
    version: int
    state: str
    coordinate: str
    citizen_id: str
    filed_at: datetime
    accept_due_at: datetime
    due_at: datetime
    accepted_at: datetime | None
    flagged_at: datetime | None
    decided_at: datetime | None
    extended_at: datetime | None
    corrected_at: datetime | None
    notified_at: datetime | None
    closed_at: datetime | None
    citizen_uid: str
    household_id: str | None
    region_path: str
    provider: str


_CORRECTIONS = Versioned(correction, CorrectionRow)


async def correction_to_change(connection: AsyncConnection, number: str) -> CorrectionRow | None:
    """The correction of this number, locked until the transaction ends; None if there is none."""
    return await _CORRECTIONS.to_change(connection, correction.c.correction_no == number)


async def open_correction_no(
    connection: AsyncConnection, citizen_id: str, coordinate: str, ended: tuple[str, ...]
) -> str | None:
    """The number of a correction of this value that is in none of the `ended` states."""
    found = await connection.execute(
        select(correction.c.correction_no)
        .where(
            correction.c.citizen_id == citizen_id,
            correction.c.coordinate == coordinate,
            correction.c.state.not_in(ended),
        )
        .order_by(correction.c.correction_no)
        .limit(1)
    )
    number: str | None = found.scalar_one_or_none()
    return number


async def add_correction(connection: AsyncConnection, values: Mapping[str, Any]) -> None:
    """A new correction."""
    await connection.execute(insert(correction).values(**values))


async def change_correction(
    connection: AsyncConnection, row: CorrectionRow, values: Mapping[str, Any]
) -> None:
    """Change one that `correction_to_change` has locked; its version moves on by one."""
    await _CORRECTIONS.change(connection, row, values)


async def mark_late_corrections(
    connection: AsyncConnection,
    now: datetime,
    unaccepted: Sequence[str],
    unmended: Sequence[str],
    most: int,
) -> int:
    """Corrections in a state in which acceptance, or the rest, is owed too long are marked."""
    of = correction.c
    late = or_(
        and_(of.state.in_(unaccepted), of.accept_due_at <= now),
        and_(of.state.in_(unmended), of.due_at <= now),
    )
    return await mark_overdue(connection, correction, late, most)


async def add_correction_event(
    connection: AsyncConnection, correction_id: str, event: Mapping[str, Any]
) -> None:
    """Add an event after those it has; its number follows on."""
    await add_history(connection, correction_event.c.correction_id, correction_id, event)


async def add_readers(connection: AsyncConnection, rows: Sequence[Mapping[str, Any]]) -> None:
    """Who is told."""
    if rows:
        await connection.execute(insert(correction_reader), [dict(row) for row in rows])


# ---- what is disputed now ----------------------------------------------------------------------


async def disputed(engine: AsyncEngine, states: Sequence[str]) -> list[tuple[str, str]]:
    """Each (citizen_uid, coordinate) of a correction in one of these states, in one statement.

    SourceUnavailable if the store does not answer: nobody is shown what he might not be told of.
    """
    asked = select(correction.c.citizen_uid, correction.c.coordinate)
    try:
        async with engine.connect() as connection:
            found = await connection.execute(asked.where(correction.c.state.in_(states)))
            return [(row.citizen_uid, row.coordinate) for row in found]
    except (SQLAlchemyError, OSError):
        said = "校核中的数据暂时无法核对，请稍后再试"
        raise SourceUnavailable(said, reason="DOWN", source="hub") from None


# ---- who has read it ---------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class AccessRecord:
    """A record of the access log: its body, and what tells who and when. `ts` in µs UTC."""

    account: str
    department: str
    ts: int
    request: str | None
    parts: int
    body: str


_RECORD = (
    audit_event.c.actor,
    audit_event.c.actor_org,
    audit_event.c.ts,
    audit_event.c.request_id,
    audit_event.c.parts,
    audit_event.c.body,
)


async def records_naming(
    connection: AsyncConnection, tokens: Sequence[bytes], since_us: int
) -> list[AccessRecord]:
    """Records since then that show the person of these tokens, and all that are not yet indexed.

    The index follows the log by a second or so; what is behind its cursor is for the caller to
    look through.
    """
    named = select(audit_subject.c.idx).where(
        audit_subject.c.subject.in_(tokens), audit_subject.c.how == "SEEN"
    )
    behind = select(audit_index.c.next_idx).scalar_subquery()
    fresh = audit_event.c.idx >= behind
    wanted = or_(audit_event.c.idx.in_(named), fresh)
    return await _records(connection, [audit_event.c.ts >= since_us, wanted])


async def records_of_requests(
    connection: AsyncConnection, requests: Iterable[str]
) -> list[AccessRecord]:
    """Every record of these requests: one that says much is several."""
    given = sorted(requests)
    if not given:
        return []
    return await _records(connection, [audit_event.c.request_id.in_(given)])


async def _records(connection: AsyncConnection, where: list[Any]) -> list[AccessRecord]:
    asked = select(*_RECORD).where(*where, audit_event.c.actor.is_not(None))
    found = await connection.execute(asked.order_by(audit_event.c.idx))
    return [AccessRecord(row[0], row[1] or "", *row[2:]) for row in found]
