"""发布的汇总: the leading group's rules, and the tables as they were published.

Counts and codes only: no row here speaks of a person. A publication is made once a period and
never changed; who asks in between gets what stands here, so that asking twice tells nothing.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime

from sqlalchemy import (
    Boolean,
    CheckConstraint,
    Column,
    DateTime,
    Integer,
    String,
    Table,
    Text,
    insert,
    select,
)
from sqlalchemy.exc import IntegrityError, SQLAlchemyError
from sqlalchemy.ext.asyncio import AsyncEngine

from catalog.errors import SourceUnavailable
from store.metadata import BYTES, metadata
from store.rows import utc

tally_rule = Table(
    "tally_rule",
    metadata,
    Column("cube", BYTES, primary_key=True),
    Column("dimension", BYTES, primary_key=True),  # "*": every dimension
    Column("min_cell", Integer, nullable=False),
    Column("round_to", Integer, nullable=False),
    Column("publish_period", String(8), nullable=False),
    Column("confirmed", Boolean, nullable=False),  # by the leading group
    Column("basis", String(200), nullable=False),
    CheckConstraint("min_cell >= 1", name="min_cell"),
    CheckConstraint("round_to >= 1", name="round_to"),
    CheckConstraint("publish_period IN ('MONTH', 'QUARTER', 'YEAR')", name="publish_period"),
)

tally_publication = Table(
    "tally_publication",
    metadata,
    Column("cube", BYTES, primary_key=True),
    Column("period", BYTES, primary_key=True),
    Column("dimensions", BYTES, primary_key=True),  # joined with "+", in the cube's order
    Column("made_at", DateTime(timezone=True), nullable=False),
    Column("policy", Integer, nullable=False),
    Column("cells", Text, nullable=False),  # JSON: [[coordinate, …, count or null], …]
)


class Tallies:
    """The store's published tables. SourceUnavailable if the store does not answer."""

    def __init__(self, engine: AsyncEngine) -> None:
        self._engine = engine

    async def rules(self, cube: str) -> list[tuple[str, int, int, str]]:
        """A cube's rules: dimension, smallest cell, rounding, period; none if none were set."""
        columns = (
            tally_rule.c.dimension,
            tally_rule.c.min_cell,
            tally_rule.c.round_to,
            tally_rule.c.publish_period,
        )
        asked = select(*columns).where(tally_rule.c.cube == cube).order_by(tally_rule.c.dimension)
        try:
            async with self._engine.connect() as connection:
                return [tuple(row) for row in await connection.execute(asked)]
        except (SQLAlchemyError, OSError):
            raise _down() from None

    async def stored(self, cube: str, period: str, dimensions: str) -> tuple[str, datetime] | None:
        """One table as it was published: its cells (JSON), when; None if there is none yet."""
        table = tally_publication
        asked = select(table.c.cells, table.c.made_at).where(
            table.c.cube == cube, table.c.period == period, table.c.dimensions == dimensions
        )
        try:
            async with self._engine.connect() as connection:
                row = (await connection.execute(asked)).first()
        except (SQLAlchemyError, OSError):
            raise _down() from None
        return None if row is None else (row.cells, utc(row.made_at))

    async def publish(self, cube: str, period: str, tables: Mapping[str, str], policy: int) -> None:
        """Store all tables of a period, together; if somebody was first, his stand."""
        head = {"cube": cube, "period": period, "made_at": datetime.now(UTC), "policy": policy}
        rows = [head | {"dimensions": name, "cells": cells} for name, cells in tables.items()]
        try:
            async with self._engine.begin() as connection:
                await connection.execute(insert(tally_publication), rows)
        except IntegrityError:
            return
        except (SQLAlchemyError, OSError):
            raise _down() from None


def _down() -> SourceUnavailable:
    return SourceUnavailable("汇总发布库暂不可用，请稍后再试", reason="DOWN", source="hub")
