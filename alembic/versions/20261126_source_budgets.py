"""Calls to departments' systems, counted and paced for all workers.

Revision ID: source_budgets
Revises: audit_evidence

Safe with the previous release running? Yes: it does not know the table, and counts nothing; while
both run, its calls are not in the day's count.
Reversible? Yes: the day's count is forgotten.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision: str = "source_budgets"
down_revision: str | None = "audit_evidence"
branch_labels: str | None = None
depends_on: str | None = None

# Compared by byte in both databases (authorisation 3).
BYTES = sa.String(length=64, collation="C").with_variant(sa.String(length=64), "sqlite")


def upgrade() -> None:
    """One small table."""
    op.create_table(
        "source_budget",
        sa.Column("source", BYTES, nullable=False),
        sa.Column("day", sa.Date(), nullable=False),
        sa.Column("used", sa.Integer(), nullable=False),
        sa.Column("next_at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("source", name=op.f("pk_source_budget")),
    )


def downgrade() -> None:
    """Back to the shape before."""
    op.drop_table("source_budget")
