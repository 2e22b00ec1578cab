"""诉求件: the tables of every flow kind, move by move (领域设计 1.4)."""

from __future__ import annotations

from datetime import UTC, datetime
from enum import StrEnum
from itertools import pairwise, product

import pytest

from catalog.items import FlowKind
from catalog.load import load
from domain.case import (
    MACHINES,
    TRANSITIONS,
    CaseAct,
    CaseState,
    has_notice,
    is_decided,
    may_move,
    path,
)
from domain.machine import Fact, Refused, Step, Why
from tests.domain.walks import GIVEN, Table, agrees, moves, read, walk

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
    FlowKind.F1_URGENT: REFUSAL | REWORK,
    FlowKind.F2: REWORK | {"VERIFYING WITHDRAWN"},
    FlowKind.F3: {"REOPENED DELIVERING"},
    FlowKind.F4: REFUSAL | OBJECTION | REWORK | {"VERIFYING NOTICING", "NOTICING APPROVING"},
}
INTAKE_ACTS = """
SUBMITTED   ROUTE     ROUTED
TRANSFERRED ROUTE     ROUTED
ROUTED      ACCEPT    ACCEPTED     |                | ACCEPTED_AT
RETURNED    ACCEPT    ACCEPTED     |                | ACCEPTED_AT
ROUTED      RETURN    RETURNED     | REASON
ROUTED      REJECT    NOT_ACCEPTED | REASON
ROUTED      TRANSFER  TRANSFERRED  | REASON GOES_TO
SUBMITTED   WITHDRAW  WITHDRAWN    | REASON
ROUTED      WITHDRAW  WITHDRAWN    | REASON
RETURNED    WITHDRAW  WITHDRAWN    | REASON
TRANSFERRED WITHDRAW  WITHDRAWN    | REASON
ACCEPTED    WITHDRAW  WITHDRAWN    | REASON
CLOSED      FOLLOW_UP FOLLOWED_UP  | SATISFACTION
CLOSED      REOPEN    REOPENED     | REASON UPHELD_APPEAL
FOLLOWED_UP REOPEN    REOPENED     | REASON UPHELD_APPEAL
"""
VISITED = """
ACCEPTED  VISIT    VERIFYING | VISIT
REOPENED  VISIT    VERIFYING | VISIT
VERIFYING WITHDRAW WITHDRAWN | REASON
"""
DECIDED = """
APPROVING DENY     DENIED    | REASON CONCLUSION  | DECIDED_AT
DENIED    NOTIFY   DENIED    | CHANNEL            | NOTIFIED_AT
DENIED    CLOSE    CLOSED    | RESULT NOTIFIED_AT | CLOSED_AT
APPROVING WITHDRAW WITHDRAWN | REASON
"""
CLOSED_AS_DELIVERED = "DELIVERING CLOSE CLOSED | RESULT | CLOSED_AT\n"
NOTICED = """
NOTICING  OBJECT   SUSPENDED | REASON
SUSPENDED VISIT    VERIFYING | VISIT
NOTICING  WITHDRAW WITHDRAWN | REASON
SUSPENDED WITHDRAW WITHDRAWN | REASON
"""
ACTS = {
    FlowKind.F1: VISITED.strip()
    + DECIDED
    + NOTICED.strip()
    + """
VERIFYING         DELIBERATE DELIBERATING      | ATTENDANCE VOTE
DELIBERATING      PUBLISH    NOTICING          | NOTICE_FROM NOTICE_UNTIL
NOTICING          REVIEW     TOWNSHIP_REVIEWED | OPINION NOTICE_OVER
TOWNSHIP_REVIEWED PRESENT    APPROVING         | OPINION
APPROVING         APPROVE    APPROVED          | CONCLUSION | DECIDED_AT
APPROVED          DELIVER    DELIVERING        | DELIVERED DELIVERED_ON
DELIBERATING      WITHDRAW   WITHDRAWN         | REASON
TOWNSHIP_REVIEWED WITHDRAW   WITHDRAWN         | REASON
"""
    + CLOSED_AS_DELIVERED,
    FlowKind.F1_URGENT: VISITED.strip()
    + DECIDED
    + """VERIFYING    PRESENT    APPROVING    | OPINION
APPROVING    APPROVE    DELIVERING   | CONCLUSION      | DECIDED_AT
DELIVERING   DELIVER    DELIVERING   | DELIVERED DELIVERED_ON           | DELIVERED_AT
DELIVERING   DELIBERATE DELIVERING   | ATTENDANCE VOTE DELIVERED_AT     | DELIBERATED_AT
DELIVERING   CLOSE      CLOSED       | RESULT DELIVERED_AT DELIBERATED_AT | CLOSED_AT
""",
    FlowKind.F2: VISITED
    + "VERIFYING DELIVER DELIVERING | DELIVERED DELIVERED_ON\n"
    + CLOSED_AS_DELIVERED,
    FlowKind.F3: """
ACCEPTED DELIVER DELIVERING | DELIVERED DELIVERED_ON
REOPENED DELIVER DELIVERING | DELIVERED DELIVERED_ON
"""
    + CLOSED_AS_DELIVERED,
    FlowKind.F4: VISITED.strip()
    + DECIDED
    + NOTICED.strip()
    + """
VERIFYING PRESENT APPROVING  | OPINION
VERIFYING PUBLISH NOTICING   | NOTICE_FROM NOTICE_UNTIL
NOTICING  PRESENT APPROVING  | OPINION NOTICE_OVER
APPROVING APPROVE DELIVERING | CONCLUSION | DECIDED_AT
DELIVERING NOTIFY  DELIVERING | CHANNEL EXPECTED_ON                | NOTIFIED_AT
DELIVERING DELIVER DELIVERING | DELIVERED DELIVERED_ON NOTIFIED_AT | DELIVERED_AT
DELIVERING CLOSE   CLOSED     | RESULT NOTIFIED_AT DELIVERED_AT    | CLOSED_AT
""",
}
OPENING = list(ACTS)


def acts(flow: FlowKind) -> Table:
    """The acts as the design writes them."""
    return read(f"{INTAKE_ACTS.strip()}\n{ACTS[flow].strip()}")


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


@pytest.mark.parametrize("flow", OPENING)
def test_every_listed_act_passes_and_every_other_pair_is_refused(flow: FlowKind) -> None:
    assert agrees(MACHINES[flow], S, CaseAct, acts(flow)) == 361
    assert moves(acts(flow)) == listed(flow)


@pytest.mark.parametrize("flow", OPENING)
def test_every_listed_move_is_made_by_exactly_one_act(flow: FlowKind) -> None:
    made = [
        (before, machine.after(before, act))
        for machine in [MACHINES[flow]]
        for before, act in product(S, CaseAct)
        if machine.after(before, act) not in (None, before)
    ]
    assert len(made) == len(set(made)) == len(listed(flow))
    assert {(before, str(after)) for before, after in made} == listed(flow)


def test_a_flow_that_opens_no_case_has_no_machine() -> None:
    assert list(MACHINES) == OPENING
    assert len(OPENING) == 5
    assert FlowKind.F5 not in MACHINES
    assert TRANSITIONS[FlowKind.F5] == {}


@pytest.mark.parametrize("flow", OPENING)
def test_no_walk_comes_where_the_table_does_not_lead(flow: FlowKind) -> None:
    reached = walk(
        MACHINES[flow],
        S,
        CaseAct,
        acts(flow),
        rounds={
            "NOTIFIED_AT": ("DECIDED_AT",),
            "DELIVERED_AT": ("DECIDED_AT",),
            "DELIBERATED_AT": ("DECIDED_AT",),
        },
        closing={
            "ACCEPTED": ("ACCEPTED_AT",),
            "APPROVED": ("ACCEPTED_AT", "DECIDED_AT"),
            "DENIED": ("DECIDED_AT",),
            "CLOSED": ("ACCEPTED_AT", "CLOSED_AT"),
            "FOLLOWED_UP": ("CLOSED_AT",),
        },
    )
    assert set(MAIN[flow].split()) <= reached <= {word for move in listed(flow) for word in move}


T0, T1, T2 = (datetime(2026, 11, day, tzinfo=UTC) for day in (2, 3, 4))


@pytest.mark.parametrize(
    ("flow", "state", "missing"),
    [
        (FlowKind.F1, S.DENIED, (Fact.NOTIFIED_AT,)),
        (FlowKind.F1_URGENT, S.DENIED, (Fact.NOTIFIED_AT,)),
        (FlowKind.F4, S.DENIED, (Fact.NOTIFIED_AT,)),
        (FlowKind.F1_URGENT, S.DELIVERING, (Fact.DELIVERED_AT, Fact.DELIBERATED_AT)),
        (FlowKind.F4, S.DELIVERING, (Fact.DELIVERED_AT, Fact.NOTIFIED_AT)),
    ],
)
def test_what_was_done_before_the_last_decision_closes_nothing(
    flow: FlowKind, state: S, missing: tuple[Fact, ...]
) -> None:
    machine, done = MACHINES[flow], dict.fromkeys(missing, T1)
    close = (state, CaseAct.CLOSE, {Fact.RESULT})
    assert machine.take(*close, {Fact.DECIDED_AT: T0}) == Refused(Why.FACTS_MISSING, missing)
    assert isinstance(machine.take(*close, {Fact.DECIDED_AT: T0} | done), Step)
    again = machine.take(*close, {Fact.DECIDED_AT: T2} | done)
    assert again == Refused(Why.FACTS_MISSING, missing)


@pytest.mark.parametrize(
    ("flow", "act"), [(FlowKind.F1, CaseAct.REVIEW), (FlowKind.F4, CaseAct.PRESENT)]
)
def test_nobody_goes_on_before_the_notice_has_run(flow: FlowKind, act: CaseAct) -> None:
    without = GIVEN - {Fact.NOTICE_OVER}
    refused = MACHINES[flow].take(S.NOTICING, act, without, {})
    assert refused == Refused(Why.FACTS_MISSING, (Fact.NOTICE_OVER,))
    assert isinstance(MACHINES[flow].take(S.NOTICING, act, GIVEN, {}), Step)


@pytest.mark.parametrize("words", [S, CaseAct])
def test_the_words_are_the_code_tables(words: type[StrEnum]) -> None:
    assert list(load().codes[words.__name__]) == [word.value for word in words]


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
