"""What an answer and its variables look like, as JSON Schema (2020-12, as OpenAPI 3.1 has it).

Made from the document's own selection and the schema's types, Chinese descriptions included: a
programmer who knows no GraphQL sees exactly the members he will get. What stands under a
condition may be absent; what is nullable in the schema may be null (no right, no record).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from graphql import (
    FieldNode,
    FragmentDefinitionNode,
    FragmentSpreadNode,
    GraphQLEnumType,
    GraphQLInputObjectType,
    GraphQLObjectType,
    GraphQLSchema,
    InlineFragmentNode,
    SelectionSetNode,
    is_list_type,
    is_non_null_type,
    type_from_ast,
)

from resolvers.document import Operation

Outline = dict[str, Any]
"""A JSON Schema."""

PLAIN: Mapping[str, Mapping[str, Any]] = {
    "String": {"type": "string"},
    "ID": {"type": "string"},
    "Int": {"type": "integer", "format": "int32"},
    "Float": {"type": "number"},
    "Boolean": {"type": "boolean"},
    "Sequence": {"type": "integer", "format": "int64"},
    "Date": {"type": "string", "format": "date"},
    "DateTime": {"type": "string", "format": "date-time"},
    "Month": {"type": "string", "pattern": "^[0-9]{4}-[0-9]{2}$"},
    "Decimal": {"type": "string", "pattern": "^-?[0-9]+([.][0-9]+)?$"},
}
"""How our scalars travel; any other is a text."""
CONDITIONS = frozenset({"skip", "include"})


@dataclass(slots=True)
class _Member:
    """One response key: its field nodes, and whether every answer has it."""

    kind: GraphQLObjectType
    nodes: list[FieldNode]
    always: bool


def answer_outline(schema: GraphQLSchema, operation: Operation) -> Outline:
    """The object of an operation's root fields."""
    root = schema.get_root_type(operation.type)
    assert root is not None  # noqa: S101  validation saw to it
    return _Writer(schema, operation.fragments).object(root, [operation.node.selection_set])


def variable_outlines(schema: GraphQLSchema, operation: Operation) -> dict[str, Outline]:
    """Each variable's value by its name."""
    found = {}
    for node in operation.node.variable_definitions or ():
        kind: Any = type_from_ast(schema, node.type)
        optional = node.default_value is not None and is_non_null_type(kind)
        found[node.variable.name.value] = taken(kind.of_type if optional else kind)
    return found


def taken(kind: Any) -> Outline:
    """A value that is given."""
    if not is_non_null_type(kind):
        return _nullable(taken_bare(kind))
    return taken_bare(kind.of_type)


def taken_bare(kind: Any) -> Outline:
    """A value that is given and not null."""
    if is_list_type(kind):
        return {"type": "array", "items": taken(kind.of_type)}
    if not isinstance(kind, GraphQLInputObjectType):
        return _leaf(kind)
    members = {n: _about(taken(f.type), f.description) for n, f in kind.fields.items()}
    made: Outline = {"type": "object", "properties": members, "additionalProperties": False}
    required = [n for n, f in kind.fields.items() if is_non_null_type(f.type)]
    if required:
        made["required"] = required
    if one_of(kind):
        made |= {"minProperties": 1, "maxProperties": 1}
    return _about(made, kind.description)


def one_of(kind: GraphQLInputObjectType) -> bool:
    """Does an input take exactly one of its members? `schema/bound.py` says it to its maker."""
    made = kind.extensions.get("strawberry-definition")
    return kind.is_one_of or bool(getattr(made, "is_one_of", False))


class _Writer:
    def __init__(
        self, schema: GraphQLSchema, fragments: Mapping[str, FragmentDefinitionNode]
    ) -> None:
        self._schema, self._fragments = schema, fragments

    def object(self, kind: GraphQLObjectType, selections: list[SelectionSetNode]) -> Outline:
        members: dict[str, _Member] = {}
        for selection in selections:
            self._collect(kind, selection, members, True)
        properties = {key: self._member(one) for key, one in members.items()}
        made: Outline = {"type": "object", "properties": properties}
        required = [key for key, one in members.items() if one.always]
        return made | ({"required": required} if required else {})

    def _collect(
        self,
        kind: GraphQLObjectType,
        selection: SelectionSetNode,
        members: dict[str, _Member],
        always: bool,
    ) -> None:
        for node in selection.selections:
            sure = always and not any(d.name.value in CONDITIONS for d in node.directives or ())
            if isinstance(node, FieldNode):
                key = (node.alias or node.name).value
                one = members.setdefault(key, _Member(kind, [], False))
                one.nodes.append(node)
                one.always = one.always or sure
            elif isinstance(node, FragmentSpreadNode):
                fragment = self._fragments[node.name.value]
                self._collect(kind, fragment.selection_set, members, sure)
            elif isinstance(node, InlineFragmentNode):
                self._collect(kind, node.selection_set, members, sure)

    def _member(self, one: _Member) -> Outline:
        name = one.nodes[0].name.value
        if name == "__typename":
            return {"type": "string", "const": one.kind.name}
        field = one.kind.fields.get(name)
        if field is None:  # __schema, __type: what graphql-core answers
            return {"type": "object"}
        below = [node.selection_set for node in one.nodes if node.selection_set]
        return _about(self._given(field.type, below), field.description)

    def _given(self, kind: Any, below: list[SelectionSetNode]) -> Outline:
        if not is_non_null_type(kind):
            return _nullable(self._bare(kind, below))
        return self._bare(kind.of_type, below)

    def _bare(self, kind: Any, below: list[SelectionSetNode]) -> Outline:
        if is_list_type(kind):
            return {"type": "array", "items": self._given(kind.of_type, below)}
        if isinstance(kind, GraphQLObjectType):
            return self.object(kind, below)
        return _leaf(kind)


def _leaf(kind: Any) -> Outline:
    if isinstance(kind, GraphQLEnumType):
        words = "；".join(_words(kind))
        return {"type": "string", "enum": list(kind.values), "description": words}
    made = dict(PLAIN.get(kind.name, PLAIN["String"]))
    own = kind.name not in ("String", "ID", "Int", "Float", "Boolean")
    return _about(made, kind.description if own else None)


def _words(kind: GraphQLEnumType) -> Iterator[str]:
    for name, value in kind.values.items():
        yield f"{name} {value.description}" if value.description else name


def _nullable(outline: Outline) -> Outline:
    """The same, or null."""
    if not isinstance(outline.get("type"), str) or "const" in outline:
        return {"anyOf": [outline, {"type": "null"}]}
    made = {**outline, "type": [outline["type"], "null"]}
    return made | ({"enum": [*outline["enum"], None]} if "enum" in outline else {})


def _about(outline: Outline, description: str | None) -> Outline:
    """With the description of where it stands before that of what it is."""
    said = [text for text in (description, outline.get("description")) if text]
    return {**outline, "description": "\n".join(said)} if said else outline
