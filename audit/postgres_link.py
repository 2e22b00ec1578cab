"""One connection to PostgreSQL that belongs to one task, made when first needed."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from typing import Any

from sqlalchemy.engine import URL
from sqlalchemy.ext.asyncio import AsyncConnection, create_async_engine
from sqlalchemy.pool import NullPool

COMMAND_S = 5.0  # the server does not answer at all

Opened = Callable[[Any], Awaitable[None]]


class PostgresLink:
    """`url` as SQLAlchemy reads it, with asyncpg as its driver; `session` are settings."""

    def __init__(self, url: URL, session: Mapping[str, str], command_s: float = COMMAND_S) -> None:
        self._engine = create_async_engine(
            url,
            poolclass=NullPool,
            connect_args={
                "server_settings": dict(session),
                "command_timeout": command_s,
                "max_cached_statement_lifetime": 0,  # few statements, prepared once
            },
        )
        self._connection: AsyncConnection | None = None
        self._driver: Any = None
        self._ready = False

    async def driver(self, opened: Opened | None = None) -> Any:
        """asyncpg's connection; `opened` may refuse a new one."""
        if not self._ready:
            await self.reset()
            self._connection = await self._engine.connect()
            self._driver = (await self._connection.get_raw_connection()).driver_connection
            if opened is not None:
                await opened(self._driver)
            self._ready = True
        return self._driver

    async def reset(self) -> None:
        """Cut the connection; the server rolls back what was not committed."""
        connection, driver = self._connection, self._driver
        self._connection, self._driver, self._ready = None, None, False
        if driver is not None:
            driver.terminate()
        if connection is not None:
            await connection.invalidate()
            await connection.close()

    async def close(self) -> None:
        """For good."""
        await self.reset()
        await self._engine.dispose()
