"""Outages of sources, proven by this worker and written for all (领域设计 1.5, SourceHealth).

    a guard remembers a fault ──► the source is asked once more ──► it fails: an outage begins
    an outage lasts ──► whoever has the turn asks ──► it answers: the outage ends

A fault alone proves nothing: a network drops a call now and then. Closing hours are proven by the
timetable of the settings and have its begin and end. A source that is not asked is not out: nobody
waited for it. Only sources that a node needs are looked at (``catalog/needs.toml``).
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta
from secrets import token_hex

import structlog
from sqlalchemy.ext.asyncio import AsyncConnection

from adapters.contract import Source
from adapters.health import State, guard_of, health_of, state_of
from adapters.resilience import Window
from audit.log import AuditLog
from audit.record import Draft, Kind, Op
from catalog.errors import AuditUnavailable
from store.deeds import Deeds, StoreBusy, StoreDown
from store.outages import (
    FIRST,
    OutageRow,
    begin,
    end,
    last_end,
    open_outages,
    take_turn,
)

LOOK_S = 5.0  # between two looks at what the guards remember
ASK_EVERY = timedelta(seconds=30)  # a source that is out, by all workers together
PROOF = frozenset(
    {State.DOWN, State.TIMEOUT, State.BREAKER_OPEN, State.SCHEMA, State.TLS, State.OUTAGE_WINDOW}
)
"""What says that a source gives no answers; BUSY and QUOTA say nothing of its health."""
NOT_NOW = (StoreBusy, StoreDown, AuditUnavailable)
"""What keeps an outage from being written now; the next look does it."""
_log = structlog.get_logger("hub.outages")


def _now() -> datetime:
    return datetime.now(UTC)


class Outages:
    """Looks at `sources` as `holder`, the name that rows and records have of this worker."""

    def __init__(
        self,
        deeds: Deeds,
        sources: Mapping[str, Source],
        windows: Mapping[str, Window],
        log: AuditLog,
        holder: str,
        *,
        clock: Callable[[], datetime] = _now,
    ) -> None:
        self._deeds, self._sources, self._windows = deeds, sources, windows
        self._log, self._holder, self._clock = log, holder, clock
        self._since: dict[str, datetime] = {}

    async def follow(self) -> None:
        """Look, until cancelled. What cannot be written now is written by the next look."""
        while True:
            await asyncio.sleep(LOOK_S)
            try:
                await self.look()
            except NOT_NOW as error:
                _log.warning("outages not written", exception=type(error).__name__)

    async def look(self) -> None:
        """Begin and end what there is to be. StoreBusy, StoreDown, AuditUnavailable."""
        async with self._deeds.reading() as connection:
            lasting = await open_outages(connection)
        for name, source in self._sources.items():
            row = lasting.get(name)
            if row is not None:
                row = await self._over(row, source)
            if row is None:
                await self._begun(name, source)

    # ---- an outage begins ----------------------------------------------------------------------

    async def _begun(self, name: str, source: Source) -> None:
        window, now = self._windows.get(name), self._clock()
        if window is not None and window.covers(now):
            await self._begin(name, State.OUTAGE_WINDOW, window.began(now), announced=True)
            return
        state = state_of(source)
        if state not in PROOF:
            self._since.pop(name, None)
            return
        guard = guard_of(source)
        seen = None if guard is None else guard.state.last_fault
        since = self._since.setdefault(name, seen or now)
        again = await _asked(name, source)
        if again in PROOF and await self._begin(name, again, since, announced=False):
            self._since.pop(name, None)

    async def _begin(self, name: str, state: State, since: datetime, *, announced: bool) -> bool:
        now = self._clock()
        async with self._deeds.deed() as connection:
            before = await last_end(connection, name)
            if before is not None and since < before:
                since = now  # that fault was of the outage before
            row = OutageRow(token_hex(16), name, announced, since, None, state.value, now, FIRST)
            begun = await begin(connection, row, self._holder)
            if begun:
                await self._record(connection, "source.out", name, state)
        return begun

    # ---- and ends ------------------------------------------------------------------------------

    async def _over(self, row: OutageRow, source: Source) -> OutageRow | None:
        """The outage, if it lasts; None if it has ended by now."""
        at = self._timetable(row) if row.announced else await self._answered(row, source)
        if at is None:
            return row
        async with self._deeds.deed() as connection:
            # An outage lasts: what begins and ends at once has stopped no clock.
            ended = max(at, row.started_at + timedelta.resolution)
            if await end(connection, row.id, ended, self._holder):
                await self._record(connection, "source.back", row.source, State.ANSWERS)
        return None

    def _timetable(self, row: OutageRow) -> datetime | None:
        """When announced hours were over, if they are; at once if there are none any more."""
        window, now = self._windows.get(row.source), self._clock()
        ends = now if window is None else window.ends(row.started_at)
        return ends if ends <= now else None

    async def _answered(self, row: OutageRow, source: Source) -> datetime | None:
        """When it answered, or when its announced hours began, or nobody needs it any more."""
        window, now = self._windows.get(row.source), self._clock()
        if window is not None and window.covers(now):
            return window.began(now)
        if state_of(source) is State.NOT_CONNECTED:
            return now
        guard = guard_of(source)
        last_ok = None if guard is None or not guard.state.answered_since else guard.state.last_ok
        if last_ok is not None and last_ok > row.started_at:
            return last_ok
        async with self._deeds.deed() as connection:
            turn = await take_turn(connection, row.id, now, now - ASK_EVERY)
        if turn and await _asked(row.source, source) is State.ANSWERS:
            return self._clock()
        return None

    async def _record(
        self, connection: AsyncConnection, name: str, source: str, state: State
    ) -> None:
        op = Op(name=name, type="job", vars={"source": source, "state": state.value})
        await self._log.append_in(connection, Draft(Kind.MUTATION, op=op))


async def _asked(name: str, source: Source) -> State:
    (health,) = await health_of({name: source})
    return health.state
