"""Who may only tally: fixed tables, made once a period, the same for everybody."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from typing import TYPE_CHECKING, Any

import pytest

from authz.gate import Gate
from authz.post import Asker
from catalog.errors import Internal
from domain import tally
from resolvers.answer import Answer, Engine, Question
from resolvers.explain import explain
from resolvers.publication import published

if TYPE_CHECKING:
    from tests.resolvers.conftest import Desk

Row = tuple[Any, ...]
RULES = [("*", 5, 5, "MONTH"), ("ITEM", 10, 5, "MONTH"), ("DEPARTMENT", 10, 5, "MONTH")]
BASE: list[Row] = [
    ("2026-01", "532622101001", "TEMP_AID", "mca", "CLOSED", 42, 0),
    ("2026-02", "532622101001", "TEMP_AID", "mca", "CLOSED", 31, 0),
    ("2026-02", "532622205001", "APPOINTMENT", "hea", "CLOSED", 3, 0),
]
DAY = date(2026, 11, 20)
FIELDS = "month division item department state overdue count suppressed"


@dataclass
class Kept:
    """A store in memory. `rival` tables come in while somebody makes his own."""

    lines: list[tuple[str, int, int, str]] = field(default_factory=lambda: list(RULES))
    tables: dict[tuple[str, str, str], tuple[str, datetime]] = field(default_factory=dict)
    rival: Mapping[str, str] | None = None

    async def rules(self, _cube: str) -> Sequence[tuple[str, int, int, str]]:
        return self.lines

    async def stored(self, cube: str, period: str, dimensions: str) -> tuple[str, datetime] | None:
        return self.tables.get((cube, period, dimensions))

    async def publish(
        self, cube: str, period: str, tables: Mapping[str, str], _policy: int
    ) -> None:
        for name, cells in (self.rival or tables).items():
            made = datetime(2026, 11, 20, tzinfo=UTC)
            self.tables.setdefault((cube, period, name), (cells, made))


@dataclass
class County:
    """Counts how often it is read, and for which months."""

    rows: list[Row] = field(default_factory=lambda: list(BASE))
    windows: list[tuple[datetime, datetime]] = field(default_factory=list)

    async def base(self, since: datetime, until: datetime) -> Sequence[Row]:
        self.windows.append((since, until))
        return self.rows


def ask(kept: Kept, county: County, *by: str, day: date = DAY) -> list[Row]:
    found = asyncio.run(published(kept, by, day, 7, county.base))
    assert list(found.layout)[-2:] == ["count", "suppressed"]
    return found.rows


def test_the_first_asker_makes_all_tables_and_the_others_get_them() -> None:
    kept, county = Kept(), County()
    assert ask(kept, county, "MONTH") == [("2026-01", 40, False), ("2026-02", 35, False)]
    assert {name for _, _, name in kept.tables} == {"+".join(dims) for dims in tally.TABLES}
    # The county went on; what was published did not.
    county.rows.append(("2026-02", "532622205001", "TEMP_AID", "mca", "CLOSED", 500, 0))
    assert ask(kept, county, "MONTH") == [("2026-01", 40, False), ("2026-02", 35, False)]
    assert ask(kept, county) == [(75, False)]
    assert len(county.windows) == 1


def test_the_next_period_is_published_anew() -> None:
    kept, county = Kept(), County()
    ask(kept, county)
    ask(kept, county, day=date(2026, 11, 30))
    county.rows.append(("2026-10", "532622205001", "TEMP_AID", "mca", "CLOSED", 100, 0))
    assert ask(kept, county, day=date(2026, 12, 1)) == [(175, False)]
    assert county.windows == [tally.window(d, "MONTH") for d in (DAY, date(2026, 12, 1))]


def test_coordinates_come_in_the_order_asked_and_sorted_by_it() -> None:
    kept, county = Kept(), County()
    assert ask(kept, county, "TOWNSHIP", "MONTH") == [
        ("532622101000", "2026-01", 40, False),
        ("532622101000", "2026-02", None, True),
        ("532622205000", "2026-02", None, True),
    ]
    assert [row[:2] for row in ask(kept, county, "MONTH", "TOWNSHIP")] == [
        ("2026-01", "532622101000"),
        ("2026-02", "532622101000"),
        ("2026-02", "532622205000"),
    ]


def test_of_two_who_are_first_only_one_is_published() -> None:
    kept, county = Kept(), County()
    kept.rival = {"+".join(dims): "[[99]]" if not dims else "[]" for dims in tally.TABLES}
    assert ask(kept, county) == [(99, False)]  # his own reading gave 75


def test_without_rules_nothing_is_counted() -> None:
    kept, county = Kept(lines=[("ITEM", 10, 5, "MONTH")]), County()
    with pytest.raises(Internal, match="未设置汇总发布规则"):
        ask(kept, county)
    assert county.windows == []
    with pytest.raises(Internal, match="未接入"):
        asyncio.run(published(None, (), DAY, 7, county.base))


# ---- through the whole road --------------------------------------------------------------------


def gate_of(
    desk: Desk,
    day: date,
    *,
    dept: str = "mca",
    role: str = "authority",
    purpose: str = "report",
    **more: Any,
) -> Gate:
    post = desk.book.post(dept, role, "532622")
    return Gate(desk.book, Asker("x", "official", (post,), purpose, day, **more), desk.catalog)


def answered(desk: Desk, engine: Engine, gate: Gate, by: str, where: str = "") -> Answer:
    given = f"filter: {where}, " if where else ""
    text = f"{{ caseStats({given}by: [{by}]) {{ {FIELDS} }} }}"
    return desk.runner.run(engine.answer(Question(text, None, {}), gate, {}))


def test_one_statement_for_the_period_and_none_for_who_comes_later(
    desk: Desk, plain: Callable[[Answer], Any]
) -> None:
    day, engine = date(2027, 1, 5), desk.engine(True)
    before = desk.sent()
    first = answered(desk, engine, gate_of(desk, day), "MONTH, TOWNSHIP")
    assert desk.sent() - before == 1
    later = answered(desk, engine, gate_of(desk, day, dept="hea", role="system"), "MONTH, TOWNSHIP")
    other = answered(desk, desk.engine(False), gate_of(desk, day, dept="wat"), "STATE")
    assert desk.sent() - before == 1
    assert first.errors == later.errors == other.errors == ()
    assert plain(first) == plain(later)
    groups = plain(first)["caseStats"]
    assert {g["count"] for g in groups if not g["suppressed"]} <= {None, *range(5, 500, 5)}
    assert all((g["count"] is None) is g["suppressed"] for g in groups)
    assert all(g["state"] is g["item"] is g["overdue"] is None for g in groups)
    assert {g["month"] for g in groups} <= {f"2026-{m:02}" for m in range(1, 13)}


def test_the_figures_are_those_of_the_rules_over_the_countys_own_count(
    desk: Desk, plain: Callable[[Answer], Any]
) -> None:
    day, engine = date(2027, 2, 5), desk.engine(True)
    shown = {
        by: plain(answered(desk, engine, gate_of(desk, day), by))["caseStats"]
        for by in ("", "STATE", "MONTH, STATE", "VILLAGE")
    }
    exact = desk.ask(
        desk.engine(True),
        "lab",
        "{ caseStats(by: [MONTH, VILLAGE, ITEM, DEPARTMENT, STATE])"
        " { month division item department state count } }",
    )
    base: dict[tally.Cell, int] = {
        (g["month"], g["division"], g["item"], g["department"], g["state"]): g["count"]
        for g in plain(exact)["caseStats"]
        if "2026-02" <= g["month"] <= "2027-01"
    }
    rules = tally.Rules(tuple(tally.TallyRule(*line) for line in RULES))
    tables = tally.publish(base, rules)
    fields = ("month", "division", "state")
    for by, groups in shown.items():
        dims = tally.table_of(by.split(", ") if by else ())
        assert dims is not None
        told = {tuple(g[f] for f in fields if g[f] is not None): g["count"] for g in groups}
        assert told == tables[dims]


@pytest.mark.postgres
def test_both_databases_publish_the_same(
    desk: Desk, pg_desk: Desk, plain: Callable[[Answer], Any]
) -> None:
    day = date(2027, 3, 5)
    for by in ("", "MONTH, TOWNSHIP, STATE", "ITEM", "VILLAGE, STATE", "STATE, MONTH"):
        ours = answered(desk, desk.engine(True), gate_of(desk, day), by)
        theirs = answered(pg_desk, pg_desk.engine(True), gate_of(pg_desk, day), by)
        assert theirs.errors == ()
        assert plain(theirs) == plain(ours)
    assert pg_desk.sent() == 1


@pytest.mark.parametrize(
    ("by", "where"),
    [
        ("STATE", "{item: TEMP_AID}"),
        ("STATE", '{division: "532622205000"}'),
        ("OVERDUE", ""),
        ("MONTH, TOWNSHIP, ITEM, STATE", ""),
        ("MONTH, VILLAGE, STATE", ""),
    ],
)
def test_free_filters_and_other_tables_are_refused_before_anything_is_asked(
    desk: Desk, by: str, where: str
) -> None:
    before = desk.sent()
    answer = answered(desk, desk.engine(True), gate_of(desk, date(2027, 4, 5)), by, where)
    (error,) = answer.errors
    assert (error["extensions"]["code"], error["extensions"]["reason"]) == (
        "BAD_USER_INPUT",
        "CUBE",
    )
    assert answer.data == {"caseStats": None}
    assert desk.sent() == before


@pytest.mark.parametrize(
    ("more", "reason"),
    [
        ({"purpose": "admin"}, "PURPOSE"),
        ({"case_no": "SQ1", "bound": "household"}, "CASE"),
        ({"role": "secadmin", "dept": "rev"}, "DENIED"),
        ({"role": "account_admin"}, "NO_RULE"),
    ],
)
def test_a_refusal_says_why(desk: Desk, more: dict[str, Any], reason: str) -> None:
    before = desk.sent()
    gate = gate_of(desk, date(2027, 4, 5), **more)
    (error,) = answered(desk, desk.engine(True), gate, "STATE").errors
    assert (error["extensions"]["code"], error["extensions"]["reason"]) == ("FORBIDDEN", reason)
    assert desk.sent() == before


def test_who_may_list_and_who_may_tally_do_not_share_a_plan(desk: Desk) -> None:
    engine, day = desk.engine(True), date(2027, 5, 5)
    gates = (
        gate_of(desk, day, dept="rev", role="office"),
        gate_of(desk, day),
        gate_of(desk, day, role="account_admin", purpose="admin"),
    )
    outcomes = [answered(desk, engine, gate, "STATE").disclosure.outcome for gate in gates]
    assert outcomes == ["OK", "OK", "DENIED"]
    assert engine.planned == 3


def test_the_record_names_the_publication_and_nobody(desk: Desk) -> None:
    day = date(2027, 6, 5)
    answer = answered(desk, desk.engine(True), gate_of(desk, day), "TOWNSHIP, STATE")
    (told,) = answer.disclosure.reads
    assert (told.how, told.by) == ("tally", ("CaseDimension.TOWNSHIP", "CaseDimension.STATE"))
    assert answer.data is not None
    assert told.rows == len(answer.data["caseStats"]) > 0
    assert (told.subjects, told.clear, told.masked) == (set(), {}, {})
    assert told.as_of is not None
    (rule,) = told.rules
    assert {r.id for r in desk.book.rules if r.action == "tally" and r.role == "authority"} == {
        rule
    }
    assert told.areas <= {f"532622{n}" for n in (101, 102, 103, 104, *range(201, 208))}


def test_explain_says_that_only_published_tables_are_shown(desk: Desk) -> None:
    gate = gate_of(desk, date(2027, 7, 5))
    question = Question("{ caseStats(by: [MONTH]) { count } }", None, {})
    said = explain(
        desk.engine(True).explain(question, gate), gate, desk.catalog, desk.sources
    ).splitlines()
    at = said.index("[0] 根 Query.caseStats → 诉求件（hub）")
    assert said[at + 1].startswith("    行：全县；规则 r")
    assert said[at + 2].startswith("    汇总：按 提交月份（北京时间）；本期发布的汇总表")
    assert said[at + 3].startswith("    本期首次查询时的语句：SELECT ")
