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
    Source,
)
from authz.gate import Gate
from authz.lens import CellState, Lens
from catalog.datasets import FieldType, RegionKind
from catalog.load import Catalog
from resolvers import grouped
from resolvers.plan import (
    Kind,
    Out,
    OutColumn,
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
"""Lists on top of each other: each multiplies what the one statement must write, while in
row mode a row that hangs below a hundred parents is read once."""


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
        request = self._request(read, lens, states, riding)
        source = self._sources[read.dataset.source]
        prepared = source.prepare(request)
        counted = (
            source.prepare(replace(request, columns=(), extra=(), rides=(), count=True, page=None))
            if read.total
            else None
        )
        layout = {name: i for i, name in enumerate(prepared.columns)}
        self._planned[read.id] = PlannedRead(
            read, read.dataset.source, states, prepared, counted, layout, riding
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
            where=read.where,
            order=read.order,
            page=read.page,
            rides=tuple(self._ride(c) for c in riding),
            prefix=f"r{read.id}",
        )

    # -- JSON mode

    def _closed(self, read: Read, parent: Read) -> bool:
        """True if the whole subtree lives in the parent's source and can be told in JSON."""
        if not self._json or read.connection or read.kind is not Kind.EDGE:
            return False
        if _levels(read) > RIDE_LEVELS or _lists(read) > RIDE_LISTS:
            return False
        if read.dataset.source != parent.dataset.source:
            return False
        lens = self._lens(read)
        if lens.rows.empty or not all(self._plain(o, read, lens) for o in read.outs):
            return False
        return all(self._closed(c, read) for c in read.children)

    def _plain(self, out: Out, read: Read, lens: Lens) -> bool:
        if isinstance(out, OutColumn):
            kind = read.dataset.by_name[out.column].type
            return kind in JSON_KINDS and lens.cell(out.column).state is not CellState.MIXED
        return isinstance(out, OutConstant | OutRead)

    def _ride(self, read: Read) -> Ride:
        lens = self._lens(read)
        states = {c: lens.cell(c).state for c in read.columns}
        self._planned[read.id] = PlannedRead(
            read, read.dataset.source, states, None, None, {}, read.children
        )
        rides = {c.id: self._ride(c) for c in read.children}
        outputs = tuple(_output(o, states, rides) for o in read.outs)
        assert read.parent is not None  # noqa: S101  an edge has both ends
        assert read.child is not None  # noqa: S101
        return Ride(
            name=str(read.id),
            request=self._request(read, lens, states, ()),
            parent=read.parent,
            child=read.child,
            many=read.many,
            outputs=outputs,
        )


def _levels(read: Read) -> int:
    """How many Reads lie on top of each other here, this one included."""
    return 1 + max((_levels(c) for c in read.children), default=0)


def _lists(read: Read) -> int:
    """How many lists lie on top of each other here, this one included."""
    return int(read.many) + max((_lists(c) for c in read.children), default=0)


def _output(out: Out, states: Mapping[str, CellState], rides: Mapping[int, Ride]) -> Output:
    if isinstance(out, OutColumn):
        seen = states[out.column] is not CellState.HIDDEN
        return Output(out.key, column=out.column if seen else None, required=out.required)
    if isinstance(out, OutConstant):
        return Output(out.key, constant=out.value)
    if isinstance(out, OutRead):
        return Output(out.key, ride=rides[out.read], required=out.required)
    raise TypeError("only columns, constants and edges ride")
