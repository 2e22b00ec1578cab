"""诉求件: filed by three channels, routed by itself, moved along its flow's table (领域设计 1.4).

    submitCase          SUBMITTED and ROUTED in one deed: 自动分流、生成工单 (第十条第一项)
    every other one     the number, the version that was seen, what the table needs

Who may do an act is a right of his post to write the act's object where the case lies, for the
department that handles it (`catalog/objects.toml`, `authz/policy.csv`).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any

from authz.lens import youngest_adult
from catalog.errors import BadUserInput, Conflict, NotFound
from catalog.items import FlowKind, ServiceItem
from catalog.workdays import ZONE
from domain.case import TRANSITIONS, CaseState, may_move
from resolvers.commands.command import Deed, Desk, Input, Refused, new_id, same_version, text
from resolvers.deed import Done, Told
from store.cases import CaseRow, add_case, add_events, case_to_change, change_case, open_case_no
from store.deeds import next_number
from store.register import Person, person_of

S = CaseState
ENDS = (S.CLOSED, S.NOT_ACCEPTED, S.WITHDRAWN)
OVER = (*ENDS, S.FOLLOWED_UP)
"""States in which a person may file for the same item again."""
SYSTEM = "system"  # the post of what happens by itself
NUMBERED = "SQ{}-{:06d}"  # 诉求编号: year and number within it


@dataclass(frozen=True, slots=True)
class Move:
    """One act on a case: the states it may lead to, the object to be written, the text it needs.

    Of several states the first that the flow's table lists. `text` is the name and title of the
    text that must be given; `decision` says whether it is the conclusion.
    """

    act: str
    to: tuple[CaseState, ...]
    object: str
    text: tuple[str, str]
    decision: bool = False


MOVES: Mapping[str, Move] = {
    "acceptCase": Move("ACCEPT", (S.ACCEPTED,), "Case.acceptance", ("opinion", "受理意见")),
    "returnCase": Move("RETURN", (S.RETURNED,), "Case.acceptance", ("reason", "补正内容")),
    "rejectCase": Move(
        "REJECT", (S.NOT_ACCEPTED,), "Case.acceptance", ("reason", "不予受理的理由"), True
    ),
    "visitCase": Move("VISIT", (S.VERIFYING,), "Case.verification", ("findings", "核实情况")),
    "deliberateCase": Move(
        "DELIBERATE", (S.DELIBERATING,), "Case.verification", ("opinion", "评议意见")
    ),
    "publishCase": Move("PUBLISH", (S.NOTICING,), "Case.verification", ("opinion", "公示说明")),
    "objectToCase": Move("OBJECT", (S.SUSPENDED,), "Case.verification", ("reason", "异议内容")),
    "reviewCase": Move("REVIEW", (S.TOWNSHIP_REVIEWED,), "Case.review", ("opinion", "初审意见")),
    "presentCase": Move("PRESENT", (S.APPROVING,), "Case.presenting", ("opinion", "报审意见")),
    "approveCase": Move(
        "APPROVE", (S.APPROVED, S.DELIVERING), "Case.approval", ("conclusion", "审批结论"), True
    ),
    "denyCase": Move("DENY", (S.DENIED,), "Case.approval", ("conclusion", "不同意的理由"), True),
    "deliverCase": Move("DELIVER", (S.DELIVERING,), "Case.delivery", ("measure", "落实措施")),
    "closeCase": Move("CLOSE", (S.CLOSED,), "Case.delivery", ("result", "办理结果")),
    "followUpCase": Move("FOLLOW_UP", (S.FOLLOWED_UP,), "Case.follow_up", ("result", "回访情况")),
    "withdrawCase": Move("WITHDRAW", (S.WITHDRAWN,), "Case.filing", ("reason", "撤回原因")),
    "reopenCase": Move("REOPEN", (S.REOPENED,), "Case.reopening", ("reason", "重新办理的理由")),
}
"""Mutation -> its act. A denial is an act of its own: it is told in writing within three days."""


# ---- filing ------------------------------------------------------------------------------------


async def submit(desk: Desk, given: Input) -> tuple[Done, Told]:
    """File a case and route it. NotFound for an applicant who is none of the asker's."""
    person = await person_of(desk.connection, given["applicant"])
    if person is None or not _his(desk, person):
        raise NotFound("没有此人员：请核对标识")
    item = desk.catalog.items[given["item"].value]
    flow = _flow(item, bool(given.get("urgent")))
    desk.demand("Case.filing", person.region_path, item.department)
    channel = _channel(given)
    body = text(given, "body", "诉求内容")
    filed = await open_case_no(desk.connection, person.id, item.code, tuple(OVER))
    if filed is not None:
        raise Refused("AlreadyFiled", message="此人同一事项已有在办的诉求件", caseNo=filed)
    case_id, case_no = new_id(), await _number(desk)
    place = _place(person, item.department)
    await add_case(
        desk.connection,
        {
            **place,
            **channel,
            "id": case_id,
            "case_no": case_no,
            "item": item.code,
            "flow": flow,
            "version": 1,
            "state": S.ROUTED,
            "intake": given["intake"].value,
            "applicant_id": person.id,
            "filed_at": desk.now,
            "overdue": False,
            "has_complaint": False,
            "body": body,
        },
    )
    filed_event = _event(desk, place, S.SUBMITTED, "SUBMIT")
    routed = _event(desk, place, S.ROUTED, "ROUTE") | {"post": SYSTEM}
    await add_events(desk.connection, case_id, [filed_event, routed])
    told = Told("", case_no, person.region_path, "", S.ROUTED, ("state",), person.citizen_uid)
    return Done("CaseChanged", {"case": case_id, "event": str(filed_event["id"])}), told


def _his(desk: Desk, person: Person) -> bool:
    asker = desk.gate.asker
    if asker.end_user is not None and asker.end_user != person.citizen_uid:
        return False
    child = person.birth is None or person.birth > youngest_adult(asker.day)
    return desk.sees("citizen", person.region_path, None, person.household_id, minor=child)


def _flow(item: ServiceItem, urgent: bool) -> FlowKind:
    """The flow of a case of this item; Refused for an item that is a query."""
    if item.flow is FlowKind.F5:
        raise Refused("ItemWithoutCase", message=f"“{item.title}”是查询事项，不需要提交诉求")
    if urgent and item.code != "TEMP_AID":
        raise BadUserInput("只有临时救助可以按紧急程序办理", reason="VARIABLE")
    return FlowKind.F1_URGENT if urgent else item.flow


def _channel(given: Input) -> dict[str, Any]:
    """How it was raised. Refused without what the channel needs (第二条第三项)."""
    channel = given["channel"].value
    proxy, clue = given.get("proxy"), given.get("clue")
    if channel == "PROXY_RAISED" and not proxy:
        raise Refused("ConsentMissing", message="他人代举须写明代办人、关系与本人授权记录")
    if channel == "GOV_LIFTED" and not clue:
        raise Refused("ClueMissing", message="政府托举须写明风险线索编号")
    found: dict[str, Any] = {"channel": channel, "clue_no": clue or None}
    if proxy:
        found |= {
            "proxy_id": proxy["citizen"],
            "proxy_relation": text(proxy, "relation", "与申请人的关系"),
            "consent_no": text(proxy, "consent", "授权记录编号"),
        }
    return found


async def _number(desk: Desk) -> str:
    year = desk.now.astimezone(ZONE).year
    return NUMBERED.format(year, await next_number(desk.connection, "case", year))


# ---- moving ------------------------------------------------------------------------------------


async def move(what: Move, desk: Desk, given: Input) -> tuple[Done, Told]:
    """One act on a case: NotFound, Forbidden, Conflict VERSION or STATE, Refused."""
    case = await _case(desk, given)
    desk.demand(what.object, case.region_path, case.handling_dept)
    same_version(given, case.version)
    after = _after(what, case)
    note = text(given, *what.text)
    values: dict[str, Any] = {"state": after}
    if what.decision:
        values["decision"] = note
    if after in ENDS or after is S.REOPENED:
        values["closed_at"] = desk.now if after in ENDS else None
    event = _event(desk, _lies(case), after, what.act) | {"note": note}
    await change_case(desk.connection, case, values)
    await add_events(desk.connection, case.id, [event])
    return _moved(case, str(event["id"]), after, tuple(values))


async def transfer(desk: Desk, given: Input) -> tuple[Done, Told]:
    """To the department of another item: the citizen files once (第十一条第一项)."""
    case = await _case(desk, given)
    desk.demand("Case.acceptance", case.region_path, case.handling_dept)
    same_version(given, case.version)
    away = Move("TRANSFER", (S.TRANSFERRED,), "", ("reason", "转办原因"))
    _after(away, case)
    note = text(given, *away.text)
    item = desk.catalog.items[given["item"].value]
    if item.code == case.item:
        raise BadUserInput("转办须改为另一事项", reason="VARIABLE")
    flow = _flow(item, urgent=False)
    gone = _event(desk, _lies(case), S.TRANSFERRED, "TRANSFER") | {"note": note}
    place = _lies(case) | {"handling_dept": item.department}
    routed = _event(desk, place, S.ROUTED, "ROUTE") | {"post": SYSTEM}
    values = {"state": S.ROUTED, "item": item.code, "flow": flow}
    values["handling_dept"] = item.department
    await change_case(desk.connection, case, values)
    await add_events(desk.connection, case.id, [gone, routed])
    return _moved(case, str(gone["id"]), S.ROUTED, tuple(values))


async def _case(desk: Desk, given: Input) -> CaseRow:
    """The case, locked; NotFound for none and for one that he may not read alike."""
    case = await case_to_change(desk.connection, given["caseNo"])
    if case is None or not desk.sees(
        "case", case.region_path, case.handling_dept, case.household_id
    ):
        raise NotFound("没有此诉求件：请核对编号")
    return case


def _after(what: Move, case: CaseRow) -> CaseState:
    flow, before = FlowKind(case.flow), S(case.state)
    after = next((one for one in what.to if may_move(flow, before, one)), None)
    if after is None:
        may = TRANSITIONS[flow].get(before, frozenset())
        raise Conflict(
            "按办理流程，此刻不能这样办", reason="STATE", state=before, allowed=sorted(may)
        )
    return after


def _moved(
    case: CaseRow, event: str, after: CaseState, changed: tuple[str, ...]
) -> tuple[Done, Told]:
    done = Done("CaseChanged", {"case": case.id, "event": event})
    about = (case.case_no, case.region_path, case.state, after, changed, case.applicant_uid)
    return done, Told("", *about)


def _place(person: Person, department: str) -> dict[str, Any]:
    return {
        "applicant_uid": person.citizen_uid,
        "household_id": person.household_id,
        "region_path": person.region_path,
        "handling_dept": department,
    }


def _lies(case: CaseRow) -> dict[str, Any]:
    return {
        "applicant_uid": case.applicant_uid,
        "household_id": case.household_id,
        "region_path": case.region_path,
        "handling_dept": case.handling_dept,
    }


def _event(desk: Desk, place: Mapping[str, Any], state: CaseState, act: str) -> dict[str, Any]:
    return {
        **place,
        "id": new_id(),
        "state": state,
        "act": act,
        "note": None,
        "at": desk.now,
        "post": desk.post,
        "overdue": False,
    }


CASE_COMMANDS: Mapping[str, Deed] = {
    "submitCase": submit,
    "transferCase": transfer,
    **{name: partial(move, what) for name, what in MOVES.items()},
}
