"""投诉 of cases that have one, with what was done about it until the as-of date.

A case says itself that it has a complaint (`cases.py` draws it). It goes the usual way in its
usual time: assigned in a day, answered within the limit, told, closed; upheld if the case was late.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any

from catalog.load import Catalog
from catalog.procedures import Procedure, Step
from catalog.workdays import ZONE
from domain.clock import due
from domain.complaint import ComplaintAct, ComplaintKind, ComplaintOutcome, ComplaintState
from hub.demo.cases import COUNTY_POST, PLACE, Case, stamp
from hub.demo.files import Sheet, mixed
from hub.demo.register import opaque_id
from hub.demo.worktime import local, moment, worktime

S, A = ComplaintState, ComplaintAct
KIND = ComplaintKind.COMPLAINT
AFTER_FILING = 2.0  # working days from the case's filing to the complaint
WAY = (
    (A.ASSIGN, S.ASSIGNED, 0.8, "请按职责答复。"),
    (A.ANSWER, S.ANSWERED, 6.8, "已核实并向本人说明办理进度。"),
    (A.NOTIFY, S.ANSWERED, 7.3, "电话告知本人。"),
    (A.CLOSE, S.CLOSED, 8.3, "已告知，办结。"),
)
"""Acts, the states they lead to, working days from the complaint, and what was said."""
OWED = {S.RECEIVED: Step.RECEIVE, S.ASSIGNED: Step.ANSWER}

_COMPLAINT = (
    "id complaint_no kind case_id version state outcome channel received_at due_at due_confirmed "
    "overdue assigned_at answered_at notified_at escalated_at closed_at reopened_at body answer "
    f"applicant_id {PLACE}"
)
_EVENT = f"id complaint_id seq state act at post note overdue {PLACE}"
_NUMBERS = ("version", "due_confirmed", "overdue", "seq")


COMPLAINT = Sheet("complaint", mixed(_COMPLAINT, *_NUMBERS))
EVENT = Sheet("complaint_event", mixed(_EVENT, *_NUMBERS))


def complaint_no(case_no: str) -> str:
    """The number of a case's complaint."""
    return f"TS{case_no[2:]}"


def rows(
    case: Case, catalog: Catalog, seed: int
) -> tuple[list[tuple[Any, ...]], list[tuple[Any, ...]]]:
    """Rows of `complaint` and of `complaint_event`; none for a case without a complaint."""
    if not case.wish.complaint:
        return [], []
    number = complaint_no(case.wish.number)
    key = opaque_id(seed, "complaint", number)
    received = _received(case)
    done = dict(_done(case, received))
    state = next((s for act, s, *_ in reversed(WAY) if act in done), S.RECEIVED)
    own = (case.entry.uid, case.entry.household, case.village.place.path, case.dept)
    found = ComplaintOutcome.UPHELD if case.overdue_at else ComplaintOutcome.DISMISSED
    until, confirmed = _due(catalog, state, done.get(A.ASSIGN, received))
    row = (
        *(key, number, KIND, case.id, 1 + len(done), state),
        *(found if A.ANSWER in done else None, "PHONE" if A.NOTIFY in done else None),
        *(stamp(received), until, confirmed, 0),
        *(_stamp(done, act) for act in (A.ASSIGN, A.ANSWER, A.NOTIFY)),
        *(None, _stamp(done, A.CLOSE), None),
        *("办理进度较慢，请予说明。", WAY[1][3] if A.ANSWER in done else None),
        *(case.entry.citizen, *own),
    )
    acts = [(None, S.RECEIVED, None)] + [(act, after, said) for act, after, _, said in WAY]
    village = f"rev/village/{case.village.place.path}"
    posts = {None: village, A.ASSIGN: f"rev/office/{COUNTY_POST}"}
    posts[A.CLOSE] = posts[A.ASSIGN]
    events = [
        (
            *(opaque_id(seed, "complaint event", f"{number}/{seq}"), key, seq, after, act),
            *(stamp(received if act is None else done[act]),),
            *(posts.get(act, f"{case.dept}/dept/{COUNTY_POST}"), said, 0, *own),
        )
        for seq, (act, after, said) in enumerate(acts, start=1)
        if act is None or act in done
    ]
    return [row], events


def _received(case: Case) -> datetime:
    """Some days after the filing; of a case of yesterday half the time since."""
    filed, now = case.wish.filed_at, local(case.village.as_of, 0)
    usual = moment(worktime(filed) + AFTER_FILING)
    return usual if usual < now else filed + (now - filed) / 2


def _done(case: Case, received: datetime) -> list[tuple[ComplaintAct, datetime]]:
    now, start = local(case.village.as_of, 0), worktime(received)
    reached = [(act, moment(start + days)) for act, _, days, _ in WAY]
    return [(act, at) for act, at in reached if received < at < now]


def _due(catalog: Catalog, state: ComplaintState, since: datetime) -> tuple[str | None, int]:
    step = OWED.get(state)
    if step is None:
        return None, 1
    row = catalog.procedures.limit(Procedure(KIND), step, since.astimezone(ZONE).date())
    found = due(since, row.length, catalog.calendar)
    return stamp(found.at), int(found.confirmed)


def _stamp(done: dict[ComplaintAct, datetime], act: ComplaintAct) -> str | None:
    return stamp(done[act]) if act in done else None
