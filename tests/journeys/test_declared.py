"""What a request says of itself beside its question is in its record, and only there."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from tests.journeys.conftest import Desk

pytestmark = pytest.mark.anyio

TOWN = "zhelai-town-01"
VIEWER = {"query": "query Who { viewer { caseNo } }"}
MESSAGE = "3aad090d-6b2c-4b0f-9a51-5d24c0e5a9b1"


async def test_a_legal_basis_of_the_catalogue_stands_for_the_purposes_own(desk: Desk) -> None:
    headers = desk.headers(TOWN, "aid.file")
    usual = await desk.client.post("/graphql", json=VIEWER, headers=headers)
    named = await desk.client.post(
        "/graphql", json=VIEWER, headers=headers | {"X-Legal-Basis": "PIPL_ART_13"}
    )
    own = desk.hub.catalog.purposes["aid.file"].legal_basis
    assert own != "PIPL_ART_13"
    assert (await desk.record(usual))["basis"] == own
    assert (await desk.record(named))["basis"] == "PIPL_ART_13"


async def test_a_security_servers_names_narrow_as_our_own_do(desk: Desk) -> None:
    case_no = desk.site.shown("zhelai").case_no
    headers = desk.headers(TOWN, "aid.file")
    answers = [
        await desk.client.post("/graphql", json=VIEWER, headers=headers | {name: case_no})
        for name in ("X-Case-No", "X-Road-Issue")
    ]
    for answer in answers:
        assert answer.json()["data"] == {"viewer": {"caseNo": case_no}}
        assert (await desk.record(answer))["case"] == case_no
    foreign = await desk.client.post(
        "/graphql", json=VIEWER, headers=headers | {"X-Road-UserId": "somebody"}
    )
    assert foreign.json()["errors"][0]["extensions"]["reason"] == "HEADER"


async def test_a_message_id_is_recorded_as_a_digest(desk: Desk) -> None:
    headers = desk.headers(TOWN, "aid.file") | {"X-Road-Id": MESSAGE}
    answers = [await desk.client.post("/graphql", json=VIEWER, headers=headers) for _ in range(2)]
    found = [(await desk.record(answer))["op"]["vars"]["road.id"] for answer in answers]
    assert found[0] == found[1]
    assert len(found[0]) == 64
    records = str(await desk.records())
    assert MESSAGE not in records
    assert MESSAGE not in "".join(answer.text for answer in answers)


async def test_a_refused_request_keeps_what_it_declared(desk: Desk) -> None:
    headers = desk.headers(TOWN, "aid.file") | {
        "X-Legal-Basis": "PIPL_ART_13",
        "Content-Type": "application/json",
    }
    answer = await desk.client.post("/graphql", content=b"{", headers=headers)
    record = await desk.record(answer)
    assert (record["outcome"], record["basis"]) == ("INVALID", "PIPL_ART_13")
