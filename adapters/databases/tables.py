"""A data set's tables and columns as SQL expressions: the FROM of every statement.

A department's tables are read as they are, their columns taken for text; the hub's own have types.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import MetaData, table

from adapters.contract import EXTRA
from adapters.databases.dialect import plain_table
from catalog.datasets import Dataset


class Tables:
    """Those of one database; `metadata` if they are our own."""

    def __init__(self, metadata: MetaData | None) -> None:
        self._metadata = metadata

    def source(self, dataset: Dataset, names: Sequence[str]) -> tuple[Any, Any]:
        """A finder of columns (``table.column`` or ``column``) and the joined FROM item."""
        needed = _touched(dataset, names)
        tables = {name: self._table(name, columns) for name, columns in needed.items()}

        def at(name: str) -> Any:
            owner, _, plain = name.rpartition(".")
            return tables[owner or dataset.table].c[plain]

        joined: Any = tables[dataset.table]
        for join in dataset.joins:
            other = tables[join.table]
            joined = joined.outerjoin(other, at(join.left) == other.c[join.right])
        return at, joined

    def _table(self, name: str, columns: set[str]) -> Any:
        if self._metadata is not None:
            derived = self._metadata.info.get("derived", {})
            return derived[name] if name in derived else self._metadata.tables[name]
        return table(name, *plain_table(sorted(columns)))


def _touched(dataset: Dataset, names: Sequence[str]) -> Mapping[str, set[str]]:
    """Table -> the columns a statement may touch."""
    found: dict[str, set[str]] = {n: set() for n in _tables(dataset)}
    columns = [f.column for f in dataset.fields]
    columns += [n[len(EXTRA) :] for n in names if n.startswith(EXTRA)]
    columns += [*dataset.key.columns, *(c for c, _ in dataset.order)]
    for single in (dataset.region.column, dataset.owner, dataset.subject, dataset.birth):
        columns += [single] if single else []
    columns += [c for c in (dataset.party, dataset.bound, dataset.person_name) if c]
    for join in dataset.joins:
        found[join.table].add(join.right)
        columns.append(join.left)
    for name in columns:
        owner, _, plain = name.rpartition(".")
        found[owner or dataset.table].add(plain)
    return found


def _tables(dataset: Dataset) -> list[str]:
    return [dataset.table, *(j.table for j in dataset.joins)]
