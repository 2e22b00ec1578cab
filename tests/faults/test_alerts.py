"""A running hub: alerts come by themselves, a dead receiver and a flood hold nobody up."""

from __future__ import annotations

import asyncio
import json
import socket
import time
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import date
from typing import TYPE_CHECKING, Any

import httpx
import pytest
from sqlalchemy import select

from audit.verify import Exit
from audit.verify import run as verify
from hub.demo.people import number_of
from store.audit import audit_alert, audit_delivery, audit_event, audit_rollup_hour

if TYPE_CHECKING:
    from hub.demo.site import Site
    from hub.worker import Hub
    from tests.faults.conftest import Listening

pytestmark = [pytest.mark.anyio, pytest.mark.loopback]
TOWN = "zhelai-town-01"
LOOK = "query($n: String!) { citizen(by: {idNumber: $n}) { name } }"
SEEN_WITHIN_S = 30.0  # promised: no alert is later
KEY = "a key for the webhook"
STRANGERS, CONNECTIONS = 5_000, 10


def asked(hub: Hub, query: str, **variables: Any) -> dict[str, Any]:
    """A request of the town's clerk, as httpx takes it."""
    token = hub.tokens.issue(TOWN, ("aid.file",))
    headers = {"Authorization": f"Bearer {token}", "X-Purpose": "aid.file"}
    return {"headers": headers, "json": {"query": query, "variables": variables}}


async def rows(hub: Hub, *columns: Any) -> list[tuple[Any, ...]]:
    async with hub.store.connect() as connection:
        return [tuple(row) for row in (await connection.execute(select(*columns))).all()]


async def raised(hub: Hub, rule: str) -> tuple[Any, ...]:
    """The alert of a rule, once it is there; it must be there in time."""
    alert = audit_alert.c
    end = time.monotonic() + SEEN_WITHIN_S
    while time.monotonic() < end:
        for found in await rows(hub, alert.rule, alert.actor, alert.count, alert.raised_idx):
            if found[0] == rule:
                return found[1:]
        await asyncio.sleep(0.1)
    raise AssertionError(f"no alert of {rule}")


async def bodies(hub: Hub, kind: str) -> list[dict[str, Any]]:
    found = await rows(hub, audit_event.c.kind, audit_event.c.body)
    return [json.loads(body) for of, body in found if of == kind]


async def test_numbers_tried_one_after_another_are_told_and_are_in_no_record(
    filled_store: str, site_copy: Site, listening: Listening
) -> None:
    tried = [number_of(date(1931, 1, 1), n) for n in range(900, 905)]
    async with (
        listening(site_copy, **{"store.url": filled_store}) as (hub, address),
        httpx.AsyncClient(base_url=address) as client,
    ):
        for number in (*tried, *tried):
            answer = await client.post("/graphql", **asked(hub, LOOK, n=number))
            assert answer.json()["data"] == {"citizen": None}
        runs = [body["op"]["vars"] for body in await bodies(hub, "READ")]
        assert [said.get("run", 0) for said in runs] == [0, 2, 3, 4, 5, 5, 5, 5, 5, 5]
        # Both say the same of it: ten that found nobody, five in a row.
        assert (await raised(hub, "consecutive"))[:2] == (TOWN, 5)
        assert (await raised(hub, "enumeration"))[:2] == (TOWN, 10)
        alerts = await bodies(hub, "ALERT_RAISED")
        texts = [body for (body,) in await rows(hub, audit_event.c.body)]
        assert [n for n in tried for text in texts if n in text] == []
        hours = await rows(hub, audit_rollup_hour.c.kind, audit_rollup_hour.c.events)
    assert sorted(body["op"]["name"] for body in alerts) == ["consecutive", "enumeration"]
    assert sum(count for kind, count in hours if kind == "READ") <= 10
    assert (await asyncio.to_thread(verify, filled_store)).exit is Exit.INTACT


@asynccontextmanager
async def _deaf() -> AsyncIterator[tuple[str, list[int]]]:
    """A receiver that takes connections and never says a word; how many it has taken."""
    taken: list[int] = []

    async def silence(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        taken.append(1)
        await reader.read()
        writer.close()

    server = await asyncio.start_server(silence, "127.0.0.1", 0)
    async with server:
        yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/hook", taken


async def test_a_deaf_receiver_slows_no_answer_and_no_alert(
    site_copy: Site, listening: Listening
) -> None:
    async with _deaf() as (url, taken):
        given = {"alerts.webhook_url": url, "alerts.webhook_key": KEY}
        async with (
            listening(site_copy, **given) as (hub, address),
            httpx.AsyncClient(base_url=address) as client,
        ):
            for _ in range(10):
                refused = await client.post(
                    "/graphql", **asked(hub, "{ __schema { types { name } } }")
                )
                assert refused.json()["errors"][0]["extensions"]["code"] == "FORBIDDEN"
            assert (await raised(hub, "denials"))[:2] == (TOWN, 10)
            end = time.monotonic() + SEEN_WITHIN_S
            while not taken:
                assert time.monotonic() < end
                await asyncio.sleep(0.05)
            # It is being told, in vain, while this is answered and the next is raised.
            for _ in range(10):
                answer = await client.post(
                    "/graphql", **asked(hub, LOOK, n=number_of(date(1931, 1, 1), 901))
                )
                assert answer.status_code == 200
            assert (await raised(hub, "enumeration"))[:2] == (TOWN, 10)
            d = audit_delivery.c
            told = await rows(hub, d.channel, d.done_at)
            assert told == [("webhook", None)] * 2


async def test_a_flood_of_strangers_is_a_record_and_real_events_are_written(
    site_copy: Site, listening: Listening
) -> None:
    """Row 19: five thousand without a token, while a clerk works."""
    async with (
        listening(site_copy) as (hub, address),
        httpx.AsyncClient(base_url=address) as client,
    ):
        port = httpx.URL(address).port
        assert port is not None
        each = STRANGERS // CONNECTIONS
        flood = [asyncio.to_thread(_strangers, port, each) for _ in range(CONNECTIONS)]
        floods = asyncio.gather(*flood)
        answered = 0
        while not floods.done():
            answer = await client.post("/graphql", **asked(hub, "{ viewer { account } }"))
            assert answer.status_code == 200
            answered += 1
        assert sum(await floods, Counter()) == Counter({401: STRANGERS})
        await hub.rejects.flush()
        rejects = await bodies(hub, "REJECTS")
        reads = await bodies(hub, "READ")
    assert answered > 5  # both went on at one time
    assert len(reads) == answered
    assert sum(body["op"]["vars"]["count"] for body in rejects) == STRANGERS
    assert len(rejects) < 10  # one for each ten seconds, however many they were
    assert {body["code"] for body in rejects} == {"TOKEN_MISSING"}


def _strangers(port: int, count: int) -> Counter[int]:
    """One connection: request after request without a token; the statuses."""
    body = b'{"query":"{ viewer { account } }"}'
    request = (
        b"POST /graphql HTTP/1.1\r\nHost: hub\r\nContent-Type: application/json\r\n"
        b"Content-Length: %d\r\n\r\n" % len(body) + body
    )
    found: Counter[int] = Counter()
    with socket.create_connection(("127.0.0.1", port)) as connection:
        stream = connection.makefile("rb")
        for _ in range(count):
            connection.sendall(request)
            found[int(stream.readline().split()[1])] += 1
            length = 0
            while (line := stream.readline().strip()) != b"":
                name, _, value = line.partition(b":")
                if name.lower() == b"content-length":
                    length = int(value)
            stream.read(length)
        stream.close()
    return found
