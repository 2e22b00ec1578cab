"""One step of the subject index on SQLite, in a thread and with a connection of its own.

The file has one write lock. Bodies are read and taken apart before it is taken, and a step
writes few rows, so that an append waits some milliseconds for it.
"""

from __future__ import annotations

import json
import sqlite3

from audit.derived import SUBJECT_COLUMNS, index_rows
from audit.sqlite_link import SqliteLink

ROWS = 1_000  # index rows a step, or a record more: some 5 ms of the write lock
RECORDS = 256  # bodies read a step
BUSY_MS = 500  # the appends have the right of way

_CURSOR = "SELECT next_idx FROM audit_index WHERE id = 1"
_FRESH = "SELECT idx, body FROM audit_event WHERE idx >= ? ORDER BY idx LIMIT ?"
_MOVE = "UPDATE audit_index SET next_idx = ? WHERE id = 1 AND next_idx = ?"
_MARKS = ",".join("?" * len(SUBJECT_COLUMNS))
_INSERT = f"INSERT INTO audit_subject ({','.join(SUBJECT_COLUMNS)}) VALUES ({_MARKS})"  # noqa: S608  our own names


class SqliteIndex:
    """`file` must exist."""

    def __init__(self, file: str) -> None:
        self._link = SqliteLink(file, "audit-index", BUSY_MS, _unhurried)

    async def step(self) -> int:
        """Index some records; sqlite3.Error leaves nothing behind."""
        return await self._link.run(_step)

    async def reset(self) -> None:
        """Close; the next step connects anew."""
        await self._link.reset()

    async def close(self) -> None:
        """For good: the thread ends too."""
        await self._link.close()


def _unhurried(connection: sqlite3.Connection) -> None:
    # A power cut may undo the last step, rows and cursor together: the next start repeats it.
    connection.execute("PRAGMA synchronous=NORMAL")


def _step(connection: sqlite3.Connection) -> int:
    row = connection.execute(_CURSOR).fetchone()
    if row is None:
        raise LookupError("the index has no cursor")
    cursor: int = row[0]
    end, rows = _fresh(connection, cursor)
    if end > cursor:
        return _written(connection, cursor, end, rows)
    return cursor


def _fresh(
    connection: sqlite3.Connection, cursor: int
) -> tuple[int, list[tuple[bytes, int, int, str]]]:
    """(where the step ends, its index rows)."""
    end, rows = cursor, list[tuple[bytes, int, int, str]]()
    for idx, body in connection.execute(_FRESH, (cursor, RECORDS)).fetchall():
        rows.extend(index_rows(json.loads(body)))
        end = idx + 1
        if len(rows) >= ROWS:
            break
    return end, rows


def _written(
    connection: sqlite3.Connection, cursor: int, end: int, rows: list[tuple[bytes, int, int, str]]
) -> int:
    connection.execute("BEGIN IMMEDIATE")
    try:
        moved = connection.execute(_MOVE, (end, cursor)).rowcount == 1
        if moved:  # else another process was here meanwhile
            connection.executemany(_INSERT, rows)
        connection.execute("COMMIT")
    except BaseException:
        if connection.in_transaction:
            connection.execute("ROLLBACK")
        raise
    return end if moved else cursor
