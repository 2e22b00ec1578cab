"""Counting what a Read showed: on its rows, or on the sides that travel beside JSON text."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from adapters.contract import REGION, SEPARATOR, SUBJECT
from authz.lens import CellState
from catalog.states import FieldState
from resolvers.disputes import NOT_DISPUTED, Disputed
from resolvers.plan import PlannedRead, Read, ReadDisclosure, Told


@dataclass(slots=True)
class Shown:
    """Rows that were shown: how many, whose, where, and what each letter column says of them.

    `people`: whose each row is, one by one as the letters are; only where it is asked for.
    """

    count: int
    subjects: Collection[str] = ()
    regions: Collection[str] = ()
    letters: Mapping[str, Sequence[str]] = field(default_factory=dict)
    people: Sequence[str] = ()


def told_by_rows(
    planned: PlannedRead, rows: Sequence[tuple[Any, ...]], *, one_by_one: bool = False
) -> Shown:
    """What rows that came as rows tell."""
    layout = planned.layout
    subject, region = layout.get(SUBJECT), layout.get(REGION)
    return Shown(
        len(rows),
        () if subject is None else {r[subject] for r in rows if r[subject] is not None},
        () if region is None else {r[region] for r in rows if r[region] is not None},
        {letter: [r[layout[letter]] for r in rows] for letter in planned.mixed},
        [r[subject] for r in rows] if one_by_one and subject is not None else (),
    )


def told_by_sides(
    planned: PlannedRead, texts: Iterable[str | None], *, one_by_one: bool = False
) -> Shown:
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
    people: Sequence[str] = ()
    if side.subject is not None:
        subjects = set(columns[at]) - {""}
        people = columns[at] if one_by_one else ()
        at += 1
    if side.region:
        regions = set(columns[at])
        at += 1
    letters = dict(zip(side.letters, columns[at:], strict=False))
    return Shown(len(columns[0]), subjects, regions, letters, people)


def counted_by(texts: Iterable[str | None]) -> int | None:
    """The sum of the counts told beside connections, each parent once; None if there are none."""
    given = [text for text in texts if text is not None]
    if not given:
        return None
    flat = SEPARATOR.join(given).split(SEPARATOR)
    return sum(map(int, dict(zip(flat[::2], flat[1::2], strict=True)).values()))


def tell(
    told: ReadDisclosure, planned: PlannedRead, shown: Shown, disputed: Disputed = NOT_DISPUTED
) -> None:
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
    for at, person in enumerate(shown.people):
        for column, coordinate in disputed_of(planned.read, person, disputed):
            mixed = planned.letters.get(column)
            seen = mixed is not None and shown.letters[mixed][at] == "C"
            if seen or planned.states[column] is CellState.CLEAR:
                add_disputed(told, coordinate)


def disputed_of(read: Read, person: str | None, disputed: Disputed) -> list[tuple[str, str]]:
    """The columns of this Read whose value of this person is disputed, with their coordinates."""
    about = disputed.get(person) if person is not None else None
    if about is None:
        return []
    return [(column, at) for column, at in read.coordinates.items() if at in about]


def add_disputed(told: ReadDisclosure, coordinate: str) -> None:
    """One clear cell more whose value is disputed; of a masked one only the mask is told."""
    told.disputed[coordinate] = told.disputed.get(coordinate, 0) + 1
    state = FieldState.DISPUTED.value
    told.states[state] = told.states.get(state, 0) + 1


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
