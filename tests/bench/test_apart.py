"""Three databases beside one."""

from __future__ import annotations

from bench.apart import ONE, THREE, Apart
from bench.load import Load
from bench.rounds import Cell


def test_as_long_as_nothing_was_measured_every_number_is_missing() -> None:
    names = [(n.name, n.verdict) for n in Apart(why="no setting").numbers()]
    assert names == [
        ("apart/Q1/1", "missing"),
        ("apart/Q1/32", "missing"),
        ("apart/Q2/1", "missing"),
        ("apart/Q2/32", "missing"),
    ]


def test_three_databases_are_compared_with_one() -> None:
    loads = {ONE: [Load(100.0, 1, 1, 0, 1)], THREE: [Load(59.0, 1, 1, 0, 1)]}
    first, *rest = Apart([Cell("Q1", 1, loads)]).numbers()
    assert (first.name, first.reached, first.verdict) == ("apart/Q1/1", 0.59, "short")
    assert {n.verdict for n in rest} == {"missing"}
