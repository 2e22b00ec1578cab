"""自动分流: who handles each node, by item and place (第十条; 领域设计 1.2 A10.1).

``routing.toml`` holds few rules; the most specific wins: a longer division path before an
item, an item before a flow. Two rules of one rank that meet on a day are a CatalogError, so
there is always one answer. Which rule fits a case: ``domain/routing.py``.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from catalog.divisions import Division, Level
from catalog.items import FlowKind, ServiceItem
from catalog.nodes import Node, goes_by
from catalog.table import Table
from catalog.validity import Ground, LegalBasis, read_ground

TIERS = (Level.COUNTY, Level.TOWNSHIP, Level.VILLAGE)
"""三级办理."""


@dataclass(frozen=True, slots=True)
class RoutingRule:
    """One rule. `division` is a region path; None there, in `item` or `flow` means any.

    `department` None: the item's own. `role`: a role of ``authz/roles.toml``.
    """

    name: str
    nodes: frozenset[Node]
    flow: FlowKind | None
    item: str | None
    division: str | None
    tier: Level
    department: str | None
    role: str
    ground: Ground


@dataclass(frozen=True, slots=True)
class Words:
    """What a rule may name. `places` by region path."""

    items: Mapping[str, ServiceItem]
    departments: Mapping[str, object]
    places: Mapping[str, Division]
    bases: Mapping[str, LegalBasis]


def read_routing(table: Table, words: Words) -> tuple[RoutingRule, ...]:
    """``routing.toml``; CatalogError for an unknown word or a tie."""
    found: list[RoutingRule] = []
    for row in table.subs("rule"):
        one = _rule(row, words)
        row.done()
        for other in _ties(one, found):
            raise row.fail("nodes", f"ties with `{other.name}`: make one more specific, or end it")
        found.append(one)
    table.done()
    return tuple(found)


def _rule(row: Table, words: Words) -> RoutingRule:
    name = row.text("name")
    flow = row.choice("flow", FlowKind) if row.has("flow") else None
    item = row.known("item", words.items, "service item") if row.has("item") else None
    if not any(
        goes_by(one, kind)
        for one in ([words.items[item]] if item else words.items.values())
        for kind in ([flow] if flow else FlowKind)
    ):
        raise row.fail("flow" if flow else "item", "opens no case: correct the flow or the item")
    nodes = row.texts("nodes")
    if not nodes or not set(nodes) <= set(Node):
        raise row.fail("nodes", f"must be a list of {' '.join(Node)}")
    tier = row.choice("tier", Level)
    if tier not in TIERS:
        raise row.fail("tier", f"must be one of {' '.join(TIERS)}")
    return RoutingRule(
        name=name,
        nodes=frozenset(map(Node, nodes)),
        flow=flow,
        item=item,
        division=row.known("division", words.places, "region path")
        if row.has("division")
        else None,
        tier=tier,
        department=row.known("department", words.departments, "department")
        if row.has("department")
        else None,
        role=row.text("role"),
        ground=read_ground(row, words.bases),
    )


def _ties(one: RoutingRule, before: list[RoutingRule]) -> Iterator[RoutingRule]:
    # Divisions of one length that both cover a place are the same; so are two items or flows.
    scope = (one.division, one.item, one.flow)
    for other in before:
        same = (other.division, other.item, other.flow) == scope and one.nodes & other.nodes
        if same and one.ground.meets(other.ground):
            yield other
