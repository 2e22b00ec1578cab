"""Counting what a Read showed: on its rows, or on the sides that travel beside JSON text."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from adapters.contract import REGION, SEPARATOR, SUBJECT
from resolvers.plan import PlannedRead, ReadDisclosure, Told


@dataclass(slots=True)
class Shown:
    """Rows that were shown: how many, whose, where, and what each letter column says of them."""

    count: int
    subjects: Collection[str] = ()
    regions: Collection[str] = ()
    letters: Mapping[str, Iterable[str]] = field(default_factory=dict)


def told_by_rows(planned: PlannedRead, rows: Sequence[tuple[Any, ...]]) -> Shown:
    """What rows that came as rows tell."""
    layout = planned.layout
    subject, region = layout.get(SUBJECT), layout.get(REGION)
    return Shown(
        len(rows),
        () if subject is None else {r[subject] for r in rows if r[subject] is not None},
        () if region is None else {r[region] for r in rows if r[region] is not None},
        {letter: [r[layout[letter]] for r in rows] for letter in planned.mixed},
    )


def told_by_sides(planned: PlannedRead, texts: Iterable[str | None]) -> Shown:
    """What the side texts of riding rows tell; a row below several parents is one row."""
    side = planned.side
    given = [text for text in texts if text is not None]
    if not given:
        return Shown(0)
    flat = SEPARATOR.join(given).split(SEPARATOR)
    width = side.width
    columns: list[Sequence[str]] = [flat[at::width] for at in range(width)]
    if side.key:
        columns = list(zip(*set(zip(*columns, strict=True)), strict=True))
    at = len(side.key)
    subjects: Collection[str] = ()
    regions: Collection[str] = ()
    if side.subject is not None:
        subjects = set(columns[at]) - {""}
        at += 1
    if side.region:
        regions = set(columns[at])
        at += 1
    letters = dict(zip(side.letters, columns[at:], strict=False))
    return Shown(len(columns[0]), subjects, regions, letters)


def counted_by(texts: Iterable[str | None]) -> int | None:
    """The sum of the counts told beside connections, each parent once; None if there are none."""
    given = [text for text in texts if text is not None]
    if not given:
        return None
    flat = SEPARATOR.join(given).split(SEPARATOR)
    return sum(map(int, dict(zip(flat[::2], flat[1::2], strict=True)).values()))


def tell(told: ReadDisclosure, planned: PlannedRead, shown: Shown) -> None:
    """Add what was shown: rows, persons, places, and the cells per column and state."""
    told.rows += shown.count
    told.subjects.update(shown.subjects)
    if told.area is None:
        told.areas.update([path[:9] for path in shown.regions])
    elif shown.count:
        told.areas.add(told.area)
    add_states(told, planned.uniform, shown.count)
    for name, letters in shown.letters.items():
        coordinates, all_ = planned.mixed[name], "".join(letters)
        for letter, cells in (("C", told.clear), ("M", told.masked)):
            if (found := all_.count(letter)) > 0:
                for coordinate in coordinates:
                    cells[coordinate] = cells.get(coordinate, 0) + found


def add_states(told: ReadDisclosure, columns: Told, count: int) -> None:
    """Add `count` cells to each of `columns`."""
    told.clear = _more(told.clear, columns.clear, count)
    told.masked = _more(told.masked, columns.masked, count)
    if columns.hidden:
        told.hidden.update(columns.hidden)


def _more(cells: dict[str, int], coordinates: tuple[str, ...], count: int) -> dict[str, int]:
    if not cells:
        return dict.fromkeys(coordinates, count)
    for coordinate in coordinates:
        cells[coordinate] = cells.get(coordinate, 0) + count
    return cells
