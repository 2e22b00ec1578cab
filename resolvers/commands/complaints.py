"""投诉、申诉、权益异议: received, assigned, answered, told, closed (领域设计 1.9).

    fileComplaint       RECEIVED; the case it is about is marked in the same deed
    assignComplaint     to the department that answers; from then on it is that department's
    escalateComplaint   who is not content says so once; then the office answers
    closeComplaint      only when the citizen has been told of the last answer

An appeal that is upheld and closed lets the office reopen its case (``reopenCase``).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any

from catalog.errors import BadUserInput, NotFound
from catalog.procedures import Procedure, Step
from domain.complaint import MACHINE, ComplaintAct, ComplaintKind, ComplaintState
from domain.machine import Fact, Why
from domain.machine import Refused as Not
from resolvers.commands.cases import seen_case, seen_person
from resolvers.commands.command import (
    PLACE,
    Deed,
    Desk,
    Input,
    Refused,
    department,
    event,
    lies,
    new_id,
    not_from_here,
    numbered,
    same_version,
    stamps_of,
    text,
)
from resolvers.commands.timing import owed
from resolvers.deed import Done, Told
from store.cases import change_case
from store.complaints import (
    ComplaintRow,
    add_complaint,
    add_complaint_event,
    change_complaint,
    complaint_to_change,
)

S, A = ComplaintState, ComplaintAct
NUMBERED = "TS{}-{:06d}"  # 投诉编号: year and number within it, one range for the three kinds
STAMPS = (Fact.ANSWERED_AT, Fact.NOTIFIED_AT, Fact.ESCALATED_AT)
"""Stamps that an act on a complaint may need."""
OFFICE = "rev"
"""Whose an objection is that is about no case, until it is assigned."""
FILING, REHEARING = "Complaint.filing", "Complaint.rehearing"


# ---- filing ------------------------------------------------------------------------------------


async def file(desk: Desk, given: Input) -> tuple[Done, Told]:
    """Receive it. NotFound for a case or a citizen who is none of the asker's."""
    kind = ComplaintKind(given["kind"].value)
    place = await _place(desk, kind, given.get("caseNo"), given.get("citizen"))
    body = text(given, "body", "投诉内容")
    due = owed(desk, Procedure(kind), Step.RECEIVE)
    number, key = await numbered(desk.connection, desk.now, "complaint", NUMBERED), new_id()
    await add_complaint(
        desk.connection,
        {
            **place,
            "id": key,
            "complaint_no": number,
            "kind": kind,
            "version": 1,
            "state": S.RECEIVED,
            "received_at": desk.now,
            "due_at": due.at,
            "due_confirmed": due.confirmed,
            "overdue": False,
            "body": body,
        },
    )
    row = {name: place[name] for name in PLACE}
    received = event(desk, row, S.RECEIVED, None) | {"overdue": False}
    await add_complaint_event(desk.connection, key, received)
    told = Told(
        *("", number, place["region_path"], "", S.RECEIVED),
        changed=("state",),
        subject=place["applicant_uid"],
    )
    return Done("ComplaintChanged", {"complaint": key, "event": str(received["id"])}), told


async def _place(
    desk: Desk, kind: ComplaintKind, case_no: str | None, citizen: str | None
) -> dict[str, Any]:
    """What it is about, whose it is and where it lies. BadUserInput VARIABLE."""
    if case_no is not None and citizen is None:
        return await _of_case(desk, case_no)
    if case_no is not None or citizen is None:
        raise BadUserInput("诉求编号与人员标识请填写其中一项", reason="VARIABLE")
    if kind is not ComplaintKind.PRIVACY_OBJECTION:
        raise BadUserInput("投诉与申诉须写明诉求编号", reason="VARIABLE")
    return await _of_person(desk, citizen)


async def _of_case(desk: Desk, case_no: str) -> dict[str, Any]:
    """Where it lies and whose it is; the case has a complaint from now on."""
    case = await seen_case(desk, case_no)
    speaks_for = desk.gate.asker.end_user
    if speaks_for is not None and speaks_for != case.applicant_uid:
        raise NotFound("没有此诉求件：请核对编号")
    desk.demand(FILING, case.region_path, case.handling_dept)
    if not case.has_complaint:
        await change_case(desk.connection, case, {"has_complaint": True})
    return {"case_id": case.id, "applicant_id": case.applicant_id, **lies(case)}


async def _of_person(desk: Desk, citizen: str) -> dict[str, Any]:
    person = await seen_person(desk, citizen)
    desk.demand(FILING, person.region_path, OFFICE)
    return {
        "case_id": None,
        "applicant_id": person.id,
        "applicant_uid": person.citizen_uid,
        "household_id": person.household_id,
        "region_path": person.region_path,
        "handling_dept": OFFICE,
    }


# ---- moving ------------------------------------------------------------------------------------

Values = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Turn:
    """One act on a complaint: the object to be written, and the text it needs (name and title).

    `facts`: what the act needs of the machine's facts and is always given with this mutation.
    `step`: what is owed from then on. `more`: further columns it sets. `again`: the object
    once it has been escalated, when it is the office's.
    """

    act: ComplaintAct
    object: str
    text: tuple[str, str]
    facts: tuple[Fact, ...] = ()
    step: Step | None = None
    more: Callable[[Desk, Input], Values] | None = None
    stamp: str = ""
    answer: bool = False
    again: str | None = None


def _assigned(desk: Desk, given: Input) -> Values:
    return {"handling_dept": department(desk, given["department"])}


def _found(_desk: Desk, given: Input) -> Values:
    return {"outcome": given["outcome"].value}


def _channel(_desk: Desk, given: Input) -> Values:
    return {"channel": given["channel"].value}


TURNS: Mapping[str, Turn] = {
    "assignComplaint": Turn(
        *(A.ASSIGN, "Complaint.assigning", ("opinion", "交办意见"), (Fact.GOES_TO,)),
        step=Step.ANSWER,
        more=_assigned,
        stamp="assigned_at",
    ),
    "answerComplaint": Turn(
        *(A.ANSWER, "Complaint.answering", ("answer", "答复内容"), (Fact.ANSWER, Fact.OUTCOME)),
        more=_found,
        stamp="answered_at",
        answer=True,
        again=REHEARING,
    ),
    "notifyComplaint": Turn(
        *(A.NOTIFY, "Complaint.answering", ("note", "告知情况"), (Fact.CHANNEL,)),
        more=_channel,
        stamp="notified_at",
        again=REHEARING,
    ),
    "escalateComplaint": Turn(
        *(A.ESCALATE, FILING, ("reason", "不满意的理由"), (Fact.REASON,)),
        step=Step.ANSWER_ESCALATED,
        stamp="escalated_at",
    ),
    "closeComplaint": Turn(
        *(A.CLOSE, "Complaint.closing", ("opinion", "办结意见")), stamp="closed_at"
    ),
}
"""Mutation -> its act."""


async def turn(what: Turn, desk: Desk, given: Input) -> tuple[Done, Told]:
    """One act on a complaint: NotFound, Forbidden, Conflict VERSION or STATE, Refused."""
    row = await _complaint(desk, given["complaintNo"])
    again = None if row.escalated_at is None else what.again
    desk.demand(again or what.object, row.region_path, row.handling_dept)
    same_version(given, row.version)
    after = _after(row, what)
    note = text(given, *what.text)
    late = row.due_at is not None and row.due_at <= desk.now and after is not S(row.state)
    values: Values = {"state": after, what.stamp: desk.now}
    if what.more is not None:
        values |= what.more(desk, given)
    if after is not S(row.state):
        values |= _owes(desk, row, what.step)
    if what.answer:
        values["answer"] = note
    if late:
        values["overdue"] = True
    place = lies(row) | {k: v for k, v in values.items() if k in PLACE}
    done = event(desk, place, after, what.act, note) | {"overdue": late}
    await change_complaint(desk.connection, row, values)
    await add_complaint_event(desk.connection, row.id, done)
    told = Told(
        *("", row.complaint_no, row.region_path, row.state, after),
        changed=tuple(values),
        subject=row.applicant_uid,
    )
    return Done("ComplaintChanged", {"complaint": row.id, "event": str(done["id"])}), told


def _owes(desk: Desk, row: ComplaintRow, step: Step | None) -> Values:
    if step is None:
        return {"due_at": None}
    due = owed(desk, Procedure(row.kind), step)
    return {"due_at": due.at, "due_confirmed": due.confirmed}


async def _complaint(desk: Desk, number: str) -> ComplaintRow:
    """The complaint, locked; NotFound for none and for one that he may not read alike."""
    row = await complaint_to_change(desk.connection, number)
    speaks_for = desk.gate.asker.end_user
    if (
        row is None
        or not desk.sees("complaint", row.region_path, row.handling_dept, row.household_id)
        or (speaks_for is not None and speaks_for != row.applicant_uid)
    ):
        raise NotFound("没有此投诉：请核对编号")
    return row


def _after(row: ComplaintRow, what: Turn) -> ComplaintState:
    """Where the act leads. Conflict STATE; Refused for a second escalation, an untold answer."""
    state = S(row.state)
    step = MACHINE.take(state, what.act, what.facts, stamps_of(row, STAMPS))
    if not isinstance(step, Not):
        return step.after
    if step.why is Why.DONE_BEFORE:
        raise Refused("AlreadyEscalated", message="已提级一次，办公室的答复为最终答复")
    if step.why is Why.FACTS_MISSING:
        raise Refused("NotNotified", message="尚未将最近一次答复告知本人，不能办结")
    raise not_from_here(state, MACHINE.open_to(state))


COMPLAINT_COMMANDS: Mapping[str, Deed] = {
    "fileComplaint": file,
    **{name: partial(turn, what) for name, what in TURNS.items()},
}
