"""The server under the application: the loop and the parser that were chosen, with bounds."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator
from typing import Any

import pytest
import uvicorn
import uvloop
from starlette.types import Receive, Scope, Send

from hub.limits import HEAD_BYTES
from hub.server import Connection, config

pytestmark = [pytest.mark.anyio, pytest.mark.loopback]
READY_S = 15.0
LINE = b"x-filler: " + b"a" * 1_000 + b"\r\n"


class _Server(uvicorn.Server):
    """A server that leaves the signals to pytest."""

    @contextlib.contextmanager
    def capture_signals(self) -> Any:
        yield


class Counting:
    """Reads whole bodies and says how long they were."""

    def __init__(self) -> None:
        self.requests = 0
        self.bodies: list[bytes] = []

    async def __call__(self, _scope: Scope, receive: Receive, send: Send) -> None:
        self.requests += 1
        whole, more = b"", True
        while more:
            message = await receive()
            whole += message.get("body", b"")
            more = message.get("more_body", False)
        self.bodies.append(whole)
        body = str(len(whole)).encode()
        headers = [(b"content-length", str(len(body)).encode())]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        await send({"type": "http.response.body", "body": body})


@pytest.fixture
async def app(anyio_backend: str) -> Counting:
    return Counting()


@pytest.fixture
async def port(app: Counting) -> AsyncIterator[int]:
    server = _Server(config(app, lifespan="off"))
    task = asyncio.create_task(server.serve())
    async with asyncio.timeout(READY_S):
        while not server.started:
            assert not task.done()
            await asyncio.sleep(0.01)
    yield server.servers[0].sockets[0].getsockname()[1]
    server.should_exit = True
    await task


async def said(port: int, *parts: bytes) -> bytes:
    """What the server answers to these bytes until it, or we, close."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    try:
        with contextlib.suppress(ConnectionError):
            for part in parts:
                writer.write(part)
                await writer.drain()
                await asyncio.sleep(0)
        with contextlib.suppress(ConnectionError, TimeoutError):
            return await asyncio.wait_for(reader.read(), 0.5)
        return b""
    finally:
        writer.close()


def head(*lines: bytes, method: bytes = b"POST") -> bytes:
    return method + b" / HTTP/1.1\r\nhost: x\r\n" + b"".join(lines)


def test_the_loop_and_the_parser_are_named_not_found() -> None:
    made = config(Counting())
    assert made.get_loop_factory() is uvloop.new_event_loop
    assert made.http is Connection


async def test_a_request_is_answered_and_so_is_the_next(port: int, app: Counting) -> None:
    one = head(b"content-length: 3\r\n\r\n") + b"abc"
    last = head(b"connection: close\r\n\r\n", method=b"GET")
    answers = await said(port, one, one, last)
    assert answers.count(b"200 OK") == app.requests == 3


OFFER = (
    b"Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\n"
    b"HTTP2-Settings: AAEAAEAAAAIAAAABAAMAAABkAAQBAAAAAAUAAEAA\r\n"
)


@pytest.mark.parametrize("together", [True, False], ids=["in one piece", "the body behind"])
async def test_an_offer_of_http_2_is_ignored_and_the_body_is_whole(
    port: int, app: Counting, together: bool
) -> None:
    body = b"\r\nUpgrade: h2c\r\n\r\nabc"  # which is the body's own affair
    first = head(OFFER, b"content-length: %d\r\n\r\n" % len(body))
    last = head(b"connection: close\r\n\r\n", method=b"GET")
    parts = (first + body, last) if together else (first, body[:5], body[5:], last)
    answers = await said(port, *parts)
    assert answers.count(b"200 OK") == app.requests == 2
    assert app.bodies == [body, b""]


async def test_a_long_head_is_taken_as_long_as_it_is_no_flood(port: int) -> None:
    lines = [LINE] * (HEAD_BYTES // len(LINE) - 1)
    answer = await said(port, head(*lines, b"connection: close\r\n\r\n"))
    assert answer.startswith(b"HTTP/1.1 200 OK")


@pytest.mark.parametrize("flood", [LINE, b"a" * 1_000], ids=["of headers", "of one header"])
async def test_a_head_without_end_is_ended(port: int, app: Counting, flood: bytes) -> None:
    answer = await said(port, head(b"x-long: "), *[flood] * (3 * HEAD_BYTES // len(flood)))
    assert app.requests == 0
    # Bytes still on their way reset a connection: the answer may be lost, its end is not.
    assert answer == b"" or answer.startswith(b"HTTP/1.1 400 Bad Request")


async def test_trailers_without_end_are_ended(port: int, app: Counting) -> None:
    opened = head(b"transfer-encoding: chunked\r\n\r\n") + b"1\r\nx\r\n0\r\n"
    answer = await said(port, opened, *[LINE] * (3 * HEAD_BYTES // len(LINE)))
    assert b"200 OK" not in answer


async def test_a_large_body_is_not_a_long_head(port: int) -> None:
    size = 10 * HEAD_BYTES
    lines = b"content-length: %d\r\nconnection: close\r\n\r\n" % size
    parts = [b"x" * 1_000] * (size // 1_000) + [b"x" * (size % 1_000)]
    answer = await said(port, head(lines), *parts)
    assert answer.startswith(b"HTTP/1.1 200 OK")
    assert answer.endswith(str(size).encode())


async def test_many_small_requests_are_not_one_long_head(port: int, app: Counting) -> None:
    many = [head(b"\r\n", method=b"GET")] * (2 * HEAD_BYTES // 30)
    await said(port, *many, head(b"connection: close\r\n\r\n", method=b"GET"))
    assert app.requests == len(many) + 1
