"""The document a subgraph is asked with: written once, without anybody's number in it.

query($representations: [_Any!]!) { _entities(representations: $representations) {
  ... on Resident { idCard name chronicRecords { disease icd10 } } } }
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from catalog.datasets import Dataset
from catalog.interface import Way
from catalog.subgraph import Ask, Subgraph

KEYS, REPRESENTATIONS, ENTITIES = "keys", "representations", "_entities"


@dataclass(frozen=True, slots=True)
class Question:
    """A document, and what it asks for: the entity's own columns, its rows and theirs.

    `root`: where the entities stand in the answer.
    """

    document: str
    root: str
    own: frozenset[str]
    way: Way
    columns: frozenset[str]


def asking(subgraph: Subgraph, dataset: Dataset, columns: Iterable[str]) -> Question:
    """The document for these source columns of a data set, each once."""
    people = (subgraph.key, dataset.person_name)
    way = subgraph.fields[dataset.table]
    named = dict.fromkeys([subgraph.key, *columns])
    own = [name for name in named if not way or name in people]
    rows = [name for name in named if name not in own]
    inner = " ".join(rows or ["__typename"])
    for name in reversed(way):
        inner = f"{name} {{ {inner} }}"
    asked = " ".join([*own, inner] if way else own)
    document, root = _document(subgraph, asked), _root(subgraph)
    return Question(document, root, frozenset(own), way, frozenset(rows))


def least(subgraph: Subgraph) -> Question:
    """Whether an entity is there, nothing else."""
    document = _document(subgraph, subgraph.key)
    return Question(document, _root(subgraph), frozenset({subgraph.key}), (), frozenset())


def _root(subgraph: Subgraph) -> str:
    return ENTITIES if subgraph.by is Ask.ENTITIES else subgraph.field


def _document(subgraph: Subgraph, asked: str) -> str:
    if subgraph.by is Ask.ENTITIES:
        return (
            f"query(${REPRESENTATIONS}: [_Any!]!)"
            f" {{ {ENTITIES}({REPRESENTATIONS}: ${REPRESENTATIONS})"
            f" {{ ... on {subgraph.type} {{ {asked} }} }} }}"
        )
    return (
        f"query(${KEYS}: {subgraph.argument_type})"
        f" {{ {subgraph.field}({subgraph.argument}: ${KEYS}) {{ {asked} }} }}"
    )


def variables(subgraph: Subgraph, texts: Iterable[str]) -> Mapping[str, Any]:
    """What a call asks by: texts as a source may hold them, each the key of an entity."""
    if subgraph.by is Ask.QUERY:
        return {KEYS: list(texts)}
    return {REPRESENTATIONS: [{"__typename": subgraph.type, subgraph.key: t} for t in texts]}
