"""Corrections over HTTP, for tests: who does which act, a new one, one taken up to an act."""

from __future__ import annotations

import contextlib
import sqlite3
from collections.abc import Mapping
from typing import Any

import httpx

from tests.casework import ACCEPT, DEPT, VILLAGE, applicant, do
from tests.trusted import Edge

OFFICE = "office-01"
CORRECT = "correct"
AMOUNT, PHONE = "MinLiving.monthlyAmount", "Citizen.phone"
CHANGED = "... on CorrectionChanged { correction { correctionNo state version } event { act } }"
TEXTS: Mapping[str, Mapping[str, object]] = {
    "acceptCorrection": {"opinion": "材料齐全"},
    "decideCorrection": {"decision": "UPHELD", "reason": "经核，发放系统录入有误"},
    "confirmCorrection": {"asOf": "2026-11-01"},
    "notifyCorrection": {"channel": "PHONE", "told": "已更正，本月起按新标准发放"},
    "extendCorrection": {"reason": "须调阅纸质档案"},
}
"""What some mutations take beside number and version."""
STEPS = (
    (OFFICE, "acceptCorrection", "ACCEPTED"),
    (OFFICE, "flagCorrection", "FLAGGED"),
    (OFFICE, "assignCorrection", "ASSIGNED"),
    (DEPT, "investigateCorrection", "INVESTIGATING"),
    (DEPT, "decideCorrection", "UPHELD"),
    (DEPT, "confirmCorrection", "CORRECTED_AT_SOURCE"),
    (OFFICE, "replayCorrection", "REPLAYED"),
    (OFFICE, "notifyCorrection", "NOTIFIED"),
    (OFFICE, "closeCorrection", "CLOSED"),
)
"""An upheld correction of a value of 民政: who does what, and the state it leads to."""


AID = """query($id: ID!) { citizen(by: {id: $id}) { phone access { field state }
  civilAffairs { minLiving { monthlyAmount paidMonth access { field state source } } } } }"""
NOTICES = """query($no: String!) { correction(correctionNo: $no) { state readers(first: 50) {
  nodes { account department { code } coordinate lastReadAt toldAt } } } }"""
DISPUTED = [{"field": "monthlyAmount", "state": "DISPUTED", "source": "mz_assist"}]


def request(edge: Edge, coordinate: str = AMOUNT, **more: object) -> dict[str, object]:
    """What a village clerk files for a villager."""
    given = {"citizen": applicant(edge), "coordinate": coordinate, "intake": "OFFLINE_COUNTER"}
    return {**given, "text": "金额与存折不符", **more}


async def act(
    edge: Edge,
    account: str,
    name: str,
    given: Mapping[str, object],
    selection: str = CHANGED,
    **headers: str,
) -> httpx.Response:
    """One mutation for the purpose of correcting."""
    return await do(edge, account, name, given, selection, **{"X_Purpose": CORRECT, **headers})


async def moved(
    edge: Edge, account: str, name: str, number: str, version: int, **more: object
) -> httpx.Response:
    """One act on a correction."""
    given = {"correctionNo": number, "version": version, **TEXTS.get(name, {}), **more}
    return await act(edge, account, name, given)


async def requested(edge: Edge, coordinate: str = AMOUNT) -> str:
    """A new correction's number."""
    answer = await act(edge, VILLAGE, "fileCorrection", request(edge, coordinate))
    assert answer.status_code == 200, answer.text
    found: str = answer.json()["data"]["done"]["correction"]["correctionNo"]
    return found


async def taken_to(edge: Edge, number: str, until: str) -> int:
    """Take a new correction up to a state; its version then."""
    for version, (account, name, state) in enumerate(STEPS, start=1):
        answer = await moved(edge, account, name, number, version)
        assert answer.status_code == 200, (name, answer.text)
        assert answer.json()["data"]["done"]["correction"]["state"] == state
        if state == until:
            return version + 1
    raise AssertionError(until)


async def asked(edge: Edge, account: str, text: str, purpose: str, **given: object) -> Any:
    """The data of a query, and its extensions."""
    body = {"query": text, "variables": given}
    headers = edge.headers(account, purpose=purpose) | ACCEPT
    answer = await edge.http.post("/graphql", json=body, headers=headers)
    assert answer.status_code == 200, answer.text
    return answer.json()


def mended(edge: Edge, amount: str) -> None:
    """民政 corrects the amount in its own system."""
    file = edge.site.folder / "sources" / "mz_assist.sqlite"
    of = "SELECT dbzh FROM v_dbcy WHERE upper(trim(sfzh, ' ''')) = ?"
    with contextlib.closing(sqlite3.connect(file)) as source, source:
        id18 = edge.site.shown("zhelai").id18
        changed = source.execute(f"UPDATE v_dbhz SET bzje = ? WHERE dbzh IN ({of})", (amount, id18))
        assert changed.rowcount == 1
