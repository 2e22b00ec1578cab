"""The log's lower part goes into files, step by step, and never in one transaction.

    WRITTEN    file and manifest lie in the folder, on disk, under their names
    ARCHIVED   both were read back and lead to a signed checkpoint, the second folder has them;
               a SEGMENT_ARCHIVED record says so
    DETACHED   seven days later, read back once more: the files are now the log's lower part,
               and its rows go from the store in small batches
    DESTROYED  at the end of the time records are kept: two people approved, a SEGMENT_DESTROYED
               record says so, the file is gone, the manifest stays

Each run takes every segment one or more states further and stops where it must; whatever kills
it, the next run finds one of these states, or a file nobody has entered yet, and goes on. A file
is written under another name, put on disk and only then named: a name stands for a whole file.
Nothing is archived that does not lead to a signed checkpoint, and nothing leaves the store that
the archive cannot show.
"""

from __future__ import annotations

import contextlib
import fcntl
import gzip
import os
import time
from collections.abc import Awaitable, Callable, Iterator, Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from hashlib import sha256
from pathlib import Path
from typing import BinaryIO, Protocol

from sqlalchemy import delete, func, select, update
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from audit.batch import now_us
from audit.memory import sync_folder
from audit.note import VerifierKey
from audit.record import Draft, Kind, Op, Receipt
from audit.segments import (
    ARCHIVED,
    CHUNK,
    DATA,
    DESTROYED,
    DETACHED,
    MANIFEST,
    UNFINISHED,
    WRITTEN,
    BadManifest,
    Manifest,
    Row,
    file_hash,
    frontier_at,
    leads_to,
    name_of,
    rows_of,
    verify_segment,
)
from audit.suite import suite_of
from audit.tree import Frontier
from store.audit import (
    audit_checkpoint,
    audit_event,
    audit_follower,
    audit_head,
    audit_index,
    audit_segment,
    audit_subject,
    audit_tile,
)

TILE = 256  # leaves in one row of `audit_tile`
SEGMENT = 1_000_000  # records
GRACE_DAYS = 7
WINDOW = 1_000  # bodies read at once
BATCH = 500  # records deleted in one transaction; some ten index rows each
REST = 3  # times as long as a batch took, before the next: the appends come first
LEVEL = 6  # of gzip
DAY_US = 86_400_000_000
LOCK = ".lock"


class ArchiveError(Exception):
    """Why a segment cannot go on: `reason` for programs, `first` and `end` which records."""

    def __init__(self, reason: str, first: int, end: int, about: str = "") -> None:
        super().__init__(f"{reason}: records {first} to {end - 1} {about}".rstrip())
        self.reason, self.first, self.end = reason, first, end


class Recorder(Protocol):
    """What writes the archive's own records: the log, once it has started."""

    async def append_in(self, connection: AsyncConnection, draft: Draft) -> Receipt:
        """In the caller's transaction."""


OpenLog = Callable[[], contextlib.AbstractAsyncContextManager[Recorder]]
Told = Callable[[str, Row], None]


@dataclass(frozen=True, slots=True)
class Plan:
    """Where segments go and when. `copy` is a second folder, on another disk."""

    folder: Path
    copy: Path | None = None
    segment: int = SEGMENT
    online_months: int = 13
    retention_months: int = 36
    grace_days: int = GRACE_DAYS
    batch: int = BATCH


@dataclass(frozen=True, slots=True)
class Due:
    """A segment whose time has ended."""

    row: Row
    last_ts: int


class Archive:
    """One run. `clock` is µs UTC; `keys` the log's, then notes must bear a signature."""

    def __init__(
        self,
        engine: AsyncEngine,
        plan: Plan,
        open_log: OpenLog,
        *,
        keys: Sequence[VerifierKey] = (),
        clock: Callable[[], int] = now_us,
        told: Told = lambda _deed, _row: None,
        sleep: Callable[[float], Awaitable[None]] | None = None,
    ) -> None:
        self._engine, self._plan, self._open_log = engine, plan, open_log
        self._keys, self._clock, self._told, self._sleep = keys, clock, told, sleep

    async def run(self) -> list[Row]:
        """Take every segment as far as it may go; all rows as they then are.

        ArchiveError, OSError, SQLAlchemyError: what was reached stays, the next run goes on.
        """
        with _alone(self._plan.folder):
            _sweep(self._plan.folder)
            for row in await self._rows():
                await self._onward(row)
            while (new := await self._next()) is not None:
                await self._onward(new)
            return await self._rows()

    async def due(self) -> list[Due]:
        """Segments that may be destroyed: every record is older than they are kept."""
        limit = months_before(self._clock(), self._plan.retention_months)
        found = [Due(row, self._manifest(row).last_ts) for row in await self._rows(DETACHED)]
        return [one for one in found if one.last_ts < limit]

    async def destroy(self, first: int, approvers: tuple[str, str]) -> Row:
        """Record the end of a segment and remove its files. ArchiveError if it may not be."""
        with _alone(self._plan.folder):
            row = next((one.row for one in await self.due() if one.row.first == first), None)
            if row is None:
                raise ArchiveError("NOT_DUE", first, first + 1)
            one, other = approvers
            if not one or not other or one == other:
                raise ArchiveError("APPROVERS", row.first, row.end, "need two approvers")
            if await self._left_over(row):
                raise ArchiveError("ONLINE", row.first, row.end, "are still in the store")
            await self._marked(row, DESTROYED, _destroyed(row, approvers))
            self._remove(row)
            return await self._row(row.first)

    # -- one segment

    async def _onward(self, row: Row) -> None:
        if row.state == WRITTEN:
            row = await self._archived(row)
        if row.state == ARCHIVED and await self._may_detach(row):
            row = await self._detached(row)
        if row.state == DETACHED:
            await self._emptied(row)
        if row.state == DESTROYED:
            self._remove(row)

    async def _may_detach(self, row: Row) -> bool:
        """The grace is over, and what stands behind the log goes on without the leaves.

        Proofs and verify rebuild the tree of `end` records from tiles; leaves beyond the last
        whole tile they would have to read from rows.
        """
        if self._clock() - row.changed_at < self._plan.grace_days * DAY_US:
            return False
        table = audit_tile.c
        last = (table.level == 0, table.n == (row.end - 1) // TILE)
        async with self._engine.connect() as connection:
            return await connection.scalar(select(table.n).where(*last)) is not None

    async def _next(self) -> Row | None:
        """Write the next segment, if one may leave."""
        rows = await self._rows()
        first = rows[-1].end if rows else 0
        end = first + self._plan.segment
        async with self._engine.connect() as connection:
            if not await self._may_leave(connection, end):
                return None
        if (row := await self._written(first, end)) is None:
            return None
        async with self._engine.begin() as connection:
            await connection.execute(audit_segment.insert(), asdict(row))
        self._told(WRITTEN, row)
        return row

    async def _may_leave(self, connection: AsyncConnection, end: int) -> bool:
        """Old enough, and read by everybody who follows the log."""
        last = select(audit_event.c.ts).where(audit_event.c.idx == end - 1)
        ts = await connection.scalar(last)
        if ts is None or ts >= months_before(self._clock(), self._plan.online_months):
            return False
        cursors = [await connection.scalar(select(audit_index.c.next_idx))]
        cursors.append(await connection.scalar(select(func.min(audit_follower.c.next_idx))))
        return all(at >= end for at in cursors if at is not None)

    async def _written(self, first: int, end: int) -> Row | None:
        """File and manifest under their names; None while no checkpoint covers them."""
        async with self._engine.connect() as connection:
            head = (await connection.execute(select(audit_head.c.log, audit_head.c.suite))).one()
            covering = await _covering(connection, end)
            before = await frontier_at(connection, first)
        if covering is None:
            return None
        if before is None:
            raise ArchiveError("TABLE", first, end, "have no segment that ends before them")
        path = self._plan.folder / (name_of(first, end) + DATA)
        draft = path.with_name(path.name + UNFINISHED)
        try:
            manifest = await self._packed(draft, head.log, before, end, *covering)
            _named(draft, path)
            _put(path.with_name(manifest.name + MANIFEST), manifest.text.encode())
        except BaseException:
            with contextlib.suppress(OSError):  # a full disk needs the room
                draft.unlink()
            raise
        after, now = bytes.fromhex(manifest.after), self._clock()
        return Row(first, end, path.name, manifest.sha256, after, manifest.note, WRITTEN, now)

    async def _packed(
        self, draft: Path, log: str, before: Frontier, end: int, size: int, note: str
    ) -> Manifest:
        frontier = Frontier.decode(before.size, before.encode(), before.suite)
        plain, length, last = sha256(), 0, 0
        with draft.open("wb") as file:
            # No name and no time inside: the same records are the same bytes, run after run.
            with gzip.GzipFile("", "wb", LEVEL, file, mtime=0) as packed:
                while frontier.size < end:
                    for body, ts in await self._window(frontier.size, end):
                        line = body.encode() + b"\n"
                        frontier.append(before.suite.leaf(line[:-1]))
                        packed.write(line)
                        plain.update(line)
                        length, last = length + len(line), ts
            _sync(file)
        try:
            proof = tuple(one.hex() for one in frontier.consistency(await self._leaves(end, size)))
            leads_to(frontier, note, proof)
        except ValueError as error:
            raise ArchiveError("UNSIGNED", before.size, end, str(error)) from error
        return Manifest(
            log=log,
            suite=before.suite.name,
            first=before.size,
            end=end,
            sha256=file_hash(draft),
            plain_sha256=plain.hexdigest(),
            plain_bytes=length,
            before=before.encode().hex(),
            after=frontier.encode().hex(),
            last_ts=last,
            note=note,
            proof=proof,
        )

    async def _window(self, first: int, end: int) -> list[tuple[str, int]]:
        # A connection for each: records do not change, and a long snapshot holds up the store.
        table = audit_event.c
        wanted = select(table.idx, table.body, table.ts).where(table.idx >= first, table.idx < end)
        async with self._engine.connect() as connection:
            rows = (await connection.execute(wanted.order_by(table.idx).limit(WINDOW))).all()
        if [row.idx for row in rows] != list(range(first, min(first + WINDOW, end))):
            raise ArchiveError("GAP", first, end, "are not all in the store")
        return [(row.body, row.ts) for row in rows]

    async def _leaves(self, first: int, end: int) -> list[bytes]:
        table = audit_event.c
        wanted = select(table.leaf).where(table.idx >= first, table.idx < end)
        async with self._engine.connect() as connection:
            found = await connection.scalars(wanted.order_by(table.idx))
            return [bytes.fromhex(leaf) for leaf in found]

    async def _archived(self, row: Row) -> Row:
        try:
            self._verified(self._plan.folder, row)
        except (ArchiveError, OSError):
            # Nobody has relied on it and its records are all online: written anew.
            row = await self._again(row)
        self._copied(row)
        return await self._marked(row, ARCHIVED, _archived(row))

    async def _detached(self, row: Row) -> Row:
        # A damaged file is evidence and stays; one that was taken away is written anew.
        if not (self._plan.folder / row.path).exists():
            row = await self._again(row)
        self._verified(self._plan.folder, row)
        self._copied(row)
        return await self._marked(row, DETACHED, None)

    async def _again(self, row: Row) -> Row:
        new = await self._written(row.first, row.end)
        if new is None or new.frontier != row.frontier:
            raise ArchiveError("CHANGED", row.first, row.end, "are not what they were")
        # Another release of the packer may give other bytes for the same records.
        same = update(audit_segment).where(audit_segment.c.first == row.first)
        async with self._engine.begin() as connection:
            await connection.execute(same.values(sha256=new.sha256, note=new.note))
        row = await self._row(row.first)
        self._verified(self._plan.folder, row)
        return row

    async def _emptied(self, row: Row) -> None:
        while (first := await self._left_over(row)) is not None:
            began, end = time.monotonic(), min(first + self._plan.batch, row.end)
            async with self._engine.begin() as connection:
                for table in (audit_subject, audit_event):
                    span = (table.c.idx >= first, table.c.idx < end)
                    await connection.execute(delete(table).where(*span))
            self._told("EMPTIED", row)
            if self._sleep is not None:
                await self._sleep(REST * (time.monotonic() - began))

    async def _left_over(self, row: Row) -> int | None:
        """The lowest record of a segment that is still in the store, or in its index."""
        async with self._engine.connect() as connection:
            found = []
            for column in (audit_event.c.idx, audit_subject.c.idx):
                span = (column >= row.first, column < row.end)
                found.append(await connection.scalar(select(func.min(column)).where(*span)))
        return min((one for one in found if one is not None), default=None)

    async def _marked(self, row: Row, state: str, draft: Draft | None) -> Row:
        """Move a segment on, and record it in the same transaction."""
        here = update(audit_segment).where(
            audit_segment.c.first == row.first, audit_segment.c.state == row.state
        )
        moved = here.values(state=state, changed_at=self._clock())
        if draft is None:
            async with self._engine.begin() as connection:
                done = await connection.execute(moved)
        else:
            async with self._open_log() as log, self._engine.begin() as connection:
                done = await connection.execute(moved)
                if done.rowcount == 1:
                    await log.append_in(connection, draft)
        if done.rowcount != 1:
            raise ArchiveError("STATE", row.first, row.end, "were moved on by somebody else")
        found = await self._row(row.first)
        self._told(state, found)
        return found

    async def _rows(self, *states: str) -> list[Row]:
        async with self._engine.connect() as connection:
            rows = await rows_of(connection)
        return [row for row in rows if not states or row.state in states]

    async def _row(self, first: int) -> Row:
        return next(row for row in await self._rows() if row.first == first)

    # -- files

    def _manifest(self, row: Row, folder: Path | None = None) -> Manifest:
        path = (folder or self._plan.folder) / (name_of(row.first, row.end) + MANIFEST)
        try:
            return Manifest.parse(path.read_text(encoding="utf-8"))
        except (OSError, BadManifest) as error:
            raise ArchiveError("MANIFEST", row.first, row.end, type(error).__name__) from error

    def _verified(self, folder: Path, row: Row) -> None:
        manifest = self._manifest(row, folder)
        _forget(folder / row.path)
        found, content = verify_segment(folder, manifest, keys=self._keys, row=row)
        if found or content is None:
            raise ArchiveError("SEGMENT", row.first, row.end, found[0].about if found else "")

    def _copied(self, row: Row) -> None:
        folder = self._plan.copy
        if folder is None:
            return
        folder.mkdir(parents=True, exist_ok=True)
        _sweep(folder)
        for ending in (DATA, MANIFEST):
            name = name_of(row.first, row.end) + ending
            source, target = self._plan.folder / name, folder / name
            if not target.exists() or file_hash(target) != file_hash(source):
                draft = target.with_name(name + UNFINISHED)
                with source.open("rb") as read, draft.open("wb") as written:
                    while chunk := read.read(CHUNK):
                        written.write(chunk)
                    _sync(written)
                _named(draft, target)
        self._verified(folder, row)

    def _remove(self, row: Row) -> None:
        for folder in filter(None, (self._plan.folder, self._plan.copy)):
            path = folder / row.path
            if path.exists():
                path.unlink()
                sync_folder(folder)


def months_before(us: int, months: int) -> int:
    """The same time of day so many months earlier, µs UTC; the 28th stands for later days."""
    at = datetime.fromtimestamp(us / 1e6, UTC)
    years, month = divmod(at.year * 12 + at.month - 1 - months, 12)
    then = at.replace(year=years, month=month + 1, day=min(at.day, 28))
    return int(then.timestamp() * 1e6)


def _archived(row: Row) -> Draft:
    op = Op("ArchiveSegment", type="archive", vars={**_range(row), "sha256": row.sha256})
    return Draft(Kind.SEGMENT_ARCHIVED, op=op, ref=f"{row.first}-{row.end}")


def _destroyed(row: Row, approvers: tuple[str, str]) -> Draft:
    who = {"approver1": approvers[0], "approver2": approvers[1]}
    op = Op("DestroySegment", type="archive", vars={**_range(row), **who})
    return Draft(Kind.SEGMENT_DESTROYED, op=op, ref=f"{row.first}-{row.end}")


def _range(row: Row) -> dict[str, str | int]:
    suite = suite_of(row.note.partition("\n")[0].rpartition("/")[2])
    root = Frontier.decode(row.end, row.frontier, suite).root().hex()
    return {"first": row.first, "end": row.end, "root": root}


async def _covering(connection: AsyncConnection, end: int) -> tuple[int, str] | None:
    """The first checkpoint that covers `end` records: (size, note)."""
    table = audit_checkpoint.c
    wanted = select(table.size, table.note).where(table.size >= end)
    row = (await connection.execute(wanted.order_by(table.size).limit(1))).first()
    return (row.size, row.note) if row is not None else None


@contextlib.contextmanager
def _alone(folder: Path) -> Iterator[None]:
    """One run at a time. ArchiveError if another is at it."""
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / LOCK).open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise ArchiveError("BUSY", 0, 1, "another run is at work") from None
        yield


def _sweep(folder: Path) -> None:
    """What a killed run was writing has no name yet: nobody has relied on it."""
    for path in folder.glob("segment-*" + UNFINISHED):
        path.unlink()


def _put(path: Path, content: bytes) -> None:
    draft = path.with_name(path.name + UNFINISHED)
    with draft.open("wb") as file:
        file.write(content)
        _sync(file)
    _named(draft, path)


def _named(draft: Path, path: Path) -> None:
    draft.rename(path)
    sync_folder(path.parent)


def _sync(file: BinaryIO) -> None:
    file.flush()
    os.fsync(file.fileno())


def _forget(path: Path) -> None:
    """Let the kernel drop its copy, so that reading back reads the disk; where it can."""
    with contextlib.suppress(OSError), path.open("rb") as file:
        os.posix_fadvise(file.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)
