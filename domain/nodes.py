"""办理环节: which node's clock runs in which state of which flow (领域设计 1.5).

A node's timer starts when the case enters the first of its states and runs on through the
others. A notice (公示) has a fixed length: while the state is NOTICING the node is NOTICE until
that length is over, then the node that follows runs from the notice's end, whoever is slow to
say so.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass

from catalog.items import FlowKind
from catalog.limits import Part
from catalog.nodes import Node
from domain.case import TRANSITIONS, path
from domain.case import CaseState as S
from domain.machine import Fact

_RUNS: Mapping[S, Node] = {
    S.SUBMITTED: Node.ROUTE,
    S.TRANSFERRED: Node.ROUTE,
    S.ROUTED: Node.ACCEPT,
    S.RETURNED: Node.ACCEPT,  # the clock stands: PauseReason.RETURNED
    S.ACCEPTED: Node.VERIFY,
    S.VERIFYING: Node.VERIFY,
    S.SUSPENDED: Node.VERIFY,
    S.REOPENED: Node.VERIFY,
    S.DELIBERATING: Node.DELIBERATE,
    S.NOTICING: Node.NOTICE,
    S.TOWNSHIP_REVIEWED: Node.COUNTY_DECISION,
    S.APPROVING: Node.COUNTY_DECISION,
    S.APPROVED: Node.DELIVER,
    S.DENIED: Node.COUNTY_DECISION,  # its last part: the refusal is told
    S.DELIVERING: Node.DELIVER,
    S.CLOSED: Node.FOLLOW_UP,
}
"""NOT_ACCEPTED, WITHDRAWN and FOLLOWED_UP are ends: no clock runs."""


@dataclass(frozen=True, slots=True)
class Duty:
    """What somebody owes in a state, with a clock of its own: a node, or a part of one."""

    node: Node
    part: Part | None = None


_REFUSAL = ((Duty(Node.COUNTY_DECISION, Part.REFUSAL), Fact.NOTIFIED_AT),)
_OWED: Mapping[tuple[FlowKind, S], tuple[tuple[Duty, Fact], ...]] = {
    **{(flow, S.DENIED): _REFUSAL for flow in FlowKind},
    (FlowKind.F4, S.DELIVERING): (
        (Duty(Node.DELIVER), Fact.DELIVERED_AT),
        (Duty(Node.DELIVER, Part.TOLD), Fact.NOTIFIED_AT),
    ),
    (FlowKind.F1_URGENT, S.DELIVERING): (
        (Duty(Node.DELIVER), Fact.DELIVERED_AT),
        (Duty(Node.DELIBERATE), Fact.DELIBERATED_AT),
    ),
}
"""States in which a duty ends with a stamp, not with the state."""


def duties(flow: FlowKind, state: S, counting: Collection[Fact] = ()) -> tuple[Duty, ...]:
    """Everything that is owed in a state; a notice brings what follows it with it.

    `counting`: the stamps of this round (``domain/machine.py``).
    """
    node = node_of(flow, state)
    if node is None:
        return ()
    owed = _OWED.get((flow, state))
    if owed is not None:
        return tuple(duty for duty, ends in owed if ends not in counting)
    return (Duty(node), Duty(after_notice(flow))) if node is Node.NOTICE else (Duty(node),)


def node_of(flow: FlowKind, state: S, *, notice_over: bool = False) -> Node | None:
    """The node whose clock runs; None at an end, or in a state that the flow does not know.

    `notice_over`: the fixed length of the notice has passed; only NOTICING asks.
    """
    if state not in states(flow):
        return None
    node = _RUNS.get(state)
    if node is Node.VERIFY and S.VERIFYING not in path(flow):
        return Node.DELIVER
    return after_notice(flow) if node is Node.NOTICE and notice_over else node


def after_notice(flow: FlowKind) -> Node:
    """The node that runs from a notice's end."""
    reviewed = S.TOWNSHIP_REVIEWED in path(flow)
    return Node.TOWNSHIP_REVIEW if reviewed else Node.COUNTY_DECISION


def needs_notice_over(before: S, after: S) -> bool:
    """May this move be made only when the notice's fixed length is over?

    An objection (SUSPENDED) and a withdrawal end a notice at any time.
    """
    return before is S.NOTICING and after in (S.TOWNSHIP_REVIEWED, S.APPROVING)


def nodes(flow: FlowKind) -> tuple[Node, ...]:
    """Every node of a flow, in the order of the work; empty for F5."""
    found = {duty.node for state in S for duty in duties(flow, state)}
    return tuple(node for node in Node if node in found)


def states(flow: FlowKind) -> frozenset[S]:
    """Every state a case of the flow may be in."""
    table = TRANSITIONS[flow]
    return frozenset(table).union(*table.values())
