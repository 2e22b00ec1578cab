"""A TCP proxy before PostgreSQL, for faults between the hub and its database.

It passes bytes. What it may do with them is decided by a test, for the connections of the log's
writer alone: those that name themselves ``hub-audit``.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Awaitable, Callable

from sqlalchemy.engine import make_url

PART = 262_144  # bytes read at once: a batch of some dozen records is one part
INSERTED = b"INSERT 0 1\0Z\0\0\0\5I"  # and no transaction is open: it is committed
COMMITTED = b"COMMIT\0Z\0\0\0\5I"
IDLE = b"Z\0\0\0\5I"
"""The server is ready and no transaction is open."""

Watch = Callable[[bytes], Awaitable[bool]]
"""Sees a part before it is passed on; False: it is not passed on."""


async def passed(_part: bytes) -> bool:
    """No fault."""
    return True


class Proxy:
    """``async with Proxy(url) as through``: the address that goes through it.

    `ask` and `answer` watch what the writer sends and is told. `sent` counts its parts. `down`:
    nobody is let in.
    """

    def __init__(self, url: str) -> None:
        self._to = make_url(url)
        self._open: set[asyncio.StreamWriter] = set()
        self._writers: set[asyncio.StreamWriter] = set()
        self.ask: Watch = passed
        self.answer: Watch = passed
        self.down = False
        self.sent = self.refused = 0

    async def __aenter__(self) -> str:
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0, limit=PART)
        port = self._server.sockets[0].getsockname()[1]
        at = self._to.set(host="127.0.0.1", port=port, query={})
        return at.render_as_string(hide_password=False)

    async def __aexit__(self, *_: object) -> None:
        self._server.close()
        self.cut()

    def cut(self) -> None:
        """End every connection, as a server does that dies."""
        for one in list(self._open):
            one.transport.abort()

    def cut_writer(self) -> None:
        """End the writer's alone."""
        for one in list(self._writers):
            one.transport.abort()

    async def _serve(self, up: asyncio.StreamReader, down: asyncio.StreamWriter) -> None:
        if self.down:
            self.refused += 1
            down.transport.abort()
            return
        back, forth = await self._connected()
        self._open |= {down, forth}
        with contextlib.suppress(ConnectionError):
            await self._between(up, down, back, forth)
        self._open -= {down, forth}
        self._writers -= {down, forth}

    async def _connected(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        host = self._to.host or str(self._to.query["host"])
        port = self._to.port or 5432
        if host.startswith("/"):
            return await asyncio.open_unix_connection(f"{host}/.s.PGSQL.{port}", limit=PART)
        return await asyncio.open_connection(host, port, limit=PART)

    async def _between(
        self,
        up: asyncio.StreamReader,
        down: asyncio.StreamWriter,
        back: asyncio.StreamReader,
        forth: asyncio.StreamWriter,
    ) -> None:
        of_writer = asyncio.Event()  # the name comes after a question about TLS
        answers = asyncio.create_task(self._answers(back, down, of_writer))
        with contextlib.suppress(ConnectionError):
            while part := await up.read(PART):
                if not of_writer.is_set():
                    forth.write(part)
                    if b"hub-audit\0" in part:
                        of_writer.set()
                        self._writers |= {down, forth}
                    continue
                self.sent += 1
                if await self.ask(part):
                    forth.write(part)
        forth.close()
        await answers

    async def _answers(
        self, back: asyncio.StreamReader, down: asyncio.StreamWriter, of_writer: asyncio.Event
    ) -> None:
        with contextlib.suppress(ConnectionError):
            while part := await back.read(PART):
                if not of_writer.is_set() or await self.answer(part):
                    down.write(part)
        down.close()


def losing(proxy: Proxy, *said: bytes, times: int = 1) -> list[bytes]:
    """Lose the server's next answers that hold one of `said`; the writer's connection with each.

    The list holds what was lost.
    """
    lost: list[bytes] = []

    async def watch(part: bytes) -> bool:
        if len(lost) == times or not any(one in part for one in said):
            return True
        lost.append(part)
        proxy.cut_writer()
        return False

    proxy.answer = watch
    return lost
