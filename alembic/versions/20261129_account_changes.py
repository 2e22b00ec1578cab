"""账号变更 with their events, security trainings, staffing rows; an account knows its person.

Revision ID: account_changes
Revises: correction_overdue

Safe with the previous release running? Yes: it knows none of these tables and writes no person.
Reversible? Yes: changes, events, trainings and the persons of accounts are lost.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision: str = "account_changes"
down_revision: str | None = "correction_overdue"
branch_labels: str | None = None
depends_on: str | None = None

# Compared by byte in both databases (authorisation 3).
BYTES = sa.String(length=64, collation="C").with_variant(sa.String(length=64), "sqlite")
PATH = sa.String(length=12, collation="C").with_variant(sa.String(length=12), "sqlite")
PATH_SHAPE = "length(region_path) IN (6, 9, 12) AND substr(region_path, 1, 6) = '532622'"
TOWNSHIP = sa.text("substr(region_path, 1, 9)")
AT = sa.DateTime(timezone=True)
REFUSAL = "what was done about an account stays recorded"
FROZEN = ("account_change_event", "training_record")


def upgrade() -> None:
    """Four tables, two of them only ever added to, and one column."""
    op.add_column("principal", sa.Column("person_uid", BYTES, nullable=True))
    _unique_while("uq_principal_person", "principal", "person_uid", "state <> 'closed'")
    op.create_table(
        "account_change",
        sa.Column("id", BYTES, nullable=False),
        sa.Column("change_no", BYTES, nullable=False),
        sa.Column("kind", sa.String(8), nullable=False),
        sa.Column("route", sa.String(12), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("state", sa.String(24), nullable=False),
        sa.Column("account", BYTES, nullable=False),
        sa.Column("real_name", sa.String(64), nullable=False),
        sa.Column("person_uid", BYTES, nullable=True),
        sa.Column("employment", sa.String(16), nullable=False),
        sa.Column("old_posts", sa.Text(), nullable=False),
        sa.Column("new_dept", BYTES, nullable=True),
        sa.Column("new_role", sa.String(32), nullable=True),
        sa.Column("new_path", PATH, nullable=True),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("filed_by", BYTES, nullable=False),
        sa.Column("approved_by", BYTES, nullable=True),
        sa.Column("document_no", sa.String(64), nullable=True),
        sa.Column("filed_at", AT, nullable=False),
        sa.Column("approved_at", AT, nullable=True),
        sa.Column("handed_over_at", AT, nullable=True),
        sa.Column("effective_at", AT, nullable=True),
        *_place("account_change"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_account_change")),
        sa.UniqueConstraint("change_no", name=op.f("uq_account_change_change_no")),
    )
    running = "effective_at IS NULL"
    _unique_while("uq_account_change_running", "account_change", "account", running)
    op.create_index("ix_account_change_filed", "account_change", ["filed_at", "id"])
    op.create_index("ix_account_change_township", "account_change", [TOWNSHIP, "filed_at", "id"])
    op.create_table(
        "account_change_event",
        sa.Column("id", BYTES, nullable=False),
        sa.Column("account_change_id", BYTES, nullable=False),
        sa.Column("seq", sa.Integer(), nullable=False),
        sa.Column("state", sa.String(24), nullable=False),
        sa.Column("act", sa.String(16), nullable=True),
        sa.Column("at", AT, nullable=False),
        sa.Column("post", sa.String(64), nullable=False),
        sa.Column("by_account", BYTES, nullable=False),
        sa.Column("note", sa.Text(), nullable=True),
        sa.Column("person_uid", BYTES, nullable=True),
        *_place("account_change_event"),
        sa.ForeignKeyConstraint(
            ["account_change_id"],
            ["account_change.id"],
            name=op.f("fk_account_change_event_account_change_id"),
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_account_change_event")),
    )
    op.create_index(
        "ix_account_change_event_change",
        "account_change_event",
        ["account_change_id", "at", "id"],
    )
    op.create_table(
        "training_record",
        sa.Column("id", BYTES, nullable=False),
        sa.Column("account", BYTES, nullable=False),
        sa.Column("held_on", sa.Date(), nullable=False),
        sa.Column("subject", sa.String(200), nullable=False),
        sa.Column("recorded_at", AT, nullable=False),
        sa.Column("post", sa.String(64), nullable=False),
        sa.Column("by_account", BYTES, nullable=False),
        *_place("training_record"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_training_record")),
    )
    training = "training_record"
    op.create_index("ix_training_record_account", training, ["account", "recorded_at", "id"])
    op.create_index("ix_training_record_recorded", training, ["recorded_at", "id"])
    op.create_table(
        "staffing",
        sa.Column("department", BYTES, nullable=False),
        sa.Column("level", sa.String(12), nullable=False),
        sa.Column("since", sa.Date(), nullable=False),
        sa.Column("until", sa.Date(), nullable=False),
        sa.Column("accounts", sa.Integer(), nullable=False),
        sa.Column("legal_basis", sa.String(200), nullable=False),
        sa.PrimaryKeyConstraint("department", "level", "since", name=op.f("pk_staffing")),
    )
    _freeze()


def downgrade() -> None:
    """Back to the shape before."""
    _unfreeze()
    for table in ("staffing", "training_record", "account_change_event", "account_change"):
        op.drop_table(table)
    op.drop_index("uq_principal_person", "principal")
    op.drop_column("principal", "person_uid")


def _place(table: str) -> list[sa.schema.SchemaItem]:
    """Whose row it is and where it lies."""
    return [
        sa.Column("department", BYTES, nullable=False),
        sa.Column("region_path", PATH, nullable=False),
        sa.CheckConstraint(PATH_SHAPE, name=op.f(f"ck_{table}_region_path")),
    ]


def _unique_while(name: str, table: str, column: str, condition: str) -> None:
    where = sa.text(condition)
    op.create_index(name, table, [column], unique=True, sqlite_where=where, postgresql_where=where)


def _freeze() -> None:
    connection = op.get_bind()
    if connection.dialect.name == "sqlite":
        for table in FROZEN:
            for deed in ("update", "delete"):
                connection.exec_driver_sql(
                    f"CREATE TRIGGER {table}_no_{deed} BEFORE {deed.upper()} ON {table} "
                    f"BEGIN SELECT RAISE(ABORT, '{REFUSAL}'); END"
                )
        return
    connection.exec_driver_sql(
        "CREATE FUNCTION account_change_refuse() RETURNS trigger LANGUAGE plpgsql AS "
        f"$$ BEGIN RAISE EXCEPTION '{REFUSAL}'; END $$"
    )
    for table in FROZEN:
        connection.exec_driver_sql(
            f"CREATE TRIGGER {table}_no_change BEFORE UPDATE OR DELETE ON {table} "
            "FOR EACH ROW EXECUTE FUNCTION account_change_refuse()"
        )
        connection.exec_driver_sql(
            f"CREATE TRIGGER {table}_no_truncate BEFORE TRUNCATE ON {table} "
            "FOR EACH STATEMENT EXECUTE FUNCTION account_change_refuse()"
        )


def _unfreeze() -> None:
    connection = op.get_bind()
    sqlite = connection.dialect.name == "sqlite"
    for table in FROZEN:
        for what in ("update", "delete") if sqlite else ("change", "truncate"):
            on = "" if sqlite else f" ON {table}"
            connection.exec_driver_sql(f"DROP TRIGGER {table}_no_{what}{on}")
    if not sqlite:
        connection.exec_driver_sql("DROP FUNCTION account_change_refuse()")
