"""督办单: 交必办、办必果、果必报 (第十八条; 领域设计 1.8). What is not listed is refused."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from enum import StrEnum


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


S = SupervisionState

TRANSITIONS: Mapping[SupervisionState, frozenset[SupervisionState]] = {
    S.DRAFT: frozenset({S.ISSUED}),
    S.ISSUED: frozenset({S.SIGNED}),
    S.SIGNED: frozenset({S.IN_PROGRESS}),
    S.IN_PROGRESS: frozenset({S.RESULT_READY}),
    S.RESULT_READY: frozenset({S.REPORTED}),
    S.REPORTED: frozenset({S.REVIEWING}),
    S.REVIEWING: frozenset({S.CLOSED, S.SENT_BACK}),
    S.SENT_BACK: frozenset({S.IN_PROGRESS}),
}


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
