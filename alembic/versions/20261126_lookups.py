"""Look-ups of persons, counted per account and minute.

Revision ID: lookups
Revises: bodies_lz4

Safe with the previous release running? Yes: it does not know the table, and counts nothing.
Reversible? Yes: an hour of counting is forgotten.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision: str = "lookups"
down_revision: str | None = "bodies_lz4"
branch_labels: str | None = None
depends_on: str | None = None

# Compared by byte in both databases (authorisation 3).
BYTES = sa.String(length=64, collation="C").with_variant(sa.String(length=64), "sqlite")


def upgrade() -> None:
    """One small table."""
    op.create_table(
        "lookup_use",
        sa.Column("principal_id", BYTES, nullable=False),
        sa.Column("minute", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("tried", sa.Integer(), nullable=False),
        sa.Column("missed", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("principal_id", "minute", name=op.f("pk_lookup_use")),
    )


def downgrade() -> None:
    """Back to the shape before."""
    op.drop_table("lookup_use")
