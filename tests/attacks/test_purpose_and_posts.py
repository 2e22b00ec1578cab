"""A purpose that is not one's own, a second post, midnight: rights of the request as a whole."""

from __future__ import annotations

from dataclasses import replace
from datetime import date, timedelta
from typing import TYPE_CHECKING

import pytest

from authz.gate import Gate
from tests.attacks.conftest import AUDITOR, NEIGHBOUR, ROADS, TOWN, reasons, told
from tests.resolvers.conftest import DAY, data_of

if TYPE_CHECKING:
    from tests.attacks.conftest import County

PERSONAL = "query($i: ID!) { citizen(by: {id: $i}) "
FACET = PERSONAL + "{ civilAffairs { minLiving { status } } access { field state } } }"
COUNTS = "{ caseStats(by: []) { count } }"
LOG = "{ auditEvents(first: 1) { totalCount } }"


@pytest.mark.parametrize("road", ROADS)
def test_for_a_purpose_of_others_a_post_opens_nothing(county: County, road: str) -> None:
    way, before = ROADS[road], county.desk.sent()
    answer = county.answer(way.document(), way.variables(county.shown()), purpose="audit")
    assert reasons(answer) == [("FORBIDDEN", "PURPOSE")]
    assert county.desk.sent() == before


def test_for_a_purpose_of_others_counts_facets_and_log_are_shut_too(county: County) -> None:
    before = county.desk.sent()
    shut = [
        county.answer(COUNTS, purpose="audit"),
        county.answer(FACET, {"i": county.shown().citizen}, purpose="audit"),
        county.answer(LOG, account=AUDITOR, purpose="correct"),
    ]
    assert [reasons(answer) for answer in shut] == [[("FORBIDDEN", "PURPOSE")]] * 3
    assert county.desk.sent() == before


@pytest.mark.parametrize("road", ROADS)
def test_a_deny_of_one_post_beats_the_allow_of_another(county: County, road: str) -> None:
    """A township's clerk who is made auditor reaches nobody any more, whatever post he shows."""
    way, who = ROADS[road], county.shown()
    for posts in ((TOWN, AUDITOR), (AUDITOR, TOWN)):
        asker = county.asker(*posts, purpose="correct")
        gate = Gate(county.desk.book, asker, county.desk.catalog)
        answer = county.answer(way.document(), way.variables(who), gate=gate)
        said = told(answer).decode()
        assert who.name not in said
        assert who.citizen not in said


def test_a_deny_of_one_post_shuts_facets_and_counts_too(county: County) -> None:
    asker = county.asker(TOWN, AUDITOR, purpose="correct")
    gate = Gate(county.desk.book, asker, county.desk.catalog)
    assert reasons(county.answer(COUNTS, gate=gate)) == [("FORBIDDEN", "DENIED")]
    before = county.desk.sent("mz_assist")
    facet = county.answer(FACET, {"i": county.shown().citizen}, gate=gate)
    assert reasons(facet) == [("FORBIDDEN", "DENIED")]
    assert county.desk.sent("mz_assist") == before


@pytest.mark.parametrize("road", ROADS)
def test_two_posts_do_not_add_up_to_a_third(county: County, road: str) -> None:
    """A township post and a county department's: no township right beyond the township."""
    way, who = ROADS[road], county.shown("bange")
    asker = county.asker(TOWN, "mca-dept-01", purpose="correct")
    both = Gate(county.desk.book, asker, county.desk.catalog)
    alone = county.desk.gate("mca-dept-01", "correct")
    found = [
        data_of(county.answer(way.document(), way.variables(who), gate=gate))
        for gate in (both, alone)
    ]
    if road == "list":  # a department may not list; the township lists its own
        assert "黄海平" not in repr(found[0])
    else:
        assert found[0] == found[1]


@pytest.mark.parametrize("road", ROADS)
def test_a_line_ends_at_midnight_without_any_change(county: County, road: str) -> None:
    way, who = ROADS[road], county.shown()
    book = county.book(until=DAY.isoformat())
    today = county.desk.asker(TOWN, "correct")
    opened = {
        day: who.name
        in told(
            county.answer(
                way.document(),
                way.variables(who),
                gate=Gate(book, replace(today, day=day), county.desk.catalog),
            )
        ).decode()
        for day in (DAY - timedelta(days=1), DAY, DAY + timedelta(days=1), date(2030, 1, 1))
    }
    assert list(opened.values()) == [True, True, False, False]


def test_a_child_is_judged_as_one_until_the_fourteenth_birthday(county: County) -> None:
    child = county.shown().child
    ((born,),) = county.rows("SELECT birth FROM citizen WHERE id = ?", child)
    birthday = date.fromisoformat(born)
    birthday = birthday.replace(year=birthday.year + 14)
    text = PERSONAL + "{ name access { field state } } }"
    states = []
    for day in (birthday - timedelta(days=1), birthday):
        asker = replace(county.desk.asker(TOWN, "aid.file"), day=day)
        gate = Gate(county.desk.book, asker, county.desk.catalog)
        states.append(data_of(county.answer(text, {"i": child}, gate=gate))["citizen"]["access"])
    assert states == [[{"field": "name", "state": "MASKED"}], []]


@pytest.mark.parametrize("road", ROADS)
def test_a_case_number_opens_its_own_household_and_no_other(county: County, road: str) -> None:
    """With a case of one household, the same clerk's other people are not there."""
    way, who = ROADS[road], county.shown()
    own, other = (
        county.answer(
            way.document(),
            way.variables(who),
            purpose="aid.review",
            case_no=who.case_no,
            bound=household,
        )
        for household in (who.household, county.shown("jiangna").household)
    )
    assert who.id18 in told(own).decode()
    assert who.name not in told(other).decode()
    assert who.citizen not in told(other).decode()


def test_the_neighbours_clerk_gains_nothing_by_our_case(county: County) -> None:
    who = county.shown()
    answer = county.answer(
        PERSONAL + "{ name } }",
        {"i": who.citizen},
        account=NEIGHBOUR,
        purpose="aid.review",
        case_no=who.case_no,
        bound=who.household,
    )
    assert data_of(answer) == {"citizen": None}
