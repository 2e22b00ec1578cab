"""Sources whose departments hand over files: a snapshot, read as the SQL database it is.

    drop folder ──► hub source sync ──► snapshot (SQLite) ──► SnapshotPool ──► the SQL source

There is one road to data: statements, keys, rides, decoders and masks are those of `adapters/sql`.
This module adds what a snapshot has and a database has not: it is replaced under its readers,
and it knows of when it is. `Rows.as_of` is the department's word, not the hour of loading.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Protocol

from sqlalchemy.engine import Dialect, make_url

from adapters.contract import Call, Freshness, Prepared, ReadRequest, Rows
from adapters.databases.database import Row, dialect_of
from adapters.databases.sqlite_pool import SqlitePool
from adapters.drops.snapshot import ASKED, delivery
from adapters.resilience import Fault, Guard
from adapters.sample import Sample, Somebody
from catalog.datasets import Dataset, SourceSpec
from catalog.errors import SourceUnavailable
from catalog.grades import UpdateCycle

UPKEEP: Mapping[UpdateCycle, timedelta] = {
    UpdateCycle.REALTIME: timedelta(days=1),
    UpdateCycle.DAILY: timedelta(days=2),
    UpdateCycle.WEEKLY: timedelta(days=10),
    UpdateCycle.MONTHLY: timedelta(days=41),
    UpdateCycle.QUARTERLY: timedelta(days=107),
    UpdateCycle.HALF_YEARLY: timedelta(days=215),
    UpdateCycle.YEARLY: timedelta(days=397),
}
"""Rows older than this are STALE: the cycle, and what a department takes to write its list."""

Mark = tuple[int, int, int]


class Inner(Protocol):
    """The SQL source over the snapshot's pool."""

    name: str
    json: bool
    calls: int
    guard: Guard

    def prepare(self, request: ReadRequest) -> Prepared:
        """As a source."""

    async def rows(self, prepared: Prepared, call: Call) -> Rows:
        """As a source's read."""

    async def ping(self) -> None:
        """As a source."""

    async def sample(self, dataset: Dataset, somebody: Somebody) -> Sample:
        """As a source that shows samples."""

    async def close(self) -> None:
        """As a source."""


def snapshot_of(snapshots: Path, name: str) -> Path:
    """Where the snapshot of a source lies."""
    return snapshots / f"{name}.sqlite"


class SnapshotPool:
    """The snapshot that stands now; a Database. Opened anew when another has taken its place."""

    def __init__(self, file: Path) -> None:
        self.dialect: Dialect = dialect_of(make_url("sqlite+aiosqlite://"))
        self._file = file
        self._pool: SqlitePool | None = None
        self._mark: Mark | None = None
        self._dates: Mapping[str, datetime] | None = None
        self._leaving: set[asyncio.Task[None]] = set()

    async def fetch(
        self, text: str, values: Sequence[object], reach: str | None = None
    ) -> Sequence[Row]:
        """All rows of one statement. Fault DOWN if nothing was ever delivered."""
        return await self._now().fetch(text, values, reach)

    @property
    def known(self) -> Mapping[str, datetime] | None:
        """`dates`, if they were asked already and the same snapshot still stands."""
        try:
            self._now()
        except Fault:
            return None
        return self._dates

    async def dates(self) -> Mapping[str, datetime]:
        """Table -> of when its rows are; a table that was never delivered is not in it."""
        pool = self._now()
        try:
            found = [delivery(row) for row in await pool.fetch(ASKED, ())]
        except ValueError:
            raise Fault from None
        dates = {one.table: one.as_of for one in found if one.current}
        if pool is self._pool:
            self._dates = dates
        return dates

    async def close(self) -> None:
        """End the threads of this snapshot and of those before it."""
        pool, self._pool, self._mark, self._dates = self._pool, None, None, None
        if pool is not None:
            await pool.close()
        await asyncio.gather(*self._leaving)

    def _now(self) -> SqlitePool:
        try:
            found = self._file.stat()
        except OSError:
            raise Fault from None
        mark = (found.st_ino, found.st_mtime_ns, found.st_size)
        if self._pool is None or mark != self._mark:
            self._leave()
            self._pool, self._mark = SqlitePool(self._file, self.dialect), mark
        return self._pool

    def _leave(self) -> None:
        """Whoever has begun on the old snapshot finishes there: its file lives until then."""
        pool, self._pool, self._dates = self._pool, None, None
        if pool is not None:
            task = asyncio.ensure_future(pool.close())
            self._leaving.add(task)
            task.add_done_callback(self._leaving.discard)


@dataclass(frozen=True, slots=True)
class FilesRead:
    """The inner source's read, and the tables and the cycle its rows are dated by."""

    inner: Prepared
    tables: frozenset[str]
    cycle: UpdateCycle

    @property
    def columns(self) -> tuple[str, ...]:
        """Those of the statement."""
        return self.inner.columns

    def describe(self) -> str:
        """The statement; it holds no values."""
        return self.inner.describe()


@dataclass(frozen=True, slots=True)
class Standing:
    """A snapshot's oldest table, and whether the next list of any table is overdue."""

    as_of: datetime
    stale: bool


class FilesSource:
    """A drop folder's snapshot. `inner` is the SQL source over `pool`; `now` judges the age."""

    def __init__(
        self,
        spec: SourceSpec,
        pool: SnapshotPool,
        inner: Inner,
        *,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self.name, self.guard, self.json = spec.name, inner.guard, inner.json
        self._title, self._pool, self._inner, self._now = spec.title, pool, inner, now
        self._datasets = spec.datasets

    @property
    def calls(self) -> int:
        """Statements sent, for the tests of cost."""
        return self._inner.calls

    def prepare(self, request: ReadRequest) -> Prepared:
        """The SQL source's statement."""
        tables = frozenset(_tables(request))
        return FilesRead(self._inner.prepare(request), tables, request.dataset.update_cycle)

    async def read(self, prepared: Prepared, call: Call) -> Rows:
        """The rows, of when their department stood so; STALE if its next list is overdue.

        SourceUnavailable DOWN as well for a table nobody has delivered yet.
        """
        assert isinstance(prepared, FilesRead)  # noqa: S101  made by prepare above
        # Asked first: if another snapshot comes between, the rows are called too old, not too new.
        as_of = await self._as_of(prepared.tables)
        found = await self._inner.rows(prepared.inner, call)
        old = self._is_old(as_of, prepared.cycle)
        freshness = Freshness.STALE if old else Freshness.LIVE
        return replace(found, as_of=as_of, freshness=freshness)

    @property
    def known_as_of(self) -> datetime | None:
        """The oldest table's date, if somebody has read it since this snapshot stands."""
        return min((self._pool.known or {}).values(), default=None)

    async def standing(self) -> Standing | None:
        """Of when its tables are; None if nothing was delivered. Nobody is asked for it."""
        try:
            dates = await self._pool.dates()
        except Fault:
            return None
        known = [(dates[d.table], d.update_cycle) for d in self._datasets if d.table in dates]
        if not known:
            return None
        stale = any(self._is_old(as_of, cycle) for as_of, cycle in known)
        return Standing(min(as_of for as_of, _ in known), stale)

    async def sample(self, dataset: Dataset, somebody: Somebody) -> Sample:
        """The first rows that stand in the snapshot."""
        return await self._inner.sample(dataset, somebody)

    async def ping(self) -> None:
        """SELECT 1 of the snapshot, which must be there."""
        await self._inner.ping()

    async def close(self) -> None:
        """Close the snapshot."""
        await self._inner.close()

    def _is_old(self, as_of: datetime, cycle: UpdateCycle) -> bool:
        return self._now() - as_of > UPKEEP[cycle]

    async def _as_of(self, tables: frozenset[str]) -> datetime:
        """The oldest of the tables read together."""
        # Only a question goes past the guard: a remembered answer is no sign of health.
        dates = self._pool.known
        if dates is None:
            dates = await self.guard.run(self._pool.dates)
        if not tables <= dates.keys():
            raise SourceUnavailable(
                f"{self._title}尚未送达所查的数据，其余数据照常给出",
                reason="DOWN",
                source=self.name,
                retryable=False,
            )
        return min(dates[table] for table in tables)


def _tables(request: ReadRequest) -> Iterator[str]:
    yield from _own(request.dataset)
    rides = [*request.rides, *(request.whole.rides if request.whole else ())]
    for ride in rides:
        yield from _tables(ride.request)
        for below in ride.rides:
            yield from _tables(below.request)


def _own(dataset: Dataset) -> Iterator[str]:
    yield dataset.table
    yield from (join.table for join in dataset.joins)
