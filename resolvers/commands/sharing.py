"""共享申请: from what a department asks for to its use or its refusal (领域设计 1.10).

    submit ─ review ─┬ grant ──────── ACTIVE ─ revoke
                     ├ grant partly ─┘
                     └ refuse ─ dispute ─ mediate ─ decide
                          └─ reject basis ──┘

Who grants puts a row into the policy in the same transaction (`granting.py`), so that the right is
there on the next request and gone on the next after its revocation. Nothing here grants because
time has passed (`sharing_sweeps.py`).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from authz.sharing import OPEN_ACTS
from catalog.divisions import COUNTY
from catalog.errors import BadUserInput
from catalog.grades import SharingKind
from catalog.procedures import Procedure, Step
from domain.clock import due
from domain.machine import Fact
from domain.sharing_request import SharingAct, SharingFault, SharingState
from resolvers.commands.command import (
    Deed,
    Desk,
    Input,
    Refused,
    day,
    new_id,
    not_from_here,
    numbered,
    text,
)
from resolvers.commands.granting import (
    MINOR,
    WHOLE,
    Terms,
    end,
    fit,
    joined,
    part,
    put_in_force,
    reach_of,
    share_class,
    today,
    whole,
)
from resolvers.commands.sharing_faults import fault_of
from resolvers.commands.sharing_steps import (
    FILING,
    Act,
    Changes,
    changed,
    events_of,
    opinion,
    other_person,
    owed_until,
    request_of,
    signed_by,
    stamps_in,
    steps_of,
)
from resolvers.deed import Done, Told
from store.grants import Grant
from store.sharing_requests import (
    RequestRow,
    add_fault,
    add_request,
    add_request_events,
    request_to_change,
)

S, D = SharingState, SharingAct
KIND, NUMBERED = "sharing", "GX{}-{:06d}"  # 申请编号: year and number within it


# ---- asking ------------------------------------------------------------------------------------


async def submit(desk: Desk, given: Input) -> tuple[Done, Told]:
    """A department asks another one. BadUserInput for what could never be granted."""
    obj = str(given["object"])
    known = desk.catalog.objects.get(obj.removesuffix(MINOR))
    if known is None:
        raise BadUserInput("没有此授权对象：请核对拼写", reason="VARIABLE")
    provider = str(given.get("provider") or known.provider)
    requester = _requester(desk, provider)
    since, until = day(given, "since"), day(given, "until")
    if until < max(since, today(desk)):
        raise BadUserInput("截止日不能早于起始日，也不能已过", reason="VARIABLE")
    actions = joined(given["actions"], "操作")
    purposes = joined(given["purposes"], "用途")
    items = joined([item.value for item in given["items"]], "服务事项")
    reach = reach_of(desk, given) or WHOLE
    said, basis = text(given, "text", "申请理由"), text(given, "basis", "法律依据")
    renews = await _renewed(desk, given, requester, provider, obj)
    number = await numbered(desk.connection, desk.now, KIND, NUMBERED)
    term = (since.isoformat(), until.isoformat())
    grant = Grant("", number, obj, provider, requester, actions, reach, purposes, *term)
    fit(grant, desk.catalog)
    place = {"requester": requester, "provider": provider, "region_path": COUNTY}
    row_id, kind = new_id(), await share_class(desk, obj)
    steps = steps_of(
        S.DRAFT, {}, [(D.SUBMIT, (Fact.PURPOSE, Fact.BASIS, Fact.TERM)), (D.RECEIVE, ())]
    )
    await add_request(
        desk.connection,
        {
            **place,
            "id": row_id,
            "request_no": number,
            "version": 1,
            "state": steps[-1].after,
            "object": obj,
            "share_class": kind,
            "actions": actions,
            "purposes": purposes,
            "items": items,
            "reach": reach,
            "since": since,
            "until": until,
            "frequency": given["frequency"].value,
            "text": said,
            "basis": basis,
            "renews": renews,
            "filed_by": desk.gate.asker.principal_id,
            "filed_at": desk.now,
            "due_at": owed_until(desk, steps[-1].after, kind),
            "overdue": False,
        },
    )
    events = events_of(desk, place, steps, None)
    await add_request_events(desk.connection, row_id, *events)
    rows = {"request": row_id, "event": str(events[0]["id"])}
    told = Told("", number, COUNTY, "", steps[-1].after, ("state",))
    return Done("SharingRequestChanged", rows), told


def _requester(desk: Desk, provider: str) -> str:
    """The asker's department; of several the first that may ask. Forbidden, BadUserInput."""
    depts = [post.dept for post in desk.gate.asker.posts]
    others = [dept for dept in dict.fromkeys(depts) if dept != provider]
    if not others:
        raise BadUserInput("本部门提供的数据无须申请", reason="VARIABLE")
    may = (one for one in others if desk.gate.demand(FILING, "write", COUNTY, one).allowed)
    dept = next(may, others[0])
    desk.demand(FILING, COUNTY, dept)
    return dept


async def _renewed(desk: Desk, given: Input, requester: str, provider: str, obj: str) -> str | None:
    """The number of the request that is to be renewed. BadUserInput if it is not in use."""
    number = given.get("renews")
    if number is None:
        return None
    old = await request_to_change(desk.connection, number)
    same = old and (old.requester, old.provider, old.object) == (requester, provider, obj)
    if old is None or not same or old.state != S.ACTIVE:
        raise BadUserInput("续期的须是本部门使用中的同一授权对象", reason="VARIABLE")
    return old.request_no


# ---- looking at it -----------------------------------------------------------------------------


async def review(desk: Desk, given: Input) -> tuple[Done, Told]:
    """合规审查. It goes on to the provider either way, with what was found.

    What is shared without conditions is granted with it, if it is found in order and asks for no
    more than that: the filer and the reviewer are the two people.
    """
    row = await request_of(desk, "reviewSharingRequest", given)
    note = text(given, "opinion", "审查意见")
    acts: list[Act] = [(D.REVIEW, (Fact.OPINION,))]
    steps_of(S(row.state), stamps_in(row), acts)
    other_person(desk, row)
    found = {"compliant": given["compliant"], "review": note}
    kind = await share_class(desk, row.object)
    open_ = {*row.actions.split("|")} <= {*OPEN_ACTS}
    if kind is SharingKind.UNCONDITIONAL and given["compliant"] and open_:
        return await _grant(desk, row, acts, D.GRANT, whole(desk, row, {}), note, found)
    return await changed(desk, row, acts, Changes({**found, "share_class": kind}, note))


# ---- answering ---------------------------------------------------------------------------------


async def grant(desk: Desk, given: Input) -> tuple[Done, Told]:
    """同意: all that was asked for, from now or from the day the provider names."""
    row = await request_of(desk, "grantSharingRequest", given)
    steps_of(S(row.state), stamps_in(row), [(D.GRANT, (Fact.APPROVER,))])
    other_person(desk, row)
    note = opinion(given)
    return await _grant(desk, row, [], D.GRANT, whole(desk, row, given), note, {})


async def grant_partly(desk: Desk, given: Input) -> tuple[Done, Told]:
    """部分同意: less than was asked for, with reason and basis for what is kept back."""
    row = await request_of(desk, "grantSharingRequestPartly", given)
    facts = (Fact.APPROVER, Fact.REASON, Fact.BASIS)
    steps_of(S(row.state), stamps_in(row), [(D.GRANT_PARTLY, facts)])
    other_person(desk, row)
    kept_back = await _refusal(desk, row, given)
    note = opinion(given)
    return await _grant(desk, row, [], D.GRANT_PARTLY, part(desk, row, given), note, kept_back)


async def refuse(desk: Desk, given: Input) -> tuple[Done, Told]:
    """不同意. Refused without a basis, or without a law where nothing is shared at all."""
    row = await request_of(desk, "refuseSharingRequest", given)
    acts: list[Act] = [(D.REFUSE, (Fact.REASON, Fact.BASIS))]
    steps_of(S(row.state), stamps_in(row), acts)
    other_person(desk, row)
    values = await _refusal(desk, row, given)
    note = opinion(given)
    return await changed(desk, row, acts, Changes({**values, **signed_by(desk)}, note))


async def _refusal(desk: Desk, row: RequestRow, given: Input) -> dict[str, Any]:
    """Reason, basis and law of what is not given (第十一条第三项)."""
    basis = str(given.get("basis") or "").strip()
    if not basis:
        said = "没有依据的不是有效的答复：请写明文号或法条"
        raise Refused("BasisMissing", message=said)
    law = given.get("law")
    found = None if law is None else desk.catalog.legal_bases.get(law)
    if law is not None and (found is None or not found.law):
        raise BadUserInput("没有此法律或行政法规：请核对依据目录", reason="VARIABLE")
    if law is None and await share_class(desk, row.object) is SharingKind.NOT_SHARED:
        said = "不予共享类的数据，须写明所依据的法律或行政法规"
        raise Refused("LawMissing", message=said)
    said = text(given, "basis", "依据")
    return {"refusal": given["reason"].value, "refusal_basis": said, "law": law}


async def _grant(
    desk: Desk,
    row: RequestRow,
    before: list[Act],
    answer: SharingAct,
    terms: Terms,
    note: str | None,
    more: Mapping[str, Any],
) -> tuple[Done, Told]:
    """The grant in force, what it takes the place of ended, and the request where that leads."""
    # Before the policy: who revokes it holds the request first and the policy then, too.
    old = None if row.renews is None else await request_to_change(desk.connection, row.renews)
    grant_id, version = await put_in_force(desk, row, terms)
    if old is not None and old.state == S.ACTIVE:
        version = await _give_way(desk, old) or version
    facts = (Fact.APPROVER, Fact.REASON, Fact.BASIS)
    acts: list[Act] = [*before, (answer, facts), (D.PROVISION, (Fact.GRANT,))]
    if terms.since <= today(desk):
        acts.append((D.ACTIVATE, (Fact.TERM_BEGUN,)))
    given = {
        "grant_id": grant_id,
        "granted_actions": terms.actions,
        "granted_reach": terms.reach,
        "granted_since": terms.since,
        "granted_until": terms.until,
    }
    return await changed(
        desk, row, acts, Changes({**more, **given, **signed_by(desk)}, note, version)
    )


async def _give_way(desk: Desk, old: RequestRow) -> int | None:
    """The request that is renewed ends with its grant; the policy's version, if that changed it."""
    version = await end(desk, old, "续期")
    await changed(desk, old, [(D.RENEW, (Fact.SUCCESSOR,))], Changes({}))
    return version


async def revoke(desk: Desk, given: Input) -> tuple[Done, Told]:
    """撤销: the right is gone on the next request."""
    row = await request_of(desk, "revokeSharing", given)
    acts: list[Act] = [(D.REVOKE, (Fact.REASON,))]
    steps_of(S(row.state), stamps_in(row), acts)
    note = text(given, "reason", "撤销理由")
    version = await end(desk, row, "撤销")
    return await changed(desk, row, acts, Changes({}, note, version))


async def extend(desk: Desk, given: Input) -> tuple[Done, Told]:
    """More time for the provider, once, from the end of what it had."""
    row = await request_of(desk, "extendSharingRequest", given)
    acts: list[Act] = [(D.EXTEND, (Fact.REASON,))]
    steps_of(S(row.state), stamps_in(row), acts)
    note = text(given, "reason", "延期理由")
    if row.due_at is None or row.due_at <= desk.now:
        raise not_from_here(row.state, [D.GRANT, D.GRANT_PARTLY, D.REFUSE], "已逾期，不能再延期")
    limit = desk.catalog.procedures.limit(Procedure.SHARING, Step.EXTEND, today(desk))
    longer = due(row.due_at, limit.length, desk.catalog.calendar).at
    return await changed(desk, row, acts, Changes({"due_at": longer}, note))


# ---- disputing ---------------------------------------------------------------------------------


async def dispute(desk: Desk, given: Input) -> tuple[Done, Told]:
    """The requester does not accept the refusal."""
    row = await request_of(desk, "disputeSharingRefusal", given)
    note = text(given, "reason", "异议理由")
    return await changed(desk, row, [(D.DISPUTE, (Fact.REASON,))], Changes({}, note))


async def reject_basis(desk: Desk, given: Input) -> tuple[Done, Told]:
    """The office does not accept what the refusal rests on: mediation, and the list."""
    row = await request_of(desk, "rejectSharingBasis", given)
    fault = SharingFault(given["fault"].value)
    if fault is SharingFault.OVERDUE:
        raise BadUserInput("逾期由平台自动列入清单", reason="VARIABLE")
    note = text(given, "reason", "不认可的理由")
    done = await changed(desk, row, [(D.REJECT_BASIS, (Fact.REASON,))], Changes({}, note))
    await add_fault(desk.connection, fault_of(row, fault, S.MEDIATION, row.provider, desk.now))
    return done


async def mediate(desk: Desk, given: Input) -> tuple[Done, Told]:
    """The office takes up a dispute."""
    row = await request_of(desk, "mediateSharingRequest", given)
    note = text(given, "opinion", "协调意见")
    return await changed(desk, row, [(D.MEDIATE, (Fact.OPINION,))], Changes({}, note))


async def decide(desk: Desk, given: Input) -> tuple[Done, Told]:
    """裁定. It is no grant: that has two signatures, and one is the provider's."""
    row = await request_of(desk, "decideSharingRequest", given)
    note = text(given, "conclusion", "裁定意见")
    values = {"decision": given["decision"].value, "conclusion": note}
    facts = (Fact.CONCLUSION, Fact.OUTCOME)
    return await changed(desk, row, [(D.DECIDE, facts)], Changes(values, note))


SHARING_COMMANDS: Mapping[str, Deed] = {
    "submitSharingRequest": submit,
    "reviewSharingRequest": review,
    "grantSharingRequest": grant,
    "grantSharingRequestPartly": grant_partly,
    "refuseSharingRequest": refuse,
    "extendSharingRequest": extend,
    "revokeSharing": revoke,
    "disputeSharingRefusal": dispute,
    "rejectSharingBasis": reject_basis,
    "mediateSharingRequest": mediate,
    "decideSharingRequest": decide,
}
