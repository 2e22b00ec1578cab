"""Trying many numbers in one request: each is counted, each is in the record, few fit."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from adapters.identity import with_check_digit
from hub.app import DOCUMENT_LIMITS
from tests.attacks.conftest import reasons
from tests.resolvers.conftest import data_of

if TYPE_CHECKING:
    from tests.attacks.conftest import County


def numbers(count: int) -> list[str]:
    """Valid numbers of nobody."""
    return [with_check_digit(f"53992219990101{n:03d}") for n in range(1, count + 1)]


def many(count: int) -> tuple[str, dict[str, str]]:
    """One look-up per alias, a variable each."""
    given = {f"n{i}": number for i, number in enumerate(numbers(count))}
    heads = ", ".join(f"${name}: String!" for name in given)
    roots = " ".join(f"a{name}: citizen(by: {{idNumber: ${name}}}) {{ name }}" for name in given)
    return f"query({heads}) {{ {roots} }}", given


def test_each_alias_is_a_look_up_of_its_own_in_the_record(county: County) -> None:
    text, given = many(20)
    before = county.desk.sent()
    answer = county.answer(text, given)
    assert list(data_of(answer).values()) == [None] * 20
    assert len(set(answer.disclosure.sought)) == 20
    assert answer.disclosure.code == "NO_RECORD"
    assert county.desk.sent() - before == 20


def test_more_aliases_than_a_document_may_have_ask_nothing(county: County) -> None:
    text, given = many(DOCUMENT_LIMITS.aliases + 1)
    before = county.desk.sent()
    answer = county.answer(text, given)
    assert reasons(answer) == [("OPERATION_TOO_COMPLEX", "aliases")]
    assert county.desk.sent() == before


@pytest.mark.parametrize(
    "text",
    [
        "query($n: [String!]!) { citizen(by: {idNumber: $n}) { name } }",
        'query($n: String!) { citizen(by: {idNumber: $n, id: "x"}) { name } }',
        "query($n: [String!]!) { citizens(by: $n) { nodes { name } } }",
    ],
    ids=["a list of numbers", "two keys at once", "numbers of a list"],
)
def test_a_look_up_takes_one_key(county: County, text: str) -> None:
    before = county.desk.sent()
    answer = county.answer(text, {"n": numbers(1)[0]})
    assert {code for code, _ in reasons(answer)} <= {"GRAPHQL_VALIDATION_FAILED", "BAD_USER_INPUT"}
    assert answer.errors
    assert county.desk.sent() == before


@pytest.mark.parametrize("operations", [2, 11])
def test_a_document_of_many_operations_runs_one_or_none(county: County, operations: int) -> None:
    body = "{ citizen(by: {idNumber: $n}) { name } }"
    text = " ".join(f"query Q{i}($n: String!) {body}" for i in range(operations))
    before = county.desk.sent()
    answer = county.answer(text, {"n": numbers(1)[0]})
    assert answer.executed is False
    assert county.desk.sent() == before


def test_a_number_under_many_names_is_one_person_sought(county: County) -> None:
    """Spellings of one number are no way round the count of whom one looks for."""
    number = county.shown().id18
    given = {"a": number, "b": f" {number}", "c": f"{number[:6]} {number[6:]}"}
    roots = " ".join(f"{n}: citizen(by: {{idNumber: ${n}}}) {{ name }}" for n in given)
    answer = county.answer(f"query($a: String!, $b: String!, $c: String!) {{ {roots} }}", given)
    assert len(set(answer.disclosure.sought)) == 1
    assert {person["name"] for person in data_of(answer).values()} == {county.shown().name}
