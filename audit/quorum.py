"""How much of the log enough witnesses have seen, how old the rest is, and what follows from it.

A witness that has cosigned a checkpoint has seen all records below it. The log is *covered* up
to the largest size that `quorum` witnesses have seen. What counts is the age of the first
record beyond: a log at rest that is covered does not grow old, and a signer that has stopped
shows like a witness that is away.

    0 … covered-1 | covered …               age = now - time of record `covered`
    witnessed     | the hub's word alone    OK < 15 min ≤ WARN < 60 min ≤ ALERT < 4 h ≤ REFUSED

All of it is read from the store; a process remembers only what it read last.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from enum import StrEnum

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncConnection

from audit.batch import now_us
from catalog.errors import AuditUnavailable
from store.audit import audit_checkpoint, audit_cosignature, audit_event, audit_head

SECOND = 1_000_000  # µs
WARN_S, ALERT_S, REFUSE_S = 900, 3_600, 14_400
_NEVER = 1 << 62


class Level(StrEnum):
    """What the age of unwitnessed records asks for."""

    OK = "OK"
    WARN = "WARN"
    ALERT = "ALERT"
    REFUSED = "REFUSED"


@dataclass(frozen=True, slots=True)
class Times:
    """From what age (seconds) on."""

    warn_s: float = WARN_S
    alert_s: float = ALERT_S
    refuse_s: float = REFUSE_S


@dataclass(frozen=True, slots=True)
class Cosigned:
    """The newest cosignature kept of a witness; `at` µs UTC as it said, None if there is none."""

    witness: str
    size: int
    at: int | None


@dataclass(frozen=True, slots=True)
class WitnessState:
    """The store's word: records in the log, newest checkpoint, covered, and by whom.

    `since` is the time (µs UTC) of the first record that is not covered, None if all are.
    """

    quorum: int
    size: int
    checkpoint: int | None
    covered: int
    since: int | None
    witnesses: tuple[Cosigned, ...]

    def age_s(self, now: int) -> float:
        """Seconds that the oldest unwitnessed record has waited at `now` (µs UTC)."""
        return 0.0 if self.since is None else max(0, now - self.since) / SECOND

    def level(self, times: Times, now: int) -> Level:
        """Without a quorum nothing is asked for."""
        age = self.age_s(now)
        if self.quorum == 0 or age < times.warn_s:
            return Level.OK
        if age < times.alert_s:
            return Level.WARN
        return Level.ALERT if age < times.refuse_s else Level.REFUSED


async def witness_state(
    connection: AsyncConnection, witnesses: Sequence[str], quorum: int
) -> WitnessState:
    """A few rows by their keys. With a quorum of 0 covered is what any witness has seen."""
    size = await connection.scalar(select(audit_head.c.size))
    newest = audit_checkpoint.c.size
    checkpoint = await connection.scalar(select(newest).order_by(newest.desc()).limit(1))
    seen = tuple([await _cosigned(connection, name) for name in witnesses])
    covered = _covered([one.size for one in seen], max(quorum, 1))
    first = select(audit_event.c.ts).where(audit_event.c.idx == covered)
    since = await connection.scalar(first)
    return WitnessState(quorum, size or 0, checkpoint, covered, since, seen)


async def _cosigned(connection: AsyncConnection, witness: str) -> Cosigned:
    row = audit_cosignature.c
    wanted = select(row.size, row.at).where(row.witness == witness)
    found = (await connection.execute(wanted.order_by(row.size.desc()).limit(1))).one_or_none()
    return Cosigned(witness, 0, None) if found is None else Cosigned(witness, *found)


def _covered(sizes: Sequence[int], quorum: int) -> int:
    """The largest size that so many have seen: whoever has seen more has seen it, too."""
    return sorted(sizes, reverse=True)[quorum - 1] if len(sizes) >= quorum else 0


class Quorum:
    """The rule for one process: may answers leave? Asked by every answer, so it only compares.

    Until it has `learned` from the store nothing leaves, and what it learned counts for
    `refuse_s` at most: a process that cannot look any more stops by itself.
    """

    def __init__(
        self, needed: int, times: Times | None = None, clock: Callable[[], int] = now_us
    ) -> None:
        self.needed, self.times, self.clock = needed, times or Times(), clock
        self._state: WitnessState | None = None
        self._refused_from = 0 if needed else _NEVER

    @property
    def state(self) -> WitnessState | None:
        """What was learned last."""
        return self._state

    def learned(self, state: WitnessState) -> None:
        """The store's word of now."""
        self._state = state
        if self.needed:
            since = self.clock() if state.since is None else state.since
            self._refused_from = since + int(self.times.refuse_s * SECOND)

    def level(self) -> Level:
        """As of now."""
        if self._state is None or self.clock() >= self._refused_from:
            return Level.REFUSED if self.needed else Level.OK
        return self._state.level(self.times, self.clock())

    def demand(self) -> None:
        """AuditUnavailable QUORUM if no answer may leave."""
        if self._refused_from != _NEVER and self.clock() >= self._refused_from:
            raise AuditUnavailable("访问日志过久没有外部见证，暂不提供数据", reason="QUORUM")
