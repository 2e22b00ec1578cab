"""The values of the road: Shape, Plan, Disclosure. Pure; a Plan prints itself.

A **Shape** is what is asked: a tree of Reads with argument slots; it knows no asker. A
**Plan** is a Shape under one pattern of rights: each Read has its statement and the state of
each column. A **Disclosure** is what an execution showed: it becomes the access record.
One value decides what is fetched, what may be seen and what is logged.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from functools import cached_property
from typing import Any

from adapters.contract import NO_SIDE, GroupKey, Leaf, Measure, Page, Prepared, Side
from authz.lens import CellState, Mode
from catalog.datasets import Dataset
from catalog.errors import HubError
from resolvers.coerce import Arguments


class Kind(StrEnum):
    """How a Read hangs on its parent."""

    ROOT = "root"
    ENTITY = "entity"
    EDGE = "edge"
    FACET = "facet"
    NEST = "nest"


@dataclass(frozen=True, slots=True)
class Bind:
    """A statement's parameter: where its value lies in the arguments, and its conversion.

    `spread`: the value is a list; it fills this many parameters, ``param_0`` and so on.
    """

    param: str
    path: tuple[str, ...]
    convert: Callable[[Any, Any], Any]
    spread: int = 0

    def params(self, value: Any) -> dict[str, Any]:
        """The parameters of one value; a short list ends with its last value again and again."""
        if not self.spread:
            return {self.param: value}
        given = list(value)[: self.spread] or [None]
        given += [given[-1]] * (self.spread - len(given))
        return {f"{self.param}_{at}": one for at, one in enumerate(given)}


@dataclass(frozen=True, slots=True)
class Slot:
    """A field with arguments: coerced anew for every request."""

    arguments: Arguments
    connection: bool


# ---- what is answered: one Out per response key -------------------------------------------


@dataclass(frozen=True, slots=True)
class OutColumn:
    """A column of the row. `leaf` names the wire type, `required` is non-null in the schema."""

    key: str
    column: str
    coordinate: str
    leaf: str
    required: bool
    nodes: tuple[Any, ...] = ()


@dataclass(frozen=True, slots=True)
class OutConstant:
    """``__typename``."""

    key: str
    value: str


@dataclass(frozen=True, slots=True)
class OutRead:
    """An edge, facet or nest: the rows of another Read under this one."""

    key: str
    read: int
    coordinate: str
    many: bool
    required: bool
    nodes: tuple[Any, ...] = ()


@dataclass(frozen=True, slots=True)
class OutGroup:
    """A facet container: an object with no rows of its own."""

    key: str
    outs: tuple[Out, ...]


@dataclass(frozen=True, slots=True)
class OutAccess:
    """``access``: entries for the columns and facets asked in the same object."""

    key: str
    parts: tuple[Part, ...]


@dataclass(frozen=True, slots=True)
class OutProvenance:
    """``provenance`` with the parts asked."""

    key: str
    parts: tuple[Part, ...]


@dataclass(frozen=True, slots=True)
class OutConnection:
    """A connection: `parts` in order, each (response key, part name, sub-selection)."""

    key: str
    read: int
    coordinate: str
    parts: tuple[Part, ...]
    required: bool
    nodes: tuple[Any, ...] = ()


@dataclass(frozen=True, slots=True)
class Part:
    """A member of a connection, an edge, a page info or a plain value.

    With a `fault` it stands alone, as `OutFault` does among the fields of a row.
    """

    key: str
    name: str
    outs: tuple[Out, ...] = ()
    parts: tuple[Part, ...] = ()
    fault: HubError | None = None


@dataclass(frozen=True, slots=True)
class OutEntities:
    """``_entities``: one object a representation, in their order.

    `reads`: for each type its key fields and the Reads that go by them; `slot` holds the
    representations.
    """

    key: str
    slot: Slot
    reads: Mapping[str, Mapping[str, int]]
    nodes: tuple[Any, ...] = ()


@dataclass(frozen=True, slots=True)
class OutChanged:
    """In a payload: the row of this Read by the key that the command gives under `name`."""

    key: str
    name: str
    read: int
    nodes: tuple[Any, ...] = ()


Members = tuple["OutConstant | OutChanged | Part", ...]
"""What is asked of one type of a payload: rows by their Reads, plain values as parts."""


@dataclass(frozen=True, slots=True)
class OutCommand:
    """A mutation: the deed `name` with the arguments of `slot`, and its payload by type."""

    key: str
    name: str
    slot: Slot
    members: Mapping[str, Members]
    nodes: tuple[Any, ...] = ()


@dataclass(frozen=True, slots=True)
class OutContext:
    """A value of the request itself, e.g. ``viewer``."""

    key: str
    name: str
    parts: tuple[Part, ...]


@dataclass(frozen=True, slots=True)
class OutIntrospection:
    """``__schema`` or ``__type``: `nodes` are answered by graphql-core."""

    key: str
    nodes: tuple[Any, ...]


@dataclass(frozen=True, slots=True)
class OutFault:
    """In place of a selection that cannot be read, since a condition in it is null.

    Each object it is asked of fails with this error and is null.
    """

    error: HubError
    key: str = ""


Out = (
    OutColumn
    | OutConstant
    | OutRead
    | OutGroup
    | OutAccess
    | OutProvenance
    | OutConnection
    | OutEntities
    | OutCommand
    | OutContext
    | OutIntrospection
    | OutFault
)


# ---- what is asked ---------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Grouping:
    """Groups instead of rows: by which values of an enumeration, and what is counted of each.

    `dimensions` of all the enumeration's values. Without measures rows are counted, and small
    counts may be withheld (``caseStats``). `most`: this many groups, the largest first.
    """

    enum: str
    by: tuple[str, ...]
    dimensions: Mapping[str, GroupKey]
    measures: tuple[Measure, ...] = ()
    most: int | None = None

    @property
    def keys(self) -> tuple[GroupKey, ...]:
        """How each dimension grouped by is made."""
        return tuple(self.dimensions[name] for name in self.by)


@dataclass(frozen=True)
class Read:
    """One fetch: which data set, which columns, how it hangs on its parent.

    `id` is its number in the Shape, `path` its response path from the root, `parent` and
    `child` the raw columns of an edge (``identity`` or ``division`` for a facet). `extra` raw
    columns are fetched for children, cursors and the log, never for the answer. `group`:
    groups instead of rows. `sought`: who a root about one person is about.
    """

    id: int
    dataset: Dataset
    coordinate: str
    path: tuple[str, ...]
    kind: Kind
    mode: Mode
    many: bool
    required: bool
    columns: tuple[str, ...] = ()
    extra: tuple[str, ...] = ()
    parent: str | None = None
    child: str | None = None
    where: tuple[Leaf, ...] = ()
    binds: tuple[Bind, ...] = ()
    identifier: str | None = None
    order: tuple[tuple[str, bool], ...] = ()
    page: Page | None = None
    connection: bool = False
    total: bool = False
    slot: Slot | None = None
    group: Grouping | None = None
    sought: Callable[[Any, Any], str | bytes] | None = None
    outs: tuple[Out, ...] = ()
    parts: tuple[Part, ...] = ()
    children: tuple[Read, ...] = ()
    nodes: tuple[Any, ...] = ()

    @cached_property
    def coordinates(self) -> Mapping[str, str]:
        """``Type.column`` of each column, as the record names it; made once, asked per answer."""
        return {column: f"{self.dataset.type}.{column}" for column in self.columns}

    @cached_property
    def unreadable(self) -> bool:
        """True if what is asked of its rows cannot be read: they are found, but not shown.

        False if other fields are asked beside: these are read, and recorded as read.
        """
        asks = self.columns or self.children
        return not asks and _fail((*self.outs, *self.parts))

    def walk(self) -> list[Read]:
        """This Read and all below it, parents first."""
        return [self, *(r for child in self.children for r in child.walk())]


def _fail(asked: Sequence[Out | Part]) -> bool:
    """True if every object of which this is asked fails."""
    return any(_fails(one) for one in asked)


def _fails(one: Out | Part) -> bool:
    match one:
        case OutFault():
            return True
        case Part():
            return one.fault is not None or _fail((*one.outs, *one.parts))
        case OutGroup():
            return _fail(one.outs)
        case OutProvenance():
            return _fail(one.parts)
    return False


@dataclass(frozen=True)
class Shape:
    """What an operation asks, for one choice of the things that change its statements."""

    key: Any
    operation: str
    name: str | None
    outs: tuple[Out, ...]
    roots: tuple[Read, ...]
    variables: tuple[tuple[str, str], ...]
    introspection: bool = False
    costs: dict[tuple[int | None, ...], int] = field(default_factory=dict, compare=False)
    """What it costs by the sizes of its pages (`resolvers/cost.py`)."""

    def walk(self) -> tuple[Read, ...]:
        """All Reads, parents first."""
        return self._all

    @cached_property
    def _all(self) -> tuple[Read, ...]:
        return tuple(r for root in self.roots for r in root.walk())

    @cached_property
    def slots(self) -> tuple[tuple[int, Slot], ...]:
        """The Reads that have arguments, by their numbers."""
        return tuple((r.id, r.slot) for r in self._all if r.slot is not None)

    @cached_property
    def entities(self) -> tuple[OutEntities, ...]:
        """Each ``_entities`` of the operation."""
        return tuple(out for out in self.outs if isinstance(out, OutEntities))

    @cached_property
    def command(self) -> OutCommand | None:
        """The deed of a mutation: it has one."""
        return next((out for out in self.outs if isinstance(out, OutCommand)), None)

    @cached_property
    def contexts(self) -> frozenset[str]:
        """The names of the values of the request itself that it asks."""
        return frozenset(out.name for out in self.outs if isinstance(out, OutContext))

    @cached_property
    def lookups(self) -> tuple[Read, ...]:
        """The roots that look a person up."""
        return tuple(root for root in self.roots if root.identifier is not None)

    @cached_property
    def sized(self) -> tuple[int, ...]:
        """The numbers of the Reads that bring as many rows as they are asked for."""
        return tuple(r.id for r in self._all if r.connection or r.kind is Kind.ENTITY)

    @cached_property
    def personal(self) -> bool:
        """True if values are asked that are a person's own, which he may dispute."""
        return any(r.dataset.personal for r in self._all)

    @cached_property
    def by_id(self) -> Mapping[int, Read]:
        """The Reads by their numbers."""
        return {r.id: r for r in self._all}


# ---- what may be seen ------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Told:
    """Coordinates of columns that have one state for all rows of a batch."""

    clear: tuple[str, ...]
    masked: tuple[str, ...]
    hidden: Mapping[str, str]


def told_of(read: Read, states: Mapping[str, CellState]) -> Told:
    """The coordinates of `read` by the `states` of their columns; mixed ones are left out."""

    def those(state: CellState) -> tuple[str, ...]:
        return tuple(at for c, at in read.coordinates.items() if states.get(c) is state)

    hidden = dict.fromkeys(those(CellState.HIDDEN), "NO_RULE")
    return Told(those(CellState.CLEAR), those(CellState.MASKED), hidden)


@dataclass(frozen=True)
class PlannedRead:
    """A Read with its statement. `states` per column (SQL rows with rights of their own).

    `letters` names the letter column of each column whose state is decided row by row.
    `layout` maps a column of the statement to its place in the row tuple. Facets have one
    statement per combination of states (`variants`), made when first met. `whole`: the rows
    come as one JSON text; `side` says what is told of each riding row beside it.
    """

    read: Read
    source: str
    states: Mapping[str, CellState]
    prepared: Prepared | None
    counted: Prepared | None
    layout: Mapping[str, int]
    riding: tuple[Read, ...] = ()
    side: Side = NO_SIDE
    whole: bool = False
    letters: Mapping[str, str] = field(default_factory=dict)
    variants: dict[Any, tuple[Prepared, Mapping[str, int]]] = field(default_factory=dict)

    @cached_property
    def mixed(self) -> Mapping[str, tuple[str, ...]]:
        """Letter column -> the coordinates of the columns whose states it tells row by row."""
        found: dict[str, tuple[str, ...]] = {}
        for column, letter in self.letters.items():
            found[letter] = (*found.get(letter, ()), self.read.coordinates[column])
        return found

    @cached_property
    def uniform(self) -> Told:
        """The coordinates of every other column, by their state."""
        return told_of(self.read, self.states)


@dataclass(frozen=True)
class Plan:
    """A Shape under one pattern of rights."""

    shape: Shape
    reads: Mapping[int, PlannedRead]
    json_mode: bool
    policy: int

    @cached_property
    def _riding(self) -> frozenset[int]:
        return frozenset(r.id for planned in self.reads.values() for r in planned.riding)

    def rides(self, read_id: int) -> bool:
        """True if the Read travels in its parent's statement."""
        return read_id in self._riding


# ---- what was shown --------------------------------------------------------------------------


@dataclass(slots=True)
class ReadDisclosure:
    """What one Read showed: counts per schema coordinate, whose data, by which rules.

    `area`: the township that all its rows belong to, where the rights alone say so. `total`: the
    count he was told (``totalCount``), which discloses too. `disputed`: of the clear cells, those
    whose value is under correction. `asked`: its source was asked at all; `down`: why it did not
    answer.
    """

    dataset: str
    source: str
    how: str
    lens: str
    rules: tuple[str, ...]
    by: tuple[str, ...] = ()
    area: str | None = None
    rows: int = 0
    subjects: set[str] = field(default_factory=set)
    areas: set[str] = field(default_factory=set)
    clear: dict[str, int] = field(default_factory=dict)
    masked: dict[str, int] = field(default_factory=dict)
    hidden: dict[str, str] = field(default_factory=dict)
    states: dict[str, int] = field(default_factory=dict)
    disputed: dict[str, int] = field(default_factory=dict)
    total: int | None = None
    as_of: int | None = None
    asked: bool = False
    down: str | None = None


@dataclass(slots=True)
class Disclosure:
    """What an operation showed, or why it showed nothing. No value of any row."""

    operation: str
    name: str | None
    digest: str
    variables: tuple[tuple[str, str], ...]
    outcome: str
    code: str | None
    reads: tuple[ReadDisclosure, ...] = ()
    sought: tuple[str | bytes, ...] = ()
    policy: int = 0
    linkage: tuple[str, ...] = ()
