"""随机抽查: what was drawn, from what, and what was found in each case of the sample (第十五条).

A draw is a row that is never changed: the seed, the population as it was then and its digest, so
that the sample can be drawn again when cases have moved on. An item is one case of the sample;
it lies where the case lies and is its department's. Its `lot` is 64 hexadecimal digits.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, fields
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
    select,
)
from sqlalchemy.ext.asyncio import AsyncConnection

from store.cases import case_file
from store.frozen import Frozen
from store.metadata import BYTES, PATH, TOWNSHIP, metadata
from store.register import PATH_SHAPE
from store.rows import Versioned

_AT = DateTime(timezone=True)

spot_check = Table(
    "spot_check",
    metadata,
    Column("id", BYTES, primary_key=True),
    Column("check_no", BYTES, nullable=False, unique=True),
    Column("month", String(7), nullable=False),
    Column("department", BYTES),
    Column("area_path", PATH),
    Column("seed", Text, nullable=False),
    Column("size", Integer, nullable=False),
    Column("population", Text, nullable=False),
    Column("population_size", Integer, nullable=False),
    Column("population_digest", String(64), nullable=False),
    Column("drawn_at", _AT, nullable=False),
    Column("post", String(64), nullable=False),
    Column("region_path", PATH, nullable=False),
    CheckConstraint(PATH_SHAPE, name="region_path"),
    Index("ix_spot_check_region", "region_path", "drawn_at", "id"),
    Index("ix_spot_check_township", TOWNSHIP, "drawn_at", "id"),
)

spot_check_item = Table(
    "spot_check_item",
    metadata,
    Column("id", BYTES, primary_key=True),
    Column("item_no", BYTES, nullable=False, unique=True),
    Column("spot_check_id", BYTES, ForeignKey("spot_check.id"), nullable=False),
    Column("case_id", BYTES, ForeignKey("case_file.id"), nullable=False, index=True),
    Column("seq", Integer, nullable=False),
    Column("lot", String(64), nullable=False),
    Column("version", Integer, nullable=False),
    Column("state", String(16), nullable=False),
    Column("in_order", Boolean),
    Column("drawn_at", _AT, nullable=False),
    Column("checked_at", _AT),
    Column("due_at", _AT),
    Column("due_confirmed", Boolean, nullable=False),
    Column("overdue", Boolean, nullable=False),
    Column("rectified_at", _AT),
    Column("closed_at", _AT),
    Column("finding", Text),
    Column("demand", Text),
    Column("root_cause", Text),
    Column("measure", Text),
    Column("applicant_uid", BYTES, nullable=False),
    Column("household_id", BYTES),
    Column("region_path", PATH, nullable=False),
    Column("handling_dept", BYTES, nullable=False),
    CheckConstraint(PATH_SHAPE, name="region_path"),
    Index("ix_spot_check_item_check", "spot_check_id", "item_no", "id"),
    Index("ix_spot_check_item_region", "region_path", "item_no", "id"),
    Index("ix_spot_check_item_township", TOWNSHIP, "item_no", "id"),
)

FROZEN = Frozen(("spot_check",), "spot_check_refuse", "what was drawn stays drawn")


@dataclass(frozen=True, slots=True)
class ClosedCase:
    """A case that may be drawn: its keys, and where it lies."""

    id: str
    case_no: str
    applicant_uid: str
    household_id: str | None
    region_path: str
    handling_dept: str


@dataclass(frozen=True, slots=True)
class ItemRow:
    """What a command needs to know of an item before it changes it; moments aware."""

    id: str
    item_no: str
    version: int
    state: str
    in_order: bool | None
    due_at: datetime | None
    overdue: bool
    rectified_at: datetime | None
    applicant_uid: str
    household_id: str | None
    region_path: str
    handling_dept: str


_ITEMS = Versioned(spot_check_item, ItemRow)


async def closed_cases(
    connection: AsyncConnection,
    since: datetime,
    until: datetime,
    states: Collection[str],
    department: str | None = None,
    area: str | None = None,
) -> list[ClosedCase]:
    """Cases that were closed from `since` to before `until` and are in one of the states."""
    columns = [case_file.c[one.name] for one in fields(ClosedCase)]
    wanted = select(*columns).where(
        case_file.c.closed_at >= since,
        case_file.c.closed_at < until,
        case_file.c.state.in_(states),
    )
    if department is not None:
        wanted = wanted.where(case_file.c.handling_dept == department)
    if area is not None:
        wanted = wanted.where(case_file.c.region_path.startswith(area, autoescape=True))
    rows = await connection.execute(wanted.order_by(case_file.c.case_no))
    return [ClosedCase(*row) for row in rows]


async def add_spot_check(
    connection: AsyncConnection, values: Mapping[str, Any], items: Sequence[Mapping[str, Any]]
) -> None:
    """A draw and its sample, which is not empty."""
    await connection.execute(insert(spot_check).values(**values))
    await connection.execute(insert(spot_check_item), [dict(item) for item in items])


async def item_to_change(connection: AsyncConnection, number: str) -> ItemRow | None:
    """The item of this number, locked until the transaction ends; None if there is none."""
    return await _ITEMS.to_change(connection, spot_check_item.c.item_no == number)


async def change_item(connection: AsyncConnection, row: ItemRow, values: Mapping[str, Any]) -> None:
    """Change an item that `item_to_change` has locked; its version moves on by one."""
    await _ITEMS.change(connection, row, values)
