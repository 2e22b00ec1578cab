"""The digest covers grants and sharing classes from here on, and covers up nothing."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from store import migrate
from store.engine import open_engine
from store.policy import PolicyRows, read_policy_rows
from tests.migrations.statements import execute

BEFORE = "lookups"
OLD = "b4d25cc706f3e5c0b91bf9d171c147c3f0caf12c9d1edfedbc83a8e34702fce7"
"""What the release before made of the rows below: sorted rules, sorted role parents."""
FILLED = (
    "INSERT INTO authz_rule VALUES ('r1', 'town', '*', 'Case.basic', 'read', 'subtree', 'any', "
    "'*', '9999-12-31', 'allow', '办法第四条', 'hub', 'hub', '2026-11-01 00:00:00')",
    "INSERT INTO role_parent VALUES ('town', 'village')",
    "INSERT INTO authz_object VALUES ('Case.basic', 'rev', 'CONDITIONAL', NULL)",
    f"INSERT INTO policy_version VALUES (1, 7, '{OLD}', '2026-11-01 00:00:00')",
)
GRANT = (
    "INSERT INTO share_grant VALUES ('g1', 'q1', 'Case.basic', 'rev', 'mca', 'read', 'county', "
    "'compare', '2026-11-01', '2026-12-31', 'PENDING', 'a', NULL)"
)


def policy(url: str) -> PolicyRows:
    async def run() -> PolicyRows:
        engine = open_engine(url)
        async with engine.connect() as connection:
            rows = await read_policy_rows(connection)
        await engine.dispose()
        return rows

    return asyncio.run(run())


def head(url: str) -> tuple[Any, ...]:
    return tuple(execute(url, "SELECT version, digest FROM policy_version")[0])


def test_a_policy_as_its_last_change_left_it_gets_the_new_digest(store_url: str) -> None:
    migrate.upgrade(store_url, BEFORE)
    execute(store_url, *FILLED)
    migrate.upgrade(store_url)
    rows = policy(store_url)
    assert rows.sealed
    assert (rows.version, rows.grants) == (7, ())
    assert rows.objects == (("Case.basic", "rev", "CONDITIONAL", ""),)
    assert rows.digest != OLD
    migrate.downgrade(store_url, BEFORE)
    assert head(store_url) == (7, OLD)


@pytest.mark.parametrize(
    "by_hand",
    [
        "UPDATE authz_rule SET purpose = 'audit'",
        "DELETE FROM role_parent",
        "UPDATE policy_version SET digest = 'x'",
    ],
)
def test_a_policy_changed_by_hand_stays_refused(store_url: str, by_hand: str) -> None:
    migrate.upgrade(store_url, BEFORE)
    execute(store_url, *FILLED, by_hand)
    before = head(store_url)
    migrate.upgrade(store_url)
    assert head(store_url) == before
    assert not policy(store_url).sealed


def test_going_back_is_no_way_to_lose_a_grant_made_by_hand(store_url: str) -> None:
    migrate.upgrade(store_url, BEFORE)
    execute(store_url, *FILLED)
    migrate.upgrade(store_url)
    execute(store_url, GRANT)
    before = head(store_url)
    migrate.downgrade(store_url, BEFORE)
    assert head(store_url) == before  # not the old digest: the policy stays refused
    differing = [line for line in migrate.drift(store_url) if "share_grant" in line]
    assert differing == ["add_table share_grant"]


def test_an_empty_store_has_no_digest_to_change(store_url: str) -> None:
    migrate.upgrade(store_url)
    assert execute(store_url, "SELECT * FROM policy_version") == []
    assert execute(store_url, "SELECT * FROM share_grant") == []
