"""How large a document is, found in one walk of its text before anything of it is expanded.

Each fragment's weight is worked out once and kept; where it is spread the kept weight is added.
So a document of 2^60 fields costs one walk of what was written. Sums saturate above the limits,
and the walk ends at the first excess.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from graphql import (
    FieldNode,
    FragmentDefinitionNode,
    InlineFragmentNode,
    ListValueNode,
    ObjectValueNode,
    OperationDefinitionNode,
    SelectionSetNode,
)

from catalog.errors import HubError, TooComplex

SPREAD = "..."  # under which fragments are counted; no response key is called so
SPREAD_COST = 3  # keys two fragments side by side have in common, more or less
REPEATS = 100
"""Nodes of one response key with a selection, in the whole text. Validation compares every two of
them: 100 take 0.3 s, 400 two seconds. A document that asks each facet's provenance has 30."""


@dataclass(frozen=True, slots=True)
class Limits:
    """The most a document may hold; `hub/limits.py` gives the numbers and their reasons.

    `characters` of the text; `directives` in all, `node_directives` on one of its nodes;
    `overlaps`: comparisons of what stands under one response key, or is spread side by side;
    `values`: members of lists and objects written out in the text.
    """

    characters: int
    tokens: int
    operations: int
    fragments: int
    fields: int
    aliases: int
    depth: int
    directives: int
    node_directives: int
    overlaps: int
    values: int
    introspection_fields: int
    introspection_depth: int
    cost: int
    representations: int


def too_complex(limit: str, allowed: int, actual: int | None) -> HubError:
    """The refusal of an operation over a limit, naming it."""
    return TooComplex(
        f"操作过大：超过上限 {limit} = {allowed}", reason=limit, allowed=allowed, actual=actual
    )


def check_scale(
    operations: Iterable[OperationDefinitionNode],
    fragments: Mapping[str, FragmentDefinitionNode],
    limits: Limits,
) -> None:
    """Nothing for a document within its limits, else OPERATION_TOO_COMPLEX."""
    operations = tuple(operations)
    _at_most("operations", len(operations), limits.operations)
    _at_most("fragments", len(fragments), limits.fragments)
    scale = _Scale(fragments, limits)
    for operation in operations:
        weight = scale.operation(operation)
        scale.check(weight)
        _at_most("aliases", weight.aliases, limits.aliases)
        _at_most("depth", weight.depth, limits.depth)
    for name in fragments:  # also one nobody spreads is validated; one may be of introspection
        scale.check(scale.fragment(name))
    _at_most("repeats", scale.repeats, REPEATS)
    _at_most("overlaps", scale.overlaps, limits.overlaps)
    _at_most("introspection_fields", scale.introspection.fields, limits.introspection_fields)
    _at_most("introspection_depth", scale.introspection.depth, limits.introspection_depth)


def _at_most(limit: str, actual: int, allowed: int) -> None:
    if actual > allowed:
        raise too_complex(limit, allowed, actual)


@dataclass(slots=True)
class _Weight:
    """What a selection holds after expansion; sums saturate above the limits."""

    fields: int = 0
    aliases: int = 0
    depth: int = 0
    directives: int = 0


class _Scale:
    def __init__(self, fragments: Mapping[str, FragmentDefinitionNode], limits: Limits) -> None:
        self._fragments, self._limits = fragments, limits
        self._top = max(limits.fields, limits.introspection_fields) + 1
        self._known: dict[str, _Weight] = {}
        self._open: set[str] = set()
        self._keys: Counter[str] = Counter()
        self.introspection = _Weight()
        self.overlaps = self.values = 0

    @property
    def repeats(self) -> int:
        """How often the most frequent response key with a selection stands in the text."""
        return max(self._keys.values(), default=0)

    def check(self, weight: _Weight) -> None:
        """OPERATION_TOO_COMPLEX for more than an operation, or a fragment, may hold.

        Fields are judged where they are added up.
        """
        _at_most("directives", weight.directives, self._limits.directives)

    def operation(self, node: OperationDefinitionNode) -> _Weight:
        """The weight of an operation, its variables' directives with it."""
        found = self._weigh(node.selection_set)
        found.directives += self._directives(node)
        for variable in node.variable_definitions or ():
            found.directives += self._directives(variable)
            self._written(variable.default_value)
        return found

    def fragment(self, name: str) -> _Weight:
        """The weight of a fragment, found once."""
        if name in self._known:
            return self._known[name]
        if name in self._open or name not in self._fragments:
            return _Weight()  # a cycle or an unknown name: validation says which
        self._open.add(name)
        node = self._fragments[name]
        found = self._known[name] = self._weigh(node.selection_set)
        found.directives += self._directives(node)
        self._open.discard(name)
        return found

    def _weigh(
        self, selections: SelectionSetNode | None, beside: Counter[str] | None = None
    ) -> _Weight:
        """`beside`: the keys of the selection set this one is an inline fragment of."""
        total, beside = _Weight(), Counter() if beside is None else beside
        for node in selections.selections if selections else ():
            total.directives += self._directives(node)
            self._add(total, self._one(node, beside))
        return total

    def _one(self, node: Any, beside: Counter[str]) -> _Weight:
        if isinstance(node, FieldNode):
            found = self._field(node)
            self._beside((node.alias or node.name).value, beside, found.fields)
        elif isinstance(node, InlineFragmentNode):
            found = self._weigh(node.selection_set, beside)
        else:
            found = self.fragment(node.name.value)
            self._beside(SPREAD, beside, SPREAD_COST)
        return found

    def _beside(self, key: str, beside: Counter[str], fields: int) -> None:
        """Count what validation will compare: one more of a key with each of those before it."""
        self.overlaps += beside[key] * fields
        beside[key] += 1

    def _field(self, node: FieldNode) -> _Weight:
        if node.selection_set:
            self._keys[(node.alias or node.name).value] += 1
        for argument in node.arguments or ():
            self._written(argument.value)
        own = self._weigh(node.selection_set)
        own.fields, own.depth = own.fields + 1, own.depth + 1
        own.aliases += bool(node.alias)
        if node.name.value in ("__schema", "__type"):
            self._add(self.introspection, own)
            return _Weight(1, 0, 1, own.directives)
        return own

    def _directives(self, node: Any) -> int:
        found = len(node.directives or ())
        if found:
            _at_most("node_directives", found, self._limits.node_directives)
            for directive in node.directives:
                for argument in directive.arguments or ():
                    self._written(argument.value)
        return found

    def _written(self, value: Any) -> None:
        """Count the members of a value. Validation prints the whole of one that does not fit."""
        if isinstance(value, ObjectValueNode):
            members = [field.value for field in value.fields]
        elif isinstance(value, ListValueNode):
            members = list(value.values)
        else:
            return
        self.values += len(members)
        _at_most("values", self.values, self._limits.values)
        for member in members:
            self._written(member)

    def _add(self, total: _Weight, part: _Weight) -> None:
        top, allowed = self._top, self._limits.fields
        total.fields = min(total.fields + part.fields, top)
        if total.fields > allowed:  # the rest of the text need not be walked
            raise too_complex("fields", allowed, allowed + 1)
        total.aliases = min(total.aliases + part.aliases, top)
        total.directives = min(total.directives + part.directives, top)
        total.depth = max(total.depth, part.depth)
