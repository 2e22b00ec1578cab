"""What a mask leaves of a value: the only place that says so, in SQL and in Python.

The twins agree byte for byte; strings stay strings and the mask of nothing is nothing.

| mask | leaves |
|---|---|
| NONE | the value |
| HIDE, BAND | nothing (a date's or amount's band is a field of its own beside it) |
| SURNAME | the first character and one star: the length is hidden, 欧阳 too |
| TAIL4 | fixed stars and the last four; stars alone below eight characters |
| AREA | the village's name from the region path, never a piece of the text |
"""

from __future__ import annotations

from typing import Any, TypeVar

from sqlalchemy import ColumnElement, String, case, func, literal_column, null, type_coerce

from catalog.grades import Mask

STARS = "****"
TAIL, SHORT = 4, 8  # below SHORT characters four would be half of the secret

V = TypeVar("V")


def masked(mask: Mask, value: V, place: str | None = None) -> V | str | None:
    """The Python twin. `place`: the name of the row's division, for AREA."""
    if mask is Mask.NONE or value is None:
        return value
    if mask is Mask.AREA:
        return place
    if mask in (Mask.HIDE, Mask.BAND):
        return None
    text = str(value)
    if mask is Mask.SURNAME:
        return text[:1] + "*"
    return STARS + text[-TAIL:] if len(text) >= SHORT else STARS


def masked_sql(mask: Mask, value: ColumnElement[Any], place: ColumnElement[Any]) -> Any:
    """The SQL twin: an expression without parameters. `place`: the name of the row's division."""
    if mask is Mask.NONE:
        return value
    if mask in (Mask.HIDE, Mask.BAND):
        return type_coerce(null(), value.type)
    if mask is Mask.AREA:
        return case((value.is_not(null()), place))
    if mask is Mask.SURNAME:
        one: ColumnElement[int] = literal_column("1")
        return func.substr(value, one, one, type_=String()).concat(_text("*"))
    length = func.length(value)
    tail = func.substr(value, length - literal_column(str(TAIL - 1)), literal_column(str(TAIL)))
    long = length >= literal_column(str(SHORT))
    return case((long, _text(STARS).concat(tail)), (value.is_not(null()), _text(STARS)))


def _text(constant: str) -> ColumnElement[str]:
    return literal_column(f"'{constant}'", String())
