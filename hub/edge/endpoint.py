"""POST /graphql: method, media types, identity, purpose, body, question, record, answer.

An answer is one body, or a stream of parts (`sse.py`) where it is a subscription's or the client
takes nothing else; each part is made by the one door like an answer of its own.

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
from hub.edge import decoding
from hub.edge.body import body_of
from hub.edge.cors import Cors, asks_beforehand
from hub.edge.passage import Passage, question_of
from hub.edge.sse import Leave, Streams
from hub.identity.asking import Headers, Known
from hub.release import Sent, Visit
from hub.telemetry.spans import AnySpan, SpanName, trace_id, traced
from hub.worker import Hub
from resolvers.answer import Question

MEDIA_KEPT = 64  # clients name few combinations of media types
_KEPT = re.compile(rb"(?!.*\d{7})[\w/+*;=.,\" -]{0,200}\Z")  # never what might be about a person


class Endpoint:
    """POST /graphql; one per worker. Beside it: `websocket.py`, `face.py`."""

    def __init__(self, hub: Hub) -> None:
        self._hub = hub
        self.streams = Streams(hub)
        self._cors = Cors(hub.settings.cors_origins)
        self._media: dict[tuple[bytes | None, ...], str] = {}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        headers = dict(reversed(scope["headers"]))  # of a header sent twice, the first counts
        traceparent = headers.get(b"traceparent", b"").decode("latin-1")
        telemetry = self._hub.telemetry
        with (
            telemetry.metrics.running(),
            telemetry.span(SpanName.QUERY, traceparent=traceparent) as span,
        ):
            passage = Passage(self._hub, headers, visit_of(scope, headers, span, self._cors))
            leave = _leaving(send)
            asked = await self._asked(scope["method"], headers, receive, passage)
            if isinstance(asked, Sent):
                await leave(asked, True, False)
            else:
                await self._in_parts(scope, passage, *asked, leave, receive)

    async def _asked(
        self, method: str, headers: Headers, receive: Receive, passage: Passage
    ) -> Sent | tuple[Question, Known, bool]:
        """The answer; or what is to be answered in parts: question, asker, is it a subscription."""
        if asks_beforehand(method, headers):
            return permission(self._hub, self._cors, passage.visit, headers)
        try:
            media = self._checked(method, headers)
            # Who waits for a stream tells by its status that he may not ask.
            passage.media = decoding.GRAPHQL_JSON if media == decoding.STREAM else media
            known = await passage.admit()
            body = await body_of(receive, self._hub.settings.deadline_s)
            params = decoding.decode_body(body)
            question, known = question_of(params), await passage.fresh(known)
            if _takes_stream(media, headers):
                question = await passage.settled(question, known)  # its text says what it is
                subscribes = await passage.subscribes(question, known)
                if media == decoding.STREAM or subscribes:
                    return question, known, subscribes
            return await passage.answer(question, known)
        except Exception as error:
            return await passage.refuse(error)

    async def _in_parts(
        self,
        scope: Scope,
        passage: Passage,
        question: Question,
        known: Known,
        subscribes: bool,
        leave: Leave,
        receive: Receive,
    ) -> None:
        if not subscribes:
            await self.streams.once(passage, question, known, leave)
            return
        with self._hub.telemetry.span(SpanName.SUBSCRIPTION):
            await self.streams.subscription(scope, passage, question, known, leave, receive)

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


def _takes_stream(media: str, headers: Headers) -> bool:
    """Does a client take a stream, whatever else it takes?"""
    accept = headers.get(b"accept", b"")
    if media == decoding.STREAM or decoding.STREAM.encode() not in accept.lower():
        return media == decoding.STREAM
    return decoding.takes_stream(accept.decode("latin-1"))


def visit_of(scope: Scope, headers: Headers, span: AnySpan, cors: Cors) -> Visit:
    """What is known of a request by its head alone, and what the answer's says in any case."""
    told = (traced(span), *cors.told(headers.get(b"origin")))
    return Visit(trace_id(span), ip=address_of(scope), told=told)


def permission(
    hub: Hub, cors: Cors, visit: Visit, headers: Headers, methods: bytes = b"POST"
) -> Sent:
    """What a browser is told that asks beforehand."""
    visit.told += cors.permitted(headers[b"origin"], methods)
    return hub.release.permission(visit)


async def deliver(sent: Sent, send: Send) -> None:
    """What the one door made, as it is."""
    await _leaving(send)(sent, True, False)


def _leaving(send: Send) -> Leave:
    async def leave(sent: Sent, head: bool, more: bool) -> None:
        if head:
            start = {"type": "http.response.start", "status": sent.status, "headers": sent.headers}
            await send(start)
        await send({"type": "http.response.body", "body": sent.body, "more_body": more})

    return leave


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
