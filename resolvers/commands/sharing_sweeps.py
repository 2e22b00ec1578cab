"""What time brings to sharing requests: the list, an urge, first and last days. Never a grant.

第二十一条第三项. A request that is owed too long is entered once a step and urged by one open
order; it stays where it is until somebody makes the step.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date
from typing import Any

from catalog.workdays import ZONE
from domain.machine import Fact, Step
from domain.sharing_request import MACHINE, SharingAct, SharingState
from domain.supervision import SupervisionState
from resolvers.commands.cases import SYSTEM
from resolvers.commands.command import column_of, lies, new_id
from resolvers.commands.sharing_faults import PARTIES, days_late, overdue, owed_by
from resolvers.commands.urging import BATCH, FIRST, Late, Sweeper, urge
from store.sharing_requests import (
    RequestRow,
    add_fault,
    add_request_events,
    begun,
    change_request,
    late_by,
    mark_late,
    open_faults,
    over,
    unlisted,
)
from store.supervision import open_urges_of_request

S, D = SharingState, SharingAct


async def unanswered(at: Sweeper) -> int:
    """逾期未答复: an entry of the list for each late step, an urge to who owes it, days counted."""
    found = await unlisted(at.connection, at.now, BATCH)
    for row in found:
        entry = overdue(row, at.now)
        await add_fault(at.connection, entry)
        await mark_late(at.connection, row.id)
        await _urge(at, row, str(entry["id"]))
    return len(found) or await _count_days(at)


async def _urge(at: Sweeper, row: RequestRow, trigger: str) -> None:
    rows = await open_urges_of_request(at.connection, row.id, SupervisionState.CLOSED)
    place = {"applicant_uid": None, "household_id": None, "handling_dept": owed_by(row)}
    place |= lies(row, ("region_path",))
    said = f"共享申请 {row.request_no} 逾期未办，请限期办理并回报"
    about = {"sharing_request_id": row.id}
    await urge(at, Late(about, place, "", trigger, said), rows)


async def _count_days(at: Sweeper) -> int:
    """Entries that are late by a day more than they say."""
    changed, after = 0, FIRST
    while True:
        rows = await open_faults(at.connection, after, BATCH)
        for row in rows:
            assert row.due_at is not None  # noqa: S101  the statement gives late steps alone
            days = days_late(row.due_at, at.now)
            if days != row.days_late:
                await late_by(at.connection, row.id, days)
                changed += 1
        if len(rows) < BATCH or changed:
            return changed
        after = rows[-1].id


async def terms(at: Sweeper) -> int:
    """授权起止: grants whose first day has come are in use, those whose last is past are not.

    The right itself goes by the days of the grant's row, however late this is. A grant that was
    ended past the request, by hand, ends the request too.
    """
    today = at.now.astimezone(ZONE).date()
    first = await begun(at.connection, S.PROVISIONED, today, BATCH)
    for row in first:
        await _moved(at, row, D.ACTIVATE, Fact.TERM_BEGUN)
    last = await over(at.connection, S.ACTIVE, today, BATCH)
    for row in last:
        if _is_past(row.granted_until, today):
            await _moved(at, row, D.EXPIRE, Fact.TERM_OVER)
        else:
            await _moved(at, row, D.REVOKE, Fact.REASON, "授权已不在策略中")
    return len(first) + len(last)


def _is_past(until: date | None, today: date) -> bool:
    return until is not None and until < today


async def _moved(
    at: Sweeper, row: RequestRow, act: SharingAct, fact: Fact, note: str | None = None
) -> None:
    step = MACHINE.take(S(row.state), act, {fact}, {})
    assert isinstance(step, Step)  # noqa: S101  the statements give rows of its state alone
    values: dict[str, Any] = {"state": step.after}
    if step.stamps is not None:
        values[column_of(step.stamps)] = at.now
    await change_request(at.connection, row, values)
    done: Mapping[str, Any] = {"id": new_id(), "act": act, "state": step.after, "note": note}
    event = {**lies(row, PARTIES), **done, "at": at.now, "post": SYSTEM}
    await add_request_events(at.connection, row.id, event)
