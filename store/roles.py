"""Who may do what to the log in production: three roles in PostgreSQL, none of them the owner.

    hub_app       the hub: appends, signs, follows; changes rows only where they are counters or
                  the state of an alert; deletes nothing of the log
    hub_officer   reads the log's tables and nothing else
    hub_archiver  ``hub audit archive``: appends its own records, moves segments on, deletes rows,
                  of which the trigger lets none go but those of DETACHED segments (`frozen.py`)

The owner of the tables migrates and logs in for nothing else; an account is made for each of the
three and given one role. Nobody but the owner may TRUNCATE, ALTER, or drop a trigger: these are
rights that no GRANT can give. With the second lock (`row_lock.py`) the hub is no longer the
owner, whom the lock lets pass: so `hub_app` is given its rows by a policy of its own, and may
become the two reading roles.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from store.row_lock import BY_PLACE, COUNTY, TOWN
from store.tables import metadata

APP, OFFICER, ARCHIVER = "hub_app", "hub_officer", "hub_archiver"
ROLES = (APP, OFFICER, ARCHIVER)

_HEAD = "UPDATE (size, frontier, root)"  # never the log's name or suite
_ADDED = ("SELECT", "INSERT")  # what is frozen, and what is only ever added to

# What may append: the writer's and the index's statements need no more.
_APPENDS: Mapping[str, tuple[str, ...]] = {
    "audit_event": _ADDED,
    "audit_subject": _ADDED,
    "audit_head": (*_ADDED, _HEAD),
    "audit_writer": (*_ADDED, "UPDATE (last_wseq)"),
    "audit_index": (*_ADDED, "UPDATE (next_idx)"),
}
OF_THE_LOG: Mapping[str, Mapping[str, tuple[str, ...]]] = {
    APP: {
        **_APPENDS,
        "audit_checkpoint": _ADDED,
        "audit_tile": _ADDED,
        "audit_cosignature": _ADDED,
        "audit_follower": (*_ADDED, "UPDATE (next_idx)"),
        "audit_rollup_hour": (*_ADDED, "UPDATE (events, subjects)"),
        "audit_rule": (*_ADDED, "UPDATE"),
        "audit_alert": (*_ADDED, "UPDATE"),
        "audit_alert_note": _ADDED,
        "audit_delivery": (*_ADDED, "UPDATE"),
        "audit_verdict": _ADDED,
        "purpose_note": _ADDED,
        "audit_segment": ("SELECT",),
        "audit_withholding": ("SELECT",),
    },
    ARCHIVER: {
        "audit_event": (*_ADDED, "DELETE"),
        "audit_subject": (*_ADDED, "DELETE"),
        **{table: _APPENDS[table] for table in ("audit_head", "audit_writer", "audit_index")},
        "audit_segment": (*_ADDED, "UPDATE (state, sha256, note, changed_at)"),
        **dict.fromkeys(("audit_checkpoint", "audit_tile", "audit_follower"), ("SELECT",)),
    },
}
"""Role, table of the log, what the role may do with it."""

LOG_TABLES = tuple(OF_THE_LOG[APP])
_OTHERS = "SELECT, INSERT, UPDATE, DELETE"


def statements(schema: str) -> Iterator[str]:
    """What makes the roles and sets their rights in `schema`; again mends what was changed."""
    for role in (*ROLES, TOWN, COUNTY):
        yield (
            f"DO $$ BEGIN CREATE ROLE {role} NOLOGIN; "
            "EXCEPTION WHEN duplicate_object OR unique_violation THEN NULL; END $$"
        )
    named = ", ".join(ROLES)
    yield f"REVOKE ALL ON ALL TABLES IN SCHEMA {schema} FROM {named}, PUBLIC"
    yield f"GRANT USAGE ON SCHEMA {schema} TO {named}"
    for role, tables in OF_THE_LOG.items():
        for table, rights in tables.items():
            yield f"GRANT {', '.join(rights)} ON {schema}.{table} TO {role}"
    yield f"GRANT SELECT ON {_list(schema, LOG_TABLES)} TO {OFFICER}"
    others = sorted(metadata.tables.keys() - set(LOG_TABLES))
    yield f"GRANT {_OTHERS} ON {_list(schema, others)} TO {APP}"
    yield f"GRANT SELECT ON {schema}.alembic_version TO {named}"
    yield f"GRANT USAGE ON ALL SEQUENCES IN SCHEMA {schema} TO {APP}"
    yield f"GRANT {TOWN}, {COUNTY} TO {APP}"
    for table in BY_PLACE:
        yield f"DROP POLICY IF EXISTS of_the_hub ON {schema}.{table}"
        yield (
            f"CREATE POLICY of_the_hub ON {schema}.{table} FOR ALL TO {APP} "
            "USING (true) WITH CHECK (true)"
        )


def _list(schema: str, tables: tuple[str, ...] | list[str]) -> str:
    return ", ".join(f"{schema}.{table}" for table in tables)


async def set_roles(connection: AsyncConnection) -> None:
    """Make them and set their rights, in the caller's transaction, by the tables' owner."""
    schema = await connection.scalar(text("SELECT quote_ident(current_schema())"))
    for statement in statements(str(schema)):
        await connection.execute(text(statement))


async def has_roles(connection: AsyncConnection) -> bool:
    """Were the roles set in this database? Then new tables need their rights, too."""
    granted = text(
        "SELECT count(*) FROM pg_class c, aclexplode(c.relacl) a JOIN pg_roles r "
        "ON r.oid = a.grantee WHERE c.oid = to_regclass('audit_event') AND r.rolname = :role"
    )
    return bool(await connection.scalar(granted, {"role": APP}))
