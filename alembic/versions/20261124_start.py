"""The store as it begins: register, cases, supervision, words, rights, accounts, access log.

Revision ID: start
Revises:

Safe with the previous release running? There is none.
Reversible? Yes, and `downgrade` drops every row, the access log among them.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from catalog.divisions import load_divisions
from catalog.load import HERE

revision: str = "start"
down_revision: str | None = None
branch_labels: str | None = None
depends_on: str | None = None

# Compared by byte in both databases (authorisation 3).
BYTES = sa.String(length=64, collation="C").with_variant(sa.String(length=64), "sqlite")
PATH = sa.String(length=12, collation="C").with_variant(sa.String(length=12), "sqlite")
IDX = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
PATH_SHAPE = "length(region_path) IN (6, 9, 12) AND substr(region_path, 1, 6) = '532622'"

TABLES = (
    "audit_event",
    "audit_head",
    "audit_subject",
    "audit_writer",
    "authz_object",
    "authz_rule",
    "dataset",
    "dataset_field",
    "department",
    "division",
    "household",
    "policy_change",
    "policy_version",
    "principal",
    "role_parent",
    "citizen",
    "post",
    "case_file",
    "case_event",
    "supervision_order",
)

# Rows of the access log are never changed (audit 1.8).
SQLITE_TRIGGERS = (
    "CREATE TRIGGER audit_event_no_update BEFORE UPDATE ON audit_event "
    "BEGIN SELECT RAISE(ABORT, 'audit rows are never changed'); END",
    "CREATE TRIGGER audit_event_no_delete BEFORE DELETE ON audit_event "
    "BEGIN SELECT RAISE(ABORT, 'audit rows are never changed'); END",
    "CREATE TRIGGER audit_subject_no_update BEFORE UPDATE ON audit_subject "
    "BEGIN SELECT RAISE(ABORT, 'audit rows are never changed'); END",
    "CREATE TRIGGER audit_subject_no_delete BEFORE DELETE ON audit_subject "
    "BEGIN SELECT RAISE(ABORT, 'audit rows are never changed'); END",
)
POSTGRES_TRIGGERS = (
    "CREATE FUNCTION audit_refuse() RETURNS trigger LANGUAGE plpgsql AS "
    "$$ BEGIN RAISE EXCEPTION 'audit rows are never changed'; END $$",
    "CREATE TRIGGER audit_event_no_change BEFORE UPDATE OR DELETE ON audit_event "
    "FOR EACH ROW EXECUTE FUNCTION audit_refuse()",
    "CREATE TRIGGER audit_event_no_truncate BEFORE TRUNCATE ON audit_event "
    "FOR EACH STATEMENT EXECUTE FUNCTION audit_refuse()",
    "CREATE TRIGGER audit_subject_no_change BEFORE UPDATE OR DELETE ON audit_subject "
    "FOR EACH ROW EXECUTE FUNCTION audit_refuse()",
    "CREATE TRIGGER audit_subject_no_truncate BEFORE TRUNCATE ON audit_subject "
    "FOR EACH STATEMENT EXECUTE FUNCTION audit_refuse()",
)


def upgrade() -> None:
    """Create everything."""
    _audit_event()
    _audit_head()
    _audit_subject()
    _audit_writer()
    _authz_object()
    _authz_rule()
    _dataset()
    _dataset_field()
    _department()
    _division()
    _household()
    _policy_change()
    _policy_version()
    _principal()
    _role_parent()
    _citizen()
    _post()
    _case_file()
    _case_event()
    _supervision_order()
    _triggers()
    _load_divisions()


def downgrade() -> None:
    """Drop everything; a table's triggers go with it."""
    for table in reversed(TABLES):
        op.drop_table(table)
    if op.get_bind().dialect.name == "postgresql":
        op.execute("DROP FUNCTION audit_refuse()")


def _triggers() -> None:
    sqlite = op.get_bind().dialect.name == "sqlite"
    for statement in SQLITE_TRIGGERS if sqlite else POSTGRES_TRIGGERS:
        op.execute(statement)


def _load_divisions() -> None:
    # The register and the cases name places by path; without these rows none can be named.
    table = sa.table("division", *(sa.column(c) for c in DIVISION_COLUMNS))
    places = load_divisions(HERE).by_path
    rows = [
        (p.path, p.code, p.name, p.level.value, p.parent if p.parent in places else None)
        for p in places.values()
    ]
    op.bulk_insert(table, [dict(zip(DIVISION_COLUMNS, row, strict=True)) for row in rows])


DIVISION_COLUMNS = ("path", "code", "name", "level", "parent_path")


def _audit_event() -> None:
    op.create_table(
        "audit_event",
        sa.Column("idx", IDX, autoincrement=False, nullable=False),
        sa.Column("id", sa.String(length=36), nullable=False),
        sa.Column("ts", sa.BigInteger(), nullable=False),
        sa.Column("writer", BYTES, nullable=False),
        sa.Column("wseq", sa.BigInteger(), nullable=False),
        sa.Column("kind", sa.String(length=32), nullable=False),
        sa.Column("outcome", sa.String(length=16), nullable=False),
        sa.Column("decision_code", sa.String(length=128), nullable=True),
        sa.Column("actor", sa.String(length=128), nullable=True),
        sa.Column("actor_org", sa.String(length=128), nullable=True),
        sa.Column("actor_role", sa.String(length=128), nullable=True),
        sa.Column("actor_area", sa.String(length=128), nullable=True),
        sa.Column("client_app", sa.String(length=128), nullable=True),
        sa.Column("src_ip", sa.String(length=128), nullable=True),
        sa.Column("session", sa.String(length=128), nullable=True),
        sa.Column("request_id", sa.String(length=128), nullable=True),
        sa.Column("trace_id", sa.String(length=128), nullable=True),
        sa.Column("op_name", sa.String(length=128), nullable=True),
        sa.Column("op_hash", sa.String(length=128), nullable=True),
        sa.Column("purpose", sa.String(length=128), nullable=True),
        sa.Column("legal_basis", sa.String(length=128), nullable=True),
        sa.Column("case_ref", sa.String(length=128), nullable=True),
        sa.Column("area", PATH, server_default="532622", nullable=False),
        sa.Column("row_count", sa.BigInteger(), nullable=False),
        sa.Column("subject_count", sa.Integer(), nullable=False),
        sa.Column("break_glass", sa.Boolean(), nullable=False),
        sa.Column("policy_rev", sa.String(length=128), nullable=True),
        sa.Column("part", sa.Integer(), nullable=False),
        sa.Column("parts", sa.Integer(), nullable=False),
        sa.Column("leaf", sa.String(length=64), nullable=False),
        sa.Column("body", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("idx", name=op.f("pk_audit_event")),
        sa.UniqueConstraint("id", name=op.f("uq_audit_event_id")),
        sa.UniqueConstraint("writer", "wseq", name=op.f("uq_audit_event_writer_wseq")),
    )
    op.create_index("ix_audit_event_actor", "audit_event", ["actor", "ts"], unique=False)
    op.create_index("ix_audit_event_area", "audit_event", ["area", "ts"], unique=False)
    op.create_index(
        "ix_audit_event_not_ok",
        "audit_event",
        ["outcome", "ts"],
        unique=False,
        postgresql_where=sa.text("outcome <> 'OK'"),
        sqlite_where=sa.text("outcome <> 'OK'"),
    )
    op.create_index(
        "ix_audit_event_ts", "audit_event", ["ts"], unique=False, postgresql_using="brin"
    )


def _audit_head() -> None:
    op.create_table(
        "audit_head",
        sa.Column("id", sa.SmallInteger(), autoincrement=False, nullable=False),
        sa.Column("log", sa.String(length=128), nullable=False),
        sa.Column("suite", sa.String(length=16), nullable=False),
        sa.Column("size", sa.BigInteger(), nullable=False),
        sa.Column("frontier", sa.LargeBinary(), nullable=False),
        sa.Column("root", sa.String(length=64), nullable=False),
        sa.CheckConstraint("id = 1", name=op.f("ck_audit_head_one_row")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_audit_head")),
    )


def _audit_subject() -> None:
    op.create_table(
        "audit_subject",
        sa.Column("subject", sa.LargeBinary(length=16), nullable=False),
        sa.Column("idx", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("key_ver", sa.SmallInteger(), nullable=False),
        sa.Column("how", sa.String(length=8), nullable=False),
        sa.CheckConstraint("how IN ('SEEN', 'SOUGHT')", name=op.f("ck_audit_subject_how")),
        sa.PrimaryKeyConstraint("subject", "idx", name=op.f("pk_audit_subject")),
        sqlite_with_rowid=False,
    )
    op.create_index("ix_audit_subject_idx", "audit_subject", ["idx"], unique=False)


def _audit_writer() -> None:
    op.create_table(
        "audit_writer",
        sa.Column("writer", BYTES, nullable=False),
        sa.Column("last_wseq", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("writer", name=op.f("pk_audit_writer")),
    )


def _authz_object() -> None:
    op.create_table(
        "authz_object",
        sa.Column("object", sa.String(length=64), nullable=False),
        sa.Column("provider_dept", sa.String(length=32), nullable=False),
        sa.Column("share_class", sa.String(length=16), nullable=False),
        sa.Column("basis", sa.String(length=200), nullable=True),
        sa.CheckConstraint(
            "share_class <> 'NOT_SHARED' OR basis IS NOT NULL", name=op.f("ck_authz_object_basis")
        ),
        sa.CheckConstraint(
            "share_class IN ('UNCONDITIONAL', 'CONDITIONAL', 'NOT_SHARED')",
            name=op.f("ck_authz_object_share_class"),
        ),
        sa.PrimaryKeyConstraint("object", name=op.f("pk_authz_object")),
    )


def _authz_rule() -> None:
    op.create_table(
        "authz_rule",
        sa.Column("id", BYTES, nullable=False),
        sa.Column("role", sa.String(length=32), nullable=False),
        sa.Column("dept", sa.String(length=200), nullable=False),
        sa.Column("object", sa.String(length=64), nullable=False),
        sa.Column("action", sa.String(length=16), nullable=False),
        sa.Column("reach", sa.String(length=16), nullable=False),
        sa.Column("owner", sa.String(length=200), nullable=False),
        sa.Column("purpose", sa.String(length=200), nullable=False),
        sa.Column("until", sa.Date(), nullable=False),
        sa.Column("effect", sa.String(length=8), nullable=False),
        sa.Column("basis", sa.String(length=200), nullable=False),
        sa.Column("written_by", sa.String(length=64), nullable=False),
        sa.Column("approved_by", sa.String(length=64), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.CheckConstraint("effect IN ('allow', 'deny')", name=op.f("ck_authz_rule_effect")),
        sa.CheckConstraint(
            "reach IN ('subtree', 'here', 'county') OR (length(reach) IN (6, 9, 12) "
            "AND substr(reach, 1, 6) = '532622' AND substr(reach, 7, 3) <> '000' "
            "AND substr(reach, 10, 3) <> '000')",
            name=op.f("ck_authz_rule_reach"),
        ),
        sa.CheckConstraint("length(basis) > 0", name=op.f("ck_authz_rule_basis")),
        sa.CheckConstraint(
            "length(role) > 0 AND length(dept) > 0 AND length(object) > 0 "
            "AND length(action) > 0 AND length(reach) > 0 AND length(owner) > 0 "
            "AND length(purpose) > 0",
            name=op.f("ck_authz_rule_filled"),
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_authz_rule")),
        sa.UniqueConstraint(
            "role",
            "dept",
            "object",
            "action",
            "reach",
            "owner",
            "purpose",
            "until",
            "effect",
            name="uq_authz_rule_line",
        ),
    )


def _dataset() -> None:
    op.create_table(
        "dataset",
        sa.Column("name", BYTES, nullable=False),
        sa.Column("type_name", sa.String(length=64), nullable=False),
        sa.Column("title", sa.String(length=64), nullable=False),
        sa.Column("description", sa.String(length=400), nullable=False),
        sa.Column("source", sa.String(length=64), nullable=False),
        sa.Column("provider", BYTES, nullable=False),
        sa.Column("object", sa.String(length=64), nullable=False),
        sa.Column("sharing_kind", sa.String(length=16), nullable=False),
        sa.Column("sharing_condition", sa.String(length=200), nullable=True),
        sa.Column("legal_basis", sa.String(length=200), nullable=False),
        sa.Column("update_cycle", sa.String(length=16), nullable=False),
        sa.PrimaryKeyConstraint("name", name=op.f("pk_dataset")),
    )
    op.create_index(op.f("ix_dataset_provider"), "dataset", ["provider"], unique=False)


def _dataset_field() -> None:
    op.create_table(
        "dataset_field",
        sa.Column("id", BYTES, nullable=False),
        sa.Column("dataset", BYTES, nullable=False),
        sa.Column("position", sa.Integer(), nullable=False),
        sa.Column("name", sa.String(length=64), nullable=False),
        sa.Column("title", sa.String(length=64), nullable=False),
        sa.Column("value_type", sa.String(length=16), nullable=False),
        sa.Column("object", sa.String(length=64), nullable=False),
        sa.Column("sensitivity", sa.String(length=16), nullable=False),
        sa.Column("mask", sa.String(length=8), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_dataset_field")),
    )
    op.create_index(op.f("ix_dataset_field_dataset"), "dataset_field", ["dataset"], unique=False)


def _department() -> None:
    op.create_table(
        "department",
        sa.Column("code", BYTES, nullable=False),
        sa.Column("title", sa.String(length=64), nullable=False),
        sa.Column("short", sa.String(length=32), nullable=False),
        sa.Column("phone", sa.String(length=20), nullable=False),
        sa.PrimaryKeyConstraint("code", name=op.f("pk_department")),
    )


def _division() -> None:
    op.create_table(
        "division",
        sa.Column("path", PATH, nullable=False),
        sa.Column("code", sa.String(length=12), nullable=False),
        sa.Column("name", sa.String(length=64), nullable=False),
        sa.Column("level", sa.String(length=12), nullable=False),
        sa.Column("parent_path", PATH, nullable=True),
        sa.PrimaryKeyConstraint("path", name=op.f("pk_division")),
        sa.UniqueConstraint("code", name=op.f("uq_division_code")),
    )
    op.create_index(op.f("ix_division_parent_path"), "division", ["parent_path"], unique=False)


def _household() -> None:
    op.create_table(
        "household",
        sa.Column("id", BYTES, nullable=False),
        sa.Column("household_no", sa.String(length=32), nullable=False),
        sa.Column("size", sa.Integer(), nullable=False),
        sa.Column("region_path", PATH, nullable=False),
        sa.Column("region_state", sa.String(length=8), nullable=False),
        sa.Column("as_of", sa.Date(), nullable=False),
        sa.CheckConstraint(PATH_SHAPE, name=op.f("ck_household_region_path")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_household")),
        sa.UniqueConstraint("household_no", name=op.f("uq_household_household_no")),
    )
    op.create_index("ix_household_region", "household", ["region_path", "id"], unique=False)


def _policy_change() -> None:
    op.create_table(
        "policy_change",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("who", sa.String(length=64), nullable=False),
        sa.Column("what", sa.String(length=32), nullable=False),
        sa.Column("before", sa.Text(), nullable=False),
        sa.Column("after", sa.Text(), nullable=False),
        sa.Column("basis", sa.String(length=200), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_policy_change")),
    )
    op.create_index(op.f("ix_policy_change_version"), "policy_change", ["version"], unique=False)


def _policy_version() -> None:
    op.create_table(
        "policy_version",
        sa.Column("id", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("digest", sa.String(length=64), nullable=False),
        sa.Column("changed_at", sa.DateTime(timezone=True), nullable=False),
        sa.CheckConstraint("id = 1", name=op.f("ck_policy_version_one_row")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_policy_version")),
    )


def _principal() -> None:
    op.create_table(
        "principal",
        sa.Column("id", BYTES, nullable=False),
        sa.Column("kind", sa.String(length=16), nullable=False),
        sa.Column("real_name", sa.String(length=64), nullable=False),
        sa.Column("home_dept", sa.String(length=32), nullable=False),
        sa.Column("employment", sa.String(length=16), nullable=False),
        sa.Column("state", sa.String(length=16), nullable=False),
        sa.Column("duty", sa.String(length=16), nullable=False),
        sa.Column("token_epoch", sa.Integer(), nullable=False),
        sa.CheckConstraint(
            "duty IN ('work', 'secadmin', 'auditor', 'sysadmin')", name=op.f("ck_principal_duty")
        ),
        sa.CheckConstraint(
            "employment IN ('civil', 'institution', 'purchased')",
            name=op.f("ck_principal_employment"),
        ),
        sa.CheckConstraint(
            "kind IN ('official', 'system', 'portal')", name=op.f("ck_principal_kind")
        ),
        sa.CheckConstraint(
            "state IN ('active', 'suspended', 'closed')", name=op.f("ck_principal_state")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_principal")),
        sa.UniqueConstraint("id", "duty", name="uq_principal_duty"),
    )


def _role_parent() -> None:
    op.create_table(
        "role_parent",
        sa.Column("role", sa.String(length=32), nullable=False),
        sa.Column("parent", sa.String(length=32), nullable=False),
        sa.CheckConstraint("role <> parent", name=op.f("ck_role_parent_acyclic")),
        sa.PrimaryKeyConstraint("role", "parent", name=op.f("pk_role_parent")),
    )


def _citizen() -> None:
    op.create_table(
        "citizen",
        sa.Column("id", BYTES, nullable=False),
        sa.Column("citizen_uid", BYTES, nullable=False),
        sa.Column("id18", sa.String(length=18), nullable=True),
        sa.Column("name", sa.String(length=64), nullable=False),
        sa.Column("sex", sa.String(length=12), nullable=False),
        sa.Column("birth", sa.Date(), nullable=True),
        sa.Column("birth_band", sa.String(length=16), nullable=True),
        sa.Column("ethnic", sa.String(length=2), nullable=True),
        sa.Column("phone", sa.String(length=20), nullable=True),
        sa.Column("address", sa.String(length=128), nullable=True),
        sa.Column("household_id", BYTES, nullable=True),
        sa.Column("region_path", PATH, nullable=False),
        sa.Column("region_state", sa.String(length=8), nullable=False),
        sa.Column("home_path", PATH, nullable=True),
        sa.Column("dq", sa.String(length=64), nullable=False),
        sa.Column("as_of", sa.Date(), nullable=False),
        sa.CheckConstraint(PATH_SHAPE, name=op.f("ck_citizen_region_path")),
        sa.ForeignKeyConstraint(
            ["household_id"], ["household.id"], name=op.f("fk_citizen_household_id")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_citizen")),
        sa.UniqueConstraint("citizen_uid", name=op.f("uq_citizen_citizen_uid")),
    )
    op.create_index(op.f("ix_citizen_household_id"), "citizen", ["household_id"], unique=False)
    op.create_index("ix_citizen_id18", "citizen", ["id18"], unique=False)
    op.create_index("ix_citizen_region", "citizen", ["region_path", "id"], unique=False)


def _post() -> None:
    op.create_table(
        "post",
        sa.Column("id", BYTES, nullable=False),
        sa.Column("principal_id", BYTES, nullable=False),
        sa.Column("duty", sa.String(length=16), nullable=False),
        sa.Column("dept", sa.String(length=32), nullable=False),
        sa.Column("role", sa.String(length=32), nullable=False),
        sa.Column("region_path", PATH, nullable=False),
        sa.Column("starts_on", sa.Date(), nullable=False),
        sa.Column("ends_on", sa.Date(), nullable=False),
        sa.Column("appointed_by", sa.String(length=64), nullable=False),
        sa.Column("approved_by", sa.String(length=64), nullable=False),
        sa.CheckConstraint(
            "duty = CASE WHEN role IN ('secadmin', 'auditor', 'sysadmin') THEN role "
            "ELSE 'work' END",
            name=op.f("ck_post_duty"),
        ),
        sa.CheckConstraint(
            "length(region_path) IN (6, 9, 12) AND substr(region_path, 1, 6) = '532622' "
            "AND substr(region_path, 7, 3) <> '000' AND substr(region_path, 10, 3) <> '000'",
            name=op.f("ck_post_region_path"),
        ),
        sa.CheckConstraint("starts_on <= ends_on", name=op.f("ck_post_term")),
        sa.ForeignKeyConstraint(
            ["principal_id", "duty"], ["principal.id", "principal.duty"], name="fk_post_duty"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_post")),
    )
    op.create_index(op.f("ix_post_principal_id"), "post", ["principal_id"], unique=False)


def _case_file() -> None:
    op.create_table(
        "case_file",
        sa.Column("id", BYTES, nullable=False),
        sa.Column("case_no", BYTES, nullable=False),
        sa.Column("item", sa.String(length=32), nullable=False),
        sa.Column("state", sa.String(length=20), nullable=False),
        sa.Column("channel", sa.String(length=16), nullable=False),
        sa.Column("intake", sa.String(length=16), nullable=False),
        sa.Column("applicant_id", BYTES, nullable=False),
        sa.Column("applicant_uid", BYTES, nullable=False),
        sa.Column("household_id", BYTES, nullable=True),
        sa.Column("region_path", PATH, nullable=False),
        sa.Column("handling_dept", BYTES, nullable=False),
        sa.Column("filed_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("due_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("closed_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("overdue", sa.Boolean(), nullable=False),
        sa.Column("has_complaint", sa.Boolean(), nullable=False),
        sa.Column("body", sa.Text(), nullable=True),
        sa.Column("decision", sa.Text(), nullable=True),
        sa.CheckConstraint(PATH_SHAPE, name=op.f("ck_case_file_region_path")),
        sa.ForeignKeyConstraint(
            ["applicant_id"], ["citizen.id"], name=op.f("fk_case_file_applicant_id")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_case_file")),
        sa.UniqueConstraint("case_no", name=op.f("uq_case_file_case_no")),
    )
    op.create_index(
        "ix_case_file_applicant", "case_file", ["applicant_id", "filed_at", "id"], unique=False
    )
    op.create_index("ix_case_file_filed", "case_file", ["filed_at", "id"], unique=False)
    op.create_index(
        "ix_case_file_region", "case_file", ["region_path", "filed_at", "id"], unique=False
    )


def _case_event() -> None:
    op.create_table(
        "case_event",
        sa.Column("id", BYTES, nullable=False),
        sa.Column("case_id", BYTES, nullable=False),
        sa.Column("seq", sa.Integer(), nullable=False),
        sa.Column("state", sa.String(length=20), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("post", sa.String(length=64), nullable=False),
        sa.Column("overdue", sa.Boolean(), nullable=False),
        sa.Column("applicant_uid", BYTES, nullable=False),
        sa.Column("household_id", BYTES, nullable=True),
        sa.Column("region_path", PATH, nullable=False),
        sa.Column("handling_dept", BYTES, nullable=False),
        sa.CheckConstraint(PATH_SHAPE, name=op.f("ck_case_event_region_path")),
        sa.ForeignKeyConstraint(["case_id"], ["case_file.id"], name=op.f("fk_case_event_case_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_case_event")),
    )
    op.create_index("ix_case_event_case", "case_event", ["case_id", "at", "id"], unique=False)


def _supervision_order() -> None:
    op.create_table(
        "supervision_order",
        sa.Column("id", BYTES, nullable=False),
        sa.Column("order_no", BYTES, nullable=False),
        sa.Column("case_id", BYTES, nullable=False),
        sa.Column("kind", sa.String(length=16), nullable=False),
        sa.Column("reason", sa.String(length=16), nullable=False),
        sa.Column("state", sa.String(length=16), nullable=False),
        sa.Column("issued_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("due_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("signed_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("result_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("reported_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("closed_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("expired", sa.Boolean(), nullable=False),
        sa.Column("note", sa.Text(), nullable=True),
        sa.Column("applicant_uid", BYTES, nullable=False),
        sa.Column("household_id", BYTES, nullable=True),
        sa.Column("region_path", PATH, nullable=False),
        sa.Column("handling_dept", BYTES, nullable=False),
        sa.CheckConstraint(PATH_SHAPE, name=op.f("ck_supervision_order_region_path")),
        sa.ForeignKeyConstraint(
            ["case_id"], ["case_file.id"], name=op.f("fk_supervision_order_case_id")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_supervision_order")),
        sa.UniqueConstraint("order_no", name=op.f("uq_supervision_order_order_no")),
    )
    op.create_index(
        op.f("ix_supervision_order_case_id"), "supervision_order", ["case_id"], unique=False
    )
    op.create_index(
        "ix_supervision_order_region",
        "supervision_order",
        ["region_path", "issued_at", "id"],
        unique=False,
    )
