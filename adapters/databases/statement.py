"""A ReadRequest as one SQL statement. Pure: no connection, no values.

Rows with rights of their own are selected from the Lens's source and from nothing else;
filters, order, cursor, count and rides are all built on that same subquery. (Rows under their
citizen's rights come by key: `adapters/databases/keyed.py`.)
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from sqlalchemy import (
    Integer,
    MetaData,
    and_,
    bindparam,
    func,
    literal_column,
    or_,
    select,
)

from adapters.contract import (
    EXTRA,
    KEY,
    SUBJECT,
    Page,
    ReadRequest,
    TableMap,
)
from adapters.databases.dialect import Dialect, is_whole
from adapters.databases.grouped import grouped
from adapters.databases.riding import RIDING, Built, Riding, below_of, columns_of, order_of, unique
from adapters.databases.tables import Tables
from catalog.datasets import Dataset

PLACE = "__n"  # a row's place among those of its parent


class Statements:
    """Builds the statements of one database; `metadata` if its tables are our own."""

    def __init__(self, dialect: Dialect, metadata: MetaData | None) -> None:
        self._dialect, self._metadata = dialect, metadata
        self._tables = Tables(metadata)
        self._riding: Riding = RIDING[dialect.name](dialect, self._source)

    # -- rows with rights of their own

    def rows(self, request: ReadRequest) -> Built:
        """SELECT over the Lens's source: rows, those of many parents, a text, groups, a count."""
        source = self._source(request)
        if request.group is not None:
            return grouped(source, request.group, self._dialect, request.measures, request.top)
        if request.count:
            return self._count(request, source)
        single = self._single(request)
        rows = self._picked(request, source, single)
        if request.whole is not None:
            picked = rows.subquery("p0")
            return self._riding.whole(picked, request, request.whole, single=single)
        if not request.rides and not (request.page and request.key):
            columns, shown = self._shown(request, source)
            return rows.with_only_columns(*shown, maintain_column_froms=True), columns
        picked = rows.subquery("p0")
        base, riding = self._riding.attach(picked, request.rides)
        columns, shown = self._shown(request, picked)
        shown += [riding[name].label(name) for name in columns_of(request.rides)]
        order = [] if single else self._final(request, picked)
        statement = select(*shown).select_from(base).order_by(*order)
        return statement, (*columns, *columns_of(request.rides))

    def _single(self, request: ReadRequest) -> bool:
        """True for a list-less read by a value that no two rows can hold."""
        listed = request.page is not None or (request.whole is not None and request.whole.many)
        if listed or request.key is not None or self._metadata is None:
            return False
        at, _ = self._tables.source(request.dataset, ())
        asked = (leaf.column for leaf in request.where if leaf.op == "eq")
        known = request.dataset.by_name
        return any(unique(at(known[name].column)) for name in asked if name in known)

    def by_number(self, request: ReadRequest) -> bool:
        """True if its rows are asked for by a column of whole numbers; only our own have types."""
        if request.key is None or self._metadata is None:
            return False
        at, _ = self._tables.source(request.dataset, [EXTRA + request.key])
        return is_whole(at(request.key))

    def _picked(self, request: ReadRequest, source: Any, single: bool) -> Any:
        """The rows themselves, in order: those of the keys asked for, behind the cursor, a page."""
        rows = select(*source.c).select_from(source)
        if request.key is not None:
            rows = rows.where(self._dialect.keys(source.c[EXTRA + request.key], "keys"))
        if request.page is not None and request.page.after:
            rows = rows.where(_beyond(source, request, request.page))
        order = [] if single else order_of(source, request)
        if request.page is None:
            return rows.order_by(*order)
        limit = bindparam("limit", type_=Integer)
        if request.key is None:
            return rows.order_by(*order).limit(limit)
        return _first_of_each(rows, source.c[EXTRA + request.key], order, limit)

    def _final(self, request: ReadRequest, picked: Any) -> list[Any]:
        if request.page is None or request.key is None:
            return order_of(picked, request)
        return [picked.c[EXTRA + request.key], picked.c[PLACE]]

    def _count(self, request: ReadRequest, source: Any) -> Built:
        total = func.count()
        if request.key is None:
            return select(total).select_from(source), ("__total",)
        own = source.c[EXTRA + request.key]
        mine = select(own, total).where(self._dialect.keys(own, "keys")).group_by(own)
        return mine, (KEY, "__total")

    def _shown(self, request: ReadRequest, rows: Any) -> tuple[tuple[str, ...], list[Any]]:
        found: dict[str, Any] = {}
        for name in request.columns:
            found[name] = self._dialect.wire(rows.c[name], request.dataset.by_name[name].type)
        for name in request.letters:
            found[name] = rows.c[name]
        for name in request.extra:
            found[name] = rows.c[_label(request.dataset, name)]
        if request.key is not None:
            found[KEY] = rows.c[EXTRA + request.key]
        if not found and not request.rides:
            found["__one"] = literal_column("1")
        shown = [value.label(name) for name, value in found.items()]
        return tuple(found), shown

    def _source(self, request: ReadRequest) -> Any:
        """The Lens's rows with every column this statement touches."""
        assert request.lens is not None  # noqa: S101  rows() is for Lens reads
        dataset = request.dataset
        wanted = dict.fromkeys(
            [
                *request.columns,
                *request.letters,
                *(_label(dataset, n) for n in request.extra),
                *(n for n, _ in request.order),
                *(m.column for m in request.measures if m.column is not None),
                *([EXTRA + request.key] if request.key is not None else []),
                *(r.parent for r in request.rides),
                *(below_of(request.whole) if request.whole is not None else ()),
            ]
        )
        if not wanted:
            wanted = {EXTRA + dataset.key.columns[0]: None}
        names = list(wanted)
        tested = [w.column for w in request.where if w.column.startswith(EXTRA)]
        mapped = self._map(dataset, [*names, *tested])
        chosen = request.lens.source(mapped, names, request.where, request.prefix)
        return chosen.subquery(request.prefix)

    def _map(self, dataset: Dataset, names: Sequence[str]) -> TableMap:
        at, joined = self._tables.source(dataset, names)
        return TableMap(
            table=joined,
            columns={f.name: at(f.column) for f in dataset.fields},
            region=at(dataset.region.column) if dataset.region.column else None,
            owner=at(dataset.owner) if dataset.owner else None,
            party=at(dataset.party) if dataset.party else None,
            birth=at(dataset.birth) if dataset.birth else None,
            bound=at(dataset.bound) if dataset.bound else None,
            extra={n: at(n[len(EXTRA) :]) for n in names if n.startswith(EXTRA)},
        )


def _label(dataset: Dataset, name: str) -> str:
    """The source's label of an extra column; the subject is a raw column like others."""
    return EXTRA + str(dataset.subject) if name == SUBJECT else name


def _beyond(source: Any, request: ReadRequest, page: Page) -> Any:
    """Rows behind the cursor's values, in the order of the page (keyset)."""
    either: list[Any] = []
    equal: list[Any] = []
    for index, (name, down) in enumerate(request.order):
        column = source.c[name]
        value = bindparam(f"{request.prefix}_c{index}", type_=column.type)
        step = column < value if down != page.backward else column > value
        either.append(and_(*equal, step))
        equal.append(column == value)
    return or_(*either)


def _first_of_each(rows: Any, own: Any, order: Sequence[Any], limit: Any) -> Any:
    """The first `limit` rows of every parent, in one statement."""
    place = func.row_number().over(partition_by=own, order_by=order).label(PLACE)
    ranked = rows.add_columns(place).subquery("ranked")
    return select(*ranked.c).where(ranked.c[PLACE] <= limit)
