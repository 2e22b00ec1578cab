"""Is the log what was written? Reads every body and trusts nothing that is derived.

In windows of idx, so that memory does not grow with the log, and in one read transaction,
so that a log in use can be verified while it grows:

    bodies ──hash──► leaves ──► frontier ──► root          compared with leaf, head
    body ──parse──► canonical text, columns, subjects      compared with body, columns, index
    body ──► writer's own sequence and time                each writer counts 1, 2, 3 …

The subject index follows the log (`index.py`): below its cursor it must say what the bodies
say, from the cursor on nothing. A cursor that stays behind when every writer has stopped
is a fault, too: a stop brings the index up to date.

Three verdicts are kept apart. *integrity*: what is there is what was written.
*completeness*: nothing is missing. *indexes*: a search by citizen finds every record.
Without an outside checkpoint a tail that was cut together with its head cannot be seen
(audit T5); that proof is not part of this file.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import IntEnum, StrEnum
from pathlib import Path
from typing import Any

from sqlalchemy import func, select
from sqlalchemy.engine import Row, make_url
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from audit.batch import EVENT_COLUMNS, now_us
from audit.derived import COLUMNS, columns, index_rows
from audit.record import canonical
from audit.segments import frontier_at, online_from, rows_of
from audit.suite import NoSuite, suite_of
from audit.tree import SHA256, Frontier
from store.audit import audit_event, audit_head, audit_index, audit_subject, audit_writer
from store.engine import open_engine

WINDOW = 500  # records a step: with 500 subjects each, some 60 MB of index rows
INDEX_LAG_US = 5_000_000  # a stopped log may be this old before its index must be complete
KEPT_FINDINGS = 100  # listed one by one; the rest is counted

Progress = Callable[[int, int], None]
"""Called with records done and records in all, after each window."""


class Code(StrEnum):
    """What can be wrong."""

    GAP = "GAP"
    LEAF = "LEAF"
    COLUMN = "COLUMN"
    NOT_CANONICAL = "NOT_CANONICAL"
    WRITER_SEQ = "WRITER_SEQ"
    CLOCK_BACK = "CLOCK_BACK"
    HEAD = "HEAD"
    SEGMENT = "SEGMENT"
    SUBJECT_INDEX = "SUBJECT_INDEX"


_INTEGRITY = {Code.LEAF, Code.COLUMN, Code.NOT_CANONICAL, Code.CLOCK_BACK, Code.HEAD, Code.SEGMENT}
_COMPLETENESS = {Code.GAP, Code.WRITER_SEQ}


class Exit(IntEnum):
    """Exit codes of ``hub audit verify``; 2 is wrong usage and belongs to the CLI."""

    INTACT = 0
    TAMPERED = 1
    CANNOT_READ = 3
    INCOMPLETE = 4


class CannotRead(Exception):
    """The store is not there, does not answer, or holds no log. Says nothing about the log."""


@dataclass(frozen=True, slots=True)
class Finding:
    """One fault: where (idx), which, and what was compared; never a value of the record."""

    idx: int
    code: Code
    about: str


@dataclass(frozen=True, slots=True)
class Verdicts:
    """The outcome. `begun` is False if no log was ever started: then nothing is proved."""

    log: str
    size: int
    subjects: int
    root: str
    begun: bool
    findings: tuple[Finding, ...]
    counts: Mapping[Code, int]
    first_bad: int | None
    unstopped: tuple[str, ...]
    """Writers without HUB_STOP: running now, or ended without a word (killed, power cut)."""
    unindexed: int = 0
    """Records that the subject index has not reached yet: a search would not find them."""
    first: int = 0
    """The first record that is online; those before it lie in the archive (`segments.py`)."""
    leaving: int = 0
    """Records of the archive whose rows a run that was interrupted has left in the store."""

    @property
    def integrity(self) -> bool:
        """What is there is what was written."""
        return not _INTEGRITY & self.counts.keys()

    @property
    def completeness(self) -> bool:
        """No record is missing in the middle, at the end, or of a writer's sequence."""
        return self.begun and not _COMPLETENESS & self.counts.keys()

    @property
    def indexes(self) -> bool:
        """The subject index says what the bodies say."""
        return Code.SUBJECT_INDEX not in self.counts

    @property
    def exit(self) -> Exit:
        """Tampered if anything was found, incomplete if there was nothing to judge."""
        if self.counts:
            return Exit.TAMPERED
        return Exit.INTACT if self.begun else Exit.INCOMPLETE


def run(url: str, *, window: int = WINDOW, progress: Progress | None = None) -> Verdicts:
    """Verify the log in the store at `url`; not inside a coroutine. CannotRead if it is absent."""
    address = make_url(url)
    # SQLite would make an empty file and call it a store.
    if address.get_backend_name() == "sqlite" and not Path(address.database or "").is_file():
        raise CannotRead("no such file")
    return asyncio.run(_run(url, window, progress))


async def check(
    engine: AsyncEngine,
    *,
    window: int = WINDOW,
    progress: Progress | None = None,
    clock: Callable[[], int] = now_us,
) -> Verdicts:
    """Verify the log of a store that is open; `clock` is µs UTC. CannotRead if it cannot be."""
    try:
        async with engine.connect() as connection:
            return await _Walk(await _snapshot(connection), window, progress, clock).run()
    except (SQLAlchemyError, OSError) as error:
        raise CannotRead(type(error).__name__) from error


async def _run(url: str, window: int, progress: Progress | None) -> Verdicts:
    engine = open_engine(url, pool_size=1, readonly=True)
    try:
        return await check(engine, window=window, progress=progress)
    finally:
        await engine.dispose()


async def _snapshot(connection: AsyncConnection) -> AsyncConnection:
    if connection.dialect.name == "sqlite":
        await connection.exec_driver_sql("BEGIN")
        return connection
    return await connection.execution_options(
        isolation_level="REPEATABLE READ", postgresql_readonly=True
    )


@dataclass(slots=True)
class _WriterSeen:
    wseq: int = 0
    ts: int = 0
    stopped: bool = False


@dataclass(slots=True)
class _Found:
    """Findings so far: all are counted, the first are kept."""

    kept: list[Finding] = field(default_factory=list)
    counts: Counter[Code] = field(default_factory=Counter)
    first: int | None = None

    def add(self, idx: int, code: Code, about: str) -> None:
        self.counts[code] += 1
        self.first = idx if self.first is None else min(self.first, idx)
        if len(self.kept) < KEPT_FINDINGS:
            self.kept.append(Finding(idx, code, about))


class _Walk:
    """One pass over the log."""

    def __init__(
        self,
        connection: AsyncConnection,
        window: int,
        progress: Progress | None,
        clock: Callable[[], int],
    ) -> None:
        self._connection, self._window, self._progress = connection, window, progress
        self._clock = clock
        self._found = _Found()
        self._suite = SHA256
        self._frontier = Frontier()
        self._writers: dict[str, _WriterSeen] = {}
        self._first = self._next = 0
        self._leaving = 0
        self._cursor = 0
        self._last_ts = 0
        self._subjects = 0

    async def run(self) -> Verdicts:
        head = (await self._connection.execute(select(audit_head))).one_or_none()
        total = head.size if head is not None else 0
        self._hash_as(head)
        cursor = (await self._connection.execute(select(audit_index.c.next_idx))).scalar()
        self._cursor = cursor or 0
        await self._begin()
        while rows := await self._rows():
            await self._judge(rows)
            if self._progress is not None:
                self._progress(self._frontier.size, max(total, self._frontier.size))
        await self._judge_index(self._next, None, set())
        self._judge_cursor(cursor)
        self._judge_head(head)
        await self._judge_writers()
        return self._verdicts(head)

    def _hash_as(self, head: Row[Any] | None) -> None:
        if head is not None:
            with contextlib.suppress(NoSuite):  # `_judge_head` names it
                self._suite = suite_of(head.suite)
                self._frontier = Frontier(suite=self._suite)

    async def _begin(self) -> None:
        """Start where the archive ends: the root that is reached proves the frontier it gave."""
        first = online_from(await rows_of(self._connection))
        if not first:
            return
        frontier = await frontier_at(self._connection, first)
        if frontier is None:
            self._found.add(first, Code.SEGMENT, "the archive's frontier is none of this log")
            return
        self._first = self._next = first
        self._frontier = frontier
        below = select(func.count()).where(audit_event.c.idx < first)
        self._leaving = await self._connection.scalar(below) or 0

    async def _rows(self) -> Sequence[Row[Any]]:
        wanted = [audit_event.c[name] for name in EVENT_COLUMNS]
        page = select(*wanted).where(audit_event.c.idx >= self._next)
        found = await self._connection.execute(page.order_by(audit_event.c.idx).limit(self._window))
        return found.all()

    async def _judge(self, rows: Sequence[Row[Any]]) -> None:
        first, index = self._next, set[tuple[bytes, int, int, str]]()
        for row in rows:
            if row.idx != self._next:
                self._found.add(self._next, Code.GAP, f"records up to {row.idx - 1} are missing")
            self._next = row.idx + 1
            body = self._judge_body(row)
            if body is not None:
                self._judge_columns(row, body)
                self._judge_writer(row.idx, body)
                if row.idx < self._cursor:
                    index.update((token, ver, row.idx, how) for token, ver, _, how in _index(body))
        await self._judge_index(first, self._next, index)

    def _judge_body(self, row: Row[Any]) -> Mapping[str, Any] | None:
        text = row.body if isinstance(row.body, str) else ""  # SQLite keeps what it is given
        hashed = self._suite.leaf(text.encode())
        self._frontier.append(hashed)
        if hashed.hex() != row.leaf:
            self._found.add(row.idx, Code.LEAF, "the body's hash is not the stored leaf")
        try:
            body = json.loads(text)
            if isinstance(body, dict) and canonical(body) == text:
                return body
        except (ValueError, RecursionError):
            pass  # no JSON at all is no canonical JSON either
        self._found.add(row.idx, Code.NOT_CANONICAL, "the body is not in canonical form")
        return None

    def _judge_columns(self, row: Row[Any], body: Mapping[str, Any]) -> None:
        try:
            derived = columns(body)
        except (AttributeError, TypeError):
            return self._found.add(row.idx, Code.COLUMN, "the body has not the fields of a record")
        pairs = zip(COLUMNS, derived, row, strict=False)  # the row goes on with leaf and body
        wrong = [name for name, said, stored in pairs if said != stored]
        if wrong:
            self._found.add(row.idx, Code.COLUMN, f"differs from the body: {' '.join(wrong)}")
        return None

    def _judge_writer(self, idx: int, body: Mapping[str, Any]) -> None:
        name, wseq, ts = body.get("writer"), body.get("wseq"), body.get("ts")
        if not (isinstance(name, str) and isinstance(wseq, int) and isinstance(ts, int)):
            return self._found.add(idx, Code.WRITER_SEQ, "the body names no writer, count and time")
        seen = self._writers.get(name)
        if seen is None:  # a writer's first record online: those before it lie in the archive
            seen = self._writers[name] = _WriterSeen(wseq - 1 if self._first else 0)
        if wseq != seen.wseq + 1:
            self._found.add(idx, Code.WRITER_SEQ, f"count {wseq} follows {seen.wseq}")
        if ts < seen.ts:
            self._found.add(idx, Code.CLOCK_BACK, "earlier than the writer's record before it")
        seen.wseq, seen.ts, seen.stopped = wseq, ts, body.get("kind") == "HUB_STOP"
        self._last_ts = max(self._last_ts, ts)
        return None

    async def _judge_index(
        self, first: int, end: int | None, wanted: set[tuple[bytes, int, int, str]]
    ) -> None:
        table = audit_subject.c
        query = select(table.subject, table.key_ver, table.idx, table.how).where(table.idx >= first)
        if end is not None:
            query = query.where(table.idx < end)
        stored = {tuple(row) for row in await self._connection.execute(query)}
        self._subjects += len(stored)
        for idx in sorted({row[2] for row in stored ^ wanted}):
            about = "the subject index differs from the body"
            if idx >= self._cursor:
                about = "in the subject index, though its cursor has not come there"
            self._found.add(idx, Code.SUBJECT_INDEX, about)

    def _judge_cursor(self, cursor: int | None) -> None:
        size, at = self._next, self._cursor
        if cursor is None and size:
            self._found.add(0, Code.SUBJECT_INDEX, "the subject index has no cursor")
        if at > size:
            self._found.add(size, Code.SUBJECT_INDEX, f"indexed up to {at} of {size} records")
        elif at < size and self._all_stopped() and self._clock() - self._last_ts > INDEX_LAG_US:
            about = f"all writers have stopped, but only {at} of {size} records are indexed"
            self._found.add(at, Code.SUBJECT_INDEX, about)

    def _all_stopped(self) -> bool:
        return all(seen.stopped for seen in self._writers.values())

    def _judge_head(self, head: Row[Any] | None) -> None:
        end = self._next
        if head is None:
            if end:
                self._found.add(end, Code.HEAD, "records, but no head")
            return
        if head.size > end:
            self._found.add(end, Code.GAP, f"records up to {head.size - 1} are missing")
        if head.suite != self._suite.name or not head.log.endswith(f"/{head.suite}"):
            self._found.add(
                end, Code.HEAD, f"suite {head.suite} is unknown or not that of the log's name"
            )
        reached = (self._frontier.size, self._frontier.encode(), self._frontier.root().hex())
        if (head.size, head.frontier, head.root) != reached:
            self._found.add(
                min(end, head.size), Code.HEAD, "size or root is not that of the records"
            )

    async def _judge_writers(self) -> None:
        rows = await self._connection.execute(
            select(audit_writer.c.writer, audit_writer.c.last_wseq)
        )
        stored = {writer: last for writer, last in rows.all() if last}
        reached = {writer: seen.wseq for writer, seen in self._writers.items()}
        named = reached.keys() if self._first else stored.keys() | reached.keys()
        for writer in sorted(named):
            if stored.get(writer) != reached.get(writer):
                about = f"the log ends at {reached.get(writer, 0)} of {stored.get(writer, 0)}"
                self._found.add(self._next, Code.WRITER_SEQ, about)

    def _verdicts(self, head: Row[Any] | None) -> Verdicts:
        return Verdicts(
            log=head.log if head is not None else "",
            size=self._frontier.size,
            first=self._first,
            leaving=self._leaving,
            subjects=self._subjects,
            root=self._frontier.root().hex(),
            begun=self._frontier.size > 0,
            findings=tuple(sorted(self._found.kept, key=lambda f: f.idx)),
            counts=dict(self._found.counts),
            first_bad=self._found.first,
            unstopped=tuple(sorted(w for w, s in self._writers.items() if not s.stopped)),
            unindexed=max(0, self._next - self._cursor),
        )


def _index(body: Mapping[str, Any]) -> list[tuple[bytes, int, int, str]]:
    try:
        return list(index_rows(body))
    except (AttributeError, KeyError, TypeError, ValueError):
        return []  # such a body has a finding of its own, or its index rows have no match
