"""Cases, events and orders: only legal moves, only the past, the shares of 领域设计 2.7."""

from __future__ import annotations

from collections.abc import Callable
from itertools import groupby, pairwise
from typing import Any

import pytest

from catalog.items import FlowKind
from catalog.load import load
from domain.case import CaseState, may_move
from domain.supervision import SupervisionState
from hub.demo.cases import BLACK_LIST

AskLarger = Callable[..., list[tuple[Any, ...]]]
AS_OF_UTC = "2026-10-31 16:00:00.000000"  # midnight in Shanghai
ENDS = ("CLOSED", "NOT_ACCEPTED", "WITHDRAWN")


def flows(item: str) -> list[FlowKind]:
    usual = load().items[item].flow
    return [usual, FlowKind.F1_URGENT] if item == "TEMP_AID" else [usual]


def histories(ask: AskLarger) -> list[list[tuple[Any, ...]]]:
    rows = ask(
        "SELECT e.case_id, e.seq, e.state, e.at, e.overdue, c.item, c.state, c.filed_at, "
        "c.closed_at, c.overdue, c.due_at FROM case_event e JOIN case_file c ON c.id = e.case_id "
        "ORDER BY e.case_id, e.seq"
    )
    return [list(group) for _, group in groupby(rows, key=lambda row: row[0])]


def test_every_move_is_one_the_rules_allow(ask_larger: AskLarger) -> None:
    seen = 0
    for events in histories(ask_larger):
        states = [CaseState(row[2]) for row in events]
        assert states[0] is CaseState.SUBMITTED
        moves = list(pairwise(states))
        item = events[0][5]
        assert any(all(may_move(f, a, b) for a, b in moves) for f in flows(item)), (item, states)
        seen += len(moves)
    assert seen > 6_000


def test_events_are_numbered_in_time_and_none_is_in_the_future(ask_larger: AskLarger) -> None:
    for events in histories(ask_larger):
        assert [row[1] for row in events] == list(range(1, len(events) + 1))
        times = [row[3] for row in events]
        assert times == sorted(times)
        assert times[0] == events[0][7]
        assert times[-1] < AS_OF_UTC


def test_a_case_stands_where_its_last_event_left_it(ask_larger: AskLarger) -> None:
    for events in histories(ask_larger):
        last = events[-1]
        assert last[6] == last[2]
        ended = [row[3] for row in events if row[2] in ENDS]
        assert last[8] == (ended[-1] if ended else None)


def test_a_late_event_makes_its_case_overdue_for_ever(ask_larger: AskLarger) -> None:
    late = 0
    for events in histories(ask_larger):
        if any(row[4] for row in events):
            late += 1
            assert events[0][9] == 1
        elif events[0][8] and not events[0][9]:
            assert events[0][8] <= events[0][10]
    assert late > 30


def test_the_months_have_their_cases(ask_larger: AskLarger) -> None:
    assert ask_larger("SELECT count(*) FROM case_file")[0][0] == pytest.approx(1_080, rel=0.05)
    months: dict[str, int] = dict(
        ask_larger("SELECT substr(filed_at, 1, 7), count(*) FROM case_file GROUP BY 1")
    )
    winter = sum(months.get(m, 0) for m in ("2025-12", "2026-01", "2026-02"))
    summer = sum(months.get(m, 0) for m in ("2026-06", "2026-07", "2026-08"))
    assert winter > 1.2 * summer


@pytest.mark.parametrize(
    ("condition", "per_cent", "within"),
    [
        ("channel = 'SELF_RAISED'", 54, 5),
        ("channel = 'PROXY_RAISED'", 29, 5),
        ("channel = 'GOV_LIFTED'", 17, 4),
        ("item = 'TEMP_AID'", 26, 4),
        ("item = 'MIN_LIVING'", 21, 4),
        ("handling_dept = 'med'", 18, 4),
        ("overdue = 1", 6.5, 2.5),
        ("has_complaint = 1", 0.9, 0.8),
        ("state = 'RETURNED'", 10, 3),
        ("state = 'WITHDRAWN'", 5, 2),
    ],
)
def test_cases_have_their_shares(
    ask_larger: AskLarger, condition: str, per_cent: float, within: float
) -> None:
    rows = ask_larger(f"SELECT 100.0 * avg(CASE WHEN {condition} THEN 1 ELSE 0 END) FROM case_file")
    assert rows[0][0] == pytest.approx(per_cent, abs=within)


def test_two_townships_are_late_twice_as_often(ask_larger: AskLarger) -> None:
    rows = ask_larger("SELECT substr(region_path, 1, 9), overdue FROM case_file")
    black = [late for path, late in rows if path in BLACK_LIST]
    others = [late for path, late in rows if path not in BLACK_LIST]
    assert sum(black) / len(black) == pytest.approx(0.14, abs=0.06)
    assert sum(black) / len(black) > 1.5 * sum(others) / len(others)


def test_no_case_is_a_query(ask_larger: AskLarger) -> None:
    items = {row[0] for row in ask_larger("SELECT DISTINCT item FROM case_file")}
    assert "HOSPITAL_LOOKUP" not in items
    assert items <= set(load().items)


def test_numbers_of_cases_and_orders_are_unique(ask_larger: AskLarger) -> None:
    for table, column in (("case_file", "case_no"), ("supervision_order", "order_no")):
        rows = ask_larger(f"SELECT count(*), count(DISTINCT {column}) FROM {table}")
        assert rows[0][0] == rows[0][1] > 10


def test_orders_have_the_stamps_their_state_needs(ask_larger: AskLarger) -> None:
    rows = ask_larger(
        "SELECT state, issued_at, signed_at, result_at, reported_at, closed_at, due_at, expired "
        "FROM supervision_order"
    )
    cases = ask_larger("SELECT count(*) FROM case_file")[0][0]
    assert 100 * len(rows) / cases == pytest.approx(2.2, abs=1.2)
    for state, issued, signed, result, reported, closed, due, expired in rows:
        SupervisionState(state)
        stamps = [t for t in (issued, signed, result, reported, closed) if t]
        assert stamps == sorted(stamps)
        assert stamps[-1] < AS_OF_UTC
        assert (closed is not None) == (state == "CLOSED")
        if state == "CLOSED":
            assert None not in (signed, result, reported)
        assert expired == int((reported or AS_OF_UTC) > due)


def test_an_overdue_order_is_about_an_overdue_case(ask_larger: AskLarger) -> None:
    rows = ask_larger(
        "SELECT c.overdue, count(*) FROM supervision_order o JOIN case_file c ON c.id = o.case_id "
        "WHERE o.reason = 'OVERDUE' GROUP BY 1"
    )
    assert [late for late, _ in rows] == [1]
