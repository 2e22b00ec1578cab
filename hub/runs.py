"""Id numbers tried one after another (audit T16), noticed where they are still numbers.

A record names tokens, in which neighbours cannot be told. So the numbers that one operation
looks up are held beside the request, compared in this worker's memory with those of the same
account's last minutes, and only the length of the longest run leaves, into the record's
``op.vars`` as ``run``. Two numbers are neighbours if their first fourteen digits (place and
birth date) are equal and the sequence numbers of three digits differ by one.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from time import monotonic

ACCOUNTS = 512  # remembered at a time
NUMBERS = 200  # of each, the latest
FORGOTTEN_S = 600.0  # the window of the rule that reads the runs
SHOWN = 2  # a shorter run is none

_stem, _sequence, _end = 14, slice(14, 17), 17
_asked: ContextVar[list[str] | None] = ContextVar("looked up", default=None)

Place = tuple[str, int]


@contextmanager
def looked_up() -> Iterator[list[str]]:
    """Collects the id numbers that are looked up inside, in whatever task."""
    numbers: list[str] = []
    before = _asked.set(numbers)
    try:
        yield numbers
    finally:
        _asked.reset(before)


def noted(id18: str) -> str:
    """The id number that is being looked up, noted where somebody collects them."""
    numbers = _asked.get()
    if numbers is not None:
        numbers.append(id18)
    return id18


class Runs:
    """The memory of one worker. `clock` gives monotonic seconds."""

    def __init__(self, clock: Callable[[], float] = monotonic) -> None:
        self._clock = clock
        self._accounts: OrderedDict[str, OrderedDict[Place, float]] = OrderedDict()

    def longest(self, account: str, numbers: list[str]) -> int:
        """The longest run that one of `numbers` belongs to; 0 if there is none of two or more."""
        places = [place for place in map(_place, numbers) if place is not None]
        if not places:
            return 0
        known = self._known(account)
        for place in places:
            known.pop(place, None)
            known[place] = self._clock()
        while len(known) > NUMBERS:
            known.popitem(last=False)
        run = max(_length(known, place) for place in places)
        return run if run >= SHOWN else 0

    def _known(self, account: str) -> OrderedDict[Place, float]:
        known = self._accounts.setdefault(account, OrderedDict())
        self._accounts.move_to_end(account)
        if len(self._accounts) > ACCOUNTS:
            self._accounts.popitem(last=False)
        old = self._clock() - FORGOTTEN_S
        while known and next(iter(known.values())) <= old:
            known.popitem(last=False)
        return known


def _place(number: str) -> Place | None:
    sequence = number[_sequence]
    if len(number) <= _end or not sequence.isdecimal():
        return None
    return number[:_stem], int(sequence)


def _length(known: OrderedDict[Place, float], place: Place) -> int:
    stem, middle = place
    low = high = middle
    while (stem, low - 1) in known:
        low -= 1
    while (stem, high + 1) in known:
        high += 1
    return high - low + 1 if place in known else 0
