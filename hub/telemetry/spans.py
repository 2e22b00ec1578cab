"""Spans and metrics: a closed list of names, a closed list of attributes, and no person in either.

Never an argument, variable, query text, URL, SQL parameter, header value, error message:
whoever reads traces has no rights to the data. Exceptions are not recorded on spans, since
their texts quote values. Without an exporter no span is made at all: what is left of one is
the name of the request (`trace.py`).

Which requests are exported is drawn here (`Drawn`): a caller's ``sampled`` flag decides nothing.
"""

from __future__ import annotations

import os
import random
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager
from contextvars import Token
from enum import StrEnum
from functools import partial
from threading import Thread
from time import monotonic
from typing import Unpack

from opentelemetry.context import Context
from opentelemetry.sdk.metrics.export import MetricReader
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import SpanLimits, SpanProcessor, TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor, SpanExporter
from opentelemetry.sdk.trace.sampling import (
    ALWAYS_OFF,
    ALWAYS_ON,
    ParentBased,
    Sampler,
    SamplingResult,
)
from opentelemetry.trace import (
    Link,
    Span,
    SpanKind,
    TraceState,
    format_span_id,
    format_trace_id,
    get_current_span,
)
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator
from opentelemetry.util.types import Attributes
from starlette.types import ASGIApp

from hub.telemetry.metrics import SERVICE, Metrics
from hub.telemetry.trace import CURRENT, may_hold_person, named
from resolvers.watch import Step, Tell, Told, Watch


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


ROOTS = {name.value: name for name in (SpanName.QUERY, SpanName.MUTATION, SpanName.SUBSCRIPTION)}
"""A request's span is named by the type of its operation once that is known."""
STEPS = {Step.LIMITS: SpanName.LIMITS, Step.PLAN: SpanName.PLAN, Step.READ: SpanName.READ}
TOLD = {
    "source": Attribute.SOURCE,
    "dataset": Attribute.DATASET,
    "batch": Attribute.BATCH,
    "rows": Attribute.ROWS,
    "decision": Attribute.DECISION,
}
CLOSE_S = (
    3.0  # what is left is handed over so long at the end; a dead collector holds nobody longer
)

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


class Drawn(Sampler):
    """A request is sampled with probability `share`; its trace id, which is the caller's, is not
    asked."""

    def __init__(self, share: float, draw: Callable[[], float] = random.random) -> None:
        self._share, self._draw = share, draw

    def should_sample(
        self,
        parent_context: Context | None,
        trace_id: int,
        name: str,
        kind: SpanKind | None = None,
        attributes: Attributes = None,
        links: Sequence[Link] | None = None,
        trace_state: TraceState | None = None,
    ) -> SamplingResult:
        """Drawn anew for each request; its children follow it (`_sampler`)."""
        chosen = ALWAYS_ON if self._draw() < self._share else ALWAYS_OFF
        return chosen.should_sample(parent_context, trace_id, name, kind, attributes, links)

    def get_description(self) -> str:
        """The share."""
        return f"Drawn({self._share:g})"


class Telemetry:
    """The tracer and the meters; without `exporter` or `processor` no span is made, without a
    reader no metric. `sample`: the share of requests whose spans are exported. `scraped`: answers
    who collects metrics, if anybody may."""

    def __init__(
        self,
        exporter: SpanExporter | None = None,
        reader: MetricReader | None = None,
        *,
        processor: SpanProcessor | None = None,
        readers: Sequence[MetricReader] = (),
        sample: float = 1.0,
        scraped: ASGIApp | None = None,
    ) -> None:
        self.scraped = scraped
        self.metrics = Metrics(*readers, *(() if reader is None else (reader,)))
        if processor is None and exporter is not None:
            processor = SimpleSpanProcessor(exporter)
        self._provider = None if processor is None else _provider(processor, sample)
        self._tracer = None if self._provider is None else self._provider.get_tracer(SERVICE)
        self.watch: Watch | None = None if self._tracer is None else self._step

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

    def current(self) -> AnySpan:
        """The innermost span that is open here."""
        return _INSIDE if self._tracer is None else get_current_span()

    @contextmanager
    def _step(self, step: Step, **told: Unpack[Told]) -> Iterator[Tell]:
        """A step of the Engine's as a child of the request's span."""
        with self.span(STEPS[step]) as span:
            tell = partial(_told, span)
            tell(**told)
            yield tell

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
        """Export what is left, for CLOSE_S seconds at most."""
        ends = [self.metrics.close] + ([] if self._provider is None else [self._provider.shutdown])
        # At the same time: each waits for a collector that may hang.
        threads = [Thread(target=end, daemon=True) for end in ends]
        end = monotonic() + CLOSE_S
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(max(0.0, end - monotonic()))


def _provider(processor: SpanProcessor, sample: float) -> TracerProvider:
    made = TracerProvider(
        sampler=_sampler(sample),
        resource=Resource({"service.name": SERVICE}),
        shutdown_on_exit=False,
        span_limits=SpanLimits(),
    )
    made.add_span_processor(processor)
    return made


def _sampler(share: float) -> Sampler:
    """Drawn for every request, whatever its caller's flag says; children go with their request."""
    drawn = Drawn(share)
    return ParentBased(drawn, remote_parent_sampled=drawn, remote_parent_not_sampled=drawn)


def _told(span: AnySpan, **told: Unpack[Told]) -> None:
    for name, value in told.items():
        assert isinstance(value, str | int)  # noqa: S101  Told has no others
        offer(span, TOLD[name], value)


def named_after(span: AnySpan, operation: str) -> None:
    """Name a request's span by its operation's type; one that was none stays as it is."""
    name = ROOTS.get(operation)
    if name is not None and not isinstance(span, Unexported):
        span.update_name(name.value)
        offer(span, Attribute.OPERATION_TYPE, operation)


def mark(span: AnySpan, key: Attribute, value: str | int) -> None:
    """Set one attribute; ValueError (without the value) if key or value is not allowed."""
    if not _allowed(key, value):
        raise ValueError(f"span attribute {key} is not allowed with this value")
    if not isinstance(span, Unexported):
        span.set_attribute(Attribute(key).value, value)


def offer(span: AnySpan, key: Attribute, value: str | int) -> None:
    """Set one attribute if it is allowed: a request is not broken by what is said of it."""
    if _allowed(key, value):
        mark(span, key, value)


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
