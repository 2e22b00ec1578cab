"""gql for Python: over HTTP with both of its clients; over WebSocket, once the hub has one."""

from __future__ import annotations

import asyncio
import json
import os
import sys
from collections.abc import Awaitable, Callable
from functools import partial
from typing import Any

import aiohttp
import pytest
import websockets
from gql import Client, gql
from gql.transport.aiohttp import AIOHTTPTransport
from gql.transport.aiohttp_websockets import AIOHTTPWebsocketsTransport
from gql.transport.exceptions import TransportError, TransportQueryError, TransportServerError
from gql.transport.httpx import HTTPXAsyncTransport
from gql.transport.websockets import WebsocketsTransport
from graphql import GraphQLError
from websockets.typing import Subprotocol

URL = os.environ["HUB_TEST_URL"]
TOKENS: dict[str, str] = json.loads(os.environ["HUB_TEST_TOKENS"])
HEADERS = {"Authorization": f"Bearer {TOKENS['lab']}", "X-Purpose": "aid.review"}
DIVISION = "532622205000"
PAGE = """
  query Page($division: DivisionCode, $first: Int) {
    citizens(division: $division, first: $first) { nodes { id name } totalCount }
  }
"""
HALF = "query Half { viewer { account } citizens(first: 101) { nodes { id } } }"
COUNTS = "subscription Counts { caseCounts { state count } }"
PROTOCOL = Subprotocol("graphql-transport-ws")
REFUSALS = (TransportError, websockets.WebSocketException, aiohttp.ClientError, TimeoutError)
OVER = {"httpx": HTTPXAsyncTransport, "aiohttp": AIOHTTPTransport}


class Claims:
    """Counts claims; one that does not hold is told with what was found."""

    def __init__(self) -> None:
        self.held, self.missed = 0, list[str]()

    async def that(self, claim: str, check: Callable[[], Awaitable[None]]) -> None:
        """Await `check`; it holds if nothing is raised."""
        try:
            await asyncio.wait_for(check(), 20)
            self.held += 1
        except Exception as error:
            self.missed.append(f"{claim}: {type(error).__name__} {str(error)[:300]}")


def client(over: str, headers: dict[str, str], **more: Any) -> Client:
    """A client over one of its transports; the hub's schema is fetched if `more` says so."""
    return Client(transport=OVER[over](url=URL, headers=headers), **more)


async def http(claims: Claims, over: str) -> None:
    """What every client library asks, over one HTTP library."""

    async def answered() -> None:
        async with client(over, HEADERS) as session:
            given = {"division": DIVISION, "first": 3}
            told = await session.execute(gql(PAGE), variable_values=given)
        assert len(told["citizens"]["nodes"]) == 3
        assert told["citizens"]["totalCount"] > 3

    async def checked() -> None:
        async with client(over, HEADERS, fetch_schema_from_transport=True) as session:
            await session.execute(gql("{ viewer { account } }"))
            with pytest.raises(GraphQLError, match="nobodyKnows"):  # before it is sent
                await session.execute(gql("{ viewer { nobodyKnows } }"))

    async def half() -> None:
        async with client(over, HEADERS) as session:
            with pytest.raises(TransportQueryError) as told:
                await session.execute(gql(HALF))
        assert told.value.data == {"viewer": {"account": "lab"}, "citizens": None}
        assert told.value.errors is not None
        assert told.value.errors[0]["extensions"]["reason"] == "PAGE_SIZE"

    async def refused() -> None:
        refusal = (TransportServerError, TransportQueryError)
        async with client(over, {"X-Purpose": "aid.review"}) as session:
            with pytest.raises(refusal, match=r"401|UNAUTHENTICATED"):
                await session.execute(gql("{ viewer { account } }"))

    await claims.that(f"{over}: a query is answered", answered)
    await claims.that(f"{over}: the schema is fetched and used", checked)
    await claims.that(f"{over}: half an answer keeps its half", half)
    await claims.that(f"{over}: a stranger is refused", refused)


async def websocket(claims: Claims) -> None:
    """Queries, a subscription and what is refused, over both of its WebSocket libraries."""
    address = URL.replace("http", "ws", 1)
    lab = {"authorization": HEADERS["Authorization"], "purpose": "aid.review"}

    def line(over: Any = WebsocketsTransport, payload: Any = lab, **more: Any) -> Client:
        given = {"subprotocols": [PROTOCOL], "ack_timeout": 5, **more}
        return Client(transport=over(url=address, init_payload=payload, **given))

    async def answered(over: Any) -> None:
        async with line(over) as session:
            told = await session.execute(gql("{ viewer { account } }"))
        assert told == {"viewer": {"account": "lab"}}

    async def counted(over: Any) -> None:
        async with line(over) as session:
            async for told in session.subscribe(gql(COUNTS)):
                assert sum(one["count"] or 0 for one in told["caseCounts"]) > 0
                return
        raise AssertionError("nothing came")

    async def refused(**given: Any) -> None:
        with pytest.raises(REFUSALS):
            async with line(**given) as session:
                await session.execute(gql("{ viewer { account } }"))

    async def uninitialised() -> None:
        async with websockets.connect(address, subprotocols=[PROTOCOL]) as silent:
            await silent.send(
                json.dumps({"type": "subscribe", "id": "1", "payload": {"query": "{a}"}})
            )
            with pytest.raises(websockets.ConnectionClosed) as told:
                await silent.recv()
        assert told.value.rcvd is not None
        assert told.value.rcvd.code == 4401

    for over in (WebsocketsTransport, AIOHTTPWebsocketsTransport):
        await claims.that(f"{over.__name__}: a query", partial(answered, over))
        await claims.that(f"{over.__name__}: a subscription", partial(counted, over))
    await claims.that("anonymous is refused", partial(refused, payload={}))
    foreign = {"Origin": "https://foreign.invalid"}
    await claims.that("a foreign Origin is refused", partial(refused, headers=foreign))
    legacy = [Subprotocol("graphql-ws")]
    await claims.that("the legacy protocol is refused", partial(refused, subprotocols=legacy))
    await claims.that("no connection_init: 4401", uninitialised)


async def has_subscriptions() -> bool:
    """Does the hub's schema have them?"""
    async with client("httpx", HEADERS) as session:
        told = await session.execute(gql("{ __schema { subscriptionType { name } } }"))
    return told["__schema"]["subscriptionType"] is not None


async def main() -> None:
    """Make the claims; the last line is what was reached."""
    claims, absent = Claims(), ""
    for over in OVER:
        await http(claims, over)
    if await has_subscriptions():
        await websocket(claims)
    else:
        absent = "WebSocket: not there yet"
    total = claims.held + len(claims.missed)
    told = {"reached": f"{claims.held} of {total}", "missed": claims.missed, "absent": absent}
    sys.stdout.write(json.dumps(told) + "\n")


if __name__ == "__main__":
    asyncio.run(main())
