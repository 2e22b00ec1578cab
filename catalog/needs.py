"""Which sources a node cannot do without (领域设计 1.5): rows of ``needs.toml``, with a basis.

While such a source is proven to be out (``store/outages.py``) the node's clock stands.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from datetime import date

from catalog.items import ServiceItem
from catalog.nodes import Node
from catalog.table import Table
from catalog.validity import Ground, LegalBasis, read_ground


@dataclass(frozen=True, slots=True)
class Need:
    """A case of the item is not to be worked on at these nodes without these sources."""

    item: str
    nodes: frozenset[Node]
    sources: tuple[str, ...]
    ground: Ground


@dataclass(frozen=True, slots=True)
class Needs:
    """Every row of ``needs.toml``."""

    rows: tuple[Need, ...]

    def of(self, item: str, node: Node, day: date) -> frozenset[str]:
        """The sources a node needs on a day; mostly none."""
        fit = (r for r in self.rows if r.item == item and node in r.nodes and r.ground.holds(day))
        return frozenset(source for row in fit for source in row.sources)

    def nodes_of(self, source: str) -> frozenset[tuple[str, Node]]:
        """Item and node of every row that names a source, whatever the day."""
        rows = (row for row in self.rows if source in row.sources)
        return frozenset((row.item, node) for row in rows for node in row.nodes)

    @property
    def sources(self) -> tuple[str, ...]:
        """Every source that a node needs, by name."""
        return tuple(sorted({source for row in self.rows for source in row.sources}))


def read_needs(
    table: Table,
    items: Mapping[str, ServiceItem],
    sources: Collection[str],
    bases: Mapping[str, LegalBasis],
) -> Needs:
    """``needs.toml``; CatalogError for an unknown word or two rows for one item and node."""
    found: list[Need] = []
    for row in table.subs("need", "item"):
        one = Need(
            row.known("item", items, "service item"),
            _nodes(row),
            tuple(_sources(row, sources)),
            read_ground(row, bases),
        )
        row.done()
        for other in found:
            meets = one.ground.meets(other.ground) and one.nodes & other.nodes
            if other.item == one.item and meets:
                raise row.fail("nodes", "stand in two rows on the same days: end one")
        found.append(one)
    table.done()
    return Needs(tuple(found))


def _nodes(row: Table) -> frozenset[Node]:
    named = row.texts("nodes")
    if not named or not set(named) <= set(Node):
        raise row.fail("nodes", f"must be a list of {' '.join(Node)}")
    return frozenset(map(Node, named))


def _sources(row: Table, known: Collection[str]) -> Iterable[str]:
    named = row.texts("sources")
    for source in named:
        if source not in known:
            raise row.fail("sources", f"`{source}` is no source of the catalogue")
    if not named:
        raise row.fail("sources", "is missing: name one or more")
    return named
