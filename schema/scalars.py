"""Scalars: what travels as text or number, and in which shape."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NewType

import strawberry
from strawberry.types.scalar import ScalarDefinition

DESCRIPTIONS = {
    "DivisionCode": "行政区划代码。国家统计局 12 位代码，如 532622205000",
    "DateTime": "时间。ISO 8601，输出为北京时间 +08:00",
    "Date": "日期。YYYY-MM-DD",
    "Month": "月份。YYYY-MM",
    "Decimal": "小数。以文本传送，金额单位为元",
    "Sequence": "序号。从零开始的整数，可超过 32 位",
}

LONG = 2**63


def scalars() -> dict[str, Any]:
    """Custom scalars by GraphQL name; their text is checked by the root that takes them."""
    return {name: NewType(name, str) for name in DESCRIPTIONS}


def definitions(kinds: Mapping[str, Any]) -> dict[object, ScalarDefinition]:
    """How each of `kinds` (what `scalars` gave) travels, for the schema's configuration."""
    return {kinds[name]: _text(name, about) for name, about in DESCRIPTIONS.items()}


def _text(name: str, description: str) -> ScalarDefinition:
    takes = _whole_only if name == "Sequence" else _text_only
    return strawberry.scalar(name=name, description=description, serialize=_same, parse_value=takes)


def _same(value: Any) -> Any:
    return value


def _whole_only(value: Any) -> int:
    if isinstance(value, bool) or not isinstance(value, int):
        raise TypeError("a whole number is expected")
    if not -LONG <= value < LONG:  # no database could be asked for it
        raise TypeError("a whole number of 64 bits is expected")
    return value


def _text_only(value: Any) -> str:
    if not isinstance(value, str):
        raise TypeError("a text is expected")
    return value
