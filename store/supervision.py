"""督办单: 交必办、办必果、果必报 (办法第十八条)."""

from __future__ import annotations

from sqlalchemy import (
    Boolean,
    CheckConstraint,
    Column,
    DateTime,
    ForeignKey,
    Index,
    String,
    Table,
    Text,
)

from store.metadata import BYTES, PATH, TOWNSHIP, metadata
from store.register import PATH_SHAPE

supervision_order = Table(
    "supervision_order",
    metadata,
    Column("id", BYTES, primary_key=True),
    Column("order_no", BYTES, nullable=False, unique=True),
    Column("case_id", BYTES, ForeignKey("case_file.id"), nullable=False, index=True),
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
    Column("applicant_uid", BYTES, nullable=False),
    Column("household_id", BYTES),
    Column("region_path", PATH, nullable=False),
    Column("handling_dept", BYTES, nullable=False),
    CheckConstraint(PATH_SHAPE, name="region_path"),
    Index("ix_supervision_order_region", "region_path", "issued_at", "id"),
    Index("ix_supervision_order_township", TOWNSHIP, "issued_at", "id"),
)
