"""共享申请: what one department asks of another, each step, and the list of 第二十一条第三项.

A `sharing_request` says what is asked (`object`, `actions`, `purposes`, `reach`, `since`, `until`)
and, once it is granted, what was (`granted_…`, `grant_id`: the row of ``store.grants`` that is the
policy). `actions`, `purposes` and `items` join their words with ``|``. `due_at` is until when the
present step is owed; None where nobody owes one. Events are only ever added.

A `sharing_fault` is an entry of the list: one for each step that was late, and for a refusal whose
basis the office does not accept. It is `open` until the request leaves its `state`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime
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
    UniqueConstraint,
    insert,
    or_,
    select,
    update,
)
from sqlalchemy.ext.asyncio import AsyncConnection

from store.frozen import Frozen
from store.grants import ACTIVE, share_grant
from store.metadata import BYTES, PATH, metadata
from store.policy import authz_object
from store.register import PATH_SHAPE
from store.rows import Versioned, add_history, mark_overdue, utc

_AT = DateTime(timezone=True)

sharing_request = Table(
    "sharing_request",
    metadata,
    Column("id", BYTES, primary_key=True),
    Column("request_no", BYTES, nullable=False, unique=True),
    Column("version", Integer, nullable=False),
    Column("state", String(20), nullable=False),
    Column("requester", BYTES, nullable=False),
    Column("provider", BYTES, nullable=False),
    Column("object", String(64), nullable=False),
    Column("share_class", String(16), nullable=False),
    Column("actions", Text, nullable=False),
    Column("purposes", Text, nullable=False),
    Column("items", Text, nullable=False),
    Column("reach", String(16), nullable=False),
    Column("since", Date, nullable=False),
    Column("until", Date, nullable=False),
    Column("frequency", String(16), nullable=False),
    Column("text", Text, nullable=False),
    Column("basis", Text, nullable=False),
    Column("renews", BYTES),
    Column("filed_by", String(64), nullable=False),
    Column("filed_at", _AT, nullable=False),
    Column("due_at", _AT),
    Column("overdue", Boolean, nullable=False),
    Column("reviewed_at", _AT),
    Column("compliant", Boolean),
    Column("review", Text),
    Column("extended_at", _AT),
    Column("answered_at", _AT),
    Column("answered_by", String(64)),
    Column("refusal", String(24)),
    Column("refusal_basis", Text),
    Column("law", String(64)),
    Column("grant_id", BYTES),
    Column("granted_actions", Text),
    Column("granted_reach", String(16)),
    Column("granted_since", Date),
    Column("granted_until", Date),
    Column("provisioned_at", _AT),
    Column("disputed_at", _AT),
    Column("basis_rejected_at", _AT),
    Column("decided_at", _AT),
    Column("decision", String(16)),
    Column("conclusion", Text),
    Column("closed_at", _AT),
    Column("region_path", PATH, nullable=False),
    CheckConstraint(PATH_SHAPE, name="region_path"),
    CheckConstraint("requester <> provider", name="two_departments"),
    CheckConstraint("since <= until", name="term"),
    CheckConstraint("answered_by <> filed_by", name="two_people"),
    CheckConstraint("refusal IS NULL OR length(refusal_basis) > 0", name="refusal_basis"),
    Index("ix_sharing_request_filed", "filed_at", "id"),
    Index("ix_sharing_request_provider", "provider", "filed_at", "id"),
    Index("ix_sharing_request_requester", "requester", "filed_at", "id"),
    Index("ix_sharing_request_due", "due_at"),
    Index("ix_sharing_request_state", "state", "filed_at", "id"),
)

sharing_request_event = Table(
    "sharing_request_event",
    metadata,
    Column("id", BYTES, primary_key=True),
    Column("request_id", BYTES, ForeignKey("sharing_request.id"), nullable=False),
    Column("seq", Integer, nullable=False),
    Column("state", String(20), nullable=False),
    Column("act", String(16), nullable=False),
    Column("note", Text),
    Column("at", _AT, nullable=False),
    Column("post", String(64), nullable=False),
    Column("requester", BYTES, nullable=False),
    Column("provider", BYTES, nullable=False),
    Column("region_path", PATH, nullable=False),
    CheckConstraint(PATH_SHAPE, name="region_path"),
    Index("ix_sharing_request_event_request", "request_id", "seq"),
)

sharing_fault = Table(
    "sharing_fault",
    metadata,
    Column("id", BYTES, primary_key=True),
    Column("request_id", BYTES, ForeignKey("sharing_request.id"), nullable=False),
    Column("request_no", BYTES, nullable=False),
    Column("reason", String(24), nullable=False),
    Column("state", String(20), nullable=False),
    Column("requester", BYTES, nullable=False),
    Column("provider", BYTES, nullable=False),
    Column("owed_by", BYTES, nullable=False),
    Column("noted_at", _AT, nullable=False),
    Column("open", Boolean, nullable=False),
    Column("due_at", _AT),
    Column("days_late", Integer),
    Column("answered_at", _AT),
    Column("region_path", PATH, nullable=False),
    CheckConstraint(PATH_SHAPE, name="region_path"),
    UniqueConstraint("request_id", "reason", "state"),
    Index("ix_sharing_fault_noted", "noted_at", "id"),
)

FROZEN = Frozen(
    ("sharing_request_event",), "sharing_refuse", "what was done to a request stays recorded"
)


@dataclass(frozen=True, slots=True)
class RequestRow:
    """What a command needs to know of a request before it changes it; moments are aware."""

    id: str
    request_no: str
    version: int
    state: str
    requester: str
    provider: str
    object: str
    share_class: str
    actions: str
    purposes: str
    reach: str
    since: date
    until: date
    basis: str
    renews: str | None
    filed_by: str
    due_at: datetime | None
    reviewed_at: datetime | None
    extended_at: datetime | None
    answered_at: datetime | None
    grant_id: str | None
    granted_since: date | None
    granted_until: date | None
    provisioned_at: datetime | None
    disputed_at: datetime | None
    basis_rejected_at: datetime | None
    decided_at: datetime | None
    closed_at: datetime | None
    region_path: str


@dataclass(frozen=True, slots=True)
class FaultRow:
    """An open entry of the list. `due_at` (aware) and `days_late` are a late step's."""

    id: str
    due_at: datetime | None
    days_late: int | None


_REQUESTS = Versioned(sharing_request, RequestRow)
_OF = sharing_request.c


async def request_to_change(connection: AsyncConnection, number: str) -> RequestRow | None:
    """The request of this number, locked until the transaction ends; None if there is none."""
    return await _REQUESTS.to_change(connection, _OF.request_no == number)


async def add_request(connection: AsyncConnection, values: Mapping[str, Any]) -> None:
    """A new request."""
    await connection.execute(insert(sharing_request).values(**values))


async def change_request(
    connection: AsyncConnection, row: RequestRow, values: Mapping[str, Any]
) -> None:
    """Change one that is locked; its version moves on by one."""
    await _REQUESTS.change(connection, row, values)


async def mark_late(connection: AsyncConnection, request_id: str) -> None:
    """A step was late. The version stays: nobody has decided anything."""
    await mark_overdue(connection, sharing_request, _OF.id == request_id, 1)


async def add_request_events(
    connection: AsyncConnection, request_id: str, *events: Mapping[str, Any]
) -> None:
    """Add events after those it has; their numbers follow on."""
    await add_history(connection, sharing_request_event.c.request_id, request_id, *events)


# ---- what time brings --------------------------------------------------------------------------


async def unlisted(connection: AsyncConnection, now: datetime, most: int) -> list[RequestRow]:
    """Requests whose step is owed too long and has no entry of the list yet, locked."""
    of = sharing_fault.c
    entered = select(of.id).where(
        of.request_id == _OF.id, of.state == _OF.state, of.reason == "OVERDUE"
    )
    asked = _REQUESTS.locked(_OF.due_at <= now, ~entered.exists())
    return await _read(connection, asked.order_by(_OF.due_at, _OF.id).limit(most))


async def begun(connection: AsyncConnection, state: str, day: date, most: int) -> list[RequestRow]:
    """Requests in this state whose grant's first day has come, locked."""
    asked = _REQUESTS.locked(_OF.state == state, _OF.granted_since <= day)
    return await _read(connection, asked.order_by(_OF.id).limit(most))


async def over(connection: AsyncConnection, state: str, day: date, most: int) -> list[RequestRow]:
    """Requests in this state whose grant's last day is past or that was ended elsewhere, locked."""
    of = share_grant.c
    held = select(of.id).where(of.id == _OF.grant_id, of.state == ACTIVE)
    ended = or_(_OF.granted_until < day, ~held.exists())
    asked = _REQUESTS.locked(_OF.state == state, ended)
    return await _read(connection, asked.order_by(_OF.id).limit(most))


async def _read(connection: AsyncConnection, asked: Any) -> list[RequestRow]:
    return [_REQUESTS.read(row) for row in await connection.execute(asked)]


async def add_fault(connection: AsyncConnection, values: Mapping[str, Any]) -> None:
    """A new entry of the list."""
    await connection.execute(insert(sharing_fault).values(**values))


async def open_faults(connection: AsyncConnection, after: str, most: int) -> list[FaultRow]:
    """Open entries of a late step with a key behind `after`, by key."""
    of = sharing_fault.c
    asked = select(of.id, of.due_at, of.days_late).where(of.open, of.due_at.is_not(None))
    found = await connection.execute(asked.where(of.id > after).order_by(of.id).limit(most))
    return [FaultRow(row.id, utc(row.due_at), row.days_late) for row in found]


async def late_by(connection: AsyncConnection, fault_id: str, days: int) -> None:
    """By how many days the step of an entry is late by now."""
    mine = update(sharing_fault).where(sharing_fault.c.id == fault_id)
    await connection.execute(mine.values(days_late=days))


async def close_faults(
    connection: AsyncConnection, request_id: str, state: str, now: datetime
) -> list[FaultRow]:
    """The entries of a state that a request has left are open no more; those that were."""
    of = sharing_fault.c
    mine = (of.request_id == request_id, of.state == state, of.open)
    found = await connection.execute(select(of.id, of.due_at, of.days_late).where(*mine))
    rows = [FaultRow(row.id, row.due_at and utc(row.due_at), row.days_late) for row in found]
    await connection.execute(update(sharing_fault).where(*mine).values(open=False, answered_at=now))
    return rows


async def share_class_of(connection: AsyncConnection, obj: str) -> str | None:
    """The sharing class that the policy gives an object; None if it does not hold it."""
    asked = select(authz_object.c.share_class).where(authz_object.c.object == obj)
    found: str | None = await connection.scalar(asked)
    return found
