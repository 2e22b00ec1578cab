"""What SQLite and PostgreSQL write differently; everything else is plain SQLAlchemy.

One text per value on the wire, whatever the database and whether the row travels as columns
or as JSON: dates ``YYYY-MM-DD``, times ``YYYY-MM-DDTHH:MM:SS+08:00``, decimals as text.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any, Protocol

import orjson
from sqlalchemy import (
    ARRAY,
    BigInteger,
    Date,
    Float,
    Integer,
    LargeBinary,
    String,
    Text,
    bindparam,
    case,
    cast,
    column,
    false,
    func,
    literal_column,
    select,
    table,
)
from sqlalchemy.types import NullType

from adapters.contract import SEPARATOR
from catalog.datasets import FieldType

HOLE: Any = literal_column("'\"\\u001f\"'")
"""What an object with a missing required value becomes; the hub then asks for rows."""
BEIJING = "Asia/Shanghai"
OFFSET = literal_column("'+08:00'", String)
MICROSECONDS: Any = literal_column("1000000")  # of the log's integer times
TEXTS = (FieldType.MONEY, FieldType.DECIMAL, FieldType.DATE)


class Plain(Protocol):
    """What reading a department's rows by key takes of any database.

    `ping` is the smallest statement that only a sound database answers; `any_case`: a column is
    found in capitals and small letters alike.
    """

    name: str
    ping: str
    any_case: bool

    def listed(self, expression: Any, name: str) -> Any:
        """A department's column is one of the list `name`, whatever text type it has."""

    def text(self, expression: Any) -> Any:
        """A department's key or name as the text it is, without the blanks of CHAR(n)."""

    def ordered(self, expression: Any, down: bool) -> Any:
        """Rows by this column; what has no value counts as the least."""

    def bound(self, value: Any) -> Any:
        """A Python value as the driver wants it."""

    def described(self) -> Any:
        """A statement of the column names of the table bound as ``table``; no rows if none."""


class Dialect(Plain, Protocol):
    """The few expressions that differ where rows have rights of their own and JSON rides.

    `separator` stands between the fields of a side; `everything` is the LIMIT of a subquery
    whose order must hold.
    """

    separator: Any
    everything: Any

    def keys(self, expression: Any, name: str) -> Any:
        """``expression`` is one of the bound list `name`; one parameter, whatever its length."""

    def wire(self, expression: Any, kind: FieldType) -> Any:
        """The value as it is answered, computed in the database."""

    def json_value(self, expression: Any, kind: FieldType) -> Any:
        """The wire value as a member of a JSON object."""

    def json_object(self, members: Sequence[tuple[str, Any]]) -> Any:
        """``{"key": value, …}`` in the given order."""

    def json_list(self, item: Any) -> Any:
        """The aggregate of JSON values as a JSON array; ``[]`` if there are none."""

    def wire_text(self, value: Any) -> Any:
        """A JSON value as the bytes that are sent: a long list is not decoded to be encoded."""

    def joined(self, text: Any) -> Any:
        """The aggregate of texts as one, `separator` between; NULL if there are none."""

    def nested(self, value: Any) -> Any:
        """A JSON value put inside another."""

    def hole(self) -> Any:
        """The JSON value that stands for an object which cannot be told in JSON."""


class Sqlite:
    """SQLite 3.38 and later."""

    name = "sqlite"
    ping = "SELECT 1 FROM sqlite_schema LIMIT 1"  # without a table the file is not even read
    any_case = True
    separator: Any = literal_column(f"char({ord(SEPARATOR)})", String)
    # Without LIMIT SQLite may drop the order of a subquery; -1 is "all".
    everything: Any = literal_column("-1")

    def keys(self, expression: Any, name: str) -> Any:
        each = func.json_each(bindparam(name, type_=String)).table_valued("value")
        return expression.in_(select(each.c.value))

    def listed(self, expression: Any, name: str) -> Any:
        return self.keys(expression, name)

    def text(self, expression: Any) -> Any:
        return expression

    def ordered(self, expression: Any, down: bool) -> Any:
        return expression.desc() if down else expression

    def wire(self, expression: Any, kind: FieldType) -> Any:
        if kind is FieldType.DATETIME:
            how: Any = literal_column("'%Y-%m-%dT%H:%M:%S'")
            later: Any = literal_column("'+8 hours'")
            if isinstance(expression.type, BigInteger):
                whole = expression.op("/")(MICROSECONDS)
                local = func.strftime(how, whole, literal_column("'unixepoch'"), later)
            else:
                local = func.strftime(how, expression, later)
            return cast(local, String).op("||")(OFFSET)
        return cast(expression, String) if kind in TEXTS else expression

    def json_value(self, expression: Any, kind: FieldType) -> Any:
        value = self.wire(expression, kind)
        if kind is FieldType.BOOL:
            yes: Any = literal_column("'true'")
            no: Any = literal_column("'false'")
            one: Any = literal_column("1")
            return func.json(case((value == one, yes), (value != one, no)))
        return value

    def json_object(self, members: Sequence[tuple[str, Any]]) -> Any:
        flat = [part for key, value in members for part in (_literal(key), value)]
        return func.json_object(*flat)

    def json_list(self, item: Any) -> Any:
        # A derived table's JSON has lost its mark and would come as a quoted text.
        return func.json_group_array(func.json(item))

    def wire_text(self, value: Any) -> Any:
        return cast(value, LargeBinary)

    def joined(self, text: Any) -> Any:
        return func.group_concat(text, self.separator)

    def nested(self, value: Any) -> Any:
        return func.json(value)

    def hole(self) -> Any:
        return HOLE

    def bound(self, value: Any) -> Any:
        if isinstance(value, datetime):
            return value.astimezone(UTC).strftime("%Y-%m-%d %H:%M:%S.%f")
        if isinstance(value, date):
            return value.isoformat()
        if isinstance(value, Decimal):
            return str(value)
        if isinstance(value, list | tuple):
            return orjson.dumps(list(value)).decode()
        return int(value) if isinstance(value, bool) else value

    def described(self) -> Any:
        # The whole list, also of a view; table_info would leave computed columns out.
        info: Any = func.pragma_table_xinfo(bindparam("table", type_=String))
        return select(info.table_valued("name").c.name)


class Postgres:
    """PostgreSQL through asyncpg; its sessions' time zone is the county's."""

    name = "postgresql"
    ping = "SELECT 1"
    any_case = False
    separator: Any = literal_column(f"chr({ord(SEPARATOR)})", String)
    everything: Any = None

    def keys(self, expression: Any, name: str) -> Any:
        kind = BigInteger() if is_whole(expression) else String()
        return expression == func.any(bindparam(name, type_=ARRAY(kind)))

    def listed(self, expression: Any, name: str) -> Any:
        # Without a cast the list takes the column's own type: TEXT and CHAR(18) both keep their
        # index, and CHAR is compared without the blanks it is filled up with.
        return expression == func.any(bindparam(name, type_=NullType()))

    def text(self, expression: Any) -> Any:
        return cast(expression, Text)

    def ordered(self, expression: Any, down: bool) -> Any:
        # Else a record without a date would be the latest.
        return expression.desc().nulls_last() if down else expression.nulls_first()

    def wire(self, expression: Any, kind: FieldType) -> Any:
        if kind is FieldType.DATETIME:
            at: Any = cast(expression, expression.type)
            if isinstance(expression.type, BigInteger):
                at = func.to_timestamp(cast(expression.op("/")(MICROSECONDS), Float))
            local = func.timezone(literal_column(f"'{BEIJING}'"), at)
            shape: Any = literal_column("'YYYY-MM-DD\"T\"HH24:MI:SS'")
            return func.to_char(local, shape).op("||")(OFFSET)
        if kind is FieldType.DATE and not isinstance(expression.type, String):
            # A masked date is a CASE of bare NULLs, which PostgreSQL takes for text.
            return func.to_char(cast(expression, Date), literal_column("'YYYY-MM-DD'"))
        return cast(expression, String) if kind in TEXTS else expression

    def json_value(self, expression: Any, kind: FieldType) -> Any:
        # The server's own JSON of a date or time is the wire form, at a tenth of to_char's cost.
        if kind is FieldType.DATE:
            return expression
        if kind is FieldType.DATETIME and not isinstance(expression.type, BigInteger):
            at = cast(expression, expression.type)
            return func.date_trunc(literal_column("'second'"), at)
        return self.wire(expression, kind)

    def json_object(self, members: Sequence[tuple[str, Any]]) -> Any:
        flat = [part for key, value in members for part in (_literal(key), value)]
        return func.json_build_object(*flat)

    def json_list(self, item: Any) -> Any:
        return func.coalesce(func.json_agg(item), literal_column("'[]'::json"))

    def wire_text(self, value: Any) -> Any:
        return func.convert_to(cast(value, Text), literal_column("'UTF8'"))

    def joined(self, text: Any) -> Any:
        return func.string_agg(text, self.separator)

    def nested(self, value: Any) -> Any:
        return value

    def hole(self) -> Any:
        return HOLE.op("::")(literal_column("json"))

    def bound(self, value: Any) -> Any:
        return list(value) if isinstance(value, tuple) else value

    def described(self) -> Any:
        names = ("attrelid", "attname", "attnum", "attisdropped")
        kept = table("pg_attribute", *(column(name) for name in names))
        one = func.to_regclass(func.quote_ident(bindparam("table", type_=Text)))
        alive = kept.c.attnum > literal_column("0"), kept.c.attisdropped.is_(false())
        return select(cast(kept.c.attname, Text)).where(kept.c.attrelid == one, *alive)


def is_whole(expression: Any) -> bool:
    """Is it a column of whole numbers? Then its keys are numbers, too."""
    return isinstance(expression.type, Integer)


def _literal(value: str) -> Any:
    # Response keys are GraphQL names: letters, digits, underscore. Nothing to escape.
    if not value.replace("_", "a").isalnum() or not value.isascii():
        raise ValueError("a response key is a GraphQL name")
    return literal_column(f"'{value}'")


def plain_table(names: Sequence[str]) -> list[Any]:
    """Columns of a department's table: read as they are, compared as text."""
    return [column(name, String()) for name in names]


DIALECTS: dict[str, Dialect] = {"sqlite": Sqlite(), "postgresql": Postgres()}
