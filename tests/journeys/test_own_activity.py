"""我的访问记录: an account lists its own records, and no way of asking gives it another's."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from tests.journeys.conftest import Desk

pytestmark = [pytest.mark.anyio, pytest.mark.loopback]

MINE = """query Mine($since: DateTime, $first: Int) { myActivity(since: $since, first: $first) {
  totalCount nodes { idx kind outcome operation purpose requestId rowCount } } }"""
POSTS = ("zhelai-village-01", "zhelai-town-01", "mca-dept-01", "office-01", "authority-01")
OFFICER = "auditor-01"


async def mine(desk: Desk, account: str) -> list[dict[str, Any]]:
    answer = await desk.ask(account, MINE, {"first": 100})
    assert answer.status_code == 200
    assert "errors" not in answer.json(), answer.text
    nodes: list[dict[str, Any]] = answer.json()["data"]["myActivity"]["nodes"]
    return nodes


@pytest.mark.parametrize("account", [*POSTS, OFFICER])
async def test_every_post_lists_its_own_records_and_nobody_elses(desk: Desk, account: str) -> None:
    await desk.ask(account, "query Before { viewer { account } }")
    told = await mine(desk, account)
    bodies = {str(b["idx"]): b for b in await desk.records()}
    assert told[0]["operation"] == "Before"
    assert {bodies[str(one["idx"])]["actor"] for one in told} == {account}
    written = [b for b in bodies.values() if b.get("actor") == account]
    assert len(told) == min(100, len(written) - 1)  # all but this very reading


async def test_that_he_looked_is_one_of_them(desk: Desk) -> None:
    await mine(desk, "office-01")
    record = (await desk.records())[-1]
    assert (record["actor"], record["op"]["name"], record["kind"]) == (
        *("office-01", "Mine"),
        "READ",
    )
    assert record["reads"][0]["d"] == "own_activity"


async def test_no_argument_names_another(desk: Desk) -> None:
    for text in (
        '{ myActivity(actor: "auditor-01") { totalCount } }',
        '{ myActivity(filter: {actor: "auditor-01"}) { totalCount } }',
        "{ myActivity { nodes { actor } } }",
        "{ myActivity { nodes { sourceIp } } }",
        "{ myActivity { nodes { body } } }",
    ):
        answer = await desk.ask("office-01", text)
        assert answer.json()["errors"][0]["extensions"]["code"] == "GRAPHQL_VALIDATION_FAILED", text
