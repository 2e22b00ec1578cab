"""hub/edge/endpoint.py: what a request leaves in trace, log, memory; what it never leaves."""

from __future__ import annotations

import asyncio
import io
import json
import logging
import re
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from dataclasses import replace

import httpx
import orjson
import pytest
import structlog
from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from authz.gate import Gate
from catalog.errors import NotAcceptable, UnsupportedMediaType
from hub.app import assemble, create_app, running
from hub.demo.site import Site
from hub.edge.decoding import GRAPHQL_JSON, JSON
from hub.edge.endpoint import MEDIA_KEPT, Endpoint
from hub.limits import RATE_PERSON
from hub.telemetry.logs import configure
from hub.telemetry.spans import Telemetry
from hub.telemetry.trace import CURRENT
from hub.worker import Hub
from resolvers.answer import Answer, Question
from resolvers.plan import Disclosure

TEXT = "query Secret($n: String!) { citizen(by: {idNumber: $n}) { name phone } }"


@pytest.fixture(scope="module")
def spans(site: Site) -> tuple[Site, Sequence[ReadableSpan], str]:
    return asyncio.run(_asked(site))


async def _asked(site: Site) -> tuple[Site, Sequence[ReadableSpan], str]:
    exporter = InMemorySpanExporter()
    hub = assemble(site.settings(), telemetry=Telemetry(exporter))
    async with running(hub):
        issued = hub.tokens.issue("zhelai-town-01", ("aid.file",))
        headers = {
            "Authorization": f"Bearer {issued}",
            "traceparent": f"00-{'a' * 32}-{'b' * 16}-01",
        }
        transport = httpx.ASGITransport(create_app(hub))
        async with httpx.AsyncClient(transport=transport, base_url="http://hub") as client:
            variables = {"n": site.shown("zhelai").id18}
            body = {"query": TEXT, "variables": variables}
            answer = await client.post("/graphql", json=body, headers=headers)
    return site, exporter.get_finished_spans(), answer.headers["X-Request-Id"]


def test_a_request_is_five_spans_of_the_callers_trace(
    spans: tuple[Site, Sequence[ReadableSpan], str],
) -> None:
    _, found, request_id = spans
    assert [s.name for s in found] == ["hub.limits", "hub.plan", "hub.read", "hub.audit", "query"]
    assert {f"{s.context.trace_id:032x}" for s in found if s.context} == {"a" * 32} == {request_id}
    root = dict(found[-1].attributes or {})
    assert len(str(root.pop("hub.document.sha256"))) == 64
    assert root == {
        "graphql.operation.type": "query",
        "hub.decision": "OK",
        "hub.purpose": "aid.file",
        "hub.rows": 1,
        "hub.cost": 1,
    }
    read = {"hub.source": "hub", "hub.dataset": "citizen", "hub.batch": 0, "hub.rows": 1}
    assert [dict(s.attributes or {}) for s in found[:-1]] == [{}, {}, read, {}]
    assert {s.parent.span_id for s in found[:-1] if s.parent} == {found[-1].context.span_id}


def test_no_span_holds_a_person_a_name_or_a_literal(
    spans: tuple[Site, Sequence[ReadableSpan], str],
) -> None:
    site, found, _ = spans
    person = site.shown("zhelai")
    text = json.dumps([s.to_json() for s in found], ensure_ascii=False)
    assert "hub.plan" in text
    for secret in (person.id18, person.name, person.citizen, "Secret", "zhelai-town-01"):
        assert secret not in text


# ---- without an exporter ------------------------------------------------------------------------

FRAGMENT = orjson.Fragment('[{"name":"x"}]')


class Spliced:
    """An engine whose answers hold a ready-made text, and which writes a line to the log."""

    async def answer(self, _question: Question, gate: Gate, _context: object) -> Answer:
        structlog.get_logger("test").info("asked")
        told = Disclosure("query", None, "0" * 64, (), "OK", None, policy=gate.book.version)
        return Answer({"all": FRAGMENT}, True, (), {"cost": 1}, told)


Ask = Callable[..., Awaitable[httpx.Response]]


@pytest.fixture
async def hub(
    spans: tuple[Site, Sequence[ReadableSpan], str], anyio_backend: str
) -> AsyncIterator[Hub]:
    async with running(assemble(spans[0].settings())) as made:
        yield replace(made, engine=Spliced())  # type: ignore[arg-type]


@pytest.fixture
def ask(hub: Hub) -> Ask:
    """``ask(*headers)``: a question of the clerk's, with these headers first."""

    async def asked(*headers: tuple[str, str], method: str = "POST") -> httpx.Response:
        token = hub.tokens.issue("zhelai-town-01", ("aid.file",))
        given = [*headers, ("Authorization", f"Bearer {token}")]
        given += [("Content-Type", "application/json")]
        transport = httpx.ASGITransport(create_app(hub))
        async with httpx.AsyncClient(transport=transport, base_url="http://hub") as client:
            body = b'{"query": "{ all }"}'
            return await client.request(method, "/graphql", content=body, headers=given)

    return asked


@pytest.mark.anyio
async def test_a_ready_text_goes_into_the_answer_as_it_is(ask: Ask) -> None:
    answer = await ask()
    receipt = answer.json()["extensions"]["audit"]
    assert answer.json()["data"] == {"all": [{"name": "x"}]}
    assert list(answer.json()) == ["data", "extensions"]
    assert dict(answer.headers) == {
        "content-type": "application/json; charset=utf-8",
        "cache-control": "no-store",
        "x-content-type-options": "nosniff",
        "vary": "Accept, Origin",
        "x-request-id": answer.headers["X-Request-Id"],
        "traceparent": answer.headers["traceparent"],
        "ratelimit-limit": str(RATE_PERSON),
        "ratelimit-remaining": answer.headers["RateLimit-Remaining"],
        "ratelimit-reset": answer.headers["RateLimit-Reset"],
        "content-length": str(len(answer.content)),
        "x-audit-id": str(receipt["idx"]),
        "x-audit-receipt": receipt["leaf"],
        "x-sandbox": "true",
    }
    made = f"00-{answer.headers['X-Request-Id']}-[0-9a-f]{{16}}-00"
    assert re.fullmatch(made, answer.headers["traceparent"])
    assert 0 <= int(answer.headers["RateLimit-Remaining"]) < RATE_PERSON
    assert 1 <= int(answer.headers["RateLimit-Reset"]) <= 60


@pytest.mark.anyio
async def test_the_callers_trace_id_names_the_request_in_answer_and_log(ask: Ask) -> None:
    out = io.StringIO()
    handlers, level = logging.root.handlers[:], logging.root.level
    configure("INFO", out)
    try:
        taken = await ask(("traceparent", f"00-{'a' * 32}-{'b' * 16}-01"))
        own = await ask()
    finally:
        logging.root.handlers[:] = handlers
        logging.root.setLevel(level)
        structlog.reset_defaults()
    lines = [json.loads(line) for line in out.getvalue().splitlines()]
    named = [line["trace_id"] for line in lines if line["event"] == "asked"]
    assert named == [taken.headers["X-Request-Id"], own.headers["X-Request-Id"]]
    assert named[0] == "a" * 32 != named[1]


@pytest.mark.anyio
async def test_requests_within_a_request_have_names_of_their_own(ask: Ask) -> None:
    token = CURRENT.set("c" * 32)  # as a server may leave it behind for its next task
    try:
        names = [(await ask()).headers["X-Request-Id"] for _ in range(2)]
    finally:
        CURRENT.reset(token)
    assert len({*names, "c" * 32}) == 3


@pytest.mark.anyio
async def test_of_a_header_sent_twice_the_first_counts(ask: Ask) -> None:
    assert (await ask(("X-Purpose", "aid.file"), ("X-Purpose", "report"))).status_code == 200
    assert (await ask(("X-Purpose", "report"), ("X-Purpose", "aid.file"))).status_code == 403
    assert (await ask(("Authorization", "Bearer x"))).status_code == 401


@pytest.mark.anyio
@pytest.mark.parametrize("method", ["GET", "HEAD", "PUT", "DELETE", "TRACE", "PROPFIND"])
async def test_every_other_method_gets_our_own_refusal(ask: Ask, method: str) -> None:
    answer = await ask(method=method)
    assert (answer.status_code, answer.headers["Allow"]) == (405, "POST")
    said = b"" if method == "HEAD" else b'"METHOD_NOT_ALLOWED"'
    assert said in answer.content


JSON_TYPE = (b"content-type", b"application/json")


def test_media_types_seen_before_are_not_read_again_and_are_bounded(hub: Hub) -> None:
    endpoint = Endpoint(hub)
    for number in range(3 * MEDIA_KEPT):
        accept = f"application/json;q=0.{number + 1}".encode()
        assert endpoint._checked("POST", dict([JSON_TYPE, (b"accept", accept)])) == JSON
        assert 1 <= len(endpoint._media) <= MEDIA_KEPT
    modern = dict([JSON_TYPE, (b"accept", GRAPHQL_JSON.encode())])
    assert [endpoint._checked("POST", modern) for _ in range(2)] == [GRAPHQL_JSON] * 2


@pytest.mark.parametrize(
    "accept",
    [
        "application/json, x/539922199001011234",
        "application/json;name=张三",
        "application/json, " + "x" * 200,
    ],
)
def test_what_may_be_about_a_person_is_answered_and_not_kept(hub: Hub, accept: str) -> None:
    endpoint = Endpoint(hub)
    headers = dict([JSON_TYPE, (b"accept", accept.encode())])
    assert endpoint._checked("POST", headers) == JSON
    assert endpoint._media == {}


def test_a_refused_media_type_is_refused_again(hub: Hub) -> None:
    endpoint = Endpoint(hub)
    for _ in range(2):
        with pytest.raises(UnsupportedMediaType):
            endpoint._checked("POST", {b"content-type": b"text/plain"})
        with pytest.raises(NotAcceptable):
            endpoint._checked("POST", dict([JSON_TYPE, (b"accept", b"text/html")]))
    assert endpoint._media == {}
