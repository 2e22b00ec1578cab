"""数据校核: corrections with their events, and who was told of what had been read.

Revision ID: corrections
Revises: complaints

Safe with the previous release running? Yes: it knows none of these tables.
Reversible? Yes: the corrections are lost.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision: str = "corrections"
down_revision: str | None = "complaints"
branch_labels: str | None = None
depends_on: str | None = None

# Compared by byte in both databases (authorisation 3).
BYTES = sa.String(length=64, collation="C").with_variant(sa.String(length=64), "sqlite")
AT = sa.DateTime(timezone=True)
PATH = sa.String(length=12, collation="C").with_variant(sa.String(length=12), "sqlite")
PATH_SHAPE = "length(region_path) IN (6, 9, 12) AND substr(region_path, 1, 6) = '532622'"
TOWNSHIP = sa.text("substr(region_path, 1, 9)")
REFUSAL = "what was done to a correction stays recorded"
FROZEN = ("correction_event", "correction_reader")
STAMPS = ("accepted_at", "flagged_at", "decided_at", "extended_at", "corrected_at")


def upgrade() -> None:
    """Three tables; two of them are only ever added to."""
    op.create_table(
        "correction",
        sa.Column("id", BYTES, nullable=False),
        sa.Column("correction_no", BYTES, nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("state", sa.String(20), nullable=False),
        sa.Column("coordinate", sa.String(96), nullable=False),
        sa.Column("citizen_id", BYTES, nullable=False),
        sa.Column("intake", sa.String(16), nullable=False),
        sa.Column("filed_at", AT, nullable=False),
        sa.Column("accept_due_at", AT, nullable=False),
        sa.Column("due_at", AT, nullable=False),
        *(sa.Column(name, AT, nullable=True) for name in STAMPS),
        sa.Column("source_as_of", sa.Date(), nullable=True),
        sa.Column("notified_at", AT, nullable=True),
        sa.Column("notified_by", sa.String(16), nullable=True),
        sa.Column("closed_at", AT, nullable=True),
        sa.Column("text", sa.Text(), nullable=False),
        sa.Column("finding", sa.Text(), nullable=True),
        *_place(),
        sa.Column("provider", BYTES, nullable=False),
        sa.CheckConstraint(PATH_SHAPE, name=op.f("ck_correction_region_path")),
        sa.ForeignKeyConstraint(
            ["citizen_id"], ["citizen.id"], name=op.f("fk_correction_citizen_id")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_correction")),
        sa.UniqueConstraint("correction_no", name=op.f("uq_correction_correction_no")),
    )
    op.create_index(op.f("ix_correction_state"), "correction", ["state"])
    op.create_index("ix_correction_person", "correction", ["citizen_id", "coordinate"])
    op.create_index("ix_correction_region", "correction", ["region_path", "filed_at", "id"])
    op.create_index("ix_correction_township", "correction", [TOWNSHIP, "filed_at", "id"])
    op.create_index("ix_correction_filed", "correction", ["filed_at", "id"])
    op.create_table(
        "correction_event",
        sa.Column("id", BYTES, nullable=False),
        sa.Column("correction_id", BYTES, nullable=False),
        sa.Column("seq", sa.Integer(), nullable=False),
        sa.Column("state", sa.String(20), nullable=False),
        sa.Column("act", sa.String(16), nullable=True),
        sa.Column("note", sa.Text(), nullable=True),
        sa.Column("at", AT, nullable=False),
        sa.Column("post", sa.String(64), nullable=False),
        *_place(),
        sa.Column("provider", BYTES, nullable=False),
        *_below("correction_event"),
    )
    op.create_index(
        "ix_correction_event_correction", "correction_event", ["correction_id", "at", "id"]
    )
    op.create_table(
        "correction_reader",
        sa.Column("id", BYTES, nullable=False),
        sa.Column("correction_id", BYTES, nullable=False),
        sa.Column("correction_no", BYTES, nullable=False),
        sa.Column("coordinate", sa.String(96), nullable=False),
        sa.Column("citizen_id", BYTES, nullable=False),
        sa.Column("account", BYTES, nullable=False),
        sa.Column("department", BYTES, nullable=False),
        sa.Column("last_read_at", AT, nullable=False),
        sa.Column("told_at", AT, nullable=False),
        *_place(),
        *_below("correction_reader"),
    )
    reader = "correction_reader"
    op.create_index("ix_correction_reader_correction", reader, ["correction_id", "told_at", "id"])
    op.create_index("ix_correction_reader_region", reader, ["region_path", "told_at", "id"])
    op.create_index("ix_correction_reader_township", reader, [TOWNSHIP, "told_at", "id"])
    _freeze()


def downgrade() -> None:
    """Back to the shape before."""
    _unfreeze()
    for table in ("correction_reader", "correction_event", "correction"):
        op.drop_table(table)


def _place() -> list[sa.Column[str]]:
    """Whose row it is and where it lies."""
    return [
        sa.Column("citizen_uid", BYTES, nullable=False),
        sa.Column("household_id", BYTES, nullable=True),
        sa.Column("region_path", PATH, nullable=False),
    ]


def _below(table: str) -> list[sa.Constraint]:
    return [
        sa.CheckConstraint(PATH_SHAPE, name=op.f(f"ck_{table}_region_path")),
        sa.ForeignKeyConstraint(
            ["correction_id"], ["correction.id"], name=op.f(f"fk_{table}_correction_id")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f(f"pk_{table}")),
    ]


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
        "CREATE FUNCTION correction_refuse() RETURNS trigger LANGUAGE plpgsql AS "
        f"$$ BEGIN RAISE EXCEPTION '{REFUSAL}'; END $$"
    )
    for table in FROZEN:
        connection.exec_driver_sql(
            f"CREATE TRIGGER {table}_no_change BEFORE UPDATE OR DELETE ON {table} "
            "FOR EACH ROW EXECUTE FUNCTION correction_refuse()"
        )
        connection.exec_driver_sql(
            f"CREATE TRIGGER {table}_no_truncate BEFORE TRUNCATE ON {table} "
            "FOR EACH STATEMENT EXECUTE FUNCTION correction_refuse()"
        )


def _unfreeze() -> None:
    connection = op.get_bind()
    sqlite = connection.dialect.name == "sqlite"
    for table in FROZEN:
        for what in ("update", "delete") if sqlite else ("change", "truncate"):
            on = "" if sqlite else f" ON {table}"
            connection.exec_driver_sql(f"DROP TRIGGER {table}_no_{what}{on}")
    if not sqlite:
        connection.exec_driver_sql("DROP FUNCTION correction_refuse()")
