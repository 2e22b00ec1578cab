"""场景: what posts must and must not be able to do, in words a security officer can check.

    day = 2026-11-01                          the day asked of; absent, today
    [[case]]
    name = "者腊乡经办看不到蚌峨乡的人"
    posts = [{ dept = "rev", role = "town", base = "532622205" }]
    ask = { object = "Citizen.basic", act = "read", purpose = "aid.file", region = "532622206206" }
    expect = "deny"
    reason = "REACH"                          may be left out

| expect | `ask` has | the case says |
|---|---|---|
| allow, deny | object, act, purpose, region | `reason` of a no |
| list | object, purpose | `places`: region paths whose rows, with all below, may be listed, |
|  |  | or `rows`: the same in words |
| columns | dataset, purpose, region | `columns`: 明文, 脱敏 or 隐藏 for each column named |
| sql | object, act, purpose | `sql`: the predicate on region_path, owner and minor |

`ask` may add owner (default: who provides the object), minor, case_no (of a case whose
household is the person's) and day. `lines` are lines of the policy as in ``policy.csv``,
added for this case alone: what would be if.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from enum import StrEnum
from pathlib import Path

from authz.lens import CellState
from authz.reference import Reason
from authz.roles import post
from authz.rule import ACTS, Rule
from authz.start import read_lines
from authz.wording import STATES
from catalog.divisions import COUNTY
from catalog.load import Catalog
from catalog.table import Table, read_toml

ONE_ROW = tuple(STATES[s] for s in (CellState.CLEAR, CellState.MASKED, CellState.HIDDEN))
"""States a column can have on one row."""


class Expect(StrEnum):
    """What a case claims."""

    ALLOW = "allow"
    DENY = "deny"
    LIST = "list"
    COLUMNS = "columns"
    SQL = "sql"


@dataclass(frozen=True, slots=True)
class Ask:
    """What is asked. Of `columns` no object, of the others no data set; of a list no region."""

    purpose: str
    act: str
    object: str
    dataset: str
    region: str
    owner: str
    minor: bool
    case_no: str | None
    day: date | None


@dataclass(frozen=True, slots=True)
class Case:
    """One scenario; of the claims only that of its `expect` is filled."""

    name: str
    posts: tuple[tuple[str, str, str], ...]
    ask: Ask
    expect: Expect
    lines: tuple[Rule, ...]
    reason: Reason | None = None
    places: frozenset[str] | None = None
    text: str = ""
    columns: Mapping[str, str] | None = None


@dataclass(frozen=True, slots=True)
class Scenarios:
    """A file of cases. `day`: the day they are asked of, None for today."""

    day: date | None
    cases: tuple[Case, ...]


def read_scenarios(file: Path, catalog: Catalog, *, demo: bool = False) -> Scenarios:
    """All cases of a file. CatalogError or RuleError for the first wrong word; OSError."""
    table = read_toml(file)
    day = table.day("day")
    cases = tuple(_case(entry, catalog, demo) for entry in table.subs("case"))
    if not cases:
        raise table.fail("case", "is missing: write at least one [[case]]")
    names = [case.name for case in cases]
    for name in names:
        if names.count(name) > 1:
            raise table.fail(f"case[{name}]", "is there twice: rename one of them")
    table.done()
    return Scenarios(day, cases)


def shipped() -> Path:
    """The program's own scenarios: beside the tests in a checkout, else in the wheel."""
    root = Path(__file__).parents[1]
    if (root / "pyproject.toml").is_file():
        return root / "tests" / "authz" / "scenarios.toml"
    return root / "hub" / "_scenarios.toml"


def _case(table: Table, catalog: Catalog, demo: bool) -> Case:
    expect = table.choice("expect", Expect)
    posts = tuple(_post(entry, catalog) for entry in table.subs("posts", "role"))
    if not posts:
        raise table.fail("posts", "is missing: name at least one post")
    ask = _ask(table, catalog, expect)
    case = Case(
        table.text("name"),
        posts,
        ask,
        expect,
        read_lines(f"{table.file} {table.where}.lines", table.texts("lines"), catalog, demo=demo),
        reason=_reason(table) if expect is Expect.DENY else None,
        places=_places(table, catalog) if expect is Expect.LIST else None,
        text=_text(table, expect),
        columns=_columns(table, ask, catalog) if expect is Expect.COLUMNS else None,
    )
    table.done()
    return case


def _post(table: Table, catalog: Catalog) -> tuple[str, str, str]:
    dept = table.known("dept", catalog.departments, "department")
    role, base = table.text("role"), table.text("base")
    post(dept, role, base, {})  # a post nobody can hold proves nothing
    table.done()
    return dept, role, base


def _ask(table: Table, catalog: Catalog, expect: Expect) -> Ask:
    sub = table.sub("ask")
    if sub is None:
        raise table.fail("ask", "is missing: say what is asked, for which purpose")
    dataset, obj = _subject(sub, catalog, expect)
    ask = Ask(
        purpose=sub.known("purpose", catalog.purposes, "purpose"),
        act=_ACTS[expect] or sub.known("act", dict.fromkeys(ACTS), "act"),
        object=obj,
        dataset=dataset,
        region=_region(sub, catalog) if expect not in (Expect.LIST, Expect.SQL) else COUNTY,
        owner=sub.known("owner", catalog.departments, "department", catalog.objects[obj].provider),
        minor=sub.flag("minor", False),
        case_no=sub.optional("case_no"),
        day=sub.day("day"),
    )
    sub.done()
    return ask


_ACTS: Mapping[Expect, str] = {
    Expect.ALLOW: "",
    Expect.DENY: "",
    Expect.LIST: "list",
    Expect.COLUMNS: "read",
    Expect.SQL: "",
}
"""The act where the kind of case says it by itself."""


def _subject(table: Table, catalog: Catalog, expect: Expect) -> tuple[str, str]:
    """Data set and object; a list is asked by its row object."""
    if expect is Expect.COLUMNS:
        dataset = table.known("dataset", catalog.datasets, "data set")
        return dataset, catalog.datasets[dataset].object
    obj = table.known("object", catalog.objects, "authorisation object")
    if expect is not Expect.LIST:
        return "", obj
    listed = [d.name for d in catalog.datasets.values() if d.object == obj and d.facet is None]
    if not listed:
        raise table.fail("object", f"`{obj}` has no rows of its own: name a row object")
    return listed[0], obj


def _region(table: Table, catalog: Catalog) -> str:
    return table.known("region", catalog.divisions.by_path, "region path (no zeros at its end)")


def _reason(table: Table) -> Reason | None:
    return table.choice("reason", Reason) if table.has("reason") else None


def _places(table: Table, catalog: Catalog) -> frozenset[str] | None:
    if table.has("rows"):
        return None
    if not table.has("places"):
        raise table.fail("places", "is missing: list region paths, or say rows in words")
    places = table.texts("places")
    for place in places:
        if place not in catalog.divisions.by_path:
            raise table.fail("places", f"`{place}` is no region path (no zeros at its end)")
    return frozenset(places)


def _text(table: Table, expect: Expect) -> str:
    if expect is Expect.SQL:
        return table.text("sql")
    return table.text("rows") if expect is Expect.LIST and table.has("rows") else ""


def _columns(table: Table, ask: Ask, catalog: Catalog) -> Mapping[str, str]:
    columns = table.pairs("columns")
    if not columns:
        raise table.fail("columns", "is missing: write column = state")
    for name, state in columns.items():
        if name not in catalog.datasets[ask.dataset].by_name:
            raise table.fail(f"columns.{name}", f"is no column of data set {ask.dataset}")
        if state not in ONE_ROW:
            raise table.fail(f"columns.{name}", f"`{state}` is unknown: use {' '.join(ONE_ROW)}")
    return columns
