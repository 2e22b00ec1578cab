"""``sources``: how each source stands, as rows of a data set like any other.

    guards, snapshots, the day's calls ──► one small table in memory ──► the Plan's own statement

Whoever asks does so under his Lens and is recorded; what he is told is what this worker knows
already. No source is asked: a page that shows the county's sources must not become their load.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Mapping, Sequence
from contextlib import closing
from datetime import datetime
from typing import Any

from sqlalchemy import BigInteger, Boolean, Column, Integer, MetaData, String, Table
from sqlalchemy.engine import Dialect, make_url
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.schema import CreateTable

from adapters.contract import Source
from adapters.databases.database import Row, dialect_of
from adapters.databases.sql import SqlSource
from adapters.drops.files import FilesSource
from adapters.health import guard_of, state_of
from adapters.registry import STATUS, STORE, Absent, MaskText
from adapters.resilience import Guard, Window
from adapters.web.graphql import GraphqlSource
from adapters.web.rest import RestSource
from catalog.datasets import Kind, SourceSpec
from catalog.load import Catalog
from catalog.placing import OWN
from store.budgets import Budgets

TABLE = Table(
    "source_system",
    MetaData(),
    Column("name", String, primary_key=True),
    Column("title", String, nullable=False),
    Column("department", String, nullable=False),
    Column("kind", String),
    Column("state", String, nullable=False),
    Column("breaker", String),
    Column("last_answer_at", BigInteger),  # µs UTC
    Column("last_fault_at", BigInteger),
    Column("last_reason", String),
    Column("latency_ms", Integer),
    Column("as_of", BigInteger),
    Column("stale", Boolean(create_constraint=False)),
    Column("outage", String),
    Column("quota_limit", Integer),
    Column("quota_used", Integer),
)
Rows = list[dict[str, Any]]


def statuses(
    catalog: Catalog,
    sources: Mapping[str, Source],
    outages: Mapping[str, Window],
    budgets: Budgets,
    mask: MaskText,
) -> Source:
    """The source of the data set `source_system`; `sources` are told as they are when asked."""
    spec = catalog.sources[STATUS]
    told = Told(catalog, sources, outages, budgets)
    guard = Guard(spec.name, title=spec.title)
    memory, metadata = Memory(told.rows), TABLE.metadata
    made = SqlSource(spec, memory, catalog.divisions, guard=guard, mask=mask, metadata=metadata)
    made.json = False  # no other table is there, so nothing can ride
    return made


class Memory:
    """A Database whose one table is made for each statement."""

    def __init__(self, rows: Callable[[], Any]) -> None:
        self.dialect: Dialect = dialect_of(make_url("sqlite+aiosqlite://"))
        self._rows = rows

    async def fetch(
        self, text: str, values: Sequence[Any], _reach: str | None = None
    ) -> Sequence[Row]:
        """All rows of one statement."""
        rows: Rows = await self._rows()
        names = [column.name for column in TABLE.columns]
        marks = ", ".join("?" * len(names))
        with closing(sqlite3.connect(":memory:")) as connection:
            connection.execute(str(CreateTable(TABLE).compile(dialect=self.dialect)))
            lines = [tuple(row[name] for name in names) for row in rows]
            connection.executemany(f"INSERT INTO source_system VALUES ({marks})", lines)  # noqa: S608
            return connection.execute(text, tuple(values)).fetchall()

    async def close(self) -> None:
        """Nothing is open."""


class Told:
    """What is known of every source now."""

    def __init__(
        self,
        catalog: Catalog,
        sources: Mapping[str, Source],
        outages: Mapping[str, Window],
        budgets: Budgets,
    ) -> None:
        self._sources, self._outages, self._budgets = sources, outages, budgets
        self._specs = [s for n, s in catalog.sources.items() if n == OWN or n not in STORE]

    async def rows(self) -> Rows:
        """One a source: the departments', and the hub's own store."""
        used = await used_today(self._budgets)
        return [await self._row(spec, used) for spec in self._specs]

    async def _row(self, spec: SourceSpec, used: Mapping[str, int] | None) -> dict[str, Any]:
        source, window = self._sources[spec.name], self._outages.get(spec.name)
        standing = await source.standing() if isinstance(source, FilesSource) else None
        counted = spec.limited and used is not None
        return {
            "name": spec.name,
            "title": spec.title,
            "department": spec.department,
            "kind": kind_of(source),
            "state": state_of(source).value,
            **_remembered(guard_of(source)),
            "as_of": None if standing is None else _us(standing.as_of),
            "stale": None if standing is None else standing.stale,
            "outage": None if window is None else str(window),
            "quota_limit": spec.quota,
            "quota_used": used.get(spec.name, 0) if counted and used is not None else None,
        }


async def used_today(budgets: Budgets) -> Mapping[str, int] | None:
    """The day's calls by source; None if the store does not say."""
    try:
        return await budgets.used()
    except (SQLAlchemyError, OSError):
        return None


def states(sources: Mapping[str, Source]) -> dict[str, str]:
    """The state of each of the departments' sources and of the hub's store; nobody is asked."""
    return {n: state_of(s).value for n, s in sources.items() if n == OWN or n not in STORE}


CONNECTED: Mapping[type[Source], Kind] = {
    FilesSource: Kind.FILES,
    RestSource: Kind.REST,
    GraphqlSource: Kind.GRAPHQL,
}


def kind_of(source: Source) -> str | None:
    """How a source is connected now, by its address; None if it is not."""
    if isinstance(source, Absent):
        return None
    return CONNECTED.get(type(source), Kind.SQL).name


def _remembered(guard: Guard | None) -> dict[str, Any]:
    known = None if guard is None else guard.state
    latency = None if known is None else known.latency_ms
    return {
        "breaker": None if known is None else known.breaker.value,
        "last_answer_at": None if known is None else _us(known.last_ok),
        "last_fault_at": None if known is None else _us(known.last_fault),
        "last_reason": known.last_reason.value if known and known.last_reason else None,
        "latency_ms": None if latency is None else round(latency),
    }


def _us(moment: datetime | None) -> int | None:
    return None if moment is None else round(moment.timestamp() * 1_000_000)
