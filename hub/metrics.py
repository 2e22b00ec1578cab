"""Metrics of sources and documents: six names, two attributes, numbers; no person or text.

Without a reader no instrument is made, and telling costs one call. Sources are named as in the
catalogue, outcomes are those of docs/errors/SOURCE_UNAVAILABLE.md or ``OK``. Gauges say what is
known when they are read; no source is asked for them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from datetime import UTC, datetime
from enum import StrEnum

from opentelemetry.metrics import CallbackOptions, Observation
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import MetricReader
from opentelemetry.sdk.resources import Resource

from adapters.contract import Source
from adapters.drops.files import FilesSource
from adapters.health import guard_of
from adapters.resilience import BreakerState, Guard

SERVICE = "data-sharing-hub"
SOURCE, OUTCOME = "hub.source", "hub.outcome"
BREAKER = {BreakerState.CLOSED: 0, BreakerState.HALF_OPEN: 1, BreakerState.OPEN: 2}
"""The breaker as a number: the larger, the worse."""


class MetricName(StrEnum):
    """Every metric the hub makes, with its unit where it has one."""

    CALLS = "hub.source.calls"
    DURATION = "hub.source.duration"  # s, of calls that went out
    BREAKER = "hub.source.breaker"
    AGE = "hub.source.age"  # s since a files source's oldest list was true
    IN_FLIGHT = "hub.source.in_flight"
    DOCUMENTS = "hub.documents"  # questions, by how their document is trusted


Value = Callable[[Source], float | None]


class Metrics:
    """The instruments of one process; `now` judges the age."""

    def __init__(
        self,
        reader: MetricReader | None = None,
        *,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self._now, self._provider = now, None if reader is None else _provider(reader)
        if self._provider is not None:
            meter = self._provider.get_meter(SERVICE)
            self._calls = meter.create_counter(MetricName.CALLS)
            self._documents = meter.create_counter(MetricName.DOCUMENTS)
            self._duration = meter.create_histogram(MetricName.DURATION, "s")

    def seen(self, source: str, outcome: str, seconds: float | None) -> None:
        """One call: ``OK`` or why not; `seconds` if it went out."""
        if self._provider is None:
            return
        self._calls.add(1, {SOURCE: source, OUTCOME: outcome})
        if seconds is not None:
            self._duration.record(seconds, {SOURCE: source})

    def asked(self, *, trusted: bool, free: bool) -> None:
        """One question: of a trusted document, of a text that is told of, or of any text."""
        if self._provider is not None:
            outcome = "TRUSTED" if trusted else "FREE" if free else "OPEN"
            self._documents.add(1, {OUTCOME: outcome})

    def watch(self, sources: Mapping[str, Source]) -> None:
        """Gauges of these sources, looked at whenever the reader collects."""
        if self._provider is None:
            return
        meter = self._provider.get_meter(SERVICE)
        told: dict[MetricName, tuple[Value, str]] = {
            MetricName.BREAKER: (_breaker, ""),
            MetricName.IN_FLIGHT: (_in_flight, ""),
            MetricName.AGE: (self._age, "s"),
        }
        for name, (value, unit) in told.items():
            meter.create_observable_gauge(name, [_observed(sources, value)], unit)

    def close(self) -> None:
        """Hand over what is left."""
        if self._provider is not None:
            self._provider.shutdown()

    def _age(self, source: Source) -> float | None:
        as_of = source.known_as_of if isinstance(source, FilesSource) else None
        return None if as_of is None else (self._now() - as_of).total_seconds()


def _provider(reader: MetricReader) -> MeterProvider:
    resource = Resource({"service.name": SERVICE})
    return MeterProvider([reader], resource=resource, shutdown_on_exit=False)


def _observed(
    sources: Mapping[str, Source], value: Value
) -> Callable[[CallbackOptions], Iterable[Observation]]:
    def observe(_options: CallbackOptions) -> Iterator[Observation]:
        for name, source in sources.items():
            found = value(source)
            if found is not None:
                yield Observation(found, {SOURCE: name})

    return observe


def _breaker(source: Source) -> float | None:
    guard: Guard | None = guard_of(source)
    return None if guard is None else BREAKER[guard.state.breaker]


def _in_flight(source: Source) -> float | None:
    guard = guard_of(source)
    return None if guard is None else guard.state.in_flight
