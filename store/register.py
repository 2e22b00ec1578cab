"""人员底册: citizens and households, the only person data the hub keeps (领域设计 2.6)."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date

from sqlalchemy import (
    CheckConstraint,
    Column,
    Date,
    ForeignKey,
    Index,
    Integer,
    String,
    Table,
    select,
)
from sqlalchemy.ext.asyncio import AsyncConnection

from store.metadata import BYTES, PATH, TOWNSHIP, metadata

PATH_SHAPE = "length(region_path) IN (6, 9, 12) AND substr(region_path, 1, 6) = '532622'"

household = Table(
    "household",
    metadata,
    Column("id", BYTES, primary_key=True),
    Column("household_no", String(32), nullable=False, unique=True),
    Column("size", Integer, nullable=False),
    Column("region_path", PATH, nullable=False),
    Column("region_state", String(8), nullable=False),
    Column("as_of", Date, nullable=False),
    CheckConstraint(PATH_SHAPE, name="region_path"),
    Index("ix_household_region", "region_path", "id"),
    Index("ix_household_township", TOWNSHIP, "region_path", "id"),
)

citizen = Table(
    "citizen",
    metadata,
    Column("id", BYTES, primary_key=True),
    Column("citizen_uid", BYTES, nullable=False, unique=True),
    Column("id18", String(18)),  # canonical; NULL when the source gave none that is valid
    Column("name", String(64), nullable=False),
    Column("sex", String(12), nullable=False),
    Column("birth", Date),
    Column("birth_band", String(16)),
    Column("ethnic", String(2)),
    Column("phone", String(20)),
    Column("address", String(128)),
    Column("household_id", BYTES, ForeignKey("household.id"), index=True),
    Column("region_path", PATH, nullable=False),
    Column("region_state", String(8), nullable=False),
    Column("home_path", PATH),
    Column("dq", String(64), nullable=False, default=""),
    Column("as_of", Date, nullable=False),
    CheckConstraint(PATH_SHAPE, name="region_path"),
    Index("ix_citizen_region", "region_path", "id"),
    Index("ix_citizen_township", TOWNSHIP, "region_path", "id"),
    Index("ix_citizen_id18", "id18"),
)


@dataclass(frozen=True, slots=True)
class Person:
    """What a command needs to know of a person on the register."""

    id: str
    citizen_uid: str
    household_id: str | None
    region_path: str
    birth: date | None


async def person_of(connection: AsyncConnection, citizen_id: str) -> Person | None:
    """The person of this key; None if there is none."""
    columns = [citizen.c[name] for name in Person.__dataclass_fields__]
    row = (
        await connection.execute(select(*columns).where(citizen.c.id == citizen_id))
    ).one_or_none()
    return None if row is None else Person(*row)
