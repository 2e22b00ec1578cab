"""A Lens: one data set as one asker may see it, and the only SQL to read it from.

    rows     = read(B), and list(B) or lookup(group of the identifier); then the case's household
    see(c)   = rows ∧ read(G)                        B the row object, G the column's group
    clear(c) = see(c) ∧ unmask(G), or see(c) where the column has no mask

A column has one state per cell; where it is the same on all rows the statement holds no
CASE. Filters see clear cells only: each leaf becomes ``clear(c) AND leaf``, negated leaves
too, so that no question about a hidden value has an answer. Missing rows and unseen rows
are the same rows.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date
from enum import StrEnum
from functools import cached_property
from typing import Any, Protocol

from sqlalchemy import (
    ColumnElement,
    Date,
    Integer,
    Select,
    String,
    and_,
    bindparam,
    case,
    false,
    func,
    literal_column,
    not_,
    null,
    or_,
    select,
    true,
)

from authz.mask import masked_sql
from authz.scope import NOTHING, Scope, text_param
from catalog.datasets import Dataset
from catalog.divisions import COUNTY
from catalog.errors import Internal
from catalog.grades import Mask
from store.functions import Discloses
from store.words import division

REGION, MINOR, STATE = "__region", "__minor", "__s"
"""Reserved columns: the row's region path, 1 for a child, and how letter columns begin."""
TOWNSHIP = 9  # digits of a township's path
ADULT_AT = 14  # years; 个人信息保护法第二十八条


class Mode(StrEnum):
    """How rows are come by: by key or relation, by enumeration, by exact identifier.

    EXPORT is a list that leaves the hub as a file: rows and clear cells need a right of their own.
    COUNT asks for numbers alone; its Lens is that of LIST (exact) or of TALLY (published).
    """

    KEY = "KEY"
    LIST = "LIST"
    EXPORT = "EXPORT"
    LOOKUP = "LOOKUP"
    COUNT = "COUNT"
    TALLY = "TALLY"


class CellState(StrEnum):
    """What an asker gets of a column on the rows he may see."""

    CLEAR = "CLEAR"
    MASKED = "MASKED"
    HIDDEN = "HIDDEN"
    MIXED = "MIXED"


_UNCLEAR = (CellState.MASKED, CellState.MIXED)


class TableColumns(Protocol):
    """A data set's columns as SQL expressions (adapters' TableMap)."""

    @property
    def table(self) -> Any: ...
    @property
    def columns(self) -> Mapping[str, Any]: ...
    @property
    def region(self) -> Any | None: ...
    @property
    def owner(self) -> Any | None: ...
    @property
    def party(self) -> Any | None: ...
    @property
    def birth(self) -> Any | None: ...
    @property
    def bound(self) -> Any | None: ...
    @property
    def extra(self) -> Mapping[str, Any]: ...


class Condition(Protocol):
    """One condition: column, operator, name of its bound value (adapters' Leaf)."""

    @property
    def column(self) -> str: ...
    @property
    def op(self) -> str: ...
    @property
    def param(self) -> str: ...


@dataclass(frozen=True, slots=True)
class CellRule:
    """One column: where it is seen, where it is clear, its mask, the state that follows."""

    see: Scope
    clear: Scope
    mask: Mask
    state: CellState


def cell_rule(rows: Scope, read: Scope, unmask: Scope, mask: Mask) -> CellRule:
    """The column's rule on the admitted rows, from its group's read and unmask scopes."""
    see = rows.meet(read)
    clear = see if mask is Mask.NONE else see.meet(unmask)
    return CellRule(see, clear, mask, _state(rows, see, clear))


def _state(rows: Scope, see: Scope, clear: Scope) -> CellState:
    if see.empty:
        return CellState.HIDDEN
    if clear == rows:
        return CellState.CLEAR
    return CellState.MASKED if clear.empty and see == rows else CellState.MIXED


def youngest_adult(day: date) -> date:
    """The latest birth date that makes fourteen years on `day`; later ones are children."""
    try:
        return day.replace(year=day.year - ADULT_AT)
    except ValueError:  # 29 February fourteen years back from a leap day
        return date(day.year - ADULT_AT, 2, 28)


@dataclass(frozen=True)
class Lens:
    """Made by Gate alone. `rules`: ids of the lines it rests on; `digest` names all of it."""

    dataset: Dataset
    mode: Mode
    identifier: str | None
    rows: Scope
    cells: Mapping[str, CellRule]
    rules: tuple[str, ...]
    day: date
    bound: str | None
    basis: str

    def narrowed(self, bound: str) -> Lens:
        """The same Lens for another household: digest and pattern do not change with it."""
        found = replace(self, bound=bound)
        kept = {"digest": self.digest, "pattern": self.pattern, "_scopes": self._scopes}
        found.__dict__.update(kept)
        return found

    def cell(self, column: str) -> CellRule:
        """The rule of a catalogue column; KeyError if the data set has none of that name."""
        return self.cells[column]

    def filterable(self, column: str) -> bool:
        """May conditions on the column find rows? False: refuse the filter."""
        return not self.cells[column].clear.empty or self._looked_up(column)

    def sortable(self, column: str) -> bool:
        """May rows be ordered, grouped or ranked by the column? Clear on every row only."""
        return self.cells[column].state is CellState.CLEAR

    def unmasks(self, columns: Iterable[str]) -> bool:
        """Is some cell of these columns clear by a right to unmask? Raw columns are never shown."""
        rules = (self.cells.get(name) for name in columns)
        return any(r and r.mask is not Mask.NONE and not r.clear.empty for r in rules)

    def _looked_up(self, column: str) -> bool:
        return self.mode is Mode.LOOKUP and column == self.identifier and not self.rows.empty

    @cached_property
    def digest(self) -> str:
        """16 hex digits: policy version, purpose, day, mode, scopes, bound or not."""
        cells = [(n, c.see.digest, c.clear.digest, c.mask) for n, c in self.cells.items()]
        head = (self.basis, self.dataset.name, self.mode, self.identifier, self.bound is not None)
        text = repr((*map(str, head), self.rows.digest, [tuple(map(str, c)) for c in cells]))
        return hashlib.sha256(text.encode()).hexdigest()[:16]

    @cached_property
    def pattern(self) -> tuple[object, ...]:
        """Equal patterns give the same SQL text; no values."""
        columns = tuple(
            (name, rule.state, *self._numbers(rule)) for name, rule in self.cells.items()
        )
        known = (self.bound is not None, self.township is not None)
        head = (self.dataset.name, self.mode, self.identifier, *known)
        return (*head, tuple(scope.pattern for scope in self._scopes), columns)

    @cached_property
    def township(self) -> str | None:
        """The nine digits with which every admitted row's place begins; None if there are more."""
        found = {term.path[:TOWNSHIP] for term in self.rows.terms}
        return found.pop() if len(found) == 1 and len(min(found)) == TOWNSHIP else None

    def letters(self, columns: Iterable[str]) -> dict[str, str]:
        """The MIXED ones among `columns`: each with the name of its letter column.

        Columns of one rule share it: what differs between them is the mask alone.
        """
        rules = ((name, self.cells[name]) for name in columns)
        return {n: self._letter(r) for n, r in rules if r.state is CellState.MIXED}

    def _letter(self, rule: CellRule) -> str:
        return f"{STATE}{self._scopes[rule.clear]}_{self._scopes[rule.see]}"

    @cached_property
    def _scopes(self) -> dict[Scope, int]:
        # Parameters are shared: most columns of a group stand under the same scope.
        mixed = [rule for rule in self.cells.values() if rule.state is CellState.MIXED]
        found = {self.rows: 0}
        for rule in mixed:
            for scope in (rule.clear, rule.see):
                found.setdefault(scope, len(found))
        return found

    def _numbers(self, rule: CellRule) -> tuple[object, ...]:
        if rule.state is not CellState.MIXED:
            return ()
        return (
            self._scopes[rule.clear],
            self._scopes[rule.see],
            self.classes(rule.clear),
            self.classes(rule.see),
        )

    def classes(self, scope: Scope) -> str | None:
        """Which of the admitted rows lie in `scope`: all, adult, minor; None: by place, too."""
        if scope == self.rows:
            return "all"
        if scope.adult == self.rows.adult and scope.minor == NOTHING.minor:
            return "adult"
        if scope.minor == self.rows.minor and scope.adult == NOTHING.adult:
            return "minor"
        return None

    def binds(self, prefix: str) -> dict[str, Any]:
        """The asker's own values for ``source(…, prefix)``; dates as ``datetime.date``."""
        found: dict[str, Any] = {f"{prefix}_adult": youngest_adult(self.day)}
        if self.bound is not None:
            found[f"{prefix}_bound"] = self.bound
        for scope, number in self._scopes.items():
            found |= scope.binds(f"{prefix}_{number}")
        return found

    def source(
        self,
        table: TableColumns,
        columns: Sequence[str],
        where: Sequence[Condition],
        prefix: str,
    ) -> Select[Any]:
        """SELECT of `columns` by state over the admitted rows: the only FROM item allowed.

        `columns`: catalogue names, raw names of ``table.extra``, REGION, MINOR, and letter
        columns (C, M, H a row) as `letters` names them. Internal for a HIDDEN column.
        """
        view = _View(self, table, prefix)
        chosen = [view.column(name) for name in columns]
        rows = [view.admitted(), view.bound(), *(view.leaf(leaf) for leaf in where)]
        return select(*chosen).select_from(view.table(columns)).where(and_(true(), *rows))


class _View:
    """One Lens laid over one table's columns, with one prefix for its parameters."""

    def __init__(self, lens: Lens, table: TableColumns, prefix: str) -> None:
        self._lens, self._table, self._prefix = lens, table, prefix
        county: ColumnElement[str] = literal_column(f"'{COUNTY}'", String())
        self._region = county if table.region is None else table.region
        self._child = self._young()
        self._minor = self._class()
        # An alias of its own: the masked row may itself be read from `division`.
        self._place = division.alias(f"{prefix}_place")

    def _young(self) -> ColumnElement[bool]:
        """True or false, never unknown; an unknown birth date is judged as a child's."""
        birth = self._table.birth
        if birth is None:
            return false()
        adult = bindparam(f"{self._prefix}_adult", type_=Date())
        return or_(birth.is_(null()), birth > adult)

    def _class(self) -> ColumnElement[int]:
        one: ColumnElement[int] = literal_column("1", Integer())
        zero: ColumnElement[int] = literal_column("0", Integer())
        return zero if self._table.birth is None else case((self._child, one), else_=zero)

    def table(self, columns: Sequence[str]) -> Any:
        """The table, with the names of places beside it where a column is masked by them."""
        rules = (self._lens.cells.get(name) for name in columns)
        if not any(r and r.mask is Mask.AREA and r.state in _UNCLEAR for r in rules):
            return self._table.table
        # A join and no subquery a row: the database keeps the few places in memory.
        return self._table.table.outerjoin(self._place, self._place.c.path == self._region)

    def admitted(self) -> ColumnElement[bool]:
        """The rows' own predicate."""
        return self._within(self._lens.rows)

    def within(self, scope: Scope) -> ColumnElement[bool]:
        """The scope's predicate on rows that are admitted: often no more than their class."""
        kind = self._lens.classes(scope)
        if kind is None or self._table.birth is None:
            return self._within(scope)
        if kind == "all":
            return true()
        return not_(self._child) if kind == "adult" else self._child

    def _within(self, scope: Scope) -> ColumnElement[bool]:
        owner = None if self._lens.dataset.owner is None else self._table.owner
        minor = None if self._table.birth is None else self._minor
        name = f"{self._prefix}_{self._lens._scopes[scope]}"
        found = scope.where(self._region, owner, minor, name)
        if self._lens.dataset.party is None:
            return found
        return or_(found, scope.where(self._region, self._table.party, minor, name))

    def bound(self) -> ColumnElement[bool]:
        """The household the case number narrows to."""
        if self._lens.bound is None or self._lens.dataset.bound is None:
            return true()
        if self._table.bound is None:
            return false()
        household: ColumnElement[str] = self._table.bound
        return household == text_param(f"{self._prefix}_bound")

    def leaf(self, leaf: Condition) -> ColumnElement[bool]:
        """``clear(c) AND leaf``; raw for an extra column and for the identifier looked up."""
        compare = _COMPARE.get(leaf.op)
        if compare is None:
            raise Internal(f"筛选操作 `{leaf.op}` 不存在")
        rule = self._lens.cells.get(leaf.column)
        if rule is None:
            return compare(self._table.extra[leaf.column], leaf.param)
        found = compare(self._table.columns[leaf.column], leaf.param)
        if leaf.op == "eq" and self._lens._looked_up(leaf.column):
            return found
        return and_(self._clear(rule), found)

    def _clear(self, rule: CellRule) -> ColumnElement[bool]:
        if rule.state is CellState.CLEAR:
            return true()
        return false() if rule.clear.empty else self.within(rule.clear)

    def column(self, name: str) -> ColumnElement[Any]:
        """The select item of one name."""
        found: ColumnElement[Any] = self._named(name).label(name)
        return found

    def _named(self, name: str) -> Any:
        if name == REGION:
            return self._region
        if name == MINOR:
            return self._minor
        if name.startswith(STATE):
            return self._by_state(self._ruled(name), *(_letter(s) for s in "CMH"))
        rule = self._lens.cells.get(name)
        return self._table.extra[name] if rule is None else self._cell(name, rule)

    def _ruled(self, letter: str) -> CellRule:
        """The rule whose states this letter column tells."""
        lens = self._lens
        name = next(n for n, found in lens.letters(lens.cells).items() if found == letter)
        return lens.cells[name]

    def _cell(self, name: str, rule: CellRule) -> Any:
        value = self._table.columns[name]
        if rule.state is CellState.HIDDEN:
            raise Internal("隐藏的列不得进入读取")
        if rule.state is CellState.CLEAR:
            return value
        shown = masked_sql(rule.mask, value, self._place.c.name)
        return shown if rule.state is CellState.MASKED else self._by_state(rule, value, shown)

    def _by_state(self, rule: CellRule, clear: Any, seen: Any, hidden: Any = None) -> Any:
        whens = [(self.within(rule.see), seen)]
        if not rule.clear.empty:
            whens.insert(0, (self.within(rule.clear), clear))
        return case(*whens, else_=hidden)


def _letter(state: str) -> ColumnElement[str]:
    return literal_column(f"'{state}'", String())


_Compare = Callable[[Any, str], ColumnElement[bool]]


def _param(column: Any, name: str) -> Any:
    return bindparam(name, type_=column.type)


def _among(column: Any, name: str, most: int) -> Any:
    return column.in_([_param(column, f"{name}_{at}") for at in range(most)])


def _starts(column: Any, name: str) -> Any:
    start = text_param(name)
    return func.substr(column, literal_column("1"), func.length(start)) == start


_COMPARE: Mapping[str, _Compare] = {
    "eq": lambda column, name: column == _param(column, name),
    "ne": lambda column, name: column != _param(column, name),
    "lt": lambda column, name: column < _param(column, name),
    "le": lambda column, name: column <= _param(column, name),
    "gt": lambda column, name: column > _param(column, name),
    "ge": lambda column, name: column >= _param(column, name),
    "prefix": _starts,
    "contains": lambda column, name: column.contains(text_param(name)),
    "discloses": lambda column, name: Discloses(column, text_param(name)),
    "among8": lambda column, name: _among(column, name, 8),
    "among100": lambda column, name: _among(column, name, 100),
    "is_null": lambda column, _: column.is_(null()),
    "not_null": lambda column, _: column.is_not(null()),
}
