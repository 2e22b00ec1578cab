"""A chart is a picture without a script: equal figures are equal bytes, and said in words."""

from __future__ import annotations

import base64
import re
import sys

from console.charts import bars

FIGURES = [("者腊乡", "12"), ("蚌峨乡", "7"), ("<b>岩</b>", "0")]


def drawn(figures: list[tuple[str, str]]) -> str:
    uri = bars("2026-10 申请量", figures).uri
    head, _, body = uri.partition(",")
    assert head == "data:image/svg+xml;base64"
    return base64.b64decode(body).decode()


def test_it_holds_no_script_no_comment_and_no_address() -> None:
    svg = drawn(FIGURES)
    assert svg.startswith("<svg")
    assert "<script" not in svg
    assert "<!--" not in svg
    hosts = set(re.findall(r"https?://[\w./-]+", svg))
    assert hosts == {"http://www.w3.org/2000/svg"}  # the namespace


def test_it_draws_every_figure_and_says_it_in_words() -> None:
    svg = drawn(FIGURES)
    for name, value in FIGURES[:2]:
        assert name in svg
        assert f">{value}<" in svg
    assert "<b>" not in svg
    chart = bars("2026-10 申请量", FIGURES)
    assert chart.alt == "2026-10 申请量：者腊乡 12；蚌峨乡 7；<b>岩</b> 0"


def test_it_leaves_nothing_in_the_way_of_imports() -> None:
    drawn(FIGURES)
    assert "pygal" in sys.modules
    assert [one for one in sys.meta_path if "pygal" in repr(one)] == []


def test_equal_figures_are_equal_bytes() -> None:
    assert drawn(FIGURES) == drawn(list(FIGURES))
    assert drawn(FIGURES) != drawn(FIGURES[:2])
