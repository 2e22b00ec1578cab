"""应急访问: who may, what he must say first, and what the log has of it whatever happens."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from urllib.parse import quote

import pytest
from sqlalchemy import select

from store.audit import purpose_note

if TYPE_CHECKING:
    from tests.journeys.conftest import Desk

pytestmark = [pytest.mark.anyio, pytest.mark.loopback]

TOWN, WHY = "zhelai-town-01", "山洪，连夜转移二组群众"
PERSON = "query($id: ID!) { citizen(by: {id: $id}) { name phone idNumber } }"


async def asked(desk: Desk, note: str | None, text: str = PERSON) -> Any:
    token = desk.hub.tokens.issue(TOWN, ["emergency"])
    headers = {"Authorization": f"Bearer {token}", "X-Purpose": "emergency"}
    if note is not None:
        headers["X-Purpose-Note"] = quote(note)
    body = {"query": text, "variables": {"id": desk.site.shown("zhelai").citizen}}
    return await desk.client.post("/graphql", json=body, headers=headers)


async def test_before_anything_is_read_the_log_says_so(desk: Desk) -> None:
    before = len(await desk.records())
    answer = await asked(desk, WHY)
    assert answer.status_code == 200
    assert answer.json()["data"]["citizen"]["phone"].startswith("12")  # in clear
    assert answer.json()["data"]["citizen"]["idNumber"] is None
    intent, result = (await desk.records())[before:]
    assert (intent["kind"], result["kind"]) == ("BREAK_GLASS_INTENT", "BREAK_GLASS_RESULT")
    assert result["ref"] == str(intent["idx"])
    assert (intent["break_glass"], result["break_glass"]) == (True, True)
    assert "reads" not in intent
    assert len(result["subjects"]) == 1
    assert intent["note"] == result["note"]
    async with desk.hub.store.connect() as connection:
        kept = await connection.scalar(
            select(purpose_note.c.text).where(purpose_note.c.digest == result["note"])
        )
    assert kept == WHY
    assert await desk.record(answer) == result


@pytest.mark.parametrize("note", [None, "", "急"])
async def test_who_gives_no_reason_is_refused_and_recorded(desk: Desk, note: str | None) -> None:
    calls, before = desk.calls(), len(await desk.records())
    answer = await asked(desk, note)
    assert answer.status_code == 403
    (error,) = answer.json()["errors"]
    assert error["extensions"]["code"] == "PURPOSE_REQUIRED"
    assert error["extensions"]["reason"] == "BREAK_GLASS_REASON_REQUIRED"
    (record,) = (await desk.records())[before:]
    assert (record["kind"], record["outcome"]) == ("READ", "DENIED")
    assert desk.sent(calls) == {}


async def test_a_document_that_is_refused_still_ends_the_emergency(desk: Desk) -> None:
    before = len(await desk.records())
    answer = await asked(desk, WHY, "{ nothing }")
    assert answer.json()["errors"][0]["extensions"]["code"] == "GRAPHQL_VALIDATION_FAILED"
    intent, result = (await desk.records())[before:]
    assert (result["kind"], result["outcome"]) == ("BREAK_GLASS_RESULT", "INVALID")
    assert result["ref"] == str(intent["idx"])


async def test_any_purpose_may_be_explained(desk: Desk) -> None:
    headers = desk.headers(TOWN, "aid.file") | {"X-Purpose-Note": quote("群众来电核对")}
    body = {"query": "{ viewer { account } }"}
    answer = await desk.client.post("/graphql", json=body, headers=headers)
    record = await desk.record(answer)
    assert (record["kind"], len(record["note"])) == ("READ", 64)
    assert "break_glass" not in record
