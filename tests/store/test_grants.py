"""What no grant may be cannot be stored, whoever writes the row."""

from __future__ import annotations

from dataclasses import asdict, replace
from datetime import date
from typing import Any

import pytest
from sqlalchemy import insert
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncEngine

from store.grants import ACTIVE, Grant, read_grants, share_grant

pytestmark = pytest.mark.anyio


def row(grant: Grant, **change: Any) -> dict[str, Any]:
    days = {"since": date(2026, 11, 1), "until": date(2026, 12, 31)}
    return asdict(grant) | days | {"written_by": "clerk", "approved_by": None} | change


async def test_a_grant_is_read_as_it_was_written(engine: AsyncEngine, grant: Grant) -> None:
    async with engine.begin() as conn:
        signed = {"state": ACTIVE, "approved_by": "lead"}
        await conn.execute(insert(share_grant), [row(grant, id="g2"), row(grant) | signed])
        found = await read_grants(conn)
    written = replace(grant, written_by="clerk")
    assert found == (
        replace(written, state="ACTIVE", approved_by="lead"),
        replace(written, id="g2"),
    )
    assert [one.active for one in found] == [True, False]


@pytest.mark.parametrize(
    "change",
    [
        {"consumer": "hrss"},
        {"state": "active"},
        {"state": "EXPIRED"},
        {"state": "ACTIVE"},  # nobody approved
        {"state": "ACTIVE", "approved_by": "clerk"},  # nobody else approved
        {"state": "REVOKED", "approved_by": "clerk"},
        {"reach": "532622105000"},
        {"reach": "township"},
        {"until": date(2026, 10, 31)},
        {"object": ""},
        {"provider": ""},
        {"consumer": ""},
        {"actions": ""},
        {"purpose": ""},
        {"written_by": ""},
        {"written_by": None},
        {"request_id": None},
    ],
)
async def test_the_database_refuses(
    engine: AsyncEngine, grant: Grant, change: dict[str, Any]
) -> None:
    async with engine.begin() as conn:
        await conn.execute(insert(share_grant), row(grant))
    with pytest.raises(IntegrityError):
        async with engine.begin() as conn:
            await conn.execute(insert(share_grant), row(grant, id="g2") | change)


async def test_an_id_is_one_grant(engine: AsyncEngine, grant: Grant) -> None:
    with pytest.raises(IntegrityError):
        async with engine.begin() as conn:
            await conn.execute(insert(share_grant), [row(grant), row(grant, consumer="med")])
