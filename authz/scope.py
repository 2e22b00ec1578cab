"""A Scope: the rows one act may touch, as a value that can be computed with.

The county's tree is cut at a few region paths. A row belongs to the longest cut that
prefixes its path; a cut says which owners are admitted *exactly at* its path and which
*inside* it. Equal neighbours merge, so two equal scopes are equal values. Every reading of
a Scope (`admits`, `where`, `portable`, `codes`) walks the same cuts.

    532622            at {}   inside {}         nothing in the county, but
    ├─ 532622205      at all  inside all        the whole of one township, except
    │  └─ 532622205203  at {}   inside {}       one protected village

Rendered, each cut is one term of an OR. Values are bound by name, so that two clerks of
the same kind in two townships share one SQL text (`pattern`).
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from sqlalchemy import (
    ColumnElement,
    Integer,
    String,
    and_,
    bindparam,
    false,
    func,
    literal_column,
    or_,
    true,
)

from catalog.divisions import COUNTY, Division, Divisions

_LEVELS = (12, 9, 6)  # digits of a village, a township, the county
_ONE: ColumnElement[int] = literal_column("1", Integer())


@dataclass(frozen=True, slots=True)
class Owners:
    """A set of departments: `names`, or with `others` everyone but `names`."""

    names: frozenset[str]
    others: bool = False

    def has(self, owner: str | None) -> bool:
        """Is the owner in? None (no owner known) only where every owner is."""
        if owner is None:
            return self == ANYONE
        return (owner in self.names) != self.others

    def meet(self, other: Owners) -> Owners:
        """In both."""
        if self.others and other.others:
            return Owners(self.names | other.names, True)
        if self.others:
            return Owners(other.names - self.names)
        return Owners(self.names - other.names if other.others else self.names & other.names)

    def without(self, other: Owners) -> Owners:
        """In this one and not in the other."""
        return self.meet(Owners(other.names, not other.others))

    def within(self, other: Owners) -> bool:
        """Is every owner of this set in the other?"""
        return self.meet(other) == self


NOBODY = Owners(frozenset())
ANYONE = Owners(frozenset(), True)


@dataclass(frozen=True, slots=True)
class Cut:
    """Owners admitted exactly at `path`, and strictly inside it."""

    path: str
    at: Owners
    inside: Owners


class Area:
    """The admitted cells of one class of rows; equal areas have equal cuts."""

    __slots__ = ("_by_path", "cuts")

    def __init__(self, cuts: Iterable[Cut]) -> None:
        self._by_path = _merged(sorted(cuts, key=lambda cut: cut.path))
        self.cuts = tuple(self._by_path.values())

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Area) and self.cuts == other.cuts

    def __hash__(self) -> int:
        return hash(self.cuts)

    def __repr__(self) -> str:
        return f"Area{self.cuts!r}"

    def at(self, path: str) -> Owners:
        """Owners admitted for a row exactly at a region path."""
        cut = _nearest(self._by_path, path)
        return cut.at if cut.path == path else cut.inside

    def inside(self, path: str) -> Owners:
        """Owners admitted below a region path, outside deeper cuts."""
        return _nearest(self._by_path, path).inside

    def joined(self, other: Area, join: Callable[[Owners, Owners], Owners]) -> Area:
        """Cell by cell over the union of both areas' cuts."""
        paths = {cut.path for cut in (*self.cuts, *other.cuts)}
        return Area(
            Cut(p, join(self.at(p), other.at(p)), join(self.inside(p), other.inside(p)))
            for p in paths
        )

    def each(self, change: Callable[[Owners], Owners]) -> Area:
        """Every cell changed."""
        return Area(Cut(cut.path, change(cut.at), change(cut.inside)) for cut in self.cuts)

    def nested(self, outer: str) -> tuple[str, ...]:
        """Paths of the cuts directly below `outer`."""
        below = [c.path for c in self.cuts if c.path != outer and c.path.startswith(outer)]
        return tuple(p for p in below if not any(p != q and p.startswith(q) for q in below))


def _nearest(cuts: Mapping[str, Cut], path: str) -> Cut:
    # A path outside the county ends at the county's cut: only county-wide scopes hold it.
    for digits in _LEVELS:
        found = cuts.get(path[:digits])
        if found is not None:
            return found
    return cuts[COUNTY]


def _merged(cuts: list[Cut]) -> dict[str, Cut]:
    """Cuts that say what their surroundings say are dropped; the county's always stays."""
    kept: dict[str, Cut] = {}
    for cut in cuts:
        # Nothing lies inside a village, so its inside is its own.
        here = Cut(cut.path, cut.at, cut.at) if len(cut.path) == _LEVELS[0] else cut
        around = NOBODY if cut.path == COUNTY else _nearest(kept, cut.path).inside
        if cut.path == COUNTY or not here.at == here.inside == around:
            kept[cut.path] = here
    return kept


@dataclass(frozen=True, slots=True)
class Term:
    """One piece of the rendered OR: a subtree (with or without its own root row) or one path.

    `minor` None means both classes; `excepts` drops whole subtrees.
    """

    minor: bool | None
    owners: Owners
    path: str
    subtree: bool
    itself: bool
    excepts: tuple[str, ...]

    @property
    def pattern(self) -> tuple[object, ...]:
        """All that decides the SQL text; no values."""
        deep = tuple(len(path) == _LEVELS[0] for path in self.excepts)
        whole = self.path == COUNTY
        shape = (self.subtree, self.itself, whole, deep)
        return (self.minor, self.owners.others, len(self.owners.names), shape)

    def binds(self, name: str) -> dict[str, str]:
        """The values of `where`'s parameters."""
        found = {f"{name}_lo": self.path}
        for i, path in enumerate(self.excepts):
            found |= {f"{name}_x{i}": path, f"{name}_y{i}": after(path)}
        for i, owner in enumerate(sorted(self.owners.names)):
            found[f"{name}_o{i}"] = owner
        return found

    def where(
        self,
        region: ColumnElement[str],
        owner: ColumnElement[str] | None,
        minor: ColumnElement[int] | None,
        name: str,
    ) -> ColumnElement[bool]:
        """The term as SQL; parameters are called after `name`."""
        parts = [*self._of_class(minor), *self._of_region(region, name)]
        return and_(true(), *parts, *self._of_owner(owner, name))

    def _of_class(self, minor: ColumnElement[int] | None) -> list[ColumnElement[bool]]:
        if self.minor is None:
            return []
        if minor is None:  # rows that are nobody's age are judged as adults
            return [false()] if self.minor else []
        return [minor == _ONE if self.minor else minor != _ONE]

    def _of_region(self, region: ColumnElement[str], name: str) -> list[ColumnElement[bool]]:
        low = text_param(f"{name}_lo")
        if not self.subtree:
            return [region == low]
        parts: list[ColumnElement[bool]] = []
        if self.path != COUNTY:
            # A township's rows are equal in their first nine digits: an equality can lead an
            # index whose rest is the order of the list, a range cannot.
            parts.append(township(region) == low)
            parts += [] if self.itself else [region > low]
        elif not self.itself:
            parts.append(region != low)
        for i, path in enumerate(self.excepts):
            start = text_param(f"{name}_x{i}")
            if len(path) == _LEVELS[0]:
                parts.append(region != start)
            else:
                parts.append(or_(region < start, region >= text_param(f"{name}_y{i}")))
        return parts

    def _of_owner(self, owner: ColumnElement[str] | None, name: str) -> list[ColumnElement[bool]]:
        if self.owners == ANYONE:
            return []
        if owner is None:
            return [false()]
        names = [text_param(f"{name}_o{i}") for i in range(len(self.owners.names))]
        return [owner.not_in(names) if self.owners.others else owner.in_(names)]


def township(region: ColumnElement[str]) -> ColumnElement[str]:
    """The first nine digits of a region path, in the words of the indexes."""
    one: ColumnElement[int] = literal_column("1")
    nine: ColumnElement[int] = literal_column(str(_LEVELS[1]))
    return func.substr(region, one, nine, type_=String())


def text_param(name: str) -> ColumnElement[str]:
    """A named, typed parameter without a value: asyncpg must know its type."""
    return bindparam(name, type_=String())


def after(path: str) -> str:
    """The first text behind every path inside: last digit + 1, ``:`` after ``9`` (byte order)."""
    return path[:-1] + chr(ord(path[-1]) + 1)


@dataclass(frozen=True)
class Scope:
    """Admitted cells of adults' rows and of rows of children under 14."""

    adult: Area
    minor: Area

    @property
    def empty(self) -> bool:
        """No row can be admitted."""
        return self == NOTHING

    @property
    def whole(self) -> bool:
        """Every row is admitted."""
        return self == EVERYTHING

    def admits(self, region: str, owner: str | None, minor: bool = False) -> bool:
        """May a row at region path `region`, owned by department `owner`, be touched?"""
        return (self.minor if minor else self.adult).at(region).has(owner)

    def for_owner(self, dept: str) -> Scope:
        """The rows of one owner, the owner test folded away."""
        return self._each(lambda owners: ANYONE if owners.has(dept) else NOBODY)

    def meet(self, other: Scope) -> Scope:
        """Rows in both."""
        return Scope(
            self.adult.joined(other.adult, Owners.meet), self.minor.joined(other.minor, Owners.meet)
        )

    def without(self, other: Scope) -> Scope:
        """Rows in this one and not in the other."""
        return Scope(
            self.adult.joined(other.adult, Owners.without),
            self.minor.joined(other.minor, Owners.without),
        )

    def contains(self, other: Scope) -> bool:
        """Is every row of the other in this one?"""
        return self.meet(other) == other

    def _each(self, change: Callable[[Owners], Owners]) -> Scope:
        return Scope(self.adult.each(change), self.minor.each(change))

    @cached_property
    def terms(self) -> tuple[Term, ...]:
        """Disjoint pieces whose union is the scope."""
        if self.adult == self.minor:
            return tuple(_terms(self.adult, None))
        return (*_terms(self.adult, False), *_terms(self.minor, True))

    @cached_property
    def pattern(self) -> tuple[object, ...]:
        """Equal patterns render the same SQL text; hashable, no values."""
        return tuple(term.pattern for term in self.terms)

    def binds(self, prefix: str) -> dict[str, Any]:
        """Values of the parameters of ``where(…, prefix)``."""
        found: dict[str, Any] = {}
        for i, term in enumerate(self.terms):
            found |= term.binds(f"{prefix}_{i}")
        return found

    def where(
        self,
        region_col: ColumnElement[str],
        owner_col: ColumnElement[str] | None,
        minor_expr: ColumnElement[int] | None,
        prefix: str,
    ) -> ColumnElement[bool]:
        """The scope as SQL. `minor_expr` is 1 for children; None: the rows have no class.

        `owner_col` None: the rows have no owner of their own, fold it first (`for_owner`).
        Columns must compare by byte (COLLATE "C", BINARY).
        """
        terms = [
            term.where(region_col, owner_col, minor_expr, f"{prefix}_{i}")
            for i, term in enumerate(self.terms)
        ]
        return or_(false(), *terms)

    def codes(self, divisions: Divisions) -> frozenset[str]:
        """Canonical 12-digit codes, of every level, where some row may be admitted.

        A superset over owners and classes: for sources that take a region list and are
        sieved afterwards.
        """
        return frozenset(
            place.code
            for place in divisions.by_path.values()
            if any(area.at(place.path) != NOBODY for area in (self.adult, self.minor))
        )

    def portable(self) -> dict[str, Any]:
        """``{"any": [TERM…]}``, the closed grammar other sources are handed."""
        return {"any": [_portable(term) for term in self.terms]}

    @cached_property
    def digest(self) -> str:
        """16 hex digits naming the scope's rows."""
        text = json.dumps(self.portable(), sort_keys=True, separators=(",", ":"))
        return hashlib.sha256(text.encode()).hexdigest()[:16]

    def describe(
        self,
        places: Mapping[str, Division] | None = None,
        depts: Mapping[str, str] | None = None,
        base: str | None = None,
    ) -> str:
        """In Chinese, for people; region paths and codes get the names handed in.

        `base`: the place called 本辖区, so that two clerks of a kind are told the same words.
        """
        if self.empty:
            return "无"
        if self.whole:
            return "全县"
        return "；".join(_words(term, places or {}, depts or {}, base) for term in self.terms)


def _terms(area: Area, minor: bool | None) -> Iterable[Term]:
    for cut in area.cuts:
        village = len(cut.path) == _LEVELS[0]
        if cut.inside != NOBODY and not village:
            itself = cut.at == cut.inside
            yield Term(minor, cut.inside, cut.path, True, itself, area.nested(cut.path))
        if cut.at != NOBODY and (village or cut.at != cut.inside):
            yield Term(minor, cut.at, cut.path, False, True, ())


def _portable(term: Term) -> dict[str, Any]:
    classes = {None: "any", False: "adult", True: "minor"}
    names = sorted(term.owners.names)
    owner = None if term.owners == ANYONE else {"not_in" if term.owners.others else "in": names}
    head: dict[str, Any] = {"class": classes[term.minor], "owner": owner}
    if not term.subtree:
        return head | {"at": term.path}
    return head | {"under": term.path, "self": term.itself, "except": list(term.excepts)}


def _words(
    term: Term, places: Mapping[str, Division], depts: Mapping[str, str], base: str | None
) -> str:
    def place(path: str) -> str:
        if path == base:
            return "本辖区"
        found = places.get(path)
        return path if found is None else f"{found.name}（{path}）"

    text = place(term.path)
    if term.subtree:
        text += "及其下级" if term.itself else "的下级"
    else:
        text += "本级"
    if term.excepts:
        text += "（" + "、".join(place(path) for path in term.excepts) + " 除外）"
    names = "、".join(depts.get(name, name) for name in sorted(term.owners.names))
    if term.owners != ANYONE:
        text += f"，{names} 以外部门的数据" if term.owners.others else f"，{names} 的数据"
    classes = {None: "", False: "，不含未满十四周岁人员", True: "，仅未满十四周岁人员"}
    return text + classes[term.minor]


def everywhere(owners: Owners) -> Area:
    """The same owners in the whole county."""
    return Area([Cut(COUNTY, owners, owners)])


NOTHING = Scope(everywhere(NOBODY), everywhere(NOBODY))
EVERYTHING = Scope(everywhere(ANYONE), everywhere(ANYONE))
