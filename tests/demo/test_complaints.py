"""Complaints of the invented county: each case that has one has it, and it went the usual way."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from itertools import groupby, pairwise
from typing import Any

from domain.complaint import MACHINE, ComplaintAct, ComplaintState

AskLarger = Callable[..., list[tuple[Any, ...]]]
S, A = ComplaintState, ComplaintAct


def test_a_case_with_a_complaint_has_one_and_no_other_case_has_one(ask_larger: AskLarger) -> None:
    marked = ask_larger("SELECT id FROM case_file WHERE has_complaint = 1")
    told = ask_larger("SELECT case_id FROM complaint")
    assert Counter(told) == Counter(marked)
    assert len(told) >= 10
    apart = ask_larger(
        "SELECT count(*) FROM complaint t JOIN case_file c ON c.id = t.case_id "
        "WHERE t.region_path <> c.region_path OR t.handling_dept <> c.handling_dept "
        "OR t.applicant_uid <> c.applicant_uid OR t.received_at <= c.filed_at"
    )
    assert apart == [(0,)]


def test_every_complaint_went_by_the_table_to_where_it_is(ask_larger: AskLarger) -> None:
    every = ask_larger(
        "SELECT e.complaint_id, e.act, e.state, e.at, t.state, t.version FROM complaint_event e "
        "JOIN complaint t ON t.id = e.complaint_id ORDER BY e.complaint_id, e.seq"
    )
    ways = [list(way) for _, way in groupby(every, key=lambda row: row[0])]
    for way in ways:
        assert (way[0][1], way[0][2]) == (None, S.RECEIVED)
        for before, after in pairwise(way):
            assert MACHINE.after(S(before[2]), A(after[1])) == after[2]
            assert before[3] < after[3]
        assert (way[-1][2], len(way)) == (way[-1][4], way[-1][5])
    assert len(ways) >= 10


def test_what_is_owed_is_owed_by_the_open_ones_alone(ask_larger: AskLarger) -> None:
    rows = ask_larger("SELECT state, due_at, answered_at, notified_at, closed_at FROM complaint")
    for state, due_at, answered_at, notified_at, closed_at in rows:
        assert (due_at is not None) == (state in (S.RECEIVED, S.ASSIGNED))
        assert (closed_at is not None) == (state == S.CLOSED)
        assert closed_at is None or answered_at < notified_at < closed_at
    assert Counter(state for state, *_ in rows)[S.CLOSED] >= 5
