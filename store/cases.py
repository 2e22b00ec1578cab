"""诉求件 and their events; a row's region is where it was filed and stays (领域设计 1.4).

`version` counts a case's changes: whoever changes it says which one he has seen. Events are only
ever added; `act` is what was done, `note` its reason, opinion or result. Stamps of a case are of
its last round: one that is reopened is decided, told and delivered again.
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
    Date,
    DateTime,
    ForeignKey,
    Index,
    Integer,
    String,
    Table,
    Text,
    insert,
    select,
    update,
)
from sqlalchemy.ext.asyncio import AsyncConnection

from store.metadata import BYTES, PATH, TOWNSHIP, metadata
from store.register import PATH_SHAPE
from store.rows import Versioned, add_history

case_file = Table(
    "case_file",
    metadata,
    Column("id", BYTES, primary_key=True),
    Column("case_no", BYTES, nullable=False, unique=True),
    Column("item", String(32), nullable=False),
    Column("flow", String(12), nullable=False, server_default="F1"),
    Column("version", Integer, nullable=False, server_default="1"),
    Column("state", String(20), nullable=False),
    Column("channel", String(16), nullable=False),
    Column("intake", String(16), nullable=False),
    Column("applicant_id", BYTES, ForeignKey("citizen.id"), nullable=False),
    Column("applicant_uid", BYTES, nullable=False),
    Column("household_id", BYTES),
    Column("region_path", PATH, nullable=False),
    Column("handling_dept", BYTES, nullable=False),
    Column("filed_at", DateTime(timezone=True), nullable=False),
    Column("due_at", DateTime(timezone=True)),
    Column("closed_at", DateTime(timezone=True)),
    Column("decided_at", DateTime(timezone=True)),
    Column("notified_at", DateTime(timezone=True)),
    Column("delivered_at", DateTime(timezone=True)),
    Column("deliberated_at", DateTime(timezone=True)),
    Column("expected_on", Date),
    Column("overdue", Boolean, nullable=False),
    Column("has_complaint", Boolean, nullable=False),
    Column("body", Text),
    Column("decision", Text),
    Column("proxy_id", BYTES),
    Column("proxy_relation", String(32)),
    Column("consent_no", String(64)),
    Column("clue_no", String(64)),
    CheckConstraint(PATH_SHAPE, name="region_path"),
    Index("ix_case_file_region", "region_path", "filed_at", "id"),
    Index("ix_case_file_township", TOWNSHIP, "filed_at", "id"),
    Index("ix_case_file_applicant", "applicant_id", "filed_at", "id"),
    Index("ix_case_file_filed", "filed_at", "id"),
)

case_event = Table(
    "case_event",
    metadata,
    Column("id", BYTES, primary_key=True),
    Column("case_id", BYTES, ForeignKey("case_file.id"), nullable=False),
    Column("seq", Integer, nullable=False),
    Column("state", String(20), nullable=False),
    Column("at", DateTime(timezone=True), nullable=False),
    Column("post", String(64), nullable=False),
    Column("act", String(16)),
    Column("note", Text),
    Column("attendance", Integer),
    Column("votes_for", Integer),
    Column("satisfaction", Integer),
    Column("done_on", Date),
    Column("channel", String(8)),
    Column("expected_on", Date),
    Column("overdue", Boolean, nullable=False),
    Column("applicant_uid", BYTES, nullable=False),
    Column("household_id", BYTES),
    Column("region_path", PATH, nullable=False),
    Column("handling_dept", BYTES, nullable=False),
    CheckConstraint(PATH_SHAPE, name="region_path"),
    Index("ix_case_event_case", "case_id", "at", "id"),
)


@dataclass(frozen=True, slots=True)
class CaseRow:
    """What a command needs to know of a case before it changes it."""

    id: str
    case_no: str
    item: str
    flow: str
    version: int
    state: str
    applicant_id: str
    applicant_uid: str
    household_id: str | None
    region_path: str
    handling_dept: str
    filed_at: datetime
    decided_at: datetime | None
    notified_at: datetime | None
    delivered_at: datetime | None
    deliberated_at: datetime | None
    overdue: bool
    has_complaint: bool


_CASES = Versioned(case_file, CaseRow)


async def case_to_change(connection: AsyncConnection, case_no: str) -> CaseRow | None:
    """The case of this number, locked until the transaction ends; None if there is none."""
    return await _CASES.to_change(connection, case_file.c.case_no == case_no)


async def open_case_no(
    connection: AsyncConnection, applicant_id: str, item: str, ended: tuple[str, ...]
) -> str | None:
    """The number of a case of this person for this item that is in none of the `ended` states."""
    found = await connection.execute(
        select(case_file.c.case_no)
        .where(
            case_file.c.applicant_id == applicant_id,
            case_file.c.item == item,
            case_file.c.state.not_in(ended),
        )
        .order_by(case_file.c.case_no)
        .limit(1)
    )
    number: str | None = found.scalar_one_or_none()
    return number


async def add_case(connection: AsyncConnection, values: Mapping[str, Any]) -> None:
    """A new case."""
    await connection.execute(insert(case_file).values(**values))


async def change_case(
    connection: AsyncConnection, case: CaseRow, values: Mapping[str, Any]
) -> None:
    """Change a case that `case_to_change` has locked; its version moves on by one."""
    await _CASES.change(connection, case, values)


async def add_events(
    connection: AsyncConnection, case_id: str, events: list[dict[str, Any]]
) -> None:
    """Add events after those the case has; their numbers follow on."""
    await add_history(connection, case_event.c.case_id, case_id, *events)


async def mark_overdue(connection: AsyncConnection, case_id: str) -> None:
    """A node of the case was late. Its version stays: nobody has decided anything."""
    changed = update(case_file).where(case_file.c.id == case_id, case_file.c.overdue.is_(False))
    await connection.execute(changed.values(overdue=True))
