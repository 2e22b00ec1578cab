"""Metrics: closed lists of names and attributes, numbers; no person, address or text.

Without a reader no instrument is made, and telling costs one call. Sources are named as in the
catalogue; outcomes are those of docs/errors/SOURCE_UNAVAILABLE.md or ``OK`` for a source, those of
the access record for a request; codes and reasons are those of docs/errors. What a gauge tells is
what is known when it is read; nobody is asked for it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass
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
SOURCE, OUTCOME, CODE, REASON, CACHE = (
    "hub.source",
    "hub.outcome",
    "hub.code",
    "hub.reason",
    "hub.cache",
)
NONE = "NONE"
"""The code of a request that was answered without an error."""
BREAKER = {BreakerState.CLOSED: 0, BreakerState.HALF_OPEN: 1, BreakerState.OPEN: 2}
"""The breaker as a number: the larger, the worse."""
SECONDS = (0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0, 2.0, 5.0, 10.0)
"""Bounds of the histograms: a warm answer takes 5 ms, a commit 2 ms, the deadline is 10 s."""


class MetricName(StrEnum):
    """Every metric the hub makes, with its unit where it has one."""

    CALLS = "hub.source.calls"
    DURATION = "hub.source.duration"  # s, of calls that went out
    BREAKER = "hub.source.breaker"
    AGE = "hub.source.age"  # s since a files source's oldest list was true
    IN_FLIGHT = "hub.source.in_flight"
    DOCUMENTS = "hub.documents"  # questions, by how their document is trusted
    REQUESTS = "hub.requests"  # by outcome and code
    REQUEST_DURATION = "hub.request.duration"  # s, from the first header to the answer
    RUNNING = "hub.requests.in_flight"
    STRANGERS = "hub.strangers"  # refused without a record of their own, by reason
    RECORDS = "hub.audit.records"  # that this process has committed
    APPEND = "hub.audit.append.duration"  # s, that an answer waited for its record
    UNWITNESSED = "hub.audit.unwitnessed.age"  # s of the oldest record no witness has seen
    POLICY_AGE = "hub.policy.age"  # s since the policy was last known to be the store's
    HITS = "hub.cache.hits"  # of documents and Plans
    MISSES = "hub.cache.misses"


Value = Callable[[Source], float | None]
Figure = tuple[float, Mapping[str, str]]
Figures = Callable[[], Iterable[Figure]]
"""What is known now: numbers, each with its attributes."""


class Metrics:
    """The instruments of one process; `now` judges the age."""

    def __init__(
        self, *readers: MetricReader, now: Callable[[], datetime] = lambda: datetime.now(UTC)
    ) -> None:
        self._now, self._running = now, 0
        self._provider = _provider(readers) if readers else None
        if self._provider is not None:
            self._instruments(self._provider)

    def _instruments(self, provider: MeterProvider) -> None:
        meter = provider.get_meter(SERVICE)
        self._calls = meter.create_counter(MetricName.CALLS)
        self._documents = meter.create_counter(MetricName.DOCUMENTS)
        self._requests = meter.create_counter(MetricName.REQUESTS)
        self._strangers = meter.create_counter(MetricName.STRANGERS)
        self._duration, self._request_duration, self._append = (
            meter.create_histogram(name, "s", explicit_bucket_boundaries_advisory=SECONDS)
            for name in (MetricName.DURATION, MetricName.REQUEST_DURATION, MetricName.APPEND)
        )
        self.gauge(MetricName.RUNNING, lambda: [(self._running, {})])

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

    def answered(self, outcome: str, code: str, seconds: float) -> None:
        """One request, answered or refused; `code` of its first error, empty if there is none."""
        if self._provider is None:
            return
        self._requests.add(1, {OUTCOME: outcome, CODE: code or NONE})
        self._request_duration.record(seconds, {OUTCOME: outcome})

    def stranger(self, reason: str) -> None:
        """Somebody unknown was refused."""
        if self._provider is not None:
            self._strangers.add(1, {REASON: reason})

    def appended(self, seconds: float) -> None:
        """A record is durable after so long."""
        if self._provider is not None:
            self._append.record(seconds)

    def running(self) -> AbstractContextManager[None]:
        """A request is in flight as long as the block lasts."""
        return nullcontext() if self._provider is None else self._counted()

    @contextmanager
    def _counted(self) -> Iterator[None]:
        self._running += 1
        try:
            yield
        finally:
            self._running -= 1

    def gauge(self, name: MetricName, figures: Figures, unit: str = "") -> None:
        """A number that goes up and down, looked at whenever a reader collects."""
        if self._provider is not None:
            meter = self._provider.get_meter(SERVICE)
            meter.create_observable_gauge(name, [_observed(figures)], unit)

    def counter(self, name: MetricName, figures: Figures) -> None:
        """A number that only grows, looked at whenever a reader collects."""
        if self._provider is not None:
            meter = self._provider.get_meter(SERVICE)
            meter.create_observable_counter(name, [_observed(figures)])

    def watch(self, sources: Mapping[str, Source]) -> None:
        """Gauges of these sources."""
        told: dict[MetricName, tuple[Value, str]] = {
            MetricName.BREAKER: (_breaker, ""),
            MetricName.IN_FLIGHT: (_in_flight, ""),
            MetricName.AGE: (self._age, "s"),
        }
        for name, (value, unit) in told.items():
            self.gauge(name, _Of(sources, value), unit)

    def close(self) -> None:
        """Hand over what is left."""
        if self._provider is not None:
            self._provider.shutdown()

    def _age(self, source: Source) -> float | None:
        as_of = source.known_as_of if isinstance(source, FilesSource) else None
        return None if as_of is None else (self._now() - as_of).total_seconds()


@dataclass(frozen=True, slots=True)
class _Of:
    """The figures of the sources that have this value."""

    sources: Mapping[str, Source]
    value: Value

    def __call__(self) -> Iterator[Figure]:
        for name, source in self.sources.items():
            found = self.value(source)
            if found is not None:
                yield found, {SOURCE: name}


def _provider(readers: Iterable[MetricReader]) -> MeterProvider:
    resource = Resource({"service.name": SERVICE})
    return MeterProvider(list(readers), resource=resource, shutdown_on_exit=False)


def _observed(figures: Figures) -> Callable[[CallbackOptions], Iterable[Observation]]:
    def observe(_options: CallbackOptions) -> Iterator[Observation]:
        return (Observation(value, attributes) for value, attributes in figures())

    return observe


def _breaker(source: Source) -> float | None:
    guard: Guard | None = guard_of(source)
    return None if guard is None else BREAKER[guard.state.breaker]


def _in_flight(source: Source) -> float | None:
    guard = guard_of(source)
    return None if guard is None else guard.state.in_flight
