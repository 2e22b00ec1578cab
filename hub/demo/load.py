"""Brings the register file of an invented county into a migrated store, all or nothing."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterator, Mapping
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

from sqlalchemy import Boolean, Column, Date, DateTime, Table
from sqlalchemy.engine import make_url

from store.cases import case_event, case_file
from store.complaints import complaint, complaint_event
from store.engine import open_engine
from store.register import citizen, household
from store.supervision import supervision_order
from store.work_orders import timeout_event, work_order

TABLES = (
    *(household, citizen, case_file, case_event, supervision_order),
    *(work_order, timeout_event, complaint, complaint_event),
)  # parents first
BY_DEEDS: Mapping[str, frozenset[str]] = {
    "case_file": frozenset(
        {
            *("version", "proxy_id", "proxy_relation", "consent_no", "clue_no", "expected_on"),
            *("decided_at", "notified_at", "delivered_at", "deliberated_at"),
        }
    ),
    "case_event": frozenset(
        {
            *("act", "note", "attendance", "votes_for", "satisfaction", "done_on"),
            *("channel", "expected_on"),
        }
    ),
    "work_order": frozenset({"extended_at", "extended_by", "extension_reason"}),
    "supervision_order": frozenset(
        {
            *("version", "node", "triggers", "send_backs", "escalated", "sharing_request_id"),
            *("sent_back_at", "result", "attachments"),
        }
    ),
}
"""Columns that only deeds fill: the county's cases were there before."""
CHUNK = 20_000  # rows in memory at a time: about 20 MB

Progress = Callable[[str, int], None]
"""Table, rows loaded so far."""


async def load_store(register: Path, url: str, progress: Progress | None = None) -> dict[str, int]:
    """Insert the register's rows into the store at `url`; rows per table.

    The store must be migrated and hold none of these rows; one transaction.
    """
    if make_url(url).get_backend_name() == "sqlite":
        return _load_sqlite(register, url, progress)
    return await _load_postgres(register, url, progress)


def _load_sqlite(register: Path, url: str, progress: Progress | None) -> dict[str, int]:
    counts = {}
    connection = sqlite3.connect(str(make_url(url).database), isolation_level=None)
    try:
        connection.execute("ATTACH DATABASE ? AS county", (str(register),))
        connection.execute("BEGIN IMMEDIATE")
        for table in TABLES:
            names = _names(table)
            copied = connection.execute(
                f"INSERT INTO main.{table.name} ({names}) "  # noqa: S608  our own table names
                f"SELECT {names} FROM county.{table.name} ORDER BY id"
            )
            counts[table.name] = copied.rowcount
            if progress:
                progress(table.name, copied.rowcount)
        connection.execute("COMMIT")
    finally:
        connection.close()
    return counts


async def _load_postgres(register: Path, url: str, progress: Progress | None) -> dict[str, int]:
    counts = dict.fromkeys((table.name for table in TABLES), 0)
    engine = open_engine(url, pool_size=1)
    try:
        async with engine.begin() as connection:
            raw: Any = (await connection.get_raw_connection()).driver_connection
            for table in TABLES:
                for rows in _chunks(register, table):
                    await raw.copy_records_to_table(
                        table.name, records=rows, columns=[c.name for c in _filled(table)]
                    )
                    counts[table.name] += len(rows)
                    if progress:
                        progress(table.name, counts[table.name])
    finally:
        await engine.dispose()
    return counts


def _chunks(register: Path, table: Table) -> Iterator[list[tuple[Any, ...]]]:
    read = [_reader(column.type) for column in _filled(table)]
    connection = sqlite3.connect(register)
    try:
        cursor = connection.execute(
            f"SELECT {_names(table)} FROM {table.name} ORDER BY id"  # noqa: S608  our own names
        )
        while rows := cursor.fetchmany(CHUNK):
            yield [
                tuple(None if v is None else r(v) for r, v in zip(read, row, strict=True))
                for row in rows
            ]
    finally:
        connection.close()


def _reader(kind: Any) -> Callable[[Any], Any]:
    if isinstance(kind, Boolean):
        return bool
    if isinstance(kind, DateTime):
        return lambda text: datetime.fromisoformat(text).replace(tzinfo=UTC)
    return date.fromisoformat if isinstance(kind, Date) else _same


def _same(value: Any) -> Any:
    return value


def _names(table: Table) -> str:
    return ", ".join(column.name for column in _filled(table))


def _filled(table: Table) -> list[Column[Any]]:
    later = BY_DEEDS.get(table.name, frozenset())
    return [column for column in table.columns if column.name not in later]
