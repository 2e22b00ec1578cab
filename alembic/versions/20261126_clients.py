"""Machine clients with their keys; when an account's tokens were made void.

Revision ID: clients
Revises: source_budgets

Safe with the previous release running? Yes: it does not know the tables and lets no client in; it
does not refuse tokens that were made void, so end it before relying on that.
Reversible? Yes: clients and their keys are forgotten, void tokens count again until they expire.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision: str = "clients"
down_revision: str | None = "source_budgets"
branch_labels: str | None = None
depends_on: str | None = None

# Compared by byte in both databases (authorisation 3).
BYTES = sa.String(length=64, collation="C").with_variant(sa.String(length=64), "sqlite")


def upgrade() -> None:
    """Six small tables."""
    op.create_table(
        "voided_tokens",
        sa.Column("principal_id", BYTES, nullable=False),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(
            ["principal_id"], ["principal.id"], name=op.f("fk_voided_tokens_principal_id")
        ),
        sa.PrimaryKeyConstraint("principal_id", name=op.f("pk_voided_tokens")),
    )
    _clients()
    for table, key in (("used_assertion", "digest"), ("revoked_token", "jti")):
        op.create_table(
            table,
            sa.Column(key, BYTES, nullable=False),
            sa.Column("until", sa.BigInteger(), nullable=False),
            sa.PrimaryKeyConstraint(key, name=op.f(f"pk_{table}")),
        )
        op.create_index(op.f(f"ix_{table}_until"), table, ["until"])
    op.create_table(
        "sign_in_failure",
        sa.Column("client_id", BYTES, nullable=False),
        sa.Column("address", BYTES, nullable=False),
        sa.Column("minute", sa.Integer(), nullable=False, autoincrement=False),
        sa.Column("count", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("client_id", "address", "minute", name=op.f("pk_sign_in_failure")),
    )


def _clients() -> None:
    op.create_table(
        "client",
        sa.Column("id", BYTES, nullable=False),
        sa.Column("title", sa.String(64), nullable=False),
        sa.Column("dept", sa.String(32), nullable=False),
        sa.Column("principal_id", BYTES, nullable=False),
        sa.Column("kind", sa.String(16), nullable=False),
        sa.Column("purposes", sa.String(200), nullable=False),
        sa.Column("state", sa.String(16), nullable=False),
        sa.Column("expires_on", sa.Date(), nullable=False),
        sa.CheckConstraint("kind IN ('system', 'gateway')", name=op.f("ck_client_kind")),
        sa.CheckConstraint("state IN ('active', 'disabled')", name=op.f("ck_client_state")),
        sa.CheckConstraint("length(purposes) > 0", name=op.f("ck_client_purposes")),
        sa.ForeignKeyConstraint(
            ["principal_id"], ["principal.id"], name=op.f("fk_client_principal_id")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_client")),
    )
    op.create_index(op.f("ix_client_principal_id"), "client", ["principal_id"])
    op.create_table(
        "client_key",
        sa.Column("id", BYTES, nullable=False),
        sa.Column("client_id", BYTES, nullable=False),
        sa.Column("kind", sa.String(8), nullable=False),
        sa.Column("material", sa.Text(), nullable=False),
        sa.Column("added_at", sa.BigInteger(), nullable=False),
        sa.Column("state", sa.String(8), nullable=False),
        sa.CheckConstraint("kind IN ('secret', 'jwk', 'cert')", name=op.f("ck_client_key_kind")),
        sa.CheckConstraint("state IN ('live', 'retired')", name=op.f("ck_client_key_state")),
        sa.ForeignKeyConstraint(["client_id"], ["client.id"], name=op.f("fk_client_key_client_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_client_key")),
    )
    op.create_index(op.f("ix_client_key_client_id"), "client_key", ["client_id"])


def downgrade() -> None:
    """Back to the shape before."""
    for table in (
        "sign_in_failure",
        "revoked_token",
        "used_assertion",
        "client_key",
        "client",
        "voided_tokens",
    ):
        op.drop_table(table)
