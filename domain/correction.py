"""数据校核: a value is disputed at once and mended where it comes from (第十四条; 领域设计 1.9).

No act changes a provider's value. The provider corrects it in its own system; then caches are
purged, whoever has read it is told, and the citizen is told.
"""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum

from domain.machine import Fact, Machine, Party, act


class CorrectionState(StrEnum):
    """校核状态; the Chinese labels stand in ``codes.toml``."""

    SUBMITTED = "SUBMITTED"
    ACCEPTED = "ACCEPTED"
    FLAGGED = "FLAGGED"
    ASSIGNED = "ASSIGNED"
    INVESTIGATING = "INVESTIGATING"
    UPHELD = "UPHELD"
    PARTLY = "PARTLY"
    REJECTED = "REJECTED"
    CORRECTED_AT_SOURCE = "CORRECTED_AT_SOURCE"
    REPLAYED = "REPLAYED"
    NOTIFIED = "NOTIFIED"
    CLOSED = "CLOSED"


class CorrectionAct(StrEnum):
    """What is done to a request. EXTEND is in place: more time, once."""

    ACCEPT = "ACCEPT"
    FLAG = "FLAG"
    ASSIGN = "ASSIGN"
    INVESTIGATE = "INVESTIGATE"
    UPHOLD = "UPHOLD"
    UPHOLD_PARTLY = "UPHOLD_PARTLY"
    REJECT = "REJECT"
    EXTEND = "EXTEND"
    CORRECT = "CORRECT"
    REPLAY = "REPLAY"
    NOTIFY = "NOTIFY"
    CLOSE = "CLOSE"


S = CorrectionState
D = CorrectionAct


_WITH_PROVIDER = (S.ASSIGNED, S.INVESTIGATING, S.UPHELD, S.PARTLY)

MACHINE: Machine[CorrectionState, CorrectionAct] = Machine(
    start=S.SUBMITTED,
    ends=frozenset({S.CLOSED}),
    acts=(
        act(D.ACCEPT, S.SUBMITTED, S.ACCEPTED, Party.OFFICE, stamps=Fact.ACCEPTED_AT),
        act(D.FLAG, S.ACCEPTED, S.FLAGGED, Party.HUB, Fact.DISPUTED_VALUE, stamps=Fact.FLAGGED_AT),
        act(D.ASSIGN, S.FLAGGED, S.ASSIGNED, Party.OFFICE, Fact.GOES_TO),
        act(D.INVESTIGATE, S.ASSIGNED, S.INVESTIGATING, Party.PROVIDER),
        act(
            D.UPHOLD,
            S.INVESTIGATING,
            S.UPHELD,
            Party.PROVIDER,
            Fact.FINDING,
            stamps=Fact.DECIDED_AT,
        ),
        act(
            D.UPHOLD_PARTLY,
            S.INVESTIGATING,
            S.PARTLY,
            Party.PROVIDER,
            Fact.FINDING,
            stamps=Fact.DECIDED_AT,
        ),
        act(
            D.REJECT,
            S.INVESTIGATING,
            S.REJECTED,
            Party.PROVIDER,
            Fact.REASON,
            stamps=Fact.DECIDED_AT,
        ),
        act(
            D.EXTEND,
            _WITH_PROVIDER,
            None,
            Party.OFFICE,
            Fact.REASON,
            stamps=Fact.EXTENDED_AT,
            once=True,
        ),
        act(
            D.CORRECT,
            (S.UPHELD, S.PARTLY),
            S.CORRECTED_AT_SOURCE,
            Party.PROVIDER,
            Fact.SOURCE_AS_OF,
            stamps=Fact.CORRECTED_AT,
        ),
        act(
            D.REPLAY,
            S.CORRECTED_AT_SOURCE,
            S.REPLAYED,
            Party.HUB,
            Fact.CACHES_PURGED,
            Fact.READERS_TOLD,
        ),
        act(
            D.NOTIFY,
            (S.REPLAYED, S.REJECTED),
            S.NOTIFIED,
            Party.OFFICE,
            Fact.CHANNEL,
            stamps=Fact.NOTIFIED_AT,
        ),
        act(D.CLOSE, S.NOTIFIED, S.CLOSED, Party.OFFICE, Fact.NOTIFIED_AT, stamps=Fact.CLOSED_AT),
    ),
)

DISPUTED = (S.FLAGGED, S.ASSIGNED, S.INVESTIGATING, S.UPHELD, S.PARTLY)
"""States in which the value answers DISPUTED."""
UNACCEPTED = (S.SUBMITTED,)
"""States in which it is owed that it is accepted."""
UNMENDED = (S.ACCEPTED, *DISPUTED)
"""States in which it is owed that the value is mended at its source, or the request rejected."""


def disputes(state: CorrectionState) -> bool:
    """True while the value answers DISPUTED: from the flag until it is corrected or rejected."""
    return state in DISPUTED


def late(state: CorrectionState, accept_due_at: datetime, due_at: datetime, now: datetime) -> bool:
    """Is what is owed in this state owed too long?"""
    if state in UNACCEPTED:
        return accept_due_at <= now
    return state in UNMENDED and due_at <= now
