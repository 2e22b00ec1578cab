"""The roll-up by hour, added up again from the bodies below its follower's cursor.

Records arrive in the order of time but for small steps between writers, so an hour is
compared when the log is two hours past it. What a late record of such an hour adds is set
off against the difference that was found; only what is left at the end is a finding.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncConnection

from audit.subjects import seen_count
from audit.verify.verdict import Code, Found
from store.audit import audit_follower, audit_rollup_hour

FOLLOWER = "rollup"
HOUR_US = 3_600_000_000
_PAST = 2  # hours
_KEPT = 50_000  # differences held; more are told at once
_Key = tuple[str, str, str, str]  # actor, area, kind, outcome
_TABLE = audit_rollup_hour.c
_VALUES = (
    _TABLE.hour,
    _TABLE.actor,
    _TABLE.area,
    _TABLE.kind,
    _TABLE.outcome,
    _TABLE.events,
    _TABLE.subjects,
)


class Rollup:
    """Sums of the hours in view, differences of those that are past."""

    def __init__(self, found: Found) -> None:
        self._found = found
        self._cursor = 0
        self._hours: dict[int, dict[_Key, list[int]]] = {}  # hour: key: events, subjects, first
        self._left: dict[tuple[int, _Key], list[int]] = {}
        self._from: int | None = 0  # the first hour that is whole; None: not known yet
        self._told = -1  # hours up to this one are compared

    async def open(self, connection: AsyncConnection, since: int) -> None:
        """Before the first record; of a walk from `since` the hours it began in are left out."""
        query = select(audit_follower.c.next_idx).where(audit_follower.c.name == FOLLOWER)
        self._cursor = (await connection.execute(query)).scalar() or 0
        self._from = None if since else 0

    def add(self, body: Mapping[str, Any]) -> None:
        """One record."""
        idx = body.get("idx", 0)
        if not (type(idx) is int and idx < self._cursor):
            return
        try:
            hour, count = body["ts"] // HOUR_US, seen_count(body)
            key = (body.get("actor", ""), body["area"], body["kind"], body["outcome"])
            hash(key)
        except (AttributeError, KeyError, TypeError):
            return  # no record's shape: it has a finding of its own
        if self._from is None:
            self._from = hour + _PAST
        if hour < self._from:
            return
        sums = self._hours.setdefault(hour, {}).setdefault(key, [0, 0, idx])
        sums[0] += 1
        sums[1] += count

    async def judge(self, connection: AsyncConnection) -> None:
        """Compare the hours that the log is well past."""
        if self._hours:
            await self._compare(connection, max(self._hours) - _PAST)

    async def judge_end(self, connection: AsyncConnection, size: int) -> None:
        """Compare the rest; nothing may be stored of hours that have no record."""
        if self._cursor > size:
            about = f"rolled up to {self._cursor} of {size} records"
            self._found.add(size, Code.ROLLUP, about)
        await self._compare(connection, None)
        left = sorted(self._left.items(), key=lambda one: (one[0][0], one[1][2]))
        for (hour, _), (events, subjects, first) in left:
            if events or subjects:
                self._tell(hour, first if first >= 0 else size)

    async def _compare(self, connection: AsyncConnection, upto: int | None) -> None:
        begin = max(self._told + 1, self._from if self._from is not None else 0)
        if self._from is None or (upto is not None and upto < begin):
            return
        for hour in [h for h in self._hours if upto is None or h <= upto]:
            for key, (events, subjects, first) in self._hours.pop(hour).items():
                self._differ(hour, key, events, subjects, first)
        query = select(*_VALUES).where(_TABLE.hour >= begin)
        if upto is not None:
            query = query.where(_TABLE.hour <= upto)
            self._told = upto
        for hour, actor, area, kind, outcome, events, subjects in await connection.execute(query):
            self._differ(hour, (actor, area, kind, outcome), -events, -subjects, -1)

    def _differ(self, hour: int, key: _Key, events: int, subjects: int, first: int) -> None:
        at = (hour, key)
        left = self._left.setdefault(at, [0, 0, first])
        left[0] += events
        left[1] += subjects
        left[2] = first if left[2] < 0 else left[2]
        if left[:2] == [0, 0]:
            del self._left[at]
        elif len(self._left) > _KEPT:
            events, subjects, first = self._left.pop(next(iter(self._left)))
            self._tell(hour, max(first, 0))

    def _tell(self, hour: int, idx: int) -> None:
        self._found.add(idx, Code.ROLLUP, f"the roll-up of hour {hour} is not that of the records")
