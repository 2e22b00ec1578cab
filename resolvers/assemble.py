"""Rows and JSON text -> the answer: a tree of plain values that orjson writes once.

The Shape says what stands under each response key; rows are walked along it. JSON text of a
riding subtree, or of a whole root, goes in as it is (`orjson.Fragment`). A missing required
value becomes an error with its path and nulls the nearest object that may be null, as the
specification says; if a riding text has such a hole the whole operation is run in row mode.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta, timezone
from typing import Any, NoReturn

import orjson
from graphql import get_location

from adapters.contract import GRADE, KEY, QUALITY, SUBJECT
from authz.lens import CellState
from catalog.errors import HubError, Internal, SourceUnavailable
from catalog.states import DQCode, FieldState
from resolvers.disclose import disputed_of
from resolvers.execute import Execution, Result, Row, RowMode
from resolvers.facet import Env, env_of
from resolvers.plan import (
    Kind,
    Out,
    OutAccess,
    OutChanged,
    OutColumn,
    OutCommand,
    OutConnection,
    OutConstant,
    OutContext,
    OutEntities,
    OutFault,
    OutGroup,
    OutIntrospection,
    OutProvenance,
    OutRead,
    Part,
    Read,
)
from resolvers.roots.entities import Reference
from resolvers.scale import too_complex

Path = tuple[Any, ...]
BEIJING = timezone(timedelta(hours=8))
OBJECTS = 50_000
"""Objects of one answer. A page of 100 with ten facets of ten rows has 10,000; what is larger
comes of relations followed to and fro, where every step multiplies."""
RIDE_OBJECT = 100  # bytes of riding text that count as one object
HOLE_TEXT = "\\u001f"  # how a hole stands in JSON text (adapters/databases/dialect.py)
HOLE_BYTES = HOLE_TEXT.encode()


class Nulled(Exception):
    """A required value is missing here; the nearest nullable value above becomes null."""


@dataclass(slots=True)
class Errors:
    """Errors in the order met; one per source and root path (protocol 2.2)."""

    found: list[dict[str, Any]] = field(default_factory=list)
    _sources: set[tuple[str, Any]] = field(default_factory=set)

    def add(self, error: HubError, path: Path, nodes: Sequence[Any]) -> None:
        """One GraphQL error; a source's failure only once per root."""
        if isinstance(error, SourceUnavailable):
            mark = (str(error.extra.get("source")), path[0] if path else None)
            if mark in self._sources:
                return
            self._sources.add(mark)
            path = path[:1]
        self.found.append(formatted(error, path, nodes))

    def fail(self, error: HubError, path: Path) -> NoReturn:
        """The object at this path cannot be: Nulled."""
        self.add(error, path, ())
        raise Nulled

    def check(self, parts: Sequence[Part], path: Path) -> None:
        """Nulled if these members of the object at this path cannot be read."""
        if parts and parts[0].fault is not None:
            self.fail(parts[0].fault, path)


@dataclass(frozen=True, slots=True)
class Introspected:
    """What graphql-core answered; `data` is None if ``__schema``, which may not be null, failed."""

    data: Mapping[str, Any] | None
    errors: Sequence[Mapping[str, Any]] = ()

    def value(self, key: str, errors: Errors) -> Any:
        """What stands under this key; its errors are told. Nulled if it may not be null."""
        own = [dict(e) for e in self.errors if e["path"][0] == key]
        errors.found += own
        if self.data is not None:
            return self.data.get(key)
        if own and own[-1] == self.errors[-1]:  # the last error is the one that ended it
            raise Nulled
        return None


def formatted(error: HubError, path: Path = (), nodes: Sequence[Any] = ()) -> dict[str, Any]:
    """A HubError as the GraphQL error of the answer."""
    extensions = dict(error.extensions())
    found: dict[str, Any] = {"message": error.message}
    locations = extensions.pop("locations", None) or _locations(nodes)
    if locations:
        found["locations"] = locations
    if path:
        found["path"] = list(path)
    found["extensions"] = extensions
    return found


def _locations(nodes: Sequence[Any]) -> list[dict[str, int]]:
    found = []
    for node in nodes:
        if node.loc is not None:
            at = get_location(node.loc.source, node.loc.start)
            found.append({"line": at.line, "column": at.column})
    return found


def answer(
    execution: Execution,
    context: Mapping[str, Any],
    introspection: Introspected,
    leaves: Mapping[str, Callable[[Any], Any]],
) -> tuple[dict[str, Any] | None, list[dict[str, Any]]]:
    """The `data` of an executed Plan and its errors; `data` is None if a root could not be."""
    errors = Errors()
    builder = _Builder(execution, errors, leaves)
    data: dict[str, Any] = {}
    try:
        for out in execution.plan.shape.outs:
            if isinstance(out, OutFault):
                errors.fail(out.error, ())
            if isinstance(out, OutConstant):
                data[out.key] = out.value
            elif isinstance(out, OutIntrospection):
                data[out.key] = introspection.value(out.key, errors)
            elif isinstance(out, OutContext):
                data[out.key] = _members(context[out.name], out.parts, (out.key,), errors)
            else:
                data[out.key] = builder.root(out)
    except Nulled:
        return None, errors.found
    return data, errors.found


def _members(value: Any, parts: Sequence[Part], path: Path, errors: Errors) -> Any:
    """A plain value, cut to what was asked."""
    if isinstance(value, list | tuple):
        return [_members(v, parts, (*path, i), errors) for i, v in enumerate(value)]
    if not isinstance(value, Mapping):
        return value
    errors.check(parts, path)
    return {
        p.key: p.name[1:]
        if p.name.startswith("=")
        else _members(value[p.name], p.parts, (*path, p.key), errors)
        for p in parts
    }


class _Builder:
    """Turns the results of one execution into plain values."""

    def __init__(
        self, execution: Execution, errors: Errors, leaves: Mapping[str, Callable[[Any], Any]]
    ) -> None:
        self._results, self._plan = execution.results, execution.plan
        self._references, self._done = execution.references, execution.done
        self._seal, self._disputed = execution.seal, execution.disputed
        self._errors, self._leaves = errors, leaves
        self._reads = execution.plan.shape.by_id
        self._built = 0

    def _built_more(self, count: int) -> None:
        self._built += count
        if self._built > OBJECTS:
            raise too_complex("objects", OBJECTS, None)

    # -- roots

    def root(self, out: Out) -> Any:
        if isinstance(out, OutConnection | OutRead) and self._results[out.read].planned.whole:
            return self._whole(out, self._results[out.read])
        if isinstance(out, OutConnection):
            return self._connected(out, None, None, (out.key,))
        if isinstance(out, OutRead):
            return self._root_rows(out)
        if isinstance(out, OutEntities):
            return self._entities(out)
        if isinstance(out, OutCommand):
            return self._payload(out)
        raise TypeError("a root is rows, a connection, entities or a deed")

    def _payload(self, out: OutCommand) -> dict[str, Any]:
        """What came of a deed, as the type that it gives: its rows by the Plan, like any others."""
        done = self._done
        assert done is not None  # noqa: S101  a Plan with a deed is run after it
        found: dict[str, Any] = {}
        for member in out.members[done.kind]:
            if isinstance(member, OutConstant):
                found[member.key] = member.value
            elif isinstance(member, OutChanged):
                key = done.rows.get(member.name)
                place = (out.key, member.key)
                found[member.key] = key and self._keyed(member.read, key, place, member.nodes)
            else:
                parts = (member,)
                found |= _members(done.values, parts, (out.key,), self._errors)
        return found

    def _entities(self, out: OutEntities) -> list[Any]:
        """One object a representation, in their order; Nulled if they could not be read."""
        path: Path = (out.key,)
        sent = self._references[out.key]
        if isinstance(sent, HubError):
            self._errors.add(sent, path, out.nodes)
            raise Nulled
        return [self._entity(out, one, (*path, at)) for at, one in enumerate(sent)]

    def _entity(self, out: OutEntities, sent: Reference | HubError, path: Path) -> Any:
        """Null for nobody and for one not seen alike; only what he sent wrong is told."""
        if isinstance(sent, HubError):
            return self._errors.add(sent, path, out.nodes)
        return self._keyed(sent.read, sent.key, path, out.nodes)

    def _keyed(self, read: int, key: str, path: Path, nodes: Sequence[Any]) -> Any:
        """The row of a key; null for none and for one not seen alike."""
        result = self._results[read]
        if result.error is not None:
            return self._errors.add(result.error, path, nodes)
        rows = result.groups.get(key, ())
        try:
            outs = self._reads[read].outs
            return self._object(outs, result, rows[0], None, path) if rows else None
        except Nulled:
            return None

    def _whole(self, out: OutRead | OutConnection, result: Result) -> Any:
        """A closed root: its text as it is, below the parts of its connection."""
        path: Path = (out.key,)
        if result.error is not None:
            return self._failed(result.error, path, out)
        if result.text is None:
            return self._nothing(out, path)
        text = self._text(result.text)
        if isinstance(out, OutRead):
            return text
        values = {"nodes": text, "totalCount": result.totals.get(None, 0)}
        return {p.key: p.name[1:] if p.name.startswith("=") else values[p.name] for p in out.parts}

    def _root_rows(self, out: OutRead) -> Any:
        result = self._results[out.read]
        path: Path = (out.key,)
        if result.error is not None:
            return self._failed(result.error, path, out)
        rows = result.rows
        if out.many:
            return self._list(out, result, rows, None, path)
        if not rows:
            return self._nothing(out, path)
        return self._one(out, result, rows[0], None, path)

    def _failed(self, error: HubError, path: Path, out: OutRead | OutConnection) -> None:
        self._errors.add(error, path, out.nodes)
        if out.required:
            raise Nulled

    def _nothing(self, out: OutRead | OutConnection, path: Path) -> None:
        if out.required:
            self._errors.add(Internal("必有的值缺失"), path, out.nodes)
            raise Nulled

    # -- objects

    def _list(
        self, out: OutRead, result: Result, rows: Sequence[Row], env: Env | None, path: Path
    ) -> Any:
        read = self._reads[out.read]
        try:
            return [self._object(read.outs, result, r, env, (*path, i)) for i, r in enumerate(rows)]
        except Nulled:
            if out.required:
                raise
            return None

    def _one(self, out: OutRead, result: Result, row: Row, env: Env | None, path: Path) -> Any:
        try:
            return self._object(self._reads[out.read].outs, result, row, env, path)
        except Nulled:
            if out.required:
                raise
            return None

    def _object(
        self, outs: Sequence[Out], result: Result, row: Row, env: Env | None, path: Path
    ) -> dict[str, Any]:
        self._built_more(1)
        if outs and isinstance(outs[0], OutFault):
            self._errors.fail(outs[0].error, path)
        return {out.key: self._value(out, result, row, env, path) for out in outs}

    def _value(self, out: Out, result: Result, row: Row, env: Env | None, path: Path) -> Any:
        if isinstance(out, OutColumn):
            return self._column(out, result, row, path)
        if isinstance(out, OutConstant):
            return out.value
        if isinstance(out, OutRead):
            return self._below(out, result, row, env, (*path, out.key))
        if isinstance(out, OutGroup):
            return self._object(out.outs, result, row, env, (*path, out.key))
        if isinstance(out, OutConnection):
            return self._connected(out, result, row, (*path, out.key))
        if isinstance(out, OutAccess):
            entries = self._states(result, row, env)
            return _members(entries, out.parts, (*path, out.key), self._errors)
        if isinstance(out, OutProvenance):
            whole = self._provenance(result, row)
            return _members(whole, out.parts, (*path, out.key), self._errors)
        raise TypeError("no value in a row")

    def _column(self, out: OutColumn, result: Result, row: Row, path: Path) -> Any:
        at = result.layout.get(out.column)
        value = row[at] if at is not None else None
        if value is None:
            if out.required:
                self._errors.add(Internal("必有的值缺失"), (*path, out.key), out.nodes)
                raise Nulled
            return None
        leaf = self._leaves.get(out.leaf)
        if leaf is None:
            return value
        try:
            return leaf(value)
        except ValueError:  # a value that its type in the schema does not hold
            return self._unfit(out, path)

    def _unfit(self, out: OutColumn, path: Path) -> None:
        self._errors.add(Internal("值不合接口定义"), (*path, out.key), out.nodes)
        if out.required:
            raise Nulled

    # -- other Reads below a row

    def _below(self, out: OutRead, result: Result, row: Row, env: Env | None, path: Path) -> Any:
        riding = result.layout.get(f"__json_{out.read}")
        if riding is not None:
            return self._ridden(out, row[riding], path)
        child = self._results.get(out.read)
        if child is None:  # no parent of this level had rows, so nobody asked
            return self._empty(out, path)
        read = self._reads[out.read]
        below = None if read.kind is Kind.EDGE else env or env_of(row, result.layout)
        if _denied(child, below) and not out.required:
            return None
        if _unasked(read, result, row):
            return self._empty(out, path)
        if child.error is not None:
            return self._failed(child.error, path, out)
        if _withheld(child, read, result, row, below) and not out.required:
            return None
        if read.kind is Kind.EDGE:
            rows = self._edge_rows(child, read, result, row)
        else:
            rows = self._facet_rows(child, read, result, row, below)
        if out.many:
            return self._list(out, child, rows, below, path)
        return self._one(out, child, rows[0], below, path) if rows else self._empty(out, path)

    def _empty(self, out: OutRead | OutConnection, path: Path) -> Any:
        many = isinstance(out, OutRead) and out.many
        return [] if many else self._nothing(out, path)

    def _ridden(self, out: OutRead | OutConnection, text: Any, path: Path) -> Any:
        return self._empty(out, path) if text is None else self._text(text)

    def _text(self, text: str | bytes) -> orjson.Fragment:
        if (HOLE_TEXT in text) if isinstance(text, str) else (HOLE_BYTES in text):
            raise RowMode
        self._built_more(1 + len(text) // RIDE_OBJECT)
        return orjson.Fragment(text)

    def _edge_rows(self, child: Result, read: Read, result: Result, row: Row) -> Sequence[Row]:
        key = row[result.layout[str(read.parent)]]
        return child.groups.get(str(key), ()) if key is not None else ()

    def _facet_rows(
        self, child: Result, read: Read, result: Result, row: Row, env: Env | None
    ) -> Sequence[Row]:
        if child.cells is None or env is None:
            return ()
        states = child.cells(env)
        key = row[result.layout[str(read.parent)]]
        if states is None or key is None:
            return ()
        return child.groups.get((child.cells.variant(env), str(key)), ())

    # -- connections

    def _connected(
        self, out: OutConnection, result: Result | None, row: Row | None, path: Path
    ) -> Any:
        riding = None if result is None else result.layout.get(f"__json_{out.read}")
        if riding is not None and row is not None:
            return self._ridden(out, row[riding], path)
        child = self._results.get(out.read)
        if child is not None and child.error is not None:
            return self._failed(child.error, path, out)
        if child is not None and child.denied and not out.required:
            return None
        key = None
        if result is not None and row is not None:
            value = row[result.layout[str(self._reads[out.read].parent)]]
            key = None if value is None else str(value)
        try:
            return self._page(out, child, key, path)
        except Nulled:
            if out.required:
                raise
            return None

    def _page(self, out: OutConnection, child: Result | None, key: Any, path: Path) -> Any:
        if child is None or child.window is None:
            page = _Page((), False, False, 0)
        else:
            read = self._reads[out.read]
            rows = child.rows if read.kind is Kind.ROOT else child.groups.get(key, [])
            page = _paged(child, rows, child.totals.get(key, 0))
        return self._page_parts(out.parts, child, page, path)

    def _page_parts(
        self, parts: Sequence[Part], child: Result | None, page: _Page, path: Path
    ) -> dict[str, Any]:
        self._errors.check(parts, path)
        return {p.key: self._page_part(p, child, page, (*path, p.key)) for p in parts}

    def _page_part(self, part: Part, child: Result | None, page: _Page, path: Path) -> Any:
        if part.name.startswith("="):
            return part.name[1:]
        if part.name == "totalCount":
            return page.total
        if part.name == "pageInfo":
            return self._page_info(part.parts, child, page, path)
        if child is None:
            return []
        if part.name == "nodes":
            rows = enumerate(page.rows)
            return [self._object(part.outs, child, r, None, (*path, i)) for i, r in rows]
        return [
            self._page_edge(part.parts, child, row, (*path, i)) for i, row in enumerate(page.rows)
        ]

    def _page_edge(
        self, parts: Sequence[Part], child: Result, row: Row, path: Path
    ) -> dict[str, Any]:
        self._errors.check(parts, path)
        found: dict[str, Any] = {}
        for part in parts:
            if part.name.startswith("="):
                found[part.key] = part.name[1:]
            elif part.name == "cursor":
                found[part.key] = self._seal(child, row)
            else:
                found[part.key] = self._object(part.outs, child, row, None, (*path, part.key))
        return found

    def _page_info(
        self, parts: Sequence[Part], child: Result | None, page: _Page, path: Path
    ) -> dict[str, Any]:
        self._errors.check(parts, path)
        found: dict[str, Any] = {}
        for part in parts:
            if part.name.startswith("="):
                found[part.key] = part.name[1:]
            elif part.name == "hasNextPage":
                found[part.key] = page.next
            elif part.name == "hasPreviousPage":
                found[part.key] = page.previous
            else:
                rows = page.rows if child is not None else ()
                row = (rows[0] if part.name == "startCursor" else rows[-1]) if rows else None
                found[part.key] = self._seal(child, row) if child and row else None
        return found

    # -- access and provenance

    def _states(self, result: Result, row: Row, env: Env | None) -> list[dict[str, str]]:
        """Columns and facets of the row that are not OK: policy first, the value last."""
        planned = result.planned
        states: Mapping[str, CellState] = planned.states
        if result.cells is not None and env is not None:
            states = result.cells(env) or {}
        found, disputed = [], self._disputed_in(result, row)
        for column in planned.read.columns:
            state = _state(column, states.get(column), result, row, column in disputed)
            found.append({"field": column, "state": state, "source": planned.source})
        found += [self._facet_state(c, result, row) for c in _facets(planned.read)]
        return [entry for entry in found if entry["state"] != FieldState.OK]

    def _disputed_in(self, result: Result, row: Row) -> Collection[str]:
        """The columns of this row whose value is under correction, whoever may see it."""
        if not self._disputed:
            return ()
        layout = result.layout
        if SUBJECT in layout:
            person = row[layout[SUBJECT]]
        else:
            person = result.people.get(str(row[layout[KEY]])) if KEY in layout else None
        return dict(disputed_of(result.planned.read, person, self._disputed))

    def _facet_state(self, read: Read, result: Result, row: Row) -> dict[str, str]:
        """A facet's state: denied, its source down, withheld by it, no record, or there."""
        child, env, facet = (
            self._results.get(read.id),
            env_of(row, result.layout),
            read.dataset.facet,
        )
        name = f"{facet.container}.{facet.field}" if facet else read.dataset.name
        state = FieldState.OK
        if child is None or _denied(child, env):
            state = FieldState.DENIED
        elif _unasked(read, result, row):
            state = FieldState.NO_RECORD
        elif child.error is not None:
            state = FieldState.SOURCE_DOWN
        elif _withheld(child, read, result, row, env):
            state = FieldState.MASKED
        elif not self._facet_rows(child, read, result, row, env):
            state = FieldState.NO_RECORD
        elif child.stale:
            state = FieldState.STALE
        return {"field": name, "state": state, "source": read.dataset.source}

    def _provenance(self, result: Result, row: Row) -> dict[str, Any]:
        layout, dataset = result.layout, result.planned.read.dataset
        grade_at, quality_at = layout.get(GRADE), layout.get(QUALITY)
        as_of = result.as_of
        quality = (row[quality_at] or "").split() if quality_at is not None else []
        if result.stale:
            quality.append(DQCode.DQ11.value)
        return {
            "source": dataset.source,
            "asOf": local(as_of) if as_of is not None else None,
            "matchGrade": row[grade_at] if grade_at is not None else None,
            "quality": quality,
        }


def local(at: datetime) -> str:
    """The one wire form of an instant: Beijing time, whole seconds."""
    return at.astimezone(BEIJING).isoformat(timespec="seconds")


@dataclass(frozen=True, slots=True)
class _Page:
    rows: Sequence[Row]
    next: bool
    previous: bool
    total: int


def _paged(child: Result, rows: Sequence[Row], total: int) -> _Page:
    window = child.window
    assert window is not None  # noqa: S101  only connections are paged
    more = len(rows) > window.size
    shown = rows[: window.size]
    if window.backward:
        return _Page(list(reversed(shown)), window.started, more, total)
    return _Page(shown, more, window.started, total)


def _unasked(read: Read, result: Result, row: Row) -> bool:
    """True for a person without the number a source is asked by: its being down is not his."""
    return read.kind is Kind.FACET and row[result.layout[str(read.parent)]] is None


def _denied(child: Result, env: Env | None) -> bool:
    """True if policy shows none of these rows, whatever the source holds."""
    if child.cells is not None:
        return env is None or child.cells(env) is None
    return child.denied


def _withheld(child: Result, read: Read, result: Result, row: Row, env: Env | None) -> bool:
    """True if the source keeps this person's rows to itself: it masked whose they are."""
    if not child.withheld or child.cells is None or env is None:
        return False
    return (child.cells.variant(env), str(row[result.layout[str(read.parent)]])) in child.withheld


def _state(
    column: str, state: CellState | None, result: Result, row: Row, disputed: bool
) -> FieldState:
    layout = result.layout
    if state is CellState.MIXED:
        letter = row[layout[result.planned.letters[column]]]
        state = {"M": CellState.MASKED, "H": CellState.HIDDEN}.get(letter, CellState.CLEAR)
    if state is CellState.HIDDEN:
        return FieldState.DENIED
    if state is CellState.MASKED:
        return FieldState.MASKED
    if disputed:  # that there is no value may be what is wrong
        return FieldState.DISPUTED
    at = layout.get(column)
    if at is None or row[at] is None:
        return FieldState.NO_RECORD
    return FieldState.STALE if result.stale else FieldState.OK


def _facets(read: Read) -> list[Read]:
    return [child for child in read.children if child.kind is Kind.FACET]
