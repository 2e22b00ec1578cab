"""Where spans and metrics go, as the settings say: an OTLP collector, `GET /metrics`, or nowhere.

Nothing here can hold a request up. Spans wait in a queue of QUEUE places that throws the oldest
away, a thread of its own hands them over, and a collector that hangs, refuses or fails costs that
thread its time. Libraries are imported only where a setting asks for them; each is an extra.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from ipaddress import ip_address, ip_network
from typing import TYPE_CHECKING, Any

import structlog
from opentelemetry.sdk.metrics.export import MetricReader, PeriodicExportingMetricReader
from opentelemetry.sdk.trace import ReadableSpan, SpanProcessor
from opentelemetry.sdk.trace.export import BatchSpanProcessor, SpanExporter, SpanExportResult
from starlette.exceptions import HTTPException
from starlette.responses import PlainTextResponse
from starlette.types import ASGIApp, Receive, Scope, Send

from hub.edge.endpoint import address_of
from hub.settings import Settings, SettingsError
from hub.telemetry.spans import Telemetry

if TYPE_CHECKING:
    from prometheus_client import CollectorRegistry

METRICS = "/metrics"
QUEUE = 4_096  # spans that wait; some five hundred requests, some 4 MB
BATCH = 512  # spans a delivery
EVERY_S = 2.0  # between two deliveries
COUNTED_S = 15.0  # between two deliveries of metrics; what Prometheus asks as often
WAIT_S = 3.0  # for a collector to take a delivery
_log = structlog.get_logger("hub.telemetry.exporting")


class Said(SpanExporter):
    """An exporter whose failing is said once in the log, and whose recovery, too."""

    def __init__(self, inner: SpanExporter) -> None:
        self._inner, self._well = inner, True

    def export(self, spans: Sequence[ReadableSpan]) -> SpanExportResult:
        """Hand over; never raises, a delivery that failed is given up."""
        try:
            result = self._inner.export(spans)
        except Exception:  # its text may hold the address
            result = SpanExportResult.FAILURE
        well = result is SpanExportResult.SUCCESS
        if well is not self._well:
            self._well = well
            _log.warning("spans are handed over again" if well else "spans cannot be handed over")
        return result

    def shutdown(self) -> None:
        """Close its connections."""
        self._inner.shutdown()


class Scraped:
    """`GET /metrics` in Prometheus' text format, for who asks from one of `allowed` networks.

    Everybody else is told what a path that is not there tells. Numbers of the closed list in
    `metrics.py`, nothing of a person: whoever reads them needs no right to data.
    """

    def __init__(self, registry: CollectorRegistry, allowed: Sequence[str]) -> None:
        self._registry = registry
        self._allowed = [ip_network(one) for one in allowed]
        self._turn = asyncio.Lock()  # two who collect at once would each get half

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        from prometheus_client import CONTENT_TYPE_LATEST, generate_latest

        if not self._admits(address_of(scope)):
            raise HTTPException(404)  # told like any path that is not there
        async with self._turn:
            text = await asyncio.to_thread(generate_latest, self._registry)
        headers = {"Cache-Control": "no-store", "X-Content-Type-Options": "nosniff"}
        answer = PlainTextResponse(text, headers=headers, media_type=CONTENT_TYPE_LATEST)
        await answer(scope, receive, send)

    def _admits(self, address: str) -> bool:
        return bool(address) and any(ip_address(address) in one for one in self._allowed)


def telemetry_of(settings: Settings) -> Telemetry:
    """As the settings say; SettingsError where an extra is not installed."""
    processor: SpanProcessor | None = None
    readers: list[MetricReader] = []
    scraped: ASGIApp | None = None
    if settings.telemetry_otlp_url is not None:
        processor, pushed = _otlp(settings, settings.telemetry_otlp_url)
        readers.append(pushed)
    if settings.telemetry_metrics:
        reader, scraped = _prometheus(settings)
        readers.append(reader)
    return Telemetry(
        processor=processor, readers=readers, sample=settings.telemetry_sample, scraped=scraped
    )


def _otlp(settings: Settings, address: str) -> tuple[SpanProcessor, MetricReader]:
    """Both signals to one collector over HTTP, past any proxy of the environment."""
    try:
        from opentelemetry.exporter.otlp.proto.http import Compression
        from opentelemetry.exporter.otlp.proto.http.metric_exporter import OTLPMetricExporter
        from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
        from requests import Session
    except ImportError:
        raise _missing(settings, "telemetry.otlp_url", "otlp") from None

    def made(kind: Callable[..., Any], path: str) -> Any:
        session = Session()
        session.trust_env = False
        return kind(
            endpoint=f"{address.rstrip('/')}/v1/{path}",
            timeout=WAIT_S,
            compression=Compression.Gzip,
            session=session,
        )

    processor = BatchSpanProcessor(
        Said(made(OTLPSpanExporter, "traces")),
        max_queue_size=QUEUE,
        schedule_delay_millis=EVERY_S * 1_000,
        max_export_batch_size=BATCH,
    )
    reader = PeriodicExportingMetricReader(
        made(OTLPMetricExporter, "metrics"),
        export_interval_millis=COUNTED_S * 1_000,
        export_timeout_millis=WAIT_S * 1_000,
    )
    return processor, reader


def _prometheus(settings: Settings) -> tuple[MetricReader, ASGIApp]:
    try:
        from opentelemetry.exporter.prometheus import PrometheusMetricReader
        from prometheus_client import CollectorRegistry
    except ImportError:
        raise _missing(settings, "telemetry.metrics", "prometheus") from None
    registry = CollectorRegistry()  # not the process's: what others register there is not ours
    reader = PrometheusMetricReader(registry=registry, scope_info_enabled=False)
    return reader, Scraped(registry, settings.telemetry_metrics)


def _missing(settings: Settings, key: str, extra: str) -> SettingsError:
    remedy = f"须先安装附加包：pip install 'data-sharing-hub[{extra}]'"
    return SettingsError((settings.objection(key, remedy),))
