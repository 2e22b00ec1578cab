"""The page for department heads says what the shipped policy does, cell by cell."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any

import pytest

from authz.book import PolicyBook
from authz.gate import Gate
from authz.post import Asker
from authz.reference import Reason
from authz.roles import pairs, parents_of, roles
from authz.sharing import shared_rules
from authz.start import start_rules
from authz.wording import WHY
from catalog.grades import Mask
from catalog.load import Catalog
from catalog.states import FieldState
from resolvers.commands.account_changes import OBJECTS as ACCOUNT_OBJECTS
from resolvers.commands.cases import MOVES
from resolvers.commands.complaints import TURNS
from resolvers.commands.corrections import OBJECTS as CORRECTION_OBJECTS
from resolvers.commands.extensions import OBJECT as EXTENSION
from resolvers.commands.spot_checks import TURNS as ITEM_TURNS
from resolvers.commands.supervision import MOVES as ORDERS

PAGE = "docs/permissions.md"
VILLAGE, TOWNSHIP, COUNTY = "532622205203", "532622205", "532622"
CLEAR, MASKED, NOTHING = "明文", "脱敏", "—"
PERSONAL = (
    *("Citizen", "Household", "Case", "SupervisionOrder"),
    *("Complaint", "ComparisonRun", "RiskClue", "SpotCheck", "SpotCheckItem"),
)
OWNED = (
    "Case",
    "SupervisionOrder",
    "Complaint",
    "SpotCheckItem",
)  # rows with an owner; the page takes 民政's
BESIDE = {
    EXTENSION,
    *("Complaint.filing", "Complaint.rehearing", "SpotCheck.drawing", "RiskClue.lifting"),
    *(turn.object for turn in TURNS.values()),
    *(turn.object for turn in ITEM_TURNS.values()),
}
"""Objects of the acts on work orders, complaints, clues and spot checks."""
_OBJECT = re.compile(r"`([\w.]+)`")
_DEED = re.compile(r"`([\w.]+) (\w+)`")
MAY = "可"
_BY_PAGE = (
    FieldState.OK,
    FieldState.NO_RECORD,
    FieldState.MASKED,
    FieldState.DENIED,
    FieldState.SOURCE_DOWN,
    FieldState.STALE,
    FieldState.DISPUTED,
)


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


CORRECTING = (
    Column("村经办", "rev", "village", VILLAGE, "correct", case=False),
    Column("乡镇经办", "rev", "town", TOWNSHIP, "correct", case=False),
    Column("民政经办", "mca", "dept", COUNTY, "correct", case=False),
    Column("办公室", "rev", "office", COUNTY, "correct", case=False),
    Column("审计员", "rev", "auditor", COUNTY, "audit", case=False),
)


ADMINISTERING = (
    Column("民政负责人", "mca", "lead", COUNTY, "admin", case=False),
    Column("民政账号管理员", "mca", "account_admin", COUNTY, "admin", case=False),
    Column("办公室", "rev", "office", COUNTY, "admin", case=False),
    Column("民政经办", "mca", "dept", COUNTY, "admin", case=False),
    Column("审计员", "rev", "auditor", COUNTY, "audit", case=False),
)
ACCOUNTS = ("AccountChange", "TrainingRecord", "StaffingGap")


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
    deeds = {move.object for move in MOVES.values()} | BESIDE  # nothing to see; see the next table
    deeds |= {move.object for move in ORDERS.values()}
    objects = [o for o in catalog.objects if o.split(".")[0] in types and o not in deeds]
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


def test_what_can_be_done_is_what_the_policy_allows(
    page: Callable[[str], Any], catalog: Catalog, book: PolicyBook
) -> None:
    told = page(PAGE)
    heading = "谁能做什么"
    head = next(ln for ln in told.section(heading).splitlines() if ln.startswith("| 操作"))
    assert [c.strip() for c in head.strip("|").split("|")][1:] == [c.title for c in COLUMNS]
    gates = [_gate(book, catalog, column) for column in COLUMNS]
    asked = 0
    for first, *cells in told.rows(heading):
        obj, act = _DEED.findall(first)[0]
        owner = "mca" if obj.split(".")[0] in OWNED else catalog.objects[obj].provider
        allowed = [gate.demand(obj, act, VILLAGE, owner).allowed for gate in gates]
        assert cells == [MAY if one else NOTHING for one in allowed], first
        asked += 1
    assert asked == 36


@pytest.mark.parametrize(
    ("heading", "columns", "types", "acts"),
    [
        ("校核中谁能做什么", CORRECTING, ("Correction",), CORRECTION_OBJECTS.values()),
        ("账号变更中谁能做什么", ADMINISTERING, ACCOUNTS, ACCOUNT_OBJECTS),
    ],
)
def test_what_can_be_done_beside_the_cases_is_what_the_policy_allows(
    page: Callable[[str], Any],
    catalog: Catalog,
    book: PolicyBook,
    heading: str,
    columns: tuple[Column, ...],
    types: tuple[str, ...],
    acts: Iterable[str],
) -> None:
    told = page(PAGE)
    head = next(ln for ln in told.section(heading).splitlines() if ln.startswith("| 操作"))
    assert [c.strip() for c in head.strip("|").split("|")][1:] == [c.title for c in columns]
    gates = [_gate(book, catalog, column) for column in columns]
    objects, written = [], set()
    for first, *cells in told.rows(heading):
        obj, act = _DEED.findall(first)[0]
        allowed = [gate.demand(obj, act, VILLAGE, "mca").allowed for gate in gates]
        assert cells == [MAY if one else NOTHING for one in allowed], first
        objects.append(obj)
        written |= {obj} if act == "write" else set()
    assert objects == [one for one in catalog.objects if one.split(".")[0] in types]
    assert written == {*acts}


def test_every_refusal_is_told_in_the_words_of_the_program(page: Callable[[str], Any]) -> None:
    rows = page(PAGE).rows("为什么说明原因和部门")
    assert {code.strip("`"): words for code, words in rows} == {
        reason.value: words for reason, words in WHY.items()
    }
    assert len(rows) == len(Reason)


def test_every_state_of_a_field_is_told(page: Callable[[str], Any], catalog: Catalog) -> None:
    rows = page(PAGE).rows("为什么是空的")
    assert [(code.strip("`"), title) for title, code, _ in rows] == [
        (state.value, catalog.codes["FieldState"][state.value]) for state in _BY_PAGE
    ]
    assert set(_BY_PAGE) == set(FieldState)
    assert all(words for *_, words in rows)


@pytest.mark.parametrize(
    ("verb", "code", "said"),
    [
        ("explain", 1, "结论：不许，没有适用于这些岗位的规则（NO_RULE）"),
        ("diff", 0, "变化 0 项，没有未经两人签署的增加"),
        ("check", 0, "[相符] 者腊乡经办看不到蚌峨乡的人"),
    ],
)
def test_the_three_commands_answer_as_the_page_says(
    page: Callable[[str], Any],
    desk: Path,
    run: Callable[..., Any],
    verb: str,
    code: int,
    said: str,
) -> None:
    (block,) = page(PAGE).blocks("")
    (command,) = [line for line in block.splitlines() if line.startswith(f"hub authz {verb}")]
    ran = run(command, desk)
    assert (ran.returncode, ran.stderr) == (code, "")
    assert said in ran.stdout
