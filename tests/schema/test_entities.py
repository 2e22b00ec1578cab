"""The subgraph's SDL says what composers need; a key that no Read goes by refuses the start."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import Any

import pytest
from graphql import (
    GraphQLObjectType,
    GraphQLUnionType,
    ObjectTypeDefinitionNode,
    SchemaExtensionNode,
    parse,
    print_ast,
)

from catalog.datasets import Dataset
from catalog.errors import CatalogError
from catalog.grades import Mask
from catalog.load import Catalog, load
from resolvers.binding import Bindings, EntitiesOf
from schema.build import build
from schema.entities import VERSION, entities
from store.tables import metadata

KEYS = {
    "Citizen": [("id", "id", False), ("idDigest", "citizen_uid", True)],
    "Household": [("id", "id", False), ("householdNo", "household_no", False)],
    "Division": [("code", "code", False)],
    "Case": [("id", "id", False), ("caseNo", "case_no", False)],
    "SupervisionOrder": [("id", "id", False), ("orderNo", "order_no", False)],
}
"""Type -> (field, the column behind it, whether asking by it is a look-up)."""


def directives(sdl: str) -> dict[str, list[str]]:
    """The directives of each object type, as written."""
    kinds = [d for d in parse(sdl).definitions if isinstance(d, ObjectTypeDefinitionNode)]
    return {k.name.value: [print_ast(d) for d in k.directives or ()] for k in kinds}


def test_the_keys_are_those_of_the_catalogue(built: Bindings) -> None:
    found = entities(load())
    assert {t: [(k.field, k.column, k.lookup) for k in keys] for t, keys in found.items()} == KEYS
    assert built.by_coordinate["Query._entities"] == EntitiesOf(found)
    union = built.schema.type_map["_Entity"]
    assert isinstance(union, GraphQLUnionType)
    assert [kind.name for kind in union.types] == list(KEYS)


def test_the_sdl_is_linked_keyed_and_shared(built: Bindings) -> None:
    (link,) = (d for d in parse(built.subgraph).definitions if isinstance(d, SchemaExtensionNode))
    assert print_ast(link) == (
        f'extend schema @link(url: "https://specs.apollo.dev/federation/{VERSION}",'
        ' import: ["@key", "@shareable"])'
    )
    assert VERSION == "v2.9"
    found = {name: those for name, those in directives(built.subgraph).items() if those}
    keyed = {t: [f'@key(fields: "{field}")' for field, *_ in keys] for t, keys in KEYS.items()}
    assert found == keyed | {"PageInfo": ["@shareable"]}


def test_the_sdl_has_everything_of_ours_and_nothing_of_the_specifications(built: Bindings) -> None:
    names = {f"{n}.{f}" for n, fields in shown(built.subgraph).items() for f in fields}
    kinds = (k for n, k in built.schema.type_map.items() if not n.startswith("__"))
    ours = {f"{k.name}.{f}" for k in kinds if isinstance(k, GraphQLObjectType) for f in k.fields}
    assert ours - names == {"Query._entities", "Query._service", "_Service.sdl"}
    assert names - ours == set()
    assert re.findall(r"_Any|_Entity|_Service|_entities|_service", built.subgraph) == []
    assert "公民身份号码" in built.subgraph


def shown(sdl: str) -> dict[str, list[str]]:
    kinds = [d for d in parse(sdl).definitions if isinstance(d, ObjectTypeDefinitionNode)]
    return {k.name.value: [f.name.value for f in k.fields or ()] for k in kinds}


def changed(name: str, **more: Any) -> Catalog:
    """The catalogue with a data set that is written otherwise."""
    catalog = load()
    dataset = replace(catalog.datasets[name], **more)
    return replace(catalog, datasets={**catalog.datasets, name: dataset})


def with_field(dataset: Dataset, name: str, **more: Any) -> tuple[Any, ...]:
    return tuple(replace(f, **more) if f.name == name else f for f in dataset.fields)


def citizen(**more: Any) -> dict[str, Any]:
    return {"fields": with_field(load().datasets["citizen"], "idDigest", **more)}


@pytest.mark.parametrize(
    ("name", "more", "said"),
    [
        ("case", {"entity": ("id", "number")}, r"case\.entity\[number\]: is no field"),
        ("citizen", citizen(exposed=False), r"citizen\.entity\[idDigest\]: is no field"),
        ("case", {"entity": ("filedAt",)}, r"case\.entity\[filedAt\]: a key is a text"),
        ("citizen", {"entity": ("phone",)}, r"citizen\.entity\[phone\]: a key is a text without"),
        ("citizen", citizen(mask=Mask.HIDE), r"citizen\.entity\[idDigest\]: a key is a text"),
        ("citizen", {"entity": ("name",)}, r"citizen\.entity\[name\]: a key is a text"),
        ("citizen", {"subject": "id"}, r"citizen\.entity\[idDigest\]: has rights of its own"),
        ("dataset", {"entity": ("sharingCondition",)}, r"dataset\.entity\[.*\]: may be null"),
        ("min_living", {"entity": ("status",)}, r"min_living\.entity\[status\]: no Read goes"),
    ],
)  # fmt: skip
def test_a_key_that_no_read_goes_by_refuses_the_start(
    name: str, more: dict[str, Any], said: str
) -> None:
    with pytest.raises(CatalogError, match=said):
        build(changed(name, **more))


def test_a_key_names_one_row(built: Bindings) -> None:
    """The store itself sees to it: a second row of the same key cannot be written."""
    catalog = load()
    for keys in entities(catalog).values():
        for key in keys:
            column = metadata.tables[catalog.datasets[key.dataset].table].c[key.column]
            assert column.primary_key or column.unique, key


def test_a_key_of_the_row_is_read_and_a_governed_one_is_looked_up(built: Bindings) -> None:
    binding = built.by_coordinate["Query._entities"]
    assert isinstance(binding, EntitiesOf)
    governed = [(t, k.field) for t, keys in binding.keys.items() for k in keys if k.lookup]
    assert governed == [("Citizen", "idDigest")]
