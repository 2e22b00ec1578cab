"""Clients that listen, over a WebSocket or server-sent events, and what they are told of."""

from __future__ import annotations

import asyncio
import contextlib
import json
import uuid
from collections.abc import AsyncIterator, Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import httpx
from sqlalchemy import func, insert, select, update
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed

from store.audit import audit_event
from store.cases import case_event, case_file
from store.engine import single
from store.supervision import supervision_order

PROTOCOL = "graphql-transport-ws"
EVENTS = "subscription Watch { caseEvents { id seq state case { caseNo applicant { name } } } }"
COUNTS = "subscription { caseCounts { state count } }"
ORDERS = "subscription { supervisionEvents { orderNo state } }"
SOON_S, QUIET_S = 10.0, 1.5  # a loaded machine; three polls


@dataclass
class Line:
    """A client's side of a WebSocket."""

    socket: ClientConnection

    async def say(self, **message: object) -> None:
        await self.socket.send(json.dumps(message))

    async def init(self, **who: str) -> dict[str, Any]:
        """``connection_init``, and what the hub says to it."""
        await self.say(type="connection_init", payload=who)
        return await self.next()

    async def ask(self, id_: str, query: str, **variables: object) -> None:
        payload = {"query": query, "variables": variables}
        await self.say(id=id_, type="subscribe", payload=payload)

    async def next(self, within_s: float = SOON_S) -> dict[str, Any]:
        async with asyncio.timeout(within_s):
            found: dict[str, Any] = json.loads(await self.socket.recv())
            return found

    async def told(self, id_: str) -> Any:
        """The data of the next frame, which must be this operation's."""
        message = await self.next()
        assert (message["type"], message["id"]) == ("next", id_), message
        return message["payload"]["data"]

    async def silent(self, within_s: float = QUIET_S) -> bool:
        """Is nothing said for a while?"""
        with contextlib.suppress(TimeoutError):
            await self.next(within_s)
            return False
        return True

    async def rest(self, within_s: float = SOON_S) -> list[dict[str, Any]]:
        """What the hub still says before it closes."""
        async with asyncio.timeout(within_s):
            return [json.loads(text) async for text in _until_closed(self.socket)]

    async def closed(self, within_s: float = SOON_S) -> tuple[int, str]:
        """Code and reason of the hub's closing; whatever it says before is passed over."""
        await self.rest(within_s)
        return self.socket.close_code or 0, self.socket.close_reason or ""


async def _until_closed(socket: ClientConnection) -> AsyncIterator[str | bytes]:
    with contextlib.suppress(ConnectionClosed):
        while True:
            yield await socket.recv()


@contextlib.asynccontextmanager
async def open_line(
    address: str,
    protocols: tuple[str, ...] = (PROTOCOL,),
    headers: Mapping[str, str] | None = None,
) -> AsyncIterator[Line]:
    """A WebSocket on the hub's ``http`` address; nothing is said yet."""
    where = f"{address.replace('http', 'ws', 1)}/graphql"
    async with connect(
        where,
        subprotocols=protocols or None,  # type: ignore[arg-type]
        additional_headers=headers,
        proxy=None,
    ) as socket:
        yield Line(socket)


@contextlib.asynccontextmanager
async def known_line(address: str, token: str, **who: str) -> AsyncIterator[Line]:
    """One whose account and purpose the hub has acknowledged."""
    async with open_line(address) as line:
        said = await line.init(authorization=f"Bearer {token}", **{"purpose": "aid.file", **who})
        assert said == {"type": "connection_ack"}
        yield line


@dataclass
class Part:
    """One server-sent event."""

    event: str
    data: Any


async def parts(response: httpx.Response) -> AsyncIterator[Part]:
    """The events of a stream; comments are passed over."""
    event = ""
    async for line in response.aiter_lines():
        if line.startswith("event: "):
            event = line.removeprefix("event: ")
        elif line.startswith("data:"):
            text = line.removeprefix("data:").strip()
            yield Part(event, json.loads(text) if text else None)


# ---- what happens -------------------------------------------------------------------------------


async def added(url: str, case_no: str, *states: str) -> list[str]:
    """Events appended to a case, each in a transaction of its own; their keys."""
    keys = []
    for state in states:
        async with single(url) as connection:
            asked = select(case_file).where(case_file.c.case_no == case_no)
            case = dict((await connection.execute(asked)).mappings().one())
            last = select(func.max(case_event.c.seq)).where(case_event.c.case_id == case["id"])
            seq = int(await connection.scalar(last) or 0) + 1
            shared = ("applicant_uid", "household_id", "region_path", "handling_dept")
            row = {name: case[name] for name in shared} | {
                "id": str(uuid.uuid4()),
                "case_id": case["id"],
                "seq": seq,
                "state": state,
                "at": datetime.now(UTC),
                "post": "x",
                "overdue": False,
            }
            await connection.execute(insert(case_event).values(row))
            keys.append(str(row["id"]))
    return keys


async def moved(url: str, case_no: str, state: str) -> None:
    """A case in another state."""
    async with single(url) as connection:
        changed = update(case_file).where(case_file.c.case_no == case_no)
        await connection.execute(changed.values(state=state))


async def urged(url: str, order_no: str, state: str) -> None:
    """An order in another state."""
    async with single(url) as connection:
        changed = update(supervision_order).where(supervision_order.c.order_no == order_no)
        await connection.execute(changed.values(state=state))


async def records(url: str, *kinds: str) -> list[dict[str, Any]]:
    """The log's records of these kinds, in order."""
    async with single(url, readonly=True) as connection:
        asked = (
            select(audit_event.c.body)
            .where(audit_event.c.kind.in_(kinds))
            .order_by(audit_event.c.idx)
        )
        return [json.loads(body) for body in (await connection.execute(asked)).scalars()]


async def begun(url: str, count: int) -> None:
    """Return when so many subscriptions have begun."""
    async with asyncio.timeout(SOON_S):
        while len(await records(url, "SUBSCRIBE_INTENT")) < count:  # noqa: ASYNC110  another's
            await asyncio.sleep(0.05)


async def until(condition: Callable[[], bool], within_s: float = SOON_S) -> None:
    """Return when it holds."""
    async with asyncio.timeout(within_s):
        while not condition():  # noqa: ASYNC110  it may be anything
            await asyncio.sleep(0.02)


def codes(message: Mapping[str, Any]) -> list[tuple[str, str | None]]:
    """Code and reason of each error of an ``error`` message."""
    assert message["type"] == "error", message
    found = [error["extensions"] for error in message["payload"]]
    return [(one["code"], one.get("reason")) for one in found]
