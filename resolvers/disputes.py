"""What is under correction now, as one worker knows it (第十四条; ADR 0042).

The open disputes of the whole county are few, and whoever is shown a disputed value must know it.
So a worker knows all of them: one statement when what it knows is older than AGE_S, none else. A
deed that opens or ends a dispute is told to its asker only when no worker can know of the time
before any more. From the first request after that on, whoever asks whichever worker is told.
"""

from __future__ import annotations

import asyncio
import time
from collections import defaultdict
from collections.abc import Awaitable, Callable, Iterable, Mapping
from types import MappingProxyType

Disputed = Mapping[str, frozenset[str]]
"""By ``citizen_uid``: the coordinates (``Type.field``) of his disputed values."""
NOT_DISPUTED: Disputed = MappingProxyType({})
AGE_S = 0.5  # how old what a worker knows may be when it is used; as for changes


class Disputes:
    """One per worker. `ask` gives each open dispute as (citizen_uid, coordinate)."""

    def __init__(
        self,
        ask: Callable[[], Awaitable[Iterable[tuple[str, str]]]],
        *,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._ask, self._clock = ask, clock
        self._turn = asyncio.Lock()
        self._known, self._until = NOT_DISPUTED, float("-inf")
        self.looked = 0  # statements

    async def current(self) -> Disputed:
        """The open disputes, known AGE_S ago at most. SourceUnavailable if the store is down."""
        if self._clock() < self._until:
            return self._known
        async with self._turn:
            # INVARIANT: its age is counted from before the statement, which may take its time.
            began = self._clock()
            if began >= self._until:
                self._known, self._until = _by_person(await self._ask()), began + AGE_S
                self.looked += 1
            return self._known

    async def announced(self) -> None:
        """Return when no worker uses what it knew before now; for a deed that is committed."""
        self._until = float("-inf")
        await asyncio.sleep(AGE_S)


def _by_person(found: Iterable[tuple[str, str]]) -> Disputed:
    by_person: dict[str, set[str]] = defaultdict(set)
    for person, coordinate in found:
        by_person[person].add(coordinate)
    return {person: frozenset(those) for person, those in by_person.items()}
