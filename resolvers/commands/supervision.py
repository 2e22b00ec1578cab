"""督办单: issued by the office, signed, done, reported, reviewed, closed or sent back (第十八条).

Every act is one of `domain/supervision.py`'s machine. An order is closed only with its three
stamps 签收, 办果, 回报, each of the present round. Whoever handles the case handles the order: the
township where it lies, or its department.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, time, timedelta
from functools import partial
from typing import Any

from catalog.errors import BadUserInput, NotFound
from catalog.load import Catalog
from catalog.procedures import Procedure
from catalog.procedures import Step as Rule
from catalog.workdays import ZONE
from domain.clock import due
from domain.machine import Fact, Step
from domain.supervision import (
    CLOSING_STAMPS,
    MACHINE,
    SupervisionAct,
    SupervisionFlag,
    SupervisionKind,
    SupervisionState,
    escalation,
    flags,
)
from resolvers.commands.cases import seen_case
from resolvers.commands.command import (
    Deed,
    Desk,
    Input,
    Refused,
    column_of,
    day,
    event,
    lies,
    new_id,
    not_from_here,
    numbered,
    same_version,
    stamps_of,
    text,
)
from resolvers.deed import Done, Told
from store.supervision import (
    OrderRow,
    add_order,
    add_supervision_event,
    change_supervision,
    order_to_change,
)

A, S = SupervisionAct, SupervisionState
KIND, NUMBERED = "supervision", "DB{}-{:06d}"  # 督办单号: year and number within it
STAMPS = (Fact.SIGNED_AT, Fact.RESULT_AT, Fact.REPORTED_AT, Fact.SENT_BACK_AT)
"""Stamps that an act on an order may need."""
ISSUING, HANDLING = "SupervisionOrder.issuing", "SupervisionOrder.handling"


@dataclass(frozen=True, slots=True)
class Move:
    """One act on an order: the object to be written, the text it needs, the column it fills."""

    act: SupervisionAct
    object: str
    text: tuple[str, str] | None = None
    facts: tuple[Fact, ...] = ()
    column: str | None = None


MOVES: Mapping[str, Move] = {
    "signSupervision": Move(A.SIGN, HANDLING),
    "startSupervision": Move(A.START, HANDLING),
    "finishSupervision": Move(A.RESULT, HANDLING, ("result", "办理结果"), (Fact.RESULT,), "result"),
    "reportSupervision": Move(
        A.REPORT, HANDLING, ("attachments", "附件编号"), (Fact.ATTACHMENTS,), "attachments"
    ),
    "reviewSupervision": Move(A.REVIEW, ISSUING),
    "closeSupervision": Move(A.CLOSE, ISSUING),
    "sendBackSupervision": Move(A.SEND_BACK, ISSUING, ("reason", "退回原因"), (Fact.REASON,)),
}
"""Mutation -> its act."""

# ---- issuing -------------------------------------------------------------------------------------


async def issue(desk: Desk, given: Input) -> tuple[Done, Told]:
    """交办: an order about a case. NotFound for a case that is none of the asker's."""
    case = await seen_case(desk, given["caseNo"])
    desk.demand(ISSUING, case.region_path, case.handling_dept)
    kind = SupervisionKind(given["kind"].value)
    if kind is SupervisionKind.URGE:
        raise BadUserInput("催办单由平台在超时后自动开立", reason="VARIABLE")
    until = _until(given, desk, kind)
    note = text(given, "note", "督办说明")
    place = lies(case)
    row = new_order(desk.now, {"case_id": case.id}, kind, given["reason"].value, until, place)
    row |= {"order_no": await numbered(desk.connection, desk.now, KIND, NUMBERED), "note": note}
    await add_order(desk.connection, row)
    issued = event(desk, place, S.ISSUED, A.ISSUE, note)
    await add_supervision_event(desk.connection, row["id"], issued)
    told = Told("", row["order_no"], case.region_path, "", S.ISSUED, ("state",), case.applicant_uid)
    return Done("SupervisionChanged", {"order": row["id"]}), told


def new_order(
    now: datetime,
    about: Mapping[str, str],
    kind: SupervisionKind,
    reason: str,
    until: datetime,
    place: Mapping[str, Any],
) -> dict[str, Any]:
    """The row of an issued order but for its number and its words. `about`: what, by its column."""
    return {
        **place,
        **about,
        "id": new_id(),
        "kind": kind,
        "reason": reason,
        "state": S.ISSUED,
        "issued_at": now,
        "due_at": until,
        "expired": False,
    }


def kind_until(catalog: Catalog, now: datetime, kind: SupervisionKind) -> datetime | None:
    """When an order of this kind is due; None for one that says it itself."""
    today = now.astimezone(ZONE).date()
    row = catalog.procedures.limit(Procedure.SUPERVISION, Rule(kind.value), today)
    if row.amount is None:
        return None
    return due(now, row.length, catalog.calendar).at


def _until(given: Input, desk: Desk, kind: SupervisionKind) -> datetime:
    """The limit of the kind, or the end of the day that the order names."""
    usual, named = kind_until(desk.catalog, desk.now, kind), given.get("deadline")
    if named is None:
        if usual is None:
            raise BadUserInput("重点与领导交办的督办须写明期限", reason="VARIABLE")
        return usual
    midnight = datetime.combine(day(given, "deadline"), time(), ZONE) + timedelta(days=1)
    if midnight <= desk.now:
        raise BadUserInput("办理期限已过", reason="VARIABLE")
    return midnight


# ---- moving ------------------------------------------------------------------------------------


async def move(what: Move, desk: Desk, given: Input) -> tuple[Done, Told]:
    """One act on an order: NotFound, Forbidden, Conflict VERSION or STATE, Refused."""
    order = await order_to_change(desk.connection, given["orderNo"])
    if order is None or not desk.sees(
        "supervision_order", order.region_path, order.handling_dept, order.household_id
    ):
        raise NotFound("没有此督办单：请核对编号")
    desk.demand(what.object, order.region_path, order.handling_dept)
    same_version(given, order.version)
    step = _step(what, order)
    note = None if what.text is None else text(given, *what.text)
    values: dict[str, Any] = {"state": step.after}
    if step.stamps is not None:
        values[column_of(step.stamps)] = desk.now
    if what.column is not None:
        values[what.column] = note
    sent_back = order.send_backs + step.counts
    values |= {"send_backs": sent_back} if step.counts else {}
    values |= flagged(desk.catalog, desk.now, order, sent_back)
    await change_supervision(desk.connection, order, values)
    done = event(desk, lies(order), step.after, what.act, note)
    await add_supervision_event(desk.connection, order.id, done)
    about = (order.order_no, order.region_path, order.state, step.after)
    told = Told("", *about, tuple(values), order.applicant_uid)
    return Done("SupervisionChanged", {"order": order.id}), told


def flagged(catalog: Catalog, now: datetime, order: OrderRow, send_backs: int) -> dict[str, bool]:
    """The flags that an order has by now; one that it had stays."""
    rule = escalation(catalog.procedures, now.astimezone(ZONE).date())
    found = flags(due_at=order.due_at, at=now, send_backs=send_backs, rule=rule)
    names = {SupervisionFlag.EXPIRED: "expired", SupervisionFlag.ESCALATED: "escalated"}
    return {names[flag]: True for flag in found}


def _step(what: Move, order: OrderRow) -> Step[SupervisionState, SupervisionAct]:
    state = S(order.state)
    step = MACHINE.take(state, what.act, what.facts, stamps_of(order, STAMPS))
    if isinstance(step, Step):
        return step
    missing = [fact for fact in step.missing if fact in CLOSING_STAMPS]
    if missing:
        said = "缺少签收、办果或回报，不能销号"
        raise Refused("StampsMissing", message=said, missing=[column_of(f) for f in missing])
    raise not_from_here(state, MACHINE.open_to(state), "按督办流程，此刻不能这样办")


SUPERVISION_COMMANDS: Mapping[str, Deed] = {
    "issueSupervision": issue,
    **{name: partial(move, what) for name, what in MOVES.items()},
}
