"""How values are said in Chinese: codes by the catalogue's tables, moments in Beijing time."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any

from authz.roles import roles
from catalog.load import Catalog
from catalog.workdays import ZONE

STATES = ("DENIED", "MASKED", "SOURCE_DOWN", "NO_RECORD")
"""Of a field that is empty, which state says why; the first that applies."""


@dataclass(frozen=True, slots=True)
class Words:
    """The catalogue as a page says it.

    `hidden` coordinate -> state of what an answer withholds; `sample` makes a question that shows
    a type, `rights` a row a data set of what the reader may, `roles` those of his posts: for the
    pages that show them, and to offer a form to whoever can use it.
    """

    catalog: Catalog
    hidden: Mapping[str, str] = field(default_factory=dict)
    sample: Callable[[str], str | None] = lambda _name: None
    rights: Callable[[], list[Mapping[str, Any]]] = list
    roles: tuple[str, ...] = ()

    def of(self, extensions: Mapping[str, Any]) -> Words:
        """The same for an answer, with what it withholds."""
        told = extensions.get("fields", ())
        return replace(self, hidden={one["coordinate"]: one["state"] for one in told})

    def code(self, table: str, code: str | None) -> str:
        """The word of a code; the code itself if it has none."""
        return "" if code is None else self.catalog.codes[table].get(code, code)

    def choices(self, table: str, every: str = "全部") -> list[tuple[str, str]]:
        """The codes of a table as a form offers them."""
        return [("", every), *self.catalog.codes[table].items()]

    def department(self, code: str | None) -> str:
        """A department's short name."""
        found = None if code is None else self.catalog.departments.get(code)
        return (code or "") if found is None else found.short

    def division(self, code: str | None) -> str:
        """A division's name by its 12 digits."""
        found = None if code is None else self.catalog.divisions.get(code)
        return (code or "") if found is None else found.name

    def purpose(self, code: str | None) -> str:
        """A purpose's title."""
        found = None if code is None else self.catalog.purposes.get(code)
        return (code or "") if found is None else found.title

    def basis(self, code: str | None) -> str:
        """A legal basis's title."""
        found = None if code is None else self.catalog.legal_bases.get(code)
        return (code or "") if found is None else found.title

    def role(self, code: str | None) -> str:
        """A role's title."""
        found = None if code is None else roles().get(code)
        return (code or "") if found is None else found.title

    def post(self, written: str | None) -> str:
        """A post as events have it, ``rev/town/532622205``; any other text as it is."""
        dept, _, rest = (written or "").partition("/")
        role, _, path = rest.partition("/")
        place = self.catalog.divisions.by_path.get(path)
        if place is None:
            return self.role(written)
        return f"{self.department(dept)} {self.role(role)}（{place.name}）"

    def withheld(self, coordinate: str) -> str:
        """Why a field is empty, in words; empty if it is just empty."""
        state = self.hidden.get(coordinate) or self.hidden.get(coordinate.partition(".")[0])
        return "" if state not in STATES else f"［{self.code('FieldState', state)}］"

    def all_withheld(self) -> list[str]:
        """What of an answer is not shown or only in part, for the line below."""
        return [
            f"{self._title(coordinate)}（{self.code('FieldState', state)}）"
            for coordinate, state in self.hidden.items()
            if state in STATES
        ]

    def _title(self, coordinate: str) -> str:
        kind, _, name = coordinate.partition(".")
        try:
            dataset = self.catalog.of_type(kind)
        except KeyError:
            return coordinate
        if not name:
            return dataset.title
        one = dataset.by_name.get(name)
        return coordinate if one is None else f"{dataset.title}·{one.title}"


def moment(text: str | None) -> str:
    """``2026-11-26 10:05``, Beijing time, of an ISO text; empty for none."""
    if text is None:
        return ""
    return f"{datetime.fromisoformat(text).astimezone(ZONE):%Y-%m-%d %H:%M}"
