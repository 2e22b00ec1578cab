"""Published counts: the leading group's rules, and the tables of each period.

Revision ID: tallies
Revises: townships

Safe with the previous release running? Yes: it knows neither table.
Reversible? Yes, and `downgrade` drops the publications: the next asker's would differ from them.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision: str = "tallies"
down_revision: str | None = "townships"
branch_labels: str | None = None
depends_on: str | None = None

# Compared by byte in both databases (authorisation 3).
BYTES = sa.String(length=64, collation="C").with_variant(sa.String(length=64), "sqlite")

# A service item or its department tells of health, disability or income.
STRICT, USUAL = 10, 5
PROPOSED = "待领导小组确认"
RULES = (("*", USUAL), ("DEPARTMENT", STRICT), ("ITEM", STRICT))


def upgrade() -> None:
    """Two tables, and the proposed rules of the cube `case`."""
    rule = _tally_rule()
    _tally_publication()
    proposed = {"cube": "case", "round_to": 5, "publish_period": "MONTH"}
    marked = {"confirmed": False, "basis": PROPOSED}
    op.bulk_insert(
        rule, [proposed | marked | {"dimension": d, "min_cell": smallest} for d, smallest in RULES]
    )


def downgrade() -> None:
    """Back to the shape before."""
    op.drop_table("tally_publication")
    op.drop_table("tally_rule")


def _tally_rule() -> sa.Table:
    return op.create_table(
        "tally_rule",
        sa.Column("cube", BYTES, nullable=False),
        sa.Column("dimension", BYTES, nullable=False),
        sa.Column("min_cell", sa.Integer(), nullable=False),
        sa.Column("round_to", sa.Integer(), nullable=False),
        sa.Column("publish_period", sa.String(length=8), nullable=False),
        sa.Column("confirmed", sa.Boolean(), nullable=False),
        sa.Column("basis", sa.String(length=200), nullable=False),
        sa.CheckConstraint("min_cell >= 1", name=op.f("ck_tally_rule_min_cell")),
        sa.CheckConstraint("round_to >= 1", name=op.f("ck_tally_rule_round_to")),
        sa.CheckConstraint(
            "publish_period IN ('MONTH', 'QUARTER', 'YEAR')",
            name=op.f("ck_tally_rule_publish_period"),
        ),
        sa.PrimaryKeyConstraint("cube", "dimension", name=op.f("pk_tally_rule")),
    )


def _tally_publication() -> None:
    op.create_table(
        "tally_publication",
        sa.Column("cube", BYTES, nullable=False),
        sa.Column("period", BYTES, nullable=False),
        sa.Column("dimensions", BYTES, nullable=False),
        sa.Column("made_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("policy", sa.Integer(), nullable=False),
        sa.Column("cells", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("cube", "period", "dimensions", name=op.f("pk_tally_publication")),
    )
