"""What a worker knows of itself as numbers: caches, the log, the age of the policy.

Looked at when a reader of metrics collects, maybe in its thread: everything here is one value
that its owner replaces as a whole. Nobody is asked, nothing is fetched.
"""

from __future__ import annotations

from collections.abc import Iterator

from hub.telemetry.metrics import CACHE, Figure, MetricName
from hub.worker import Hub


def told(hub: Hub) -> None:
    """Give the hub's own figures to its metrics."""
    metrics = hub.telemetry.metrics
    metrics.counter(MetricName.HITS, lambda: _hits(hub))
    metrics.counter(MetricName.MISSES, lambda: _misses(hub))
    metrics.counter(MetricName.RECORDS, lambda: [(hub.log.written, {})])
    metrics.gauge(MetricName.UNWITNESSED, lambda: _unwitnessed(hub), "s")
    metrics.gauge(MetricName.POLICY_AGE, lambda: [(hub.keeper.age(), {})], "s")


def _hits(hub: Hub) -> Iterator[Figure]:
    engine = hub.engine
    yield engine.documents.hits, {CACHE: "documents"}
    yield max(0, engine.needed - engine.planned), {CACHE: "plans"}


def _misses(hub: Hub) -> Iterator[Figure]:
    yield hub.engine.documents.parsed, {CACHE: "documents"}
    yield hub.engine.planned, {CACHE: "plans"}


def _unwitnessed(hub: Hub) -> Iterator[Figure]:
    state = hub.quorum.state
    if state is not None:  # where no witness is named nobody looks
        yield state.age_s(hub.quorum.clock()), {}
