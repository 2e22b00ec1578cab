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
    String,
    Text,
    bindparam,
    case,
    cast,
    column,
    func,
    literal_column,
    select,
)

from catalog.datasets import FieldType

HOLE = 31  # the byte a missing required value becomes; the hub then asks for rows
BEIJING = "Asia/Shanghai"
OFFSET = literal_column("'+08:00'", String)
MICROSECONDS: Any = literal_column("1000000")  # of the log's integer times
TEXTS = (FieldType.MONEY, FieldType.DECIMAL, FieldType.DATE)


class Dialect(Protocol):
    """The few expressions that differ."""

    def keys(self, expression: Any, name: str) -> Any:
        """``expression`` is one of the bound list `name`; one parameter, whatever its length."""

    def wire(self, expression: Any, kind: FieldType) -> Any:
        """The value as it is answered, computed in the database."""

    def json_value(self, expression: Any, kind: FieldType) -> Any:
        """The wire value as a member of a JSON object."""

    def json_object(self, members: Sequence[tuple[str, Any]]) -> Any:
        """``{"key": value, …}`` in the given order."""

    def json_list(self, rows: Any, order: Sequence[Any]) -> Any:
        """All values of a one-column subquery as a JSON array; ``[]`` if there are none."""

    def json_array(self, *values: Any) -> Any:
        """``[value, …]``."""

    def json_text(self, expression: Any) -> Any:
        """A JSON value as a column of the row: its text, which no driver decodes."""

    def nested(self, expression: Any, required: bool) -> Any:
        """A subtree's JSON put inside another; a missing required one becomes the hole."""

    def required(self, value: Any) -> Any:
        """A member's value, or the hole if it is NULL; any type."""

    def hole(self) -> Any:
        """The mark of a required value that is missing."""

    def bound(self, value: Any) -> Any:
        """A Python value as the driver wants it."""


class Sqlite:
    """SQLite 3.38 and later."""

    def keys(self, expression: Any, name: str) -> Any:
        each = func.json_each(bindparam(name, type_=String)).table_valued("value")
        return expression.in_(select(each.c.value))

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

    def json_list(self, rows: Any, order: Sequence[Any]) -> Any:
        # Without LIMIT SQLite may drop the order of a subquery; -1 is "all".
        ordered = rows.order_by(*order).limit(literal_column("-1")).subquery()
        return select(func.json_group_array(func.json(ordered.c.item))).scalar_subquery()

    def json_array(self, *values: Any) -> Any:
        return func.json_array(*values)

    def json_text(self, expression: Any) -> Any:
        return expression

    def nested(self, expression: Any, required: bool) -> Any:
        quoted = func.json_quote(self.hole())
        return func.json(func.coalesce(expression, quoted) if required else expression)

    def required(self, value: Any) -> Any:
        return func.coalesce(value, self.hole())

    def hole(self) -> Any:
        return func.char(literal_column(str(HOLE)))

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


class Postgres:
    """PostgreSQL through asyncpg."""

    def keys(self, expression: Any, name: str) -> Any:
        return expression == func.any(bindparam(name, type_=ARRAY(String)))

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
        return self.wire(expression, kind)

    def json_object(self, members: Sequence[tuple[str, Any]]) -> Any:
        flat = [part for key, value in members for part in (_literal(key), value)]
        return func.json_build_object(*flat)

    def json_list(self, rows: Any, order: Sequence[Any]) -> Any:
        ordered = rows.order_by(*order).subquery()
        whole = func.json_agg(ordered.c.item)
        return select(func.coalesce(whole, literal_column("'[]'::json"))).scalar_subquery()

    def json_array(self, *values: Any) -> Any:
        return func.json_build_array(*values)

    def json_text(self, expression: Any) -> Any:
        return cast(expression, Text)

    def nested(self, expression: Any, required: bool) -> Any:
        return func.coalesce(expression, func.to_json(self.hole())) if required else expression

    def required(self, value: Any) -> Any:
        return func.coalesce(func.to_json(value), func.to_json(self.hole()))

    def hole(self) -> Any:
        return func.chr(literal_column(str(HOLE)))

    def bound(self, value: Any) -> Any:
        return list(value) if isinstance(value, tuple) else value


def _literal(value: str) -> Any:
    # Response keys are GraphQL names: letters, digits, underscore. Nothing to escape.
    if not value.replace("_", "a").isalnum() or not value.isascii():
        raise ValueError("a response key is a GraphQL name")
    return literal_column(f"'{value}'")


def plain_table(names: Sequence[str]) -> list[Any]:
    """Columns of a department's table: read as they are, compared as text."""
    return [column(name, String()) for name in names]


DIALECTS: dict[str, Dialect] = {"sqlite": Sqlite(), "postgresql": Postgres()}
