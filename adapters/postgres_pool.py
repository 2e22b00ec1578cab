"""PostgreSQL for reading: asyncpg connections, the last one used is the first one taken.

asyncpg's own pool sends RESET whenever a connection comes back, a round trip as long as a
small query. Nothing here needs one: the sessions are read-only and nobody says SET, LISTEN
or takes a lock in them.

    fetch ──slot──► idle connection, or a new one ──► rows ──► idle again
                                 │
       cancelled, or the driver is in doubt: the connection is retired. It keeps its slot
       until the server has been told to stop the statement, and is never used again.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Mapping, Sequence
from typing import Any

import asyncpg
from sqlalchemy.engine import URL

from adapters.database import Row, StatementFault, dialect_of
from adapters.resilience import Fault, Reason
from store.engine import ZONE

CONNECTIONS = 8  # more only queue up inside the server of a small county
STATEMENTS = 256  # kept prepared on each connection; about 100 hot documents of a few Reads
IDLE_S = 300.0  # firewalls forget a silent connection without a word, often after 10 minutes
CLOSE_S = 2.0  # for the server to confirm that a statement was stopped; then the line is cut
NO_JIT = "SELECT set_config('jit', 'off', false) FROM pg_settings WHERE name = 'jit'"
"""Gains such reads nothing, and a full compilation took half a second (measured, PostgreSQL 15).

Asked for like this because old servers have no such setting.
"""

OURS = (asyncpg.SyntaxOrAccessError, asyncpg.DataError, asyncpg.ReadOnlySQLTransactionError)
LEAVING = (asyncpg.OperatorInterventionError, asyncpg.PostgresConnectionError)
THEIRS = (asyncpg.PostgresError, asyncpg.InterfaceError, asyncpg.InternalClientError, OSError)


class PostgresPool:
    """At most CONNECTIONS to one address; a fetch waits for its turn as long as its asker does."""

    def __init__(self, address: URL, *, statement_s: float) -> None:
        self.dialect = dialect_of(address)
        self._options = _options(self.dialect.create_connect_args(address)[1], statement_s)
        self._slots = asyncio.Semaphore(CONNECTIONS)
        self._idle: list[tuple[float, asyncpg.Connection]] = []  # the last one is the warmest
        self._retiring: set[asyncio.Task[None]] = set()

    async def fetch(self, text: str, values: Sequence[Any]) -> Sequence[Row]:
        """All rows, as asyncpg's records: indexed, sliced and unpacked like tuples."""
        await self._slots.acquire()
        connection = None
        try:
            connection = self._warm() or await self._connect()
            rows: Sequence[Row] = await connection.fetch(text, *values)
        except OURS as error:
            self._give(connection)
            raise StatementFault(type(error).__name__) from None
        except BaseException as error:
            self._retire(connection)
            if isinstance(error, THEIRS):
                raise self._fault(error, connection) from None
            raise
        self._give(connection)
        return rows

    async def close(self) -> None:
        """Wait for what is under way, then close what is idle."""
        async with contextlib.AsyncExitStack() as stack:
            for _ in range(CONNECTIONS):
                await stack.enter_async_context(self._slots)
            idle, self._idle = self._idle, []
            await asyncio.gather(*(_closed(connection) for _, connection in idle))

    # -- connections

    def _warm(self) -> asyncpg.Connection | None:
        now = asyncio.get_running_loop().time()
        while self._idle:
            since, connection = self._idle.pop()
            if now - since > IDLE_S:
                self._idle.append((since, connection))
                self._forget()  # what lies below it has been idle even longer
            elif not connection.is_closed():
                return connection
        return None

    async def _connect(self) -> asyncpg.Connection:
        connection = None
        try:
            connection = await asyncpg.connect(**self._options)
            await connection.execute(NO_JIT)
        except BaseException as error:
            if connection is not None:
                connection.terminate()
            if isinstance(error, THEIRS):
                # Even an unknown setting, "ours" elsewhere, is the server's affair at its door.
                raise Fault(again=True) from None
            raise
        return connection

    def _give(self, connection: asyncpg.Connection) -> None:
        self._idle.append((asyncio.get_running_loop().time(), connection))
        self._slots.release()

    def _retire(self, connection: asyncpg.Connection | None) -> None:
        """Close it behind the asker's back, so that he need not wait for it."""
        if connection is None:
            self._slots.release()
            return
        task = asyncio.get_running_loop().create_task(_closed(connection), name="retire")
        self._retiring.add(task)
        task.add_done_callback(self._retired)

    def _retired(self, task: asyncio.Task[None]) -> None:
        self._retiring.discard(task)
        self._slots.release()

    def _forget(self) -> None:
        """Cut every idle connection."""
        idle, self._idle = self._idle, []
        for _, connection in idle:
            connection.terminate()

    def _fault(self, error: BaseException, connection: asyncpg.Connection | None) -> Fault:
        if isinstance(error, TimeoutError | asyncpg.QueryCanceledError):
            return Fault(Reason.TIMEOUT)
        if connection is None or connection.is_closed() or isinstance(error, LEAVING):
            # A server that goes takes all its sessions with it: the second try needs a new one.
            self._forget()
        return Fault(again=True)


def _options(given: Mapping[str, Any], statement_s: float) -> dict[str, Any]:
    """asyncpg's arguments from SQLAlchemy's; a session that reads and never runs on."""
    kept = {k: v for k, v in given.items() if not k.startswith("prepared_statement_")}
    return kept | {
        "statement_cache_size": given.get("prepared_statement_cache_size", STATEMENTS),
        "max_cached_statement_lifetime": 0,
        "max_cacheable_statement_size": 0,  # a whole subtree as JSON is a long text
        "server_settings": {
            "timezone": ZONE,  # the server's own JSON of a time is the wire form
            "application_name": "hub",
            "default_transaction_read_only": "on",
            "statement_timeout": str(max(1, round(statement_s * 1_000))),
        },
    }


async def _closed(connection: asyncpg.Connection) -> None:
    """asyncpg waits here until the server has acknowledged a cancelled statement."""
    with contextlib.suppress(Exception):
        await connection.close(timeout=CLOSE_S)
