"""What a case's clocks do when it moves: work orders end, stand still and begin (领域设计 1.5).

A state wants the orders of what is owed in it; a notice wants the one after it, too, whose clock
starts when the notice ends. Orders that the new state does not want end, late or not; lateness is
recorded in the same deed, if the scheduler has not been there before. Time in which a source of the
node was out is nobody's.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from catalog.items import FlowKind
from catalog.nodes import Node
from catalog.procedures import Procedure, Step
from catalog.workdays import ZONE
from domain.case import CaseState
from domain.clock import Due, PauseReason, due
from domain.machine import Fact
from domain.nodes import Duty, duties
from domain.routing import route
from resolvers.commands.clocks import Work, clock, outages_for, reckoned, stopped
from resolvers.commands.command import Desk, new_id
from store.work_orders import (
    OpenOrder,
    add_orders,
    change_order,
    open_orders,
    pause,
    record_timeout,
    resume,
)

S = CaseState
ANEW = frozenset({S.SUSPENDED, S.REOPENED})
"""States in which the node's work begins again, whatever of it was open."""


@dataclass(frozen=True, slots=True)
class Moving:
    """A case on its way into a state. `place` of its rows; `anew`: its node begins again.

    `counting`: the stamps it has then, of this round.
    """

    case_id: str
    item: str
    flow: FlowKind
    before: CaseState | None
    after: CaseState
    place: Mapping[str, Any]
    counting: frozenset[Fact] = frozenset()
    anew: bool = False


async def settle(desk: Desk, moving: Moving) -> bool:
    """End, pause and open its work orders; True if one that ended was late."""
    wanted = duties(moving.flow, moving.after, moving.counting)
    anew = moving.anew or moving.after in ANEW
    late, kept = False, set()
    for order in await open_orders(desk.connection, moving.case_id):
        work = Work.of(order, moving.item, moving.flow)
        if moving.before is S.RETURNED:
            await resume(desk.connection, order.id, desk.now)
        if work.duty in wanted and not anew:
            kept.add(work.duty)
            if moving.after is S.RETURNED:
                await _stand(desk, order)
            elif moving.before is S.RETURNED:
                await _reckon(desk, order, work)
        else:
            late = await _end(desk, order, work, moving.before) or late
    await _open(desk, moving, [duty for duty in wanted if duty not in kept])
    return late


async def notice_until(desk: Desk, case_id: str) -> datetime | None:
    """When the case's notice ends, if one is running or has run and nothing followed it."""
    orders = await open_orders(desk.connection, case_id)
    return next((order.due_at for order in orders if order.node == Node.NOTICE), None)


# ---- ending, standing, going on ------------------------------------------------------------------


async def _end(desk: Desk, order: OpenOrder, work: Work, before: CaseState | None) -> bool:
    """End it now; one that has not begun was not wanted. True if it was late."""
    void = order.opened_at > desk.now
    order = await _as_of_now(desk, order, work, resumed=before is S.RETURNED)
    late = order.due_at is not None and order.due_at <= desk.now and order.node != Node.NOTICE
    if late:
        await record_timeout(desk.connection, order.id, desk.now)
    ended = {"closed_at": desk.now, "open": False, "void": void}
    await change_order(desk.connection, order.id, ended)
    return late


async def _as_of_now(desk: Desk, order: OpenOrder, work: Work, *, resumed: bool) -> OpenOrder:
    """With the due moment that counts, if its clock has stood: nobody is late by the row alone."""
    stood = stopped(desk.catalog, work, await outages_for(desk.connection, desk.catalog, [work]))
    return await _reckon(desk, order, work) if resumed or stood else order


async def _stand(desk: Desk, order: OpenOrder) -> None:
    """补正: nobody's time runs."""
    await pause(desk.connection, order.id, PauseReason.RETURNED, desk.now)
    await change_order(desk.connection, order.id, {"due_at": None, "remind_at": None})


async def _reckon(desk: Desk, order: OpenOrder, work: Work) -> OpenOrder:
    outages = await outages_for(desk.connection, desk.catalog, [work])
    shown = await reckoned(desk.connection, desk.catalog, work, order.id, outages)
    await change_order(desk.connection, order.id, shown)
    return replace(order, due_at=shown["due_at"])


# ---- opening -----------------------------------------------------------------------------------


async def _open(desk: Desk, moving: Moving, wanted: list[Duty]) -> None:
    start, rows = desk.now, []
    for duty in wanted:
        row = await _order(desk, moving, duty, start)
        rows.append(row)
        if duty.node is Node.NOTICE and row["due_at"] is not None:
            start = row["due_at"]  # what follows a notice begins when it has run
    await add_orders(desk.connection, rows)


async def _order(desk: Desk, moving: Moving, duty: Duty, start: datetime) -> dict[str, Any]:
    catalog, day = desk.catalog, start.astimezone(ZONE).date()
    item = catalog.items[moving.item]
    path = str(moving.place["region_path"])
    who = route(catalog.routing, item, moving.flow, path, duty.node, day)
    work = Work(moving.item, moving.flow, duty, start)
    outages = await outages_for(desk.connection, catalog, [work])
    return {
        **moving.place,
        **clock(catalog, work, stopped(catalog, work, outages)),
        "id": new_id(),
        "case_id": moving.case_id,
        "node": duty.node,
        "part": duty.part,
        "tier": who and who.tier,
        "handler_dept": who and who.department,
        "handler_role": who and who.role,
        "handler_path": who and who.region_path,
        "legal_basis": who and who.legal_basis,
        "opened_at": start,
        "first_due_at": clock(catalog, work, [])["due_at"],
        "closed_at": None,
        "open": True,
        "void": False,
        "late": False,
    }


# ---- procedures beside the case's ----------------------------------------------------------------


def owed(desk: Desk, procedure: Procedure, step: Step) -> Due:
    """Until when a step that begins now is owed, by the row of ``procedures.toml``."""
    row = desk.catalog.procedures.limit(procedure, step, desk.now.astimezone(ZONE).date())
    return due(desk.now, row.length, desk.catalog.calendar)
