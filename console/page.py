"""What a page is: an address, one stored document, and how its answer is said in blocks.

    Address  the path's parts and the query's words, as somebody may keep and send them on
    Page     path + document + variables(address) + view(answer)
    View     title, blocks, and of them the table that may leave as a file

A page asks once, so it leaves one record. No page has a road of its own to data.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from functools import cached_property
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

from console.words import Words

ROOT = "/console"
DOCUMENTS = Path(__file__).parent / "documents"
PART = r"[A-Za-z0-9_.-]{1,64}"
NUMBER = r"[0-9]{1,18}"

Row = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Address:
    """Where a reader is. `now` is aware; `first` rows of a page, `most` of one that is not cut."""

    path: str
    parts: Mapping[str, str]
    query: Mapping[str, str]
    now: datetime
    first: int
    most: int

    def word(self, name: str) -> str | None:
        """A word of the query; None if it is not there or empty."""
        return self.query.get(name, "").strip() or None

    def link(self, **changed: str | None) -> str:
        """This very page with some words changed; None takes one away."""
        words = {**self.query, **changed}
        kept = {name: word for name, word in words.items() if word}
        return self.path + (f"?{urlencode(kept)}" if kept else "")


@dataclass(frozen=True, slots=True)
class Column:
    """A column: its head, the `key` of its value (``case.caseNo``), and how it is said.

    `code` names the table of the value's words; `kind` text, moment, day, flag, number or code.
    `coordinate`: the field it is, told when it is withheld. `link` -> where its cell leads.
    """

    title: str
    key: str
    code: str = ""
    kind: str = "text"
    coordinate: str = ""
    link: Callable[[Row], str | None] | None = None


@dataclass(frozen=True, slots=True)
class Table:
    """Rows under heads. `info` of its connection: there may be more; `total` rows in all."""

    caption: str
    columns: Sequence[Column]
    rows: Sequence[Row]
    info: Row | None = None
    total: int | None = None
    empty: str = "没有记录"
    block: str = "table"


@dataclass(frozen=True, slots=True)
class Facts:
    """One thing with its names and values."""

    title: str
    columns: Sequence[Column]
    row: Row
    block: str = "facts"


@dataclass(frozen=True, slots=True)
class Figure:
    """A number to be seen at once, with what it counts and where it leads; `tone` calm or late."""

    title: str
    value: object
    href: str | None = None
    tone: str = "calm"


@dataclass(frozen=True, slots=True)
class Figures:
    """Several beside each other."""

    title: str
    figures: Sequence[Figure]
    block: str = "figures"


@dataclass(frozen=True, slots=True)
class Tab:
    """A choice that is a link."""

    title: str
    href: str
    current: bool


@dataclass(frozen=True, slots=True)
class Tabs:
    """Choices, one of them taken."""

    title: str
    tabs: Sequence[Tab]
    block: str = "tabs"


@dataclass(frozen=True, slots=True)
class Field:
    """A field of a form. `options` (value, word) make it a choice; `kind` of a plain one."""

    name: str
    title: str
    value: str = ""
    options: Sequence[tuple[str, str]] = ()
    kind: str = "text"
    required: bool = False
    hint: str = ""


@dataclass(frozen=True, slots=True)
class Filters:
    """A form that only changes the address: what was chosen stands in the link."""

    title: str
    action: str
    fields: Sequence[Field]
    submit: str = "查询"
    block: str = "filters"


@dataclass(frozen=True, slots=True)
class Deed:
    """A form that changes something, or asks with a word that may stand in no address."""

    title: str
    action: str
    fields: Sequence[Field]
    submit: str
    note: str = ""
    hidden: Mapping[str, str] = field(default_factory=dict)
    block: str = "deed"


@dataclass(frozen=True, slots=True)
class Chart:
    """A picture as a data URI; `alt` says the same in words, a table below in figures."""

    title: str
    uri: str
    alt: str
    block: str = "chart"


@dataclass(frozen=True, slots=True)
class Note:
    """A sentence or two; `text` keeps its line breaks if it is code."""

    text: str
    title: str = ""
    code: bool = False
    block: str = "note"


@dataclass(frozen=True, slots=True)
class Links:
    """Where one may go from here."""

    title: str
    links: Sequence[tuple[str, str]]
    block: str = "links"


@dataclass(frozen=True, slots=True)
class HeatCell:
    """A count, and its shade from 0 (none) to 4; the count itself is written, too."""

    count: int
    level: int


@dataclass(frozen=True, slots=True)
class HeatLine:
    """A day."""

    title: str
    cells: Sequence[HeatCell]
    total: int


@dataclass(frozen=True, slots=True)
class Heat:
    """Days by hours, darker where there is more."""

    caption: str
    heads: Sequence[str]
    lines: Sequence[HeatLine]
    block: str = "heat"


Block = Heat | Table | Facts | Figures | Tabs | Filters | Deed | Chart | Note | Links


@dataclass(frozen=True, slots=True)
class View:
    """A page's content. `sheet`: the table that may leave as a file."""

    title: str
    blocks: Sequence[Block]
    sheet: Table | None = None


@dataclass(frozen=True, slots=True)
class Answer:
    """An answer of the Plan as a page reads it: data by root, what was withheld, how."""

    data: Mapping[str, Any]
    errors: Sequence[Mapping[str, Any]] = ()
    extensions: Mapping[str, Any] = field(default_factory=dict)

    def nodes(self, root: str) -> list[Row]:
        """The rows of a connection, or of a plain list; none if it was refused."""
        found = self.data.get(root)
        if isinstance(found, list):
            return found
        return [] if found is None else list(found["nodes"])

    def info(self, root: str) -> Row | None:
        """Its ``pageInfo``."""
        found = self.data.get(root)
        return found.get("pageInfo") if isinstance(found, dict) else None

    def total(self, root: str) -> int | None:
        """Its ``totalCount``."""
        found = self.data.get(root)
        return found.get("totalCount") if isinstance(found, dict) else None


Variables = Callable[[Address], Mapping[str, Any] | None]
"""None: nothing is asked, the page is its form alone."""


def nothing(_address: Address) -> Mapping[str, Any]:
    """A document without variables."""
    return {}


def _no_change(_form: Mapping[str, str], address: Address) -> Mapping[str, Any]:
    raise LookupError(address.path)


@dataclass(frozen=True)
class Page:
    """`path` below /console, with ``{name}`` for a part; `document` a file of documents/.

    `posted`: variables of a form that was sent here; it is asked with `deed`, the same document if
    there is none. After a deed that changed something the reader is led to `after`, which names a
    word of the address it leaves (``done``); a page without it shows the answer itself.
    `datasets`: what its file would hold.
    """

    path: str
    title: str
    document: str
    view: Callable[[Answer, Address, Words], View]
    variables: Variables = nothing
    posted: Callable[[Mapping[str, str], Address], Mapping[str, Any]] = _no_change
    deed: str = ""
    after: str = ""
    datasets: tuple[str, ...] = ()

    @cached_property
    def pattern(self) -> re.Pattern[str]:
        """Matches the whole path."""
        made = re.sub(r"\{(\w+):number\}", rf"(?P<\1>{NUMBER})", self.path)
        made = re.sub(r"\{(\w+)\}", rf"(?P<\1>{PART})", made)
        return re.compile(rf"{ROOT}{made}\Z", re.ASCII)

    @cached_property
    def text(self) -> str:
        """The document."""
        return _document(self.document)

    @cached_property
    def deed_text(self) -> str:
        """The document that a form is asked with."""
        return _document(self.deed or self.document)

    @property
    def takes_form(self) -> bool:
        """May something be posted here?"""
        return self.posted is not _no_change


def _document(name: str) -> str:
    return (DOCUMENTS / f"{name}.graphql").read_text(encoding="utf-8")


def value_at(row: Row, key: str) -> Any:
    """The value of ``case.caseNo`` in a row; None where something on the way is."""
    found: Any = row
    for part in key.split("."):
        if found is None:
            return None
        found = found.get(part)
    return found
