"""`sources`: everybody is told how the sources stand, is recorded, and disturbs none of them."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import pytest

from hub.demo.site import HTTP_SOURCE

if TYPE_CHECKING:
    from hub.demo.site import Site
    from tests.journeys.conftest import Desk, OpenDesk

pytestmark = [pytest.mark.anyio, pytest.mark.loopback]

TOWN = "zhelai-town-01"
WHOLE = """{ sources { name title department { code } kind state breaker lastAnswerAt lastFaultAt
  lastReason latencyMs asOf stale outage quotaLimit quotaUsed datasets { name } } }"""
SHORT = "{ sources { name state } }"
INSURED = "query($id: ID!) { citizen(by: {id: $id}) { provincial { registration { state } } } }"


def by_name(body: dict[str, Any]) -> dict[str, dict[str, Any]]:
    return {row["name"]: row for row in body["data"]["sources"]}


async def test_a_source_is_told_as_its_guard_knows_it_and_is_not_asked(
    site_copy: Site, open_desk: OpenDesk
) -> None:
    async with open_desk(site_copy, None) as desk:
        first = by_name((await desk.ask(TOWN, WHOLE)).json())
        person = {"id": site_copy.shown("zhelai").citizen}
        await desk.ask(TOWN, INSURED, person, purpose="aid.review")
        before = desk.calls()
        answer = await desk.ask(TOWN, WHOLE)
        # Departments' titles and data sets are the store's; no other source had a statement.
        assert set(desk.sent(before)) <= {"hub", "source_status"}
        record = await desk.record(answer)
    assert first["mz_assist"]["state"] == "NOT_ASKED"
    found = by_name(answer.json())
    assert "errors" not in answer.json()
    assert list(found) == sorted(found)
    province = found["sj_exchange"]
    assert province | {"lastAnswerAt": "", "latencyMs": 0} == {
        "name": "sj_exchange",
        "title": "省级共享交换平台",
        "department": {"code": "rev"},
        "kind": "SQL",
        "state": "ANSWERS",
        "breaker": "CLOSED",
        "lastAnswerAt": "",
        "lastFaultAt": None,
        "lastReason": None,
        "latencyMs": 0,
        "asOf": None,
        "stale": None,
        "outage": None,
        "quotaLimit": 5000,
        "quotaUsed": first["sj_exchange"]["quotaUsed"] + 1,
        "datasets": [{"name": "provincial_record"}],
    }
    assert datetime.fromisoformat(province["lastAnswerAt"]) <= datetime.now(UTC)
    absent = found[HTTP_SOURCE]
    assert (absent["state"], absent["kind"], absent["breaker"]) == ("NOT_CONNECTED", None, None)
    assert {"audit", "audit_proof", "source_status"}.isdisjoint(found)
    (read,) = [one for one in record["reads"] if one["d"] == "source_system"]
    assert (read["src"], read["n"], read["s"]) == ("source_status", len(found), 0)


async def test_everybody_signed_in_is_told(desk: Desk) -> None:
    told = {}
    for account in desk.site.accounts:
        body = (await desk.ask(account.name, SHORT)).json()
        told[account.name] = len((body.get("data") or {}).get("sources") or ())
    assert len(told) >= 8
    assert set(told.values()) == {len(desk.hub.sources) - 3}, told


async def test_a_source_that_failed_says_why_and_since_when(
    site_copy: Site, open_desk: OpenDesk
) -> None:
    file = site_copy.folder / "sources" / "sj_exchange.sqlite"
    async with open_desk(site_copy, None) as desk:
        file.unlink()
        file.mkdir()  # what stands in its place now is no database
        person = {"id": site_copy.shown("zhelai").citizen}
        failed = await desk.ask(TOWN, INSURED, person, purpose="aid.review")
        assert failed.json()["errors"][0]["extensions"]["reason"] == "DOWN"
        found = by_name((await desk.ask(TOWN, WHOLE)).json())["sj_exchange"]
    assert (found["state"], found["lastReason"], found["lastAnswerAt"]) == ("DOWN", "DOWN", None)
    assert found["lastFaultAt"] is not None
