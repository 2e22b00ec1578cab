"""BookKeeper: holds the current PolicyBook and follows the store's version.

All or nothing: a policy with one bad row is not loaded; the old book stays, and `fault`
says why. A book that could not be compared with the store for MAX_AGE_S answers nobody.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable

from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from authz.book import PolicyBook
from authz.errors import RuleError
from authz.roles import parents_of
from authz.rule import Rule, check_rule
from authz.sharing import shared_rules
from catalog.errors import Forbidden
from catalog.load import Catalog
from store.policy import PolicyRows, policy_digest, read_policy_rows, read_version

POLL_S = 1.0  # seconds between two looks at the version; one indexed row
MAX_AGE_S = 60.0  # seconds without contact after which every request is refused
TRIES = 3  # reads of a policy that keeps changing underneath

_log = logging.getLogger("hub.authz")


class BookKeeper:
    """One per process. `demo` admits demonstration roles; `clock` is monotonic seconds."""

    def __init__(
        self,
        engine: AsyncEngine,
        catalog: Catalog,
        demo: bool = False,
        *,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._engine, self._catalog, self._demo, self._clock = engine, catalog, demo, clock
        self._book: PolicyBook | None = None
        self._contact = clock()
        self.fault: str | None = None

    def current(self) -> PolicyBook:
        """The book in force. Forbidden (STALE_POLICY) if there is none or it is too old."""
        if self._book is None:
            raise Forbidden("权限策略尚未载入，请稍后再试", reason="STALE_POLICY")
        if self.age() > MAX_AGE_S:
            raise Forbidden(
                f"权限策略超过 {MAX_AGE_S:.0f} 秒未能与策略库核对，请稍后再试",
                reason="STALE_POLICY",
            )
        return self._book

    def age(self) -> float:
        """Seconds since the book was last known to be the store's."""
        return self._clock() - self._contact

    async def load(self) -> None:
        """Read, check, build aside, swap. RuleError leaves the old book in force."""
        started = self._clock()
        rows = await self._rows()
        try:
            book = await asyncio.to_thread(built, rows, self._catalog, demo=self._demo)
        except RuleError as error:
            self.fault = str(error)
            _log.error("policy version %d refused: %s", rows.version, error)
            raise
        self._book, self._contact, self.fault = book, started, None

    async def look(self) -> None:
        """Load if the store's version is another one; else note that it is not."""
        started = self._clock()
        async with self._engine.connect() as conn:
            version = await read_version(conn)
        if self._book is None or version != self._book.version:
            await self.load()
        else:
            self._contact, self.fault = started, None

    async def follow(self, poll_s: float = POLL_S) -> None:
        """Look again and again until cancelled; faults age the book, they do not end this."""
        while True:
            try:
                await self.look()
            except RuleError:
                pass  # said by load; the old book stays
            except (SQLAlchemyError, OSError) as error:
                self.fault = type(error).__name__
                _log.warning("policy store unreachable: %s", self.fault)
            await asyncio.sleep(poll_s)

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


def built(rows: PolicyRows, catalog: Catalog, *, demo: bool = False) -> PolicyBook:
    """The book of a policy's rows; RuleError for the first row that may not enter."""
    rules = [Rule(*line) for line in rows.rules]
    if not rules:
        raise RuleError("policy", "策略为空：请先导入策略")
    for rule in rules:
        fault = check_rule(rule, catalog, demo=demo)
        if fault is not None:
            raise fault
    if policy_digest(rows.rules, rows.parents) != rows.digest:
        raise RuleError("digest", "策略内容与版本摘要不符：请经由审批流程修改策略")
    return PolicyBook(
        rows.version, (*rules, *shared_rules(catalog)), parents_of(rows.parents), catalog
    )
