"""The policy's version read past the engine: every strict act waits for it (ADR 0013, 0015)."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from sqlalchemy import select

from adapters.databases.database import Database, StatementFault
from adapters.resilience import Fault
from store.policy import policy_version


def version_in(database: Database) -> Callable[[], Awaitable[int]]:
    """Asks the store's reading pool; ConnectionError if it does not say."""
    text = str(select(policy_version.c.version).compile(dialect=database.dialect))

    async def ask() -> int:
        try:
            rows = await database.fetch(text, ())
        except (Fault, StatementFault):
            raise ConnectionError("the policy's version cannot be read") from None
        return int(rows[0][0]) if rows else 0

    return ask
