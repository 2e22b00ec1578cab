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

from catalog.errors import BadUserInput, Conflict, NotFound
from catalog.limits import Limit, Unit
from catalog.load import Catalog
from catalog.procedures import Procedure
from catalog.procedures import Step as Rule
from catalog.workdays import ZONE
from domain.clock import due
from domain.machine import Fact, Stamps, Step
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
    day,
    new_id,
    same_version,
    text,
)
from resolvers.deed import Done, Told
from store.deeds import next_number
from store.supervision import (
    OrderRow,
    add_order,
    add_supervision_event,
    change_supervision,
    order_to_change,
)

A, S = SupervisionAct, SupervisionState
NUMBERED = "DB{}-{:06d}"  # 督办单号: year and number within it
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
_STAMPED: Mapping[Fact, str] = {
    Fact.SIGNED_AT: "signed_at",
    Fact.RESULT_AT: "result_at",
    Fact.REPORTED_AT: "reported_at",
    Fact.SENT_BACK_AT: "sent_back_at",
    Fact.CLOSED_AT: "closed_at",
}
"""Where the machine's stamps stand."""


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
    place = {
        "applicant_uid": case.applicant_uid,
        "household_id": case.household_id,
        "region_path": case.region_path,
        "handling_dept": case.handling_dept,
    }
    row = new_order(desk.now, case.id, kind, given["reason"].value, until, place)
    row |= {"order_no": await number(desk.connection, desk.now), "note": note}
    await add_order(desk.connection, row)
    await _told(desk, row["id"], place, A.ISSUE, S.ISSUED, note)
    told = Told("", row["order_no"], case.region_path, "", S.ISSUED, ("state",), case.applicant_uid)
    return Done("SupervisionChanged", {"order": row["id"]}), told


def new_order(
    now: datetime,
    case_id: str,
    kind: SupervisionKind,
    reason: str,
    until: datetime,
    place: Mapping[str, Any],
) -> dict[str, Any]:
    """The row of an issued order but for its number and its words."""
    return {
        **place,
        "id": new_id(),
        "case_id": case_id,
        "kind": kind,
        "reason": reason,
        "state": S.ISSUED,
        "issued_at": now,
        "due_at": until,
        "expired": False,
    }


async def number(connection: Any, now: datetime) -> str:
    """The next order's number."""
    year = now.astimezone(ZONE).year
    return NUMBERED.format(year, await next_number(connection, "supervision", year))


def kind_until(catalog: Catalog, now: datetime, kind: SupervisionKind) -> datetime | None:
    """When an order of this kind is due; None for one that says it itself."""
    today = now.astimezone(ZONE).date()
    row = catalog.procedures.limit(Procedure.SUPERVISION, Rule(kind.value), today)
    if row.amount is None or row.unit is None:
        return None
    return due(now, Limit(row.amount, Unit(row.unit.value)), catalog.calendar).at


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
        values[_STAMPED[step.stamps]] = desk.now
    if what.column is not None:
        values[what.column] = note
    sent_back = order.send_backs + step.counts
    values |= {"send_backs": sent_back} if step.counts else {}
    values |= flagged(desk.catalog, desk.now, order, sent_back)
    place = {name: getattr(order, name) for name in PLACE}
    await change_supervision(desk.connection, order, values)
    await _told(desk, order.id, place, what.act, step.after, note)
    about = (order.order_no, order.region_path, order.state, step.after)
    told = Told("", *about, tuple(values), order.applicant_uid)
    return Done("SupervisionChanged", {"order": order.id}), told


PLACE = ("applicant_uid", "household_id", "region_path", "handling_dept")


def flagged(catalog: Catalog, now: datetime, order: OrderRow, send_backs: int) -> dict[str, bool]:
    """The flags that an order has by now; one that it had stays."""
    rule = escalation(catalog.procedures, now.astimezone(ZONE).date())
    found = flags(due_at=order.due_at, at=now, send_backs=send_backs, rule=rule)
    names = {SupervisionFlag.EXPIRED: "expired", SupervisionFlag.ESCALATED: "escalated"}
    return {names[flag]: True for flag in found}


def _step(what: Move, order: OrderRow) -> Step[SupervisionState, SupervisionAct]:
    state = S(order.state)
    step = MACHINE.take(state, what.act, what.facts, _stamps(order))
    if isinstance(step, Step):
        return step
    missing = [fact for fact in step.missing if fact in CLOSING_STAMPS]
    if missing:
        said = "缺少签收、办果或回报，不能销号"
        raise Refused("StampsMissing", message=said, missing=[_STAMPED[f] for f in missing])
    raise Conflict(
        "按督办流程，此刻不能这样办",
        reason="STATE",
        state=state,
        allowed=[one.value for one in MACHINE.open_to(state)],
    )


def _stamps(order: OrderRow) -> Stamps:
    held = {
        Fact.SIGNED_AT: order.signed_at,
        Fact.RESULT_AT: order.result_at,
        Fact.REPORTED_AT: order.reported_at,
        Fact.SENT_BACK_AT: order.sent_back_at,
    }
    return {fact: at for fact, at in held.items() if at is not None}


async def _told(
    desk: Desk,
    order_id: str,
    place: Mapping[str, Any],
    act: SupervisionAct,
    state: SupervisionState,
    note: str | None,
) -> None:
    event = {**place, "id": new_id(), "act": act, "state": state, "at": desk.now}
    event |= {"post": desk.post, "note": note}
    await add_supervision_event(desk.connection, order_id, event)


SUPERVISION_COMMANDS: Mapping[str, Deed] = {
    "issueSupervision": issue,
    **{name: partial(move, what) for name, what in MOVES.items()},
}
