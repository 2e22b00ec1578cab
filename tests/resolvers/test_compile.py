"""Document and variables -> Shape, Shape and rights -> Plan: what is one Read, what rides."""

from __future__ import annotations

from collections.abc import Mapping
from enum import Enum
from typing import TYPE_CHECKING, Any

import pytest

from authz.lens import CellState
from resolvers.answer import Question
from resolvers.compile import RIDE_LEVELS
from resolvers.plan import Kind, OutFault, Plan
from resolvers.shape import signature

if TYPE_CHECKING:
    from tests.resolvers.conftest import Desk


def planned(
    desk: Desk,
    text: str,
    variables: Mapping[str, Any] | None = None,
    *,
    account: str = "lab",
    json_mode: bool = False,
) -> Plan:
    question = Question(text, None, variables or {})
    return desk.engine(json_mode).explain(question, desk.gate(account))


def reads(plan: Plan) -> list[tuple[str, tuple[str, ...]]]:
    return [(".".join(r.path), r.columns) for r in plan.shape.walk()]


def statement(plan: Plan, read: int = 0) -> str:
    prepared = plan.reads[read].prepared
    assert prepared is not None
    return prepared.describe()


def riding(plan: Plan) -> set[str]:
    return {".".join(r.path) for r in plan.shape.walk() if plan.rides(r.id)}


# ---- the signature -----------------------------------------------------------------------------


class Level(Enum):
    TOWNSHIP = "TOWNSHIP"
    VILLAGE = "VILLAGE"


def test_the_signature_tells_presence_nulls_and_booleans_apart() -> None:
    told: list[dict[str, Any]] = [
        {},
        {"a": None},
        {"a": True},
        {"a": False},
        {"a": "text"},
        {"a": ["text"]},
        {"a": {}},
        {"a": {"b": None}},
        {"a": {"b": "text"}},
        {"a": {"b": "text", "c": None}},
        {"b": "text"},
    ]
    assert len({repr(signature(t)) for t in told}) == len(told)
    assert len({signature(t) for t in told}) == len(told)


def test_values_that_are_only_bound_share_a_signature() -> None:
    same: list[dict[str, Any]] = [
        {"a": "text"},
        {"a": 7},
        {"a": Level.TOWNSHIP},
        {"a": Level.VILLAGE},
    ]
    assert len({repr(signature(t)) for t in same}) == 1


def test_the_signature_holds_no_value() -> None:
    number = "539922197704129912"
    shown = repr(signature({"n": number, "by": {"idNumber": number}, "many": [number], "size": 17}))
    assert number not in shown
    assert "17" not in shown
    assert signature({"n": number}) == signature({"n": "another"})
    assert signature({"n": 1}) == signature({"n": 0})
    assert signature({"n": 1}) != signature({"n": True})


# ---- one Read or several -----------------------------------------------------------------------


def test_selections_of_one_key_are_merged_and_aliases_are_not(desk: Desk) -> None:
    text = """
    query { division(code: "532622205000") { ...A ... on Division { children { name } } code }
            other: division(code: "532622206000") { code } }
    fragment A on Division { name children { code level } more: children { level } }
    """
    assert reads(planned(desk, text)) == [
        ("division", ("name", "code")),
        ("division.children", ("code", "level", "name")),
        ("division.more", ("level",)),
        ("other", ("code",)),
    ]


def test_a_column_asked_by_two_names_is_fetched_once(desk: Desk) -> None:
    text = '{ division(code: "532622205000") { a: name b: name __typename } }'
    assert reads(planned(desk, text)) == [("division", ("name",))]


def test_a_read_without_columns_still_asks_whether_the_row_is_there(desk: Desk) -> None:
    plan = planned(desk, "{ cases(first: 1) { nodes { applicant { __typename } } } }")
    assert reads(plan) == [("cases", ()), ("cases.applicant", ())]
    assert "citizen" in statement(plan, 1)


@pytest.mark.parametrize(
    ("skip", "include", "expected"),
    [
        (False, True, ["division", "division.parent", "division.children"]),
        (True, True, ["division", "division.children"]),
        (False, False, ["division", "division.parent"]),
        (True, False, ["division"]),
    ],
)
def test_skip_and_include_take_whole_reads_away(
    desk: Desk, skip: bool, include: bool, expected: list[str]
) -> None:
    text = """query($s: Boolean!, $i: Boolean = true) { division(code: "532622205000") {
      code parent @skip(if: $s) { code } ...F @include(if: $i) } }
      fragment F on Division { children { code } }"""
    plan = planned(desk, text, {"s": skip, "i": include})
    assert [path for path, _ in reads(plan)] == expected


def test_a_condition_that_is_null_leaves_a_fault_in_place_of_the_selection(desk: Desk) -> None:
    text = "query($i: Boolean = true) { departments { code name @include(if: $i) } }"
    (root,) = planned(desk, text, {"i": None}).shape.roots
    (fault,) = root.outs
    assert isinstance(fault, OutFault)
    assert (fault.error.code, fault.error.reason) == ("BAD_USER_INPUT", "VARIABLE")
    assert (root.columns, root.children, root.unreadable) == ((), (), True)


def test_the_order_of_the_answer_is_the_order_of_the_document(desk: Desk) -> None:
    plan = planned(desk, "{ b: departments { code } a: viewer { account } c: __typename }")
    assert [out.key for out in plan.shape.outs] == ["b", "a", "c"]


# ---- statements --------------------------------------------------------------------------------

FILTERED = """query($f: CaseFilter, $after: String) {
  cases(filter: $f, after: $after, first: 1) { nodes { id } } }"""


def test_each_choice_of_filters_and_cursor_has_its_own_statement(desk: Desk) -> None:
    choices: list[dict[str, Any]] = [
        {},
        {"f": {"state": "CLOSED"}},
        {"f": {"overdue": True}},
        {"f": {"state": "CLOSED", "overdue": False}},
        {"f": {"division": "532622205000"}},
        {"f": {"department": "mca"}},
        {"after": "x"},
        {"f": {"state": "CLOSED"}, "after": "x"},
    ]
    texts = {statement(planned(desk, FILTERED, c)) for c in choices}
    assert len(texts) == len(choices)
    # A null is as good as nothing: no condition compares with it.
    empty = statement(planned(desk, FILTERED))
    assert statement(planned(desk, FILTERED, {"f": {"state": None}, "after": None})) == empty


def test_no_value_of_the_asker_stands_in_a_statement(desk: Desk) -> None:
    number = "539922197704129912"
    text = """query($n: String!, $d: DivisionCode) { citizen(by: {idNumber: $n}) { name }
      cases(filter: {division: $d, department: "housing-x"}, first: 77) { nodes { id } } }"""
    plan = planned(desk, text, {"n": number, "d": "532622205000"}, account="zhelai-town-01")
    said = statement(plan, 0) + statement(plan, 1)
    for value in (number, "532622205", "housing-x", "77"):
        assert value not in said


def test_what_the_asker_may_not_see_is_not_selected(desk: Desk) -> None:
    text = "query($n: String!) { case(caseNo: $n) { caseNo body decision } }"
    number = {"n": desk.site.shown("zhelai").case_no}
    village = planned(desk, text, number, account="zhelai-village-01")
    assert village.reads[0].states["body"] is CellState.HIDDEN
    assert "body" not in statement(village)
    town = planned(desk, text, number, account="zhelai-town-01")
    assert town.reads[0].states["body"] is CellState.CLEAR
    assert "case_file.body" in statement(town)
    # Masked to nothing: the column itself does not leave the database.
    lab = planned(desk, text, number)
    assert lab.reads[0].states["body"] is CellState.MASKED
    assert "case_file.body" not in statement(lab)


def test_a_relation_nobody_may_follow_has_no_statement(desk: Desk) -> None:
    text = "{ cases(first: 1) { nodes { orders { orderNo } } } }"
    plan = planned(desk, text, account="zhelai-village-01", json_mode=True)
    assert plan.reads[1].prepared is None
    assert not plan.rides(1)


# ---- what rides --------------------------------------------------------------------------------


def test_a_closed_subtree_rides_in_its_parents_statement(desk: Desk) -> None:
    text = """{ cases(first: 1) { nodes { division { name parent { name } }
      orders { orderNo } events(first: 1) { nodes { state } } } } }"""
    plan = planned(desk, text, json_mode=True)
    below = {"division", "division.parent", "orders", "events"}
    assert riding(plan) == {f"cases.{path}" for path in below}
    assert riding(planned(desk, text)) == set()


def test_a_root_whose_whole_tree_rides_is_one_text(desk: Desk) -> None:
    choices = {
        "{ cases(first: 1) { totalCount nodes { division { name } } } }": True,
        "{ cases(first: 1) { nodes { applicant { name cases(last: 2) { totalCount } } } } }": False,
        "{ cases(first: 1) { pageInfo { endCursor } nodes { caseNo } } }": False,
        "{ cases(first: 1) { edges { cursor } nodes { caseNo } } }": False,
        "{ cases(first: 1) { nodes { caseNo access { state } } } }": False,
        "{ cases(first: 1) { nodes { caseNo } more: nodes { caseNo } } }": False,
        '{ division(code: "532622205201") { name parent { name } } }': True,
    }
    for text, whole in choices.items():
        plan = planned(desk, text, json_mode=True)
        assert plan.reads[0].whole is whole, text
        assert not planned(desk, text).reads[0].whole


def test_a_page_with_cursors_or_counted_without_rows_comes_as_rows(desk: Desk) -> None:
    text = """{ cases(first: 1) { nodes {
      a: events(first: 1) { nodes { state } totalCount __typename }
      b: events(first: 1) { nodes { state } pageInfo { endCursor } }
      c: events(first: 1) { totalCount } d: events(last: 2) { nodes { state } }
      e: events(first: 1, after: "x") { nodes { state } } } } }"""
    plan = planned(desk, text, json_mode=True)
    assert riding(plan) == {"cases.a", "cases.d"}


def test_what_is_elsewhere_or_has_states_to_show_does_not_ride(desk: Desk) -> None:
    text = """{ cases(first: 1) { nodes { applicant { name quality } } }
      household(id: "x") { members { civilAffairs { minLiving { status } } quality } }
      supervisionOrders(first: 1) { nodes { case { access { state } } } } }"""
    plan = planned(desk, text, account="zhelai-town-01", json_mode=True)
    assert riding(plan) == set()
    assert {r.kind for r in plan.shape.walk()} == {Kind.ROOT, Kind.EDGE, Kind.FACET}


def test_a_statement_carries_no_more_than_three_levels_and_one_unpaged_list(desk: Desk) -> None:
    up = "name"
    for _ in range(RIDE_LEVELS + 2):
        up = f"parent {{ {up} }}"
    plan = planned(desk, f'{{ division(code: "532622205201") {{ {up} }} }}', json_mode=True)
    # The topmost is too tall to ride, so it has a statement and carries those below it.
    assert [plan.rides(r.id) for r in plan.shape.walk()] == [False] * 3 + [True] * RIDE_LEVELS
    lists = "{ departments { datasets { fields { name } } } }"
    assert riding(planned(desk, lists, json_mode=True)) == {"departments.datasets.fields"}
