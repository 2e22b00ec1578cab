"""办理时限: the rows are the design's tables (领域设计 1.5, 1.6), and are read strictly."""

from __future__ import annotations

from datetime import date
from typing import Any

import pytest

from catalog.errors import CatalogError
from catalog.items import FlowKind
from catalog.limits import Bound, Limit, Limits, Part, ProcedureStep, Unit, read_limits
from catalog.load import load
from catalog.nodes import Node
from catalog.table import Table
from catalog.validity import LegalStanding

DAY = date(2026, 11, 2)
CATALOG = load()
LIMITS = CATALOG.limits

# As the table of the design reads; "-" is no row, "open" a row without a length.
F1 = "10 MINUTE|1 WORKING_DAY|3 WORKING_DAY|5 WORKING_DAY|7 DAY|2 WORKING_DAY|10 WORKING_DAY"
TABLE = {
    ("F1", "MIN_LIVING"): f"{F1}|1 MONTH_END|30 DAY",
    ("F1", "EXTREME_POVERTY"): f"{F1}|1 MONTH_END|30 DAY",
    ("F1", "TEMP_AID"): f"{F1}|1 MONTH_END|30 DAY",
    ("F1", "HOUSE_RENOVATION"): f"{F1}|open|30 DAY",
    ("F1_URGENT", "TEMP_AID"): "10 MINUTE|2 HOUR|1 DAY|open|-|-|1 WORKING_DAY|24 HOUR|10 DAY",
    ("F2", "WATER_SAFETY"): "10 MINUTE|4 HOUR|1 DAY|-|-|-|-|3 DAY|7 DAY",
    ("F2", "DROPOUT_PREVENTION"): ("10 MINUTE|1 WORKING_DAY|3 WORKING_DAY|-|-|-|-|7 DAY|7 DAY"),
    ("F3", "JOB_SEEKING"): "10 MINUTE|1 WORKING_DAY|-|-|-|-|-|5 WORKING_DAY|30 DAY",
    ("F3", "CHRONIC_CARE"): "10 MINUTE|1 WORKING_DAY|-|-|-|-|-|5 WORKING_DAY|3 MONTH",
    ("F4", "INSURANCE_ENROLMENT"): (
        "10 MINUTE|1 WORKING_DAY|2 WORKING_DAY|-|-|-|3 WORKING_DAY|20 WORKING_DAY|10 DAY"
    ),
    ("F4", "SERIOUS_ILLNESS_AID"): (
        "10 MINUTE|1 WORKING_DAY|2 WORKING_DAY|-|7 DAY|-|3 WORKING_DAY|20 WORKING_DAY|10 DAY"
    ),
}
PROCEDURES = """
MIN_LIVING WHOLE AT_MOST 30 WORKING_DAY TO_BE_CONFIRMED
MIN_LIVING WHOLE_SPECIAL AT_MOST 45 WORKING_DAY TO_BE_CONFIRMED
MIN_LIVING VERIFICATION AT_MOST 10 WORKING_DAY TO_BE_CONFIRMED
MIN_LIVING NOTICE EXACTLY 7 DAY TO_BE_CONFIRMED
MIN_LIVING COUNTY AT_MOST 10 WORKING_DAY TO_BE_CONFIRMED
MIN_LIVING REFUSAL AT_MOST 3 WORKING_DAY TO_BE_CONFIRMED
EXTREME_POVERTY TOWNSHIP AT_MOST 15 WORKING_DAY TO_BE_CONFIRMED
EXTREME_POVERTY NOTICE EXACTLY 7 DAY TO_BE_CONFIRMED
EXTREME_POVERTY COUNTY AT_MOST 15 WORKING_DAY TO_BE_CONFIRMED
TEMP_AID URGENT_AID AT_MOST 24 HOUR TO_BE_CONFIRMED
MONITORING IDENTIFICATION AT_MOST 15 DAY DEFAULT
MONITORING NOTICE AT_LEAST 5 DAY DEFAULT
MONITORING MEASURE AT_MOST 1 MONTH DEFAULT
SUPERVISION OBJECTION AT_MOST 30 DAY STATUTORY
SUPERVISION DECISION AT_MOST 30 DAY STATUTORY
PETITION REGISTRATION AT_MOST 15 DAY STATUTORY
PETITION FINISH AT_MOST 60 DAY STATUTORY
PETITION FINISH_MORE AT_MOST 30 DAY STATUTORY
"""


def told(flow: str, item: str, node: Node) -> str:
    row = LIMITS.of(FlowKind(flow), node, item, DAY)
    if row is None:
        return "-"
    return f"{row.limit.amount} {row.limit.unit}" if row.limit is not None else "open"


@pytest.mark.parametrize(("flow", "item"), TABLE)
def test_the_node_limits_are_the_designs_table(flow: str, item: str) -> None:
    assert "|".join(told(flow, item, node) for node in Node) == TABLE[flow, item]


def test_a_node_may_have_an_interim_limit() -> None:
    hauling = LIMITS.of(FlowKind.F2, Node.DELIVER, "WATER_SAFETY", DAY, part=Part.HAULING)
    tell = LIMITS.of(FlowKind.F4, Node.DELIVER, "OFFSITE_REIMBURSEMENT", DAY, part=Part.TOLD)
    assert hauling is not None
    assert hauling.limit == Limit(24, Unit.HOUR)
    assert tell is not None
    assert tell.limit == Limit(1, Unit.WORKING_DAY)
    assert (
        LIMITS.of(FlowKind.F2, Node.DELIVER, "DROPOUT_PREVENTION", DAY, part=Part.HAULING) is None
    )


def test_a_refusal_is_told_in_three_working_days() -> None:
    rows = [r for r in LIMITS.nodes if r.part is Part.REFUSAL]
    assert {(r.flow.value, r.item) for r in rows} == {
        *(("F1", None), ("F1", "MIN_LIVING"), ("F1_URGENT", None), ("F4", None)),
    }
    assert {r.limit for r in rows} == {Limit(3, Unit.WORKING_DAY)}


def test_only_nodes_counted_in_days_are_extended() -> None:
    rows = [f"{r.flow} {r.node} {r.limit.amount} {r.limit.unit}" for r in LIMITS.extensions]
    assert rows == [
        "F1 VERIFY 3 WORKING_DAY",
        "F1 DELIBERATE 5 WORKING_DAY",
        "F1 TOWNSHIP_REVIEW 2 WORKING_DAY",
        "F1 COUNTY_DECISION 10 WORKING_DAY",
        "F1 DELIVER 30 DAY",
        "F2 DELIVER 3 DAY",
        "F3 DELIVER 5 WORKING_DAY",
        "F4 VERIFY 2 WORKING_DAY",
        "F4 COUNTY_DECISION 3 WORKING_DAY",
        "F4 DELIVER 10 WORKING_DAY",
    ]
    assert LIMITS.extension(FlowKind.F1_URGENT, Node.VERIFY, DAY) is None
    hours = {"flow": "F1", "node": "ACCEPT", "amount": 2, "unit": "HOUR"} | GROUND
    with pytest.raises(CatalogError, match="DAY or WORKING_DAY"):
        read(extension=[hours])


def test_chronic_care_is_followed_up_again_and_again() -> None:
    recurring = {(r.flow.value, r.node.value, r.item) for r in LIMITS.nodes if r.recurring}
    assert recurring == {("F3", "FOLLOW_UP", "CHRONIC_CARE")}


def test_the_procedure_rows_are_the_designs_table() -> None:
    rows = [
        f"{r.subject} {r.step} {r.bound} {r.limit.amount} {r.limit.unit} {r.ground.standing}"
        for r in LIMITS.procedures
    ]
    assert rows == PROCEDURES.strip().splitlines()
    whole = LIMITS.procedure("MIN_LIVING", ProcedureStep.WHOLE, DAY)
    assert whole is not None
    assert (whole.limit, whole.bound) == (Limit(30, Unit.WORKING_DAY), Bound.AT_MOST)
    assert LIMITS.procedure("JOB_SEEKING", ProcedureStep.WHOLE, DAY) is None


def test_seven_days_and_the_reminder() -> None:
    rule, remind = LIMITS.seven_day("APPOINTMENT", DAY), LIMITS.reminder(DAY)
    assert rule is not None
    assert (rule.item, rule.limit) == (None, Limit(7, Unit.DAY))
    assert rule.ground.standing is LegalStanding.TO_BE_CONFIRMED
    assert remind is not None
    assert (remind.percent, remind.working_days) == (80, 1)
    assert remind.department_after == Limit(24, Unit.HOUR)


def test_no_row_held_before_the_measures() -> None:
    before = date(2022, 7, 17)
    assert LIMITS.of(FlowKind.F1, Node.ACCEPT, "MIN_LIVING", before) is None
    assert LIMITS.procedure("MIN_LIVING", ProcedureStep.WHOLE, before) is None
    assert LIMITS.seven_day("MIN_LIVING", before) is None
    assert LIMITS.reminder(before) is None


def test_what_is_statutory_rests_on_a_confirmed_basis_and_defaults_on_the_measures() -> None:
    tables = (LIMITS.nodes, LIMITS.procedures, LIMITS.seven_days, LIMITS.reminders)
    assert [len(table) for table in (*tables, LIMITS.extensions)] == [43, 18, 1, 1, 10]
    grounds = [
        *(row.ground for row in LIMITS.nodes),
        *(row.ground for row in LIMITS.procedures),
        *(row.ground for row in LIMITS.seven_days),
        *(row.ground for row in LIMITS.reminders),
        *(row.ground for row in LIMITS.extensions),
    ]
    for ground in grounds:
        basis = CATALOG.legal_bases[ground.legal_basis]
        if ground.standing is LegalStanding.STATUTORY:
            assert basis.confirmed
        if ground.standing is LegalStanding.DEFAULT:
            assert basis.code.startswith("MEASURES_")


def test_units_and_standings_are_the_code_tables() -> None:
    assert list(CATALOG.codes["LimitUnit"]) == list(Unit)
    assert list(CATALOG.codes["LegalStanding"]) == list(LegalStanding)


# ---- read strictly ------------------------------------------------------------------------------

GROUND: dict[str, Any] = {
    "standing": "DEFAULT",
    "legal_basis": "MEASURES_ART_17",
    "from": date(2026, 1, 1),
}
NODE: dict[str, Any] = {"flow": "F1", "node": "ACCEPT", "amount": 1, "unit": "WORKING_DAY"} | GROUND
STEP: dict[str, Any] = {
    "subject": "MIN_LIVING",
    "step": "WHOLE",
    "bound": "AT_MOST",
    "amount": 30,
    "unit": "DAY",
}
REMIND: dict[str, Any] = {"percent": 80, "working_days": 1, "department_after_hours": 24} | GROUND


def read(**rows: list[dict[str, Any]]) -> Limits:
    return read_limits(Table("limits.toml", "", rows), CATALOG.items, CATALOG.legal_bases)


@pytest.mark.parametrize(
    ("change", "named"),
    [
        ({"node": "PAY"}, "`PAY` is unknown"),
        ({"flow": "F5"}, "no case goes by `F5`"),
        ({"flow": "F2", "item": "MIN_LIVING"}, "no case goes by `F2`"),
        ({"item": "BREAD"}, "is no service item"),
        ({"unit": "WEEK"}, "`WEEK` is unknown"),
        ({"amount": 0}, "must be 1 or more"),
        ({"amount": 1.5}, "must be a whole number"),
        ({"legal_basis": "MOSES"}, "is no legal basis"),
        ({"standing": "STATUTORY", "legal_basis": "DIBAO_2021_57"}, "is not confirmed"),
        ({"from": "2026-01-01"}, "must be a date"),
        ({"until": date(2025, 12, 31)}, "lies before `from`"),
        ({"colour": "red"}, "is unknown: remove it"),
        ({"open": "按计划"}, "is unknown: remove it"),
    ],
)
def test_a_wrong_word_is_refused(change: dict[str, Any], named: str) -> None:
    with pytest.raises(CatalogError, match=named) as refused:
        read(node_time_limit=[NODE | change])
    assert refused.value.file == "limits.toml"
    assert refused.value.key.startswith("node_time_limit[0]")


@pytest.mark.parametrize(
    "key", ["flow", "node", "amount", "unit", "standing", "legal_basis", "from"]
)
def test_a_missing_word_is_refused(key: str) -> None:
    with pytest.raises(CatalogError, match="is missing"):
        read(node_time_limit=[{k: v for k, v in NODE.items() if k != key}])


@pytest.mark.parametrize("percent", [0, 100])
def test_a_reminder_comes_before_the_end(percent: int) -> None:
    with pytest.raises(CatalogError, match=r"reminder\[0\].percent"):
        read(reminder=[REMIND | {"percent": percent}])


@pytest.mark.parametrize(
    ("kind", "row"),
    [
        ("node_time_limit", NODE),
        ("procedure_time_limit", STEP | GROUND),
        ("seven_day_rule", {"amount": 7, "unit": "DAY"} | GROUND),
        ("reminder", REMIND),
    ],
)
def test_two_rows_for_one_question_on_one_day_are_refused(kind: str, row: dict[str, Any]) -> None:
    last, next_day = date(2026, 6, 30), date(2026, 7, 1)
    with pytest.raises(CatalogError, match="row 1 answers the same"):
        read(**{kind: [row, row | {"from": next_day}]})
    with pytest.raises(CatalogError, match="row 1 answers the same"):
        read(**{kind: [row | {"until": next_day}, row | {"from": next_day}]})
    # One day later they follow each other.
    read(**{kind: [row | {"until": last}, row | {"from": next_day}]})
    read(**{kind: [row | {"from": next_day}, row | {"until": last}]})


def test_a_change_of_limits_holds_from_its_day() -> None:
    last, next_day = date(2026, 6, 30), date(2026, 7, 1)
    found = read(node_time_limit=[NODE | {"until": last}, NODE | {"from": next_day, "amount": 2}])
    amounts = [
        row.limit.amount
        for day in (last, next_day)
        if (row := found.of(FlowKind.F1, Node.ACCEPT, "MIN_LIVING", day)) and row.limit
    ]
    assert amounts == [1, 2]


def test_an_items_own_row_goes_first_in_any_order() -> None:
    own = NODE | {"item": "MIN_LIVING", "amount": 9}
    for rows in ([NODE, own], [own, NODE]):
        found = read(node_time_limit=rows)
        row = found.of(FlowKind.F1, Node.ACCEPT, "MIN_LIVING", DAY)
        other = found.of(FlowKind.F1, Node.ACCEPT, "TEMP_AID", DAY)
        assert row is not None
        assert row.limit == Limit(9, Unit.WORKING_DAY)
        assert other is not None
        assert other.limit == Limit(1, Unit.WORKING_DAY)
