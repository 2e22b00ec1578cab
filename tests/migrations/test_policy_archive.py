"""A store that is upgraded archives the policy in force, as the program would have done."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import asdict, astuple
from datetime import UTC, date, datetime
from typing import Any, TypeVar

import pytest
from sqlalchemy import func, insert, select, text
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import AsyncConnection

from store import migrate
from store.archive import Policy, archived, encoded, policy_archive
from store.engine import open_engine
from store.grants import Grant, share_grant
from store.policy import authz_object, authz_rule, policy_digest, policy_version, role_parent

T = TypeVar("T")
BEFORE = "grants"
LINES = (
    ("town", "*", "Citizen.basic", "read", "subtree", "any", "*", "2026-12-31", "allow", "办法"),
    ("*", "!hea", "Citizen.health", "read", "county", "any", "*", "9999-12-31", "deny", "“, ”"),
)
PARENTS = (("town", "village"), ("lead", "dept"))
OBJECTS = (("Citizen.health", "hea", "NOT_SHARED", "法"), ("Case.basic", "rev", "CONDITIONAL", ""))
GRANT = Grant(
    "g1", "q1", "Citizen.education", "edu", "mca", "read", "subtree", "aid.review",
    "2026-01-01", "2026-12-31", "ACTIVE", "zhang", "li",
)  # fmt: skip
DIGEST = policy_digest(LINES, PARENTS, OBJECTS, (GRANT,))
SIGNED = tuple((*line, "zhang", "li") for line in LINES)


def on(url: str, deed: Callable[[AsyncConnection], Awaitable[T]]) -> T:
    async def run() -> T:
        engine = open_engine(url)
        try:
            async with engine.begin() as connection:
                return await deed(connection)
        finally:
            await engine.dispose()

    return asyncio.run(run())


async def fill(conn: AsyncConnection) -> None:
    """A policy of version 7, as an earlier program left it."""
    now = datetime.now(UTC)
    for number, line in enumerate(LINES):
        row: dict[str, Any] = dict(zip(authz_rule.c.keys()[1:11], line, strict=True))
        row |= {"id": f"r{number}", "until": date.fromisoformat(line[7]), "created_at": now}
        await conn.execute(insert(authz_rule), row | {"written_by": "zhang", "approved_by": "li"})
    await conn.execute(insert(role_parent), [{"role": r, "parent": p} for r, p in PARENTS])
    shared = [
        {"object": o, "provider_dept": p, "share_class": c, "basis": b or None}
        for o, p, c, b in OBJECTS
    ]
    await conn.execute(insert(authz_object), shared)
    given = asdict(GRANT) | {"since": date(2026, 1, 1), "until": date(2026, 12, 31)}
    await conn.execute(insert(share_grant), given)
    head = {"id": 1, "version": 7, "digest": DIGEST, "changed_at": now}
    await conn.execute(insert(policy_version), head)


async def counted(conn: AsyncConnection) -> int:
    return int(await conn.scalar(select(func.count()).select_from(policy_archive)) or 0)


def test_the_policy_in_force_is_archived(store_url: str) -> None:
    migrate.upgrade(store_url, BEFORE)
    on(store_url, fill)
    migrate.upgrade(store_url)

    async def read(conn: AsyncConnection) -> tuple[Any, Any, Any]:
        content = await conn.scalar(select(policy_archive.c.content))
        return await archived(conn, 7), await archived(conn, 6), content

    found, earlier, content = on(store_url, read)
    assert (found.version, found.digest) == (7, DIGEST)
    assert sorted(found.policy.lines) == sorted(SIGNED)
    assert sorted(found.policy.parents) == sorted(PARENTS)
    assert sorted(found.policy.objects) == sorted(OBJECTS)
    assert found.policy.grants == (astuple(GRANT),)
    assert earlier is None
    assert content == encoded(Policy(SIGNED, PARENTS, OBJECTS, (astuple(GRANT),)))


def test_a_store_without_a_policy_archives_none(store_url: str) -> None:
    migrate.upgrade(store_url)
    assert on(store_url, counted) == 0


def test_going_back_drops_the_archive_alone(store_url: str) -> None:
    migrate.upgrade(store_url)
    migrate.downgrade(store_url, BEFORE)
    assert migrate.status(store_url)[0] == BEFORE
    assert sorted(line for line in migrate.drift(store_url) if "policy" in line) == [
        "add_table policy_archive",
        *sorted(
            f"trigger policy_archive_no_{deed} is missing"
            for deed in (
                ("update", "delete") if store_url.startswith("sqlite") else ("change", "truncate")
            )
        ),
    ]
    migrate.upgrade(store_url)
    assert migrate.drift(store_url) == []


def refused(url: str, statement: str) -> None:
    """An archive with one policy refuses the statement and keeps it."""
    migrate.upgrade(url, BEFORE)
    on(url, fill)
    migrate.upgrade(url)

    async def forge(conn: AsyncConnection) -> None:
        await conn.execute(text(statement))

    with pytest.raises(DBAPIError, match="archived policies are never changed"):
        on(url, forge)
    assert on(url, counted) == 1


@pytest.mark.parametrize(
    "statement", ["UPDATE policy_archive SET content = '{}'", "DELETE FROM policy_archive"]
)
def test_what_is_archived_stays_as_it_is(store_url: str, statement: str) -> None:
    refused(store_url, statement)


@pytest.mark.postgres
def test_the_archive_is_not_emptied_at_once(pg_url: str) -> None:
    refused(pg_url, "TRUNCATE policy_archive")
