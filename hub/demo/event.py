"""Something happens in the demonstration: a case moves one step, so that a subscription is told.

Written past the running hub, in one transaction, as any program of the office would: the hub
learns of it from the store.
"""

from __future__ import annotations

import uuid
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import insert, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from catalog.errors import Readable
from catalog.items import FlowKind
from catalog.load import Catalog, load
from domain.case import TRANSITIONS, CaseState, path
from hub.demo.site import Site
from store.cases import case_event, case_file
from store.engine import single

SHOWN = "zhelai"  # whose case moves, if none is named


class Unmoved(Readable):
    """There is no such case, or nothing comes after its state."""


async def happened(site: Site, case_no: str | None) -> str:
    """Move the case to its next state; a line that says so. Unmoved."""
    catalog = load()
    async with single(site.store_url) as connection:
        case = await _case(connection, case_no or site.shown(SHOWN).case_no)
        state = _following(catalog, case)
        seq = await _told(connection, case, state)
    labels = catalog.codes["CaseState"]
    before, after = labels[case["state"]], labels[state]
    return f"诉求件 {case['case_no']} 由“{before}”到“{after}”（第 {seq} 条办件事件）"


async def _case(connection: AsyncConnection, case_no: str) -> dict[str, Any]:
    asked = select(case_file).where(case_file.c.case_no == case_no)
    row = (await connection.execute(asked)).mappings().first()
    if row is None:
        raise Unmoved("演示数据中没有这件诉求：请核对 --case-no")
    return dict(row)


def _following(catalog: Catalog, case: dict[str, Any]) -> CaseState:
    """The next state of its flow's main path; off the path, the first that may follow."""
    flow: FlowKind = catalog.items[case["item"]].flow
    state = CaseState(case["state"])
    may, main = TRANSITIONS[flow].get(state, frozenset()), path(flow)
    if not may:
        raise Unmoved(f"诉求件 {case['case_no']} 已办结，没有下一步：请另选一件")
    ahead = main[main.index(state) + 1 :] if state in main else main
    return next((one for one in ahead if one in may), min(may))


async def _told(connection: AsyncConnection, case: dict[str, Any], state: CaseState) -> int:
    """Write the event and the case's state; the event's number."""
    asked = (
        select(case_event)
        .where(case_event.c.case_id == case["id"])
        .order_by(case_event.c.seq.desc())
        .limit(1)
    )
    last = (await connection.execute(asked)).mappings().one()
    own = {"id": str(uuid.uuid4()), "seq": last["seq"] + 1, "state": state.value}
    event = {**last, **own, "at": datetime.now(UTC), "overdue": False}
    await connection.execute(insert(case_event).values(event))
    moved = update(case_file).where(case_file.c.id == case["id"]).values(state=state.value)
    await connection.execute(moved)
    return int(event["seq"])
