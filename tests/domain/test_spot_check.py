"""随机抽查: a sample anybody can draw again, and its rectification (领域设计 1.9)."""

from __future__ import annotations

from enum import StrEnum

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from catalog.load import load
from domain.machine import Fact, Refused, Why
from domain.spot_check import MACHINE, SpotCheckAct, SpotCheckState, digest, draw, lot, roll
from tests.domain.walks import agrees, moves, read, walk

TABLE = read("""
DRAWN      CHECK               CHECKED    | FINDING
CHECKED    CLOSE               CLOSED     | IN_ORDER           | CLOSED_AT
CHECKED    ORDER_RECTIFICATION RECTIFYING | REASON DEADLINE
RECTIFYING RECTIFY             RECTIFIED  | ROOT_CAUSE MEASURE | RECTIFIED_AT
RECTIFIED  CLOSE               CLOSED     | RECTIFIED_AT       | CLOSED_AT
""")
DESIGN = {
    ("DRAWN", "CHECKED"),
    ("CHECKED", "CLOSED"),
    ("CHECKED", "RECTIFYING"),
    ("RECTIFYING", "RECTIFIED"),
    ("RECTIFIED", "CLOSED"),
}
SEED = "A20261026"
CASES = [f"case-{number}" for number in range(1, 7)]
BY_LOT = ("case-2", "case-4", "case-3", "case-5", "case-6", "case-1")
"""By ``printf 'A20261026\\ncase-1' | sha256sum`` and so on, sorted."""
S, D = SpotCheckState, SpotCheckAct
SETTINGS = settings(derandomize=True, deadline=None, max_examples=100)
KEYS = st.lists(st.text(max_size=6), max_size=20)
SEEDS = st.text(min_size=1, max_size=8).filter(lambda seed: "\n" not in seed)


def test_every_listed_act_passes_and_every_other_pair_is_refused() -> None:
    assert agrees(MACHINE, S, D, TABLE) == 20
    assert moves(TABLE) == DESIGN
    assert {(a.value, b.value) for a, after in MACHINE.moves.items() for b in after} == DESIGN


def test_no_walk_closes_without_its_stamp() -> None:
    reached = walk(MACHINE, S, D, TABLE, closing={"CLOSED": ("CLOSED_AT",)})
    assert reached == {state.value for state in S}


def test_what_was_not_in_order_does_not_close_at_once() -> None:
    refused = MACHINE.take(S.CHECKED, D.CLOSE, {Fact.FINDING}, {})
    assert refused == Refused(Why.FACTS_MISSING, (Fact.IN_ORDER,))


def test_the_lots_are_those_of_sha256sum() -> None:
    assert lot(SEED, "case-1") == (
        "ac4d0ed421aa74fe68cb8bbeeb5ddbcc5113e0ea8c67cc10145ad330bc44bca1"
    )
    assert draw(SEED, CASES, 6) == BY_LOT
    assert draw(SEED, CASES, 2) == ("case-2", "case-4")
    assert draw(SEED, CASES, 0) == ()


def test_another_seed_draws_another_sample() -> None:
    assert draw("A20261027", CASES, 6) != BY_LOT


@given(seed=SEEDS, keys=KEYS, size=st.integers(0, 20), data=st.data())
@SETTINGS
def test_the_order_and_repetition_of_the_population_do_not_matter(
    seed: str, keys: list[str], size: int, data: st.DataObject
) -> None:
    other = data.draw(st.permutations(keys)) + keys[:3]
    assert draw(seed, other, size) == draw(seed, keys, size)


@given(seed=SEEDS, keys=KEYS, size=st.integers(0, 20))
@SETTINGS
def test_a_sample_is_of_the_population_and_grows_at_its_end(
    seed: str, keys: list[str], size: int
) -> None:
    sample = draw(seed, keys, size)
    assert len(sample) == len(set(sample)) == min(size, len(set(keys)))
    assert set(sample) <= set(keys)
    assert draw(seed, keys, size + 1)[: len(sample)] == sample


@given(seed=SEEDS, keys=KEYS, size=st.integers(1, 20))
@SETTINGS
def test_who_is_not_drawn_changes_nothing_by_leaving(seed: str, keys: list[str], size: int) -> None:
    sample = draw(seed, keys, size)
    assert draw(seed, sample, size) == sample


@pytest.mark.parametrize(("seed", "size"), [("", 1), ("a\nb", 1), ("a", -1)])
def test_a_seed_of_two_lines_and_a_negative_size_are_refused(seed: str, size: int) -> None:
    with pytest.raises(ValueError, match=r"^a (seed|sample) "):
        draw(seed, CASES, size)


def test_the_digest_is_what_sha256sum_says_of_the_sorted_keys() -> None:
    told = "911169ddaaf146af"
    assert roll(["b", "a", "b"]) == "a\nb\n"
    assert digest(["b", "a", "b"]) == digest(("a", "b"))
    assert digest(["b", "a"])[:16] == told
    assert digest([]) == "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"


@pytest.mark.parametrize("words", [S, D])
def test_the_words_are_the_code_tables(words: type[StrEnum]) -> None:
    assert list(load().codes[words.__name__]) == [word.value for word in words]
