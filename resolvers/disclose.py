"""Counting what a Read showed, on its rows: cells per column and state."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from authz.lens import CellState
from resolvers.plan import PlannedRead, Read, ReadDisclosure


def tally(
    told: ReadDisclosure, planned: PlannedRead, count: int, rows: Sequence[tuple[Any, ...]] = ()
) -> None:
    """Count the cells shown, per column and state; mixed columns by their letters."""
    uniform = {c: s for c, s in planned.states.items() if s is not CellState.MIXED}
    add_states(told, planned.read, uniform, count)
    for column, state in planned.states.items():
        if state is not CellState.MIXED:
            continue
        at = planned.layout[f"{column}__s"]
        coordinate = f"{planned.read.dataset.type}.{column}"
        for row in rows:
            where = {"C": told.clear, "M": told.masked}.get(row[at])
            if where is not None:
                where[coordinate] = where.get(coordinate, 0) + 1


def add_states(
    told: ReadDisclosure, read: Read, states: Mapping[str, CellState], count: int
) -> None:
    """Add `count` cells to each column of `read` that has one state for all of them."""
    for column in read.columns:
        coordinate, state = f"{read.dataset.type}.{column}", states.get(column)
        if state is CellState.CLEAR:
            told.clear[coordinate] = told.clear.get(coordinate, 0) + count
        elif state is CellState.MASKED:
            told.masked[coordinate] = told.masked.get(coordinate, 0) + count
        elif state is CellState.HIDDEN:
            told.hidden[coordinate] = "NO_RULE"
