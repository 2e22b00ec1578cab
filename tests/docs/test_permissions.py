"""The page for department heads says what the shipped policy does, cell by cell."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import date
from typing import Any

import pytest

from authz.book import PolicyBook
from authz.gate import Gate
from authz.post import Asker
from authz.roles import pairs, parents_of, roles
from authz.sharing import shared_rules
from authz.start import start_rules
from catalog.grades import Mask
from catalog.load import Catalog

PAGE = "docs/permissions.md"
VILLAGE, TOWNSHIP, COUNTY = "532622205203", "532622205", "532622"
CLEAR, MASKED, NOTHING = "明文", "脱敏", "—"
PERSONAL = ("Citizen", "Household", "Case", "SupervisionOrder")
OWNED = ("Case", "SupervisionOrder")  # rows with an owner; the page takes 民政's
_OBJECT = re.compile(r"`([\w.]+)`")


@dataclass(frozen=True)
class Column:
    """A column of the tables: whose post, for what, with a case number or not."""

    title: str
    dept: str
    role: str
    base: str
    purpose: str
    case: bool


COLUMNS = (
    Column("村经办 受理", "rev", "village", VILLAGE, "aid.file", case=False),
    Column("乡镇经办 受理", "rev", "town", TOWNSHIP, "aid.file", case=False),
    Column("乡镇经办 核实＋编号", "rev", "town", TOWNSHIP, "aid.verify", case=True),
    Column("民政经办 审核", "mca", "dept", COUNTY, "aid.review", case=False),
    Column("民政经办 审核＋编号", "mca", "dept", COUNTY, "aid.review", case=True),
    Column("办公室 督办", "rev", "office", COUNTY, "supervise", case=False),
    Column("办公室 督办＋编号", "rev", "office", COUNTY, "supervise", case=True),
    Column("审计员 审计", "rev", "auditor", COUNTY, "audit", case=False),
)


@pytest.fixture(scope="module")
def book(catalog: Catalog) -> PolicyBook:
    rules = (*start_rules(catalog), *shared_rules(catalog))
    return PolicyBook(1, rules, parents_of(pairs(roles())), catalog)


def _gate(book: PolicyBook, catalog: Catalog, column: Column) -> Gate:
    post = book.post(column.dept, column.role, column.base)
    case_no, bound = ("SQ1", "household") if column.case else (None, None)
    day = date(2026, 11, 1)
    asker = Asker("a", "official", (post,), column.purpose, day, case_no=case_no, bound=bound)
    return Gate(book, asker, catalog)


def _cell(gate: Gate, catalog: Catalog, obj: str, *, minor: bool) -> str:
    owner = "mca" if obj.split(".")[0] in OWNED else catalog.objects[obj].provider
    if not gate.demand(obj, "read", VILLAGE, owner, minor).allowed:
        return NOTHING
    fields = [f for d in catalog.datasets.values() for f in d.fields if f.object == obj]
    if all(f.mask is Mask.NONE for f in fields):
        return CLEAR
    return CLEAR if gate.demand(obj, "unmask", VILLAGE, owner, minor).allowed else MASKED


@pytest.mark.parametrize(
    ("heading", "types", "minor"),
    [("谁看到什么（成年人）", PERSONAL, False), ("谁看到什么（未满十四周岁）", PERSONAL[:1], True)],
)
def test_table_is_what_the_policy_does(
    heading: str,
    types: tuple[str, ...],
    minor: bool,
    page: Callable[[str], Any],
    catalog: Catalog,
    book: PolicyBook,
) -> None:
    told = page(PAGE)
    head = next(ln for ln in told.section(heading).splitlines() if ln.startswith("| 数据"))
    assert [c.strip() for c in head.strip("|").split("|")][1:] == [c.title for c in COLUMNS]
    rows = {_OBJECT.findall(first)[0]: cells for first, *cells in told.rows(heading)}
    gates = [_gate(book, catalog, column) for column in COLUMNS]
    objects = [o for o in catalog.objects if o.split(".")[0] in types]
    assert list(rows) == objects
    for obj in objects:
        assert rows[obj] == [_cell(g, catalog, obj, minor=minor) for g in gates], obj


def test_the_table_shows_all_three_states(page: Callable[[str], Any]) -> None:
    cells = {c for _, *row in page(PAGE).rows("谁看到什么（成年人）") for c in row}
    assert cells == {CLEAR, MASKED, NOTHING}


def test_every_role_and_every_mask_has_its_heading_and_no_other(
    page: Callable[[str], Any],
) -> None:
    told = [h.split(" ", 1) for h in page(PAGE).headings(3)]
    named = {code.strip("`"): title for code, title in told}
    masks = {m.value for m in Mask}
    assert {c: t for c, t in named.items() if c not in masks} == {
        code: role.title.removesuffix("（仅供继承）") for code, role in roles().items()
    }
    assert masks <= named.keys()


def test_every_purpose_says_whether_a_case_number_is_needed(
    page: Callable[[str], Any], catalog: Catalog
) -> None:
    rows = page(PAGE).rows("用途")
    told = {code.strip("`"): (title, needed) for title, code, needed in rows}
    assert told == {
        code: (p.title, "是" if "unmask" in p.case_acts else "否")
        for code, p in catalog.purposes.items()
    }
