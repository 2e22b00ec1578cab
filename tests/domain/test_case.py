"""诉求件: the tables of every flow kind, move by move (领域设计 1.4)."""

from __future__ import annotations

from itertools import pairwise, product

import pytest

from catalog.items import FlowKind
from catalog.load import load
from domain.case import TRANSITIONS, CaseState, has_notice, is_decided, may_move, path

S = CaseState
INTAKE = "SUBMITTED ROUTED ACCEPTED"
MAIN = {
    FlowKind.F1: f"{INTAKE} VERIFYING DELIBERATING NOTICING TOWNSHIP_REVIEWED APPROVING "
    "APPROVED DELIVERING CLOSED FOLLOWED_UP",
    FlowKind.F1_URGENT: f"{INTAKE} VERIFYING APPROVING DELIVERING CLOSED FOLLOWED_UP",
    FlowKind.F2: f"{INTAKE} VERIFYING DELIVERING CLOSED FOLLOWED_UP",
    FlowKind.F3: f"{INTAKE} DELIVERING CLOSED FOLLOWED_UP",
    FlowKind.F4: f"{INTAKE} VERIFYING APPROVING DELIVERING CLOSED FOLLOWED_UP",
    FlowKind.F5: "",
}
EVERYWHERE = {
    "ROUTED RETURNED",
    "RETURNED ACCEPTED",
    "ROUTED NOT_ACCEPTED",
    "ROUTED TRANSFERRED",
    "TRANSFERRED ROUTED",
    "SUBMITTED WITHDRAWN",
    "ROUTED WITHDRAWN",
    "ACCEPTED WITHDRAWN",
    "RETURNED WITHDRAWN",
    "TRANSFERRED WITHDRAWN",
    "CLOSED REOPENED",
    "FOLLOWED_UP REOPENED",
}
REFUSAL = {"APPROVING DENIED", "DENIED CLOSED", "APPROVING WITHDRAWN", "VERIFYING WITHDRAWN"}
OBJECTION = {
    "NOTICING SUSPENDED",
    "SUSPENDED VERIFYING",
    "NOTICING WITHDRAWN",
    "SUSPENDED WITHDRAWN",
}
REWORK = {"REOPENED VERIFYING"}
BESIDE = {
    FlowKind.F1: REFUSAL
    | OBJECTION
    | REWORK
    | {"DELIBERATING WITHDRAWN", "TOWNSHIP_REVIEWED WITHDRAWN"},
    FlowKind.F1_URGENT: REFUSAL | REWORK | {"DELIVERING DELIBERATING", "DELIBERATING CLOSED"},
    FlowKind.F2: REWORK | {"VERIFYING WITHDRAWN"},
    FlowKind.F3: {"REOPENED DELIVERING"},
    FlowKind.F4: REFUSAL | OBJECTION | REWORK | {"VERIFYING NOTICING", "NOTICING APPROVING"},
}


def listed(flow: FlowKind) -> set[tuple[str, str]]:
    """The moves as the design writes them, not as the module does."""
    if flow is FlowKind.F5:
        return set()
    beside = [tuple(move.split()) for move in EVERYWHERE | BESIDE[flow]]
    return {*pairwise(MAIN[flow].split()), *((a, b) for a, b in beside)}


@pytest.mark.parametrize("flow", list(FlowKind))
def test_every_listed_move_passes_and_every_other_is_refused(flow: FlowKind) -> None:
    allowed = {(a.value, b.value) for a, b in product(S, S) if may_move(flow, a, b)}
    assert allowed == listed(flow)


@pytest.mark.parametrize("flow", list(FlowKind))
def test_the_main_path_is_the_designs(flow: FlowKind) -> None:
    assert [state.value for state in path(flow)] == MAIN[flow].split()


@pytest.mark.parametrize("flow", [f for f in FlowKind if f is not FlowKind.F5])
def test_every_state_of_a_table_can_be_reached_and_the_ends_are_ends(flow: FlowKind) -> None:
    seen, open_states = {S.SUBMITTED}, [S.SUBMITTED]
    while open_states:
        for after in TRANSITIONS[flow].get(open_states.pop(), ()):
            if after not in seen:
                seen.add(after)
                open_states.append(after)
    assert set(TRANSITIONS[flow]) <= seen
    assert not {S.WITHDRAWN, S.NOT_ACCEPTED} & set(TRANSITIONS[flow])


def test_the_states_are_the_code_tables() -> None:
    assert list(load().codes["CaseState"]) == [state.value for state in S]


def test_a_case_is_decided_once_it_is_answered() -> None:
    assert {state for state in S if is_decided(state)} == {
        S.APPROVED,
        S.DENIED,
        S.NOT_ACCEPTED,
        S.DELIVERING,
        S.CLOSED,
        S.FOLLOWED_UP,
    }


def test_flows_with_a_public_notice_are_those_of_the_design() -> None:
    assert [flow for flow in FlowKind if has_notice(flow)] == [FlowKind.F1, FlowKind.F4]
