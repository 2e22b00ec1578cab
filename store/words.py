"""The catalogue's words as rows, so that they are read through a Plan like everything else."""

from __future__ import annotations

from sqlalchemy import Column, Integer, String, Table

from store.metadata import BYTES, PATH, metadata

division = Table(
    "division",
    metadata,
    Column("path", PATH, primary_key=True),
    Column("code", String(12), nullable=False, unique=True),
    Column("name", String(64), nullable=False),
    Column("level", String(12), nullable=False),
    Column("parent_path", PATH, index=True),
)

department = Table(
    "department",
    metadata,
    Column("code", BYTES, primary_key=True),
    Column("title", String(64), nullable=False),
    Column("short", String(32), nullable=False),
    Column("phone", String(20), nullable=False),
)

dataset = Table(
    "dataset",
    metadata,
    Column("name", BYTES, primary_key=True),
    Column("type_name", String(64), nullable=False),
    Column("title", String(64), nullable=False),
    Column("description", String(400), nullable=False),
    Column("source", String(64), nullable=False),
    Column("provider", BYTES, nullable=False, index=True),
    Column("object", String(64), nullable=False),
    Column("sharing_kind", String(16), nullable=False),
    Column("sharing_condition", String(200)),
    Column("legal_basis", String(200), nullable=False),
    Column("update_cycle", String(16), nullable=False),
)

dataset_field = Table(
    "dataset_field",
    metadata,
    Column("id", BYTES, primary_key=True),
    Column("dataset", BYTES, nullable=False, index=True),
    Column("position", Integer, nullable=False),
    Column("name", String(64), nullable=False),
    Column("title", String(64), nullable=False),
    Column("value_type", String(16), nullable=False),
    Column("object", String(64), nullable=False),
    Column("sensitivity", String(16), nullable=False),
    Column("mask", String(8), nullable=False),
)
