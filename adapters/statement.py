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
    func,
    literal_column,
    or_,
    select,
    table,
)

from adapters.contract import (
    EXTRA,
    KEY,
    REGION,
    SUBJECT,
    Output,
    Page,
    ReadRequest,
    Ride,
    TableMap,
)
from adapters.dialect import Dialect, plain_table
from adapters.grouped import grouped
from catalog.datasets import Dataset
from catalog.grades import Mask

Built = tuple[Any, tuple[str, ...]]


class Statements:
    """Builds the statements of one database; `metadata` if its tables are our own."""

    def __init__(self, dialect: Dialect, metadata: MetaData | None) -> None:
        self._dialect, self._metadata = dialect, metadata

    # -- rows with rights of their own

    def rows(self, request: ReadRequest) -> Built:
        """SELECT over the Lens's source: a page, the rows of many parents, groups or a count."""
        source = self._source(request)
        if request.group is not None:
            return grouped(source, request.group, self._dialect)
        if request.count:
            return self._count(request, source)
        columns, shown = self._shown(request, source)
        statement = select(*shown).select_from(source)  # also where no column names it
        if request.key is not None:
            statement = statement.where(self._dialect.keys(source.c[EXTRA + request.key], "keys"))
        if request.page is not None and request.page.after:
            statement = statement.where(_beyond(source, request, request.page))
        order = _order(source, request)
        if request.page is None:
            return statement.order_by(*order), columns
        limit = bindparam("limit", type_=Integer)
        if request.key is None:
            return statement.order_by(*order).limit(limit), columns
        own = source.c[EXTRA + request.key]
        return _first_of_each(statement, own, order, limit), columns

    def _count(self, request: ReadRequest, source: Any) -> Built:
        total = func.count()
        if request.key is None:
            return select(total).select_from(source), ("__total",)
        own = source.c[EXTRA + request.key]
        mine = select(own, total).where(self._dialect.keys(own, "keys")).group_by(own)
        return mine, (KEY, "__total")

    def _shown(self, request: ReadRequest, source: Any) -> tuple[tuple[str, ...], list[Any]]:
        found: dict[str, Any] = {}
        for name in request.columns:
            found[name] = self._dialect.wire(source.c[name], request.dataset.by_name[name].type)
            if f"{name}__s" in source.c:
                found[f"{name}__s"] = source.c[f"{name}__s"]
        for name in request.extra:
            found[name] = source.c[_label(request.dataset, name)]
        if request.key is not None:
            found[KEY] = source.c[EXTRA + request.key]
        for ride in request.rides:
            found |= self._ride_columns(ride, source)
        if not found:
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
                *(_label(dataset, n) for n in request.extra),
                *(n for n, _ in request.order),
                *([EXTRA + request.key] if request.key is not None else []),
                *(r.parent for r in request.rides),
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
            return self._metadata.tables[name]
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

    # -- JSON mode

    def _ride_columns(self, ride: Ride, above: Any) -> dict[str, Any]:
        """The JSON text of a riding subtree, and for each level below whom it shows."""
        text = self._dialect.json_text
        found = {f"__json_{ride.name}": text(self._ride(ride, above))}
        for chain in _chains(ride):
            found[f"__side_{chain[-1].name}"] = text(self._side(chain, above))
        return found

    def _ride(self, ride: Ride, above: Any) -> Any:
        source = self._ride_source(ride)
        item = self._object(ride, source)
        tied = source.c[EXTRA + ride.child] == above.c[ride.parent]
        if not ride.many:
            return select(item).where(tied).limit(literal_column("1")).scalar_subquery()
        rows = select(item.label("item")).where(tied).correlate(above)
        return self._dialect.json_list(rows, _order(source, ride.request))

    def _ride_source(self, ride: Ride) -> Any:
        below = tuple(o.ride.parent for o in ride.outputs if o.ride is not None)
        request = ride.request
        wider = ReadRequest(
            dataset=request.dataset,
            columns=request.columns,
            extra=(*request.extra, *below, *_own_key(request.dataset)),
            key=ride.child,
            lens=request.lens,
            order=request.order,
            prefix=request.prefix,
        )
        return self._source(wider)

    def _object(self, ride: Ride, source: Any) -> Any:
        members = [(o.key, self._member(o, source, ride.request.dataset)) for o in ride.outputs]
        return self._dialect.json_object(members)

    def _member(self, output: Output, source: Any, dataset: Dataset) -> Any:
        if output.constant is not None:
            return literal_column(f"'{output.constant}'", String)
        if output.ride is not None:
            return self._dialect.nested(self._ride(output.ride, source), output.required)
        if output.column is None:
            return literal_column("NULL")
        kind = dataset.by_name[output.column].type
        value = self._dialect.json_value(source.c[output.column], kind)
        return self._dialect.required(value) if output.required else value

    def _side(self, chain: Sequence[Ride], above: Any) -> Any:
        """``[[key…, subject, region], …]`` of the last level: no nested person is missed."""
        sources = [self._ride_source(r) for r in chain]
        joined: Any = sources[0]
        for ride, upper, source in zip(chain[1:], sources, sources[1:], strict=False):
            joined = joined.join(source, source.c[EXTRA + ride.child] == upper.c[ride.parent])
        last, dataset = sources[-1], chain[-1].request.dataset
        none: Any = literal_column("NULL")
        subject = last.c[EXTRA + dataset.subject] if dataset.subject else none
        region = last.c.get(REGION, none)
        own = (last.c[name] for name in _own_key(dataset))
        entry = self._dialect.json_array(*own, subject, region)
        tied = sources[0].c[EXTRA + chain[0].child] == above.c[chain[0].parent]
        rows = select(entry.label("item")).select_from(joined).where(tied).correlate(above)
        return self._dialect.json_list(rows, [])

    def _plain_ride(self, ride: Ride, above: Any) -> dict[str, Any]:
        """A nest of the department's own tables; its person is the facet's, so no subjects."""
        dataset = ride.request.dataset
        at, joined = self._from(dataset, [EXTRA + ride.child])
        members = []
        for output in ride.outputs:
            value: Any = literal_column("NULL")
            if output.constant is not None:
                value = literal_column(f"'{output.constant}'", String)
            elif output.column is not None:
                column = at(dataset.by_name[output.column].column)
                value = self._dialect.required(column) if output.required else column
            members.append((output.key, value))
        tied = at(ride.child) == above
        item = self._dialect.json_object(members).label("item")
        rows = select(item).select_from(joined).where(tied).correlate(above.table)
        order = [at(c).desc() if down else at(c) for c, down in dataset.order]
        none: Any = literal_column("NULL")
        entry = self._dialect.json_array(none, none).label("item")
        sides = select(entry).select_from(joined).where(tied).correlate(above.table)
        return {
            f"__json_{ride.name}": self._dialect.json_text(self._dialect.json_list(rows, order)),
            f"__side_{ride.name}": self._dialect.json_text(self._dialect.json_list(sides, [])),
        }


def _own_key(dataset: Dataset) -> tuple[str, ...]:
    return tuple(EXTRA + column for column in dataset.key.columns)


def _kept(request: ReadRequest, name: str) -> bool:
    """False for a column whose mask leaves nothing: it is not even selected."""
    mask = (request.masks or {}).get(name, Mask.NONE)
    return mask not in (Mask.HIDE, Mask.BAND)


def _chains(ride: Ride, above: tuple[Ride, ...] = ()) -> list[tuple[Ride, ...]]:
    chain = (*above, ride)
    below = [c for o in ride.outputs if o.ride is not None for c in _chains(o.ride, chain)]
    return [chain, *below]


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


def _order(source: Any, request: ReadRequest) -> list[Any]:
    flip = request.page is not None and request.page.backward
    return [source.c[n].desc() if down != flip else source.c[n] for n, down in request.order]


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


def _first_of_each(statement: Any, own: Any, order: Sequence[Any], limit: Any) -> Any:
    """The first `limit` rows of every parent, in one statement."""
    place = func.row_number().over(partition_by=own, order_by=order).label("__n")
    ranked = statement.add_columns(place).subquery("ranked")
    shown = [c for c in ranked.c if c.name != "__n"]
    first = select(*shown).where(ranked.c["__n"] <= limit)
    return first.order_by(ranked.c[KEY], ranked.c["__n"])
