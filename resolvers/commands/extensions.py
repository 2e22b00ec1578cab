"""延期: a work order's limit is extended once, by who heads the handler (领域设计 1.5).

One deed: the approver writes the handler's reason. Who approves is a right of the department's head
or of the office; how much is added is a row of ``limits.toml``. What is late already stays late.
"""

from __future__ import annotations

from collections.abc import Mapping

from catalog.errors import NotFound
from catalog.items import FlowKind
from catalog.nodes import Node
from catalog.workdays import ZONE
from domain.clock import Pause, counts_moments, extension
from resolvers.commands.clocks import Work, limit_of, outages_for, reckoned
from resolvers.commands.command import Deed, Desk, Input, Refused, text
from resolvers.deed import Done, Told
from store.work_orders import OrderRow, change_order, order_to_change, pause

OBJECT = "Case.extension"


async def extend(desk: Desk, given: Input) -> tuple[Done, Told]:
    """More time for a work order, once. NotFound, Forbidden, Refused."""
    row = await _seen_order(desk, given["workOrder"])
    desk.demand(OBJECT, row.region_path, row.handling_dept)
    reason = text(given, "reason", "延期的理由")
    if row.extended_at is not None:
        raise Refused("AlreadyExtended", message="此工单已延期一次，不能再延")
    work = Work.of(row, row.item, row.flow)
    longer = await _longer(desk, row, work)
    await pause(desk.connection, row.id, longer.reason, longer.start, longer.end)
    outages = await outages_for(desk.connection, desk.catalog, [work])
    values = {
        **await reckoned(desk.connection, desk.catalog, work, row.id, outages),
        "extended_at": desk.now,
        "extended_by": desk.post,
        "extension_reason": reason,
    }
    await change_order(desk.connection, row.id, values)
    about = (row.case_no, row.region_path, row.node, row.node)
    told = Told("", *about, tuple(values), row.applicant_uid)
    return Done("WorkOrderChanged", {"workOrder": row.id}), told


async def _longer(desk: Desk, row: OrderRow, work: Work) -> Pause:
    """What the extension is to its clock; Refused for what cannot be extended now."""
    limit, day = limit_of(desk.catalog, work), desk.now.astimezone(ZONE).date()
    rule = desk.catalog.limits.extension(FlowKind(row.flow), Node(row.node), day)
    if rule is None or limit is None or counts_moments(limit.unit) or work.duty.part is not None:
        raise Refused("NotExtendable", message="此环节没有延期的规定")
    outages = await outages_for(desk.connection, desk.catalog, [work])
    due_at = (await reckoned(desk.connection, desk.catalog, work, row.id, outages))["due_at"]
    if not row.open or due_at is None:
        raise Refused("NotExtendable", message="此工单已结束或正停计时，不需要延期")
    if row.late or due_at <= desk.now:
        raise Refused("NotExtendable", message="此工单已超时，超时不因延期抹去")
    return extension(due_at, rule.limit, desk.catalog.calendar)


async def _seen_order(desk: Desk, order_id: str) -> OrderRow:
    """The work order, locked; NotFound for none and for one that he may not read alike."""
    row = await order_to_change(desk.connection, order_id)
    if row is None or not desk.sees(
        "work_order", row.region_path, row.handling_dept, row.household_id
    ):
        raise NotFound("没有此工单：请核对标识")
    return row


EXTENSION_COMMANDS: Mapping[str, Deed] = {"extendWorkOrder": extend}
