"""Every policy is kept as it stood; the one in force is the first.

Revision ID: policy_archive
Revises: grants

Safe with the previous release running? Yes, but a policy it puts in force is not archived:
stop it first.
Reversible? Yes, and `downgrade` drops the archive: earlier versions can no longer be compared.
"""

from __future__ import annotations

import json
from datetime import UTC, date, datetime

import sqlalchemy as sa
from alembic import op

revision: str = "policy_archive"
down_revision: str | None = "grants"
branch_labels: str | None = None
depends_on: str | None = None

LINE = (
    *("role", "dept", "object", "action", "reach", "owner", "purpose", "until", "effect"),
    *("basis", "written_by", "approved_by"),
)

SHARED = ("object", "provider_dept", "share_class", "basis")
GRANT = (
    *("id", "request_id", "object", "provider", "consumer", "actions", "reach", "purpose"),
    *("since", "until", "state", "written_by", "approved_by"),
)

# An archived policy is never changed (authorisation 2).
SQLITE_TRIGGERS = (
    "CREATE TRIGGER policy_archive_no_update BEFORE UPDATE ON policy_archive "
    "BEGIN SELECT RAISE(ABORT, 'archived policies are never changed'); END",
    "CREATE TRIGGER policy_archive_no_delete BEFORE DELETE ON policy_archive "
    "BEGIN SELECT RAISE(ABORT, 'archived policies are never changed'); END",
)
POSTGRES_TRIGGERS = (
    "CREATE FUNCTION policy_refuse() RETURNS trigger LANGUAGE plpgsql AS "
    "$$ BEGIN RAISE EXCEPTION 'archived policies are never changed'; END $$",
    "CREATE TRIGGER policy_archive_no_change BEFORE UPDATE OR DELETE ON policy_archive "
    "FOR EACH ROW EXECUTE FUNCTION policy_refuse()",
    "CREATE TRIGGER policy_archive_no_truncate BEFORE TRUNCATE ON policy_archive "
    "FOR EACH STATEMENT EXECUTE FUNCTION policy_refuse()",
)


def upgrade() -> None:
    """The table, the policy in force, then what keeps both as they are."""
    archive = op.create_table(
        "policy_archive",
        sa.Column("version", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("digest", sa.String(length=64), nullable=False),
        sa.Column("archived_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("content", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("version", name=op.f("pk_policy_archive")),
    )
    _archive_what_is_in_force(archive)
    sqlite = op.get_bind().dialect.name == "sqlite"
    for statement in SQLITE_TRIGGERS if sqlite else POSTGRES_TRIGGERS:
        op.execute(statement)


def downgrade() -> None:
    """Back to the shape before; a table's triggers go with it."""
    op.drop_table("policy_archive")
    if op.get_bind().dialect.name == "postgresql":
        op.execute("DROP FUNCTION policy_refuse()")


def _archive_what_is_in_force(archive: sa.Table) -> None:
    found = sa.table("policy_version", sa.column("version"), sa.column("digest"))
    head = op.get_bind().execute(sa.select(found.c.version, found.c.digest)).first()
    if head is None:
        return
    row = {"version": head.version, "digest": head.digest, "content": _content()}
    op.bulk_insert(archive, [row | {"archived_at": datetime.now(UTC)}])


def _content() -> str:
    bind = op.get_bind()
    columns = [sa.column(name, sa.Date()) if name == "until" else sa.column(name) for name in LINE]
    rules = bind.execute(sa.select(*columns).select_from(sa.table("authz_rule"))).all()
    links = sa.table("role_parent", sa.column("role"), sa.column("parent"))
    parents = bind.execute(sa.select(links.c.role, links.c.parent)).all()
    content = {
        "grants": _table("share_grant", GRANT),
        "objects": _table("authz_object", SHARED),
        "parents": sorted(list(link) for link in parents),
        "rules": sorted([_text(value) for value in rule] for rule in rules),
    }
    return json.dumps(content, ensure_ascii=False, separators=(",", ":"))


def _table(name: str, columns: tuple[str, ...]) -> list[list[str]]:
    typed = [sa.column(c, sa.Date()) if c in ("since", "until") else sa.column(c) for c in columns]
    rows = op.get_bind().execute(sa.select(*typed).select_from(sa.table(name))).all()
    return sorted([_text(value) for value in row] for row in rows)


def _text(value: object) -> str:
    if value is None:
        return ""
    return value.isoformat() if isinstance(value, date) else str(value)
