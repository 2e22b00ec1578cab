"""Spans say what was done, never about whom."""

from __future__ import annotations

from typing import Any

import pytest
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from hub.telemetry.spans import Attribute, SpanName, Telemetry, mark, named_after, offer, trace_id
from resolvers.watch import Step

CANARY = "539922199001011234"


def test_spans_carry_allowed_attributes_and_share_a_trace() -> None:
    exporter = InMemorySpanExporter()
    telemetry = Telemetry(exporter)
    with telemetry.span(SpanName.QUERY, {Attribute.PURPOSE: "aid.review"}) as query:
        with telemetry.span(SpanName.READ, {Attribute.SOURCE: "yb_settle", Attribute.ROWS: 3}):
            pass
        mark(query, Attribute.DOCUMENT, "0" * 64)
    telemetry.close()
    read, root = exporter.get_finished_spans()
    assert (read.name, dict(read.attributes or {})) == (
        "hub.read",
        {"hub.source": "yb_settle", "hub.rows": 3},
    )
    assert (root.name, dict(root.attributes or {})) == (
        "query",
        {"hub.purpose": "aid.review", "hub.document.sha256": "0" * 64},
    )
    assert read.parent is not None
    assert read.parent.span_id == root.context.span_id


@pytest.mark.parametrize(
    ("key", "value"),
    [
        (Attribute.OPERATION_NAME, CANARY),
        (Attribute.OPERATION_NAME, f"q{CANARY}"),
        (Attribute.OPERATION_NAME, "张三"),
        (Attribute.OPERATION_NAME, "a b"),
        (Attribute.DOCUMENT, "0" * 63),
        (Attribute.ROWS, "3"),
        (Attribute.ROWS, True),
        (Attribute.SOURCE, 3),
        ("graphql.document", "{ a }"),
        ("db.statement", "SELECT"),
    ],
)
def test_an_attribute_outside_the_list_is_refused_without_its_value(key: Any, value: Any) -> None:
    with Telemetry().span(SpanName.QUERY) as span:
        with pytest.raises(ValueError, match="not allowed") as caught:
            mark(span, key, value)
        assert str(value) not in str(caught.value) or value in ("3", 3)


def test_a_callers_trace_id_is_taken_over_unless_it_may_hold_an_id_number() -> None:
    for given, taken in (("a" * 32, True), (CANARY.zfill(32), False)):
        with Telemetry().span(SpanName.QUERY, traceparent=f"00-{given}-{'b' * 16}-01") as span:
            assert (trace_id(span) == given) is taken


def test_a_span_of_another_name_cannot_be_made() -> None:
    with pytest.raises(ValueError, match="valid SpanName"), Telemetry().span("sql"):  # type: ignore[arg-type]
        pass


def test_an_error_leaves_no_text_on_its_span() -> None:
    exporter = InMemorySpanExporter()
    telemetry = Telemetry(exporter)
    with pytest.raises(RuntimeError), telemetry.span(SpanName.QUERY):
        raise RuntimeError(CANARY)
    (span,) = exporter.get_finished_spans()
    assert (span.events, span.status.description) == ((), None)
    assert CANARY not in span.to_json()


def test_a_callers_trace_id_is_taken_over_and_a_broken_one_is_not() -> None:
    telemetry = Telemetry()
    given = "0af7651916cd43dd8448eb211c80319c"
    with telemetry.span(SpanName.QUERY, traceparent=f"00-{given}-b7ad6b7169203331-01") as span:
        assert trace_id(span) == given
    with telemetry.span(SpanName.QUERY, traceparent=CANARY) as span:
        assert len(trace_id(span)) == 32
        assert CANARY not in trace_id(span)


def test_without_an_exporter_a_request_still_has_its_name() -> None:
    with Telemetry().span(SpanName.QUERY) as one, Telemetry().span(SpanName.QUERY) as other:
        assert int(trace_id(one), 16) != 0
        assert trace_id(other)


def test_what_may_not_be_said_of_a_request_is_left_out_and_breaks_nothing() -> None:
    exporter = InMemorySpanExporter()
    telemetry = Telemetry(exporter)
    assert telemetry.watch is not None
    with telemetry.span(SpanName.QUERY) as root:
        offer(root, Attribute.PURPOSE, CANARY)
        offer(root, Attribute.PURPOSE, "aid.file")
        with telemetry.watch(Step.READ, source="张三", dataset="d", batch=1) as tell:
            tell(rows=2, decision=f"x{CANARY}")
    read, found = exporter.get_finished_spans()
    assert dict(found.attributes or {}) == {"hub.purpose": "aid.file"}
    assert dict(read.attributes or {}) == {"hub.dataset": "d", "hub.batch": 1, "hub.rows": 2}


@pytest.mark.parametrize(
    ("operation", "name"),
    [("mutation", "mutation"), ("subscription", "subscription"), ("unknown", "query")],
)
def test_a_requests_span_is_named_by_its_operations_type(operation: str, name: str) -> None:
    exporter = InMemorySpanExporter()
    telemetry = Telemetry(exporter)
    with telemetry.span(SpanName.QUERY):
        named_after(telemetry.current(), operation)
    (span,) = exporter.get_finished_spans()
    assert span.name == name
    told = dict(span.attributes or {})
    assert told == ({} if operation == "unknown" else {"graphql.operation.type": operation})


def test_without_an_exporter_nobody_watches_and_the_span_at_hand_is_none() -> None:
    telemetry = Telemetry()
    assert telemetry.watch is None
    with telemetry.span(SpanName.QUERY):
        assert not telemetry.current().is_recording()
        named_after(telemetry.current(), "mutation")
