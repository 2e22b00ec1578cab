"""账号变更 and what was done about them; who was trained (第六条, 第十三条; 领域设计 1.11).

A change belongs to the organisation that asks for it: `department` at `region_path`, of the account
that moves or leaves the present one, of one that joins the future one. A person is named by his
name and his key in the hub, never by his id number. `version` counts the row's changes. Events and
training records are only ever added.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import (
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
    text,
)
from sqlalchemy.ext.asyncio import AsyncConnection

from store.frozen import Frozen
from store.metadata import BYTES, PATH, TOWNSHIP, metadata
from store.register import PATH_SHAPE
from store.rows import Versioned, add_history

_AT = DateTime(timezone=True)
_RUNNING = text("effective_at IS NULL")

account_change = Table(
    "account_change",
    metadata,
    Column("id", BYTES, primary_key=True),
    Column("change_no", BYTES, nullable=False, unique=True),
    Column("kind", String(8), nullable=False),
    Column("route", String(12), nullable=False),
    Column("version", Integer, nullable=False),
    Column("state", String(24), nullable=False),
    Column("account", BYTES, nullable=False),
    Column("real_name", String(64), nullable=False),
    Column("person_uid", BYTES),
    Column("employment", String(16), nullable=False),
    Column("old_posts", Text, nullable=False),
    Column("new_dept", BYTES),
    Column("new_role", String(32)),
    Column("new_path", PATH),
    Column("reason", Text, nullable=False),
    Column("filed_by", BYTES, nullable=False),
    Column("approved_by", BYTES),
    Column("document_no", String(64)),
    Column("filed_at", _AT, nullable=False),
    Column("approved_at", _AT),
    Column("handed_over_at", _AT),
    Column("effective_at", _AT),
    Column("department", BYTES, nullable=False),
    Column("region_path", PATH, nullable=False),
    CheckConstraint(PATH_SHAPE, name="region_path"),
    # One running change an account: the second lock behind the command's own look.
    Index(
        "uq_account_change_running",
        "account",
        unique=True,
        sqlite_where=_RUNNING,
        postgresql_where=_RUNNING,
    ),
    Index("ix_account_change_filed", "filed_at", "id"),
    Index("ix_account_change_township", TOWNSHIP, "filed_at", "id"),
)

account_change_event = Table(
    "account_change_event",
    metadata,
    Column("id", BYTES, primary_key=True),
    Column("account_change_id", BYTES, ForeignKey("account_change.id"), nullable=False),
    Column("seq", Integer, nullable=False),
    Column("state", String(24), nullable=False),
    Column("act", String(16)),
    Column("at", _AT, nullable=False),
    Column("post", String(64), nullable=False),
    Column("by_account", BYTES, nullable=False),
    Column("note", Text),
    Column("person_uid", BYTES),
    Column("department", BYTES, nullable=False),
    Column("region_path", PATH, nullable=False),
    CheckConstraint(PATH_SHAPE, name="region_path"),
    Index("ix_account_change_event_change", "account_change_id", "at", "id"),
)

training_record = Table(
    "training_record",
    metadata,
    Column("id", BYTES, primary_key=True),
    Column("account", BYTES, nullable=False),
    Column("held_on", Date, nullable=False),
    Column("subject", String(200), nullable=False),
    Column("recorded_at", _AT, nullable=False),
    Column("post", String(64), nullable=False),
    Column("by_account", BYTES, nullable=False),
    Column("department", BYTES, nullable=False),
    Column("region_path", PATH, nullable=False),
    CheckConstraint(PATH_SHAPE, name="region_path"),
    Index("ix_training_record_account", "account", "recorded_at", "id"),
    Index("ix_training_record_recorded", "recorded_at", "id"),
)

FROZEN = Frozen(
    ("account_change_event", "training_record"),
    "account_change_refuse",
    "what was done about an account stays recorded",
)


@dataclass(frozen=True, slots=True)
class ChangeRow:
    """What a command needs to know of a change before it goes on; moments aware."""

    id: str
    change_no: str
    kind: str
    route: str
    version: int
    state: str
    account: str
    real_name: str
    person_uid: str | None
    employment: str
    new_dept: str | None
    new_role: str | None
    new_path: str | None
    filed_by: str
    approved_by: str | None
    approved_at: datetime | None
    handed_over_at: datetime | None
    effective_at: datetime | None
    department: str
    region_path: str


_CHANGES = Versioned(account_change, ChangeRow)


async def change_to_go_on(connection: AsyncConnection, number: str) -> ChangeRow | None:
    """The change of this number, locked until the transaction ends; None if there is none."""
    return await _CHANGES.to_change(connection, account_change.c.change_no == number)


@dataclass(frozen=True, slots=True)
class Running:
    """A change that is not in force yet, and whose it is."""

    change_no: str
    account: str
    kind: str
    department: str
    region_path: str


async def running_of(connection: AsyncConnection, account: str) -> Running | None:
    """The change of this account that is not in force yet; there is at most one."""
    return await _running(connection, account_change.c.account == account)


async def running_of_person(connection: AsyncConnection, person_uid: str) -> Running | None:
    """A change about this person that is not in force yet."""
    return await _running(connection, account_change.c.person_uid == person_uid)


async def _running(connection: AsyncConnection, where: Any) -> Running | None:
    of = account_change.c
    columns = (of.change_no, of.account, of.kind, of.department, of.region_path)
    asked = select(*columns).where(where, of.effective_at.is_(None)).order_by(of.change_no)
    row = (await connection.execute(asked.limit(1))).first()
    return None if row is None else Running(*row)


async def add_account_change(connection: AsyncConnection, values: Mapping[str, Any]) -> None:
    """A new change."""
    await connection.execute(insert(account_change).values(**values))


async def change_account_change(
    connection: AsyncConnection, row: ChangeRow, values: Mapping[str, Any]
) -> None:
    """Change one that `change_to_go_on` has locked; its version moves on by one."""
    await _CHANGES.change(connection, row, values)


async def add_account_change_event(
    connection: AsyncConnection, change_id: str, event: Mapping[str, Any]
) -> None:
    """Add an event after those the change has."""
    owner = account_change_event.c.account_change_id
    await add_history(connection, owner, change_id, event)


async def add_training(connection: AsyncConnection, values: Mapping[str, Any]) -> None:
    """Somebody was trained."""
    await connection.execute(insert(training_record).values(**values))


async def is_trained(connection: AsyncConnection, account: str) -> bool:
    """Is a security training of this account's person on record?"""
    asked = select(training_record.c.id).where(training_record.c.account == account).limit(1)
    return (await connection.execute(asked)).first() is not None
