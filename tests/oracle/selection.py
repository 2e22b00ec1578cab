"""What an object is asked for: fields of a selection merged by response key, by hand.

The product leaves this to graphql-core; this is the other reading, for the tests alone.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import Any

from graphql import (
    DocumentNode,
    FieldNode,
    FragmentDefinitionNode,
    FragmentSpreadNode,
    SelectionSetNode,
    VariableNode,
    parse,
)

UNIONS = ("_Entity",)
"""The schema's abstract types. What stands where one is asked for belongs to it."""
PAGES = ("Connection", "Edge")
"""Types of a page around its rows are named so. Who looks for the rows passes through both."""
Grouped = dict[str, list[FieldNode]]


@lru_cache(maxsize=8)
def parsed(text: str) -> DocumentNode:
    """The document of a text; asked several times in a row."""
    return parse(text)


class Selection:
    """Reads selections of one operation for one choice of its variables."""

    def __init__(
        self, fragments: Mapping[str, FragmentDefinitionNode], variables: Mapping[str, Any]
    ) -> None:
        self._fragments, self._variables = fragments, variables

    def below(self, nodes: Sequence[FieldNode], kind: str) -> Grouped:
        """Sub-fields of merged fields by response key, in the order met, asked of this type."""
        found: Grouped = {}
        seen: set[str] = set()
        for node in nodes:
            if node.selection_set is not None:
                self._add(node.selection_set, found, seen, kind)
        return found

    def of(self, selections: SelectionSetNode) -> Grouped:
        """The same of an operation's own selection."""
        found: Grouped = {}
        self._add(selections, found, set(), "Query")
        return found

    def _add(self, selections: SelectionSetNode, found: Grouped, seen: set[str], kind: str) -> None:
        for node in selections.selections:
            if not self._asked(node):
                continue
            if isinstance(node, FieldNode):
                found.setdefault((node.alias or node.name).value, []).append(node)
            elif isinstance(node, FragmentSpreadNode):
                if node.name.value not in seen:
                    seen.add(node.name.value)
                    self._apply(self._fragments[node.name.value], found, seen, kind)
            else:
                self._apply(node, found, seen, kind)

    def _apply(self, node: Any, found: Grouped, seen: set[str], kind: str) -> None:
        """A fragment, if it is on this type, on a page of it, a union it belongs to, or on none."""
        on = node.type_condition
        if on is None or on.name.value in (kind, *UNIONS, *(kind + page for page in PAGES)):
            self._add(node.selection_set, found, seen, kind)

    def _asked(self, node: Any) -> bool:
        for directive in node.directives or ():
            value = directive.arguments[0].value
            given = isinstance(value, VariableNode)
            flag = self._variables[value.name.value] if given else value.value
            if flag is (directive.name.value == "skip"):
                return False
        return True
