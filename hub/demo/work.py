"""工单 and 超时记录 of a village's cases, as far as they have come on the as-of date.

Each node of a case's way has its order, from the event that brought it to the one that ended it.
Limits are the catalogue's, reckoned by the county's calendar; which order was late the case says
itself (`cases.py` draws it), so that a case that is overdue has its timeout.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from catalog.load import Catalog
from catalog.nodes import Node
from catalog.workdays import ZONE
from domain.case import CaseState
from domain.clock import due, reminder
from domain.nodes import Duty, duties
from domain.routing import route
from hub.demo.cases import PLACE, Case, stamp
from hub.demo.files import Sheet, mixed
from hub.demo.register import opaque_id

_WORK = (
    "id case_id node part tier handler_dept handler_role handler_path legal_basis opened_at due_at "
    f"due_confirmed first_due_at remind_at closed_at open void late {PLACE}"
)
_TIMEOUT = f"id case_id node part due_at recorded_at handler_dept {PLACE}"
_NUMBERS = ("due_confirmed", "open", "void", "late")


WORK = Sheet("work_order", mixed(_WORK, *_NUMBERS))
TIMEOUT = Sheet("timeout_event", mixed(_TIMEOUT, *_NUMBERS))


@dataclass(frozen=True, slots=True)
class Span:
    """A duty's time: from when, until when (None: it is open), and whether it was late."""

    duty: Duty
    start: datetime
    end: datetime | None
    late_at: datetime | None


def spans(case: Case) -> Iterator[Span]:
    """The duties of the case's way, one after another; states of one node are one span."""
    duty: Duty | None = None
    start, late = case.steps[0].at, False
    for step in case.steps:
        late = late or step.late
        state = CaseState(step.state)
        # Filing routes at once and has no order; who transfers a case is waited for.
        owed = () if state is CaseState.SUBMITTED else duties(case.wish.flow, state)
        at = owed[0] if owed else None
        if at == duty and duty is not None:
            continue
        if duty is not None:
            yield Span(duty, start, step.at, case.overdue_at if late else None)
            late = False
        duty, start = at, step.at
    if duty is not None:
        passed = case.overdue_at is not None and case.overdue_at > start
        yield Span(duty, start, None, case.overdue_at if late or passed else None)


def rows(
    case: Case, catalog: Catalog, seed: int
) -> tuple[list[tuple[Any, ...]], list[tuple[Any, ...]]]:
    """Rows of `work_order` and of `timeout_event`."""
    orders, timeouts = [], []
    for number, span in enumerate(spans(case), start=1):
        key = opaque_id(seed, "work", f"{case.wish.number}/{number}")
        order, timeout = _row(case, catalog, span, key)
        orders.append(order)
        timeouts += timeout
    return orders, timeouts


def _row(
    case: Case, catalog: Catalog, span: Span, key: str
) -> tuple[tuple[Any, ...], list[tuple[Any, ...]]]:
    item, day = catalog.items[case.wish.item], span.start.astimezone(ZONE).date()
    place = case.village.place.path
    own = (case.entry.uid, case.entry.household, place, case.dept)
    who = route(catalog.routing, item, case.wish.flow, place, span.duty.node, day)
    named = (
        (who.tier, who.department, who.role, who.region_path, who.legal_basis)
        if who
        else (None,) * 5
    )
    until, confirmed, remind = _clock(case, catalog, span)
    order = (
        *(key, case.id, span.duty.node, span.duty.part, *named),
        *(stamp(span.start), until, confirmed, until, remind),
        *(stamp(span.end) if span.end else None, int(span.end is None), 0),
        *(int(span.late_at is not None), *own),
    )
    if span.late_at is None:
        return order, []
    late = stamp(span.late_at)
    return order, [(key, case.id, span.duty.node, span.duty.part, late, late, named[1], *own)]


def _clock(case: Case, catalog: Catalog, span: Span) -> tuple[str | None, int, str | None]:
    """Due moment, whether it is sure, and the reminder; of a late one when it was late."""
    day = span.start.astimezone(ZONE).date()
    duty = span.duty
    row = catalog.limits.of(case.wish.flow, duty.node, case.wish.item, day, part=duty.part)
    if row is None or row.limit is None:
        return (stamp(span.late_at) if span.late_at else None), 1, None
    found = due(span.start, row.limit, catalog.calendar)
    rule = None if duty.node is Node.NOTICE else catalog.limits.reminder(day)
    remind = None if rule is None else reminder(span.start, row.limit, catalog.calendar, rule)
    until = span.late_at or found.at
    early = stamp(remind) if remind is not None and remind < until else None
    return stamp(until), int(found.confirmed), early
