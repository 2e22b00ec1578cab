"""Nodes: which clock runs in which state, flow by flow (领域设计 1.5)."""

from __future__ import annotations

from datetime import date
from itertools import product

import pytest

from catalog.items import FlowKind
from catalog.limits import Part
from catalog.load import load
from catalog.nodes import Node, goes_by
from domain.case import CaseState, may_move
from domain.machine import Fact
from domain.nodes import (
    Duty,
    after_notice,
    duties,
    needs_notice_over,
    node_of,
    nodes,
    states,
)

S = CaseState
DAY = date(2026, 11, 2)
ENDS = "NOT_ACCEPTED WITHDRAWN FOLLOWED_UP"
INTAKE = {
    "ROUTE": "SUBMITTED TRANSFERRED",
    "ACCEPT": "ROUTED RETURNED",
    "FOLLOW_UP": "CLOSED",
}
RUNS = {
    FlowKind.F1: INTAKE
    | {
        "VERIFY": "ACCEPTED VERIFYING SUSPENDED REOPENED",
        "DELIBERATE": "DELIBERATING",
        "NOTICE": "NOTICING",
        "COUNTY_DECISION": "TOWNSHIP_REVIEWED APPROVING DENIED",
        "DELIVER": "APPROVED DELIVERING",
    },
    FlowKind.F1_URGENT: INTAKE
    | {
        "VERIFY": "ACCEPTED VERIFYING REOPENED",
        "COUNTY_DECISION": "APPROVING DENIED",
        "DELIVER": "DELIVERING",
    },
    FlowKind.F2: INTAKE | {"VERIFY": "ACCEPTED VERIFYING REOPENED", "DELIVER": "DELIVERING"},
    FlowKind.F3: INTAKE | {"DELIVER": "ACCEPTED DELIVERING REOPENED"},
    FlowKind.F4: INTAKE
    | {
        "VERIFY": "ACCEPTED VERIFYING SUSPENDED REOPENED",
        "NOTICE": "NOTICING",
        "COUNTY_DECISION": "APPROVING DENIED",
        "DELIVER": "DELIVERING",
    },
}
WORK = {
    FlowKind.F1: list(Node),
    FlowKind.F1_URGENT: [
        "ROUTE",
        "ACCEPT",
        "VERIFY",
        "DELIBERATE",
        "COUNTY_DECISION",
        "DELIVER",
        "FOLLOW_UP",
    ],
    FlowKind.F2: ["ROUTE", "ACCEPT", "VERIFY", "DELIVER", "FOLLOW_UP"],
    FlowKind.F3: ["ROUTE", "ACCEPT", "DELIVER", "FOLLOW_UP"],
    FlowKind.F4: ["ROUTE", "ACCEPT", "VERIFY", "NOTICE", "COUNTY_DECISION", "DELIVER", "FOLLOW_UP"],
    FlowKind.F5: [],
}


@pytest.mark.parametrize("flow", RUNS)
def test_each_state_runs_the_clock_of_its_node(flow: FlowKind) -> None:
    listed = {state: node for node, line in RUNS[flow].items() for state in line.split()}
    assert {s.value: n.value for s in S if (n := node_of(flow, s)) is not None} == listed
    assert {s.value for s in states(flow)} == {*listed, *ENDS.split()}


@pytest.mark.parametrize("flow", list(FlowKind))
def test_the_nodes_of_a_flow_are_in_the_order_of_the_work(flow: FlowKind) -> None:
    assert list(nodes(flow)) == WORK[flow]


def test_a_query_has_no_states_and_no_clock() -> None:
    assert states(FlowKind.F5) == frozenset()
    assert {node_of(FlowKind.F5, state) for state in S} == {None}


def test_after_the_notice_the_next_node_runs_from_its_end() -> None:
    assert node_of(FlowKind.F1, S.NOTICING, notice_over=True) is Node.TOWNSHIP_REVIEW
    assert node_of(FlowKind.F4, S.NOTICING, notice_over=True) is Node.COUNTY_DECISION
    assert after_notice(FlowKind.F4) is Node.COUNTY_DECISION
    # Nothing else asks for the notice.
    for flow, state in product(FlowKind, S):
        if state is not S.NOTICING:
            assert node_of(flow, state, notice_over=True) is node_of(flow, state)


REFUSAL, TOLD = Duty(Node.COUNTY_DECISION, Part.REFUSAL), Duty(Node.DELIVER, Part.TOLD)
DELIVER, DELIBERATE = Duty(Node.DELIVER), Duty(Node.DELIBERATE)


@pytest.mark.parametrize(
    ("flow", "state", "stamps", "owed"),
    [
        ("F1", "NOTICING", "", [Duty(Node.NOTICE), Duty(Node.TOWNSHIP_REVIEW)]),
        ("F1", "DENIED", "", [REFUSAL]),
        ("F1", "DENIED", "NOTIFIED_AT", []),
        ("F1", "DELIVERING", "DELIVERED_AT NOTIFIED_AT", [DELIVER]),
        ("F1_URGENT", "DENIED", "", [REFUSAL]),
        ("F1_URGENT", "DELIVERING", "", [DELIVER, DELIBERATE]),
        ("F1_URGENT", "DELIVERING", "DELIVERED_AT", [DELIBERATE]),
        ("F1_URGENT", "DELIVERING", "DELIVERED_AT DELIBERATED_AT", []),
        ("F4", "DELIVERING", "", [DELIVER, TOLD]),
        ("F4", "DELIVERING", "NOTIFIED_AT", [DELIVER]),
        ("F4", "DELIVERING", "NOTIFIED_AT DELIVERED_AT", []),
        ("F4", "DENIED", "DELIVERED_AT", [REFUSAL]),
        ("F2", "DELIVERING", "NOTIFIED_AT", [DELIVER]),
        ("F1", "WITHDRAWN", "", []),
    ],
)
def test_a_state_brings_what_is_owed_until_its_stamp(
    flow: str, state: str, stamps: str, owed: list[Duty]
) -> None:
    counting = {Fact(word) for word in stamps.split()}
    assert list(duties(FlowKind(flow), S(state), counting)) == owed


def test_every_part_that_is_owed_has_a_limit_for_every_item() -> None:
    catalog, seen = load(), []
    for item, flow, state in product(catalog.items.values(), FlowKind, S):
        for duty in duties(flow, state) if goes_by(item, flow) else ():
            if duty.part is not None:
                row = catalog.limits.of(flow, duty.node, item.code, DAY, part=duty.part)
                assert row is not None
                assert row.limit is not None
                seen.append((item.code, flow.value, duty.part.value, row.limit.amount))
    assert {one[2:] for one in seen} == {("REFUSAL", 3), ("TOLD", 1)}
    assert len(seen) == 4 + 1 + 3 * 2


def test_only_what_decides_waits_for_the_notices_end() -> None:
    moves = {
        (a.value, b.value)
        for flow, a, b in product(FlowKind, S, S)
        if may_move(flow, a, b) and needs_notice_over(a, b)
    }
    assert moves == {("NOTICING", "TOWNSHIP_REVIEWED"), ("NOTICING", "APPROVING")}


def test_every_node_of_every_case_has_a_limit() -> None:
    catalog, without = load(), set()
    for item, flow in product(catalog.items.values(), FlowKind):
        for node in nodes(flow) if goes_by(item, flow) else ():
            if catalog.limits.of(flow, node, item.code, DAY) is None:
                without.add((item.code, node.value))
    # 公示 of F4 is for 医疗救助 by application alone.
    assert without == {("INSURANCE_ENROLMENT", "NOTICE"), ("OFFSITE_REIMBURSEMENT", "NOTICE")}


def test_the_nodes_are_the_code_table() -> None:
    assert list(load().codes["CaseNode"]) == list(Node)
