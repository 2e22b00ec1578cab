"""督办单: 交必办、办必果、果必报 (第十八条; 领域设计 1.8). What is not listed is refused."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta
from enum import StrEnum

from catalog.procedures import Procedure, Procedures, Step
from domain.machine import Fact, Machine, Party, act


class SupervisionState(StrEnum):
    """督办单状态; the Chinese labels stand in ``codes.toml``."""

    DRAFT = "DRAFT"
    ISSUED = "ISSUED"
    SIGNED = "SIGNED"
    IN_PROGRESS = "IN_PROGRESS"
    RESULT_READY = "RESULT_READY"
    REPORTED = "REPORTED"
    REVIEWING = "REVIEWING"
    CLOSED = "CLOSED"
    SENT_BACK = "SENT_BACK"


class SupervisionAct(StrEnum):
    """What is done to a 督办单."""

    ISSUE = "ISSUE"
    SIGN = "SIGN"
    START = "START"
    RESULT = "RESULT"
    REPORT = "REPORT"
    REVIEW = "REVIEW"
    CLOSE = "CLOSE"
    SEND_BACK = "SEND_BACK"


class SupervisionKind(StrEnum):
    """督办类别. URGE is issued by the hub; KEY and LEADER say their limit in the order."""

    URGE = "URGE"
    SUPERVISE = "SUPERVISE"
    KEY = "KEY"
    LEADER = "LEADER"


class SupervisionReason(StrEnum):
    """督办事由 (第十八条)."""

    OVERDUE = "OVERDUE"
    MAJOR = "MAJOR"
    LEADER_ASSIGNED = "LEADER_ASSIGNED"
    SPOT_CHECK = "SPOT_CHECK"
    COMPLAINT = "COMPLAINT"


class SupervisionFlag(StrEnum):
    """What an order says beside its state. ESCALATED: the county's leader has it."""

    EXPIRED = "EXPIRED"
    ESCALATED = "ESCALATED"


S = SupervisionState
D = SupervisionAct


CLOSING_STAMPS = (Fact.SIGNED_AT, Fact.RESULT_AT, Fact.REPORTED_AT)
"""签收, 办果, 回报: without all three nothing is 销号."""

MACHINE: Machine[SupervisionState, SupervisionAct] = Machine(
    start=S.DRAFT,
    ends=frozenset({S.CLOSED}),
    acts=(
        act(D.ISSUE, S.DRAFT, S.ISSUED, Party.OFFICE, Fact.REASON, Fact.GOES_TO, Fact.DEADLINE),
        act(D.SIGN, S.ISSUED, S.SIGNED, Party.HANDLER, stamps=Fact.SIGNED_AT),
        act(D.START, (S.SIGNED, S.SENT_BACK), S.IN_PROGRESS, Party.HANDLER),
        act(
            D.RESULT,
            S.IN_PROGRESS,
            S.RESULT_READY,
            Party.HANDLER,
            Fact.RESULT,
            stamps=Fact.RESULT_AT,
        ),
        act(
            D.REPORT,
            S.RESULT_READY,
            S.REPORTED,
            Party.HANDLER,
            Fact.ATTACHMENTS,
            stamps=Fact.REPORTED_AT,
        ),
        act(D.REVIEW, S.REPORTED, S.REVIEWING, Party.OFFICE),
        act(D.CLOSE, S.REVIEWING, S.CLOSED, Party.OFFICE, *CLOSING_STAMPS, stamps=Fact.CLOSED_AT),
        act(
            D.SEND_BACK,
            S.REVIEWING,
            S.SENT_BACK,
            Party.OFFICE,
            Fact.REASON,
            stamps=Fact.SENT_BACK_AT,
            counts=True,
        ),
    ),
    # What was sent back is done and reported anew; 签收 was once and stays.
    follows={
        Fact.RESULT_AT: frozenset({Fact.SENT_BACK_AT}),
        Fact.REPORTED_AT: frozenset({Fact.RESULT_AT, Fact.SENT_BACK_AT}),
    },
)

TRANSITIONS: Mapping[SupervisionState, frozenset[SupervisionState]] = MACHINE.moves


def path() -> tuple[SupervisionState, ...]:
    """The main path, first state to last: 草稿 … 销号."""
    return tuple(state for state in S if state is not S.SENT_BACK)


def may_move(before: SupervisionState, after: SupervisionState) -> bool:
    """True if the table lists the move."""
    return after in TRANSITIONS.get(before, frozenset())


def may_close(
    signed_at: datetime | None, result_at: datetime | None, reported_at: datetime | None
) -> bool:
    """True if the three stamps 签收, 办果, 回报 are there; without them nothing is 销号."""
    return None not in (signed_at, result_at, reported_at)


@dataclass(frozen=True, slots=True)
class Escalation:
    """From how many send-backs, or how long past the limit, an order goes to the leader."""

    send_backs: int
    late: timedelta


def escalation(procedures: Procedures, day: date) -> Escalation:
    """The rule on a Beijing day, from its two rows."""
    of = Procedure.SUPERVISION
    return Escalation(
        send_backs=procedures.limit(of, Step.ESCALATE_SENT_BACK, day).count,
        late=timedelta(days=procedures.limit(of, Step.ESCALATE_LATE, day).count),
    )


def flags(
    *, due_at: datetime, at: datetime, send_backs: int, rule: Escalation
) -> frozenset[SupervisionFlag]:
    """The flags of an issued order at a moment; of a closed one at the moment it was closed."""
    return frozenset(_flags(at - due_at, send_backs, rule))


def _flags(late: timedelta, send_backs: int, rule: Escalation) -> Iterator[SupervisionFlag]:
    if late > timedelta():
        yield SupervisionFlag.EXPIRED
    if send_backs >= rule.send_backs or late >= rule.late:
        yield SupervisionFlag.ESCALATED


@dataclass(frozen=True, slots=True)
class Urge:
    """An URGE order: the node of a case it is about and what has triggered it, first to last."""

    node: str
    state: SupervisionState
    triggers: tuple[str, ...]


def urged(urges: Iterable[Urge], node: str, trigger: str) -> tuple[Urge | None, Urge]:
    """One open URGE per node: the one there is (None: there is none) and what it becomes.

    A second trigger adds to the open order; one that is in it already changes nothing. `urges`
    are those there are, of any node and state.
    """
    for urge in urges:
        if urge.node == node and urge.state not in MACHINE.ends:
            if trigger in urge.triggers:
                return urge, urge
            return urge, replace(urge, triggers=(*urge.triggers, trigger))
    return None, Urge(node, MACHINE.start, (trigger,))
