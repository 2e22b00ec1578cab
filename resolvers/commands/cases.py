"""诉求件: filed by three channels, routed by itself, moved along its flow's table (领域设计 1.4).

    submitCase          SUBMITTED and ROUTED in one deed: 自动分流、生成工单 (第十条第一项)
    every other one     the number, the version that was seen, what the table needs

Who may do an act is a right of his post to write the act's object where the case lies, for the
department that handles it (`catalog/objects.toml`, `authz/policy.csv`).
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from functools import partial
from typing import Any

from catalog.errors import BadUserInput, NotFound
from catalog.items import FlowKind, ServiceItem
from catalog.workdays import ZONE
from domain.case import MACHINES, CaseAct, CaseState
from domain.clock import due
from domain.complaint import ComplaintKind, ComplaintOutcome, ComplaintState, effect
from domain.machine import Fact, Step
from resolvers.commands.clues import clue_given, lift, released, visited
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
from resolvers.commands.timing import Moving, notice_until, settle
from resolvers.deed import Done, Told
from store.cases import CaseRow, add_case, add_events, case_to_change, change_case, open_case_no
from store.complaints import change_complaint, complaint_to_change
from store.register import Person, person_of

S = CaseState
ENDS = (S.CLOSED, S.NOT_ACCEPTED, S.WITHDRAWN)
OVER = (*ENDS, S.FOLLOWED_UP)
"""States in which a person may file for the same item again."""
KEPT = ("attendance", "votes_for", "satisfaction", "done_on", "channel", "expected_on")
"""Columns of an event that some acts fill."""
STAMPS = (Fact.DECIDED_AT, Fact.NOTIFIED_AT, Fact.DELIVERED_AT, Fact.DELIBERATED_AT)
"""Those of the machine's stamps that a case keeps: acts need them, or they end a duty."""
SYSTEM = "system"  # the post of what happens by itself
NUMBERED = "SQ{}-{:06d}"  # 诉求编号: year and number within it


@dataclass(frozen=True, slots=True)
class Move:
    """One act on a case: the object to be written, and the text it needs (name and title).

    `facts`: what the act needs of the machine's facts and is always given with this mutation;
    `may`: those that are given with an input of this name. `decision`: the text is the conclusion.
    `keeps`: further inputs by the event's columns.
    `finds`: sees to what only the hub can know, an appeal or a clue; Refused if it is not so.
    """

    act: CaseAct
    object: str
    text: tuple[str, str]
    facts: tuple[Fact, ...] = ()
    may: Mapping[str, Fact] = field(default_factory=dict)
    decision: bool = False
    keeps: Mapping[str, str] = field(default_factory=dict)
    finds: Callable[[Desk, CaseRow, Input], Awaitable[None]] | None = None


async def _upheld(desk: Desk, case: CaseRow, given: Input) -> None:
    """An appeal about this case was upheld and is closed; it takes effect now, and once."""
    row = await complaint_to_change(desk.connection, given["appealNo"])
    if row is None or row.case_id != case.id or row.reopened_at is not None:
        raise Refused("AppealNotUpheld", message="没有可据以重新办理的申诉：请核对申诉编号")
    outcome = None if row.outcome is None else ComplaintOutcome(row.outcome)
    if effect(ComplaintKind(row.kind), ComplaintState(row.state), outcome) is not A.REOPEN:
        raise Refused("AppealNotUpheld", message="须为认定成立并已办结的申诉，方可重新办理")
    await change_complaint(desk.connection, row, {"reopened_at": desk.now})


A = CaseAct
OPINION, REASON = ("opinion", "意见"), ("reason", "理由")
MOVES: Mapping[str, Move] = {
    "acceptCase": Move(A.ACCEPT, "Case.acceptance", OPINION),
    "returnCase": Move(A.RETURN, "Case.acceptance", ("reason", "须补正的内容"), (Fact.REASON,)),
    "rejectCase": Move(A.REJECT, "Case.acceptance", REASON, (Fact.REASON,), decision=True),
    "visitCase": Move(
        A.VISIT, "Case.verification", ("findings", "核实情况"), (Fact.VISIT,), finds=visited
    ),
    "deliberateCase": Move(
        A.DELIBERATE,
        "Case.verification",
        OPINION,
        (Fact.ATTENDANCE, Fact.VOTE),
        keeps={"attendance": "attendance", "votesFor": "votes_for"},
    ),
    "publishCase": Move(
        A.PUBLISH, "Case.verification", OPINION, (Fact.NOTICE_FROM, Fact.NOTICE_UNTIL)
    ),
    "objectToCase": Move(A.OBJECT, "Case.verification", ("reason", "异议内容"), (Fact.REASON,)),
    "reviewCase": Move(A.REVIEW, "Case.review", OPINION, (Fact.OPINION,)),
    "presentCase": Move(A.PRESENT, "Case.presenting", OPINION, (Fact.OPINION,)),
    "approveCase": Move(
        A.APPROVE, "Case.approval", ("conclusion", "审批结论"), (Fact.CONCLUSION,), decision=True
    ),
    "denyCase": Move(
        A.DENY,
        "Case.approval",
        ("conclusion", "不同意的理由"),
        (Fact.REASON, Fact.CONCLUSION),
        decision=True,
    ),
    "notifyDecision": Move(
        A.NOTIFY,
        "Case.delivery",
        ("note", "告知情况"),
        (Fact.CHANNEL,),
        may={"expectedOn": Fact.EXPECTED_ON},
        keeps={"channel": "channel", "expectedOn": "expected_on"},
    ),
    "deliverCase": Move(
        A.DELIVER,
        "Case.delivery",
        ("measure", "落实措施"),
        (Fact.DELIVERED, Fact.DELIVERED_ON),
        keeps={"deliveredOn": "done_on"},
    ),
    "closeCase": Move(A.CLOSE, "Case.delivery", ("result", "办理结果"), (Fact.RESULT,)),
    "followUpCase": Move(
        A.FOLLOW_UP,
        "Case.follow_up",
        ("result", "回访情况"),
        (Fact.SATISFACTION,),
        keeps={"satisfaction": "satisfaction"},
    ),
    "withdrawCase": Move(A.WITHDRAW, "Case.filing", REASON, (Fact.REASON,)),
    "reopenCase": Move(
        A.REOPEN, "Case.reopening", REASON, (Fact.REASON, Fact.UPHELD_APPEAL), finds=_upheld
    ),
}
"""Mutation -> its act. A denial is an act of its own: it is told in writing within three days."""
SATISFACTION = range(1, 6)  # 非常不满意 … 非常满意


# ---- filing ------------------------------------------------------------------------------------


async def submit(desk: Desk, given: Input) -> tuple[Done, Told]:
    """File a case and route it. NotFound for an applicant who is none of the asker's."""
    person = await seen_person(desk, given["applicant"])
    item = desk.catalog.items[given["item"].value]
    flow = _flow(item, bool(given.get("urgent")))
    desk.demand("Case.filing", person.region_path, item.department)
    channel, clue = _channel(given), await clue_given(desk, person, given)
    body = text(given, "body", "诉求内容")
    filed = await open_case_no(desk.connection, person.id, item.code, tuple(OVER))
    if filed is not None:
        raise Refused("AlreadyFiled", message="此人同一事项已有在办的诉求件", caseNo=filed)
    case_id, case_no = new_id(), await numbered(desk.connection, desk.now, "case", NUMBERED)
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
            "due_at": _seven_days(desk, item),
            "overdue": False,
            "has_complaint": False,
            "body": body,
        },
    )
    if clue is not None:
        await lift(desk, clue, case_id)
    filed_event = _event(desk, place, S.SUBMITTED, None)
    routed = _event(desk, place, S.ROUTED, A.ROUTE) | {"post": SYSTEM}
    await add_events(desk.connection, case_id, [filed_event, routed])
    await settle(desk, Moving(case_id, item.code, flow, None, S.ROUTED, place))
    told = Told("", case_no, person.region_path, "", S.ROUTED, ("state",), person.citizen_uid)
    return Done("CaseChanged", {"case": case_id, "event": str(filed_event["id"])}), told


async def seen_person(desk: Desk, id_: str) -> Person:
    """The person of this global id; NotFound for none and for one who is none of the asker's."""
    person = await person_of(desk.connection, id_)
    if person is None or not desk.knows(person):
        raise NotFound("没有此人员：请核对标识")
    return person


def _flow(item: ServiceItem, urgent: bool) -> FlowKind:
    """The flow of a case of this item; Refused for an item that is a query."""
    if item.flow is FlowKind.F5:
        raise Refused("ItemWithoutCase", message=f"“{item.title}”是查询事项，不需要提交诉求")
    if urgent and not item.urgent:
        raise BadUserInput(f"“{item.title}”没有紧急程序", reason="VARIABLE")
    return FlowKind.F1_URGENT if urgent else item.flow


def _channel(given: Input) -> dict[str, Any]:
    """How it was raised. Refused without what the channel needs (第二条第三项)."""
    channel = given["channel"].value
    proxy, clue = given.get("proxy"), given.get("clue")
    if channel == "PROXY_RAISED" and not proxy:
        raise Refused("ConsentMissing", message="他人代举须写明代办人、关系与本人授权记录")
    if channel == "GOV_LIFTED" and not clue:
        raise Refused("ClueMissing", message="政府托举须写明风险线索编号")
    if clue and channel != "GOV_LIFTED":
        raise BadUserInput("只有政府托举才写明风险线索编号", reason="VARIABLE")
    found: dict[str, Any] = {"channel": channel, "clue_no": clue or None}
    if proxy:
        found |= {
            "proxy_id": proxy["citizen"],
            "proxy_relation": text(proxy, "relation", "与申请人的关系"),
            "consent_no": text(proxy, "consent", "授权记录编号"),
        }
    return found


def _seven_days(desk: Desk, item: ServiceItem) -> datetime | None:
    """Until when the platform owes a first disposal (第十七条第二款)."""
    rule = desk.catalog.limits.seven_day(item.code, desk.now.astimezone(ZONE).date())
    return None if rule is None else due(desk.now, rule.limit, desk.catalog.calendar).at


# ---- moving ------------------------------------------------------------------------------------


async def move(what: Move, desk: Desk, given: Input) -> tuple[Done, Told]:
    """One act on a case: NotFound, Forbidden, Conflict VERSION or STATE, Refused."""
    case = await seen_case(desk, given["caseNo"])
    desk.demand(what.object, case.region_path, case.handling_dept)
    same_version(given, case.version)
    facts = (*what.facts, *(fact for name, fact in what.may.items() if given.get(name)))
    step = await _step(desk, case, what.act, facts)
    after = step.after
    note = text(given, *what.text)
    if what.finds is not None:
        await what.finds(desk, case, given)
    values: dict[str, Any] = {"state": after}
    if step.stamps in STAMPS:
        values[column_of(step.stamps)] = desk.now
    if what.decision:
        values["decision"] = note
    if after in ENDS or after is S.REOPENED:
        values["closed_at"] = desk.now if after in ENDS else None
    if after in ENDS:
        await released(desk, case.id)
    place, flow = lies(case), FlowKind(case.flow)
    stamps = {**stamps_of(case, STAMPS), **({step.stamps: desk.now} if step.stamps else {})}
    counting = MACHINES[flow].counting(stamps)
    moving = Moving(case.id, case.item, flow, S(case.state), after, place, counting)
    late = await settle(desk, moving)
    if late:
        values["overdue"] = True
    added = _event(desk, place, after, what.act, note, late=late)
    added |= {column: _kept(desk, name, given) for name, column in what.keeps.items()}
    if added["expected_on"] is not None:
        values["expected_on"] = added["expected_on"]
    await change_case(desk.connection, case, values)
    await add_events(desk.connection, case.id, [added])
    return _moved(case, str(added["id"]), after, tuple(values))


def _kept(desk: Desk, name: str, given: Input) -> Any:
    """A number that makes sense, a day or a code, if it is given. BadUserInput VARIABLE."""
    if given.get(name) is None:
        return None
    if name == "channel":
        return given[name].value
    if name.endswith("On"):
        found = day(given, name)
        if name == "expectedOn" and found < desk.now.astimezone(ZONE).date():
            raise BadUserInput("预计办结日期不能在过去", reason="VARIABLE")
        return found
    value: int = given[name]
    if name == "satisfaction" and value not in SATISFACTION:
        raise BadUserInput("满意度请用 1 到 5", reason="VARIABLE")
    if value < 0:
        raise BadUserInput("人数不能小于 0", reason="VARIABLE")
    return value


async def transfer(desk: Desk, given: Input) -> tuple[Done, Told]:
    """To the department of another item: the citizen files once (第十一条第一项)."""
    case = await seen_case(desk, given["caseNo"])
    desk.demand("Case.acceptance", case.region_path, case.handling_dept)
    same_version(given, case.version)
    await _step(desk, case, A.TRANSFER, (Fact.REASON, Fact.GOES_TO))
    note = text(given, "reason", "转办原因")
    item = desk.catalog.items[given["item"].value]
    if item.code == case.item:
        raise BadUserInput("转办须改为另一事项", reason="VARIABLE")
    flow = _flow(item, urgent=False)
    before = lies(case)
    place = before | {"handling_dept": item.department}
    routed = _event(desk, place, S.ROUTED, A.ROUTE) | {"post": SYSTEM}
    to = Moving(case.id, item.code, flow, S(case.state), S.ROUTED, place, anew=True)
    late = await settle(desk, to)
    gone = _event(desk, before, S.TRANSFERRED, A.TRANSFER, note, late=late)
    values: dict[str, Any] = {
        "state": S.ROUTED,
        "item": item.code,
        "flow": flow,
        "handling_dept": item.department,
        "overdue": case.overdue or late,
    }
    await change_case(desk.connection, case, values)
    await add_events(desk.connection, case.id, [gone, routed])
    return _moved(case, str(gone["id"]), S.ROUTED, tuple(values))


async def seen_case(desk: Desk, case_no: str) -> CaseRow:
    """The case, locked; NotFound for none and for one that he may not read alike."""
    case = await case_to_change(desk.connection, case_no)
    if case is None or not desk.sees(
        "case", case.region_path, case.handling_dept, case.household_id
    ):
        raise NotFound("没有此诉求件：请核对编号")
    return case


async def _step(
    desk: Desk, case: CaseRow, act: CaseAct, facts: Iterable[Fact]
) -> Step[CaseState, CaseAct]:
    """What the act does. Conflict STATE, BadUserInput, or Refused for what must come before."""
    machine, state = MACHINES[FlowKind(case.flow)], S(case.state)
    given = {*facts}
    until = await notice_until(desk, case.id) if state is S.NOTICING else None
    if until is None or until <= desk.now:
        given.add(Fact.NOTICE_OVER)
    step = machine.take(state, act, given, stamps_of(case, STAMPS))
    if isinstance(step, Step):
        if Fact.EXPECTED_ON in given and Fact.EXPECTED_ON not in machine.needs(state, act):
            raise BadUserInput("不同意的没有预计办结日期：请不要填写", reason="VARIABLE")
        return step
    if Fact.NOTICE_OVER in step.missing:
        raise Refused("NoticeRunning", message="公示期未满，不能提前办理", until=_told(until))
    for fact, (kind, said) in BEFORE.items():
        if fact in step.missing:
            raise Refused(kind, message=said)
    if Fact.EXPECTED_ON in step.missing:
        raise BadUserInput("请写明告知本人的预计办结日期", reason="VARIABLE")
    raise not_from_here(state, machine.open_to(state))


BEFORE: Mapping[Fact, tuple[str, str]] = {
    Fact.NOTIFIED_AT: ("NotNotified", "尚未将审批决定告知本人：请先登记告知"),
    Fact.DELIVERED_AT: ("NotDelivered", "尚未登记落实：请先写明落实的措施与日期"),
    Fact.DELIBERATED_AT: ("NotDeliberated", "紧急救助须在事后补办民主评议，方可办结"),
}
"""What must be done before an act, by the stamp it leaves: the refusal and what it says."""


def _told(at: datetime | None) -> str | None:
    """A moment as the interface writes it."""
    return None if at is None else at.astimezone(ZONE).isoformat(timespec="seconds")


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


def _event(
    desk: Desk,
    place: Mapping[str, Any],
    state: CaseState,
    act: CaseAct | None,
    note: str | None = None,
    *,
    late: bool = False,
) -> dict[str, Any]:
    return {**dict.fromkeys(KEPT), **event(desk, place, state, act, note), "overdue": late}


CASE_COMMANDS: Mapping[str, Deed] = {
    "submitCase": submit,
    "transferCase": transfer,
    **{name: partial(move, what) for name, what in MOVES.items()},
}
