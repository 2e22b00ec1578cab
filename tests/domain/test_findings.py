"""比对规则 R04, R05, R06, R16: whom they find and cannot judge. R03: test_comparison.py."""

from __future__ import annotations

from dataclasses import replace
from datetime import date

import pytest

from catalog.comparison import Outcome, Rule, Tier
from catalog.load import load
from domain.comparison import Judged
from domain.findings import (
    Aided,
    Appraisal,
    Entitled,
    House,
    Owner,
    Plan,
    Record,
    Watched,
    anybody,
    twice_aided,
    unhelped,
    uninsured,
    unplanned,
)

DAY = date(2026, 11, 5)
LAST_YEAR = date(2025, 11, 5)  # twelve months before


def rule(code: str) -> Rule:
    return load().comparisons.rule(code, DAY)


def whom(judged: Judged) -> list[str]:
    assert {(hit.outcome, hit.tier) for hit in judged.hits} <= {(Outcome.LIFT, Tier.PLAIN)}
    return [hit.citizen for hit in judged.hits]


def told(judged: Judged) -> tuple[list[str], int]:
    return whom(judged), judged.unjudged


def test_the_rules_are_the_designs() -> None:
    found = {
        r.code: (r.owner, r.limit.amount, r.limit.unit, dict(r.parameters))
        for r in load().comparisons.on(DAY)
        if r.code != "R03"
    }
    assert found == {
        "R04": ("hou", 7, "DAY", {"months": 12}),
        "R05": ("med", 5, "WORKING_DAY", {}),
        "R06": ("mca", 5, "WORKING_DAY", {}),
        "R16": ("rev", 3, "WORKING_DAY", {"months": 1}),
    }


@pytest.mark.parametrize(
    ("facts", "result"),
    [
        ((), False),
        ((False, False), False),
        ((False, None), None),
        ((None, True), True),
    ],
)
def test_one_who_is_so_settles_it_and_one_unknown_leaves_it_open(
    facts: tuple[bool | None, ...], result: bool | None
) -> None:
    assert anybody(facts) is result


# ---- R04 ---------------------------------------------------------------------------------------

C2025, D2025 = Appraisal(date(2025, 3, 1), "C"), Appraisal(date(2025, 3, 1), "D")
B2026, C2026 = Appraisal(date(2026, 3, 1), "B"), Appraisal(date(2026, 3, 1), "C")


def owner(*houses: House, home: str = "h", low: bool | None = True) -> Owner:
    return Owner("a", home, houses, low)


@pytest.mark.parametrize(
    ("house", "hit"),
    [
        (House((C2025,), ()), True),
        (House((D2025,), ()), True),
        (House((B2026,), ()), False),
        (House((), ()), False),
        (House((B2026, D2025), ()), False),  # the latest counts, not the worst
        (House((Appraisal(date(2024, 1, 1), "A"), C2025), ()), True),
        (House((C2025,), (Plan(date(2025, 11, 4), None),)), True),
        (House((C2025,), (Plan(LAST_YEAR, None),)), False),
        (House((C2025,), (Plan(None, None),)), False),  # listed, not begun
        (House((C2025,), (Plan(date(2025, 4, 1), date(2025, 8, 1)),)), False),
        # Renovated, and appraised as dangerous again since: nobody sees to that.
        (House((C2025, C2026), (Plan(date(2025, 4, 1), date(2025, 8, 1)),)), True),
    ],
)
def test_r04_a_dangerous_house_that_nobody_renovates(house: House, hit: bool) -> None:
    assert told(unplanned([owner(house)], rule("R04"), DAY)) == (["a"] if hit else [], 0)


def test_r04_is_about_low_income_households_as_a_whole() -> None:
    house = House((C2025,), ())
    member = Owner("b", "h", (), True)
    assert told(unplanned([owner(house, low=False)], rule("R04"), DAY)) == ([], 0)
    assert told(unplanned([owner(house, low=False), member], rule("R04"), DAY)) == (["a"], 0)
    assert told(unplanned([owner(house, low=None)], rule("R04"), DAY)) == ([], 1)
    assert told(unplanned([owner(house, low=None), member], rule("R04"), DAY)) == (["a"], 0)
    # Of a sound house nobody need know how poor its owner is.
    assert told(unplanned([owner(House((B2026,), ()), low=None)], rule("R04"), DAY)) == ([], 0)
    assert told(unplanned([Owner("a", "h", None, True)], rule("R04"), DAY)) == ([], 1)


# ---- R05, R06 ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("facts", "result"),
    [
        ((True, False, False), (["a"], 0)),
        ((False, True, False), (["a"], 0)),
        ((False, False, False), ([], 0)),
        ((True, True, True), ([], 0)),
        ((False, False, None), ([], 0)),
        ((None, None, True), ([], 0)),
        ((None, False, False), ([], 1)),
        ((None, True, False), (["a"], 0)),
        ((True, False, None), ([], 1)),
    ],
)
def test_r05_whoever_is_aided_or_monitored_is_to_be_insured(
    facts: tuple[bool | None, bool | None, bool | None], result: tuple[list[str], int]
) -> None:
    assert told(uninsured([Entitled("a", *facts)], rule("R05"), DAY)) == result


def test_r05_says_by_what_he_is_entitled() -> None:
    people = [Entitled("b", False, True, False), Entitled("a", True, True, False)]
    assert [hit.says for hit in uninsured(people, rule("R05"), DAY).hits] == [
        "低保或特困对象，2026 年度没有正常的居民或职工医保",
        "监测对象，2026 年度没有正常的居民或职工医保",
    ]


@pytest.mark.parametrize(
    ("facts", "result"),
    [
        ((True, True), (["a"], 0)),
        ((True, False), ([], 0)),
        ((False, None), ([], 0)),
        ((None, True), ([], 1)),
        ((None, None), ([], 1)),
    ],
)
def test_r06_two_schemes_that_exclude_each_other(
    facts: tuple[bool | None, bool | None], result: tuple[list[str], int]
) -> None:
    assert told(twice_aided([Aided("a", *facts)], rule("R06"), DAY)) == result


# ---- R16 ---------------------------------------------------------------------------------------

WAITING = Record(date(2026, 9, 1), open=True, measures=False)


def member(citizen: str, *records: Record, head: bool = False, home: str | None = "h") -> Watched:
    return Watched(citizen, home, head, records)


@pytest.mark.parametrize(
    ("record", "hit"),
    [
        (WAITING, True),
        (replace(WAITING, identified=date(2026, 10, 1)), False),  # until its 31st, a month and more
        (replace(WAITING, measures=True), False),
        (replace(WAITING, open=False), False),
        (replace(WAITING, identified=None), False),
    ],
)
def test_r16_a_monitored_household_that_got_no_help(record: Record, hit: bool) -> None:
    assert told(unhelped([member("a", record)], rule("R16"), DAY)) == (["a"] if hit else [], 0)


def test_r16_a_household_is_one_hit_its_head_or_the_first_on_the_list() -> None:
    people = [member(c, WAITING) for c in "cab"]
    assert whom(unhelped(people, rule("R16"), DAY)) == ["a"]
    people[0] = member("c", WAITING, head=True)
    assert whom(unhelped(people, rule("R16"), DAY)) == ["c"]
    helped = member("d", replace(WAITING, measures=True))
    assert whom(unhelped([*people, helped], rule("R16"), DAY)) == []
    alone = [member(c, WAITING, home=None) for c in "ba"]
    assert whom(unhelped(alone, rule("R16"), DAY)) == ["a", "b"]


def test_r16_counts_whom_the_list_did_not_answer_for() -> None:
    down = Watched("a", "h", False, None)
    assert told(unhelped([down, member("b")], rule("R16"), DAY)) == ([], 1)
