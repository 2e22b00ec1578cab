"""月通报 and 季度红黑榜 as they were frozen, what a bulletin was made from, and the rows for one.

A bulletin is its text. Beside it stand the lines it was made from, from which it can be made
again, and its figures as rows, which are asked for. None of these rows is ever changed: triggers
refuse it. None speaks of a person; a line's key is the store's own opaque one.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import (
    Column,
    DateTime,
    ForeignKey,
    Integer,
    String,
    Table,
    Text,
    and_,
    case,
    func,
    insert,
    or_,
    select,
)
from sqlalchemy.engine import Row
from sqlalchemy.ext.asyncio import AsyncConnection

from store.cases import case_event, case_file
from store.complaints import complaint
from store.frozen import Frozen
from store.metadata import BYTES, metadata
from store.register import citizen
from store.rows import INSERT, utc
from store.supervision import supervision_order

APPEAL = "APPEAL"  # the kind of a complaint that is one
AT_ONCE = 500  # keys in one statement: a parameter each

# month, kind of group, code and figure
LONG = String(96, collation="C").with_variant(String(96), "sqlite")

monthly_bulletin = Table(
    "monthly_bulletin",
    metadata,
    Column("month", BYTES, primary_key=True),  # 2026-10
    Column("frozen_at", DateTime(timezone=True), nullable=False),
    Column("frozen_by", BYTES, nullable=False),
    Column("edition", BYTES, nullable=False),
    Column("sha256", BYTES, nullable=False),  # of the document
    Column("inputs_sha256", BYTES, nullable=False),
    Column("parameters", Text, nullable=False),
    Column("document", Text, nullable=False),
)

bulletin_input = Table(
    "bulletin_input",
    metadata,
    Column("month", BYTES, ForeignKey("monthly_bulletin.month"), primary_key=True),
    Column("seq", Integer, primary_key=True, autoincrement=False),
    Column("line", Text, nullable=False),
)

bulletin_figure = Table(
    "bulletin_figure",
    metadata,
    Column("id", LONG, primary_key=True),
    Column("month", BYTES, ForeignKey("monthly_bulletin.month"), nullable=False, index=True),
    Column("kind", String(12), nullable=False),
    Column("code", BYTES, nullable=False),
    Column("figure", BYTES, nullable=False),
    Column("value", String(24)),  # a decimal as the document writes it
    Column("absent", String(16)),  # why there is none
)

quarterly_ranking = Table(
    "quarterly_ranking",
    metadata,
    Column("quarter", BYTES, primary_key=True),  # 2026-Q4
    Column("ranked_at", DateTime(timezone=True), nullable=False),
    Column("ranked_by", BYTES, nullable=False),
    Column("edition", BYTES, nullable=False),
    Column("sha256", BYTES, nullable=False),  # of the document
    Column("document", Text, nullable=False),
)

ranking_place = Table(
    "ranking_place",
    metadata,
    Column("id", LONG, primary_key=True),
    Column("quarter", BYTES, ForeignKey("quarterly_ranking.quarter"), nullable=False, index=True),
    Column("kind", String(12), nullable=False),
    Column("code", BYTES, nullable=False),
    Column("cases", Integer, nullable=False),
    Column("rank", Integer),
    Column("score", String(24)),
    Column("list", String(8)),
    Column("reason", String(16)),  # why it has no rank
    Column("missing", Text, nullable=False),  # what could not be told, with blanks between
)

TABLES = (
    "monthly_bulletin",
    "bulletin_input",
    "bulletin_figure",
    "quarterly_ranking",
    "ranking_place",
)
FROZEN = Frozen(TABLES, "bulletin_refuse", "frozen bulletins are never changed")


@dataclass(frozen=True, slots=True)
class Bulletin:
    """A bulletin as it is kept."""

    month: str
    frozen_at: datetime
    frozen_by: str
    edition: str
    sha256: str
    inputs_sha256: str
    parameters: str
    document: str


@dataclass(frozen=True, slots=True)
class FigureRow:
    """A figure of a group: its value, or why it has none."""

    kind: str
    code: str
    figure: str
    value: str | None
    absent: str | None


@dataclass(frozen=True, slots=True)
class Ranking:
    """A ranking as it is kept."""

    quarter: str
    ranked_at: datetime
    ranked_by: str
    edition: str
    sha256: str
    document: str


@dataclass(frozen=True, slots=True)
class PlaceRow:
    """One group's place in a ranking."""

    kind: str
    code: str
    cases: int
    rank: int | None
    score: str | None
    list: str | None
    reason: str | None
    missing: str


# ---- what is frozen ---------------------------------------------------------------------------


async def freeze(
    conn: AsyncConnection, made: Bulletin, inputs: Iterable[str], figures: Iterable[FigureRow]
) -> bool:
    """Keep a bulletin, in the caller's transaction; False if its month has one: then that stands.

    Of two at once the second waits for the first to commit.
    """
    if not await _first(conn, monthly_bulletin, _values(made)):
        return False
    lines = [
        {"month": made.month, "seq": seq, "line": line} for seq, line in enumerate(inputs, start=1)
    ]
    await conn.execute(insert(bulletin_input), lines)
    rows = [
        {"id": f"{made.month}/{one.kind}/{one.code}/{one.figure}", "month": made.month}
        | _values(one)
        for one in figures
    ]
    await conn.execute(insert(bulletin_figure), rows)
    return True


async def keep(conn: AsyncConnection, made: Ranking, places: Iterable[PlaceRow]) -> bool:
    """Keep a ranking with its places in their order; False if its quarter has one."""
    if not await _first(conn, quarterly_ranking, _values(made)):
        return False
    rows = [
        {"id": f"{made.quarter}/{one.kind}/{number:03d}", "quarter": made.quarter} | _values(one)
        for number, one in enumerate(places, start=1)
    ]
    if rows:
        await conn.execute(insert(ranking_place), rows)
    return True


async def _first(conn: AsyncConnection, table: Table, row: Mapping[str, Any]) -> bool:
    made = INSERT[conn.dialect.name](table).values(row).on_conflict_do_nothing()
    return bool((await conn.execute(made)).rowcount == 1)


def _values(row: Any) -> dict[str, Any]:
    return {name: getattr(row, name) for name in row.__dataclass_fields__}


async def bulletin(conn: AsyncConnection, month: str) -> Bulletin | None:
    """The bulletin of a month, None if it is not frozen."""
    found = (
        await conn.execute(select(monthly_bulletin).where(monthly_bulletin.c.month == month))
    ).one_or_none()
    if found is None:
        return None
    return Bulletin(**{**found._mapping, "frozen_at": utc(found.frozen_at)})


async def months(conn: AsyncConnection) -> list[Bulletin]:
    """Every bulletin, the newest month first."""
    found = await conn.execute(select(monthly_bulletin).order_by(monthly_bulletin.c.month.desc()))
    return [Bulletin(**{**row._mapping, "frozen_at": utc(row.frozen_at)}) for row in found]


async def inputs_of(conn: AsyncConnection, month: str) -> tuple[str, ...]:
    """The lines a bulletin was made from, in their order."""
    asked = (
        select(bulletin_input.c.line)
        .where(bulletin_input.c.month == month)
        .order_by(bulletin_input.c.seq)
    )
    return tuple((await conn.execute(asked)).scalars())


async def figures_of(conn: AsyncConnection, month: str) -> set[FigureRow]:
    """A bulletin's figures as they are asked for."""
    names = [bulletin_figure.c[name] for name in FigureRow.__dataclass_fields__]
    found = await conn.execute(select(*names).where(bulletin_figure.c.month == month))
    return {FigureRow(*row) for row in found}


async def ranking(conn: AsyncConnection, quarter: str) -> Ranking | None:
    """The ranking of a quarter, None if there is none."""
    asked = select(quarterly_ranking).where(quarterly_ranking.c.quarter == quarter)
    found = (await conn.execute(asked)).one_or_none()
    if found is None:
        return None
    return Ranking(**{**found._mapping, "ranked_at": utc(found.ranked_at)})


# ---- what it is made from ---------------------------------------------------------------------


async def hold_still(conn: AsyncConnection) -> None:
    """All that this connection reads from here on is of one moment. Call it first."""
    if conn.dialect.name == "postgresql":
        await conn.exec_driver_sql("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY")
    else:
        await conn.exec_driver_sql("BEGIN")


async def cases_with_events(conn: AsyncConnection, begins: datetime, ends: datetime) -> set[str]:
    """Cases with an event from `begins` (included) until `ends`."""
    at = case_event.c.at
    asked = select(case_event.c.case_id).where(at >= _utc(begins), at < _utc(ends)).distinct()
    return set((await conn.execute(asked)).scalars())


async def cases_of(
    conn: AsyncConnection, begins: datetime, ends: datetime, more: set[str]
) -> list[Row[Any]]:
    """Cases filed before `ends` and open at `begins` or later, and those of `more`."""
    names = ("id", "region_path", "handling_dept", "item", "filed_at", "closed_at")
    columns = [case_file.c[name] for name in (*names, "has_complaint")]
    open_ = or_(case_file.c.closed_at.is_(None), case_file.c.closed_at >= _utc(begins))
    asked = select(*columns).where(and_(case_file.c.filed_at < _utc(ends), open_))
    found = list(await conn.execute(asked))
    for keys in _at_once(more - {row.id for row in found}):
        found += await conn.execute(select(*columns).where(case_file.c.id.in_(keys)))
    return found


async def events_of(
    conn: AsyncConnection, case_ids: Iterable[str], ends: datetime
) -> list[Row[Any]]:
    """Events of these cases before `ends`."""
    columns = [case_event.c[name] for name in ("case_id", "state", "at", "post", "overdue")]
    found: list[Row[Any]] = []
    for keys in _at_once(case_ids):
        asked = select(*columns).where(case_event.c.case_id.in_(keys), case_event.c.at < _utc(ends))
        found += await conn.execute(asked)
    return found


async def orders_due(conn: AsyncConnection, begins: datetime, ends: datetime) -> list[Row[Any]]:
    """Supervision orders about cases whose limit lies from `begins` (included) until `ends`."""
    names = ("id", "case_id", "region_path", "handling_dept", "due_at", "closed_at")
    of = supervision_order.c
    in_time = (of.due_at >= _utc(begins), of.due_at < _utc(ends))
    asked = select(*(of[name] for name in names)).where(*in_time, of.case_id.is_not(None))
    return list(await conn.execute(asked))


async def appeals_received(
    conn: AsyncConnection, begins: datetime, ends: datetime
) -> list[Row[Any]]:
    """Appeals about cases that were received from `begins` (included) until `ends`."""
    of = complaint.c
    asked = select(of.id, of.case_id, of.received_at).where(
        of.kind == APPEAL, of.case_id.is_not(None)
    )
    when = (of.received_at >= _utc(begins), of.received_at < _utc(ends))
    return list(await conn.execute(asked.where(*when)))


async def surveys_made(conn: AsyncConnection, begins: datetime, ends: datetime) -> list[Row[Any]]:
    """Follow-ups from `begins` (included) until `ends` that say how content a citizen is."""
    of = case_event.c
    asked = select(of.id, of.case_id, of.at, of.satisfaction).where(of.satisfaction.is_not(None))
    return list(await conn.execute(asked.where(of.at >= _utc(begins), of.at < _utc(ends))))


async def about(conn: AsyncConnection, case_ids: Iterable[str]) -> dict[str, Row[Any]]:
    """Where these cases lie, who handles them and what for, by their keys."""
    found: dict[str, Row[Any]] = {}
    names = ("id", "region_path", "handling_dept", "item")
    for keys in _at_once(case_ids):
        asked = select(*(case_file.c[name] for name in names)).where(case_file.c.id.in_(keys))
        found |= {row.id: row for row in await conn.execute(asked)}
    return found


async def register_sums(conn: AsyncConnection) -> list[tuple[str, int, int]]:
    """The register by place: (region_path, rows, rows with a quality code)."""
    faulty = func.sum(case((citizen.c.dq != "", 1), else_=0))
    asked = select(citizen.c.region_path, func.count(), faulty).group_by(citizen.c.region_path)
    return [(path, int(rows), int(bad)) for path, rows, bad in await conn.execute(asked)]


def _at_once(keys: Iterable[str]) -> Iterator[list[str]]:
    known = sorted(keys)
    yield from (known[at : at + AT_ONCE] for at in range(0, len(known), AT_ONCE))


def _utc(at: datetime) -> datetime:
    # SQLite compares texts: a moment of another zone would be another text.
    return at.astimezone(UTC)
