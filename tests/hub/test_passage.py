"""hub/edge/passage.py: what a request is between its head and its body."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from typing import Any

import pytest
from starlette.types import Message

from hub.app import create_app
from hub.demo.site import Site
from store.accounts import suspend
from tests.trusted import TOWN, Edge, edge

pytestmark = pytest.mark.anyio

WHO = json.dumps({"query": "{ citizens(first: 1) { nodes { id name } } }"}).encode()


@pytest.fixture
async def open_(site: Site, tmp_path: Any) -> AsyncIterator[Edge]:
    async with edge(site, tmp_path / "site") as made:
        yield made


async def test_who_is_suspended_while_his_body_is_awaited_is_answered_nothing(open_: Edge) -> None:
    """A head without its body is no way to keep the rights of the moment it came."""
    hub, sent = open_.hub, []

    async def receive() -> Message:
        async with hub.store.begin() as conn:
            version = await suspend(conn, TOWN, by="officer", basis="test")
        await hub.keeper.at_least(version, 5.0)
        return {"type": "http.request", "body": WHO}

    async def send(message: Message) -> None:
        sent.append(message)

    headers = open_.headers() | {"Content-Type": "application/json"}
    scope = {
        "type": "http",
        "method": "POST",
        "path": "/graphql",
        "headers": [(k.lower().encode(), v.encode()) for k, v in headers.items()],
        "client": ("127.0.0.1", 1),
    }
    await create_app(hub)(scope, receive, send)
    start, body = sent
    told = json.loads(body["body"])
    assert (start["status"], "data" in told) == (401, False)
    assert told["errors"][0]["extensions"]["reason"] == "TOKEN_INVALID"
    record = (await open_.asked())[-1]
    assert (record["actor"], record["outcome"], "reads" in record) == (TOWN, "DENIED", False)
