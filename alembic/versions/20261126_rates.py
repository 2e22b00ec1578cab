"""Requests of an account within a minute, handed out to workers in shares.

Revision ID: rates
Revises: changes

Safe with the previous release running? Yes: it does not know the table, and counts nothing; while
both run, its requests are not in the minute's count.
Reversible? Yes: a minute's count is forgotten.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision: str = "rates"
down_revision: str | None = "changes"
branch_labels: str | None = None
depends_on: str | None = None

# Compared by byte in both databases (authorisation 3).
BYTES = sa.String(length=64, collation="C").with_variant(sa.String(length=64), "sqlite")


def upgrade() -> None:
    """One small table."""
    op.create_table(
        "rate_use",
        sa.Column("principal_id", BYTES, nullable=False),
        sa.Column("minute", sa.Integer(), nullable=False),
        sa.Column("taken", sa.Integer(), nullable=False),
        sa.Column("share", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("principal_id", name=op.f("pk_rate_use")),
    )


def downgrade() -> None:
    """Back to the shape before."""
    op.drop_table("rate_use")
