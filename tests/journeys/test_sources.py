"""What the sources cost, what happens when one is down, and what dirty rows look like."""

from __future__ import annotations

import contextlib
import sqlite3
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from hub.demo.department import insurance
from hub.demo.run import sample
from hub.demo.site import HTTP_SOURCE

if TYPE_CHECKING:
    from hub.demo.site import Site
    from tests.journeys.conftest import Desk, OpenDesk

pytestmark = [pytest.mark.anyio, pytest.mark.loopback]

TOWN, COUNTY = "zhelai-town-01", "mca-dept-01"


# ---- cost ---------------------------------------------------------------------------------------

COST = {
    # The person, with whom household, members, cases, their total, events and orders ride; the
    # list and its total. A village may not see orders, so its cases and their total come as
    # rows. Housing asks for the house and then for its appraisals.
    "zhelai-village-01": {"hub": 5, "mz_assist": 1, "wfgz": 2, "yb_settle": 1},
    "zhelai-town-01": {"hub": 3, "mz_assist": 1, "wfgz": 2, "yb_settle": 1},
    "mca-dept-01": {"hub": 3, "mz_assist": 1},
    "office-01": {"hub": 3},
    "auditor-01": {},
}


@pytest.mark.parametrize("account", COST)
async def test_the_sample_query_costs_so_many_statements(desk: Desk, account: str) -> None:
    question, before = sample(), desk.calls()
    await desk.ask(account, question.text, question.variables)
    assert desk.sent(before) == COST[account]


async def test_a_page_of_one_costs_as_much_as_a_page_of_a_hundred(desk: Desk) -> None:
    query = """query($n: Int!) { citizens(first: $n) { totalCount nodes {
      id household { householdNo } cases(first: 1) { totalCount nodes { caseNo } }
      civilAffairs { minLiving { status } } housing { house { structure } }
      medicalInsurance { enrolment { state } } } } }"""
    costs = []
    for number in (1, 100):
        before = desk.calls()
        answer = await desk.ask(TOWN, query, {"n": number}, purpose="aid.review")
        assert len(answer.json()["data"]["citizens"]["nodes"]) == number
        costs.append(desk.sent(before))
    one, hundred = costs
    # An interface call takes a hundred certificate numbers, in the spellings it may hold.
    assert hundred.pop(HTTP_SOURCE) == 4
    assert one.pop(HTTP_SOURCE) == 1
    assert one == hundred == {"hub": 2, "mz_assist": 1, "wfgz": 1}


async def test_a_second_answer_plans_nothing_anew(desk: Desk) -> None:
    question = sample()
    await desk.ask(TOWN, question.text, question.variables)
    engine = desk.hub.engine
    planned, parsed = engine.planned, engine.documents.parsed
    await desk.ask(TOWN, question.text, question.variables)
    assert (engine.planned, engine.documents.parsed) == (planned, parsed)


# ---- down ---------------------------------------------------------------------------------------

FACETS = """query($n: String!) { citizen(by: {idNumber: $n}) {
  name
  housing { house { structure appraisals { grade } } }
  medicalInsurance { enrolment { state } settlements { settledAt } }
  civilAffairs { minLiving { status } }
  access { field state source }
} cases(first: 1) { totalCount } }"""


async def test_a_source_that_is_gone_leaves_its_facets_null_and_the_rest_answered(
    site_copy: Site, insurance_url: str, open_desk: OpenDesk
) -> None:
    file = site_copy.folder / "sources" / "wfgz.sqlite"
    async with open_desk(site_copy, insurance_url) as desk:
        file.unlink()
        file.mkdir()  # what stands in its place now is no database
        answer = await desk.ask(TOWN, FACETS, {"n": desk.site.shown("zhelai").id18})
        record = await desk.record(answer)
    body = answer.json()
    assert answer.status_code == 200
    citizen = body["data"]["citizen"]
    assert citizen["name"] == "陆云山"
    assert citizen["housing"] == {"house": None}
    assert citizen["civilAffairs"] == {"minLiving": {"status": "ACTIVE"}}
    assert citizen["medicalInsurance"]["enrolment"] == {"state": "ACTIVE"}
    assert body["data"]["cases"]["totalCount"] > 0
    assert citizen["access"] == [
        {"field": "housing.house", "state": "SOURCE_DOWN", "source": "wfgz"}
    ]
    _is_down(body, "wfgz")
    assert (record["outcome"], record["code"]) == ("PARTIAL", "SOURCE_UNAVAILABLE")
    assert _read(record, "house")["states"] == {"SOURCE_DOWN": 1}
    assert "clear" not in _read(record, "house")


async def test_an_http_source_that_is_stopped_is_down_in_both_its_facets(
    site_copy: Site, open_desk: OpenDesk
) -> None:
    number = {"n": site_copy.shown("zhelai").id18}
    file = site_copy.folder / "sources" / f"{HTTP_SOURCE}.sqlite"
    async with contextlib.AsyncExitStack() as stack:
        with insurance(file) as address:
            desk = await stack.enter_async_context(open_desk(site_copy, address))
            before = await desk.ask(TOWN, FACETS, number)
        after = await desk.ask(TOWN, FACETS, number)
        record = await desk.record(after)
    assert "errors" not in before.json()
    citizen = after.json()["data"]["citizen"]
    assert citizen["medicalInsurance"] == {"enrolment": None, "settlements": None}
    assert citizen["housing"]["house"] == {
        "structure": "砖混",
        "appraisals": before.json()["data"]["citizen"]["housing"]["house"]["appraisals"],
    }
    assert citizen["access"] == [
        {"field": f"medicalInsurance.{name}", "state": "SOURCE_DOWN", "source": HTTP_SOURCE}
        for name in ("enrolment", "settlements")
    ]
    _is_down(after.json(), HTTP_SOURCE)  # two facets of one source: one error
    assert record["outcome"] == "PARTIAL"


async def test_each_root_tells_of_the_source_once(site_copy: Site, open_desk: OpenDesk) -> None:
    """Three persons, two facets each, two roots: two errors."""
    query = """query($n: String!, $m: ID!) {
      one: citizen(by: {idNumber: $n}) { household { members { %s } } }
      other: citizen(by: {id: $m}) { %s }
    }""" % (("medicalInsurance { enrolment { state } settlements { settledAt } }",) * 2)
    zhelai = site_copy.shown("zhelai")
    async with open_desk(site_copy) as desk:  # the department's system is not connected
        answer = await desk.ask(TOWN, query, {"n": zhelai.id18, "m": zhelai.citizen})
    errors = answer.json()["errors"]
    assert sorted(e["path"][0] for e in errors) == ["one", "other"]
    assert {e["extensions"]["source"] for e in errors} == {HTTP_SOURCE}
    members = answer.json()["data"]["one"]["household"]["members"]
    assert len(members) == 4
    assert all(m["medicalInsurance"]["enrolment"] is None for m in members)


def _is_down(body: dict[str, Any], source: str) -> None:
    (error,) = body["errors"]
    assert error["path"] == ["citizen"]
    assert error["extensions"]["code"] == "SOURCE_UNAVAILABLE"
    assert error["extensions"]["reason"] in ("DOWN", "TIMEOUT")
    assert error["extensions"]["source"] == source
    assert "sqlite" not in str(error)
    told = {s["name"]: s["status"] for s in body["extensions"]["sources"]}
    assert told.pop(source) == error["extensions"]["reason"]
    assert set(told.values()) == {"LIVE"}


def _read(record: dict[str, Any], dataset: str) -> dict[str, Any]:
    found: dict[str, Any] = next(r for r in record["reads"] if r["d"] == dataset)
    return found


# ---- dirt ---------------------------------------------------------------------------------------

CIVIL = """query($n: String!) { citizen(by: {idNumber: $n}) { civilAffairs { minLiving {
  name division monthlyAmount paidMonth status provenance { matchGrade quality }
} } } }"""
MEMBER = "dbzh IN (SELECT dbzh FROM v_dbcy WHERE sfzh = :n)"


async def _dirty(
    site: Site, open_desk: OpenDesk, account: str, statement: str, **values: str
) -> dict[str, Any]:
    """The demonstration person's certificate after one UPDATE in the department's file."""
    person = site.shown("zhelai")
    file = site.folder / "sources" / "mz_assist.sqlite"
    with contextlib.closing(sqlite3.connect(file)) as connection:
        assert connection.execute(statement, {"n": person.id18} | values).rowcount == 1
        connection.commit()
    async with open_desk(site) as desk:
        answer = await desk.ask(
            account, CIVIL, {"n": person.id18}, purpose="aid.review", case_no=_case(account, site)
        )
    assert "errors" not in answer.json()
    found: dict[str, Any] = answer.json()["data"]["citizen"]["civilAffairs"]["minLiving"]
    return found


def _case(account: str, site: Site) -> str | None:
    """The town clerk sees values unmasked under a case only; the county has cases of its own."""
    return site.shown("zhelai").case_no if account == TOWN else None


async def test_a_clean_row_says_so(site_copy: Site, open_desk: OpenDesk) -> None:
    update = "UPDATE v_dbhz SET zt = zt WHERE " + MEMBER
    found = await _dirty(site_copy, open_desk, TOWN, update)
    assert found["provenance"] == {"matchGrade": "M1", "quality": []}
    assert (found["status"], found["monthlyAmount"]) == ("ACTIVE", "1556.00")


async def test_a_name_written_otherwise_is_shown_with_dq06(
    site_copy: Site, open_desk: OpenDesk
) -> None:
    update = "UPDATE v_dbcy SET xm = :name WHERE sfzh = :n"
    found = await _dirty(site_copy, open_desk, TOWN, update, name="陆\u3000云山")
    assert found["provenance"] == {"matchGrade": "M2", "quality": ["DQ06"]}
    assert found["status"] == "ACTIVE"


async def test_another_name_is_a_doubt_not_a_merge(site_copy: Site, open_desk: OpenDesk) -> None:
    update = "UPDATE v_dbcy SET xm = :name WHERE sfzh = :n"
    found = await _dirty(site_copy, open_desk, TOWN, update, name="王大海")
    assert found["provenance"] == {"matchGrade": "M3", "quality": ["DQ12"]}


async def test_an_amount_nobody_can_read_is_null_with_dq10(
    site_copy: Site, open_desk: OpenDesk
) -> None:
    update = "UPDATE v_dbhz SET bzje = :amount WHERE " + MEMBER
    found = await _dirty(site_copy, open_desk, TOWN, update, amount="一千五百")
    assert found["monthlyAmount"] is None
    assert found["provenance"] == {"matchGrade": "M1", "quality": ["DQ10"]}
    assert found["status"] == "ACTIVE"  # the rest of the row stays


async def test_an_unknown_division_is_null_with_dq07_for_the_county(
    site_copy: Site, open_desk: OpenDesk
) -> None:
    update = "UPDATE v_dbhz SET xzqhdm = :code WHERE " + MEMBER
    found = await _dirty(site_copy, open_desk, COUNTY, update, code="532622999001")
    assert found["division"] is None
    assert found["provenance"]["quality"] == ["DQ07"]


# ---- pages --------------------------------------------------------------------------------------

CASES = """query($first: Int, $after: String, $last: Int, $before: String) {
  cases(first: $first, after: $after, last: $last, before: $before) {
    totalCount edges { cursor node { caseNo } }
    pageInfo { hasNextPage hasPreviousPage startCursor endCursor } } }"""


async def test_all_pages_together_are_the_list(desk: Desk) -> None:
    whole = [e["node"]["caseNo"] for e in (await _cases(desk, first=100))["edges"]]
    assert len(whole) == len(set(whole)) > 7
    found: list[str] = []
    after = None
    while True:
        page = await _cases(desk, first=3, after=after)
        assert page["totalCount"] == len(whole)
        assert page["pageInfo"]["hasPreviousPage"] == (after is not None)
        found += [e["node"]["caseNo"] for e in page["edges"]]
        after = page["pageInfo"]["endCursor"]
        assert after == page["edges"][-1]["cursor"]
        if not page["pageInfo"]["hasNextPage"]:
            break
        assert len(page["edges"]) == 3
    assert found == whole


async def test_backwards_the_pages_are_the_same_list(desk: Desk) -> None:
    whole = [e["node"]["caseNo"] for e in (await _cases(desk, first=100))["edges"]]
    found: list[str] = []
    before = None
    while True:
        page = await _cases(desk, last=3, before=before)
        assert page["pageInfo"]["hasNextPage"] == (before is not None)
        found = [e["node"]["caseNo"] for e in page["edges"]] + found
        before = page["pageInfo"]["startCursor"]
        if not page["pageInfo"]["hasPreviousPage"]:
            break
    assert found == whole


async def test_an_empty_page_still_counts(desk: Desk) -> None:
    page = await _cases(desk, first=0)
    assert page["edges"] == []
    assert page["totalCount"] == len((await _cases(desk, first=100))["edges"])
    info = {"hasNextPage": True, "hasPreviousPage": False, "startCursor": None, "endCursor": None}
    assert page["pageInfo"] == info


async def _cases(desk: Desk, **given: Any) -> dict[str, Any]:
    answer = await desk.ask(TOWN, CASES, given)
    assert "errors" not in answer.json()
    found: dict[str, Any] = answer.json()["data"]["cases"]
    return found


async def test_a_nested_list_has_pages_of_its_own(desk: Desk) -> None:
    query = """query($i: ID!, $first: Int, $after: String) { citizen(by: {id: $i}) {
      cases(first: $first, after: $after) {
        totalCount nodes { caseNo } pageInfo { hasNextPage endCursor } } } }"""
    person = desk.site.shown("zhelai").citizen
    found: list[str] = []
    after = None
    for more in (True, True, False):
        given = {"i": person, "first": 2, "after": after}
        page = (await desk.ask(TOWN, query, given)).json()["data"]["citizen"]["cases"]
        assert (page["totalCount"], page["pageInfo"]["hasNextPage"]) == (6, more)
        found += [n["caseNo"] for n in page["nodes"]]
        after = page["pageInfo"]["endCursor"]
    assert found == [f"SQ2052019000{n}" for n in (6, 5, 4, 3, 2, 1)]


async def test_only_what_is_on_the_page_is_asked_for_and_recorded(desk: Desk) -> None:
    query = """query($n: Int!) { citizens(first: $n) { nodes {
      id civilAffairs { minLiving { status } } } } }"""
    answer = await desk.ask(TOWN, query, {"n": 5})
    record = await desk.record(answer)
    assert len(answer.json()["data"]["citizens"]["nodes"]) == 5
    assert _read(record, "citizen")["n"] == 5
    assert len(record["subjects"]) == 5
    states = _read(record, "min_living").get("states", {})
    assert _read(record, "min_living")["n"] + sum(states.values()) == 5


# ---- a case in hand -----------------------------------------------------------------------------

HOUSEHOLD = """query($n: String!) { citizen(by: {idNumber: $n}) {
  idNumber civilAffairs { minLiving { monthlyAmount } }
  household { members { idNumber } } access { field state } } }"""
LISTED = "{ citizens(first: 100) { totalCount nodes { idNumber } } }"


async def test_a_case_in_hand_unmasks_its_household_only(desk: Desk) -> None:
    zhelai = desk.site.shown("zhelai")
    number, case_no = {"n": zhelai.id18}, zhelai.case_no
    without = await desk.ask(TOWN, HOUSEHOLD, number, purpose="aid.review")
    assert without.json()["data"]["citizen"]["idNumber"] is None
    opened = await desk.ask(TOWN, HOUSEHOLD, number, purpose="aid.review", case_no=case_no)
    citizen = opened.json()["data"]["citizen"]
    assert citizen["idNumber"] == zhelai.id18
    assert citizen["civilAffairs"] == {"minLiving": {"monthlyAmount": "1556.00"}}
    # Adults' numbers; a child's stays hidden from this post.
    numbers = [m["idNumber"] for m in citizen["household"]["members"]]
    assert sum(n is not None for n in numbers) == 3
    record = await desk.record(opened)
    assert record["case"] == case_no
    assert zhelai.id18 not in str(record)
    listed = await desk.ask(TOWN, LISTED, purpose="aid.review", case_no=case_no)
    assert listed.json()["data"]["citizens"]["totalCount"] == 4


@pytest.mark.parametrize(
    ("purpose", "clear"), [("aid.file", False), ("aid.verify", True), ("aid.review", True)]
)
async def test_only_some_purposes_unmask(desk: Desk, purpose: str, clear: bool) -> None:
    zhelai = desk.site.shown("zhelai")
    answer = await desk.ask(
        TOWN, HOUSEHOLD, {"n": zhelai.id18}, purpose=purpose, case_no=zhelai.case_no
    )
    citizen = answer.json()["data"]["citizen"]
    assert citizen["idNumber"] == (zhelai.id18 if clear else None)
    masked = {"field": "idNumber", "state": "MASKED"} in citizen["access"]
    assert masked is not clear


async def test_a_case_closes_every_other_household(desk: Desk) -> None:
    """The case narrows as well: another person of the own township is not there any more."""
    zhelai = desk.site.shown("zhelai")
    other = await _another(desk, zhelai.household)
    free = await desk.ask(TOWN, HOUSEHOLD, {"n": other}, purpose="aid.review")
    bound = await desk.ask(
        TOWN, HOUSEHOLD, {"n": other}, purpose="aid.review", case_no=zhelai.case_no
    )
    assert free.json()["data"]["citizen"] is not None
    assert bound.json()["data"] == {"citizen": None}
    assert (await desk.record(bound))["code"] == "NO_RECORD"


async def _another(desk: Desk, household: str) -> str:
    """The number of an adult of 者腊乡 who lives elsewhere."""
    statement = (
        "SELECT id18 FROM citizen WHERE region_path LIKE '532622205%' AND household_id <> ? "
        "AND id18 IS NOT NULL AND birth < '1990-01-01' ORDER BY id LIMIT 1"
    )
    file = Path(desk.site.folder) / "register.sqlite"
    with contextlib.closing(sqlite3.connect(file)) as connection:
        return str(connection.execute(statement, (household,)).fetchone()[0])


async def test_a_foreign_case_number_is_refused_like_an_unknown_one(desk: Desk) -> None:
    zhelai, bange = desk.site.shown("zhelai"), desk.site.shown("bange")
    refused = [
        await desk.ask(TOWN, HOUSEHOLD, {"n": zhelai.id18}, purpose="aid.review", case_no=number)
        for number in (bange.case_no, "SQ20620199999", "SQ20520199999", "no case at all")
    ]
    errors = [a.json()["errors"] for a in refused]
    for (error,) in errors:
        del error["extensions"]["requestId"]
    assert all(e == errors[0] for e in errors)
    assert errors[0][0]["extensions"]["reason"] == "CASE"
    assert [a.status_code for a in refused] == [403] * 4
    assert all("data" not in a.json() for a in refused)
    codes = {(await desk.record(a))["code"] for a in refused}
    assert codes == {"FORBIDDEN"}
