"""Changes of cases, case events and supervision orders are noted, for those who subscribe to them.

Revision ID: changes
Revises: trusted_documents

Safe with the previous release running? Yes: what it writes is noted, too; it reads nothing of it.
Reversible? Yes: nobody is told of changes any more.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision: str = "changes"
down_revision: str | None = "trusted_documents"
branch_labels: str | None = None
depends_on: str | None = None

# Compared by byte in both databases (authorisation 3).
BYTES = sa.String(length=64, collation="C").with_variant(sa.String(length=64), "sqlite")
SEQ = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
NOTED = (
    ("case", "case_file", ("insert", "update", "delete")),
    ("case_event", "case_event", ("insert",)),
    ("supervision_order", "supervision_order", ("insert", "update")),
)
FUNCTION = (
    "CREATE FUNCTION hub_changed() RETURNS trigger LANGUAGE plpgsql "
    "SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$ "
    "DECLARE changed_id text := CASE WHEN TG_OP = 'DELETE' THEN OLD.id ELSE NEW.id END; "
    "BEGIN PERFORM pg_advisory_xact_lock(532622000034); "
    "EXECUTE format('INSERT INTO %I.change (dataset, row_id, second) VALUES ($1, $2, $3)', "
    "TG_TABLE_SCHEMA) USING TG_ARGV[0], changed_id, "
    "floor(extract(epoch FROM clock_timestamp()))::bigint; "
    "PERFORM pg_notify('hub_change', ''); RETURN NULL; END $$"
)


def upgrade() -> None:
    """One small table, and the triggers that fill it."""
    op.create_table(
        "change",
        sa.Column("seq", SEQ, nullable=False),
        sa.Column("dataset", BYTES, nullable=False),
        sa.Column("row_id", BYTES, nullable=False),
        sa.Column("second", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("seq", name=op.f("pk_change")),
    )
    connection = op.get_bind()
    sqlite = connection.dialect.name == "sqlite"
    if not sqlite:
        connection.exec_driver_sql(FUNCTION)
    for dataset, table, deeds in NOTED:
        if not sqlite:
            connection.exec_driver_sql(
                f"CREATE CONSTRAINT TRIGGER {table}_noted AFTER {' OR '.join(deeds).upper()} "
                f"ON {table} DEFERRABLE INITIALLY DEFERRED FOR EACH ROW "
                f"EXECUTE FUNCTION hub_changed('{dataset}')"
            )
            continue
        for deed in deeds:
            row = "OLD" if deed == "delete" else "NEW"
            connection.exec_driver_sql(
                f"CREATE TRIGGER {table}_noted_{deed} AFTER {deed.upper()} ON {table} BEGIN "  # noqa: S608  our own words
                "INSERT INTO change (dataset, row_id, second) VALUES "
                f"('{dataset}', {row}.id, CAST(strftime('%s', 'now') AS INTEGER)); END"
            )


def downgrade() -> None:
    """Back to the shape before."""
    connection = op.get_bind()
    sqlite = connection.dialect.name == "sqlite"
    for _, table, deeds in NOTED:
        for deed in deeds if sqlite else ("",):
            name = f"{table}_noted_{deed}" if sqlite else f"{table}_noted ON {table}"
            connection.exec_driver_sql(f"DROP TRIGGER {name}")
    if not sqlite:
        connection.exec_driver_sql("DROP FUNCTION hub_changed()")
    op.drop_table("change")
