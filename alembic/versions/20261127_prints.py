"""Prints: what was printed, frozen, and the count of numbers within a year.

Revision ID: prints
Revises: supervision

Safe with the previous release running? Yes: it knows neither table and prints nothing.
Reversible? Only by losing every print: papers that were handed out could no longer be verified.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision: str = "prints"
down_revision: str | None = "supervision"
branch_labels: str | None = None
depends_on: str | None = None

# Compared by byte in both databases (authorisation 3).
BYTES = sa.String(length=64, collation="C").with_variant(sa.String(length=64), "sqlite")
PATH = sa.String(length=12, collation="C").with_variant(sa.String(length=12), "sqlite")
REFUSAL = "prints are never changed"
FUNCTION = (
    "CREATE FUNCTION prints_refuse() RETURNS trigger LANGUAGE plpgsql AS "
    f"$$ BEGIN RAISE EXCEPTION '{REFUSAL}'; END $$"
)


def upgrade() -> None:
    """Two tables, and the triggers of the one that is frozen."""
    op.create_table(
        "printed_record",
        sa.Column("number", BYTES, nullable=False),
        sa.Column("code", BYTES, nullable=False),
        sa.Column("kind", sa.String(length=16), nullable=False),
        sa.Column("subject", BYTES, nullable=False),
        sa.Column("template", sa.String(length=32), nullable=False),
        sa.Column("content", sa.Text(), nullable=False),
        sa.Column("sha256", sa.String(length=64), nullable=False),
        sa.Column("printed_at", sa.BigInteger(), nullable=False),
        sa.Column("account", BYTES, nullable=False),
        sa.Column("dept", BYTES, nullable=False),
        sa.Column("role", sa.String(length=32), nullable=False),
        sa.Column("area", PATH, nullable=False),
        sa.Column("issuer", sa.String(length=128), nullable=False),
        sa.Column("address", sa.String(length=400), nullable=False),
        sa.Column("audit_idx", sa.BigInteger(), nullable=False),
        sa.CheckConstraint("length(sha256) = 64", name=op.f("ck_printed_record_sha256")),
        sa.PrimaryKeyConstraint("number", name=op.f("pk_printed_record")),
        sa.UniqueConstraint("code", name=op.f("uq_printed_record_code")),
    )
    op.create_index("ix_printed_record_subject", "printed_record", ["subject", "printed_at"])
    op.create_table(
        "print_count",
        sa.Column("year", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("last", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("year", name=op.f("pk_print_count")),
    )
    connection = op.get_bind()
    if connection.dialect.name == "sqlite":
        for deed in ("update", "delete"):
            connection.exec_driver_sql(
                f"CREATE TRIGGER printed_record_no_{deed} BEFORE {deed.upper()} ON printed_record "
                f"BEGIN SELECT RAISE(ABORT, '{REFUSAL}'); END"
            )
        return
    connection.exec_driver_sql(FUNCTION)
    connection.exec_driver_sql(
        "CREATE TRIGGER printed_record_no_change BEFORE UPDATE OR DELETE ON printed_record "
        "FOR EACH ROW EXECUTE FUNCTION prints_refuse()"
    )
    connection.exec_driver_sql(
        "CREATE TRIGGER printed_record_no_truncate BEFORE TRUNCATE ON printed_record "
        "FOR EACH STATEMENT EXECUTE FUNCTION prints_refuse()"
    )


def downgrade() -> None:
    """Back to the shape before."""
    connection = op.get_bind()
    if connection.dialect.name != "sqlite":
        connection.exec_driver_sql("DROP TRIGGER printed_record_no_truncate ON printed_record")
        connection.exec_driver_sql("DROP TRIGGER printed_record_no_change ON printed_record")
        connection.exec_driver_sql("DROP FUNCTION prints_refuse()")
    else:
        for deed in ("update", "delete"):
            connection.exec_driver_sql(f"DROP TRIGGER printed_record_no_{deed}")
    op.drop_table("print_count")
    op.drop_table("printed_record")
