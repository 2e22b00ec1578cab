"""Purposes a request may declare in ``X-Purpose`` (authorisation 1)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from catalog.table import Table


@dataclass(frozen=True, slots=True)
class Purpose:
    """`case_acts`: acts that need ``X-Case-No``; `subject_bound`: the Lens is cut to one person."""

    code: str
    title: str
    legal_basis: str
    case_acts: frozenset[str]
    subject_bound: bool


def read_purposes(table: Table, bases: Mapping[str, object]) -> dict[str, Purpose]:
    """``purposes.toml``: one table a purpose; codes hold a dot, so they are quoted keys."""
    found = {}
    for code, sub in table.tables():
        found[code] = Purpose(
            code,
            sub.text("title"),
            sub.known("legal_basis", bases, "legal basis"),
            frozenset(sub.texts("case_acts")),
            sub.flag("subject_bound", False),
        )
        sub.done()
    return found
