"""督办单: 交必办、办必果、果必报 (办法第十八条), and what was done to each.

An order is about a case or about a sharing request; the latter has no applicant. `node` and
`triggers`: of an URGE, the case's node it is about and the work orders that were late, one a line;
of a sharing request the state that was late, and the list's entries. Events are only ever added.
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
    false,
    insert,
)
from sqlalchemy.ext.asyncio import AsyncConnection

from store.metadata import BYTES, PATH, TOWNSHIP, metadata
from store.register import PATH_SHAPE
from store.rows import Versioned, add_history

supervision_order = Table(
    "supervision_order",
    metadata,
    Column("id", BYTES, primary_key=True),
    Column("order_no", BYTES, nullable=False, unique=True),
    Column("case_id", BYTES, ForeignKey("case_file.id"), index=True),
    Column("sharing_request_id", BYTES, ForeignKey("sharing_request.id"), index=True),
    Column("kind", String(16), nullable=False),
    Column("reason", String(16), nullable=False),
    Column("state", String(16), nullable=False),
    Column("issued_at", DateTime(timezone=True), nullable=False),
    Column("due_at", DateTime(timezone=True), nullable=False),
    Column("signed_at", DateTime(timezone=True)),
    Column("result_at", DateTime(timezone=True)),
    Column("reported_at", DateTime(timezone=True)),
    Column("closed_at", DateTime(timezone=True)),
    Column("expired", Boolean, nullable=False),
    Column("note", Text),
    Column("version", Integer, nullable=False, server_default="1"),
    Column("node", String(16)),
    Column("triggers", Text, nullable=False, server_default=""),
    Column("send_backs", Integer, nullable=False, server_default="0"),
    Column("escalated", Boolean, nullable=False, server_default=false()),
    Column("sent_back_at", DateTime(timezone=True)),
    Column("result", Text),
    Column("attachments", Text),
    Column("applicant_uid", BYTES),
    Column("household_id", BYTES),
    Column("region_path", PATH, nullable=False),
    Column("handling_dept", BYTES, nullable=False),
    CheckConstraint(PATH_SHAPE, name="region_path"),
    Index("ix_supervision_order_region", "region_path", "issued_at", "id"),
    Index("ix_supervision_order_township", TOWNSHIP, "issued_at", "id"),
)

supervision_event = Table(
    "supervision_event",
    metadata,
    Column("id", BYTES, primary_key=True),
    Column("order_id", BYTES, ForeignKey("supervision_order.id"), nullable=False),
    Column("seq", Integer, nullable=False),
    Column("act", String(16), nullable=False),
    Column("state", String(16), nullable=False),
    Column("at", DateTime(timezone=True), nullable=False),
    Column("post", String(64), nullable=False),
    Column("note", Text),
    Column("applicant_uid", BYTES),
    Column("household_id", BYTES),
    Column("region_path", PATH, nullable=False),
    Column("handling_dept", BYTES, nullable=False),
    CheckConstraint(PATH_SHAPE, name="region_path"),
    Index("ix_supervision_event_order", "order_id", "seq"),
)


@dataclass(frozen=True, slots=True)
class OrderRow:
    """What a command needs to know of an order before it changes it; moments are aware."""

    id: str
    order_no: str
    case_id: str | None
    sharing_request_id: str | None
    kind: str
    state: str
    version: int
    node: str | None
    triggers: str
    send_backs: int
    due_at: datetime
    signed_at: datetime | None
    result_at: datetime | None
    reported_at: datetime | None
    sent_back_at: datetime | None
    expired: bool
    escalated: bool
    applicant_uid: str | None
    household_id: str | None
    region_path: str
    handling_dept: str


_ORDERS = Versioned(supervision_order, OrderRow)


async def order_to_change(connection: AsyncConnection, order_no: str) -> OrderRow | None:
    """The order of this number, locked until the transaction ends; None if there is none."""
    return await _ORDERS.to_change(connection, supervision_order.c.order_no == order_no)


async def open_urges(connection: AsyncConnection, case_id: str, ended: str) -> list[OrderRow]:
    """The orders of kind URGE of a case that are not in the state `ended`, locked."""
    return await _urges(connection, supervision_order.c.case_id == case_id, ended)


async def open_urges_of_request(
    connection: AsyncConnection, request_id: str, ended: str
) -> list[OrderRow]:
    """The same of a sharing request."""
    return await _urges(connection, supervision_order.c.sharing_request_id == request_id, ended)


async def _urges(connection: AsyncConnection, about: Any, ended: str) -> list[OrderRow]:
    of = supervision_order.c
    asked = _ORDERS.locked(about, of.kind == "URGE", of.state != ended)
    return [_ORDERS.read(row) for row in await connection.execute(asked.order_by(of.issued_at))]


async def add_order(connection: AsyncConnection, values: Mapping[str, Any]) -> None:
    """A new order."""
    await connection.execute(insert(supervision_order).values(**values))


async def change_supervision(
    connection: AsyncConnection, order: OrderRow, values: Mapping[str, Any]
) -> None:
    """Change an order that is locked; its version moves on by one."""
    await _ORDERS.change(connection, order, values)


async def add_supervision_event(
    connection: AsyncConnection, order_id: str, event: Mapping[str, Any]
) -> None:
    """Add an event after those the order has."""
    await add_history(connection, supervision_event.c.order_id, order_id, event)


async def late_orders(
    connection: AsyncConnection, now: datetime, ended: str, after: str, most: int
) -> list[OrderRow]:
    """Open orders past their limit with a key behind `after`, by key; `most` of them."""
    of = supervision_order.c
    asked = _ORDERS.locked(of.due_at <= now, of.state != ended, of.id > after)
    found = await connection.execute(asked.order_by(of.id).limit(most))
    return [_ORDERS.read(row) for row in found]
