"""A deadline reaches the source: its side sees the question end, and the asker is told so.

That a statement ends in SQLite, PostgreSQL and MariaDB when its asker leaves is shown pool by pool
in tests/adapters; here the whole hub is asked.
"""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator
from typing import TYPE_CHECKING, Any

import asyncpg
import httpx
import pytest
from sqlalchemy.engine import make_url

from hub.demo.site import HTTP_SOURCE

if TYPE_CHECKING:
    from hub.demo.site import Site
    from tests.faults.conftest import Listening

pytestmark = [pytest.mark.anyio, pytest.mark.loopback]

TOWN = "zhelai-town-01"
DEADLINE_S = 1.5
LATE_S = 10.0  # however busy the machine: a source's own limit would come far later
INSURED = """query($id: ID!) { citizen(by: {id: $id}) { name
  medicalInsurance { settlements { settledAt } } } }"""
NAMED = "query($id: ID!) { citizen(by: {id: $id}) { name } }"


class Hanging:
    """A department's system that takes a question and never answers it."""

    def __init__(self) -> None:
        self.asked, self.ended = asyncio.Event(), asyncio.Event()

    async def take(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        self.asked.set()
        with contextlib.suppress(ConnectionError):
            while await reader.read(65_536):
                pass
        self.ended.set()
        writer.close()


@pytest.fixture
async def hanging() -> AsyncIterator[tuple[Hanging, str]]:
    system = Hanging()
    server = await asyncio.start_server(system.take, "127.0.0.1", 0)
    async with server:
        yield system, f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"


async def _ask(address: str, hub: Any, query: str, citizen: str) -> httpx.Response:
    token = hub.tokens.issue(TOWN, ("aid.file",))
    headers = {"Authorization": f"Bearer {token}", "X-Purpose": "aid.file"}
    async with httpx.AsyncClient(base_url=address, timeout=60, headers=headers) as client:
        return await client.post("/graphql", json={"query": query, "variables": {"id": citizen}})


async def test_a_system_over_http_sees_its_connection_closed(
    site_copy: Site, listening: Listening, hanging: tuple[Hanging, str]
) -> None:
    system, source = hanging
    given = {
        f"sources.{HTTP_SOURCE}": source,
        f"source_keys.{HTTP_SOURCE}": "demo",
        "deadline_s": DEADLINE_S,
        "source.deadline_s": DEADLINE_S,
    }
    async with listening(site_copy, **given) as (hub, address):
        citizen = site_copy.shown("zhelai").citizen
        asking = asyncio.create_task(_ask(address, hub, INSURED, citizen))
        await asyncio.wait_for(system.asked.wait(), LATE_S)
        assert not system.ended.is_set()
        await asyncio.wait_for(system.ended.wait(), DEADLINE_S + LATE_S)
        (error,) = (await asking).json()["errors"]
    told = error["extensions"]["code"], error["extensions"].get("reason")
    assert told in {("SOURCE_UNAVAILABLE", "TIMEOUT"), ("DEADLINE_EXCEEDED", None)}


@pytest.mark.postgres
async def test_a_statement_that_waits_in_postgresql_is_gone_from_it(
    site_copy: Site, listening: Listening, filled_postgres: str
) -> None:
    given = {
        "store.url": filled_postgres,
        "deadline_s": DEADLINE_S,
        "source.deadline_s": DEADLINE_S,
    }
    plain = make_url(filled_postgres).set(drivername="postgresql")
    address_of_it = plain.render_as_string(hide_password=False)
    # A transaction sees the activity of its beginning: another session watches.
    beside, watch = [await asyncpg.connect(address_of_it) for _ in range(2)]
    try:
        async with listening(site_copy, **given) as (hub, address):
            citizen = site_copy.shown("zhelai").citizen
            async with beside.transaction():
                await beside.execute("LOCK TABLE citizen IN ACCESS EXCLUSIVE MODE")
                asking = asyncio.create_task(_ask(address, hub, NAMED, citizen))
                await _until(watch, 1)
                begun = time.monotonic()
                await _until(watch, 0)  # the lock is still held: nobody else let it go
                assert time.monotonic() - begun < DEADLINE_S + LATE_S
                (error,) = (await asking).json()["errors"]
            again = await _ask(address, hub, NAMED, citizen)
    finally:
        await beside.close()
        await watch.close()
    told = error["extensions"]["code"], error["extensions"].get("reason")
    assert told in {("SOURCE_UNAVAILABLE", "TIMEOUT"), ("DEADLINE_EXCEEDED", None)}
    assert again.json()["data"]["citizen"]["name"] == site_copy.shown("zhelai").name


async def _until(watch: asyncpg.Connection[Any], count: int) -> None:
    """Return once so many statements wait for the lock."""
    waiting = (
        "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database()"
        " AND wait_event_type = 'Lock' AND state = 'active'"
    )
    for _ in range(int((DEADLINE_S + LATE_S) * 50)):
        if await watch.fetchval(waiting) == count:
            return
        await asyncio.sleep(0.02)
    raise AssertionError(f"not {count} statements waited")
