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
        found[code] = read_department(sub, code)
    return found


def read_department(table: Table, code: str) -> Department:
    """One department; CatalogError for a code that cannot stand in a rule."""
    if not _CODE.match(code):
        raise table.fail("code", f"`{code}` is no department code: small letters, digits, _")
    one = Department(
        code, table.text("enum"), table.text("title"), table.text("short"), table.text("phone")
    )
    table.done()
    return one
