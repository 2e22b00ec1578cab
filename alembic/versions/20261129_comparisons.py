"""Runs of comparisons, which are never changed, and the clues they find.

Revision ID: comparisons
Revises: account_changes

Safe with the previous release running? Yes: it knows neither table.
Reversible? Yes: runs and clues are lost, cases that were lifted keep the clue's number.
"""

from __future__ import annotations

from collections.abc import Iterator

import sqlalchemy as sa
from alembic import op

revision: str = "comparisons"
down_revision: str | None = "account_changes"
branch_labels: str | None = None
depends_on: str | None = None

# Compared by byte in both databases (authorisation 3).
BYTES = sa.String(length=64, collation="C").with_variant(sa.String(length=64), "sqlite")
PATH = sa.String(length=12, collation="C").with_variant(sa.String(length=12), "sqlite")
PATH_SHAPE = "length(region_path) IN (6, 9, 12) AND substr(region_path, 1, 6) = '532622'"
TOWNSHIP = sa.text("substr(region_path, 1, 9)")
AT = sa.DateTime(timezone=True)
TABLE, FUNCTION = "comparison_run", "comparison_refuse"
REFUSAL = "what a run has found stays as it was"


def upgrade() -> None:
    """Two tables; a run is never changed."""
    _runs()
    _clues()
    for statement in _freezing(op.get_bind().dialect.name):
        op.get_bind().exec_driver_sql(statement)


def downgrade() -> None:
    """Without them, and without what froze the runs."""
    connection = op.get_bind()
    sqlite = connection.dialect.name == "sqlite"
    for what in ("update", "delete") if sqlite else ("change", "truncate"):
        on = "" if sqlite else f" ON {TABLE}"
        connection.exec_driver_sql(f"DROP TRIGGER {TABLE}_no_{what}{on}")
    if not sqlite:
        connection.exec_driver_sql(f"DROP FUNCTION {FUNCTION}()")
    op.drop_table("risk_clue")
    op.drop_table(TABLE)


def _runs() -> None:
    op.create_table(
        TABLE,
        sa.Column("id", BYTES, nullable=False),
        sa.Column("run_no", BYTES, nullable=False),
        sa.Column("rule", sa.String(8), nullable=False),
        sa.Column("rule_version", sa.Integer(), nullable=False),
        sa.Column("period", sa.String(7), nullable=True),
        sa.Column("as_of", sa.Date(), nullable=False),
        sa.Column("state", sa.String(12), nullable=False),
        sa.Column("started_at", AT, nullable=False),
        sa.Column("finished_at", AT, nullable=False),
        sa.Column("people", sa.Integer(), nullable=False),
        sa.Column("unjudged", sa.Integer(), nullable=False),
        sa.Column("hits", sa.Integer(), nullable=True),
        sa.Column("added", sa.Integer(), nullable=False),
        sa.Column("standing", sa.Integer(), nullable=False),
        sa.Column("suppressed", sa.Integer(), nullable=False),
        sa.Column("parameters", sa.Text(), nullable=False),
        sa.Column("snapshots", sa.Text(), nullable=False),
        sa.Column("digest", sa.String(64), nullable=False),
        sa.Column("region_path", PATH, nullable=False),
        sa.CheckConstraint(PATH_SHAPE, name=op.f("ck_comparison_run_region_path")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_comparison_run")),
        sa.UniqueConstraint("run_no", name=op.f("uq_comparison_run_run_no")),
        sa.UniqueConstraint("rule", "period", name=op.f("uq_comparison_run_rule_period")),
    )
    op.create_index("ix_comparison_run_region", TABLE, ["region_path", "finished_at", "id"])
    op.create_index("ix_comparison_run_township", TABLE, [TOWNSHIP, "finished_at", "id"])


def _clues() -> None:
    op.create_table(
        "risk_clue",
        sa.Column("id", BYTES, nullable=False),
        sa.Column("clue_no", BYTES, nullable=False),
        sa.Column("run_id", BYTES, nullable=False),
        sa.Column("rule", sa.String(8), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("state", sa.String(20), nullable=False),
        sa.Column("tier", sa.String(8), nullable=False),
        sa.Column("item", sa.String(32), nullable=False),
        sa.Column("found_at", AT, nullable=False),
        sa.Column("due_at", AT, nullable=True),
        sa.Column("due_confirmed", sa.Boolean(), nullable=False),
        sa.Column("lifted_at", AT, nullable=True),
        sa.Column("visited_at", AT, nullable=True),
        sa.Column("case_id", BYTES, nullable=True),
        sa.Column("detail", sa.Text(), nullable=False),
        sa.Column("applicant_id", BYTES, nullable=False),
        sa.Column("applicant_uid", BYTES, nullable=False),
        sa.Column("household_id", BYTES, nullable=True),
        sa.Column("region_path", PATH, nullable=False),
        sa.Column("handling_dept", BYTES, nullable=False),
        sa.CheckConstraint(PATH_SHAPE, name=op.f("ck_risk_clue_region_path")),
        sa.ForeignKeyConstraint(
            ["run_id"], ["comparison_run.id"], name=op.f("fk_risk_clue_run_id")
        ),
        sa.ForeignKeyConstraint(["case_id"], ["case_file.id"], name=op.f("fk_risk_clue_case_id")),
        sa.ForeignKeyConstraint(
            ["applicant_id"], ["citizen.id"], name=op.f("fk_risk_clue_applicant_id")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_risk_clue")),
        sa.UniqueConstraint("clue_no", name=op.f("uq_risk_clue_clue_no")),
    )
    for column in ("run_id", "case_id", "applicant_id"):
        op.create_index(op.f(f"ix_risk_clue_{column}"), "risk_clue", [column])
    op.create_index("ix_risk_clue_region", "risk_clue", ["region_path", "found_at", "id"])
    op.create_index("ix_risk_clue_township", "risk_clue", [TOWNSHIP, "found_at", "id"])
    op.create_index("ix_risk_clue_found", "risk_clue", ["found_at", "id"])


def _freezing(dialect: str) -> Iterator[str]:
    if dialect == "sqlite":
        for deed in ("update", "delete"):
            yield (
                f"CREATE TRIGGER {TABLE}_no_{deed} BEFORE {deed.upper()} ON {TABLE} "
                f"BEGIN SELECT RAISE(ABORT, '{REFUSAL}'); END"
            )
        return
    yield (
        f"CREATE FUNCTION {FUNCTION}() RETURNS trigger LANGUAGE plpgsql AS "
        f"$$ BEGIN RAISE EXCEPTION '{REFUSAL}'; END $$"
    )
    yield (
        f"CREATE TRIGGER {TABLE}_no_change BEFORE UPDATE OR DELETE ON {TABLE} "
        f"FOR EACH ROW EXECUTE FUNCTION {FUNCTION}()"
    )
    yield (
        f"CREATE TRIGGER {TABLE}_no_truncate BEFORE TRUNCATE ON {TABLE} "
        f"FOR EACH STATEMENT EXECUTE FUNCTION {FUNCTION}()"
    )
