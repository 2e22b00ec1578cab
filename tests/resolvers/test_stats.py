"""`caseStats`: exact counts for who may list, the same as counting the rows by hand."""

from __future__ import annotations

import sqlite3
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest

from adapters.contract import Call, Prepared, ReadRequest, Rows, Source
from authz.book import PolicyBook
from authz.gate import Gate
from authz.lens import Mode
from authz.roles import pairs, parents_of, roles
from catalog.grades import Mask
from hub.app import DOCUMENT_LIMITS
from resolvers.answer import Answer, Engine, Question
from resolvers.explain import explain
from resolvers.grouped import GROUPS
from resolvers.roots.root import Words

if TYPE_CHECKING:
    from tests.resolvers.conftest import Desk

ALL = "month division item department state overdue count suppressed"
FIELDS = {
    "MONTH": "month",
    "TOWNSHIP": "division",
    "VILLAGE": "division",
    "ITEM": "item",
    "DEPARTMENT": "department",
    "STATE": "state",
    "OVERDUE": "overdue",
}
Case = dict[str, Any]
Mine = Callable[[Case, "Desk"], bool]

ASKERS: Mapping[str, Mine] = {
    "lab": lambda _case, _desk: True,
    "office-01": lambda _case, _desk: True,
    "mca-dept-01": lambda case, _desk: case["handling_dept"] == "mca",
    "zhelai-town-01": lambda case, _desk: case["region_path"].startswith("532622205"),
    "zhelai-village-01": lambda case, desk: (
        case["region_path"] == desk.accounts["zhelai-village-01"].region
    ),
}
"""Whose cases they are, said by hand."""


@pytest.fixture(scope="module")
def cases(desk: Desk) -> list[Case]:
    """Every case of the county, as its store has it."""
    connection = sqlite3.connect(desk.site.folder / "store.sqlite")
    connection.row_factory = sqlite3.Row
    found = [dict(row) for row in connection.execute("SELECT * FROM case_file")]
    connection.close()
    assert len(found) > 100
    return found


def key(case: Case, dimension: str) -> Any:
    if dimension == "MONTH":
        return (datetime.fromisoformat(case["filed_at"]) + timedelta(hours=8)).strftime("%Y-%m")
    if dimension == "TOWNSHIP":
        return case["region_path"][:9].ljust(12, "0")
    if dimension == "VILLAGE":
        return case["region_path"].ljust(12, "0")
    if dimension == "OVERDUE":
        return bool(case["overdue"])
    return case[{"DEPARTMENT": "handling_dept"}.get(dimension, dimension.lower())]


def counted(cases: Sequence[Case], by: Sequence[str]) -> list[dict[str, Any]]:
    """The groups as plain Python counts them, in the order of their keys."""
    counts = Counter(tuple(key(case, d) for d in by) for case in cases)
    if not by:
        counts[()] += 0
    nothing = dict.fromkeys(ALL.split())
    return [
        nothing
        | dict(zip((FIELDS[d] for d in by), keys, strict=True))
        | {"count": count, "suppressed": False}
        for keys, count in sorted(counts.items())
    ]


def stats(by: Sequence[str], fields: str = ALL, where: str = "") -> str:
    given = f"filter: {where}, " if where else ""
    return f"{{ caseStats({given}by: [{', '.join(by)}]) {{ {fields} }} }}"


GROUPINGS = (
    (),
    ("MONTH", "TOWNSHIP", "STATE"),
    ("STATE", "TOWNSHIP", "MONTH"),
    ("VILLAGE", "OVERDUE"),
    ("ITEM",),
    ("DEPARTMENT", "ITEM"),
    ("MONTH", "VILLAGE", "ITEM", "DEPARTMENT", "STATE", "OVERDUE"),
)


@pytest.mark.parametrize("account", ASKERS)
@pytest.mark.parametrize("by", GROUPINGS, ids="+".join)
def test_who_may_list_gets_the_count_of_his_own_rows_by_one_statement(
    desk: Desk,
    cases: list[Case],
    plain: Callable[[Answer], Any],
    account: str,
    by: tuple[str, ...],
) -> None:
    mine = [case for case in cases if ASKERS[account](case, desk)]
    assert mine
    for json_mode in (True, False):
        before = desk.sent()
        answer = desk.ask(desk.engine(json_mode), account, stats(by))
        assert answer.errors == ()
        assert plain(answer) == {"caseStats": counted(mine, by)}
        assert desk.sent() - before == 1


@pytest.mark.parametrize(
    ("where", "keeps"),
    [
        ("{item: TEMP_AID}", lambda c: c["item"] == "TEMP_AID"),
        ("{state: FOLLOWED_UP}", lambda c: c["state"] == "FOLLOWED_UP"),
        ("{overdue: true}", lambda c: bool(c["overdue"])),
        ('{department: "mca"}', lambda c: c["handling_dept"] == "mca"),
        ('{division: "532622205000"}', lambda c: c["region_path"].startswith("532622205")),
        (
            '{division: "532622205000", item: TEMP_AID}',
            lambda c: c["region_path"].startswith("532622205") and c["item"] == "TEMP_AID",
        ),
        ("{}", lambda _c: True),
        ("{state: null}", lambda _c: True),
    ],
)
def test_filters_are_those_of_cases(
    desk: Desk,
    cases: list[Case],
    plain: Callable[[Answer], Any],
    where: str,
    keeps: Callable[[Case], bool],
) -> None:
    for account in ("office-01", "zhelai-town-01"):
        mine = [c for c in cases if ASKERS[account](c, desk) and keeps(c)]
        answer = desk.ask(desk.engine(True), account, stats(["MONTH", "STATE"], where=where))
        assert plain(answer) == {"caseStats": counted(mine, ["MONTH", "STATE"])}
        total = desk.ask(desk.engine(True), account, stats([], where=where))
        listed = desk.ask(
            desk.engine(True), account, f"{{ cases(filter: {where}) {{ totalCount }} }}"
        )
        assert plain(total)["caseStats"][0]["count"] == plain(listed)["cases"]["totalCount"]


@pytest.mark.postgres
def test_both_databases_answer_the_same(
    desk: Desk, pg_desk: Desk, plain: Callable[[Answer], Any]
) -> None:
    for account in ASKERS:
        for by in GROUPINGS:
            for where in ("", '{division: "532622205000", state: FOLLOWED_UP}'):
                ours = desk.ask(desk.engine(True), account, stats(by, where=where))
                before = pg_desk.sent()
                theirs = pg_desk.ask(pg_desk.engine(True), account, stats(by, where=where))
                assert theirs.errors == ()
                assert plain(theirs) == plain(ours)
                assert pg_desk.sent() - before == 1


def test_the_record_says_what_was_counted_by_what_and_of_nobody(desk: Desk) -> None:
    text = stats(["MONTH", "VILLAGE"], where='{department: "mca", item: TEMP_AID}')
    answer = desk.ask(desk.engine(True), "zhelai-town-01", text)
    (told,) = answer.disclosure.reads
    assert (told.dataset, told.source, told.how) == ("case", "hub", "tally")
    assert told.by == (
        "CaseDimension.MONTH",
        "CaseDimension.VILLAGE",
        "Case.item",
        "Case.handling_dept",
    )
    assert answer.data is not None
    assert told.rows == len(answer.data["caseStats"]) > 0
    assert (told.subjects, told.clear, told.masked, told.as_of) == (set(), {}, {}, None)
    assert told.areas == {"532622205"}
    listed = desk.gate("zhelai-town-01").lens(desk.catalog.datasets["case"], Mode.LIST)
    assert (told.lens, told.rules) == (listed.digest, listed.rules)


# ---- what cannot be asked ----------------------------------------------------------------------


@pytest.mark.parametrize(
    ("by", "reason"),
    [
        (["STATE", "STATE"], "DIMENSION"),
        (["TOWNSHIP", "VILLAGE"], "DIMENSION"),
        (["VILLAGE", "STATE", "TOWNSHIP"], "DIMENSION"),
    ],
)
def test_a_grouping_that_says_nothing_clear_is_refused(
    desk: Desk, by: list[str], reason: str
) -> None:
    before = desk.sent()
    text = stats(by).removesuffix("}") + "viewer { account } }"
    answer = desk.ask(desk.engine(True), "office-01", text)
    (error,) = answer.errors
    assert (error["extensions"]["code"], error["extensions"]["reason"]) == (
        "BAD_USER_INPUT",
        reason,
    )
    assert error["path"] == ["caseStats"]
    assert answer.data == {"caseStats": None, "viewer": {"account": "a"}}
    assert desk.sent() == before


def test_who_may_neither_list_nor_tally_is_refused_and_nothing_is_asked(desk: Desk) -> None:
    before = desk.sent()
    answer = desk.ask(desk.engine(True), "auditor-01", stats(["STATE"]))
    (error,) = answer.errors
    assert (error["extensions"]["code"], error["extensions"]["reason"]) == ("FORBIDDEN", "DENIED")
    assert (answer.data, answer.disclosure.outcome) == ({"caseStats": None}, "DENIED")
    assert answer.disclosure.reads[0].how == "tally"
    assert desk.sent() == before


@pytest.mark.parametrize(
    ("by", "where", "column"),
    [(["ITEM"], "", "item"), (["STATE"], "{item: TEMP_AID}", "item"), ([], "", None)],
)
def test_a_column_that_is_not_clear_on_every_row_neither_groups_nor_filters(
    desk: Desk, by: list[str], where: str, column: str | None
) -> None:
    case = desk.catalog.datasets["case"]
    fields = tuple(
        replace(f, mask=Mask.HIDE, nullable=True) if f.name == "item" else f for f in case.fields
    )
    datasets = {**desk.catalog.datasets, "case": replace(case, fields=fields)}
    catalog = replace(desk.catalog, datasets=datasets)
    book = PolicyBook(9, desk.book.rules, parents_of(pairs(roles())), catalog)
    gate = Gate(book, desk.asker("office-01", "report"), catalog)
    setting = replace(desk.setting, words=Words(catalog, synthetic=True))
    engine = Engine(desk.bindings, setting, DOCUMENT_LIMITS)
    before = desk.sent()
    answer = desk.runner.run(engine.answer(Question(stats(by, where=where), None, {}), gate, {}))
    reasons = [e["extensions"]["reason"] for e in answer.errors]
    assert reasons == ([] if column is None else ["FILTER_NOT_CLEAR"])
    assert desk.sent() - before == (1 if column is None else 0)


@dataclass
class Flood:
    """A source whose every statement brings more groups than an answer may hold."""

    real: Source
    name: str = "hub"
    json: bool = True
    asked: int | None = 0

    def prepare(self, request: ReadRequest) -> Prepared:
        return self.real.prepare(request)

    async def read(self, _prepared: Prepared, call: Call) -> Rows:
        self.asked = call.limit
        return Rows([(f"S{i}", 1, 0) for i in range(call.limit or 0)])

    async def ping(self) -> None: ...

    async def close(self) -> None: ...


def test_more_groups_than_an_answer_may_hold_are_refused(desk: Desk) -> None:
    flood = Flood(desk.sources["hub"])
    setting = replace(desk.setting, sources={**desk.sources, "hub": flood})
    engine = Engine(desk.bindings, setting, DOCUMENT_LIMITS)
    answer = desk.ask(engine, "office-01", stats(["STATE"]))
    assert flood.asked == GROUPS + 1
    (error,) = answer.errors
    assert (error["extensions"]["code"], error["extensions"]["reason"]) == (
        "OPERATION_TOO_COMPLEX",
        "groups",
    )
    assert answer.data == {"caseStats": None}


# ---- one Plan for the same statement, another for another --------------------------------------


def test_dimensions_in_variables_choose_the_statement(
    desk: Desk, cases: list[Case], plain: Callable[[Answer], Any]
) -> None:
    whole = f"query($by: [CaseDimension!]!) {{ caseStats(by: $by) {{ {ALL} }} }}"
    pair = f"query($a: CaseDimension!) {{ caseStats(by: [MONTH, $a]) {{ {ALL} }} }}"
    engine = desk.engine(True)
    for by in (["STATE"], ["ITEM"], ["STATE", "ITEM"], [], ["STATE"]):
        answer = desk.ask(engine, "office-01", whole, {"by": by})
        assert plain(answer) == {"caseStats": counted(cases, by)}
    assert engine.planned == 4
    for one in ("STATE", "OVERDUE", "STATE"):
        answer = desk.ask(engine, "office-01", pair, {"a": one})
        assert plain(answer) == {"caseStats": counted(cases, ["MONTH", one])}
    assert engine.planned == 6


def test_a_filters_value_does_not_make_another_plan(
    desk: Desk, cases: list[Case], plain: Callable[[Answer], Any]
) -> None:
    text = f"query($s: CaseState) {{ caseStats(filter: {{state: $s}}, by: ITEM) {{ {ALL} }} }}"
    engine = desk.engine(True)
    for state in ("CLOSED", "FOLLOWED_UP", "DENIED"):
        answer = desk.ask(engine, "office-01", text, {"s": state})
        kept = [c for c in cases if c["state"] == state]
        assert plain(answer) == {"caseStats": counted(kept, ["ITEM"])}
    assert engine.planned == 1


def test_a_neighbours_plan_counts_his_own(desk: Desk, plain: Callable[[Answer], Any]) -> None:
    engine = desk.engine(True)
    both = [
        plain(desk.ask(engine, account, stats(["TOWNSHIP"])))["caseStats"]
        for account in ("zhelai-town-01", "bange-town-01")
    ]
    assert engine.planned == 1
    assert [[g["division"] for g in groups] for groups in both] == [
        ["532622205000"],
        ["532622206000"],
    ]


def test_names_aliases_and_order_are_the_askers(desk: Desk, plain: Callable[[Answer], Any]) -> None:
    first = "a: caseStats(by: []) { __typename n: count count m: month }"
    text = f"{{ {first} caseStats(by: []) {{ count }} }}"
    before = desk.sent()
    data = plain(desk.ask(desk.engine(True), "office-01", text))
    total = data["caseStats"][0]["count"]
    assert list(data["a"][0].items()) == [
        ("__typename", "CaseStat"),
        ("n", total),
        ("count", total),
        ("m", None),
    ]
    assert desk.sent() - before == 2  # two aliases are two Reads


def test_explain_prints_what_is_counted_over_which_rows(desk: Desk) -> None:
    text = stats(["MONTH", "TOWNSHIP"])
    gate = desk.gate("zhelai-town-01")
    plan = desk.engine(True).explain(Question(text, None, {}), gate)
    said = explain(plan, gate, desk.catalog, desk.sources).splitlines()
    at = said.index("[0] 根 Query.caseStats → 诉求件（hub）")
    assert said[at + 1].startswith("    行：者腊乡（532622205）及其下级；规则 r")
    assert said[at + 2] == (
        "    汇总：按 提交月份（北京时间），提交时所在乡（镇）；本人范围内精确计数"
    )
    assert said[at + 3].startswith("    语句：SELECT grouped.k0 AS month, ")
    assert said[-1] == "审计记录 READ：数据集 case；汇总的维度与组数（不涉及人员）、规则编号"
