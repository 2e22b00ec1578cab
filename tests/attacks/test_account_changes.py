"""Account changes: nobody moves what he does not see, and nobody makes himself an account."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select

from hub.demo.site import Site
from schema.mutation import ACCOUNT_CHANGES
from store.account_changes import account_change
from store.accounts import NewPost, NewPrincipal, principal, seed_accounts
from store.engine import single
from tests.account_changes import (
    ADMIN,
    COUNTY,
    HEAD,
    MCA_ADMIN,
    NEW,
    OFFICE,
    REV_ADMIN,
    TOWN_HEAD,
    act,
    filed,
    joining,
    leaving,
    moving,
    place,
)
from tests.casework import ACCEPT, DEPT, MANY, TOWN, VILLAGE, code, do
from tests.corrections import asked
from tests.sites import copied
from tests.trusted import Edge, over

pytestmark = [pytest.mark.anyio]

MOVES = [name for name in ACCOUNT_CHANGES if "changeNo" in ACCOUNT_CHANGES[name].takes]
TEXTS = {"opinion": "同意", "documentNo": "文〔2026〕1号"}
OTHER_HEAD = "hou-lead-01"
"""The head of 住建."""


@pytest.fixture
async def edge(pristine: Site, tmp_path: Path) -> AsyncIterator[Edge]:
    site = copied(pristine, tmp_path / "site")
    post = NewPost("hou", "lead", "532622")
    async with single(site.store_url) as conn:
        await seed_accounts(conn, [NewPrincipal(OTHER_HEAD, "official", "某某", "hou", (post,))])
    async with over(site, MANY) as made:
        yield made


async def changes(edge: Edge) -> list[dict[str, Any]]:
    async with single(edge.site.store_url, readonly=True) as conn:
        return [dict(row) for row in (await conn.execute(select(account_change))).mappings()]


async def states(edge: Edge) -> dict[str, str]:
    async with single(edge.site.store_url, readonly=True) as conn:
        found = await conn.execute(select(principal.c.id, principal.c.state))
        return {row.id: row.state for row in found}


def given_to(name: str, number: str) -> dict[str, object]:
    texts = {k: v for k, v in TEXTS.items() if k in ACCOUNT_CHANGES[name].takes}
    return {"changeNo": number, "version": 1, **texts}


@pytest.mark.parametrize("account", [TOWN_HEAD, REV_ADMIN, "auditor-01", VILLAGE])
async def test_nobody_moves_what_he_does_not_see_nor_learns_that_it_is_there(
    edge: Edge, account: str
) -> None:
    number = await filed(edge, MCA_ADMIN, joining())
    before = await changes(edge)
    found = edge.site.account(account)
    assert found is not None
    purpose = ADMIN if ADMIN in found.purposes else found.purposes[0]
    for name in MOVES:
        both = [
            await do(edge, account, name, given_to(name, one), "__typename", X_Purpose=purpose)
            for one in (number, "ZH2026-999999")
        ]
        assert [(a.status_code, code(a)) for a in both] == [(404, ("NOT_FOUND", None))] * 2, name
        said = [a.json()["errors"][0]["message"] for a in both]
        assert said[0] == said[1]
    assert await changes(edge) == before


async def test_the_head_of_another_department_neither_sees_nor_approves(edge: Edge) -> None:
    number = await filed(edge, MCA_ADMIN, joining())
    token = edge.hub.tokens.issue(OTHER_HEAD, (ADMIN,), client="web")
    headers = {"Authorization": f"Bearer {token}", "X-Purpose": ADMIN} | ACCEPT
    text = """mutation Do($in: ApproveAccountChangeInput!) {
      approveAccountChange(input: $in) { __typename } }"""
    body = {"query": text, "variables": {"in": given_to("approveAccountChange", number)}}
    answer = await edge.http.post("/graphql", json=body, headers=headers)
    assert (answer.status_code, code(answer)) == (404, ("NOT_FOUND", None))
    body = {"query": "{ accountChanges { totalCount nodes { changeNo } } }"}
    listed = (await edge.http.post("/graphql", json=body, headers=headers)).json()
    assert listed["data"]["accountChanges"] == {"totalCount": 0, "nodes": []}
    assert [row["state"] for row in await changes(edge)] == ["DRAFT"]


@pytest.mark.parametrize("account", [TOWN, VILLAGE, DEPT])
async def test_a_clerk_files_for_nobody_and_learns_no_name(edge: Edge, account: str) -> None:
    own = edge.site.account(account)
    assert own is not None
    said = set()
    for one in (leaving(account), leaving("office-01"), leaving("nobody")):
        token = edge.hub.tokens.issue(account, (ADMIN,), client="web")
        headers = {"Authorization": f"Bearer {token}", "X-Purpose": ADMIN} | ACCEPT
        text = """mutation Do($in: FileAccountChangeInput!) {
          fileAccountChange(input: $in) { __typename } }"""
        body = {"query": text, "variables": {"in": one}}
        answer = await edge.http.post("/graphql", json=body, headers=headers)
        said.add((answer.status_code, code(answer), answer.json()["errors"][0]["message"]))
    assert {(status, found) for status, found, _ in said} == {(403, ("FORBIDDEN", "NO_RULE"))}
    assert len(said) == 1
    assert {*(await states(edge)).values()} == {"active"}


async def test_an_administrator_learns_no_name_of_another_department(edge: Edge) -> None:
    answers = [
        await act(edge, MCA_ADMIN, "fileAccountChange", leaving(one))
        for one in (TOWN, "office-01", "auditor-01", "mca-system-01", "nobody")
    ]
    assert {(a.status_code, code(a)) for a in answers} == {(404, ("NOT_FOUND", None))}
    assert len({a.json()["errors"][0]["message"] for a in answers}) == 1
    trained = [
        await act(
            edge,
            MCA_ADMIN,
            "recordTraining",
            {"account": one, "heldOn": "2026-11-01", "subject": "网络安全"},
            "__typename",
        )
        for one in (TOWN, "nobody")
    ]
    assert {(a.status_code, code(a)) for a in trained} == {(404, ("NOT_FOUND", None))}


async def test_nothing_is_filed_for_another_purpose(edge: Edge) -> None:
    given = leaving(DEPT)
    answer = await do(edge, HEAD, "fileAccountChange", given, "__typename", X_Purpose="aid.review")
    assert (answer.status_code, code(answer)[0]) == (403, "FORBIDDEN")
    assert (await states(edge))[DEPT] == "active"
    number = await filed(edge, MCA_ADMIN, joining())
    wanted = "query($no: String!) { accountChange(changeNo: $no) { realName } }"
    for purpose, found in ((ADMIN, {"realName": "沙某丑"}), ("aid.review", None)):
        answer = await asked(edge, HEAD, wanted, purpose, no=number)
        assert answer["data"]["accountChange"] == found


async def test_nobody_raises_himself(edge: Edge) -> None:
    """Neither to the office nor to the three duties, nor past the approval of another person."""
    for role, status in (("office", 400), ("account_admin", 403), ("secadmin", 400)):
        answer = await act(
            edge, HEAD, "fileAccountChange", moving(HEAD, place("mca", role, COUNTY))
        )
        assert answer.status_code == status, role
    answer = await act(
        edge, REV_ADMIN, "fileAccountChange", moving(REV_ADMIN, place("rev", "dept", COUNTY))
    )
    assert (answer.status_code, code(answer)) == (403, ("FORBIDDEN", "NO_RULE"))
    assert await changes(edge) == []


async def test_an_id_number_in_the_text_is_refused_like_any(edge: Edge) -> None:
    person = joining()["person"]
    assert isinstance(person, dict)
    text = f"""mutation {{ fileAccountChange(input: {{kind: JOINING, account: "{NEW}",
      person: {{realName: "某某", idNumber: "{person["idNumber"]}", employment: CIVIL}},
      post: {{department: "mca", role: "dept", division: "{COUNTY}"}}, reason: "新"}})
      {{ __typename }} }}"""
    headers = edge.headers(OFFICE, purpose=ADMIN) | ACCEPT
    answer = await edge.http.post("/graphql", json={"query": text}, headers=headers)
    assert answer.status_code == 400
    assert str(person["idNumber"]) not in answer.text
    assert await changes(edge) == []
