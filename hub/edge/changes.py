"""What changed in the store, told to every subscription of this worker.

    change (store/changes.py) ──► one reader a database ──► a bounded queue a subscriber ──► stream

A reader asks half a second apart, and at once when PostgreSQL tells; it asks nothing while nobody
of this worker listens. What it finds it hands to all, so the store is asked as much for one
subscriber as for a thousand. No worker needs to know of another.
"""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator, Callable, Mapping

import structlog
from sqlalchemy.engine import make_url
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from adapters.registry import let_in
from catalog.errors import RateLimited, SourceUnavailable
from hub.limits import PENDING
from hub.placing import address_of
from hub.settings import Settings
from store.changes import CHANNEL, NOTED, Change, after, forget, head
from store.engine import open_engine
from store.listen import listen

POLL_S = 0.5
BATCH = 1_000  # changes of one look
KEPT_S = 3600.0  # how long a change is kept: a reader cut off for longer would miss some
FORGET_EVERY_S = 600.0
SESSION = "hub-changes"
FAULTS = (SQLAlchemyError, OSError)
ALL = ""
"""The key of a subscriber that is told of changes, but not of which rows."""

_log = structlog.get_logger("hub.edge.changes")


class Subscriber:
    """What one subscription has yet to look at. The same row twice is looked at once.

    `counted`: it is told that something has changed, not what.
    """

    def __init__(self, *, counted: bool = False, most: int = PENDING) -> None:
        self._counted, self._most = counted, most
        self._keys: dict[str, None] = {ALL: None} if counted else {}
        self._news = asyncio.Event()
        self._lost = False
        if counted:
            self._news.set()

    def tell(self, key: str) -> None:
        """A row has changed."""
        if self._lost:
            return
        self._keys.setdefault(ALL if self._counted else key)
        if len(self._keys) > self._most:
            self.lose()
        self._news.set()

    def lose(self) -> None:
        """It is too far behind: what it has not taken is let go, and it is told so."""
        self._lost = True
        self._keys.clear()
        self._news.set()

    async def next(self, within_s: float) -> str | None:
        """The key of the next changed row; None if there is none within this time.

        RateLimited SLOW_READER if it took too long over those before.
        """
        if not self._keys:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(within_s):
                    await self._news.wait()
        if self._lost:
            raise RateLimited(
                f"接收过慢：未取走的变动超过 {self._most} 条，订阅已结束；请重新查询后再订阅",
                reason="SLOW_READER",
            )
        self._news.clear()
        if not self._keys:
            return None
        key = next(iter(self._keys))
        del self._keys[key]
        return key


class Changes:
    """The readers of one worker. `where`: noted data set -> address of the database it lies in."""

    def __init__(self, where: Mapping[str, str]) -> None:
        readers = {url: _Reader(url) for url in sorted(set(where.values()))}
        self._readers = {dataset: readers[url] for dataset, url in where.items()}

    @contextlib.asynccontextmanager
    async def joined(self, dataset: str, *, counted: bool = False) -> AsyncIterator[Subscriber]:
        """A subscriber to changes of a data set from now on. SourceUnavailable, RateLimited."""
        subscriber, reader = Subscriber(counted=counted), self._readers[dataset]
        try:
            await reader.join(dataset, subscriber)
        except FAULTS:
            raise SourceUnavailable(
                "变动记录暂时无法读取，请稍后再订阅", reason="DOWN", source="hub"
            ) from None
        try:
            yield subscriber
        finally:
            reader.leave(dataset, subscriber)

    @property
    def subscribers(self) -> int:
        """How many listen now."""
        return sum(reader.subscribers for reader in {*self._readers.values()})

    async def follow(self) -> None:
        """Until cancelled."""
        try:
            async with asyncio.TaskGroup() as group:
                for reader in {*self._readers.values()}:
                    group.create_task(reader.follow(), name="changes")
                    group.create_task(reader.keep_short(), name="changes-forgotten")
        finally:
            for reader in {*self._readers.values()}:
                await reader.close()


class _Reader:
    """Reads the changes of one database while somebody listens."""

    def __init__(self, url: str, clock: Callable[[], float] = time.monotonic) -> None:
        self._engine: AsyncEngine = open_engine(url, pool_size=1)
        self._told = make_url(url).get_backend_name() == "postgresql"
        self._clock = clock
        self._turn = asyncio.Lock()
        self._cursor: int | None = None
        self._contact = 0.0
        self._subscribers: dict[str, dict[Subscriber, None]] = {name: {} for name in NOTED}
        self._busy, self._news = asyncio.Event(), asyncio.Event()

    @property
    def subscribers(self) -> int:
        return sum(map(len, self._subscribers.values()))

    async def join(self, dataset: str, subscriber: Subscriber) -> None:
        async with self._turn:
            if self._cursor is None:
                async with self._engine.connect() as connection:
                    self._cursor = await head(connection)
                self._contact = self._clock()
            self._subscribers[dataset][subscriber] = None
            self._busy.set()

    def leave(self, dataset: str, subscriber: Subscriber) -> None:
        del self._subscribers[dataset][subscriber]
        if not self.subscribers:
            self._busy.clear()
            self._cursor = None
            self._news.set()

    async def follow(self) -> None:
        while True:
            await self._busy.wait()
            async with self._listening():
                while self._busy.is_set():
                    await self._look()
                    with contextlib.suppress(TimeoutError):
                        async with asyncio.timeout(POLL_S):
                            await self._news.wait()
                    self._news.clear()

    async def keep_short(self) -> None:
        """Forget what is old, whether somebody listens or not."""
        said = False
        while True:
            await asyncio.sleep(FORGET_EVERY_S)
            try:
                async with self._engine.begin() as connection:
                    await forget(connection, int(time.time() - KEPT_S))
                said = False
            except FAULTS as error:
                if not said:  # where data sets are placed, the account may be one that reads
                    _log.warning("old changes are not forgotten", error=type(error).__name__)
                said = True

    async def close(self) -> None:
        await self._engine.dispose()

    @contextlib.asynccontextmanager
    async def _listening(self) -> AsyncIterator[None]:
        if not self._told:
            yield
            return
        heard = listen(self._engine.url, self._news.set, channel=CHANNEL, name=SESSION)
        task = asyncio.create_task(heard, name="change-news")
        try:
            yield
        finally:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)

    async def _look(self) -> None:
        """Hand on what is new. A store that does not answer is asked again; nothing is missed."""
        try:
            async with self._turn, self._engine.connect() as connection:
                await self._handed(connection)
            self._contact = self._clock()
        except Exception as error:  # whatever it is, those who listen must not wait for ever
            _log.warning("changes are not read", error=type(error).__name__)
            if self._clock() - self._contact > KEPT_S:
                for subscriber in self._everybody():
                    subscriber.lose()

    async def _handed(self, connection: AsyncConnection) -> None:
        while self._cursor is not None:
            found = await after(connection, self._cursor, BATCH)
            if self._cursor is None or not found:  # the last one has left meanwhile
                return
            self._cursor = found[-1].seq
            self._tell(found)
            if len(found) < BATCH:
                return

    def _tell(self, found: list[Change]) -> None:
        for one in found:
            for subscriber in self._subscribers.get(one.dataset, ()):
                subscriber.tell(one.key)

    def _everybody(self) -> list[Subscriber]:
        return [one for those in self._subscribers.values() for one in those]


def where(settings: Settings, keys: Mapping[str, str]) -> dict[str, str]:
    """Each noted data set's database; `keys`: the secrets of sources, if it is placed apart."""
    found = {}
    for dataset in NOTED:
        secret = keys.get(settings.placed.get(dataset, ""))
        found[dataset] = let_in(address_of(settings, dataset), secret)
    return found
