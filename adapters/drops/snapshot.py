"""The snapshot of a drop folder: one SQLite file, made anew for every delivery, never changed.

    lock ──► new file beside ──► other tables copied, one replaced, indexes ──► fsync ──► rename

Whoever reads has the old file or the new one, whole. Who is killed leaves a ``.part`` file that
the next who holds the lock removes. Beside the departments' tables stands ``__delivery``: every
delivery that was ever loaded; the one of a table that stands now is `current`.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import sqlite3
import tempfile
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from urllib.parse import quote

from adapters.drops.sheet import Row
from catalog.datasets import Dataset, Decode, Layout, SourceSpec
from catalog.errors import Readable

LEDGER = (
    'CREATE TABLE "__delivery" ("table" TEXT, "file" TEXT, "sha256" TEXT, "as_of" TEXT,'
    ' "rows" INTEGER, "loaded_at" TEXT, "current" INTEGER)'
)
ASKED = (
    'SELECT "table", "file", "sha256", "as_of", "rows", "loaded_at", "current" FROM "__delivery"'
)
NOTED = 'INSERT INTO "__delivery" VALUES (?, ?, ?, ?, ?, ?, ?)'


class SnapshotBroken(Readable):
    """The snapshot that stands is no snapshot, or a new one cannot be written; what to do."""


@dataclass(frozen=True, slots=True)
class Shape:
    """One table of a source as its files bring it.

    `names` of its data sets; `columns` the wanted ones, in order, and how each is written; `keys`
    the columns, joined by ``/``, that rows are found by.
    """

    table: str
    names: tuple[str, ...]
    columns: Mapping[str, Decode]
    keys: tuple[tuple[str, ...], ...]
    layout: Layout


@dataclass(frozen=True, slots=True)
class Delivery:
    """One line of ``__delivery``; both times aware."""

    table: str
    file: str
    sha256: str
    as_of: datetime
    rows: int
    loaded_at: datetime
    current: bool


def shapes(spec: SourceSpec) -> tuple[Shape, ...]:
    """The tables that a source's data sets are read from, in the order of the catalogue."""
    names: dict[str, list[str]] = {}
    columns: dict[str, dict[str, Decode]] = {}
    keys: dict[str, dict[tuple[str, ...], None]] = {}
    layouts: dict[str, Layout] = {}
    for dataset in spec.datasets:
        names.setdefault(dataset.table, []).append(dataset.name)
        layouts.setdefault(dataset.table, dataset.layout)
        for column, decode in _columns(dataset):
            table, plain = _owner(dataset, column)
            columns.setdefault(table, {}).setdefault(plain, decode)
        for nest in dataset.nests:
            below = next(d for d in spec.datasets if d.name == nest.dataset)
            table, plain = _owner(below, nest.child)
            columns.setdefault(table, {}).setdefault(plain, Decode.PLAIN)
            keys.setdefault(table, {})[(plain,)] = None
        for key in _keys(dataset):
            table = _owner(dataset, key[0])[0]
            keys.setdefault(table, {})[tuple(_owner(dataset, c)[1] for c in key)] = None
    return tuple(
        Shape(
            table,
            tuple(names.get(table, ())),
            found,
            tuple(keys.get(table, ())),
            layouts.get(table, Layout()),
        )
        for table, found in columns.items()
    )


def _columns(dataset: Dataset) -> Iterator[tuple[str, Decode]]:
    for field in dataset.fields:
        yield field.column, field.decode
    others = [*dataset.key.columns, *(name for name, _ in dataset.order)]
    others += [n.parent for n in dataset.nests]
    for join in dataset.joins:
        others += [join.left, f"{join.table}.{join.right}"]
    single = (dataset.person_name, dataset.region.column, dataset.owner, dataset.party)
    others += [c for c in (*single, dataset.subject, dataset.birth, dataset.bound) if c]
    for column in others:
        yield column, Decode.PLAIN


def _keys(dataset: Dataset) -> Iterator[tuple[str, ...]]:
    yield dataset.key.columns
    for join in dataset.joins:
        yield (f"{join.table}.{join.right}",)


def _owner(dataset: Dataset, column: str) -> tuple[str, str]:
    table, _, plain = column.rpartition(".")
    return table or dataset.table, plain


# -- reading


def deliveries(snapshot: Path) -> tuple[Delivery, ...]:
    """All that was ever loaded, oldest first; none without a snapshot. SnapshotBroken."""
    if not snapshot.exists():
        return ()
    try:
        with contextlib.closing(_opened(snapshot)) as connection:
            return tuple(delivery(row) for row in connection.execute(ASKED))
    except (sqlite3.Error, ValueError):
        raise SnapshotBroken(
            f"快照 {snapshot.name} 已损坏：请移走它，再重新载入各表最新的文件"
        ) from None


def delivery(row: Sequence[object]) -> Delivery:
    """A row of `ASKED`."""
    table, file, sha256, as_of, rows, loaded_at, current = row
    return Delivery(
        str(table),
        str(file),
        str(sha256),
        datetime.fromisoformat(str(as_of)),
        int(str(rows)),
        datetime.fromisoformat(str(loaded_at)),
        bool(current),
    )


def columns_of(snapshot: Path, table: str) -> tuple[str, ...]:
    """The columns a table of the snapshot has; none if it has no such table."""
    if not snapshot.exists():
        return ()
    with contextlib.closing(_opened(snapshot)) as connection:
        found = connection.execute("SELECT name FROM pragma_table_info(?)", (table,))
        return tuple(str(name) for (name,) in found)


def _opened(file: Path) -> sqlite3.Connection:
    return sqlite3.connect(f"file:{quote(str(file))}?mode=ro", uri=True, isolation_level=None)


# -- writing


@contextlib.contextmanager
def locked(snapshot: Path) -> Iterator[None]:
    """One loader at a time, others wait; the lock goes with its process, whatever ends it."""
    snapshot.parent.mkdir(parents=True, exist_ok=True)
    with snapshot.with_name(snapshot.name + ".lock").open("a") as handle:
        fcntl.flock(handle, fcntl.LOCK_EX)
        # INVARIANT: the lock is held, so a part file belongs to nobody who lives.
        for part in snapshot.parent.glob(f".{snapshot.name}.*.part*"):
            part.unlink(missing_ok=True)
        yield


def replace_table(
    snapshot: Path,
    shape: Shape,
    rows: Iterable[Row],
    told: Delivery,
    *,
    before_it_stands: Callable[[], None],
) -> None:
    """A new snapshot with this table replaced takes the old one's place. Holding the lock.

    `before_it_stands` is called when it is whole and on the disk. SnapshotBroken if it cannot be
    written; the old one then stands, as it does if `rows` or `before_it_stands` raise.
    """
    handle, name = tempfile.mkstemp(".part", f".{snapshot.name}.", snapshot.parent)
    part = Path(name)
    try:
        os.close(handle)
        with contextlib.closing(sqlite3.connect(part, isolation_level=None)) as connection:
            _fill(connection, snapshot, shape, rows, told)
        _synced(part)
        before_it_stands()
        part.replace(snapshot)
        _synced(snapshot.parent)
    except (sqlite3.Error, OSError):
        raise SnapshotBroken(
            f"快照 {snapshot.name} 未能写出，原快照不变：请检查磁盘空间与目录权限"
        ) from None
    finally:
        part.unlink(missing_ok=True)  # there only if it was not renamed


def _fill(
    connection: sqlite3.Connection,
    snapshot: Path,
    shape: Shape,
    rows: Iterable[Row],
    told: Delivery,
) -> None:
    # A file that is half written is thrown away: no journal, and one fsync at the end.
    connection.execute("PRAGMA journal_mode=OFF")
    connection.execute("PRAGMA synchronous=OFF")
    connection.execute("BEGIN")
    connection.execute(LEDGER)
    _new_table(connection, shape, rows)  # first, for it may be refused
    old = deliveries(snapshot)
    if old:
        _take_over(connection, snapshot, but=shape.table)
    for one in old:
        stands = one.current and one.table != shape.table
        connection.execute(NOTED, _line(one, stands))
    connection.execute(NOTED, _line(told, told.current))
    connection.execute("COMMIT")


def _take_over(connection: sqlite3.Connection, snapshot: Path, *, but: str) -> None:
    """Every table of the old snapshot with its indexes, but one."""
    with contextlib.closing(_opened(snapshot)) as before:
        made = "SELECT type, name, sql FROM sqlite_master WHERE tbl_name NOT IN (?, '__delivery')"
        for kind, name, statement in before.execute(f"{made} ORDER BY type DESC", (but,)):
            if kind == "table":
                connection.execute(statement)
                rows = before.execute(f"SELECT * FROM {_quoted(name)}")  # noqa: S608
                marks = ", ".join("?" * len(rows.description))
                connection.executemany(
                    f"INSERT INTO {_quoted(name)} VALUES ({marks})",  # noqa: S608
                    rows,
                )
            elif statement is not None:
                connection.execute(statement)


def _new_table(connection: sqlite3.Connection, shape: Shape, rows: Iterable[Row]) -> None:
    table = _quoted(shape.table)
    columns = ", ".join(f"{_quoted(name)} TEXT" for name in shape.columns)
    marks = ", ".join("?" * len(shape.columns))
    connection.execute(f"CREATE TABLE {table} ({columns})")
    connection.executemany(f"INSERT INTO {table} VALUES ({marks})", rows)  # noqa: S608
    for number, key in enumerate(shape.keys):
        # The very expression that rows are searched by (adapters/databases/statement.py), or SQLite
        # would not use the index.
        searched = " || '/' || ".join(_quoted(column) for column in key)
        index = _quoted(f"ix_{shape.table}_{number}")
        connection.execute(f"CREATE INDEX {index} ON {table} ({searched})")


def _line(one: Delivery, current: bool) -> tuple[object, ...]:
    moments = (one.as_of, one.loaded_at)
    as_of, loaded_at = (moment.astimezone(UTC).isoformat() for moment in moments)
    return one.table, one.file, one.sha256, as_of, one.rows, loaded_at, int(current)


def _quoted(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'


def _synced(path: Path) -> None:
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
