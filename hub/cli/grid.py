"""Rows in columns: a Chinese character is as wide as two letters."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterator, Sequence

BETWEEN = "  "


def grid(rows: Sequence[Sequence[str]]) -> Iterator[str]:
    """Lines; every column as wide as its widest cell, no blanks at a line's end."""
    widths = [max(map(wide, cells)) for cells in zip(*rows, strict=True)]
    for row in rows:
        cells = [cell + " " * (w - wide(cell)) for cell, w in zip(row, widths, strict=True)]
        yield BETWEEN.join(cells).rstrip()


def wide(text: str) -> int:
    """How many columns of a terminal it takes."""
    return sum(2 if unicodedata.east_asian_width(char) in "WF" else 1 for char in text)
