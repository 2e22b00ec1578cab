"""Grants between departments, and a digest of the policy that covers them and the sharing classes.

The digest is made anew only where it was true: a policy that somebody has changed by hand stays
refused, before as after.

Revision ID: grants
Revises: lookups

Safe with the previous release running? Yes, for what it has loaded; it refuses the new digest when
it loads again (a restart, a new policy) and answers STALE_POLICY: upgrade all processes.
Reversible? Yes, and `downgrade` drops the grants: what they gave is no longer given.
"""

from __future__ import annotations

import hashlib
import json
from datetime import date

import sqlalchemy as sa
from alembic import op

revision: str = "grants"
down_revision: str | None = "lookups"
branch_labels: str | None = None
depends_on: str | None = None

# Compared by byte in both databases (authorisation 3).
BYTES = sa.String(length=64, collation="C").with_variant(sa.String(length=64), "sqlite")
RULE = (
    "role", "dept", "object", "action", "reach", "owner", "purpose", "until", "effect", "basis",
)  # fmt: skip
PARENT = ("role", "parent")
OBJECT = ("object", "provider_dept", "share_class", "basis")
Rows = list[list[str]]


def upgrade() -> None:
    """One table; the digest of rules, roles, classes and (no) grants."""
    _share_grant()
    rules, parents, objects = _rows("authz_rule", RULE), _rows("role_parent", PARENT), _objects()
    _again([rules, parents], [rules, parents, objects, []])


def downgrade() -> None:
    """Back to the shape before, and to a digest of rules and roles."""
    rules, parents, objects = _rows("authz_rule", RULE), _rows("role_parent", PARENT), _objects()
    _again([rules, parents, objects, _grants()], [rules, parents])
    op.drop_table("share_grant")


def _share_grant() -> None:
    op.create_table(
        "share_grant",
        sa.Column("id", BYTES, nullable=False),
        sa.Column("request_id", BYTES, nullable=False),
        sa.Column("object", sa.String(length=64), nullable=False),
        sa.Column("provider", sa.String(length=32), nullable=False),
        sa.Column("consumer", sa.String(length=32), nullable=False),
        sa.Column("actions", sa.String(length=64), nullable=False),
        sa.Column("reach", sa.String(length=16), nullable=False),
        sa.Column("purpose", sa.String(length=200), nullable=False),
        sa.Column("since", sa.Date(), nullable=False),
        sa.Column("until", sa.Date(), nullable=False),
        sa.Column("state", sa.String(length=8), nullable=False),
        sa.Column("written_by", sa.String(length=64), nullable=False),
        sa.Column("approved_by", sa.String(length=64), nullable=True),
        sa.CheckConstraint("provider <> consumer", name=op.f("ck_share_grant_two_departments")),
        sa.CheckConstraint(
            "state IN ('PENDING', 'ACTIVE', 'REVOKED')", name=op.f("ck_share_grant_state")
        ),
        sa.CheckConstraint(
            "reach IN ('subtree', 'here', 'county') OR (length(reach) IN (6, 9, 12) "
            "AND substr(reach, 1, 6) = '532622' AND substr(reach, 7, 3) <> '000' "
            "AND substr(reach, 10, 3) <> '000')",
            name=op.f("ck_share_grant_reach"),
        ),
        sa.CheckConstraint("since <= until", name=op.f("ck_share_grant_term")),
        sa.CheckConstraint(
            "state <> 'ACTIVE' OR approved_by IS NOT NULL", name=op.f("ck_share_grant_approved")
        ),
        sa.CheckConstraint("approved_by <> written_by", name=op.f("ck_share_grant_two_people")),
        sa.CheckConstraint(
            "length(object) > 0 AND length(provider) > 0 AND length(consumer) > 0 "
            "AND length(actions) > 0 AND length(purpose) > 0 AND length(written_by) > 0",
            name=op.f("ck_share_grant_filled"),
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_share_grant")),
    )


GRANT = (
    "id", "request_id", "object", "provider", "consumer", "actions", "reach", "purpose", "since",
    "until", "state", "written_by", "approved_by",
)  # fmt: skip
DAYS = ("since", "until")


def _objects() -> Rows:
    return _rows("authz_object", OBJECT)


def _grants() -> Rows:
    return _rows("share_grant", GRANT)


def _rows(table: str, names: tuple[str, ...]) -> Rows:
    """All rows as texts; a day as ISO, nothing as the empty text."""
    columns = [sa.column(n, sa.Date() if n in DAYS else sa.String()) for n in names]
    found = op.get_bind().execute(sa.select(*columns).select_from(sa.table(table)))
    return [[_text(value) for value in row] for row in found]


def _text(value: object) -> str:
    if value is None:
        return ""
    return value.isoformat() if isinstance(value, date) else str(value)


def _again(before: list[Rows], after: list[Rows]) -> None:
    """The new digest, where the old one is that of the rows."""
    version = sa.table("policy_version", sa.column("digest", sa.String()))
    op.execute(
        sa.update(version).where(version.c.digest == _digest(before)).values(digest=_digest(after))
    )


def _digest(content: list[Rows]) -> str:
    text = json.dumps([sorted(rows) for rows in content], ensure_ascii=False, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()
