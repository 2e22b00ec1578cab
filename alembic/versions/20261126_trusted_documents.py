"""Trusted documents: reviewed texts of a client, and the ids its tools give them.

Revision ID: trusted_documents
Revises: clients

Safe with the previous release running? Yes: it does not know the tables and asks by text as before.
Reversible? Yes: documents have to be registered and approved again.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision: str = "trusted_documents"
down_revision: str | None = "clients"
branch_labels: str | None = None
depends_on: str | None = None

# Compared by byte in both databases (authorisation 3).
BYTES = sa.String(length=64, collation="C").with_variant(sa.String(length=64), "sqlite")


def upgrade() -> None:
    """Two tables."""
    op.create_table(
        "trusted_document",
        sa.Column("client", BYTES, nullable=False),
        sa.Column("sha256", BYTES, nullable=False),
        sa.Column("name", sa.String(length=40), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("text", sa.Text(), nullable=False),
        sa.Column("cost", sa.Integer(), nullable=False),
        sa.Column("reads", sa.Text(), nullable=False),
        sa.Column("state", sa.String(length=16), nullable=False),
        sa.Column("registered_by", sa.String(length=64), nullable=False),
        sa.Column("registered_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("approved_by", sa.String(length=64), nullable=True),
        sa.Column("approved_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("retired_by", sa.String(length=64), nullable=True),
        sa.Column("retired_at", sa.DateTime(timezone=True), nullable=True),
        sa.CheckConstraint(
            "state IN ('DRAFT', 'APPROVED', 'RETIRED')", name=op.f("ck_trusted_document_state")
        ),
        sa.CheckConstraint(
            "length(sha256) = 64 AND version > 0 AND length(client) > 0",
            name=op.f("ck_trusted_document_filled"),
        ),
        sa.CheckConstraint(
            "approved_by <> registered_by", name=op.f("ck_trusted_document_four_eyes")
        ),
        sa.CheckConstraint(
            "state <> 'APPROVED' OR approved_by IS NOT NULL",
            name=op.f("ck_trusted_document_approved"),
        ),
        sa.CheckConstraint(
            "state <> 'RETIRED' OR retired_by IS NOT NULL", name=op.f("ck_trusted_document_retired")
        ),
        sa.PrimaryKeyConstraint("client", "sha256", name=op.f("pk_trusted_document")),
        sa.UniqueConstraint("client", "name", "version", name="uq_trusted_document_name"),
    )
    op.create_table(
        "trusted_alias",
        sa.Column("client", BYTES, nullable=False),
        sa.Column("alias", sa.String(length=128), nullable=False),
        sa.Column("sha256", BYTES, nullable=False),
        sa.ForeignKeyConstraint(
            ["client", "sha256"],
            ["trusted_document.client", "trusted_document.sha256"],
            name="fk_trusted_alias_document",
        ),
        sa.PrimaryKeyConstraint("client", "alias", name=op.f("pk_trusted_alias")),
    )


def downgrade() -> None:
    """Back to the shape before."""
    op.drop_table("trusted_alias")
    op.drop_table("trusted_document")
