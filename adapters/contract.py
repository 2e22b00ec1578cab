"""What a source is to the hub: it prepares a read once and answers batches of it.

A source receives plain predicates, never an Asker. SQL sources are handed the Lens as an
opaque `RowFilter`; other sources get the cells' masks and are asked by key only.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any, Protocol

from catalog.datasets import Dataset
from catalog.grades import Mask

EXTRA = "x__"
"""Raw source columns are labelled with this, so that a masked column cannot be taken for one."""
REGION, MINOR, SUBJECT, KEY = "__region", "__minor", "__subject", "__key"
GRADE, QUALITY = "__grade", "__dq"


class Freshness(StrEnum):
    """How current an answer is."""

    LIVE = "LIVE"
    STALE = "STALE"


class RowFilter(Protocol):
    """A Lens as SQL sees it: the only thing a statement may select from."""

    def source(
        self, table: TableMap, columns: Sequence[str], where: Sequence[Leaf], prefix: str
    ) -> Any:
        """A SELECT of `columns` (masked by state) over the admitted rows; binds are named."""


@dataclass(frozen=True, slots=True)
class TableMap:
    """A data set's columns as SQL expressions; `extra` are join keys and order columns."""

    table: Any
    columns: Mapping[str, Any]
    region: Any | None
    owner: Any | None
    party: Any | None
    birth: Any | None
    bound: Any | None
    extra: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Leaf:
    """One condition: catalogue `column`, operator, and the name of its bound value."""

    column: str
    op: str
    param: str


class Bucket(StrEnum):
    """How a group's key is made of a column: its value, its month in Beijing, its place."""

    VALUE = "VALUE"
    MONTH = "MONTH"
    TOWNSHIP = "TOWNSHIP"
    VILLAGE = "VILLAGE"


@dataclass(frozen=True, slots=True)
class GroupKey:
    """One key of a grouping: its `name` in the row, the source's column, how it is made."""

    name: str
    column: str
    bucket: Bucket


class Count(StrEnum):
    """What is counted of a group's rows: all, the sum of a column, its different values."""

    ROWS = "ROWS"
    SUM = "SUM"
    DIFFERENT = "DIFFERENT"


@dataclass(frozen=True, slots=True)
class Measure:
    """A number of each group: its `name` in the row, what is counted, of which column."""

    name: str
    count: Count
    column: str | None = None


@dataclass(frozen=True, slots=True)
class Page:
    """A keyset page: `after` tells whether a cursor's values are bound; one row more is read."""

    after: bool
    backward: bool


@dataclass(frozen=True, slots=True)
class Output:
    """One member of a riding object: a column, a constant (``__typename``) or a ride below.

    A `required` member that is NULL, a code that is none of `allowed` or a `small` number
    beyond 32 bits turns its whole object into the byte 0x1F: the hub then runs the operation
    in row mode, which knows paths.
    """

    key: str
    column: str | None = None
    constant: str | None = None
    ride: Ride | None = None
    required: bool = False
    allowed: tuple[str, ...] = ()
    small: bool = False


@dataclass(frozen=True, slots=True)
class Side:
    """What is told of each riding row beside its JSON, for the record: `fields` of one entry.

    `key`: raw columns that tell rows apart, where one row may ride below several parents;
    `subject` and `region`: raw columns; `letters`: the letter columns of mixed cells. An
    entry's fields and the entries of a list are joined by `SEPARATOR`; an absent value is
    the empty text. No row at all is NULL.
    """

    key: tuple[str, ...] = ()
    subject: str | None = None
    region: bool = False
    letters: tuple[str, ...] = ()

    @property
    def width(self) -> int:
        """Fields of one entry; a row of which nothing need be told still is one entry."""
        return max(1, len(self.key) + (self.subject is not None) + self.region + len(self.letters))


NO_SIDE = Side()
SEPARATOR = "\x1e"
"""Between the fields of a side: no key, person's key, path or letter holds this byte."""


@dataclass(frozen=True, slots=True)
class Ride:
    """A closed subtree that travels in its parent's statement as one JSON text.

    It comes as ``__json_<name>`` (the text) and ``__side_<name>`` (see `Side`), so that no
    nested person is missed in the log and a row below several parents is counted once.
    A connection has `parts`: (response key, ``nodes``, ``totalCount`` or ``=Type``), reads at
    most the bound ``<prefix>_limit`` rows per parent, and brings ``__total_<name>`` (parent's
    key and count, joined like a side) if `counted`.
    """

    name: str
    request: ReadRequest
    parent: str
    child: str
    many: bool
    outputs: tuple[Output, ...]
    side: Side = NO_SIDE
    parts: tuple[tuple[str, str], ...] | None = None

    @property
    def counted(self) -> bool:
        """The rows of each parent are counted."""
        return any(name == "totalCount" for _, name in self.parts or ())

    @property
    def rides(self) -> tuple[Ride, ...]:
        """The rides below."""
        return rides_of(self.outputs)


@dataclass(frozen=True, slots=True)
class Whole:
    """A root that is closed: one row with the JSON of the object or list, and its sides."""

    many: bool
    outputs: tuple[Output, ...]
    side: Side

    @property
    def rides(self) -> tuple[Ride, ...]:
        """The rides below."""
        return rides_of(self.outputs)


def rides_of(outputs: Sequence[Output]) -> tuple[Ride, ...]:
    """The rides among the members of an object."""
    return tuple(o.ride for o in outputs if o.ride is not None)


@dataclass(frozen=True, slots=True)
class ReadRequest:
    """What one Read needs. `columns` catalogue names; `extra` raw source columns.

    `key`: ``identity`` or ``division`` for the data set's own key (facets), a raw column for
    an edge, None for a root. `lens` for SQL rows with rights of their own, `letters` the columns
    by which it tells the states of their mixed cells; `masks` for rows
    under their citizen's rights, one state per column and batch; `codes` then says that the
    rows' own region is compared with the bound list ``codes``. `order` raw columns. `rides`
    travel beside the rows; with `whole` the rows themselves come as one JSON text. `group`:
    groups instead of rows, their keys in the order of the answer, then the `measures`, at most the
    bound number ``limit`` of groups; without measures ``count`` and ``suppressed`` (always false
    here). `top`: the groups with the largest first measure come first.
    """

    dataset: Dataset
    columns: tuple[str, ...]
    extra: tuple[str, ...] = ()
    key: str | None = None
    lens: RowFilter | None = None
    letters: tuple[str, ...] = ()
    masks: Mapping[str, Mask] | None = None
    codes: bool = False
    where: tuple[Leaf, ...] = ()
    order: tuple[tuple[str, bool], ...] = ()
    page: Page | None = None
    count: bool = False
    rides: tuple[Ride, ...] = ()
    whole: Whole | None = None
    group: tuple[GroupKey, ...] | None = None
    measures: tuple[Measure, ...] = ()
    top: bool = False
    prefix: str = "r"


class Prepared(Protocol):
    """A read made ready once: its columns in order, and how it reads to a person."""

    @property
    def columns(self) -> tuple[str, ...]:
        """The names of a row's values, in order."""

    def describe(self) -> str:
        """SQL text or the call's shape; no values."""


@dataclass(slots=True)
class Call:
    """One batch: canonical `keys`, bound `params`, `limit` rows (per parent if keyed).

    `names` are the register's names of the persons asked for, for the match grade alone;
    like the keys they live in the call's slots and nowhere else. `reach`: the township all rows
    lie in, for a database that locks by place; None if they may lie in several.
    """

    keys: Sequence[str] | None
    params: Mapping[str, Any]
    names: Mapping[str, str] | None = None
    limit: int | None = None
    deadline: float | None = None
    reach: str | None = None


@dataclass(slots=True)
class Rows:
    """Tuples in the order of ``Prepared.columns``, how current, when read.

    Keyed reads carry ``__key`` (the canonical key they were asked by); reads by a person's
    id number also ``__grade`` (MatchGrade) and ``__dq`` (DQ codes joined by a blank).
    `withheld`: keys whose rows the source masked so that nobody can tell whose they are.
    """

    rows: Sequence[tuple[Any, ...]]
    as_of: datetime | None = None
    freshness: Freshness = Freshness.LIVE
    withheld: frozenset[str] = frozenset()


class Source(Protocol):
    """One department system. `json`: whether closed subtrees may ride in a statement."""

    name: str
    json: bool

    def prepare(self, request: ReadRequest) -> Prepared:
        """Render once; no I/O."""

    async def read(self, prepared: Prepared, call: Call) -> Rows:
        """One statement or call. SourceUnavailable if the system does not answer."""

    async def ping(self) -> None:
        """Answer, or raise SourceUnavailable."""

    async def close(self) -> None:
        """Give connections back."""
