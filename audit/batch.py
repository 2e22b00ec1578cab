"""Numbering one batch under the head lock: what goes into the tables, in one transaction.

Both databases write the same rows; how they lock, insert and commit differs and stands in
`sqlite_writer.py` and `postgres_writer.py`.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from audit.derived import COLUMNS, columns
from audit.record import Entry, Stamp, stamp
from audit.tree import SHA256, Frontier, Suite

EVENT_COLUMNS = (*COLUMNS, "leaf", "body")
STEP_US = 1_000_000  # less is the drift that time servers correct all day


def now_us() -> int:
    """Wall clock, µs UTC."""
    return time.time_ns() // 1000


class Ticks:
    """A clock that never goes back: a writer's times do not decrease, whatever the host does."""

    def __init__(self, clock: Callable[[], int] = now_us) -> None:
        self._clock, self._last = clock, 0
        self._ahead = self._offset()

    def stepped(self) -> bool:
        """True once after the host's clock was set by more than a second."""
        before, self._ahead = self._ahead, self._offset()
        return abs(self._ahead - before) > STEP_US

    def _offset(self) -> int:
        return self._clock() - time.monotonic_ns() // 1000

    def next(self) -> int:
        """Now, or the last time given if the clock was set back. µs UTC."""
        self._last = max(self._last, self._clock())
        return self._last


@dataclass(slots=True)
class Head:
    """The head row and the writer's own counter. `root` is hex."""

    size: int
    frontier: bytes
    root: str
    wseq: int


@dataclass(slots=True)
class Place:
    """Where a record came to lie: index and leaf (hex)."""

    idx: int
    leaf: str


@dataclass(slots=True)
class Batch:
    """Rows to insert, in the order of `EVENT_COLUMNS`, and the new head."""

    events: list[tuple[Any, ...]]
    places: list[Place]
    head: Head


class Writer(Protocol):
    """One connection of its own to the store; used by one batch at a time."""

    async def open(self) -> None:
        """Connect; NotDurable if a commit would not be on disk when it returns."""

    async def write(self, entries: Sequence[Entry], *, again: bool) -> list[Place]:
        """One transaction. `again`: the same entries may be there already; then their places."""

    async def reset(self) -> None:
        """Drop the connection; the next `write` makes a new one."""

    async def close(self) -> None:
        """Drop everything; nothing is written any more."""


class NotDurable(Exception):
    """The database is set so that an acknowledged commit could be lost (P1)."""


class OutOfOrder(Exception):
    """The writer's counter in the store is not where this writer left it."""


def number(
    entries: Sequence[Entry], head: Head, *, writer: str, ticks: Ticks, suite: Suite = SHA256
) -> Batch:
    """Give each entry its place after `head`; write it only if the head is still there."""
    frontier, leaf = Frontier.decode(head.size, head.frontier, suite), suite.leaf
    events: list[tuple[Any, ...]] = []
    places: list[Place] = []
    for offset, one in enumerate(entries):
        at = Stamp(head.size + offset, ticks.next(), writer, head.wseq + offset + 1)
        record = stamp(one, at)
        hashed = leaf(record.text.encode())
        frontier.append(hashed)
        events.append((*columns(record.body), hashed.hex(), record.text))
        places.append(Place(at.idx, hashed.hex()))
    root = frontier.root().hex()
    moved = Head(frontier.size, frontier.encode(), root, head.wseq + len(entries))
    return Batch(events, places, moved)
