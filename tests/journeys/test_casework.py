"""Casework over HTTP: a case from its filing to its follow-up, and what is refused on the way."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Mapping

import pytest
from sqlalchemy import func, select

from hub.demo.site import Site
from store.cases import case_event, case_file
from store.deeds import deed_receipt
from store.engine import single
from tests.casework import (
    ACCEPT,
    DEPT,
    MANY,
    MORE,
    NEIGHBOUR,
    TOWN,
    VILLAGE,
    Time,
    code,
    do,
    filed,
    filing,
)
from tests.trusted import Edge, over

pytestmark = [pytest.mark.anyio]

APPROVED_PATH = (
    (TOWN, "acceptCase", "opinion", "ACCEPTED"),
    (TOWN, "visitCase", "findings", "VERIFYING"),
    (TOWN, "deliberateCase", "opinion", "DELIBERATING"),
    (TOWN, "publishCase", "opinion", "NOTICING"),
    (TOWN, "reviewCase", "opinion", "TOWNSHIP_REVIEWED"),
    (DEPT, "presentCase", "opinion", "APPROVING"),
    (DEPT, "approveCase", "conclusion", "APPROVED"),
    (DEPT, "deliverCase", "measure", "DELIVERING"),
    (DEPT, "closeCase", "result", "CLOSED"),
    (VILLAGE, "followUpCase", "result", "FOLLOWED_UP"),
)
"""A 低保 case: who does what, the text it needs, the state it leads to."""


@pytest.fixture
def time() -> Time:
    return Time()


@pytest.fixture
async def edge(site_copy: Site, time: Time) -> AsyncIterator[Edge]:
    async with over(site_copy, MANY, clock=time) as made:
        yield made


async def test_a_case_from_its_filing_to_its_follow_up(edge: Edge, time: Time) -> None:
    case = await filed(edge)
    assert (case["state"], case["version"]) == ("ROUTED", 1)
    number = case["caseNo"]
    assert number == "SQ2026-000001"
    for version, (account, name, needed, state) in enumerate(APPROVED_PATH, start=1):
        given = {"caseNo": number, "version": version, needed: "同意办理", **MORE.get(name, {})}
        if name == "reviewCase":
            running = await do(edge, account, name, given, "... on NoticeRunning { until }")
            assert running.json()["data"]["done"]["__typename"] == "NoticeRunning"
            time.pass_days(8)
        answer = await do(edge, account, name, given)
        assert answer.status_code == 200, (name, answer.text)
        done = answer.json()["data"]["done"]
        assert done["case"] == {"caseNo": number, "state": state, "version": version + 1}
        assert done["event"]["state"] == state
    async with single(edge.site.store_url, readonly=True) as conn:
        of = select(case_event.c.act, case_event.c.post).join(
            case_file, case_file.c.id == case_event.c.case_id
        )
        rows = (
            await conn.execute(of.where(case_file.c.case_no == number).order_by(case_event.c.seq))
        ).all()
        closed = await conn.scalar(
            select(case_file.c.closed_at).where(case_file.c.case_no == number)
        )
    assert [act for act, _ in rows] == [
        *(None, "ROUTE", "ACCEPT", "VISIT", "DELIBERATE", "PUBLISH", "REVIEW"),
        *("PRESENT", "APPROVE", "DELIVER", "CLOSE", "FOLLOW_UP"),
    ]
    assert [post.split("/")[1:2] or [post] for _, post in rows] == [
        [role]
        for role in (
            *("village", "system", "town", "town", "town", "town", "town"),
            *("dept", "dept", "dept", "dept", "village"),
        )
    ]
    assert closed is not None


async def test_a_deed_is_recorded_in_its_own_transaction_and_its_answer_after_it(
    edge: Edge,
) -> None:
    case = await filed(edge)
    given = {"caseNo": case["caseNo"], "version": 1, "opinion": "材料齐全"}
    await do(edge, TOWN, "acceptCase", given)
    deed, read = (await edge.records())[-2:]
    assert (deed["kind"], deed["outcome"], deed["actor"]) == ("MUTATION", "OK", TOWN)
    assert deed["op"] == {
        "name": "acceptCase",
        "type": "mutation",
        "vars": {"before": "ROUTED", "after": "ACCEPTED", "changed": "state"},
    }
    assert deed["case"] == case["caseNo"]
    assert deed["area"].startswith("532622205")
    assert len(deed["subjects"]) == 1
    assert (read["kind"], read["op"]["type"]) == ("READ", "mutation")
    assert [r["d"] for r in read["reads"]] == ["case", "case_event"]
    assert "材料齐全" not in str([deed, read])


# ---- once --------------------------------------------------------------------------------------


async def test_the_same_key_is_one_deed_and_the_same_answer(edge: Edge) -> None:
    first = await do(edge, VILLAGE, "submitCase", filing(edge), Idempotency_Key="window-3-0001")
    again = await do(edge, VILLAGE, "submitCase", filing(edge), Idempotency_Key="window-3-0001")
    assert first.json()["data"] == again.json()["data"]
    assert Counter(r["kind"] for r in (await edge.records())[-3:]) == {"MUTATION": 1, "READ": 2}
    other = filing(edge, "TEMP_AID")
    refused = await do(edge, VILLAGE, "submitCase", other, Idempotency_Key="window-3-0001")
    assert (refused.status_code, code(refused)) == (409, ("CONFLICT", "IDEMPOTENCY"))
    elsewhere = await do(edge, TOWN, "submitCase", other, Idempotency_Key="window-3-0001")
    assert elsewhere.json()["data"]["done"]["case"]["caseNo"] == "SQ2026-000002"


@pytest.mark.parametrize("key", ["short", "x" * 65, "with blank", "nul\x7fbyte-12"])
async def test_a_key_that_is_none_is_refused_before_anything_is_done(edge: Edge, key: str) -> None:
    answer = await do(edge, VILLAGE, "submitCase", filing(edge), Idempotency_Key=key)
    assert (answer.status_code, code(answer)) == (400, ("BAD_REQUEST", "HEADER"))
    assert await edge_receipts(edge) == 0


async def edge_receipts(edge: Edge) -> int:
    """How many deeds have a receipt."""
    async with single(edge.site.store_url, readonly=True) as conn:
        return int(await conn.scalar(select(func.count()).select_from(deed_receipt)) or 0)


async def test_a_receipt_names_nobody(edge: Edge) -> None:
    await filed(edge)
    async with single(edge.site.store_url, readonly=True) as conn:
        (row,) = (await conn.execute(select(deed_receipt))).mappings().all()
    person = edge.site.shown("zhelai")
    assert [v for v in (person.id18, person.name, "特困供养") if v in str(dict(row))] == []
    assert row["key"].startswith("once/")


# ---- refused -----------------------------------------------------------------------------------


async def test_who_has_seen_another_version_is_told_which_it_is(edge: Edge) -> None:
    case = await filed(edge)
    given = {"caseNo": case["caseNo"], "version": 2, "opinion": "好"}
    answer = await do(edge, TOWN, "acceptCase", given)
    assert (answer.status_code, code(answer)) == (409, ("CONFLICT", "VERSION"))
    assert answer.json()["errors"][0]["extensions"]["version"] == 1


async def test_what_the_table_does_not_list_is_refused_with_what_it_does(edge: Edge) -> None:
    case = await filed(edge)
    given = {"caseNo": case["caseNo"], "version": 1, "findings": "属实"}
    answer = await do(edge, TOWN, "visitCase", given)
    assert (answer.status_code, code(answer)) == (409, ("CONFLICT", "STATE"))
    more = answer.json()["errors"][0]["extensions"]
    assert more["state"] == "ROUTED"
    assert more["allowed"] == [*("ACCEPT", "RETURN", "REJECT", "TRANSFER", "WITHDRAW")]
    assert (await edge.records())[-1]["outcome"] == "INVALID"


async def test_a_neighbours_case_is_to_him_as_if_it_were_not_there(edge: Edge) -> None:
    case = await filed(edge)
    given = {"caseNo": case["caseNo"], "version": 1, "opinion": "好"}
    mine = await do(edge, NEIGHBOUR, "acceptCase", given)
    none = await do(edge, NEIGHBOUR, "acceptCase", given | {"caseNo": "SQ2026-999999"})
    for answer in (mine, none):
        assert (answer.status_code, code(answer)) == (404, ("NOT_FOUND", None))
    texts = [{**a.json()["errors"][0], "extensions": None} for a in (mine, none)]
    assert texts[0] == texts[1]


async def test_a_post_does_its_own_nodes_and_no_others(edge: Edge) -> None:
    case = await filed(edge)
    given = {"caseNo": case["caseNo"], "version": 1, "opinion": "好"}
    for account in (VILLAGE, DEPT):
        answer = await do(edge, account, "acceptCase", given)
        assert (answer.status_code, code(answer)) == (403, ("FORBIDDEN", "NO_RULE")), account
    assert (await edge.records())[-1]["outcome"] == "DENIED"


@pytest.mark.parametrize(
    ("change", "kind"),
    [
        ({"proxy": None}, "ConsentMissing"),
        ({"channel": "GOV_LIFTED"}, "ClueMissing"),
        ({"item": "HOSPITAL_LOOKUP"}, "ItemWithoutCase"),
    ],
)
async def test_a_business_refusal_is_an_answer_of_its_own_type(
    edge: Edge, change: Mapping[str, object], kind: str
) -> None:
    wanted = f"... on {kind} {{ message }}"
    answer = await do(edge, VILLAGE, "submitCase", filing(edge) | dict(change), wanted)
    done = answer.json()["data"]["done"]
    assert done["__typename"] == kind
    assert len(done["message"]) > 5
    assert await edge_receipts(edge) == 0
    last = (await edge.records())[-1]
    assert (last["kind"], last["outcome"], last["code"]) == ("READ", "INVALID", "REFUSED")


async def test_nobody_files_twice_for_one_item(edge: Edge) -> None:
    case = await filed(edge)
    wanted = "... on AlreadyFiled { caseNo }"
    answer = await do(edge, VILLAGE, "submitCase", filing(edge), wanted)
    assert answer.json()["data"]["done"] == {
        "__typename": "AlreadyFiled",
        "caseNo": case["caseNo"],
    }


async def test_a_text_that_is_missing_or_too_long_is_refused(edge: Edge) -> None:
    case = await filed(edge)
    for opinion in ("  ", "长" * 2_001):
        given = {"caseNo": case["caseNo"], "version": 1, "opinion": opinion}
        answer = await do(edge, TOWN, "acceptCase", given)
        assert (answer.status_code, code(answer)) == (400, ("BAD_USER_INPUT", "VARIABLE"))


async def test_a_transfer_routes_anew_and_the_citizen_files_once(edge: Edge) -> None:
    case = await filed(edge)
    given = {"caseNo": case["caseNo"], "version": 1, "reason": "属就业服务", "item": "JOB_SEEKING"}
    wanted = "... on CaseChanged { case { item state flow department { code } } event { act } }"
    answer = await do(edge, TOWN, "transferCase", given, wanted)
    assert answer.json()["data"]["done"] == {
        "__typename": "CaseChanged",
        "case": {
            "item": "JOB_SEEKING",
            "state": "ROUTED",
            "flow": "F3",
            "department": {"code": "hrss"},
        },
        "event": {"act": "TRANSFER"},
    }


async def test_two_deeds_in_one_request_are_refused(edge: Edge) -> None:
    text = (
        "mutation($in: AcceptCaseInput!) { a: acceptCase(input: $in) { __typename } "
        "b: acceptCase(input: $in) { __typename } }"
    )
    given = {"caseNo": "SQ2026-000001", "version": 1, "opinion": "好"}
    answer = await edge.http.post(
        "/graphql",
        json={"query": text, "variables": {"in": given}},
        headers=edge.headers(TOWN) | ACCEPT,
    )
    assert (answer.status_code, code(answer)) == (400, ("GRAPHQL_VALIDATION_FAILED", None))


# ---- many at once ------------------------------------------------------------------------------


async def test_of_many_who_accept_one_case_one_does_and_the_others_are_told(edge: Edge) -> None:
    case = await filed(edge)
    given = {"caseNo": case["caseNo"], "version": 1, "opinion": "好"}
    answers = await asyncio.gather(*(do(edge, TOWN, "acceptCase", given) for _ in range(32)))
    outcomes = Counter(
        a.json()["data"]["done"]["case"]["state"] if a.status_code == 200 else code(a)
        for a in answers
    )
    assert outcomes == {"ACCEPTED": 1, ("CONFLICT", "VERSION"): 31}
    async with single(edge.site.store_url, readonly=True) as conn:
        acts = select(func.count()).where(case_event.c.act == "ACCEPT")
        assert await conn.scalar(acts) == 1


async def test_numbers_have_no_gaps_and_no_doubles(edge: Edge) -> None:
    items = ("EXTREME_POVERTY", "TEMP_AID", "JOB_SEEKING", "TRAINING_SEEKING", "HOUSE_RENOVATION")
    answers = await asyncio.gather(
        *(do(edge, VILLAGE, "submitCase", filing(edge, item)) for item in items * 2)
    )
    numbers = [
        case["caseNo"]
        for a in answers
        if (case := a.json()["data"]["done"].get("case")) is not None
    ]
    assert sorted(numbers) == [f"SQ2026-{n:06d}" for n in range(1, 6)]


# ---- by REST -----------------------------------------------------------------------------------

ACCEPTING = (
    "mutation Accept($in: AcceptCaseInput!) { done: acceptCase(input: $in) "
    "{ __typename ... on CaseChanged { case { state version } } } }"
)


async def test_an_approved_mutation_is_done_by_post_and_never_by_get(edge: Edge) -> None:
    case = await filed(edge)
    document = await edge.put(ACCEPTING)
    given = {"in": {"caseNo": case["caseNo"], "version": 1, "opinion": "好"}}
    read = await edge.rest(document.label, TOWN)
    assert (read.status_code, read.json()["code"]) == (405, "METHOD_NOT_ALLOWED")
    first = await edge.rest(document.label, TOWN, json_=given, Idempotency_Key="rest-000001")
    again = await edge.rest(document.label, TOWN, json_=given, Idempotency_Key="rest-000001")
    for answer in (first, again):
        assert answer.json()["done"]["case"] == {"state": "ACCEPTED", "version": 2}
    late = await edge.rest(document.label, TOWN, json_=given)
    assert (late.status_code, late.json()["reason"]) == (409, "VERSION")
