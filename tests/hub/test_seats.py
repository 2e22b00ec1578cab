"""Seats: so many an account, given back whatever happens."""

from __future__ import annotations

import contextlib

import pytest

from catalog.errors import RateLimited
from hub.edge.seats import Seats


def test_one_too_many_is_refused_and_the_others_keep_theirs() -> None:
    seats = Seats(2, "连接")
    with seats.taken("a"), seats.taken("a"), seats.taken("b"):
        with pytest.raises(RateLimited) as error, seats.taken("a"):
            pass
        assert (error.value.reason, seats.held) == ("CONCURRENCY", 3)
        assert "最多 2 个" in error.value.message
    assert seats.held == 0


def test_a_seat_is_given_back_by_who_fails() -> None:
    seats = Seats(1, "连接")
    for _ in range(3):
        with contextlib.suppress(KeyError), seats.taken("a"):
            raise KeyError
    assert seats.held == 0
