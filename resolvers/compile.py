"""Shape + Gate -> Plan: what may be seen, and each statement rendered once.

One Lens per Read decides which columns are selected, masked or never asked, and whether a
filter may run at all. A subtree that lives in one SQL source and needs nothing else rides in
its parent's statement.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

from adapters.contract import (
    REGION,
    SUBJECT,
    Output,
    ReadRequest,
    Ride,
    Side,
    Source,
    Whole,
)
from authz.gate import Gate
from authz.lens import CellState, Lens
from catalog.datasets import Dataset, FieldType, RegionKind
from catalog.load import Catalog
from resolvers import grouped
from resolvers.plan import (
    Kind,
    Out,
    OutColumn,
    OutConnection,
    OutConstant,
    OutRead,
    Plan,
    PlannedRead,
    Read,
    Shape,
)
from resolvers.refusal import refused

JSON_KINDS = frozenset(FieldType) - {FieldType.LINES}
"""Column types that have one and the same text in SQL's JSON and in the hub's."""
RIDE_LEVELS = 3
"""Reads on top of each other in one statement: SQLite's parser ends at five of them, and a
statement it refuses would look like a source that is down."""
RIDE_LISTS = 1
"""Lists without pages on top of each other: each multiplies what the one statement must write,
while in row mode a row that hangs below a hundred parents is read once. Pages are bounded by
the operation's cost."""


class Planner:
    """Makes a Plan: one Lens per Read, one statement per Read that does not ride."""

    def __init__(
        self, gate: Gate, catalog: Catalog, sources: Mapping[str, Source], json_mode: bool
    ) -> None:
        self._gate, self._catalog, self._sources = gate, catalog, sources
        self._json = json_mode
        self._planned: dict[int, PlannedRead] = {}

    def plan(self, shape: Shape, policy: int) -> Plan:
        """The Plan of a Shape under this Gate; a refused root has no statement."""
        for root in shape.roots:
            self._root(root)
        return Plan(shape, self._planned, self._json, policy)

    def _root(self, read: Read) -> None:
        if refused(self._gate, read) is not None:
            return  # nothing is prepared, so nothing can be asked
        if read.group is not None:
            self._grouped(read, self._lens(read))
        else:
            self._statement(read, self._lens(read))

    def _grouped(self, read: Read, lens: Lens) -> None:
        """One statement; nothing hangs below a group, and it rides nowhere."""
        source = read.dataset.source
        prepared = self._sources[source].prepare(grouped.request(read, lens))
        layout = {name: i for i, name in enumerate(prepared.columns)}
        self._planned[read.id] = PlannedRead(read, source, {}, prepared, None, layout)

    def _lens(self, read: Read) -> Lens:
        return self._gate.lens(read.dataset, read.mode, read.identifier)

    def _statement(self, read: Read, lens: Lens) -> None:
        """The Read's statement, with the subtrees that ride in it; then the others."""
        states = {c: lens.cell(c).state for c in read.columns}
        riding = tuple(c for c in read.children if self._closed(c, read))
        whole = self._whole(read, lens, states, riding)
        request = self._request(read, lens, states, () if whole else riding, whole)
        source = self._sources[read.dataset.source]
        prepared = source.prepare(request)
        counted = source.prepare(_counting(request)) if read.total else None
        layout = {name: i for i, name in enumerate(prepared.columns)}
        side = whole.side if whole else Side()
        self._planned[read.id] = PlannedRead(
            read,
            read.dataset.source,
            states,
            prepared,
            counted,
            layout,
            riding,
            side,
            bool(whole),
            lens.letters(read.columns),
        )
        for child in read.children:
            if child not in riding:
                self._child(child)

    def _child(self, read: Read) -> None:
        if read.kind in (Kind.FACET, Kind.NEST):
            self._planned[read.id] = PlannedRead(read, read.dataset.source, {}, None, None, {})
            for child in read.children:
                self._child(child)
            return
        lens = self._lens(read)
        if lens.rows.empty:  # nothing to see: nothing is asked
            self._planned[read.id] = PlannedRead(read, read.dataset.source, {}, None, None, {})
            return
        self._statement(read, lens)

    def _request(
        self,
        read: Read,
        lens: Lens,
        states: Mapping[str, CellState],
        riding: Sequence[Read],
        whole: Whole | None = None,
    ) -> ReadRequest:
        dataset = read.dataset
        shown = tuple(c for c in read.columns if states[c] is not CellState.HIDDEN)
        own_region = dataset.region.kind is RegionKind.PATH
        side = ((REGION,) if own_region else ()) + ((SUBJECT,) if dataset.subject else ())
        extra = tuple(dict.fromkeys((*read.extra, *side)))
        return ReadRequest(
            dataset=dataset,
            columns=shown,
            extra=extra,
            key=read.child,
            lens=lens,
            letters=_letters(read, lens),
            where=read.where,
            order=read.order,
            page=read.page,
            rides=tuple(self._ride(c, shared=False) for c in riding),
            whole=whole,
            prefix=f"r{read.id}",
        )

    # -- JSON mode

    def _closed(self, read: Read, parent: Read) -> bool:
        """True if the whole subtree lives in the parent's source and can be told in JSON."""
        if not self._json or read.kind is not Kind.EDGE or not _gathers(read):
            return False
        if read.page is not None and read.page.after:
            return False  # a cursor is opened for one list, not for each parent's
        if _levels(read) > RIDE_LEVELS or _lists(read) > RIDE_LISTS:
            return False
        if read.dataset.source != parent.dataset.source:
            return False
        lens = self._lens(read)
        if lens.rows.empty or not all(self._plain(o, read) for o in _objects(read)):
            return False
        return all(self._closed(c, read) for c in read.children)

    def _plain(self, out: Out, read: Read) -> bool:
        if isinstance(out, OutColumn):
            return read.dataset.by_name[out.column].type in JSON_KINDS
        return isinstance(out, OutConstant | OutRead | OutConnection)

    def _whole(
        self,
        read: Read,
        lens: Lens,
        states: Mapping[str, CellState],
        riding: Sequence[Read],
    ) -> Whole | None:
        """The root as one text, if everything below it rides and it has no cursor to show."""
        if not self._json or read.kind is not Kind.ROOT or len(riding) != len(read.children):
            return None
        if not self._sources[read.dataset.source].json or not _gathers(read):
            return None
        if not all(self._plain(o, read) for o in _objects(read)):
            return None
        rides = {c.id: self._ride(c, shared=False) for c in riding}
        return Whole(read.many, self._outputs(read, states, rides), self._side(read, lens, False))

    def _ride(self, read: Read, shared: bool) -> Ride:
        """The Read as a ride; `shared`: one row of it may lie below several parents."""
        lens = self._lens(read)
        shared = shared or not read.many
        states = {c: lens.cell(c).state for c in read.columns}
        side = self._side(read, lens, shared)
        self._planned[read.id] = PlannedRead(
            read,
            read.dataset.source,
            states,
            None,
            None,
            {},
            read.children,
            side,
            letters=lens.letters(read.columns),
        )
        rides = {c.id: self._ride(c, shared) for c in read.children}
        assert read.parent is not None  # noqa: S101  an edge has both ends
        assert read.child is not None  # noqa: S101
        return Ride(
            name=str(read.id),
            request=self._request(read, lens, states, ()),
            parent=read.parent,
            child=read.child,
            many=read.many,
            outputs=self._outputs(read, states, rides),
            side=side,
            parts=_parts(read) if read.connection else None,
        )

    def _side(self, read: Read, lens: Lens, shared: bool) -> Side:
        dataset = read.dataset
        # Where the rights admit one township only, each row's place need not be told.
        placed = dataset.region.kind is RegionKind.PATH and lens.township is None
        return Side(
            key=dataset.key.columns if shared else (),
            subject=dataset.subject,
            region=placed,
            letters=_letters(read, lens),
        )

    def _outputs(
        self, read: Read, states: Mapping[str, CellState], rides: Mapping[int, Ride]
    ) -> tuple[Output, ...]:
        return tuple(self._output(o, read.dataset, states, rides) for o in _objects(read))

    def _output(
        self, out: Out, dataset: Dataset, states: Mapping[str, CellState], rides: Mapping[int, Ride]
    ) -> Output:
        if isinstance(out, OutConstant):
            return Output(out.key, constant=out.value)
        if isinstance(out, OutRead | OutConnection):
            return Output(out.key, ride=rides[out.read], required=out.required)
        if not isinstance(out, OutColumn):
            raise TypeError("only columns, constants and edges ride")
        field = dataset.by_name[out.column]
        seen = states[out.column] is not CellState.HIDDEN
        return Output(
            out.key,
            column=out.column if seen else None,
            required=out.required,
            allowed=tuple(self._catalog.codes[field.code]) if field.code else (),
            small=field.type is FieldType.INT,
        )


def _counting(request: ReadRequest) -> ReadRequest:
    """The same rows, only counted: no page, no columns."""
    return replace(
        request,
        columns=(),
        letters=(),
        extra=(),
        rides=(),
        whole=None,
        count=True,
        order=(),
        page=None,
    )


def _letters(read: Read, lens: Lens) -> tuple[str, ...]:
    return tuple(dict.fromkeys(lens.letters(read.columns).values()))


def _objects(read: Read) -> tuple[Out, ...]:
    """What is asked of each row: below ``nodes`` where the rows are a connection's."""
    if not read.connection:
        return read.outs
    return next((part.outs for part in read.parts if part.name == "nodes"), ())


def _gathers(read: Read) -> bool:
    """False for a connection that shows cursors, or its rows in more than one form.

    A cursor is sealed in the hub from the values of its row, which then must come as a row.
    """
    if not read.connection:
        return True
    names = [part.name for part in read.parts]
    plain = all(n in ("nodes", "totalCount") or n.startswith("=") for n in names)
    return plain and names.count("nodes") == 1


def _parts(read: Read) -> tuple[tuple[str, str], ...]:
    return tuple((part.key, part.name) for part in read.parts)


def _levels(read: Read) -> int:
    """How many Reads lie on top of each other here, this one included."""
    return 1 + max((_levels(c) for c in read.children), default=0)


def _lists(read: Read) -> int:
    """How many lists without pages lie on top of each other here, this one included."""
    own = int(read.many and not read.connection)
    return own + max((_lists(c) for c in read.children), default=0)
