"""Corrections: who does not see one does not move it, and nobody decides for another department."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select

from hub.demo.site import Site
from schema.mutation import CORRECTIONS
from store.accounts import NewPost, NewPrincipal, seed_accounts
from store.corrections import correction
from store.engine import single
from tests.casework import ACCEPT, DEPT, MANY, NEIGHBOUR, TOWN, VILLAGE, code, filing
from tests.corrections import (
    AMOUNT,
    CHANGED,
    CORRECT,
    OFFICE,
    PHONE,
    act,
    asked,
    moved,
    request,
    requested,
    taken_to,
)
from tests.sites import copied
from tests.trusted import Edge, over

pytestmark = [pytest.mark.anyio]

MOVES = [name for name in CORRECTIONS if name != "fileCorrection"]
OTHER = "hou-dept-01"
"""A clerk of 住建, who provides no 低保."""


@pytest.fixture
async def edge(pristine: Site, tmp_path: Path) -> AsyncIterator[Edge]:
    site = copied(pristine, tmp_path / "site")
    post = NewPost("hou", "dept", "532622")
    async with single(site.store_url) as conn:
        await seed_accounts(conn, [NewPrincipal(OTHER, "official", "某某", "hou", (post,))])
    async with over(site, MANY) as made:
        yield made


async def row(edge: Edge, number: str) -> dict[str, Any]:
    """The correction as the store has it."""
    async with single(edge.site.store_url, readonly=True) as conn:
        wanted = select(correction).where(correction.c.correction_no == number)
        return dict((await conn.execute(wanted)).mappings().one())


async def by_other(edge: Edge, name: str, given: dict[str, object]) -> Any:
    """A mutation by the clerk of another department."""
    token = edge.hub.tokens.issue(OTHER, (CORRECT,), client="web")
    noun = name[0].upper() + name[1:]
    text = f"mutation Do($in: {noun}Input!) {{ done: {name}(input: $in) {{ {CHANGED} }} }}"
    headers = {"Authorization": f"Bearer {token}", "X-Purpose": CORRECT} | ACCEPT
    body = {"query": text, "variables": {"in": given}}
    return await edge.http.post("/graphql", json=body, headers=headers)


@pytest.mark.parametrize("account", [NEIGHBOUR, "auditor-01", "authority-01"])
async def test_nobody_moves_what_he_does_not_see_nor_learns_that_it_is_there(
    edge: Edge, account: str
) -> None:
    number = await requested(edge)
    before = await row(edge, number)
    found = edge.site.account(account)
    assert found is not None
    purpose = CORRECT if CORRECT in found.purposes else found.purposes[0]
    for name in MOVES:
        answers = []
        for one in (number, "JH2026-999999"):
            given: dict[str, object] = {"correctionNo": one, "version": 1}
            texts = {"opinion": "好", "reason": "好", "told": "好"}
            given |= {k: v for k, v in texts.items() if k in CORRECTIONS[name].takes}
            if name == "decideCorrection":
                given["decision"] = "REJECTED"
            if name == "confirmCorrection":
                given["asOf"] = "2026-11-01"
            if name == "notifyCorrection":
                given["channel"] = "SMS"
            answers.append(await act(edge, account, name, given, X_Purpose=purpose))
        assert [a.status_code for a in answers] == [404, 404], name
        assert {code(a) for a in answers} == {("NOT_FOUND", None)}
        said = [a.json()["errors"][0]["message"] for a in answers]
        assert said[0] == said[1]
    assert await row(edge, number) == before


async def test_nobody_files_for_a_person_he_does_not_see(edge: Edge) -> None:
    person = edge.site.shown("bange").citizen
    for one in (person, "0" * 32):
        answer = await act(edge, VILLAGE, "fileCorrection", request(edge, citizen=one))
        assert (answer.status_code, code(answer)) == (404, ("NOT_FOUND", None))


async def test_another_department_neither_sees_nor_decides(edge: Edge) -> None:
    number = await requested(edge)
    version = await taken_to(edge, number, "INVESTIGATING")
    before = await row(edge, number)
    given = {"decision": "REJECTED", "reason": "无误"}
    named: dict[str, object] = {"correctionNo": number, "version": version}
    answer = await by_other(edge, "decideCorrection", named | given)
    assert (answer.status_code, code(answer)) == (404, ("NOT_FOUND", None))
    assert await row(edge, number) == before


@pytest.mark.parametrize("account", [VILLAGE, TOWN, DEPT])
async def test_who_reads_a_correction_does_not_flag_it_for_that(edge: Edge, account: str) -> None:
    number = await requested(edge)
    answer = await moved(edge, account, "acceptCorrection", number, 1)
    assert (answer.status_code, code(answer)) == (403, ("FORBIDDEN", "NO_RULE"))
    assert (await row(edge, number))["state"] == "SUBMITTED"


async def test_the_office_does_not_decide_for_a_department_but_for_its_own_register(
    edge: Edge,
) -> None:
    theirs, own = await requested(edge), await requested(edge, PHONE)
    for number in (theirs, own):
        version = await taken_to(edge, number, "ASSIGNED")
    refused = await moved(edge, OFFICE, "investigateCorrection", theirs, version)
    assert (refused.status_code, code(refused)) == (403, ("FORBIDDEN", "OWNER"))
    done = await moved(edge, OFFICE, "investigateCorrection", own, version)
    assert done.json()["data"]["done"]["correction"]["state"] == "INVESTIGATING"
    late = await moved(edge, DEPT, "decideCorrection", own, version + 1)
    assert (late.status_code, code(late)) == (404, ("NOT_FOUND", None))


async def test_nothing_is_corrected_for_another_purpose(edge: Edge) -> None:
    answer = await act(edge, VILLAGE, "fileCorrection", request(edge), X_Purpose="aid.file")
    assert (answer.status_code, code(answer)[0]) == (403, "FORBIDDEN")
    number = await requested(edge)
    answer = await act(
        edge, TOWN, "submitCase", filing(edge), "... on CaseChanged { case { caseNo } }"
    )
    assert (answer.status_code, code(answer)[0]) == (403, "FORBIDDEN")
    wanted = "query($no: String!) { correction(correctionNo: $no) { text } }"
    shown = await asked(edge, TOWN, wanted, CORRECT, no=number)
    assert shown["data"]["correction"] == {"text": "金额与存折不符"}
    hidden = await asked(edge, TOWN, wanted, "aid.file", no=number)
    assert hidden["data"]["correction"] is None


async def test_who_has_seen_another_version_is_told_which_it_is(edge: Edge) -> None:
    number = await requested(edge)
    answer = await moved(edge, OFFICE, "acceptCorrection", number, 2)
    assert (answer.status_code, code(answer)) == (409, ("CONFLICT", "VERSION"))
    assert answer.json()["errors"][0]["extensions"]["version"] == 1


async def test_no_table_of_the_hub_has_the_value(edge: Edge) -> None:
    number = await requested(edge)
    text = "query($id: ID!) { citizen(by: {id: $id}) { civilAffairs { minLiving {"
    text += " monthlyAmount } } } }"
    shown = await asked(edge, TOWN, text, "aid.file", id=request(edge)["citizen"])
    value = shown["data"]["citizen"]["civilAffairs"]["minLiving"]["monthlyAmount"]
    version = await taken_to(edge, number, "CORRECTED_AT_SOURCE")
    await moved(edge, OFFICE, "replayCorrection", number, version)
    assert (await row(edge, number))["coordinate"] == AMOUNT
    async with single(edge.site.store_url, readonly=True) as conn:
        tables = ("correction", "correction_event", "correction_reader", "deed_receipt")
        for table in tables:
            found = (await conn.exec_driver_sql(f"SELECT * FROM {table}")).mappings().all()
            assert found
            assert value not in str([dict(one) for one in found])
