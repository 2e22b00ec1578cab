"""校核: whether it was late, which is recorded by itself.

Revision ID: correction_overdue
Revises: sharing_requests

Safe with the previous release running? Yes: it does not know the column, which has a default.
Reversible? Yes: what was late is lost.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision: str = "correction_overdue"
down_revision: str | None = "sharing_requests"
branch_labels: str | None = None
depends_on: str | None = None


def upgrade() -> None:
    """One column."""
    op.add_column(
        "correction",
        sa.Column("overdue", sa.Boolean(), nullable=False, server_default=sa.false()),
    )


def downgrade() -> None:
    """Back to the shape before."""
    op.drop_column("correction", "overdue")
