"""A store with a small policy, on both databases."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest
from sqlalchemy.ext.asyncio import AsyncEngine

from store.accounts import post, principal, voided_tokens
from store.archive import policy_archive
from store.engine import open_engine
from store.grants import Grant, share_grant
from store.metadata import metadata
from store.policy import (
    authz_object,
    authz_rule,
    policy_change,
    policy_version,
    role_parent,
    seed_policy,
)

TABLES = [
    authz_rule, role_parent, authz_object, share_grant, policy_version, policy_change,
    policy_archive, principal, voided_tokens, post,
]  # fmt: skip
LINE = (
    "r1", "town", "*", "Case.basic", "read", "subtree", "any", "*", "9999-12-31", "allow",
    "办法第四条",
)  # fmt: skip
OBJECTS = [
    ("Citizen.employment", "hrss", "CONDITIONAL"),
    ("Division.basic", "rev", "UNCONDITIONAL"),
]


@pytest.fixture
async def engine(store_url: str, anyio_backend: str) -> AsyncIterator[AsyncEngine]:
    """Version 1: one line, one role, two objects, no grant."""
    made = open_engine(store_url)
    async with made.begin() as conn:
        await conn.run_sync(lambda sync: metadata.create_all(sync, TABLES))
        assert await seed_policy(conn, [LINE], [("town", "village")], OBJECTS, "tester") == 1
    yield made
    await made.dispose()


@pytest.fixture
def grant() -> Grant:
    """人社 lets 民政 read who is insured."""
    return Grant(
        "g1", "SQ-2026-1", "Citizen.employment", "hrss", "mca", "read|list", "county",
        "aid.review", "2026-11-01", "2026-12-31",
    )  # fmt: skip
