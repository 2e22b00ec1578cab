"""The log's front: `append` returns once the record is durable, or raises.

One writer task a process, and no timer: it takes what has queued up while the last commit
was in flight, commits that as one transaction, releases its waiters, and takes the rest.
One client alone waits for one commit; thirty-two wait for little more.

    append ──check, encode──► queue ──► batch: lock head, number, hash, insert, COMMIT ──► Receipt

Whatever fails is `AuditUnavailable(reason="WRITE")`: nothing may leave the hub then (P5).
Once `halt` was called everything is ROLLBACK_SUSPECTED: the log is not the one it was.
A COMMIT whose outcome is unknown is tried once more with the same ids, and finds what the
first try left behind. A waiter that is cancelled gets no receipt, but its record stays:
over-reporting is accepted, under-reporting is not.

The subject index follows behind (`index.py`): nobody waits for it.
"""

from __future__ import annotations

import asyncio
import os
import time
import uuid
from collections import deque
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from itertools import accumulate

from sqlalchemy import select, text, update
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from audit.batch import (
    EVENT_COLUMNS,
    Head,
    OutOfOrder,
    Place,
    Ticks,
    Writer,
    now_us,
    number,
)
from audit.index import Steps, SubjectIndex
from audit.postgres_index import PostgresIndex
from audit.postgres_writer import SESSION, PostgresWriter
from audit.record import BadRecord, Draft, Entry, Kind, Receipt, entry, is_code, parts
from audit.sqlite_index import SqliteIndex
from audit.sqlite_writer import SqliteWriter
from audit.suite import suite_of
from audit.tree import SUITE
from catalog.errors import AuditUnavailable
from store.audit import audit_event, audit_head, audit_writer
from store.engine import BUSY_MS

WAIT_S = 2.0  # longer than this nobody should wait for an answer's record
QUEUE = 4_096  # waiting answers; more are refused at once, so memory stays bounded
MAX_WRITER = 64  # the column's width
TICK_S = 0.05  # a waiter is told at most this late that its record is not there in time
UNWRITTEN = "访问记录无法写入，暂不提供数据"
HALTED = "访问日志与已签署的检查点不符，已停止提供数据，请联系运维"
# A command that hangs while it holds the head is thrown out like a writer that does (audit T12).
_BOUNDED = text(
    "SELECT "
    + ", ".join(
        f"set_config('{name}', '{SESSION[name]}', true)"
        for name in ("lock_timeout", "idle_in_transaction_session_timeout")
    )
)
BATCH = 512  # records a transaction: one commit stays below some 50 ms


@dataclass(frozen=True, slots=True)
class LogState:
    """For the health page. `size` records at the last commit; `error` the last failure's kind.

    `unindexed` of these records were behind the subject index's cursor at its last step,
    within a second or so; `index_error` is that step's failure.
    """

    running: bool
    queued: int
    size: int | None
    error: str | None
    unindexed: int | None = None
    index_error: str | None = None
    halted: str | None = None
    """Why nothing is written any more, whatever the store says."""


@dataclass(slots=True)
class _Job:
    entries: tuple[Entry, ...]
    done: asyncio.Future[Place]
    until: float  # loop time


def writer_name(node: str) -> str:
    """A writer's name: `node` and an id of this start, so that no two starts share a sequence."""
    return f"{node}/{uuid.uuid4().hex[:12]}"


class AuditLog:
    """The one way a record gets into the log. `clock` gives µs UTC.

    `suite` is what the log hashes with, for ever; NoSuite if this machine cannot. `seen` is told
    the seconds that each record's waiter waited.
    """

    def __init__(
        self,
        engine: AsyncEngine,
        writer: str,
        log_id: str,
        clock: Callable[[], int] = now_us,
        *,
        wait_s: float = WAIT_S,
        queue: int = QUEUE,
        batch: int = BATCH,
        suite: str = SUITE,
        seen: Callable[[float], None] | None = None,
    ) -> None:
        if not is_code(writer) or len(writer) > MAX_WRITER:
            raise ValueError("a writer's name is a code of at most 64 characters")
        self._engine, self._name, self._log_id = engine, writer, log_id
        self._clock, self._ticks, self._suite = clock, Ticks(clock), suite_of(suite)
        self._wait_s, self._limit, self._batch = wait_s, queue, batch
        self._writer = self._opened()
        self._index = SubjectIndex(_steps(engine))
        self._jobs: deque[_Job] = deque()
        self._wake = asyncio.Event()
        self._task: asyncio.Task[None] | None = None
        self._closing = False
        self._halted: str | None = None
        self._unanswered: deque[_Job] = deque()
        self._watching = False
        self._size: int | None = None
        self._error: str | None = None
        self._seen = seen
        self.written = 0  # records that this process has committed

    async def start(self, boot: Draft | None = None) -> Receipt:
        """Check the database, enrol as a writer, write HUB_START (`boot` may say more).

        AuditUnavailable if the store is not there, not durable, or holds another log.
        """
        if self._task is not None or self._closing:
            raise RuntimeError("a log is started once")
        try:
            await self._writer.open()
            await self._enrol()
        except Exception as error:
            await self._end()
            raise self._refusal(error) from error
        self._task = asyncio.create_task(self._run(), name="audit")
        try:
            receipt = await self.append(boot or Draft(Kind.HUB_START))
        except BaseException:
            await self._end()
            raise
        self._index.start()
        return receipt

    async def stop(self) -> None:
        """Write HUB_STOP as the last record, drain, index, disconnect.

        AuditUnavailable if it cannot be written; everything has ended all the same. A log
        that was halted writes none.
        """
        if self._task is None:
            return
        if self._halted is not None:
            await self._end()
            return
        try:
            job = self._enqueue(Draft(Kind.HUB_STOP))
            self._closing = True
            await self._wait(job)
        finally:
            await self._end()

    async def append(self, draft: Draft) -> Receipt:
        """Write one record (more for > 500 subjects); return when it is on disk.

        The receipt names the first record. AuditUnavailable: nothing may be shown.
        """
        began = time.monotonic()
        receipt = await self._wait(self._enqueue(draft))
        if self._seen is not None:
            self._seen(time.monotonic() - began)
        return receipt

    def halt(self, reason: str) -> None:
        """From now on refuse everything; `reason` is for `state`. No way back but a new start."""
        self._halted = self._halted or reason

    async def append_in(self, connection: AsyncConnection, draft: Draft) -> Receipt:
        """Write a command's record in the command's own transaction.

        Call it last: it takes the head lock, which every other record waits for until the
        caller commits. The receipt holds only once that COMMIT has returned.
        """
        return (await self.append_all_in(connection, (draft,)))[0]

    async def append_all_in(
        self, connection: AsyncConnection, drafts: Sequence[Draft]
    ) -> list[Receipt]:
        """`append_in` for several records, which lie one after another; a receipt for each."""
        self._refuse_if_closed()
        entries = [self._entries(draft) for draft in drafts]
        try:
            head = await self._locked(connection)
            every = [one for several in entries for one in several]
            batch = number(every, head, writer=self._name, ticks=self._ticks, suite=self._suite)
            named = [dict(zip(EVENT_COLUMNS, row, strict=True)) for row in batch.events]
            await connection.execute(audit_event.insert(), named)
            await self._move(connection, batch.head)
        except Exception as error:
            raise self._refusal(error) from error
        ends = accumulate(map(len, entries))
        return [self._receipt(batch.places[e - len(n)]) for e, n in zip(ends, entries, strict=True)]

    def state(self) -> LogState:
        """Whether records can be written, as far as the last batch knows."""
        running = self._task is not None and not self._task.done() and not self._closing
        return LogState(
            running,
            len(self._jobs),
            self._size,
            self._error,
            self._unindexed(),
            self._index.error,
            self._halted,
        )

    async def indexed(self) -> bool:
        """Index all that this log has written so far; False if it could not be done in time."""
        return await self._index.catch_up(self._size or 0)

    def _unindexed(self) -> int | None:
        if self._size is None or self._index.reached is None:
            return None
        return max(0, self._size - self._index.reached)

    def _enqueue(self, draft: Draft) -> _Job:
        self._refuse_if_closed()
        job = self._job(draft)
        if len(self._jobs) >= self._limit:
            raise AuditUnavailable("访问审计排队已满，请稍后再试", reason="WRITE")
        self._jobs.append(job)
        self._wake.set()
        self._watch(job)
        return job

    def _refuse_if_closed(self) -> None:
        if self._halted is not None:
            raise AuditUnavailable(HALTED, reason="ROLLBACK_SUSPECTED", retryable=False)
        if self._task is None or self._closing:
            raise AuditUnavailable("访问审计未在运行，暂不提供数据", reason="WRITE")

    def _job(self, draft: Draft) -> _Job:
        loop = asyncio.get_running_loop()
        return _Job(self._entries(draft), loop.create_future(), loop.time() + self._wait_s)

    def _entries(self, draft: Draft) -> tuple[Entry, ...]:
        try:
            return tuple(entry(part, uuid7(self._clock())) for part in parts(draft))
        except BadRecord as error:
            raise _unavailable() from error

    async def _wait(self, job: _Job) -> Receipt:
        return self._receipt(await job.done)

    def _watch(self, job: _Job) -> None:
        """One timer for all that wait: one for each costs more than its place in the queue."""
        self._unanswered.append(job)
        if not self._watching:
            self._watching = True
            asyncio.get_running_loop().call_later(TICK_S, self._tick)

    def _tick(self) -> None:
        now = asyncio.get_running_loop().time()
        waiting = self._unanswered
        while waiting and (waiting[0].done.done() or waiting[0].until <= now):
            _refuse((waiting.popleft(),), TimeoutError(), "访问记录未能及时写入，请稍后再试")
        self._watching = bool(waiting)
        if self._watching:
            asyncio.get_running_loop().call_later(TICK_S, self._tick)

    async def _run(self) -> None:
        while True:
            while not self._jobs:
                if self._closing:
                    return
                self._wake.clear()
                await self._wake.wait()
            await self._commit(self._take())

    def _take(self) -> list[_Job]:
        # The pieces of one answer stay in one transaction, so a batch may end a little over.
        jobs = self._notices()
        count = 0
        while self._jobs and count < self._batch:
            jobs.append(self._jobs.popleft())
            count += len(jobs[-1].entries)
        return jobs

    def _notices(self) -> list[_Job]:
        if not self._ticks.stepped():
            return []
        notice = self._job(Draft(Kind.CLOCK_STEP))
        notice.done.cancel()  # nobody waits for it
        return [notice]

    async def _commit(self, jobs: Sequence[_Job]) -> None:
        try:
            places = await self._written([e for job in jobs for e in job.entries])
        except Exception as error:
            self._error = type(error).__name__
            _refuse(jobs, error)
            return
        self._size, self._error = places[-1].idx + 1, None
        self.written += len(places)
        at = 0
        for job in jobs:
            if not job.done.done():
                job.done.set_result(places[at])
            at += len(job.entries)

    async def _written(self, entries: Sequence[Entry]) -> list[Place]:
        began = time.monotonic()
        try:
            return await self._writer.write(entries, again=False)
        except Exception:
            await self._writer.reset()
            if time.monotonic() - began > self._wait_s:
                raise  # its waiters have gone; the next batch tries anew
        try:
            return await self._writer.write(entries, again=True)
        except Exception:
            await self._writer.reset()
            raise

    async def _enrol(self) -> None:
        async with self._engine.begin() as connection:
            await connection.execute(
                text(
                    "INSERT INTO audit_head (id, log, suite, size, frontier, root) "
                    "VALUES (1, :log, :suite, 0, :frontier, :root) ON CONFLICT DO NOTHING"
                ),
                {
                    "log": self._log_id,
                    "suite": self._suite.name,
                    "frontier": b"",
                    "root": self._suite.empty_root.hex(),
                },
            )
            await connection.execute(
                text("INSERT INTO audit_index (id, next_idx) VALUES (1, 0) ON CONFLICT DO NOTHING")
            )
            await connection.execute(audit_writer.insert(), {"writer": self._name, "last_wseq": 0})
            head = (await connection.execute(select(audit_head.c.log, audit_head.c.suite))).one()
            if tuple(head) != (self._log_id, self._suite.name):
                raise OutOfOrder("the store holds another log")

    async def _locked(self, connection: AsyncConnection) -> Head:
        if connection.dialect.name == "postgresql":
            await connection.execute(_BOUNDED)
        # An UPDATE takes the lock in both databases; SQLite has no FOR UPDATE.
        lock = update(audit_head).values(size=audit_head.c.size)
        columns = (audit_head.c.size, audit_head.c.frontier, audit_head.c.root)
        size, frontier, root = (await connection.execute(lock.returning(*columns))).one()
        own = select(audit_writer.c.last_wseq).where(audit_writer.c.writer == self._name)
        return Head(size, frontier, root, (await connection.execute(own)).scalar_one())

    async def _move(self, connection: AsyncConnection, head: Head) -> None:
        await connection.execute(
            update(audit_head).values(size=head.size, frontier=head.frontier, root=head.root)
        )
        own = update(audit_writer).where(audit_writer.c.writer == self._name)
        await connection.execute(own.values(last_wseq=head.wseq))

    async def _end(self) -> None:
        self._closing = True
        # HUB_STOP was the last in line: what still waits now cannot be written in time.
        _refuse(self._jobs, OutOfOrder("the log has ended"))
        self._jobs.clear()
        self._wake.set()
        task, self._task = self._task, None
        if task is not None:
            await task
        await self._writer.close()
        # Of a log that was exchanged the index could wait for records that never come.
        await self._index.stop(self._size if self._halted is None else None)

    def _receipt(self, place: Place) -> Receipt:
        return Receipt(place.idx, place.leaf, self._log_id)

    def _refusal(self, error: Exception) -> AuditUnavailable:
        self._error = type(error).__name__
        return _unavailable()

    def _opened(self) -> Writer:
        url, ticks, suite = self._engine.url, self._ticks, self._suite
        if self._engine.dialect.name != "sqlite":
            return PostgresWriter(url, writer=self._name, ticks=ticks, suite=suite)
        # It tries twice: who may wait longer is refused no sooner because of a slow disk.
        busy_ms = max(BUSY_MS, round(self._wait_s * 1_000 / 2))
        return SqliteWriter(
            url.database or "", writer=self._name, ticks=ticks, suite=suite, busy_ms=busy_ms
        )


def _steps(engine: AsyncEngine) -> Steps:
    if engine.dialect.name == "sqlite":
        return SqliteIndex(engine.url.database or "")
    return PostgresIndex(engine.url)


def uuid7(us: int) -> str:
    """A UUID of version 7 (RFC 9562): µs UTC cut to ms, then 74 random bits."""
    noise = int.from_bytes(os.urandom(10))
    value = (us // 1000 & (1 << 48) - 1) << 80 | noise
    value = value & ~(0xF << 76) | 0x7 << 76
    text = f"{value & ~(0x3 << 62) | 0x2 << 62:032x}"
    return f"{text[:8]}-{text[8:12]}-{text[12:16]}-{text[16:20]}-{text[20:]}"


def _refuse(jobs: Iterable[_Job], error: Exception, said: str = UNWRITTEN) -> None:
    for job in jobs:
        if not job.done.done():
            refusal = AuditUnavailable(said, reason="WRITE")
            refusal.__cause__ = error
            job.done.set_exception(refusal)


def _unavailable() -> AuditUnavailable:
    return AuditUnavailable(UNWRITTEN, reason="WRITE")
