"""The neighbouring township's people: as if they were not there, and the log says who asked.

Eight of the eleven civil-affairs township codes are another township's statistical code:
532622205 is 者腊乡 to the hub and 蚌峨乡 to the civil-affairs system.
"""

from __future__ import annotations

import contextlib
import sqlite3
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import httpx
import pytest

from adapters.identity import canonical, citizen_uid, with_check_digit
from audit.tokens import SubjectTokens
from hub.demo.run import sample

if TYPE_CHECKING:
    from pathlib import Path

    from hub.demo.site import Site
    from tests.journeys.conftest import Desk, OpenDesk

pytestmark = [pytest.mark.anyio, pytest.mark.loopback]

TOWN = "zhelai-town-01"
NOBODY = with_check_digit("53992219990228998")
TWIN = "532622205201"  # 者腊村委会's statistical code, and civil affairs' code of a village of 蚌峨
CIVIL = {  # 领域设计 2.4: the civil-affairs township code -> the statistical one
    "100": "101",
    "101": "102",
    "102": "103",
    "103": "104",
    "200": "201",
    "201": "202",
    "202": "203",
    "203": "204",
    "204": "205",
    "205": "206",
    "207": "207",
}
FACETS = """
  civilAffairs { minLiving { division status } extremePoverty { certificateNo } tempAid { kind } }
  medicalInsurance { enrolment { insuredDivision state } settlements { settledAt } }
  housing { house { village structure appraisals { grade } } }
  health { chronic { disease } }
  education { enrolment { schoolCode } dropout { kind } }
  employment { insurance { payingState } jobWish { wishNo } training { course } }
  monitoring { record { riskType } }
  provincial { registration { state } }
"""
BY_NUMBER = "query($n: String!) { citizen(by: {idNumber: $n}) { id name " + FACETS + " } }"
BY_ID = "query($i: ID!) { citizen(by: {id: $i}) { id name " + FACETS + " } }"
CERTIFICATE = """query($n: String!) { citizen(by: {idNumber: $n}) {
  access { field state } civilAffairs { minLiving { division } }
} }"""
HOUSEHOLD = "query($i: ID!) { household(id: $i) { householdNo members { name } } }"
CASE = "query($n: String!) { case(caseNo: $n) { caseNo body applicant { name } } }"
ORDER = "query($n: String!) { supervisionOrder(orderNo: $n) { orderNo case { caseNo } } }"


def _bytes(answer: httpx.Response) -> bytes:
    """The body but for the receipt."""
    receipt = answer.json()["extensions"]["audit"]
    plain = answer.content.replace(receipt["leaf"].encode(), b"LEAF")
    whole = plain.replace(b'"idx":%d' % receipt["idx"], b'"idx":IDX')
    assert plain != answer.content
    assert whole != plain
    return whole


def _headers(answer: httpx.Response) -> dict[str, str]:
    # Each request's own: its record, its name, its place in the account's minute.
    own = {"x-audit-id", "x-audit-receipt", "x-request-id", "traceparent", "content-length"}
    own |= {"ratelimit-remaining", "ratelimit-reset"}
    return {name: value for name, value in answer.headers.items() if name not in own}


async def test_a_neighbour_is_answered_like_nobody_at_all(desk: Desk) -> None:
    bange = desk.site.shown("bange")
    before = desk.calls()
    neighbour = await desk.ask(TOWN, BY_NUMBER, {"n": bange.id18}, purpose="aid.review")
    of_neighbour, before = desk.sent(before), desk.calls()
    nobody = await desk.ask(TOWN, BY_NUMBER, {"n": NOBODY}, purpose="aid.review")
    assert neighbour.json()["data"] == {"citizen": None}
    assert "errors" not in neighbour.json()
    assert _bytes(neighbour) == _bytes(nobody)
    assert _headers(neighbour) == _headers(nobody)
    # Not even the number of statements tells: one look-up in the register, no department.
    assert of_neighbour == desk.sent(before) == {"hub": 1}


async def test_the_county_does_know_the_neighbour(desk: Desk) -> None:
    """The trap is armed: the same question is answered to those who may ask it."""
    bange = desk.site.shown("bange")
    for account in ("bange-town-01", "mca-dept-01"):
        answer = await desk.ask(account, BY_NUMBER, {"n": bange.id18}, purpose="aid.review")
        assert answer.json()["data"]["citizen"]["id"] == bange.citizen


async def test_the_refusal_is_in_the_log_with_whom_it_was_about(desk: Desk) -> None:
    tokens = SubjectTokens(desk.hub.keys.audit)
    for number in (desk.site.shown("bange").id18, NOBODY):
        answer = await desk.ask(TOWN, BY_NUMBER, {"n": number}, purpose="aid.review")
        record = await desk.record(answer)
        sought = tokens.token(citizen_uid(desk.hub.keys.identity, number))
        assert record["sought"] == [sought]
        assert (record["outcome"], record["code"], record["rows"]) == ("OK", "NO_RECORD", 0)
        assert (record["actor"], record["purpose"]) == (TOWN, "aid.review")
        assert "subjects" not in record
        assert "areas" not in record


async def test_the_sample_query_treats_the_neighbour_like_nobody_too(desk: Desk) -> None:
    text = sample().text
    bange = desk.site.shown("bange").id18
    neighbour = await desk.ask(TOWN, text, {"idNumber": bange})
    nobody = await desk.ask(TOWN, text, {"idNumber": NOBODY})
    assert neighbour.json()["data"]["citizen"] is None
    assert neighbour.json()["data"]["cases"]["totalCount"] > 0
    assert _bytes(neighbour) == _bytes(nobody)


@pytest.mark.parametrize(
    ("query", "given", "unknown"),
    [
        (BY_ID, "citizen", "00000000-0000-8000-8000-000000000000"),
        (HOUSEHOLD, "household", "00000000-0000-8000-8000-000000000000"),
        (CASE, "case_no", "SQ20620199999"),
        (ORDER, "order_no", "DB20620199999"),
    ],
)
async def test_by_no_other_key_does_the_neighbour_exist(
    desk: Desk, query: str, given: str, unknown: str
) -> None:
    theirs = str(getattr(desk.site.shown("bange"), given))
    ours = str(getattr(desk.site.shown("zhelai"), given))
    name = "i" if "$i" in query else "n"
    before = desk.calls()
    neighbour = await desk.ask(TOWN, query, {name: theirs})
    assert desk.sent(before) == {"hub": 1}
    nobody = await desk.ask(TOWN, query, {name: unknown})
    assert _bytes(neighbour) == _bytes(nobody)
    own = (await desk.ask(TOWN, query, {name: ours})).json()["data"]
    assert list(own.values()) != [None]


async def test_a_case_of_the_neighbour_is_no_key_to_him_either(desk: Desk) -> None:
    bange = desk.site.shown("bange")
    answers = [
        await desk.ask(TOWN, BY_NUMBER, {"n": bange.id18}, purpose="aid.review", case_no=case_no)
        for case_no in (bange.case_no, "SQ20620199999", "../etc")
    ]
    assert [a.status_code for a in answers] == [403, 403, 403]
    told = [{**a.json()["errors"][0]["extensions"], "requestId": ""} for a in answers]
    assert told[0]["code"] == "FORBIDDEN"
    assert told[0]["reason"] == "CASE"
    assert told[0] == told[1] == told[2]
    assert len({a.json()["errors"][0]["message"] for a in answers}) == 1
    assert all("data" not in a.json() for a in answers)


# ---- all townships, whatever scheme a source speaks ---------------------------------------------

LIST = """query($after: String) { citizens(first: 100, after: $after) {
  totalCount nodes { id } pageInfo { hasNextPage endCursor }
} }"""
PAGE = "{ citizens(first: 100) { nodes { id division { code } " + FACETS + " } } }"
CASES = "{ cases(first: 100) { nodes { division { code } applicant { division { code } } } } }"


async def test_a_list_holds_exactly_the_own_township(clerks: Desk) -> None:
    for account, path in _townships(clerks):
        expected = _rows(
            clerks.site.folder / "register.sqlite",
            "SELECT id FROM citizen WHERE region_path BETWEEN ? AND ?",
            path,
            path + ":",
        )
        listed = await _whole_list(clerks, account)
        assert len(listed) == len(set(listed))
        assert set(listed) == {row[0] for row in expected}
        assert len(listed) > 100


async def test_facets_show_only_rows_of_the_own_township(clerks: Desk) -> None:
    certificates, enrolled, houses = 0, 0, 0
    for account, path in _townships(clerks):
        answer = await clerks.ask(account, PAGE, purpose="aid.review")
        assert "errors" not in answer.json()
        nodes = answer.json()["data"]["citizens"]["nodes"]
        assert len(nodes) == 100
        assert {n["division"]["code"][:9] for n in nodes} == {path}
        record = await clerks.record(answer)
        assert record["areas"] == [path]
        found = _certificates(clerks.site, path)
        for node in nodes:
            aid = node["civilAffairs"]["minLiving"]
            assert (aid and aid["division"]) == found.get(node["id"])
            house, enrolment = node["housing"]["house"], node["medicalInsurance"]["enrolment"]
            for code in (house and house["village"], enrolment and enrolment["insuredDivision"]):
                assert code is None or code.startswith((path, "532622000"))
            certificates += aid is not None
            enrolled += enrolment is not None
            houses += house is not None
    # The trap was armed: every source had rows to show.
    assert certificates > 10
    assert enrolled > 500
    assert houses > 50


async def test_cases_show_only_the_own_township(clerks: Desk) -> None:
    shown = 0
    for account, path in _townships(clerks):
        answer = await clerks.ask(account, CASES)
        nodes = answer.json()["data"]["cases"]["nodes"]
        assert {n["division"]["code"][:9] for n in nodes} == {path}
        assert (await clerks.record(answer))["areas"] == [path]
        shown += len(nodes)
    assert shown > 100


async def test_a_certificate_under_the_twin_code_is_not_taken_for_ours(
    site_copy: Site, open_desk: OpenDesk
) -> None:
    """Civil affairs files a 者腊 person under 532622205201, which is its code of 蚌峨's village."""
    zhelai = site_copy.shown("zhelai")
    assert zhelai.village == TWIN
    changed = _write(
        site_copy.folder / "sources" / "mz_assist.sqlite",
        "UPDATE v_dbhz SET xzqhdm = ? WHERE dbzh IN (SELECT dbzh FROM v_dbcy WHERE sfzh = ?)",
        TWIN,
        zhelai.id18,
    )
    assert changed == 1
    async with open_desk(site_copy) as desk:
        town = await desk.ask(TOWN, CERTIFICATE, {"n": zhelai.id18}, purpose="aid.review")
        county = await desk.ask("mca-dept-01", CERTIFICATE, {"n": zhelai.id18})
    citizen = town.json()["data"]["citizen"]
    assert citizen["civilAffairs"]["minLiving"] is None
    assert {"field": "civilAffairs.minLiving", "state": "NO_RECORD"} in citizen["access"]
    # The county's department sees the row, under the place its own scheme means.
    shown = county.json()["data"]["citizen"]["civilAffairs"]["minLiving"]
    assert shown == {"division": "532622206201"}


def _townships(desk: Desk) -> list[tuple[str, str]]:
    found = [(f"town-{d.path[6:]}", d.path) for d in desk.hub.catalog.divisions.townships()]
    assert len(found) == 11
    return found


async def _whole_list(desk: Desk, account: str) -> list[str]:
    found: list[str] = []
    after = None
    while True:
        answer = await desk.ask(account, LIST, {"after": after})
        page = answer.json()["data"]["citizens"]
        found += [node["id"] for node in page["nodes"]]
        if not page["pageInfo"]["hasNextPage"]:
            assert page["totalCount"] == len(found)
            return found
        after = page["pageInfo"]["endCursor"]


def _certificates(site: Site, township: str) -> Mapping[str, str]:
    """Person -> canonical village of the certificate, read from the source's file itself."""
    register = _rows(site.folder / "register.sqlite", "SELECT id18, id, region_path FROM citizen")
    people = {number: (person, path) for number, person, path in register}
    found: dict[str, str] = {}
    for number, code in _rows(
        site.folder / "sources" / "mz_assist.sqlite",
        "SELECT m.sfzh, h.xzqhdm FROM v_dbcy m JOIN v_dbhz h USING (dbzh) "
        "ORDER BY h.zt DESC, h.ffny, m.dbzh DESC",
    ):
        whose = people.get(canonical(str(number)).id18)
        if whose is not None and whose[1].startswith(township):
            found[whose[0]] = f"{code[:6]}{CIVIL[code[6:9]]}{code[9:]}"
    return found


def _rows(file: Path, statement: str, *values: Any) -> list[tuple[Any, ...]]:
    with contextlib.closing(sqlite3.connect(file)) as connection:
        return connection.execute(statement, values).fetchall()


def _write(file: Path, statement: str, *values: Any) -> int:
    """Rows changed."""
    with contextlib.closing(sqlite3.connect(file)) as connection:
        count = connection.execute(statement, values).rowcount
        connection.commit()
    return count
