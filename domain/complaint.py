"""投诉、申诉、权益异议: answered, and closed only when the citizen has been told (领域设计 1.9).

第十一条第五项 (咨询投诉), 第十四条 (harm to privacy). The three go one way: received, assigned,
answered. Who is not content says so once; then the office answers. A second answer asks for a
second telling: being told of the first does not close.
"""

from __future__ import annotations

from enum import StrEnum

from domain.case import CaseAct
from domain.machine import Fact, Machine, Party, act


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


_ANSWER = (Fact.ANSWER, Fact.OUTCOME)

MACHINE: Machine[ComplaintState, ComplaintAct] = Machine(
    start=S.RECEIVED,
    ends=frozenset({S.CLOSED}),
    acts=(
        act(D.ASSIGN, S.RECEIVED, S.ASSIGNED, Party.OFFICE, Fact.GOES_TO),
        act(D.ANSWER, S.ASSIGNED, S.ANSWERED, Party.HANDLER, *_ANSWER, stamps=Fact.ANSWERED_AT),
        act(D.ANSWER, S.ESCALATED, S.ANSWERED, Party.OFFICE, *_ANSWER, stamps=Fact.ANSWERED_AT),
        act(D.NOTIFY, S.ANSWERED, None, Party.HANDLER, Fact.CHANNEL, stamps=Fact.NOTIFIED_AT),
        act(
            D.ESCALATE,
            S.ANSWERED,
            S.ESCALATED,
            Party.CITIZEN,
            Fact.REASON,
            stamps=Fact.ESCALATED_AT,
            once=True,
        ),
        act(D.CLOSE, S.ANSWERED, S.CLOSED, Party.OFFICE, Fact.NOTIFIED_AT, stamps=Fact.CLOSED_AT),
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
