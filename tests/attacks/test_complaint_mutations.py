"""Complaints and spot checks: what is not seen is not changed, and the echo is a query's answer."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import func, select

from catalog.workdays import ZONE
from hub.demo.site import Site
from schema.mutation import COMPLAINTS, SPOT_CHECKS
from store.complaints import complaint
from store.engine import single
from store.spot_checks import spot_check_item
from tests.casework import ACCEPT, DEPT, MANY, NEIGHBOUR, TOWN, VILLAGE, code, do, filed
from tests.complaints import (
    CHECKED,
    DRAWN,
    OFFICE,
    TURNED,
    TURNS,
    closed_case,
    complained,
    complaint_after,
    turned,
)
from tests.sites import copied
from tests.trusted import Edge, over

pytestmark = [pytest.mark.anyio]

ITEMS: Mapping[str, Mapping[str, object]] = {
    "checkSpotCheckItem": {"inOrder": True, "finding": "越权尝试"},
    "orderRectification": {"reason": "越权尝试"},
    "rectifySpotCheckItem": {"rootCause": "越权尝试", "measure": "越权尝试"},
    "closeSpotCheckItem": {},
}
"""Mutation of an item -> what it takes beside the number and the version."""
WHOLE = """complaintNo kind state version outcome channel dueAt overdue body answer
  complainant { name idNumber phone address } case { caseNo body }
  events { nodes { act note post } } access { field state }"""
"""What a curious clerk would ask of a complaint."""
ITEM = """itemNo state lot finding demand rootCause measure spotCheck { seed population }
  case { caseNo body applicant { name idNumber } } access { field state }"""


@pytest.fixture
async def edge(pristine: Site, tmp_path: Path) -> AsyncIterator[Edge]:
    async with over(copied(pristine, tmp_path / "site"), MANY) as made:
        yield made


async def row(edge: Edge, number: str) -> dict[str, Any]:
    """The complaint as the store has it."""
    async with single(edge.site.store_url, readonly=True) as conn:
        found = await conn.execute(select(complaint).where(complaint.c.complaint_no == number))
        return dict(found.mappings().one())


async def count(edge: Edge, table: Any) -> int:
    """How many rows a table has."""
    async with single(edge.site.store_url, readonly=True) as conn:
        return int(await conn.scalar(select(func.count()).select_from(table)) or 0)


async def asked(edge: Edge, account: str, text: str, **variables: object) -> Any:
    """The data an account is answered."""
    body = {"query": text, "variables": variables}
    answer = await edge.http.post("/graphql", json=body, headers=edge.headers(account) | ACCEPT)
    return answer.json()["data"]


async def listed(edge: Edge) -> list[int]:
    """How many complaints village, township, neighbour, department and office may list."""
    text = "{ complaints(filter: {kind: COMPLAINT}) { totalCount } }"
    found = [await asked(edge, who, text) for who in (VILLAGE, TOWN, NEIGHBOUR, DEPT, OFFICE)]
    return [one["complaints"]["totalCount"] for one in found]


async def drawn(edge: Edge) -> dict[str, Any]:
    """An item of a draw of the department's cases of this month."""
    month = f"{datetime.now(ZONE):%Y-%m}"
    given = {"seed": "种子", "size": 1, "month": month, "department": "mca"}
    answer = await do(edge, OFFICE, "drawSpotCheck", given, DRAWN)
    found: dict[str, Any] = answer.json()["data"]["done"]["spotCheck"]["items"]["nodes"][0]
    return found


def test_every_mutation_is_attacked() -> None:
    assert {"fileComplaint", *TURNS} == COMPLAINTS.keys()
    assert {"drawSpotCheck", *ITEMS} == SPOT_CHECKS.keys()


# ---- complaints --------------------------------------------------------------------------------


@pytest.mark.parametrize("account", [NEIGHBOUR, "auditor-01", "authority-01"])
async def test_nobody_changes_what_he_does_not_see_nor_learns_that_it_is_there(
    edge: Edge, account: str
) -> None:
    made = await complained(edge, (await filed(edge))["caseNo"])
    before = await row(edge, made["complaintNo"])
    for name in TURNS:
        mine = await turned(edge, account, made, name)
        none = await turned(edge, account, {**made, "complaintNo": "TS2026-999999"}, name)
        assert (mine.status_code, none.status_code) == (404, 404), name
        assert code(mine) == code(none) == ("NOT_FOUND", None)
        said = [answer.json()["errors"][0]["message"] for answer in (mine, none)]
        assert said[0] == said[1]
    assert await row(edge, made["complaintNo"]) == before


@pytest.mark.parametrize("account", [NEIGHBOUR, "auditor-01", "authority-01"])
async def test_nobody_complains_about_a_case_or_for_a_person_he_does_not_see(
    edge: Edge, account: str
) -> None:
    case, before = await filed(edge), await count(edge, complaint)
    about: list[dict[str, object]] = [
        {"caseNo": case["caseNo"]},
        {"caseNo": "SQ2026-999999"},
        {"citizen": edge.site.shown("zhelai").citizen},
        {"citizen": "0" * 32},
    ]
    said = []
    for what in about:
        given = {"kind": "PRIVACY_OBJECTION", "body": "越权尝试", **what}
        answer = await do(edge, account, "fileComplaint", given, TURNED)
        assert (answer.status_code, code(answer)) == (404, ("NOT_FOUND", None)), what
        said.append(answer.json()["errors"][0]["message"])
    assert (said[0], said[2]) == (said[1], said[3])
    assert await count(edge, complaint) == before
    query = "query($no: String!) { case(caseNo: $no) { hasComplaint version } }"
    seen = await asked(edge, TOWN, query, no=case["caseNo"])
    assert seen["case"] == {"hasComplaint": False, "version": 1}


@pytest.mark.parametrize(
    ("account", "name"),
    [
        *((VILLAGE, name) for name in TURNS if name != "escalateComplaint"),
        *((TOWN, name) for name in TURNS if name != "escalateComplaint"),
        *((DEPT, name) for name in ("assignComplaint", "escalateComplaint", "closeComplaint")),
        *((OFFICE, name) for name in ("answerComplaint", "notifyComplaint", "escalateComplaint")),
        *(("lab", name) for name in TURNS),
    ],
)
async def test_who_reads_a_complaint_does_not_handle_it_for_that(
    edge: Edge, account: str, name: str
) -> None:
    made = await complained(edge, (await filed(edge, "TEMP_AID"))["caseNo"])
    made = await complaint_after(edge, OFFICE, made, "assignComplaint")
    before = await row(edge, made["complaintNo"])
    answer = await turned(edge, account, made, name)
    assert (answer.status_code, code(answer)[0]) == (403, "FORBIDDEN")
    assert await row(edge, made["complaintNo"]) == before


@pytest.mark.parametrize("account", [OFFICE, DEPT])
async def test_the_office_and_the_departments_file_for_nobody(edge: Edge, account: str) -> None:
    case, before = await filed(edge, "TEMP_AID"), await count(edge, complaint)
    given = {"kind": "COMPLAINT", "caseNo": case["caseNo"], "body": "越权尝试"}
    answer = await do(edge, account, "fileComplaint", given, TURNED)
    assert (answer.status_code, code(answer)[0]) == (403, "FORBIDDEN")
    assert await count(edge, complaint) == before


async def test_a_township_does_not_read_what_is_complained_of_it(edge: Edge) -> None:
    """Until it is assigned to it: it knows that there is a complaint, and no word of it."""
    before = await listed(edge)
    made = await complained(edge, (await filed(edge, "TEMP_AID"))["caseNo"])
    query = f"query($no: String!) {{ complaint(complaintNo: $no) {{ {WHOLE} }} }}"
    for account in (VILLAGE, TOWN):
        seen = (await asked(edge, account, query, no=made["complaintNo"]))["complaint"]
        assert (seen["complaintNo"], seen["body"]) == (made["complaintNo"], None)
        assert {"field": "body", "state": "DENIED"} in seen["access"]
    theirs = (await asked(edge, DEPT, query, no=made["complaintNo"]))["complaint"]
    assert theirs["body"] is None
    assert {"field": "body", "state": "MASKED"} in theirs["access"]  # 审核 without a number
    await complaint_after(edge, OFFICE, made, "assignComplaint", department="rev")
    assert await asked(edge, DEPT, query, no=made["complaintNo"]) == {"complaint": None}
    assigned = (await asked(edge, TOWN, query, no=made["complaintNo"]))["complaint"]
    assert assigned["body"] == "窗口推诿，要求说明"
    more = [now - then for now, then in zip(await listed(edge), before, strict=True)]
    assert more == [1, 1, 0, 0, 1]


async def test_the_echo_is_what_a_query_by_the_same_asker_is_answered(edge: Edge) -> None:
    made = await complained(edge, (await filed(edge, "TEMP_AID"))["caseNo"])
    query = f"query($no: String!) {{ complaint(complaintNo: $no) {{ {WHOLE} }} }}"
    for account, name in ((OFFICE, "assignComplaint"), (DEPT, "answerComplaint")):
        selection = f"... on ComplaintChanged {{ complaint {{ {WHOLE} }} }}"
        answer = await turned(edge, account, made, name, selection)
        echo = answer.json()["data"]["done"]["complaint"]
        assert echo == (await asked(edge, account, query, no=made["complaintNo"]))["complaint"]
        assert (echo["body"], echo["complainant"]["idNumber"]) == (None, None)
        deed, read, query_read = (await edge.records())[-3:]
        assert deed["kind"] == "MUTATION"
        assert read["subjects"] == query_read["subjects"]
        masked = [
            [r["masked"] for r in one["reads"] if "masked" in r] for one in (read, query_read)
        ]
        assert masked[0] == masked[1]
        made = {**made, "version": echo["version"]}


async def test_the_office_reads_an_objection_about_no_case_by_its_own_number(edge: Edge) -> None:
    made = await complained(edge, None, "PRIVACY_OBJECTION")
    text = "query($no: String!) { complaint(complaintNo: $no) { body case { caseNo } } }"
    body = {"query": text, "variables": {"no": made["complaintNo"]}}
    told = []
    for more in ({}, {"X-Case-No": made["complaintNo"]}):
        headers = edge.headers(OFFICE) | ACCEPT | more
        answer = await edge.http.post("/graphql", json=body, headers=headers)
        told.append(answer.json()["data"]["complaint"])
    assert told == [{"body": None, "case": None}, {"body": "窗口推诿，要求说明", "case": None}]
    headers = edge.headers(NEIGHBOUR) | ACCEPT | {"X-Case-No": made["complaintNo"]}
    refused = await edge.http.post("/graphql", json=body, headers=headers)
    assert (refused.status_code, code(refused)) == (403, ("FORBIDDEN", "CASE"))


# ---- reopening ---------------------------------------------------------------------------------


@pytest.mark.parametrize("account", [VILLAGE, TOWN, DEPT, "lab"])
async def test_only_the_office_reopens_a_case(edge: Edge, account: str) -> None:
    case = await closed_case(edge)
    appeal = await complained(edge, case["caseNo"], "APPEAL")
    for who, name in (
        (OFFICE, "assignComplaint"),
        (DEPT, "answerComplaint"),
        (DEPT, "notifyComplaint"),
        (OFFICE, "closeComplaint"),
    ):
        more = {"outcome": "UPHELD"} if name == "answerComplaint" else {}
        appeal = await complaint_after(edge, who, appeal, name, **more)
    seen = {"caseNo": case["caseNo"], "version": case["version"] + 1}
    given = {**seen, "reason": "越权尝试", "appealNo": appeal["complaintNo"]}
    answer = await do(edge, account, "reopenCase", given)
    assert (answer.status_code, code(answer)[0]) == (403, "FORBIDDEN")
    assert (await row(edge, appeal["complaintNo"]))["reopened_at"] is None
    done = await do(edge, OFFICE, "reopenCase", given)
    assert done.json()["data"]["done"]["case"]["state"] == "REOPENED"


# ---- spot checks -------------------------------------------------------------------------------


@pytest.mark.parametrize("account", [NEIGHBOUR, VILLAGE, "auditor-01", "authority-01"])
async def test_nobody_touches_an_item_he_does_not_see_nor_learns_that_it_is_there(
    edge: Edge, account: str
) -> None:
    await closed_case(edge)
    item = await drawn(edge)
    for name, more in ITEMS.items():
        keys = {"itemNo": item["itemNo"], "version": 1}
        mine = await do(edge, account, name, {**keys, **more}, CHECKED)
        other = {**keys, "itemNo": "CC2026-999999-001", **more}
        none = await do(edge, account, name, other, CHECKED)
        assert (mine.status_code, code(mine)) == (404, ("NOT_FOUND", None)), name
        assert mine.json()["errors"][0]["message"] == none.json()["errors"][0]["message"]
    async with single(edge.site.store_url, readonly=True) as conn:
        versions = (await conn.execute(select(spot_check_item.c.version))).scalars().all()
    assert versions == [1]


@pytest.mark.parametrize("account", [VILLAGE, TOWN, NEIGHBOUR, DEPT, "auditor-01", "lab"])
async def test_only_the_office_draws(edge: Edge, account: str) -> None:
    given = {"seed": "种子", "size": 1, "month": "2026-10"}
    answer = await do(edge, account, "drawSpotCheck", given, DRAWN)
    assert (answer.status_code, code(answer)[0]) == (403, "FORBIDDEN")
    assert await count(edge, spot_check_item) == 0


@pytest.mark.parametrize(
    ("account", "name"),
    [
        *((who, name) for who in (TOWN, DEPT) for name in ITEMS if name != "rectifySpotCheckItem"),
        (OFFICE, "rectifySpotCheckItem"),
    ],
)
async def test_who_is_checked_does_not_check_and_who_checks_puts_nothing_right(
    edge: Edge, account: str, name: str
) -> None:
    await closed_case(edge)
    item = await drawn(edge)
    given = {"itemNo": item["itemNo"], "version": 1, **ITEMS[name]}
    answer = await do(edge, account, name, given, CHECKED)
    assert (answer.status_code, code(answer)[0]) == (403, "FORBIDDEN")


async def test_a_township_sees_its_items_and_nothing_of_the_population(edge: Edge) -> None:
    await closed_case(edge)
    item = await drawn(edge)
    query = f"{{ spotChecks {{ totalCount }} spotCheckItems {{ nodes {{ {ITEM} }} }} }}"
    mine = await asked(edge, TOWN, query)
    assert [one["itemNo"] for one in mine["spotCheckItems"]["nodes"]] == [item["itemNo"]]
    assert mine["spotCheckItems"]["nodes"][0]["spotCheck"] is None
    assert mine["spotChecks"] is None or mine["spotChecks"]["totalCount"] == 0
    theirs = await asked(edge, NEIGHBOUR, query)
    assert theirs["spotCheckItems"]["nodes"] == []
    (known,) = (await asked(edge, DEPT, query))["spotCheckItems"]["nodes"]
    assert known["spotCheck"] == {"seed": "种子", "population": None}


async def test_an_items_echo_is_what_a_query_by_the_same_asker_is_answered(edge: Edge) -> None:
    await closed_case(edge)
    item = await drawn(edge)
    keys = {"itemNo": item["itemNo"], "version": 1}
    selection = f"... on SpotCheckItemChanged {{ item {{ {ITEM} }} }}"
    given = {**keys, "inOrder": True, "finding": "材料齐全"}
    answer = await do(edge, OFFICE, "checkSpotCheckItem", given, selection)
    echo = answer.json()["data"]["done"]["item"]
    query = f"{{ spotCheckItems(filter: {{state: CHECKED}}) {{ nodes {{ {ITEM} }} }} }}"
    assert (await asked(edge, OFFICE, query))["spotCheckItems"]["nodes"] == [echo]
    assert (echo["finding"], echo["case"]["applicant"]["idNumber"]) == (None, None)
