"""Answers side by side: a row per field, a column per post, states in words for what is missing."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from catalog.load import load
from catalog.states import FieldState

PASSED_BY = ("viewer", "access", "pageInfo")
WIDTH = 26  # of a column; three posts and the field fit a terminal of 120
NOTHING = "—"


def table(heads: Sequence[str], answers: Sequence[Mapping[str, Any]]) -> Iterator[str]:
    """Lines of the table; of each list the first entry stands for the others."""
    cells = [dict(_leaves(answer.get("data") or {}, "")) for answer in answers]
    states = [_states(answer.get("data") or {}) for answer in answers]
    every = dict.fromkeys(path for column in cells for path in column)
    paths = [p for p in every if not any(other.startswith(p + ".") for other in every)]
    yield _line("字段", heads)
    for path in paths:
        shown = [_cell(path, c, s) for c, s in zip(cells, states, strict=True)]
        yield _line(path, shown)


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


def _states(data: Mapping[str, Any]) -> dict[str, str]:
    """Path below ``citizen`` -> why there is no clear value."""
    labels = load().codes["FieldState"]
    person = data.get("citizen") or {}
    return {f"citizen.{e['field']}": labels[e["state"]] for e in person.get("access", ())}


def _cell(path: str, values: Mapping[str, str | None], states: Mapping[str, str]) -> str:
    why = next((s for p, s in states.items() if path == p or path.startswith(p + ".")), None)
    value = values.get(path)
    if value is None:
        return f"〔{why}〕" if why else NOTHING
    masked = load().codes["FieldState"][FieldState.MASKED]
    return f"{value}〔{why}〕" if why == masked else value


def _line(head: str, cells: Sequence[str]) -> str:
    return "  " + _fitted(head, 2 * WIDTH) + "".join(_fitted(cell, WIDTH) for cell in cells)


def _fitted(text: str, width: int) -> str:
    """Cut and padded to `width` columns; a Chinese character takes two."""
    kept, used = "", 0
    for letter in text:
        size = 2 if unicodedata.east_asian_width(letter) in "WF" else 1
        if used + size > width - 2:
            kept, used = kept + "…", used + 1
            break
        kept, used = kept + letter, used + size
    return kept + " " * (width - used)
