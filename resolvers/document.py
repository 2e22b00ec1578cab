"""Parse, limit, validate; a literal-free normal form and its hash. Cached by sha256.

The limit pass runs before validation and before any fragment is expanded: each fragment's
weight is computed once and kept, so a document of 2^60 fields costs one walk of its text.
No document that holds something like an id number or a phone is kept or even read: such
values belong in variables.
"""

from __future__ import annotations

import hashlib
import re
import unicodedata
from collections import Counter
from dataclasses import dataclass
from typing import Any

from cachetools import LRUCache
from graphql import (
    DocumentNode,
    FieldNode,
    FragmentDefinitionNode,
    GraphQLError,
    GraphQLSchema,
    InlineFragmentNode,
    OperationDefinitionNode,
    OperationType,
    SelectionSetNode,
    parse,
    print_ast,
    validate,
    visit,
)
from graphql.language import Visitor

from adapters.identity import canonical
from catalog.errors import BadUserInput, HubError, ParseFailed, TooComplex, ValidationFailed
from resolvers.coerce import Variables

TOO_MANY_TOKENS = "tokens. Parsing aborted"  # graphql-core's words when max_tokens is passed
TOO_DEEP = "nested too deeply"  # its words where its parser would exhaust the stack
KEPT = 1024  # documents a worker keeps, by sha256 of the text
REPEATS = 100
"""Nodes of one response key with a selection, in the whole text. Validation compares every two of
them: 100 take 0.3 s, 400 two seconds. A document that asks each facet's provenance has 30."""
_PERSONAL = re.compile(
    r"(?<![\dA-Za-z])(?:1\d{10}|\d{15}|\d{17}[\dXx]|\d{20}|\d{22})(?![\dA-Za-z])"
)

_LONG_NUMBER = re.compile(r"\d{11}")  # in a name, where letters may stand beside it


@dataclass(frozen=True, slots=True)
class Limits:
    """The most a document may hold; `hub/limits.py` gives the numbers and their reasons."""

    tokens: int
    operations: int
    fragments: int
    fields: int
    aliases: int
    depth: int
    introspection_fields: int
    introspection_depth: int
    cost: int
    representations: int


@dataclass(frozen=True, slots=True)
class Operation:
    """One operation of a valid document: `sha256` of its text, `digest` of its normal form."""

    sha256: str
    digest: str
    node: OperationDefinitionNode
    fragments: dict[str, FragmentDefinitionNode]
    variables: Variables

    @property
    def name(self) -> str | None:
        """The operation's name, if it has one."""
        return self.node.name.value if self.node.name else None

    @property
    def type(self) -> OperationType:
        """query, mutation or subscription."""
        return self.node.operation


@dataclass(frozen=True, slots=True)
class Document:
    """A parsed, bounded, valid document."""

    sha256: str
    digest: str
    operations: tuple[Operation, ...]

    def operation(self, name: str | None) -> Operation:
        """The operation to run; BadUserInput if the name does not settle it."""
        named = [o for o in self.operations if name is None or o.name == name]
        if len(named) == 1:
            return named[0]
        if name is None:
            raise BadUserInput("文档中有多个操作：请用 operationName 指明其一", reason="VARIABLE")
        raise BadUserInput("文档中没有 operationName 所指的操作", reason="VARIABLE")


class Documents:
    """Documents by text. Counts what it had to read and what it had, for warm requests."""

    def __init__(self, schema: GraphQLSchema, limits: Limits) -> None:
        self._schema, self._limits = schema, limits
        self._kept: LRUCache[str, Document] = LRUCache(KEPT)
        self.parsed = self.hits = 0

    def get(self, text: str) -> Document:
        """The document of this text. HubError: parse, validation, limits, literals."""
        key = hashlib.sha256(text.encode()).hexdigest()
        found = self._kept.get(key)
        if found is None:
            found = self._kept[key] = self._read(text, key)
        else:
            self.hits += 1
        return found

    def _read(self, text: str, key: str) -> Document:
        self.parsed += 1
        if _PERSONAL.search(text):
            raise _literal()
        try:
            return self._checked(self._parse(text), key)
        except RecursionError:  # fragments of fragments: each is flat, together they are not
            raise too_complex("depth", self._limits.depth, None) from None

    def _checked(self, node: DocumentNode, key: str) -> Document:
        operations = tuple(d for d in node.definitions if isinstance(d, OperationDefinitionNode))
        fragments = {
            d.name.value: d for d in node.definitions if isinstance(d, FragmentDefinitionNode)
        }
        _limit(operations, fragments, self._limits)
        visit(node, _Literals())
        errors = validate(self._schema, node, max_errors=5, hide_suggestions=True)
        if errors:
            raise _invalid(errors[0])
        digest = normal_digest(node)
        whole = (
            Operation(key, digest, o, fragments, Variables(self._schema, o)) for o in operations
        )
        return Document(key, digest, tuple(whole))

    def _parse(self, text: str) -> DocumentNode:
        try:
            return parse(text, max_tokens=self._limits.tokens)
        except GraphQLError as error:
            if TOO_MANY_TOKENS in error.message:
                raise too_complex("tokens", self._limits.tokens, None) from None
            if TOO_DEEP in error.message:
                raise too_complex("depth", self._limits.depth, None) from None
            raise ParseFailed("查询文档有语法错误", **_where(error)) from None


def _literal() -> HubError:
    return BadUserInput("文档里不能写证件号码或电话：请放入变量", reason="VARIABLE")


class _Literals(Visitor):
    """Refuses a text that is an id number or a phone however it is written (escapes, blanks).

    Names too: a response key stands in statements and Plans, a variable's in the record.
    """

    def enter_name(self, node: Any, *_: Any) -> None:
        if _LONG_NUMBER.search(node.value):
            raise _literal()

    def enter_string_value(self, node: Any, *_: Any) -> None:
        plain = "".join(unicodedata.normalize("NFKC", node.value).split())
        if _PERSONAL.search(plain) or canonical(node.value).id18 is not None:
            raise _literal()


def _where(error: GraphQLError) -> dict[str, Any]:
    found = error.locations or []
    return {"locations": [{"line": at.line, "column": at.column} for at in found]}


# graphql-core's messages name fields, types and variables, but may also quote a literal.
# Only the names are taken over; everything else gets the general sentence.
_MESSAGES = (
    (r"Cannot query field '(\w+)' on type '(\w+)'", "类型 `{1}` 没有字段 `{0}`"),
    (r"Unknown argument '(\w+)' on field '([\w.]+)'", "字段 `{1}` 没有参数 `{0}`"),
    (r"Unknown type '(\w+)'", "没有类型 `{0}`"),
    (r"Unknown fragment '(\w+)'", "没有片段 `{0}`"),
    (r"Unknown directive '@(\w+)'", "没有指令 `@{0}`"),
    (r"Field '(\w+)' of type '([\w!\[\]]+)' must have a selection", "字段 `{0}` 要写出子字段"),
    (r"Field '(\w+)' must not have a selection", "字段 `{0}` 没有子字段"),
    (
        r"Argument '\w+\.(\w+)\((\w+):\)' of type '[\w!\[\]]+' is required",
        "字段 `{0}` 缺少参数 `{1}`",
    ),
    (r"Variable '\$(\w+)' is not defined", "变量 `${0}` 没有定义"),
    (r"Variable '\$(\w+)' is never used", "变量 `${0}` 没有用到"),
    (r"The (\w+) operation is not supported", "接口不提供 {0} 操作"),
    (r"must select (?:only )?one top level field", "订阅只能选取一个顶层字段"),
    (r"must not use `@skip` or `@include`", "订阅的顶层字段不能带 @skip 或 @include"),
    (r"Cannot spread fragment '(\w+)' within itself", "片段 `{0}` 引用了自己"),
)


def _invalid(error: GraphQLError) -> HubError:
    for pattern, text in _MESSAGES:
        found = re.search(pattern, error.message)
        if found:
            return ValidationFailed(text.format(*found.groups()), **_where(error))
    return ValidationFailed("查询文档不符合接口定义：请对照接口文档检查", **_where(error))


def too_complex(limit: str, allowed: int, actual: int | None) -> HubError:
    """The refusal of an operation over a limit, naming it."""
    return TooComplex(
        f"操作过大：超过上限 {limit} = {allowed}", reason=limit, allowed=allowed, actual=actual
    )


# ---- limits ------------------------------------------------------------------------------------


@dataclass(slots=True)
class _Weight:
    """Fields, aliases and depth of a selection after expansion; sums saturate above limits."""

    fields: int = 0
    aliases: int = 0
    depth: int = 0


class _Scale:
    def __init__(self, fragments: dict[str, FragmentDefinitionNode], limits: Limits) -> None:
        self._fragments, self._limits = fragments, limits
        self._known: dict[str, _Weight] = {}
        self._open: set[str] = set()
        self._keys: Counter[str] = Counter()
        self.introspection = _Weight()

    @property
    def repeats(self) -> int:
        """How often the most frequent response key with a selection stands in the text."""
        return max(self._keys.values(), default=0)

    def weigh(self, selections: SelectionSetNode | None) -> _Weight:
        total = _Weight()
        for node in selections.selections if selections else ():
            self._add(total, self._one(node))
        return total

    def _one(self, node: Any) -> _Weight:
        if isinstance(node, FieldNode):
            return self._field(node)
        if isinstance(node, InlineFragmentNode):
            return self.weigh(node.selection_set)
        return self.fragment(node.name.value)

    def _field(self, node: FieldNode) -> _Weight:
        if node.selection_set:
            self._keys[(node.alias or node.name).value] += 1
        below = self.weigh(node.selection_set)
        own = _Weight(below.fields + 1, below.aliases + bool(node.alias), below.depth + 1)
        if node.name.value in ("__schema", "__type"):
            self._add(self.introspection, own)
            return _Weight(1, 0, 1)
        return own

    def fragment(self, name: str) -> _Weight:
        """The weight of a fragment, found once."""
        if name in self._known:
            return self._known[name]
        if name in self._open or name not in self._fragments:
            return _Weight()  # a cycle or an unknown name: validation says which
        self._open.add(name)
        found = self._known[name] = self.weigh(self._fragments[name].selection_set)
        self._open.discard(name)
        return found

    def _add(self, total: _Weight, part: _Weight) -> None:
        top = max(self._limits.fields, self._limits.introspection_fields) + 1
        total.fields = min(total.fields + part.fields, top)
        total.aliases = min(total.aliases + part.aliases, top)
        total.depth = max(total.depth, part.depth)


def _limit(
    operations: tuple[OperationDefinitionNode, ...],
    fragments: dict[str, FragmentDefinitionNode],
    limits: Limits,
) -> None:
    _at_most("operations", len(operations), limits.operations)
    _at_most("fragments", len(fragments), limits.fragments)
    scale = _Scale(fragments, limits)
    for operation in operations:
        weight = scale.weigh(operation.selection_set)
        _at_most("fields", weight.fields, limits.fields)
        _at_most("aliases", weight.aliases, limits.aliases)
        _at_most("depth", weight.depth, limits.depth)
    for name in fragments:  # also one nobody spreads is validated
        scale.fragment(name)
    _at_most("repeats", scale.repeats, REPEATS)
    _at_most("introspection_fields", scale.introspection.fields, limits.introspection_fields)
    _at_most("introspection_depth", scale.introspection.depth, limits.introspection_depth)


def _at_most(limit: str, actual: int, allowed: int) -> None:
    if actual > allowed:
        raise too_complex(limit, allowed, actual)


# ---- normal form -------------------------------------------------------------------------------


class _Blank(Visitor):
    """Replaces every literal by an empty one of its kind."""

    def enter_int_value(self, node: Any, *_: Any) -> Any:
        return _with_value(node, "0")

    def enter_float_value(self, node: Any, *_: Any) -> Any:
        return _with_value(node, "0.0")

    def enter_string_value(self, node: Any, *_: Any) -> Any:
        return _with_value(node, "")


def _with_value(node: Any, value: str) -> Any:
    return type(node)(**{key: getattr(node, key) for key in node.keys} | {"value": value})


def normal_digest(node: DocumentNode) -> str:
    """sha256 of the document without literals, comments and spacing; safe to log."""
    return hashlib.sha256(print_ast(visit(node, _Blank())).encode()).hexdigest()
