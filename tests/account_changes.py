"""Account changes over HTTP, for tests: who does which act, and one taken up to a state."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import httpx

from adapters.identity import with_check_digit
from tests.casework import do
from tests.trusted import Edge

OFFICE, TOWN_HEAD, HEAD = "office-01", "zhelai-lead-01", "mca-lead-01"
REV_ADMIN, MCA_ADMIN = "rev-admin-01", "mca-admin-01"
ADMIN = "admin"
ZHELAI, BANGE, COUNTY = "532622205000", "532622206000", "532622000000"
NUMBER = with_check_digit("53992219900307123")
"""An invented person's id number."""
NEW = "mca-dept-02"
CHANGED = """... on AccountChangeChanged {
  accountChange { changeNo kind route state version } event { act state } }"""
TEXTS: Mapping[str, Mapping[str, object]] = {
    "approveAccountChange": {"opinion": "同意"},
    "applyAccountChange": {"opinion": "材料齐全"},
    "handOverAccountChange": {"opinion": "报州民政局"},
    "confirmAccountChange": {"documentNo": "文民账〔2026〕12号"},
}
"""What some mutations take beside number and version."""
COUNTY_WAY = (
    ("approveAccountChange", "ORG_APPROVED"),
    ("applyAccountChange", "OFFICE_APPLIED"),
    ("activateAccountChange", "EFFECTIVE"),
)
PREFECTURE_WAY = (
    ("approveAccountChange", "ORG_APPROVED"),
    ("handOverAccountChange", "HANDED_OVER"),
    ("confirmAccountChange", "CONFIRMED_BY_PREFECTURE"),
    ("activateAccountChange", "EFFECTIVE"),
)
"""Each route's mutations with the states they lead to; all but the approval are the office's."""


def place(department: str, role: str, division: str) -> dict[str, object]:
    """A post as it is asked for."""
    return {"department": department, "role": role, "division": division}


def joining(account: str = NEW, number: str = NUMBER, **more: object) -> dict[str, object]:
    """A new clerk of 民政."""
    person = {"realName": "沙某丑", "idNumber": number, "employment": "INSTITUTION"}
    given = {"kind": "JOINING", "account": account, "person": person, "reason": "新录用"}
    return {**given, "post": place("mca", "dept", COUNTY), **more}


def moving(account: str, to: dict[str, object]) -> dict[str, object]:
    """Somebody who changes posts."""
    return {"kind": "MOVING", "account": account, "post": to, "reason": "工作需要"}


def leaving(account: str) -> dict[str, object]:
    """Somebody who leaves."""
    return {"kind": "LEAVING", "account": account, "reason": "调出本县"}


async def act(
    edge: Edge, account: str, name: str, given: Mapping[str, object], selection: str = CHANGED
) -> httpx.Response:
    """One mutation for the purpose of administration."""
    return await do(edge, account, name, given, selection, X_Purpose=ADMIN)


async def moved(
    edge: Edge, account: str, name: str, number: str, version: int, selection: str = CHANGED
) -> httpx.Response:
    """One act on a change."""
    given = {"changeNo": number, "version": version, **TEXTS.get(name, {})}
    return await act(edge, account, name, given, selection)


async def filed(edge: Edge, account: str, given: Mapping[str, object]) -> str:
    """A new change's number."""
    answer = await act(edge, account, "fileAccountChange", given)
    assert answer.status_code == 200, answer.text
    found: str = answer.json()["data"]["done"]["accountChange"]["changeNo"]
    return found


async def taken_to(
    edge: Edge, number: str, head: str, way: tuple[tuple[str, str], ...], until: str
) -> int:
    """Take a new change up to a state; its version then."""
    for version, (name, state) in enumerate(way, start=1):
        by = head if name == "approveAccountChange" else OFFICE
        answer = await moved(edge, by, name, number, version)
        assert answer.status_code == 200, (name, answer.text)
        assert answer.json()["data"]["done"]["accountChange"]["state"] == state, answer.text
        if state == until:
            return version + 1
    raise AssertionError(until)


async def trained(edge: Edge, by: str, account: str) -> httpx.Response:
    """A security training is recorded."""
    given = {"account": account, "heldOn": "2026-11-02", "subject": "网络安全与个人信息保护"}
    wanted = "... on TrainingRecorded { training { account heldOn subject recordedBy } }"
    return await act(edge, by, "recordTraining", given, wanted)


def refused(answer: httpx.Response) -> Any:
    """The payload of a business refusal."""
    assert answer.status_code == 200, answer.text
    return answer.json()["data"]["done"]
