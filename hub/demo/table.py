"""Answers side by side: a row per field, a column per post, states in words for what is missing."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from catalog.load import load
from catalog.states import FieldState
from resolvers.plan import Out, OutColumn, OutConnection, OutGroup, OutRead, Part, Read, Shape

PASSED_BY = ("viewer", "access", "pageInfo")
WIDEST = 26  # of a cell: an address of a dozen characters, a time with its zone
BETWEEN = 2
NOTHING = "—"


@dataclass(frozen=True, slots=True)
class _Column:
    """One post's answer: values and states by path, states by coordinate."""

    values: Mapping[str, str | None]
    states: Mapping[str, str]
    told: Mapping[str, str]

    @classmethod
    def of(cls, answer: Mapping[str, Any]) -> _Column:
        """From the whole response."""
        values = dict(_leaves(answer.get("data") or {}, ""))
        return cls(values, _states(answer), _told(answer))


def table(
    shape: Shape, heads: Sequence[str], answers: Sequence[Mapping[str, Any]]
) -> Iterator[str]:
    """Lines of the table; of each list the first entry stands for the others.

    Fields of one object stand below its name, so that three posts fit a hundred columns.
    """
    columns = [_Column.of(answer) for answer in answers]
    every = dict.fromkeys(path for column in columns for path in column.values)
    paths = [p for p in every if not any(other.startswith(p + ".") for other in every)]
    words = dict(coordinates(shape))
    grid = [(path, _cells(path, words.get(path, ""), columns)) for path in paths]
    widths = [max(_wide(head), *(_wide(row[n]) for _, row in grid)) for n, head in enumerate(heads)]
    first = max(_wide("  " + path.rpartition(".")[2]) for path in paths)
    yield _line("字段", heads, [first, *widths])
    above = ""
    for path, row in grid:
        parent, _, name = path.rpartition(".")
        if parent != above:
            yield "  " + parent
            above = parent
        yield _line("  " + name, row, [first, *widths])


def coordinates(shape: Shape) -> Iterator[tuple[str, str]]:
    """Response path -> what ``extensions.fields`` calls it: ``Type.field``, or a whole ``Type``."""
    reads = {read.id: read for read in shape.walk()}
    return _named(shape.outs, "", reads)


def _named(
    outs: Iterable[Out | Part], path: str, reads: Mapping[int, Read]
) -> Iterator[tuple[str, str]]:
    for out in outs:
        here = f"{path}.{out.key}" if path else out.key
        match out:
            case OutColumn():
                yield here, out.coordinate
            case OutRead():
                yield here, reads[out.read].dataset.type
                yield from _named(reads[out.read].outs, here, reads)
            case OutConnection():
                yield here, reads[out.read].dataset.type
                yield from _named(out.parts, here, reads)
            case Part():
                yield from _named((*out.outs, *out.parts), here, reads)
            case OutGroup():
                yield from _named(out.outs, here, reads)


def _leaves(value: Any, path: str) -> Iterator[tuple[str, str | None]]:
    if isinstance(value, dict):
        for key, below in value.items():
            if key not in PASSED_BY:
                yield from _leaves(below, f"{path}.{key}" if path else key)
    elif isinstance(value, list):
        for below in value[:1]:
            yield from _leaves(below, path)
    else:
        yield path, _said(value)


def _said(value: object) -> str | None:
    if value is None:
        return None
    if isinstance(value, bool):
        return "是" if value else "否"
    return str(value)


def _states(answer: Mapping[str, Any]) -> dict[str, str]:
    """Path below ``citizen`` -> why there is no clear value, as the person's ``access`` says."""
    labels = load().codes["FieldState"]
    person = (answer.get("data") or {}).get("citizen") or {}
    return {f"citizen.{e['field']}": labels[e["state"]] for e in person.get("access", ())}


def _told(answer: Mapping[str, Any]) -> dict[str, str]:
    """Coordinate -> why some of its cells are not clear, as the answer's ``fields`` say."""
    labels = load().codes["FieldState"]
    told = answer.get("extensions", {}).get("fields", ())
    return {e["coordinate"]: labels[e["state"]] for e in told}


def _cells(path: str, word: str, columns: Sequence[_Column]) -> list[str]:
    return [_cut(_cell(path, word, column)) for column in columns]


def _cell(path: str, word: str, column: _Column) -> str:
    states = column.states.items()
    why = next((s for p, s in states if path == p or path.startswith(p + ".")), None)
    value = column.values.get(path)
    if value is None:
        why = why or column.told.get(word)
        return f"〔{why}〕" if why else NOTHING
    masked = load().codes["FieldState"][FieldState.MASKED]
    return f"{value}〔{why}〕" if why == masked else value


def _line(head: str, cells: Sequence[str], widths: Sequence[int]) -> str:
    padded = [
        text + " " * (width - _wide(text) + BETWEEN)
        for text, width in zip((head, *cells), widths, strict=True)
    ]
    return ("  " + "".join(padded)).rstrip()


def _wide(text: str) -> int:
    """Columns on a terminal; a Chinese character takes two."""
    return sum(2 if unicodedata.east_asian_width(letter) in "WF" else 1 for letter in text)


def _cut(text: str) -> str:
    """At most WIDEST columns."""
    if _wide(text) <= WIDEST:
        return text
    while _wide(text) > WIDEST - 1:
        text = text[:-1]
    return text + "…"
