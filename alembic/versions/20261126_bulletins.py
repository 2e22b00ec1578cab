"""Monthly bulletins and quarterly rankings, frozen, with what a bulletin was made from.

Revision ID: bulletins
Revises: prints

Safe with the previous release running? Yes: it knows none of the tables.
Reversible? Yes, but every bulletin and ranking is lost: print them first (``hub bulletin show``).
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision: str = "bulletins"
down_revision: str | None = "prints"
branch_labels: str | None = None
depends_on: str | None = None

# Compared by byte in both databases (authorisation 3).
BYTES = sa.String(length=64, collation="C").with_variant(sa.String(length=64), "sqlite")
LONG = sa.String(length=96, collation="C").with_variant(sa.String(length=96), "sqlite")

# A frozen bulletin is never changed (domain 1.1).
TABLES = (
    "monthly_bulletin",
    "bulletin_input",
    "bulletin_figure",
    "quarterly_ranking",
    "ranking_place",
)
REFUSAL = "frozen bulletins are never changed"
SQLITE_TRIGGER = (
    "CREATE TRIGGER {table}_no_{deed} BEFORE {DEED} ON {table} "
    "BEGIN SELECT RAISE(ABORT, '{refusal}'); END"
)
POSTGRES_FUNCTION = (
    "CREATE FUNCTION bulletin_refuse() RETURNS trigger LANGUAGE plpgsql AS "
    f"$$ BEGIN RAISE EXCEPTION '{REFUSAL}'; END $$"
)
POSTGRES_TRIGGERS = (
    "CREATE TRIGGER {table}_no_change BEFORE UPDATE OR DELETE ON {table} "
    "FOR EACH ROW EXECUTE FUNCTION bulletin_refuse()",
    "CREATE TRIGGER {table}_no_truncate BEFORE TRUNCATE ON {table} "
    "FOR EACH STATEMENT EXECUTE FUNCTION bulletin_refuse()",
)


def upgrade() -> None:
    """The tables, then what keeps them as they are."""
    _bulletins()
    _rankings()
    for statement in _triggers(op.get_bind().dialect.name):
        op.execute(statement)


def downgrade() -> None:
    """Back to the shape before; a table's triggers go with it."""
    for table in reversed(TABLES):
        op.drop_table(table)
    if op.get_bind().dialect.name == "postgresql":
        op.execute("DROP FUNCTION bulletin_refuse()")


def _triggers(dialect: str) -> list[str]:
    if dialect == "sqlite":
        return [
            SQLITE_TRIGGER.format(table=table, deed=deed, DEED=deed.upper(), refusal=REFUSAL)
            for table in TABLES
            for deed in ("update", "delete")
        ]
    made = [one.format(table=table) for table in TABLES for one in POSTGRES_TRIGGERS]
    return [POSTGRES_FUNCTION, *made]


def _bulletins() -> None:
    op.create_table(
        "monthly_bulletin",
        sa.Column("month", BYTES, nullable=False),
        sa.Column("frozen_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("frozen_by", BYTES, nullable=False),
        sa.Column("edition", BYTES, nullable=False),
        sa.Column("sha256", BYTES, nullable=False),
        sa.Column("inputs_sha256", BYTES, nullable=False),
        sa.Column("parameters", sa.Text(), nullable=False),
        sa.Column("document", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("month", name=op.f("pk_monthly_bulletin")),
    )
    op.create_table(
        "bulletin_input",
        sa.Column("month", BYTES, nullable=False),
        sa.Column("seq", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("line", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(
            ["month"], ["monthly_bulletin.month"], name=op.f("fk_bulletin_input_month")
        ),
        sa.PrimaryKeyConstraint("month", "seq", name=op.f("pk_bulletin_input")),
    )
    op.create_table(
        "bulletin_figure",
        sa.Column("id", LONG, nullable=False),
        sa.Column("month", BYTES, nullable=False),
        sa.Column("kind", sa.String(length=12), nullable=False),
        sa.Column("code", BYTES, nullable=False),
        sa.Column("figure", BYTES, nullable=False),
        sa.Column("value", sa.String(length=24), nullable=True),
        sa.Column("absent", sa.String(length=16), nullable=True),
        sa.ForeignKeyConstraint(
            ["month"], ["monthly_bulletin.month"], name=op.f("fk_bulletin_figure_month")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_bulletin_figure")),
    )
    op.create_index(op.f("ix_bulletin_figure_month"), "bulletin_figure", ["month"])


def _rankings() -> None:
    op.create_table(
        "quarterly_ranking",
        sa.Column("quarter", BYTES, nullable=False),
        sa.Column("ranked_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("ranked_by", BYTES, nullable=False),
        sa.Column("edition", BYTES, nullable=False),
        sa.Column("sha256", BYTES, nullable=False),
        sa.Column("document", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("quarter", name=op.f("pk_quarterly_ranking")),
    )
    op.create_table(
        "ranking_place",
        sa.Column("id", LONG, nullable=False),
        sa.Column("quarter", BYTES, nullable=False),
        sa.Column("kind", sa.String(length=12), nullable=False),
        sa.Column("code", BYTES, nullable=False),
        sa.Column("cases", sa.Integer(), nullable=False),
        sa.Column("rank", sa.Integer(), nullable=True),
        sa.Column("score", sa.String(length=24), nullable=True),
        sa.Column("list", sa.String(length=8), nullable=True),
        sa.Column("reason", sa.String(length=16), nullable=True),
        sa.Column("missing", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(
            ["quarter"], ["quarterly_ranking.quarter"], name=op.f("fk_ranking_place_quarter")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_ranking_place")),
    )
    op.create_index(op.f("ix_ranking_place_quarter"), "ranking_place", ["quarter"])
