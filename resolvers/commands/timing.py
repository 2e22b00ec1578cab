"""What a case's clocks do when it moves: work orders end, stand still and begin (领域设计 1.5).

A state wants the order of its node; a notice wants the one after it, too, whose clock starts when
the notice ends. Orders that the new state does not want end, late or not; lateness is recorded in
the same deed, if the scheduler has not been there before.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from catalog.items import FlowKind
from catalog.nodes import Node
from catalog.procedures import Procedure, Step
from catalog.workdays import ZONE
from domain.case import CaseState
from domain.clock import Clock, Due, Pause, PauseReason, due, reminder
from domain.nodes import after_notice, node_of
from domain.routing import route
from resolvers.commands.command import Desk, new_id
from store.work_orders import (
    OpenOrder,
    add_orders,
    change_order,
    open_orders,
    pause,
    pauses_of,
    record_timeout,
    resume,
)

S = CaseState
ANEW = frozenset({S.SUSPENDED, S.REOPENED})
"""States in which the node's work begins again, whatever of it was open."""


@dataclass(frozen=True, slots=True)
class Moving:
    """A case on its way into a state. `place` of its rows; `anew`: its node begins again."""

    case_id: str
    item: str
    flow: FlowKind
    before: CaseState | None
    after: CaseState
    place: Mapping[str, Any]
    anew: bool = False


async def settle(desk: Desk, moving: Moving) -> bool:
    """End, pause and open its work orders; True if one that ended was late."""
    wanted = _wanted(moving)
    anew = moving.anew or moving.after in ANEW
    late, kept = False, set()
    for order in await open_orders(desk.connection, moving.case_id):
        node = Node(order.node)
        if moving.before is S.RETURNED:
            order = await _go_on(desk, moving, order)
        if node in wanted and not anew:
            kept.add(node)
            if moving.after is S.RETURNED:
                await _stand(desk, order)
        else:
            late = await _end(desk, order) or late
    await _open(desk, moving, [node for node in wanted if node not in kept])
    return late


async def notice_until(desk: Desk, case_id: str) -> datetime | None:
    """When the case's notice ends, if one is running or has run and nothing followed it."""
    orders = await open_orders(desk.connection, case_id)
    return next((order.due_at for order in orders if order.node == Node.NOTICE), None)


def _wanted(moving: Moving) -> list[Node]:
    node = node_of(moving.flow, moving.after)
    if node is None:
        return []
    return [node, after_notice(moving.flow)] if node is Node.NOTICE else [node]


# ---- ending, standing, going on ------------------------------------------------------------------


async def _end(desk: Desk, order: OpenOrder) -> bool:
    """End it now; one that has not begun was not wanted. True if it was late."""
    void = order.opened_at > desk.now
    late = order.due_at is not None and order.due_at <= desk.now and order.node != Node.NOTICE
    if late:
        await record_timeout(desk.connection, order.id, desk.now)
    ended = {"closed_at": desk.now, "open": False, "void": void}
    await change_order(desk.connection, order.id, ended)
    return late


async def _stand(desk: Desk, order: OpenOrder) -> None:
    """补正: nobody's time runs."""
    await pause(desk.connection, order.id, PauseReason.RETURNED, desk.now)
    await change_order(desk.connection, order.id, {"due_at": None, "remind_at": None})


async def _go_on(desk: Desk, moving: Moving, order: OpenOrder) -> OpenOrder:
    await resume(desk.connection, order.id, desk.now)
    rows = await pauses_of(desk.connection, order.id)
    pauses = [Pause(PauseReason(row.reason), row.started_at, row.ended_at) for row in rows]
    clock = _clock(desk, moving, Node(order.node), order.opened_at, pauses)
    await change_order(desk.connection, order.id, clock)
    return OpenOrder(order.id, order.node, order.opened_at, clock["due_at"], order.late)


# ---- opening -----------------------------------------------------------------------------------


async def _open(desk: Desk, moving: Moving, nodes: list[Node]) -> None:
    start, rows = desk.now, []
    for node in nodes:
        row = _order(desk, moving, node, start)
        rows.append(row)
        if node is Node.NOTICE and row["due_at"] is not None:
            start = row["due_at"]  # what follows a notice begins when it has run
    await add_orders(desk.connection, rows)


def _order(desk: Desk, moving: Moving, node: Node, start: datetime) -> dict[str, Any]:
    catalog, day = desk.catalog, start.astimezone(ZONE).date()
    item = catalog.items[moving.item]
    path = str(moving.place["region_path"])
    who = route(catalog.routing, item, moving.flow, path, node, day)
    clock = _clock(desk, moving, node, start, [])
    return {
        **moving.place,
        **clock,
        "id": new_id(),
        "case_id": moving.case_id,
        "node": node,
        "tier": who and who.tier,
        "handler_dept": who and who.department,
        "handler_role": who and who.role,
        "handler_path": who and who.region_path,
        "legal_basis": who and who.legal_basis,
        "opened_at": start,
        "first_due_at": clock["due_at"],
        "closed_at": None,
        "open": True,
        "void": False,
        "late": False,
    }


def _clock(
    desk: Desk, moving: Moving, node: Node, start: datetime, pauses: list[Pause]
) -> dict[str, Any]:
    """When it is due and when its handler is reminded; nothing where no length is set."""
    catalog, day = desk.catalog, start.astimezone(ZONE).date()
    row = catalog.limits.of(moving.flow, node, moving.item, day)
    if row is None or row.limit is None:
        return {"due_at": None, "due_confirmed": True, "remind_at": None}
    which = Clock.NOTICE if node is Node.NOTICE else Clock.NODE
    found: Due | None = due(start, row.limit, catalog.calendar, pauses, which)
    rule = None if node is Node.NOTICE else catalog.limits.reminder(day)
    remind = rule and reminder(start, row.limit, catalog.calendar, rule, pauses, which)
    return {
        "due_at": found and found.at,
        "due_confirmed": found is None or found.confirmed,
        "remind_at": remind,
    }


# ---- procedures beside the case's ----------------------------------------------------------------


def owed(desk: Desk, procedure: Procedure, step: Step) -> Due:
    """Until when a step that begins now is owed, by the row of ``procedures.toml``."""
    row = desk.catalog.procedures.limit(procedure, step, desk.now.astimezone(ZONE).date())
    return due(desk.now, row.length, desk.catalog.calendar)
