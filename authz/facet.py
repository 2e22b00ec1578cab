"""A FacetLens: a department's data set under the rights to the person it speaks of.

A facet has no rows of its own to enumerate: it hangs on a citizen or household whose own
Lens has admitted it. Its region is the citizen's path (or its own translated one), its
owner the department that provides it, its class the citizen's; so every column has one
state per (region, class), and parents the facet does not admit are never asked for.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from functools import cached_property

from authz.lens import CellState
from authz.scope import Scope
from catalog.datasets import Dataset
from catalog.divisions import Divisions
from catalog.grades import Mask


@dataclass(frozen=True, slots=True)
class FacetColumn:
    """Where one column may be read and unmasked, the owner test folded away."""

    see: Scope
    unmask: Scope
    mask: Mask

    def state(self, region: str, minor: bool) -> CellState:
        """CLEAR, MASKED or HIDDEN for persons at a region path."""
        if not self.see.admits(region, None, minor):
            return CellState.HIDDEN
        if self.mask is Mask.NONE or self.unmask.admits(region, None, minor):
            return CellState.CLEAR
        return CellState.MASKED


@dataclass(frozen=True)
class FacetLens:
    """Made by Gate alone. `see`: where the data set's rows may be read at all."""

    dataset: Dataset
    see: Scope
    columns: Mapping[str, FacetColumn]
    rules: tuple[str, ...]
    basis: str
    _states: dict[tuple[str, bool], tuple[tuple[str, CellState], ...] | None] = field(
        default_factory=dict, repr=False, compare=False
    )

    def cells(self, region: str, minor: bool = False) -> tuple[tuple[str, CellState], ...] | None:
        """State of every column for persons at `region`; None: not readable there at all."""
        key = (region, minor)
        if key not in self._states:
            self._states[key] = self._cells(region, minor)
        return self._states[key]

    def _cells(self, region: str, minor: bool) -> tuple[tuple[str, CellState], ...] | None:
        if not self.see.admits(region, None, minor):
            return None
        return tuple((name, rule.state(region, minor)) for name, rule in self.columns.items())

    def unmasks(self, columns: Iterable[str]) -> bool:
        """Is some cell of these columns clear, at any place, by a right to unmask?"""
        rules = (self.columns[name] for name in columns)
        return any(
            r.mask is not Mask.NONE and not self.see.meet(r.see).meet(r.unmask).empty for r in rules
        )

    def own_codes(self, divisions: Divisions) -> frozenset[str] | None:
        """Canonical codes a source with regions of its own may be asked for; None: all.

        A superset over both classes: `cells` decides each row.
        """
        found = self.see.codes(divisions)
        return None if len(found) == len(divisions.by_path) else found

    @cached_property
    def digest(self) -> str:
        """16 hex digits: policy version, purpose, day and every scope."""
        cells = [(n, c.see.digest, c.unmask.digest, str(c.mask)) for n, c in self.columns.items()]
        text = repr((self.basis, self.dataset.name, self.see.digest, cells))
        return hashlib.sha256(text.encode()).hexdigest()[:16]

    @cached_property
    def pattern(self) -> tuple[object, ...]:
        """The shape of the rights without places: equal for two clerks of the same kind."""
        columns = tuple(
            (name, rule.see.pattern, rule.unmask.pattern) for name, rule in self.columns.items()
        )
        return (self.dataset.name, self.see.pattern, columns)
