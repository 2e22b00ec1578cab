"""``build(catalog)`` -> the schema and its bindings. Refuses a field that has none."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import strawberry
from graphql import GraphQLEnumType, GraphQLObjectType, GraphQLSchema, print_schema
from strawberry.schema.config import StrawberryConfig

from catalog.errors import CatalogError
from catalog.load import Catalog
from resolvers.binding import Binding, Bindings
from schema.account import account_change, staffing_gap
from schema.audit import audit
from schema.bound import Kit
from schema.bulletin import bulletin
from schema.case import case, supervision
from schema.citizen import citizen, household
from schema.codes import codes
from schema.comparison import comparison
from schema.complaint import complaint, spot_check
from schema.correction import correction
from schema.entities import entities, machinery, subgraph
from schema.mutation import mutation
from schema.query import inputs, query
from schema.scalars import definitions, scalars
from schema.shared import shared
from schema.sharing import sharing
from schema.stats import stats
from schema.subscription import subscription
from schema.words import catalogue, division, sources, viewer


def build(catalog: Catalog) -> Bindings:
    """The executable schema with the binding of every field. CatalogError if one is missing."""
    kit = Kit(catalog)
    texts = scalars()
    kit.names |= texts | codes(catalog)
    words = (shared, division, catalogue, sources, audit, viewer)
    office = (case, stats, supervision, comparison, complaint, spot_check, correction, sharing)
    accounts = (account_change, staffing_gap)
    for make in (*words, household, *office, *accounts, citizen, bulletin):
        make(kit)
    inputs(kit)
    keys = entities(catalog)
    travel = definitions(texts) | machinery(kit)
    config = StrawberryConfig(auto_camel_case=False, scalar_map=travel)
    made = strawberry.Schema(
        query=query(kit),
        mutation=mutation(kit),
        subscription=subscription(kit),
        config=config,
    )
    schema: GraphQLSchema = made._schema
    found = bindings(schema)
    return Bindings(schema, found, kit.datasets, _leaves(schema), subgraph(schema, keys))


def _leaves(schema: GraphQLSchema) -> dict[str, Callable[[Any], Any]]:
    """How a value that came as a row is written; ValueError for one its type does not hold."""
    enums = (k for k in schema.type_map.values() if isinstance(k, GraphQLEnumType))
    known = {kind.name: _known(frozenset(kind.values)) for kind in enums}
    return known | {"Boolean": bool, "Int": _small, "DQCode": str.split}


def _known(words: frozenset[str]) -> Callable[[Any], Any]:
    def check(value: Any) -> Any:
        if value not in words:
            raise ValueError("no word of this list")
        return value

    return check


def _small(value: Any) -> Any:
    if not -(2**31) <= value < 2**31:
        raise ValueError("GraphQL's Int has 32 bits")
    return value


def sdl(built: Bindings) -> str:
    """The SDL as it stands in git."""
    return print_schema(built.schema) + "\n"


def bindings(schema: GraphQLSchema) -> dict[str, Binding]:
    """The binding of every field by its coordinate; CatalogError for a field without one."""
    return dict(_bound(schema))


def _bound(schema: GraphQLSchema) -> Iterator[tuple[str, Binding]]:
    for name, kind in schema.type_map.items():
        if not isinstance(kind, GraphQLObjectType) or name.startswith("__"):
            continue
        for field_name, field in kind.fields.items():
            yield f"{name}.{field_name}", _binding(name, field_name, field)


def _binding(type_name: str, field_name: str, field: Any) -> Binding:
    definition = field.extensions.get("strawberry-definition")
    found: Binding | None = definition.metadata.get("binding") if definition else None
    if found is None:
        raise CatalogError("schema", f"{type_name}.{field_name}", "has no binding: give it one")
    return found
