"""JSON Schema of answers and variables: members, what may be absent, what may be null."""

from __future__ import annotations

from typing import Any

import pytest
from jsonschema import Draft202012Validator

from hub.app import DOCUMENT_LIMITS
from resolvers.binding import Bindings
from resolvers.document import Documents, Operation
from resolvers.outline import answer_outline, variable_outlines


@pytest.fixture(scope="module")
def documents(bindings: Bindings) -> Documents:
    return Documents(bindings.schema, DOCUMENT_LIMITS)


def operation(documents: Documents, text: str) -> Operation:
    return documents.get(text).operation(None)


def test_an_object_has_the_members_of_all_its_selections(
    bindings: Bindings, documents: Documents
) -> None:
    text = (
        "query Q($id: ID!, $c: Boolean!) { who: citizen(by: {id: $id}) { __typename name ...F"
        " ... @include(if: $c) { sex } phone @skip(if: $c) } }"
        " fragment F on Citizen { division { code } division { name } sex @include(if: $c) }"
    )
    found = answer_outline(bindings.schema, operation(documents, text))
    assert (found["type"], found["required"]) == ("object", ["who"])
    who = found["properties"]["who"]
    assert who["type"] == ["object", "null"]
    assert list(who["properties"]) == ["__typename", "name", "division", "sex", "phone"]
    assert who["required"] == ["__typename", "name", "division"]
    division = who["properties"]["division"]
    assert (division["type"], division["required"]) == (["object", "null"], ["code", "name"])
    assert division["properties"]["code"]["type"] == "string"  # non-null in the schema
    assert who["properties"]["sex"]["enum"][-1] is None
    assert who["properties"]["__typename"] == {"type": "string", "const": "Citizen"}


def test_a_field_asked_twice_is_there_if_one_of_them_is_sure(
    bindings: Bindings, documents: Documents
) -> None:
    text = "query Q($c: Boolean!) { viewer { account @include(if: $c) account } }"
    found = answer_outline(bindings.schema, operation(documents, text))
    assert found["properties"]["viewer"]["required"] == ["account"]


def taken(bindings: Bindings, documents: Documents, head: str, body: str) -> dict[str, Any]:
    return variable_outlines(bindings.schema, operation(documents, f"query Q({head}) {{ {body} }}"))


def test_a_variable_is_what_its_type_takes(bindings: Bindings, documents: Documents) -> None:
    found = taken(
        bindings,
        documents,
        "$by: CitizenKey!, $f: CaseFilter, $n: Int! = 3, $d: [CaseDimension!]!",
        "citizen(by: $by) { id } cases(filter: $f, first: $n) { totalCount }"
        " caseStats(by: $d) { count }",
    )

    def takes(name: str, value: object) -> bool:
        return bool(Draft202012Validator(found[name]).is_valid(value))

    assert [takes("by", one) for one in ({"id": "x"}, {"idNumber": "x"}, {}, None)] == [
        True,
        True,
        False,
        False,
    ]
    assert not takes("by", {"id": "x", "idNumber": "y"})
    assert [takes("f", one) for one in (None, {}, {"overdue": True}, {"overdue": None})] == [
        True,
        True,
        True,
        True,
    ]
    assert not takes("f", {"nothing": 1})
    assert not takes("f", {"state": "NOPE"})
    assert [takes("n", one) for one in (1, None, "1")] == [True, True, False]
    assert [takes("d", one) for one in (["STATE"], [], ["X"], "STATE")] == [
        True,
        True,
        False,
        False,
    ]
