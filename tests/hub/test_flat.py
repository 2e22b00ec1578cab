"""hub/edge/flat.py: the flat answer and the problem, made of a GraphQL payload and nothing else."""

from __future__ import annotations

import pytest

from hub.edge.flat import CONTRACT, FLAT, flattened, matches

BESIDE = {"audit": {"idx": 1}}
FIRST = {"message": "一", "path": ["a"], "extensions": {"code": "FORBIDDEN", "reason": "NO_RULE"}}
SECOND = {"message": "二", "path": ["b"], "extensions": {"code": "FORBIDDEN", "reason": "DENIED"}}


def test_an_answer_has_its_roots_at_the_top() -> None:
    payload = {"data": {"a": 1, "b": None}, "errors": [FIRST], "extensions": BESIDE}
    assert flattened(FLAT, 200, payload) == {
        "a": 1,
        "b": None,
        "errors": [FIRST],
        "extensions": BESIDE,
    }
    assert flattened(CONTRACT, 200, payload) == {"a": 1, "b": None}


def test_a_problem_is_the_first_error_and_keeps_the_others() -> None:
    one = flattened(FLAT, 403, {"errors": [FIRST], "extensions": BESIDE})
    assert one == {
        "type": "about:blank",
        "title": "Forbidden",
        "status": 403,
        "detail": "一",
        "code": "FORBIDDEN",
        "reason": "NO_RULE",
        "extensions": BESIDE,
    }
    both = flattened(CONTRACT, 403, {"data": {"a": None}, "errors": [FIRST, SECOND]})
    assert both["errors"] == [FIRST, SECOND]
    assert "data" not in both
    assert "extensions" not in both


@pytest.mark.parametrize(
    ("header", "same"),
    [
        ('W/"a"', True),
        ('"a"', True),
        ('"b", W/"a"', True),
        ("*", True),
        ('"b"', False),
        ("a", False),
        ("", False),
    ],
)
def test_tags_are_compared_weakly(header: str, same: bool) -> None:
    assert matches(header, 'W/"a"') is same
