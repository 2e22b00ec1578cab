"""公民身份号码: one person, one number, whatever the spelling (领域设计 2.5, traps 1 and 2)."""

from __future__ import annotations

from datetime import date

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from adapters.identity import (
    Canonical,
    birth_of,
    canonical,
    citizen_uid,
    grade,
    is_synthetic,
    local_uid,
    spellings,
    with_check_digit,
)
from catalog.datasets import KEY_FORMATS
from catalog.states import DQCode, MatchGrade

TODAY = date(2026, 11, 1)
KEY = b"a county key of thirty-two bytes"
ENDS_IN_X = "11010519491231002X"  # the standard's own example

births = st.dates(date(1930, 1, 1), date(2026, 10, 31))
id_numbers = st.builds(
    lambda birth, sequence: with_check_digit(f"539922{birth:%Y%m%d}{sequence:03d}"),
    births,
    st.integers(1, 999),
)


def test_the_standards_own_example_is_valid() -> None:
    assert canonical(ENDS_IN_X, today=TODAY) == Canonical(ENDS_IN_X)


@pytest.mark.parametrize(
    "text",
    [
        ENDS_IN_X,
        "11010519491231002x",
        "１１０１０５１９４９１２３１００２Ｘ",
        "'11010519491231002X",
        "＇11010519491231002X",
        " 110105 19491231 002X\u3000",
        "\ufeff11010519491231002X\u200b",
        "110105491231002",
        "11010519491231002X43",
        "11010519491231002X43B1",
        "G11010519491231002X",
        "Ｇ11010519491231002x",
    ],
)
def test_all_spellings_of_one_person_meet_in_one_uid(text: str) -> None:
    id18 = canonical(text, today=TODAY).id18
    assert id18 == ENDS_IN_X
    assert citizen_uid(KEY, id18) == citizen_uid(KEY, ENDS_IN_X)


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("5399221976041299", DQCode.DQ01),
        ("L5399220001", DQCode.DQ01),
        ("11010519491231002X93", DQCode.DQ01),
        ("110105194912310021", DQCode.DQ02),
        ("X1010519491231002X", DQCode.DQ02),
        (with_check_digit("53992219990230001"), DQCode.DQ03),
        (with_check_digit("53992220261102001"), DQCode.DQ03),
        ("5.32622E+17", DQCode.DQ04),
        ("5.32622e+17", DQCode.DQ04),
        ("", DQCode.DQ05),
        (" \u3000'", DQCode.DQ05),
    ],
)
def test_a_number_that_cannot_be_read_has_its_code_and_no_guess(text: str, code: DQCode) -> None:
    assert canonical(text, today=TODAY) == Canonical(None, (code,))


def test_a_missing_number_is_missing_not_wrong() -> None:
    assert canonical(None, today=TODAY) == Canonical(None, (DQCode.DQ05,))


def test_a_number_its_source_masked_is_no_fault() -> None:
    assert canonical("539922********0012", today=TODAY) == Canonical(None)


def test_somebody_born_today_has_a_number() -> None:
    number = with_check_digit("53992220261101001")
    assert canonical(number, today=TODAY).id18 == number


def test_fifteen_digits_are_read_as_born_before_2000() -> None:
    found = canonical("539922050312001", today=TODAY).id18
    assert found is not None
    assert birth_of(found) == date(1905, 3, 12)


@given(st.text(max_size=24))
def test_what_is_canonical_stays_as_it_is(text: str) -> None:
    once = canonical(text, today=TODAY)
    if once.id18 is not None:
        assert canonical(once.id18, today=TODAY) == once
    assert once.id18 is None or once.dq == ()


@given(id_numbers)
@settings(max_examples=200)
def test_every_spelling_leads_back_to_its_person(id18: str) -> None:
    texts = spellings(id18, KEY_FORMATS)
    assert id18 in texts
    assert len(texts) == len(set(texts))
    assert {canonical(text, today=TODAY) for text in texts} == {Canonical(id18)}


@given(id_numbers, st.sampled_from("0123456789X"))
def test_a_changed_last_character_is_noticed(id18: str, last: str) -> None:
    expected = Canonical(id18) if last == id18[17] else Canonical(None, (DQCode.DQ02,))
    assert canonical(id18[:17] + last, today=TODAY) == expected


def test_a_source_is_asked_only_for_the_spellings_it_may_hold() -> None:
    assert spellings(ENDS_IN_X, ["id18"]) == (ENDS_IN_X,)
    assert spellings(ENDS_IN_X, ["id18", "lower_x"]) == (ENDS_IN_X, ENDS_IN_X.lower())
    assert spellings(ENDS_IN_X, ["id15"]) == ("110105491231002",)
    assert spellings(ENDS_IN_X, ["g18"]) == ("G" + ENDS_IN_X,)
    assert len(spellings(ENDS_IN_X, ["disability20"])) == 28
    assert "'" + ENDS_IN_X in spellings(ENDS_IN_X, ["apostrophe"])
    assert ENDS_IN_X + "\u3000" in spellings(ENDS_IN_X, ["padded"])


def test_nobody_born_after_1999_has_fifteen_digits() -> None:
    number = with_check_digit("53992220000101001")
    assert spellings(number, ["id18", "id15"]) == (number,)


def test_a_uid_needs_the_key_and_says_its_version() -> None:
    uid = citizen_uid(KEY, ENDS_IN_X)
    assert uid.startswith("1-")
    assert len(uid) == 34
    assert uid != citizen_uid(b"another county key, also 32 byte", ENDS_IN_X)
    assert ENDS_IN_X[:6] not in uid


def test_a_row_without_number_never_meets_a_person() -> None:
    assert local_uid(KEY, "rev", ENDS_IN_X) != citizen_uid(KEY, ENDS_IN_X)
    assert local_uid(KEY, "rev", "1") != local_uid(KEY, "mz_assist", "1")
    assert local_uid(KEY, "a", "b\0c") == local_uid(KEY, "a", "b\0c")


@pytest.mark.parametrize(
    ("register", "source", "expected"),
    [
        ("陆云山", "陆云山", MatchGrade.M1),
        ("陆云山", "陆\u3000云山 ", MatchGrade.M2),
        ("阿依·古丽", "阿依•古丽", MatchGrade.M2),
        ("阿依·古丽", "阿依・古丽", MatchGrade.M2),
        ("陆云山", "陆云珊", MatchGrade.M3),
        ("黄海𣲗", "黄海?", MatchGrade.M3),
        ("陆云山", None, MatchGrade.M3),
    ],
)
def test_the_grade_says_how_far_names_agree(
    register: str, source: str | None, expected: MatchGrade
) -> None:
    assert grade(register, source) is expected


def test_invented_numbers_are_known_by_their_prefix() -> None:
    assert is_synthetic("53992219770412991X")
    assert not is_synthetic(ENDS_IN_X)
