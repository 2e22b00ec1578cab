"""Cursors: sealed, for one list, asker, purpose and Lens; nothing to be read from outside."""

from __future__ import annotations

import base64
from dataclasses import replace
from datetime import UTC, datetime

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from catalog.errors import BadUserInput
from resolvers.cursor import Cursors, Place

KEYS = {1: bytes(range(64)), 2: bytes(range(64, 128))}
PLACE = Place("cases", "zhelai-town-01", "aid.file", "lens-1")
AT = datetime(2026, 11, 20, 8, 30, 15, 123456, tzinfo=UTC)
VALUES = [AT, "0190f5a2-person", 17, None]


def reason(cursors: Cursors, place: Place, text: str) -> str | None:
    with pytest.raises(BadUserInput) as caught:
        cursors.open(place, text)
    assert text not in caught.value.message or not text
    return caught.value.reason


def test_what_is_sealed_comes_back_times_included() -> None:
    cursors = Cursors(KEYS)
    assert cursors.open(PLACE, cursors.seal(PLACE, VALUES)) == VALUES


def test_equal_rows_give_equal_cursors() -> None:
    assert Cursors(KEYS).seal(PLACE, VALUES) == Cursors(KEYS).seal(PLACE, VALUES)


@pytest.mark.parametrize("part", ["listing", "principal", "purpose"])
def test_another_list_asker_or_purpose_is_a_bad_cursor(part: str) -> None:
    cursors = Cursors(KEYS)
    other = replace(PLACE, **{part: "another"})
    assert reason(cursors, other, cursors.seal(PLACE, VALUES)) == "BAD_CURSOR"


def test_what_is_bound_is_bound_part_by_part() -> None:
    cursors = Cursors(KEYS)
    sealed = cursors.seal(Place("ab", "c", "d", "l"), [1])
    assert reason(cursors, Place("a", "bc", "d", "l"), sealed) == "BAD_CURSOR"
    assert reason(cursors, Place("ab", "d", "c", "l"), sealed) == "BAD_CURSOR"


def test_other_rights_make_a_cursor_stale_not_bad() -> None:
    cursors = Cursors(KEYS)
    changed = replace(PLACE, lens="lens-2")
    assert reason(cursors, changed, cursors.seal(PLACE, VALUES)) == "CURSOR_STALE"


def test_every_flipped_bit_is_noticed() -> None:
    cursors = Cursors(KEYS)
    text = cursors.seal(PLACE, VALUES)
    raw = base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))
    for at in range(len(raw)):
        broken = raw[:at] + bytes([raw[at] ^ 1]) + raw[at + 1 :]
        sent = base64.urlsafe_b64encode(broken).decode().rstrip("=")
        assert reason(cursors, PLACE, sent) == "BAD_CURSOR"


@settings(max_examples=200, derandomize=True, deadline=None, database=None)
@given(st.one_of(st.text(max_size=80), st.text("AQgwZz019_-=", max_size=80)))
def test_any_text_is_a_bad_cursor_and_nothing_worse(text: str) -> None:
    assert reason(Cursors(KEYS), PLACE, text) == "BAD_CURSOR"


def test_nothing_of_the_row_stands_in_the_text() -> None:
    text = Cursors(KEYS).seal(PLACE, ["532622205", "person-4711"])
    raw = base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))
    for secret in (b"532622205", b"4711", b"cases", b"zhelai", b"lens-1"):
        assert secret not in raw
        assert secret.decode() not in text


def test_the_newest_key_seals_and_an_old_one_still_opens() -> None:
    old, both, new = Cursors({1: KEYS[1]}), Cursors(KEYS), Cursors({2: KEYS[2]})
    assert both.open(PLACE, old.seal(PLACE, VALUES)) == VALUES
    assert new.open(PLACE, both.seal(PLACE, VALUES)) == VALUES
    assert reason(new, PLACE, old.seal(PLACE, VALUES)) == "BAD_CURSOR"
