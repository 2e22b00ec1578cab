"""Planted people: the same at every scale; each rule's hits are hits, its near misses not."""

from __future__ import annotations

import csv
from collections import Counter, defaultdict
from collections.abc import Callable
from datetime import date
from typing import Any

import pytest

from adapters.identity import canonical
from hub.demo.county import AS_OF, County
from hub.demo.people import years

Ask = Callable[..., list[tuple[Any, ...]]]
RULES = ["R01", "R02", "R03", "R04", "R05", "R06", "R11", "R16", "R18"]


def planted(county: County) -> dict[str, dict[str, str]]:
    found: dict[str, dict[str, str]] = defaultdict(dict)
    with (county.folder / "planted.csv").open(encoding="utf-8", newline="") as stream:
        for row in csv.DictReader(stream):
            found[row["rule"]][row["citizen"]] = row["expected"]
    return found


def test_each_rule_has_three_hits_and_three_near_misses(county: County) -> None:
    found = planted(county)
    assert sorted(found) == RULES
    for citizens in found.values():
        assert Counter(citizens.values()) == {"HIT": 3, "NEAR_MISS": 3}


def test_the_same_people_are_planted_at_every_scale(county: County, larger: County) -> None:
    assert county.demonstrations == larger.demonstrations
    assert planted(county) == planted(larger)


def test_the_people_to_show_are_rich_in_records(county: County, ask: Ask) -> None:
    labels = {d.label: d.village[:9] for d in county.demonstrations}
    assert labels == {"zhelai": "532622205", "bange": "532622206", "jiangna": "532622101"}
    for shown in county.demonstrations:
        row = ask(
            "hub",
            "SELECT id, name, region_path, household_id FROM citizen WHERE id18 = ?",
            shown.id18,
        )
        assert row == [(shown.citizen, shown.name, shown.village, shown.household)]
        assert ask("mz_assist", "SELECT count(*) FROM v_dbcy WHERE sfzh = ?", shown.id18) == [(1,)]
        assert ask("yb_settle", "SELECT count(*) FROM settlement WHERE certno = ?", shown.id18) == [
            (2,)
        ]
        house = ask("wfgz", "SELECT fwbh FROM house_archive WHERE hzzjh = ?", shown.id18)
        graded = ask(
            "wfgz",
            "SELECT substr(jddj, 1, 1) FROM house_appraisal WHERE fwbh = ? ORDER BY jdrq",
            house[0][0],
        )
        assert graded == [("B",), ("D",), ("C",)]
        assert len(ask("wfgz", "SELECT 1 FROM renovate_plan WHERE fwbh = ?", house[0][0])) == 1
        monitored = ask(
            "xczx_monitor", "SELECT 1 FROM 监测对象 WHERE 证件号码 = ?", shown.id18 + "43"
        )
        assert len(monitored) == 1
        assert len(ask("wj_resident", "SELECT 1 FROM chronic_record WHERE idCard = ?", shown.id18))


def test_the_people_to_show_have_cases_of_three_departments(county: County, ask: Ask) -> None:
    for shown in county.demonstrations:
        cases: dict[str, str] = dict(
            ask(
                "hub",
                "SELECT case_no, handling_dept FROM case_file WHERE applicant_id = ?",
                shown.citizen,
            )
        )
        assert set(cases.values()) == {"mca", "med", "hou", "hea"}
        assert {shown.case_no, shown.overdue_case_no} <= set(cases)
        order = ask(
            "hub",
            "SELECT c.case_no, c.overdue, o.reason FROM supervision_order o "
            "JOIN case_file c ON c.id = o.case_id WHERE o.order_no = ?",
            shown.order_no,
        )
        assert order == [(shown.overdue_case_no, 1, "OVERDUE")]
        open_case = ask(
            "hub", "SELECT closed_at, overdue FROM case_file WHERE case_no = ?", shown.case_no
        )
        assert open_case == [(None, 0)]


def test_a_child_under_fourteen_lives_with_them(county: County, ask: Ask) -> None:
    for shown in county.demonstrations:
        rows = ask("hub", "SELECT birth, household_id FROM citizen WHERE id = ?", shown.child)
        assert years(date.fromisoformat(rows[0][0]), AS_OF) == 11
        assert rows[0][1] == shown.household


# The rules read plainly, over the whole small county: what they find among the planted.


def month_after(month: str, count: int) -> str:
    total = int(month[:4]) * 12 + int(month[4:]) - 1 + count
    return f"{total // 12}{total % 12 + 1:02d}"


def r01(ask: Ask) -> set[str | None]:
    dead = {canonical(n).id18: day for n, day in ask("mz_assist", "SELECT sfzh, swrq FROM v_bz")}
    rows = ask(
        "mz_assist",
        "SELECT m.sfzh, h.ffny FROM v_dbcy m JOIN v_dbhz h ON h.dbzh = m.dbzh",
    )
    return {
        id18
        for number, paid in rows
        if (id18 := canonical(number).id18) in dead and paid > month_after(dead[id18][:6], 1)
    }


def r02(ask: Ask) -> set[str | None]:
    roll = {canonical(n).id18 for (n,) in ask("jt_xueji", "SELECT 身份证件号 FROM 在校生名册")}
    exempt = {
        canonical(n).id18
        for (n,) in ask(
            "jt_xueji", "SELECT 身份证号 FROM 疑似辍学 WHERE 类别 IN ('送教上门','延缓入学','休学')"
        )
    }
    rows = ask("hub", "SELECT id18, birth FROM citizen WHERE id18 IS NOT NULL")
    children = {
        id18
        for id18, birth in rows
        if years(date.fromisoformat(birth), date(2026, 8, 31)) >= 6
        and years(date.fromisoformat(birth), AS_OF) < 16
    }
    return children - roll - exempt


def self_pay(ask: Ask) -> dict[str | None, float]:
    paid: dict[str | None, float] = defaultdict(float)
    for number, amount in ask(
        "yb_settle",
        "SELECT certno, psn_part_amt - fulamt_ownpay_amt - overlmt_selfpay FROM settlement",
    ):
        paid[canonical(number).id18] += amount
    return paid


def r03(ask: Ask) -> set[str | None]:
    # Whether a household is ex-poor is no row of a source yet: the planted ones are told apart
    # by the amount alone, and the monitored one by its row.
    watched = {canonical(n).id18 for (n,) in ask("xczx_monitor", "SELECT 证件号码 FROM 监测对象")}
    return {p for p, yuan in self_pay(ask).items() if yuan >= 5_000 and p not in watched}


def r04(ask: Ask) -> set[str | None]:
    found = set()
    for number, house in ask("wfgz", "SELECT hzzjh, fwbh FROM house_archive"):
        graded = ask(
            "wfgz",
            "SELECT jddj FROM house_appraisal WHERE fwbh = ? ORDER BY jdrq DESC LIMIT 1",
            house,
        )
        plans = ask("wfgz", "SELECT kgrq, jgrq FROM renovate_plan WHERE fwbh = ?", house)
        live = [1 for begun, done in plans if done or begun >= "2025-11-01"]
        if graded[0][0][0] in "CD" and not live:
            found.add(canonical(number).id18)
    return found


def r05(ask: Ask) -> set[str | None]:
    insured = {
        canonical(n).id18
        for (n,) in ask("yb_settle", "SELECT certno FROM enrolment WHERE state = '1'")
    }
    aided = ask(
        "mz_assist",
        "SELECT m.sfzh FROM v_dbcy m JOIN v_dbhz h ON h.dbzh = m.dbzh WHERE h.zt = '1'",
    )
    watched = ask("xczx_monitor", "SELECT 证件号码 FROM 监测对象")
    return {canonical(n).id18 for (n,) in (*aided, *watched)} - insured


def r06(ask: Ask) -> set[str | None]:
    aided = ask(
        "mz_assist",
        "SELECT m.sfzh FROM v_dbcy m JOIN v_dbhz h ON h.dbzh = m.dbzh WHERE h.zt = '1'",
    )
    supported = ask("mz_assist", "SELECT sfzh FROM v_tk")
    return {canonical(n).id18 for (n,) in aided} & {canonical(n).id18 for (n,) in supported}


def r11(ask: Ask) -> set[str | None]:
    broken = ask(
        "sw_gongcheng",
        "SELECT 乡镇, 自然村 FROM 饮水工程 WHERE 供水状态 = '停水' AND 修复日期 IS NULL",
    )
    watched = {canonical(n).id18 for (n,) in ask("xczx_monitor", "SELECT 证件号码 FROM 监测对象")}
    rows = ask("hub", "SELECT id18, address FROM citizen WHERE id18 IS NOT NULL")
    return {
        id18
        for id18, address in rows
        if id18 in watched and any(address.startswith(t) and h in address for t, h in broken)
    }


def r16(ask: Ask) -> set[str | None]:
    rows = ask(
        "xczx_monitor",
        "SELECT 证件号码 FROM 监测对象 WHERE 帮扶措施 IS NULL AND 识别监测时间 < '202610' "
        "AND 风险是否消除 = '未消除'",
    )
    return {canonical(n).id18 for (n,) in rows}


def r18(ask: Ask) -> set[str | None]:
    # A faulty number names nobody: the rows are met by name, as a clerk would.
    faulty = set()
    for source, statement in (
        ("sj_exchange", "SELECT xm, gmsfhm FROM hjhc"),
        ("yb_settle", "SELECT psn_name, certno FROM enrolment"),
        ("wj_resident", "SELECT name, idCard FROM resident"),
    ):
        for name, number in ask(source, statement):
            if {"DQ02", "DQ03"} & set(canonical(number, today=AS_OF).dq):
                faulty.add((name, str(number)[6:10]))
    rows = ask("hub", "SELECT id18, name FROM citizen WHERE id18 IS NOT NULL")
    return {id18 for id18, name in rows if {(name, id18[6:10]), (name, "2099")} & faulty}


@pytest.mark.parametrize(
    ("rule", "find"),
    [
        ("R01", r01),
        ("R02", r02),
        ("R04", r04),
        ("R05", r05),
        ("R06", r06),
        ("R11", r11),
        ("R16", r16),
        ("R18", r18),
    ],
)
def test_a_plain_reading_of_the_rule_finds_the_hits_and_not_the_near_misses(
    county: County, ask: Ask, rule: str, find: Callable[[Ask], set[str | None]]
) -> None:
    ids: dict[str, str | None] = dict(ask("hub", "SELECT id, id18 FROM citizen"))
    found = find(ask)
    verdicts = {
        citizen: "HIT" if ids[citizen] in found else "NEAR_MISS"
        for citizen in planted(county)[rule]
    }
    assert verdicts == planted(county)[rule]


def test_the_planted_patients_paid_what_the_rule_tells_apart(county: County, ask: Ask) -> None:
    ids: dict[str, str | None] = dict(ask("hub", "SELECT id, id18 FROM citizen"))
    paid, found = self_pay(ask), r03(ask)
    people = list(planted(county)["R03"])
    assert [round(paid[ids[c]]) for c in people] == [6_200, 22_500, 31_000, 4_900, 19_400, 25_000]
    assert [ids[c] in found for c in people] == [True, True, True, False, True, False]
