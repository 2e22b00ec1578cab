"""Facets in batches: parents whose columns have the same states are asked for together.

A facet stands under its citizen's rights. What its columns may show depends on where he lives
and whether he is a minor; one batch holds only parents for whom all states are the same, so
that a source can mask a whole batch alike and nobody else is ever asked for.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from adapters.contract import EXTRA, MINOR, REGION, Output, ReadRequest, Ride
from authz.gate import Gate
from authz.lens import CellState
from catalog.datasets import Decode, FieldType
from catalog.grades import Mask
from resolvers.plan import OutColumn, OutConstant, Read

TEXTS = (FieldType.STRING, FieldType.CODE, FieldType.DATE, FieldType.MONTH)
Variant = tuple[Any, ...]
States = Mapping[str, CellState]
Env = tuple[str, bool]
"""Where a citizen lives (region path), and whether he is under fourteen."""


def env_of(row: Sequence[Any], layout: Mapping[str, int]) -> Env | None:
    """The place and class of a row; None for rows that have no region."""
    region, minor = layout.get(REGION), layout.get(MINOR)
    if region is None:
        return None
    return row[region], bool(row[minor]) if minor is not None else False


class Cells:
    """The states of a facet's columns, and of its nests', at each (region, class of minor)."""

    def __init__(self, gate: Gate, read: Read) -> None:
        self._gate, self._read = gate, read
        self._own: dict[Env, States | None] = {}
        self._variants: dict[Env, Variant] = {}

    def __call__(self, env: Env) -> States | None:
        """States by column; None if the policy shows nothing of this facet there."""
        if env not in self._own:
            self._own[env] = _states(self._gate, self._read, env)
        return self._own[env]

    def below(self, env: Env) -> Mapping[int, States]:
        """States of the nests that are shown there, by their Read."""
        found = {child.id: _states(self._gate, child, env) for child in self._read.children}
        return {number: states for number, states in found.items() if states is not None}

    def variant(self, env: Env) -> Variant:
        """What tells one batch from another: all states of the facet and of its nests."""
        if env not in self._variants:
            own = tuple((self(env) or {}).items())
            below = tuple((n, tuple(s.items())) for n, s in self.below(env).items())
            self._variants[env] = (own, below)
        return self._variants[env]


def _states(gate: Gate, read: Read, env: Env) -> States | None:
    found = gate.facet(read.dataset).cells(*env)
    return None if found is None else {c: s for c, s in found if c in read.columns}


@dataclass(slots=True)
class Batch:
    """Parents whose facet columns have the same states: one call of the source."""

    variant: Variant
    states: States
    below: Mapping[int, States]
    keys: dict[str, None] = field(default_factory=dict)
    envs: list[tuple[str, Env]] = field(default_factory=list)
    names: dict[str, str] = field(default_factory=dict)
    subjects: dict[str, str] = field(default_factory=dict)


def riding(read: Read, batches: Sequence[Batch]) -> frozenset[int]:
    """The nests that ride in every batch: rows of one facet have one layout."""
    return frozenset(
        child.id
        for child in read.children
        if all(child.id in b.below and nest_rides(child, b.below[child.id]) for b in batches)
    )


def facet_request(read: Read, states: States, rides: Collection[int], codes: bool) -> ReadRequest:
    """What a facet's source is asked: every column, hidden ones with nothing left of them.

    `rides`: the nests that `riding` let ride; empty in row mode.
    """
    fields = read.dataset.by_name
    masks = {
        c: Mask.HIDE if states[c] is CellState.HIDDEN else fields[c].mask
        for c in read.columns
        if states[c] is not CellState.CLEAR
    }
    return ReadRequest(
        dataset=read.dataset,
        columns=read.columns,
        extra=tuple(e for e in read.extra if e.startswith(EXTRA)),
        key=read.child,
        masks=masks,
        codes=codes,
        rides=tuple(nest_ride(c) for c in read.children if c.id in rides),
    )


def nest_rides(read: Read, states: States) -> bool:
    """True if a nest's values need neither decoding nor masking: then it can ride."""
    fields = [read.dataset.by_name[c] for c in read.columns]
    texts = all(f.type in TEXTS and f.decode is Decode.PLAIN for f in fields)
    clear = all(states[c] is CellState.CLEAR for c in read.columns)
    flat = all(isinstance(o, OutColumn | OutConstant) for o in read.outs)
    return read.dataset.clean and texts and clear and flat


def nest_ride(read: Read) -> Ride:
    """A nest as a ride of its facet."""
    outputs = tuple(
        Output(o.key, column=o.column, required=o.required)
        if isinstance(o, OutColumn)
        else Output(o.key, constant=o.value)
        for o in read.outs
        if isinstance(o, OutColumn | OutConstant)
    )
    request = ReadRequest(dataset=read.dataset, columns=read.columns)
    return Ride(str(read.id), request, str(read.parent), str(read.child), read.many, outputs)
