"""Guessing keys and counting: who may not be seen is not there, in answer and in work."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import pytest

from adapters.identity import with_check_digit
from tests.attacks.conftest import AUDITOR, NEIGHBOUR, ROADS, TOWN, reasons, told
from tests.resolvers.conftest import data_of

if TYPE_CHECKING:
    from tests.attacks.conftest import County

NOBODY = {
    "citizen": "00000000-0000-8000-8000-000000000000",
    "household": "00000000-0000-8000-8000-000000000000",
    "case_no": "SQ20620199999",
    "order_no": "DB20620199999",
    "complaint_no": "TS20620199999",
    "digest": "1-00000000000000000000000000000000",
    "id18": with_check_digit("53992219990228998"),
}
KEYED = [name for name, road in ROADS.items() if road.given]
LISTS = {
    "citizens": "citizen",
    "cases": "case_file",
    "supervisionOrders": "supervision_order",
}


@pytest.mark.parametrize("json_mode", [True, False], ids=["json mode", "row mode"])
@pytest.mark.parametrize("road", KEYED)
def test_a_neighbour_and_nobody_are_one_answer_and_one_work(
    county: County, road: str, json_mode: bool
) -> None:
    way, engine = ROADS[road], county.engine(json_mode)
    theirs, ours = (way.variables(county.shown(label)) for label in ("bange", "zhelai"))
    found = []
    for variables in (theirs, {name: NOBODY[name] for name in way.given}):
        county.answer(way.document(), variables, engine=engine)  # warm either way
        before = county.desk.sent()
        answer = county.answer(way.document(), variables, engine=engine)
        found.append((told(answer), county.desk.sent() - before, answer.disclosure.code))
    assert found[0] == found[1]
    assert county.shown("bange").name not in found[0][0].decode()
    own = county.answer(way.document(), ours, engine=engine)
    assert county.shown().name in told(own).decode()


@pytest.mark.parametrize("road", KEYED)
def test_the_neighbours_own_clerk_does_find_him(county: County, road: str) -> None:
    way, who = ROADS[road], county.shown("bange")
    answer = county.answer(way.document(), way.variables(who), account=NEIGHBOUR)
    assert who.name in told(answer).decode()


@pytest.mark.parametrize("root", LISTS)
def test_a_total_counts_the_rows_one_may_list_and_the_last_page_is_the_last(
    county: County, root: str
) -> None:
    text = f"query($at: String) {{ {root}(first: 100, after: $at) {{ totalCount nodes {{ id }}"
    text += " pageInfo { hasNextPage endCursor } } }"
    (((whole,),), ((own,),)) = (
        county.rows(f"SELECT count(*) FROM {LISTS[root]} WHERE region_path LIKE ?", path)
        for path in ("532622%", "532622205%")
    )
    assert whole > own > 0
    engine, at, seen = county.engine(), None, 0
    while True:
        answer = county.answer(text, {"at": at}, engine=engine)
        page = data_of(answer)[root]
        assert page["totalCount"] == own
        seen += len(page["nodes"])
        if not page["pageInfo"]["hasNextPage"]:
            break
        at = page["pageInfo"]["endCursor"]
    assert seen == own


@pytest.mark.parametrize("root", ["citizens", "cases", "supervisionOrders"])
def test_a_list_of_another_township_is_empty_and_not_refused(county: County, root: str) -> None:
    given = 'division: "%s"' if root == "citizens" else 'filter: {division: "%s"}'
    page = "{ totalCount nodes { id } pageInfo { hasNextPage } }"
    text = f"{{ {root}(first: 5, {given}) {page} }}"
    there = county.answer(text % "532622206000")
    assert there.errors == ()
    assert data_of(there) == {
        root: {"totalCount": 0, "nodes": [], "pageInfo": {"hasNextPage": False}}
    }
    home = county.answer(text % "532622205000")
    assert data_of(home)[root]["totalCount"] > 0


def test_a_relation_counts_the_rows_that_are_seen(county: County) -> None:
    """A department counts its own cases of a person, whoever else's he has."""
    (one,) = county.rows(
        "SELECT applicant_id FROM case_file GROUP BY applicant_id"
        " HAVING count(DISTINCT handling_dept) > 1 AND sum(handling_dept = 'mca') > 0 LIMIT 1"
    )
    ((own,),) = county.rows(
        "SELECT count(*) FROM case_file WHERE applicant_id = ? AND handling_dept = 'mca'", *one
    )
    text = "query($i: ID!) { citizen(by: {id: $i}) { cases { totalCount nodes { caseNo } } } }"
    answer = county.answer(text, {"i": one[0]}, account="mca-dept-01")
    page = data_of(answer)["citizen"]["cases"]
    assert (page["totalCount"], len(page["nodes"])) == (own, own)


def test_a_facet_that_is_closed_does_not_tell_who_has_a_record(county: County) -> None:
    text = (
        "query($i: ID!) { citizen(by: {id: $i}) {"
        " health { chronic { disease } } access { field state } } }"
    )
    adults = county.rows(
        "SELECT id FROM citizen WHERE region_path LIKE '532622205%'"
        " AND birth < '2000-01-01' LIMIT 40"
    )
    people = [one for (one,) in adults]
    before = county.desk.sent("wj_resident")
    answers = {told(county.answer(text, {"i": one})) for one in people}
    assert len(answers) == 1
    assert county.desk.sent("wj_resident") == before
    # Those who may know do find a difference among the same people.
    rows = {told(county.answer(text, {"i": one}, account="lab")) for one in people}
    assert len(rows) > 1


def test_a_group_of_none_and_a_group_of_strangers_are_not_listed(county: County) -> None:
    answer = county.answer("{ caseStats(by: [TOWNSHIP]) { division count } }")
    ((own,),) = county.rows("SELECT count(*) FROM case_file WHERE region_path LIKE '532622205%'")
    assert data_of(answer)["caseStats"] == [{"division": "532622205000", "count": own}]


@pytest.mark.parametrize("account", [TOWN, "office-01", "mca-dept-01"])
def test_the_log_has_no_number_of_rows_for_others(county: County, account: str) -> None:
    before = county.desk.sent()
    text = "{ auditEvents(first: 1) { totalCount pageInfo { hasNextPage } } }"
    answer = county.answer(text, account=account)
    assert [code for code, _ in reasons(answer)] == ["FORBIDDEN"]
    assert not re.search(rb"\d{2,}.*hasNextPage", told(answer))
    assert county.desk.sent() == before
    allowed = county.answer(text, account=AUDITOR, purpose="audit")
    assert allowed.errors == ()
