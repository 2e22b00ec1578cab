"""A body is whole, or too large, or broken off, or too late; and nothing else."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from catalog.errors import BadRequest, PayloadTooLarge
from hub.edge.body import body_of
from hub.limits import BODY_BYTES

pytestmark = pytest.mark.anyio
Message = dict[str, Any]
DEADLINE_S = 5.0


def part(body: bytes, more: bool = False) -> Message:
    return {"type": "http.request", "body": body, "more_body": more}


GONE: Message = {"type": "http.disconnect"}


class Client:
    """Sends its messages; before those in `slow` the server has to wait."""

    def __init__(self, *messages: Message, slow: tuple[int, ...] = ()) -> None:
        self.messages, self.slow, self.sent, self.closed = list(messages), slow, 0, 0

    async def receive(self) -> Message:
        number, self.sent = self.sent, self.sent + 1
        try:
            if number >= len(self.messages):
                await asyncio.Event().wait()
            for _ in range(3 if number in self.slow else 0):
                await asyncio.sleep(0.001)
        finally:
            self.closed += 1
        return self.messages[number]


@pytest.mark.parametrize("slow", [(), (0,), (1,), (0, 1, 2)])
async def test_a_body_in_parts_is_read_whole_however_it_comes(slow: tuple[int, ...]) -> None:
    client = Client(part(b'{"a"', True), part(b"", True), part(b": 1}"), slow=slow)
    assert await body_of(client.receive, DEADLINE_S) == b'{"a": 1}'
    assert client.sent == client.closed == 3


@pytest.mark.parametrize("slow", [(), (0,)])
async def test_a_body_in_one_part_is_asked_for_once(slow: tuple[int, ...]) -> None:
    client = Client(part(b"{}"), slow=slow)
    assert await body_of(client.receive, DEADLINE_S) == b"{}"
    assert client.sent == 1


async def test_a_request_without_a_body_has_an_empty_one() -> None:
    assert await body_of(Client({"type": "http.request"}).receive, DEADLINE_S) == b""


@pytest.mark.parametrize("parts", [1, 2, 1024])
async def test_the_largest_body_is_read_and_one_byte_more_is_not(parts: int) -> None:
    size = BODY_BYTES // parts
    whole = [part(b"x" * size, True) for _ in range(parts)]
    body = await body_of(Client(*whole, part(b"")).receive, DEADLINE_S)
    assert len(body) == BODY_BYTES
    with pytest.raises(PayloadTooLarge):
        await body_of(Client(*whole, part(b"x")).receive, DEADLINE_S)
    with pytest.raises(PayloadTooLarge):
        await body_of(Client(part(b"x" * (BODY_BYTES + 1))).receive, DEADLINE_S)


async def test_what_is_too_large_is_not_read_to_its_end() -> None:
    client = Client(*[part(b"x" * BODY_BYTES, True)] * 10)
    with pytest.raises(PayloadTooLarge):
        await body_of(client.receive, DEADLINE_S)
    assert client.sent == 2


@pytest.mark.parametrize("messages", [[GONE], [part(b"{", True), GONE]])
@pytest.mark.parametrize("slow", [(), (0, 1)])
async def test_a_client_that_goes_away_has_sent_no_body(
    messages: list[Message], slow: tuple[int, ...]
) -> None:
    with pytest.raises(BadRequest) as caught:
        await body_of(Client(*messages, slow=slow).receive, DEADLINE_S)
    assert caught.value.reason == "BODY"


@pytest.mark.parametrize("messages", [[], [part(b"{", True)], [part(b"{", True)] * 2])
@pytest.mark.parametrize("slow", [(), (0, 1)])
async def test_a_body_that_does_not_come_ends_with_the_deadline(
    messages: list[Message], slow: tuple[int, ...]
) -> None:
    client = Client(*messages, slow=slow)
    with pytest.raises(TimeoutError):
        await body_of(client.receive, 0.05)
    assert client.sent == client.closed == len(messages) + 1  # nobody is left waiting


async def test_who_is_cancelled_while_he_waits_leaves_nobody_waiting() -> None:
    client = Client()
    task = asyncio.create_task(body_of(client.receive, DEADLINE_S))
    await asyncio.sleep(0.01)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert (client.sent, client.closed) == (1, 1)


async def test_an_error_of_the_server_is_its_own() -> None:
    async def broken() -> Message:
        raise RuntimeError("x")

    async def broken_later() -> Message:
        await asyncio.sleep(0)
        raise RuntimeError("x")

    for receive in (broken, broken_later):
        with pytest.raises(RuntimeError):
            await body_of(receive, DEADLINE_S)
