"""BookKeeper: holds the current PolicyBook and follows the store's version.

All or nothing: a policy with one bad row is not loaded; the old book stays, and `fault`
says why. A book is built aside and swapped by one assignment.

    usual     current()    the book at hand, at most a poll old; refused when nobody knows its age
    at_least  at_least(v)  for who has just made version v himself
    strict    strict()     the store's own version as of now, for acts that show clear values

News come by PostgreSQL's NOTIFY, in SQLite by whoever changed the policy in this process (`wake`);
the poll finds what neither tells.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import time
from collections.abc import AsyncIterator, Awaitable, Callable

from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from authz.book import PolicyBook
from authz.errors import RuleError
from authz.latest import Latest
from authz.roles import parents_of
from authz.rule import Rule, check_rule
from authz.sharing import classes_of, shared_rules
from catalog.errors import Forbidden
from catalog.load import Catalog
from store.listen import listen
from store.policy import PolicyRows, read_policy_rows, read_version

POLL_S = 1.0  # seconds between two looks at the version; one row
POLL_ALONE_S = 0.25  # where nobody tells: another process's change must be known within a second
FRESH_S = 10.0  # seconds without contact after which only usual reads are answered
MAX_AGE_S = 60.0  # seconds without contact after which every request is refused
WAIT_S = 2.0  # how long a strict act or one's own change waits for the store
AGAIN_S = 0.05  # between two tries while somebody waits
TRIES = 3  # reads of a policy that keeps changing underneath
FAULTS = (RuleError, SQLAlchemyError, OSError)  # a TimeoutError is an OSError

_log = logging.getLogger("hub.authz")


class BookKeeper:
    """One per process. `demo` admits demonstration roles; `clock` is monotonic seconds.

    `ask`: a shorter way to the store's version than the engine, for strict acts; OSError if there
    is no answer.
    """

    def __init__(
        self,
        engine: AsyncEngine,
        catalog: Catalog,
        demo: bool = False,
        *,
        ask: Callable[[], Awaitable[int]] | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._engine, self._catalog, self._demo, self._clock = engine, catalog, demo, clock
        self._told = engine.dialect.name == "postgresql"  # by NOTIFY, of every change
        self._book: PolicyBook | None = None
        self._contact = clock()
        self._loading = asyncio.Lock()
        self._news = asyncio.Event()
        self._ask = ask or self._version
        self._latest = Latest(self._asked)
        self._refused: int | None = None
        """A version that is no book, however often it is built."""
        self.fault: str | None = None

    # -- the three modes

    def current(self) -> PolicyBook:
        """The book in force. Forbidden (STALE_POLICY) if there is none or it is too old."""
        if self._book is None:
            raise Forbidden("权限策略尚未载入，请稍后再试", reason="STALE_POLICY")
        if self.age() > MAX_AGE_S:
            raise Forbidden(
                f"权限策略超过 {MAX_AGE_S:.0f} 秒未能与策略库核对，请稍后再试",
                reason="STALE_POLICY",
                retryable=True,
            )
        return self._book

    async def at_least(self, version: int, within_s: float = WAIT_S) -> PolicyBook:
        """A book of this version or a newer one, known to be fresh.

        Forbidden (STALE_POLICY) if there is none `within_s`.
        """
        try:
            async with asyncio.timeout(within_s):
                while not self._reached(version):
                    if not (await self._tried() and self._reached(version)):
                        await asyncio.sleep(AGAIN_S)
        except TimeoutError:
            raise Forbidden("权限策略尚未更新，请稍后再试", reason="STALE_POLICY") from None
        return self.current()

    async def strict(self) -> PolicyBook:
        """The book of the version the store has now, asked for after this call.

        Forbidden (STALE_POLICY) if the store does not say within WAIT_S, or its policy is unfit.
        """
        started = self._clock()
        try:
            async with asyncio.timeout(WAIT_S):
                await self._compare(await self._latest.get(), started, again=False)
        except FAULTS:
            raise Forbidden(
                "查看明文前未能与策略库核对，请稍后再试", reason="STALE_POLICY"
            ) from None
        return self.current()

    def age(self) -> float:
        """Seconds since the book was last known to be the store's."""
        return self._clock() - self._contact

    def _reached(self, version: int) -> bool:
        return self._book is not None and self._book.version >= version and self.age() <= FRESH_S

    # -- following the store

    async def load(self) -> None:
        """Read, check, build aside, swap. RuleError leaves the old book in force."""
        async with self._loading:
            await self._load()

    async def look(self) -> None:
        """Load if the store's version is another one; else note that it is not."""
        started = self._clock()
        await self._compare(await self._version(), started)

    def wake(self) -> None:
        """Look now: somebody has changed the policy."""
        self._news.set()

    async def follow(self, poll_s: float | None = None) -> None:
        """Look again and again until cancelled; faults age the book, they do not end this."""
        wait_s = poll_s or (POLL_S if self._told else POLL_ALONE_S)
        async with self._listening():
            while True:
                self._news.clear()
                await self._tried()
                with contextlib.suppress(TimeoutError):
                    async with asyncio.timeout(wait_s):
                        await self._news.wait()

    @contextlib.asynccontextmanager
    async def _listening(self) -> AsyncIterator[None]:
        if not self._told:
            yield
            return
        task = asyncio.create_task(listen(self._engine.url, self.wake), name="policy-news")
        try:
            yield
        finally:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)

    async def _tried(self) -> bool:
        """Look, and say whether it could be done."""
        try:
            await self.look()
        except RuleError:
            return False  # said by load; the old book stays
        except (SQLAlchemyError, OSError) as error:
            self.fault = type(error).__name__
            _log.warning("policy store unreachable: %s", self.fault)
            return False
        return True

    async def _compare(self, version: int, started: float, *, again: bool = True) -> None:
        """Load unless the book is of this version already; either way it is fresh then.

        `started`: when the version was asked for. `again` False does not try a second time what
        was refused once: strict acts would all wait for the same rebuilding.
        """
        if not self._holds(version):
            async with self._loading:
                if not self._holds(version):  # nobody has loaded it meanwhile
                    if version == self._refused and not again:
                        raise RuleError("version", "策略的新版本未能载入：请先改正")
                    await self._load()
                    return
        self._contact, self.fault = max(self._contact, started), None

    def _holds(self, version: int) -> bool:
        return self._book is not None and self._book.version == version

    async def _load(self) -> None:
        started = self._clock()
        rows = await self._rows()
        try:
            book = await asyncio.to_thread(built, rows, self._catalog, demo=self._demo)
        except RuleError as error:
            if self.fault != str(error):  # once, not with every poll
                _log.error("policy version %d refused: %s", rows.version, error)
            self.fault, self._refused = str(error), rows.version
            raise
        self._book, self._contact, self.fault, self._refused = book, started, None, None

    async def _rows(self) -> PolicyRows:
        for _ in range(TRIES):
            async with self._engine.connect() as conn:
                rows = await read_policy_rows(conn)
                # Not every database reads several tables at one instant.
                if await self._version_after(conn) == rows.version:
                    return rows
        raise RuleError("version", "策略在读取期间不断变化：请稍后再试")

    async def _version_after(self, conn: AsyncConnection) -> int:
        return await read_version(conn)

    async def _version(self) -> int:
        async with self._engine.connect() as conn:
            return await read_version(conn)

    async def _asked(self) -> int:
        async with asyncio.timeout(WAIT_S):
            return await self._ask()


def built(rows: PolicyRows, catalog: Catalog, *, demo: bool = False) -> PolicyBook:
    """The book of a policy's rows; RuleError for the first row that may not enter."""
    rules = [Rule(*line) for line in rows.rules]
    if not rules:
        raise RuleError("policy", "策略为空：请先导入策略")
    for rule in rules:
        fault = check_rule(rule, catalog, demo=demo)
        if fault is not None:
            raise fault
    if not rows.sealed:
        raise RuleError("digest", "策略内容与版本摘要不符：请经由审批流程修改策略")
    shared = shared_rules(catalog, classes_of(rows.objects, catalog), rows.grants)
    return PolicyBook(rows.version, (*rules, *shared), parents_of(rows.parents), catalog)


async def proved(conn: AsyncConnection, catalog: Catalog, *, demo: bool = False) -> PolicyBook:
    """The book of the policy as this transaction leaves it, before it is committed.

    RuleError: do not commit. Every process would refuse the new version, keep the old book, and
    after MAX_AGE_S answer nobody.
    """
    return built(await read_policy_rows(conn), catalog, demo=demo)
