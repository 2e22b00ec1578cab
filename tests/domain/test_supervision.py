"""督办单: 交必办、办必果、果必报 (领域设计 1.8)."""

from __future__ import annotations

from datetime import UTC, datetime
from itertools import pairwise, product

import pytest

from catalog.load import load
from domain.supervision import SupervisionState, may_close, may_move, path

S = SupervisionState
INTAKE = ["DRAFT", "ISSUED", "SIGNED", "IN_PROGRESS"]
MAIN = [*INTAKE, "RESULT_READY", "REPORTED", "REVIEWING", "CLOSED"]
LISTED = {*pairwise(MAIN), ("REVIEWING", "SENT_BACK"), ("SENT_BACK", "IN_PROGRESS")}
AT = datetime(2026, 10, 9, 2, 0, tzinfo=UTC)


def test_every_listed_move_passes_and_every_other_is_refused() -> None:
    assert {(a.value, b.value) for a, b in product(S, S) if may_move(a, b)} == LISTED


def test_the_main_path_ends_in_closing() -> None:
    assert [state.value for state in path()] == MAIN


@pytest.mark.parametrize("missing", [0, 1, 2])
def test_an_order_without_one_of_its_three_stamps_cannot_be_closed(missing: int) -> None:
    stamps: list[datetime | None] = [AT, AT, AT]
    assert may_close(*stamps)
    stamps[missing] = None
    assert not may_close(*stamps)


def test_the_states_are_the_code_tables() -> None:
    assert list(load().codes["SupervisionState"]) == [state.value for state in S]
