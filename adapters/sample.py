"""A few raw rows of a department's data set, to see whether the catalogue describes them.

    source ──► Sample (raw rows) ──► `adapters/fit.py` ──► counts

INVARIANT: a Sample is made and used up inside this package; only counts of it go further.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol, TypeAlias, runtime_checkable

from sqlalchemy import Integer, literal, select, table

from adapters.databases.dialect import plain_table
from catalog.datasets import Dataset

ROWS = 200  # enough to see a wrong decoder, little enough for a department at work
PEOPLE = 100  # whom a source without lists is asked about: one call of its interface a spelling

Known: TypeAlias = Mapping[str, frozenset[str]]
"""Table -> its columns; a table that is not there has none."""
Somebody: TypeAlias = Callable[[int], Awaitable[Sequence[str]]]
"""Canonical id numbers of the register, for sources that answer about persons only."""


@dataclass(frozen=True, slots=True)
class Sample:
    """Raw rows by source column (as the catalogue writes it); what is not there at all.

    `columns` are those found; None if no row came and the source tells them by its rows alone.
    """

    tables: tuple[str, ...]
    columns: frozenset[str] | None
    rows: Sequence[Mapping[str, Any]]


@runtime_checkable
class Sampled(Protocol):
    """A source that can show a few of its rows."""

    async def sample(self, dataset: Dataset, somebody: Somebody) -> Sample:
        """At most ROWS rows. SourceUnavailable, StatementFault."""


def columns_of(dataset: Dataset) -> tuple[str, ...]:
    """Every source column the catalogue speaks of, as it writes them, none twice."""
    found: list[str | None] = [*dataset.key.columns, dataset.region.column, dataset.person_name]
    found += [dataset.owner, dataset.party, dataset.subject, dataset.birth, dataset.bound]
    found += [field.column for field in dataset.fields]
    found += [name for name, _ in dataset.order]
    found += [part for j in dataset.joins for part in (j.left, f"{j.table}.{j.right}")]
    found += [nest.parent for nest in dataset.nests]
    return tuple(dict.fromkeys(name for name in found if name is not None))


def tables_of(dataset: Dataset) -> tuple[str, ...]:
    """Every table it is made of, its own first."""
    named = [name.rpartition(".")[0] for name in columns_of(dataset)]
    joined = [join.table for join in dataset.joins]
    return tuple(dict.fromkeys([dataset.table, *joined, *filter(None, named)]))


def there(dataset: Dataset, known: Known) -> tuple[str, ...]:
    """The columns the tables really have; those of a table that nothing joins are not there."""
    joined = {dataset.table, *(join.table for join in dataset.joins)}
    split = [(name, *_split(dataset, name)) for name in columns_of(dataset)]
    return tuple(n for n, at, plain in split if at in joined and plain in known.get(at, ()))


def in_any_case(dataset: Dataset, known: Known) -> Known:
    """What is known, in the catalogue's spelling, for databases that take both cases alike."""
    plain = [name.rpartition(".")[2] for name in columns_of(dataset)]
    return {
        table_name: columns | {n for n in plain if n.lower() in {c.lower() for c in columns}}
        for table_name, columns in known.items()
    }


def first_rows(dataset: Dataset, known: Known) -> tuple[Any, tuple[str, ...]]:
    """A SELECT of the columns that are there, ROWS rows of it; the columns in its order.

    A table whose join cannot be made is left out, and its columns with it.
    """
    names = there(dataset, known)
    tables = {
        name: table(name, *plain_table(sorted(_wanted(dataset, names, name))))
        for name in tables_of(dataset)
    }
    source: Any = tables[dataset.table]
    joined = {dataset.table}
    for join in dataset.joins:
        owner, left = _split(dataset, join.left)
        right = f"{join.table}.{join.right}"
        if owner in joined and join.left in names and right in names:
            other = tables[join.table]
            on = tables[owner].c[left] == other.c[join.right]
            source = source.outerjoin(other, on)
            joined.add(join.table)
    shown = tuple(name for name in names if _split(dataset, name)[0] in joined)
    picked = [_column(tables, dataset, name).label(f"c{n}") for n, name in enumerate(shown)]
    return select(*picked).select_from(source).limit(literal(ROWS, Integer)), shown


def _column(tables: Mapping[str, Any], dataset: Dataset, name: str) -> Any:
    owner, plain = _split(dataset, name)
    return tables[owner].c[plain]


def _split(dataset: Dataset, name: str) -> tuple[str, str]:
    owner, _, plain = name.rpartition(".")
    return owner or dataset.table, plain


def _wanted(dataset: Dataset, names: Sequence[str], owner: str) -> set[str]:
    return {plain for at, plain in (_split(dataset, n) for n in names) if at == owner}
