"""What a client of one contract loses under another, found by graphql-core's own comparison.

old SDL, new SDL ──► breaking: a document that was valid fails, or a value may be missing
                └──► dangerous: it still fits, but may be answered differently
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from graphql import (
    BreakingChange,
    BreakingChangeType,
    DangerousChange,
    GraphQLEnumType,
    GraphQLInputObjectType,
    GraphQLInterfaceType,
    GraphQLObjectType,
    GraphQLSchema,
    GraphQLSyntaxError,
    build_schema,
    find_breaking_changes,
    find_dangerous_changes,
    is_introspection_type,
)

_WORDS = {
    BreakingChangeType.TYPE_REMOVED: "类型没有了",
    BreakingChangeType.TYPE_CHANGED_KIND: "类型换了种类",
    BreakingChangeType.TYPE_REMOVED_FROM_UNION: "联合类型少了一种",
    BreakingChangeType.VALUE_REMOVED_FROM_ENUM: "枚举值没有了",
    BreakingChangeType.REQUIRED_INPUT_FIELD_ADDED: "输入类型多了必填字段",
    BreakingChangeType.IMPLEMENTED_INTERFACE_REMOVED: "不再实现接口",
    BreakingChangeType.FIELD_REMOVED: "字段没有了",
    BreakingChangeType.FIELD_CHANGED_KIND: "字段换了类型",
    BreakingChangeType.REQUIRED_ARG_ADDED: "字段多了必填参数",
    BreakingChangeType.ARG_REMOVED: "参数没有了",
    BreakingChangeType.ARG_CHANGED_KIND: "参数换了类型",
    BreakingChangeType.DIRECTIVE_REMOVED: "指令没有了",
    BreakingChangeType.DIRECTIVE_ARG_REMOVED: "指令少了参数",
    BreakingChangeType.REQUIRED_DIRECTIVE_ARG_ADDED: "指令多了必填参数",
    BreakingChangeType.DIRECTIVE_REPEATABLE_REMOVED: "指令不再可重复",
    BreakingChangeType.DIRECTIVE_LOCATION_REMOVED: "指令少了可用的位置",
}
_SUBJECT = re.compile(r"[A-Z@_]\w*(?:\.\w+)?(?:\(\w+:\))?")


class NotSDL(ValueError):
    """A text that is no contract."""


@dataclass(frozen=True, slots=True)
class Change:
    """`subjects`: the types, fields and values it names; `said` is graphql-core's sentence."""

    kind: str
    what: str
    subjects: tuple[str, ...]
    said: str


def breaking(old: str, new: str) -> list[Change]:
    """What fails for a client of `old`. NotSDL."""
    before, after = _read(old), _read(new)
    return [_change(c, before, after) for c in find_breaking_changes(before, after)]


def dangerous(old: str, new: str) -> list[Change]:
    """What a client of `old` should look at: new enum values, defaults, members. NotSDL."""
    before, after = _read(old), _read(new)
    return [_change(c, before, after) for c in find_dangerous_changes(before, after)]


def released() -> str:
    """The contract as it was last released: what clients were told they may rely on."""
    return (Path(__file__).parent / "released.graphql").read_text(encoding="utf-8")


def unsaid(old: str, new: str, said: str) -> list[str]:
    """Breaking changes whose subject `said` does not name in backticks."""
    return [
        c.said for c in breaking(old, new) if not any(f"`{name}`" in said for name in c.subjects)
    ]


def deprecated(text: str) -> dict[str, str]:
    """Coordinate -> reason of everything an SDL marks as going. NotSDL."""
    return dict(_deprecated(_read(text)))


def _deprecated(schema: GraphQLSchema) -> Iterator[tuple[str, str]]:
    for name, kind in schema.type_map.items():
        if is_introspection_type(kind):
            continue
        if isinstance(kind, GraphQLEnumType):
            parts = kind.values.items()
        elif isinstance(kind, GraphQLObjectType | GraphQLInterfaceType | GraphQLInputObjectType):
            parts = kind.fields.items()
        else:
            continue
        for part, made in parts:
            if made.deprecation_reason is not None:
                yield f"{name}.{part}", made.deprecation_reason
            for argument, taken in getattr(made, "args", {}).items():
                if taken.deprecation_reason is not None:
                    yield f"{name}.{part}({argument}:)", taken.deprecation_reason


def _read(text: str) -> GraphQLSchema:
    try:
        return build_schema(text)
    except (GraphQLSyntaxError, TypeError) as error:  # TypeError: unknown types, all told at once
        raise NotSDL(str(error).split("\n", maxsplit=1)[0]) from None


def _change(
    found: BreakingChange | DangerousChange, before: GraphQLSchema, after: GraphQLSchema
) -> Change:
    known = before.type_map.keys() | after.type_map.keys()
    what = _WORDS.get(found.type, "") if isinstance(found.type, BreakingChangeType) else ""
    named = dict.fromkeys(_SUBJECT.findall(found.description))  # and words of the sentence
    subjects = tuple(n for n in named if n.startswith("@") or n.partition(".")[0] in known)
    return Change(found.type.name, what or "请对照使用处", subjects, found.description)
