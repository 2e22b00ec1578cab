"""比对规则: read strictly, valid for their time, kept with a run as they were."""

from __future__ import annotations

import json
import tomllib
from datetime import date
from typing import Any

import pytest

from catalog.comparison import Comparisons, Outcome, Tier, plain, read_comparisons
from catalog.errors import CatalogError
from catalog.limits import Limit, Unit
from catalog.load import HERE, load
from catalog.table import Table

DAY = date(2026, 11, 5)


def written() -> dict[str, Any]:
    """The file, to be changed."""
    found: dict[str, Any] = tomllib.loads((HERE / "comparison.toml").read_text(encoding="utf-8"))
    return found


def read(data: dict[str, Any]) -> Comparisons:
    words = load()
    table = Table("comparison.toml", "", data)
    return read_comparisons(table, words.items, words.departments, words.legal_bases)


def test_r03_is_the_designs() -> None:
    rule = load().comparisons.rule("R03", DAY)
    assert (rule.title, rule.owner, rule.limit, rule.quiet_days) == (
        *("大额自付未监测", "rev", Limit(5, Unit.WORKING_DAY), 90),
    )
    assert [(t.household, t.yuan, t.outcome) for t in rule.on(DAY)] == [
        ("OTHER", 20_000, Outcome.LIFT),
        ("OTHER", 10_000, Outcome.WATCH),
        ("EX_POOR", 5_000, Outcome.LIFT),
    ]
    assert rule.tiers == ((Tier.RED, 30_000), (Tier.ORANGE, 20_000), (Tier.YELLOW, 10_000))
    assert load().codes["ComparisonRule"]["R03"] == rule.title


def test_the_month_is_run_on_the_fifth_at_seven_in_the_evening() -> None:
    schedule = load().comparisons.schedule(DAY)
    assert schedule is not None
    assert (schedule.day, schedule.hour, schedule.opens, schedule.closes) == (5, 19, 6, 22)
    assert load().comparisons.schedule(date(2020, 1, 1)) is None


def test_a_threshold_of_another_year_is_another_row() -> None:
    data = written()
    first = data["rule"][0]["threshold"][0]
    first["until"] = date(2026, 12, 31)
    data["rule"][0]["threshold"].append(
        {**first, "yuan": 6_000, "from": date(2027, 1, 1), "until": date(2027, 12, 31)}
    )
    rule = read(data).rule("R03", DAY)
    assert [t.yuan for t in rule.on(DAY)] == [20_000, 10_000, 5_000]
    assert [t.yuan for t in rule.on(date(2027, 6, 1))] == [20_000, 10_000, 6_000]
    assert [t["yuan"] for t in json.loads(plain(rule, DAY))["thresholds"]] == [
        20_000,
        10_000,
        5_000,
    ]


def test_a_rule_that_has_ended_is_not_run_and_its_code_stays() -> None:
    data = written()
    data["rule"][0]["until"] = date(2026, 10, 31)
    words = read(data)
    assert "R03" not in {one.code for one in words.on(DAY)}
    with pytest.raises(LookupError):
        words.rule("R03", DAY)
    assert words.rule("R03", date(2026, 10, 31)).code == "R03"


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda d: d["rule"].append(d["rule"][0] | {"version": 2}), "stands twice for one day"),
        (lambda d: d["schedule"][0].update(day=29), "is no day of every month"),
        (lambda d: d["schedule"][0].update(hour=23), "must lie between"),
        (lambda d: d["rule"][0].update(owner="xyz"), "is no department"),
        (lambda d: d["rule"][0].update(item="xyz"), "is no service item"),
        (lambda d: d["rule"][0].update(parameters={"months": 0}), "must be a whole number"),
        (lambda d: d["rule"][0].update(legal_basis="xyz"), "is no legal basis"),
        (lambda d: d["rule"][0]["threshold"][0].update(outcome="PAY"), "is unknown"),
        (lambda d: d["rule"][0]["threshold"][0].pop("yuan"), "is missing"),
        (lambda d: d["rule"][0]["tier"][0].update(colour="red"), "is unknown"),
        (lambda d: d["rule"][0].pop("quiet_days"), "is missing"),
    ],
)
def test_what_is_wrong_is_named(change: Any, said: str) -> None:
    data = written()
    data["rule"][0]["threshold"] = [dict(one) for one in data["rule"][0]["threshold"]]
    change(data)
    with pytest.raises(CatalogError, match=said):
        read(data)
