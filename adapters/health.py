"""What the status of a source is: asked for now, or as its last answer left it.

`health_of` really asks, all at once, none waiting for another: one small request (`Source.ping`)
behind the source's own guard, so that it takes no longer than the deadline of that source.
`state_of` asks nobody: it says what this process's guard remembers.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

from adapters.contract import Source
from adapters.databases.database import StatementFault
from adapters.registry import Absent
from adapters.resilience import BreakerState, Guard
from catalog.errors import HubError


class State(StrEnum):
    """How a source stands: it answers, nobody has connected it, or why it does not answer.

    NOT_ASKED: not since the process began, so that nothing is known; only who asks nobody says so.
    """

    ANSWERS = "ANSWERS"
    NOT_ASKED = "NOT_ASKED"
    NOT_CONNECTED = "NOT_CONNECTED"
    DOWN = "DOWN"
    TIMEOUT = "TIMEOUT"
    BREAKER_OPEN = "BREAKER_OPEN"
    OUTAGE_WINDOW = "OUTAGE_WINDOW"
    BUSY = "BUSY"
    QUOTA = "QUOTA"
    SCHEMA = "SCHEMA"
    TLS = "TLS"


@dataclass(frozen=True, slots=True)
class Health:
    """One source asked once; `latency_ms` until its answer, or until it was given up."""

    name: str
    state: State
    latency_ms: float

    @property
    def answers(self) -> bool:
        """It does."""
        return self.state is State.ANSWERS


def guard_of(source: Source) -> Guard | None:
    """What stands before a source; None before one that nobody has connected."""
    found = getattr(source, "guard", None)
    return found if isinstance(found, Guard) else None


def state_of(source: Source) -> State:
    """What is known of it without asking: its last call, or what keeps calls from it now."""
    guard = guard_of(source)
    if guard is None:
        return State.NOT_CONNECTED if isinstance(source, Absent) else State.NOT_ASKED
    known = guard.state
    if known.closed_now:
        return State.OUTAGE_WINDOW
    if known.breaker is BreakerState.OPEN:
        return State.BREAKER_OPEN
    if known.last_reason is not None and not known.answered_since:
        return State(known.last_reason.value)
    return State.NOT_ASKED if known.last_ok is None else State.ANSWERS


async def health_of(sources: Mapping[str, Source]) -> list[Health]:
    """Every source, in the order given."""
    return list(await asyncio.gather(*(_asked(n, s) for n, s in sources.items())))


async def _asked(name: str, source: Source) -> Health:
    begun = time.monotonic()
    state = await _state(source)
    return Health(name, state, (time.monotonic() - begun) * 1_000)


async def _state(source: Source) -> State:
    if isinstance(source, Absent):
        return State.NOT_CONNECTED
    try:
        await source.ping()
    except HubError as error:
        return next((state for state in State if state == error.reason), State.DOWN)
    except StatementFault:
        return State.DOWN  # a database that refuses even SELECT 1
    return State.ANSWERS
