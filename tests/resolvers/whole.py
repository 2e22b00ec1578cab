"""Documents that leave nothing out: every column of every type, written from the schema."""

from __future__ import annotations

from collections.abc import Collection, Iterator

from graphql import (
    GraphQLObjectType,
    GraphQLSchema,
    GraphQLUnionType,
    get_named_type,
    is_leaf_type,
    is_required_argument,
)

PAGED = "first"
TOLD = ("access", "provenance")


def every_facet(schema: GraphQLSchema) -> Iterator[str]:
    """A person by ``$id`` with all of one department's data about him, one document each."""
    person = _type(schema, "Citizen")
    for name, field in person.fields.items():
        container = get_named_type(field.type)
        if container.name.endswith("Facet") and isinstance(container, GraphQLObjectType):
            below = " ".join(f"{n} {{ {_row(f.type)} }}" for n, f in container.fields.items())
            head = "query($id: ID!) { citizen(by: {id: $id})"
            yield f"{head} {{ name {name} {{ {below} }} access {{ field state source }} }} }}"


def every_list(schema: GraphQLSchema, apart: Collection[str] = ()) -> Iterator[str]:
    """Each root that lists, but for those `apart`: all columns of rows and what hangs on them."""
    query = schema.query_type
    assert query is not None
    for name, field in query.fields.items():
        kind = get_named_type(field.type)
        if (
            name not in apart
            and PAGED in field.args
            and not any(is_required_argument(a) for a in field.args.values())
        ):
            node = _type(schema, kind.name.removesuffix("Connection"))
            rows = f"{_leaves(node)} {_below(node)} {_told(node)}"
            paged = f"totalCount pageInfo {{ hasNextPage endCursor }} nodes {{ {rows} }}"
            yield f"{{ {name}(first: 5) {{ {paged} }} }}"


def every_entity(schema: GraphQLSchema) -> Iterator[tuple[str, str]]:
    """Each entity type, and what a gateway may ask of it: all columns and what hangs on them."""
    union = schema.type_map["_Entity"]
    assert isinstance(union, GraphQLUnionType)
    for kind in union.types:
        below = f"{_leaves(kind)} {_below(kind)} {_told(kind)}"
        asked = f"_entities(representations: $of) {{ __typename ... on {kind.name} {{ {below} }} }}"
        yield kind.name, f"query($of: [_Any!]!) {{ {asked} }}"


def _row(kind: object) -> str:
    """All columns of a row, of the rows nested in it, and what is told beside them."""
    named = get_named_type(kind)  # type: ignore[call-overload]
    assert isinstance(named, GraphQLObjectType)
    return f"{_leaves(named)} {_below(named)} {_told(named)}"


def _leaves(kind: GraphQLObjectType) -> str:
    return " ".join(n for n, f in kind.fields.items() if is_leaf_type(get_named_type(f.type)))


def _below(kind: GraphQLObjectType) -> str:
    """Relations one step down: every column there."""
    found = []
    for name, field in kind.fields.items():
        named = get_named_type(field.type)
        facet = named.name.endswith("Facet")
        if name not in TOLD and isinstance(named, GraphQLObjectType) and not facet:
            found.append(_related(name, named, paged=PAGED in field.args))
    return " ".join(found)


def _related(name: str, kind: GraphQLObjectType, *, paged: bool) -> str:
    if not paged:
        return f"{name} {{ {_leaves(kind)} }}"
    node = get_named_type(kind.fields["nodes"].type)
    assert isinstance(node, GraphQLObjectType)
    return f"{name}(first: 2) {{ totalCount edges {{ cursor node {{ {_leaves(node)} }} }} }}"


def _told(kind: GraphQLObjectType) -> str:
    names = [n for n in TOLD if n in kind.fields]
    return " ".join(f"{n} {{ {_leaves(_named(kind, n))} }}" for n in names)


def _named(kind: GraphQLObjectType, name: str) -> GraphQLObjectType:
    found = get_named_type(kind.fields[name].type)
    assert isinstance(found, GraphQLObjectType)
    return found


def _type(schema: GraphQLSchema, name: str) -> GraphQLObjectType:
    found = schema.type_map[name]
    assert isinstance(found, GraphQLObjectType)
    return found
