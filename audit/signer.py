"""Signs checkpoints of the log: one signer a machine, which trusts its own file alone.

    bodies of new records ──hash──► own tree ──► own root ──sign──► note
                                                  │ must be the head's root
    1 memory (own file, on disk)   2 checkpoint + whole tiles, one transaction   3 anchor file

The order is what makes a kill harmless: whatever is in the database or the anchor was in the
memory before, so the next signer finishes what it finds begun and never signs a size twice
differently. A step that fails after it has begun to write begins from the memory again.

Every process runs one. Whoever holds the lock signs; the others stand by, look for the mark
of a halt about once a second, and take the lock when it is free.

When the database does not hold what was signed, nothing is signed and nothing is written
over: a mark is set beside the memory, and every log of the machine refuses (P5). Records
that were signed are not read again each time; that is `hub audit verify`.
"""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from sqlalchemy import select, text
from sqlalchemy.engine import Row
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from audit.anchor import Anchor
from audit.batch import now_us
from audit.memory import Halt, Lock, Memory, MemoryFile, Mismatch, RollbackSuspected
from audit.note import BadNote, Checkpoint, CheckpointSigner, Note, signed
from audit.segments import online_from, rows_of
from audit.suite import suite_in
from audit.tiles import WIDTH, Growth, StoreReader, Tile, TileMissing, cut
from audit.tree import Frontier, Suite
from store.audit import audit_checkpoint, audit_event, audit_head

EVERY_S = 10.0  # between checkpoints of a log that grows
LOOK_S = 1.0  # between looks at the head, the mark and the lock
RECORDS, LEAST_S = 1_000, 1.0  # so many new records are signed sooner, but at most once a second
IDLE_S = 3_600.0  # then a HEARTBEAT, so that a checkpoint can prove how fresh the log is
BODIES = 1_000  # read at a time
FINISH_S = 1.0  # a stand-by that ends waits so long for its last record to be covered

Keys = Callable[[], Sequence[CheckpointSigner]]
"""Who signs today; ValueError or OSError if nobody can."""


@dataclass(frozen=True, slots=True)
class SignerState:
    """For the health page: `size` and `at` (µs UTC) of the newest note signed here."""

    leading: bool
    size: int | None
    at: int | None
    error: str | None
    anchor_error: str | None
    halted: str | None


@dataclass(slots=True)
class _Tree:
    """The signer's own tree: what was signed, and what came after it."""

    growth: Growth
    size: int  # signed
    root: str = ""  # of the whole growth, hex; empty if it is not worked out
    at: float = float("-inf")  # when it was signed here, by the clock
    former: tuple[str, ...] = ()
    tiles: list[Tile] = field(default_factory=list)  # whole, not yet in the database


class Signer:
    """`halt` is told the reason once; without it no mark is set either. `beat` writes a
    HEARTBEAT; `clock` gives seconds."""

    def __init__(
        self,
        engine: AsyncEngine,
        log_id: str,
        memory: MemoryFile,
        keys: Keys,
        *,
        anchor: Anchor | None = None,
        every_s: float = EVERY_S,
        halt: Callable[[str], None] | None = None,
        beat: Callable[[], Awaitable[object]] | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._engine, self._log, self._memory, self._keys = engine, log_id, memory, keys
        self._anchor = anchor
        self._anchor_error: str | None = None
        self._every_s, self._halt, self._beat, self._clock = every_s, halt, beat, clock
        self._lock = Lock(memory.lock_path)
        self._tree: _Tree | None = None
        self._store: tuple[int, int] | None = None
        self._grown_at = clock()
        self._leading = False
        self._newest: tuple[int, int] | None = None
        self._error: str | None = None
        self._halted: str | None = None
        self._turn = asyncio.Lock()
        self._ending = asyncio.Event()
        self._task: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Begin: sign what is there, then follow."""
        self._store = _identity(self._engine)
        self._task = asyncio.create_task(self._follow(), name="audit-signer")

    async def stop(self) -> None:
        """Sign what came last, let the next one have the lock."""
        self._ending.set()
        task, self._task = self._task, None
        if task is None:
            return
        await task
        end = time.monotonic() + FINISH_S
        while not await self.step(now=True) and self._halted is None and time.monotonic() < end:
            if await self.covered():
                break
            await asyncio.sleep(0.05)
        self.release()

    def state(self) -> SignerState:
        """As far as the last step knows."""
        size, at = self._newest or (None, None)
        return SignerState(self._leading, size, at, self._error, self._anchor_error, self._halted)

    async def step(self, *, now: bool = False) -> bool:
        """One look; True if what is there is covered. `now` signs without waiting for its time.

        Nothing is raised: a failure is in `state`, and the next step begins from the memory.
        One after the other: two that grew one tree at a time would see a changed log in it.
        """
        async with self._turn:
            return await self._step(now)

    async def _step(self, now: bool) -> bool:
        if self._halted is not None:
            return False
        try:
            if self._is_marked():
                return False
            self._still_the_same()
            self._leading = self._lock.acquire()
            return self._leading and await self._led(now)
        except RollbackSuspected as found:
            await self._suspect(found)
        except Exception as error:
            self._error = type(error).__name__
        return False

    async def _follow(self) -> None:
        while not self._ending.is_set():
            await self.step()
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(min(LOOK_S, self._every_s)):
                    await self._ending.wait()

    def _is_marked(self) -> bool:
        mark = self._memory.halted()
        if mark is None:
            return False
        self._refuse(mark.reason)
        return True

    async def _suspect(self, found: RollbackSuspected) -> None:
        # Refuse first: the mark is for the others, and the disk may be what is broken.
        self._refuse(found.reason)
        if self._halt is None:
            return  # a command line with the wrong settings must not stop the hub
        with contextlib.suppress(OSError):
            await asyncio.to_thread(self._memory.halt, Halt(found.reason, found.size))

    def _refuse(self, reason: str) -> None:
        self._halted = reason
        if self._halt is not None:
            self._halt(reason)
        self.release()

    def release(self) -> None:
        """Let another one sign; the next step takes the lock again if it is free."""
        self._tree, self._leading = None, False
        self._lock.release()

    def _still_the_same(self) -> None:
        """Of every process, leading or not: its own log's connection is what goes astray."""
        store = _identity(self._engine)
        self._store = self._store or store
        if self._store != store:
            raise RollbackSuspected(Mismatch.REPLACED, self._tree.size if self._tree else 0)

    async def _led(self, now: bool) -> bool:
        if self._tree is None:
            self._tree = await self._opened()
        tree = self._tree
        async with self._engine.connect() as connection:
            head = await _head(connection, self._log, tree.size)
            if head.size != tree.growth.size:
                self._grown_at = self._clock()
            await _grow(connection, tree, head)
        if now or self._due(tree):
            await self._sign(tree)
        self._error = None
        await self._prove_fresh()
        return tree.size == tree.growth.size

    def _due(self, tree: _Tree) -> bool:
        fresh, waited = tree.growth.size - tree.size, self._clock() - tree.at
        return fresh > 0 and (waited >= self._every_s or (fresh >= RECORDS and waited >= LEAST_S))

    async def _prove_fresh(self) -> None:
        if self._beat is not None and self._clock() - self._grown_at >= IDLE_S:
            await self._beat()
            self._grown_at = self._clock()

    # -- signing

    async def _sign(self, tree: _Tree) -> None:
        if tree.growth.size == tree.size:
            return
        frontier = tree.growth.frontier()
        signers = self._keys()
        if not signers:
            raise ValueError("no key signs today")
        note = str(signed(Checkpoint(self._log, frontier.size, frontier.root()), signers))
        memory = Memory(self._log, frontier, note, tree.former)
        # INVARIANT: the memory is on disk before anybody can see the note. From here on a
        # failure leaves us unsure how far we came: the next step asks the files.
        self._tree = None
        await asyncio.to_thread(self._memory.write, memory)
        await self._publish(memory, tree.tiles)
        tree.size, tree.tiles, tree.at = frontier.size, [], self._clock()
        self._tree = tree

    async def _publish(self, memory: Memory, tiles: Sequence[Tile]) -> None:
        """The remembered note into the database with its tiles, then into the anchor."""
        async with self._engine.begin() as connection:
            await _insert(connection, memory, tiles)
        self._newest = (memory.size, now_us())
        await self._anchored(memory)

    async def _anchored(self, memory: Memory) -> None:
        """An anchor that is away stops nothing: the next note it gets covers what it missed."""
        if self._anchor is None:
            return
        try:
            if await asyncio.to_thread(_reached, self._anchor, self._log) < memory.size:
                await asyncio.to_thread(self._anchor.append, memory.note)
            self._anchor_error = None
        except OSError as error:
            self._anchor_error = type(error).__name__

    # -- beginning from the memory

    async def _opened(self) -> _Tree:
        """The tree as it was signed last; what a kill left undone is done first."""
        memory = await asyncio.to_thread(self._memory.read)
        async with self._engine.connect() as connection:
            await judge(connection, memory, self._log, self._anchor)
            if memory is None:
                return await _adopted(connection, suite_in(self._log))
            growth, tiles = await _regrown(connection, memory)
        self._newest = self._newest or (memory.size, now_us())
        await self._publish(memory, tiles)
        return _Tree(growth, memory.size, memory.frontier.root().hex(), former=memory.former)

    async def covered(self) -> bool:
        """Has somebody signed all there is? False if it cannot be told."""
        try:
            async with self._engine.connect() as connection:
                newest = await _newest(connection)
                size = await connection.scalar(select(audit_head.c.size))
        except Exception:
            return False
        return newest is not None and size is not None and newest.size >= size


async def judge(
    connection: AsyncConnection, memory: Memory | None, log_id: str, anchor: Anchor | None = None
) -> None:
    """Is this the database that was signed? RollbackSuspected if not; nothing is written.

    Pushes what came after the memory onto its frontier: the head's root must come out.
    """
    size = memory.size if memory else 0
    if memory is not None and memory.log != log_id:
        raise RollbackSuspected(Mismatch.OTHER_LOG, size)
    newest = await _newest(connection)
    reached = max(size, newest.size if newest else 0)
    if anchor is not None:
        with contextlib.suppress(OSError):
            reached = max(reached, await asyncio.to_thread(_reached, anchor, log_id))
    if reached == 0:
        return  # nothing was ever signed: there is nothing to compare with
    head = await _head(connection, log_id, reached)
    if memory is None:
        return  # the signer compares with the newest note once it has read all bodies
    frontier = Frontier.decode(size, memory.frontier.encode(), suite_in(log_id))
    async for hashed in _leaves(connection, size, head.size, frontier.suite):
        frontier.append(hashed)
    if (frontier.size, frontier.root().hex()) != (head.size, head.root):
        raise RollbackSuspected(Mismatch.CHANGED, size)


class _Bodies(StoreReader):
    """Leaves are hashed from the bodies; the column beside them proves nothing."""

    def __init__(self, connection: AsyncConnection, suite: Suite) -> None:
        super().__init__(connection)
        self._suite = suite

    async def leaves(self, first: int, end: int) -> Sequence[bytes]:
        """Read and hashed; RollbackSuspected GAP."""
        return [one async for one in _leaves(self._connection, first, end, self._suite)]


class _Left(StoreReader):
    """Leaves of records that lie in the archive: from the whole tile they are in."""

    async def leaves(self, first: int, end: int) -> Sequence[bytes]:
        """Of one tile. TileMissing."""
        n, at = divmod(first, WIDTH)
        (hashes,) = await self.tiles(0, n, n + 1)
        return cut(hashes)[at : at + end - first]


async def _adopted(connection: AsyncConnection, suite: Suite) -> _Tree:
    """A tree without a memory: all bodies, which must lead to the newest note that is there."""
    newest = await _newest(connection)
    tree = _Tree(await _below(connection, suite), newest.size if newest else 0)
    if newest is not None:
        tree.tiles = await _grown(connection, tree.growth, newest.size)
        tree.root = tree.growth.frontier().root().hex()
        if tree.root != _parsed(newest.note).root.hex():
            raise RollbackSuspected(Mismatch.CHANGED, newest.size)
    return tree


async def _below(connection: AsyncConnection, suite: Suite) -> Growth:
    """The tree of the records that lie in the archive, as its tiles say: nothing if none do.

    What was signed over it proves it, as it proves the bodies. RollbackSuspected if a tile is
    not there.
    """
    first = online_from(await rows_of(connection))
    try:
        return await Growth.from_rows(_Left(connection), first, suite)
    except TileMissing:
        raise RollbackSuspected(Mismatch.GAP, first) from None


async def _regrown(connection: AsyncConnection, memory: Memory) -> tuple[Growth, list[Tile]]:
    """The tree at the memory's size, and the tiles that its checkpoint brings."""
    before = await _newest(connection, memory.size)
    suite = memory.frontier.suite
    with contextlib.suppress(TileMissing):
        first = before.size if before else 0
        growth = await Growth.from_rows(_Bodies(connection, suite), first, suite)
        tiles = await _grown(connection, growth, memory.size)
        if growth.frontier().encode() == memory.frontier.encode():
            return growth, tiles
    # A tile is not there or not right, which is for verify to say: all again from the bodies.
    growth = await _below(connection, suite)
    tiles = await _grown(connection, growth, memory.size)
    if growth.frontier().encode() != memory.frontier.encode():
        raise RollbackSuspected(Mismatch.CHANGED, memory.size)
    return growth, tiles


async def _grow(connection: AsyncConnection, tree: _Tree, head: Row[Any]) -> None:
    """Push what is new; the head's root must come out."""
    if head.size > tree.growth.size or not tree.root:
        tree.root = ""
        tree.tiles += await _grown(connection, tree.growth, head.size)
        tree.root = tree.growth.frontier().root().hex()
    if (tree.growth.size, tree.root) != (head.size, head.root):
        reason = Mismatch.SHRUNK if head.size < tree.growth.size else Mismatch.CHANGED
        raise RollbackSuspected(reason, tree.size)


async def _grown(connection: AsyncConnection, growth: Growth, size: int) -> list[Tile]:
    """Grow up to `size` by the bodies; the tiles that became whole."""
    tiles = list[Tile]()
    async for hashed in _leaves(connection, growth.size, size, growth.suite):
        tiles += growth.append(hashed)
    return tiles


async def _leaves(
    connection: AsyncConnection, first: int, end: int, suite: Suite
) -> AsyncIterator[bytes]:
    """Leaf hashes of the bodies first … end-1. RollbackSuspected GAP if one is not there."""
    row = audit_event.c
    while first < end:
        page = select(row.idx, row.body).where(row.idx >= first, row.idx < end)
        rows = (await connection.execute(page.order_by(row.idx).limit(BODIES))).all()
        if not rows:
            raise RollbackSuspected(Mismatch.GAP, first)
        for idx, body in rows:
            if idx != first:
                raise RollbackSuspected(Mismatch.GAP, first)
            yield suite.leaf(str(body).encode())
            first += 1
        await asyncio.sleep(0)  # answers come first


async def _head(connection: AsyncConnection, log_id: str, reached: int) -> Row[Any]:
    """The head of this log, which has `reached` records or more. RollbackSuspected.

    LookupError if no log was begun, and none is missed.
    """
    head = (await connection.execute(select(audit_head))).one_or_none()
    if head is None and not reached:
        raise LookupError("no log was begun")
    if head is None or (head.size == 0 and reached):
        raise RollbackSuspected(Mismatch.EMPTY, reached)
    if head.log != log_id:
        raise RollbackSuspected(Mismatch.OTHER_LOG, reached)
    if head.size < reached:
        raise RollbackSuspected(Mismatch.SHRUNK, reached)
    return head


async def _newest(connection: AsyncConnection, upto: int | None = None) -> Row[Any, Any] | None:
    """The newest checkpoint that is there, of at most `upto` records: size and note."""
    row = audit_checkpoint.c
    wanted = select(row.size, row.note).order_by(row.size.desc()).limit(1)
    if upto is not None:
        wanted = wanted.where(row.size < upto)
    return (await connection.execute(wanted)).one_or_none()


async def newest_note(connection: AsyncConnection) -> Note | None:
    """The newest checkpoint in the database, as it was signed. BadNote."""
    found = await _newest(connection)
    return Note.parse(found.note) if found else None


async def _insert(connection: AsyncConnection, memory: Memory, tiles: Sequence[Tile]) -> None:
    """Checkpoint and tiles. What is there already, by us or another machine, must be the same."""
    named = {"size": memory.size, "note": memory.note, "at": now_us()}
    await connection.execute(text(_CHECKPOINT), named)
    if tiles:
        rows = [{"level": tile.level, "n": tile.n, "hashes": tile.hashes} for tile in tiles]
        await connection.execute(text(_TILE), rows)
    row = audit_checkpoint.c
    stored = await connection.scalar(select(row.note).where(row.size == memory.size))
    if _parsed(str(stored)) != _parsed(memory.note):
        raise RollbackSuspected(Mismatch.FORKED, memory.size)


_CHECKPOINT = (
    "INSERT INTO audit_checkpoint (size, note, created_at) VALUES (:size, :note, :at) "
    "ON CONFLICT DO NOTHING"
)
_TILE = (
    "INSERT INTO audit_tile (level, n, hashes) VALUES (:level, :n, :hashes) ON CONFLICT DO NOTHING"
)


def _parsed(note: str) -> Checkpoint:
    """RollbackSuspected FORKED for what is no checkpoint: we wrote none such."""
    try:
        return Checkpoint.parse(Note.parse(note).text)
    except BadNote:
        raise RollbackSuspected(Mismatch.FORKED) from None


def _reached(anchor: Anchor, log_id: str) -> int:
    """The size of the anchor's newest note of this log."""
    note = anchor.last()
    found = Checkpoint.parse(note.text) if note else None
    return found.size if found and found.origin == log_id else 0


def _identity(engine: AsyncEngine) -> tuple[int, int] | None:
    """Which file a SQLite store is: an open connection would go on with one that is gone."""
    if engine.dialect.name != "sqlite":
        return None
    try:
        found = Path(engine.url.database or "").stat()
    except OSError:
        return None
    return found.st_dev, found.st_ino
