"""POST /graphql: method, media types, identity, purpose, body, question, record, answer.

A stranger's body is not parsed. Every request of a known account ends in a record, also an
unreadable or refused one; strangers are counted and recorded by the dozen (`rejects.py`).

An ASGI application of its own: what a framework would make of a request first costs more than
all that is done here.
"""

from __future__ import annotations

import re
import socket
from ipaddress import ip_address

from starlette.types import Receive, Scope, Send

from catalog.errors import MethodNotAllowed
from hub import decoding
from hub.asking import Headers
from hub.body import body_of
from hub.passage import Passage
from hub.release import Sent, Visit
from hub.telemetry import SpanName, trace_id
from hub.worker import Hub
from resolvers.answer import Question

MEDIA_KEPT = 64  # clients name few combinations of media types
_KEPT = re.compile(rb"(?!.*\d{7})[\w/+*;=.,\" -]{0,200}\Z")  # never what might be about a person


class Endpoint:
    """The one GraphQL endpoint; one per worker."""

    def __init__(self, hub: Hub) -> None:
        self._hub = hub
        self._media: dict[tuple[bytes | None, ...], str] = {}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        headers = dict(reversed(scope["headers"]))  # of a header sent twice, the first counts
        traceparent = headers.get(b"traceparent", b"").decode("latin-1")
        telemetry = self._hub.telemetry
        with (
            telemetry.metrics.running(),
            telemetry.span(SpanName.QUERY, traceparent=traceparent) as span,
        ):
            visit = Visit(trace_id(span), ip=address_of(scope))
            sent = await self._handled(scope["method"], headers, receive, visit)
        await send_out(sent, send)

    async def _handled(self, method: str, headers: Headers, receive: Receive, visit: Visit) -> Sent:
        passage = Passage(self._hub, headers, visit)
        try:
            passage.media = self._checked(method, headers)
            known = await passage.admit()
            body = await body_of(receive, self._hub.settings.deadline_s)
            params = decoding.decode_body(body)
            question = Question(params.query, params.operation_name, params.variables)
            return await passage.answer(question, known)
        except Exception as error:
            return await passage.refuse(error)

    def _checked(self, method: str, headers: Headers) -> str:
        """The media type of the answer to a request that may be read at all."""
        if method != "POST":
            raise MethodNotAllowed("请用 POST 提交查询")
        given = (
            headers.get(b"accept"),
            headers.get(b"content-type"),
            headers.get(b"content-encoding"),
        )
        media = self._media.get(given)
        if media is None:
            accept, kind, encoding = (None if v is None else v.decode("latin-1") for v in given)
            media = decoding.answer_type(accept)
            decoding.check_content_type(kind, encoding)
            self._keep(given, media)
        return media

    def _keep(self, given: tuple[bytes | None, ...], media: str) -> None:
        if all(_KEPT.match(value or b"") for value in given):
            if len(self._media) >= MEDIA_KEPT:
                self._media.clear()
            self._media[given] = media


async def send_out(sent: Sent, send: Send) -> None:
    """What the one door made, as it is."""
    start = {"type": "http.response.start", "status": sent.status, "headers": sent.headers}
    await send(start)
    await send({"type": "http.response.body", "body": sent.body})


def address_of(scope: Scope) -> str:
    """Whence the request came; behind a proxy that is a header's text, so only an address."""
    client = scope.get("client")
    host = client[0] if client else ""
    try:
        socket.inet_pton(socket.AF_INET, host)
    except (OSError, ValueError):
        return _other_address(host)
    return str(host)


def _other_address(host: str) -> str:
    try:
        return str(ip_address(host.partition("%")[0]))  # a zone after % may be any text
    except ValueError:
        return ""
