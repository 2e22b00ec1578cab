"""Limits, routes and staffing as rows: what the design says, read strictly."""

from __future__ import annotations

import tomllib
from datetime import date
from pathlib import Path
from typing import Any

import pytest

from catalog.divisions import Level
from catalog.errors import CatalogError
from catalog.load import load
from catalog.procedures import (
    ChangeRoute,
    Procedure,
    Procedures,
    Step,
    Unit,
    in_force,
    read_procedures,
)
from catalog.table import Table
from catalog.validity import Ground, LegalStanding

FILE = Path(__file__).parents[2] / "catalog" / "procedures.toml"
DAY = date(2026, 11, 1)
DESIGN = {
    "SUPERVISION SIGN": (1, "WORKING_DAY"),
    "SUPERVISION URGE": (1, "WORKING_DAY"),
    "SUPERVISION SUPERVISE": (3, "WORKING_DAY"),
    "SUPERVISION KEY": (None, None),
    "SUPERVISION LEADER": (None, None),
    "SUPERVISION ESCALATE_SENT_BACK": (2, "TIMES"),
    "SUPERVISION ESCALATE_LATE": (3, "DAY"),
    "COMPLAINT RECEIVE": (1, "WORKING_DAY"),
    "COMPLAINT ANSWER": (10, "WORKING_DAY"),
    "COMPLAINT ANSWER_ESCALATED": (10, "WORKING_DAY"),
    "APPEAL RECEIVE": (1, "WORKING_DAY"),
    "APPEAL ANSWER": (10, "WORKING_DAY"),
    "APPEAL ANSWER_ESCALATED": (10, "WORKING_DAY"),
    "PRIVACY_OBJECTION RECEIVE": (1, "WORKING_DAY"),
    "PRIVACY_OBJECTION ANSWER": (10, "WORKING_DAY"),
    "PRIVACY_OBJECTION ANSWER_ESCALATED": (10, "WORKING_DAY"),
    "CORRECTION ACCEPT": (1, "WORKING_DAY"),
    "CORRECTION CORRECT": (10, "WORKING_DAY"),
    "CORRECTION EXTEND": (5, "WORKING_DAY"),
    "CORRECTION TELL_READERS_OF": (180, "DAY"),
    "SPOT_CHECK RECTIFY": (10, "WORKING_DAY"),
    "SHARING REVIEW": (2, "WORKING_DAY"),
    "SHARING ANSWER_UNCONDITIONAL": (1, "WORKING_DAY"),
    "SHARING ANSWER": (10, "WORKING_DAY"),
    "SHARING EXTEND": (10, "WORKING_DAY"),
    "SHARING PROVISION": (20, "WORKING_DAY"),
    "SHARING MEDIATE": (5, "WORKING_DAY"),
}

SHARING = ("REVIEW", "ANSWER_UNCONDITIONAL", "ANSWER", "EXTEND", "PROVISION", "MEDIATE")


def written() -> dict[str, Any]:
    return tomllib.loads(FILE.read_text(encoding="utf-8"))


def reading(data: dict[str, Any]) -> Procedures:
    catalog = load()
    table = Table("procedures.toml", "", data)
    return read_procedures(table, catalog.departments, catalog.legal_bases)


def refused(data: dict[str, Any]) -> str:
    with pytest.raises(CatalogError) as error:
        reading(data)
    return str(error.value)


def test_the_limits_are_the_designs() -> None:
    limits = load().procedures.limits
    assert {f"{row.procedure} {row.step}": (row.amount, row.unit) for row in limits} == DESIGN
    assert len(limits) == len(DESIGN) == 27


def test_only_the_limits_of_corrections_and_sharing_wait_for_the_legal_office() -> None:
    catalog = load()
    waiting = [
        (row.step.value, row.ground.legal_basis)
        for row in catalog.procedures.limits
        if row.ground.standing is LegalStanding.TO_BE_CONFIRMED
    ]
    steps = ("CORRECT", "EXTEND", *SHARING)
    assert waiting == [(step, "DECREE_809") for step in steps]
    assert not catalog.legal_bases["DECREE_809"].confirmed
    # No length is in the Measures themselves: theirs are defaults of this product.
    assert {row.ground.standing for row in catalog.procedures.limits} == {
        LegalStanding.DEFAULT,
        LegalStanding.TO_BE_CONFIRMED,
    }


def test_townships_go_to_the_county_and_departments_to_the_prefecture() -> None:
    procedures = load().procedures
    assert procedures.route(Level.VILLAGE, DAY) is ChangeRoute.COUNTY
    assert procedures.route(Level.TOWNSHIP, DAY) is ChangeRoute.COUNTY
    assert procedures.route(Level.COUNTY, DAY) is ChangeRoute.PREFECTURE
    with pytest.raises(LookupError, match=r"^no route for PROVINCE on 2026-11-01$"):
        procedures.route(Level.PROVINCE, DAY)


def test_an_order_that_says_its_limit_itself_has_no_count() -> None:
    procedures = load().procedures
    sign = procedures.limit(Procedure.SUPERVISION, Step.SIGN, DAY)
    assert (sign.count, sign.unit) == (1, Unit.WORKING_DAY)
    key = procedures.limit(Procedure.SUPERVISION, Step.KEY, DAY)
    with pytest.raises(LookupError, match=r"^SUPERVISION KEY is as written$"):
        _ = key.count


def test_a_row_is_in_force_from_its_first_day_to_its_last() -> None:
    row = Ground("MEASURES_ART_18", LegalStanding.DEFAULT, date(2026, 1, 1), date(2026, 2, 28))
    days = [date(2025, 12, 31), date(2026, 1, 1), date(2026, 2, 28), date(2026, 3, 1)]
    assert [row.holds(day) for day in days] == [False, True, True, False]


def test_a_new_value_takes_over_on_its_day_and_the_old_one_is_kept() -> None:
    data = written()
    old = next(row for row in data["limit"] if row["step"] == "SIGN")
    data["limit"].append(old | {"amount": 2, "from": date(2027, 1, 1)})
    old["until"] = date(2026, 12, 31)
    procedures = reading(data)
    asked = (Procedure.SUPERVISION, Step.SIGN)
    assert procedures.limit(*asked, date(2026, 12, 31)).count == 1
    assert procedures.limit(*asked, date(2027, 1, 1)).count == 2
    assert len(procedures.limits) == 28
    with pytest.raises(LookupError, match=r"^no limit for SUPERVISION SIGN on 2022-07-17$"):
        procedures.limit(*asked, date(2022, 7, 17))


def test_the_staffing_rows_are_the_articles() -> None:
    rows = load().procedures.staffing(DAY)
    assert [(len(row.departments), row.level.value, row.accounts) for row in rows] == [
        (1, "COUNTY", 2),
        (1, "TOWNSHIP", 2),
        (1, "VILLAGE", 1),
        (7, "COUNTY", 2),
        (7, "TOWNSHIP", 1),
    ]
    assert in_force(rows, date(2022, 7, 17)) == ()


CHANGED: dict[str, tuple[str, int, dict[str, Any], str]] = {
    "a step of another procedure": (
        "limit",
        0,
        {"step": "RECTIFY"},
        "limit[RECTIFY].step: is none of SUPERVISION: use one of "
        "SIGN URGE SUPERVISE KEY LEADER ESCALATE_SENT_BACK ESCALATE_LATE",
    ),
    "no amount": ("limit", 0, {"amount": None}, "limit[SIGN].amount: is missing"),
    "an amount of nought": ("limit", 0, {"amount": 0}, "limit[SIGN].amount: must be 1 or more"),
    "a unit that counts something else": (
        "limit",
        0,
        {"unit": "TIMES"},
        "limit[SIGN].unit: `TIMES` does not count SIGN",
    ),
    "send-backs in days": (
        "limit",
        5,
        {"unit": "DAY"},
        "limit[ESCALATE_SENT_BACK].unit: `DAY` does not count ESCALATE_SENT_BACK",
    ),
    "as written where no order writes": (
        "limit",
        0,
        {"as_written": True},
        "limit[SIGN].as_written: is for KEY LEADER only",
    ),
    "as written and an amount": ("limit", 3, {"amount": 1}, "limit[KEY].amount: is unknown"),
    "an unknown basis": ("limit", 0, {"legal_basis": "NOPE"}, "limit[SIGN].legal_basis: `NOPE`"),
    "an unknown standing": ("limit", 0, {"standing": "SURE"}, "limit[SIGN].standing: `SURE`"),
    "a law's value of a law nobody has confirmed": (
        "limit",
        17,
        {"standing": "STATUTORY"},
        "limit[CORRECT].standing: `DECREE_809` is not confirmed",
    ),
    "no first day": ("limit", 0, {"from": None}, "limit[SIGN].from: is missing"),
    "an end before the beginning": (
        "limit",
        0,
        {"until": date(2022, 7, 17)},
        "limit[SIGN].until: lies before `from`",
    ),
    "a word nobody knows": ("limit", 0, {"note": "x"}, "limit[SIGN].note: is unknown"),
    "a department nobody knows": (
        "staffing",
        0,
        {"departments": ["tax"]},
        "staffing[COUNTY].departments: `tax` is no department",
    ),
    "no department": (
        "staffing",
        0,
        {"departments": []},
        "staffing[COUNTY].departments: is missing",
    ),
    "two routes of a level": (
        "change_route",
        0,
        {"level": "COUNTY"},
        "change_route[COUNTY]: stands twice for one day",
    ),
    "two rows of a station": (
        "staffing",
        3,
        {"departments": ["rev"]},
        "staffing[rev COUNTY]: stands twice for one day",
    ),
    "a step without a row": (
        "limit",
        1,
        {"step": "SUPERVISE"},
        "limit[SUPERVISION URGE]: is missing: add a row",
    ),
}


@pytest.mark.parametrize("case", CHANGED)
def test_a_wrong_row_stops_the_start_with_key_and_remedy(case: str) -> None:
    kind, index, change, line = CHANGED[case]
    data = written()
    row = data[kind][index] | change
    data[kind][index] = {key: value for key, value in row.items() if value is not None}
    assert refused(data).startswith(f"procedures.toml: {line}")


def test_two_limits_of_a_step_on_one_day_are_refused() -> None:
    data = written()
    data["limit"].append(data["limit"][0] | {"amount": 2, "from": date(2027, 1, 1)})
    line = "procedures.toml: limit[SUPERVISION SIGN]: stands twice for one day"
    assert refused(data).startswith(line)
    # The last day of one and the first of the next must not be the same.
    data = written()
    data["limit"].append(data["limit"][0] | {"amount": 2, "from": date(2027, 1, 1)})
    data["limit"][0]["until"] = date(2027, 1, 1)
    assert refused(data).startswith(line)


def test_a_kind_of_row_nobody_knows_is_refused() -> None:
    assert refused(written() | {"limits": []}).startswith("procedures.toml: limits: is unknown")
