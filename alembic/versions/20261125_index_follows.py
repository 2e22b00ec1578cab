"""The subject index follows the log: a cursor says how far it has come.

Revision ID: index_follows
Revises: tallies

Safe with the previous release running? No: it writes index rows of its own, which the
follower would meet again. Stop it, upgrade, start the new one.
Reversible? Stop the hub first: that brings the index up to date, as the previous release
expects it. Bodies of more than 32 subjects stay in a form that release cannot verify.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision: str = "index_follows"
down_revision: str | None = "tallies"
branch_labels: str | None = None
depends_on: str | None = None


def upgrade() -> None:
    """The cursor stands where the previous release's index ends: at the end of the log."""
    op.create_table(
        "audit_index",
        sa.Column("id", sa.SmallInteger(), autoincrement=False, nullable=False),
        sa.Column("next_idx", sa.BigInteger(), nullable=False),
        sa.CheckConstraint("id = 1", name=op.f("ck_audit_index_one_row")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_audit_index")),
    )
    op.execute("INSERT INTO audit_index (id, next_idx) SELECT 1, size FROM audit_head")


def downgrade() -> None:
    """The index is part of every append again."""
    op.drop_table("audit_index")
