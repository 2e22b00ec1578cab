"""比对: what R03 finds, who is not judged, what becomes of a hit, when a month's runs are due."""

from __future__ import annotations

from dataclasses import replace
from datetime import date
from decimal import Decimal
from itertools import product

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from catalog.comparison import Outcome, Rule, Tier
from catalog.load import load
from domain.comparison import (
    MOVES,
    ClueAct,
    ClueState,
    ComparisonState,
    Fate,
    Hit,
    Judged,
    Known,
    Snapshot,
    digest,
    due_rules,
    fate,
    state_of,
)
from domain.findings import Payer, Payment, months_before, self_pay

DAY = date(2026, 11, 5)
SETTINGS = settings(derandomize=True, deadline=None, max_examples=100)
S, A = ClueState, ClueAct


def rule(code: str = "R03") -> Rule:
    return load().comparisons.rule(code, DAY)


def paid(yuan: str, on: date = DAY, own: str = "0", over: str = "0") -> Payment:
    whole = Decimal(yuan) + Decimal(own) + Decimal(over)
    return Payment(on, whole, Decimal(own), Decimal(over))


def payer(
    citizen: str, *payments: Payment, home: str | None = None, poor: bool | None = False
) -> Payer:
    return Payer(citizen, home or f"h{citizen}", payments, monitored=False, ex_poor=poor)


def found(*payers: Payer, day: date = DAY) -> list[tuple[str, str, str]]:
    judged = self_pay(payers, rule(), day)
    return [(hit.citizen, hit.outcome, hit.tier) for hit in judged.hits]


# ---- R03 ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("poor", "yuan", "result"),
    [
        (True, "4999.99", None),
        (True, "5000", ("LIFT", "PLAIN")),
        (True, "9999.99", ("LIFT", "PLAIN")),
        (True, "10000", ("LIFT", "YELLOW")),
        (True, "30000", ("LIFT", "RED")),
        (False, "9999.99", None),
        (False, "10000", ("WATCH", "YELLOW")),
        (False, "19999.99", ("WATCH", "YELLOW")),
        (False, "20000", ("LIFT", "ORANGE")),
        (False, "29999.99", ("LIFT", "ORANGE")),
        (False, "30000", ("LIFT", "RED")),
    ],
)
def test_thresholds_go_by_the_households_class_and_tiers_by_the_amount(
    poor: bool, yuan: str, result: tuple[str, str] | None
) -> None:
    expected = [] if result is None else [("a", *result)]
    assert found(payer("a", paid(yuan), poor=poor)) == expected


def test_only_the_in_scope_part_counts() -> None:
    assert found(payer("a", paid("4999", own="9000", over="9000"), poor=True)) == []


def test_refunds_are_taken_off_before_anything_is_compared() -> None:
    both = (paid("6000"), paid("-1000.01"))
    assert found(payer("a", *both, poor=True)) == []
    assert found(payer("a", *both[:1], poor=True)) == [("a", "LIFT", "PLAIN")]


def test_twelve_months_end_with_the_day_and_begin_behind_the_same_day_of_last_year() -> None:
    assert found(payer("a", paid("5000", date(2025, 11, 6)), poor=True)) != []
    assert found(payer("a", paid("5000", date(2025, 11, 5)), poor=True)) == []
    assert found(payer("a", paid("5000", date(2026, 11, 6)), poor=True)) == []


def test_members_are_summed_alone_and_their_household_is_looked_at_as_a_whole() -> None:
    one, two = payer("a", paid("3000"), home="h", poor=True), payer("b", paid("3000"), home="h")
    assert found(one, two) == []
    # He is of an ex-poor household although another member stands on the list.
    assert found(payer("a", paid("6000"), home="h"), payer("b", home="h", poor=True)) == [
        ("a", "LIFT", "PLAIN")
    ]
    watched = replace(payer("b", home="h"), monitored=True)
    assert found(payer("a", paid("99000"), home="h"), watched) == []


def test_who_has_no_household_is_one_of_his_own() -> None:
    alone = [replace(payer(c, paid("20000")), household=None) for c in "ab"]
    assert found(*alone, replace(payer("c"), household=None, monitored=True)) == [
        ("a", "LIFT", "ORANGE"),
        ("b", "LIFT", "ORANGE"),
    ]


def test_what_a_source_did_not_say_is_counted_and_not_guessed() -> None:
    unpaid = replace(payer("a"), payments=None)
    unlisted = replace(payer("b", paid("50000")), monitored=None, ex_poor=None)
    little = replace(payer("c", paid("4999")), monitored=None, ex_poor=None)
    assert self_pay([unpaid, unlisted, little], rule(), DAY) == Judged((), 2)
    # One member of whom it is known is enough to say that the household is monitored.
    known = replace(payer("d", home=unlisted.household), monitored=True)
    assert self_pay([unlisted, known], rule(), DAY) == Judged((), 0)
    assert state_of(2, ()) is state_of(0, ("xczx_monitor",)) is ComparisonState.PARTIAL
    assert state_of(0, ()) is ComparisonState.COMPLETE


def test_of_a_cut_list_what_was_read_may_be_enough_and_is_not_taken_for_all() -> None:
    enough = replace(payer("a", paid("6000"), poor=True), cut=True)
    little = replace(payer("b", paid("100"), poor=True), cut=True)
    watched = replace(payer("c", paid("100")), cut=True, monitored=True)
    judged = self_pay([enough, little, watched], rule(), DAY)
    assert ([hit.citizen for hit in judged.hits], judged.unjudged) == (["a"], 1)


PAYERS = st.lists(
    st.builds(
        Payer,
        citizen=st.sampled_from("abcdef"),
        household=st.sampled_from(["h", "g", None]),
        payments=st.none()
        | st.lists(st.builds(paid, st.sampled_from(["100", "6000", "-900", "21000"]))).map(tuple),
        monitored=st.sampled_from([True, False, None]),
        ex_poor=st.sampled_from([True, False, None]),
    ),
    unique_by=lambda one: one.citizen,
)


@SETTINGS
@given(PAYERS, st.randoms())
def test_the_order_of_reading_finds_nobody_else(payers: list[Payer], random: object) -> None:
    mixed = sorted(payers, key=lambda _: random.random())  # type: ignore[attr-defined]
    assert self_pay(payers, rule(), DAY) == self_pay(mixed, rule(), DAY)


@SETTINGS
@given(PAYERS)
def test_what_is_not_known_makes_no_hit_that_knowing_would_unmake(payers: list[Payer]) -> None:
    def known(value: bool) -> list[Payer]:
        return [
            replace(
                one,
                payments=one.payments or (),
                monitored=value if one.monitored is None else one.monitored,
                ex_poor=one.ex_poor or False,
            )
            for one in payers
        ]

    hits = {hit.citizen for hit in self_pay(payers, rule(), DAY).hits}
    assert hits <= {hit.citizen for hit in self_pay(known(True), rule(), DAY).hits}


def test_the_same_day_of_a_shorter_month_is_its_last() -> None:
    assert months_before(date(2024, 2, 29), 12) == date(2023, 2, 28)
    assert months_before(date(2026, 3, 31), 1) == date(2026, 2, 28)
    assert months_before(date(2026, 1, 15), 1) == date(2025, 12, 15)


# ---- what becomes of a hit ---------------------------------------------------------------------

LIFTED, WATCHED = Hit("a", Outcome.LIFT, Tier.RED, ""), Hit("a", Outcome.WATCH, Tier.YELLOW, "")


@pytest.mark.parametrize(
    ("state", "on", "lift", "watch"),
    [
        (S.OPEN, None, Fate.STANDING, Fate.NEW),
        (S.LIFTED, None, Fate.STANDING, Fate.NEW),
        (S.WATCH, None, Fate.NEW, Fate.NEW),
        (S.LAPSED, None, Fate.NEW, Fate.NEW),
        (S.VISITED_FOUND, date(2026, 8, 7), Fate.STANDING, Fate.NEW),
        (S.VISITED_FOUND, date(2026, 8, 6), Fate.NEW, Fate.NEW),
        (S.VISITED_NOT_FOUND, date(2026, 8, 7), Fate.SUPPRESSED, Fate.SUPPRESSED),
        (S.VISITED_NOT_FOUND, date(2026, 8, 6), Fate.NEW, Fate.NEW),
    ],
)
def test_a_hit_is_new_stands_already_or_is_suppressed_for_ninety_days(
    state: ClueState, on: date | None, lift: Fate, watch: Fate
) -> None:
    known = [Known(S.LAPSED, None), Known(state, on)]
    assert (fate(LIFTED, known, rule(), DAY), fate(WATCHED, known, rule(), DAY)) == (lift, watch)
    assert fate(LIFTED, [], rule(), DAY) is Fate.NEW


def test_every_listed_move_of_a_clue_passes_and_no_other() -> None:
    visited = {S.LIFTED, S.VISITED_FOUND, S.VISITED_NOT_FOUND}
    expected = {
        (S.OPEN, A.LIFT): S.LIFTED,
        (S.LIFTED, A.RELEASE): S.OPEN,
        (S.WATCH, A.LAPSE): S.LAPSED,
    }
    for one in visited:
        expected |= {(one, A.CONFIRM): S.VISITED_FOUND, (one, A.REFUTE): S.VISITED_NOT_FOUND}
    assert {pair: MOVES.get(pair) for pair in product(S, A) if pair in MOVES} == expected


def test_the_digest_is_of_rule_day_sources_and_hits_and_of_nothing_else() -> None:
    sources = [Snapshot("a", 1, "x"), Snapshot("b", 2, "y")]
    whole = digest(rule(), DAY, sources, [LIFTED])
    assert whole == digest(rule(), DAY, sources[::-1], [LIFTED])
    assert len(whole) == 64
    others = (
        digest(replace(rule(), version=2), DAY, sources, [LIFTED]),
        digest(rule(), date(2026, 11, 6), sources, [LIFTED]),
        digest(rule(), DAY, [sources[0], Snapshot("b", 2, "z")], [LIFTED]),
        digest(rule(), DAY, sources, [replace(LIFTED, tier=Tier.PLAIN)]),
        digest(rule(), DAY, sources, []),
    )
    assert len({whole, *others}) == 6


# ---- when --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("day", "hour", "due"),
    [
        (4, 19, False),
        (5, 18, False),
        (5, 19, True),
        (5, 21, True),
        (5, 22, False),  # 人社 and 医保 are not up together
        (6, 5, False),
        (6, 6, True),
        (30, 12, True),
    ],
)
def test_a_months_run_is_due_from_the_fifth_at_seven_and_made_up_for_by_day(
    day: int, hour: int, due: bool
) -> None:
    words = load().comparisons
    on = date(2026, 11, day)
    schedule = words.schedule(on)
    assert schedule is not None
    rules = due_rules(schedule, words.on(on), (), on, hour)
    assert bool(rules) == due
    assert due_rules(schedule, words.on(on), {one.code for one in words.rules}, on, hour) in (
        (),
        (),
    )
