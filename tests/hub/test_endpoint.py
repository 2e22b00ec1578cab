"""hub/endpoint.py: what a request leaves in the trace, and what it never leaves there."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Sequence
from pathlib import Path

import httpx
import pytest
from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from hub.app import assemble, create_app, running
from hub.demo.site import Site, prepared
from hub.telemetry import Telemetry

TEXT = "query Secret($n: String!) { citizen(by: {idNumber: $n}) { name phone } }"


@pytest.fixture(scope="module")
def spans(tmp_path_factory: pytest.TempPathFactory) -> tuple[Site, Sequence[ReadableSpan], str]:
    folder = tmp_path_factory.mktemp("trace") / "site"
    return asyncio.run(_asked(folder))


async def _asked(folder: Path) -> tuple[Site, Sequence[ReadableSpan], str]:
    site, exporter = await prepared(folder, 0.01, lambda _what, _part: None), InMemorySpanExporter()
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


def test_a_request_is_three_spans_of_the_callers_trace(
    spans: tuple[Site, Sequence[ReadableSpan], str],
) -> None:
    _, found, request_id = spans
    assert [s.name for s in found] == ["hub.plan", "hub.audit", "query"]
    assert {f"{s.context.trace_id:032x}" for s in found if s.context} == {"a" * 32} == {request_id}
    plan = dict(found[0].attributes or {})
    assert plan["graphql.operation.type"] == "query"
    assert plan["hub.decision"] == "OK"
    assert plan["hub.rows"] == 1
    assert len(str(plan["hub.document.sha256"])) == 64


def test_no_span_holds_a_person_a_name_or_a_literal(
    spans: tuple[Site, Sequence[ReadableSpan], str],
) -> None:
    site, found, _ = spans
    person = site.shown("zhelai")
    text = json.dumps([s.to_json() for s in found], ensure_ascii=False)
    assert "hub.plan" in text
    for secret in (person.id18, person.name, person.citizen, "Secret", "zhelai-town-01"):
        assert secret not in text
