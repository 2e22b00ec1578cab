"""A request's name is the caller's trace id exactly where the standard's own reader takes it."""

from __future__ import annotations

import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from opentelemetry.trace import format_trace_id, get_current_span
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

from hub.telemetry.trace import may_hold_person, named, taken_over

TRACE, SPAN = "0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331"
NAME = re.compile("[0-9a-f]{32}")


def by_the_library(traceparent: str) -> str:
    """What OpenTelemetry's own reader takes over; empty for nothing."""
    context = TraceContextTextMapPropagator().extract({"traceparent": traceparent})
    found = get_current_span(context).get_span_context()
    return format_trace_id(found.trace_id) if found.is_valid else ""


@pytest.mark.parametrize(
    ("traceparent", "name"),
    [
        (f"00-{TRACE}-{SPAN}-01", TRACE),
        (f" \t00-{TRACE}-{SPAN}-00 ", TRACE),
        (f"01-{TRACE}-{SPAN}-01-more", TRACE),
        (f"00-{TRACE}-{SPAN}-01-more", ""),
        (f"00-{TRACE}-{SPAN}-01-", ""),
        (f"ff-{TRACE}-{SPAN}-01", ""),
        (f"00-{'0' * 32}-{SPAN}-01", ""),
        (f"00-{TRACE}-{'0' * 16}-01", ""),
        (f"00-{TRACE.upper()}-{SPAN}-01", ""),
        (f"00-{TRACE}-{SPAN}-1", ""),
        (f"01-{TRACE}-{SPAN}-01-{'x' * 500}", ""),
        ("", ""),
        ("539922199001011234", ""),
    ],
)
def test_a_valid_trace_id_is_taken_over_and_no_other(traceparent: str, name: str) -> None:
    assert taken_over(traceparent) == by_the_library(traceparent) == name


parts = st.tuples(
    st.sampled_from(["", " ", "\t", "x"]),
    st.sampled_from(["00", "01", "cc", "fe", "ff", "0", "0g"]),
    st.sampled_from([TRACE, "0" * 32, "f" * 32, "0" * 31 + "1", TRACE[1:], TRACE.upper()]),
    st.sampled_from([SPAN, "0" * 16, "0" * 15 + "1", SPAN[1:]]),
    st.sampled_from(["00", "01", "ff", "1", "0g"]),
    st.sampled_from(["", " ", "\t ", "-", "-x", "- ", "x", "\n", "-\n", "\n\n", "-a\nb", "-é"]),
)


@given(parts | st.text(max_size=60))
@settings(max_examples=400, deadline=None)
def test_we_and_the_library_read_alike_what_cannot_hold_a_person(
    given_: tuple[str, ...] | str,
) -> None:
    if isinstance(given_, str):
        text = given_
    else:
        before, version, trace, span, flags, after = given_
        text = f"{before}{version}-{trace}-{span}-{flags}{after}"
    assert taken_over(text) == ("" if may_hold_person(text) else by_the_library(text))


def test_one_that_may_hold_an_id_number_is_not_taken_over() -> None:
    number = "539922199001011234".zfill(32)
    traceparent = f"00-{number}-{SPAN}-01"
    assert by_the_library(traceparent) == number
    assert taken_over(traceparent) == ""


def test_every_request_has_a_name_of_its_own() -> None:
    names = {named(text) for text in (None, "", "rubbish", f"ff-{TRACE}-{SPAN}-01") * 10}
    assert len(names) == 40
    assert all(NAME.fullmatch(name) for name in names)


@pytest.mark.parametrize(
    ("span", "taken"),
    [
        ("0000012799990417", False),
        ("ab12799990417cde", False),
        ("ab00012799990417", False),
        ("ab912799990417cd", True),  # twelve digits: no telephone
        ("ab22799990417cde", True),
    ],
)
def test_one_whose_span_may_hold_a_telephone_is_not_taken_over(span: str, taken: bool) -> None:
    assert bool(taken_over(f"00-{TRACE}-{span}-01")) is taken
    assert taken_over(f"00-{TRACE[:16]}ab12799990417cde-{SPAN}-01")  # a trace id stays in our books
