"""投诉、申诉、权益异议 and what was done about them (领域设计 1.9).

`version` counts a complaint's changes, as a case's does. A row's region is where the citizen
lives and stays; `handling_dept` is whose it is now: of the case it is about, or the office's,
until it is assigned. `due_at` is the first moment that is late, None while nobody owes an answer;
`overdue` that one was late, not taken back. `reopened_at` is when an upheld appeal took effect on
its case, which it does once. Events are only ever added.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import (
    Boolean,
    CheckConstraint,
    Column,
    DateTime,
    ForeignKey,
    Index,
    Integer,
    String,
    Table,
    Text,
    insert,
)
from sqlalchemy.ext.asyncio import AsyncConnection

from store.frozen import Frozen
from store.metadata import BYTES, PATH, TOWNSHIP, metadata
from store.register import PATH_SHAPE
from store.rows import Versioned, add_history, mark_overdue

_AT = DateTime(timezone=True)

complaint = Table(
    "complaint",
    metadata,
    Column("id", BYTES, primary_key=True),
    Column("complaint_no", BYTES, nullable=False, unique=True),
    Column("kind", String(20), nullable=False),
    Column("case_id", BYTES, ForeignKey("case_file.id"), index=True),
    Column("version", Integer, nullable=False),
    Column("state", String(16), nullable=False),
    Column("outcome", String(12)),
    Column("channel", String(8)),
    Column("received_at", _AT, nullable=False),
    Column("due_at", _AT),
    Column("due_confirmed", Boolean, nullable=False),
    Column("overdue", Boolean, nullable=False),
    Column("assigned_at", _AT),
    Column("answered_at", _AT),
    Column("notified_at", _AT),
    Column("escalated_at", _AT),
    Column("closed_at", _AT),
    Column("reopened_at", _AT),
    Column("body", Text, nullable=False),
    Column("answer", Text),
    Column("applicant_id", BYTES, ForeignKey("citizen.id"), nullable=False, index=True),
    Column("applicant_uid", BYTES, nullable=False),
    Column("household_id", BYTES),
    Column("region_path", PATH, nullable=False),
    Column("handling_dept", BYTES, nullable=False),
    CheckConstraint(PATH_SHAPE, name="region_path"),
    Index("ix_complaint_region", "region_path", "received_at", "id"),
    Index("ix_complaint_township", TOWNSHIP, "received_at", "id"),
    Index("ix_complaint_received", "received_at", "id"),
)

complaint_event = Table(
    "complaint_event",
    metadata,
    Column("id", BYTES, primary_key=True),
    Column("complaint_id", BYTES, ForeignKey("complaint.id"), nullable=False),
    Column("seq", Integer, nullable=False),
    Column("state", String(16), nullable=False),
    Column("act", String(16)),
    Column("at", _AT, nullable=False),
    Column("post", String(64), nullable=False),
    Column("note", Text),
    Column("overdue", Boolean, nullable=False),
    Column("applicant_uid", BYTES, nullable=False),
    Column("household_id", BYTES),
    Column("region_path", PATH, nullable=False),
    Column("handling_dept", BYTES, nullable=False),
    CheckConstraint(PATH_SHAPE, name="region_path"),
    Index("ix_complaint_event_complaint", "complaint_id", "at", "id"),
)

FROZEN = Frozen(
    ("complaint_event",), "complaint_refuse", "what was done about a complaint stays recorded"
)


@dataclass(frozen=True, slots=True)
class ComplaintRow:
    """What a command needs to know of a complaint before it changes it; moments aware."""

    id: str
    complaint_no: str
    kind: str
    case_id: str | None
    version: int
    state: str
    outcome: str | None
    due_at: datetime | None
    overdue: bool
    answered_at: datetime | None
    notified_at: datetime | None
    escalated_at: datetime | None
    reopened_at: datetime | None
    applicant_uid: str
    household_id: str | None
    region_path: str
    handling_dept: str


_COMPLAINTS = Versioned(complaint, ComplaintRow)


async def complaint_to_change(connection: AsyncConnection, number: str) -> ComplaintRow | None:
    """The complaint of this number, locked until the transaction ends; None if there is none."""
    return await _COMPLAINTS.to_change(connection, complaint.c.complaint_no == number)


async def add_complaint(connection: AsyncConnection, values: Mapping[str, Any]) -> None:
    """A new complaint."""
    await connection.execute(insert(complaint).values(**values))


async def change_complaint(
    connection: AsyncConnection, row: ComplaintRow, values: Mapping[str, Any]
) -> None:
    """Change a complaint that `complaint_to_change` has locked; its version moves on by one."""
    await _COMPLAINTS.change(connection, row, values)


async def mark_late_complaints(connection: AsyncConnection, now: datetime, most: int) -> int:
    """Complaints that are owed too long are marked; how many."""
    return await mark_overdue(connection, complaint, complaint.c.due_at <= now, most)


async def add_complaint_event(
    connection: AsyncConnection, complaint_id: str, event: Mapping[str, Any]
) -> None:
    """Add an event after those the complaint has."""
    await add_history(connection, complaint_event.c.complaint_id, complaint_id, event)
