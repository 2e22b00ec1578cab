"""Errors say a code and what to do: no value of a row, no name of a column, no suggestion."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

import pytest

from tests.attacks.conftest import AUDITOR, ROADS, TOWN, reasons, told

if TYPE_CHECKING:
    from tests.attacks.conftest import County

NUMBER, PHONE, NAME = "539922197704129913", "12810752549", "陆云山"  # the number's check is wrong
INNER = re.compile(
    r"sqlite|postgres|asyncpg|sqlalchemy|constraint|traceback|\.py|SELECT |id18|household_id"
    r"|citizen_uid|applicant_id|handling_dept|region_path",
    re.IGNORECASE,
)
MISSPELT = {
    "root": "{ citizenz { name } }",
    "argument": '{ citizen(bye: {id: "x"}) { name } }',
    "list": "{ citizens { nodez { name } } }",
    "person": '{ citizen(by: {id: "x"}) { idNumbr } }',
    "relation": '{ household(id: "x") { membrs { name } } }',
    "facet": '{ citizen(by: {id: "x"}) { civilAffairs { minLivin { status } } } }',
    "counts": "{ caseStats(by: [MONHT]) { count } }",
    "log": "{ auditEvents { nodes { actr } } }",
    "input": "{ cases(filter: {stat: CLOSED}) { totalCount } }",
}
PERSONAL: dict[str, tuple[str, Any]] = {
    "root by key": ("query($v: ID!) { citizen(by: {id: $v}) { name } }", NUMBER),
    "look-up": ("query($v: String!) { citizen(by: {idNumber: $v}) { name } }", NUMBER),
    "list": ("query($v: DivisionCode) { citizens(division: $v) { totalCount } }", PHONE),
    "list of cases": ("query($v: String) { cases(filter: {department: $v}) { totalCount } }", NAME),
    "state of a case": ("query($v: CaseState) { cases(filter: {state: $v}) { totalCount } }", NAME),
    "cursor": ("query($v: String) { cases(after: $v) { totalCount } }", NAME),
    "page": ("query($v: Int) { cases(first: $v) { totalCount } }", PHONE),
    "relation": (
        'query($v: String) { citizen(by: {id: "x"}) { cases(after: $v) { totalCount } } }', NAME
    ),
    "counts": ("query($v: [CaseDimension!]!) { caseStats(by: $v) { count } }", [NAME]),
    "log": ("query($v: String) { auditEvents(filter: {actor: $v}) { totalCount } }", NAME),
}  # fmt: skip


@pytest.mark.parametrize("road", MISSPELT)
def test_a_misspelt_word_is_not_put_right(county: County, road: str) -> None:
    """Who may not introspect does not learn the schema word by word either."""
    before = county.desk.sent()
    answer = county.answer(MISSPELT[road])
    said = told(answer).decode()
    assert {code for code, _ in reasons(answer)} == {"GRAPHQL_VALIDATION_FAILED"}
    assert "Did you mean" not in said
    right = ("idNumber", "members", "minLiving", "MONTH", "nodes", "state", "actor")
    assert [w for w in right if f"`{w}`" in said or f'"{w}"' in said] == []
    assert county.desk.sent() == before


@pytest.mark.parametrize("account", [TOWN, AUDITOR])
@pytest.mark.parametrize("road", PERSONAL)
def test_a_personal_value_is_not_said_again(county: County, road: str, account: str) -> None:
    text, value = PERSONAL[road]
    answer = county.answer(text, {"v": value}, account=account, purpose="audit")
    said = told(answer).decode() + repr(answer.disclosure)
    assert [v for v in (NUMBER, PHONE, NAME) if v in said] == []
    assert not INNER.search(told(answer).decode())


@pytest.mark.parametrize("road", ROADS)
def test_a_refusal_names_the_reason_and_whom_to_ask_and_no_row(county: County, road: str) -> None:
    """It depends on policy and request only: the same for a person and for nobody."""
    way, said = ROADS[road], []
    for label in ("zhelai", "bange"):
        variables = way.variables(county.shown(label))
        answer = county.answer(way.document(), variables, account=TOWN, purpose="audit")
        said.append((answer.errors, reasons(answer)))
        assert not INNER.search(told(answer).decode())
    assert said[0] == said[1]
    assert said[0][1] == [("FORBIDDEN", "PURPOSE")]


def test_whose_schema_it_is_may_be_asked_by_few(county: County) -> None:
    for text in (
        "{ __schema { types { name } } }",
        '{ __type(name: "Citizen") { fields { name } } }',
        '{ viewer { account } ... { __type(name: "Citizen") { name } } }',
    ):
        answer = county.answer(text)
        assert (answer.data, reasons(answer)) == (None, [("FORBIDDEN", "NO_RULE")])
        assert county.answer(text, account="lab").errors == ()
