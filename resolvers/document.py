"""Parse, limit, validate; a literal-free normal form and its hash. Cached by sha256.

The limit pass (`scale.py`) runs before validation and before any fragment is expanded.
No document that holds something like an id number or a phone is kept or even read: such
values belong in variables.
"""

from __future__ import annotations

import asyncio
import hashlib
import re
import unicodedata
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

from cachetools import LRUCache
from graphql import (
    DocumentNode,
    FragmentDefinitionNode,
    GraphQLError,
    GraphQLSchema,
    OperationDefinitionNode,
    OperationType,
    parse,
    print_ast,
    validate,
    visit,
)
from graphql.language import Visitor

from adapters.identity import canonical
from catalog.errors import BadUserInput, HubError, ParseFailed, ValidationFailed
from resolvers.coerce import Variables
from resolvers.scale import Limits, check_scale, too_complex

TOO_MANY_TOKENS = "tokens. Parsing aborted"  # graphql-core's words when max_tokens is passed
TOO_DEEP = "nested too deeply"  # its words where its parser would exhaust the stack
SHORT = 500  # characters: read at once, in a few milliseconds
KEPT = 1024  # documents a worker keeps, by sha256 of the text
_PERSONAL = re.compile(
    r"(?<![\dA-Za-z])(?:1\d{10}|\d{15}|\d{17}[\dXx]|\d{20}|\d{22})(?![\dA-Za-z])"
)

_LONG_NUMBER = re.compile(r"\d{11}")  # in a name, where letters may stand beside it


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
        self._reading: dict[str, asyncio.Task[Document]] = {}
        self._aside = ThreadPoolExecutor(1, "documents")  # its thread starts with its first text
        self.parsed = self.hits = 0

    def get(self, text: str) -> Document:
        """The document of this text. HubError: parse, validation, limits, literals."""
        key = self._key(text)
        found = self._known(key)
        if found is None:
            self.parsed += 1
            found = self._kept[key] = self._read(text, key)
        return found

    async def find(self, text: str) -> Document:
        """The same; a long text that is new is read in a thread, one at a time.

        A document of four thousand tokens takes a tenth of a second, in which others are answered.
        Who asks for a text that is being read waits for it.
        """
        key = self._key(text)
        found = self._known(key)
        if found is not None:
            return found
        if len(text) <= SHORT:
            return self.get(text)
        loop, reading = asyncio.get_running_loop(), self._reading.get(key)
        if reading is None or reading.get_loop() is not loop:
            reading = self._reading[key] = loop.create_task(self._read_aside(text, key))
        return await asyncio.shield(reading)

    async def _read_aside(self, text: str, key: str) -> Document:
        self.parsed += 1
        loop = asyncio.get_running_loop()
        try:
            found = await loop.run_in_executor(self._aside, self._read, text, key)
        finally:
            self._reading.pop(key, None)
        self._kept[key] = found
        return found

    def _key(self, text: str) -> str:
        if len(text) > self._limits.characters:
            raise too_complex("characters", self._limits.characters, len(text))
        return hashlib.sha256(text.encode()).hexdigest()

    def _known(self, key: str) -> Document | None:
        found = self._kept.get(key)
        self.hits += found is not None
        return found

    def _read(self, text: str, key: str) -> Document:
        if _PERSONAL.search(text):
            raise _literal()
        try:
            return self._checked(self._parse(text), key, _may_name(text))
        except RecursionError:  # fragments of fragments: each is flat, together they are not
            raise too_complex("depth", self._limits.depth, None) from None

    def _checked(self, node: DocumentNode, key: str, named: bool) -> Document:
        operations = tuple(d for d in node.definitions if isinstance(d, OperationDefinitionNode))
        fragments = {
            d.name.value: d for d in node.definitions if isinstance(d, FragmentDefinitionNode)
        }
        check_scale(operations, fragments, self._limits)
        if named:
            visit(node, _Literals())
        # One error is told; each further one may print a value of a thousand keys.
        errors = validate(self._schema, node, max_errors=1, hide_suggestions=True)
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


def _may_name(text: str) -> bool:
    """May it hold somebody's number in a string or a name? Most texts have neither to look at."""
    return '"' in text or _LONG_NUMBER.search(text) is not None


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
    (
        r"Cannot query field '(\w+)' on type '(\w+)'",
        "类型 `{1}` 没有字段 `{0}`",
        "type `{1}` has no field `{0}`",
    ),
    (
        r"Unknown argument '(\w+)' on field '([\w.]+)'",
        "字段 `{1}` 没有参数 `{0}`",
        "field `{1}` has no argument `{0}`",
    ),
    (r"Unknown type '(\w+)'", "没有类型 `{0}`", "there is no type `{0}`"),
    (r"Unknown fragment '(\w+)'", "没有片段 `{0}`", "there is no fragment `{0}`"),
    (r"Unknown directive '@(\w+)'", "没有指令 `@{0}`", "there is no directive `@{0}`"),
    (
        r"Field '(\w+)' of type '([\w!\[\]]+)' must have a selection",
        "字段 `{0}` 要写出子字段",
        "say which fields of `{0}` you want",
    ),
    (
        r"Field '(\w+)' must not have a selection",
        "字段 `{0}` 没有子字段",
        "`{0}` has no fields of its own",
    ),
    (
        r"Argument '\w+\.(\w+)\((\w+):\)' of type '[\w!\[\]]+' is required",
        "字段 `{0}` 缺少参数 `{1}`",
        "field `{0}` needs its argument `{1}`",
    ),
    (
        r"Variable '\$(\w+)' is not defined",
        "变量 `${0}` 没有定义",
        "variable `${0}` is not defined",
    ),
    (
        r"Variable '\$(\w+)' is never used",
        "变量 `${0}` 没有用到",
        "variable `${0}` is never used",
    ),
    (
        r"The (\w+) operation is not supported",
        "接口不提供 {0} 操作",
        "there are no operations of type {0}",
    ),
    (
        r"Cannot spread fragment '(\w+)' within itself",
        "片段 `{0}` 引用了自己",
        "fragment `{0}` spreads itself",
    ),
)


def _invalid(error: GraphQLError) -> HubError:
    for pattern, chinese, english in _MESSAGES:
        found = re.search(pattern, error.message)
        if found:
            said, told = (text.format(*found.groups()) for text in (chinese, english))
            return ValidationFailed(said, english=told, **_where(error))
    return ValidationFailed("查询文档不符合接口定义：请对照接口文档检查", **_where(error))


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
