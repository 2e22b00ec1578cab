"""A ReadRequest as one SQL statement. Pure: no connection, no values.

Rows with rights of their own are selected from the Lens's source and from nothing else;
filters, order, cursor, count and rides are all built on that same subquery. Rows under their
citizen's rights come by key from the department's table.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import (
    Integer,
    MetaData,
    String,
    and_,
    bindparam,
    case,
    func,
    literal_column,
    or_,
    select,
    table,
)

from adapters.contract import (
    EXTRA,
    KEY,
    SUBJECT,
    Page,
    ReadRequest,
    Ride,
    TableMap,
)
from adapters.dialect import Dialect, is_whole, plain_table
from adapters.grouped import grouped
from adapters.riding import RIDING, Built, Riding, below_of, columns_of, order_of, unique
from catalog.datasets import Dataset
from catalog.grades import Mask

PLACE = "__n"  # a row's place among those of its parent


class Statements:
    """Builds the statements of one database; `metadata` if its tables are our own."""

    def __init__(self, dialect: Dialect, metadata: MetaData | None) -> None:
        self._dialect, self._metadata = dialect, metadata
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
        at, _ = self._from(request.dataset, ())
        asked = (leaf.column for leaf in request.where if leaf.op == "eq")
        known = request.dataset.by_name
        return any(unique(at(known[name].column)) for name in asked if name in known)

    def by_number(self, request: ReadRequest) -> bool:
        """True if its rows are asked for by a column of whole numbers; only our own have types."""
        if request.key is None or self._metadata is None:
            return False
        at, _ = self._from(request.dataset, [EXTRA + request.key])
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
        at, joined = self._from(dataset, names)
        return TableMap(
            table=joined,
            columns={f.name: at(f.column) for f in dataset.fields},
            region=at(dataset.region.column) if dataset.region.column else None,
            owner=at(dataset.owner) if dataset.owner else None,
            birth=at(dataset.birth) if dataset.birth else None,
            bound=at(dataset.bound) if dataset.bound else None,
            extra={n: at(n[len(EXTRA) :]) for n in names if n.startswith(EXTRA)},
        )

    def _from(self, dataset: Dataset, names: Sequence[str]) -> tuple[Any, Any]:
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

    # -- rows under their citizen's rights

    def keyed(self, request: ReadRequest) -> Built:
        """SELECT by key from a department's own table; values come as the source writes them."""
        dataset = request.dataset
        by_key = request.key in ("identity", "division")
        key_columns = dataset.key.columns if by_key else (str(request.key),)
        riding = [r.parent[len(EXTRA) :] for r in request.rides]
        raw = [n[len(EXTRA) :] for n in request.extra if n.startswith(EXTRA)]
        at, joined = self._from(dataset, [EXTRA + c for c in (*key_columns, *riding, *raw)])
        own = _concatenated([at(c) for c in key_columns])
        found: dict[str, Any] = {KEY: own}
        if dataset.person_name:
            found["__name"] = at(dataset.person_name)
        for name in request.columns:
            if _kept(request, name):
                found[name] = at(dataset.by_name[name].column)
        for name in raw:
            found[EXTRA + name] = at(name)
        for ride in request.rides:
            found |= self._plain_ride(ride, at(ride.parent[len(EXTRA) :]))
        statement = select(*(value.label(name) for name, value in found.items()))
        statement = statement.select_from(joined).where(self._dialect.keys(own, "keys"))
        if request.codes and dataset.region.column:
            statement = statement.where(self._dialect.keys(at(dataset.region.column), "codes"))
        order = [at(c).desc() if down else at(c) for c, down in dataset.order]
        return statement.order_by(*order), tuple(found)

    # -- a department's nest

    def _plain_ride(self, ride: Ride, above: Any) -> dict[str, Any]:
        """A nest of the department's own tables; its person is the facet's, so no subjects."""
        dataset = ride.request.dataset
        at, joined = self._from(dataset, [EXTRA + ride.child])
        members = []
        holes = []
        for output in ride.outputs:
            value: Any = literal_column("NULL")
            if output.constant is not None:
                value = literal_column(f"'{output.constant}'", String)
            elif output.column is not None:
                value = at(dataset.by_name[output.column].column)
                holes += [value.is_(None)] if output.required else []
            members.append((output.key, value))
        item = self._dialect.json_object(members)
        if holes:
            item = case((or_(*holes), self._dialect.hole()), else_=item)
        order = [at(c).desc() if down else at(c) for c, down in dataset.order]
        rows = select(item.label("item")).select_from(joined).where(at(ride.child) == above)
        rows = rows.correlate(above.table).order_by(*order).limit(self._dialect.everything)
        items = rows.subquery()
        told = select(literal_column("''", String).label("one")).select_from(joined)
        ones = told.where(at(ride.child) == above).correlate(above.table).subquery()
        return {
            f"__json_{ride.name}": select(self._dialect.json_list(items.c.item)).scalar_subquery(),
            f"__side_{ride.name}": select(self._dialect.joined(ones.c.one)).scalar_subquery(),
        }


def _kept(request: ReadRequest, name: str) -> bool:
    """False for a column whose mask leaves nothing: it is not even selected."""
    mask = (request.masks or {}).get(name, Mask.NONE)
    return mask not in (Mask.HIDE, Mask.BAND)


def _label(dataset: Dataset, name: str) -> str:
    """The source's label of an extra column; the subject is a raw column like others."""
    return EXTRA + str(dataset.subject) if name == SUBJECT else name


def _touched(dataset: Dataset, names: Sequence[str]) -> Mapping[str, set[str]]:
    """Table -> the columns a statement may touch."""
    found: dict[str, set[str]] = {n: set() for n in _tables(dataset)}
    columns = [f.column for f in dataset.fields]
    columns += [n[len(EXTRA) :] for n in names if n.startswith(EXTRA)]
    columns += [*dataset.key.columns, *(c for c, _ in dataset.order)]
    for single in (dataset.region.column, dataset.owner, dataset.subject, dataset.birth):
        columns += [single] if single else []
    columns += [c for c in (dataset.bound, dataset.person_name) if c]
    for join in dataset.joins:
        found[join.table].add(join.right)
        columns.append(join.left)
    for name in columns:
        owner, _, plain = name.rpartition(".")
        found[owner or dataset.table].add(plain)
    return found


def _tables(dataset: Dataset) -> list[str]:
    return [dataset.table, *(j.table for j in dataset.joins)]


def _concatenated(columns: Sequence[Any]) -> Any:
    whole = columns[0]
    for column in columns[1:]:
        whole = whole.op("||")(literal_column("'/'")).op("||")(column)
    return whole


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
