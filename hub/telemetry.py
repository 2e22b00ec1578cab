"""Spans: a closed list of names, a closed list of attributes, and no person in either.

Never an argument, variable, query text, URL, SQL parameter, header value, error message:
whoever reads traces has no rights to the data. Exceptions are not recorded on spans, since
their texts quote values. Nothing is exported unless an exporter is handed in; spans still
carry the trace id that names the request everywhere else.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from enum import StrEnum

from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor, SpanExporter
from opentelemetry.trace import Span, format_trace_id
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

SERVICE = "data-sharing-hub"


class SpanName(StrEnum):
    """Every span the hub makes (protocol 2.7)."""

    QUERY = "query"
    MUTATION = "mutation"
    SUBSCRIPTION = "subscription"
    LIMITS = "hub.limits"
    PLAN = "hub.plan"
    READ = "hub.read"
    AUDIT = "hub.audit"


class Attribute(StrEnum):
    """Everything a span may say. The operation's name only if its document is trusted."""

    OPERATION_TYPE = "graphql.operation.type"
    OPERATION_NAME = "graphql.operation.name"
    DOCUMENT = "hub.document.sha256"
    PURPOSE = "hub.purpose"
    DECISION = "hub.decision"
    ROWS = "hub.rows"
    COST = "hub.cost"
    SOURCE = "hub.source"
    DATASET = "hub.dataset"
    BATCH = "hub.batch"


NUMBERS = frozenset({Attribute.ROWS, Attribute.COST, Attribute.BATCH})
_WORD = re.compile(r"[A-Za-z_][A-Za-z0-9_.]{0,63}\Z")
_DIGEST = re.compile(r"[0-9a-f]{64}\Z")
_MANY_DIGITS = re.compile(r"\d{7}")  # a word is no place for an id number or a telephone
_ID_NUMBER = re.compile(r"\d{17}[\dx]", re.IGNORECASE)  # the trace id goes into log and record
_PROPAGATOR = TraceContextTextMapPropagator()


class Telemetry:
    """The tracer; `exporter` None exports nothing."""

    def __init__(self, exporter: SpanExporter | None = None) -> None:
        self._provider = TracerProvider(
            resource=Resource({"service.name": SERVICE}), shutdown_on_exit=False
        )
        if exporter is not None:
            self._provider.add_span_processor(SimpleSpanProcessor(exporter))
        self._tracer = self._provider.get_tracer(SERVICE)

    @contextmanager
    def span(
        self,
        name: SpanName,
        attributes: Mapping[Attribute, str | int] | None = None,
        *,
        traceparent: str | None = None,
    ) -> Iterator[Span]:
        """A current span; `traceparent` takes over a caller's trace id, if it is a valid one.

        One that may hold an id number is not: the trace id stands in every record and log line.
        """
        taken = traceparent and not _ID_NUMBER.search(traceparent)
        context = _PROPAGATOR.extract({"traceparent": traceparent}) if taken else None
        with self._tracer.start_as_current_span(
            SpanName(name), context=context, record_exception=False, set_status_on_exception=False
        ) as span:
            for key, value in (attributes or {}).items():
                mark(span, key, value)
            yield span

    def close(self) -> None:
        """Export what is left."""
        self._provider.shutdown()


def mark(span: Span, key: Attribute, value: str | int) -> None:
    """Set one attribute; ValueError (without the value) if key or value is not allowed."""
    if not _allowed(key, value):
        raise ValueError(f"span attribute {key} is not allowed with this value")
    span.set_attribute(Attribute(key).value, value)


def _allowed(key: str, value: object) -> bool:
    if key not in frozenset(Attribute):
        return False
    if key in NUMBERS:
        return isinstance(value, int) and not isinstance(value, bool)
    if not isinstance(value, str):
        return False
    if key == Attribute.DOCUMENT:
        return bool(_DIGEST.match(value))
    return bool(_WORD.match(value)) and not _MANY_DIGITS.search(value)


def trace_id(span: Span) -> str:
    """The request's name everywhere: 32 hex digits."""
    return format_trace_id(span.get_span_context().trace_id)
