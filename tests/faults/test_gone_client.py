"""A client that goes away in the middle: what was read for it is in the log all the same."""

from __future__ import annotations

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator
from typing import TYPE_CHECKING, Any

import httpx
import pytest
from sqlalchemy import select

from hub.demo.site import HTTP_SOURCE
from store.audit import audit_event

if TYPE_CHECKING:
    from hub.demo.site import Site
    from hub.worker import Hub
    from tests.faults.conftest import Listening

pytestmark = [pytest.mark.anyio, pytest.mark.loopback]

TOWN = "zhelai-town-01"
QUERY = """query($id: ID!) { citizen(by: {id: $id}) { name
  medicalInsurance { settlements { settledAt } } } }"""


@contextlib.asynccontextmanager
async def _slow() -> AsyncIterator[tuple[str, asyncio.Event]]:
    """A department's system that takes a question and never answers it."""
    taken = asyncio.Event()

    async def silence(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        taken.set()
        await reader.read()
        writer.close()

    server = await asyncio.start_server(silence, "127.0.0.1", 0)
    async with server:
        yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}", taken


async def _reads(hub: Hub) -> list[dict[str, Any]]:
    wanted = select(audit_event.c.body).where(audit_event.c.kind == "READ")
    async with hub.store.connect() as connection:
        return [json.loads(body) for body in await connection.scalars(wanted)]


async def test_who_goes_while_a_source_is_asked_leaves_one_record(
    site_copy: Site, listening: Listening
) -> None:
    async with _slow() as (source, taken):
        given = {f"sources.{HTTP_SOURCE}": source, f"source_keys.{HTTP_SOURCE}": "demo"}
        given["source.deadline_s"] = "1"
        async with listening(site_copy, **given) as (hub, address):
            token, to = hub.tokens.issue(TOWN, ("aid.file",)), httpx.URL(address)
            body = json.dumps(
                {"query": QUERY, "variables": {"id": site_copy.shown("zhelai").citizen}}
            )
            head = (
                "POST /graphql HTTP/1.1\r\nHost: hub\r\nContent-Type: application/json\r\n"
                f"Authorization: Bearer {token}\r\nX-Purpose: aid.file\r\n"
                f"Content-Length: {len(body)}\r\n\r\n"
            )
            _, writer = await asyncio.open_connection(to.host, to.port)
            writer.write((head + body).encode())
            await asyncio.wait_for(taken.wait(), 10)
            assert await _reads(hub) == []  # nothing is recorded, and nothing was answered yet
            writer.transport.abort()
            for _ in range(100):
                if await _reads(hub):
                    break
                await asyncio.sleep(0.05)
            await asyncio.sleep(0.2)
            (record,) = await _reads(hub)
    assert (record["actor"], record["outcome"], len(record["subjects"])) == (TOWN, "PARTIAL", 1)
    assert record["reads"][0]["clear"] == {"Citizen.name": 1}
