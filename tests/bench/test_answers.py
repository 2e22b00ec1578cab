"""Two systems' answers are compared row by row."""

from __future__ import annotations

from typing import Any

import pytest

from bench.answers import differences, rows

ANSWER: dict[str, Any] = {
    "cases": {"nodes": [{"id": "a", "at": "2026-10-18T07:10:45+08:00"}, {"id": "b", "at": None}]}
}


def test_an_instant_may_be_written_in_two_ways() -> None:
    other = {"cases": {"nodes": [{"id": "a", "at": "2026-10-17T23:10:45.000Z"}, {"id": "b"}]}}
    assert list(differences(ANSWER, other)) == ["data.cases.nodes.1.at"]


@pytest.mark.parametrize(
    ("other", "place"),
    [
        ({"cases": {"nodes": []}}, "data.cases.nodes has 2 and 0"),
        ({"cases": {"nodes": [ANSWER["cases"]["nodes"][0]]}}, "data.cases.nodes has 2 and 1"),
        ({"cases": None}, "data.cases"),
    ],
)
def test_rows_that_are_not_there_are_seen(other: dict[str, Any], place: str) -> None:
    assert list(differences(ANSWER, other)) == [place]


def test_rows_in_another_order_are_not_the_same_answer() -> None:
    turned = {"cases": {"nodes": ANSWER["cases"]["nodes"][::-1]}}
    assert sorted(differences(ANSWER, turned)) == [
        "data.cases.nodes.0.at",
        "data.cases.nodes.0.id",
        "data.cases.nodes.1.at",
        "data.cases.nodes.1.id",
    ]


def test_objects_are_counted_at_every_depth() -> None:
    assert rows(ANSWER) == 4
