"""What stands behind the log: checkpoints, tiles, cosignatures, followers, alerts, segments.

Revision ID: audit_evidence
Revises: policy_archive

Safe with the previous release running? Yes: it knows none of the tables and signs nothing.
Two indexes are made over the log, some seconds a million records, in which nothing is appended.
Reversible? Yes, but checkpoints, cosignatures and the handling of alerts are lost: keep what
`hub audit export` wrote.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision: str = "audit_evidence"
down_revision: str | None = "policy_archive"
branch_labels: str | None = None
depends_on: str | None = None

# Compared by byte in both databases (authorisation 3).
BYTES = sa.String(length=64, collation="C").with_variant(sa.String(length=64), "sqlite")
PATH = sa.String(length=12, collation="C").with_variant(sa.String(length=12), "sqlite")
# In SQLite only the word INTEGER makes a key the row's own number.
IDX = sa.BigInteger().with_variant(sa.Integer(), "sqlite")

# A checkpoint, tile or cosignature is never changed (audit T8).
FROZEN = ("audit_checkpoint", "audit_tile", "audit_cosignature")
SQLITE_TRIGGER = (
    "CREATE TRIGGER {table}_no_{deed} BEFORE {DEED} ON {table} "
    "BEGIN SELECT RAISE(ABORT, 'audit rows are never changed'); END"
)
POSTGRES_TRIGGERS = (
    "CREATE TRIGGER {table}_no_change BEFORE UPDATE OR DELETE ON {table} "
    "FOR EACH ROW EXECUTE FUNCTION audit_refuse()",
    "CREATE TRIGGER {table}_no_truncate BEFORE TRUNCATE ON {table} "
    "FOR EACH STATEMENT EXECUTE FUNCTION audit_refuse()",
)

# Rows of these leave for the archive: none but those of a DETACHED segment may go.
LEAVING = ("audit_event", "audit_subject")
SQLITE_UNLESS_LEFT = (
    "CREATE TRIGGER {table}_no_delete BEFORE DELETE ON {table} "
    "WHEN NOT EXISTS (SELECT 1 FROM audit_segment WHERE state = 'DETACHED' "
    'AND "first" <= OLD.idx AND OLD.idx < "end") '
    "BEGIN SELECT RAISE(ABORT, 'audit rows are never changed'); END"
)
POSTGRES_ONLINE = (
    "CREATE FUNCTION audit_refuse_online() RETURNS trigger LANGUAGE plpgsql AS "
    "$$ DECLARE has_left boolean; BEGIN IF TG_OP = 'DELETE' THEN "
    "EXECUTE format('SELECT EXISTS (SELECT 1 FROM %I.audit_segment "
    "WHERE state = ''DETACHED'' AND \"first\" <= $1 AND $1 < \"end\")', TG_TABLE_SCHEMA) "
    "INTO has_left USING OLD.idx; IF has_left THEN RETURN OLD; END IF; END IF; "
    "RAISE EXCEPTION 'audit rows are never changed'; END $$"
)
POSTGRES_CHANGE = (
    "CREATE TRIGGER {table}_no_change BEFORE UPDATE OR DELETE ON {table} "
    "FOR EACH ROW EXECUTE FUNCTION {function}()"
)

PERIOD, SHOWN = "ix_audit_event_period", "ix_audit_subject_idx"
TABLES = (
    "audit_checkpoint",
    "audit_tile",
    "audit_cosignature",
    "audit_verdict",
    "audit_follower",
    "audit_rollup_hour",
    "audit_rule",
    "audit_alert",
    "audit_alert_note",
    "audit_delivery",
    "purpose_note",
    "audit_withholding",
    "audit_segment",
)


def upgrade() -> None:
    """The tables, then what keeps evidence as it was."""
    op.create_index(PERIOD, "audit_event", ["ts", "idx", "actor", "actor_org"])
    op.drop_index(SHOWN, "audit_subject")
    op.create_index(SHOWN, "audit_subject", ["idx", "how"])
    _evidence()
    _followers()
    _alerts()
    _archive()
    for statement in _triggers(op.get_bind().dialect.name):
        op.execute(statement)
    _refuse_unless_left()


def downgrade() -> None:
    """Back to the shape before; a table's triggers go with it."""
    _refuse_always()
    op.drop_index(PERIOD, "audit_event")
    op.drop_index(SHOWN, "audit_subject")
    op.create_index(SHOWN, "audit_subject", ["idx"])
    for table in TABLES:
        op.drop_table(table)


def _triggers(dialect: str) -> list[str]:
    if dialect == "sqlite":
        deeds = ("update", "delete")
        return [
            SQLITE_TRIGGER.format(table=table, deed=deed, DEED=deed.upper())
            for table in FROZEN
            for deed in deeds
        ]
    return [one.format(table=table) for table in FROZEN for one in POSTGRES_TRIGGERS]


def _refuse_unless_left() -> None:
    connection = op.get_bind()
    sqlite = connection.dialect.name == "sqlite"
    if not sqlite:
        connection.exec_driver_sql(POSTGRES_ONLINE)
    for table in LEAVING:
        if sqlite:
            connection.exec_driver_sql(f"DROP TRIGGER {table}_no_delete")
            connection.exec_driver_sql(SQLITE_UNLESS_LEFT.format(table=table))
        else:
            _change_by(table, "audit_refuse_online")


def _refuse_always() -> None:
    connection = op.get_bind()
    sqlite = connection.dialect.name == "sqlite"
    for table in LEAVING:
        if sqlite:
            connection.exec_driver_sql(f"DROP TRIGGER {table}_no_delete")
            connection.exec_driver_sql(
                SQLITE_TRIGGER.format(table=table, deed="delete", DEED="DELETE")
            )
        else:
            _change_by(table, "audit_refuse")
    if not sqlite:
        connection.exec_driver_sql("DROP FUNCTION audit_refuse_online()")


def _change_by(table: str, function: str) -> None:
    connection = op.get_bind()
    connection.exec_driver_sql(f"DROP TRIGGER {table}_no_change ON {table}")
    connection.exec_driver_sql(POSTGRES_CHANGE.format(table=table, function=function))


def _evidence() -> None:
    op.create_table(
        "audit_checkpoint",
        sa.Column("size", IDX, autoincrement=False, nullable=False),
        sa.Column("note", sa.Text(), nullable=False),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("size", name=op.f("pk_audit_checkpoint")),
    )
    op.create_table(
        "audit_tile",
        sa.Column("level", sa.SmallInteger(), autoincrement=False, nullable=False),
        sa.Column("n", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("hashes", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("level", "n", name=op.f("pk_audit_tile")),
    )
    op.create_table(
        "audit_cosignature",
        sa.Column("size", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("witness", BYTES, nullable=False),
        sa.Column("line", sa.Text(), nullable=False),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("size", "witness", name=op.f("pk_audit_cosignature")),
    )
    op.create_index("ix_audit_cosignature_witness", "audit_cosignature", ["witness", "size"])
    op.create_table(
        "audit_verdict",
        sa.Column("at", IDX, autoincrement=False, nullable=False),
        sa.Column("size", sa.BigInteger(), nullable=False),
        sa.Column("exit", sa.SmallInteger(), nullable=False),
        sa.Column("findings", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("at", name=op.f("pk_audit_verdict")),
    )


def _followers() -> None:
    op.create_table(
        "audit_follower",
        sa.Column("name", BYTES, nullable=False),
        sa.Column("next_idx", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("name", name=op.f("pk_audit_follower")),
    )
    op.create_table(
        "audit_rollup_hour",
        sa.Column("actor", sa.String(length=128), nullable=False),
        sa.Column("hour", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("area", PATH, nullable=False),
        sa.Column("kind", sa.String(length=32), nullable=False),
        sa.Column("outcome", sa.String(length=16), nullable=False),
        sa.Column("events", sa.BigInteger(), nullable=False),
        sa.Column("subjects", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint(
            "actor", "hour", "area", "kind", "outcome", name=op.f("pk_audit_rollup_hour")
        ),
    )
    op.create_index("ix_audit_rollup_hour_hour", "audit_rollup_hour", ["hour"], unique=False)


def _alerts() -> None:
    op.create_table(
        "audit_rule",
        sa.Column("rule", BYTES, nullable=False),
        sa.Column("enabled", sa.Boolean(), nullable=False),
        sa.Column("threshold", sa.BigInteger(), nullable=False),
        sa.Column("window_s", sa.BigInteger(), nullable=False),
        sa.Column("changed_by", sa.String(length=64), nullable=False),
        sa.Column("changed_at", sa.BigInteger(), nullable=False),
        sa.CheckConstraint("threshold >= 1 AND window_s >= 1", name=op.f("ck_audit_rule_positive")),
        sa.PrimaryKeyConstraint("rule", name=op.f("pk_audit_rule")),
    )
    op.create_table(
        "audit_alert",
        sa.Column("id", BYTES, nullable=False),
        sa.Column("rule", BYTES, nullable=False),
        sa.Column("actor", sa.String(length=128), nullable=False),
        sa.Column("area", PATH, server_default="532622", nullable=False),
        sa.Column("window_start", sa.BigInteger(), nullable=False),
        sa.Column("count", sa.BigInteger(), nullable=False),
        sa.Column("evidence", sa.Text(), nullable=False),
        sa.Column("state", sa.String(length=8), nullable=False),
        sa.Column("raised_at", sa.BigInteger(), nullable=False),
        sa.Column("raised_idx", sa.BigInteger(), nullable=False),
        sa.Column("due_at", sa.BigInteger(), nullable=True),
        sa.Column("handled_by", sa.String(length=64), nullable=True),
        sa.Column("handled_at", sa.BigInteger(), nullable=True),
        sa.Column("handled_idx", sa.BigInteger(), nullable=True),
        sa.CheckConstraint(
            "state <> 'HANDLED' OR handled_idx IS NOT NULL", name=op.f("ck_audit_alert_handled")
        ),
        sa.CheckConstraint("state IN ('OPEN', 'HANDLED')", name=op.f("ck_audit_alert_state")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_audit_alert")),
        sa.UniqueConstraint(
            "rule", "window_start", "actor", name=op.f("uq_audit_alert_rule_window_start_actor")
        ),
    )
    op.create_index("ix_audit_alert_raised", "audit_alert", ["raised_at"], unique=False)
    op.create_table(
        "audit_alert_note",
        sa.Column("alert_id", BYTES, nullable=False),
        sa.Column("at", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("by", sa.String(length=64), nullable=False),
        sa.Column("text", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("alert_id", "at", name=op.f("pk_audit_alert_note")),
    )
    op.create_table(
        "audit_delivery",
        sa.Column("alert_id", BYTES, nullable=False),
        sa.Column("channel", BYTES, nullable=False),
        sa.Column("tries", sa.Integer(), nullable=False),
        sa.Column("next_at", sa.BigInteger(), nullable=False),
        sa.Column("done_at", sa.BigInteger(), nullable=True),
        sa.Column("error", sa.String(length=64), nullable=True),
        sa.PrimaryKeyConstraint("alert_id", "channel", name=op.f("pk_audit_delivery")),
    )


def _archive() -> None:
    op.create_table(
        "purpose_note",
        sa.Column("digest", sa.String(length=64), nullable=False),
        sa.Column("text", sa.Text(), nullable=False),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("digest", name=op.f("pk_purpose_note")),
    )
    op.create_table(
        "audit_withholding",
        sa.Column("id", BYTES, nullable=False),
        sa.Column("level", sa.String(length=16), nullable=False),
        sa.Column("org", sa.String(length=32), nullable=False),
        sa.Column("purpose", sa.String(length=64), nullable=False),
        sa.Column("case_ref", sa.String(length=64), nullable=False),
        sa.Column("basis", sa.String(length=200), nullable=False),
        sa.Column("until", sa.Date(), nullable=False),
        sa.Column("written_by", sa.String(length=64), nullable=False),
        sa.Column("approved_by", sa.String(length=64), nullable=False),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.CheckConstraint(
            "level IN ('OFFICE_ONLY', 'WITHHELD')", name=op.f("ck_audit_withholding_level")
        ),
        sa.CheckConstraint(
            "length(org) + length(purpose) + length(case_ref) > 0",
            name=op.f("ck_audit_withholding_aimed"),
        ),
        sa.CheckConstraint("length(basis) > 0", name=op.f("ck_audit_withholding_basis")),
        sa.CheckConstraint(
            "approved_by <> written_by", name=op.f("ck_audit_withholding_two_people")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_audit_withholding")),
    )
    op.create_table(
        "audit_segment",
        sa.Column("first", IDX, autoincrement=False, nullable=False),
        sa.Column("end", sa.BigInteger(), nullable=False),
        sa.Column("path", sa.String(length=200), nullable=False),
        sa.Column("sha256", sa.String(length=64), nullable=False),
        sa.Column("frontier", sa.LargeBinary(), nullable=False),
        sa.Column("note", sa.Text(), nullable=False),
        sa.Column("state", sa.String(length=16), nullable=False),
        sa.Column("changed_at", sa.BigInteger(), nullable=False),
        sa.CheckConstraint(
            "state IN ('WRITTEN', 'ARCHIVED', 'DETACHED', 'DESTROYED')",
            name=op.f("ck_audit_segment_state"),
        ),
        sa.CheckConstraint('"end" > "first"', name=op.f("ck_audit_segment_span")),
        sa.PrimaryKeyConstraint("first", name=op.f("pk_audit_segment")),
    )
