"""How a migration meets the database: one connection, one transaction, no endless waiting.

`store/migrate.py` hands its connection over in ``config.attributes``; the plain ``alembic``
command (``make migration``) names an address with ``-x url=…``.
"""

from __future__ import annotations

import asyncio

from alembic import context
from sqlalchemy import Connection, text

from store.engine import open_engine
from store.tables import metadata

LOCK_WAIT = "2s"  # a migration that waits for a reader makes every later reader wait
STATEMENT_LIMIT = "60s"  # what takes longer belongs into a step of its own
MIGRATION_LOCK = 532_622_000_001  # any number nobody else uses: one migration at a time


def main() -> None:
    """Run with the connection given, or with one of our own."""
    connection = context.config.attributes.get("connection")
    if connection is not None:
        migrate(connection)
        return
    url = context.get_x_argument(as_dictionary=True).get("url")
    if url is None:
        raise SystemExit("alembic: name the store with -x url=sqlite+aiosqlite:///FILE")
    asyncio.run(_connect(url))


async def _connect(url: str) -> None:
    engine = open_engine(url, pool_size=1)
    async with engine.connect() as connection:
        await connection.run_sync(migrate)
    await engine.dispose()


def migrate(connection: Connection) -> None:
    """All pending migrations in one transaction: a failure leaves the old shape whole."""
    context.configure(
        connection=connection,
        target_metadata=metadata,
        compare_type=True,
        transactional_ddl=True,
        transaction_per_migration=False,
    )
    with connection.begin():
        guard(connection)
        context.run_migrations()


def guard(connection: Connection) -> None:
    """Keep a second migration out, and keep from waiting long for anyone."""
    if connection.dialect.name == "sqlite":
        connection.exec_driver_sql("BEGIN IMMEDIATE")
        return
    connection.execute(text(f"SET LOCAL lock_timeout = '{LOCK_WAIT}'"))
    connection.execute(text(f"SET LOCAL statement_timeout = '{STATEMENT_LIMIT}'"))
    connection.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": MIGRATION_LOCK})


main()
