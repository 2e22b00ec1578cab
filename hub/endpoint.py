"""POST /graphql: method, media types, identity, purpose, body, question, record, answer.

A stranger's body is not parsed. Every request of a known account ends in a record, also an
unreadable or refused one; strangers are counted and recorded by the dozen (`rejects.py`).

An ASGI application of its own: what a framework would make of a request first costs more than
all that is done here.
"""

from __future__ import annotations

import re
import socket
from dataclasses import replace
from ipaddress import ip_address

import structlog
from starlette.types import Receive, Scope, Send

from authz.rule import EMERGENCY
from catalog.errors import (
    DeadlineExceeded,
    HubError,
    Internal,
    MethodNotAllowed,
    Unauthenticated,
)
from hub import decoding, end_users, notes
from hub.asking import CASE_HEADER, Headers, Known
from hub.body import body_of
from hub.decoding import JSON
from hub.release import Sent, Visit
from hub.runs import looked_up
from hub.strict import answered
from hub.telemetry import AnySpan, Attribute, SpanName, mark, trace_id
from hub.worker import Hub
from resolvers.answer import Answer, Question

MEDIA_KEPT = 64  # clients name few combinations of media types
_log = structlog.get_logger("hub.endpoint")
_KEPT = re.compile(rb"(?!.*\d{7})[\w/+*;=.,\" -]{0,200}\Z")  # never what might be about a person


class Endpoint:
    """The one GraphQL endpoint; one per worker."""

    def __init__(self, hub: Hub) -> None:
        self._hub = hub
        self._media: dict[tuple[bytes | None, ...], str] = {}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        headers = dict(reversed(scope["headers"]))  # of a header sent twice, the first counts
        traceparent = headers.get(b"traceparent", b"").decode("latin-1")
        with self._hub.telemetry.span(SpanName.QUERY, traceparent=traceparent) as span:
            visit = Visit(trace_id(span), ip=_address(scope))
            sent = await self._handled(scope["method"], headers, receive, visit)
            if span.is_recording():
                mark(span, Attribute.DECISION, "OK" if sent.status == 200 else f"S{sent.status}")
        start = {"type": "http.response.start", "status": sent.status, "headers": sent.headers}
        await send(start)
        await send({"type": "http.response.body", "body": sent.body})

    async def _handled(self, method: str, headers: Headers, receive: Receive, visit: Visit) -> Sent:
        hub, media = self._hub, JSON
        try:
            media = self._checked(method, headers)
            known = await hub.askers.known(headers)
            visit = Visit(visit.request_id, known.client, visit.ip, known.gate.asker, known.basis)
            hub.quorum.demand()
            if CASE_HEADER in headers or end_users.HEADER in headers:
                known = await hub.askers.narrowed(known, headers)
                who = hub.release.token(known.gate.asker.end_user)
                visit = replace(visit, asker=known.gate.asker, end_user=who)
            purpose = known.gate.asker.purpose
            if notes.HEADER in headers or purpose == EMERGENCY:
                visit = await self._explained(headers, visit, purpose)
            body = await body_of(receive, hub.settings.deadline_s)
            params = decoding.decode_body(body)
            question = Question(params.query, params.operation_name, params.variables)
            return await self._answered(question, headers, known, visit, media)
        except HubError as error:
            visit = self._as_known(headers, visit)
            if visit.asker is None:
                hub.rejects.add(visit.ip, error.reason or error.code)
            return await hub.release.refusal(error, visit, media)
        except TimeoutError:
            late = DeadlineExceeded("处理超时：请缩小查询范围后重试")
            return await hub.release.refusal(late, visit, media)
        except Exception as error:  # the door must close on whatever happened behind it
            _log.error("internal error", exception=type(error).__name__, request=visit.request_id)
            return await hub.release.refusal(Internal("内部错误：请告知请求编号"), visit, media)

    async def _explained(self, headers: Headers, visit: Visit, purpose: str) -> Visit:
        """The visit with what the asker said of it; an emergency's is in the log from now on."""
        words = notes.words(headers, purpose)
        if words:
            visit = replace(visit, note=await self._hub.notes.keep(words))
        if purpose == EMERGENCY:
            intent = await self._hub.release.intent(visit)
            visit = replace(visit, intent=str(intent.idx))
        return visit

    async def _answered(
        self, question: Question, headers: Headers, known: Known, visit: Visit, media: str
    ) -> Sent:
        hub = self._hub
        with hub.telemetry.span(SpanName.PLAN) as span:
            with looked_up() as numbers:
                answer, known = await answered(hub, question, headers, known)
            visit.asker = known.gate.asker
            visit.run = hub.runs.longest(visit.asker.principal_id, numbers)
            if answer.fault is not None:
                _log.error("internal error", exception=answer.fault, request=visit.request_id)
            if span.is_recording():
                _tell(span, answer)
        with hub.telemetry.span(SpanName.AUDIT):
            return await hub.release.answer(answer, visit, media)

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

    def _as_known(self, headers: Headers, visit: Visit) -> Visit:
        """A refusal before the purpose was settled still belongs to the token's account."""
        if visit.asker is not None:
            return visit
        try:
            claims = self._hub.askers.claims(headers)
        except Unauthenticated:
            return visit
        return self._hub.askers.visit_of(claims, visit)


def _tell(span: AnySpan, answer: Answer) -> None:
    told = answer.disclosure
    mark(span, Attribute.OPERATION_TYPE, told.operation)
    mark(span, Attribute.DECISION, told.outcome)
    mark(span, Attribute.ROWS, sum(read.rows for read in told.reads))
    if told.digest:
        mark(span, Attribute.DOCUMENT, told.digest)


def _address(scope: Scope) -> str:
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
