"""数据校核: a value is disputed at once and mended where it comes from (第十四条; 领域设计 1.9).

No act changes a provider's value. The provider corrects it in its own system; then caches are
purged, whoever has read it is told, and the citizen is told.
"""

from __future__ import annotations

from enum import StrEnum

from domain.machine import Act, Fact, Machine, Party


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


def _act(
    name: CorrectionAct,
    before: str,
    after: CorrectionState | None,
    by: Party,
    *needs: Fact,
    stamps: Fact | None = None,
    once: bool = False,
) -> Act[CorrectionState, CorrectionAct]:
    states = frozenset(S(word) for word in before.split())
    return Act(name, states, after, by, frozenset(needs), stamps, once)


_WITH_PROVIDER = "ASSIGNED INVESTIGATING UPHELD PARTLY"

MACHINE: Machine[CorrectionState, CorrectionAct] = Machine(
    start=S.SUBMITTED,
    ends=frozenset({S.CLOSED}),
    acts=(
        _act(D.ACCEPT, "SUBMITTED", S.ACCEPTED, Party.OFFICE, stamps=Fact.ACCEPTED_AT),
        _act(
            D.FLAG,
            "ACCEPTED",
            S.FLAGGED,
            Party.HUB,
            Fact.DISPUTED_VALUE,
            stamps=Fact.FLAGGED_AT,
        ),
        _act(D.ASSIGN, "FLAGGED", S.ASSIGNED, Party.OFFICE, Fact.GOES_TO),
        _act(D.INVESTIGATE, "ASSIGNED", S.INVESTIGATING, Party.PROVIDER),
        _act(
            D.UPHOLD,
            "INVESTIGATING",
            S.UPHELD,
            Party.PROVIDER,
            Fact.FINDING,
            stamps=Fact.DECIDED_AT,
        ),
        _act(
            D.UPHOLD_PARTLY,
            "INVESTIGATING",
            S.PARTLY,
            Party.PROVIDER,
            Fact.FINDING,
            stamps=Fact.DECIDED_AT,
        ),
        _act(
            D.REJECT,
            "INVESTIGATING",
            S.REJECTED,
            Party.PROVIDER,
            Fact.REASON,
            stamps=Fact.DECIDED_AT,
        ),
        _act(
            D.EXTEND,
            _WITH_PROVIDER,
            None,
            Party.OFFICE,
            Fact.REASON,
            stamps=Fact.EXTENDED_AT,
            once=True,
        ),
        _act(
            D.CORRECT,
            "UPHELD PARTLY",
            S.CORRECTED_AT_SOURCE,
            Party.PROVIDER,
            Fact.SOURCE_AS_OF,
            stamps=Fact.CORRECTED_AT,
        ),
        _act(
            D.REPLAY,
            "CORRECTED_AT_SOURCE",
            S.REPLAYED,
            Party.HUB,
            Fact.CACHES_PURGED,
            Fact.READERS_TOLD,
        ),
        _act(
            D.NOTIFY,
            "REPLAYED REJECTED",
            S.NOTIFIED,
            Party.OFFICE,
            Fact.CHANNEL,
            stamps=Fact.NOTIFIED_AT,
        ),
        _act(
            D.CLOSE,
            "NOTIFIED",
            S.CLOSED,
            Party.OFFICE,
            Fact.NOTIFIED_AT,
            stamps=Fact.CLOSED_AT,
        ),
    ),
)

_DISPUTED = frozenset({S.FLAGGED, S.ASSIGNED, S.INVESTIGATING, S.UPHELD, S.PARTLY})


def disputes(state: CorrectionState) -> bool:
    """True while the value answers DISPUTED: from the flag until it is corrected or rejected."""
    return state in _DISPUTED
