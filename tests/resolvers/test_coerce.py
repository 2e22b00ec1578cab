"""Plain values are coerced as graphql-core coerces them; whatever else comes is left to it."""

from __future__ import annotations

from typing import Any

import pytest
from graphql import FieldNode, GraphQLError, OperationDefinitionNode, get_variable_values, parse
from graphql.execution.values import VariableValues, get_argument_values
from hypothesis import example, given
from hypothesis import strategies as st

from resolvers.binding import Bindings
from resolvers.coerce import Arguments, Variables

WORDS = ["CLOSED", "OTHER", "TOWNSHIP", "mca", "", "532622205000", 1, -1, 2**31, 1.5, True, None]
VALUES = st.one_of(
    st.sampled_from(WORDS),
    st.text(max_size=3),
    st.lists(st.sampled_from(WORDS), max_size=2),
    st.dictionaries(st.sampled_from(["state", "division", "id", "x"]), st.sampled_from(WORDS)),
)
PLAIN = {
    "ID!": "x",
    "String": "",
    "Int": 1,
    "Int!": -1,
    "Boolean": True,
    "CaseState": "CLOSED",
    "DivisionCode!": "532622205000",
    "[CaseDimension!]": ["MONTH", "STATE"],
    "[_Any!]!": [{"__typename": "Case", "id": None}, 1],
    "CaseFilter": None,
}
"""Kind -> a value that is drawn for sure; nothing of the last one is taken but null."""


def operation(text: str) -> OperationDefinitionNode:
    node = parse(text).definitions[0]
    assert isinstance(node, OperationDefinitionNode)
    return node


def coerced(bindings: Bindings, node: OperationDefinitionNode, given_: dict[str, Any]) -> Any:
    return get_variable_values(bindings.schema, node.variable_definitions or (), given_)


@pytest.mark.parametrize("kind", PLAIN)
def test_a_variable_is_what_graphql_core_makes_of_it_or_left_to_it(
    bindings: Bindings, kind: str
) -> None:
    node = operation(f"query($v: {kind}) {{ viewer {{ account }} }}")
    ours = Variables(bindings.schema, node)
    taken = set()

    @example({"v": PLAIN[kind]})
    @example({"v": {"x": 1}})
    @given(st.one_of(st.just({}), st.fixed_dictionaries({"v": VALUES})))
    def same(values: dict[str, Any]) -> None:
        found = ours.take(values)
        taken.add(found is not None)
        if found is not None:
            theirs = coerced(bindings, node, values)
            assert isinstance(theirs, VariableValues)
            assert found.coerced == theirs.coerced
            assert {n: s.value for n, s in found.sources.items()} == {
                n: s.value for n, s in theirs.sources.items()
            }

    same()
    assert False in taken
    assert True in taken or kind == "CaseFilter"


@pytest.mark.parametrize(
    ("text", "plain"),
    [
        ("query($n: ID!) { citizen(by: {id: $n}) { name } }", True),
        ("query($n: String!) { citizen(by: {idNumber: $n}) { name } }", True),
        ("query($n: Int) { cases(first: $n) { totalCount } }", True),
        ("query($n: Int) { cases(first: 3, after: null) { totalCount } }", True),
        ("query($n: CaseState) { cases(filter: {state: $n, overdue: true}) { totalCount } }", True),
        ("query($n: CaseDimension!) { caseStats(by: [MONTH, $n]) { count } }", False),
        ("query($n: DivisionCode!) { division(code: $n) { name } }", True),
        ("query($n: Int) { divisions(level: TOWNSHIP) { name } }", True),
    ],
)
def test_arguments_are_what_graphql_core_makes_of_them(
    bindings: Bindings, text: str, plain: bool
) -> None:
    node = operation(text)
    field = node.selection_set.selections[0]
    assert isinstance(field, FieldNode)
    query = bindings.schema.query_type
    assert query is not None
    definition = query.fields[field.name.value]
    ours = Arguments(definition, field)
    assert ours.plain is plain
    for value in ("CLOSED", "MONTH", "x", 1, None, ...):
        given_ = {} if value is ... else {"n": value}
        values = coerced(bindings, node, given_)
        if not isinstance(values, VariableValues):
            continue
        try:
            theirs: Any = get_argument_values(definition, field, values, None, True)
        except GraphQLError as error:
            with pytest.raises(GraphQLError, match=error.message[:20].replace("(", r"\(")):
                ours.of(values)
            continue
        assert ours.of(values) == theirs
