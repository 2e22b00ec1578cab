"""Counting until one person is left: over groups, levels, time and other roads."""

from __future__ import annotations

from datetime import date
from typing import TYPE_CHECKING, Any

import pytest

from authz.gate import Gate
from authz.post import Asker
from tests.attacks.conftest import reasons
from tests.resolvers.conftest import data_of

if TYPE_CHECKING:
    from resolvers.answer import Answer
    from tests.attacks.conftest import County

DAY = date(2026, 12, 5)
LEAST, ROUND = 5, 5  # store/tallies.py seeds the leading group's rule with these


def counted(county: County, by: str, day: date = DAY, where: str = "") -> Answer:
    """The published table, as somebody who may only tally sees it."""
    post = county.desk.book.post("mca", "authority", "532622")
    gate = Gate(
        county.desk.book, Asker("x", "official", (post,), "report", day), county.desk.catalog
    )
    given = f"filter: {where}, " if where else ""
    text = f"{{ caseStats({given}by: [{by}]) {{ month division item state count suppressed }} }}"
    return county.answer(text, gate=gate)


def groups(answer: Answer) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = data_of(answer)["caseStats"]
    return found


@pytest.mark.parametrize("by", ["STATE", "MONTH", "VILLAGE", "ITEM", "MONTH, STATE", "TOWNSHIP"])
def test_no_published_group_is_small(county: County, by: str) -> None:
    answer = counted(county, by)
    assert answer.errors == ()
    shown = [g["count"] for g in groups(answer) if not g["suppressed"]]
    assert [n for n in shown if n < LEAST or n % ROUND] == []
    assert all(g["count"] is None for g in groups(answer) if g["suppressed"])


def test_a_township_and_its_villages_do_not_give_the_missing_one(county: County) -> None:
    """Below every published township none or at least two villages are withheld."""
    villages, towns = groups(counted(county, "VILLAGE")), groups(counted(county, "TOWNSHIP"))
    assert any(g["suppressed"] for g in villages)
    for town in (g for g in towns if not g["suppressed"]):
        inside = [g for g in villages if g["division"][:9] == town["division"][:9]]
        assert sum(g["suppressed"] for g in inside) != 1


@pytest.mark.parametrize(("fine", "coarse"), [("MONTH, STATE", "MONTH"), ("MONTH, STATE", "STATE")])
def test_a_total_and_its_parts_do_not_give_the_missing_one(
    county: County, fine: str, coarse: str
) -> None:
    parts, totals = groups(counted(county, fine)), groups(counted(county, coarse))
    key = coarse.lower()
    assert any(g["suppressed"] for g in parts)
    for total in (g for g in totals if not g["suppressed"]):
        inside = [g for g in parts if g[key] == total[key]]
        assert sum(g["suppressed"] for g in inside) != 1


def test_asking_again_within_the_period_gives_the_same_table(county: County) -> None:
    tables = [groups(counted(county, "MONTH, STATE", date(2026, 12, n))) for n in (5, 6, 28)]
    assert tables[0] == tables[1] == tables[2]


@pytest.mark.parametrize(
    "where",
    ["{item: TEMP_AID}", '{division: "532622205201"}', "{overdue: true}", "{state: CLOSED}"],
)
def test_a_published_table_is_not_filtered(county: County, where: str) -> None:
    assert reasons(counted(county, "STATE", where=where)) == [("BAD_USER_INPUT", "CUBE")]


@pytest.mark.parametrize(
    "text",
    [
        "{ cases(first: 1) { totalCount } }",
        "{ citizens(first: 1) { totalCount } }",
        "{ supervisionOrders(first: 1) { totalCount } }",
        "{ auditEvents(first: 1) { totalCount } }",
    ],
    ids=["list of cases", "list of persons", "list of orders", "the log"],
)
def test_who_may_only_tally_counts_on_no_other_road(county: County, text: str) -> None:
    before = county.desk.sent()
    answer = county.answer(text, account="authority-01", purpose="report")
    assert [code for code, _ in reasons(answer)] == ["FORBIDDEN"]
    assert county.desk.sent() == before


def test_exact_counts_are_of_rows_one_may_list_anyhow(county: County) -> None:
    """Whoever gets an exact figure can list the rows and count them himself."""
    for account, purpose in (("zhelai-town-01", "aid.review"), ("mca-dept-01", "aid.review")):
        total = county.answer(
            "{ cases(first: 1) { totalCount } }", account=account, purpose=purpose
        )
        stats = county.answer(
            "{ caseStats(by: []) { count suppressed } }", account=account, purpose=purpose
        )
        count = data_of(total)["cases"]["totalCount"]
        assert groups(stats) == [{"count": count, "suppressed": False}]
