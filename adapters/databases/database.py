"""A database that answers statements: how the SQL sources reach their drivers.

SQLAlchemy builds the statements; a warm read goes past it, straight to the driver. What a
driver raises is told in three words only, because its texts hold statements and values:
StatementFault (ours), Fault DOWN (worth a second try) and Fault TIMEOUT.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any, Protocol

from sqlalchemy.engine import URL, Dialect, make_url
from sqlalchemy.exc import DataError, DBAPIError, ProgrammingError, SQLAlchemyError
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine, create_async_engine

from adapters.databases.row_mode import MARIADB_NAMES, POSITIONAL, json_of
from adapters.resilience import Fault
from store.engine import open_engine

Row = tuple[Any, ...]


class StatementFault(RuntimeError):
    """The database refused a statement of ours; names the driver's error class, no value."""


class Database(Protocol):
    """One address. `dialect` renders its statements; connections are made on demand."""

    dialect: Dialect

    async def fetch(
        self, text: str, values: Sequence[Any], reach: str | None = None
    ) -> Sequence[Row]:
        """All rows of one statement, by position. StatementFault, or Fault.

        `reach`: the township beyond which a database that locks by place gives no row.
        If the asker is cancelled, the statement is stopped in the database, and no other
        asker is handed a connection that is still busy with it.
        """

    async def close(self) -> None:
        """Give every connection back. Harmless twice; a later fetch opens anew."""


def open_database(url: str, *, statement_s: float, locked: bool = False) -> Database:
    """The database of an SQLAlchemy address, for reading only; nothing is opened yet.

    PostgreSQL and MariaDB by themselves stop a statement that runs for `statement_s`; PostgreSQL,
    if it is `locked` (`store/row_lock.py`), keeps each statement to its reach.
    """
    address = make_url(url)
    if address.drivername == "postgresql+asyncpg":
        from adapters.databases.postgres_pool import (
            PostgresPool,  # its driver is not always installed
        )

        return PostgresPool(address, statement_s=statement_s, locked=locked)
    if address.drivername == "sqlite+aiosqlite" and address.database and not address.query:
        from adapters.databases.sqlite_pool import SqlitePool

        return SqlitePool(Path(address.database), dialect_of(address))
    if address.get_backend_name() in MARIADB_NAMES:
        from adapters.databases.mariadb import MariaDatabase

        return MariaDatabase(address, statement_s=statement_s)
    ours = json_of(dialect_of(address)) is not None
    return EngineDatabase(open_engine(url, readonly=True) if ours else _strange_engine(address))


def _strange_engine(address: URL) -> AsyncEngine:
    """Of a database only SQLAlchemy knows; values go by position, for lists are put in by us."""
    engine = create_async_engine(address)
    style = POSITIONAL.get(engine.dialect.paramstyle)
    return create_async_engine(address, paramstyle=style) if style else engine


def dialect_of(address: URL) -> Dialect:
    """The dialect that renders statements for this address."""
    made: Dialect = address.get_dialect()()
    return made


class EngineDatabase:
    """Any other address, through SQLAlchemy's own engine and pool."""

    def __init__(self, engine: AsyncEngine) -> None:
        self.dialect: Dialect = engine.dialect
        self._engine = engine

    async def fetch(
        self, text: str, values: Sequence[Any], _reach: str | None = None
    ) -> Sequence[Row]:
        """All rows, as plain tuples."""
        try:
            async with self._engine.connect() as connection:
                return await self._rows(connection, text, tuple(values))
        except DBAPIError as error:
            raise self._fault(error) from None
        except (TypeError, ValueError) as error:  # a driver that could not write a value down
            raise StatementFault(type(error).__name__) from None
        except (SQLAlchemyError, OSError, EOFError):
            raise Fault(again=True) from None

    async def _rows(
        self, connection: AsyncConnection, text: str, values: tuple[Any, ...]
    ) -> Sequence[Row]:
        result = await connection.exec_driver_sql(text, values)
        return [tuple(row) for row in result]

    def _fault(self, error: DBAPIError) -> Exception:
        """Ours or the source's: one of ours must not open the breaker for everybody."""
        if isinstance(error, ProgrammingError | DataError):
            return StatementFault(type(error.orig).__name__)
        return Fault(again=True)

    async def close(self) -> None:
        """Dispose of the pool."""
        await self._engine.dispose()
