"""What is answered where nothing is: 404 and 405 in the errors' own form; heads of all pages.

No page of this program is kept by a browser or a proxy, and none is taken for another type than
its own.
"""

from __future__ import annotations

from collections.abc import Sequence

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from catalog.errors import HubError, MethodNotAllowed, NotFound
from hub.edge.endpoint import deliver
from hub.release import Sent, Visit
from hub.telemetry.spans import SpanName, trace_id, traced
from hub.worker import Hub

STANDING = ((b"cache-control", b"no-store"), (b"x-content-type-options", b"nosniff"))
METHOD = 405


class Elsewhere:
    """Answers for the framework, which would answer in plain text."""

    def __init__(self, hub: Hub) -> None:
        self._hub = hub

    async def refused(self, request: Request, error: Exception) -> Response:
        """The answer to a request that no route takes."""
        assert isinstance(error, HTTPException)  # noqa: S101  it is registered for nothing else
        said: HubError = NotFound("没有这个地址：查询请用 POST /graphql")
        allow = None
        if error.status_code == METHOD:
            said = MethodNotAllowed("这个地址不接受此请求方法", english="not by this method")
            allow = (error.headers or {}).get("Allow")
        given = request.headers.get("traceparent", "")
        with self._hub.telemetry.span(SpanName.QUERY, traceparent=given) as span:
            visit = Visit(trace_id(span), told=(traced(span),))
            return _Written(self._hub.release.elsewhere(said, visit, allow))


class _Written(Response):
    """What the one door made, in the framework's clothes."""

    def __init__(self, sent: Sent) -> None:
        super().__init__(status_code=sent.status)
        self._sent = sent

    async def __call__(self, _scope: Scope, _receive: Receive, send: Send) -> None:
        await deliver(self._sent, send)


def guarded(app: ASGIApp) -> ASGIApp:
    """`app`, with the heads that every page has unless it says otherwise itself."""

    async def page(scope: Scope, receive: Receive, send: Send) -> None:
        async def told(message: Message) -> None:
            if message["type"] == "http.response.start":
                message["headers"] = _with(message.get("headers", ()))
            await send(message)

        await app(scope, receive, told if scope["type"] == "http" else send)

    return page


def _with(headers: Sequence[tuple[bytes, bytes]]) -> list[tuple[bytes, bytes]]:
    given = {name.lower() for name, _ in headers}
    return [*headers, *((n, v) for n, v in STANDING if n not in given)]
