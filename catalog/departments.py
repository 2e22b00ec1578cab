"""The seven departments and the leading-group office (办法第三条)."""

from __future__ import annotations

import re
from dataclasses import dataclass

from catalog.table import Table

_CODE = re.compile(r"[a-z][a-z0-9_]{1,31}\Z")


@dataclass(frozen=True, slots=True)
class Department:
    """`code` in rules, posts and rows; `enum` in GraphQL, `phone` the office to ask."""

    code: str
    enum: str
    title: str
    short: str
    phone: str


def read_departments(table: Table) -> dict[str, Department]:
    """``departments.toml``: one table a department, keyed by its code."""
    found = {}
    for code, sub in table.tables():
        if not _CODE.match(code):
            raise table.fail(code, "is no department code: small letters, digits, _")
        found[code] = Department(
            code, sub.text("enum"), sub.text("title"), sub.text("short"), sub.text("phone")
        )
        sub.done()
    return found
