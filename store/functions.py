"""SQL functions that SQLite and PostgreSQL write differently, as one word each.

The tables derived in `store/derived.py` and the conditions of a Lens are one expression for
both databases; how each says it stands here.
"""

from __future__ import annotations

from typing import Any

from sqlalchemy import Boolean, Date, String
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.sql.functions import GenericFunction


class HexOf(GenericFunction[str]):
    """Bytes as lower-case hex digits."""

    type = String()
    name = "hub_hex_of"
    inherit_cache = True


class DayOf(GenericFunction[str]):
    """The Beijing day of hours since 1970 UTC, ``YYYY-MM-DD``; no DST since 1991."""

    type = String()
    name = "hub_day_of"
    inherit_cache = True


class Today(GenericFunction[Any]):
    """The Beijing day it is."""

    type = Date()
    name = "hub_today"
    inherit_cache = True


class Discloses(GenericFunction[bool]):
    """Does a record's body say of some Read what a path says? ``clear."Citizen.phone"``."""

    type = Boolean()
    name = "hub_discloses"
    inherit_cache = True


def _given(element: Any, compiler: Any, **how: Any) -> list[str]:
    return [compiler.process(one, **how) for one in element.clauses]


@compiles(HexOf, "sqlite")
def _hex_sqlite(element: Any, compiler: Any, **how: Any) -> str:
    return f"lower(hex({_given(element, compiler, **how)[0]}))"


@compiles(HexOf, "postgresql")
def _hex_postgresql(element: Any, compiler: Any, **how: Any) -> str:
    return f"encode({_given(element, compiler, **how)[0]}, 'hex')"


@compiles(DayOf, "sqlite")
def _day_sqlite(element: Any, compiler: Any, **how: Any) -> str:
    return f"date(({_given(element, compiler, **how)[0]} + 8) * 3600, 'unixepoch')"


@compiles(DayOf, "postgresql")
def _day_postgresql(element: Any, compiler: Any, **how: Any) -> str:
    hours = f"({_given(element, compiler, **how)[0]} + 8) * 3600"
    return f"to_char(to_timestamp({hours}) AT TIME ZONE 'UTC', 'YYYY-MM-DD')"


@compiles(Today, "sqlite")
def _today_sqlite(_element: Any, _compiler: Any, **_how: Any) -> str:
    return "date('now', '+8 hours')"


@compiles(Today, "postgresql")
def _today_postgresql(_element: Any, _compiler: Any, **_how: Any) -> str:
    return "(now() AT TIME ZONE 'Asia/Shanghai')::date"


@compiles(Discloses, "sqlite")
def _discloses_sqlite(element: Any, compiler: Any, **how: Any) -> str:
    body, path = _given(element, compiler, **how)
    told = f"json_extract(read.value, '$.' || {path})"
    return f"EXISTS (SELECT 1 FROM json_each({body}, '$.reads') AS read WHERE {told} IS NOT NULL)"  # noqa: S608  our own words and a parameter


@compiles(Discloses, "postgresql")
def _discloses_postgresql(element: Any, compiler: Any, **how: Any) -> str:
    body, path = _given(element, compiler, **how)
    return f"jsonb_path_exists({body}::jsonb, ('$.reads[*].' || {path})::jsonpath)"
