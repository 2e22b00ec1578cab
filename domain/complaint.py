"""投诉、申诉、权益异议: answered, and closed only when the citizen has been told (领域设计 1.9).

第十一条第五项 (咨询投诉), 第十四条 (harm to privacy). The three go one way: received, assigned,
answered. Who is not content says so once; then the office answers. A second answer asks for a
second telling: being told of the first does not close.
"""

from __future__ import annotations

from enum import StrEnum

from domain.case import CaseAct
from domain.machine import Act, Fact, Machine, Party


class ComplaintKind(StrEnum):
    """What is brought: 投诉, 申诉 against a decision, 权益异议 (Complaint … PrivacyObjection)."""

    COMPLAINT = "COMPLAINT"
    APPEAL = "APPEAL"
    PRIVACY_OBJECTION = "PRIVACY_OBJECTION"


class ComplaintState(StrEnum):
    """投诉状态; the Chinese labels stand in ``codes.toml``."""

    RECEIVED = "RECEIVED"
    ASSIGNED = "ASSIGNED"
    ANSWERED = "ANSWERED"
    ESCALATED = "ESCALATED"
    CLOSED = "CLOSED"


class ComplaintAct(StrEnum):
    """What is done to it. NOTIFY is in place: it stays ANSWERED."""

    ASSIGN = "ASSIGN"
    ANSWER = "ANSWER"
    NOTIFY = "NOTIFY"
    ESCALATE = "ESCALATE"
    CLOSE = "CLOSE"


class ComplaintOutcome(StrEnum):
    """What an answer finds."""

    UPHELD = "UPHELD"
    DISMISSED = "DISMISSED"


S = ComplaintState
D = ComplaintAct


def _answer(before: ComplaintState, by: Party) -> Act[ComplaintState, ComplaintAct]:
    needs = frozenset({Fact.ANSWER, Fact.OUTCOME})
    return Act(D.ANSWER, frozenset({before}), S.ANSWERED, by, needs, Fact.ANSWERED_AT)


_ANSWERED = frozenset({S.ANSWERED})

MACHINE: Machine[ComplaintState, ComplaintAct] = Machine(
    start=S.RECEIVED,
    ends=frozenset({S.CLOSED}),
    acts=(
        Act(
            D.ASSIGN,
            frozenset({S.RECEIVED}),
            S.ASSIGNED,
            Party.OFFICE,
            frozenset({Fact.GOES_TO}),
        ),
        _answer(S.ASSIGNED, Party.HANDLER),
        _answer(S.ESCALATED, Party.OFFICE),
        Act(
            D.NOTIFY,
            _ANSWERED,
            None,
            Party.HANDLER,
            frozenset({Fact.CHANNEL}),
            Fact.NOTIFIED_AT,
        ),
        Act(
            D.ESCALATE,
            _ANSWERED,
            S.ESCALATED,
            Party.CITIZEN,
            frozenset({Fact.REASON}),
            Fact.ESCALATED_AT,
            once=True,
        ),
        Act(
            D.CLOSE,
            _ANSWERED,
            S.CLOSED,
            Party.OFFICE,
            frozenset({Fact.NOTIFIED_AT}),
            Fact.CLOSED_AT,
        ),
    ),
    follows={Fact.NOTIFIED_AT: frozenset({Fact.ANSWERED_AT})},
)


def effect(
    kind: ComplaintKind, state: ComplaintState, outcome: ComplaintOutcome | None
) -> CaseAct | None:
    """What it does to the case it is about: an upheld appeal reopens it, all else nothing.

    Only when CLOSED: until then the office may still answer otherwise. `outcome` is that of
    the last answer, None before there is one.
    """
    upheld = kind is ComplaintKind.APPEAL and outcome is ComplaintOutcome.UPHELD
    return CaseAct.REOPEN if upheld and state is S.CLOSED else None
