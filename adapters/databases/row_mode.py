"""Databases that are read in rows: MariaDB, and whatever else SQLAlchemy reaches with asyncio.

Only a department's data sets lie in them, asked by key. Their statement is rendered once, with a
mark where a list of values goes, for a bound list of any length is not theirs:

    … WHERE "hzzjh" IN (:keys)   ──at reading──►   … IN (%s, %s, %s)   and the three values

SQLAlchemy's own expanding lists would be rendered anew for every question. Many keys go out in
several statements, so that a statement's length has a bound.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import String, bindparam, column, func, literal_column, select, table
from sqlalchemy.engine import Dialect as Rendering

from adapters.databases.dialect import DIALECTS, Dialect, Plain

MOST = 500  # values in a list: MariaDB still looks each up in the index, and text stays short

_MARK = re.compile(r"\(:(keys|codes)\)")
_PLACEHOLDERS: Mapping[str, Callable[[int], str]] = {
    "format": lambda _n: "%s",
    "qmark": lambda _n: "?",
    "numeric": lambda n: f":{n}",
    "numeric_dollar": lambda n: f"${n}",
}
POSITIONAL = {"pyformat": "format", "named": "numeric"}
"""The positional style of drivers whose usual one names its values."""

KNOWN = table(
    "columns",
    *(column(name, String()) for name in ("table_schema", "table_name", "column_name")),
    schema="information_schema",
)
"""The standard's list of columns."""

RIDEABLE = {("sqlite", "aiosqlite"), ("postgresql", "asyncpg")}
MARIADB_NAMES = ("mysql", "mariadb")


class RowMode:
    """What any database understands."""

    name = "*"
    ping = "SELECT 1"
    any_case = False

    def listed(self, expression: Any, name: str) -> Any:
        return expression.op("IN")(literal_column(f"(:{name})"))

    def text(self, expression: Any) -> Any:
        return expression

    def ordered(self, expression: Any, down: bool) -> Any:
        return expression.desc() if down else expression

    def bound(self, value: Any) -> Any:
        return value

    def described(self) -> Any:
        asked = bindparam("table", type_=String)
        return select(KNOWN.c.column_name).where(KNOWN.c.table_name == asked)


class MariaDb(RowMode):
    """MariaDB and MySQL: the lists are literals, which take the character set of their column."""

    any_case = True

    def described(self) -> Any:
        return super().described().where(KNOWN.c.table_schema == func.database())


ROWS = RowMode()
MARIADB = MariaDb()


def json_of(rendering: Rendering) -> Dialect | None:
    """Its dialect, if rows of our own and JSON can be asked of it; else it is read in rows."""
    known = (rendering.name, rendering.driver)
    return DIALECTS[rendering.name] if known in RIDEABLE else None


def plain_of(rendering: Rendering) -> Plain:
    """Its dialect for a department's rows."""
    return json_of(rendering) or (MARIADB if rendering.name in MARIADB_NAMES else ROWS)


@dataclass(frozen=True, slots=True)
class Marked:
    """A statement cut at its marks: ``parts[0] <names[0]> parts[1] …``."""

    parts: tuple[str, ...]
    names: tuple[str, ...]
    placeholder: Callable[[int], str]

    @classmethod
    def of(cls, text: str, style: str) -> Marked:
        """Of rendered text; `style` is the driver's DB-API parameter style."""
        pieces = _MARK.split(text)
        return cls(tuple(pieces[::2]), tuple(pieces[1::2]), _PLACEHOLDERS[style])

    def filled(self, lists: Mapping[str, Sequence[Any]]) -> tuple[str, list[Any]]:
        """The text with as many placeholders as there are values, and the values in order."""
        text, values = self.parts[0], list[Any]()
        for name, part in zip(self.names, self.parts[1:], strict=True):
            begun = len(values) + 1
            values += lists[name]
            marks = ", ".join(map(self.placeholder, range(begun, len(values) + 1)))
            text += f"({marks or 'NULL'}){part}"
        return text, values


def batches(
    keys: Sequence[str], spelled: Callable[[Sequence[str]], list[Any]]
) -> Iterator[tuple[list[str], list[Any]]]:
    """Keys and all their spellings, at most MOST of these together.

    One person's spellings stay together: rows come in order within a statement only.
    """
    some, texts = list[str](), list[Any]()
    for key in keys:
        ways = spelled([key])
        if texts and len(texts) + len(ways) > MOST:
            yield some, texts
            some, texts = [], []
        some.append(key)
        texts += ways
    if texts:
        yield some, texts
