"""The county has the cases that the numbers are demanded at."""

from __future__ import annotations

from bench.volume import statements


def test_a_share_of_the_county_has_its_share_of_the_volume() -> None:
    cases, events, orders = statements(0.01)[1:4]
    assert "greatest(0, 1500 - (SELECT count(*) FROM case_file))" in cases
    assert "greatest(0, 4000 - (SELECT count(*) FROM case_event))" in events
    assert "greatest(0, 200 - (SELECT count(*) FROM supervision_order))" in orders


def test_nothing_of_the_making_is_left_in_the_county() -> None:
    assert statements(1.0)[-1] == "DROP TABLE bench_applicant"
