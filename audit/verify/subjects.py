"""The subject index: below its cursor what the bodies say, from the cursor on nothing.

A cursor that stays behind when every writer has stopped is a stop that was cut short (or one
who moved it back together with its rows): a search would miss those records. The next start
indexes them, so it is evidence that is missing, no sign that a record was altered.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncConnection

from audit.derived import index_rows
from audit.verify.verdict import Code, Found
from store.audit import audit_index, audit_subject

INDEX_LAG_US = 5_000_000  # a stopped log may be this old before its index must be complete


class Subjects:
    """The index, window by window."""

    def __init__(self, found: Found) -> None:
        self._found = found
        self._cursor: int | None = None
        self.counted = 0

    async def open(self, connection: AsyncConnection) -> None:
        """Before the first record."""
        self._cursor = (await connection.execute(select(audit_index.c.next_idx))).scalar()

    async def judge(
        self, connection: AsyncConnection, first: int, end: int | None, bodies: Iterable[Any]
    ) -> None:
        """Rows of idx first … end-1 against what `bodies` give; no end: all that follow."""
        cursor = self._cursor or 0
        wanted = {row for body in bodies for row in _rows(body) if row[2] < cursor}
        table = audit_subject.c
        query = select(table.subject, table.key_ver, table.idx, table.how).where(table.idx >= first)
        if end is not None:
            query = query.where(table.idx < end)
        stored = {tuple(row) for row in await connection.execute(query)}
        self.counted += len(stored)
        for idx in sorted({row[2] for row in stored ^ wanted}):
            about = "the subject index differs from the body"
            if idx >= cursor:
                about = "in the subject index, though its cursor has not come there"
            self._found.add(idx, Code.SUBJECT_INDEX, about)

    def judge_end(self, size: int, *, stopped_us: int | None) -> None:
        """`stopped_us`: how long ago the last writer stopped, None if one is running."""
        at = self._cursor or 0
        if self._cursor is None and size:
            self._found.add(0, Code.SUBJECT_INDEX, "the subject index has no cursor")
        if at > size:
            self._found.add(size, Code.SUBJECT_INDEX, f"indexed up to {at} of {size} records")
        elif at < size and stopped_us is not None and stopped_us > INDEX_LAG_US:
            about = f"all writers have stopped, but only {at} of {size} records are indexed"
            self._found.add(at, Code.INDEX_BEHIND, about)

    def behind(self, size: int) -> int:
        """Records that are not indexed yet."""
        return max(0, size - (self._cursor or 0))


def _rows(body: Mapping[str, Any]) -> list[tuple[bytes, int, int, str]]:
    try:
        return [row for row in index_rows(body) if type(row[1]) is type(row[2]) is int]
    except (AttributeError, KeyError, TypeError, ValueError):
        return []  # such a body has a finding of its own, or its index rows have no match
