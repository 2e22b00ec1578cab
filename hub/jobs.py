"""The scheduler: jobs that any one of several workers does, by a lease in the store.

    every worker looks ──► takes a job that is due ──► sweeps batch by batch ──► gives it back

Each batch is one transaction with its record. A worker that dies leaves a lease that runs out; the
next one goes on with what is left. ``hub job run`` does the same by hand.

The month's comparisons read for minutes and then write once: they are looked at beside the sweeps,
have a longer lease, and what is kept once is not kept again (`hub/comparing/running.py`).
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import structlog

from audit.log import AuditLog
from audit.record import Draft, Kind, Op
from catalog.errors import HubError, Readable
from catalog.load import Catalog
from resolvers.commands.sweeps import SWEEPS
from resolvers.commands.urging import Sweeper
from store.deeds import Deeds, StoreBusy, StoreDown
from store.jobs import finish, give_back, take

LOOK_S = 15.0  # between two looks at what is due
LEASE = timedelta(minutes=5)  # a batch takes a tenth of a second; who is silent so long is dead
EVERY: Mapping[str, timedelta] = {
    "outages": timedelta(seconds=15),
    "overdue": timedelta(minutes=1),
    "reminders": timedelta(minutes=1),
    "escalation": timedelta(minutes=5),
    "unanswered": timedelta(minutes=1),
    "terms": timedelta(minutes=1),
    "lateness": timedelta(minutes=1),
    "expiry": timedelta(hours=1),
    "comparison": timedelta(minutes=5),
}
"""How often each job is done."""
COMPARISON = "comparison"
READING = timedelta(hours=1)  # half a million people are read in some eight minutes
NOT_NOW = (StoreBusy, StoreDown, HubError, Readable)
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
    """Does jobs as `holder`, the name its lease and its records have.

    `compare`: does the month's comparisons that are due, and says how many; None: nobody can here.
    """

    def __init__(
        self,
        deeds: Deeds,
        catalog: Catalog,
        log: AuditLog,
        holder: str,
        compare: Callable[[], Awaitable[int]] | None = None,
        *,
        clock: Callable[[], datetime] = _now,
    ) -> None:
        self._deeds, self._catalog, self._log = deeds, catalog, log
        self._holder, self._compare, self._clock = holder, compare, clock

    async def follow(self) -> None:
        """Look and do, until cancelled. What cannot be done now is done by the next look."""
        await asyncio.gather(self._follow(*SWEEPS), self._follow(COMPARISON))

    async def _follow(self, *names: str) -> None:
        while True:
            await asyncio.sleep(LOOK_S)
            for name in names:
                try:
                    await self.run(name)
                except NOT_NOW as error:
                    _log.warning("job not done", job=name, exception=type(error).__name__)

    async def run(self, name: str, *, now: bool = False) -> Ran | None:
        """Do a job if it is due, or in any case `now`; None if it is not, or another has it.

        StoreBusy, StoreDown, HubError, Readable: the rest is done the next time.
        """
        every = timedelta() if now else EVERY[name]
        lease = READING if name == COMPARISON else LEASE
        async with self._deeds.deed() as connection:
            taken = await take(
                connection, name, self._holder, self._clock(), lease=lease, every=every
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
        if name == COMPARISON:
            kept = await self._compare() if self._compare else 0
            return Ran(name, kept, kept)
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
