"""What a document could read, and which of its variables may stand in a URL."""

from __future__ import annotations

import pytest

from catalog.errors import BadUserInput, HubError, TooComplex, ValidationFailed
from hub.app import DOCUMENT_LIMITS
from resolvers.document import Documents
from resolvers.examination import Examination, Examiner
from tests.resolvers.conftest import Desk


@pytest.fixture
def examiner(desk: Desk) -> Examiner:
    documents = Documents(desk.bindings.schema, DOCUMENT_LIMITS)
    return Examiner(desk.bindings, desk.setting, DOCUMENT_LIMITS, documents)


def told(found: Examination) -> dict[str, tuple[tuple[str, ...], list[str]]]:
    """Data set -> acts and fields."""
    return {r.dataset: (r.acts, [f.name for f in r.fields]) for r in found.reads}


def refused(examiner: Examiner, text: str) -> HubError:
    with pytest.raises(HubError) as caught:
        examiner.examined(text)
    return caught.value


# ---- what it reads -------------------------------------------------------------------------------


def test_every_data_set_field_and_act_is_told(examiner: Examiner) -> None:
    found = examiner.examined(
        "query Q($n: String!) { citizen(by: {idNumber: $n}) { name phone division { name }"
        " cases(first: 2) { nodes { caseNo } } health { chronic { disease } } } }"
    )
    assert (found.name, found.operation) == ("Q", "query")
    assert told(found) == {
        "citizen": (("lookup",), ["name", "idNumber", "phone"]),
        "division": (("read",), ["name"]),
        "case": (("read",), ["caseNo"]),
        "chronic_record": (("read",), ["disease"]),
    }
    name, number, phone = found.reads[0].fields
    assert (name.title, name.level, name.object, name.mask) == (
        "姓名",
        "L3_PERSONAL",
        "Citizen.basic",
        "SURNAME",
    )
    assert (number.level, number.mask) == ("L4_SENSITIVE", "HIDE")
    assert phone.object == "Citizen.contact"


def test_what_a_condition_could_hide_is_told(examiner: Examiner) -> None:
    found = examiner.examined(
        "query Q($id: ID!, $more: Boolean!, $less: Boolean!) { citizen(by: {id: $id}) { name"
        " phone @include(if: $more) ...F @skip(if: $less) } }"
        " fragment F on Citizen { health @include(if: $more) { chronic { disease } } }"
    )
    assert told(found) == {
        "citizen": (("read",), ["id", "name", "phone"]),
        "chronic_record": (("read",), ["disease"]),
    }


def test_each_way_that_a_variable_leaves_open_is_told(examiner: Examiner) -> None:
    found = examiner.examined("query Q($by: CitizenKey!) { citizen(by: $by) { name } }")
    assert told(found) == {"citizen": (("read", "lookup"), ["id", "name", "idNumber"])}


def test_more_ways_than_anyone_reviews_are_refused(examiner: Examiner) -> None:
    ways = [f"v{i}" for i in range(5)]
    head = ", ".join(f"${v}: CitizenKey!" for v in ways)
    body = " ".join(f"{v}: citizen(by: ${v}) {{ name }}" for v in ways)
    error = refused(examiner, f"query Q({head}) {{ {body} }}")
    assert (type(error), error.reason) == (BadUserInput, "VARIABLE")


def test_columns_that_only_choose_or_count_rows_are_told(examiner: Examiner) -> None:
    found = examiner.examined(
        "query Q($s: CaseState) { cases(filter: {state: $s}) { totalCount } }"
    )
    assert told(found) == {"case": (("list",), ["state"])}
    grouped = examiner.examined(
        "query Q($by: [CaseDimension!]!) { caseStats(by: $by) { count suppressed } }"
    )
    ((acts, fields),) = told(grouped).values()
    assert acts == ("count",)
    assert {"state", "item"} <= {*fields}


def test_the_cost_is_that_of_the_largest_pages(examiner: Examiner) -> None:
    page = "query Q($n: Int) { cases(first: $n) { nodes { caseNo division { name } } } }"
    assert examiner.examined(page).cost == 200
    fixed = page.replace("first: $n", "first: 3").replace("($n: Int)", "")
    assert examiner.examined(fixed).cost == 6
    nested = (
        "query Q($n: Int) { citizens(first: $n) { nodes { cases(first: $n) { nodes {"
        " events(first: $n) { nodes { at } } } } } } }"
    )
    error = refused(examiner, nested)
    assert (type(error), error.reason, error.extra["allowed"]) == (
        TooComplex,
        "cost",
        DOCUMENT_LIMITS.cost,
    )


@pytest.mark.parametrize(
    "text",
    [
        "{ viewer { account } }",
        "query A { viewer { account } } query B { viewer { account } }",
        "query A { errors: viewer { account } }",
        "query A { ...F } fragment F on Query { extensions: viewer { account } }",
        "query A { nothing }",
    ],
)
def test_a_document_that_could_not_be_asked_flat_is_refused(examiner: Examiner, text: str) -> None:
    assert isinstance(refused(examiner, text), ValidationFailed)


def test_an_examination_is_made_once(examiner: Examiner) -> None:
    text = "query A { viewer { account } }"
    assert examiner.examined(text) is examiner.examined(text)
    assert examiner.examined(text).reads == ()


# ---- which variables may stand in a URL ----------------------------------------------------------

SENSITIVE = {
    "an id number": "query Q($v: String!) { citizen(by: {idNumber: $v}) { id } }",
    "a person's key": "query Q($v: ID!) { citizen(by: {id: $v}) { name } }",
    "a key of either kind": "query Q($v: CitizenKey!) { citizen(by: $v) { name } }",
    "a household's key": "query Q($v: ID!) { household(id: $v) { size } }",
    "a case's number": "query Q($v: String!) { case(caseNo: $v) { state } }",
    "an order's number": "query Q($v: String!) { supervisionOrder(orderNo: $v) { state } }",
    "a person of the log": (
        "query Q($v: AuditSubjectKey!) { subjectAccess(of: $v) { nodes { at } } }"
    ),
    "an account": "query Q($v: String!) { actorActivity(actor: $v) { nodes { at } } }",
    "a filter with an account in it": (
        "query Q($v: AuditFilter) { auditEvents(filter: $v) { nodes { at } } }"
    ),
    "an innocent name": "query Q($first: String!) { citizen(by: {idNumber: $first}) { id } }",
    "one use of two": (
        "query Q($v: String!) { department(code: $v) { name } case(caseNo: $v) { state } }"
    ),
    "one in a fragment": (
        "query Q($v: ID!) { ...F } fragment F on Query { citizen(by: {id: $v}) { name } }"
    ),
    "one under a condition": (
        "query Q($v: ID!, $c: Boolean!) { citizen(by: {id: $v}) @include(if: $c) { name } }"
    ),
}
HARMLESS = {
    "a department": "query Q($v: String!) { department(code: $v) { name } }",
    "a data set": "query Q($v: String!) { dataset(name: $v) { title } }",
    "a handling department": (
        "query Q($v: String) { cases(filter: {department: $v}) { totalCount } }"
    ),
    "a division": "query Q($v: DivisionCode) { citizens(division: $v) { nodes { id } } }",
    "a word of a list": "query Q($v: CaseState) { cases(filter: {state: $v}) { totalCount } }",
    "words of a list": "query Q($v: [CaseDimension!]!) { caseStats(by: $v) { count } }",
    "a size": "query Q($v: Int) { cases(first: $v) { totalCount } }",
    "a sealed cursor": "query Q($v: String) { cases(after: $v) { totalCount } }",
    "a filter of such": "query Q($v: CaseFilter) { cases(filter: $v) { totalCount } }",
    "a switch": "query Q($v: Boolean!) { viewer { account @include(if: $v) } }",
    "a name that looks so": "query Q($idNumber: Int) { cases(first: $idNumber) { totalCount } }",
}


@pytest.mark.parametrize("what", SENSITIVE)
def test_what_could_name_somebody_is_sensitive(examiner: Examiner, what: str) -> None:
    found = examiner.examined(SENSITIVE[what])
    assert found.variables[0].sensitive
    assert not found.in_url


@pytest.mark.parametrize("what", HARMLESS)
def test_what_names_nobody_is_not(examiner: Examiner, what: str) -> None:
    found = examiner.examined(HARMLESS[what])
    assert [variable.sensitive for variable in found.variables] == [False]
    assert found.in_url is (found.variables[0].kind != "object")


def test_how_a_query_string_gives_each(examiner: Examiner) -> None:
    found = examiner.examined(
        "query Q($a: Int!, $b: Boolean = true, $c: [CaseDimension!]!, $d: CaseFilter,"
        " $e: DivisionCode!) { cases(first: $a, filter: $d) { totalCount } caseStats(by: $c)"
        " { count } viewer { account @skip(if: $b) } division(code: $e) { name } }"
    )
    assert [(v.name, v.type, v.kind, v.many, v.required) for v in found.variables] == [
        ("a", "Int!", "integer", False, True),
        ("b", "Boolean", "boolean", False, False),
        ("c", "[CaseDimension!]!", "text", True, True),
        ("d", "CaseFilter", "object", False, False),
        ("e", "DivisionCode!", "text", False, True),
    ]
