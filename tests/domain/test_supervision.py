"""督办单: 交必办、办必果、果必报 (领域设计 1.8)."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from enum import StrEnum
from itertools import pairwise, product

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from catalog.load import load
from catalog.procedures import STEPS, Procedure
from domain.machine import Fact, Refused, Step, Why
from domain.supervision import (
    MACHINE,
    Escalation,
    SupervisionAct,
    SupervisionFlag,
    SupervisionKind,
    SupervisionReason,
    SupervisionState,
    Urge,
    escalation,
    flags,
    may_close,
    may_move,
    path,
    urged,
)
from tests.domain.walks import agrees, moves, read, walk

S = SupervisionState
INTAKE = ["DRAFT", "ISSUED", "SIGNED", "IN_PROGRESS"]
MAIN = [*INTAKE, "RESULT_READY", "REPORTED", "REVIEWING", "CLOSED"]
LISTED = {*pairwise(MAIN), ("REVIEWING", "SENT_BACK"), ("SENT_BACK", "IN_PROGRESS")}
AT = datetime(2026, 10, 9, 2, 0, tzinfo=UTC)
DAY, SECOND = timedelta(days=1), timedelta(seconds=1)
RULE = Escalation(send_backs=2, late=3 * DAY)
TABLE = read("""
DRAFT        ISSUE     ISSUED       | REASON GOES_TO DEADLINE
ISSUED       SIGN      SIGNED       |                                | SIGNED_AT
SIGNED       START     IN_PROGRESS
SENT_BACK    START     IN_PROGRESS
IN_PROGRESS  RESULT    RESULT_READY | RESULT                         | RESULT_AT
RESULT_READY REPORT    REPORTED     | ATTACHMENTS                    | REPORTED_AT
REPORTED     REVIEW    REVIEWING
REVIEWING    CLOSE     CLOSED       | SIGNED_AT RESULT_AT REPORTED_AT | CLOSED_AT
REVIEWING    SEND_BACK SENT_BACK    | REASON                         | SENT_BACK_AT counts
""")
ROUNDS = {"RESULT_AT": ("SENT_BACK_AT",), "REPORTED_AT": ("RESULT_AT", "SENT_BACK_AT")}
E, U = SupervisionFlag.EXPIRED, SupervisionFlag.ESCALATED


def test_every_listed_move_passes_and_every_other_is_refused() -> None:
    assert {(a.value, b.value) for a, b in product(S, S) if may_move(a, b)} == LISTED


def test_the_main_path_ends_in_closing() -> None:
    assert [state.value for state in path()] == MAIN


@pytest.mark.parametrize("missing", [0, 1, 2])
def test_an_order_without_one_of_its_three_stamps_cannot_be_closed(missing: int) -> None:
    stamps: list[datetime | None] = [AT, AT, AT]
    assert may_close(*stamps)
    stamps[missing] = None
    assert not may_close(*stamps)


def test_every_listed_act_passes_and_every_other_pair_is_refused() -> None:
    assert agrees(MACHINE, S, SupervisionAct, TABLE) == 72
    assert moves(TABLE) == LISTED


def test_no_walk_closes_without_its_three_stamps_of_this_round() -> None:
    three = ("SIGNED_AT", "RESULT_AT", "REPORTED_AT")
    reached = walk(
        MACHINE, S, SupervisionAct, TABLE, rounds=ROUNDS, closing={"CLOSED": (*three, "CLOSED_AT")}
    )
    assert reached == {state.value for state in S}


def test_what_was_done_before_it_was_sent_back_does_not_close_it() -> None:
    stamps = {
        Fact.SIGNED_AT: AT,
        Fact.RESULT_AT: AT + DAY,
        Fact.REPORTED_AT: AT + 2 * DAY,
        Fact.SENT_BACK_AT: AT + 3 * DAY,
    }
    close = (S.REVIEWING, SupervisionAct.CLOSE, ())
    missing = (Fact.RESULT_AT, Fact.REPORTED_AT)
    assert MACHINE.take(*close, stamps) == Refused(Why.FACTS_MISSING, missing)
    stamps |= {Fact.RESULT_AT: AT + 4 * DAY, Fact.REPORTED_AT: AT + 5 * DAY}
    assert isinstance(MACHINE.take(*close, stamps), Step)


@pytest.mark.parametrize(
    ("late", "send_backs", "told"),
    [
        (-DAY, 0, set()),
        (timedelta(), 1, set()),
        (SECOND, 0, {E}),
        (3 * DAY - SECOND, 1, {E}),
        (3 * DAY, 0, {E, U}),
        (-DAY, 2, {U}),
        (SECOND, 3, {E, U}),
    ],
)
def test_an_order_expires_and_goes_to_the_leader(
    late: timedelta, send_backs: int, told: set[SupervisionFlag]
) -> None:
    assert flags(due_at=AT, at=AT + late, send_backs=send_backs, rule=RULE) == told


def test_when_it_goes_to_the_leader_is_data() -> None:
    assert escalation(load().procedures, date(2026, 11, 1)) == RULE
    other = Escalation(send_backs=5, late=DAY)
    assert flags(due_at=AT, at=AT + DAY, send_backs=4, rule=other) == {E, U}
    assert flags(due_at=AT, at=AT, send_backs=4, rule=other) == set()


def test_each_kind_of_order_has_its_limit_as_data() -> None:
    steps = {step.value for step in STEPS[Procedure.SUPERVISION]}
    assert {kind.value for kind in SupervisionKind} <= steps


def test_a_second_trigger_adds_to_the_open_urge_of_its_node() -> None:
    none, first = urged((), "N1", "T1")
    assert (none, first) == (None, Urge("N1", S.DRAFT, ("T1",)))
    before, both = urged([first], "N1", "T2")
    assert (before, both) == (first, Urge("N1", S.DRAFT, ("T1", "T2")))
    assert urged([both], "N1", "T1") == (both, both)
    assert urged([both], "N2", "T1") == (None, Urge("N2", S.DRAFT, ("T1",)))


@pytest.mark.parametrize("state", S)
def test_only_a_closed_urge_lets_another_be_opened(state: SupervisionState) -> None:
    urge = Urge("N1", state, ("T1",))
    before, after = urged([urge], "N1", "T2")
    assert (before is None) == (state is S.CLOSED)
    assert after.triggers == (("T2",) if state is S.CLOSED else ("T1", "T2"))


@given(
    st.lists(st.tuples(st.sampled_from("AB"), st.sampled_from("123"), st.booleans()), max_size=20)
)
@settings(derandomize=True, deadline=None)
def test_a_node_never_has_two_open_urges(triggers: list[tuple[str, str, bool]]) -> None:
    urges: list[Urge] = []
    for node, trigger, closes in triggers:
        before, after = urged(urges, node, trigger)
        urges = [urge for urge in urges if urge != before] + [after]
        open_nodes = [urge.node for urge in urges if urge.state is not S.CLOSED]
        assert len(open_nodes) == len(set(open_nodes))
        assert trigger in after.triggers
        if closes:
            urges = [urge for urge in urges if urge.state is S.CLOSED or urge.node != node]


@pytest.mark.parametrize(
    "words", [S, SupervisionAct, SupervisionKind, SupervisionReason, SupervisionFlag]
)
def test_the_words_are_the_code_tables(words: type[StrEnum]) -> None:
    assert list(load().codes[words.__name__]) == [word.value for word in words]
