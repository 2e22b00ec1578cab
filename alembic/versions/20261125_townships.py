"""A township's rows in the order of its lists.

Revision ID: townships
Revises: start

Safe with the previous release running? Yes: it does not compare the first nine digits, and
keeps using the other indexes.
Reversible? Yes, `downgrade` drops four indexes.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision: str = "townships"
down_revision: str | None = "start"
branch_labels: str | None = None
depends_on: str | None = None

TOWNSHIP = "substr(region_path, 1, 9)"
ORDERS = {
    "citizen": "region_path",
    "household": "region_path",
    "case_file": "filed_at",
    "supervision_order": "issued_at",
}


def upgrade() -> None:
    """One index a list."""
    for table, column in ORDERS.items():
        op.create_index(f"ix_{table}_township", table, [sa.text(TOWNSHIP), column, "id"])


def downgrade() -> None:
    """Back to the shape before."""
    for table in ORDERS:
        op.drop_index(f"ix_{table}_township", table_name=table)
