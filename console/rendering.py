"""A view as a page of HTML: one frame, one template a block, everything escaped.

Jinja2 with autoescape always and StrictUndefined. No script of ours, one stylesheet; the policy a
browser keeps lets nothing else in, so a text that got through would still do nothing.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from hashlib import sha256
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from console.cells import leads_to, shown
from console.menu import Item
from console.page import ROOT, Address, View
from console.words import Words

HERE = Path(__file__).parent
CSP = (
    b"default-src 'none'; style-src 'self'; script-src 'self'; img-src 'self' data:; "
    b"connect-src 'self'; form-action 'self'; frame-ancestors 'none'; base-uri 'none'"
)
STYLE = "console.css"


@dataclass(frozen=True, slots=True)
class Reader:
    """Who reads, as the head line says it. `purposes` (code, title) he may choose from."""

    account: str
    posts: Sequence[Mapping[str, Any]]
    purpose: str
    purposes: Sequence[tuple[str, str]]
    case_no: str
    csrf: str
    menu: Sequence[Item]


@dataclass(frozen=True, slots=True)
class Foot:
    """What stands below a page: its request, its record, its link, when it was made."""

    request: str
    link: str
    made: str
    record: int | None = None
    csv: str | None = None
    xlsx: str | None = None


@dataclass(frozen=True, slots=True)
class Trouble:
    """Why a page, or a part of it, is not there."""

    title: str
    detail: str
    code: str
    reason: str = ""
    retry: bool = False


def page(
    view: View,
    reader: Reader | None,
    foot: Foot,
    words: Words,
    address: Address,
    *,
    troubles: Sequence[Trouble] = (),
    key: str = "",
    sandbox: bool = False,
) -> bytes:
    """The page. `key`: of a form that changes something, so that sent twice it is done once."""
    return _rendered(
        "page.html",
        view=view,
        reader=reader,
        foot=foot,
        words=words,
        address=address,
        troubles=troubles,
        key=key,
        sandbox=sandbox,
    )


def signing_in(csrf: str, foot: Foot, *, told: str = "", target: str, sandbox: bool) -> bytes:
    """The page of who is nobody yet; `told` why he is shown it again."""
    return _rendered(
        "sign_in.html",
        csrf=csrf,
        foot=foot,
        told=told,
        target=target,
        sandbox=sandbox,
        reader=None,
    )


@cache
def style() -> bytes:
    """The stylesheet."""
    return (HERE / "static" / STYLE).read_bytes()


@cache
def style_address() -> str:
    """Where it lies; another text is another address, so it may be kept for ever."""
    return f"{ROOT}/static/{sha256(style()).hexdigest()[:16]}.css"


@cache
def _environment() -> Environment:
    made = Environment(
        loader=FileSystemLoader(HERE / "templates"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        auto_reload=False,
    )
    made.globals |= {"shown": shown, "leads_to": leads_to, "root": ROOT, "style": style_address}
    return made


def _rendered(template: str, **values: Any) -> bytes:
    return _environment().get_template(template).render(**values).encode()
