"""What a scalar of ours takes, as graphql-core asks it: in a document and in a variable."""

from __future__ import annotations

from typing import Any

import pytest
from graphql import GraphQLScalarType, parse, validate

from resolvers.binding import Bindings

LONGEST, SHORTEST = 2**63 - 1, -(2**63)
PROOF = "{{ auditProof(idx: {idx}) {{ idx }} }}"


@pytest.fixture
def sequence(built: Bindings) -> GraphQLScalarType:
    kind = built.schema.type_map["Sequence"]
    assert isinstance(kind, GraphQLScalarType)
    return kind


@pytest.mark.parametrize("value", [0, -1, 2**32, LONGEST, SHORTEST])
def test_a_sequence_is_a_whole_number_of_64_bits(
    built: Bindings, sequence: GraphQLScalarType, value: int
) -> None:
    assert sequence.coerce_input_value(value) == value
    assert validate(built.schema, parse(PROOF.format(idx=value))) == []


@pytest.mark.parametrize("value", [LONGEST + 1, SHORTEST - 1, -141851619502129381376, 10**30])
def test_no_database_is_asked_for_a_longer_one(
    built: Bindings, sequence: GraphQLScalarType, value: int
) -> None:
    with pytest.raises(TypeError, match="64 bits"):
        sequence.coerce_input_value(value)
    assert len(validate(built.schema, parse(PROOF.format(idx=value)))) == 1


@pytest.mark.parametrize("value", [True, "7", 7.0, None])
def test_nothing_else_is_a_sequence(sequence: GraphQLScalarType, value: Any) -> None:
    with pytest.raises(TypeError, match="whole number"):
        sequence.coerce_input_value(value)
