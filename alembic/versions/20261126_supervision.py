"""Orders are changed: version, node, send-backs, result and report, events; jobs take turns.

Revision ID: supervision
Revises: casework

Safe with the previous release running? Yes: it reads none of this.
Reversible? Yes: texts and events of orders are lost, and when jobs last ran.
"""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa
from alembic import op

revision: str = "supervision"
down_revision: str | None = "casework"
branch_labels: str | None = None
depends_on: str | None = None

# Compared by byte in both databases (authorisation 3).
BYTES = sa.String(length=64, collation="C").with_variant(sa.String(length=64), "sqlite")
PATH = sa.String(length=12, collation="C").with_variant(sa.String(length=12), "sqlite")
PATH_SHAPE = "length(region_path) IN (6, 9, 12) AND substr(region_path, 1, 6) = '532622'"
AT = sa.DateTime(timezone=True)


def upgrade() -> None:
    """Columns of orders, their events, the table of jobs."""
    for column in _columns():
        op.add_column("supervision_order", column)
    op.create_table(
        "supervision_event",
        sa.Column("id", BYTES, nullable=False),
        sa.Column("order_id", BYTES, nullable=False),
        sa.Column("seq", sa.Integer(), nullable=False),
        sa.Column("act", sa.String(16), nullable=False),
        sa.Column("state", sa.String(16), nullable=False),
        sa.Column("at", AT, nullable=False),
        sa.Column("post", sa.String(64), nullable=False),
        sa.Column("note", sa.Text(), nullable=True),
        sa.Column("applicant_uid", BYTES, nullable=False),
        sa.Column("household_id", BYTES, nullable=True),
        sa.Column("region_path", PATH, nullable=False),
        sa.Column("handling_dept", BYTES, nullable=False),
        sa.CheckConstraint(PATH_SHAPE, name=op.f("ck_supervision_event_region_path")),
        sa.ForeignKeyConstraint(
            ["order_id"], ["supervision_order.id"], name=op.f("fk_supervision_event_order_id")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_supervision_event")),
    )
    op.create_index("ix_supervision_event_order", "supervision_event", ["order_id", "seq"])
    op.create_table(
        "job",
        sa.Column("name", BYTES, nullable=False),
        sa.Column("holder", sa.String(64), nullable=True),
        sa.Column("until", AT, nullable=True),
        sa.Column("finished_at", AT, nullable=True),
        sa.Column("done", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("name", name=op.f("pk_job")),
    )


def downgrade() -> None:
    """Back to the shape before."""
    op.drop_table("job")
    op.drop_table("supervision_event")
    for column in reversed(_columns()):
        op.drop_column("supervision_order", column.name)


def _columns() -> tuple[sa.Column[Any], ...]:
    return (
        sa.Column("version", sa.Integer(), nullable=False, server_default="1"),
        sa.Column("node", sa.String(16), nullable=True),
        sa.Column("triggers", sa.Text(), nullable=False, server_default=""),
        sa.Column("send_backs", sa.Integer(), nullable=False, server_default="0"),
        sa.Column("escalated", sa.Boolean(), nullable=False, server_default=sa.false()),
        sa.Column("sent_back_at", AT, nullable=True),
        sa.Column("result", sa.Text(), nullable=True),
        sa.Column("attachments", sa.Text(), nullable=True),
    )
