"""数据校核: from what a citizen says is wrong to his being told (第十四条; 领域设计 1.9).

    file ─ accept ─ flag ─ assign ─ investigate ─ decide ─┬ confirm ─ replay ─┬ notify ─ close
                    DISPUTED from here ............ until └ REJECTED ─────────┘

Nothing here changes a provider's value, nor knows it: the provider mends it in its own system and
says as of which day. Who read it in the days before is found in the access log and noted.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any

from audit.subjects import seen_tokens
from catalog.datasets import Dataset
from catalog.errors import BadUserInput, NotFound
from catalog.procedures import Procedure, ProcedureLimit, Step
from catalog.workdays import ZONE
from domain.clock import due
from domain.correction import MACHINE, CorrectionAct, CorrectionState, late
from domain.machine import Fact
from domain.machine import Refused as Impossible
from domain.machine import Step as Taken
from resolvers.commands.cases import seen_person
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
from store.corrections import (
    AccessRecord,
    CorrectionRow,
    add_correction,
    add_correction_event,
    add_readers,
    change_correction,
    correction_to_change,
    open_correction_no,
    records_naming,
    records_of_requests,
)

S, D = CorrectionState, CorrectionAct
NUMBERED = "JH{}-{:06d}"  # 校核编号: year and number within it
ENDS = (S.CLOSED,)
MICROSECOND = timedelta(microseconds=1)
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
STAMPS = (
    *(Fact.ACCEPTED_AT, Fact.FLAGGED_AT, Fact.DECIDED_AT, Fact.EXTENDED_AT),
    *(Fact.CORRECTED_AT, Fact.NOTIFIED_AT, Fact.CLOSED_AT),
)
"""The machine's stamps."""
PERSON = ("citizen_uid", "household_id", "region_path")
"""Whose value it is and where he lives; the provider is its owner."""


@dataclass(frozen=True, slots=True)
class Move:
    """One act on a correction: the object to be written, the text it needs, its facts."""

    act: CorrectionAct
    object: str
    text: tuple[str, str] | None = None
    facts: tuple[Fact, ...] = ()


REASON = ("reason", "理由")
MOVES: Mapping[str, Move] = {
    "acceptCorrection": Move(D.ACCEPT, "Correction.handling", ("opinion", "受理意见")),
    # The value and the person stand in the row; the provider, by the catalogue, too.
    "flagCorrection": Move(D.FLAG, "Correction.handling", None, (Fact.DISPUTED_VALUE,)),
    "assignCorrection": Move(D.ASSIGN, "Correction.handling", None, (Fact.GOES_TO,)),
    "investigateCorrection": Move(D.INVESTIGATE, "Correction.decision"),
    "closeCorrection": Move(D.CLOSE, "Correction.handling"),
}
"""Mutation -> its act, of those that change nothing beside the state."""
DECISIONS: Mapping[str, tuple[CorrectionAct, Fact]] = {
    S.UPHELD: (D.UPHOLD, Fact.FINDING),
    S.PARTLY: (D.UPHOLD_PARTLY, Fact.FINDING),
    S.REJECTED: (D.REJECT, Fact.REASON),
}
"""What a provider may decide, by the state it leads to."""
OBJECTS: Mapping[str, str] = {
    **{name: move.object for name, move in MOVES.items()},
    "fileCorrection": "Correction.filing",
    "decideCorrection": "Correction.decision",
    "confirmCorrection": "Correction.decision",
    "replayCorrection": "Correction.handling",
    "notifyCorrection": "Correction.handling",
    "extendCorrection": "Correction.handling",
}
"""Mutation -> the object that its asker must be allowed to write."""
DISPUTING = frozenset({"flagCorrection", "decideCorrection", "confirmCorrection"})
"""Mutations by which a dispute begins or ends."""


# ---- filing ------------------------------------------------------------------------------------


async def file(desk: Desk, given: Input) -> tuple[Done, Told]:
    """A request about one value. NotFound for a person who is none of the asker's."""
    person = await seen_person(desk, given["citizen"])
    coordinate = str(given["coordinate"])
    dataset = _disputable(desk, coordinate)
    desk.demand(OBJECTS["fileCorrection"], person.region_path, dataset.provider)
    said = text(given, "text", "异议内容")
    ends = tuple(ENDS)
    filed = await open_correction_no(desk.connection, person.id, coordinate, ends)
    if filed is not None:
        said_so = "此项数据已有在办的校核"
        raise Refused("CorrectionOpen", message=said_so, correctionNo=filed)
    row_id, number = new_id(), await numbered(desk.connection, desk.now, "correction", NUMBERED)
    place = lies(person, PERSON) | {"provider": dataset.provider}
    await add_correction(
        desk.connection,
        {
            **place,
            "id": row_id,
            "correction_no": number,
            "version": 1,
            "state": MACHINE.start,
            "coordinate": coordinate,
            "citizen_id": person.id,
            "intake": given["intake"].value,
            "filed_at": desk.now,
            "accept_due_at": _due(desk, desk.now, Step.ACCEPT),
            "due_at": _due(desk, desk.now, Step.CORRECT),
            "text": said,
        },
    )
    filed_now = event(desk, place, MACHINE.start, None)
    await add_correction_event(desk.connection, row_id, filed_now)
    told = Told("", number, person.region_path, "", MACHINE.start, ("state",), person.citizen_uid)
    return Done("CorrectionChanged", {"correction": row_id, "event": str(filed_now["id"])}), told


def _disputable(desk: Desk, coordinate: str) -> Dataset:
    """The data set of a person's own value. BadUserInput VARIABLE for anything else."""
    kind, _, name = coordinate.partition(".")
    for dataset in desk.catalog.datasets.values():
        field = dataset.by_name.get(name) if dataset.type == kind else None
        if field is not None and field.exposed and dataset.personal:
            return dataset
    raise BadUserInput(
        "没有这一项个人数据：请写明类型与字段，如 MinLiving.monthlyAmount", reason="VARIABLE"
    )


# ---- moving ------------------------------------------------------------------------------------


async def move(name: str, desk: Desk, given: Input) -> tuple[Done, Told]:
    """One act that changes the state alone: NotFound, Forbidden, Conflict VERSION or STATE."""
    what, row = MOVES[name], await _row(desk, name, given)
    taken = _taken(row, what.act, what.facts)
    note = None if what.text is None else text(given, *what.text)
    return await _changed(desk, row, taken, note, {})


async def decide(desk: Desk, given: Input) -> tuple[Done, Told]:
    """The provider's finding. Upheld or partly: it mends the value next; rejected: no more."""
    row = await _row(desk, "decideCorrection", given)
    act, fact = DECISIONS[given["decision"].value]
    taken = _taken(row, act, (fact,))
    note = text(given, *REASON)
    return await _changed(desk, row, taken, note, {"finding": note})


async def confirm(desk: Desk, given: Input) -> tuple[Done, Told]:
    """The provider's own system says otherwise as of a day, which is not to come."""
    row = await _row(desk, "confirmCorrection", given)
    taken = _taken(row, D.CORRECT, (Fact.SOURCE_AS_OF,))
    as_of = day(given, "asOf")
    if as_of > desk.now.astimezone(ZONE).date():
        raise BadUserInput("源头更正日期不能在将来", reason="VARIABLE")
    return await _changed(desk, row, taken, None, {"source_as_of": as_of})


async def notify(desk: Desk, given: Input) -> tuple[Done, Told]:
    """The citizen was told: by what channel, and what."""
    row = await _row(desk, "notifyCorrection", given)
    taken = _taken(row, D.NOTIFY, (Fact.CHANNEL,))
    note = text(given, "told", "告知内容")
    return await _changed(desk, row, taken, note, {"notified_by": given["channel"].value})


async def extend(desk: Desk, given: Input) -> tuple[Done, Told]:
    """More time for the provider, once. Refused the second time."""
    row = await _row(desk, "extendCorrection", given)
    taken = _taken(row, D.EXTEND, (Fact.REASON,))
    note = text(given, *REASON)
    longer = _due(desk, row.filed_at, Step.CORRECT, Step.EXTEND)
    return await _changed(desk, row, taken, note, {"due_at": longer})


# ---- who has read it ---------------------------------------------------------------------------


async def replay(desk: Desk, given: Input) -> tuple[Done, Told]:
    """Note everybody who was shown the value in the days the procedure says; never the value.

    No worker keeps a person's value from one request to the next, so no cache is left to purge.
    """
    row = await _row(desk, "replayCorrection", given)
    taken = _taken(row, D.REPLAY, (Fact.CACHES_PURGED, Fact.READERS_TOLD))
    days = _limit(desk, Step.TELL_READERS_OF).count
    since_us = (desk.now - timedelta(days=days) - EPOCH) // MICROSECOND
    place = lies(row, PERSON)
    readers = [
        {
            **place,
            "id": new_id(),
            "correction_id": row.id,
            "correction_no": row.correction_no,
            "coordinate": row.coordinate,
            "citizen_id": row.citizen_id,
            "account": account,
            "department": department,
            "last_read_at": EPOCH + ts * MICROSECOND,
            "told_at": desk.now,
        }
        for (account, department), ts in (await _readers(desk, row, since_us)).items()
    ]
    await add_readers(desk.connection, readers)
    return await _changed(desk, row, taken, None, {})


async def _readers(desk: Desk, row: CorrectionRow, since_us: int) -> dict[tuple[str, str], int]:
    """Account and department of each who was shown the value, and when last (µs UTC)."""
    tokens = desk.tokens(row.citizen_uid)
    found: dict[tuple[str, str], int] = {}
    several: set[tuple[str, str]] = set()
    for one in await records_naming(desk.connection, tokens, since_us):
        body = json.loads(one.body)
        if not {*tokens} & {*seen_tokens(body)}:
            continue  # not yet indexed, and of somebody else
        if one.parts > 1 and one.request is not None:
            several.add(
                (one.request, one.account)
            )  # persons and fields may stand in different parts
        elif _shows(body, row.coordinate):
            _last(found, one)
    for one in await records_of_requests(desk.connection, {request for request, _ in several}):
        mine = (one.request, one.account) in several  # a client may choose its request's name
        if mine and _shows(json.loads(one.body), row.coordinate):
            _last(found, one)
    return found


def _shows(body: Mapping[str, Any], coordinate: str) -> bool:
    """True if a record says that this column was shown as it is; a mask does not tell the value."""
    return any(read.get("clear", {}).get(coordinate) for read in body.get("reads", ()))


def _last(found: dict[tuple[str, str], int], one: AccessRecord) -> None:
    who = (one.account, one.department)
    found[who] = max(one.ts, found.get(who, 0))


# ---- what they have in common ------------------------------------------------------------------


async def _row(desk: Desk, name: str, given: Input) -> CorrectionRow:
    """The correction, locked; NotFound for none and for one that he may not read alike."""
    row = await correction_to_change(desk.connection, given["correctionNo"])
    if row is None or not desk.sees("correction", row.region_path, row.provider, row.household_id):
        raise NotFound("没有此校核：请核对编号")
    desk.demand(OBJECTS[name], row.region_path, row.provider)
    same_version(given, row.version)
    return row


def _taken(
    row: CorrectionRow, act: CorrectionAct, facts: Iterable[Fact]
) -> Taken[CorrectionState, CorrectionAct]:
    """What the act does. Conflict STATE with the acts that are open now."""
    state = S(row.state)
    stamps = stamps_of(row, STAMPS)
    step = MACHINE.take(state, act, frozenset(facts), stamps)
    if isinstance(step, Impossible):
        given = frozenset(Fact)
        allowed = [
            one
            for one in MACHINE.open_to(state)
            if isinstance(MACHINE.take(state, one, given, stamps), Taken)
        ]
        raise not_from_here(state, allowed)
    return step


async def _changed(
    desk: Desk,
    row: CorrectionRow,
    taken: Taken[CorrectionState, CorrectionAct],
    note: str | None,
    more: Mapping[str, Any],
) -> tuple[Done, Told]:
    values = {"state": taken.after, **more}
    if taken.stamps is not None:
        values[column_of(taken.stamps)] = desk.now
    if late(S(row.state), row.accept_due_at, row.due_at, desk.now):
        values["overdue"] = True
    await change_correction(desk.connection, row, values)
    place = lies(row, (*PERSON, "provider"))
    added = event(desk, place, taken.after, taken.act, note)
    await add_correction_event(desk.connection, row.id, added)
    done = Done("CorrectionChanged", {"correction": row.id, "event": str(added["id"])})
    about = (row.correction_no, row.region_path, row.state, taken.after)
    return done, Told("", *about, tuple(values), row.citizen_uid)


def _limit(desk: Desk, step: Step) -> ProcedureLimit:
    today = desk.now.astimezone(ZONE).date()
    return desk.catalog.procedures.limit(Procedure.CORRECTION, step, today)


def _due(desk: Desk, start: datetime, *steps: Step) -> datetime:
    """When the days of the steps, one after another, are over, from `start` on."""
    at = start
    for number, step in enumerate(steps):
        row = _limit(desk, step)
        # A due moment is the first of the next day, which counts for the step that follows.
        begins = at - MICROSECOND if number else at
        at = due(begins, row.length, desk.catalog.calendar).at
    return at


CORRECTION_COMMANDS: Mapping[str, Deed] = {
    "fileCorrection": file,
    **{name: partial(move, name) for name in MOVES},
    "decideCorrection": decide,
    "confirmCorrection": confirm,
    "replayCorrection": replay,
    "notifyCorrection": notify,
    "extendCorrection": extend,
}
