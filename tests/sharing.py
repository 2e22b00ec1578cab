"""Sharing requests over HTTP, for tests: who does which act, a new one, what its asker is shown."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import Any

import httpx

from store.accounts import NewPost, NewPrincipal, seed_accounts
from tests.casework import ACCEPT, DEPT, applicant
from tests.trusted import Edge

OFFICE, AUTHORITY = "office-01", "authority-01"
LEAD, OTHER_LEAD, BOTH = "hea-lead-01", "hrss-lead-01", "two-hats-01"
COUNTY = "532622"
PEOPLE = (
    NewPrincipal(LEAD, "official", "龙某甲", "hea", (NewPost("hea", "lead", COUNTY),)),
    NewPrincipal(OTHER_LEAD, "official", "熊某乙", "hrss", (NewPost("hrss", "lead", COUNTY),)),
    NewPrincipal(
        BOTH,
        "official",
        "罗某丙",
        "mca",
        (NewPost("mca", "dept", COUNTY), NewPost("hea", "lead", COUNTY)),
    ),
)
"""Heads of departments that the demonstration has no account of, and one with two posts."""
CHANGED = """... on SharingRequestChanged { request { requestNo version state dueAt overdue }
  event { act state note } }"""
ASKED: Mapping[str, object] = {
    "object": "Citizen.health",
    "actions": ["read"],
    "purposes": ["aid.review"],
    "items": ["TEMP_AID", "SERIOUS_ILLNESS_AID"],
    "since": "2026-11-01",
    "until": "2027-10-31",
    "frequency": "REALTIME",
    "text": "核定临时救助对象的疾病支出",
    "basis": "社会救助暂行办法第五十八条",
}
"""What 民政 asks of 卫健."""
TEXTS: Mapping[str, Mapping[str, object]] = {
    "reviewSharingRequest": {"compliant": True, "opinion": "用途与范围相符"},
    "refuseSharingRequest": {"reason": "SECURITY_CONDITION_UNMET", "basis": "本单位内部规定"},
    "extendSharingRequest": {"reason": "须征求上级意见"},
    "revokeSharing": {"reason": "使用方未按用途使用"},
    "disputeSharingRefusal": {"reason": "内部规定不是依据"},
    "rejectSharingBasis": {"fault": "BASIS_REJECTED", "reason": "内部规定不是特殊规定"},
    "mediateSharingRequest": {"opinion": "约请双方说明"},
    "decideSharingRequest": {"decision": "TO_BE_SHARED", "conclusion": "应予共享"},
}
"""What some mutations take beside number and version."""
HEALTH = """query($id: ID!) { citizen(by: {id: $id}) {
  health { chronic { grade } } access { field state } } }"""
LIST = """query($f: SharingFaultFilter) { refusedOrUnanswered(filter: $f) { nodes {
  requestNo reason state open daysLate dueAt provider { code } owedBy { code }
  request { state } } } }"""


async def open_accounts(edge: Edge) -> None:
    """The accounts of PEOPLE."""
    async with edge.hub.store.begin() as connection:
        await seed_accounts(connection, PEOPLE)
    await edge.hub.keeper.look()


async def post(
    edge: Edge, account: str, text: str, given: Mapping[str, Any], purpose: str = "share"
) -> httpx.Response:
    """One request of an account, of the demonstration's or of PEOPLE."""
    token = edge.hub.tokens.issue(account, [purpose])
    headers = {"Authorization": f"Bearer {token}", "X-Purpose": purpose}
    body = {"query": text, "variables": dict(given)}
    return await edge.http.post("/graphql", json=body, headers=headers | ACCEPT)


async def act(
    edge: Edge,
    account: str,
    name: str,
    given: Mapping[str, object],
    selection: str = CHANGED,
) -> httpx.Response:
    """One mutation."""
    noun = name[0].upper() + name[1:]
    asked = f"done: {name}(input: $in) {{ __typename {selection} }}"
    text = f"mutation Do($in: {noun}Input!) {{ {asked} }}"
    return await post(edge, account, text, {"in": dict(given)})


async def moved(
    edge: Edge,
    account: str,
    name: str,
    request: Mapping[str, Any],
    selection: str = CHANGED,
    **more: Any,
) -> httpx.Response:
    """One act on a request as it was last seen."""
    keys = {key: request[key] for key in ("requestNo", "version")}
    return await act(edge, account, name, {**keys, **TEXTS.get(name, {}), **more}, selection)


async def after(
    edge: Edge, account: str, name: str, request: Mapping[str, Any], **more: Any
) -> dict[str, Any]:
    """The request one act further."""
    answer = await moved(edge, account, name, request, **more)
    return changed(answer)


def changed(answer: httpx.Response) -> dict[str, Any]:
    """The request of a payload."""
    assert answer.status_code == 200, answer.text
    done = answer.json()["data"]["done"]
    assert done["__typename"] == "SharingRequestChanged", answer.text
    found: dict[str, Any] = done["request"]
    return found


async def submitted(edge: Edge, account: str = DEPT, **more: Any) -> dict[str, Any]:
    """A new request, in compliance review."""
    return changed(await act(edge, account, "submitSharingRequest", {**ASKED, **more}))


async def reviewed(edge: Edge, account: str = DEPT, **more: Any) -> dict[str, Any]:
    """A new request that its provider has to answer."""
    return await after(
        edge, AUTHORITY, "reviewSharingRequest", await submitted(edge, account, **more)
    )


async def health(edge: Edge, account: str = DEPT) -> str:
    """What an account is told of a citizen's health data: DENIED, or the state of a row."""
    answer = await post(edge, account, HEALTH, {"id": applicant(edge)}, "aid.review")
    assert answer.status_code == 200, answer.text
    states = {one["field"]: one["state"] for one in answer.json()["data"]["citizen"]["access"]}
    return str(states.get("health.chronic", "SHOWN"))


async def becomes(edge: Edge, wanted: str) -> bool:
    """Is this what the department is told, in the second by which a worker must know?"""
    for _ in range(20):
        if await health(edge) == wanted:
            return True
        await asyncio.sleep(0.05)
    return False


async def listed(edge: Edge, account: str = OFFICE, **given: object) -> list[dict[str, Any]]:
    """The list of refused and unanswered requests."""
    answer = await post(edge, account, LIST, {"f": given})
    assert answer.status_code == 200, answer.text
    found: list[dict[str, Any]] = answer.json()["data"]["refusedOrUnanswered"]["nodes"]
    return found
