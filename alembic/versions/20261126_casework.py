"""Cases are changed: their flow and version, what was done by an event, receipts and numbers.

Revision ID: casework
Revises: rates

Safe with the previous release running? Yes: it reads none of this; what it writes by hand has the
first version and needs its flow, which SQLite and PostgreSQL take from the default.
Reversible? Yes: texts of events, receipts and the last numbers are lost.
"""

from __future__ import annotations

from typing import Any

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
FACTS: tuple[tuple[str, sa.types.TypeEngine[Any]], ...] = (
    ("attendance", sa.Integer()),
    ("votes_for", sa.Integer()),
    ("satisfaction", sa.Integer()),
    ("done_on", sa.Date()),
)
PATH = sa.String(length=12, collation="C").with_variant(sa.String(length=12), "sqlite")
PATH_SHAPE = "length(region_path) IN (6, 9, 12) AND substr(region_path, 1, 6) = '532622'"
TOWNSHIP = sa.text("substr(region_path, 1, 9)")
REFUSAL = "what was overdue stays recorded"
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
    for fact, number in FACTS:
        op.add_column("case_event", sa.Column(fact, number, nullable=True))
    _work_orders()
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
    _unfreeze()
    for table in ("reminder", "timeout_event", "work_pause", "work_order"):
        op.drop_table(table)
    for table, column in (
        *(("case_file", column) for column, _ in reversed(PROXY)),
        *(("case_event", column) for column, _ in reversed(FACTS)),
        ("case_event", "note"),
        ("case_event", "act"),
        ("case_file", "version"),
        ("case_file", "flow"),
    ):
        op.drop_column(table, column)


def _rights() -> list[sa.Column[str]]:
    """Whose row it is and where it lies."""
    return [
        sa.Column("applicant_uid", BYTES, nullable=False),
        sa.Column("household_id", BYTES, nullable=True),
        sa.Column("region_path", PATH, nullable=False),
        sa.Column("handling_dept", BYTES, nullable=False),
    ]


def _work_orders() -> None:
    op.create_table(
        "work_order",
        sa.Column("id", BYTES, nullable=False),
        sa.Column("case_id", BYTES, nullable=False),
        sa.Column("node", sa.String(16), nullable=False),
        sa.Column("tier", sa.String(16), nullable=True),
        sa.Column("handler_dept", BYTES, nullable=True),
        sa.Column("handler_role", sa.String(16), nullable=True),
        sa.Column("handler_path", PATH, nullable=True),
        sa.Column("legal_basis", sa.String(64), nullable=True),
        sa.Column("opened_at", AT, nullable=False),
        sa.Column("due_at", AT, nullable=True),
        sa.Column("due_confirmed", sa.Boolean(), nullable=False),
        sa.Column("first_due_at", AT, nullable=True),
        sa.Column("remind_at", AT, nullable=True),
        sa.Column("closed_at", AT, nullable=True),
        sa.Column("open", sa.Boolean(), nullable=False),
        sa.Column("void", sa.Boolean(), nullable=False),
        sa.Column("late", sa.Boolean(), nullable=False),
        *_rights(),
        sa.CheckConstraint(PATH_SHAPE, name=op.f("ck_work_order_region_path")),
        sa.ForeignKeyConstraint(["case_id"], ["case_file.id"], name=op.f("fk_work_order_case_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_work_order")),
    )
    op.create_index(op.f("ix_work_order_case_id"), "work_order", ["case_id"])
    op.create_index("ix_work_order_region", "work_order", ["region_path", "opened_at", "id"])
    op.create_index("ix_work_order_township", "work_order", [TOWNSHIP, "opened_at", "id"])
    op.create_index("ix_work_order_due", "work_order", ["open", "due_at"])
    op.create_table(
        "work_pause",
        sa.Column("work_order_id", BYTES, nullable=False),
        sa.Column("started_at", AT, nullable=False),
        sa.Column("reason", sa.String(16), nullable=False),
        sa.Column("ended_at", AT, nullable=True),
        sa.ForeignKeyConstraint(
            ["work_order_id"], ["work_order.id"], name=op.f("fk_work_pause_work_order_id")
        ),
        sa.PrimaryKeyConstraint("work_order_id", "started_at", name=op.f("pk_work_pause")),
    )
    op.create_table(
        "timeout_event",
        sa.Column("id", BYTES, nullable=False),
        sa.Column("case_id", BYTES, nullable=False),
        sa.Column("node", sa.String(16), nullable=False),
        sa.Column("due_at", AT, nullable=False),
        sa.Column("recorded_at", AT, nullable=False),
        sa.Column("handler_dept", BYTES, nullable=True),
        *_rights(),
        sa.CheckConstraint(PATH_SHAPE, name=op.f("ck_timeout_event_region_path")),
        sa.ForeignKeyConstraint(["id"], ["work_order.id"], name=op.f("fk_timeout_event_id")),
        sa.ForeignKeyConstraint(
            ["case_id"], ["case_file.id"], name=op.f("fk_timeout_event_case_id")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_timeout_event")),
    )
    op.create_index(op.f("ix_timeout_event_case_id"), "timeout_event", ["case_id"])
    op.create_index("ix_timeout_event_region", "timeout_event", ["region_path", "due_at", "id"])
    op.create_index("ix_timeout_event_township", "timeout_event", [TOWNSHIP, "due_at", "id"])
    op.create_table(
        "reminder",
        sa.Column("work_order_id", BYTES, nullable=False),
        sa.Column("kind", sa.String(16), nullable=False),
        sa.Column("at", AT, nullable=False),
        sa.ForeignKeyConstraint(
            ["work_order_id"], ["work_order.id"], name=op.f("fk_reminder_work_order_id")
        ),
        sa.PrimaryKeyConstraint("work_order_id", "kind", name=op.f("pk_reminder")),
    )
    _freeze()


def _freeze() -> None:
    connection = op.get_bind()
    if connection.dialect.name == "sqlite":
        for deed in ("update", "delete"):
            connection.exec_driver_sql(
                f"CREATE TRIGGER timeout_event_no_{deed} BEFORE {deed.upper()} ON timeout_event "
                f"BEGIN SELECT RAISE(ABORT, '{REFUSAL}'); END"
            )
        return
    connection.exec_driver_sql(
        "CREATE FUNCTION timeout_refuse() RETURNS trigger LANGUAGE plpgsql AS "
        f"$$ BEGIN RAISE EXCEPTION '{REFUSAL}'; END $$"
    )
    connection.exec_driver_sql(
        "CREATE TRIGGER timeout_event_no_change BEFORE UPDATE OR DELETE ON timeout_event "
        "FOR EACH ROW EXECUTE FUNCTION timeout_refuse()"
    )
    connection.exec_driver_sql(
        "CREATE TRIGGER timeout_event_no_truncate BEFORE TRUNCATE ON timeout_event "
        "FOR EACH STATEMENT EXECUTE FUNCTION timeout_refuse()"
    )


def _unfreeze() -> None:
    connection = op.get_bind()
    sqlite = connection.dialect.name == "sqlite"
    for what in ("update", "delete") if sqlite else ("change", "truncate"):
        on = "" if sqlite else " ON timeout_event"
        connection.exec_driver_sql(f"DROP TRIGGER timeout_event_no_{what}{on}")
    if not sqlite:
        connection.exec_driver_sql("DROP FUNCTION timeout_refuse()")
