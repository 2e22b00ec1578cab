"""Counting over HTTP: exact for who may list, published for who may only tally; both recorded."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from tests.journeys.conftest import Desk

pytestmark = [pytest.mark.anyio, pytest.mark.loopback]

BY_PLACE = """query Monthly { caseStats(by: [MONTH, TOWNSHIP, STATE]) {
  month division state count suppressed } }"""


async def test_an_exact_count_leaves_a_record_of_groups_and_of_nobody(desk: Desk) -> None:
    before = desk.calls()
    answer = await desk.ask("zhelai-town-01", BY_PLACE)
    groups = answer.json()["data"]["caseStats"]
    assert desk.sent(before) == {"hub": 1}
    assert {g["division"] for g in groups} == {"532622205000"}
    record = await desk.record(answer)
    (read,) = record["reads"]
    assert read.pop("rules")
    assert read.pop("lens")
    assert read == {
        "d": "case",
        "src": "hub",
        "how": "tally",
        "n": len(groups),
        "s": 0,
        "by": ["CaseDimension.MONTH", "CaseDimension.TOWNSHIP", "CaseDimension.STATE"],
    }
    assert (record["areas"], record["rows"]) == (["532622205"], len(groups))
    assert "subjects" not in record
    assert "sought" not in record


async def test_a_published_table_is_made_once_and_each_reading_is_recorded(desk: Desk) -> None:
    before = desk.calls()
    first, second = [await desk.ask("authority-01", BY_PLACE) for _ in range(2)]
    assert desk.sent(before) == {"hub": 1}
    assert first.json()["data"] == second.json()["data"]
    for answer in (first, second):
        groups = answer.json()["data"]["caseStats"]
        assert all(g["suppressed"] or g["count"] % 5 == 0 for g in groups)
        record = await desk.record(answer)
        (read,) = record["reads"]
        assert (record["actor"], record["purpose"]) == ("authority-01", "report")
        assert (read["how"], read["n"], read["s"]) == ("tally", len(groups), 0)
        assert len(read["rules"]) == 1
        assert read["as_of"] > 0
        assert "subjects" not in record


async def test_a_free_filter_on_published_tables_is_refused_and_recorded(desk: Desk) -> None:
    answer = await desk.ask(
        "authority-01", "{ caseStats(filter: {item: TEMP_AID}, by: [STATE]) { count } }"
    )
    (error,) = answer.json()["errors"]
    assert (error["extensions"]["code"], error["extensions"]["reason"]) == (
        "BAD_USER_INPUT",
        "CUBE",
    )
    record = await desk.record(answer)
    assert (record["outcome"], record["code"], record["rows"]) == ("INVALID", "BAD_USER_INPUT", 0)
