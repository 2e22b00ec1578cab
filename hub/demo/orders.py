"""督办单 of a village's cases, as far as they have come on the as-of date."""

from __future__ import annotations

from datetime import datetime
from random import Random
from typing import Any

from domain.supervision import SupervisionState as S
from hub.demo.cases import PLACE, Case, stamp
from hub.demo.files import Sheet, mixed
from hub.demo.register import opaque_id
from hub.demo.worktime import local, moment, worktime

# Working days from issue to report (领域设计 1.8; KEY and LEADER as written, here five).
LIMITS = {"URGE": 1.0, "SUPERVISE": 3.0, "KEY": 5.0, "LEADER": 5.0}
LATE, SENT_BACK = 0.15, 0.08  # of orders
AFTER_TIMEOUT = 1.0  # working day from the timeout to the order
KINDS = {
    "OVERDUE": ("URGE", "SUPERVISE"),
    "COMPLAINT": ("SUPERVISE",),
    "SPOT_CHECK": ("SUPERVISE",),
    "MAJOR": ("KEY",),
    "LEADER_ASSIGNED": ("LEADER",),
}
# Share of the limit at which a state is reached; the last two follow the report.
PROGRESS = (
    (S.SIGNED, 0.15),
    (S.IN_PROGRESS, 0.2),
    (S.RESULT_READY, 0.7),
    (S.REPORTED, 0.85),
    (S.REVIEWING, 0.9),
    (S.CLOSED, 1.4),
)
STAMPED = (S.SIGNED, S.RESULT_READY, S.REPORTED, S.CLOSED)

_ORDER = (
    "id order_no case_id kind reason state issued_at due_at signed_at result_at reported_at "
    f"closed_at expired note {PLACE}"
)
ORDER = Sheet(
    "supervision_order",
    mixed(_ORDER, "expired"),
)


def order_no(case_no: str) -> str:
    """The number of a case's order."""
    return f"DB{case_no[2:]}"


def order_row(case: Case, rng: Random, seed: int) -> tuple[Any, ...] | None:
    """A row of `supervision_order`; None if the order would be issued after the as-of date."""
    reason = _reason(case, rng)
    kind = rng.choice(KINDS[reason])
    start = case.overdue_at or case.steps[0].at
    issued = worktime(start) + AFTER_TIMEOUT + (0 if case.overdue_at else 8 * rng.random())
    now = local(case.village.as_of, 0)
    if moment(issued) >= now:
        return None
    due = moment(issued + LIMITS[kind])
    reached = _reached(issued, LIMITS[kind], rng, now)
    reported = reached.get(S.REPORTED)
    return (
        opaque_id(seed, "order", order_no(case.wish.number)),
        order_no(case.wish.number),
        case.id,
        kind,
        reason,
        list(reached)[-1],
        stamp(moment(issued)),
        stamp(due),
        *(stamp(reached[s]) if s in reached else None for s in STAMPED),
        int((reported or now) > due),
        f"请按期办理并回报结果（{case.wish.number}）。",
        case.entry.uid,
        case.entry.household,
        case.village.place.path,
        case.dept,
    )


def _reason(case: Case, rng: Random) -> str:
    if case.overdue_at:
        return "OVERDUE"
    if case.wish.complaint:
        return "COMPLAINT"
    return rng.choices(("SPOT_CHECK", "MAJOR", "LEADER_ASSIGNED"), (50, 30, 20))[0]


def _reached(issued: float, limit: float, rng: Random, now: datetime) -> dict[S, datetime]:
    # A state's first time, in the order they were reached last: a sent-back order signs once.
    pace = 1.3 + 2 * rng.random() if rng.random() < LATE else 0.6 + 0.4 * rng.random()
    again = rng.random() < SENT_BACK
    found = {S.ISSUED: moment(issued)}
    for state, share in PROGRESS:
        at = moment(issued + limit * pace * share)
        if at >= now:
            break
        if state is S.CLOSED and again:
            found[S.SENT_BACK] = at
            break
        found[state] = at
    return found
