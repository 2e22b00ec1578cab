"""The county's shares: 领域设计 2.7, within what chance allows at 48,000 people."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from datetime import date
from typing import Any

import pytest

from adapters.identity import canonical
from catalog.states import DQCode
from hub.demo.county import AS_OF, County
from hub.demo.people import years
from hub.demo.places import ETHNIC, POPULATION, fitted_shares

AskLarger = Callable[..., list[tuple[Any, ...]]]


def share(ask: AskLarger, condition: str) -> float:
    """Per cent of citizens."""
    rows = ask(f"SELECT 100.0 * avg(CASE WHEN {condition} THEN 1 ELSE 0 END) FROM citizen")
    return float(rows[0][0])


def test_townships_have_their_head_counts(ask_larger: AskLarger) -> None:
    rows = ask_larger("SELECT substr(home_path, 1, 9), count(*) FROM citizen GROUP BY 1")
    found = {path: count for path, count in rows if path}
    for path, thousands in POPULATION.items():
        # 0.3 % are unplaced, about 80 planted people are on top.
        assert found[path] == pytest.approx(thousands * 100, rel=0.02)


def test_households_have_their_mean_size(ask_larger: AskLarger) -> None:
    rows = ask_larger("SELECT avg(size), min(size), sum(size) FROM household")
    assert rows[0][0] == pytest.approx(3.66, abs=0.05)
    assert rows[0][1] == 1
    assert rows[0][2] == ask_larger("SELECT count(*) FROM citizen")[0][0]


@pytest.mark.parametrize(("code", "per_cent"), ETHNIC.items())
def test_the_peoples_have_their_shares(ask_larger: AskLarger, code: str, per_cent: float) -> None:
    assert share(ask_larger, f"ethnic = '{code}'") == pytest.approx(per_cent, abs=1.2)


def test_the_yi_are_more_in_yi_townships_and_the_county_keeps_its_shares() -> None:
    shares = fitted_shares()
    assert shares["532622202"]["07"] > 2 * shares["532622101"]["07"]
    whole = sum(shares[p]["07"] * n for p, n in POPULATION.items()) / sum(POPULATION.values())
    assert whole == pytest.approx(0.14, abs=0.001)


def test_ages_are_as_given(ask_larger: AskLarger) -> None:
    ages = [years(date.fromisoformat(b), AS_OF) for (b,) in ask_larger("SELECT birth FROM citizen")]
    bands = ((0, 5, 7.2), (6, 14, 14.3), (15, 24, 12.5), (25, 39, 21.5), (40, 59, 29.5))
    for low, high, per_cent in (*bands, (60, 74, 11), (75, 120, 4)):
        found = 100 * sum(low <= age <= high for age in ages) / len(ages)
        assert found == pytest.approx(per_cent, abs=0.6), (low, high)


# Source, statement giving a count, expected per cent of persons, tolerance in points.
SHARES = [
    ("mz_assist", "SELECT count(*) FROM v_dbcy", 5.4, 0.7),
    ("mz_assist", "SELECT count(*) FROM v_tk", 0.6, 0.15),
    ("yb_settle", "SELECT count(*) FROM enrolment", 97.5, 0.5),
    ("yb_settle", "SELECT count(*) FROM settlement WHERE refund = '0'", 18.0, 0.8),
    ("wj_resident", "SELECT count(*) FROM chronic_record WHERE icd10 = 'I10'", 8.5, 0.6),
    ("wj_resident", "SELECT count(*) FROM chronic_record WHERE icd10 = 'E11'", 2.3, 0.4),
    ("wj_resident", "SELECT count(*) FROM serious_illness", 0.35, 0.12),
    ("wj_resident", "SELECT count(*) FROM death", 0.65, 0.15),
]


@pytest.mark.parametrize(("source", "statement", "per_cent", "within"), SHARES)
def test_sources_hold_their_shares(
    larger: County, source: str, statement: str, per_cent: float, within: float
) -> None:
    connection = sqlite3.connect(larger.source(source))
    count = connection.execute(statement).fetchone()[0]
    connection.close()
    people = larger.counts["hub"]["citizen"]
    assert 100 * count / people == pytest.approx(per_cent, abs=within)


def test_self_pay_is_log_normal(larger: County) -> None:
    connection = sqlite3.connect(larger.source("yb_settle"))
    rows = connection.execute(
        "SELECT psn_part_amt - fulamt_ownpay_amt - overlmt_selfpay FROM settlement "
        "WHERE refund = '0' ORDER BY 1"
    ).fetchall()
    connection.close()
    values = [row[0] for row in rows]
    assert values[len(values) // 2] == pytest.approx(1_888, rel=0.06)
    assert values[len(values) * 95 // 100] == pytest.approx(12_017, rel=0.12)


def test_the_register_is_dirty_as_real_registers_are(ask_larger: AskLarger) -> None:
    assert share(ask_larger, "dq LIKE '%DQ05%'") == pytest.approx(0.4, abs=0.12)
    assert share(ask_larger, "dq LIKE '%DQ02%'") == pytest.approx(0.2, abs=0.1)
    assert share(ask_larger, "dq LIKE '%DQ07%'") == pytest.approx(0.3, abs=0.12)
    unplaced = ask_larger(
        "SELECT count(*) FROM citizen WHERE region_state = 'UNPLACED' "
        "AND region_path = '532622' AND home_path IS NULL"
    )
    assert unplaced[0][0] == ask_larger("SELECT count(*) FROM citizen WHERE dq LIKE '%DQ07%'")[0][0]
    without = ask_larger("SELECT count(*) FROM citizen WHERE id18 IS NULL AND dq = ''")
    assert without == [(0,)]


def spelled(county: County, source: str, statement: str) -> list[str | None]:
    connection = sqlite3.connect(county.source(source))
    rows = connection.execute(statement).fetchall()
    connection.close()
    return [row[0] for row in rows]


@pytest.mark.parametrize(
    ("source", "statement"),
    [
        ("mz_assist", "SELECT sfzh FROM v_dbcy"),
        ("yb_settle", "SELECT certno FROM enrolment"),
    ],
)
def test_two_sources_write_three_in_ten_x_small(
    larger: County, source: str, statement: str
) -> None:
    numbers = [
        n for n in spelled(larger, source, statement) if n and n.strip("'\u3000")[-1] in "xX"
    ]
    small = sum("x" in n for n in numbers)
    assert small / len(numbers) == pytest.approx(0.30, abs=0.1)


def test_other_sources_write_no_small_x(larger: County) -> None:
    assert not [
        n for n in spelled(larger, "sj_exchange", "SELECT gmsfhm FROM hjhc") if n and "x" in n
    ]


def test_the_housing_source_keeps_old_numbers(larger: County) -> None:
    numbers = spelled(larger, "wfgz", "SELECT hzzjh FROM house_archive")
    old = sum(1 for n in numbers if n and len(n) == 15)
    assert old / len(numbers) == pytest.approx(0.015, abs=0.006)


def test_sources_hold_the_faults_of_numbers(larger: County) -> None:
    numbers = spelled(larger, "sj_exchange", "SELECT gmsfhm FROM hjhc")
    found = [canonical(n, today=AS_OF).dq for n in numbers]
    missing = found.count((DQCode.DQ05,)) / len(found)
    wrong = found.count((DQCode.DQ02,)) / len(found)
    assert missing == pytest.approx(0.004, abs=0.0012)
    assert wrong == pytest.approx(0.002, abs=0.001)
    assert set(found) == {(), (DQCode.DQ05,), (DQCode.DQ02,), (DQCode.DQ03,)}


def test_rare_characters_are_lost_where_three_bytes_are_the_limit(larger: County) -> None:
    names = spelled(larger, "wfgz", "SELECT hzxm FROM house_archive")
    assert any(name and "?" in name for name in names)
    assert not any(ord(c) > 0xFFFF for name in names for c in name or "")
    others = spelled(larger, "sj_exchange", "SELECT xm FROM hjhc")
    assert any(ord(c) > 0xFFFF for name in others for c in name or "")
    assert not any(name and "?" in name for name in others)
