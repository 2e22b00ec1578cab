"""Mutations: what is not seen is not changed, and whoever changes a row is shown no more of it."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select, text

from hub.demo.site import Site
from schema.mutation import CASES
from store.cases import case_file
from store.engine import single
from store.work_orders import work_order
from tests.casework import (
    ACCEPT,
    DEPT,
    MANY,
    MORE,
    NEIGHBOUR,
    TOWN,
    VILLAGE,
    code,
    do,
    filed,
    filing,
)
from tests.sites import copied
from tests.trusted import Edge, over

pytestmark = [pytest.mark.anyio]

MOVES = [name for name in CASES if name != "submitCase"]
WHOLE = """caseNo state version item body decision channel overdue
  applicant { name idNumber phone address birthDate civilAffairs { minLiving { monthlyAmount } }
    access { field state } } access { field state }"""
"""What a curious clerk would ask of a case."""


@pytest.fixture
async def edge(pristine: Site, tmp_path: Path) -> AsyncIterator[Edge]:
    async with over(copied(pristine, tmp_path / "site"), MANY) as made:
        yield made


async def row(edge: Edge, case_no: str) -> dict[str, Any]:
    """The case as the store has it."""
    async with single(edge.site.store_url, readonly=True) as conn:
        found = await conn.execute(select(case_file).where(case_file.c.case_no == case_no))
        return dict(found.mappings().one())


def given(name: str, case_no: str, version: int = 1) -> dict[str, object]:
    """An input of this mutation that fits its type."""
    more = MORE.get(name, {})
    taken = ("caseNo", "version", "item", *more)
    takes = CASES[name].takes.items()
    texts = [key for key, (kind, _) in takes if key not in taken and kind.startswith("String")]
    found: dict[str, object] = {"caseNo": case_no, "version": version}
    found |= {**dict.fromkeys(texts, "越权尝试"), **more}
    return found | ({"item": "JOB_SEEKING"} if "item" in CASES[name].takes else {})


@pytest.mark.parametrize("account", [NEIGHBOUR, "auditor-01", "authority-01"])
async def test_nobody_changes_what_he_does_not_see_nor_learns_that_it_is_there(
    edge: Edge, account: str
) -> None:
    case = await filed(edge)
    before = await row(edge, case["caseNo"])
    for name in MOVES:
        mine = await do(edge, account, name, given(name, case["caseNo"]))
        none = await do(edge, account, name, given(name, "SQ2026-999999"))
        assert (mine.status_code, none.status_code) == (404, 404), name
        assert code(mine) == code(none) == ("NOT_FOUND", None)
        said = [answer.json()["errors"][0]["message"] for answer in (mine, none)]
        assert said[0] == said[1]
    assert await row(edge, case["caseNo"]) == before


@pytest.mark.parametrize("account", [NEIGHBOUR, "auditor-01", "authority-01", VILLAGE, TOWN, DEPT])
async def test_nobody_but_the_head_or_the_office_extends_a_work_order(
    edge: Edge, account: str
) -> None:
    """Who may not see it is told that there is none; who handles it, that he may not."""
    case = await filed(edge)
    await do(edge, TOWN, "acceptCase", given("acceptCase", case["caseNo"]))
    (key,) = [o["id"] for o in await orders(edge, case["caseNo"]) if o["open"]]
    before = await orders(edge, case["caseNo"])
    asked = {"workOrder": key, "reason": "越权尝试"}
    mine = await do(edge, account, "extendWorkOrder", asked, "")
    none = await do(edge, account, "extendWorkOrder", {**asked, "workOrder": "0" * 32}, "")
    assert code(none) == ("NOT_FOUND", None)
    sees = account in (VILLAGE, TOWN, DEPT)
    assert code(mine)[0] == ("FORBIDDEN" if sees else "NOT_FOUND")
    if not sees:
        said = [answer.json()["errors"][0]["message"] for answer in (mine, none)]
        assert said[0] == said[1]
    assert await orders(edge, case["caseNo"]) == before


async def orders(edge: Edge, case_no: str) -> list[dict[str, Any]]:
    """The case's work orders as the store has them."""
    of = select(work_order).join(case_file, case_file.c.id == work_order.c.case_id)
    async with single(edge.site.store_url, readonly=True) as conn:
        found = await conn.execute(of.where(case_file.c.case_no == case_no))
        return [dict(row) for row in found.mappings()]


@pytest.mark.parametrize("account", [VILLAGE, DEPT, "office-01", "lab"])
async def test_who_reads_a_case_does_not_handle_it_for_that(edge: Edge, account: str) -> None:
    case = await filed(edge, "MIN_LIVING")
    before = await row(edge, case["caseNo"])
    name = "acceptCase"
    answer = await do(edge, account, name, given(name, case["caseNo"]))
    assert (answer.status_code, code(answer)[0]) == (403, "FORBIDDEN")
    assert await row(edge, case["caseNo"]) == before


async def test_nobody_files_for_a_person_he_does_not_see(edge: Edge) -> None:
    person = edge.site.shown("bange").citizen
    theirs = await do(edge, VILLAGE, "submitCase", filing(edge, applicant=person))
    nobody = await do(edge, VILLAGE, "submitCase", filing(edge, applicant="0" * 32))
    for answer in (theirs, nobody):
        assert (answer.status_code, code(answer)) == (404, ("NOT_FOUND", None))


async def test_the_echo_is_what_a_query_by_the_same_asker_is_answered(edge: Edge) -> None:
    case = await filed(edge)
    selection = f"... on CaseChanged {{ case {{ {WHOLE} }} }}"
    changed = await do(edge, TOWN, "acceptCase", given("acceptCase", case["caseNo"]), selection)
    query = f"query($no: String!) {{ case(caseNo: $no) {{ {WHOLE} }} }}"
    body = {"query": query, "variables": {"no": case["caseNo"]}}
    asked = await edge.http.post("/graphql", json=body, headers=edge.headers(TOWN) | ACCEPT)
    echo = changed.json()["data"]["done"]["case"]
    assert echo == asked.json()["data"]["case"]
    assert echo["applicant"]["idNumber"] is None  # no case number: nothing is unmasked
    deed, read, query_read = (await edge.records())[-3:]
    assert deed["kind"] == "MUTATION"
    assert read["subjects"] == query_read["subjects"]
    assert [r["masked"] for r in read["reads"] if "masked" in r] == [
        r["masked"] for r in query_read["reads"] if "masked" in r
    ]


async def test_a_case_that_leaves_his_scope_is_not_shown_to_him_any_more(edge: Edge) -> None:
    case = await filed(edge, "TEMP_AID")  # of 民政
    name = "transferCase"
    wanted = "... on CaseChanged { case { caseNo body } event { id note } }"
    done = await do(edge, TOWN, name, given(name, case["caseNo"]), wanted)
    assert done.json()["data"]["done"]["case"]["caseNo"] == case["caseNo"]
    query = "query($no: String!) { case(caseNo: $no) { caseNo } }"
    body = {"query": query, "variables": {"no": case["caseNo"]}}
    seen = await edge.http.post("/graphql", json=body, headers=edge.headers(DEPT) | ACCEPT)
    assert seen.json()["data"] == {"case": None}
    late = await do(edge, DEPT, "closeCase", given("closeCase", case["caseNo"], 2))
    assert (late.status_code, code(late)) == (404, ("NOT_FOUND", None))


async def test_a_purpose_that_does_not_write_writes_nothing(edge: Edge) -> None:
    case = await filed(edge)
    name = "presentCase"
    answer = await do(
        edge, TOWN, name, given(name, case["caseNo"]), X_Purpose="aid.file", X_Case_No="SQ0"
    )
    assert answer.status_code == 403
    assert (await row(edge, case["caseNo"]))["version"] == 1


# ---- no record, no deed -------------------------------------------------------------------------


async def broken(edge: Edge, on: str) -> None:
    """From now on the log takes no record of this kind: a trigger of the test's refuses it."""
    async with single(edge.site.store_url) as conn:
        await conn.execute(
            text(
                "CREATE TRIGGER broken BEFORE INSERT ON audit_event "
                f'WHEN NEW.body LIKE \'%"kind":"{on}"%\' '
                "BEGIN SELECT RAISE(ABORT, 'broken for the test'); END"
            )
        )


async def mended(edge: Edge) -> None:
    """It takes them again."""
    async with single(edge.site.store_url) as conn:
        await conn.execute(text("DROP TRIGGER broken"))


async def test_what_cannot_be_recorded_is_not_done(edge: Edge) -> None:
    case = await filed(edge)
    before = await row(edge, case["caseNo"])
    await broken(edge, "MUTATION")
    name = "acceptCase"
    answer = await do(edge, TOWN, name, given(name, case["caseNo"]))
    assert (answer.status_code, code(answer)) == (503, ("AUDIT_UNAVAILABLE", "WRITE"))
    assert "committed" not in answer.json()["errors"][0]["extensions"]
    assert await row(edge, case["caseNo"]) == before
    await mended(edge)
    again = await do(edge, TOWN, name, given(name, case["caseNo"]))
    assert again.json()["data"]["done"]["case"]["state"] == "ACCEPTED"


async def test_what_is_done_but_cannot_be_told_says_so_and_is_told_later(edge: Edge) -> None:
    case = await filed(edge)
    await broken(edge, "READ")
    name, key = "acceptCase", "desk-1-000042"
    lost = await do(edge, TOWN, name, given(name, case["caseNo"]), Idempotency_Key=key)
    assert (lost.status_code, code(lost)) == (503, ("AUDIT_UNAVAILABLE", "WRITE"))
    assert lost.json()["errors"][0]["extensions"]["committed"] is True
    assert "data" not in lost.json()
    assert (await row(edge, case["caseNo"]))["state"] == "ACCEPTED"
    await mended(edge)
    told = await do(edge, TOWN, name, given(name, case["caseNo"]), Idempotency_Key=key)
    assert told.json()["data"]["done"]["case"] == {
        "caseNo": case["caseNo"],
        "state": "ACCEPTED",
        "version": 2,
    }
    kinds = [r["kind"] for r in await edge.records() if r.get("op", {}).get("name") == name]
    assert kinds == ["MUTATION"]
