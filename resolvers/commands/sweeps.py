"""What happens by itself when time passes: lateness is recorded, people are reminded.

第十六条 and 第十七条. Each sweep works off one batch in one transaction and says how many it did;
it is called until it does none. What is done leaves a row that the next sweep sees, so that a run
missed for a day is made up for, and one that is broken off or made twice does nothing twice.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence

from catalog.workdays import ZONE
from domain.clock import due
from domain.correction import UNACCEPTED, UNMENDED
from domain.supervision import SupervisionState
from resolvers.commands.clocks import Work, outages_for, reckoned, stopped
from resolvers.commands.command import lies
from resolvers.commands.sharing_sweeps import terms, unanswered
from resolvers.commands.supervision import flagged
from resolvers.commands.urging import BATCH, FIRST, Late, Sweeper, urge
from store.cases import mark_overdue
from store.complaints import mark_late_complaints
from store.corrections import mark_late_corrections
from store.deeds import forget
from store.outages import OutageSpan, swept, unswept
from store.supervision import change_supervision, late_orders, open_urges
from store.work_orders import (
    BEFORE,
    DEPARTMENT,
    LateOrder,
    RunningOrder,
    change_order,
    department_unreminded,
    record_timeout,
    remind,
    running,
    unrecorded,
    unreminded,
)


async def overdue(at: Sweeper) -> int:
    """超时自动记录: a timeout event for each work order past its limit, an urge to its handler."""
    found = await unrecorded(at.connection, at.now, BATCH)
    works = {late.id: Work.of(late, late.item, late.flow) for late in found}
    out = await outages_for(at.connection, at.catalog, [*works.values()])
    for late in found:
        # What a source's outage has moved is not late by the row alone.
        if await _moved(at, late, works[late.id], out):
            continue
        await record_timeout(at.connection, late.id, at.now)
        await mark_overdue(at.connection, late.case_id)
        rows = await open_urges(at.connection, late.case_id, SupervisionState.CLOSED)
        said = "办理超时，请限期办结并回报"
        about = {"case_id": late.case_id}
        await urge(at, Late(about, lies(late), late.node, late.id, said), rows)
    return len(found)


async def _moved(
    at: Sweeper, order: LateOrder | RunningOrder, work: Work, outages: Sequence[OutageSpan]
) -> bool:
    """Reckon an order's clock again if a source of its node was out; True if that moved it."""
    if not stopped(at.catalog, work, outages):
        return False
    shown = await reckoned(at.connection, at.catalog, work, order.id, outages)
    if shown["due_at"] == order.due_at:
        return False
    await change_order(at.connection, order.id, shown)
    return True


async def outages(at: Sweeper) -> int:
    """停机: the clocks of open work orders whose node needs a source that is or was out."""
    row = await unswept(at.connection)
    if row is None:
        return 0
    work = at.catalog.needs.nodes_of(row.source)
    found = await running(at.connection, work, row.swept_to or FIRST, BATCH)
    works = {order.id: Work.of(order, order.item, order.flow) for order in found}
    out = await outages_for(at.connection, at.catalog, [*works.values()])
    for order in found:
        await _moved(at, order, works[order.id], out)
    await swept(at.connection, row.id, found[-1].id if len(found) == BATCH else None)
    return max(1, len(found))


async def reminders(at: Sweeper) -> int:
    """延时提醒: the handler before the limit, his department some time after it."""
    found = await unreminded(at.connection, at.now, BATCH)
    for order_id, _ in found:
        await remind(at.connection, order_id, BEFORE, at.now)
    if found:
        return len(found)
    rule = at.catalog.limits.reminder(at.now.astimezone(ZONE).date())
    if rule is None:
        return 0
    late = await department_unreminded(at.connection, at.now, BATCH)
    ripe = [
        order_id
        for order_id, due_at in late
        if due(due_at, rule.department_after, at.catalog.calendar).at <= at.now
    ]
    for order_id in ripe:
        await remind(at.connection, order_id, DEPARTMENT, at.now)
    return len(ripe)


async def escalation(at: Sweeper) -> int:
    """督办升级: orders past their limit are marked, and go to the leader when the rule says so."""
    changed, after = 0, FIRST
    while True:
        rows = await late_orders(at.connection, at.now, SupervisionState.CLOSED, after, BATCH)
        for row in rows:
            now = flagged(at.catalog, at.now, row, row.send_backs)
            new = {name: True for name in now if not getattr(row, name)}
            if new:
                await change_supervision(at.connection, row, new)
                changed += 1
        if len(rows) < BATCH or changed:
            return changed
        after = rows[-1].id


async def lateness(at: Sweeper) -> int:
    """逾期标记: complaints and corrections that are owed too long say so by themselves."""
    complaints = await mark_late_complaints(at.connection, at.now, BATCH)
    owed = (UNACCEPTED, UNMENDED)
    return complaints + await mark_late_corrections(at.connection, at.now, *owed, BATCH)


async def expiry(at: Sweeper) -> int:
    """到期清理: receipts of deeds that are a day old are of no more use."""
    return await forget(at.connection, at.now)


Sweep = Callable[[Sweeper], Awaitable[int]]
SWEEPS: Mapping[str, Sweep] = {
    "outages": outages,
    "overdue": overdue,
    "reminders": reminders,
    "escalation": escalation,
    "unanswered": unanswered,
    "terms": terms,
    "lateness": lateness,
    "expiry": expiry,
}
"""Every job by its name."""
