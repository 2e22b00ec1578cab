"""Null for a condition of a selection: what is asked, shown and recorded then.

What is answered is held against graphql-core in tests/oracle/test_by_hand.py.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from catalog.errors import BadUserInput
from resolvers.answer import Answer, Question
from resolvers.explain import explain
from resolvers.plan import ReadDisclosure

if TYPE_CHECKING:
    from tests.resolvers.conftest import Desk

LAB = "lab"
SAID = "@skip 或 @include 的条件不能为空"
MODES = pytest.mark.parametrize("json_mode", [True, False])
Told = tuple[str, int, dict[str, int], dict[str, int], int, int | None]


def asked(desk: Desk, json_mode: bool, selection: str, number: str | None = None) -> Answer:
    """The answer where the condition `$x` is null; `$n` is an id number."""
    head = "$x: Boolean = true" + (", $n: String!" if number else "")
    values = {"x": None, "n": number}
    return desk.ask(desk.engine(json_mode), LAB, f"query({head}) {{ {selection} }}", values)


def told(read: ReadDisclosure) -> Told:
    """Data set, rows, clear and masked cells, persons, total."""
    return (read.dataset, read.rows, read.clear, read.masked, len(read.subjects), read.total)


def nothing(dataset: str) -> Told:
    return (dataset, 0, {}, {}, 0, None)


# ---- what the record says ----------------------------------------------------------------------


@MODES
@pytest.mark.parametrize(
    ("selection", "dataset"),
    [
        ("departments { code name @include(if: $x) }", "department"),
        ("citizens { nodes { name idNumber @skip(if: $x) } totalCount }", "citizen"),
        ("citizens { totalCount @skip(if: $x) }", "citizen"),
        ("citizens { edges { cursor @skip(if: $x) node { name } } }", "citizen"),
        ("citizens { nodes { civilAffairs { minLiving @skip(if: $x) { status } } } }", "citizen"),
        ("caseStats(by: [STATE]) { state count @skip(if: $x) }", "case"),
    ],
)
def test_a_selection_that_cannot_be_read_shows_nothing(
    desk: Desk, json_mode: bool, selection: str, dataset: str
) -> None:
    answer = asked(desk, json_mode, selection)
    assert answer.data is not None
    assert list(answer.data.values()) == [None]
    assert [(e["extensions"]["code"], e["message"]) for e in answer.errors] == [
        ("BAD_USER_INPUT", SAID)
    ]
    assert [told(r) for r in answer.disclosure.reads] == [nothing(dataset)]
    assert (answer.disclosure.outcome, answer.disclosure.code) == ("INVALID", "BAD_USER_INPUT")
    assert answer.extensions["fields"] == []


@MODES
def test_what_stands_beside_it_is_shown_and_counted(desk: Desk, json_mode: bool) -> None:
    below = "caseNo applicant { name @skip(if: $x) } orders { kind }"
    answer = asked(desk, json_mode, f"cases(first: 2) {{ nodes {{ {below} }} }}")
    assert [e["path"] for e in answer.errors] == [
        ["cases", "nodes", 0, "applicant"],
        ["cases", "nodes", 1, "applicant"],
    ]
    case, applicant, _ = answer.disclosure.reads
    assert told(case)[:3] == ("case", 2, {"Case.caseNo": 2})
    assert told(applicant) == nothing("citizen")
    assert (answer.disclosure.outcome, answer.disclosure.code) == ("PARTIAL", "BAD_USER_INPUT")


@MODES
@pytest.mark.parametrize(
    ("selection", "last"),
    [
        ("cases(first: {size}) {{ totalCount nodes {{ id @skip(if: $x) }} }}", "case"),
        (
            "cases(first: 2) {{ nodes {{ events(first: {size}) {{"
            " totalCount nodes {{ at @skip(if: $x) }} }} }} }}",
            "case_event",
        ),
    ],
)
def test_a_total_is_told_only_where_no_row_of_its_page_fails(
    desk: Desk, json_mode: bool, selection: str, last: str
) -> None:
    empty = asked(desk, json_mode, selection.format(size=0))
    assert empty.errors == ()
    counts = _counts(empty.data)
    assert sum(counts) >= 2
    assert told(empty.disclosure.reads[-1]) == (last, 0, {}, {}, 0, sum(counts))
    failed = asked(desk, json_mode, selection.format(size=1))
    assert len(failed.errors) == len(counts)
    assert _counts(failed.data) == []
    assert told(failed.disclosure.reads[-1]) == nothing(last)


def _counts(value: Any) -> list[int]:
    """Every totalCount of an answer."""
    if isinstance(value, list):
        return [count for one in value for count in _counts(one)]
    if not isinstance(value, dict):
        return []
    own = [value["totalCount"]] if "totalCount" in value else []
    return own + [count for one in value.values() for count in _counts(one)]


@MODES
def test_a_look_up_stays_in_the_record(desk: Desk, json_mode: bool) -> None:
    number = desk.site.shown("zhelai").id18
    text = "citizen(by: {idNumber: $n}) { name @skip(if: $x) }"
    answer = asked(desk, json_mode, text, number)
    assert [e["path"] for e in answer.errors] == [["citizen"]]
    assert [told(r) for r in answer.disclosure.reads] == [nothing("citizen")]
    assert (len(answer.disclosure.sought), answer.disclosure.code) == (1, "BAD_USER_INPUT")
    assert answer.disclosure.reads[0].states == {}  # one who is not there has NO_RECORD


@MODES
def test_a_departments_row_that_cannot_be_read_is_not_counted(desk: Desk, json_mode: bool) -> None:
    text = (
        "citizen(by: {idNumber: $n}) { name civilAffairs { minLiving { status @skip(if: $x) } } }"
    )
    answer = asked(desk, json_mode, text, desk.site.shown("zhelai").id18)
    assert [e["path"] for e in answer.errors] == [["citizen", "civilAffairs", "minLiving"]]
    citizen, living = answer.disclosure.reads
    assert told(citizen) == ("citizen", 1, {}, {"Citizen.name": 1}, 1, None)
    assert told(living) == nothing("min_living")
    assert (living.asked, living.states) == (True, {"NO_RECORD": 0})


# ---- what is asked -----------------------------------------------------------------------------


def test_its_rows_are_looked_for_without_a_column(desk: Desk) -> None:
    text = "query($x: Boolean = true) { cases { nodes { id applicant { name @skip(if: $x) } } } }"
    gate = desk.gate(LAB)
    for value, riding, columns in ((None, [], ()), (False, [1], ("name",))):
        plan = desk.engine(True).explain(Question(text, None, {"x": value}), gate)
        assert [r.id for r in plan.shape.walk() if plan.rides(r.id)] == riding
        assert plan.shape.by_id[1].columns == columns
    plan = desk.engine(True).explain(Question(text, None, {"x": None}), gate)
    said = explain(plan, gate, desk.catalog, desk.sources).splitlines()
    at = next(i for i, line in enumerate(said) if line.startswith("  [1] "))
    assert said[at + 1] == "      选择：@skip 或 @include 的条件为空，逐个对象报错，不给出内容"
    assert said[at + 3] == "      列：（只取存在与否）"


@MODES
def test_in_the_root_it_costs_the_answer_and_asks_nobody(desk: Desk, json_mode: bool) -> None:
    before = desk.sent()
    answer = asked(desk, json_mode, "departments @include(if: $x) { code } viewer { account }")
    assert desk.sent() == before
    assert (answer.data, answer.executed) == (None, True)
    assert [(e["message"], e.get("path")) for e in answer.errors] == [(SAID, None)]
    found = answer.disclosure
    assert (found.outcome, found.code, found.reads) == ("INVALID", "BAD_USER_INPUT", ())
    assert found.variables == (("x", "Boolean"),)


def test_in_the_root_there_is_no_plan(desk: Desk) -> None:
    text = "query($x: Boolean = true) { departments @include(if: $x) { code } }"
    engine = desk.engine(True)
    for _ in range(2):  # the second time from the cache of Shapes
        with pytest.raises(BadUserInput, match="@include"):
            engine.explain(Question(text, None, {"x": None}), desk.gate(LAB))
