"""One pass over the log: what is read, in which order it is judged, and by whom.

In windows of idx, so that memory does not grow with the log, and in one read transaction,
so that a log in use can be verified while it grows.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from sqlalchemy import select
from sqlalchemy.engine import Row, make_url
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from audit.batch import EVENT_COLUMNS, now_us
from audit.record import Kind
from audit.suite import NoSuite, suite_of
from audit.tile_rows import Rows, stored_rows
from audit.tiles import StoreReader, Tile, TileMissing
from audit.tree import SHA256
from audit.verify import tiles
from audit.verify.alerts import Alerts
from audit.verify.bodies import Bodies
from audit.verify.checkpoints import Checkpoints
from audit.verify.cosignatures import Cosignatures
from audit.verify.evidence import Anchors, BadCheckpoint, Evidence
from audit.verify.rollup import Rollup
from audit.verify.segments import Segments
from audit.verify.subjects import Subjects
from audit.verify.verdict import Code, Found, Verdicts
from store.audit import audit_checkpoint, audit_event, audit_head, audit_verdict, audit_writer
from store.engine import open_engine, single

WINDOW = 500  # records a step: with 500 subjects each, some 60 MB of index rows

Progress = Callable[[int, int], None]
"""Called with records done and records in all, after each window."""

_NOTHING = Evidence()


class CannotRead(Exception):
    """The store is not there, does not answer, or holds no log. Says nothing about the log."""


class NoCheckpoint(ValueError):
    """No checkpoint of the size from which one wanted to begin."""


def run(
    url: str,
    *,
    evidence: Evidence = _NOTHING,
    since: int = 0,
    window: int = WINDOW,
    progress: Progress | None = None,
) -> Verdicts:
    """Verify the log in the store at `url`; not inside a coroutine.

    CannotRead if it is absent, NoCheckpoint for a wrong `since`, BadEvidence for files.
    """
    address = make_url(url)
    # SQLite would make an empty file and call it a store.
    if address.get_backend_name() == "sqlite" and not Path(address.database or "").is_file():
        raise CannotRead("no such file")
    return asyncio.run(_run(url, evidence, since, window, progress))


async def check(
    engine: AsyncEngine,
    *,
    evidence: Evidence = _NOTHING,
    since: int = 0,
    window: int = WINDOW,
    progress: Progress | None = None,
    clock: Callable[[], int] = now_us,
) -> Verdicts:
    """Verify the log of a store that is open; `clock` is µs UTC. Raises what `run` raises."""
    try:
        async with engine.connect() as connection:
            snapshot = await _snapshot(connection)
            head = (await snapshot.execute(select(audit_head))).one_or_none()
            evidence = replace(evidence, former=await _former(snapshot))
            walk = _Walk(snapshot, head, evidence, progress, clock)
            return await walk.run(since, window)
    except (SQLAlchemyError, OSError) as error:
        raise CannotRead(type(error).__name__) from error


async def keep(url: str, verdicts: Verdicts, at: int) -> None:
    """Put the outcome into the store, which must be writable; `at` µs UTC."""
    row = {
        "at": at,
        "size": verdicts.size,
        "exit": int(verdicts.exit),
        "findings": sum(verdicts.counts.values()),
    }
    async with single(url) as connection:
        await connection.execute(audit_verdict.insert(), row)


async def _run(
    url: str, evidence: Evidence, since: int, window: int, progress: Progress | None
) -> Verdicts:
    engine = open_engine(url, pool_size=1, readonly=True)
    try:
        return await check(engine, evidence=evidence, since=since, window=window, progress=progress)
    finally:
        await engine.dispose()


async def _former(connection: AsyncConnection) -> dict[str, int]:
    """Names the log had before, and how many records when it was started anew (`restart.py`)."""
    row, found = audit_event.c, dict[str, int]()
    query = select(row.idx, row.body).where(row.kind == Kind.LOG_RESTARTED.value)
    for idx, text in await connection.execute(query.order_by(row.idx)):
        with contextlib.suppress(ValueError, TypeError, KeyError):  # such a body has a finding
            found[str(json.loads(text)["op"]["vars"]["log"])] = idx
    return found


async def _snapshot(connection: AsyncConnection) -> AsyncConnection:
    if connection.dialect.name == "sqlite":
        await connection.exec_driver_sql("BEGIN")
        return connection
    return await connection.execution_options(
        isolation_level="REPEATABLE READ", postgresql_readonly=True
    )


class _Walk:
    def __init__(
        self,
        connection: AsyncConnection,
        head: Row[Any] | None,
        evidence: Evidence,
        progress: Progress | None,
        clock: Callable[[], int],
    ) -> None:
        self._connection, self._head, self._evidence = connection, head, evidence
        self._progress, self._clock = progress, clock
        self._log = head.log if head is not None else ""
        self._found = found = Found()
        self._suite = SHA256
        if head is not None:
            with contextlib.suppress(NoSuite):  # `_judge_head` names it
                self._suite = suite_of(head.suite)
        self._rows = Rows(suite=self._suite)
        self._next = self._since = 0
        anchors = Anchors.read(evidence, self._log)
        self._checkpoints = Checkpoints(found, evidence, anchors, log=self._log)
        self._cosignatures = Cosignatures(found, evidence.witnesses)
        self._segments = Segments(found, evidence, self._log, self._suite)
        self._subjects, self._rollup, self._alerts = Subjects(found), Rollup(found), Alerts(found)
        self._bodies = Bodies(found)

    async def run(self, since: int, window: int) -> Verdicts:
        await self._begin(since)
        await self._judge_sizes([], self._next, self._next)
        total = self._head.size if self._head is not None else 0
        while rows := await self._page(window):
            await self._judge(rows)
            if self._progress is not None:
                self._progress(self._next, max(total, self._next))
        await self._end()
        return self._verdicts()

    async def _begin(self, since: int) -> None:
        """With the first record in the store, or behind a checkpoint that proves what is before."""
        connection = self._connection
        self._rows = await self._segments.begin(connection)
        if since > self._rows.size:
            self._rows = await self._proved(since) or self._rows
        self._next = self._since = first = self._rows.size
        self._bodies = Bodies(self._found, since=first)
        await self._checkpoints.open(connection, first)
        await self._subjects.open(connection)
        await self._rollup.open(connection, first)
        self._alerts.open(first)

    async def _proved(self, since: int) -> Rows | None:
        """The tree at a stored checkpoint; None if it is not as signed: then all is read."""
        query = select(audit_checkpoint.c.note).where(audit_checkpoint.c.size == since)
        note = (await self._connection.execute(query)).scalar()
        if note is None:
            raise NoCheckpoint(str(since))
        try:
            signed = self._evidence.opened(note, self._log, None)
            rows = await stored_rows(StoreReader(self._connection), since, self._suite)
        except (BadCheckpoint, TileMissing, ValueError):
            return None
        return rows if (signed.size, signed.root) == (since, rows.root()) else None

    async def _page(self, window: int) -> Sequence[Row[Any]]:
        wanted = [audit_event.c[name] for name in EVENT_COLUMNS]
        page = select(*wanted).where(audit_event.c.idx >= self._next)
        found = await self._connection.execute(page.order_by(audit_event.c.idx).limit(window))
        return found.all()

    async def _judge(self, rows: Sequence[Row[Any]]) -> None:
        first, leaves = self._next, list[tuple[int, bytes, int | None]]()
        bodies: list[Mapping[str, Any]] = []
        for row in rows:
            idx = row[0]
            if idx != self._next:
                self._found.add(self._next, Code.GAP, f"records up to {idx - 1} are missing")
            self._next = idx + 1
            text = row[-1] if isinstance(row[-1], str) else ""  # SQLite keeps what it is given
            hashed = self._suite.leaf(text.encode("utf-8", "surrogatepass"))
            body = self._bodies.judge(row, text, hashed.hex())
            leaves.append((idx, hashed, _time(body)))
            if body is not None:
                bodies.append(body)
                self._rollup.add(body)
        await self._judge_sizes(leaves, first, self._next)
        await self._subjects.judge(self._connection, first, self._next, bodies)
        await self._rollup.judge(self._connection)
        await self._alerts.judge(self._connection, bodies, self._bodies.last_ts)

    async def _judge_sizes(
        self, leaves: Sequence[tuple[int, bytes, int | None]], first: int, end: int
    ) -> None:
        """Let the tree grow to each size at which something is known of it."""
        said = await self._checkpoints.sizes(self._connection, first, end)
        ends = await self._segments.ends(self._connection, first, end) if leaves else {}
        made: list[Tile] = []
        at = 0
        for size in sorted({*said, *ends, end}):
            begin = at
            while at < len(leaves) and leaves[at][0] < size:
                self._checkpoints.record(leaves[at][0], leaves[at][2])
                at += 1
            made += self._rows.extend([one for _, one, _ in leaves[begin:at]])
            if size in said:
                self._checkpoints.judge(size, self._rows.root(), said[size])
            if size in ends:
                self._segments.judge(size, self._rows.frontier().encode(), ends[size])
        self._checkpoints.receipts({idx: one for idx, one, _ in leaves}, end)
        await tiles.judge(self._connection, self._found, made, self._checkpoints.newest)

    async def _end(self) -> None:
        connection, size = self._connection, self._next
        stopped_us = None
        if self._bodies.all_stopped:
            stopped_us = self._clock() - self._bodies.last_ts
        await self._subjects.judge(connection, size, None, ())
        self._subjects.judge_end(size, stopped_us=stopped_us)
        self._judge_head()
        self._bodies.judge_end(size, await self._stored_counts())
        await self._checkpoints.judge_end(connection, size)
        last_good = self._checkpoints.last_good
        await self._cosignatures.judge(connection, self._since, last_good)
        await tiles.judge_end(connection, self._found, size)
        await self._rollup.judge_end(connection, size)
        await self._alerts.judge_end(connection, size, stopped_us=stopped_us)

    def _judge_head(self) -> None:
        head, end = self._head, self._next
        if head is None:
            if end:
                self._found.add(end, Code.HEAD, "records, but no head")
            return
        size = head.size if isinstance(head.size, int) else 0  # SQLite keeps what it is given
        if size > end:
            self._found.add(end, Code.GAP, f"records up to {size - 1} are missing")
        if head.suite != self._suite.name or not head.log.endswith(f"/{head.suite}"):
            about = f"suite {head.suite} is unknown or not that of the log's name"
            self._found.add(end, Code.HEAD, about)
        frontier = self._rows.frontier()
        reached = (frontier.size, frontier.encode(), self._rows.root().hex())
        if (head.size, head.frontier, head.root) != reached:
            about = "size or root is not that of the records"
            self._found.add(min(end, size), Code.HEAD, about)

    async def _stored_counts(self) -> dict[str, int]:
        rows = await self._connection.execute(
            select(audit_writer.c.writer, audit_writer.c.last_wseq)
        )
        return {writer: last for writer, last in rows.all() if last}

    def _verdicts(self) -> Verdicts:
        found, checkpoints = self._found, self._checkpoints
        return Verdicts(
            log=self._log,
            size=self._rows.size,
            subjects=self._subjects.counted,
            root=self._rows.root().hex(),
            begun=self._rows.size > 0,
            findings=tuple(sorted(found.kept, key=lambda f: f.idx)),
            counts=dict(found.counts),
            first_bad=found.first_bad(),
            unstopped=self._bodies.unstopped,
            unindexed=self._subjects.behind(self._next),
            since=self._since,
            first=self._segments.first,
            leaving=self._segments.leaving,
            checkpoints=checkpoints.looked_at,
            last_good=checkpoints.last_good,
            anchored=checkpoints.anchored,
            witnessed=self._cosignatures.witnessed,
            bad_range=found.forked,
        )


def _time(body: Mapping[str, Any] | None) -> int | None:
    ts = body.get("ts") if body is not None else None
    return ts if type(ts) is int else None
