"""How a department's GraphQL subgraph is asked, in words of its TOML file.

    [source.graphql]
    path = "/graphql"                                # behind the address of the settings
    by = "entities"                                  # or "query"
    type = "Resident"                                # the entity: one is one person
    key = "idCard"                                   # its field with the id number
    fields = { chronic_record = "chronicRecords" }   # a data set's table, the entity's field
    batch = 100                                      # persons a call
    headers = { X-Purpose = "aid.review" }           # agreed with the department
    credential = { kind = "header", header = "Authorization", prefix = "Bearer " }

``by = "entities"`` asks ``_entities`` of Apollo federation; ``by = "query"`` the root `field`,
whose `argument` takes the list of numbers. A field may lie deeper (``"records.nodes"``, dots lead
inwards); ``"."`` is the entity itself: then each person is one row.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum

from catalog.interface import (
    BATCH,
    Credential,
    Way,
    positive,
    read_credential,
    read_headers,
    read_path,
)
from catalog.table import Table

ITSELF = "."
KEYS_TYPE = "[String!]!"

_NAME = re.compile(r"[A-Za-z][A-Za-z0-9_]*\Z")
_LIST = re.compile(r"\[[A-Za-z][A-Za-z0-9_]*!?\]!?\Z")


class Ask(StrEnum):
    """By what a subgraph finds persons: federation's entities, or a root field of its own."""

    ENTITIES = "entities"
    QUERY = "query"


@dataclass(frozen=True, slots=True)
class Subgraph:
    """One subgraph. `fields`: table -> the way from the entity to its rows, empty for itself.

    `field`, `argument` and the type of its list: of the root field, for QUERY.
    """

    path: str
    by: Ask
    type: str
    key: str
    fields: Mapping[str, Way]
    field: str
    argument: str
    argument_type: str
    batch: int
    headers: Mapping[str, str]
    credential: Credential


def read_subgraph(table: Table) -> Subgraph:
    """The table ``[source.graphql]``; CatalogError for the first fault."""
    by = table.choice("by", Ask, Ask.ENTITIES)
    queried = by is Ask.QUERY
    found = Subgraph(
        path=_path(table),
        by=by,
        type=_name(table, "type"),
        key=_name(table, "key"),
        fields=_fields(table),
        field=_name(table, "field") if queried else "",
        argument=_name(table, "argument") if queried else "",
        argument_type=_list_type(table) if queried else "",
        batch=positive(table, "batch", BATCH),
        headers=read_headers(table),
        credential=read_credential(table),
    )
    table.done()
    return found


def misfit(
    subgraph: Subgraph, table: str, keys: Sequence[str], columns: Sequence[str]
) -> str | None:
    """Why a data set cannot be asked for in a document; None if it can."""
    if table not in subgraph.fields:
        return f"does not say which field the table `{table}` is"
    if tuple(keys) != (subgraph.key,):
        return f"finds persons by `{subgraph.key}`: so must the data set of `{table}`, by it alone"
    wrong = [name for name in columns if not _NAME.match(name)]
    return f"`{wrong[0]}` of `{table}` is no name of a field" if wrong else None


def _path(table: Table) -> str:
    path = read_path(table, "/graphql")
    if "$" in path:
        raise table.fail("path", "has no slots: one path serves all data sets")
    return path


def _name(table: Table, key: str) -> str:
    name = table.text(key)
    if not _NAME.match(name):
        raise table.fail(key, f"`{name}` is no name a GraphQL document may hold")
    return name


def _fields(table: Table) -> Mapping[str, Way]:
    ways = {
        name: () if text == ITSELF else tuple(text.split("."))
        for name, text in table.pairs("fields").items()
    }
    if not ways:
        raise table.fail("fields", 'is missing: say `table = "field"` for each data set')
    wrong = [name for way in ways.values() for name in way if not _NAME.match(name)]
    if wrong:
        raise table.fail("fields", f"`{wrong[0]}` is no name of a field")
    return ways


def _list_type(table: Table) -> str:
    kind = table.text("argument_type", KEYS_TYPE)
    if not _LIST.match(kind):
        raise table.fail("argument_type", "must be a list type such as [ID!]!")
    return kind
