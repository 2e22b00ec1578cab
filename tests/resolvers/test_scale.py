"""The limit pass: each limit at its number and one past it, and what is counted how often."""

from __future__ import annotations

import contextlib
import time

import pytest
from graphql import FragmentDefinitionNode, OperationDefinitionNode, parse

from bench.hostile import bomb
from catalog.errors import TooComplex
from hub.app import DOCUMENT_LIMITS as LIMITS
from resolvers.scale import SPREAD_COST, check_scale

WALK_MS = 10  # protocol 5: the limit pass on 4,000 tokens
CONDITION = "@include(if: true) "


def over(text: str) -> tuple[str | None, object, object] | None:
    """The limit a document is over, what it allows, what was found; None for none."""
    node = parse(text)
    operations = [d for d in node.definitions if isinstance(d, OperationDefinitionNode)]
    fragments = {d.name.value: d for d in node.definitions if isinstance(d, FragmentDefinitionNode)}
    try:
        check_scale(operations, fragments, LIMITS)
    except TooComplex as error:
        return error.reason, error.extra["allowed"], error.extra["actual"]
    return None


@pytest.mark.parametrize(
    "text",
    [
        "{ a %s}",
        "query %s{ a }",
        "query($v: Int %s) { a(v: $v) }",
        "{ ... %s{ a } }",
        "{ ...F %s} fragment F on A { a }",
        "{ ...F } fragment F on A %s{ a }",
        "{ b { c { a %s} } }",
    ],
)
def test_directives_of_a_node_are_counted_wherever_a_node_may_have_them(text: str) -> None:
    assert over(text % (CONDITION * LIMITS.node_directives)) is None
    past = LIMITS.node_directives + 1
    assert over(text % (CONDITION * past)) == ("node_directives", LIMITS.node_directives, past)


def test_directives_in_all_are_counted_after_expansion() -> None:
    ten = f"a {CONDITION * 10} "
    assert over("{ " + ten * 10 + "}") is None
    assert over("{ " + ten * 10 + f"b {CONDITION}}}") == ("directives", 100, 101)
    spread = f"fragment F on A {{ a {CONDITION * 10} }}"
    assert over("{ " + "b { ...F } " * 10 + "} " + spread) is None
    assert over("{ " + "b { ...F } " * 11 + "} " + spread) == ("directives", 100, 110)


def test_what_no_operation_spreads_is_counted_too() -> None:
    doubled = " ".join(f"fragment F{n} on A {{ ...F{n + 1} ...F{n + 1} }}" for n in range(60))
    assert over(f"{{ a }} {doubled} fragment F60 on A {{ a }}") == (
        "fields", LIMITS.fields, LIMITS.fields + 1,
    )  # fmt: skip


@pytest.mark.parametrize(
    "text",
    [
        "{ " + "a " * 20 + "}",
        "{ " + "... { a } " * 20 + "}",
        "{ " + "... { ... { a } a } " * 10 + "}",
        "{ a { " + "c " * 20 + "} }",
    ],
)
def test_what_validation_compares_is_foreseen(text: str) -> None:
    """190 comparisons a copy: 15 copies pass, the next is one too many."""
    copies = [f"k{n} {text}" for n in range(16)]
    assert over(f"{{ {' '.join(copies[:15])} }}") is None
    assert over(f"{{ {' '.join(copies)} }}") == ("overlaps", LIMITS.overlaps, 190 * 16)


def test_what_stands_below_a_repeated_key_is_compared_with_it() -> None:
    assert over("{ " + "a { b { c } } " * 45 + "}") is None
    assert over("{ " + "a { b { c } } " * 46 + "}") == ("overlaps", 3_000, 46 * 45 // 2 * 3)
    apart = " ".join(f"a{n} {{ b {{ c }} }}" for n in range(90))
    assert over(f"{{ {apart} }}") is None


@pytest.mark.parametrize(
    "text",
    [
        "{{ a(x: [{}]) }}",
        "query($v: [Int] = [{}]) {{ a }}",
        "{{ a @b(x: [{}]) }}",
        "{{ b }} fragment F on A {{ a(x: [{}]) }}",
    ],
)
def test_members_of_lists_and_objects_are_counted_wherever_they_stand(text: str) -> None:
    for whole in ("{y: 1} " * (LIMITS.values // 2), "[[[[]]]] " * (LIMITS.values // 4)):
        assert over(text.format(whole)) is None
        assert over(text.format(whole + "1")) == ("values", LIMITS.values, LIMITS.values + 1)


def test_members_are_counted_over_the_whole_text() -> None:
    several = "a(x: [" + "1 " * LIMITS.values + "])"
    assert over(f"{{ {several} b(x: {{}}) }}") is None
    assert over(f"{{ {several} b(x: {{y: 1}}) }}") == ("values", LIMITS.values, LIMITS.values + 1)


def test_fragments_side_by_side_are_compared_pair_by_pair() -> None:
    def beside(count: int) -> str:
        return "{ " + "...F " * count + "} fragment F on A { a }"

    allowed = next(n for n in range(100) if n * (n + 1) // 2 * SPREAD_COST > LIMITS.overlaps)
    assert over(beside(allowed)) is None
    found = over(beside(allowed + 1))
    assert found is not None
    assert found[0] == "overlaps"


@pytest.mark.parametrize(
    "text",
    [
        "{ " + " ".join(f"a{n}" for n in range(1_990)) + " }",
        "{ " + " ".join(f"a{n} {{ b }}" for n in range(990)) + " }",
        "{ " + " ".join(f"... {{ a{n} }}" for n in range(990)) + " }",
        bomb(99),
    ],
)
def test_one_walk_takes_no_longer_than_is_demanded(text: str) -> None:
    node = parse(text)
    operations = [d for d in node.definitions if isinstance(d, OperationDefinitionNode)]
    fragments = {d.name.value: d for d in node.definitions if isinstance(d, FragmentDefinitionNode)}
    taken = []
    for _ in range(5):  # the quickest: what the machine does beside it is not ours
        begun = time.process_time()
        with contextlib.suppress(TooComplex):
            check_scale(operations, fragments, LIMITS)
        taken.append((time.process_time() - begun) * 1_000)
    assert min(taken) <= WALK_MS
