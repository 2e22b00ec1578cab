"""投诉、申诉、权益异议: once escalated, closed only when told (领域设计 1.9)."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from enum import StrEnum
from itertools import product

import pytest

from catalog.load import load
from domain.case import CaseAct
from domain.complaint import (
    MACHINE,
    ComplaintAct,
    ComplaintKind,
    ComplaintOutcome,
    ComplaintState,
    effect,
)
from domain.machine import Fact, Refused, Step, Why
from tests.domain.walks import agrees, moves, read, walk

TABLE = read("""
RECEIVED  ASSIGN   ASSIGNED  | GOES_TO
ASSIGNED  ANSWER   ANSWERED  | ANSWER OUTCOME | ANSWERED_AT
ESCALATED ANSWER   ANSWERED  | ANSWER OUTCOME | ANSWERED_AT
ANSWERED  NOTIFY   ANSWERED  | CHANNEL        | NOTIFIED_AT
ANSWERED  ESCALATE ESCALATED | REASON         | ESCALATED_AT once
ANSWERED  CLOSE    CLOSED    | NOTIFIED_AT    | CLOSED_AT
""")
DESIGN = {
    ("RECEIVED", "ASSIGNED"),
    ("ASSIGNED", "ANSWERED"),
    ("ANSWERED", "CLOSED"),
    ("ANSWERED", "ESCALATED"),
    ("ESCALATED", "ANSWERED"),
}
AT = datetime(2026, 10, 9, 2, 0, tzinfo=UTC)
DAY = timedelta(days=1)
S, D = ComplaintState, ComplaintAct


def test_every_listed_act_passes_and_every_other_pair_is_refused() -> None:
    assert agrees(MACHINE, S, D, TABLE) == 25
    assert moves(TABLE) == DESIGN
    assert {(a.value, b.value) for a, after in MACHINE.moves.items() for b in after} == DESIGN


def test_no_walk_closes_untold_or_escalates_twice() -> None:
    reached = walk(
        MACHINE,
        S,
        D,
        TABLE,
        rounds={"NOTIFIED_AT": ("ANSWERED_AT",)},
        closing={"CLOSED": ("NOTIFIED_AT", "ANSWERED_AT", "CLOSED_AT")},
    )
    assert reached == {state.value for state in S}


def test_being_told_of_the_first_answer_does_not_close_the_second() -> None:
    stamps = {
        Fact.NOTIFIED_AT: AT,
        Fact.ESCALATED_AT: AT + DAY,
        Fact.ANSWERED_AT: AT + 2 * DAY,
    }
    refused = MACHINE.take(S.ANSWERED, D.CLOSE, (), stamps)
    assert refused == Refused(Why.FACTS_MISSING, (Fact.NOTIFIED_AT,))
    told = stamps | {Fact.NOTIFIED_AT: AT + 3 * DAY}
    assert isinstance(MACHINE.take(S.ANSWERED, D.CLOSE, (), told), Step)


def test_who_is_not_content_says_so_once() -> None:
    stamps = {Fact.ESCALATED_AT: AT}
    refused = MACHINE.take(S.ANSWERED, D.ESCALATE, {Fact.REASON}, stamps)
    assert refused == Refused(Why.DONE_BEFORE)


def test_only_a_closed_and_upheld_appeal_reopens_its_case() -> None:
    outcomes = (*ComplaintOutcome, None)
    reopening = [
        (kind, state, outcome)
        for kind, state, outcome in product(ComplaintKind, S, outcomes)
        if effect(kind, state, outcome) is CaseAct.REOPEN
    ]
    assert reopening == [(ComplaintKind.APPEAL, S.CLOSED, ComplaintOutcome.UPHELD)]


@pytest.mark.parametrize("words", [ComplaintKind, S, D, ComplaintOutcome])
def test_the_words_are_the_code_tables(words: type[StrEnum]) -> None:
    assert list(load().codes[words.__name__]) == [word.value for word in words]
