"""The list of 第二十一条第三项: refused without an accepted basis, or owed too long.

A step that is late has one entry, made by whoever meets it first, the scheduler or the deed that
makes the step after all.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any

from authz.sharing import OFFICE
from domain.sharing_request import SharingFault, SharingState
from resolvers.commands.command import lies, new_id
from store.sharing_requests import RequestRow, add_fault, close_faults, late_by

PARTIES = ("requester", "provider", "region_path")
"""Whose a request is and where it lies."""
DAY = timedelta(days=1)


def days_late(due_at: datetime, now: datetime) -> int:
    """Days since the limit, the day after its last one is the first."""
    return (now - due_at) // DAY + 1


def fault_of(
    row: RequestRow, reason: SharingFault, state: SharingState, owed_by: str, now: datetime
) -> dict[str, Any]:
    """A new entry; of a late step with its limit and by how many days."""
    late = reason is SharingFault.OVERDUE and row.due_at is not None
    return {
        **lies(row, PARTIES),
        "id": new_id(),
        "request_id": row.id,
        "request_no": row.request_no,
        "reason": reason,
        "state": state,
        "owed_by": owed_by,
        "noted_at": now,
        "open": True,
        "due_at": row.due_at if late else None,
        "days_late": days_late(row.due_at, now) if late and row.due_at is not None else None,
    }


def overdue(row: RequestRow, now: datetime) -> dict[str, Any]:
    """The entry of the step that is late."""
    return fault_of(row, SharingFault.OVERDUE, SharingState(row.state), owed_by(row), now)


def owed_by(row: RequestRow) -> str:
    """The department whose step it is: the provider's the answer, the office's all else."""
    return row.provider if row.state == SharingState.PROVIDER_REVIEW else OFFICE


async def settled(connection: Any, row: RequestRow, now: datetime) -> Mapping[str, Any]:
    """A request leaves its state: its entries are open no more; a late one is entered anyway.

    What that changes in the request itself.
    """
    closed = await close_faults(connection, row.id, row.state, now)
    for one in closed:
        if one.due_at is not None:
            await late_by(connection, one.id, days_late(one.due_at, now))
    if row.due_at is None or row.due_at > now:
        return {}
    if not any(one.due_at is not None for one in closed):
        await add_fault(connection, overdue(row, now) | {"open": False, "answered_at": now})
    return {"overdue": True}
