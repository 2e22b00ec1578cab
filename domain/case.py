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
from domain.machine import Act, Fact, Machine, Party, act


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
    NOTIFY = "NOTIFY"
    DELIVER = "DELIVER"
    CLOSE = "CLOSE"
    FOLLOW_UP = "FOLLOW_UP"
    WITHDRAW = "WITHDRAW"
    REOPEN = "REOPEN"


C, P = CaseAct, Party
CaseAction = Act[CaseState, CaseAct]
CaseMachine = Machine[CaseState, CaseAct]

F1, URGENT, F2, F3, F4 = FLOWS = tuple(flow for flow in FlowKind if flow is not FlowKind.F5)
"""The flows that open a case; F5 is a query."""

_INTAKE = (S.SUBMITTED, S.ROUTED, S.ACCEPTED)
_END = (S.DELIVERING, S.CLOSED, S.FOLLOWED_UP)

_MIDDLE: Mapping[FlowKind, tuple[CaseState, ...]] = {
    F1: (S.VERIFYING, S.DELIBERATING, S.NOTICING, S.TOWNSHIP_REVIEWED, S.APPROVING, S.APPROVED),
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


def has_notice(flow: FlowKind) -> bool:
    """True if a case of this flow may stand on a public notice (公示)."""
    return S.NOTICING in TRANSITIONS[flow]


def is_decided(state: CaseState) -> bool:
    """True if what is asked for has been answered: approved, refused, not accepted, or done."""
    return state in _ANSWERED


_ANSWERED = frozenset({S.APPROVED, S.DENIED, S.NOT_ACCEPTED, *_END})


_WITHDRAWN = (S.WITHDRAWN, P.CITIZEN, Fact.REASON)
_DELIBERATED = (S.DELIBERATING, P.TOWNSHIP, Fact.ATTENDANCE, Fact.VOTE)
_NOTICE = (S.NOTICING, P.TOWNSHIP, Fact.NOTICE_FROM, Fact.NOTICE_UNTIL)
_DELIVERED = (S.DELIVERING, P.DEPARTMENT, Fact.DELIVERED, Fact.DELIVERED_ON)
_DECIDED = (P.DEPARTMENT, Fact.CONCLUSION)

# Before acceptance every flow is alike: 补正, 不予受理, 转办 (the citizen files once).
_OPENING = (
    act(C.ROUTE, (S.SUBMITTED, S.TRANSFERRED), S.ROUTED, P.HUB),
    act(C.ACCEPT, (S.ROUTED, S.RETURNED), S.ACCEPTED, P.TOWNSHIP, stamps=Fact.ACCEPTED_AT),
    act(C.RETURN, S.ROUTED, S.RETURNED, P.TOWNSHIP, Fact.REASON),
    act(C.REJECT, S.ROUTED, S.NOT_ACCEPTED, P.TOWNSHIP, Fact.REASON),
    act(C.TRANSFER, S.ROUTED, S.TRANSFERRED, P.TOWNSHIP, Fact.REASON, Fact.GOES_TO),
    act(C.WITHDRAW, (*_INTAKE, S.RETURNED, S.TRANSFERRED), *_WITHDRAWN),
)
_AFTER = (
    act(C.FOLLOW_UP, S.CLOSED, S.FOLLOWED_UP, P.DEPARTMENT, Fact.SATISFACTION),
    act(C.REOPEN, (S.CLOSED, S.FOLLOWED_UP), S.REOPENED, P.OFFICE, Fact.REASON, Fact.UPHELD_APPEAL),
)


def _visit(*before: CaseState, by: Party = P.TOWNSHIP) -> CaseAction:
    """What was objected to or reopened starts again where the work started."""
    return act(C.VISIT, before, S.VERIFYING, by, Fact.VISIT)


def _approve(after: CaseState) -> tuple[CaseAction, ...]:
    return (
        act(C.APPROVE, S.APPROVING, after, *_DECIDED, stamps=Fact.DECIDED_AT),
        act(C.DENY, S.APPROVING, S.DENIED, *_DECIDED, Fact.REASON, stamps=Fact.DECIDED_AT),
    )


def _close(before: CaseState, *needs: Fact) -> CaseAction:
    return act(C.CLOSE, before, S.CLOSED, P.DEPARTMENT, Fact.RESULT, *needs, stamps=Fact.CLOSED_AT)


def _notify(before: CaseState, *needs: Fact) -> CaseAction:
    """In place: the citizen is told, how and with what proof."""
    return act(C.NOTIFY, before, None, P.DEPARTMENT, Fact.CHANNEL, *needs, stamps=Fact.NOTIFIED_AT)


def _deliver(*needs: Fact) -> CaseAction:
    """In place, where the decision itself leads to DELIVERING: what was delivered, and when."""
    delivered = (Fact.DELIVERED, Fact.DELIVERED_ON, *needs)
    return act(C.DELIVER, S.DELIVERING, None, P.DEPARTMENT, *delivered, stamps=Fact.DELIVERED_AT)


# 社会救助暂行办法第十一条: a refusal is told in writing, with reasons, before the case is closed.
_REFUSED = (_notify(S.DENIED), _close(S.DENIED, Fact.NOTIFIED_AT))


def _withdraw(*before: CaseState) -> CaseAction:
    """Until there is a decision; where nobody decides, until it is delivered."""
    return act(C.WITHDRAW, before, *_WITHDRAWN)


_OBJECT = act(C.OBJECT, S.NOTICING, S.SUSPENDED, P.CITIZEN, Fact.REASON)

_WORK: Mapping[FlowKind, tuple[CaseAction, ...]] = {
    F1: (
        _visit(S.ACCEPTED, S.SUSPENDED, S.REOPENED),
        act(C.DELIBERATE, S.VERIFYING, *_DELIBERATED),
        act(C.PUBLISH, S.DELIBERATING, *_NOTICE),
        _OBJECT,
        act(C.REVIEW, S.NOTICING, S.TOWNSHIP_REVIEWED, P.TOWNSHIP, Fact.OPINION, Fact.NOTICE_OVER),
        act(C.PRESENT, S.TOWNSHIP_REVIEWED, S.APPROVING, P.TOWNSHIP, Fact.OPINION),
        *_approve(S.APPROVED),
        act(C.DELIVER, S.APPROVED, *_DELIVERED),
        *_REFUSED,
        _close(S.DELIVERING),
        _withdraw(
            S.VERIFYING, S.DELIBERATING, S.NOTICING, S.SUSPENDED, S.TOWNSHIP_REVIEWED, S.APPROVING
        ),
    ),
    URGENT: (
        _visit(S.ACCEPTED, S.REOPENED),
        act(C.PRESENT, S.VERIFYING, S.APPROVING, P.TOWNSHIP, Fact.OPINION),
        *_approve(S.DELIVERING),
        # Aid first, the village's deliberation after the fact.
        _deliver(),
        act(
            *(C.DELIBERATE, S.DELIVERING, None, P.TOWNSHIP),
            *(Fact.DELIVERED_AT, Fact.ATTENDANCE, Fact.VOTE),
            stamps=Fact.DELIBERATED_AT,
        ),
        *_REFUSED,
        _close(S.DELIVERING, Fact.DELIVERED_AT, Fact.DELIBERATED_AT),
        _withdraw(S.VERIFYING, S.APPROVING),
    ),
    F2: (
        _visit(S.ACCEPTED, S.REOPENED),
        act(C.DELIVER, S.VERIFYING, *_DELIVERED),
        _close(S.DELIVERING),
        _withdraw(S.VERIFYING),
    ),
    F3: (act(C.DELIVER, (S.ACCEPTED, S.REOPENED), *_DELIVERED), _close(S.DELIVERING)),
    # 医保预审: the department sees documents; 公示 only where 医疗救助 is by application.
    F4: (
        _visit(S.ACCEPTED, S.SUSPENDED, S.REOPENED, by=P.DEPARTMENT),
        act(C.PUBLISH, S.VERIFYING, *_NOTICE),
        _OBJECT,
        act(C.PRESENT, S.VERIFYING, S.APPROVING, P.DEPARTMENT, Fact.OPINION),
        act(C.PRESENT, S.NOTICING, S.APPROVING, P.DEPARTMENT, Fact.OPINION, Fact.NOTICE_OVER),
        *_approve(S.DELIVERING),
        # 电话、微信告知 what comes when; then the result offline.
        _notify(S.DELIVERING, Fact.EXPECTED_ON),
        _deliver(Fact.NOTIFIED_AT),
        *_REFUSED,
        _close(S.DELIVERING, Fact.NOTIFIED_AT, Fact.DELIVERED_AT),
        _withdraw(S.VERIFYING, S.NOTICING, S.SUSPENDED, S.APPROVING),
    ),
}
"""What is between acceptance and the end, by flow."""


# A case that is reopened is decided again: then it is told, delivered and deliberated again.
_FOLLOWS = {
    Fact.NOTIFIED_AT: Fact.DECIDED_AT,
    Fact.DELIVERED_AT: Fact.DECIDED_AT,
    Fact.DELIBERATED_AT: Fact.DECIDED_AT,
}


def _machine(flow: FlowKind) -> CaseMachine:
    acts = (*_OPENING, *_WORK[flow], *_AFTER)
    stamped = {one.stamps for one in acts}
    return Machine(
        start=S.SUBMITTED,
        ends=frozenset({S.NOT_ACCEPTED, S.WITHDRAWN}),
        acts=acts,
        follows={fact: frozenset({on}) for fact, on in _FOLLOWS.items() if fact in stamped},
    )


MACHINES: Mapping[FlowKind, CaseMachine] = {flow: _machine(flow) for flow in FLOWS}
"""By flow kind; none for F5, which opens no case."""

TRANSITIONS: Mapping[FlowKind, Table] = {
    flow: MACHINES[flow].moves if flow in MACHINES else {} for flow in FlowKind
}
"""Every move that is allowed, by flow kind and state."""
