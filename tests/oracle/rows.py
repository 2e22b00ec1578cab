"""Every row there is: the hub's own tables and the departments' files, as dictionaries.

Loaded once from the files themselves, in each data set's order, with an index a column.
"""

from __future__ import annotations

import json
import runpy
import sqlite3
import sys
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from adapters.crosswalk import place_spellings
from adapters.identity import spellings
from catalog.datasets import Dataset
from catalog.load import Catalog
from domain.staffing import Station, gaps, required
from hub.demo.department import program
from hub.demo.site import HTTP_SOURCE
from hub.rights import today
from store.derived import DERIVED

Row = dict[str, Any]
STORE = ("hub", "audit", "audit_proof")
MADE = ("source_status",)  # of what a running hub knows: no file holds its rows


class Tables:
    """Rows by data set. `store` is the hub's SQLite file, `sources` the departments' folder."""

    def __init__(self, store: Path, sources: Path, catalog: Catalog) -> None:
        self.catalog = catalog
        self._rows: dict[str, list[Row]] = {}
        for name, spec in catalog.sources.items():
            if name in MADE:
                continue
            file = store if name in STORE else sources / f"{name}.sqlite"
            connection = sqlite3.connect(file)
            connection.row_factory = sqlite3.Row
            for dataset in spec.datasets:
                if dataset.name == "staffing_gap":
                    self._rows[dataset.name] = _gaps(connection, dataset, catalog)
                    continue
                if dataset.table in DERIVED:  # of the officer's, whom the oracle does not play
                    continue
                read = _interface if name == HTTP_SOURCE else _table
                self._rows[dataset.name] = read(connection, dataset)
            connection.close()
        self._index: dict[tuple[str, str], dict[Any, list[Row]]] = {}
        self.places = {row["path"]: row["name"] for row in self._rows["division"]}

    def rows(self, name: str, /, **wanted: Any) -> list[Row]:
        """Rows in the data set's order whose raw columns have these values (None: any)."""
        given = {k: v for k, v in wanted.items() if v is not None}
        if not given:
            return self._rows[name]
        (column, value), *more = given.items()
        found = self._by(name, column).get(value, [])
        return [r for r in found if all(r[k] == v for k, v in more)]

    def _by(self, name: str, column: str) -> Mapping[Any, list[Row]]:
        """A table's rows by one column, in their order; made when first asked."""
        if (name, column) not in self._index:
            index: dict[Any, list[Row]] = defaultdict(list)
            for row in self._rows[name]:
                index[row[column]].append(row)
            self._index[name, column] = dict(index)
        return self._index[name, column]

    def of_person(self, dataset: Dataset, id18: str) -> list[Row]:
        """A department's rows of one person, in any spelling it is known to use."""
        texts = spellings(id18, dataset.key.formats)
        return self._of(dataset, dataset.key.columns[0], texts)

    def of_place(self, dataset: Dataset, path: str) -> list[Row]:
        """A department's rows of one village, by any of its names."""
        return self._of(dataset, KEY, place_spellings(self.catalog.divisions, path))

    def _of(self, dataset: Dataset, column: str, texts: Iterable[str]) -> list[Row]:
        by = self._by(dataset.name, column)
        found = [row for text in texts for row in by.get(text, ())]
        return sorted(found, key=lambda row: int(row[NUMBER]))


KEY, NUMBER = "(key)", "(number)"
"""Made beside a row's own columns: its key where several columns make one, its place in order."""


def _table(connection: sqlite3.Connection, dataset: Dataset) -> list[Row]:
    """The table and what it is joined to, sorted as the catalogue says by the file itself."""
    joined = "".join(
        f' LEFT JOIN "{j.table}" ON {_at(dataset, j.left)} = "{j.table}"."{j.right}"'
        for j in dataset.joins
    )
    names = [dataset.table, *(j.table for j in dataset.joins)]
    columns = [(n, c) for n in names for c in _columns(connection, n)]
    shown = ", ".join(f'"{n}"."{c}" AS "{n}.{c}"' for n, c in columns)
    order = [_at(dataset, c) + (" DESC" if down else "") for c, down in dataset.order]
    order += [f'"{dataset.table}".rowid']
    text = f'SELECT {shown} FROM "{dataset.table}"{joined} ORDER BY {", ".join(order)}'
    return [_named(dataset, dict(row), i) for i, row in enumerate(connection.execute(text))]


def _gaps(connection: sqlite3.Connection, dataset: Dataset, catalog: Catalog) -> list[Row]:
    """Gaps of staff as `domain` works them out of the accounts, counted one by one."""
    day, staff = today(), catalog.procedures.staffing(today())
    text = """SELECT DISTINCT a.id, p.dept, p.region_path FROM principal a JOIN post p
      ON p.principal_id = a.id WHERE a.state = 'active' AND a.kind = 'official'
      AND p.duty = 'work' AND p.starts_on <= ? AND p.ends_on >= ?"""
    people = connection.execute(text, (day.isoformat(), day.isoformat()))
    held = Counter(Station(one["dept"], one["region_path"]) for one in people)
    basis = {(code, row.level): row.ground.legal_basis for row in staff for code in row.departments}
    rows = []
    for gap in gaps(required(staff, catalog.divisions), held):
        level = catalog.divisions.by_path[gap.station.path].level
        row: Row = {
            "id": f"{gap.station.department}/{gap.station.path}",
            "department": gap.station.department,
            "region_path": gap.station.path,
            "level": level.value,
            "legal_basis": basis[gap.station.department, level],
        }
        rows.append({**row, "required": gap.required, "held": gap.held, "missing": gap.missing})
    rows.sort(key=lambda row: (row["region_path"], row["id"]))
    return [_named(dataset, row, number) for number, row in enumerate(rows)]


def _at(dataset: Dataset, name: str) -> str:
    owner, _, plain = name.rpartition(".")
    return f'"{owner or dataset.table}"."{plain}"'


def _columns(connection: sqlite3.Connection, table: str) -> list[str]:
    return [row["name"] for row in connection.execute(f'PRAGMA table_info("{table}")')]


def _named(dataset: Dataset, row: Row, number: int) -> Row:
    """By ``column`` and by ``table.column``; the first table's columns go without its name."""
    own = {k.removeprefix(f"{dataset.table}."): v for k, v in row.items()}
    key = "/".join(str(own.get(c)) for c in dataset.key.columns)
    return {**row, **own, KEY: key, NUMBER: number}


def insurance_code() -> dict[str, Any]:
    """The names of the department's own program, which finds a module beside itself."""
    file = program()
    sys.path.insert(0, str(file.parent))
    try:
        return runpy.run_path(str(file))
    finally:
        sys.path.remove(str(file.parent))


def _interface(connection: sqlite3.Connection, dataset: Dataset) -> list[Row]:
    """What the department's own program answers for everybody in its file."""
    ask = insurance_code()["INTERFACES"][dataset.table]
    every = connection.execute("SELECT certno FROM enrolment UNION SELECT certno FROM settlement")
    rows: list[Row] = ask(connection, json.dumps([row[0] for row in every]))
    for column, down in reversed(dataset.order):
        rows = sorted(rows, key=lambda row: str(row.get(column) or ""), reverse=down)
        rows.sort(key=lambda row: row.get(column) in (None, ""))
    return [{**row, KEY: None, NUMBER: i} for i, row in enumerate(rows)]
