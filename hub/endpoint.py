"""POST /graphql: method, media types, identity, purpose, body, question, record, answer.

A stranger's body is not parsed. Every request of a known account ends in a record, also an
unreadable or refused one; strangers are counted and recorded by the dozen (`rejects.py`).
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import Mapping
from dataclasses import replace
from ipaddress import ip_address

import structlog
from starlette.requests import Request
from starlette.responses import Response

from authz.gate import Gate
from catalog.errors import (
    BadRequest,
    DeadlineExceeded,
    HubError,
    Internal,
    MethodNotAllowed,
    PayloadTooLarge,
    Unauthenticated,
)
from hub import decoding
from hub.limits import BODY_BYTES
from hub.release import Sent, Visit
from hub.telemetry import Attribute, SpanName, mark, trace_id
from hub.worker import Hub
from resolvers.answer import Answer, Question

JSON = "application/json"
_log = structlog.get_logger("hub.endpoint")
_CLIENT = re.compile(r"[a-z0-9._-]{1,40}\Z")


async def graphql(request: Request) -> Response:
    """The one GraphQL endpoint."""
    hub: Hub = request.app.state.hub
    with hub.telemetry.span(SpanName.QUERY, traceparent=request.headers.get("traceparent")) as span:
        visit = Visit(trace_id(span), ip=_address(request))
        sent = await _handled(hub, request, visit)
        mark(span, Attribute.DECISION, "OK" if sent.status == 200 else f"S{sent.status}")
    return Response(sent.body, sent.status, dict(sent.headers))


async def _handled(hub: Hub, request: Request, visit: Visit) -> Sent:
    media = JSON
    try:
        media = _checked(request)
        visit = await _known(hub, request.headers, visit)
        _check_person(request.headers)
        visit = await _narrowed(hub, request.headers, visit)
        async with asyncio.timeout(hub.settings.deadline_s):
            body = await _body(request)
        params = decoding.decode_body(body)
        question = Question(params.query, params.operation_name, params.variables)
        return await _answered(hub, question, visit, media)
    except HubError as error:
        visit = _as_known(hub, request, visit)
        if visit.asker is None:
            hub.rejects.add(visit.ip, error.reason or error.code)
        return await hub.release.refusal(error, visit, media)
    except TimeoutError:
        late = DeadlineExceeded("处理超时：请缩小查询范围后重试")
        return await hub.release.refusal(late, visit, media)
    except Exception as error:  # the door must close on whatever happened behind it
        _log.error("internal error", exception=type(error).__name__, request=visit.request_id)
        return await hub.release.refusal(Internal("内部错误：请告知请求编号"), visit, media)


async def _answered(hub: Hub, question: Question, visit: Visit, media: str) -> Sent:
    with hub.telemetry.span(SpanName.PLAN) as span:
        answer = await ask(hub, question, visit)
        if answer.fault is not None:
            _log.error("internal error", exception=answer.fault, request=visit.request_id)
        told = answer.disclosure
        mark(span, Attribute.OPERATION_TYPE, told.operation)
        mark(span, Attribute.DECISION, told.outcome)
        mark(span, Attribute.ROWS, sum(read.rows for read in told.reads))
        if told.digest:
            mark(span, Attribute.DOCUMENT, told.digest)
    with hub.telemetry.span(SpanName.AUDIT):
        return await hub.release.answer(answer, visit, media)


async def ask(hub: Hub, question: Question, visit: Visit) -> Answer:
    """The question of a known asker, answered; not yet recorded, so not yet to be shown."""
    asker = visit.asker
    if asker is None:
        raise Unauthenticated("缺少访问令牌", reason="TOKEN_MISSING")
    gate = Gate(hub.keeper.current(), asker, hub.catalog)
    return await hub.engine.answer(question, gate, {"viewer": viewer(hub, gate)})


def viewer(hub: Hub, gate: Gate) -> Mapping[str, object]:
    """What ``viewer`` answers: the request's own facts, no governed data."""
    asker, places = gate.asker, hub.catalog.divisions.by_path
    return {
        "account": asker.principal_id,
        "posts": [
            {
                "department": post.dept,
                "role": post.role,
                "division": places[post.base].code,
                "divisionName": places[post.base].name,
            }
            for post in asker.posts
        ],
        "purpose": asker.purpose,
        "purposeTitle": hub.catalog.purposes[asker.purpose].title,
        "caseNo": asker.case_no,
        "policyVersion": gate.book.version,
    }


def _checked(request: Request) -> str:
    if request.method != "POST":
        raise MethodNotAllowed("请用 POST 提交查询")
    media = decoding.answer_type(request.headers.get("accept"))
    decoding.check_content_type(
        request.headers.get("content-type"), request.headers.get("content-encoding")
    )
    return media


def _check_person(headers: Mapping[str, str]) -> None:
    # X-End-User narrows a machine's rights to a person's. A header that asks for less must
    # never be passed over in silence: nobody is known by it yet, so it is refused.
    if "x-end-user" in headers:
        raise BadRequest("X-End-User 所指的人员未知，请勿携带此头", reason="HEADER")


async def _known(hub: Hub, headers: Mapping[str, str], visit: Visit) -> Visit:
    claims = hub.askers.claims(headers)
    book = hub.keeper.current()
    asker = await hub.askers.asker(claims, headers, book, visit.request_id)
    client = claims.client if _CLIENT.match(claims.client) else ""
    basis = hub.catalog.purposes[asker.purpose].legal_basis
    return Visit(visit.request_id, client, visit.ip, asker, basis)


async def _narrowed(hub: Hub, headers: Mapping[str, str], visit: Visit) -> Visit:
    """With X-Case-No the asker's rights are those to one household."""
    assert visit.asker is not None  # noqa: S101  _known came first
    asker = await hub.askers.narrowed(visit.asker, headers, hub.keeper.current())
    return replace(visit, asker=asker)


def _as_known(hub: Hub, request: Request, visit: Visit) -> Visit:
    """A refusal before the purpose was settled still belongs to the token's account."""
    if visit.asker is not None:
        return visit
    try:
        claims = hub.askers.claims(request.headers)
    except Unauthenticated:
        return visit
    return hub.askers.visit_of(claims, visit)


def _address(request: Request) -> str:
    """Whence the request came; behind a proxy that is a header's text, so only an address."""
    host = request.client.host if request.client else ""
    try:
        return str(ip_address(host.partition("%")[0]))  # a zone after % may be any text
    except ValueError:
        return ""


async def _body(request: Request) -> bytes:
    """The body, counted while it is read."""
    whole = bytearray()
    async for chunk in request.stream():
        whole += chunk
        if len(whole) > BODY_BYTES:
            raise PayloadTooLarge(f"请求体超过上限 {BODY_BYTES // 1024} KiB")
    return bytes(whole)
