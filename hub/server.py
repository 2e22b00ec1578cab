"""The HTTP server under the application: uvicorn on uvloop and httptools, in one place.

Both are asked for by name: a server that silently took a slower loop, or a parser with other
limits, would be another server than the one that was tested. httptools keeps whatever a client
sends as the head of a request; `Connection` ends one whose head has no end.
"""

from __future__ import annotations

import gc
import logging
import re
import socket
import sys
from typing import Any

import uvicorn
from starlette.types import ASGIApp
from uvicorn.config import LifespanType
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol
from uvicorn.protocols.websockets.websockets_sansio_impl import WebSocketsSansIOProtocol

from hub.limits import HEAD_BYTES, MESSAGE_BYTES, PING_S

YOUNG = 20_000  # new containers before the collector looks: some hundred requests, some MB
END = "hub.end"
"""In the scope of a stream: whom to call when the server stops."""
QUIETED = "hub.websocket"
SWITCH_S = 0.0005  # Python's 5 ms would be waited for by whoever answers while a text is read
HTTP2_OFFER = re.compile(rb"\r\nupgrade:[ \t]*h2c[ \t]*(?=\r\n)", re.IGNORECASE)
STARTUP_FAILURE = 3  # the exit code uvicorn itself gives to a server that never listened


class Connection(HttpToolsProtocol):
    """A connection that may send HEAD_BYTES (and what comes with them) without a body's byte.

    So are trailers bounded, which are kept like headers. A body is counted by who reads it.

    Java's client offers HTTP/2 with every question (``Upgrade: h2c``). An offer that is not taken
    is to be ignored (RFC 9110 7.8); the parser would stop there and lose the body instead.
    """

    _bare = 0  # bytes since the last that belonged to a body or ended a request
    _in_head = True

    def data_received(self, data: bytes) -> None:
        """Hand on what came; 400 and the end for a head that is too long."""
        self._bare += len(data)
        if self._in_head and b"h2c" in data:
            head, end, rest = data.partition(b"\r\n\r\n")
            data = HTTP2_OFFER.sub(b"", head + end) + rest
        super().data_received(data)
        if self._bare > HEAD_BYTES and not self.transport.is_closing():
            self.send_400_response("The head of the request is too long.")

    def on_headers_complete(self) -> None:
        """A head has ended; a body may follow."""
        self._in_head = False
        super().on_headers_complete()

    def on_body(self, body: bytes) -> None:
        """A head has ended."""
        self._bare = 0
        super().on_body(body)

    def on_message_complete(self) -> None:
        """A request has ended."""
        self._bare, self._in_head = 0, True
        super().on_message_complete()

    def shutdown(self) -> None:
        """Let answers under way finish; a stream, which would not, is told to end."""
        super().shutdown()
        end: Any = None if self.cycle is None else self.cycle.scope.get(END)
        if end is not None:
            end()


class Line(WebSocketsSansIOProtocol):
    """A WebSocket. Its path and frames, which may hold anything, are not logged at any level.

    Who takes nothing is cut.
    """

    def __init__(self, *given: Any, **named: Any) -> None:
        super().__init__(*given, **named)
        self.logger = self.conn.logger = logging.getLogger(QUIETED)
        self.conn.debug = False  # it would write out each frame

    async def run_asgi(self) -> None:
        """Serve it; what is still unsent when it is over would hold line and memory."""
        await super().run_asgi()
        if not self.writable.is_set():
            self.transport.abort()


class Server(uvicorn.Server):
    """uvicorn's server, with Python's collector and threads told what a server is like."""

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Listen; what is there by then stays for good."""
        await super().startup(sockets)
        settle_memory()
        sys.setswitchinterval(SWITCH_S)


def settle_memory() -> None:
    """Keep the collector from walking the catalogue, the schema and the libraries again and again.

    A walk over them stopped all answers for 80 ms, and the young were looked through every few
    requests, although a request's values die with it, by their reference counts.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(YOUNG, *gc.get_threshold()[1:])


def config(
    app: ASGIApp, host: str = "127.0.0.1", port: int = 0, *, lifespan: LifespanType = "on"
) -> uvicorn.Config:
    """How `app` is served: no access log (addresses hold questions), no name of the server."""
    return uvicorn.Config(
        app,
        host,
        port,
        loop="uvloop",
        http=Connection,
        ws=Line,
        ws_max_size=MESSAGE_BYTES,
        ws_ping_interval=PING_S,
        ws_ping_timeout=PING_S,
        ws_per_message_deflate=False,  # what is masked and what is not must not share a window
        lifespan=lifespan,
        log_config=None,
        access_log=False,
        server_header=False,
        proxy_headers=False,  # who is believed in that is hub/identity/proxies.py's alone
    )


def serve(app: ASGIApp, host: str, port: int) -> None:
    """Listen until a signal comes; ends the program with STARTUP_FAILURE if it cannot."""
    server = Server(config(app, host, port))
    server.run()
    if not server.started:
        sys.exit(STARTUP_FAILURE)
