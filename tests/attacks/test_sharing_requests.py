"""Attacks on sharing requests: moved unseen, answered by others, granted twice or for more."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select

from hub.demo.site import Site
from schema.mutation import SHARING
from store.grants import share_grant
from store.sharing_requests import sharing_request
from tests.casework import DEPT, MANY, TOWN, VILLAGE, code
from tests.sharing import (
    ASKED,
    AUTHORITY,
    HEALTH,
    LEAD,
    OFFICE,
    OTHER_LEAD,
    TEXTS,
    act,
    after,
    health,
    moved,
    open_accounts,
    post,
    reviewed,
)
from tests.sites import copied
from tests.trusted import Edge, over

pytestmark = [pytest.mark.anyio]
MOVES = [name for name in SHARING if name != "submitSharingRequest"]
PARTLY = {"reason": "SCOPE_EXCESSIVE", "basis": "依据", "until": "2026-12-31"}


@pytest.fixture
async def edge(pristine: Site, tmp_path: Path) -> AsyncIterator[Edge]:
    async with over(copied(pristine, tmp_path / "site"), MANY) as made:
        await open_accounts(made)
        yield made


async def rows(edge: Edge, table: Any) -> list[dict[str, Any]]:
    """A table's rows."""
    async with edge.hub.store.connect() as connection:
        return [dict(row) for row in (await connection.execute(select(table))).mappings()]


@pytest.mark.parametrize("account", [OTHER_LEAD, TOWN, VILLAGE])
async def test_nobody_moves_what_he_does_not_see_nor_learns_that_it_is_there(
    edge: Edge, account: str
) -> None:
    request = await reviewed(edge)
    before = await rows(edge, sharing_request)
    for name in MOVES:
        answers = []
        for number in (request["requestNo"], "GX2026-999999"):
            given = {**request, "requestNo": number}
            more = PARTLY if name == "grantSharingRequestPartly" else {}
            answers.append(await moved(edge, account, name, given, **more))
        assert [a.status_code for a in answers] == [404, 404], (name, answers[0].text)
        said = [a.json()["errors"][0]["message"] for a in answers]
        assert said[0] == said[1]
    assert await rows(edge, sharing_request) == before
    assert await rows(edge, share_grant) == []


async def test_who_sees_it_does_no_more_than_his_own_part(edge: Edge) -> None:
    request = await reviewed(edge)
    his = {
        DEPT: {"disputeSharingRefusal"},
        AUTHORITY: {"reviewSharingRequest"},
        OFFICE: {"rejectSharingBasis", "mediateSharingRequest", "decideSharingRequest"},
        LEAD: {
            *("grantSharingRequest", "grantSharingRequestPartly", "refuseSharingRequest"),
            *("extendSharingRequest", "revokeSharing"),
        },
    }
    assert sorted(name for names in his.values() for name in names) == sorted(MOVES)
    for account, names in his.items():
        for name in set(MOVES) - names:
            more = PARTLY if name == "grantSharingRequestPartly" else {}
            answer = await moved(edge, account, name, request, **more)
            assert (answer.status_code, code(answer)[0]) == (403, "FORBIDDEN"), (account, name)
    assert await rows(edge, share_grant) == []


async def test_a_department_asks_in_no_others_name(edge: Edge) -> None:
    answer = await act(edge, OTHER_LEAD, "submitSharingRequest", dict(ASKED))
    assert answer.json()["data"]["done"]["request"]["state"] == "COMPLIANCE_REVIEW"
    (row,) = await rows(edge, sharing_request)
    assert (row["requester"], row["filed_by"]) == ("hrss", OTHER_LEAD)
    own = await act(edge, LEAD, "submitSharingRequest", dict(ASKED))
    assert code(own) == ("BAD_USER_INPUT", "VARIABLE")
    for account in (TOWN, VILLAGE, AUTHORITY):
        answer = await act(edge, account, "submitSharingRequest", dict(ASKED))
        assert (answer.status_code, code(answer)[0]) == (403, "FORBIDDEN"), account
    assert len(await rows(edge, sharing_request)) == 1


async def test_nothing_is_asked_or_answered_for_another_purpose(edge: Edge) -> None:
    request = await reviewed(edge)
    text = """mutation($in: GrantSharingRequestInput!) { done: grantSharingRequest(input: $in) {
      __typename } }"""
    given = {"in": {key: request[key] for key in ("requestNo", "version")}}
    answer = await post(edge, LEAD, text, given, "aid.review")
    assert code(answer)[0] in ("NOT_FOUND", "FORBIDDEN")
    read = "query($no: String!) { sharingRequest(requestNo: $no) { state } }"
    seen = await post(edge, DEPT, read, {"no": request["requestNo"]}, "aid.review")
    assert seen.json()["data"] == {"sharingRequest": None}
    assert await rows(edge, share_grant) == []


async def test_two_answers_at_once_are_one(edge: Edge) -> None:
    request = await reviewed(edge)
    answers = await asyncio.gather(
        moved(edge, LEAD, "grantSharingRequest", request),
        moved(edge, LEAD, "refuseSharingRequest", request),
        moved(edge, LEAD, "grantSharingRequest", request),
    )
    assert sorted(a.status_code for a in answers) == [200, 409, 409]
    (row,) = await rows(edge, sharing_request)
    granted = [one["state"] for one in await rows(edge, share_grant)]
    assert granted == (["ACTIVE"] if row["state"] == "ACTIVE" else [])


@pytest.mark.parametrize("state", ["REFUSED", "DECIDED", "REVOKED"])
async def test_what_is_answered_is_granted_no_more(edge: Edge, state: str) -> None:
    request = await reviewed(edge)
    if state == "REVOKED":
        request = await after(edge, LEAD, "grantSharingRequest", request)
        request = await after(edge, LEAD, "revokeSharing", request)
    else:
        request = await after(edge, LEAD, "refuseSharingRequest", request)
    if state == "DECIDED":
        request = await after(edge, OFFICE, "rejectSharingBasis", request)
        request = await after(edge, OFFICE, "decideSharingRequest", request)
    assert request["state"] == state
    for name in ("grantSharingRequest", "refuseSharingRequest", "extendSharingRequest"):
        answer = await moved(edge, LEAD, name, request)
        assert (answer.status_code, code(answer)) == (409, ("CONFLICT", "STATE")), name
    assert await health(edge) == "DENIED"


async def test_a_grant_gives_its_acts_its_purpose_and_no_more(edge: Edge) -> None:
    await after(edge, LEAD, "grantSharingRequest", await reviewed(edge))
    assert await health(edge) == "SHOWN"
    citizen = {"id": edge.site.shown("zhelai").citizen}
    answer = await post(edge, DEPT, HEALTH, citizen, "correct")
    states = {one["field"]: one["state"] for one in answer.json()["data"]["citizen"]["access"]}
    assert states["health.chronic"] == "DENIED"
    assert set(TEXTS) < set(SHARING)
