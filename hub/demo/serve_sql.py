"""A source's SQLite file brought into a server, as that department has it: MariaDB or PostgreSQL.

MariaDB: utf8mb3 tables, as of systems older than four bytes a character: those become '?'.
PostgreSQL: what the department calls ``v_…`` are views over its tables, made for others to read.
"""

from __future__ import annotations

import re
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

from sqlalchemy import Column, Index, MetaData, String, Table, Text, create_engine, text
from sqlalchemy.engine import Connection, make_url
from sqlalchemy.ext.asyncio import create_async_engine

CHUNK = 1_000  # rows of an INSERT
LONGEST = 255  # characters of a column in MariaDB: what its index can hold
VIEW = "v_"
_FOUR_BYTES = re.compile("[\U00010000-\U0010ffff]")


async def serve_sql(file: Path, url: str, reader: str | None = None) -> dict[str, int]:
    """Make the file's tables, rows and indexes anew in the database at `url`; rows per table.

    `url` is an asyncio address of an account that may make tables. `reader`: an account there
    that may read them from now on, and nothing else.
    """
    address = make_url(url)
    maria = address.get_backend_name() in ("mysql", "mariadb")
    if maria:
        address = address.update_query_dict({"charset": "utf8mb4"})
    tables = _tables(file, maria)
    engine = create_async_engine(address)
    try:
        async with engine.begin() as connection:
            await connection.run_sync(_make, tables)
            counts = {}
            for name, table in tables.items():
                counts[name] = 0
                for rows in _chunks(file, name, table, maria):
                    await connection.execute(table.insert(), rows)
                    counts[name] += len(rows)
            await connection.run_sync(_finish, tables, reader)
            return counts
    finally:
        await engine.dispose()


def _tables(file: Path, maria: bool) -> dict[str, Table]:
    """Name in the file -> the server's own table, with its indexes."""
    source = create_engine(f"sqlite:///{file}")
    written = MetaData()
    written.reflect(source)
    source.dispose()
    made = MetaData()
    return {t.name: _table(t, made, maria) for t in written.sorted_tables}


def _table(written: Table, made: MetaData, maria: bool) -> Table:
    kind: Any = String(LONGEST) if maria else Text()
    name = written.name if maria else written.name.removeprefix(VIEW)
    columns = [Column(c.name, kind) for c in written.columns]
    table = Table(name, made, *columns, mysql_charset="utf8mb3")
    for index in written.indexes:
        Index(index.name, *(table.c[c.name] for c in index.columns))
    return table


def _make(connection: Connection, tables: dict[str, Table]) -> None:
    quote = connection.dialect.identifier_preparer.quote
    views = [name for name, table in tables.items() if table.name != name]
    for name in views:
        connection.execute(text(f"DROP VIEW IF EXISTS {quote(name)}"))
    for table in tables.values():
        table.drop(connection, checkfirst=True)
        table.create(connection)
    for name in views:
        base = quote(tables[name].name)
        connection.execute(text(f"CREATE VIEW {quote(name)} AS SELECT * FROM {base}"))  # noqa: S608


def _finish(connection: Connection, tables: dict[str, Table], reader: str | None) -> None:
    """The reader's right, and the planner's figures."""
    quote = connection.dialect.identifier_preparer.quote
    for name, table in tables.items():
        if reader is not None:
            connection.execute(text(f"GRANT SELECT ON {quote(name)} TO {quote(reader)}"))
        if connection.dialect.name == "postgresql":
            connection.execute(text(f"ANALYZE {quote(table.name)}"))


def _chunks(file: Path, name: str, table: Table, maria: bool) -> Iterator[list[dict[str, Any]]]:
    columns = [c.name for c in table.columns]
    with closing(sqlite3.connect(file)) as connection:
        cursor = connection.execute(f'SELECT * FROM "{name}"')  # noqa: S608  our own table names
        while rows := cursor.fetchmany(CHUNK):
            yield [
                {c: _lost(v) if maria else v for c, v in zip(columns, row, strict=True)}
                for row in rows
            ]


def _lost(value: Any) -> Any:
    return _FOUR_BYTES.sub("?", value) if isinstance(value, str) else value
