"""办理环节: the nodes of a case, each with a limit and a handler (领域设计 1.5).

Which node's clock runs in which state is a rule of the office: ``domain/nodes.py``.
"""

from __future__ import annotations

from enum import StrEnum

from catalog.items import FlowKind, ServiceItem


class Node(StrEnum):
    """In the order of the work; the Chinese labels stand in ``codes.toml``."""

    ROUTE = "ROUTE"
    ACCEPT = "ACCEPT"
    VERIFY = "VERIFY"
    DELIBERATE = "DELIBERATE"
    NOTICE = "NOTICE"
    TOWNSHIP_REVIEW = "TOWNSHIP_REVIEW"
    COUNTY_DECISION = "COUNTY_DECISION"
    DELIVER = "DELIVER"
    FOLLOW_UP = "FOLLOW_UP"


def goes_by(item: ServiceItem, flow: FlowKind) -> bool:
    """May a case of the item take this flow? F5 opens no case."""
    if flow is FlowKind.F1_URGENT:
        return item.urgent
    return flow is item.flow and flow is not FlowKind.F5
