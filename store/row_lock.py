"""The second lock: PostgreSQL's row-level security on the roles that read (authorisation 5).

A Plan's statements are cut to the asker's rows by their own text. With this lock a statement that
forgot to be would still bring a township's officer no row of another township:

    TOWN     rows whose place lies in the township that the session names; it names none: no row
    COUNTY   every row, for posts of the whole county or of several townships

The account the hub logs in with may become either and owns the tables, so writing, migrations and
backups by it are not concerned; any other account sees no row of these tables any more.
"""

from __future__ import annotations

from collections.abc import Iterator

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from store.staffing import COUNTED

TOWN, COUNTY = "hub_reader_town", "hub_reader_county"
REACH = "hub.reach"  # the session's setting: nine digits
BY_PLACE = (
    *("citizen", "household", "case_file", "case_event", "supervision_order"),
    *("work_order", "timeout_event", "supervision_event"),
    *("complaint", "complaint_event", "spot_check", "spot_check_item"),
    *("correction", "correction_event", "correction_reader"),
    *("sharing_request", "sharing_request_event", "sharing_fault"),
    *("account_change", "account_change_event", "training_record"),
    *("comparison_run", "risk_clue"),
)
OPEN = (
    *("division", "department", "dataset", "dataset_field"),
    *("monthly_bulletin", "bulletin_figure", "ranking_place"),
)
WHOLE_COUNTY = (
    *("audit_event", "audit_subject", "audit_rollup_hour", "audit_alert", "audit_head"),
    *(
        "audit_checkpoint",
        "audit_cosignature",
        "audit_index",
        "audit_follower",
        "audit_verdict",
        "audit_withholding",
    ),
    *("policy_version", "staffing"),
)
"""What the auditor's data sets and the gaps of staff are made of, and what strict acts ask."""


def statements() -> Iterator[str]:
    """What sets the lock; again does no harm. Words of ours only."""
    for role in (TOWN, COUNTY):
        yield (
            f"DO $$ BEGIN CREATE ROLE {role} NOLOGIN; "
            "EXCEPTION WHEN duplicate_object OR unique_violation THEN NULL; END $$"
        )
        yield f"GRANT {role} TO CURRENT_USER"
        yield f"GRANT SELECT ON {', '.join((*BY_PLACE, *OPEN))} TO {role}"
    yield f"GRANT SELECT ON {', '.join(WHOLE_COUNTY)} TO {COUNTY}"
    for table, columns in COUNTED.items():
        yield f"GRANT SELECT ({', '.join(columns)}) ON {table} TO {COUNTY}"
    for table in BY_PLACE:
        yield f"ALTER TABLE {table} ENABLE ROW LEVEL SECURITY"
        for name, role, rows in (("of_the_town", TOWN, _of_the_town()), ("of_all", COUNTY, "true")):
            yield f"DROP POLICY IF EXISTS {name} ON {table}"
            yield f"CREATE POLICY {name} ON {table} FOR SELECT TO {role} USING ({rows})"


def _of_the_town() -> str:
    # The words of the indexes (store/metadata.py), so that the lock itself finds the rows.
    return f"substr(region_path, 1, 9) = current_setting('{REACH}', true)"


async def lock(connection: AsyncConnection) -> None:
    """Set it, in the caller's transaction; needs the right to create roles the first time."""
    # A table whose rows this transaction has changed waits to note that (`changes.py`): now.
    await connection.execute(text("SET CONSTRAINTS ALL IMMEDIATE"))
    for statement in statements():
        await connection.execute(text(statement))


async def is_locked(connection: AsyncConnection) -> bool:
    """Does every table have both policies, and may this account become both roles?"""
    policies = await connection.scalar(
        text(
            "SELECT count(*) FROM pg_policies p JOIN pg_class c ON c.relname = p.tablename "
            "AND c.relnamespace = p.schemaname::regnamespace WHERE c.relrowsecurity "
            "AND p.schemaname = current_schema() AND p.tablename = ANY(:tables) "
            "AND p.policyname IN ('of_the_town', 'of_all')"
        ),
        {"tables": list(BY_PLACE)},
    )
    if policies != 2 * len(BY_PLACE):
        return False
    member = text(
        "SELECT count(*) FROM pg_roles WHERE rolname = ANY(:roles) "
        "AND pg_has_role(current_user, oid, 'MEMBER')"
    )
    return bool(await connection.scalar(member, {"roles": [TOWN, COUNTY]}) == 2)
