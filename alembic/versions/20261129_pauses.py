"""停机, 延期, 告知: outages of sources, extensions of work orders, and what a decision says.

Revision ID: pauses
Revises: comparisons

Safe with the previous release running? Yes: a table it does not know, columns it leaves empty.
Reversible? Yes: outages, extensions, parts of nodes and when applicants were told are lost.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision: str = "pauses"
down_revision: str | None = "comparisons"
branch_labels: str | None = None
depends_on: str | None = None

# Compared by byte in both databases (authorisation 3).
BYTES = sa.String(length=64, collation="C").with_variant(sa.String(length=64), "sqlite")
AT = sa.DateTime(timezone=True)
OPEN = sa.text("ended_at IS NULL")
ADDED = {
    "case_file": (
        *(("decided_at", AT), ("notified_at", AT), ("delivered_at", AT)),
        *(("deliberated_at", AT), ("expected_on", sa.Date())),
    ),
    "case_event": (("channel", sa.String(8)), ("expected_on", sa.Date())),
    "work_order": (
        *(("part", sa.String(16)), ("extended_at", AT), ("extended_by", sa.String(64))),
        ("extension_reason", sa.Text()),
    ),
    "timeout_event": (("part", sa.String(16)),),
}
"""Table -> new columns, all of which may be empty."""


def upgrade() -> None:
    """One table, and columns beside those that are there."""
    for table, columns in ADDED.items():
        for name, kind in columns:
            op.add_column(table, sa.Column(name, kind, nullable=True))
    op.create_table(
        "source_outage",
        sa.Column("id", BYTES, nullable=False),
        sa.Column("source", BYTES, nullable=False),
        sa.Column("announced", sa.Boolean(), nullable=False),
        sa.Column("started_at", AT, nullable=False),
        sa.Column("ended_at", AT, nullable=True),
        sa.Column("reason", sa.String(16), nullable=False),
        sa.Column("seen_by", sa.String(64), nullable=False),
        sa.Column("ended_by", sa.String(64), nullable=True),
        sa.Column("asked_at", AT, nullable=False),
        sa.Column("swept_to", BYTES, nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_source_outage")),
    )
    op.create_index("ix_source_outage_started", "source_outage", ["source", "started_at"])
    op.create_index(
        *("uq_source_outage_open", "source_outage", ["source"]),
        unique=True,
        postgresql_where=OPEN,
        sqlite_where=OPEN,
    )


def downgrade() -> None:
    """Without them."""
    op.drop_table("source_outage")
    for table, columns in ADDED.items():
        for name, _ in columns:
            op.drop_column(table, name)
