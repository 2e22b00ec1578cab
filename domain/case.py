"""诉求件 states: one transition table a flow kind; what is not listed is refused (领域设计 1.4).

第十条: the county runs what the province built, cases are routed by themselves and handled on
three tiers. Each flow is one main path; to it come correction (补正), transfer, withdrawal
before a decision, objection during the public notice, refusal, and an upheld appeal.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from enum import StrEnum
from itertools import pairwise

from catalog.items import FlowKind


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

_INTAKE = (S.SUBMITTED, S.ROUTED, S.ACCEPTED)
_END = (S.DELIVERING, S.CLOSED, S.FOLLOWED_UP)

_MIDDLE: Mapping[FlowKind, tuple[CaseState, ...]] = {
    FlowKind.F1: (
        S.VERIFYING,
        S.DELIBERATING,
        S.NOTICING,
        S.TOWNSHIP_REVIEWED,
        S.APPROVING,
        S.APPROVED,
    ),
    FlowKind.F1_URGENT: (S.VERIFYING, S.APPROVING),
    FlowKind.F2: (S.VERIFYING,),
    FlowKind.F3: (),
    FlowKind.F4: (S.VERIFYING, S.APPROVING),
}

# Before acceptance every flow is alike: 补正, 不予受理, 转办 (the citizen files once).
_BESIDE_INTAKE = (
    (S.ROUTED, S.RETURNED),
    (S.RETURNED, S.ACCEPTED),
    (S.ROUTED, S.NOT_ACCEPTED),
    (S.ROUTED, S.TRANSFERRED),
    (S.TRANSFERRED, S.ROUTED),
)
_NOTICE_OBJECTION = ((S.NOTICING, S.SUSPENDED), (S.SUSPENDED, S.VERIFYING))
_BESIDE: Mapping[FlowKind, tuple[tuple[CaseState, CaseState], ...]] = {
    FlowKind.F1: _NOTICE_OBJECTION,
    # Aid first, the village's deliberation after the fact.
    FlowKind.F1_URGENT: ((S.DELIVERING, S.DELIBERATING), (S.DELIBERATING, S.CLOSED)),
    # 公示 only where 医疗救助 is by application.
    FlowKind.F4: ((S.VERIFYING, S.NOTICING), (S.NOTICING, S.APPROVING), *_NOTICE_OBJECTION),
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


def _moves(flow: FlowKind) -> Iterator[tuple[CaseState, CaseState]]:
    main = path(flow)
    if not main:
        return
    yield from pairwise(main)
    yield from _BESIDE_INTAKE
    yield from _BESIDE.get(flow, ())
    if S.APPROVING in main:
        yield from ((S.APPROVING, S.DENIED), (S.DENIED, S.CLOSED))
    yield from ((before, S.WITHDRAWN) for before in _undecided(flow))
    # An upheld appeal starts again where the work started.
    first = main[len(_INTAKE)]
    yield from ((S.CLOSED, S.REOPENED), (S.FOLLOWED_UP, S.REOPENED), (S.REOPENED, first))


def _undecided(flow: FlowKind) -> Iterator[CaseState]:
    main = path(flow)
    decided = S.APPROVED if S.APPROVED in main else S.DELIVERING
    yield from main[: main.index(decided)]
    yield from (S.RETURNED, S.TRANSFERRED)
    if flow is FlowKind.F4:
        yield S.NOTICING
    if flow in (FlowKind.F1, FlowKind.F4):
        yield S.SUSPENDED


def _table(flow: FlowKind) -> Table:
    found: dict[CaseState, set[CaseState]] = {}
    for before, after in _moves(flow):
        found.setdefault(before, set()).add(after)
    return {before: frozenset(after) for before, after in found.items()}


TRANSITIONS: Mapping[FlowKind, Table] = {flow: _table(flow) for flow in FlowKind}
"""Every move that is allowed, by flow kind and state."""
