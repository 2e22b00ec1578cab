"""Metrics say how the sources fare: closed names, closed words, numbers."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from typing import Any, cast

import pytest
from opentelemetry.sdk.metrics.export import InMemoryMetricReader

from adapters.contract import Source
from adapters.drops.files import FilesSource, SnapshotPool
from adapters.registry import Absent
from adapters.resilience import Breaker, Fault, Guard, Reason
from catalog.errors import SourceUnavailable
from catalog.load import load
from hub.telemetry.metrics import OUTCOME, SOURCE, MetricName, Metrics
from hub.telemetry.spans import Telemetry

pytestmark = pytest.mark.anyio

NOON = datetime(2026, 11, 26, 4, tzinfo=UTC)
Points = dict[str, dict[tuple[str, ...], Any]]


def points(reader: InMemoryMetricReader) -> Points:
    """Metric -> attribute values -> its data point."""
    found: Points = {}
    data = reader.get_metrics_data()
    assert data is not None
    for resource in data.resource_metrics:
        for scope in resource.scope_metrics:
            for metric in scope.metrics:
                found[metric.name] = {
                    tuple(str(v) for _, v in sorted((point.attributes or {}).items())): point
                    for point in metric.data.data_points
                }
                for point in metric.data.data_points:
                    assert {*(point.attributes or {})} <= {SOURCE, OUTCOME}
    assert {*found} <= {*MetricName}
    return found


async def answers() -> str:
    return "answer"


def failing(reason: Reason) -> Callable[[], Awaitable[str]]:
    async def fail() -> str:
        raise Fault(reason)

    return fail


class Guarded:
    """A source of which only the guard is looked at."""

    def __init__(self, guard: Guard) -> None:
        self.guard = guard


async def test_each_call_is_counted_by_its_outcome_and_timed_if_it_went_out() -> None:
    reader = InMemoryMetricReader()
    telemetry = Telemetry(reader=reader)
    guard = Guard("wfgz", breaker=Breaker(threshold=2), seen=telemetry.metrics.seen)
    for ask in (answers, answers, failing(Reason.TIMEOUT), failing(Reason.DOWN), answers):
        try:
            await guard.run(ask)
        except SourceUnavailable:
            continue
    found = points(reader)
    counted = {key: point.value for key, point in found["hub.source.calls"].items()}
    assert counted == {
        ("OK", "wfgz"): 2,
        ("TIMEOUT", "wfgz"): 1,
        ("DOWN", "wfgz"): 1,
        ("BREAKER_OPEN", "wfgz"): 1,
    }
    assert found["hub.source.duration"]["wfgz",].count == 4  # not the one that did not go out
    telemetry.close()


async def test_gauges_say_what_is_known_when_they_are_read() -> None:
    reader = InMemoryMetricReader()
    metrics = Metrics(reader, now=lambda: NOON)
    well, sick = Guard("well"), Guard("sick", breaker=Breaker(threshold=1))
    pool = cast(SnapshotPool, Dated(datetime(2026, 11, 26, 3, tzinfo=UTC)))
    files = FilesSource(load().sources["jt_xueji"], pool, cast(Any, Inner(Guard("jt_xueji"))))
    told: dict[str, Any] = {
        "well": Guarded(well),
        "sick": Guarded(sick),
        "later": Absent("later", "某局"),
        "jt_xueji": files,
    }
    metrics.watch(cast("dict[str, Source]", told))
    with pytest.raises(SourceUnavailable):
        await sick.run(failing(Reason.DOWN))

    async def look() -> Points:
        return points(reader)

    found = await well.run(look)
    assert {k: p.value for k, p in found["hub.source.breaker"].items()} == {
        ("well",): 0,
        ("sick",): 2,
        ("jt_xueji",): 0,
    }
    assert {k: p.value for k, p in found["hub.source.in_flight"].items()} == {
        ("well",): 1,
        ("sick",): 0,
        ("jt_xueji",): 0,
    }
    assert {k: p.value for k, p in found["hub.source.age"].items()} == {("jt_xueji",): 3_600}
    metrics.close()


class Dated:
    """A snapshot whose only list is of this moment."""

    def __init__(self, as_of: datetime) -> None:
        self.known = {"在校生名册": as_of}


class Inner:
    """The guard of a files source."""

    json = False

    def __init__(self, guard: Guard) -> None:
        self.guard = guard


async def test_without_a_reader_nothing_is_made() -> None:
    metrics = Telemetry().metrics
    metrics.seen("wfgz", "OK", 0.1)
    metrics.watch({})
    metrics.close()
