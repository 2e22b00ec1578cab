"""The scheduler: jobs that any one of several workers does, by a lease in the store.

    every worker looks ──► takes a job that is due ──► sweeps batch by batch ──► gives it back

Each batch is one transaction with its record. A worker that dies leaves a lease that runs out; the
next one goes on with what is left. ``hub job run`` does the same by hand.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import structlog

from audit.log import AuditLog
from audit.record import Draft, Kind, Op
from catalog.errors import AuditUnavailable
from catalog.load import Catalog
from resolvers.commands.sweeps import SWEEPS, Sweeper
from store.deeds import Deeds, StoreBusy, StoreDown
from store.jobs import finish, give_back, take

LOOK_S = 15.0  # between two looks at what is due
LEASE = timedelta(minutes=5)  # a batch takes a tenth of a second; who is silent so long is dead
EVERY: Mapping[str, timedelta] = {
    "outages": timedelta(seconds=15),
    "overdue": timedelta(minutes=1),
    "reminders": timedelta(minutes=1),
    "escalation": timedelta(minutes=5),
    "expiry": timedelta(hours=1),
}
"""How often each job is done."""
NOT_NOW = (StoreBusy, StoreDown, AuditUnavailable)
"""What keeps a job from being done now; the next look does it."""
_log = structlog.get_logger("hub.jobs")


def _now() -> datetime:
    return datetime.now(UTC)


@dataclass(frozen=True, slots=True)
class Ran:
    """A job that was done: how many rows, in how many batches."""

    name: str
    done: int
    batches: int


class Jobs:
    """Does jobs as `holder`, the name its lease and its records have."""

    def __init__(
        self,
        deeds: Deeds,
        catalog: Catalog,
        log: AuditLog,
        holder: str,
        *,
        clock: Callable[[], datetime] = _now,
    ) -> None:
        self._deeds, self._catalog, self._log = deeds, catalog, log
        self._holder, self._clock = holder, clock

    async def follow(self) -> None:
        """Look and do, until cancelled. What cannot be done now is done by the next look."""
        while True:
            await asyncio.sleep(LOOK_S)
            for name in SWEEPS:
                try:
                    await self.run(name)
                except NOT_NOW as error:
                    _log.warning("job not done", job=name, exception=type(error).__name__)

    async def run(self, name: str, *, now: bool = False) -> Ran | None:
        """Do a job if it is due, or in any case `now`; None if it is not, or another has it.

        StoreBusy, StoreDown, AuditUnavailable: the rest is done the next time.
        """
        every = timedelta() if now else EVERY[name]
        async with self._deeds.deed() as connection:
            taken = await take(
                connection, name, self._holder, self._clock(), lease=LEASE, every=every
            )
        if not taken:
            return None
        try:
            ran = await self._sweep(name)
        except BaseException:
            await self._undone(name)
            raise
        async with self._deeds.deed() as connection:
            await finish(connection, name, self._holder, self._clock(), ran.done)
        return ran

    async def _sweep(self, name: str) -> Ran:
        done = batches = 0
        while count := await self._batch(name):
            done, batches = done + count, batches + 1
        return Ran(name, done, batches)

    async def _batch(self, name: str) -> int:
        async with self._deeds.deed() as connection:
            count = await SWEEPS[name](Sweeper(connection, self._catalog, self._clock()))
            if count:
                op = Op(name=f"job.{name}", type="job", vars={"count": count})
                await self._log.append_in(connection, Draft(Kind.MUTATION, op=op))
        return count

    async def _undone(self, name: str) -> None:
        """Let the next worker take it at once; a lease that cannot be given back runs out."""
        try:
            async with self._deeds.deed() as connection:
                await give_back(connection, name, self._holder)
        except (StoreBusy, StoreDown) as error:
            _log.warning("lease not given back", job=name, exception=type(error).__name__)
