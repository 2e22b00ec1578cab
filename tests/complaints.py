"""Complaints and spot checks over HTTP, for tests: a filed one, a closed case, a portal."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import httpx

from store.accounts import NewPost, NewPrincipal, seed_accounts
from tests.casework import ACCEPT, DEPT, MORE, TOWN, VILLAGE, applicant, do, filing
from tests.trusted import Edge

OFFICE, PORTAL = "office-01", "portal-01"
TURNED = "... on ComplaintChanged { complaint { complaintNo state version } event { act state } }"
DRAWN = """... on SpotCheckDrawn { spotCheck { checkNo populationSize populationDigest population
  items { nodes { itemNo seq lot state version case { caseNo } } } } }"""
CHECKED = "... on SpotCheckItemChanged { item { itemNo state version inOrder } }"
TURNS: Mapping[str, tuple[str, Mapping[str, object]]] = {
    "assignComplaint": ("opinion", {"department": "mca"}),
    "answerComplaint": ("answer", {"outcome": "DISMISSED"}),
    "notifyComplaint": ("note", {"channel": "PHONE"}),
    "escalateComplaint": ("reason", {}),
    "closeComplaint": ("opinion", {}),
}
"""Mutation -> the text it needs and what it takes beside."""
CLOSED_PATH = (
    (TOWN, "acceptCase", "opinion"),
    (TOWN, "visitCase", "findings"),
    (TOWN, "presentCase", "opinion"),
    (DEPT, "approveCase", "conclusion"),
    (DEPT, "deliverCase", "measure"),
    (TOWN, "deliberateCase", "opinion"),
    (DEPT, "closeCase", "result"),
)
"""The shortest way to a closed case of 民政: urgent aid, which is deliberated after the fact."""


async def complained(edge: Edge, case_no: str | None, kind: str = "COMPLAINT") -> dict[str, Any]:
    """A new complaint, filed by the clerk of the village."""
    about = {"citizen": applicant(edge)} if case_no is None else {"caseNo": case_no}
    given = {"kind": kind, "body": "窗口推诿，要求说明", **about}
    answer = await do(edge, VILLAGE, "fileComplaint", given, TURNED)
    assert answer.status_code == 200, answer.text
    found: dict[str, Any] = answer.json()["data"]["done"]["complaint"]
    return found


async def turned(
    edge: Edge,
    account: str,
    complaint: Mapping[str, Any],
    name: str,
    selection: str = TURNED,
    **more: Any,
) -> httpx.Response:
    """One act on a complaint as it is."""
    needed, beside = TURNS[name]
    keys = {key: complaint[key] for key in ("complaintNo", "version")}
    return await do(edge, account, name, {**keys, needed: "照办", **beside, **more}, selection)


async def complaint_after(
    edge: Edge, account: str, complaint: Mapping[str, Any], name: str, **more: Any
) -> dict[str, Any]:
    """The complaint one act further."""
    answer = await turned(edge, account, complaint, name, **more)
    assert answer.status_code == 200, (name, answer.text)
    found: dict[str, Any] = answer.json()["data"]["done"]["complaint"]
    return found


async def closed_case(edge: Edge) -> dict[str, Any]:
    """A case that was approved, delivered and closed by its department."""
    answer = await do(edge, VILLAGE, "submitCase", filing(edge, "TEMP_AID", urgent=True))
    for account, name, needed in CLOSED_PATH:
        case = answer.json()["data"]["done"]["case"]
        keys = {"caseNo": case["caseNo"], "version": case["version"]}
        answer = await do(edge, account, name, {**keys, needed: "照办", **MORE.get(name, {})})
        assert answer.status_code == 200, (name, answer.text)
    found: dict[str, Any] = answer.json()["data"]["done"]["case"]
    return found


async def open_portal(edge: Edge) -> None:
    """An account of the citizens' side."""
    async with edge.hub.store.begin() as connection:
        post = NewPost("rev", "portal", "532622")
        principal = NewPrincipal(PORTAL, "portal", "群众端", "rev", (post,))
        await seed_accounts(connection, [principal])
    await edge.hub.keeper.look()


async def as_citizen(edge: Edge, citizen: str, text: str, given: object) -> httpx.Response:
    """What a citizen asks or does through the portal."""
    token = edge.hub.tokens.issue(PORTAL, ["self"])
    headers = {"Authorization": f"Bearer {token}", "X-Purpose": "self", "X-End-User": citizen}
    body = {"query": text, "variables": {"in": given}}
    return await edge.http.post("/graphql", json=body, headers=headers | ACCEPT)
