"""No float and no null passes as canonical, wherever it stands; texts that look like them do."""

from __future__ import annotations

import json
from typing import Any

import orjson
import pytest

from audit.verify.bodies import parsed

SPELT = (0.5, -0.5, 12.25, 1e16, 1.5e300, 5e-324, -1e-7, 100000.0, None)


def wrapped(value: Any) -> list[dict[str, Any]]:
    """The value as a member, first, last and alone in a list, and deep inside."""
    beside: list[Any] = ["10.1.2.3", 7]
    return [
        {"a": value},
        {"a": [value]},
        {"a": [value, *beside]},
        {"a": [*beside, value]},
        {"a": [[3, value], "b"]},
        {"a": {"b": [{"c": value}]}, "z": "text"},
    ]


@pytest.mark.parametrize("value", SPELT)
def test_a_float_or_null_is_refused_in_every_place(value: float | None) -> None:
    for body in wrapped(value):
        text = orjson.dumps(body, option=orjson.OPT_SORT_KEYS).decode()
        assert orjson.dumps(orjson.loads(text)).decode() == text  # nothing else is wrong with it
        assert parsed(text) is None, text
        by_stdlib = json.dumps(body, sort_keys=True, separators=(",", ":"))
        assert parsed(by_stdlib) is None, by_stdlib


@pytest.mark.parametrize(
    "value", [":.5", ":e", "null", ":null", "[1.5]", ",-2.5", "sha256:0e1", 10**15, -7, True, False]
)
def test_a_text_that_looks_like_one_is_a_text(value: str | int) -> None:
    for body in wrapped(value):
        text = json.dumps(body, sort_keys=True, separators=(",", ":"))
        assert parsed(text) == body
