"""Log lines are JSON, carry the trace id, and hold nobody's data."""

from __future__ import annotations

import io
import json
import logging
from collections.abc import Iterator
from typing import Any

import pytest
import structlog

from hub.telemetry.logs import BLOT, configure
from hub.telemetry.spans import SpanName, Telemetry, trace_id

CANARIES = ["539922199001011234", "53992219900101123x", "539922900101123", "12012345678"]


@pytest.fixture
def out() -> Iterator[io.StringIO]:
    stream = io.StringIO()
    root, level = logging.getLogger(), logging.getLogger().level
    before = root.handlers[:]
    configure("INFO", stream)
    yield stream
    root.handlers[:] = before
    root.setLevel(level)
    structlog.reset_defaults()


def lines(out: io.StringIO) -> list[dict[str, Any]]:
    return [json.loads(line) for line in out.getvalue().splitlines()]


def test_a_line_is_json_with_level_time_and_trace(out: io.StringIO) -> None:
    with Telemetry().span(SpanName.QUERY) as span:
        structlog.get_logger().info("查询完成", rows=3)
        name = trace_id(span)
    (line,) = lines(out)
    assert line["event"] == "查询完成"
    assert (line["rows"], line["level"], line["trace_id"]) == (3, "info", name)
    assert line["timestamp"].endswith("Z")


def test_lines_below_the_level_are_left_out(out: io.StringIO) -> None:
    structlog.get_logger().debug("x")
    logging.getLogger("anything").debug("x")
    assert lines(out) == []


@pytest.mark.parametrize("canary", CANARIES)
def test_what_looks_like_a_person_is_blotted_out(out: io.StringIO, canary: str) -> None:
    structlog.get_logger().warning(f"找 {canary}", key=canary, deep={"a": [canary, {canary}]})
    structlog.get_logger().warning("x", number=int(canary) if canary.isdigit() else 0)
    logging.getLogger("library").warning("asked for %s", canary)
    logging.getLogger("library").warning("asked", extra={"certno": canary})
    assert len(lines(out)) == 4
    assert canary not in out.getvalue()
    assert lines(out)[0]["key"] == BLOT


def test_an_error_is_named_by_type_and_place_never_by_its_text(out: io.StringIO) -> None:
    try:
        raise ValueError("张三 的记录")
    except ValueError as error:
        structlog.get_logger().exception("失败")
        structlog.get_logger().error("失败", exc_info=error)
        logging.getLogger("library").exception("failed")
    found = lines(out)
    assert len(found) == 3
    assert {line["error"] for line in found} == {"ValueError"}
    assert all(line["where"][-1].startswith("test_logs.py:") for line in found)
    assert "张三" not in out.getvalue()


def test_libraries_that_log_addresses_and_statements_are_quiet(out: io.StringIO) -> None:
    logging.getLogger("httpx").info("HTTP Request: POST http://x")
    logging.getLogger("sqlalchemy.engine").info("SELECT")
    assert lines(out) == []
