"""自动分流: which rule fits a case's node, and whom it names (第十条; 领域设计 1.2 A10.1).

The most specific rule in force wins: a longer division path before an item, an item before a
flow. The catalogue refuses ties, so the order of the rules says nothing.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date

from catalog.divisions import Level, covers, place_at
from catalog.items import FlowKind, ServiceItem
from catalog.nodes import Node, goes_by
from catalog.routing import RoutingRule


@dataclass(frozen=True, slots=True)
class Handler:
    """Who handles a node: posts of `role` in `department` based at `region_path`.

    `rule` names the rule that says so, `legal_basis` what it rests on.
    """

    tier: Level
    region_path: str
    department: str
    role: str
    rule: str
    legal_basis: str


def route(
    rules: Iterable[RoutingRule],
    item: ServiceItem,
    flow: FlowKind,
    region_path: str,
    node: Node,
    day: date,
) -> Handler | None:
    """The handler of a node for a case of this place on this day.

    None if no rule fits: the flow is not the item's (HOSPITAL_LOOKUP opens no case), nobody
    has the node, or its tier lies below the place (a case in a township has no village).
    """
    if not goes_by(item, flow):
        return None
    fit = (rule for rule in rules if _fits(rule, item, flow, region_path, node, day))
    best = max(fit, key=_rank, default=None)
    return _handler(best, item, region_path) if best is not None else None


def _fits(
    rule: RoutingRule, item: ServiceItem, flow: FlowKind, path: str, node: Node, day: date
) -> bool:
    return (
        node in rule.nodes
        and rule.flow in (flow, None)
        and rule.item in (item.code, None)
        and (rule.division is None or covers(rule.division, path))
        and place_at(path, rule.tier) is not None
        and rule.ground.holds(day)
    )


def _rank(rule: RoutingRule) -> tuple[int, bool, bool]:
    return len(rule.division or ""), rule.item is not None, rule.flow is not None


def _handler(rule: RoutingRule, item: ServiceItem, path: str) -> Handler | None:
    place = place_at(path, rule.tier)
    if place is None:
        return None
    department = rule.department or item.department
    return Handler(rule.tier, place, department, rule.role, rule.name, rule.ground.legal_basis)
