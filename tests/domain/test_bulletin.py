"""月通报: a month counted by hand, its bytes made again, and what later truth changes in it."""

from __future__ import annotations

import json
import random
from collections.abc import Iterable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from fractions import Fraction
from typing import TypeVar

import pytest
from hypothesis import given
from hypothesis import strategies as st

from catalog.bulletin import GroupKind, Unit
from catalog.load import load
from domain.bulletin import (
    BEIJING,
    Adjustment,
    AppealRow,
    CaseRow,
    EventRow,
    Groups,
    OrderRow,
    RegisterRow,
    Rows,
    Snapshot,
    SurveyRow,
    adjustments,
    compute,
    document,
    facts,
    first_difference,
    groups_of,
    may_freeze_from,
    parameters,
    replay,
    span,
    told,
    with_register_of,
    written,
)

T = TypeVar("T")
EDITION = replace(load().bulletins[0], valid_until=None)
"""The first edition as it was when months were frozen by it, before it had a successor."""
SUCCESSOR = load().bulletins[1]
MONTH = "2026-10"
FROZEN_AT = datetime(2026, 11, 3, 1, tzinfo=UTC)
COUNTY, T1, T2 = "532622000000", "532622101000", "532622102000"
GROUPS = Groups((T1, T2, "532622103000"), ("hrss", "mca"), ("JOB_SEEKING", "TEMP_AID"))


def at(text: str, year: int = 2026) -> datetime:
    """``10-05 09:00`` in Beijing."""
    return datetime.fromisoformat(f"{year}-{text}").replace(tzinfo=BEIJING)


def filed(number: str, path: str, dept: str, item: str, when: str, closed: str = "") -> CaseRow:
    ended = at(closed) if closed else None
    return CaseRow(number, path, dept, item, at(when), ended, complaint=False)


def event(
    case: str, state: str, when: str, post: str = "rev/town/1", late: bool = False
) -> EventRow:
    return EventRow(case, state, at(when), post, late)


CASES = (
    filed("c01", "532622101200", "mca", "TEMP_AID", "10-01 08:00", "10-03 08:00"),
    replace(filed("c02", "532622101200", "mca", "MIN_LIVING", "10-05 09:00"), complaint=True),
    # Closed in the month's first second, and filed long before it.
    filed("c03", "532622101201", "hrss", "JOB_SEEKING", "09-20 00:00", "10-01 00:00"),
    # Ended before the month, but followed up in it, and late at that.
    filed("c04", "532622102", "mca", "TEMP_AID", "09-01 00:00", "09-10 00:00"),
    # Nothing of it in the month: not its complaint either.
    replace(
        filed("c05", "532622102", "mca", "TEMP_AID", "08-01 00:00", "08-10 00:00"), complaint=True
    ),
    filed("c06", "532622102", "hrss", "JOB_SEEKING", "10-31 23:59:59"),
    filed("c07", "532622102", "hrss", "JOB_SEEKING", "11-01 00:00"),
    # What happened after the month's end is not the month's.
    filed("c08", "532622102", "mca", "TEMP_AID", "10-10 00:00", "11-02 00:00"),
    filed("c09", "532622101200", "mca", "MIN_LIVING", "10-15 00:00", "10-15 12:00"),
    filed("c10", "532622", "mca", "MIN_LIVING", "07-01 00:00"),
)
EVENTS = (
    event("c01", "SUBMITTED", "10-01 08:00", "portal"),
    event("c01", "ROUTED", "10-01 08:00", "system"),
    event("c01", "ACCEPTED", "10-01 20:00"),
    event("c01", "CLOSED", "10-03 08:00"),
    event("c02", "ACCEPTED", "10-06 09:00"),
    event("c02", "VERIFYING", "10-20 09:00", late=True),
    event("c02", "DELIBERATING", "10-29 09:00", late=True),
    event("c03", "ACCEPTED", "09-21 00:00"),
    event("c03", "CLOSED", "10-01 00:00"),
    event("c04", "ACCEPTED", "09-02 00:00"),
    event("c04", "FOLLOWED_UP", "10-09 00:00", late=True),
    event("c05", "CLOSED", "08-10 00:00", late=True),
    # Who submits in person, and a machine that returns, are no contact.
    event("c06", "SUBMITTED", "10-31 23:59:59", "rev/village/1"),
    event("c08", "RETURNED", "10-10 12:00", "system"),
    event("c08", "ACCEPTED", "10-11 12:00"),
    event("c08", "CLOSED", "11-02 00:00", late=True),
    event("c09", "ACCEPTED", "10-15 06:00"),
)
ORDERS = (
    OrderRow("o1", "532622101200", "mca", "TEMP_AID", at("10-10 00:00"), at("10-10 00:00")),
    OrderRow("o2", "532622102", "mca", "TEMP_AID", at("10-20 00:00"), at("10-21 00:00")),
    OrderRow("o3", "532622102", "mca", "TEMP_AID", at("11-01 00:00"), at("10-21 00:00")),
    OrderRow("o4", "532622101200", "mca", "MIN_LIVING", at("10-31 23:59:59"), None),
)
REGISTER = (
    RegisterRow("532622101200", 100, 3),
    RegisterRow("532622101201", 50, 0),
    RegisterRow("532622102", 60, 3),
)
ROWS = Rows(CASES, EVENTS, ORDERS, REGISTER)

# Counted by hand from the rows above.
COUNTY_BY_HAND = {
    "applications": "5",  # c01 c02 c06 c08 c09
    "in_hand": "7",  # these, c03, c10
    "closed": "3",  # c01 2 d, c03 11 d, c09 half a day
    "closing_rate": "0.4286",  # 3 / 7
    "handled": "8",  # those in hand and c04
    "overdue": "2",  # c02 (two events, once), c04
    "overdue_rate": "0.2500",
    "days_to_close": "4.50",  # 13.5 / 3
    "contacted": "4",  # c01 12 h, c02 24 h, c08 36 h, c09 6 h
    "days_to_contact": "0.81",  # 78 h / 4 = 0.8125 d
    "complaints": "1",
    "supervision_due": "3",
    "supervision_in_time": "1",
    "supervision_rate": "0.3333",
    "register_rows": "210",
    "dq_open": "6",
    "dq_rate": "0.0286",
}
TOWNSHIPS_BY_HAND = {
    T1: {
        "applications": "3",
        "in_hand": "4",
        "closed": "3",
        "closing_rate": "0.7500",
        "handled": "4",
        "overdue": "1",
        "overdue_rate": "0.2500",
        "days_to_close": "4.50",
        "contacted": "3",
        "days_to_contact": "0.58",
        "complaints": "1",
        "supervision_due": "2",
        "supervision_in_time": "1",
        "supervision_rate": "0.5000",
        "register_rows": "150",
        "dq_open": "3",
        "dq_rate": "0.0200",
    },
    T2: {
        "applications": "2",
        "in_hand": "2",
        "closed": "0",
        "closing_rate": "0.0000",
        "handled": "3",
        "overdue": "1",
        "overdue_rate": "0.3333",
        "contacted": "1",
        "days_to_contact": "1.50",
        "complaints": "0",
        "supervision_due": "1",
        "supervision_in_time": "0",
        "supervision_rate": "0.0000",
        "register_rows": "60",
        "dq_open": "3",
        "dq_rate": "0.0500",
    },
}
UNREGISTERED = {
    "appeals",
    "surveys",
    "satisfied",
    "satisfaction",
    "sharing_due",
    "sharing_in_time",
    "sharing_rate",
}
SHA256 = "68d527e1ad9e166a997c4c71aef5e788ba9d514cbdec5c85a12357c8e7d53309"
"""Of the ten cases' bulletin: whatever the program becomes, this edition makes these bytes."""


def frozen(rows: Rows = ROWS) -> Snapshot:
    return compute(rows, MONTH, FROZEN_AT, GROUPS, EDITION)


def group(text: str, kind: str, code: str) -> dict[str, dict[str, str]]:
    (found,) = [g for g in json.loads(text)["groups"] if (g["kind"], g["code"]) == (kind, code)]
    return {"figures": found["figures"], "absent": found["absent"]}


def test_ten_cases_are_counted_as_by_hand() -> None:
    text = frozen().document
    county = group(text, "COUNTY", COUNTY)
    assert county["figures"] == COUNTY_BY_HAND
    assert county["absent"] == dict.fromkeys(UNREGISTERED, "NO_REGISTER")
    for code, by_hand in TOWNSHIPS_BY_HAND.items():
        assert group(text, "TOWNSHIP", code)["figures"] == by_hand
    assert group(text, "TOWNSHIP", T2)["absent"]["days_to_close"] == "NO_CASES"


def test_departments_and_items_are_told_without_the_register() -> None:
    text = frozen().document
    mca, jobs = group(text, "DEPARTMENT", "mca"), group(text, "ITEM", "JOB_SEEKING")
    by_place = {"register_rows", "dq_open", "dq_rate"}
    assert {n for n, why in mca["absent"].items() if why == "NOT_BY_GROUP"} == by_place
    shown = ("applications", "in_hand", "closed", "handled", "overdue", "days_to_close")
    assert [mca["figures"][n] for n in shown] == ["4", "5", "2", "6", "2", "1.25"]
    assert [jobs["figures"][n] for n in shown] == ["1", "2", "1", "2", "0", "11.00"]


def test_who_is_listed_is_told_of_and_who_is_not_comes_in_addition() -> None:
    text = frozen().document
    named = [(g["kind"], g["code"]) for g in json.loads(text)["groups"]]
    assert named == [
        ("COUNTY", COUNTY),
        ("TOWNSHIP", COUNTY),  # what the county filed itself
        *(("TOWNSHIP", code) for code in GROUPS.townships),
        *(("DEPARTMENT", code) for code in GROUPS.departments),
        *(("ITEM", code) for code in ("JOB_SEEKING", "MIN_LIVING", "TEMP_AID")),
    ]
    nobody = group(text, "TOWNSHIP", "532622103000")
    assert set(nobody["figures"].values()) == {"0"}
    assert nobody["absent"]["closing_rate"] == "NO_CASES"


def test_every_figure_of_the_catalogue_is_computed_or_said_to_be_absent() -> None:
    assert {f.code for f in EDITION.figures} - COUNTY_BY_HAND.keys() == UNREGISTERED
    assert {f.code for f in EDITION.figures if f.needs not in EDITION.made_from} == UNREGISTERED
    sharing = {"sharing_due", "sharing_in_time", "sharing_rate"}
    assert {f.code for f in SUCCESSOR.figures if f.needs not in SUCCESSOR.made_from} == sharing
    assert [f.code for f in SUCCESSOR.figures] == [f.code for f in EDITION.figures]


NOVEMBER = "2026-11"
APPEALS = (
    AppealRow("a1", "532622101200", "mca", "MIN_LIVING", at("11-01 00:00")),
    AppealRow("a2", "532622101201", "mca", "TEMP_AID", at("11-30 23:59:59")),
    AppealRow("a3", "532622101201", "mca", "TEMP_AID", at("12-01 00:00")),
)
SURVEYS = tuple(
    SurveyRow(f"s{n}", path, "mca", "TEMP_AID", at(when), score)
    for n, (path, when, score) in enumerate(
        (
            ("532622101200", "11-02 09:00", 5),
            ("532622101200", "11-03 09:00", 4),
            ("532622101200", "11-04 09:00", 3),
            ("532622102", "11-05 09:00", 1),
            ("532622102", "10-31 23:59:59", 5),
        )
    )
)


def test_appeals_and_content_are_counted_from_their_rows_by_the_edition_that_says_so() -> None:
    rows = replace(ROWS, appeals=APPEALS, surveys=SURVEYS)
    made = compute(rows, NOVEMBER, datetime(2026, 12, 3, tzinfo=UTC), GROUPS, SUCCESSOR)
    names = ("appeals", "surveys", "satisfied", "satisfaction")

    def told_of(kind: str, code: str) -> list[str | None]:
        found = group(made.document, kind, code)
        return [found["figures"].get(name, found["absent"].get(name)) for name in names]

    assert told_of("COUNTY", COUNTY) == ["2", "4", "2", "0.5000"]
    assert told_of("TOWNSHIP", T1) == ["2", "3", "2", "0.6667"]
    assert told_of("TOWNSHIP", T2) == ["0", "1", "0", "0.0000"]
    assert told_of("DEPARTMENT", "hrss") == ["0", "0", "0", "NO_CASES"]
    assert told_of("ITEM", "MIN_LIVING") == ["1", "0", "0", "NO_CASES"]
    assert replay(made.inputs, parameters(SUCCESSOR)) == made.document
    counted = json.loads(made.document)["inputs"]
    assert (counted["appeal"], counted["survey"]) == (2, 4)
    strict = replace(SUCCESSOR, satisfied_from=5)
    again = compute(rows, NOVEMBER, datetime(2026, 12, 3, tzinfo=UTC), GROUPS, strict)
    assert group(again.document, "COUNTY", COUNTY)["figures"]["satisfied"] == "1"


def test_a_month_of_the_first_edition_knows_nothing_of_appeals() -> None:
    """It was frozen when nothing of them was registered; rows of today change no byte of it."""
    assert frozen(replace(ROWS, appeals=APPEALS, surveys=SURVEYS)) == frozen()
    assert "made_from" not in parameters(EDITION)
    assert "satisfied_from" not in parameters(EDITION)


def test_a_survey_and_an_appeal_say_no_more_than_where_what_and_when() -> None:
    rows = replace(ROWS, appeals=APPEALS, surveys=SURVEYS)
    lines = facts(rows, NOVEMBER, datetime(2026, 12, 3, tzinfo=UTC), GROUPS, SUCCESSOR)
    began, second = int(at("11-01 00:00").timestamp()), int(at("11-02 09:00").timestamp())
    assert json.loads(next(line for line in lines if '"a1"' in line)) == [
        *("appeal", "a1", T1, "mca", "MIN_LIVING", began)
    ]
    assert json.loads(next(line for line in lines if '"s0"' in line)) == [
        *("survey", "s0", T1, "mca", "TEMP_AID", second, 5)
    ]


def test_the_bulletin_is_these_bytes() -> None:
    assert frozen().sha256 == SHA256


def test_it_is_made_again_from_its_lines_and_parameters() -> None:
    made = frozen()
    assert replay(made.inputs, parameters(EDITION)) == made.document
    assert json.loads(made.document)["inputs"] == {
        "sha256": made.inputs_sha256,
        "case": 8,
        "order": 3,
        "register": 2,
    }


def test_the_edition_kept_with_it_decides_not_todays() -> None:
    coarse = replace(EDITION, rate_decimals=1, machine_posts=())
    made = compute(ROWS, MONTH, FROZEN_AT, GROUPS, coarse)
    assert replay(made.inputs, parameters(coarse)) == made.document
    assert group(made.document, "COUNTY", COUNTY)["figures"]["closing_rate"] == "0.4"
    assert replay(made.inputs, parameters(EDITION)) != made.document


@pytest.mark.parametrize("lines", [(), ("[]", "[]"), ('["bulletin",2,"2026-10","x",[]]', "[1]")])
def test_lines_no_bulletin_has_are_refused(lines: tuple[str, ...]) -> None:
    with pytest.raises((KeyError, TypeError, IndexError, ValueError)):
        replay(lines, parameters(EDITION))


def test_no_line_says_more_than_where_what_and_when() -> None:
    """Opaque key, place, department, item, seconds and flags: nothing of an applicant."""
    case = json.loads(next(line for line in frozen().inputs if '"c02"' in line))
    begins = int(at("10-05 09:00").timestamp())
    assert case == [
        *("case", "c02", T1, "mca", "MIN_LIVING"),
        *(begins, None, begins + 86_400, True, True, True),
    ]
    kinds = {json.loads(line)[0] for line in frozen().inputs}
    assert kinds == {"bulletin", "groups", "case", "order", "register"}


# ---- months, rounding


@pytest.mark.parametrize(
    ("month", "begins", "ends"),
    [
        ("2026-10", "2026-09-30T16:00:00+00:00", "2026-10-31T16:00:00+00:00"),
        ("2026-12", "2026-11-30T16:00:00+00:00", "2026-12-31T16:00:00+00:00"),
        ("2028-02", "2028-01-31T16:00:00+00:00", "2028-02-29T16:00:00+00:00"),
    ],
)
def test_months_are_beijings(month: str, begins: str, ends: str) -> None:
    assert tuple(when.astimezone(UTC).isoformat() for when in span(month)) == (begins, ends)


@pytest.mark.parametrize("month", ["2026-13", "2026-1", "202610", "2026-10-01", "", "2026-Q4"])
def test_what_is_no_month_is_refused(month: str) -> None:
    with pytest.raises(ValueError, match="a month is written 2026-10"):
        span(month)


def test_a_month_may_be_frozen_from_the_third() -> None:
    assert may_freeze_from("2026-10", EDITION).isoformat() == "2026-11-03T00:00:00+08:00"
    assert may_freeze_from("2026-12", EDITION).isoformat() == "2027-01-03T00:00:00+08:00"


@pytest.mark.parametrize(
    ("share", "decimals", "text"),
    [
        (Fraction(1, 8), 2, "0.13"),
        (Fraction(2, 3), 4, "0.6667"),
        (Fraction(1, 3), 4, "0.3333"),
        (Fraction(0), 4, "0.0000"),
        (Fraction(1), 4, "1.0000"),
        (Fraction(99_995, 100_000), 4, "1.0000"),
        (Fraction(5, 1000), 2, "0.01"),
        (Fraction(45, 2), 2, "22.50"),
    ],
)
def test_halves_go_up(share: Fraction, decimals: int, text: str) -> None:
    assert written(share, decimals) == text


# ---- later truth


def test_later_truth_is_an_adjustment_of_exactly_what_it_touches() -> None:
    """c06 was closed on the last day, in a file that came late."""
    before = frozen()
    late = tuple(
        replace(c, closed_at=c.filed_at + timedelta(0)) if c.id == "c06" else c for c in CASES
    )
    after = frozen(replace(ROWS, cases=late))
    groups = (
        (GroupKind.COUNTY, COUNTY, ("3", "4", "0.4286", "0.5714", "0.1428", "4.50", "3.38")),
        (GroupKind.TOWNSHIP, T2, ("0", "1", "0.0000", "0.5000", "0.5000", None, "0.00")),
        (GroupKind.DEPARTMENT, "hrss", ("1", "2", "0.5000", "1.0000", "0.5000", "11.00", "5.50")),
        (GroupKind.ITEM, "JOB_SEEKING", ("1", "2", "0.5000", "1.0000", "0.5000", "11.00", "5.50")),
    )
    differences = {"4.50": "-1.12", None: None, "11.00": "-5.50"}
    expected = []
    for kind, code, (was, is_, rate, now, more, days, fewer) in groups:
        expected += [
            Adjustment(kind, code, "closed", was, is_, "1"),
            Adjustment(kind, code, "closing_rate", rate, now, more),
            Adjustment(kind, code, "days_to_close", days, fewer, differences[days]),
        ]
    assert adjustments(before.document, after.document) == expected
    assert adjustments(before.document, frozen().document) == []


def test_a_group_that_was_not_there_is_an_adjustment_too() -> None:
    moved = tuple(replace(c, dept="wat") if c.id == "c10" else c for c in CASES)
    found = adjustments(frozen().document, frozen(replace(ROWS, cases=moved)).document)
    ours = {(a.code, a.figure): (a.frozen, a.now, a.difference) for a in found}
    assert ours["mca", "in_hand"] == ("5", "4", "-1")
    assert ours["wat", "in_hand"] == (None, "1", None)
    assert {a.code for a in found} == {"mca", "wat"}


def test_the_registers_stock_is_of_its_day() -> None:
    frozen_lines = frozen().inputs
    grown = replace(ROWS, register=(RegisterRow("532622101200", 500, 0),))
    later = facts(grown, MONTH, FROZEN_AT, groups_of(frozen_lines), EDITION)
    again = document(with_register_of(later, frozen_lines), EDITION)
    assert adjustments(frozen().document, again) == []
    assert adjustments(frozen().document, document(later, EDITION)) != []


def test_the_first_difference_is_named() -> None:
    text = frozen().document
    assert first_difference(text, text) is None
    other = text.replace('"closed":"3"', '"closed":"4"', 1)
    assert first_difference(text, other) == "COUNTY 532622000000 closed"
    assert first_difference(text, text + " ") == f"byte {len(text.encode())}"
    assert first_difference("{}", "{") == "byte 1"


# ---- laws

PATHS = ("532622", "532622101", "532622101200", "532622102", "532622103201")
MOMENTS = st.integers(int(at("08-15").timestamp()), int(at("11-15").timestamp())).map(
    lambda s: datetime.fromtimestamp(s, UTC)
)


@st.composite
def stores(draw: st.DrawFn) -> Rows:
    """Some cases with events and orders, all about the month."""
    cases = []
    for number in range(draw(st.integers(0, 12))):
        begun, ended = draw(MOMENTS), draw(st.none() | MOMENTS)
        where = draw(st.sampled_from(PATHS)), draw(st.sampled_from(("mca", "hrss", "wat")))
        item = draw(st.sampled_from(("TEMP_AID", "JOB_SEEKING")))
        cases.append(CaseRow(f"c{number}", *where, item, begun, ended, draw(st.booleans())))
    of = st.sampled_from([c.id for c in cases] or ["none"])
    states = st.sampled_from(("SUBMITTED", "ACCEPTED", "CLOSED"))
    posts = st.sampled_from(("system", "rev/town/1"))
    events = st.lists(st.builds(EventRow, of, states, MOMENTS, posts, st.booleans()), max_size=20)
    places = st.sampled_from(PATHS)
    orders = [
        OrderRow(f"o{n}", draw(places), "mca", "TEMP_AID", draw(MOMENTS), draw(st.none() | MOMENTS))
        for n in range(draw(st.integers(0, 4)))
    ]
    counts = st.integers(0, 9)
    register = st.lists(st.builds(RegisterRow, places, counts, counts), max_size=6)
    return Rows(cases, draw(events), orders, draw(register))


@given(stores(), st.integers(0, 2**32))
def test_the_order_of_rows_does_not_matter(rows: Rows, seed: int) -> None:
    rng = random.Random(seed)

    def mix(part: Iterable[T]) -> list[T]:
        every = list(part)
        return rng.sample(every, len(every))

    mixed = Rows(mix(rows.cases), mix(rows.events), mix(rows.orders), mix(rows.register))
    assert frozen(mixed) == frozen(rows)


@given(stores())
def test_townships_departments_and_items_add_up_to_the_county(rows: Rows) -> None:
    figures = told(frozen(rows).document)
    for figure in (f.code for f in EDITION.figures if f.unit is Unit.COUNT):
        whole = figures[GroupKind.COUNTY, COUNTY, figure][0]
        if whole is None:
            continue
        for kind in (GroupKind.TOWNSHIP, GroupKind.DEPARTMENT, GroupKind.ITEM):
            parts = [v for (k, _, f), (v, _) in figures.items() if (k, f) == (kind, figure)]
            if None not in parts:
                assert sum(int(part or 0) for part in parts) == int(whole)


@given(stores())
def test_every_bulletin_is_made_again_byte_for_byte(rows: Rows) -> None:
    made = frozen(rows)
    assert replay(made.inputs, parameters(EDITION)).encode() == made.document.encode()


@given(stores())
def test_every_share_lies_between_nought_and_one(rows: Rows) -> None:
    rates = {f.code for f in EDITION.figures if f.unit is Unit.RATE and f.needs != "register"}
    values = [v for (_, _, f), (v, _) in told(frozen(rows).document).items() if f in rates]
    assert all(0 <= Fraction(v) <= 1 for v in values if v is not None)
