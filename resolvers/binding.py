"""What each field of the schema is bound to.

`schema/` puts one of these on every field; the compiler reads them and nothing else. A
field without a binding cannot be asked: there is no resolver to fall back to.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from graphql import GraphQLSchema

SERVICE = "service"
"""The name of the context value behind ``_service``."""


@dataclass(frozen=True, slots=True)
class Representation:
    """One value of ``_Any`` as it was sent; no part of a statement's shape depends on it."""

    value: Any


@dataclass(frozen=True, slots=True)
class ColumnOf:
    """A column of the type's data set, by its catalogue name."""

    column: str


@dataclass(frozen=True, slots=True)
class EdgeTo:
    """Rows of another data set: raw column `parent` here equals raw column `child` there.

    `reached` edges need only `read` on the child (a household's members); the others
    enumerate and need `list`. `connection` edges are paged.
    """

    dataset: str
    parent: str
    child: str
    many: bool
    reached: bool = True
    connection: bool = False


@dataclass(frozen=True, slots=True)
class FacetOf:
    """A department's container of facets; it has no rows of its own."""

    container: str


@dataclass(frozen=True, slots=True)
class FacetRows:
    """A data set hung on its citizen (or household) by the catalogue's key."""

    dataset: str
    many: bool


@dataclass(frozen=True, slots=True)
class RootOf:
    """A root field: its Read is built by the function of this name in `resolvers/roots`."""

    name: str


@dataclass(frozen=True, slots=True)
class ByKey:
    """One ``@key`` of an entity: rows of a data set by the raw `column` behind its `field`.

    `lookup`: the column belongs to a group with rights of its own, so who asks by it looks up.
    """

    dataset: str
    field: str
    column: str
    lookup: bool


@dataclass(frozen=True, slots=True)
class EntitiesOf:
    """``_entities``: rows of each entity type by the keys it has, in their order."""

    keys: Mapping[str, tuple[ByKey, ...]]


@dataclass(frozen=True, slots=True)
class CommandOf:
    """A mutation: its deed is the command of this name, its payload is read by the Plan."""

    name: str


@dataclass(frozen=True, slots=True)
class ChangedRow:
    """In a payload: the row of a data set the command names, by the raw `column` of its key."""

    dataset: str
    column: str = "id"


@dataclass(frozen=True, slots=True)
class AccessOf:
    """``access``: the states of the columns asked beside it that are not OK."""


@dataclass(frozen=True, slots=True)
class ProvenanceOf:
    """``provenance``: source, time, match grade and faults of a federated row."""


@dataclass(frozen=True, slots=True)
class ContextOf:
    """A value of the request itself (who asks, for what); holds no governed data."""

    name: str


@dataclass(frozen=True, slots=True)
class PartOf:
    """A part of a connection, edge, page info, access entry or context value."""

    name: str


@dataclass(frozen=True, slots=True)
class GroupOf:
    """A part of a group, by the field's own name: a key, its count, whether it is withheld."""


Binding = (
    ColumnOf
    | EdgeTo
    | FacetOf
    | FacetRows
    | RootOf
    | EntitiesOf
    | CommandOf
    | ChangedRow
    | AccessOf
    | ProvenanceOf
    | ContextOf
    | PartOf
    | GroupOf
)


@dataclass(frozen=True)
class Bindings:
    """The executable schema and the binding of each coordinate ``Type.field``.

    `datasets` maps a GraphQL type to its data set's name. `leaves` turns a source's text of a
    custom scalar into its wire value, where the two differ. `subgraph` is what ``_service`` gives.
    """

    schema: GraphQLSchema
    by_coordinate: Mapping[str, Binding]
    datasets: Mapping[str, str]
    leaves: Mapping[str, Callable[[Any], Any]] = field(default_factory=dict)
    subgraph: str = ""

    def of(self, type_name: str, field_name: str) -> Binding:
        """The binding of a field; KeyError means the start-up check was skipped."""
        return self.by_coordinate[f"{type_name}.{field_name}"]
