"""Archived segments: where the records in the store begin, and what is written of the rest.

Records of a segment that was detached or destroyed are not in the store. The walk begins
behind them, with the tree as tiles and the last leaves give it; its checkpoints are over the
whole tree, so they prove that beginning, too.
"""

from __future__ import annotations

from sqlalchemy import func, select
from sqlalchemy.ext.asyncio import AsyncConnection

from audit.tile_rows import Rows, stored_rows
from audit.tiles import StoreReader, TileMissing
from audit.tree import Suite
from audit.verify.evidence import BadCheckpoint, Evidence
from audit.verify.verdict import Code, Found
from store.audit import audit_event, audit_segment

_GONE = ("DETACHED", "DESTROYED")
_TABLE = audit_segment.c


class Segments:
    """The table's rows, compared as the walk passes their ends."""

    def __init__(self, found: Found, evidence: Evidence, log: str, suite: Suite) -> None:
        self._found, self._evidence, self._log = found, evidence, log
        self._suite = suite
        self.first = self.leaving = 0
        self._last = 0

    async def begin(self, connection: AsyncConnection) -> Rows:
        """The tree of all records that are no longer in the store."""
        query = select(_TABLE.first, _TABLE.end, _TABLE.state, _TABLE.frontier)
        end, frontier = 0, b""
        self._last = (await connection.execute(select(func.max(_TABLE.end)))).scalar() or 0
        for row in await connection.execute(query.order_by(_TABLE.first)):
            if row.first != end:
                self._found.add(end, Code.SEGMENT, "no segment begins where the last one ends")
                break
            if row.state not in _GONE:
                break
            end, frontier = row.end, row.frontier
        if not end:
            return Rows(suite=self._suite)
        below = select(func.count()).where(audit_event.c.idx < end)
        self.first, self.leaving = end, (await connection.scalar(below)) or 0
        try:
            rows = await stored_rows(StoreReader(connection), end, self._suite)
        except (TileMissing, ValueError):
            self._found.add(0, Code.SEGMENT, "tiles of the detached segments are missing")
            return Rows(suite=self._suite)
        if rows.frontier().encode() != frontier:
            self._found.within(
                0, end, Code.SEGMENT, "a segment's frontier is not that of its tiles"
            )
        return rows

    async def ends(self, connection: AsyncConnection, first: int, end: int) -> dict[int, bytes]:
        """Ends of segments in first+1 … end and the frontiers written there."""
        ends: dict[int, bytes] = {}
        if first >= self._last:
            return ends
        query = select(_TABLE.end, _TABLE.first, _TABLE.frontier, _TABLE.note)
        for row in await connection.execute(query.where(_TABLE.end > first, _TABLE.end <= end)):
            ends[row.end] = row.frontier
            try:
                covers = self._evidence.opened(row.note, self._log, None).size >= row.end
            except BadCheckpoint as fault:
                self._found.add(row.first, fault.code, f"segment: {fault.about}")
                continue
            if not covers:
                self._found.add(row.first, Code.SEGMENT, "its checkpoint does not cover a segment")
        return ends

    def judge(self, size: int, frontier: bytes, written: bytes) -> None:
        """What a segment that ends at `size` says of the tree."""
        if frontier != written:
            about = "a segment's frontier is not that of the records"
            self._found.within(0, size, Code.SEGMENT, about)
