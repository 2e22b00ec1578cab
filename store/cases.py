"""诉求件 and their events; a row's region is where it was filed and stays (领域设计 1.4)."""

from __future__ import annotations

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
)

from store.metadata import BYTES, PATH, TOWNSHIP, metadata
from store.register import PATH_SHAPE

case_file = Table(
    "case_file",
    metadata,
    Column("id", BYTES, primary_key=True),
    Column("case_no", BYTES, nullable=False, unique=True),
    Column("item", String(32), nullable=False),
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
    Column("overdue", Boolean, nullable=False),
    Column("has_complaint", Boolean, nullable=False),
    Column("body", Text),
    Column("decision", Text),
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
    Column("overdue", Boolean, nullable=False),
    Column("applicant_uid", BYTES, nullable=False),
    Column("household_id", BYTES),
    Column("region_path", PATH, nullable=False),
    Column("handling_dept", BYTES, nullable=False),
    CheckConstraint(PATH_SHAPE, name="region_path"),
    Index("ix_case_event_case", "case_id", "at", "id"),
)
