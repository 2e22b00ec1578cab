"""PostgreSQL for reading: asyncpg connections, the last one used is the first one taken.

asyncpg's own pool sends RESET whenever a connection comes back, a round trip as long as a
small query. Nothing here needs one: the sessions are read-only and nobody says SET, LISTEN
or takes a lock in them.

With the lock by place (`store/row_lock.py`) a connection is in a role and at a reach; a statement
takes the last one used of its own reach, and else moves one, at the price of a round trip.

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

from adapters.databases.database import Row, StatementFault, dialect_of
from adapters.resilience import Fault, Reason
from store.engine import ZONE
from store.row_lock import COUNTY, REACH, TOWN

CONNECTIONS = 8  # more only queue up inside the server of a small county
STATEMENTS = 256  # kept prepared on each connection; about 100 hot documents of a few Reads
IDLE_S = 300.0  # firewalls forget a silent connection without a word, often after 10 minutes
CLOSE_S = 2.0  # for the server to confirm that a statement was stopped; then the line is cut
READY = (
    "SELECT set_config(name, wanted, false) FROM pg_settings JOIN (VALUES "
    "('jit', 'off'), ('plan_cache_mode', 'force_generic_plan')) AS ours(name, wanted) USING (name)"
)
"""Compiling a statement takes longer than any of ours runs, and so does planning it anew for each
asker: what differs between them are equalities. Old servers have no such settings."""

MOVE = f"SELECT set_config('role', $1, false), set_config('{REACH}', $2, false)"
NOWHERE = ""  # no township, and not the county either: as a connection comes from the server

OURS = (asyncpg.SyntaxOrAccessError, asyncpg.DataError, asyncpg.ReadOnlySQLTransactionError)
LEAVING = (asyncpg.OperatorInterventionError, asyncpg.PostgresConnectionError)
THEIRS = (asyncpg.PostgresError, asyncpg.InterfaceError, asyncpg.InternalClientError, OSError)


class PostgresPool:
    """At most CONNECTIONS to one address; a fetch waits for its turn as long as its asker does."""

    def __init__(self, address: URL, *, statement_s: float, locked: bool = False) -> None:
        self.dialect = dialect_of(address)
        self._options = _options(self.dialect.create_connect_args(address)[1], statement_s)
        self._slots = asyncio.Semaphore(CONNECTIONS)
        self._locked = locked
        self._idle: list[_Line] = []  # the last one is the warmest
        self._retiring: set[asyncio.Task[None]] = set()

    async def fetch(
        self, text: str, values: Sequence[Any], reach: str | None = None
    ) -> Sequence[Row]:
        """All rows, as asyncpg's records: indexed, sliced and unpacked like tuples."""
        await self._slots.acquire()
        line = None
        try:
            line = self._warm(reach) or _Line(await self._connect())
            if self._locked and line.reach != reach:
                await line.move(reach)
            rows: Sequence[Row] = await line.connection.fetch(text, *values)
        except OURS as error:
            self._give(line)
            raise StatementFault(type(error).__name__) from None
        except BaseException as error:
            connection = None if line is None else line.connection
            self._retire(connection)
            if isinstance(error, THEIRS):
                raise self._fault(error, connection) from None
            raise
        self._give(line)
        return rows

    async def close(self) -> None:
        """Wait for what is under way, then close what is idle."""
        async with contextlib.AsyncExitStack() as stack:
            for _ in range(CONNECTIONS):
                await stack.enter_async_context(self._slots)
            idle, self._idle = self._idle, []
            await asyncio.gather(*(_closed(line.connection) for line in idle))

    # -- connections

    def _warm(self, reach: str | None) -> _Line | None:
        now = asyncio.get_running_loop().time()
        while self._idle:
            at = self._nearest(reach)
            line = self._idle.pop(at)
            if now - line.since > IDLE_S:
                self._idle.append(line)
                self._forget()  # those that nobody took before it have been idle even longer
            elif not line.connection.is_closed():
                return line
        return None

    def _nearest(self, reach: str | None) -> int:
        """Place of the last one used of this reach, else of the last one used."""
        if self._locked:
            for at in range(len(self._idle) - 1, -1, -1):
                if self._idle[at].reach == reach:
                    return at
        return -1

    async def _connect(self) -> asyncpg.Connection:
        connection = None
        try:
            connection = await asyncpg.connect(**self._options)
            await connection.execute(READY)
        except BaseException as error:
            if connection is not None:
                connection.terminate()
            if isinstance(error, THEIRS):
                # Even an unknown setting, "ours" elsewhere, is the server's affair at its door.
                raise Fault(again=True) from None
            raise
        return connection

    def _give(self, line: _Line | None) -> None:
        assert line is not None  # noqa: S101  a statement was sent on it
        line.since = asyncio.get_running_loop().time()
        self._idle.append(line)
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
        for line in idle:
            line.connection.terminate()

    def _fault(self, error: BaseException, connection: asyncpg.Connection | None) -> Fault:
        if isinstance(error, TimeoutError | asyncpg.QueryCanceledError):
            return Fault(Reason.TIMEOUT)
        if connection is None or connection.is_closed() or isinstance(error, LEAVING):
            # A server that goes takes all its sessions with it: the second try needs a new one.
            self._forget()
        return Fault(again=True)


class _Line:
    """A connection: where it stands, and since when it is idle (loop time)."""

    __slots__ = ("connection", "reach", "since")

    def __init__(self, connection: asyncpg.Connection) -> None:
        self.connection, self.since = connection, 0.0
        self.reach: str | None = NOWHERE

    async def move(self, reach: str | None) -> None:
        """Into the role that sees this township, or with None the whole county."""
        role = COUNTY if reach is None else TOWN
        await self.connection.fetch(MOVE, role, reach or "")
        self.reach = reach


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
