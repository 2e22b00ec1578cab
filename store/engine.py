"""Engines for the store: SQLite with the pragmas durability needs, or PostgreSQL.

`url` is an SQLAlchemy address; ``sqlite+aiosqlite:///FILE`` or ``postgresql+asyncpg://…``.
"""

from __future__ import annotations

import contextlib
import sqlite3
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

from sqlalchemy import event
from sqlalchemy.engine import make_url
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine, create_async_engine

ZONE = "Asia/Shanghai"  # of the sessions that write JSON
BUSY_MS = 2_000  # a writer that waits longer is answered AUDIT_UNAVAILABLE

WRITING = (
    "journal_mode=WAL",
    "synchronous=FULL",
    "foreign_keys=ON",
    f"busy_timeout={BUSY_MS}",
)
# A department's own file is read as it is: changing its journal mode would write to it.
READING = (f"busy_timeout={BUSY_MS}", "query_only=ON")


def open_engine(url: str, *, pool_size: int = 4, readonly: bool = False) -> AsyncEngine:
    """An async engine; no connection is made yet.

    SQLite: WAL, synchronous FULL (a commit is on disk when it returns), foreign keys on;
    `readonly` writes nothing: no pragma that lasts, no file where there is none.
    PostgreSQL: `pool_size` connections, UTC.
    """
    address = make_url(url)
    if address.get_backend_name() == "sqlite":
        engine = create_async_engine(url, pool_size=pool_size)
        if address.database:
            file = Path(address.database)
            needed = file if readonly else file.parent
            event.listen(engine.sync_engine, "do_connect", _existing(needed))
        event.listen(engine.sync_engine, "connect", _pragmas(readonly))
        return engine
    settings = {"timezone": "UTC", "application_name": "hub"}
    if readonly:
        settings["default_transaction_read_only"] = "on"
    return create_async_engine(
        url, pool_size=pool_size, max_overflow=0, connect_args={"server_settings": settings}
    )


@contextlib.asynccontextmanager
async def single(url: str, *, readonly: bool = False) -> AsyncIterator[AsyncConnection]:
    """One connection for one deed in one transaction, committed at the end; then all is closed."""
    engine = open_engine(url, pool_size=1, readonly=readonly)
    try:
        async with engine.begin() as connection:
            yield connection
    finally:
        await engine.dispose()


def _existing(needed: Path) -> Any:
    """Refuse before the driver opens: it makes a missing file, and failing leaves a thread."""

    def on_do_connect(*_: object) -> None:
        if not needed.exists():
            raise sqlite3.OperationalError("no such file or folder")

    return on_do_connect


def _pragmas(readonly: bool) -> Any:
    def on_connect(connection: Any, _record: object) -> None:
        cursor = connection.cursor()
        for pragma in READING if readonly else WRITING:
            cursor.execute(f"PRAGMA {pragma}")
        cursor.close()

    return on_connect
