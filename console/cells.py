"""What stands in a cell: the same text on the page, in print and in a file."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from console.page import Column, Row, value_at
from console.words import Words, moment


def shown(column: Column, row: Row, words: Words) -> str:
    """The text of a cell; for what is withheld, why."""
    value = value_at(row, column.key)
    if value is None:
        return words.withheld(column.coordinate) if column.coordinate else ""
    if column.code:
        codes = value if isinstance(value, list) else [value]
        return "、".join(words.code(column.code, code) for code in codes)
    return _KINDS[column.kind](value, words)


def leads_to(column: Column, row: Row) -> str | None:
    """The address behind a cell."""
    return None if column.link is None else column.link(row)


def _plain(value: Any, _words: Words) -> str:
    return str(value)


_KINDS: Mapping[str, Callable[[Any, Words], str]] = {
    "text": _plain,
    "number": _plain,
    "code": _plain,
    "day": _plain,
    "moment": lambda value, _words: moment(value),
    "flag": lambda value, _words: "是" if value else "否",
    "department": lambda value, words: words.department(value),
    "division": lambda value, words: words.division(value),
    "purpose": lambda value, words: words.purpose(value),
    "basis": lambda value, words: words.basis(value),
    "role": lambda value, words: words.role(value),
    "post": lambda value, words: words.post(value),
}
