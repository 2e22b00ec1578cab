"""Groups and their counts over a Lens's source, as one SQL statement. Pure.

Grouping runs inside on what is cheap to compare (a month is an instant, a place a prefix of
its path); what is dear is done outside, once a group: the month's text, the place's code and
the order, by byte, so that both databases answer the same groups in the same order.

    SELECT text(k0), …, n, 0 FROM (SELECT bucket(c0) AS k0, …, count(*) AS n FROM LENS
    GROUP BY …) AS grouped ORDER BY text(k0), … LIMIT :limit
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Protocol

from sqlalchemy import (
    BigInteger,
    Integer,
    String,
    bindparam,
    cast,
    collate,
    func,
    literal_column,
    select,
)

from adapters.contract import Bucket, Count, GroupKey, Measure
from adapters.databases.dialect import Dialect, Postgres, Sqlite

COUNT, SUPPRESSED = "count", "suppressed"
TOWNSHIP_DIGITS: Any = literal_column("9")
FIRST: Any = literal_column("1")
CODE_DIGITS: Any = literal_column("12")
ZEROS: Any = literal_column("'000000'", String)


class Months(Protocol):
    """What the databases write differently about groups."""

    def month(self, instant: Any) -> Any:
        """A value that is the same for all instants of one Beijing month, and sorts."""

    def month_text(self, month: Any) -> Any:
        """``YYYY-MM`` of such a value."""

    def bytewise(self, text: Any) -> Any:
        """The text, compared by byte."""


class SqliteMonths:
    """SQLite: an instant is a text in UTC."""

    def month(self, instant: Any) -> Any:
        how: Any = literal_column("'%Y-%m'")
        later: Any = literal_column("'+8 hours'")
        return func.strftime(how, instant, later)

    def month_text(self, month: Any) -> Any:
        return month

    def bytewise(self, text: Any) -> Any:
        return text


class PostgresMonths:
    """PostgreSQL: by fixed offset, a third cheaper than by the zone's name (no DST since 1991)."""

    def month(self, instant: Any) -> Any:
        unit: Any = literal_column("'month'")
        offset: Any = literal_column("interval '8 hours'")
        return func.date_trunc(unit, func.timezone(offset, instant))

    def month_text(self, month: Any) -> Any:
        how: Any = literal_column("'YYYY-MM'")
        return func.to_char(month, how)

    def bytewise(self, text: Any) -> Any:
        return collate(text, "C")


MONTHS: Mapping[type[Any], Months] = {Sqlite: SqliteMonths(), Postgres: PostgresMonths()}


def grouped(
    source: Any,
    keys: Sequence[GroupKey],
    dialect: Dialect,
    measures: Sequence[Measure] = (),
    top: bool = False,
) -> tuple[Any, tuple[str, ...]]:
    """The statement and its columns: each key's name, each measure's.

    Without measures ``count`` and ``suppressed``; `top`: by the first measure, largest first.
    """
    months = MONTHS[type(dialect)]
    buckets = [_bucket(source.c[key.column], key.bucket, months) for key in keys]
    inner = [bucket.label(f"k{at}") for at, bucket in enumerate(buckets)]
    counted = [_number(source, measure).label(f"n{at}") for at, measure in enumerate(measures)]
    inside = select(*inner, *(counted or [func.count().label("n")])).select_from(source)
    groups = inside.group_by(*buckets).subquery("grouped")
    shown = [_text(groups.c[f"k{at}"], key.bucket, months) for at, key in enumerate(keys)]
    no: Any = literal_column("0", Integer)
    named = [value.label(key.name) for value, key in zip(shown, keys, strict=True)]
    numbers = [groups.c[f"n{at}"].label(one.name) for at, one in enumerate(measures)]
    numbers = numbers or [groups.c.n.label(COUNT), no.label(SUPPRESSED)]
    outside = select(*named, *numbers)
    # By the texts shown, not by the keys: an order that equals the grouping makes PostgreSQL
    # sort every row instead of hashing (229 against 83 ms over 150,000 cases).
    first = [groups.c.n0.desc()] if top else []
    ordered = outside.order_by(*first, *(_sorted(value, months) for value in shown))
    limit = bindparam("limit", type_=Integer)
    return ordered.limit(limit), (*(key.name for key in keys), *(one.name for one in numbers))


def _number(source: Any, measure: Measure) -> Any:
    if measure.column is None:
        return func.count()
    column = source.c[measure.column]
    if measure.count is Count.DIFFERENT:
        return func.count(func.distinct(column))
    # PostgreSQL's sum of whole numbers is a numeric, which JSON would write as a text.
    return cast(func.coalesce(func.sum(column), 0), BigInteger)


def _bucket(column: Any, bucket: Bucket, months: Months) -> Any:
    if bucket is Bucket.MONTH:
        return months.month(column)
    if bucket is Bucket.TOWNSHIP:
        return func.substr(column, FIRST, TOWNSHIP_DIGITS)
    return column


def _text(value: Any, bucket: Bucket, months: Months) -> Any:
    if bucket is Bucket.MONTH:
        return months.month_text(value)
    if bucket in (Bucket.TOWNSHIP, Bucket.VILLAGE):
        # The path's own 12-digit code: what was cut from its end comes back.
        return func.substr(value.op("||")(ZEROS), FIRST, CODE_DIGITS)
    return value


def _sorted(value: Any, months: Months) -> Any:
    return months.bytewise(value) if isinstance(value.type, String) else value
