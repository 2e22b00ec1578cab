"""The Plan answers what graphql-core answers with plain resolvers over the same rows."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from resolvers.answer import Answer

if TYPE_CHECKING:
    from tests.oracle.conftest import Oracle
    from tests.resolvers.conftest import Desk, NewDocument

DOCUMENTS = {True: 120, False: 40}  # by mode; three sets of variables each, on a warm cache
LONG = 100  # a text so long and without blanks is a cursor


def blank(value: Any) -> Any:
    """The same with every cursor replaced by a word."""
    if isinstance(value, dict):
        return {k: blank(v) for k, v in value.items()}
    if isinstance(value, list):
        return [blank(v) for v in value]
    long = isinstance(value, str) and len(value) > LONG and value.isascii()
    return "cursor" if long else value


def ours(answer: Answer, plain: Callable[[Answer], Any]) -> tuple[Any, list[Any]]:
    told = [(e["message"], e.get("path"), e.get("locations")) for e in answer.errors]
    return blank(plain(answer)), told


def leaves(value: Any) -> Iterator[Any]:
    if isinstance(value, dict):
        for one in value.values():
            yield from leaves(one)
    elif isinstance(value, list):
        for one in value:
            yield from leaves(one)
    else:
        yield value


@pytest.mark.parametrize("json_mode", [True, False])
def test_generated_documents_have_one_answer(
    desk: Desk,
    oracle: Oracle,
    document: NewDocument,
    plain: Callable[[Answer], Any],
    json_mode: bool,
) -> None:
    engine = desk.engine(json_mode)
    met: Counter[str] = Counter()

    @settings(max_examples=DOCUMENTS[json_mode], derandomize=True, deadline=None, database=None)
    @given(st.integers(0, 2**32 - 1))
    def same(seed: int) -> None:
        made = document(seed, facets=False)
        for variables in made.variables:
            answer = desk.ask(engine, "lab", made.text, variables)
            codes = [e["extensions"]["code"] for e in answer.errors]
            if not answer.executed and "OPERATION_TOO_COMPLEX" in codes:
                met["too complex"] += 1  # a limit of ours that graphql-core has not
                continue
            data, errors = oracle.answer(made.text, variables)
            found, told = ours(answer, plain)
            assert found == blank(data), (seed, made.text, variables)
            assert repr(found) == repr(blank(data)), (seed, "order of keys")
            assert sorted(told, key=repr) == sorted(errors, key=repr), (seed, made.text, variables)
            met["answers"] += 1
            met["errors"] += len(errors)
            met["data null"] += found is None
            met["leaves"] += sum(1 for one in leaves(found) if one is not None)

    same()
    # The comparison is about something: many values, some errors, hardly ever `data: null`.
    assert met["answers"] > DOCUMENTS[json_mode] * 2.5
    assert met["leaves"] > DOCUMENTS[json_mode] * 50
    assert met["errors"] > DOCUMENTS[json_mode] / 10
    assert met["data null"] < met["answers"] / 10


def test_the_oracle_resolves_what_the_documents_ask(oracle: Oracle) -> None:
    assert oracle.resolved > 100
    data, errors = oracle.answer('{ division(code: "532622205000") { name } }', {})
    assert (data, errors) == ({"division": {"name": "者腊乡"}}, [])


@pytest.mark.parametrize(
    ("text", "variables"),
    [
        ("query B { b: __typename }", {}),
        ("query($c: DivisionCode!) { division(code: $c) { name } }", {"c": "999999"}),
        ("{ cases(first: 101) { totalCount } departments { code } }", {}),
        ("{ cases(first: 1, last: 1) { totalCount } }", {}),
        ("{ divisions(level: TOWNSHIP) { name ... on Division { name code } } }", {}),
        ("query($n: Int) { citizens(first: $n) { totalCount nodes { id name } } }", {"n": None}),
        ("query($n: Int = 2) { citizens(first: $n) { nodes { id phone address } } }", {}),
    ],
)
def test_hand_made_documents_have_one_answer(
    desk: Desk,
    oracle: Oracle,
    plain: Callable[[Answer], Any],
    text: str,
    variables: dict[str, Any],
) -> None:
    for json_mode in (True, False):
        found, told = ours(desk.ask(desk.engine(json_mode), "lab", text, variables), plain)
        data, errors = oracle.answer(text, variables)
        assert (found, told) == (blank(data), errors)
