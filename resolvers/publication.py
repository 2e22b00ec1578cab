"""A published table: the stored one, or made now for everybody by whoever asks first.

The first asker of a period runs the Plan's one statement over the county; all tables of the
cube are made from that one reading, by the office's rules (`domain/tally.py`), and stored.
From then on he and everybody else are answered from the store, the same numbers to all, until
the period ends: asking again, or asking for two tables, gives nothing to subtract.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any, Protocol

import orjson

from adapters.databases.grouped import COUNT, SUPPRESSED
from catalog.errors import Internal
from domain import tally
from resolvers.roots.stats import DIMENSIONS

Row = tuple[Any, ...]
Base = Sequence[Row]
"""Rows of the cube's statement: the keys of ``tally.BASE``, count, suppressed."""
MakeBase = Callable[[datetime, datetime], Awaitable[Base]]
"""Runs the cube's statement for cases filed from (included) until (not included)."""


class Tallies(Protocol):
    """Where rules and published tables are kept (the store's): counts and codes, no persons."""

    async def rules(self, cube: str) -> Sequence[tuple[str, int, int, str]]:
        """Dimension, smallest cell, rounding, period, one a line of ``tally_rule``."""

    async def stored(self, cube: str, period: str, dimensions: str) -> tuple[str, datetime] | None:
        """A table's cells as JSON and when it was made; None before the period's publication."""

    async def publish(self, cube: str, period: str, tables: Mapping[str, str], policy: int) -> None:
        """Keep a period's tables, unless somebody was first."""


@dataclass(frozen=True, slots=True)
class Published:
    """A published table in the asked order of dimensions, by the fields of ``CaseStat``."""

    layout: Mapping[str, int]
    rows: list[Row]
    made_at: datetime


async def published(
    tallies: Tallies | None, by: tuple[str, ...], day: date, policy: int, base: MakeBase
) -> Published:
    """The table by these dimensions for the period of `day`. Internal if there are no rules."""
    if tallies is None:
        raise Internal("汇总发布未接入")
    dims = tally.table_of(by)
    if dims is None:
        raise Internal("没有这样的汇总表")  # refused before anything is asked
    rules = await _rules(tallies)
    period = tally.period_of(day, rules.period)
    found = await tallies.stored(tally.CUBE, period, _name(dims))
    if found is None:
        cells = await base(*tally.window(day, rules.period))
        tables = await asyncio.to_thread(_tables, cells, rules)
        await tallies.publish(tally.CUBE, period, tables, policy)
        found = await tallies.stored(tally.CUBE, period, _name(dims))
    if found is None:
        raise Internal("汇总发布未能保存")
    return _arranged(found, dims, by)


async def _rules(tallies: Tallies) -> tally.Rules:
    rows = await tallies.rules(tally.CUBE)
    if not any(dimension == tally.ANY for dimension, *_ in rows):
        raise Internal("未设置汇总发布规则，不能发布")
    return tally.Rules(tuple(tally.TallyRule(*row) for row in rows))


def _tables(base: Base, rules: tally.Rules) -> dict[str, str]:
    """Every table as its stored text. Seconds for a county: not on the event loop."""
    counts = {tuple(row[: len(tally.BASE)]): int(row[len(tally.BASE)]) for row in base}
    return {
        _name(dims): orjson.dumps([[*cell, count] for cell, count in cells.items()]).decode()
        for dims, cells in tally.publish(counts, rules).items()
    }


def _name(dims: tally.Dims) -> str:
    return "+".join(dims)


def _arranged(found: tuple[str, datetime], dims: tally.Dims, by: tuple[str, ...]) -> Published:
    """Coordinates in the asked order, rows sorted by them."""
    cells, made_at = found
    order = [dims.index(name) for name in by]
    rows = [
        (*(cell[at] for at in order), cell[-1], cell[-1] is None) for cell in orjson.loads(cells)
    ]
    rows.sort(key=lambda row: row[: len(order)])
    names = [*(DIMENSIONS[name].name for name in by), COUNT, SUPPRESSED]
    return Published({name: at for at, name in enumerate(names)}, rows, made_at)
