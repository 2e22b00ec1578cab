"""A client that goes away in the middle: what was read for it is in the log all the same."""

from __future__ import annotations

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import TYPE_CHECKING, Any

import httpx
import pytest
from sqlalchemy import select

from adapters.identity import with_check_digit
from hub.demo.site import HTTP_SOURCE
from store.audit import audit_event
from store.lookups import lookup_use
from tests.listeners import added, known_line, records, until

if TYPE_CHECKING:
    from hub.demo.site import Site
    from hub.worker import Hub
    from tests.faults.conftest import Listening
    from tests.listeners import Line

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


# ---- over a WebSocket ---------------------------------------------------------------------------

NOBODY = with_check_digit("53992219990101001")
BOTH = """query($id: ID!, $nobody: String!) { citizen(by: {id: $id}) { name
  medicalInsurance { settlements { settledAt } } }
  none: citizen(by: {idNumber: $nobody}) { name } }"""
INSURED_EVENTS = """subscription { caseEvents { id case { applicant {
  medicalInsurance { settlements { settledAt } } } } } }"""


async def completes(line: Line) -> None:
    """The client wants no more of it, and stays."""
    await line.say(id="1", type="complete")


async def leaves(line: Line) -> None:
    """The client is gone without a word."""
    line.socket.transport.abort()


async def repeats(line: Line) -> None:
    """First the one, then the other: cancelled twice."""
    await completes(line)
    await asyncio.sleep(0.1)
    await leaves(line)


async def errs(line: Line) -> None:
    """The client breaks the protocol; that is told at once, whatever is under way."""
    await line.say(type="nothing")
    assert await line.closed(0.7) == (4400, "Unknown message type")


@pytest.mark.parametrize("gone", [completes, leaves, repeats, errs])
async def test_who_gives_a_question_up_has_asked_it(
    site_copy: Site, listening: Listening, gone: Callable[[Line], Awaitable[None]]
) -> None:
    async with _slow() as (source, taken):
        given = {f"sources.{HTTP_SOURCE}": source, f"source_keys.{HTTP_SOURCE}": "demo"}
        given["source.deadline_s"] = "1"
        async with listening(site_copy, **given) as (hub, address):
            token = hub.tokens.issue(TOWN, ("aid.file",))
            async with known_line(address, token) as line:
                person = site_copy.shown("zhelai").citizen
                await line.ask("1", BOTH, id=person, nobody=NOBODY)
                await asyncio.wait_for(taken.wait(), 10)
                assert await _reads(hub) == []
                await gone(line)
                async with asyncio.timeout(10):
                    while not await _reads(hub):  # noqa: ASYNC110  the log is asked
                        await asyncio.sleep(0.05)
                if gone is completes:
                    assert await line.silent(0.5)  # its frame is not sent
                    await line.ask("1", "{ viewer { account } }")
                    assert await line.told("1") == {"viewer": {"account": TOWN}}
            (record, *_) = await _reads(hub)
            await until(lambda: "operation" not in {t.get_name() for t in asyncio.all_tasks()})
            async with hub.store.connect() as connection:
                used = (await connection.execute(select(lookup_use))).mappings().all()
    assert (record["actor"], record["outcome"], len(record["subjects"])) == (TOWN, "PARTIAL", 1)
    assert len(record["sought"]) == 1
    assert [sum(row[name] for row in used) for name in ("tried", "missed")] == [1, 1]


async def test_a_server_that_stops_records_what_was_asked(
    site_copy: Site, listening: Listening
) -> None:
    async with _slow() as (source, taken):
        given = {f"sources.{HTTP_SOURCE}": source, f"source_keys.{HTTP_SOURCE}": "demo"}
        given["source.deadline_s"] = "1"
        async with contextlib.AsyncExitStack() as stack:
            hub, address = await stack.enter_async_context(listening(site_copy, **given))
            token = hub.tokens.issue(TOWN, ("aid.file",))
            async with known_line(address, token) as line:
                await line.ask("1", QUERY, id=site_copy.shown("zhelai").citizen)
                await asyncio.wait_for(taken.wait(), 10)
                await asyncio.wait_for(stack.aclose(), 20)
    (record,) = await records(site_copy.store_url, "READ")
    assert (record["actor"], record["outcome"], len(record["subjects"])) == (TOWN, "PARTIAL", 1)


async def test_an_event_that_is_being_read_is_recorded_though_nobody_waits(
    site_copy: Site, listening: Listening
) -> None:
    async with _slow() as (source, taken):
        given = {f"sources.{HTTP_SOURCE}": source, f"source_keys.{HTTP_SOURCE}": "demo"}
        given["source.deadline_s"] = "1"
        async with listening(site_copy, **given) as (hub, address):
            token = hub.tokens.issue(TOWN, ("aid.file",))
            async with known_line(address, token) as line:
                await line.ask("1", INSURED_EVENTS)
                await until(lambda: hub.changes.subscribers == 1)
                await added(site_copy.store_url, site_copy.shown("zhelai").case_no, "ROUTED")
                await asyncio.wait_for(taken.wait(), 10)
                await completes(line)
                await until(lambda: hub.changes.subscribers == 0)
                assert await line.silent(0.5)
    url = site_copy.store_url
    (intent,), (read,) = await records(url, "SUBSCRIBE_INTENT"), await records(url, "READ")
    (result,) = await records(url, "SUBSCRIBE_RESULT")
    assert (read["ref"], read["outcome"]) == (str(intent["idx"]), "PARTIAL")
    assert (result["ref"], result["code"]) == (str(intent["idx"]), "COMPLETED")
    assert intent["idx"] < read["idx"] < result["idx"]
