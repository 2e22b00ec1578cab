"""Columns stand below each other on a terminal, whatever script they are in."""

from __future__ import annotations

from hub.cli.grid import grid, wide


def test_chinese_is_two_letters_wide() -> None:
    assert (wide("abc"), wide("停机"), wide("（a）"), wide("")) == (3, 4, 5, 0)


def test_cells_are_as_wide_as_the_widest_and_lines_end_without_blanks() -> None:
    rows = [("名称", "状态", "x"), ("a", "停机时段", ""), ("abcdef", "—", "y")]
    assert list(grid(rows)) == [
        "名称    状态      x",
        "a       停机时段",
        "abcdef  —         y",
    ]
