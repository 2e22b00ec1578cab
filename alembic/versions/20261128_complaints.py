"""Complaints, appeals and objections with their events; spot checks and their items.

Revision ID: complaints
Revises: bulletins

Safe with the previous release running? Yes: it knows none of these tables.
Reversible? Yes: complaints, events and spot checks are lost.
"""

from __future__ import annotations

from collections.abc import Iterator

import sqlalchemy as sa
from alembic import op

revision: str = "complaints"
down_revision: str | None = "bulletins"
branch_labels: str | None = None
depends_on: str | None = None

# Compared by byte in both databases (authorisation 3).
BYTES = sa.String(length=64, collation="C").with_variant(sa.String(length=64), "sqlite")
PATH = sa.String(length=12, collation="C").with_variant(sa.String(length=12), "sqlite")
PATH_SHAPE = "length(region_path) IN (6, 9, 12) AND substr(region_path, 1, 6) = '532622'"
TOWNSHIP = sa.text("substr(region_path, 1, 9)")
AT = sa.DateTime(timezone=True)
FROZEN = (
    ("complaint_event", "complaint_refuse", "what was done about a complaint stays recorded"),
    ("spot_check", "spot_check_refuse", "what was drawn stays drawn"),
)


def upgrade() -> None:
    """Four tables, two of which are never changed."""
    _complaints()
    _complaint_events()
    _spot_checks()
    _spot_check_items()
    for statement in _freezing(op.get_bind().dialect.name):
        op.get_bind().exec_driver_sql(statement)


def downgrade() -> None:
    """Without them, and without what froze two of them."""
    connection = op.get_bind()
    sqlite = connection.dialect.name == "sqlite"
    for table, function, _ in reversed(FROZEN):
        for what in ("update", "delete") if sqlite else ("change", "truncate"):
            on = "" if sqlite else f" ON {table}"
            connection.exec_driver_sql(f"DROP TRIGGER {table}_no_{what}{on}")
        if not sqlite:
            connection.exec_driver_sql(f"DROP FUNCTION {function}()")
    for table in ("spot_check_item", "spot_check", "complaint_event", "complaint"):
        op.drop_table(table)


def _rights() -> list[sa.Column[str]]:
    """Whose row it is and where it lies."""
    return [
        sa.Column("applicant_uid", BYTES, nullable=False),
        sa.Column("household_id", BYTES, nullable=True),
        sa.Column("region_path", PATH, nullable=False),
        sa.Column("handling_dept", BYTES, nullable=False),
    ]


def _complaints() -> None:
    op.create_table(
        "complaint",
        sa.Column("id", BYTES, nullable=False),
        sa.Column("complaint_no", BYTES, nullable=False),
        sa.Column("kind", sa.String(20), nullable=False),
        sa.Column("case_id", BYTES, nullable=True),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("state", sa.String(16), nullable=False),
        sa.Column("outcome", sa.String(12), nullable=True),
        sa.Column("channel", sa.String(8), nullable=True),
        sa.Column("received_at", AT, nullable=False),
        sa.Column("due_at", AT, nullable=True),
        sa.Column("due_confirmed", sa.Boolean(), nullable=False),
        sa.Column("overdue", sa.Boolean(), nullable=False),
        sa.Column("assigned_at", AT, nullable=True),
        sa.Column("answered_at", AT, nullable=True),
        sa.Column("notified_at", AT, nullable=True),
        sa.Column("escalated_at", AT, nullable=True),
        sa.Column("closed_at", AT, nullable=True),
        sa.Column("reopened_at", AT, nullable=True),
        sa.Column("body", sa.Text(), nullable=False),
        sa.Column("answer", sa.Text(), nullable=True),
        sa.Column("applicant_id", BYTES, nullable=False),
        *_rights(),
        sa.CheckConstraint(PATH_SHAPE, name=op.f("ck_complaint_region_path")),
        sa.ForeignKeyConstraint(["case_id"], ["case_file.id"], name=op.f("fk_complaint_case_id")),
        sa.ForeignKeyConstraint(
            ["applicant_id"], ["citizen.id"], name=op.f("fk_complaint_applicant_id")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_complaint")),
        sa.UniqueConstraint("complaint_no", name=op.f("uq_complaint_complaint_no")),
    )
    op.create_index(op.f("ix_complaint_case_id"), "complaint", ["case_id"])
    op.create_index(op.f("ix_complaint_applicant_id"), "complaint", ["applicant_id"])
    op.create_index("ix_complaint_region", "complaint", ["region_path", "received_at", "id"])
    op.create_index("ix_complaint_township", "complaint", [TOWNSHIP, "received_at", "id"])
    op.create_index("ix_complaint_received", "complaint", ["received_at", "id"])


def _complaint_events() -> None:
    op.create_table(
        "complaint_event",
        sa.Column("id", BYTES, nullable=False),
        sa.Column("complaint_id", BYTES, nullable=False),
        sa.Column("seq", sa.Integer(), nullable=False),
        sa.Column("state", sa.String(16), nullable=False),
        sa.Column("act", sa.String(16), nullable=True),
        sa.Column("at", AT, nullable=False),
        sa.Column("post", sa.String(64), nullable=False),
        sa.Column("note", sa.Text(), nullable=True),
        sa.Column("overdue", sa.Boolean(), nullable=False),
        *_rights(),
        sa.CheckConstraint(PATH_SHAPE, name=op.f("ck_complaint_event_region_path")),
        sa.ForeignKeyConstraint(
            ["complaint_id"], ["complaint.id"], name=op.f("fk_complaint_event_complaint_id")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_complaint_event")),
    )
    op.create_index("ix_complaint_event_complaint", "complaint_event", ["complaint_id", "at", "id"])


def _spot_checks() -> None:
    op.create_table(
        "spot_check",
        sa.Column("id", BYTES, nullable=False),
        sa.Column("check_no", BYTES, nullable=False),
        sa.Column("month", sa.String(7), nullable=False),
        sa.Column("department", BYTES, nullable=True),
        sa.Column("area_path", PATH, nullable=True),
        sa.Column("seed", sa.Text(), nullable=False),
        sa.Column("size", sa.Integer(), nullable=False),
        sa.Column("population", sa.Text(), nullable=False),
        sa.Column("population_size", sa.Integer(), nullable=False),
        sa.Column("population_digest", sa.String(64), nullable=False),
        sa.Column("drawn_at", AT, nullable=False),
        sa.Column("post", sa.String(64), nullable=False),
        sa.Column("region_path", PATH, nullable=False),
        sa.CheckConstraint(PATH_SHAPE, name=op.f("ck_spot_check_region_path")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_spot_check")),
        sa.UniqueConstraint("check_no", name=op.f("uq_spot_check_check_no")),
    )
    op.create_index("ix_spot_check_region", "spot_check", ["region_path", "drawn_at", "id"])
    op.create_index("ix_spot_check_township", "spot_check", [TOWNSHIP, "drawn_at", "id"])


def _spot_check_items() -> None:
    op.create_table(
        "spot_check_item",
        sa.Column("id", BYTES, nullable=False),
        sa.Column("item_no", BYTES, nullable=False),
        sa.Column("spot_check_id", BYTES, nullable=False),
        sa.Column("case_id", BYTES, nullable=False),
        sa.Column("seq", sa.Integer(), nullable=False),
        sa.Column("lot", sa.String(64), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("state", sa.String(16), nullable=False),
        sa.Column("in_order", sa.Boolean(), nullable=True),
        sa.Column("drawn_at", AT, nullable=False),
        sa.Column("checked_at", AT, nullable=True),
        sa.Column("due_at", AT, nullable=True),
        sa.Column("due_confirmed", sa.Boolean(), nullable=False),
        sa.Column("overdue", sa.Boolean(), nullable=False),
        sa.Column("rectified_at", AT, nullable=True),
        sa.Column("closed_at", AT, nullable=True),
        sa.Column("finding", sa.Text(), nullable=True),
        sa.Column("demand", sa.Text(), nullable=True),
        sa.Column("root_cause", sa.Text(), nullable=True),
        sa.Column("measure", sa.Text(), nullable=True),
        *_rights(),
        sa.CheckConstraint(PATH_SHAPE, name=op.f("ck_spot_check_item_region_path")),
        sa.ForeignKeyConstraint(
            ["spot_check_id"], ["spot_check.id"], name=op.f("fk_spot_check_item_spot_check_id")
        ),
        sa.ForeignKeyConstraint(
            ["case_id"], ["case_file.id"], name=op.f("fk_spot_check_item_case_id")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_spot_check_item")),
        sa.UniqueConstraint("item_no", name=op.f("uq_spot_check_item_item_no")),
    )
    op.create_index(op.f("ix_spot_check_item_case_id"), "spot_check_item", ["case_id"])
    op.create_index(
        "ix_spot_check_item_check", "spot_check_item", ["spot_check_id", "item_no", "id"]
    )
    op.create_index(
        "ix_spot_check_item_region", "spot_check_item", ["region_path", "item_no", "id"]
    )
    op.create_index("ix_spot_check_item_township", "spot_check_item", [TOWNSHIP, "item_no", "id"])


def _freezing(dialect: str) -> Iterator[str]:
    for table, function, refusal in FROZEN:
        if dialect == "sqlite":
            for deed in ("update", "delete"):
                yield (
                    f"CREATE TRIGGER {table}_no_{deed} BEFORE {deed.upper()} ON {table} "
                    f"BEGIN SELECT RAISE(ABORT, '{refusal}'); END"
                )
            continue
        yield (
            f"CREATE FUNCTION {function}() RETURNS trigger LANGUAGE plpgsql AS "
            f"$$ BEGIN RAISE EXCEPTION '{refusal}'; END $$"
        )
        yield (
            f"CREATE TRIGGER {table}_no_change BEFORE UPDATE OR DELETE ON {table} "
            f"FOR EACH ROW EXECUTE FUNCTION {function}()"
        )
        yield (
            f"CREATE TRIGGER {table}_no_truncate BEFORE TRUNCATE ON {table} "
            f"FOR EACH STATEMENT EXECUTE FUNCTION {function}()"
        )
