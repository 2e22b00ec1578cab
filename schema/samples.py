"""A question for every type: the shortest way to it from Query, with all its own plain fields.

What the catalogue's pages show a reader to begin with. Made from the schema, so it is a question
that the schema takes; arguments that must be given become variables.
"""

from __future__ import annotations

from collections import deque
from functools import cache

from graphql import (
    GraphQLField,
    GraphQLObjectType,
    GraphQLSchema,
    get_named_type,
    is_leaf_type,
    is_required_argument,
)

INDENT = "  "
Step = tuple[str, GraphQLField]
PAGE = "first"


@cache
def sample(schema: GraphQLSchema, name: str) -> str | None:
    """A query that shows a type's fields; None for a type no query reaches."""
    road = _road(schema, name)
    kind = schema.type_map.get(name)
    if road is None or not isinstance(kind, GraphQLObjectType):
        return None
    variables, calls = _called(road)
    leaves = [field for field, one in kind.fields.items() if _is_plain(one)]
    lines = [f"query Sample{variables} {{"]
    for depth, call in enumerate(calls, 1):
        lines.append(f"{INDENT * depth}{call} {{")
    lines.append(f"{INDENT * (len(calls) + 1)}{' '.join(leaves)}")
    lines += [f"{INDENT * depth}}}" for depth in range(len(calls), 0, -1)]
    return "\n".join([*lines, "}"])


def _is_plain(field: GraphQLField) -> bool:
    needs = any(is_required_argument(one) for one in field.args.values())
    return is_leaf_type(get_named_type(field.type)) and not needs


def _road(schema: GraphQLSchema, name: str) -> list[Step] | None:
    """The fields on the way, breadth first; no machinery of federation."""
    assert schema.query_type is not None  # noqa: S101  there is one
    waiting: deque[tuple[GraphQLObjectType, list[Step]]] = deque([(schema.query_type, [])])
    seen = {schema.query_type.name}
    while waiting:
        at, road = waiting.popleft()
        for field_name, field in at.fields.items():
            kind = get_named_type(field.type)
            if not isinstance(kind, GraphQLObjectType) or field_name.startswith("_"):
                continue
            here = [*road, (field_name, field)]
            if kind.name == name:
                return here
            if kind.name not in seen:
                seen.add(kind.name)
                waiting.append((kind, here))
    return None


def _called(road: list[Step]) -> tuple[str, list[str]]:
    """Variables of the operation, and each field with its arguments."""
    declared: dict[str, str] = {}
    calls = []
    for name, field in road:
        given = []
        for argument, one in field.args.items():
            if is_required_argument(one):
                declared[argument] = str(one.type)
                given.append(f"{argument}: ${argument}")
            elif argument == PAGE:
                given.append(f"{argument}: 10")
        calls.append(f"{name}({', '.join(given)})" if given else name)
    told = ", ".join(f"${name}: {kind}" for name, kind in declared.items())
    return (f"({told})" if told else ""), calls
