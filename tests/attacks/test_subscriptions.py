"""What a subscription tells of a row is what a query tells of it, and of no other row."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest

from authz.book import PolicyBook
from authz.gate import Gate
from authz.roles import pairs, parents_of, roles
from resolvers.answer import Answer, Question, Watched
from tests.attacks.conftest import NEIGHBOUR, PERSON, TOWN, reasons, told
from tests.resolvers.conftest import VIEWER, data_of

if TYPE_CHECKING:
    from resolvers.answer import Engine
    from tests.attacks.conftest import County

CASE = f"caseNo item state body decision applicant {{ {PERSON} }} access {{ field state source }}"
EVENT = f"id seq state at post overdue case {{ {CASE} }} access {{ field state }}"
ORDER = f"orderNo state note case {{ {CASE} }} access {{ field state source }}"
EVENTS = f"subscription($area: DivisionCode) {{ told: caseEvents(area: $area) {{ {EVENT} }} }}"
ORDERS = (
    f"subscription($area: DivisionCode) {{ told: supervisionEvents(area: $area) {{ {ORDER} }} }}"
)
COUNTS = (
    "subscription($area: DivisionCode)"
    " { told: caseCounts(area: $area) { state count suppressed month } }"
)
BY_CASE = (
    "query($no: String!) { case(caseNo: $no) {"
    f" events(first: 100) {{ nodes {{ {EVENT} }} }} }} }}"
)
BY_ORDER = f"query($no: String!) {{ told: supervisionOrder(orderNo: $no) {{ {ORDER} }} }}"
STATS = "{ told: caseStats(by: [STATE]) { state count suppressed month } }"

ASKED = [
    *((TOWN, purpose) for purpose in ("aid.file", "aid.verify", "correct")),
    *((account, "aid.file") for account in ("zhelai-village-01", NEIGHBOUR, "mca-dept-01")),
    *(("office-01", purpose) for purpose in ("supervise", "report")),
]


def told_of(
    county: County,
    text: str,
    changed: str,
    engine: Engine,
    gate: Gate,
    variables: Mapping[str, Any] | None = None,
) -> Answer:
    """What the subscription tells of a change."""
    question = Question(text, None, dict(variables or {}), changed=changed)
    return county.desk.runner.run(engine.answer(question, gate, {"viewer": VIEWER}))


def events_of(county: County, case_no: str) -> list[str]:
    """The events of a case, past every right."""
    asked = (
        "SELECT e.id FROM case_event e JOIN case_file c ON c.id = e.case_id"
        " WHERE c.case_no = ? ORDER BY e.at, e.id"
    )
    return [id_ for (id_,) in county.rows(asked, case_no)]


@pytest.mark.parametrize("json_mode", [True, False])
@pytest.mark.parametrize(("account", "purpose"), ASKED)
def test_an_event_is_told_as_a_query_tells_it_or_not_at_all(
    county: County, account: str, purpose: str, json_mode: bool
) -> None:
    engine, gate = county.engine(json_mode), county.desk.gate(account, purpose)
    for label in ("zhelai", "bange"):
        case_no = county.shown(label).case_no
        answer = county.answer(BY_CASE, {"no": case_no}, engine=engine, gate=gate)
        case = data_of(answer)["case"]
        nodes = {} if case is None else {n["id"]: n for n in case["events"]["nodes"]}
        ids = events_of(county, case_no)
        assert len(ids) > 1
        for id_ in ids:
            event = told_of(county, EVENTS, id_, engine, gate)
            assert (event.silent, event.errors) == (id_ not in nodes, ())
            assert data_of(event)["told"] == nodes.get(id_)
            assert sum(read.rows for read in event.disclosure.reads) == 0 or not event.silent


@pytest.mark.parametrize("json_mode", [True, False])
@pytest.mark.parametrize(("account", "purpose"), ASKED)
def test_an_order_is_told_as_a_query_tells_it_or_not_at_all(
    county: County, account: str, purpose: str, json_mode: bool
) -> None:
    engine, gate = county.engine(json_mode), county.desk.gate(account, purpose)
    if account == "zhelai-village-01":
        refused = county.desk.runner.run(engine.watch(Question(ORDERS, None, {}), gate))
        assert isinstance(refused, Answer)
        assert {code for code, _ in reasons(refused)} == {"FORBIDDEN"}
        return
    for label in ("zhelai", "bange"):
        number = county.shown(label).order_no
        ((id_,),) = county.rows("SELECT id FROM supervision_order WHERE order_no = ?", number)
        answer = county.answer(BY_ORDER, {"no": number}, engine=engine, gate=gate)
        event = told_of(county, ORDERS, id_, engine, gate)
        expected = data_of(answer)["told"]
        assert (event.silent, event.errors) == (expected is None, answer.errors)
        assert data_of(event)["told"] == expected


def test_what_is_not_his_is_told_like_what_is_not_there(county: County) -> None:
    """The same bytes for a neighbour's event, for one of nobody, and with a foreign area."""
    engine, gate = county.engine(), county.desk.gate(TOWN, "correct")
    own, foreign = (events_of(county, county.shown(w).case_no)[0] for w in ("zhelai", "bange"))
    nobody = told_of(county, EVENTS, "no-such-event", engine, gate)
    assert nobody.silent
    for id_, area in ((foreign, None), (own, "532622206000"), (foreign, "532622206000")):
        answer = told_of(county, EVENTS, id_, engine, gate, {"area": area} if area else {})
        assert answer.silent
        assert told(answer) == told(nobody)
    assert not told_of(county, EVENTS, own, engine, gate, {"area": "532622205000"}).silent


def test_a_case_number_narrows_it_to_that_household(county: County) -> None:
    engine, shown = county.engine(), county.shown()
    own = events_of(county, shown.case_no)[0]
    other = county.rows(
        "SELECT id FROM case_event WHERE household_id <> ? AND region_path LIKE '532622205%'",
        shown.household,
    )
    more = {"case_no": shown.case_no, "bound": shown.household}
    gate = county.desk.gate(TOWN, "aid.review", **more)
    assert not told_of(county, EVENTS, own, engine, gate).silent
    assert len(other) > 5
    assert all(told_of(county, EVENTS, id_, engine, gate).silent for (id_,) in other[:6])


@pytest.mark.parametrize("text", [EVENTS, ORDERS, COUNTS])
def test_who_may_not_list_may_not_subscribe_and_nothing_is_asked(county: County, text: str) -> None:
    before = county.desk.sent()
    engine, gate = county.engine(), county.desk.gate("auditor-01")
    refused = county.desk.runner.run(engine.watch(Question(text, None, {}), gate))
    assert isinstance(refused, Answer)
    assert [code for code, _ in reasons(refused)] == ["FORBIDDEN"]
    assert (refused.data, refused.disclosure.outcome) == (None, "DENIED")
    assert county.desk.sent() == before


def test_the_right_to_read_a_case_is_no_right_to_hear_of_all(county: County) -> None:
    """As for a helper: by key yes, enumerated no."""
    lines = [r for r in county.desk.book.rules if not {"list", "*"} & set(r.action.split("|"))]
    book = PolicyBook(98, lines, parents_of(pairs(roles())), county.desk.catalog)
    post = book.post("rev", "town", "532622205")
    asker = replace(county.desk.asker(TOWN, "aid.file"), posts=(post,))
    gate, engine = Gate(book, asker, county.desk.catalog), county.engine()
    number = county.shown().case_no
    by_key = county.answer("query($n: String!) { case(caseNo: $n) { state } }", {"n": number},
                           engine=engine, gate=gate)  # fmt: skip
    assert data_of(by_key)["case"]["state"]
    refused = county.desk.runner.run(engine.watch(Question(EVENTS, None, {}), gate))
    assert isinstance(refused, Answer)
    assert [code for code, _ in reasons(refused)] == ["FORBIDDEN"]


@pytest.mark.parametrize("account", [TOWN, "mca-dept-01", "office-01", "authority-01"])
def test_counts_are_those_of_case_stats(county: County, account: str) -> None:
    engine = county.engine()
    purpose = {"authority-01": "report"}.get(account)
    gate = county.desk.gate(account, purpose)
    stats = county.answer(STATS, engine=engine, gate=gate)
    counts = told_of(county, COUNTS, "", engine, gate)
    assert stats.errors == counts.errors == ()
    assert data_of(counts) == data_of(stats)
    assert data_of(counts)["told"]
    assert not counts.silent


def test_who_may_only_tally_gets_the_published_table_and_no_place(county: County) -> None:
    engine, gate = county.engine(), county.desk.gate("authority-01", "report")
    watched = county.desk.runner.run(engine.watch(Question(COUNTS, None, {}), gate))
    assert isinstance(watched, Watched)
    assert (watched.dataset, watched.counted) == ("case", True)
    refused = county.desk.runner.run(
        engine.watch(Question(COUNTS, None, {"area": "532622205000"}), gate)
    )
    assert isinstance(refused, Answer)
    assert reasons(refused) == [("BAD_USER_INPUT", "CUBE")]


@pytest.mark.parametrize(
    ("variables", "code"),
    [
        ({"area": "110000000000"}, ("BAD_USER_INPUT", "CODE_SCHEME")),
        ({"area": 5}, ("BAD_USER_INPUT", "VARIABLE")),
    ],
)
def test_an_area_that_is_none_is_refused_before_anything_is_awaited(
    county: County, variables: Mapping[str, Any], code: tuple[str, str]
) -> None:
    refused = asyncio.run(
        county.engine().watch(Question(EVENTS, None, variables), county.desk.gate(TOWN))
    )
    assert isinstance(refused, Answer)
    assert reasons(refused) == [code]


@pytest.mark.parametrize(
    "text",
    [
        "subscription { a: caseEvents { id } b: supervisionEvents { id } }",
        "subscription { __typename }",
        "subscription { __schema { queryType { name } } }",
        "subscription($s: Boolean!) { caseEvents @skip(if: $s) { id } }",
        "subscription { citizens { nodes { id } } }",
        "query { caseEvents { id } }",
    ],
)
def test_no_other_document_is_a_subscription(county: County, text: str) -> None:
    refused = asyncio.run(
        county.engine().watch(Question(text, None, {"s": True}), county.desk.gate(TOWN))
    )
    assert isinstance(refused, Answer)
    assert [code for code, _ in reasons(refused)] == ["GRAPHQL_VALIDATION_FAILED"]


@pytest.mark.parametrize("text", [EVENTS, ORDERS, COUNTS])
def test_a_subscription_is_no_query_and_the_key_of_a_row_no_argument(
    county: County, text: str
) -> None:
    before = county.desk.sent()
    asked = county.answer(text)
    assert reasons(asked) == [("SUBSCRIPTION_NEEDS_STREAM", None)]
    assert (asked.data, asked.executed, asked.disclosure.outcome) == (None, False, "INVALID")
    root = county.desk.bindings.schema.subscription_type
    assert root is not None
    assert {name for field in root.fields.values() for name in field.args} == {"area"}
    assert county.desk.sent() == before
