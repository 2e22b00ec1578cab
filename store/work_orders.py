"""工单: who handles a node of a case, and its clock; what was overdue stays recorded (第十七条).

One row a node and round. `opened_at` is when its clock starts (a review's may lie ahead, at the
end of a notice), `due_at` the first moment that is late: None while it stands still or no length
is set. `first_due_at` is what it was without any pause, whatever holidays were learnt of later.
`part` names a part of the node with a clock of its own. `closed_at` ends it, `void` that its work
was not wanted any more. Pauses are rows of their own, save outages of sources, which are nobody's
(``store/outages.py``). An extension is approved once: when, by which post and for what reason.

A `timeout_event` is only ever added: one a work order, whoever records it first.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
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
    PrimaryKeyConstraint,
    Select,
    String,
    Table,
    Text,
    insert,
    select,
    tuple_,
    update,
)
from sqlalchemy.ext.asyncio import AsyncConnection

from store.cases import case_file
from store.frozen import Frozen
from store.metadata import BYTES, PATH, TOWNSHIP, metadata
from store.register import PATH_SHAPE
from store.rows import INSERT, utc

_AT = DateTime(timezone=True)

work_order = Table(
    "work_order",
    metadata,
    Column("id", BYTES, primary_key=True),
    Column("case_id", BYTES, ForeignKey("case_file.id"), nullable=False, index=True),
    Column("node", String(16), nullable=False),
    Column("part", String(16)),
    Column("tier", String(16)),
    Column("handler_dept", BYTES),
    Column("handler_role", String(16)),
    Column("handler_path", PATH),
    Column("legal_basis", String(64)),
    Column("opened_at", _AT, nullable=False),
    Column("due_at", _AT),
    Column("due_confirmed", Boolean, nullable=False),
    Column("first_due_at", _AT),
    Column("remind_at", _AT),
    Column("closed_at", _AT),
    Column("open", Boolean, nullable=False),
    Column("void", Boolean, nullable=False),
    Column("late", Boolean, nullable=False),
    Column("extended_at", _AT),
    Column("extended_by", String(64)),
    Column("extension_reason", Text),
    Column("applicant_uid", BYTES, nullable=False),
    Column("household_id", BYTES),
    Column("region_path", PATH, nullable=False),
    Column("handling_dept", BYTES, nullable=False),
    CheckConstraint(PATH_SHAPE, name="region_path"),
    Index("ix_work_order_region", "region_path", "opened_at", "id"),
    Index("ix_work_order_township", TOWNSHIP, "opened_at", "id"),
    Index("ix_work_order_due", "open", "due_at"),
)

work_pause = Table(
    "work_pause",
    metadata,
    Column("work_order_id", BYTES, ForeignKey("work_order.id"), nullable=False),
    Column("started_at", _AT, nullable=False),
    Column("reason", String(16), nullable=False),
    Column("ended_at", _AT),
    PrimaryKeyConstraint("work_order_id", "started_at"),
)

timeout_event = Table(
    "timeout_event",
    metadata,
    Column("id", BYTES, ForeignKey("work_order.id"), primary_key=True),
    Column("case_id", BYTES, ForeignKey("case_file.id"), nullable=False, index=True),
    Column("node", String(16), nullable=False),
    Column("part", String(16)),
    Column("due_at", _AT, nullable=False),
    Column("recorded_at", _AT, nullable=False),
    Column("handler_dept", BYTES),
    Column("applicant_uid", BYTES, nullable=False),
    Column("household_id", BYTES),
    Column("region_path", PATH, nullable=False),
    Column("handling_dept", BYTES, nullable=False),
    CheckConstraint(PATH_SHAPE, name="region_path"),
    Index("ix_timeout_event_region", "region_path", "due_at", "id"),
    Index("ix_timeout_event_township", TOWNSHIP, "due_at", "id"),
)

reminder = Table(
    "reminder",
    metadata,
    Column("work_order_id", BYTES, ForeignKey("work_order.id"), nullable=False),
    Column("kind", String(16), nullable=False),
    Column("at", _AT, nullable=False),
    PrimaryKeyConstraint("work_order_id", "kind"),
)

BEFORE, DEPARTMENT = "BEFORE", "DEPARTMENT"
"""Kinds of reminders: the handler before the limit, his department a day after it."""
FROZEN = Frozen(("timeout_event",), "timeout_refuse", "what was overdue stays recorded")


@dataclass(frozen=True, slots=True)
class OpenOrder:
    """An open work order with what its clock needs."""

    id: str
    node: str
    part: str | None
    opened_at: datetime
    due_at: datetime | None
    late: bool


@dataclass(frozen=True, slots=True)
class PauseRow:
    """A pause as it is stored; `ended_at` None: it lasts."""

    started_at: datetime
    reason: str
    ended_at: datetime | None


async def open_orders(connection: AsyncConnection, case_id: str) -> list[OpenOrder]:
    """The open work orders of a case, in the order of their start."""
    columns = [work_order.c[name] for name in OpenOrder.__dataclass_fields__]
    found = await connection.execute(
        select(*columns)
        .where(work_order.c.case_id == case_id, work_order.c.open.is_(True))
        .order_by(work_order.c.opened_at)
        .with_for_update()
    )
    return [OpenOrder(*_aware(row)) for row in found]


async def pauses_of(connection: AsyncConnection, order_id: str) -> list[PauseRow]:
    """The pauses of a work order, first to last."""
    columns = [work_pause.c[name] for name in PauseRow.__dataclass_fields__]
    found = await connection.execute(
        select(*columns)
        .where(work_pause.c.work_order_id == order_id)
        .order_by(work_pause.c.started_at)
    )
    return [
        PauseRow(utc(row.started_at), row.reason, row.ended_at and utc(row.ended_at))
        for row in found
    ]


async def add_orders(connection: AsyncConnection, rows: Sequence[Mapping[str, Any]]) -> None:
    """New work orders."""
    if rows:
        await connection.execute(insert(work_order), [dict(row) for row in rows])


async def change_order(
    connection: AsyncConnection, order_id: str, values: Mapping[str, Any]
) -> None:
    """Change a work order."""
    await connection.execute(update(work_order).where(work_order.c.id == order_id).values(**values))


async def pause(
    connection: AsyncConnection,
    order_id: str,
    reason: str,
    now: datetime,
    until: datetime | None = None,
) -> None:
    """From now on its clock stands, until a moment or until it is resumed."""
    row = {"work_order_id": order_id, "started_at": now, "reason": reason, "ended_at": until}
    await connection.execute(insert(work_pause).values(**row))


async def resume(connection: AsyncConnection, order_id: str, now: datetime) -> None:
    """Its clock goes on."""
    lasting = (work_pause.c.work_order_id == order_id) & work_pause.c.ended_at.is_(None)
    await connection.execute(update(work_pause).where(lasting).values(ended_at=now))


async def record_timeout(connection: AsyncConnection, order_id: str, now: datetime) -> bool:
    """Record that a work order was overdue; False if that was recorded before."""
    names = [c.name for c in timeout_event.columns if c.name != "recorded_at"]
    wanted = select(*(work_order.c[name] for name in names)).where(work_order.c.id == order_id)
    row = (await connection.execute(wanted)).mappings().one()
    made = INSERT[connection.dialect.name](timeout_event).values(**row, recorded_at=now)
    done = await connection.execute(made.on_conflict_do_nothing())
    if done.rowcount != 1:
        return False
    await change_order(connection, order_id, {"late": True})
    return True


@dataclass(frozen=True, slots=True)
class LateOrder:
    """A work order past its limit that nobody has recorded yet, with the rights of its row."""

    id: str
    case_id: str
    item: str
    flow: str
    node: str
    part: str | None
    opened_at: datetime
    due_at: datetime
    applicant_uid: str
    household_id: str | None
    region_path: str
    handling_dept: str


async def unrecorded(connection: AsyncConnection, now: datetime, most: int) -> list[LateOrder]:
    """Open work orders past their limit that are not recorded as late; `most` of them, by key.

    A notice is nobody's delay.
    """
    of = work_order.c
    asked = (
        _timed(LateOrder)
        .where(of.open.is_(True), of.due_at <= now, of.late.is_(False), of.node != "NOTICE")
        .order_by(of.id)
        .limit(most)
        .with_for_update(of=work_order)
    )
    return [LateOrder(*_aware(row)) for row in await connection.execute(asked)]


@dataclass(frozen=True, slots=True)
class RunningOrder:
    """An open work order that is not recorded as late, with what its clock is reckoned from."""

    id: str
    item: str
    flow: str
    node: str
    part: str | None
    opened_at: datetime
    due_at: datetime | None


async def running(
    connection: AsyncConnection, work: Collection[tuple[str, str]], after: str, most: int
) -> list[RunningOrder]:
    """Open work orders of these items and nodes, `most` of those behind a key, by key; locked."""
    of = work_order.c
    asked = (
        _timed(RunningOrder)
        .where(
            tuple_(case_file.c.item, of.node).in_(sorted(work)),
            *(of.open.is_(True), of.late.is_(False), of.id > after),
        )
        .order_by(of.id)
        .limit(most)
        .with_for_update(of=work_order)
    )
    return [RunningOrder(*_aware(row)) for row in await connection.execute(asked)]


@dataclass(frozen=True, slots=True)
class OrderRow:
    """What a command needs to know of a work order before it extends it."""

    id: str
    case_no: str
    item: str
    flow: str
    node: str
    part: str | None
    opened_at: datetime
    due_at: datetime | None
    open: bool
    late: bool
    extended_at: datetime | None
    applicant_uid: str
    household_id: str | None
    region_path: str
    handling_dept: str


async def order_to_change(connection: AsyncConnection, order_id: str) -> OrderRow | None:
    """The work order, locked until the transaction ends; None if there is none."""
    asked = _timed(OrderRow).where(work_order.c.id == order_id).with_for_update(of=work_order)
    row = (await connection.execute(asked)).one_or_none()
    return None if row is None else OrderRow(*_aware(row))


def _timed(row: Any) -> Select[Any]:
    """Work orders with what their cases are for, in the columns of a dataclass."""
    ofs = {name: case_file.c[name] for name in ("case_no", "item", "flow")}
    names: Iterable[str] = row.__dataclass_fields__
    columns = (ofs[name] if name in ofs else work_order.c[name] for name in names)
    return select(*columns).join_from(work_order, case_file, work_order.c.case_id == case_file.c.id)


def _aware(row: Iterable[Any]) -> Iterator[Any]:
    return (utc(value) if isinstance(value, datetime) else value for value in row)


async def unreminded(
    connection: AsyncConnection, now: datetime, most: int
) -> list[tuple[str, datetime]]:
    """Open work orders whose handler is to be reminded and has not been: key and moment."""
    of = work_order.c
    told = select(reminder.c.work_order_id).where(reminder.c.kind == BEFORE)
    asked = (
        select(of.id, of.remind_at)
        .where(of.open.is_(True), of.remind_at <= now, of.id.not_in(told))
        .order_by(of.id)
        .limit(most)
    )
    return [(row.id, utc(row.remind_at)) for row in await connection.execute(asked)]


async def department_unreminded(
    connection: AsyncConnection, before: datetime, most: int
) -> list[tuple[str, datetime]]:
    """Open late work orders due by a moment whose department has not been reminded.

    The longest late come first: one that is not late enough yet hides none that is.
    """
    of = work_order.c
    told = select(reminder.c.work_order_id).where(reminder.c.kind == DEPARTMENT)
    asked = (
        select(of.id, of.due_at)
        .where(of.open.is_(True), of.late.is_(True), of.due_at <= before, of.id.not_in(told))
        .order_by(of.due_at, of.id)
        .limit(most)
    )
    return [(row.id, utc(row.due_at)) for row in await connection.execute(asked)]


async def remind(connection: AsyncConnection, order_id: str, kind: str, at: datetime) -> bool:
    """Note a reminder; False if it was noted before."""
    made = INSERT[connection.dialect.name](reminder)
    row = made.values(work_order_id=order_id, kind=kind, at=at).on_conflict_do_nothing()
    return (await connection.execute(row)).rowcount == 1
