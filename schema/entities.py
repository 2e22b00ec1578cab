"""The federation subgraph: ``_entities`` and ``_service``, and the SDL a composer is given.

The keys are the catalogue's (`entity` of a data set); each is checked here for the Read that goes
by it, or the start is refused. Strawberry's own federation schema is not used: its resolver
of ``_entities`` would be a second road to rows (ADR 0030).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, NewType, Union

import strawberry
from graphql import (
    ConstArgumentNode,
    ConstDirectiveNode,
    DocumentNode,
    GraphQLSchema,
    NameNode,
    ObjectTypeDefinitionNode,
    StringValueNode,
    parse,
    print_ast,
    print_schema,
)
from strawberry.types.scalar import ScalarDefinition

from catalog.datasets import Dataset, Field, FieldType, Kind
from catalog.errors import CatalogError
from catalog.grades import Mask
from catalog.load import Catalog
from resolvers.binding import SERVICE, ByKey, EntitiesOf, Representation
from schema.bound import Kit

VERSION = "v2.9"
"""The latest that all three composers take: The Guild's ends here."""
LINK = (
    f'extend schema @link(url: "https://specs.apollo.dev/federation/{VERSION}",'
    ' import: ["@key", "@shareable"])'
)
SHAREABLE = ("PageInfo",)
"""Value types that any Relay subgraph has too, and answers for its own lists."""
TEXTS = (FieldType.ID, FieldType.STRING, FieldType.DIVISION)
"""What a key may be: a text is the same in the row, on the wire and in a representation."""
MACHINERY = frozenset({"_Any", "_Entity", "_Service", "_entities", "_service"})
"""What the specification adds to every subgraph by itself, so that no SDL names it."""


def entities(catalog: Catalog) -> Mapping[str, tuple[ByKey, ...]]:
    """The keys of each entity type. CatalogError for one that no Read can go by."""
    known = (d for d in catalog.datasets.values() if d.entity)
    return {d.type: tuple(_by_key(catalog, d, name) for name in d.entity) for d in known}


def _by_key(catalog: Catalog, dataset: Dataset, name: str) -> ByKey:
    field = dataset.by_name.get(name)
    fault = _fault(catalog, dataset, field)
    if field is None or fault is not None:
        raise CatalogError(f"{dataset.source}.toml", f"{dataset.name}.entity[{name}]", str(fault))
    return ByKey(dataset.name, name, field.column, field.object != dataset.object)


def _fault(catalog: Catalog, dataset: Dataset, field: Field | None) -> str | None:
    """Why rows cannot be asked for by this field; None if they can."""
    if field is None or not field.exposed:
        return "is no field that is shown: a key is one"
    if catalog.sources[dataset.source].kind is not Kind.SQL or dataset.facet is not None:
        return "no Read goes by it: an entity has rows with rights of their own, in SQL"
    if field.type not in TEXTS or field.mask is not Mask.NONE:
        return "a key is a text without a mask: or what is asked by it would tell what it hides"
    if field.object == dataset.object:
        return "may be null: a key never is" if field.nullable else None
    if field.column != dataset.subject:
        return (
            "has rights of its own but is not the subject: the record could not say who is sought"
        )
    return None


# ---- the schema --------------------------------------------------------------------------------


def machinery(kit: Kit) -> dict[object, ScalarDefinition]:
    """The types behind ``_entities`` and ``_service``; gives how ``_Any`` travels."""
    kinds = [kit.names[name] for name in entities(kit.catalog)]
    about = "实体：可由联邦网关按键引用的类型"
    union = strawberry.union("_Entity", description=about)
    kit.names["_Entity"] = Annotated[Union[tuple(kinds)], union]  # noqa: UP007  made at run time
    kit.names["_Any"] = NewType("_Any", object)
    kit.object(
        "_Service",
        "联邦子图",
        {"sdl": kit.part("String!", "子图的接口定义（Apollo Federation 2.9）")},
    )
    said = "实体引用：`__typename` 与一个键；其余内容不读取"
    made = strawberry.scalar(name="_Any", description=said, parse_value=Representation)
    return {kit.names["_Any"]: made}


def roots(kit: Kit) -> dict[str, Any]:
    """The two roots that every subgraph has."""
    return {
        "_entities": kit.entities(EntitiesOf(entities(kit.catalog))),
        "_service": kit.context("_Service!", "联邦子图的接口定义；需要联邦接口的读取权限", SERVICE),
    }


# ---- the SDL a composer is given ---------------------------------------------------------------


def subgraph(schema: GraphQLSchema, keys: Mapping[str, tuple[ByKey, ...]]) -> str:
    """The schema as Apollo Federation 2.9 writes it: linked, with its keys and shared types."""
    document = parse(print_schema(schema))
    kept = [d for d in document.definitions if _name(d) not in MACHINERY]
    added = [_directed(d, keys) for d in kept]
    linked = parse(LINK).definitions
    return print_ast(DocumentNode(definitions=(*linked, *added))) + "\n"


def _directed(node: Any, keys: Mapping[str, tuple[ByKey, ...]]) -> Any:
    if not isinstance(node, ObjectTypeDefinitionNode):
        return node
    name = _name(node)
    directives = [_key(key.field) for key in keys.get(name, ())]
    if name in SHAREABLE:
        directives.append(ConstDirectiveNode(name=NameNode(value="shareable"), arguments=()))
    fields = tuple(f for f in node.fields or () if _name(f) not in MACHINERY)
    return _with(node, directives=tuple(directives), fields=fields)


def _key(field: str) -> ConstDirectiveNode:
    value = StringValueNode(value=field, block=False)
    fields = ConstArgumentNode(name=NameNode(value="fields"), value=value)
    return ConstDirectiveNode(name=NameNode(value="key"), arguments=(fields,))


def _name(node: Any) -> str:
    return str(node.name.value) if getattr(node, "name", None) is not None else ""


def _with(node: Any, **changed: Any) -> Any:
    return type(node)(**{key: getattr(node, key) for key in node.keys} | changed)
