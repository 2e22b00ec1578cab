"""Cases are changed: their flow and version, what was done by an event, receipts and numbers.

Revision ID: casework
Revises: rates

Safe with the previous release running? Yes: it reads none of this; what it writes by hand has the
first version and needs its flow, which SQLite and PostgreSQL take from the default.
Reversible? Yes: texts of events, receipts and the last numbers are lost.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision: str = "casework"
down_revision: str | None = "rates"
branch_labels: str | None = None
depends_on: str | None = None

# Compared by byte in both databases (authorisation 3).
BYTES = sa.String(length=64, collation="C").with_variant(sa.String(length=64), "sqlite")
AT = sa.DateTime(timezone=True)
PROXY = (("proxy_id", None), ("proxy_relation", 32), ("consent_no", 64), ("clue_no", 64))
FLOWS = {
    "F2": ("DROPOUT_PREVENTION", "WATER_SAFETY"),
    "F3": (
        *("JOB_SEEKING", "TRAINING_SEEKING", "CHRONIC_CARE"),
        *("SERIOUS_ILLNESS_TREATMENT", "APPOINTMENT", "MEDICATION_SERVICE"),
    ),
    "F4": ("INSURANCE_ENROLMENT", "OFFSITE_REIMBURSEMENT", "SERIOUS_ILLNESS_AID"),
}
"""Flows of items until today; all others had F1, which an urgent case would have to be given."""


def upgrade() -> None:
    """Columns of cases and events, two small tables."""
    # The flow has a default until the rows have theirs.
    op.add_column(
        "case_file", sa.Column("flow", sa.String(12), nullable=False, server_default="F1")
    )
    op.add_column(
        "case_file", sa.Column("version", sa.Integer(), nullable=False, server_default="1")
    )
    for column, size in PROXY:
        kind = BYTES if size is None else sa.String(size)
        op.add_column("case_file", sa.Column(column, kind, nullable=True))
    cases = sa.table("case_file", sa.column("flow"), sa.column("item"))
    for flow, items in FLOWS.items():
        op.execute(cases.update().where(cases.c.item.in_(items)).values(flow=flow))
    op.add_column("case_event", sa.Column("act", sa.String(16), nullable=True))
    op.add_column("case_event", sa.Column("note", sa.Text(), nullable=True))
    op.create_table(
        "deed_receipt",
        sa.Column("principal_id", BYTES, nullable=False),
        sa.Column("key", sa.String(80), nullable=False),
        sa.Column("digest", sa.String(64), nullable=False),
        sa.Column("at", AT, nullable=False),
        sa.Column("done", sa.Text(), nullable=True),
        sa.PrimaryKeyConstraint("principal_id", "key", name=op.f("pk_deed_receipt")),
    )
    op.create_index(op.f("ix_deed_receipt_at"), "deed_receipt", ["at"])
    op.create_table(
        "number_range",
        sa.Column("kind", sa.String(16), nullable=False),
        sa.Column("year", sa.Integer(), nullable=False),
        sa.Column("last", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("kind", "year", name=op.f("pk_number_range")),
    )


def downgrade() -> None:
    """Back to the shape before."""
    op.drop_table("number_range")
    op.drop_table("deed_receipt")
    for table, column in (
        *(("case_file", column) for column, _ in reversed(PROXY)),
        ("case_event", "note"),
        ("case_event", "act"),
        ("case_file", "version"),
        ("case_file", "flow"),
    ):
        op.drop_column(table, column)
