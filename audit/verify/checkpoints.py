"""Signed checkpoints and what outsiders hold, compared with the recomputed tree.

    stored checkpoint of size n   signature by a known key in its days, root of records 0 … n-1
    note from outside             the same, and none of a size that the log does not reach
    receipt                       its leaf at its idx
    cadence                       records between two checkpoints span at most 60 s of their own
                                  time, and so do those after the last one

A tree that was recomputed throughout betrays no single record: told is the range between the
last signed tree that still fits and the first that does not.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from sqlalchemy import func, select
from sqlalchemy.ext.asyncio import AsyncConnection

from audit.verify.evidence import Anchors, BadCheckpoint, Evidence, Ordered
from audit.verify.verdict import Code, Found
from store.audit import audit_checkpoint

CADENCE_US = 60_000_000
_OTHERS = "the signed tree is not that of the records"


class Checkpoints:
    """Asked at every size where something is known: `sizes`, `judge`; at the end `judge_end`."""

    def __init__(self, found: Found, evidence: Evidence, anchors: Anchors, *, log: str) -> None:
        self._found, self._evidence, self._anchors, self._log = found, evidence, anchors, log
        self._notes = Ordered(anchors.notes, 0)
        self._receipts = Ordered(anchors.receipts, 0)
        self._stored_good = self._outside_good = 0
        self._stored_forked = self._outside_forked = False
        self._uncovered: tuple[int, int, int] | None = None  # first idx, earliest, latest ts
        self._newest_ts: int | None = None
        self.newest = 0  # size of the newest stored checkpoint
        self.looked_at = 0

    async def open(self, connection: AsyncConnection, since: int) -> None:
        """Before the first record; `since` records are proved already."""
        column = audit_checkpoint.c.size
        self.newest = (await connection.execute(select(func.max(column)))).scalar() or 0
        self._stored_good = self._outside_good = since
        self._notes = Ordered(self._anchors.notes, since)
        self._receipts = Ordered(self._anchors.receipts, since)
        for fault in self._anchors.faults:
            self._found.add(since, fault.code, fault.about)

    async def sizes(
        self, connection: AsyncConnection, first: int, end: int
    ) -> dict[int, list[tuple[bytes | None, str]]]:
        """For each size in first+1 … end (for `end` alone if it is `first`) what is said of it.

        A note from outside as (root, ""), a stored one as (None, its text).
        """
        said: dict[int, list[tuple[bytes | None, str]]] = {}
        for size, root in self._notes.below(end + 1):
            said.setdefault(size, []).append((root, ""))
        column = audit_checkpoint.c.size
        here = (column > first) & (column <= end) if first < end else column == end
        query = select(column, audit_checkpoint.c.note).where(here)
        for size, note in await connection.execute(query):
            said.setdefault(size, []).append((None, note))
        return said

    def record(self, idx: int, ts: int | None) -> None:
        """A record not yet under a checkpoint; `ts` µs UTC, None if it says none."""
        if ts is None:
            return
        self._newest_ts = ts
        if self._uncovered is None:
            self._uncovered = (idx, ts, ts)
            return
        first, early, late = self._uncovered
        self._uncovered = (first, min(early, ts), max(late, ts))

    def receipts(self, leaves: Mapping[int, bytes], end: int) -> None:
        """Compare receipts of records below `end` with the records' leaves."""
        for idx, leaf in self._receipts.below(end):
            if leaves.get(idx) != leaf:
                self._found.add(idx, Code.FORK, "the record is not the one a receipt was given for")
            else:
                self._outside_good = max(self._outside_good, idx + 1)

    def judge(self, size: int, root: bytes, said: Sequence[tuple[bytes | None, str]]) -> None:
        """What is said of the tree of `size`, whose recomputed root is `root`."""
        for outside, note in said:
            if outside is not None:
                self._judge_outside(size, root, outside)
            else:
                self._judge_stored(size, root, note)
        if any(note for _, note in said):
            self._covered()

    def _judge_outside(self, size: int, root: bytes, signed: bytes) -> None:
        if signed == root:
            if not self._outside_forked:
                self._outside_good = max(self._outside_good, size)
        elif not self._outside_forked:
            self._outside_forked = True
            self._found.within(self._outside_good, size, Code.FORK, f"outside: {_OTHERS}")

    def _judge_stored(self, size: int, root: bytes, note: str) -> None:
        self.looked_at += 1
        try:
            checkpoint = self._evidence.opened(note, self._log, self._newest_ts)
        except BadCheckpoint as fault:
            return self._found.add(size, fault.code, fault.about)
        if checkpoint.size != size:
            about = "the note is of another size than its row"
            return self._found.add(size, Code.CHECKPOINT_SIG, about)
        if checkpoint.root == root:
            if not self._stored_forked:
                self._stored_good = max(self._stored_good, size)
        elif not self._stored_forked:
            self._stored_forked = True
            good = max(self._stored_good, self._outside_good)
            self._found.within(good if good < size else 0, size, Code.FORK, _OTHERS)
        return None

    def _covered(self) -> None:
        if self._uncovered is not None:
            first, early, late = self._uncovered
            if late - early > CADENCE_US:
                about = f"no checkpoint for {(late - early) // 1_000_000} s of records"
                self._found.add(first, Code.CHECKPOINT_GAP, about)
        self._uncovered = None

    async def judge_end(self, connection: AsyncConnection, size: int) -> None:
        """After the last record: what is known of a longer log, and what nothing covers."""
        await self._judge_longer(connection, size)
        beyond = list(self._beyond(size))
        if beyond:
            about = f"outside: the log once had {max(beyond)} records, now {size}"
            self._found.add(size, Code.TRUNCATED, about)
        if not self.newest and self._evidence.keys and size:
            self._found.add(0, Code.CHECKPOINT_GAP, "no checkpoint at all")
        elif self.newest:
            self._covered()

    def _beyond(self, size: int) -> Iterator[int]:
        every = 1 << 63
        yield from (at for at, _ in self._notes.below(every) if at > size)
        yield from (idx + 1 for idx, _ in self._receipts.below(every) if idx >= size)

    async def _judge_longer(self, connection: AsyncConnection, size: int) -> None:
        if self.newest <= size:
            return
        query = select(audit_checkpoint.c.note).where(audit_checkpoint.c.size == self.newest)
        note: Any = (await connection.execute(query)).scalar_one()
        try:
            self._evidence.opened(note, self._log, None)
        except BadCheckpoint as fault:
            self._found.add(size, fault.code, fault.about)
        about = f"a checkpoint of {self.newest} records, but only {size}"
        self._found.add(size, Code.TRUNCATED, about)

    @property
    def last_good(self) -> int | None:
        """Size of the newest signed tree that the records agree with; none after a fork."""
        stored = 0 if self._outside_forked else self._stored_good
        return max(stored, self._outside_good) or None

    @property
    def anchored(self) -> int | None:
        """The same of what came from outside."""
        return (self._outside_good or None) if self._anchors.given else None
