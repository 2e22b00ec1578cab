"""A Plan with one asker's own values: what his next question finds already made.

A Plan is shared by all askers of one pattern of rights; what differs between them are bounds,
owners, days, rule ids. They follow from the Gate alone, so they are made once per Gate and
Plan and live as long as the Gate. A Gate that a case number narrows lives for one request: no
household outlives it here.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from adapters.contract import EXTRA
from authz.gate import Gate
from authz.lens import Mode
from catalog.datasets import RegionKind
from resolvers.grouped import coordinates
from resolvers.plan import Kind, Plan, Read, ReadDisclosure

HOW = {
    Mode.KEY: "row",
    Mode.LIST: "list",
    Mode.EXPORT: "list",
    Mode.LOOKUP: "key",
    Mode.COUNT: "tally",
}


@dataclass(frozen=True, slots=True)
class Head:
    """What the record says of a Read before any row is seen."""

    dataset: str
    source: str
    how: str
    by: tuple[str, ...]
    lens: str = ""
    rules: tuple[str, ...] = ()
    area: str | None = None

    def told(self, lens: str | None = None, rules: tuple[str, ...] | None = None) -> ReadDisclosure:
        """A disclosure to fill; facets bring rights of their own."""
        return ReadDisclosure(
            self.dataset,
            self.source,
            self.how,
            self.lens if lens is None else lens,
            self.rules if rules is None else rules,
            self.by,
            self.area,
        )


@dataclass(frozen=True, slots=True)
class Ready:
    """A Plan and, by the number of a Read: bound values, riding pages, heads of disclosures.

    `reach`: the township that every row of its statement lies in, None if there are several.
    `strict`: a right to unmask may show something of it, so its answer leaves only under the
    policy the store has at that moment (authorisation 5.7).
    """

    plan: Plan
    binds: Mapping[int, Mapping[str, Any]]
    pages: Mapping[int, tuple[Read, ...]]
    heads: Mapping[int, Head]
    reach: Mapping[int, str | None]
    strict: bool


def ready(plan: Plan, gate: Gate) -> Ready:
    """Everything of one asker that no value of his question changes."""
    reads = plan.shape.walk()
    own = [r for r in reads if r.id in plan.reads and not plan.rides(r.id) and _by_lens(r)]
    return Ready(
        plan,
        {r.id: _binds(plan, gate, r) for r in own},
        {r.id: tuple(c for c in _riding(plan, r) if c.connection) for r in own},
        {r.id: _head(gate, r) for r in reads},
        {r.id: _reach(plan, gate, r) for r in own},
        any(_unmasks(gate, r) for r in reads),
    )


def _unmasks(gate: Gate, read: Read) -> bool:
    """May a right to unmask show a value of this Read, in a cell or by what it finds?"""
    if not _by_lens(read):
        return gate.facet(read.dataset).unmasks(read.columns)
    lens = gate.lens(read.dataset, read.mode, read.identifier)
    return lens.unmasks((*read.columns, *(w.column for w in read.where)))


def _by_lens(read: Read) -> bool:
    return read.kind in (Kind.ROOT, Kind.ENTITY, Kind.EDGE)


def _riding(plan: Plan, read: Read) -> list[Read]:
    """The Reads that travel in this one's statement."""
    below = [c for c in read.children if plan.rides(c.id)]
    return [r for child in below for r in (child, *_riding(plan, child))]


def _binds(plan: Plan, gate: Gate, read: Read) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for one in (read, *_riding(plan, read)):
        lens = gate.lens(one.dataset, one.mode, one.identifier)
        found |= lens.binds(f"r{one.id}")
    return found


def _reach(plan: Plan, gate: Gate, read: Read) -> str | None:
    placed = [r for r in (read, *_riding(plan, read)) if r.dataset.region.kind is RegionKind.PATH]
    found = {gate.lens(r.dataset, r.mode, r.identifier).township for r in placed}
    return found.pop() if len(found) == 1 else None


def _head(gate: Gate, read: Read) -> Head:
    by = coordinates(read)
    if read.kind is Kind.ENTITY:
        by += (f"{read.dataset.type}.{read.child}",)
    by += tuple(f"{read.dataset.type}.{_plain(w.column)}" for w in read.where)
    head = Head(read.dataset.name, read.dataset.source, HOW[read.mode], by)
    if not _by_lens(read):
        return head
    lens = gate.lens(read.dataset, read.mode, read.identifier)
    placed = read.dataset.region.kind is RegionKind.PATH
    area = lens.township if placed else None
    return Head(head.dataset, head.source, head.how, by, lens.digest, lens.rules, area)


def _plain(column: str) -> str:
    return column[len(EXTRA) :] if column.startswith(EXTRA) else column
