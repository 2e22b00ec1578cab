"""hub/telemetry/exporting.py: collectors, sound and sick; who reads /metrics; who is sampled."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import subprocess
import sys
import threading
import time
from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from pathlib import Path
from statistics import median
from typing import Any

import httpx
import pytest
import structlog
from opentelemetry.sdk._shared_internal import BatchProcessor
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import (
    BatchSpanProcessor,
    SimpleSpanProcessor,
    SpanExportResult,
)
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from prometheus_client.parser import text_string_to_metric_families

from hub.app import assemble, create_app, running
from hub.demo.site import Site
from hub.settings import SettingsError
from hub.telemetry import exporting
from hub.telemetry.exporting import BATCH, QUEUE, WAIT_S, Said, telemetry_of
from hub.telemetry.metrics import MetricName
from hub.telemetry.spans import CLOSE_S, Drawn, SpanName, Telemetry, trace_id
from hub.worker import Hub
from tests.collector import METRICS, TRACES, Collector

pytestmark = [pytest.mark.anyio, pytest.mark.loopback]

FACETS = """query($n: String!) { citizen(by: {idNumber: $n}) { name
  civilAffairs { minLiving { status } } housing { house { structure } } } }"""
MANY: Mapping[str, object] = {  # one clerk asks again and again
    "lookup.per_hour": 100_000,
    "rate.person": 100_000,
    "running.person": 1_000,
}
SPANS = 7  # of that question: its root, limits, plan, three reads, audit
ANSWERED_S = 1.0  # a question takes some 20 ms; a collector is waited for three seconds


HANDED_OVER = "Otel"  # so the threads that hand over are named
GONE_S = 60.0  # a queue of eight batches, each waited for three seconds


@pytest.fixture(autouse=True)
def nobody_left() -> Iterator[None]:
    """A collector that takes nothing is asked until the queue is empty, also after the end.

    Between two tries that thread draws from `random`, which belongs to the tests that follow:
    Hypothesis refuses a test whose numbers somebody else takes.
    """
    yield
    left = [one for one in threading.enumerate() if one.name.startswith(HANDED_OVER)]
    for thread in left:
        thread.join(GONE_S)
    assert not any(thread.is_alive() for thread in left)


@contextlib.asynccontextmanager
async def served(site: Site, **given: object) -> AsyncIterator[Hub]:
    """A hub that exports as `given` says (``otlp_url``, ``metrics``, ``sample``)."""
    named = {f"telemetry.{name}": value for name, value in given.items()}
    settings = site.settings(None, **named, **MANY)
    async with running(assemble(settings, telemetry=telemetry_of(settings))) as hub:
        yield hub


def client_of(hub: Hub, address: str = "127.0.0.1") -> httpx.AsyncClient:
    transport = httpx.ASGITransport(create_app(hub), client=(address, 40_000))
    return httpx.AsyncClient(transport=transport, base_url="http://hub")


async def ask(hub: Hub, site: Site, times: int = 1, **headers: str) -> list[float]:
    """The seconds each answer took; each is one with data."""
    token = hub.tokens.issue("zhelai-town-01", ("aid.file",))
    given = {"Authorization": f"Bearer {token}", **headers}
    body = {"query": FACETS, "variables": {"n": site.shown("zhelai").id18}}
    took = []
    async with client_of(hub) as client:
        for _ in range(times):
            began = time.monotonic()
            answer = await client.post("/graphql", json=body, headers=given)
            took.append(time.monotonic() - began)
            assert answer.status_code == 200
            assert answer.json()["data"]["citizen"]["name"]
    return took


async def test_both_signals_arrive_at_the_collector(site: Site) -> None:
    with Collector().open() as collector:
        async with served(site, otlp_url=collector.address, sample=1) as hub:
            await ask(hub, site)
        spans = collector.spans()
    assert {*collector.got} == {TRACES, METRICS}
    reads = sorted(_said(span)["hub.source"] for span in spans if span.name == "hub.read")
    assert reads == ["hub", "mz_assist", "wfgz"]
    assert sorted({s.name for s in spans}) == [
        "hub.audit",
        "hub.limits",
        "hub.plan",
        "hub.read",
        "query",
    ]
    assert len({s.trace_id for s in spans}) == 1
    assert {"hub.requests", "hub.request.duration", "hub.source.calls"} <= collector.metrics()
    assert collector.metrics() <= {*MetricName}


def _said(span: object) -> dict[str, str]:
    return {a.key: a.value.string_value for a in span.attributes}  # type: ignore[attr-defined]


@pytest.fixture(params=["hangs", "refuses", "fails", "is busy"])
def sick(request: pytest.FixtureRequest) -> Iterator[Collector]:
    """A collector that takes nothing."""
    if request.param == "refuses":
        with socket.socket() as bound:  # bound, and nobody listens
            bound.bind(("127.0.0.1", 0))
            yield Collector(0, address=f"http://127.0.0.1:{bound.getsockname()[1]}")
        return
    ill = {"hangs": Collector(hangs=True), "fails": Collector(500), "is busy": Collector(503)}
    with ill[request.param].open() as collector:
        yield collector


async def test_a_sick_collector_costs_a_request_nothing(site: Site, sick: Collector) -> None:
    with structlog.testing.capture_logs() as lines:
        async with served(site, otlp_url=sick.address, sample=1) as hub:
            took = await ask(hub, site, 2 * BATCH // SPANS + 1)  # more than one delivery
            await asyncio.to_thread(_until_said, lines)
            took += await ask(hub, site)
            began = time.monotonic()
    assert median(took) < ANSWERED_S
    assert max(took) < WAIT_S  # whoever waited for a delivery would have waited so long
    assert time.monotonic() - began < CLOSE_S + 5  # a hub's own end takes a second or two
    assert _said_so(lines) == ["spans cannot be handed over"]  # it was tried, and said once
    assert TRACES in sick.got or sick.status == 0


def _until_said(lines: Sequence[Mapping[str, object]]) -> None:
    end = time.monotonic() + 4 * WAIT_S
    while not _said_so(lines) and time.monotonic() < end:
        time.sleep(0.05)


def _said_so(lines: Sequence[Mapping[str, object]]) -> list[object]:
    return [line["event"] for line in lines if "handed over" in str(line["event"])]


def test_spans_nobody_takes_are_thrown_away_from_the_oldest(site: Site) -> None:
    with Collector(hangs=True).open() as collector:
        telemetry = telemetry_of(site.settings(None, **_told(collector.address)))
        began = time.monotonic()
        for _ in range(QUEUE + 2 * BATCH):
            with telemetry.span(SpanName.QUERY):
                pass
        assert time.monotonic() - began < 10  # a wait for the collector would be 3 s a batch
        assert QUEUE - BATCH <= _waiting(telemetry) <= QUEUE
        began = time.monotonic()
        telemetry.close()
        assert time.monotonic() - began < CLOSE_S + 1
        exporter: Any = _batch(telemetry)._exporter
        exporter.shutdown()  # as the end of the process: no second try


def _told(address: str) -> dict[str, object]:
    return {"telemetry.otlp_url": address, "telemetry.sample": 1}


def _waiting(telemetry: Telemetry) -> int:
    return len(_batch(telemetry)._queue)


def _batch(telemetry: Telemetry) -> BatchProcessor[ReadableSpan]:
    provider = telemetry._provider
    assert isinstance(provider, TracerProvider)
    (batch,) = provider._active_span_processor._span_processors
    assert isinstance(batch, BatchSpanProcessor)
    return batch._batch_processor


def test_failing_and_recovery_are_each_said_once() -> None:
    results = [SpanExportResult.FAILURE] * 3 + [SpanExportResult.SUCCESS] * 2

    class Scripted:
        def export(self, _spans: object) -> SpanExportResult:
            if len(results) == 4:
                results.pop(0)
                raise OSError("http://collector.invalid/?secret")
            return results.pop(0)

        def shutdown(self) -> None:
            """Nothing."""

    exporter = Said(Scripted())  # type: ignore[arg-type]
    with structlog.testing.capture_logs() as lines:
        told = [exporter.export([]) for _ in range(5)]
    assert [one.name for one in told] == ["FAILURE"] * 3 + ["SUCCESS"] * 2
    assert [line["event"] for line in lines] == [
        "spans cannot be handed over",
        "spans are handed over again",
    ]
    assert "secret" not in str(lines)


@pytest.mark.parametrize(("flags", "sample", "sent"), [("00", 1, True), ("01", 0, False)])
async def test_a_callers_flag_does_not_decide_who_is_sampled(
    site: Site, flags: str, sample: float, sent: bool
) -> None:
    with Collector().open() as collector:
        async with served(site, otlp_url=collector.address, sample=sample) as hub:
            await ask(hub, site, traceparent=f"00-{'a' * 32}-{'b' * 16}-{flags}")
        named = {s.trace_id.hex() for s in collector.spans()}
    assert named == ({"a" * 32} if sent else set())


def test_requests_are_drawn_and_their_children_go_with_them() -> None:
    draws = iter([0.05, 0.5, 0.09, 0.1])
    kept = InMemorySpanExporter()
    telemetry = Telemetry(processor=SimpleSpanProcessor(kept), sample=0.1)
    assert telemetry._provider is not None
    drawn = telemetry._provider.sampler._root  # type: ignore[attr-defined]
    assert isinstance(drawn, Drawn)
    drawn._draw = lambda: next(draws)
    names = []
    for _ in range(4):
        with telemetry.span(SpanName.QUERY, traceparent="") as span:
            names.append(trace_id(span))
            with telemetry.span(SpanName.AUDIT):
                pass
    found = [f"{s.context.trace_id:032x}" for s in kept.get_finished_spans() if s.context]
    assert found == [names[0], names[0], names[2], names[2]]
    assert len({*names}) == 4


# ---- GET /metrics ------------------------------------------------------------------------------


async def test_who_may_read_the_metrics_is_a_setting(site: Site) -> None:
    async with served(site, metrics="127.0.0.1 10.1.0.0/16") as hub:
        answers = {}
        for address in (
            "127.0.0.1",
            "10.1.255.9",
            "10.2.0.1",
            "192.0.2.1",
            "::1",
            "not-an-address",
        ):
            async with client_of(hub, address) as client:
                answers[address] = await client.get("/metrics")
                absent = await client.get("/nothing")
    assert {a: answer.status_code for a, answer in answers.items()} == {
        "127.0.0.1": 200,
        "10.1.255.9": 200,
        "10.2.0.1": 404,
        "192.0.2.1": 404,
        "::1": 404,
        "not-an-address": 404,
    }
    refused = answers["192.0.2.1"]
    assert _apart_from_its_name(refused) == _apart_from_its_name(absent)
    assert refused.json()["errors"][0]["extensions"]["code"] == "NOT_FOUND"
    assert answers["127.0.0.1"].headers["Content-Type"].startswith("text/plain; version=")
    assert answers["127.0.0.1"].headers["Cache-Control"] == "no-store"


def _apart_from_its_name(answer: httpx.Response) -> tuple[int, str, dict[str, str]]:
    """Status, body and headers with the request's own name and span taken out of them."""
    name = answer.headers["X-Request-Id"]
    span = answer.headers["traceparent"].split("-")[2]
    headers = {n: v.replace(name, "NAME").replace(span, "SPAN") for n, v in answer.headers.items()}
    assert headers["x-request-id"] == "NAME"
    assert name in answer.text
    return answer.status_code, answer.text.replace(name, "NAME"), headers


async def test_without_the_setting_there_is_no_such_path(site: Site) -> None:
    async with served(site) as hub, client_of(hub) as client:
        assert (await client.get("/metrics")).status_code == 404
        assert hub.telemetry.watch is None


async def test_what_was_asked_is_in_the_metrics(site: Site) -> None:
    async with served(site, metrics="127.0.0.1") as hub:
        await ask(hub, site, 3)
        async with client_of(hub) as client:
            await client.post("/graphql", json={"query": "{ viewer { account } }"})
            text = (await client.get("/metrics")).text
    samples = {
        (s.name, tuple(sorted(s.labels.items()))): s.value
        for family in text_string_to_metric_families(text)
        for s in family.samples
    }
    ok = (("hub_code", "NONE"), ("hub_outcome", "OK"))
    assert samples["hub_requests_total", ok] == 3
    refused = (("hub_code", "UNAUTHENTICATED"), ("hub_outcome", "DENIED"))
    assert samples["hub_requests_total", refused] == 1
    assert samples["hub_strangers_total", (("hub_reason", "TOKEN_MISSING"),)] == 1
    assert samples["hub_request_duration_seconds_count", (("hub_outcome", "OK"),)] == 3
    assert samples["hub_requests_in_flight", ()] == 0
    assert samples["hub_cache_misses_total", (("hub_cache", "documents"),)] == 1
    assert samples["hub_cache_hits_total", (("hub_cache", "documents"),)] == 2
    assert samples["hub_cache_misses_total", (("hub_cache", "plans"),)] == 1
    assert samples["hub_cache_hits_total", (("hub_cache", "plans"),)] == 2
    assert samples["hub_audit_append_duration_seconds_count", ()] >= 4  # HUB_START and three
    assert samples["hub_audit_records_total", ()] >= 4
    assert 0 <= samples["hub_policy_age_seconds", ()] < 60
    mine = (("hub_outcome", "OK"), ("hub_source", "mz_assist"))
    assert samples["hub_source_calls_total", mine] == 3


# ---- extras -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("given", "module", "extra"),
    [
        ({"telemetry.otlp_url": "http://127.0.0.1:4318"}, "opentelemetry.exporter.otlp", "otlp"),
        ({"telemetry.metrics": "127.0.0.1"}, "opentelemetry.exporter.prometheus", "prometheus"),
    ],
)
def test_a_setting_without_its_extra_is_one_line_that_says_which(
    site: Site,
    monkeypatch: pytest.MonkeyPatch,
    given: dict[str, object],
    module: str,
    extra: str,
) -> None:
    for name in [n for n in sys.modules if n.startswith(module)]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, module, None)  # as if it were not installed
    with pytest.raises(SettingsError, match=rf"须先安装附加包：.*\[{extra}\]"):
        telemetry_of(site.settings(None, **given))


def test_nothing_is_imported_that_no_setting_asks_for() -> None:
    code = (
        "import sys, hub.telemetry.exporting\n"
        "bad = [m for m in sys.modules if m.startswith(('opentelemetry.exporter', 'prometheus'"
        ", 'requests', 'google.protobuf'))]\n"
        "print(bad)"
    )
    root = Path(exporting.__file__).parents[1]
    done = subprocess.run([sys.executable, "-c", code], cwd=root, capture_output=True, text=True)
    assert done.stdout == "[]\n", done.stderr
