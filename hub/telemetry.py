"""Spans and metrics: a closed list of names, a closed list of attributes, and no person in either.

Never an argument, variable, query text, URL, SQL parameter, header value, error message:
whoever reads traces has no rights to the data. Exceptions are not recorded on spans, since
their texts quote values. Without an exporter no span is made at all: what is left of one is
the name of the request (`trace.py`).
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from contextvars import Token
from enum import StrEnum

from opentelemetry.sdk.metrics.export import MetricReader
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor, SpanExporter
from opentelemetry.trace import Span, format_span_id, format_trace_id
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

from hub.metrics import SERVICE, Metrics
from hub.trace import CURRENT, may_hold_person, named


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


_KNOWN = frozenset(Attribute)
NUMBERS = frozenset({Attribute.ROWS, Attribute.COST, Attribute.BATCH})
_WORD = re.compile(r"[A-Za-z_][A-Za-z0-9_.]{0,63}\Z")
_DIGEST = re.compile(r"[0-9a-f]{64}\Z")
_MANY_DIGITS = re.compile(r"\d{7}")  # a word is no place for an id number or a telephone
_PROPAGATOR = TraceContextTextMapPropagator()


class Unexported:
    """What stands for a span that nobody will see: it gives the request its name, if it is new."""

    __slots__ = ("_before", "_name")
    _before: Token[str]

    def __init__(self, name: str = "") -> None:
        self._name = name

    def __enter__(self) -> Unexported:
        if self._name:
            self._before = CURRENT.set(self._name)
        return self

    def __exit__(self, *_error: object) -> None:
        if self._name:
            CURRENT.reset(self._before)

    def is_recording(self) -> bool:
        """Never: what would be marked need not be worked out."""
        return False


_INSIDE = Unexported()  # of the request that has its name already
AnySpan = Span | Unexported


class Telemetry:
    """The tracer and the meters; without `exporter` no span is made, without `reader` no metric."""

    def __init__(
        self, exporter: SpanExporter | None = None, reader: MetricReader | None = None
    ) -> None:
        self.metrics = Metrics(reader)
        self._provider = None if exporter is None else _provider(exporter)
        self._tracer = None if self._provider is None else self._provider.get_tracer(SERVICE)

    def span(
        self,
        name: SpanName,
        attributes: Mapping[Attribute, str | int] | None = None,
        *,
        traceparent: str | None = None,
    ) -> AbstractContextManager[AnySpan]:
        """A current span; `traceparent` takes over a caller's trace id, if it is a valid one.

        With any other text, also an empty one, a new request begins. One that may hold an id
        number is not taken over: the trace id stands in every record and log line.
        """
        if self._tracer is not None:
            return self._exported(SpanName(name), attributes or {}, traceparent)
        if type(name) is not SpanName:
            SpanName(name)
        if traceparent is None and CURRENT.get():
            return _INSIDE
        return Unexported(named(traceparent))

    @contextmanager
    def _exported(
        self, name: SpanName, attributes: Mapping[Attribute, str | int], traceparent: str | None
    ) -> Iterator[AnySpan]:
        assert self._tracer is not None  # noqa: S101  span looked
        taken = traceparent and not may_hold_person(traceparent)
        context = _PROPAGATOR.extract({"traceparent": traceparent}) if taken else None
        with self._tracer.start_as_current_span(
            name, context=context, record_exception=False, set_status_on_exception=False
        ) as span:
            before = CURRENT.set(trace_id(span))
            try:
                for key, value in attributes.items():
                    mark(span, key, value)
                yield span
            finally:
                CURRENT.reset(before)

    def close(self) -> None:
        """Export what is left."""
        self.metrics.close()
        if self._provider is not None:
            self._provider.shutdown()


def _provider(exporter: SpanExporter) -> TracerProvider:
    made = TracerProvider(resource=Resource({"service.name": SERVICE}), shutdown_on_exit=False)
    made.add_span_processor(SimpleSpanProcessor(exporter))
    return made


def mark(span: AnySpan, key: Attribute, value: str | int) -> None:
    """Set one attribute; ValueError (without the value) if key or value is not allowed."""
    if not _allowed(key, value):
        raise ValueError(f"span attribute {key} is not allowed with this value")
    if not isinstance(span, Unexported):
        span.set_attribute(Attribute(key).value, value)


def _allowed(key: str, value: object) -> bool:
    if key not in _KNOWN:
        return False
    if key in NUMBERS:
        return isinstance(value, int) and not isinstance(value, bool)
    if not isinstance(value, str):
        return False
    if key == Attribute.DOCUMENT:
        return bool(_DIGEST.match(value))
    return bool(_WORD.match(value)) and not _MANY_DIGITS.search(value)


def traced(span: AnySpan) -> tuple[bytes, bytes]:
    """The header that names this request to the caller (W3C Trace Context).

    Whether a trace is kept is decided here: where nobody exports spans, it is not.
    """
    if isinstance(span, Unexported):
        return b"traceparent", f"00-{CURRENT.get()}-{os.urandom(8).hex()}-00".encode()
    found = span.get_span_context()
    flags = f"{found.trace_flags:02x}"
    name = f"00-{format_trace_id(found.trace_id)}-{format_span_id(found.span_id)}-{flags}"
    return b"traceparent", name.encode()


def trace_id(span: AnySpan) -> str:
    """The request's name everywhere: 32 hex digits."""
    if isinstance(span, Unexported):
        return CURRENT.get()
    return format_trace_id(span.get_span_context().trace_id)
