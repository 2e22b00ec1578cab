"""A request's body, counted while it is read, and no longer waited for than the deadline.

A small body has mostly arrived before its request is looked at. Then there is nothing to wait
for and no timer to set, which costs more than everything else here: the first step is taken by
hand, and only if it has to wait does the clock start.
"""

from __future__ import annotations

import asyncio
from collections.abc import Generator
from types import coroutine
from typing import Any

from starlette.types import Message, Receive

from catalog.errors import BadRequest, PayloadTooLarge
from hub.limits import BODY_BYTES


async def body_of(receive: Receive, deadline_s: float) -> bytes:
    """The whole body. PayloadTooLarge, BadRequest if it breaks off, TimeoutError."""
    steps = receive().__await__()
    try:
        waits_for = next(steps)
    except StopIteration as done:
        first: Message = done.value
        if not first.get("more_body", False):
            whole = _chunk(first)
            _check_size(whole)
            return whole
        async with asyncio.timeout(deadline_s):
            return await _rest(first, receive)
    async with asyncio.timeout(deadline_s):
        return await _rest(await _resumed(steps, waits_for), receive)


@coroutine
def _resumed(steps: Generator[Any, Any, Message], waits_for: Any) -> Generator[Any, Any, Message]:
    """Goes on with what has taken its first step and waits."""
    try:
        yield waits_for
    except BaseException:
        steps.close()
        raise
    return (yield from steps)


async def _rest(message: Message, receive: Receive) -> bytes:
    whole = bytearray(_chunk(message))
    while message.get("more_body", False):
        _check_size(whole)
        message = await receive()
        whole += _chunk(message)
    _check_size(whole)
    return bytes(whole)


def _chunk(message: Message) -> bytes:
    if message["type"] != "http.request":
        raise BadRequest("请求体没有发送完整：连接已断开", reason="BODY")
    chunk: bytes = message.get("body", b"")
    return chunk


def _check_size(whole: bytes | bytearray) -> None:
    if len(whole) > BODY_BYTES:
        raise PayloadTooLarge(f"请求体超过上限 {BODY_BYTES // 1024} KiB")
