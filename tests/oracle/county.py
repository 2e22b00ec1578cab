"""Copies of the county: with a log that has something in it, and with rows nobody would write.

Constraints stand in the way of a bad row, so the copy of the store loses its NOT NULLs; what
finds, orders or ties rows is left alone, or the answer would not be another value but another
question.
"""

from __future__ import annotations

import random
import shutil
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path

from sqlalchemy.ext.asyncio import AsyncConnection

from catalog.datasets import Dataset, Field, FieldType
from catalog.load import Catalog
from hub.demo.site import HTTP_SOURCE, Site
from resolvers.binding import Bindings, EdgeTo
from store import bulletins
from store.bulletins import Bulletin, FigureRow, PlaceRow, Ranking
from store.derived import DERIVED

NULL, ENUM, INT = "null", "enum", "int"
"""Kinds of damage: NULL where a value must be, a word no code table knows, beyond 32 bits."""
DIRTY_SHARE = 0.03  # of a large table's rows, a column and kind
SMALL = 200  # rows: of a smaller table only
FEW = 1  # cells a column are damaged, or no list of it would be answered
EVENTS = 40
RECORD = (
    *("idx", "id", "ts", "writer", "wseq", "kind", "outcome", "actor", "purpose", "area"),
    *("row_count", "subject_count", "break_glass", "part", "parts", "leaf", "body"),
)
DIRT = ("不明", "", "９９", "20991399", None)
"""What departments write where a date, an amount or a word of a code table should be."""


def copied(site: Site, folder: Path) -> Site:
    """The county's files again."""
    shutil.copytree(site.folder, folder)
    return Site(folder, site.scale, site.people, site.demonstrations)


def logged(store: Path) -> None:
    """Some records in the access log: times, numbers beyond 32 bits, words of two code tables."""
    with closing(sqlite3.connect(store)) as connection, connection:
        connection.executemany(
            f"INSERT INTO audit_event ({', '.join(RECORD)})"
            f" VALUES ({', '.join('?' * len(RECORD))})",
            [
                (
                    2**33 * (n > EVENTS // 2) + n,
                    f"00000000-0000-7000-8000-{n:012d}",
                    1_763_600_000_000_000 + n * 61_000_001,
                    "w",
                    n,
                    ("READ", "REJECTS")[n % 2],
                    ("OK", "DENIED", "PARTIAL")[n % 3],
                    ("lab", "office-01")[n % 2],
                    ("report", "audit", None)[n % 3],
                    "532622",
                    n,
                    n // 2,
                    False,
                    1,
                    1,
                    f"{n:064x}",
                    "{}",
                )
                for n in range(EVENTS)
            ],
        )


async def published(conn: AsyncConnection) -> None:
    """Some bulletins, figures with and without a value, and places on the lists."""
    at, who, sha = datetime(2026, 11, 3, tzinfo=UTC), "office-01", "a" * 64
    groups = (("COUNTY", "532622000000"), ("TOWNSHIP", "532622205000"))
    told = (("closed", "12", None), ("appeals", None, "NO_REGISTER"))
    figures = [FigureRow(*group, *figure) for group in groups for figure in told]
    for n in range(1, 10):
        made = Bulletin(f"2026-{n:02d}", at, who, "E", sha, "b" * 64, "{}", "{}")
        await bulletins.freeze(conn, made, ["[]"], figures)
    places = [
        place
        for kind, code in (("TOWNSHIP", "532622205000"), ("DEPARTMENT", "mca"))
        for place in (
            PlaceRow(kind, code, 30, 1, "99.5000", "RED", None, "appeals"),
            PlaceRow(kind, "none", 3, None, None, None, "TOO_FEW", "appeals"),
        )
    ]
    for n in (1, 2, 3):
        await bulletins.keep(conn, Ranking(f"2026-Q{n}", at, who, "E", sha, "{}"), places)


def damaged(site: Site, catalog: Catalog, bindings: Bindings, kinds: tuple[str, ...]) -> int:
    """Spoil cells of the hub's own rows and of the departments'; how many."""
    rng, done = random.Random("damage"), 0
    with closing(sqlite3.connect(site.folder / "store.sqlite")) as connection:
        _unconstrained(connection, catalog)
    with closing(sqlite3.connect(site.folder / "store.sqlite")) as connection, connection:
        for dataset, field, kind in _spoilt(catalog, bindings):
            if kind in kinds:
                done += _spoil(connection, dataset, field, kind, rng)
    for spec in catalog.sources.values():
        file = site.folder / "sources" / f"{spec.name}.sqlite"
        if spec.name != HTTP_SOURCE and file.is_file():
            with closing(sqlite3.connect(file)) as connection, connection:
                done += sum(_scribbled(connection, d, rng) for d in spec.datasets)
    return done


def _unconstrained(connection: sqlite3.Connection, catalog: Catalog) -> None:
    tables = [(d.table,) for d in catalog.sources["hub"].datasets]
    frozen = "SELECT name FROM sqlite_schema WHERE tbl_name = ? AND name LIKE '%_no_update'"
    for table in tables:
        for (name,) in connection.execute(
            f"{frozen} AND name LIKE '%_no_update'", table
        ).fetchall():
            connection.execute(f"DROP TRIGGER {name}")
    connection.execute("PRAGMA writable_schema=ON")
    connection.executemany(
        "UPDATE sqlite_schema SET sql = replace(sql, ' NOT NULL', '')"
        " WHERE type = 'table' AND name = ?",
        tables,
    )
    connection.commit()


def _spoilt(catalog: Catalog, bindings: Bindings) -> Iterator[tuple[Dataset, Field, str]]:
    """Columns of the hub's own rows that may be spoilt, and how."""
    ties = set(_ties(bindings))
    for dataset in catalog.sources["hub"].datasets:
        if dataset.table in DERIVED:  # no table whose cells could be spoilt
            continue
        bearing = _bearing(dataset)
        for field in dataset.fields:
            tied = (dataset.name, field.column) in ties
            if not field.exposed or tied or field.column in bearing:
                continue
            if not field.nullable:
                yield dataset, field, NULL
            if field.type is FieldType.CODE:
                yield dataset, field, ENUM
            if field.type is FieldType.INT:
                yield dataset, field, INT


def _ties(bindings: Bindings) -> Iterator[tuple[str, str]]:
    """Data set and column of both ends of every edge."""
    for coordinate, binding in bindings.by_coordinate.items():
        if isinstance(binding, EdgeTo):
            yield bindings.datasets[coordinate.partition(".")[0]], binding.parent
            yield binding.dataset, binding.child


def _bearing(dataset: Dataset) -> set[str]:
    """Columns by which rows are found, ordered and judged."""
    single = (
        dataset.region.column,
        dataset.owner,
        dataset.subject,
        dataset.birth,
        dataset.bound,
        dataset.party,
    )
    ordered = (column for column, _ in dataset.order)
    return {*dataset.key.columns, *ordered, *(c for c in single if c)}


def _spoil(
    connection: sqlite3.Connection,
    dataset: Dataset,
    field: Field,
    kind: str,
    rng: random.Random,
) -> int:
    table, column = dataset.table, field.column
    rows = [row[0] for row in connection.execute(f"SELECT rowid FROM {table} ORDER BY rowid")]
    few = FEW if len(rows) < SMALL else int(len(rows) * DIRTY_SHARE)
    value = {NULL: None, ENUM: "NO_SUCH", INT: 2**31}[kind]
    chosen = [(value, row) for row in rng.sample(rows, min(few, len(rows)))]
    connection.executemany(f"UPDATE {table} SET {column} = ? WHERE rowid = ?", chosen)
    return len(chosen)


def _scribbled(connection: sqlite3.Connection, dataset: Dataset, rng: random.Random) -> int:
    """A department's rows with values its own clerks would shake their heads at."""
    rows = [r[0] for r in connection.execute(f'SELECT rowid FROM "{dataset.table}" ORDER BY rowid')]
    kept = {*_bearing(dataset), dataset.person_name, *(n.parent for n in dataset.nests)}
    kept |= {j.left for j in dataset.joins}
    chosen = [
        (rng.choice(DIRT), row, field.column)
        for field in dataset.fields
        if field.column not in kept and "." not in field.column
        for row in rng.sample(rows, int(len(rows) * DIRTY_SHARE))
    ]
    for value, row, column in chosen:
        connection.execute(
            f'UPDATE "{dataset.table}" SET "{column}" = ? WHERE rowid = ?', (value, row)
        )
    return len(chosen)
