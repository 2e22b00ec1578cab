"""Ratios, verdicts and the order of the rounds."""

from __future__ import annotations

import pytest

from bench.figures import (
    CLIENTS,
    DEMANDED,
    MISSING,
    OK,
    PEERS,
    QUESTIONS,
    SHORT,
    Number,
    Spread,
    demanded,
    enough,
    ratios,
    turns,
)


def test_a_ratio_is_taken_round_by_round() -> None:
    # The second round was slow for both: its ratio is as good as the others'.
    assert ratios([100, 10, 120], [200, 20, 200]) == Spread(0.5, 0.5, 0.6)


@pytest.mark.parametrize(("ours", "theirs"), [([], []), ([1.0, 2.0], [1.0]), ([1.0], [0.0])])
def test_a_missing_round_or_a_silent_peer_gives_no_ratio(
    ours: list[float], theirs: list[float]
) -> None:
    assert ratios(ours, theirs) is None


@pytest.mark.parametrize(
    ("number", "verdict"),
    [
        (Number("n", 0.65, 0.65), OK),
        (Number("n", 0.649, 0.65), SHORT),
        (Number("n", None, 0.65), MISSING),
        (Number("n", 0.01, None), OK),
        (Number("n", None, None), MISSING),
        (Number("n", 4.0, 4.0, "ms", most=True), OK),
        (Number("n", 4.1, 4.0, "ms", most=True), SHORT),
    ],
)
def test_a_number_not_measured_is_never_reached(number: Number, verdict: str) -> None:
    assert number.verdict == verdict


def test_each_peer_has_a_demand_for_each_question_and_number_of_clients() -> None:
    assert set(DEMANDED) == set(PEERS)
    assert {len(pairs) for pairs in DEMANDED.values()} == {len(QUESTIONS)}
    assert {len(pair) for pairs in DEMANDED.values() for pair in pairs} == {len(CLIENTS)}
    assert demanded("Q1", "limit", 32) == 0.65
    assert demanded("Q2", "hive", 1) == 6.0
    assert demanded("Q4", "hive", 32) is None


def test_every_round_begins_with_another_system_and_every_second_runs_backwards() -> None:
    order = turns(["a", "b", "c"], 4)
    assert order == [["a", "b", "c"], ["a", "c", "b"], ["c", "a", "b"], ["c", "b", "a"]]
    assert {tuple(sorted(one)) for one in order} == {("a", "b", "c")}


def test_a_slow_system_is_loaded_until_every_client_has_some_answers() -> None:
    assert enough(4, 1, 700.0) == 4
    assert enough(4, 32, 700.0) == 4
    assert enough(4, 32, 8.0) == 12
    assert enough(4, 32, 1.0) == 20
    assert enough(4, 32, 0.0) == 20
