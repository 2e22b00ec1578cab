"""What deeds on a sharing request have in common: its row, its steps, what they leave behind."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from authz.sharing import OFFICE
from catalog.errors import NotFound
from catalog.grades import SharingKind
from catalog.procedures import Procedure, Step
from domain.machine import Fact, Party
from domain.machine import Refused as Impossible
from domain.machine import Step as Taken
from domain.sharing_request import MACHINE, SharingAct, SharingState
from resolvers.commands.cases import SYSTEM
from resolvers.commands.command import (
    Desk,
    Input,
    Refused,
    column_of,
    event,
    lies,
    not_from_here,
    same_version,
    stamps_of,
    text,
)
from resolvers.commands.sharing_faults import PARTIES, settled
from resolvers.commands.timing import owed
from resolvers.deed import Done, Told
from store.sharing_requests import (
    RequestRow,
    add_request_events,
    change_request,
    request_to_change,
)

S, D = SharingState, SharingAct
STAMPS = (
    *(Fact.REVIEWED_AT, Fact.EXTENDED_AT, Fact.ANSWERED_AT, Fact.PROVISIONED_AT),
    *(Fact.DISPUTED_AT, Fact.BASIS_REJECTED_AT, Fact.DECIDED_AT, Fact.CLOSED_AT),
)
"""The machine's stamps."""
FILING, REVIEWING = "SharingRequest.filing", "SharingRequest.reviewing"
ANSWERING, MEDIATING = "SharingRequest.answering", "SharingRequest.mediating"
OBJECTS: Mapping[str, str] = {
    "submitSharingRequest": FILING,
    "reviewSharingRequest": REVIEWING,
    "grantSharingRequest": ANSWERING,
    "grantSharingRequestPartly": ANSWERING,
    "refuseSharingRequest": ANSWERING,
    "extendSharingRequest": ANSWERING,
    "revokeSharing": ANSWERING,
    "disputeSharingRefusal": FILING,
    "rejectSharingBasis": MEDIATING,
    "mediateSharingRequest": MEDIATING,
    "decideSharingRequest": MEDIATING,
}
"""Mutation -> the object that its asker must be allowed to write."""
OWED: Mapping[SharingState, Step] = {
    S.COMPLIANCE_REVIEW: Step.REVIEW,
    S.PROVIDER_REVIEW: Step.ANSWER,
    S.MEDIATION: Step.MEDIATE,
}
"""What is owed in a state, by the row of ``procedures.toml``."""
Act = tuple[SharingAct, Iterable[Fact]]


@dataclass(frozen=True, slots=True)
class Changes:
    """What a deed does beside its acts: columns, the first event's text, the policy's version."""

    values: Mapping[str, Any]
    note: str | None = None
    policy: int | None = None


async def request_of(desk: Desk, name: str, given: Input) -> RequestRow:
    """The request, locked; NotFound for none and for one that he may not read alike."""
    row = await request_to_change(desk.connection, given["requestNo"])
    seen = row is not None and any(
        desk.sees("sharing_request", row.region_path, dept, None)
        for dept in (row.requester, row.provider)
    )
    if row is None or not seen:
        raise NotFound("没有此共享申请：请核对编号")
    obj = OBJECTS[name]
    owner = {FILING: row.requester, ANSWERING: row.provider}.get(obj, OFFICE)
    desk.demand(obj, row.region_path, owner)
    same_version(given, row.version)
    return row


def other_person(desk: Desk, row: RequestRow) -> None:
    """Refused SecondPersonNeeded for who has filed it: a grant has two signatures (两人签批)."""
    if desk.gate.asker.principal_id == row.filed_by:
        raise Refused("SecondPersonNeeded", message="本人提交的申请，请由另一人办理")


def opinion(given: Input) -> str | None:
    """A text that may be left out. BadUserInput VARIABLE for one that is too long."""
    return text(given, "opinion", "意见") if given.get("opinion") else None


def signed_by(desk: Desk) -> dict[str, str]:
    """The column that says who has answered."""
    return {"answered_by": desk.gate.asker.principal_id}


def stamps_in(row: RequestRow) -> dict[Fact, Any]:
    """The machine's stamps that the request has."""
    return dict(stamps_of(row, STAMPS))


def steps_of(
    state: SharingState, stamps: Mapping[Fact, Any], acts: Sequence[Act]
) -> list[Taken[SharingState, SharingAct]]:
    """What the acts do, one after another. Conflict STATE with the acts that are open now."""
    found: list[Taken[SharingState, SharingAct]] = []
    for name, facts in acts:
        step = MACHINE.take(state, name, frozenset(facts), stamps)
        if isinstance(step, Impossible):
            given = frozenset(Fact)
            every = (MACHINE.take(state, one, given, stamps) for one in MACHINE.open_to(state))
            raise not_from_here(state, [one.act for one in every if isinstance(one, Taken)])
        found.append(step)
        state = step.after
    return found


async def changed(
    desk: Desk, row: RequestRow, acts: Sequence[Act], changes: Changes
) -> tuple[Done, Told]:
    """Make the acts, one after another; Conflict STATE if one is not listed.

    The step that is left is settled with the list, and the next one is owed from now on.
    """
    steps = steps_of(S(row.state), stamps_in(row), acts)
    after = steps[-1].after
    values: dict[str, Any] = {"state": after}
    if after != row.state:
        values |= await settled(desk.connection, row, desk.now)
        kind = SharingKind(changes.values.get("share_class", row.share_class))
        values["due_at"] = owed_until(desk, after, kind)
    values |= changes.values
    values |= {column_of(step.stamps): desk.now for step in steps if step.stamps is not None}
    await change_request(desk.connection, row, values)
    events = events_of(desk, lies(row, PARTIES), steps, changes.note)
    await add_request_events(desk.connection, row.id, *events)
    done = Done(
        "SharingRequestChanged",
        {"request": row.id, "event": str(events[0]["id"])},
        policy=changes.policy,
    )
    # What was granted is the grant's row, which the record names the column of.
    names = tuple(name for name in values if not name.startswith("granted_"))
    told = Told("", row.request_no, row.region_path, row.state, after, names)
    return done, told


def events_of(
    desk: Desk,
    place: Mapping[str, Any],
    steps: Iterable[Taken[SharingState, SharingAct]],
    note: str | None,
) -> list[dict[str, Any]]:
    """An event a step. What follows by itself is the hub's, and so is a second answer."""
    found: list[dict[str, Any]] = []
    for step in steps:
        one = event(desk, place, step.after, step.act, None if found else note)
        follows = step.tells is Party.HUB or bool(found)
        found.append(one | {"post": SYSTEM} if follows else one)
    return found


def owed_until(desk: Desk, state: SharingState, kind: SharingKind) -> datetime | None:
    """Until when the state's step is owed; None where none is."""
    step = OWED.get(state)
    if step is None:
        return None
    if step is Step.ANSWER and kind is SharingKind.UNCONDITIONAL:
        step = Step.ANSWER_UNCONDITIONAL
    return owed(desk, Procedure.SHARING, step).at
