"""What the status of a source is: each is really asked, all at once, none waits for another.

An answer is `Source.ping`: one small request behind the source's own guard, so that it takes
no longer than the deadline of that source.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

from adapters.contract import Source
from adapters.database import StatementFault
from adapters.registry import Absent
from adapters.resilience import Guard
from catalog.errors import HubError


class State(StrEnum):
    """How a source stands: it answers, nobody has connected it, or why it does not answer."""

    ANSWERS = "ANSWERS"
    NOT_CONNECTED = "NOT_CONNECTED"
    DOWN = "DOWN"
    TIMEOUT = "TIMEOUT"
    BREAKER_OPEN = "BREAKER_OPEN"
    OUTAGE_WINDOW = "OUTAGE_WINDOW"
    BUSY = "BUSY"
    QUOTA = "QUOTA"
    SCHEMA = "SCHEMA"


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
