"""A stored print as a page for paper: the same row gives the same bytes, whenever.

Jinja2 with autoescape always and StrictUndefined: a name a template does not know is a fault, not
a blank on a paper. Templates have a version; one that has been printed with is not changed. No
script, no resource from elsewhere; the style's digest stands in the page's CSP.
"""

from __future__ import annotations

import base64
import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import lru_cache
from hashlib import sha256
from io import BytesIO
from pathlib import Path
from typing import Any

import segno
from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

from catalog.workdays import ZONE
from hub.printing.code import grouped
from hub.printing.content import Content, record_of
from hub.release import Page
from store.prints import Printed

TEMPLATES = Path(__file__).parent / "templates"
DIGEST_GROUP = 8  # eight groups of eight: a person compares them one by one
QR_SCALE = 3  # 41 modules of 3 px, margin and all: 33 mm on paper


def _moment(text: str | None) -> str:
    """``2026年11月26日 10:05``, Beijing time, of an ISO text; empty for none."""
    return "" if text is None else _written(datetime.fromisoformat(text))


def _written(at: datetime) -> str:
    return f"{at.astimezone(ZONE):%Y年%m月%d日 %H:%M}"


_ENVIRONMENT = Environment(
    loader=FileSystemLoader(TEMPLATES),
    autoescape=True,
    undefined=StrictUndefined,
    trim_blocks=True,
    lstrip_blocks=True,
    auto_reload=False,
)
_ENVIRONMENT.filters["moment"] = _moment


def paper(printed: Printed) -> Page:
    """The page of a stored print."""
    content: Content = json.loads(printed.content)
    hidden = {one["coordinate"]: one["state"] for one in content["fields"]}
    words: Mapping[str, str] = content["words"]
    at = datetime.fromtimestamp(printed.printed_at / 1_000_000, UTC)
    return rendered(
        printed.template.replace("/", "."),
        "paper.1",
        printed=printed,
        record=record_of(content),
        data=content["data"],
        sandbox=content["sandbox"],
        cell=Cells(hidden, words),
        digest=grouped(printed.sha256, DIGEST_GROUP),
        printed_at=_written(at),
        qr=qr_of(printed.address) if printed.address else None,
    )


def rendered(template: str, style: str, **values: Any) -> Page:
    """The page of a template with its style inside; jinja2.UndefinedError for a missing name."""
    css = _style(style)
    text = _ENVIRONMENT.get_template(f"{template}.html").render(style=Markup(css), **values)  # noqa: S704  our own file
    return Page(text.encode(), _policy(css))


@dataclass(frozen=True, slots=True)
class Cells:
    """How a value stands on the paper: as it is, or why it is not there."""

    hidden: Mapping[str, str]
    words: Mapping[str, str]

    def shown(self, value: object, coordinate: str) -> str:
        """The text; for what is withheld, the state in words."""
        if value is not None:
            return str(value)
        state = self.hidden.get(coordinate) or self.hidden.get(coordinate.partition(".")[0])
        return "" if state is None else f"［{self.words[state]}］"

    def row(self, value: object, coordinate: str) -> str:
        """Why a row is not there at all; empty if it is there."""
        return "" if value is not None else self.shown(None, coordinate) or "［无］"

    def word(self, table: str, code: str | None) -> str:
        """The word of a code."""
        return "" if code is None else self.words[f"{table}.{code}"]

    def withheld(self) -> list[str]:
        """What is not shown or only in part, for the line below the table."""
        return [f"{self.words[c]}（{self.words[state]}）" for c, state in self.hidden.items()]


def qr_of(address: str) -> Markup:
    """The address as a QR code, inline SVG without an id or a style."""
    out = BytesIO()
    segno.make(address, error="m", micro=False).save(
        out,
        kind="svg",
        scale=QR_SCALE,
        xmldecl=False,
        svgns=False,
        svgclass="qr",
        lineclass=None,
        title="核验网址",
    )
    return Markup(out.getvalue().decode().strip())  # noqa: S704  made by segno of our own address


@lru_cache
def _style(name: str) -> str:
    return (TEMPLATES / f"{name}.css").read_text(encoding="utf-8")


def _policy(css: str) -> bytes:
    digest = base64.b64encode(sha256(css.encode()).digest()).decode()
    return (
        f"default-src 'none'; style-src 'sha256-{digest}'; form-action 'self'; "
        "frame-ancestors 'none'; base-uri 'none'"
    ).encode()
