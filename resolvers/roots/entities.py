"""``_entities``: what a gateway has a reference to. Of what it sends only keys are read.

A representation is any JSON value a stranger made: its type is looked up among the entities,
its key taken as text, and everything else in it is never looked at. What it leads to is read by
that key from the asker's own scope.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from catalog.errors import BadUserInput, HubError

KEYS = "keys"
"""Under which name the keys stand among the arguments of an entity's Read."""
TYPE = "__typename"


@dataclass(frozen=True, slots=True)
class Reference:
    """A row by its key: the number of the Read that goes by this key, and the key's value."""

    read: int
    key: str


References = tuple[Reference | HubError, ...] | HubError
"""What each representation refers to, in their order; or why none of them could be read."""
Reads = Mapping[str, Mapping[str, int]]
"""Type -> key field -> the number of the Read that goes by it."""


def how_many(args: Mapping[str, Any] | HubError) -> int:
    """How many representations were sent."""
    return 0 if isinstance(args, HubError) else len(args["representations"])


def references(args: Mapping[str, Any] | HubError, reads: Reads) -> References:
    """What is referred to, BAD_USER_INPUT in the place of what is no reference."""
    if isinstance(args, HubError):
        return args
    return tuple(_reference(sent.value, reads) for sent in args["representations"])


def _reference(sent: Any, reads: Reads) -> Reference | HubError:
    """The first of the type's keys that was sent counts; further ones are not looked at."""
    name = sent.get(TYPE) if isinstance(sent, dict) else None
    if not isinstance(name, str) or name not in reads:
        return _unfit("`__typename` 须为本子图的实体类型之一：" + "、".join(reads))
    known = reads[name]
    field = next((field for field in known if field in sent), None)
    if field is None:
        return _unfit(f"实体 `{name}` 缺少键：须给出 " + " 或 ".join(f"`{one}`" for one in known))
    key = sent[field]
    if not isinstance(key, str):
        return _unfit(f"实体 `{name}` 的键 `{field}` 须为文本")
    return Reference(known[field], key)


def _unfit(said: str) -> BadUserInput:
    return BadUserInput(f"实体引用不合要求：{said}", reason="REPRESENTATION")


def by_read(found: References) -> dict[int, list[str]]:
    """The keys of each Read that was referred to, each once, in their order."""
    keys: dict[int, dict[str, None]] = {}
    for one in () if isinstance(found, HubError) else found:
        if isinstance(one, Reference):
            keys.setdefault(one.read, {})[one.key] = None
    return {read: list(those) for read, those in keys.items()}
