"""Who may see what, judged row by row by the second judge.

No Scope and no Lens is asked here: every right is a line of the policy held against one row
(`authz.reference`), so that a fault in cutting the county into Scopes or in writing them as SQL
cannot be made twice.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import date
from typing import Any

from authz.book import ELSE
from authz.post import Asker
from authz.reference import allowed, concerns, hit
from authz.rule import EMERGENCY, EMERGENCY_ACTS, Rule, minor_of
from catalog.datasets import PERSONAL, Dataset, RegionKind
from catalog.divisions import COUNTY
from catalog.load import Catalog
from catalog.states import FieldState

Row = dict[str, Any]
ADULT_AT = 14  # years
Place = tuple[str, bool]
"""A region path, and whether the person there is a child."""


class Judge:
    """One asker under one policy, over tables that stay as they are: answers are remembered."""

    def __init__(self, rules: Iterable[Rule], asker: Asker, catalog: Catalog) -> None:
        self.asker, self._catalog = asker, catalog
        self._rules = tuple(rules)
        self._purpose = catalog.purposes[asker.purpose]
        self._known: dict[tuple[str, str, str, str, bool], bool] = {}
        self._closed: dict[tuple[str, tuple[str, ...]], bool] = {}
        self._rows: dict[tuple[str, tuple[str, ...]], dict[int, bool]] = {}
        self._lines: dict[tuple[str, str], list[Rule]] = {}

    # -- one right on one row

    def may(self, obj: str, act: str, region: str, owner: str, minor: bool) -> bool:
        """May the asker do `act` on a row of this place, owner and class?"""
        key = (obj, act, region, owner, minor)
        if key not in self._known:
            self._known[key] = self._may(*key)
        return self._known[key]

    def _may(self, obj: str, act: str, region: str, owner: str, minor: bool) -> bool:
        asker = self.asker
        if asker.purpose == EMERGENCY and act not in EMERGENCY_ACTS:
            return False
        opened = asker.case_no is not None and asker.bound is not None
        if act in self._purpose.case_acts and not opened:
            return False
        lines = self._of((minor_of(obj) or obj) if minor else obj, act)
        hits = (hit(r, asker.posts, asker.purpose, asker.day, region, owner) for r in lines)
        return allowed(hits)

    def _of(self, obj: str, act: str) -> list[Rule]:
        if (obj, act) not in self._lines:
            self._lines[obj, act] = [r for r in self._rules if concerns(r, obj, act)]
        return self._lines[obj, act]

    # -- rows with rights of their own

    def admits(self, dataset: Dataset, row: Row, acts: tuple[str, ...]) -> bool:
        """May this row be shown? `acts`: all the ``object:act`` that showing it needs."""
        known = self._rows.setdefault((dataset.name, acts), {})
        found = known.get(id(row))
        if found is None:
            found = known[id(row)] = self._admits(dataset, row, acts)
        return found

    def _admits(self, dataset: Dataset, row: Row, acts: tuple[str, ...]) -> bool:
        bound = self.asker.bound
        if bound is not None:
            if dataset.bound is None and _personal(dataset):
                return False
            if dataset.bound is not None and row[dataset.bound] != bound:
                return False
        region, minor = place(dataset, row, self.asker.day)
        return all(self._at(dataset, row, *_split(one), region, minor) for one in acts)

    def _at(self, dataset: Dataset, row: Row, obj: str, act: str, region: str, minor: bool) -> bool:
        columns = [name for name in (dataset.owner, dataset.party) if name]
        owners = [row[name] for name in columns] or [self._catalog.objects[obj].provider]
        return any(self.may(obj, act, region, owner, minor) for owner in owners)

    def state(self, dataset: Dataset, row: Row, column: str) -> FieldState:
        """OK, MASKED or DENIED: a column of a row that is shown."""
        field = dataset.by_name[column]
        region, minor = place(dataset, row, self.asker.day)
        if not self._at(dataset, row, field.object, "read", region, minor):
            return FieldState.DENIED
        if field.mask == "NONE" or self._at(dataset, row, field.object, "unmask", region, minor):
            return FieldState.OK
        return FieldState.MASKED

    def closed(self, dataset: Dataset, acts: tuple[str, ...]) -> bool:
        """Does the policy show him no row of this data set, whatever the data set holds?"""
        key = (dataset.name, acts)
        if key not in self._closed:
            self._closed[key] = not any(self._cells(dataset, acts))
        return self._closed[key]

    def _cells(self, dataset: Dataset, acts: tuple[str, ...]) -> Iterable[bool]:
        if self.asker.bound is not None and dataset.bound is None and _personal(dataset):
            return
        own_place = dataset.region.kind is RegionKind.PATH
        for region in self._catalog.divisions.by_path if own_place else (COUNTY,):
            for minor in (False, True) if dataset.birth else (False,):
                for owner in (*self._catalog.departments, ELSE) if dataset.owner else (None,):
                    yield all(
                        self.may(
                            obj, act, region, owner or self._catalog.objects[obj].provider, minor
                        )
                        for obj, act in map(_split, acts)
                    )

    # -- a department's rows, under the rights to the person they speak of

    def facet_state(self, dataset: Dataset, at: Place, column: str) -> FieldState:
        """OK, MASKED or DENIED: a column of a department's row about a person there."""
        field = dataset.by_name[column]
        if not self.may(field.object, "read", at[0], dataset.provider, at[1]):
            return FieldState.DENIED
        if field.mask == "NONE" or self.may(field.object, "unmask", at[0], dataset.provider, at[1]):
            return FieldState.OK
        return FieldState.MASKED

    def facet(self, dataset: Dataset, at: Place) -> bool:
        """May he read this department's data about a person there at all?"""
        return self.may(dataset.object, "read", at[0], dataset.provider, at[1])

    def own_codes(self, dataset: Dataset) -> frozenset[str] | None:
        """Places whose rows he may be given, in the source's code scheme; None: all."""
        places = self._catalog.divisions.by_path.values()
        mine = [p for p in places if any(self.facet(dataset, (p.path, m)) for m in (False, True))]
        if len(mine) == len(places):
            return None
        scheme = dataset.region.scheme
        found = (self._catalog.divisions.foreign(scheme, p.code) for p in mine)
        return frozenset(code for code in found if code is not None)


def acts(dataset: Dataset, *, listed: bool = False, by: str | None = None) -> tuple[str, ...]:
    """What showing rows needs: to read them, to list them, to look up by the column `by`."""
    needed = [f"{dataset.object}:read"]
    if listed:
        needed.append(f"{dataset.object}:list")
    if by is not None:
        needed.append(f"{dataset.by_name[by].object}:lookup")
    return tuple(needed)


def place(dataset: Dataset, row: Row, day: date) -> Place:
    """Where a row lies, and whether it speaks of a child."""
    own = dataset.region.kind is RegionKind.PATH
    return (str(row[str(dataset.region.column)]) if own else COUNTY, _child(dataset, row, day))


def _child(dataset: Dataset, row: Row, day: date) -> bool:
    if dataset.birth is None:
        return False
    born = row[dataset.birth]
    # Fourteen years back from the day; the county's days are no 29 February.
    return born is None or date.fromisoformat(str(born)) > day.replace(year=day.year - ADULT_AT)


def _split(one: str) -> tuple[str, str]:
    obj, _, act = one.partition(":")
    return obj, act


def _personal(dataset: Dataset) -> bool:
    return any(field.sensitivity in PERSONAL for field in dataset.fields)
