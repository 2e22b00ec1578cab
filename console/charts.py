"""Charts as pictures in the page: pygal's SVG, without its script, as a data URI with words for it.

pygal puts a script from the internet, one of its own and a style into the SVG. In a page they
would break its policy; in an ``<img>`` a browser runs no script and loads nothing, and the style
holds. Scripts and the comment with the date go all the same, so that equal figures are equal bytes.
"""

from __future__ import annotations

import base64
import re
import sys
from collections.abc import Sequence

from console.page import Chart

FONTS = "'Noto Sans CJK SC','Source Han Sans SC','Microsoft YaHei',SimHei,sans-serif"
INK, BAR, LINE = "#1f2933", "#1f5f8b", "#c9d2da"
WIDTH, ROW_HEIGHT, FRAME = 900, 26, 80
_SCRIPT = re.compile(r"<script\b.*?</script>", re.DOTALL)
_COMMENT = re.compile(r"<!--.*?-->", re.DOTALL)
_ID = re.compile(r"chart-[0-9a-f-]{36}")


def bars(title: str, figures: Sequence[tuple[str, str]]) -> Chart:
    """One bar a name; values as decimal text, drawn in the order given."""
    svg = _drawn(title, figures)
    uri = "data:image/svg+xml;base64," + base64.b64encode(svg.encode()).decode()
    said = "；".join(f"{name} {value}" for name, value in figures)
    return Chart(title, uri, f"{title}：{said}")


def _unhook() -> None:
    """Take away the finder of modules that pygal leaves for its maps: it would see every import."""
    sys.meta_path[:] = [one for one in sys.meta_path if type(one).__module__ != "pygal"]


def _drawn(title: str, figures: Sequence[tuple[str, str]]) -> str:
    import pygal  # 40 ms: only for who looks at a chart
    from pygal.style import Style

    _unhook()
    style = Style(
        background="transparent",
        plot_background="transparent",
        foreground=INK,
        foreground_strong=INK,
        foreground_subtle=INK,
        colors=(BAR,),
        guide_stroke_color=LINE,
        major_guide_stroke_color=LINE,
        font_family=FONTS,
        value_font_size=12,
        label_font_size=12,
        major_label_font_size=12,
        title_font_size=14,
    )
    chart = pygal.HorizontalBar(
        style=style,
        js=[],
        show_legend=False,
        print_values=True,
        title=title,
        width=WIDTH,
        height=FRAME + ROW_HEIGHT * len(figures),
        explicit_size=True,
        no_prefix=True,
        disable_xml_declaration=True,
    )
    upwards = list(reversed(figures))  # pygal draws from below
    chart.x_labels = [name for name, _ in upwards]
    chart.add("", [float(value) for _, value in upwards])
    svg = _COMMENT.sub("", _SCRIPT.sub("", chart.render(is_unicode=True)))
    return _ID.sub("chart", svg)
