"""Every field of the schema is bound to something that exists; one that is not is refused."""

from __future__ import annotations

from typing import Any

import pytest
import strawberry
from graphql import GraphQLObjectType
from strawberry.types.field import StrawberryField

from catalog.errors import CatalogError
from catalog.load import Catalog, load
from resolvers.binding import (
    AccessOf,
    Binding,
    Bindings,
    ChangedRow,
    ColumnOf,
    CommandOf,
    ContextOf,
    EdgeTo,
    EntitiesOf,
    FacetOf,
    FacetRows,
    GroupOf,
    PartOf,
    ProvenanceOf,
    RootOf,
)
from resolvers.roots import ROOTS
from schema.bound import Kit
from schema.build import bindings

KINDS = (
    AccessOf,
    ChangedRow,
    ColumnOf,
    CommandOf,
    ContextOf,
    EdgeTo,
    EntitiesOf,
    FacetOf,
    FacetRows,
    GroupOf,
    PartOf,
    ProvenanceOf,
    RootOf,
)


@pytest.fixture(scope="module")
def catalog() -> Catalog:
    return load()


def fields(built: Bindings) -> list[tuple[str, str, Any]]:
    """(type, field, field definition) of every object type of ours."""
    return [
        (name, field, made)
        for name, kind in built.schema.type_map.items()
        if isinstance(kind, GraphQLObjectType) and not name.startswith("__")
        for field, made in kind.fields.items()
    ]


def bound(built: Bindings, kind: type[Any]) -> dict[str, Any]:
    """The bindings of one kind by coordinate; there is at least one."""
    found = {c: b for c, b in built.by_coordinate.items() if isinstance(b, kind)}
    assert found
    return found


def planted(field: StrawberryField) -> Any:
    """A schema with one field more on Query."""
    kit = Kit(load())
    query = kit.object("Query", "查询", {"whole": kit.part("Int!", "有绑定"), "planted": field})
    return strawberry.Schema(query=query)._schema


def test_every_field_is_bound(built: Bindings) -> None:
    coordinates = [f"{name}.{field}" for name, field, _ in fields(built)]
    assert sorted(coordinates) == sorted(built.by_coordinate)
    assert all(isinstance(b, KINDS) for b in built.by_coordinate.values())
    assert {type(b) for b in built.by_coordinate.values()} == set(KINDS)
    assert len(coordinates) > 200


def test_a_field_without_a_binding_is_refused() -> None:
    with pytest.raises(CatalogError, match=r"Query\.planted: has no binding: give it one"):
        bindings(planted(strawberry.field(description="无绑定", graphql_type=int)))


def test_a_field_with_its_own_resolver_is_refused_too() -> None:
    def resolver() -> int:
        return 1

    with pytest.raises(CatalogError, match=r"Query\.planted: has no binding"):
        bindings(planted(strawberry.field(resolver, description="绕过计划")))


def test_the_planted_schema_is_otherwise_good() -> None:
    found = bindings(planted(Kit(load()).part("Int", "有绑定")))
    assert found == {"Query.whole": PartOf(""), "Query.planted": PartOf("")}


def test_no_field_has_a_resolver_to_fall_back_to(built: Bindings) -> None:
    own = [
        f"{name}.{field}"
        for name, field, made in fields(built)
        if made.extensions["strawberry-definition"].base_resolver is not None
    ]
    assert own == []


def test_a_column_is_one_of_its_data_set(built: Bindings, catalog: Catalog) -> None:
    for coordinate, binding in bound(built, ColumnOf).items():
        dataset = catalog.datasets[built.datasets[coordinate.partition(".")[0]]]
        assert dataset.by_name[binding.column].exposed, coordinate


def test_every_exposed_column_can_be_asked(built: Bindings, catalog: Catalog) -> None:
    for dataset in catalog.datasets.values():
        if not any(name == dataset.name for name in built.datasets.values()):
            continue
        shown = {f.name for f in dataset.fields if f.exposed}
        asked = {
            b.column for c, b in bound(built, ColumnOf).items() if c.startswith(f"{dataset.type}.")
        }
        assert asked == shown, dataset.name


def test_every_data_set_of_the_catalogue_can_be_asked(built: Bindings, catalog: Catalog) -> None:
    assert set(built.datasets.values()) == set(catalog.datasets)
    for type_name, dataset in built.datasets.items():
        assert catalog.datasets[dataset].type == type_name


def test_an_edge_leads_to_the_type_of_its_data_set(built: Bindings, catalog: Catalog) -> None:
    kinds = {f"{name}.{field}": made.type for name, field, made in fields(built)}
    for coordinate, edge in bound(built, EdgeTo).items():
        target = catalog.datasets[edge.dataset].type
        wanted = f"{target}Connection" if edge.connection else target
        assert str(kinds[coordinate]).strip("[]!") == wanted, coordinate
        assert str(kinds[coordinate]).startswith("[") == (edge.many and not edge.connection)


def test_facets_are_the_catalogues(built: Bindings, catalog: Catalog) -> None:
    expected = {d.name: d.facet.many for d in catalog.datasets.values() if d.facet}
    facets = bound(built, FacetRows).values()
    assert {b.dataset: b.many for b in facets} == expected
    containers = {c: b.container for c, b in bound(built, FacetOf).items()}
    assert containers == {
        f"{on}.{name}": name for on in ("Citizen", "Household") for name in catalog.facets(on)
    }


def test_every_root_has_its_function_and_no_function_waits_for_a_root(built: Bindings) -> None:
    named: list[Binding] = list(bound(built, RootOf).values())
    assert sorted(b.name for b in named if isinstance(b, RootOf)) == sorted(ROOTS)
    context = bound(built, ContextOf)
    assert list(context) == ["Query.viewer", "Query._service"]
    assert list(bound(built, EntitiesOf)) == ["Query._entities"]
    entries = ("Query.", "Subscription.")
    roots = {c for c in built.by_coordinate if c.startswith(entries)}
    assert len(roots) == len(ROOTS) + len(context) + 1


def test_a_row_under_rights_says_the_state_of_its_fields(built: Bindings, catalog: Catalog) -> None:
    """Masked or hidden values come with `access`, federated ones with `provenance`."""
    for dataset in catalog.datasets.values():
        if dataset.facet is not None:
            assert isinstance(built.of(dataset.type, "access"), AccessOf)
            assert isinstance(built.of(dataset.type, "provenance"), ProvenanceOf)
