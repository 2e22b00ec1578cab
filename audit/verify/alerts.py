"""Alerts: every ALERT_RAISED record has its row, every row its record, and so has handling.

The record's `ref` is the alert's id. The record is written first, so a row may be missing for
a moment, and after a kill a second record may name the same alert.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncConnection

from audit.verify.verdict import Code, Found
from store.audit import audit_alert, audit_event

RAISED, HANDLED = "ALERT_RAISED", "ALERT_HANDLED"
MOMENT_US = 60_000_000
PAGE = 500
_TABLE = audit_alert.c
_VALUES = (_TABLE.id, _TABLE.raised_idx, _TABLE.handled_idx)


class Alerts:
    """Records window by window, then the rows page by page."""

    def __init__(self, found: Found) -> None:
        self._found = found
        self._since = 0
        self._fresh: list[tuple[int, int]] = []  # records without a row: idx, ts

    def open(self, since: int) -> None:
        """Before the first record; what records below `since` say is not looked at."""
        self._since = since

    async def judge(
        self, connection: AsyncConnection, bodies: Sequence[Mapping[str, Any]], now: int
    ) -> None:
        """A window's records; `now` is the newest time in the log so far."""
        told = [
            (idx, ts, body)
            for body in bodies
            if body.get("kind") in (RAISED, HANDLED)
            and type(idx := body.get("idx")) is int
            and type(ts := body.get("ts")) is int
        ]
        if told:
            refs = sorted({str(body.get("ref", "")) for *_, body in told})
            query = select(_TABLE.id, _TABLE.handled_idx).where(_TABLE.id.in_(refs))
            found = await connection.execute(query)
            rows: dict[str, int | None] = {row[0]: row[1] for row in found}
            for idx, ts, body in told:
                self._judge(idx, ts, body, rows)
        self._old(now - MOMENT_US)

    def _judge(
        self, idx: int, ts: int, body: Mapping[str, Any], rows: Mapping[str, int | None]
    ) -> None:
        ref = str(body.get("ref", ""))
        if ref not in rows:
            self._fresh.append((idx, ts))
        elif body["kind"] == HANDLED and rows[ref] is None:
            self._found.add(idx, Code.ALERT, "the alert of this handling is open")

    def _old(self, before: int) -> None:
        for idx, ts in self._fresh:
            if ts < before:
                self._found.add(idx, Code.ALERT, "the alert of this record is missing")
        self._fresh = [one for one in self._fresh if one[1] >= before]

    async def judge_end(
        self, connection: AsyncConnection, size: int, *, stopped_us: int | None
    ) -> None:
        """Each row against its records; records just written, if no writer runs."""
        if stopped_us is not None and stopped_us > MOMENT_US:
            self._old(1 << 62)
        after = ""
        while rows := await self._page(connection, after):
            after = rows[-1][0]
            places = {at for _, *both in rows for at in both if at is not None}
            said = await _said(connection, places)
            for name, raised, handled in rows:
                self._judge_row(raised, (RAISED, name), said, size)
                if handled is not None:
                    self._judge_row(handled, (HANDLED, name), said, size)

    def _judge_row(
        self, idx: int, wanted: tuple[str, str], said: Mapping[int, tuple[Any, Any]], size: int
    ) -> None:
        if said.get(idx) != wanted and not 0 <= idx < self._since:
            about = "an alert names a record that is not its"
            self._found.add(min(max(idx, 0), size), Code.ALERT, about)

    @staticmethod
    async def _page(
        connection: AsyncConnection, after: str
    ) -> Sequence[tuple[str, int, int | None]]:
        query = select(*_VALUES).where(_TABLE.id > after).order_by(_TABLE.id).limit(PAGE)
        return [(row[0], row[1], row[2]) for row in await connection.execute(query)]


async def _said(connection: AsyncConnection, places: set[int]) -> dict[int, tuple[Any, Any]]:
    """Kind and `ref` of some records, from their bodies."""
    table = audit_event.c
    said: dict[int, tuple[Any, Any]] = {}
    query = select(table.idx, table.body).where(table.idx.in_(sorted(places)))
    for idx, text in await connection.execute(query):
        try:
            body = json.loads(text)
            said[idx] = (body.get("kind"), body.get("ref"))
        except (ValueError, AttributeError, TypeError, RecursionError):
            continue  # it has a finding of its own
    return said
