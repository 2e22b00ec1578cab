"""共享申请 over HTTP: scenario (e), and that time grants nothing."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import TYPE_CHECKING, Any

import pytest
from sqlalchemy import select

from hub.demo.site import Site
from store.engine import single
from store.grants import share_grant
from store.sharing_requests import sharing_fault, sharing_request, sharing_request_event
from store.supervision import supervision_order
from tests.casework import DEPT, MANY, TOWN, Time, code
from tests.sharing import (
    ASKED,
    AUTHORITY,
    BOTH,
    LEAD,
    OFFICE,
    OTHER_LEAD,
    act,
    after,
    becomes,
    changed,
    health,
    listed,
    moved,
    open_accounts,
    post,
    reviewed,
    submitted,
)
from tests.trusted import Edge, over

if TYPE_CHECKING:
    from tests.journeys.conftest import FillStore

pytestmark = [pytest.mark.anyio]
DENIED, SHOWN = "DENIED", "SHOWN"


@pytest.fixture
def time() -> Time:
    return Time()


@pytest.fixture
async def edge(site_copy: Site, time: Time) -> AsyncIterator[Edge]:
    async with over(site_copy, MANY, clock=time) as made:
        await open_accounts(made)
        yield made


async def rows(edge: Edge, table: Any, *where: Any) -> list[dict[str, Any]]:
    """Rows of a table, in the order they were made."""
    async with edge.hub.store.connect() as connection:
        found = await connection.execute(select(table).where(*where))
        return [dict(row) for row in found.mappings()]


async def urges(edge: Edge) -> list[dict[str, Any]]:
    """The orders about requests."""
    of = supervision_order.c
    return await rows(edge, supervision_order, of.sharing_request_id.is_not(None))


async def run(edge: Edge, time: Time, name: str = "unanswered") -> int:
    """How many rows the job does, when it is due again."""
    time.ahead_us += 120_000_000
    ran = await edge.hub.jobs.run(name)
    assert ran is not None
    return ran.done


# ---- scenario (e) --------------------------------------------------------------------------------


async def test_a_refusal_without_an_accepted_basis_is_listed_mediated_and_decided(
    edge: Edge,
) -> None:
    await refused_and_decided(edge)


@pytest.mark.postgres
@pytest.mark.loopback
async def test_the_same_with_postgresql_as_the_store(
    site_copy: Site, fill_store: FillStore, pg_url: str
) -> None:
    await fill_store(site_copy, pg_url)
    time = Time()
    async with over(site_copy, {**MANY, "store.url": pg_url}, clock=time) as edge:
        assert edge.hub.store.dialect.name == "postgresql"
        await open_accounts(edge)
        await refused_and_decided(edge)
        await granted_and_revoked(edge)  # an asker's day is the database's: before time passes
        await nobody_answers(edge, time)


async def refused_and_decided(edge: Edge) -> None:
    """卫健 cites its own house rules; the office does not accept that."""
    request = await reviewed(edge)
    assert (request["requestNo"], request["state"]) == ("GX2026-000001", "PROVIDER_REVIEW")
    request = await after(edge, LEAD, "refuseSharingRequest", request)
    assert (request["state"], request["dueAt"]) == ("REFUSED", None)
    request = await after(edge, DEPT, "disputeSharingRefusal", request)
    assert request["state"] == "DISPUTED"
    assert await listed(edge) == []
    request = await after(edge, OFFICE, "rejectSharingBasis", request)
    assert request["state"] == "MEDIATION"
    (entry,) = await listed(edge)
    assert entry == {
        "requestNo": "GX2026-000001",
        "reason": "BASIS_REJECTED",
        "state": "MEDIATION",
        "open": True,
        "daysLate": None,
        "dueAt": None,
        "provider": {"code": "hea"},
        "owedBy": {"code": "hea"},
        "request": {"state": "MEDIATION"},
    }
    request = await after(edge, OFFICE, "decideSharingRequest", request)
    assert request["state"] == "DECIDED"
    assert await listed(edge, open=True) == []
    (entry,) = await listed(edge, reason="BASIS_REJECTED", provider="hea")
    assert entry["request"] == {"state": "DECIDED"}
    assert await health(edge) == DENIED  # a decision is no grant
    acts = [
        (row["act"], row["post"])
        for row in sorted(await rows(edge, sharing_request_event), key=lambda row: row["seq"])
    ]
    assert acts == [
        ("SUBMIT", "mca/dept/532622"),
        ("RECEIVE", "system"),
        ("REVIEW", "rev/authority/532622"),
        ("REFUSE", "hea/lead/532622"),
        ("DISPUTE", "mca/dept/532622"),
        ("REJECT_BASIS", "rev/office/532622"),
        ("DECIDE", "rev/office/532622"),
    ]


async def test_an_unanswered_request_is_listed_and_urged_once_and_never_granted(
    edge: Edge, time: Time
) -> None:
    await nobody_answers(edge, time)


async def nobody_answers(edge: Edge, time: Time) -> None:
    """However often the job runs there is one entry and one order, and the asker is denied."""
    before = len(await urges(edge))
    request = await reviewed(edge)
    number = request["requestNo"]
    assert await run(edge, time) == 0
    time.pass_days(30)
    assert await run(edge, time) == 1
    assert [await run(edge, time) for _ in range(3)] == [0, 0, 0]
    (entry,) = await listed(edge, reason="OVERDUE", open=True)
    late = entry.pop("daysLate")
    assert entry == {
        "requestNo": number,
        "reason": "OVERDUE",
        "state": "PROVIDER_REVIEW",
        "open": True,
        "dueAt": request["dueAt"],
        "provider": {"code": "hea"},
        "owedBy": {"code": "hea"},
        "request": {"state": "PROVIDER_REVIEW"},
    }
    assert 1 <= late <= 20
    (order,) = (await urges(edge))[before:]
    assert (order["kind"], order["state"], order["handling_dept"]) == ("URGE", "ISSUED", "hea")
    assert (order["case_id"], order["applicant_uid"]) == (None, None)

    time.pass_days(2)  # two days nobody ran it
    assert await run(edge, time) == 1
    assert (await listed(edge, reason="OVERDUE", open=True))[0]["daysLate"] == late + 2
    assert len(await urges(edge)) == before + 1
    assert await rows(edge, share_grant, share_grant.c.request_id == number) == []
    assert await health(edge) == DENIED

    text = "query($no: String!) { sharingRequest(requestNo: $no) { version state overdue } }"
    seen = (await post(edge, DEPT, text, {"no": number})).json()["data"]["sharingRequest"]
    # What he has seen of it still holds: nobody has decided anything.
    assert seen == {"state": "PROVIDER_REVIEW", "overdue": True, "version": request["version"]}
    refused = await after(edge, LEAD, "refuseSharingRequest", request)
    assert (refused["state"], refused["overdue"]) == ("REFUSED", True)
    (entry,) = await listed(edge, reason="OVERDUE")
    assert (entry["open"], entry["daysLate"]) == (False, late + 2)


async def test_two_workers_that_run_the_job_make_one_entry_and_one_order(
    edge: Edge, time: Time
) -> None:
    await reviewed(edge)
    time.pass_days(30)
    async with over(edge.site, MANY, clock=time) as other:
        done = [await hub.jobs.run("unanswered", now=True) for hub in (edge.hub, other.hub)]
    assert [one.done for one in done if one is not None] == [1, 0]
    assert len(await listed(edge)) == len(await urges(edge)) == 1


async def test_each_late_step_has_an_entry_and_all_of_them_one_order(
    edge: Edge, time: Time
) -> None:
    request = await submitted(edge)
    time.pass_days(10)
    assert await run(edge, time) == 1
    await after(edge, AUTHORITY, "reviewSharingRequest", request)
    time.pass_days(30)
    assert await run(edge, time) == 1
    found = {(one["state"], one["owedBy"]["code"], one["open"]) for one in await listed(edge)}
    assert found == {("COMPLIANCE_REVIEW", "rev", False), ("PROVIDER_REVIEW", "hea", True)}
    (order,) = await urges(edge)
    assert len(order["triggers"].split("\n")) == 2


async def test_a_late_answer_that_no_job_has_met_is_listed_by_the_answer_itself(
    edge: Edge, time: Time
) -> None:
    request = await reviewed(edge)
    time.pass_days(30)
    await after(edge, LEAD, "refuseSharingRequest", request)
    (entry,) = await listed(edge)
    assert (entry["reason"], entry["open"], entry["daysLate"] > 0) == ("OVERDUE", False, True)
    assert await run(edge, time) == 0
    assert await urges(edge) == []


async def test_the_order_of_a_request_goes_the_way_of_every_order(edge: Edge, time: Time) -> None:
    await reviewed(edge)
    time.pass_days(30)
    await run(edge, time)
    (order,) = await urges(edge)
    text = """mutation($in: SignSupervisionInput!) { done: signSupervision(input: $in) {
      ... on SupervisionChanged { order { state case { caseNo } } } } }"""
    given = {"in": {"orderNo": order["order_no"], "version": 1}}
    answer = await post(edge, LEAD, text, given, "aid.review")
    assert answer.json()["data"]["done"]["order"] == {"state": "SIGNED", "case": None}
    asked = """{ supervisionOrders(filter: {kind: URGE}) { nodes {
      orderNo sharingRequest { requestNo } } } }"""
    seen = (await post(edge, OFFICE, asked, {}, "supervise")).json()["data"]
    nodes = {one["orderNo"]: one["sharingRequest"] for one in seen["supervisionOrders"]["nodes"]}
    assert order["order_no"] in nodes


# ---- a grant -------------------------------------------------------------------------------------


async def test_a_grant_is_there_on_a_second_workers_next_request_and_gone_on_revocation(
    edge: Edge,
) -> None:
    await granted_and_revoked(edge)


async def granted_and_revoked(edge: Edge) -> None:
    """The right is a row of the policy, signed by two people."""
    settings = {**MANY, "store.url": edge.hub.settings.store_url}
    async with over(edge.site, settings) as other:
        request = await reviewed(edge)
        assert (await health(edge), await health(other)) == (DENIED, DENIED)
        request = await after(edge, LEAD, "grantSharingRequest", request)
        assert request["state"] == "ACTIVE"
        assert await health(edge) != DENIED
        assert await becomes(other, SHOWN)
        (row,) = await rows(
            edge, sharing_request, sharing_request.c.request_no == request["requestNo"]
        )
        (grant,) = await rows(edge, share_grant, share_grant.c.id == row["grant_id"])
        assert (grant["request_id"], grant["written_by"], grant["approved_by"]) == (
            *(request["requestNo"], DEPT),
            LEAD,
        )
        assert (grant["consumer"], grant["provider"], grant["state"]) == ("mca", "hea", "ACTIVE")
        assert await health(edge, TOWN) == DENIED  # a department asked, no township

        request = await after(edge, LEAD, "revokeSharing", request)
        assert request["state"] == "REVOKED"
        assert await health(edge) == DENIED
        assert await becomes(other, DENIED)


async def test_part_of_what_was_asked_is_granted_with_its_reason(edge: Edge) -> None:
    request = await reviewed(edge, actions=["read", "unmask"])
    more = {"actions": ["read"], "until": "2026-12-31", "reason": "SCOPE_EXCESSIVE"}
    without = await moved(
        edge, LEAD, "grantSharingRequestPartly", request, "... on BasisMissing { message }", **more
    )
    assert without.json()["data"]["done"]["__typename"] == "BasisMissing"
    wide = await moved(
        edge,
        LEAD,
        "grantSharingRequestPartly",
        request,
        reason="SCOPE_EXCESSIVE",
        basis="个人信息保护法第六条",
        actions=["read", "export"],
    )
    assert code(wide) == ("BAD_USER_INPUT", "VARIABLE")
    request = await after(
        edge, LEAD, "grantSharingRequestPartly", request, basis="个人信息保护法第六条", **more
    )
    text = """query($no: String!) { sharingRequest(requestNo: $no) { state actions
      grantedActions grantedUntil refusal refusalBasis events { act } } }"""
    answer = await post(edge, DEPT, text, {"no": request["requestNo"]})
    assert answer.json()["data"]["sharingRequest"] == {
        "state": "ACTIVE",
        "actions": "read|unmask",
        "grantedActions": "read",
        "grantedUntil": "2026-12-31",
        "refusal": "SCOPE_EXCESSIVE",
        "refusalBasis": "个人信息保护法第六条",
        "events": [
            {"act": act}
            for act in ("SUBMIT", "RECEIVE", "REVIEW", "GRANT_PARTLY", "PROVISION", "ACTIVATE")
        ],
    }


async def test_a_grant_begins_and_ends_on_its_days(edge: Edge, time: Time) -> None:
    day = (time.now()).date().isoformat()
    begins = _day(time, 5)
    ends = _day(time, 8)
    request = await reviewed(edge, since=day, until=ends)
    request = await after(edge, LEAD, "grantSharingRequest", request, since=begins)
    assert request["state"] == "PROVISIONED"
    assert await health(edge) == DENIED
    assert await run(edge, time, "terms") == 0
    time.pass_days(6)
    assert [await run(edge, time, "terms") for _ in range(2)] == [1, 0]
    (row,) = await rows(edge, sharing_request)
    assert row["state"] == "ACTIVE"
    time.pass_days(4)
    assert [await run(edge, time, "terms") for _ in range(2)] == [1, 0]
    (row,) = await rows(edge, sharing_request)
    assert (row["state"], row["closed_at"] is not None) == ("EXPIRED", True)


async def test_a_first_day_behind_the_time_to_provide_it_is_refused(edge: Edge, time: Time) -> None:
    request = await reviewed(edge)
    late = await moved(edge, LEAD, "grantSharingRequest", request, since=_day(time, 60))
    assert code(late) == ("BAD_USER_INPUT", "VARIABLE")
    assert await rows(edge, share_grant) == []


async def test_a_renewal_takes_the_place_of_what_it_renews(edge: Edge) -> None:
    old = await after(edge, LEAD, "grantSharingRequest", await reviewed(edge))
    new = await reviewed(edge, until="2028-10-31", renews=old["requestNo"])
    new = await after(edge, LEAD, "grantSharingRequest", new)
    found = {
        row["request_no"]: (row["state"], row["granted_until"].isoformat())
        for row in await rows(edge, sharing_request)
    }
    assert found == {
        old["requestNo"]: ("RENEWED", "2027-10-31"),
        new["requestNo"]: ("ACTIVE", "2028-10-31"),
    }
    states = {row["request_id"]: row["state"] for row in await rows(edge, share_grant)}
    assert states == {old["requestNo"]: "REVOKED", new["requestNo"]: "ACTIVE"}
    assert await health(edge) != DENIED
    again = await act(edge, DEPT, "submitSharingRequest", {**ASKED, "renews": old["requestNo"]})
    assert code(again) == ("BAD_USER_INPUT", "VARIABLE")


async def test_what_is_shared_without_conditions_is_granted_with_its_review(edge: Edge) -> None:
    asked: dict[str, Any] = {"object": "Household.water", "actions": ["read"]}
    request = await reviewed(edge, **asked)
    assert request["state"] == "ACTIVE"
    (grant,) = await rows(edge, share_grant)
    assert (grant["object"], grant["provider"], grant["written_by"], grant["approved_by"]) == (
        *("Household.water", "wat"),
        *(DEPT, AUTHORITY),
    )
    more = await reviewed(edge, object="Household.water", actions=["read", "unmask"])
    assert more["state"] == "PROVIDER_REVIEW"
    doubtful = await after(
        edge,
        AUTHORITY,
        "reviewSharingRequest",
        await submitted(edge, **asked),
        compliant=False,
        opinion="范围过宽",
    )
    assert doubtful["state"] == "PROVIDER_REVIEW"


# ---- what is no valid answer ---------------------------------------------------------------------


async def test_a_refusal_without_a_basis_is_none(edge: Edge) -> None:
    request = await reviewed(edge)
    selection = "... on BasisMissing { message }"
    for basis in (None, "", "  "):
        answer = await moved(edge, LEAD, "refuseSharingRequest", request, selection, basis=basis)
        assert answer.json()["data"]["done"]["__typename"] == "BasisMissing"
    (row,) = await rows(edge, sharing_request)
    assert (row["state"], row["version"], row["refusal"]) == ("PROVIDER_REVIEW", 2, None)
    assert [r["op"]["name"] for r in await edge.records() if r["kind"] == "MUTATION"] == [
        "submitSharingRequest",
        "reviewSharingRequest",
    ]


async def test_what_is_not_shared_at_all_needs_a_law(edge: Edge) -> None:
    from store.sharing import reclassify

    async with edge.hub.store.begin() as connection:
        signed = {"by": "officer-1", "approved_by": "officer-2", "basis": "个人信息保护法"}
        await reclassify(connection, "Citizen.health", "NOT_SHARED", **signed)
    await edge.hub.keeper.look()
    request = await reviewed(edge)
    granted = await moved(
        edge, LEAD, "grantSharingRequest", request, "... on ObjectNotShared { message }"
    )
    assert granted.json()["data"]["done"]["__typename"] == "ObjectNotShared"
    lawless = await moved(
        edge, LEAD, "refuseSharingRequest", request, "... on LawMissing { message }"
    )
    assert lawless.json()["data"]["done"]["__typename"] == "LawMissing"
    for law in ("GBT_39477", "NO_SUCH"):
        answer = await moved(edge, LEAD, "refuseSharingRequest", request, law=law)
        assert code(answer) == ("BAD_USER_INPUT", "VARIABLE")
    given = {"reason": "LAW_FORBIDS", "basis": "个人信息保护法第二十八条", "law": "PIPL_ART_28"}
    refused = await after(edge, LEAD, "refuseSharingRequest", request, **given)
    assert refused["state"] == "REFUSED"
    assert await rows(edge, share_grant) == []


async def test_who_filed_it_answers_it_with_no_post(edge: Edge) -> None:
    request = await reviewed(edge, BOTH)
    selection = "... on SecondPersonNeeded { message }"
    for name in ("grantSharingRequest", "refuseSharingRequest"):
        answer = await moved(edge, BOTH, name, request, selection)
        assert answer.json()["data"]["done"]["__typename"] == "SecondPersonNeeded"
    assert await rows(edge, share_grant) == []
    assert (await after(edge, LEAD, "grantSharingRequest", request))["state"] == "ACTIVE"


async def test_a_provider_has_more_time_once(edge: Edge, time: Time) -> None:
    request = await reviewed(edge)
    longer = await after(edge, LEAD, "extendSharingRequest", request)
    assert longer["state"] == "PROVIDER_REVIEW"
    assert longer["dueAt"] > request["dueAt"]
    again = await moved(edge, LEAD, "extendSharingRequest", longer)
    assert code(again) == ("CONFLICT", "STATE")
    assert "EXTEND" not in again.json()["errors"][0]["extensions"]["allowed"]
    late = await reviewed(edge)
    time.pass_days(30)
    answer = await moved(edge, LEAD, "extendSharingRequest", late)
    assert code(answer) == ("CONFLICT", "STATE")


async def test_what_could_never_be_granted_is_not_taken(edge: Edge) -> None:
    wrong: tuple[dict[str, object], ...] = (
        {"object": "Citizen.nothing"},
        {"actions": ["write"]},
        {"actions": []},
        {"purposes": ["*"]},
        {"purposes": ["self"], "actions": ["tally"]},
        {"until": "2026-10-31"},
        {"object": "Citizen.civil_affairs"},
        {"provider": "hrss"},
        {"renews": "GX2026-999999"},
        {"basis": " "},
    )
    for more in wrong:
        answer = await act(edge, DEPT, "submitSharingRequest", {**ASKED, **more})
        assert (answer.status_code, code(answer)) == (400, ("BAD_USER_INPUT", "VARIABLE")), more
    assert await rows(edge, sharing_request) == []


# ---- who sees and does what ----------------------------------------------------------------------


async def test_both_departments_the_authority_and_the_office_see_it_and_nobody_else(
    edge: Edge,
) -> None:
    request = await reviewed(edge)
    text = "{ sharingRequests { nodes { requestNo requester { code } provider { code } } } }"
    mine = {
        "requestNo": request["requestNo"],
        "requester": {"code": "mca"},
        "provider": {"code": "hea"},
    }
    for who in (DEPT, LEAD, AUTHORITY, OFFICE):
        answer = await post(edge, who, text, {})
        assert answer.json()["data"]["sharingRequests"]["nodes"] == [mine], who
    answer = await post(edge, OTHER_LEAD, text, {})
    assert answer.json()["data"]["sharingRequests"]["nodes"] == []
    refused = await moved(edge, OTHER_LEAD, "grantSharingRequest", request)
    assert (refused.status_code, code(refused)[0]) == (404, "NOT_FOUND")
    for who, name in (
        (DEPT, "grantSharingRequest"),
        (DEPT, "reviewSharingRequest"),
        (OFFICE, "grantSharingRequest"),
        (AUTHORITY, "refuseSharingRequest"),
        (LEAD, "disputeSharingRefusal"),
        (LEAD, "decideSharingRequest"),
    ):
        answer = await moved(edge, who, name, request)
        assert (answer.status_code, code(answer)[0]) == (403, "FORBIDDEN"), (who, name)
    hidden = await post(edge, DEPT, "{ refusedOrUnanswered { nodes { requestNo } } }", {})
    assert code(hidden)[0] == "FORBIDDEN"


async def test_a_stale_version_and_a_repeated_key_change_nothing_twice(edge: Edge) -> None:
    request = await reviewed(edge)
    stale = {**request, "version": 1}
    answer = await moved(edge, LEAD, "grantSharingRequest", stale)
    assert code(answer) == ("CONFLICT", "VERSION")
    token = edge.hub.tokens.issue(LEAD, ["share"])
    headers = {"Authorization": f"Bearer {token}", "X-Purpose": "share"}
    headers |= {"Idempotency-Key": "grant-0001", "Accept": "application/graphql-response+json"}
    text = """mutation($in: GrantSharingRequestInput!) { done: grantSharingRequest(input: $in) {
      __typename ... on SharingRequestChanged { request { requestNo state version } } } }"""
    given = {"requestNo": request["requestNo"], "version": request["version"]}
    body = {"query": text, "variables": {"in": given}}
    twice = [await edge.http.post("/graphql", json=body, headers=headers) for _ in range(2)]
    assert [changed(answer)["state"] for answer in twice] == ["ACTIVE", "ACTIVE"]
    assert len(await rows(edge, share_grant)) == 1


async def test_a_deed_says_what_changed_and_no_word_of_it(edge: Edge) -> None:
    request = await after(edge, LEAD, "refuseSharingRequest", await reviewed(edge))
    deed = [r for r in await edge.records() if r["kind"] == "MUTATION"][-1]
    assert deed["op"] == {
        "name": "refuseSharingRequest",
        "type": "mutation",
        "vars": {
            "before": "PROVIDER_REVIEW",
            "after": "REFUSED",
            "changed": "state,due_at,refusal,refusal_basis,law,answered_by,answered_at",
        },
    }
    assert deed["case"] == request["requestNo"]
    assert "内部规定" not in str(await edge.records())


async def test_a_grant_revoked_by_hand_ends_its_request(edge: Edge, time: Time) -> None:
    from store.sharing import revoke_grant

    await after(edge, LEAD, "grantSharingRequest", await reviewed(edge))
    (row,) = await rows(edge, sharing_request)
    async with single(edge.hub.settings.store_url) as connection:
        await revoke_grant(connection, row["grant_id"], by="secadmin-1", basis="泄露")
    assert [await run(edge, time, "terms") for _ in range(2)] == [1, 0]
    (row,) = await rows(edge, sharing_request)
    assert row["state"] == "REVOKED"
    assert await rows(edge, sharing_fault) == []


def _day(time: Time, days: int) -> str:
    from datetime import timedelta

    return (time.now() + timedelta(days=days)).date().isoformat()
