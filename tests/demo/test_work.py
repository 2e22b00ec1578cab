"""Work orders and timeouts of the invented county: each node has one, lateness is the case's."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from itertools import groupby, pairwise
from typing import Any

from catalog.items import FlowKind
from domain.case import CaseState
from domain.nodes import node_of

AskLarger = Callable[..., list[tuple[Any, ...]]]
OPEN_ROWS = 'SELECT node, opened_at, closed_at, "open", late, due_at, case_id FROM work_order'


def test_a_case_has_the_order_of_the_node_it_stands_at_and_no_other_open(
    ask_larger: AskLarger,
) -> None:
    open_ = ask_larger(
        "SELECT c.state, c.flow, w.node FROM case_file c "
        'LEFT JOIN work_order w ON w.case_id = c.id AND w."open" = 1'
    )
    wanted = [node_of(FlowKind(flow), CaseState(state)) for state, flow, _ in open_]
    told = [node for *_, node in open_]
    filed = [state == "SUBMITTED" for state, *_ in open_]
    assert [None if f else w for f, w in zip(filed, wanted, strict=True)] == told
    assert sum(node is not None for node in told) > 100


def test_orders_follow_one_another_without_gap_or_overlap(ask_larger: AskLarger) -> None:
    rows = sorted(ask_larger(OPEN_ROWS), key=lambda row: (row[6], row[1]))
    seen = 0
    for _, group in groupby(rows, key=lambda row: row[6]):
        for before, after in pairwise(list(group)):
            assert before[2] is not None
            assert before[2] <= after[1]
            seen += 1
    assert seen > 1_000


def test_an_overdue_case_has_one_timeout_and_no_other_case_has_one(ask_larger: AskLarger) -> None:
    late = ask_larger("SELECT id FROM case_file WHERE overdue = 1")
    told = Counter(row[0] for row in ask_larger("SELECT case_id FROM timeout_event"))
    assert told == Counter(row[0] for row in late)
    assert len(late) > 20
    same = ask_larger(
        "SELECT count(*) FROM timeout_event t JOIN work_order w ON w.id = t.id "
        "AND w.late = 1 AND w.due_at = t.due_at AND w.case_id = t.case_id AND w.node = t.node"
    )
    assert same[0][0] == len(late)
