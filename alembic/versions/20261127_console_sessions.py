"""Signed-in browsers of the console.

Revision ID: console_sessions
Revises: pauses

Safe with the previous release running? Yes: it does not know the table.
Reversible? Yes: whoever is signed in signs in again.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision: str = "console_sessions"
down_revision: str | None = "pauses"
branch_labels: str | None = None
depends_on: str | None = None

# Compared by byte in both databases (authorisation 3).
BYTES = sa.String(length=64, collation="C").with_variant(sa.String(length=64), "sqlite")


def upgrade() -> None:
    """One table."""
    op.create_table(
        "console_session",
        sa.Column("digest", BYTES, nullable=False),
        sa.Column("account", BYTES, nullable=False),
        sa.Column("sealed", sa.Text(), nullable=False),
        sa.Column("purpose", sa.String(32), nullable=False),
        sa.Column("case_no", sa.String(32), nullable=False),
        *(
            sa.Column(name, sa.BigInteger(), nullable=False)
            for name in ("begun_at", "seen_at", "until")
        ),
        sa.PrimaryKeyConstraint("digest", name=op.f("pk_console_session")),
    )
    op.create_index(op.f("ix_console_session_until"), "console_session", ["until"])


def downgrade() -> None:
    """Sessions are forgotten."""
    op.drop_table("console_session")
