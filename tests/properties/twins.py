"""A second county that differs from the first in nothing that one asker may see.

What he may see is judged row by row and cell by cell by the second judge
(`tests/oracle/rights.py`), without Scope or Lens. Rows he may not see vanish or are written over;
a cell he may not see gets another value, a masked one another value that its mask leaves alike.

Left alone even where it is hidden, because it is told on purpose:

- by which columns rows are found, tied and ordered: a department's rows stand in its own order;
- id numbers of persons who are seen, by which departments' rows are found;
- names that a department writes too: a match grade says whether both agree.
"""

from __future__ import annotations

import random
import sqlite3
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any

from adapters.identity import canonical
from catalog.datasets import Dataset, Field, FieldType, KeyKind
from catalog.grades import Mask
from catalog.load import Catalog
from catalog.states import FieldState
from hub.demo.site import HTTP_SOURCE, Site
from resolvers.binding import Bindings, EdgeTo
from store.derived import DERIVED
from tests.oracle.county import copied
from tests.oracle.rights import Judge, acts, place

Row = dict[str, Any]
NOTHING_LEFT = (Mask.HIDE, Mask.BAND)
VANISH = 0.5  # of the unseen rows; the others are written over
ROWID = "(rowid)"


@dataclass
class Twin:
    """The second county while it is made; `changed` counts what was done to it, by kind."""

    site: Site
    judge: Judge
    catalog: Catalog
    bindings: Bindings
    rng: random.Random
    changed: Counter[str]

    # -- the hub's own rows

    def register(self, known: frozenset[str]) -> dict[str, list[Row]]:
        """Change the store; seen persons by id number. `known`: numbers departments write."""
        seen: dict[str, list[Row]] = defaultdict(list)
        with closing(_opened(self.site.folder / "store.sqlite")) as connection, connection:
            for dataset in self.catalog.sources["hub"].datasets:
                if dataset.table in DERIVED:  # made of accounts, which are the same in both
                    continue
                table = _Table(connection, dataset.table)
                for row in table.rows:
                    if not self.judge.admits(dataset, row, acts(dataset)):
                        self._unseen(table, row, self._free(dataset, row, known, seen=False))
                        continue
                    if dataset.name == "citizen" and row["id18"]:
                        seen[row["id18"]].append(dict(row))
                    self._seen(table, dataset, row, self._free(dataset, row, known, seen=True))
        return seen

    def _free(
        self, dataset: Dataset, row: Row, known: frozenset[str], *, seen: bool
    ) -> list[Field]:
        """Columns whose value is told by nothing but the cell itself."""
        kept = _bearing(dataset) | _ties(dataset, self.bindings)
        if dataset.name == "citizen" and seen:
            kept |= {"id18"} | ({"name"} if row["id18"] in known else set())
        return [f for f in dataset.fields if f.column not in kept or f.column == dataset.birth]

    def _unseen(self, table: _Table, row: Row, free: Iterable[Field]) -> None:
        if self.rng.random() < VANISH:
            table.remove(row)
            self.changed["rows gone"] += 1
            return
        for field in free:
            other = row[field.column]
            if field.type is not FieldType.DATE:
                other = table.other(field.column, self.rng)
            table.write(row, field.column, other)
        self.changed["rows written over"] += 1

    def _seen(self, table: _Table, dataset: Dataset, row: Row, free: Iterable[Field]) -> None:
        day = self.judge.asker.day
        for field in free:
            state, value = self.judge.state(dataset, row, field.name), row[field.column]
            if state is FieldState.OK:
                continue
            if field.column == dataset.birth:
                wrong: Any = another_birthday(value, day)
            elif state is FieldState.MASKED and field.mask not in NOTHING_LEFT:
                wrong = alike(field.mask, value, self.rng)
            else:
                wrong = table.other(field.column, self.rng)
            if wrong != value:
                table.write(row, field.column, wrong)
                self.changed[f"{state} cells"] += 1

    # -- departments' rows

    def department(self, file: Path, datasets: Sequence[Dataset], seen: Seen) -> None:
        """Change a department's file: rows of persons, found by their number."""
        used = Counter(d.table for d in datasets)
        used.update(j.table for d in datasets for j in d.joins)
        with closing(_opened(file)) as connection, connection:
            for dataset in datasets:
                if dataset.key.kind is KeyKind.IDENTITY:
                    table = _Table(connection, dataset.table)
                    for row in table.rows:
                        self._record(table, dataset, row, seen, alone=used[dataset.table] == 1)

    def _record(
        self, table: _Table, dataset: Dataset, row: Row, seen: Seen, *, alone: bool
    ) -> None:
        citizen, day = self.catalog.datasets["citizen"], self.judge.asker.day
        whose = seen.get(number_of(dataset, row) or "", [])
        places = [place(citizen, one, day) for one in whose]
        if not any(self.judge.facet(dataset, at) for at in places):
            if alone:
                table.remove(row)
                self.changed["records gone"] += 1
            return
        for field in _writable(dataset, table):
            states = {self.judge.facet_state(dataset, at, field.name) for at in places}
            hidden = states == {FieldState.DENIED} or field.mask in NOTHING_LEFT
            if FieldState.OK not in states and hidden:
                table.write(row, field.column, table.other(field.column, self.rng))
                self.changed["cells of records"] += 1


Seen = Mapping[str, list[Row]]
"""Persons who are seen, by id number."""


def twin(
    site: Site, folder: Path, judge: Judge, catalog: Catalog, bindings: Bindings
) -> tuple[Site, Counter[str]]:
    """The second county in `folder`, and what differs in it, counted by kind."""
    copy = copied(site, folder)
    rng = random.Random(f"twin/{judge.asker.principal_id}/{judge.asker.purpose}")
    made = Twin(copy, judge, catalog, bindings, rng, Counter())
    files = {
        spec.name: copy.folder / "sources" / f"{spec.name}.sqlite"
        for spec in catalog.sources.values()
        if spec.name != HTTP_SOURCE and (copy.folder / "sources" / f"{spec.name}.sqlite").is_file()
    }
    known = frozenset(
        number
        for name, file in files.items()
        for number in _numbers(file, catalog.sources[name].datasets)
    )
    seen = made.register(known)
    for name, file in files.items():
        made.department(file, catalog.sources[name].datasets, seen)
    return copy, made.changed


# ---- values ------------------------------------------------------------------------------------


def alike(mask: Mask, value: str | None, rng: random.Random) -> str | None:
    """Another text of which the mask leaves the same."""
    if value is None:
        return None
    if mask is Mask.SURNAME:
        return value[:1] + rng.choice(("某", "某某", "", "·某"))
    if mask is Mask.TAIL4 and len(value) >= 8:
        return "".join(rng.choices("0123456789", k=rng.randint(4, 9))) + value[-4:]
    if mask is Mask.TAIL4:
        return "".join(rng.choices("0123456789", k=rng.randint(0, 7)))
    return f"{value[:1]}{rng.randrange(1000)}号"  # AREA: nothing of the text is left


def another_birthday(value: str | None, day: date) -> str | None:
    """Another day of the same month that makes nobody a child or an adult."""
    if value is None:
        return None
    born = date.fromisoformat(value)
    if born.year == day.year - 14:  # the day itself decides
        return value
    return born.replace(day=born.day % 28 + 1).isoformat()


def number_of(dataset: Dataset, row: Row) -> str | None:
    """The id number a department's row means."""
    text = row[dataset.key.columns[0]]
    return canonical(None if text is None else str(text)).id18


def _numbers(file: Path, datasets: Sequence[Dataset]) -> set[str]:
    with closing(_opened(file)) as connection:
        found = {
            number_of(dataset, row)
            for dataset in datasets
            if dataset.key.kind is KeyKind.IDENTITY
            for row in _Table(connection, dataset.table).rows
        }
    return {number for number in found if number is not None}


# ---- tables ------------------------------------------------------------------------------------


class _Table:
    """One table's rows as they were, and what is written into it."""

    def __init__(self, connection: sqlite3.Connection, name: str) -> None:
        self._connection, self._name = connection, name
        info = connection.execute(f'PRAGMA table_info("{name}")').fetchall()
        self.columns = {row["name"] for row in info}
        self._thaw()
        self._filled = {row["name"] for row in info if row["notnull"] or row["pk"]}
        text = f'SELECT rowid AS "{ROWID}", * FROM "{name}" ORDER BY rowid'
        self.rows = [dict(row) for row in connection.execute(text)]

    def _thaw(self) -> None:
        """The twin may have lived otherwise: what is never changed was another thing there."""
        frozen = "name LIKE '%_no_update' OR name LIKE '%_no_delete'"
        asked = f"SELECT name FROM sqlite_schema WHERE tbl_name = ? AND ({frozen})"
        for row in self._connection.execute(asked, (self._name,)).fetchall():
            self._connection.execute(f'DROP TRIGGER "{row["name"]}"')

    def other(self, column: str, rng: random.Random) -> Any:
        """A value that another row has; nothing at all where that may be."""
        if column not in self._filled and rng.random() < 0.2:
            return None
        return rng.choice(self.rows)[column]

    def write(self, row: Row, column: str, value: Any) -> None:
        self._connection.execute(
            f'UPDATE "{self._name}" SET "{column}" = ? WHERE rowid = ?', (value, row[ROWID])
        )

    def remove(self, row: Row) -> None:
        self._connection.execute(f'DELETE FROM "{self._name}" WHERE rowid = ?', (row[ROWID],))


def _opened(file: Path) -> sqlite3.Connection:
    connection = sqlite3.connect(file)
    connection.row_factory = sqlite3.Row
    return connection


def _bearing(dataset: Dataset) -> set[str]:
    """Columns by which rows are found, ordered and judged."""
    single = (dataset.region.column, dataset.owner, dataset.subject, dataset.birth, dataset.bound)
    found = {*dataset.key.columns, *(c for c, _ in dataset.order), *(c for c in single if c)}
    found |= {join.left for join in dataset.joins} | {nest.parent for nest in dataset.nests}
    return found | ({dataset.person_name} if dataset.person_name else set())


def _ties(dataset: Dataset, bindings: Bindings) -> set[str]:
    """Both ends of every edge to or from the data set, and what a root finds rows by."""
    found = {"case_no", "order_no", "household_no"}  # unique, too
    found |= {"complaint_no", "correction_no", "request_no", "check_no", "item_no"}
    for coordinate, binding in bindings.by_coordinate.items():
        if isinstance(binding, EdgeTo):
            if bindings.datasets[coordinate.partition(".")[0]] == dataset.name:
                found.add(binding.parent)
            if binding.dataset == dataset.name:
                found.add(binding.child)
    return found


def _writable(dataset: Dataset, table: _Table) -> list[Field]:
    kept = _bearing(dataset)
    return [f for f in dataset.fields if f.column in table.columns and f.column not in kept]
