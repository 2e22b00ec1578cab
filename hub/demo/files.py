"""SQLite files with the same bytes for the same rows: fixed page size, no journal, no clock."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

PAGE_BYTES = 4096  # fixed, since a default may differ between builds

Rows = Mapping[str, Sequence[tuple[Any, ...]]]


@dataclass(frozen=True, slots=True)
class Sheet:
    """A table as its department made it: ``column TYPE`` texts and the columns searched by."""

    name: str
    columns: tuple[str, ...]
    searched: tuple[tuple[str, ...], ...] = ()

    @property
    def insert(self) -> str:
        """INSERT with one mark a column."""
        marks = ", ".join("?" * len(self.columns))
        return f'INSERT INTO "{self.name}" VALUES ({marks})'  # noqa: S608  our own table names

    @property
    def create(self) -> str:
        """CREATE TABLE with declared types: without them SQLite leaves its indexes unused."""
        columns = ", ".join(f'"{c.split()[0]}" {c.split()[1]}' for c in self.columns)
        return f'CREATE TABLE "{self.name}" ({columns})'

    def indexes(self) -> Iterable[str]:
        """CREATE INDEX statements, for after the rows."""
        for number, columns in enumerate(self.searched):
            names = ", ".join(f'"{c}"' for c in columns)
            yield f'CREATE INDEX "ix_{self.name}_{number}" ON "{self.name}" ({names})'


def texts(names: str) -> tuple[str, ...]:
    """Columns that are all TEXT, as department systems like them."""
    return tuple(f"{name} TEXT" for name in names.split())


def mixed(names: str, *whole: str) -> tuple[str, ...]:
    """Columns that are TEXT but for those of whole numbers."""
    return tuple(f"{name} {'INTEGER' if name in whole else 'TEXT'}" for name in names.split())


class RowFile:
    """One new SQLite file that is filled village by village and then closed."""

    def __init__(self, path: Path, sheets: Sequence[Sheet]) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        for old in (path, path.with_name(path.name + "-wal"), path.with_name(path.name + "-shm")):
            old.unlink(missing_ok=True)
        self._sheets = {sheet.name: sheet for sheet in sheets}
        self._connection = sqlite3.connect(path, isolation_level=None)
        self._connection.execute(f"PRAGMA page_size={PAGE_BYTES}")
        # A file that is half written is thrown away with the county: no journal needed.
        self._connection.execute("PRAGMA journal_mode=OFF")
        self._connection.execute("PRAGMA synchronous=OFF")
        self._connection.execute("BEGIN")
        for sheet in sheets:
            self._connection.execute(sheet.create)
        self.counts = dict.fromkeys(self._sheets, 0)

    def put(self, rows: Rows) -> None:
        """Append rows to their tables."""
        for name, some in rows.items():
            self._connection.executemany(self._sheets[name].insert, some)
            self.counts[name] += len(some)

    def close(self) -> None:
        """Build the indexes and finish the file."""
        for sheet in self._sheets.values():
            for statement in sheet.indexes():
                self._connection.execute(statement)
        self._connection.execute("COMMIT")
        self._connection.close()
