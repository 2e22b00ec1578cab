"""诉求件: one machine a flow kind; what is not listed is refused (领域设计 1.4).

第十条: the county runs what the province built, cases are routed by themselves and handled on
three tiers. Each flow is one main path; to it come correction (补正), transfer, withdrawal
before a decision, objection during the public notice, refusal, and an upheld appeal. An act
and a state give at most one next state, so who acts names the act and never the state.
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum

from catalog.items import FlowKind
from domain.machine import Act, Fact, Machine, Party


class CaseState(StrEnum):
    """诉求件状态; the Chinese labels stand in ``codes.toml``."""

    SUBMITTED = "SUBMITTED"
    ROUTED = "ROUTED"
    ACCEPTED = "ACCEPTED"
    RETURNED = "RETURNED"
    NOT_ACCEPTED = "NOT_ACCEPTED"
    TRANSFERRED = "TRANSFERRED"
    VERIFYING = "VERIFYING"
    DELIBERATING = "DELIBERATING"
    NOTICING = "NOTICING"
    TOWNSHIP_REVIEWED = "TOWNSHIP_REVIEWED"
    APPROVING = "APPROVING"
    APPROVED = "APPROVED"
    DENIED = "DENIED"
    DELIVERING = "DELIVERING"
    CLOSED = "CLOSED"
    FOLLOWED_UP = "FOLLOWED_UP"
    WITHDRAWN = "WITHDRAWN"
    SUSPENDED = "SUSPENDED"
    REOPENED = "REOPENED"


S = CaseState
Table = Mapping[CaseState, frozenset[CaseState]]


class CaseAct(StrEnum):
    """What is done to a 诉求件; the Chinese labels stand in ``codes.toml``."""

    ROUTE = "ROUTE"
    ACCEPT = "ACCEPT"
    RETURN = "RETURN"
    REJECT = "REJECT"
    TRANSFER = "TRANSFER"
    VISIT = "VISIT"
    DELIBERATE = "DELIBERATE"
    PUBLISH = "PUBLISH"
    OBJECT = "OBJECT"
    REVIEW = "REVIEW"
    PRESENT = "PRESENT"
    APPROVE = "APPROVE"
    DENY = "DENY"
    DELIVER = "DELIVER"
    CLOSE = "CLOSE"
    FOLLOW_UP = "FOLLOW_UP"
    WITHDRAW = "WITHDRAW"
    REOPEN = "REOPEN"


C = CaseAct
CaseMachine = Machine[CaseState, CaseAct]

F1, URGENT, F2, F3, F4 = FLOWS = tuple(flow for flow in FlowKind if flow is not FlowKind.F5)
"""The flows that open a case; F5 is a query."""
_DECIDED = (F1, URGENT, F4)
_NOTICED = (F1, F4)

_INTAKE = (S.SUBMITTED, S.ROUTED, S.ACCEPTED)
_END = (S.DELIVERING, S.CLOSED, S.FOLLOWED_UP)

_MIDDLE: Mapping[FlowKind, tuple[CaseState, ...]] = {
    F1: (
        S.VERIFYING,
        S.DELIBERATING,
        S.NOTICING,
        S.TOWNSHIP_REVIEWED,
        S.APPROVING,
        S.APPROVED,
    ),
    URGENT: (S.VERIFYING, S.APPROVING),
    F2: (S.VERIFYING,),
    F3: (),
    F4: (S.VERIFYING, S.APPROVING),
}


def path(flow: FlowKind) -> tuple[CaseState, ...]:
    """The main path of a flow, first state to last; empty for F5, which opens no case."""
    if flow is FlowKind.F5:
        return ()
    return (*_INTAKE, *_MIDDLE[flow], *_END)


def may_move(flow: FlowKind, before: CaseState, after: CaseState) -> bool:
    """True if the flow's table lists the move."""
    return after in TRANSITIONS[flow].get(before, frozenset())


def _act(
    name: CaseAct,
    before: str,
    after: CaseState,
    by: Party,
    *needs: Fact,
    stamps: Fact | None = None,
) -> Act[CaseState, CaseAct]:
    states = frozenset(CaseState(word) for word in before.split())
    return Act(name, states, after, by, frozenset(needs), stamps)


_VISIT = (S.VERIFYING, Party.TOWNSHIP, Fact.VISIT)
_DELIBERATED = (S.DELIBERATING, Party.TOWNSHIP, Fact.ATTENDANCE, Fact.VOTE)
_NOTICE = (S.NOTICING, Party.TOWNSHIP, Fact.NOTICE_FROM, Fact.NOTICE_UNTIL)
_DELIVERY = (S.DELIVERING, Party.DEPARTMENT, Fact.DELIVERED, Fact.DELIVERED_ON)
_CLOSING = (S.CLOSED, Party.DEPARTMENT, Fact.RESULT)
_WITHDRAWAL = (S.WITHDRAWN, Party.CITIZEN, Fact.REASON)
_INTAKE_OPEN = "SUBMITTED ROUTED RETURNED TRANSFERRED ACCEPTED"

_LISTED: tuple[tuple[tuple[FlowKind, ...], Act[CaseState, CaseAct]], ...] = (
    # Before acceptance every flow is alike: 补正, 不予受理, 转办 (the citizen files once).
    (FLOWS, _act(C.ROUTE, "SUBMITTED TRANSFERRED", S.ROUTED, Party.HUB)),
    (
        FLOWS,
        _act(C.ACCEPT, "ROUTED RETURNED", S.ACCEPTED, Party.TOWNSHIP, stamps=Fact.ACCEPTED_AT),
    ),
    (FLOWS, _act(C.RETURN, "ROUTED", S.RETURNED, Party.TOWNSHIP, Fact.REASON)),
    (FLOWS, _act(C.REJECT, "ROUTED", S.NOT_ACCEPTED, Party.TOWNSHIP, Fact.REASON)),
    (
        FLOWS,
        _act(C.TRANSFER, "ROUTED", S.TRANSFERRED, Party.TOWNSHIP, Fact.REASON, Fact.GOES_TO),
    ),
    # A case that was objected to, or reopened by an upheld appeal, starts where the work started.
    ((F1,), _act(C.VISIT, "ACCEPTED SUSPENDED REOPENED", *_VISIT)),
    ((URGENT, F2), _act(C.VISIT, "ACCEPTED REOPENED", *_VISIT)),
    # 医保预审: the department sees documents.
    (
        (F4,),
        _act(C.VISIT, "ACCEPTED SUSPENDED REOPENED", S.VERIFYING, Party.DEPARTMENT, Fact.VISIT),
    ),
    ((F1,), _act(C.DELIBERATE, "VERIFYING", *_DELIBERATED)),
    # Aid first, the village's deliberation after the fact.
    ((URGENT,), _act(C.DELIBERATE, "DELIVERING", *_DELIBERATED)),
    ((F1,), _act(C.PUBLISH, "DELIBERATING", *_NOTICE)),
    # 公示 only where 医疗救助 is by application.
    ((F4,), _act(C.PUBLISH, "VERIFYING", *_NOTICE)),
    (_NOTICED, _act(C.OBJECT, "NOTICING", S.SUSPENDED, Party.CITIZEN, Fact.REASON)),
    (
        (F1,),
        _act(
            C.REVIEW,
            "NOTICING",
            S.TOWNSHIP_REVIEWED,
            Party.TOWNSHIP,
            Fact.OPINION,
            Fact.NOTICE_OVER,
        ),
    ),
    ((F1,), _act(C.PRESENT, "TOWNSHIP_REVIEWED", S.APPROVING, Party.TOWNSHIP, Fact.OPINION)),
    ((URGENT,), _act(C.PRESENT, "VERIFYING", S.APPROVING, Party.TOWNSHIP, Fact.OPINION)),
    ((F4,), _act(C.PRESENT, "VERIFYING", S.APPROVING, Party.DEPARTMENT, Fact.OPINION)),
    (
        (F4,),
        _act(
            C.PRESENT,
            "NOTICING",
            S.APPROVING,
            Party.DEPARTMENT,
            Fact.OPINION,
            Fact.NOTICE_OVER,
        ),
    ),
    (
        (F1,),
        _act(
            C.APPROVE,
            "APPROVING",
            S.APPROVED,
            Party.DEPARTMENT,
            Fact.CONCLUSION,
            stamps=Fact.DECIDED_AT,
        ),
    ),
    (
        (URGENT, F4),
        _act(
            C.APPROVE,
            "APPROVING",
            S.DELIVERING,
            Party.DEPARTMENT,
            Fact.CONCLUSION,
            stamps=Fact.DECIDED_AT,
        ),
    ),
    (
        _DECIDED,
        _act(
            C.DENY,
            "APPROVING",
            S.DENIED,
            Party.DEPARTMENT,
            Fact.REASON,
            Fact.CONCLUSION,
            stamps=Fact.DECIDED_AT,
        ),
    ),
    ((F1,), _act(C.DELIVER, "APPROVED", *_DELIVERY)),
    ((F2,), _act(C.DELIVER, "VERIFYING", *_DELIVERY)),
    ((F3,), _act(C.DELIVER, "ACCEPTED REOPENED", *_DELIVERY)),
    (_NOTICED, _act(C.CLOSE, "DELIVERING DENIED", *_CLOSING, stamps=Fact.CLOSED_AT)),
    (
        (URGENT,),
        _act(C.CLOSE, "DELIVERING DELIBERATING DENIED", *_CLOSING, stamps=Fact.CLOSED_AT),
    ),
    ((F2, F3), _act(C.CLOSE, "DELIVERING", *_CLOSING, stamps=Fact.CLOSED_AT)),
    (
        FLOWS,
        _act(C.FOLLOW_UP, "CLOSED", S.FOLLOWED_UP, Party.DEPARTMENT, Fact.SATISFACTION),
    ),
    # Until there is a decision; where nobody decides, until it is delivered.
    (FLOWS, _act(C.WITHDRAW, _INTAKE_OPEN, *_WITHDRAWAL)),
    ((F1,), _act(C.WITHDRAW, "DELIBERATING TOWNSHIP_REVIEWED", *_WITHDRAWAL)),
    ((F1, URGENT, F2, F4), _act(C.WITHDRAW, "VERIFYING", *_WITHDRAWAL)),
    (_NOTICED, _act(C.WITHDRAW, "NOTICING SUSPENDED", *_WITHDRAWAL)),
    (_DECIDED, _act(C.WITHDRAW, "APPROVING", *_WITHDRAWAL)),
    (
        FLOWS,
        _act(
            C.REOPEN,
            "CLOSED FOLLOWED_UP",
            S.REOPENED,
            Party.OFFICE,
            Fact.REASON,
            Fact.UPHELD_APPEAL,
        ),
    ),
)
"""Which act exists in which flows, in the order a case meets them."""


def _machine(flow: FlowKind) -> CaseMachine:
    return Machine(
        start=S.SUBMITTED,
        ends=frozenset({S.NOT_ACCEPTED, S.WITHDRAWN}),
        acts=tuple(act for flows, act in _LISTED if flow in flows),
    )


MACHINES: Mapping[FlowKind, CaseMachine] = {flow: _machine(flow) for flow in FLOWS}
"""By flow kind; none for F5, which opens no case."""

TRANSITIONS: Mapping[FlowKind, Table] = {
    flow: MACHINES[flow].moves if flow in MACHINES else {} for flow in FlowKind
}
"""Every move that is allowed, by flow kind and state."""
