"""What a duty's clock shows: reckoned from its limit, its pauses and the outages of its sources.

Due moments stand in the rows, so that they can be asked for; before anybody is called late they
are reckoned again, if a source of the node has been out since it began.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from catalog.items import FlowKind
from catalog.limits import Limit, Part
from catalog.load import Catalog
from catalog.nodes import Node
from catalog.workdays import ZONE
from domain.clock import Clock, Due, Pause, PauseReason, due, reminder
from domain.nodes import Duty
from domain.outage import Outage, stops
from store.outages import OutageSpan, outages_of
from store.work_orders import pauses_of


@dataclass(frozen=True, slots=True)
class Work:
    """What a clock is reckoned from: what the case is for, what is owed, and since when."""

    item: str
    flow: FlowKind
    duty: Duty
    start: datetime

    @classmethod
    def of(cls, row: Any, item: str, flow: str) -> Work:
        """Of a work order's row."""
        part = None if row.part is None else Part(row.part)
        return cls(item, FlowKind(flow), Duty(Node(row.node), part), row.opened_at)


def limit_of(catalog: Catalog, work: Work) -> Limit | None:
    """How long it may take; None where no length is set."""
    day, duty = work.start.astimezone(ZONE).date(), work.duty
    row = catalog.limits.of(work.flow, duty.node, work.item, day, part=duty.part)
    return None if row is None else row.limit


def sources_of(catalog: Catalog, work: Work) -> frozenset[str]:
    """The sources it cannot be done without; a refusal is told without any."""
    if work.duty.part is not None:
        return frozenset()
    return catalog.needs.of(work.item, work.duty.node, work.start.astimezone(ZONE).date())


def clock(catalog: Catalog, work: Work, pauses: Sequence[Pause]) -> dict[str, Any]:
    """When it is due and when its handler is reminded; nothing where no length is set."""
    limit, node = limit_of(catalog, work), work.duty.node
    if limit is None:
        return {"due_at": None, "due_confirmed": True, "remind_at": None}
    which = Clock.NOTICE if node is Node.NOTICE else Clock.NODE
    found: Due | None = due(work.start, limit, catalog.calendar, pauses, which)
    day = work.start.astimezone(ZONE).date()
    rule = None if node is Node.NOTICE else catalog.limits.reminder(day)
    remind = rule and reminder(work.start, limit, catalog.calendar, rule, pauses, which)
    return {
        "due_at": found and found.at,
        "due_confirmed": found is None or found.confirmed,
        "remind_at": remind,
    }


async def outages_for(
    connection: Any, catalog: Catalog, works: Collection[Work]
) -> list[OutageSpan]:
    """Every outage that may have stopped one of these clocks."""
    if not works:
        return []
    sources = {source for work in works for source in sources_of(catalog, work)}
    return await outages_of(connection, sources, min(work.start for work in works))


def stopped(catalog: Catalog, work: Work, outages: Iterable[OutageSpan]) -> list[Pause]:
    """The pauses that outages are to a clock: those of its sources, since it began."""
    limit, sources = limit_of(catalog, work), sources_of(catalog, work)
    if limit is None:
        return []
    mine = (
        Outage(one.source, one.announced, one.started_at, one.ended_at)
        for one in outages
        if one.source in sources and (one.ended_at is None or one.ended_at > work.start)
    )
    return stops(mine, limit.unit)


async def reckoned(
    connection: Any,
    catalog: Catalog,
    work: Work,
    order_id: str,
    outages: Iterable[OutageSpan],
) -> dict[str, Any]:
    """The clock of a work order as it shows now, with all that has stopped it."""
    rows = await pauses_of(connection, order_id)
    own = [Pause(PauseReason(row.reason), row.started_at, row.ended_at) for row in rows]
    return clock(catalog, work, [*own, *stopped(catalog, work, outages)])
