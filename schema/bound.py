"""Fields with a binding: the only way a field of the schema is made.

A field's words (title, description, owner, level, right) come from the catalogue; its type may
name a type that does not exist yet, resolved when the schema is built. No field has a
resolver: there is nothing to run but the Plan.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import strawberry
from strawberry.annotation import StrawberryAnnotation
from strawberry.types.arguments import StrawberryArgument
from strawberry.types.field import StrawberryField

from catalog.datasets import Dataset, Field, FieldType
from catalog.load import Catalog
from resolvers.binding import (
    AccessOf,
    Binding,
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

SCALARS = {
    FieldType.ID: "ID",
    FieldType.STRING: "String",
    FieldType.INT: "Int",
    FieldType.SEQUENCE: "Sequence",
    FieldType.BOOL: "Boolean",
    FieldType.DATE: "Date",
    FieldType.MONTH: "Month",
    FieldType.DATETIME: "DateTime",
    FieldType.MONEY: "Decimal",
    FieldType.DECIMAL: "Decimal",
    FieldType.DIVISION: "DivisionCode",
}
BUILT_IN = {"ID": strawberry.ID, "String": str, "Int": int, "Boolean": bool}


Arguments = Mapping[str, tuple[str, str]]
"""Argument name -> (type in GraphQL notation, Chinese description)."""

PAGE: Arguments = {
    "first": ("Int", "前几行，默认 20，最多 100"),
    "after": ("String", "从此游标之后开始"),
    "last": ("Int", "后几行，最多 100"),
    "before": ("String", "到此游标之前为止"),
}


class Kit:
    """Makes types and fields of one schema; `names` are its types by GraphQL name."""

    def __init__(self, catalog: Catalog) -> None:
        self.catalog = catalog
        self.names: dict[str, Any] = dict(BUILT_IN)
        self.datasets: dict[str, str] = {}

    def type_of(self, text: str) -> StrawberryAnnotation:
        """A type by GraphQL notation (``[Case!]``), resolved when the schema is built."""
        return StrawberryAnnotation(_python(text), namespace=self.names)

    def object(self, name: str, description: str, fields: Mapping[str, StrawberryField]) -> Any:
        """A GraphQL object type."""
        kinds = {field: made.type_annotation for field, made in fields.items()}
        made = type(name, (), {"__annotations__": dict.fromkeys(fields, Any), **fields})
        self.names[name] = strawberry.type(made, name=name, description=description)
        # Strawberry resolves types when the class is made; ours may name one made later.
        for field in self.names[name].__strawberry_definition__.fields:
            field.type_annotation = kinds[field.python_name]
        return self.names[name]

    def rows(self, dataset: Dataset, more: Mapping[str, StrawberryField]) -> Any:
        """The type of a data set's rows: its exposed columns, then `more`."""
        self.datasets[dataset.type] = dataset.name
        columns = {f.name: self.column(dataset, f) for f in dataset.fields if f.exposed}
        said = _sentence(dataset.description, dataset.title)
        about = f"{dataset.title}。{said}{self._offer(dataset)}"
        return self.object(dataset.type, about, columns | dict(more))

    def _offer(self, dataset: Dataset) -> str:
        provider = self.catalog.departments[dataset.provider].short
        sharing = self.catalog.codes["SharingKind"][dataset.sharing.kind]
        return f"提供单位：{provider}；共享属性：{sharing}；授权对象：{dataset.object}"

    # -- fields

    def column(self, dataset: Dataset, field: Field) -> StrawberryField:
        """A column; the description prints level, right and mask."""
        made = self._field(self._column_type(field), self._graded(field), ColumnOf(field.name))
        if field.deprecated is not None:
            made.deprecation_reason = field.deprecated.reason
        return made

    def _column_type(self, field: Field) -> str:
        if field.type is FieldType.LINES:
            return f"[{field.code or 'String'}!]" + ("" if field.nullable else "!")
        name = field.code if field.type is FieldType.CODE else SCALARS[field.type]
        return f"{name}{'' if field.nullable else '!'}"

    def _graded(self, field: Field) -> str:
        codes = self.catalog.codes
        level = codes["Sensitivity"][field.sensitivity]
        mask = codes["Mask"][field.mask]
        said = _sentence(field.description, field.title)
        return f"{field.title}。{said}级别：{level}；授权对象：{field.object}；脱敏：{mask}"

    def edge(self, type_text: str, description: str, binding: EdgeTo) -> StrawberryField:
        """A relation to rows of another data set; paged if the binding says so."""
        return self._field(type_text, description, binding, PAGE if binding.connection else {})

    def facet(self, type_text: str, description: str, binding: FacetRows) -> StrawberryField:
        """A department's data of this person or household."""
        return self._field(type_text, description, binding)

    def container(self, type_text: str, description: str, container: str) -> StrawberryField:
        """A department's container of facets."""
        return self._field(type_text, description, FacetOf(container))

    def access(self) -> StrawberryField:
        """``access`` of a governed row."""
        return self._field(
            "[FieldAccess!]!", "字段状态。同一对象中所查字段里不是“正常”的那些，及原因", AccessOf()
        )

    def provenance(self) -> StrawberryField:
        """``provenance`` of a federated row."""
        return self._field(
            "Provenance!", "数据来源。数据源、时间、匹配等级与质量问题", ProvenanceOf()
        )

    def part(self, type_text: str, description: str) -> StrawberryField:
        """A part of a connection, page info, access entry or context value."""
        return self._field(type_text, description, PartOf(""))

    def group(self, type_text: str, description: str) -> StrawberryField:
        """A key of a group, its count, or whether that is withheld."""
        return self._field(type_text, description, GroupOf())

    def context(self, type_text: str, description: str, name: str) -> StrawberryField:
        """A value of the request itself."""
        return self._field(type_text, description, ContextOf(name))

    def root(
        self, type_text: str, description: str, name: str, arguments: Arguments | None = None
    ) -> StrawberryField:
        """A root field; a connection takes the arguments of a page besides its own."""
        pages = PAGE if type_text.endswith("Connection") else {}
        return self._field(type_text, description, RootOf(name), {**(arguments or {}), **pages})

    def command(
        self, type_text: str, description: str, name: str, arguments: Arguments
    ) -> StrawberryField:
        """A mutation."""
        return self._field(type_text, description, CommandOf(name), arguments)

    def changed(self, type_text: str, description: str, binding: ChangedRow) -> StrawberryField:
        """A row in a payload."""
        return self._field(type_text, description, binding)

    def entities(self, binding: EntitiesOf) -> StrawberryField:
        """``_entities``, which every subgraph has."""
        about = "按键取实体，与引用同序；查无此项与不在辖区同样为空。仅供联邦网关"
        sent = {"representations": ("[_Any!]!", "实体引用，最多 500 个")}
        return self._field("[_Entity]!", about, binding, sent)

    def input(
        self, name: str, description: str, fields: Arguments, *, one_of: bool = False
    ) -> None:
        """An input type; `one_of`: exactly one of its fields is given."""
        made: dict[str, Any] = {"__annotations__": dict.fromkeys(fields, Any)}
        for field, (kind, about) in fields.items():
            made[field] = strawberry.field(
                description=about, graphql_type=self.type_of(kind), default=strawberry.UNSET
            )
        self.names[name] = strawberry.input(
            type(name, (), made), name=name, description=description, one_of=one_of
        )

    def _field(
        self,
        type_text: str,
        description: str,
        binding: Binding,
        arguments: Arguments | None = None,
    ) -> StrawberryField:
        made: Any = strawberry.field(
            description=description,
            metadata={"binding": binding},
            graphql_type=self.type_of(type_text),
        )
        made.arguments = [
            StrawberryArgument(
                python_name=name,
                graphql_name=name,
                type_annotation=self.type_of(kind),
                description=about,
                default=strawberry.UNSET,
            )
            for name, (kind, about) in (arguments or {}).items()
        ]
        return made  # type: ignore[no-any-return]


def _sentence(text: str, title: str) -> str:
    return "" if text == title else f"{text}。"


def _python(text: str) -> str:
    """GraphQL notation as a Python annotation: ``[Case!]!`` -> ``list[Case]``."""
    if text.endswith("!"):
        return _inner(text[:-1])
    return f"{_inner(text)} | None"


def _inner(text: str) -> str:
    return f"list[{_python(text[1:-1])}]" if text.startswith("[") else text
