"""One question put to both, and what differs between the two answers.

Data must be equal with the order of its keys; errors in code, path and places, and in words
where the words are the hub's own. What graphql-core itself says of a value, in English, has a
counterpart here. Errors of a source are folded as the hub folds them: one a source and root.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from itertools import chain, repeat
from typing import Any

import orjson
from graphql import (
    FieldNode,
    FragmentDefinitionNode,
    GraphQLError,
    GraphQLObjectType,
    GraphQLSchema,
    OperationDefinitionNode,
    get_named_type,
    get_variable_values,
    is_abstract_type,
    is_enum_type,
    is_list_type,
    is_non_null_type,
)

from resolvers.answer import Answer
from tests.oracle.oracle import CURSOR
from tests.oracle.selection import Grouped, Selection, parsed

SEALED = re.compile(r"[\w-]{40,}\Z", re.ASCII)  # what a cursor looks like
INTERNAL, INPUT = "INTERNAL", "BAD_USER_INPUT"
WORDS = (
    ("Variable '", INPUT),
    ("Argument '", INPUT),
    ("OneOf Input Object", INPUT),
    ("Value for member field", INPUT),
    ("Unknown operation named", INPUT),
    ("Must provide operation name", INPUT),
    ("Cannot return null for non-nullable field", INTERNAL),
    ("cannot represent", INTERNAL),
)
"""What graphql-core says, and the code the hub has for it; the first that is found."""

Told = tuple[str, str | None, Any, Any]
"""An error as it is compared: code, message (None: in other words), path, places."""


def without_cursors(ours: Any, theirs: Any) -> Any:
    """Ours with a sealed cursor replaced by the oracle's word wherever the oracle has one."""
    if isinstance(ours, dict) and isinstance(theirs, dict):
        return {k: without_cursors(v, theirs.get(k)) for k, v in ours.items()}
    if isinstance(ours, list) and isinstance(theirs, list):
        more = chain(theirs, repeat(None))
        return [without_cursors(v, w) for v, w in zip(ours, more, strict=False)]
    sealed = theirs == CURSOR and isinstance(ours, str) and SEALED.match(ours)
    return theirs if sealed else ours


def told_by_graphql(errors: Sequence[GraphQLError]) -> list[Told]:
    """graphql-core's errors as the hub would tell them."""
    found: list[Told] = []
    down: set[tuple[str, Any]] = set()
    for error in errors:
        said, path = error.formatted, error.path
        code = (error.extensions or {}).get("code")
        if code == "SOURCE_UNAVAILABLE":
            mark = (str((error.extensions or {})["source"]), path[0] if path else None)
            if mark in down:
                continue
            down.add(mark)
            path = path[:1] if path else path
        own = code is not None
        code = code or _code(error)
        places = [dict(place) for place in said.get("locations", [])]
        found.append((code, error.message if own else None, path, places))
    return found


def _code(error: GraphQLError) -> str:
    found = next((code for words, code in WORDS if words in error.message), None)
    if found is None:  # a fault of the oracle, not an answer of it
        raise error
    return found


def told_by_hub(answer: Answer) -> list[Told]:
    """The hub's errors."""
    return [
        (e["extensions"]["code"], e["message"], e.get("path"), e.get("locations", []))
        for e in answer.errors
    ]


def differing(ours: Sequence[Told], theirs: Sequence[Told]) -> list[tuple[Any, Any]]:
    """Errors of one side that have no like on the other, in the order of their places."""
    pairs = zip(sorted(ours, key=_order), sorted(theirs, key=_order), strict=False)
    found: list[tuple[Any, Any]] = [(a, b) for a, b in pairs if not _like(a, b)]
    if len(ours) != len(theirs):
        found.append((list(ours), list(theirs)))
    return found


def _order(told: Told) -> str:
    code, _, path, places = told
    return repr((code, path, places))


def _like(ours: Told, theirs: Told) -> bool:
    code, message, path, places = theirs
    same = (ours[0], ours[2], ours[3]) == (code, path, places)
    return same and (message is None or ours[1] == message)


# ---- which leaves were met ---------------------------------------------------------------------


@dataclass
class Leaves:
    """Counts non-null leaves of answers by type, in rows and in JSON text that was spliced in."""

    schema: GraphQLSchema
    row: Counter[str] = field(default_factory=Counter)
    ride: Counter[str] = field(default_factory=Counter)

    def meet(
        self, text: str, name: str | None, variables: Mapping[str, Any], answer: Answer
    ) -> int:
        """Count one answer's; how many it has."""
        if answer.data is None:
            return 0
        before = self.row.total() + self.ride.total()
        node, fragments = _operation(text, name)
        values = get_variable_values(self.schema, node.variable_definitions or (), dict(variables))
        coerced = getattr(values, "coerced", {})
        selection = Selection(fragments, coerced)
        kind = self.schema.query_type
        assert kind is not None
        self._object(kind, selection.of(node.selection_set), selection, answer.data, self.row)
        return self.row.total() + self.ride.total() - before

    def _object(
        self,
        kind: GraphQLObjectType,
        asked: Grouped,
        selection: Selection,
        value: Any,
        to: Counter[str],
    ) -> None:
        for key, nodes in asked.items():
            name = nodes[0].name.value
            if name in kind.fields:
                self._value(kind.fields[name].type, nodes, selection, value[key], to)

    def _value(
        self, kind: Any, nodes: list[FieldNode], selection: Selection, value: Any, to: Counter[str]
    ) -> None:
        if isinstance(value, orjson.Fragment):
            value, to = orjson.loads(orjson.dumps(value)), self.ride
        if value is None:
            return
        kind = kind.of_type if is_non_null_type(kind) else kind
        if is_list_type(kind):
            to["list"] += 1
            for one in value:
                self._value(kind.of_type, nodes, selection, one, to)
        elif isinstance(kind, GraphQLObjectType):
            self._object(kind, selection.below(nodes, kind.name), selection, value, to)
        elif is_abstract_type(kind):
            to["entity"] += 1  # what it is of the answer does not always say
        else:
            to["enum" if is_enum_type(kind) else get_named_type(kind).name] += 1


def _operation(
    text: str, name: str | None
) -> tuple[OperationDefinitionNode, dict[str, FragmentDefinitionNode]]:
    definitions = parsed(text).definitions
    found = [d for d in definitions if isinstance(d, OperationDefinitionNode)]
    node = next(o for o in found if name is None or (o.name and o.name.value == name))
    named = [d for d in definitions if isinstance(d, FragmentDefinitionNode)]
    return node, {f.name.value: f for f in named}
