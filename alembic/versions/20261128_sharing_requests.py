"""共享申请: requests with their events, the list of 第二十一条第三项, orders about a request.

Revision ID: sharing_requests
Revises: corrections

Safe with the previous release running? Yes, as long as no order about a request is there: it takes
every order to be about a case.
Reversible? Yes: requests and the orders about them are lost. Grants stay.
"""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa
from alembic import op

revision: str = "sharing_requests"
down_revision: str | None = "corrections"
branch_labels: str | None = None
depends_on: str | None = None

# Compared by byte in both databases (authorisation 3).
BYTES = sa.String(length=64, collation="C").with_variant(sa.String(length=64), "sqlite")
AT = sa.DateTime(timezone=True)
PATH = sa.String(length=12, collation="C").with_variant(sa.String(length=12), "sqlite")
PATH_SHAPE = "length(region_path) IN (6, 9, 12) AND substr(region_path, 1, 6) = '532622'"
REFUSAL = "what was done to a request stays recorded"
EVENT = "sharing_request_event"
LOOSENED = (
    ("supervision_order", "case_id"),
    ("supervision_order", "applicant_uid"),
    ("supervision_event", "applicant_uid"),
)
"""Columns that an order about a request leaves empty."""


def upgrade() -> None:
    """Three tables, and orders that are about no case."""
    _requests()
    _events()
    _faults()
    for table, column in LOOSENED:
        _nullable(table, column, True)
    _about_requests()


def downgrade() -> None:
    """Back to the shape before."""
    op.execute(
        "DELETE FROM supervision_event WHERE order_id IN "
        "(SELECT id FROM supervision_order WHERE sharing_request_id IS NOT NULL)"
    )
    op.execute("DELETE FROM supervision_order WHERE sharing_request_id IS NOT NULL")
    op.drop_index("ix_supervision_order_sharing_request_id", "supervision_order")
    if _sqlite():
        _say("supervision_order", PRIMARY + TIED, PRIMARY)
    op.drop_column("supervision_order", "sharing_request_id")
    for table, column in LOOSENED:
        _nullable(table, column, False)
    _unfreeze()
    for table in ("sharing_fault", EVENT, "sharing_request"):
        op.drop_table(table)


# ---- tables ------------------------------------------------------------------------------------


def _requests() -> None:
    op.create_table(
        "sharing_request",
        sa.Column("id", BYTES, nullable=False),
        sa.Column("request_no", BYTES, nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("state", sa.String(20), nullable=False),
        sa.Column("requester", BYTES, nullable=False),
        sa.Column("provider", BYTES, nullable=False),
        sa.Column("object", sa.String(64), nullable=False),
        sa.Column("share_class", sa.String(16), nullable=False),
        *(sa.Column(n, sa.Text(), nullable=False) for n in ("actions", "purposes", "items")),
        sa.Column("reach", sa.String(16), nullable=False),
        sa.Column("since", sa.Date(), nullable=False),
        sa.Column("until", sa.Date(), nullable=False),
        sa.Column("frequency", sa.String(16), nullable=False),
        sa.Column("text", sa.Text(), nullable=False),
        sa.Column("basis", sa.Text(), nullable=False),
        sa.Column("renews", BYTES, nullable=True),
        sa.Column("filed_by", sa.String(64), nullable=False),
        sa.Column("filed_at", AT, nullable=False),
        sa.Column("due_at", AT, nullable=True),
        sa.Column("overdue", sa.Boolean(), nullable=False),
        sa.Column("reviewed_at", AT, nullable=True),
        sa.Column("compliant", sa.Boolean(), nullable=True),
        sa.Column("review", sa.Text(), nullable=True),
        sa.Column("extended_at", AT, nullable=True),
        sa.Column("answered_at", AT, nullable=True),
        sa.Column("answered_by", sa.String(64), nullable=True),
        sa.Column("refusal", sa.String(24), nullable=True),
        sa.Column("refusal_basis", sa.Text(), nullable=True),
        sa.Column("law", sa.String(64), nullable=True),
        sa.Column("grant_id", BYTES, nullable=True),
        sa.Column("granted_actions", sa.Text(), nullable=True),
        sa.Column("granted_reach", sa.String(16), nullable=True),
        sa.Column("granted_since", sa.Date(), nullable=True),
        sa.Column("granted_until", sa.Date(), nullable=True),
        *(sa.Column(n, AT, nullable=True) for n in ("provisioned_at", "disputed_at")),
        *(sa.Column(n, AT, nullable=True) for n in ("basis_rejected_at", "decided_at")),
        sa.Column("decision", sa.String(16), nullable=True),
        sa.Column("conclusion", sa.Text(), nullable=True),
        sa.Column("closed_at", AT, nullable=True),
        sa.Column("region_path", PATH, nullable=False),
        sa.CheckConstraint(PATH_SHAPE, name=op.f("ck_sharing_request_region_path")),
        sa.CheckConstraint(
            "requester <> provider", name=op.f("ck_sharing_request_two_departments")
        ),
        sa.CheckConstraint("since <= until", name=op.f("ck_sharing_request_term")),
        sa.CheckConstraint("answered_by <> filed_by", name=op.f("ck_sharing_request_two_people")),
        sa.CheckConstraint(
            "refusal IS NULL OR length(refusal_basis) > 0",
            name=op.f("ck_sharing_request_refusal_basis"),
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_sharing_request")),
        sa.UniqueConstraint("request_no", name=op.f("uq_sharing_request_request_no")),
    )
    of = "sharing_request"
    op.create_index("ix_sharing_request_filed", of, ["filed_at", "id"])
    op.create_index("ix_sharing_request_provider", of, ["provider", "filed_at", "id"])
    op.create_index("ix_sharing_request_requester", of, ["requester", "filed_at", "id"])
    op.create_index("ix_sharing_request_due", of, ["due_at"])
    op.create_index("ix_sharing_request_state", of, ["state", "filed_at", "id"])


def _events() -> None:
    op.create_table(
        EVENT,
        sa.Column("id", BYTES, nullable=False),
        sa.Column("request_id", BYTES, nullable=False),
        sa.Column("seq", sa.Integer(), nullable=False),
        sa.Column("state", sa.String(20), nullable=False),
        sa.Column("act", sa.String(16), nullable=False),
        sa.Column("note", sa.Text(), nullable=True),
        sa.Column("at", AT, nullable=False),
        sa.Column("post", sa.String(64), nullable=False),
        sa.Column("requester", BYTES, nullable=False),
        sa.Column("provider", BYTES, nullable=False),
        *_below(EVENT),
    )
    op.create_index("ix_sharing_request_event_request", EVENT, ["request_id", "seq"])
    _freeze()


def _faults() -> None:
    op.create_table(
        "sharing_fault",
        sa.Column("id", BYTES, nullable=False),
        sa.Column("request_id", BYTES, nullable=False),
        sa.Column("request_no", BYTES, nullable=False),
        sa.Column("reason", sa.String(24), nullable=False),
        sa.Column("state", sa.String(20), nullable=False),
        *(sa.Column(n, BYTES, nullable=False) for n in ("requester", "provider", "owed_by")),
        sa.Column("noted_at", AT, nullable=False),
        sa.Column("open", sa.Boolean(), nullable=False),
        sa.Column("due_at", AT, nullable=True),
        sa.Column("days_late", sa.Integer(), nullable=True),
        sa.Column("answered_at", AT, nullable=True),
        *_below("sharing_fault"),
        sa.UniqueConstraint(
            "request_id",
            "reason",
            "state",
            name=op.f("uq_sharing_fault_request_id_reason_state"),
        ),
    )
    op.create_index("ix_sharing_fault_noted", "sharing_fault", ["noted_at", "id"])


def _below(table: str) -> list[Any]:
    return [
        sa.Column("region_path", PATH, nullable=False),
        sa.CheckConstraint(PATH_SHAPE, name=op.f(f"ck_{table}_region_path")),
        sa.ForeignKeyConstraint(
            ["request_id"], ["sharing_request.id"], name=op.f(f"fk_{table}_request_id")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f(f"pk_{table}")),
    ]


# ---- orders ------------------------------------------------------------------------------------

FK = "fk_supervision_order_sharing_request_id"
PRIMARY = "CONSTRAINT pk_supervision_order PRIMARY KEY (id)"
TIED = f", \n\tCONSTRAINT {FK} FOREIGN KEY(sharing_request_id) REFERENCES sharing_request (id)"


def _about_requests() -> None:
    op.add_column("supervision_order", sa.Column("sharing_request_id", BYTES, nullable=True))
    if _sqlite():
        _say("supervision_order", PRIMARY, PRIMARY + TIED)
    else:
        op.create_foreign_key(
            op.f(FK), "supervision_order", "sharing_request", ["sharing_request_id"], ["id"]
        )
    op.create_index(
        op.f("ix_supervision_order_sharing_request_id"), "supervision_order", ["sharing_request_id"]
    )


def _sqlite() -> bool:
    return op.get_bind().dialect.name == "sqlite"


def _nullable(table: str, column: str, nullable: bool) -> None:
    if not _sqlite():
        op.alter_column(table, column, existing_type=BYTES, nullable=nullable)
        return
    strict, loose = f"{column} VARCHAR(64) NOT NULL", f"{column} VARCHAR(64)"
    _say(table, *((strict, loose) if nullable else (loose, strict)))


def _say(table: str, old: str, new: str) -> None:
    """Other words for a table, where SQLite knows no ALTER: its manual's way (lang_altertable 7).

    The rows are as they were: no value they hold is made unfit, and triggers and indices stay.
    """
    connection = op.get_bind()
    asked = "SELECT sql FROM sqlite_schema WHERE type = 'table' AND name = ?"
    (said,) = connection.exec_driver_sql(asked, (table,)).one()
    if said.count(old) != 1:
        raise RuntimeError(f"{table} is not as the migration before left it: {old}")
    version = connection.exec_driver_sql("PRAGMA schema_version").scalar_one()
    connection.exec_driver_sql("PRAGMA writable_schema = ON")
    changed = "UPDATE sqlite_schema SET sql = ? WHERE type = 'table' AND name = ?"
    connection.exec_driver_sql(changed, (said.replace(old, new), table))
    connection.exec_driver_sql(f"PRAGMA schema_version = {int(version) + 1}")
    connection.exec_driver_sql("PRAGMA writable_schema = RESET")


# ---- only ever added to ------------------------------------------------------------------------


def _freeze() -> None:
    connection = op.get_bind()
    if _sqlite():
        for deed in ("update", "delete"):
            connection.exec_driver_sql(
                f"CREATE TRIGGER {EVENT}_no_{deed} BEFORE {deed.upper()} ON {EVENT} "
                f"BEGIN SELECT RAISE(ABORT, '{REFUSAL}'); END"
            )
        return
    connection.exec_driver_sql(
        "CREATE FUNCTION sharing_refuse() RETURNS trigger LANGUAGE plpgsql AS "
        f"$$ BEGIN RAISE EXCEPTION '{REFUSAL}'; END $$"
    )
    connection.exec_driver_sql(
        f"CREATE TRIGGER {EVENT}_no_change BEFORE UPDATE OR DELETE ON {EVENT} "
        "FOR EACH ROW EXECUTE FUNCTION sharing_refuse()"
    )
    connection.exec_driver_sql(
        f"CREATE TRIGGER {EVENT}_no_truncate BEFORE TRUNCATE ON {EVENT} "
        "FOR EACH STATEMENT EXECUTE FUNCTION sharing_refuse()"
    )


def _unfreeze() -> None:
    connection = op.get_bind()
    for what in ("update", "delete") if _sqlite() else ("change", "truncate"):
        on = "" if _sqlite() else f" ON {EVENT}"
        connection.exec_driver_sql(f"DROP TRIGGER {EVENT}_no_{what}{on}")
    if not _sqlite():
        connection.exec_driver_sql("DROP FUNCTION sharing_refuse()")
