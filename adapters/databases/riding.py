"""Rides as SQL: a closed subtree as JSON text beside its rows, and a whole root as one text.

    p   the rows of one level: the Lens's source, tied to the parent, ordered, cut to its page
    o   one object of that level: a value for each response key
    q   objects with their side entries, in order
    a   q gathered: the list as JSON, the sides joined

PostgreSQL joins every level laterally, so that one reading of a level gives its JSON and its
sides. SQLite has no lateral join: each of these values is a scalar subquery of its own.
A parent's column is named by its text (`_at`): an inner level may stand behind several
subqueries, and SQLAlchemy would not know that it sees the outer one.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, Protocol

from sqlalchemy import (
    Integer,
    String,
    Table,
    Text,
    bindparam,
    case,
    cast,
    func,
    literal_column,
    or_,
    select,
    true,
)

from adapters.contract import EXTRA, REGION, Output, ReadRequest, Ride, Side, Whole, rides_of
from adapters.databases.dialect import Dialect
from catalog.datasets import Dataset

INT_MAX = 2**31 - 1  # GraphQL's Int has 32 bits
ITEM = "__json"  # the JSON column of every level
SIDE = "__side"
"""The root's own side; rides have ``__side_<name>``."""

Columns = Mapping[str, Any]
SourceOf = Callable[[ReadRequest], Any]
"""The Lens's rows of a request with every column it touches, as a named subquery."""
Built = tuple[Any, tuple[str, ...]]


class Riding(Protocol):
    """How one database lets subtrees ride."""

    def attach(self, rows: Any, rides: Sequence[Ride]) -> tuple[Any, dict[str, Any]]:
        """`rows` (a named subquery) with what `rides` need joined, and their columns by name."""

    def whole(self, rows: Any, request: ReadRequest, whole: Whole, *, single: bool) -> Built:
        """One row: the JSON of `rows` and all sides below it. `single`: there is one at most."""


class _Levels:
    """What both databases have in common."""

    def __init__(self, dialect: Dialect, source: SourceOf) -> None:
        self._dialect, self._source = dialect, source

    def _picked(self, ride: Ride, above: str) -> Any:
        """The ride's rows below one parent, cut to its page."""
        source = self._source(_wider(ride))
        own = source.c[EXTRA + ride.child]
        rows = select(*source.c).where(own == _at(above, ride.parent))
        if ride.request.page is not None:
            limit = bindparam(f"{ride.request.prefix}_limit", type_=Integer)
            rows = rows.order_by(*order_of(source, ride.request)).limit(limit)
        elif not ride.many and not unique(own):
            rows = rows.limit(literal_column("1"))
        return rows.subquery(f"p{ride.name}")

    def _count(self, ride: Ride, above: str) -> Any:
        """How many rows lie below one parent, whatever the page."""
        source = self._source(_wider(ride, bare=True))
        tied = source.c[EXTRA + ride.child] == _at(above, ride.parent)
        return select(func.count().label("n")).select_from(source).where(tied)

    def _entry(self, rows: Any, side: Side) -> Any:
        fields: list[Any] = [cast(rows.c[EXTRA + name], Text) for name in side.key]
        if side.subject is not None:
            fields.append(func.coalesce(rows.c[EXTRA + side.subject], _quoted("")))
        if side.region:
            fields.append(rows.c[REGION])
        fields += [rows.c[name] for name in side.letters]
        return self._joined(fields or [_quoted("")])

    def _joined(self, fields: Sequence[Any]) -> Any:
        whole = fields[0]
        for field in fields[1:]:
            whole = whole.op("||")(self._dialect.separator).op("||")(field)
        return whole

    def _told(self, ride: Ride, above: str, count: Any) -> Any:
        """A parent's key and the count below it."""
        return self._joined([cast(_at(above, ride.parent), Text), cast(count, Text)])

    def _members(
        self, outputs: Sequence[Output], cells: Columns, below: Columns, dataset: Dataset
    ) -> list[tuple[str, Any]]:
        return [(o.key, self._value(o, cells, below, dataset)) for o in outputs]

    def _value(self, output: Output, cells: Columns, below: Columns, dataset: Dataset) -> Any:
        if output.constant is not None:
            return _quoted(output.constant)
        if output.ride is not None:
            return self._dialect.nested(below[f"__json_{output.ride.name}"])
        if output.column is None:
            return literal_column("NULL")
        kind = dataset.by_name[output.column].type
        return self._dialect.json_value(cells[output.column], kind)

    def _holed(self, item: Any, rows: Any, outputs: Sequence[Output], below: Columns) -> Any:
        """`item`, or the hole if a member of it cannot be answered."""
        holes = [h for o in outputs for h in _holes(o, rows, below)]
        return case((or_(*holes), self._dialect.hole()), else_=item) if holes else item

    def _gathered(self, item: Any, objects: Any, names: Sequence[str]) -> list[Any]:
        """`item`, the list of objects as JSON, and each side joined over the list."""
        joined = (self._dialect.joined(objects.c[n]).label(n) for n in names)
        return [item.label(ITEM), *joined]

    def _list(self, objects: Any) -> Any:
        return self._dialect.json_list(objects.c[ITEM])

    def _root(self, objects: Any, names: Sequence[str]) -> Any:
        item = self._dialect.wire_text(self._list(objects))
        return select(*self._gathered(item, objects, names))

    def _parts(self, ride: Ride, nodes: Any, total: Any) -> list[tuple[str, Any]]:
        values = {"nodes": nodes, "totalCount": total}
        return [
            (key, _quoted(name[1:]) if name.startswith("=") else values[name])
            for key, name in ride.parts or ()
        ]


class Lateral(_Levels):
    """PostgreSQL."""

    def attach(self, rows: Any, rides: Sequence[Ride]) -> tuple[Any, dict[str, Any]]:
        """One lateral join a ride."""
        base, found = rows, {}
        for ride in rides:
            level = self._level(ride, rows.name).lateral(f"l{ride.name}")
            base = base.outerjoin(level, true())
            found[f"__json_{ride.name}"] = level.c[ITEM]
            found |= {name: level.c[name] for name in sides_of(ride)}
        return base, found

    def whole(self, rows: Any, request: ReadRequest, whole: Whole, *, single: bool) -> Built:
        """The root's rows gathered, or the first of them."""
        names = [SIDE, *(n for r in whole.rides for n in sides_of(r))]
        objects = self._objects("0", rows, request.dataset, whole.outputs, whole.side, SIDE)
        if single:
            return objects, (ITEM, *names)
        objects = objects.order_by(*order_of(rows, request, forward=True))
        if not whole.many:
            return objects.limit(literal_column("1")), (ITEM, *names)
        return self._root(objects.subquery("q0"), names), (ITEM, *names)

    def _level(self, ride: Ride, above: str) -> Any:
        rows, own = self._picked(ride, above), f"__side_{ride.name}"
        dataset = ride.request.dataset
        objects = self._objects(ride.name, rows, dataset, ride.outputs, ride.side, own)
        if not ride.many:
            return objects
        names = [own, *(n for r in ride.rides for n in sides_of(r))]
        inner = objects.order_by(*order_of(rows, ride.request, forward=True))
        below = inner.subquery(f"q{ride.name}")
        lists = select(*self._gathered(self._list(below), below, names))
        return lists if ride.parts is None else self._connection(ride, above, lists, names)

    def _connection(self, ride: Ride, above: str, lists: Any, names: Sequence[str]) -> Any:
        gathered = lists.subquery(f"a{ride.name}")
        base, total = gathered, None
        told = [gathered.c[name] for name in names]
        if ride.counted:
            counted = self._count(ride, above).lateral(f"c{ride.name}")
            base, total = base.join(counted, true()), counted.c.n
            told.append(self._told(ride, above, total).label(f"__total_{ride.name}"))
        whole = self._dialect.json_object(self._parts(ride, gathered.c[ITEM], total))
        return select(whole.label(ITEM), *told).select_from(base)

    def _objects(
        self,
        name: str,
        rows: Any,
        dataset: Dataset,
        outputs: Sequence[Output],
        side: Side,
        own: str,
    ) -> Any:
        """One row an object: its JSON, its entry, what rides below it."""
        rides = rides_of(outputs)
        base, below = self.attach(rows, rides)
        cells = {c.name: _named(rows.name, c.name, c.type) for c in rows.c}
        inner = {n: _named(c.table.name, c.name, c.type) for n, c in below.items()}
        members = self._members(outputs, cells, inner, dataset)
        # Its columns are response keys: a row named like one of them would be taken for it.
        own_row = f"o-{name}"
        made = select(*(value.label(key) for key, value in members)).lateral(own_row)
        # row_to_json is a third cheaper than json_build_object with as many members.
        item = func.row_to_json(literal_column(f'"{own_row}"'))
        told = [self._entry(rows, side).label(own)]
        told += [below[n].label(n) for r in rides for n in sides_of(r)]
        whole = self._holed(item, rows, outputs, below).label(ITEM)
        return select(whole, *told).select_from(base.join(made, true()))


class Scalar(_Levels):
    """SQLite."""

    def attach(self, rows: Any, rides: Sequence[Ride]) -> tuple[Any, dict[str, Any]]:
        """One scalar subquery a column; nothing is joined."""
        found: dict[str, Any] = {}
        for ride in rides:
            found[f"__json_{ride.name}"] = self._json(ride, rows.name)
            found |= self._sides((ride,), rows.name)
        return rows, found

    def whole(self, rows: Any, request: ReadRequest, whole: Whole, *, single: bool) -> Built:
        """The root's rows gathered, or the first of them."""
        item = self._object(rows, request.dataset, whole.outputs)
        told = {SIDE: self._entry(rows, whole.side)}
        for ride in whole.rides:
            told |= self._sides((ride,), rows.name)
        labels = [value.label(name) for name, value in told.items()]
        objects = select(item.label(ITEM), *labels).select_from(rows)
        if single:
            return objects, (ITEM, *told)
        limit = self._dialect.everything if whole.many else literal_column("1")
        objects = objects.order_by(*order_of(rows, request, forward=True)).limit(limit)
        if not whole.many:
            return objects, (ITEM, *told)
        return self._root(objects.subquery("q0"), list(told)), (ITEM, *told)

    def _json(self, ride: Ride, above: str) -> Any:
        rows = self._picked(ride, above)
        item = self._object(rows, ride.request.dataset, ride.outputs)
        objects = select(item.label(ITEM)).select_from(rows)
        if not ride.many:
            return objects.limit(literal_column("1")).scalar_subquery()
        objects = objects.order_by(*order_of(rows, ride.request, forward=True))
        inner = objects.limit(self._dialect.everything).subquery(f"q{ride.name}")
        nodes = select(self._list(inner)).scalar_subquery()
        if ride.parts is None:
            return nodes
        total = self._count(ride, above).scalar_subquery() if ride.counted else None
        return self._dialect.json_object(self._parts(ride, self._dialect.nested(nodes), total))

    def _object(self, rows: Any, dataset: Dataset, outputs: Sequence[Output]) -> Any:
        rides = rides_of(outputs)
        below = {f"__json_{r.name}": self._json(r, rows.name) for r in rides}
        members = self._members(outputs, {c.name: c for c in rows.c}, below, dataset)
        return self._holed(self._dialect.json_object(members), rows, outputs, below)

    def _sides(self, chain: tuple[Ride, ...], above: str) -> dict[str, Any]:
        last = chain[-1]
        found = {f"__side_{last.name}": self._side(chain, above)}
        if last.counted:
            found[f"__total_{last.name}"] = self._total(chain, above)
        for below in last.rides:
            found |= self._sides((*chain, below), above)
        return found

    def _side(self, chain: Sequence[Ride], above: str) -> Any:
        """The entries of the chain's last level below one parent of its first."""
        first, *more = chain
        rows = self._picked(first, above)
        entry = self._side(more, rows.name) if more else self._entry(rows, first.side)
        return select(self._dialect.joined(entry)).select_from(rows).scalar_subquery()

    def _total(self, chain: Sequence[Ride], above: str) -> Any:
        first, *more = chain
        if not more:
            return self._told(first, above, self._count(first, above).scalar_subquery())
        rows = self._picked(first, above)
        entry = self._total(more, rows.name)
        return select(self._dialect.joined(entry)).select_from(rows).scalar_subquery()


def columns_of(rides: Sequence[Ride]) -> list[str]:
    """The columns that `attach` gives: JSON of each ride, sides of all levels."""
    return [n for r in rides for n in (f"__json_{r.name}", *sides_of(r))]


def sides_of(ride: Ride) -> Iterator[str]:
    """The side columns of a ride and of all below it."""
    yield f"__side_{ride.name}"
    for below in ride.rides:
        yield from sides_of(below)
    if ride.counted:
        yield f"__total_{ride.name}"


def below_of(level: Ride | Whole) -> tuple[str, ...]:
    """Raw columns of a level that its side and the rides below it want."""
    return (*(EXTRA + n for n in level.side.key), *(r.parent for r in level.rides))


def order_of(source: Any, request: ReadRequest, *, forward: bool = False) -> list[Any]:
    """The data set's order; turned round for a page from behind unless `forward`."""
    flip = request.page is not None and request.page.backward and not forward
    return [source.c[n].desc() if down != flip else source.c[n] for n, down in request.order]


def _wider(ride: Ride, *, bare: bool = False) -> ReadRequest:
    """The ride's request with the columns its tie, its side and the rides below need.

    `bare`: rows that are only counted.
    """
    request = ride.request
    extra = (*request.extra, *below_of(ride))
    return ReadRequest(
        dataset=request.dataset,
        columns=() if bare else request.columns,
        letters=() if bare else request.letters,
        extra=() if bare else extra,
        key=ride.child,
        lens=request.lens,
        order=() if bare else request.order,
        page=request.page,
        prefix=request.prefix,
    )


def _holes(output: Output, rows: Any, below: Columns) -> Iterator[Any]:
    """Conditions under which the member cannot be answered as the schema promises."""
    if output.ride is not None:
        if output.required:
            yield below[f"__json_{output.ride.name}"].is_(None)
        return
    if output.column is None:
        if output.required and output.constant is None:
            yield true()
        return
    value = rows.c[output.column]
    if output.required:
        yield value.is_(None)
    if output.allowed:
        listed = ", ".join(f"'{_word(code)}'" for code in output.allowed)
        yield value.op("NOT IN")(literal_column(f"({listed})"))
    if output.small and isinstance(value.type, Integer):
        yield func.abs(value) > literal_column(str(INT_MAX))


def _word(code: str) -> str:
    if not code.replace("_", "a").isalnum():
        raise ValueError("a code is a word")
    return code


def unique(column: Any) -> bool:
    """True if no two rows can hold one value: then one row at most has it, in any order."""
    found = list(column.base_columns)
    if len(found) != 1 or not isinstance(found[0].table, Table):
        return False
    base = found[0]
    return bool(base.unique) or list(base.table.primary_key.columns) == [base]


def _at(above: str, column: str) -> Any:
    return literal_column(f'"{above}"."{column}"', String)


def _named(table: str, column: str, kind: Any) -> Any:
    return literal_column(f'"{table}"."{column}"', kind)


def _quoted(word: str) -> Any:
    if "'" in word:
        raise ValueError("a type's name is a word")
    return literal_column(f"'{word}'", String)


RIDING: Mapping[str, Callable[[Dialect, SourceOf], Riding]] = {
    "sqlite": Scalar,
    "postgresql": Lateral,
}
