"""MariaDB for reading: SQLAlchemy's pool over sessions that can only read, and end in time.

    fetch ──► session of the pool ──► rows ──► pool
                    │
      cancelled: the pool throws the session away, and another one tells the server to end it,
      for a server at work does not notice that nobody listens any more (KILL)

Also MySQL, by the comments that each of the two takes for its own.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable, Sequence
from functools import partial
from importlib import import_module
from typing import Any

from sqlalchemy.engine import URL
from sqlalchemy.exc import DataError, DBAPIError, ProgrammingError
from sqlalchemy.ext.asyncio import AsyncConnection, create_async_engine

from adapters.databases.database import EngineDatabase, Row, StatementFault, dialect_of
from adapters.resilience import Fault, Reason

CONNECTIONS = 8  # as many as of a PostgreSQL
RECYCLE_S = 300  # firewalls forget a silent connection without a word, often after 10 minutes
END_S = 2.0  # for the server to take a KILL; its own limit of time ends the statement otherwise
CHARSET = "utf8mb4"  # a name may have four bytes, whatever the tables can hold
READY = (
    # Escapes mean what the driver thinks, quotes are no names, CHAR comes without its blanks.
    # The server's warnings quote values, and some drivers would log them.
    "SET SESSION sql_mode = '', time_zone = '+08:00', max_error_count = 0"
    " /*M!100100 , tx_read_only = 1, max_statement_time = {s} */"
    " /*!50720 , transaction_read_only = 1, max_execution_time = {ms} */"
)

OURS = frozenset(
    {
        1044,  # no right to the database
        1052,  # a column of two tables
        1054,  # no such column
        1064,  # not understood
        1109,  # no such table
        1142,  # no right to the table
        1143,  # no right to the column
        1146,  # no such table
        1227,  # no right of that kind
        1267,  # texts that cannot be compared: four bytes a character with three
        1270,
        1271,
        1305,  # no such function
        1356,  # a view over what is not there
        1370,  # no right to the function
        1449,  # a view whose owner is gone
        1792,  # it would write
    }
)
"""What a statement of ours does wrong, or a database that is not as the catalogue describes it."""
LATE = frozenset({1205, 1317, 1969, 3024})
"""It took too long: a lock, an interrupt, MariaDB's and MySQL's limit of time."""


class MariaDatabase(EngineDatabase):
    """One address; at most CONNECTIONS to it, and a short one beside them after a cancel."""

    def __init__(self, address: URL, *, statement_s: float) -> None:
        address = address.update_query_dict({"charset": CHARSET})
        self._connect = _connecting(address, statement_s)
        engine = create_async_engine(
            address,
            async_creator=self._connect,
            pool_size=CONNECTIONS,
            max_overflow=0,
            pool_use_lifo=True,
            pool_recycle=RECYCLE_S,
            skip_autocommit_rollback=True,  # sessions are in autocommit: nothing to undo
        )
        super().__init__(engine)
        self._ending: set[asyncio.Task[None]] = set()

    async def _rows(
        self, connection: AsyncConnection, text: str, values: tuple[Any, ...]
    ) -> Sequence[Row]:
        session = (await connection.get_raw_connection()).driver_connection
        assert session is not None  # noqa: S101  it was just taken from the pool
        number = session.thread_id()
        try:
            return await super()._rows(connection, text, values)
        except asyncio.CancelledError:
            # Only here: once the rows are there, another asker may have the session.
            self._end(number)
            raise

    def _fault(self, error: DBAPIError) -> Exception:
        number = _number(error.orig)
        if number in LATE:
            return Fault(Reason.TIMEOUT)
        if isinstance(error, ProgrammingError | DataError) or number in OURS:
            return StatementFault(f"{type(error.orig).__name__} {number}")
        return Fault(again=True)

    async def close(self) -> None:
        """Dispose of the pool, once what was cancelled has ended."""
        await asyncio.gather(*self._ending)
        await super().close()

    def _end(self, number: int) -> None:
        """End a session behind the asker's back, so that he need not wait for it."""
        task = asyncio.get_running_loop().create_task(self._killed(number), name="kill")
        self._ending.add(task)
        task.add_done_callback(self._ending.discard)

    async def _killed(self, number: int) -> None:
        with contextlib.suppress(Exception):
            async with asyncio.timeout(END_S):
                session = await self._connect()
                try:
                    await _said(session, f"KILL {int(number)}")
                finally:
                    session.close()


def _connecting(address: URL, statement_s: float) -> Callable[[], Any]:
    """How a session is opened: with the driver of the address, ready to read."""
    dialect = dialect_of(address)
    driver = import_module(dialect.driver)
    _, options = dialect.create_connect_args(address)
    ready = READY.format(s=statement_s, ms=max(1, round(statement_s * 1_000)))
    opened = partial(driver.connect, **options, autocommit=True)

    async def connect() -> Any:
        # A handshake that is cancelled half way would leave its socket open.
        opening = asyncio.ensure_future(_opened(opened, ready))
        try:
            return await asyncio.shield(opening)
        except asyncio.CancelledError:
            opening.add_done_callback(_shut)
            raise

    return connect


async def _opened(connect: Callable[[], Any], ready: str) -> Any:
    session = await connect()
    try:
        await _said(session, ready)
    except BaseException:
        session.close()
        raise
    return session


def _shut(opening: asyncio.Future[Any]) -> None:
    if not opening.cancelled() and opening.exception() is None:
        opening.result().close()


async def _said(session: Any, text: str) -> None:
    async with session.cursor() as cursor:
        await cursor.execute(text)


def _number(error: BaseException | None) -> int:
    """The server's number of the error; 0 if it has none. Never its text."""
    number = error.args[0] if error is not None and error.args else None
    return number if isinstance(number, int) else 0
