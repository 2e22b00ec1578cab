"""The Gate: what the compiler and the commands get of the policy, and nothing else.

It turns an asker and a book into a Lens per data set, and says why not. A worker keeps it for
the next request of the same rights; one that a case number narrows lives for one request.
"""

from __future__ import annotations

from collections.abc import Hashable
from typing import Any, TypeVar

from cachetools import LRUCache

from authz.book import PolicyBook, Verdict
from authz.facet import FacetColumn, FacetLens
from authz.lens import CellRule, Lens, Mode, cell_rule
from authz.post import Asker
from authz.reference import Reason
from authz.rule import EMERGENCY, EMERGENCY_ACTS
from authz.scope import NOTHING, Scope
from catalog.datasets import PERSONAL, Dataset
from catalog.grades import Mask
from catalog.load import Catalog

KEPT = 256  # operations of one account that are hot at once
T = TypeVar("T")
ANY_HOUSEHOLD = ""
"""Stands for the bound household in a Lens that is kept for others: no person in a cache."""


class Gate:
    """Rights of one asker under one policy version; lenses are made once per version."""

    def __init__(self, book: PolicyBook, asker: Asker, catalog: Catalog) -> None:
        self.book, self.asker, self._catalog = book, asker, catalog
        self._purpose = catalog.purposes[asker.purpose]
        self._bound = None if asker.bound is None else ANY_HOUSEHOLD
        self._opened = asker.case_no is not None and asker.bound is not None
        self._key = (
            *(asker.posts, asker.purpose, asker.day, asker.purchased),
            *(self._bound, self._opened),
        )
        self._lenses: dict[tuple[str, Mode, str | None], Lens] = {}
        self._facets: dict[str, FacetLens] = {}
        self._kept: LRUCache[Hashable, Any] = LRUCache(KEPT)

    def lens(self, dataset: Dataset, mode: Mode, identifier: str | None = None) -> Lens:
        """The data set as this asker may see it. LOOKUP names the `identifier` column.

        COUNT gives the Lens of LIST if that has rows, else the Lens of TALLY.
        """
        if mode is Mode.COUNT:
            listed = self.lens(dataset, Mode.LIST)
            return self.lens(dataset, Mode.TALLY) if listed.rows.empty else listed
        key = (dataset.name, mode, identifier)
        if key not in self._lenses:
            kept = self.book.kept((*self._key, key), lambda: self._lens(dataset, mode, identifier))
            bound = self.asker.bound
            self._lenses[key] = kept if bound is None else kept.narrowed(bound)
        return self._lenses[key]

    def kept(self, key: Hashable) -> Any:
        """What `keep` was given under this key; None if it is not there."""
        return self._kept.get(key)

    def keep(self, key: Hashable, value: T) -> T:
        """Remember what follows from these rights alone; it dies with the Gate."""
        self._kept[key] = value
        return value

    def facet(self, dataset: Dataset) -> FacetLens:
        """A department's data set under the rights to the persons it speaks of."""
        found = self._facets.get(dataset.name)
        if found is None:
            found = self.book.kept((*self._key, dataset.name), lambda: self._facet(dataset))
            self._facets[dataset.name] = found
        return found

    @property
    def of_one_person(self) -> bool:
        """May this purpose see one person's household alone, whoever asks?"""
        return self._purpose.subject_bound

    def demand(self, obj: str, act: str, region: str, owner: str, minor: bool = False) -> Verdict:
        """May the asker do `act` on one row? The reason if not."""
        blocked = self._blocked(obj, act)
        return blocked or self.book.verdict(self.asker, obj, act, region, owner, minor)

    def scope(self, obj: str, act: str) -> Scope:
        """Where the asker may do `act`; nowhere if purpose or case number forbid it."""
        return NOTHING if self._blocked(obj, act) else self.book.scope(self.asker, obj, act)

    def refusal(self, dataset: Dataset, mode: Mode, identifier: str | None = None) -> Verdict:
        """Why a Lens has no rows, without naming a row; Verdict(True) if it has some."""
        if mode is Mode.COUNT:
            listed = self.refusal(dataset, Mode.LIST)
            # Who has no line for listing may have one for counting, under another purpose.
            silent = listed.reason is Reason.NO_RULE
            return self.refusal(dataset, Mode.TALLY) if silent else listed
        for obj, act in self._needed(dataset, mode, identifier):
            verdict = self._blocked(obj, act) or self.book.refusal(self.asker, obj, act)
            if not verdict.allowed:
                return verdict
        if not self.lens(dataset, mode, identifier).rows.empty:
            return Verdict(True)
        if mode is Mode.TALLY:
            reason = Reason.REACH if self._bound is None else Reason.CASE
        else:
            reason = Reason.CASE if self._unbound(dataset) else Reason.OWNER
        return Verdict(False, reason, None, self.book.ask(dataset.object))

    def _lens(self, dataset: Dataset, mode: Mode, identifier: str | None) -> Lens:
        if mode is Mode.TALLY:
            return self._tally(dataset)
        needed = self._needed(dataset, mode, identifier)
        rows = self._rows(dataset, needed)
        made: dict[tuple[str, Mask], CellRule] = {}  # shared by the columns of a group
        for field in dataset.fields:
            if (field.object, field.mask) not in made:
                read = self._allowed(dataset, field.object, "read")
                unmask = self._allowed(dataset, field.object, "unmask")
                if mode is Mode.EXPORT:  # no more of a group in a file than may leave of it
                    export = self._allowed(dataset, field.object, "export")
                    read, unmask = read.meet(export), unmask.meet(export)
                made[field.object, field.mask] = cell_rule(rows, read, unmask, field.mask)
        cells = {field.name: made[field.object, field.mask] for field in dataset.fields}
        return Lens(
            dataset,
            mode,
            identifier,
            rows,
            cells,
            self._rules(dataset, needed),
            self.asker.day,
            self._bound,
            self._basis,
        )

    def _tally(self, dataset: Dataset) -> Lens:
        """The rows published counts are made of: every row or none; no masked column.

        All or nothing, because a part of a published table tells its other part; not under a
        case number, because the numbers are everybody's and not one household's.
        """
        rows = NOTHING if dataset.tally is None else self.scope(dataset.tally, "tally")
        rows = rows if rows.whole and self._bound is None else NOTHING
        seen, unseen = (cell_rule(rows, s, NOTHING, Mask.NONE) for s in (rows, NOTHING))
        plain = {
            f.name for f in dataset.fields if f.object == dataset.object and f.mask is Mask.NONE
        }
        return Lens(
            dataset=dataset,
            mode=Mode.TALLY,
            identifier=None,
            rows=rows,
            cells={f.name: seen if f.name in plain else unseen for f in dataset.fields},
            rules=self._tally_rules(dataset),
            day=self.asker.day,
            bound=None,
            basis=self._basis,
        )

    def _tally_rules(self, dataset: Dataset) -> tuple[str, ...]:
        if dataset.tally is None or self._blocked(dataset.tally, "tally") is not None:
            return ()
        return tuple(sorted(self.book.rule_ids(self.asker, dataset.tally, "tally")))

    def _facet(self, dataset: Dataset) -> FacetLens:
        def folded(obj: str, act: str) -> Scope:
            return self.scope(obj, act).for_owner(dataset.provider)

        columns = {
            f.name: FacetColumn(folded(f.object, "read"), folded(f.object, "unmask"), f.mask)
            for f in dataset.fields
        }
        see, rules = folded(dataset.object, "read"), self._rules(dataset, ())
        return FacetLens(dataset, see, columns, rules, self._basis)

    def _needed(
        self, dataset: Dataset, mode: Mode, identifier: str | None
    ) -> tuple[tuple[str, str], ...]:
        if mode is Mode.TALLY:
            return ((dataset.tally or dataset.object, "tally"),)
        read = (dataset.object, "read")
        if mode is Mode.KEY:
            return (read,)
        if mode in (Mode.LIST, Mode.EXPORT):
            listed = (read, (dataset.object, "list"))
            return listed if mode is Mode.LIST else (*listed, (dataset.object, "export"))
        if identifier is None:
            raise ValueError("a LOOKUP names its identifier column")
        return (read, (dataset.by_name[identifier].object, "lookup"))

    def _rows(self, dataset: Dataset, needed: tuple[tuple[str, str], ...]) -> Scope:
        if self._unbound(dataset):
            return NOTHING
        first, *more = (self._allowed(dataset, obj, act) for obj, act in needed)
        for scope in more:
            first = first.meet(scope)
        return first

    def _unbound(self, dataset: Dataset) -> bool:
        """Must the rows be cut to one household, and cannot be?"""
        personal = any(field.sensitivity in PERSONAL for field in dataset.fields)
        if dataset.bound is None:
            return personal and (self.asker.bound is not None or self._purpose.subject_bound)
        return self._purpose.subject_bound and self.asker.bound is None

    def _allowed(self, dataset: Dataset, obj: str, act: str) -> Scope:
        # Rows without an owner of their own belong to the provider of the object.
        scope = self.scope(obj, act)
        if dataset.owner is not None:
            return scope
        return scope.for_owner(self._catalog.objects[obj].provider)

    def _blocked(self, obj: str, act: str) -> Verdict | None:
        """What employment, purpose and case forbid before any line is asked."""
        if self.asker.purchased and obj in self._catalog.sensitive_objects:
            return Verdict(False, Reason.DENIED, None, self.book.ask(obj))
        if self.asker.purpose == EMERGENCY and act not in EMERGENCY_ACTS:
            return Verdict(False, Reason.PURPOSE, None, self.book.ask(obj))
        # A case number that names no household narrows nothing, so it opens nothing.
        if act in self._purpose.case_acts and not self._opened:
            return Verdict(False, Reason.CASE, None, self.book.ask(obj))
        return None

    def _rules(self, dataset: Dataset, needed: tuple[tuple[str, str], ...]) -> tuple[str, ...]:
        objects = {field.object for field in dataset.fields} | {dataset.object}
        asked = {(obj, act) for obj in objects for act in ("read", "unmask")} | set(needed)
        open_ = [pair for pair in asked if self._blocked(*pair) is None]
        found = {line for obj, act in open_ for line in self.book.rule_ids(self.asker, obj, act)}
        return tuple(sorted(found))

    @property
    def _basis(self) -> str:
        return f"{self.book.version}|{self.asker.purpose}|{self.asker.day.isoformat()}"
