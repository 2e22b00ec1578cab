"""The same county in one database and in three: equal answers, so many statements each.

In the three each table that must not be read is spoilt: the hub's store has no cases, events or
orders, the others have nobody's name. What came from the wrong database would be seen.
"""

from __future__ import annotations

import contextlib
import sqlite3
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from sqlalchemy import text
from sqlalchemy.engine import make_url

from adapters.resilience import THRESHOLD
from bench.questions import DOCUMENTS
from hub.demo.run import explained, sample
from hub.demo.site import Site
from hub.settings import SettingsError
from schema.build import build
from store.engine import open_engine
from tests.resolvers.documents import Choice, Facts, Maker

if TYPE_CHECKING:
    from tests.journeys.conftest import Desk, FillStore, OpenDesk

pytestmark = [pytest.mark.anyio, pytest.mark.loopback]

TOWN, OFFICE, DEPARTMENT = "zhelai-town-01", "office-01", "mca-dept-01"
AUTHORITY = "authority-01"
PLACED = {
    **{"case": "cases", "supervision_order": "cases", "case_event": "events"},
    **{"work_order": "cases", "timeout_event": "cases"},
}
DATABASES = ("hub", "cases", "events")
TOWNS_CASES = 10  # of 者腊乡, in the county at its smallest
SEEDS = 60  # documents made at random
NOBODY = (
    "UPDATE citizen SET name = '误', sex = 'UNKNOWN', phone = NULL, household_id = NULL",
    "UPDATE household SET size = 0",
)
NO_CASES = "UPDATE case_file SET case_no = id, state = 'CLOSED', household_id = NULL"
"""Their work orders and what was overdue of them stay: nobody deletes that."""
SPOILT: Mapping[str, tuple[str, ...]] = {
    "hub": ("DELETE FROM case_event", "DELETE FROM supervision_order", NO_CASES),
    "cases": ("DELETE FROM case_event", *NOBODY),
    "events": (
        "DELETE FROM supervision_order",
        "UPDATE department SET short = '误', title = '误'",
        NO_CASES,
        *NOBODY,
    ),
}


@dataclass(frozen=True, slots=True)
class Apart:
    """Two hubs over one county; `addresses` of the three databases, by source."""

    one: Desk
    three: Desk
    addresses: Mapping[str, str]

    async def rows(self, source: str, statement: str) -> list[tuple[Any, ...]]:
        """What stands in one of the three databases."""
        engine = open_engine(self.addresses[source], pool_size=1)
        async with engine.connect() as connection:
            found = [tuple(row) for row in await connection.execute(text(statement))]
        await engine.dispose()
        return found


def placing(addresses: Mapping[str, str]) -> dict[str, object]:
    """The settings of the three databases."""
    found: dict[str, object] = {"store.url": addresses["hub"]}
    found |= {f"sources.{name}": addresses[name] for name in DATABASES[1:]}
    return found | {f"placed.{name}": source for name, source in PLACED.items()}


@pytest.fixture(
    scope="module", params=["sqlite", pytest.param("postgres", marks=pytest.mark.postgres)]
)
async def apart(
    request: pytest.FixtureRequest,
    site: Site,
    insurance_url: str,
    open_desk: OpenDesk,
    fill_store: FillStore,
    tmp_path_factory: pytest.TempPathFactory,
) -> AsyncIterator[Apart]:
    """One database and three, in files and in a server."""
    folder = tmp_path_factory.mktemp("apart")
    if request.param == "sqlite":
        one = await _file(site, folder / "one.sqlite", fill_store)
        three = {name: _copy(one, folder / f"{name}.sqlite") for name in DATABASES}
    else:
        make = request.getfixturevalue("pg_database")
        one = await make()
        await fill_store(site, one)
        three = {name: await make(one) for name in DATABASES}
    for name, address in three.items():
        await _execute(address, SPOILT[name])
    async with contextlib.AsyncExitStack() as stack:
        desks = [
            await stack.enter_async_context(open_desk(site, insurance_url, **given))
            for given in ({"store.url": one}, placing(three))
        ]
        yield Apart(desks[0], desks[1], three)


async def _file(site: Site, path: Path, fill_store: FillStore) -> str:
    address = f"sqlite+aiosqlite:///{path}"
    await fill_store(site, address)
    return address


def _copy(address: str, path: Path) -> str:
    with (
        contextlib.closing(sqlite3.connect(str(make_url(address).database))) as old,
        contextlib.closing(sqlite3.connect(path)) as new,
    ):
        old.backup(new)
    return f"sqlite+aiosqlite:///{path}"


async def _execute(address: str, statements: tuple[str, ...]) -> None:
    engine = open_engine(address, pool_size=1)
    async with engine.begin() as connection:
        for statement in statements:
            await connection.execute(text(statement))
    await engine.dispose()


def same(answer: Mapping[str, Any]) -> Any:
    """Data and errors of an answer, without what changes with every run or with the place."""
    errors = [
        {k: v for k, v in error.items() if k != "extensions"}
        | {"code": error["extensions"]["code"], "reason": error["extensions"].get("reason")}
        for error in answer.get("errors", ())
    ]
    return _as_one({"data": answer.get("data"), "errors": errors})


def _as_one(value: Any) -> Any:
    """The value with the placed sources called by the hub's name, and times taken out."""
    if isinstance(value, dict):
        return {k: "<asOf>" if k == "asOf" and v else _as_one(v) for k, v in value.items()}
    if isinstance(value, list):
        return [_as_one(v) for v in value]
    return "hub" if value in ("cases", "events", "people") else value


async def asked(
    apart: Apart, account: str, query: str, variables: Mapping[str, Any] | None = None, **how: Any
) -> tuple[Any, dict[str, int]]:
    """What both answer, which must be equal, and the statements of the three databases."""
    one = await apart.one.ask(account, query, variables, **how)
    before = apart.three.calls()
    three = await apart.three.ask(account, query, variables, **how)
    assert three.status_code == one.status_code == 200
    assert same(three.json()) == same(one.json())
    return three.json(), apart.three.sent(before)


# ---- equal answers, exact costs -----------------------------------------------------------------

COST = {
    # The person with household and members; the applicants and departments of the list. His
    # cases and their total, the list and its total: orders ride with the cases. Their events.
    "zhelai-village-01": {"mz_assist": 1, "wfgz": 2, "yb_settle": 1},
    "zhelai-town-01": {"mz_assist": 1, "wfgz": 2, "yb_settle": 1},
    "mca-dept-01": {"mz_assist": 1},
    "office-01": {},
}


@pytest.mark.parametrize("account", COST)
async def test_the_sample_query_is_answered_alike(apart: Apart, account: str) -> None:
    question = sample()
    answer, sent = await asked(apart, account, question.text, question.variables)
    assert answer["data"]["citizen"]["cases"]["nodes"][0]["events"]["nodes"]
    assert sent == {"hub": 3, "cases": 4, "events": 1, **COST[account]}


async def test_one_citizen_with_cases_and_their_orders_is_two_statements(apart: Apart) -> None:
    rows = await apart.rows(
        "cases",
        "SELECT DISTINCT applicant_id, order_no IS NULL FROM case_file f"
        " LEFT JOIN supervision_order o ON f.id = o.case_id"
        " WHERE f.region_path LIKE '532622205%' ORDER BY 2, 1 LIMIT 5",
    )
    orders = 0
    for citizen, _ in rows:
        answer, sent = await asked(
            apart, TOWN, DOCUMENTS["Q1"], {"id": citizen}, purpose="aid.review"
        )
        assert sent == {"hub": 1, "cases": 1}
        cases = answer["data"]["citizen"]["cases"]["nodes"]
        orders += sum(len(case["orders"]) for case in cases)
    assert len(rows) == 5
    assert orders >= 1


async def test_fifty_cases_with_people_places_and_events_are_four_statements(apart: Apart) -> None:
    answer, sent = await asked(apart, TOWN, DOCUMENTS["Q2"], purpose="aid.review")
    assert sent == {"hub": 2, "cases": 1, "events": 1}
    cases = answer["data"]["cases"]["nodes"]
    assert len(cases) == TOWNS_CASES
    assert all(case["events"]["nodes"] and case["applicant"]["name"] != "误" for case in cases)


async def test_a_record_names_the_source_each_read_went_to(apart: Apart) -> None:
    await apart.three.ask(TOWN, DOCUMENTS["Q2"], purpose="aid.review")
    answer = await apart.three.ask(TOWN, DOCUMENTS["Q2"], purpose="aid.review")
    reads = (await apart.three.record(answer))["reads"]
    assert {read["d"]: read["src"] for read in reads} == {
        "case": "cases",
        "citizen": "hub",
        "division": "hub",
        "case_event": "events",
    }
    assert answer.json()["extensions"]["sources"] == [
        {"name": name, "status": "LIVE"} for name in ("cases", "hub", "events")
    ]
    one = await apart.one.ask(TOWN, DOCUMENTS["Q2"], purpose="aid.review")
    plain = await apart.one.record(one)
    assert _told(reads) == _told(plain["reads"])
    assert await apart.rows("events", "SELECT count(*) FROM audit_event") == [(0,)]


def _told(reads: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return [{k: v for k, v in read.items() if k not in ("src", "lens")} for read in reads]


LISTED = """query($after: String) { cases(first: 4, after: $after) {
  totalCount pageInfo { endCursor hasNextPage }
  edges { cursor node { caseNo applicant { name } events(first: 1) { nodes { state } } } } } }"""


async def test_pages_of_a_placed_list_go_on_where_the_last_one_ended(apart: Apart) -> None:
    numbers: list[str] = []
    ends: list[str | None] = [None, None]
    for more in (True, True, False):
        pages = []
        before = apart.three.calls()
        for at, desk in enumerate((apart.one, apart.three)):
            listed = (await desk.ask(TOWN, LISTED, {"after": ends[at]})).json()["data"]["cases"]
            ends[at] = listed["pageInfo"].pop("endCursor")
            assert [edge.pop("cursor") for edge in listed["edges"]][-1] == ends[at]
            pages.append(listed)
        assert apart.three.sent(before) == {"hub": 1, "cases": 2, "events": 1}
        assert pages[0] == pages[1]
        assert pages[0]["pageInfo"] == {"hasNextPage": more}
        numbers += [edge["node"]["caseNo"] for edge in pages[1]["edges"]]
    assert len(numbers) == len(set(numbers)) == pages[1]["totalCount"] == TOWNS_CASES


ORDERS = """{ supervisionOrders(first: 50) { nodes {
  orderNo case { caseNo orders { orderNo } } division { name } department { shortName } } } }"""


@pytest.mark.parametrize(("account", "count"), [(TOWN, 1), (OFFICE, 5)])
async def test_orders_and_their_cases_are_one_statement_where_they_lie(
    apart: Apart, account: str, count: int
) -> None:
    answer, sent = await asked(apart, account, ORDERS)
    assert sent == {"hub": 2, "cases": 1}
    assert len(answer["data"]["supervisionOrders"]["nodes"]) == count


COUNTED = "{ caseStats(by: [MONTH, TOWNSHIP, STATE]) { month division state count suppressed } }"


async def test_cases_are_counted_where_they_lie(apart: Apart) -> None:
    answer, sent = await asked(apart, TOWN, COUNTED)
    assert sent == {"cases": 1}
    assert len(answer["data"]["caseStats"]) == 10


async def test_published_counts_are_kept_in_the_hubs_store(apart: Apart) -> None:
    _, first = await asked(apart, AUTHORITY, COUNTED)
    answer, second = await asked(apart, AUTHORITY, COUNTED)
    assert (first, second) == ({"cases": 1}, {})
    assert len(answer["data"]["caseStats"]) > 10
    kept = "SELECT count(*) > 0 FROM tally_publication"
    assert [bool((await apart.rows(name, kept))[0][0]) for name in DATABASES] == [
        True,
        False,
        False,
    ]


HOUSEHOLD = """query($n: String!) { citizen(by: {idNumber: $n}) {
  idNumber household { members { idNumber } } cases(first: 5) { nodes { caseNo } } } }"""


async def test_a_case_number_narrows_by_the_placed_case(apart: Apart) -> None:
    person = apart.one.site.shown("zhelai")
    how = {"purpose": "aid.review", "case_no": person.case_no}
    answer, sent = await asked(apart, TOWN, HOUSEHOLD, {"n": person.id18}, **how)
    assert answer["data"]["citizen"]["idNumber"] == person.id18
    assert sent == {"hub": 1, "cases": 1}
    unknown = await apart.three.ask(
        TOWN, HOUSEHOLD, {"n": person.id18}, purpose="aid.review", case_no="SQ20620190006"
    )
    assert unknown.status_code == 403
    assert unknown.json()["errors"][0]["extensions"]["reason"] == "CASE"


async def test_people_and_households_can_lie_apart_too(
    apart: Apart, insurance_url: str, open_desk: OpenDesk
) -> None:
    """The other way round: the database without people is the hub's store."""
    given = placing({"hub": apart.addresses["cases"], "cases": "", "events": ""})
    given = {name: value for name, value in given.items() if value not in ("", "cases")}
    given |= {"sources.events": apart.addresses["events"], "sources.people": apart.addresses["hub"]}
    given |= {"placed.citizen": "people", "placed.household": "people"}
    question = sample()
    async with open_desk(apart.one.site, insurance_url, **given) as desk:
        for account in (TOWN, OFFICE):
            before = desk.calls()
            found = await desk.ask(account, question.text, question.variables)
            wanted = await apart.one.ask(account, question.text, question.variables)
            assert same(found.json()) == same(wanted.json())
            # His place, his cases, the list, both totals; he with his household, the applicants.
            assert desk.sent(before) == {"hub": 5, "people": 2, "events": 1, **COST[account]}
            record = await desk.record(found)
            assert record["subjects"] == (await apart.one.record(wanted))["subjects"]


@pytest.mark.postgres
async def test_a_store_in_a_file_may_have_its_cases_in_a_server(
    desk: Desk,
    site_copy: Site,
    insurance_url: str,
    open_desk: OpenDesk,
    fill_store: FillStore,
    pg_database: Callable[..., Awaitable[str]],
) -> None:
    cases = await pg_database()
    await fill_store(site_copy, cases)
    await _execute(cases, SPOILT["cases"][1:])
    await _execute(site_copy.store_url, SPOILT["hub"])
    given = {f"placed.{name}": "cases" for name in PLACED} | {"sources.cases": cases}
    question = sample()
    async with open_desk(site_copy, insurance_url, **given) as apart:
        for account in COST:
            wanted = await desk.ask(account, question.text, question.variables)
            before = apart.calls()
            found = await apart.ask(account, question.text, question.variables)
            assert same(found.json()) == same(wanted.json())
            # The events ride with their cases again.
            assert apart.sent(before) == {"hub": 3, "cases": 4, **COST[account]}


async def test_documents_made_at_random_are_answered_alike(apart: Apart) -> None:
    facts, schema = await _facts(apart), build(apart.one.hub.catalog).schema
    placed = 0
    for seed in range(SEEDS):
        made = Maker(schema, facts, seed, Choice(facets=False)).made()
        for variables in made.variables:
            body = {"query": made.text, "operationName": made.name, "variables": dict(variables)}
            answers = []
            before = apart.three.calls()
            for desk in (apart.one, apart.three):
                headers = desk.headers((TOWN, OFFICE, DEPARTMENT)[seed % 3])
                answer = await desk.client.post("/graphql", json=body, headers=headers)
                answers.append(same(answer.json()))
            assert answers[0] == answers[1], (seed, made.text)
            placed += bool(apart.three.sent(before).keys() & {"cases", "events"})
    assert placed > SEEDS // 2


async def _facts(apart: Apart) -> Facts:
    async def column(source: str, statement: str) -> list[str]:
        return [row[0] for row in await apart.rows(source, statement)]

    zhelai = "region_path LIKE '532622205%'"
    return Facts(
        await column("cases", f"SELECT DISTINCT applicant_id FROM case_file WHERE {zhelai}"),
        await column(
            "hub", f"SELECT id18 FROM citizen WHERE {zhelai} AND id18 IS NOT NULL LIMIT 9"
        ),
        await column("hub", f"SELECT id FROM household WHERE {zhelai} ORDER BY id LIMIT 30"),
        await column("cases", f"SELECT case_no FROM case_file WHERE {zhelai} ORDER BY id LIMIT 40"),
        await column("cases", f"SELECT order_no FROM supervision_order WHERE {zhelai} LIMIT 40"),
        await column("hub", "SELECT code FROM division ORDER BY path"),
    )


# ---- a placed source is down --------------------------------------------------------------------


@contextlib.asynccontextmanager
async def without(
    apart: Apart, source: str, insurance_url: str, open_desk: OpenDesk
) -> AsyncIterator[Desk]:
    """The three databases, one of them not there."""
    gone = {**apart.addresses, source: f"{apart.addresses[source]}_gone"}
    async with open_desk(apart.one.site, insurance_url, **placing(gone)) as desk:
        yield desk


async def test_events_that_are_gone_cost_themselves_alone(
    apart: Apart, insurance_url: str, open_desk: OpenDesk
) -> None:
    whole = (await apart.one.ask(TOWN, DOCUMENTS["Q2"], purpose="aid.review")).json()
    async with without(apart, "events", insurance_url, open_desk) as desk:
        answer = await desk.ask(TOWN, DOCUMENTS["Q2"], purpose="aid.review")
        record = await desk.record(answer)
    body = answer.json()
    assert answer.status_code == 200
    for case in whole["data"]["cases"]["nodes"]:
        case["events"] = None
    assert body["data"] == whole["data"]
    (error,) = body["errors"]
    assert error["path"] == ["cases"]  # a source's failure is told once a root
    assert error["message"].startswith("中枢自有库（events）未能应答")
    assert _what(error) == ("SOURCE_UNAVAILABLE", "DOWN", "events")
    assert {"name": "events", "status": "DOWN"} in body["extensions"]["sources"]
    assert (record["outcome"], record["code"]) == ("PARTIAL", "SOURCE_UNAVAILABLE")
    (events,) = [read for read in record["reads"] if read["d"] == "case_event"]
    assert (events["src"], events["n"]) == ("events", 0)


async def test_cases_that_are_gone_leave_the_person_answered(
    apart: Apart, insurance_url: str, open_desk: OpenDesk
) -> None:
    question = sample()
    whole = (await apart.one.ask(TOWN, question.text, question.variables)).json()["data"]
    async with without(apart, "cases", insurance_url, open_desk) as desk:
        answer = await desk.ask(TOWN, question.text, question.variables)
        ready = await desk.client.get("/readyz")
    body = answer.json()
    whole["citizen"]["cases"] = whole["cases"] = None
    assert _as_one(body["data"]) == _as_one(whole)
    assert sorted(error["path"] for error in body["errors"]) == [["cases"], ["citizen"]]
    assert {_what(error) for error in body["errors"]} == {("SOURCE_UNAVAILABLE", "DOWN", "cases")}
    assert (ready.status_code, ready.json()["status"]) == (200, "ready")


async def test_a_case_number_cannot_be_looked_up_where_the_cases_are_gone(
    apart: Apart, insurance_url: str, open_desk: OpenDesk
) -> None:
    person = apart.one.site.shown("zhelai")
    async with without(apart, "cases", insurance_url, open_desk) as desk:
        answer = await desk.ask(
            TOWN, HOUSEHOLD, {"n": person.id18}, purpose="aid.review", case_no=person.case_no
        )
    (error,) = answer.json()["errors"]
    assert (answer.status_code, error["message"]) == (503, "诉求件库暂时不可用")
    assert _what(error) == ("SOURCE_UNAVAILABLE", "DOWN", "cases")


async def test_a_breaker_opens_and_readiness_tells_of_it(
    apart: Apart, insurance_url: str, open_desk: OpenDesk
) -> None:
    async with without(apart, "events", insurance_url, open_desk) as desk:
        before = await desk.client.get("/readyz")
        for _ in range(THRESHOLD):
            await desk.ask(TOWN, DOCUMENTS["Q2"], purpose="aid.review")
        sent = desk.calls()
        answer = await desk.ask(TOWN, DOCUMENTS["Q2"], purpose="aid.review")
        assert desk.sent(sent) == {"hub": 2, "cases": 1}
        after = await desk.client.get("/readyz")
    (error,) = answer.json()["errors"]
    assert _what(error) == ("SOURCE_UNAVAILABLE", "BREAKER_OPEN", "events")
    placed = {"cases": "CLOSED", "events": "CLOSED"}
    told = [ready.json() for ready in (before, after)]
    assert [one["placed"] for one in told] == [placed, placed | {"events": "OPEN"}]
    assert [one["sources"]["events"] for one in told] == ["NOT_ASKED", "BREAKER_OPEN"]
    assert (after.status_code, told[1]["status"]) == (200, "ready")
    assert "://" not in after.text


def _what(error: Mapping[str, Any]) -> tuple[str, str, str]:
    told = error["extensions"]
    return told["code"], told["reason"], told["source"]


# ---- what is shown of it ------------------------------------------------------------------------


async def test_a_printed_plan_names_the_source_of_each_read(
    apart: Apart, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HUB_SOURCES_CASES", apart.addresses["cases"])
    monkeypatch.setenv("HUB_SOURCES_EVENTS", apart.addresses["events"])
    for dataset, source in PLACED.items():
        monkeypatch.setenv(f"HUB_PLACED_{dataset.upper()}", source)
    printed = await explained(apart.one.site, TOWN, sample(), None)
    assert "关系 Citizen.cases → 诉求件（cases）" in printed
    assert "关系 Case.orders → 督办单（cases）" in printed
    assert "关系 Case.events → 办件事件（events）" in printed
    assert "关系 Case.applicant → 人员（hub）" in printed
    assert printed.count("（cases）") == 3


async def test_what_cannot_be_placed_stops_the_start(
    apart: Apart, insurance_url: str, open_desk: OpenDesk
) -> None:
    wrong = placing(apart.addresses) | {"placed.division": "cases"}
    with pytest.raises(SettingsError) as caught:
        async with open_desk(apart.one.site, insurance_url, **wrong):
            pass
    assert caught.value.lines == (
        "设置 `placed.division` 的值 `cases` 无法使用（来自命令行）：数据集 `division` 由目录写入"
        "自有库，须留在 `hub`；`citizen` 按区划脱敏时在自己的库中读取它，请删除此设置",
    )
