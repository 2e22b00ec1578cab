"""Checkpoints: when they are signed, what they cover, and when nothing is signed any more."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from sqlalchemy import select, text
from sqlalchemy.ext.asyncio import AsyncEngine

from audit import tree
from audit.anchor import Anchor
from audit.log import AuditLog, writer_name
from audit.memory import Halt, MemoryFile, Mismatch, RollbackSuspected
from audit.note import Checkpoint, Ed25519Signer, Note, opened
from audit.signer import Signer, judge
from audit.tiles import TILE_BYTES, StoreReader, inclusion, whole_tiles
from audit.verify import Exit, check
from catalog.errors import AuditUnavailable
from store.audit import audit_checkpoint, audit_event, audit_tile

if TYPE_CHECKING:
    from tests.audit.conftest import Drafts

pytestmark = pytest.mark.anyio

LOG = "demo.invalid/hub/test/sha256"
KEY = Ed25519Signer(LOG, bytes(range(32)))


@dataclass(slots=True)
class Clock:
    """Seconds, set by hand."""

    now: float = 1_000.0

    def __call__(self) -> float:
        return self.now


@dataclass(slots=True)
class Desk:
    """What one signer is given, and what it told."""

    engine: AsyncEngine
    memory: MemoryFile
    anchor: Anchor
    clock: Clock = field(default_factory=Clock)
    halts: list[str] = field(default_factory=list)
    beats: int = 0
    made: list[Signer] = field(default_factory=list)

    def signer(self, **given: Any) -> Signer:
        """A new one over the same files, as after a restart or in another process."""
        made = Signer(
            self.engine,
            given.pop("log", LOG),
            self.memory,
            given.pop("keys", lambda: (KEY,)),
            anchor=self.anchor,
            halt=self.halts.append,
            beat=self._beat,
            clock=self.clock,
            **given,
        )
        self.made.append(made)
        return made

    async def _beat(self) -> None:
        self.beats += 1

    async def checkpoints(self) -> dict[int, Checkpoint]:
        """As they lie in the database, each signed by the key."""
        row = audit_checkpoint.c
        async with self.engine.connect() as connection:
            rows = (await connection.execute(select(row.size, row.note).order_by(row.size))).all()
        return {size: opened(Note.parse(note), [KEY.verifier])[0] for size, note in rows}

    async def leaves(self) -> list[bytes]:
        row = audit_event.c
        async with self.engine.connect() as connection:
            bodies = await connection.scalars(select(row.body).order_by(row.idx))
            return [tree.leaf(body.encode()) for body in bodies]

    def anchored(self) -> list[int]:
        """Sizes of the notes in the anchor file."""
        blocks = self.anchor.path.read_text().split("\n\n")
        return [int(block.split("\n")[1]) for block in blocks[:-1:2]]


async def _many(log: AuditLog, drafts: Drafts, count: int) -> None:
    await asyncio.gather(*(log.append(drafts(n)) for n in range(count)))


@pytest.fixture
async def desk(engine: AsyncEngine, tmp_path: Path) -> AsyncIterator[Desk]:
    folder = tmp_path / "keys"
    folder.mkdir()
    desk = Desk(engine, MemoryFile(folder / "signer.json"), Anchor(tmp_path / "anchor.txt"))
    yield desk
    for one in desk.made:
        one.release()


async def test_a_checkpoint_covers_what_is_there_in_memory_database_and_anchor(
    desk: Desk, log: AuditLog, drafts: Drafts
) -> None:
    await log.append(drafts())
    signer = desk.signer()
    assert await signer.step()
    leaves = await desk.leaves()
    wanted = Checkpoint(LOG, 2, tree.root_of(leaves))
    assert await desk.checkpoints() == {2: wanted}
    memory = desk.memory.read()
    assert memory is not None
    assert (memory.size, memory.frontier.root(), memory.former) == (2, wanted.root, ())
    assert desk.anchor.path.read_text() == memory.note + "\n"
    assert desk.memory.path.stat().st_mode & 0o777 == 0o600
    state = signer.state()
    assert (state.leading, state.size, state.error, state.halted) == (True, 2, None, None)
    assert state.anchor_error is None


async def test_cadence_ten_seconds_or_a_thousand_records(
    desk: Desk, log: AuditLog, drafts: Drafts
) -> None:
    signer, clock = desk.signer(), desk.clock
    assert await signer.step()  # at once at the start: HUB_START
    assert await signer.step()  # nothing new: covered, nothing signed
    await log.append(drafts(1))
    clock.now += 9.9
    assert not await signer.step()
    clock.now += 0.1
    assert await signer.step()
    await _many(log, drafts, 999)
    clock.now += 1.0
    assert not await signer.step()
    await log.append(drafts(999))
    assert await signer.step()  # a thousand, one second
    await _many(log, drafts, 1_000)
    clock.now += 0.9
    assert not await signer.step()  # at most once a second
    assert await signer.step(now=True)
    assert list(await desk.checkpoints()) == [1, 2, 1_002, 2_002] == desk.anchored()


async def test_steps_at_once_take_turns(desk: Desk, log: AuditLog, drafts: Drafts) -> None:
    signer = desk.signer()
    for _ in range(5):
        await _many(log, drafts, 40)
        assert await asyncio.gather(*(signer.step(now=True) for _ in range(4))) == [True] * 4
    state = signer.state()
    assert (state.halted, state.error, state.size) == (None, None, 201)


async def test_tiles_come_with_their_checkpoint_and_give_proofs(
    desk: Desk, log: AuditLog, drafts: Drafts, engine: AsyncEngine
) -> None:
    signer = desk.signer()
    for count in (200, 100, 400):
        await _many(log, drafts, count)
        assert await signer.step(now=True)
        async with engine.connect() as connection:
            rows = (await connection.execute(select(audit_tile))).all()
        size = (await log.append(drafts())).idx
        assert [(row.level, row.n) for row in rows] == list(whole_tiles(0, size))
        assert all(len(row.hashes) == TILE_BYTES for row in rows)
        # A new signer goes on where this one was.
        signer.release()
        signer = desk.signer()
    leaves = (await desk.leaves())[:703]
    async with engine.connect() as connection:
        path = await inclusion(StoreReader(connection), 300, 703)
    assert tree.verify_inclusion(leaves[300], 300, 703, path, tree.root_of(leaves))
    assert (await desk.checkpoints())[703].root == tree.root_of(leaves)


async def test_a_stand_by_takes_over(desk: Desk, log: AuditLog, drafts: Drafts) -> None:
    first, second = desk.signer(), desk.signer()
    assert await first.step()
    await log.append(drafts())
    assert not await second.step(now=True)
    assert (first.state().leading, second.state().leading) == (True, False)
    first.release()
    assert await second.step(now=True)
    assert not await first.step(now=True)
    assert list(await desk.checkpoints()) == [1, 2]


async def test_start_and_stop_sign_and_hub_stop_is_covered(desk: Desk, engine: AsyncEngine) -> None:
    log, signer = AuditLog(engine, writer_name("test"), LOG, wait_s=5.0), desk.signer()
    await log.start()
    signer.start()
    await log.stop()
    await signer.stop()
    assert list(await desk.checkpoints())[-1] == 2
    assert signer.state().leading is False
    later = desk.signer()
    assert await later.step()  # the lock is free, all is covered: nothing is signed
    assert list(await desk.checkpoints())[-1] == 2


async def test_a_stand_by_that_stops_sees_its_last_record_covered(
    desk: Desk, engine: AsyncEngine
) -> None:
    leader, follower = desk.signer(), desk.signer()
    log = AuditLog(engine, writer_name("test"), LOG, wait_s=5.0)
    await log.start()
    assert await leader.step()
    follower.start()
    await asyncio.sleep(0)
    await log.stop()

    async def leading() -> None:
        await asyncio.sleep(0.2)
        leader.release()

    await asyncio.gather(follower.stop(), leading())
    assert list(await desk.checkpoints()) == [1, 2]


async def test_an_idle_hour_is_one_heartbeat(desk: Desk, log: AuditLog, drafts: Drafts) -> None:
    signer, clock = desk.signer(), desk.clock
    await signer.step()
    clock.now += 3_599.0
    await signer.step()
    assert desk.beats == 0
    await log.append(drafts())
    await signer.step()
    clock.now += 3_599.0
    await signer.step()
    assert desk.beats == 0
    clock.now += 1.0
    await signer.step()
    await signer.step()
    assert desk.beats == 1


async def test_an_anchor_that_is_away_stops_nothing(
    desk: Desk, log: AuditLog, drafts: Drafts, tmp_path: Path
) -> None:
    away = tmp_path / "mount"
    desk.anchor = Anchor(away / "anchor.txt")
    signer = desk.signer()
    assert await signer.step()
    assert signer.state().anchor_error == "FileNotFoundError"
    away.mkdir()
    await log.append(drafts())
    assert await signer.step(now=True)
    assert signer.state().anchor_error is None
    assert (list(await desk.checkpoints()), desk.anchored()) == ([1, 2], [2])


async def test_a_torn_anchor_is_mended_by_what_follows(desk: Desk, log: AuditLog) -> None:
    desk.anchor.path.write_text("demo.invalid/hub/te")
    await desk.signer().step()
    memory = desk.memory.read()
    assert memory is not None
    assert desk.anchor.path.read_text() == "demo.invalid/hub/te\n\n" + memory.note + "\n"
    last = desk.anchor.last()
    assert str(last) == memory.note


async def test_no_key_signs_nothing_and_is_told(desk: Desk, log: AuditLog) -> None:
    signer = desk.signer(keys=lambda: ())
    assert not await signer.step()
    assert signer.state().error == "ValueError"
    assert desk.memory.read() is None
    assert desk.halts == []


# ---- what a new signer finds


async def test_what_was_remembered_but_not_published_is_published_first(
    desk: Desk, log: AuditLog, drafts: Drafts
) -> None:
    """As a kill between memory and database leaves it: `test_signer_kill.py` does it for real."""
    await _many(log, drafts, 300)

    class Cut(Exception):
        pass

    class Torn(MemoryFile):
        def write(self, memory: Any) -> None:
            super().write(memory)
            raise Cut

    signer = desk.signer()
    signer._memory = Torn(desk.memory.path)
    assert not await signer.step()
    assert signer.state().error == "Cut"
    signer.release()
    memory = desk.memory.read()
    assert memory is not None
    assert (memory.size, await desk.checkpoints()) == (301, {})
    await log.append(drafts())
    desk.clock.now += 60
    assert await desk.signer().step(now=True)
    assert list(await desk.checkpoints()) == [301, 302] == desk.anchored()
    async with desk.engine.connect() as connection:
        tiles = (await connection.execute(select(audit_tile.c.level, audit_tile.c.n))).all()
    assert [tuple(row) for row in tiles] == [(0, 0)]


async def test_a_log_that_was_never_signed_is_signed_whole(
    desk: Desk, log: AuditLog, drafts: Drafts
) -> None:
    await _many(log, drafts, 600)
    assert await desk.signer().step()
    async with desk.engine.connect() as connection:
        tiles = (await connection.execute(select(audit_tile.c.level, audit_tile.c.n))).all()
    assert [tuple(row) for row in tiles] == [(0, 0), (0, 1)]
    assert list(await desk.checkpoints()) == [601]


async def test_a_lost_memory_is_made_anew_from_all_bodies(
    desk: Desk, log: AuditLog, drafts: Drafts
) -> None:
    await desk.signer().step()
    desk.made.pop().release()
    desk.memory.path.unlink()
    await log.append(drafts())
    assert await desk.signer().step()
    assert list(await desk.checkpoints()) == [1, 2]
    memory = desk.memory.read()
    assert memory is not None
    assert memory.size == 2


# ---- the database is not the one that was signed


async def _unprotected(engine: AsyncEngine, *statements: str) -> None:
    """As who owns the tables could: without the triggers."""
    async with engine.begin() as connection:
        tables = ("audit_event", "audit_checkpoint")
        if engine.dialect.name == "sqlite":
            for table in tables:
                for deed in ("update", "delete"):
                    await connection.execute(text(f"DROP TRIGGER IF EXISTS {table}_no_{deed}"))
        else:
            for table in tables:
                await connection.execute(text(f"ALTER TABLE {table} DISABLE TRIGGER ALL"))
        for statement in statements:
            await connection.execute(text(statement))


async def _cut(desk: Desk) -> None:
    """The tail is cut, head and checkpoints set back as if it had never been."""
    async with desk.engine.connect() as connection:
        count = await connection.scalar(text("SELECT count(*) FROM audit_event"))
    leaves = (await desk.leaves())[: count - 1]
    frontier = tree.Frontier()
    for one in leaves:
        frontier.append(one)
    root, raw = frontier.root().hex(), frontier.encode().hex()
    blob = f"x'{raw}'" if desk.engine.dialect.name == "sqlite" else f"'\\x{raw}'"
    await _unprotected(
        desk.engine,
        f"DELETE FROM audit_event WHERE idx >= {count - 1}",
        f"DELETE FROM audit_checkpoint WHERE size >= {count}",
        f"UPDATE audit_head SET size = {count - 1}, root = '{root}', frontier = {blob}",
    )


async def _emptied(desk: Desk) -> None:
    await _unprotected(
        desk.engine, "DELETE FROM audit_event", "DELETE FROM audit_checkpoint",
        "DELETE FROM audit_head",
    )  # fmt: skip


async def _renamed(desk: Desk) -> None:
    await _unprotected(desk.engine, "UPDATE audit_head SET log = 'demo.invalid/hub/x/sha256'")


async def _other_root(desk: Desk) -> None:
    await _unprotected(desk.engine, f"UPDATE audit_head SET root = '{'ab' * 32}'")


async def _hole(desk: Desk) -> None:
    """The head has moved on without its record."""
    await _unprotected(desk.engine, "UPDATE audit_head SET size = size + 1")


async def _gone(desk: Desk) -> None:
    """The file is another one: an exact copy, so that only its being another can tell."""
    file = Path(desk.engine.url.database or "")
    copy = file.with_suffix(".copy")
    async with desk.engine.connect() as connection:
        await connection.execute(text(f"VACUUM INTO '{copy}'"))
    copy.replace(file)


RUNNING = [
    (_cut, Mismatch.SHRUNK),
    (_emptied, Mismatch.EMPTY),
    (_renamed, Mismatch.OTHER_LOG),
    (_other_root, Mismatch.CHANGED),
    (_hole, Mismatch.GAP),
]


@pytest.mark.parametrize(("fault", "reason"), RUNNING)
@pytest.mark.parametrize("restarted", [False, True])
async def test_another_database_is_never_signed_and_all_refuse(
    desk: Desk, log: AuditLog, drafts: Drafts, fault: Callable[[Desk], Any], reason: Mismatch,
    restarted: bool,
) -> None:  # fmt: skip
    await log.append(drafts())
    signer, stand_by = desk.signer(), desk.signer()
    assert await signer.step()
    before = desk.memory.path.read_bytes()
    if restarted:
        signer.release()
        signer = desk.signer()
    await fault(desk)
    log.halt(reason)  # as the hub wires it: it ends without HUB_STOP
    assert not await signer.step(now=True)
    assert desk.memory.path.read_bytes() == before
    assert desk.memory.halted() == Halt(reason, 2)
    assert json.loads(desk.memory.halt_path.read_text()) == {"reason": reason, "size": 2}
    assert (desk.halts, signer.state().halted) == ([reason], reason)
    # The stand-by sees the mark; whoever starts later does, too. None of them signs.
    assert not await stand_by.step(now=True)
    assert not await desk.signer().step(now=True)
    assert desk.halts == [reason] * 3
    assert desk.anchored() == [2]
    async with desk.engine.connect() as connection:
        with pytest.raises(RollbackSuspected) as found:
            await judge(connection, desk.memory.read(), LOG)
    assert found.value.reason is reason


async def test_another_file_under_the_same_name_is_seen(
    desk: Desk, log: AuditLog, drafts: Drafts
) -> None:
    if desk.engine.dialect.name != "sqlite":
        pytest.skip("a database of PostgreSQL cannot be exchanged below an open connection")
    signer, stand_by = desk.signer(), desk.signer()
    assert await signer.step()
    assert not await stand_by.step()
    await _gone(desk)
    assert not await stand_by.step()  # its log would write into the file that is gone, too
    assert desk.halts == [Mismatch.REPLACED]
    assert desk.memory.halted() == Halt("REPLACED", 0)
    assert not await signer.step()
    assert desk.halts == [Mismatch.REPLACED] * 2


async def test_an_edit_of_signed_records_that_a_new_signer_reads_is_seen(
    desk: Desk, log: AuditLog, drafts: Drafts
) -> None:
    """Body, leaf and head rewritten so that they fit together: only the memory tells."""
    await log.append(drafts())
    first = desk.signer()
    await first.step()
    first.release()
    leaves = await desk.leaves()
    forged = tree.leaf(b"{}")
    frontier = tree.Frontier()
    for one in (leaves[0], forged):
        frontier.append(one)
    await _unprotected(
        desk.engine,
        f"UPDATE audit_event SET body = '{{}}', leaf = '{forged.hex()}' WHERE idx = 1",
        f"UPDATE audit_head SET root = '{frontier.root().hex()}'",
    )
    assert not await desk.signer().step(now=True)
    assert desk.halts == [Mismatch.CHANGED]


async def test_a_fork_of_the_same_size_is_seen(desk: Desk, log: AuditLog, drafts: Drafts) -> None:
    """Another machine signed another tree of this size."""
    signer = desk.signer()
    await signer.step()
    await log.append(drafts())
    other = Checkpoint(LOG, 2, bytes(32))
    note = Note(other.text, (KEY.sign(other.text),))
    async with desk.engine.begin() as connection:
        row = {"size": 2, "note": str(note), "created_at": 1}
        await connection.execute(audit_checkpoint.insert(), [row])
    assert not await signer.step(now=True)
    assert desk.halts == [Mismatch.FORKED]
    assert (await desk.checkpoints())[2] == other  # nothing is written over


async def test_the_anchor_knows_more_than_database_and_memory(
    desk: Desk, log: AuditLog, drafts: Drafts
) -> None:
    """Database and memory were both set back together; the anchor lies elsewhere."""
    signer = desk.signer()
    await signer.step()
    old = desk.memory.path.read_bytes()
    await log.append(drafts())
    await signer.step(now=True)
    signer.release()
    await _cut(desk)
    desk.memory.path.write_bytes(old)
    assert not await desk.signer().step(now=True)
    assert (desk.halts, desk.memory.halted()) == ([Mismatch.SHRUNK], Halt("SHRUNK", 2))


@pytest.mark.parametrize(
    "spoil",
    [
        lambda text: "",
        lambda text: "[]",
        lambda text: text[:-20],
        lambda text: text.replace('"size": 1', '"size": 2'),
        lambda text: text.replace("\\n1\\n", "\\n2\\n"),
        lambda text: text.replace("hub/test", "hub/text", 1),
    ],
)
async def test_a_damaged_memory_signs_nothing(
    desk: Desk, log: AuditLog, spoil: Callable[[str], str]
) -> None:
    first = desk.signer()
    await first.step()
    first.release()
    whole = desk.memory.path.read_text()
    spoilt = spoil(whole)
    assert spoilt != whole
    desk.memory.path.write_text(spoilt)
    assert not await desk.signer().step(now=True)
    assert desk.halts == [Mismatch.MEMORY]
    assert desk.memory.path.read_text() == spoilt


async def test_a_mark_that_says_nothing_is_a_mark(desk: Desk, log: AuditLog) -> None:
    desk.memory.halt_path.write_text("{")
    assert not await desk.signer().step()
    assert desk.halts == [Mismatch.MEMORY]


async def test_a_mark_that_cannot_be_looked_at_is_tried_again(desk: Desk, log: AuditLog) -> None:
    """As with too many open files: an hour's trouble must not stop the county for good."""
    desk.memory.halt_path.mkdir()
    signer = desk.signer()
    assert not await signer.step()
    assert (signer.state().error, desk.halts) == ("IsADirectoryError", [])
    desk.memory.halt_path.rmdir()
    assert await signer.step()
    assert signer.state().error is None


async def test_a_halted_log_refuses_and_ends_without_a_word(
    engine: AsyncEngine, drafts: Drafts
) -> None:
    log = AuditLog(engine, writer_name("test"), LOG, wait_s=5.0)
    await log.start()
    log.halt(Mismatch.SHRUNK)
    with pytest.raises(AuditUnavailable) as refused:
        await log.append(drafts())
    assert refused.value.reason == "ROLLBACK_SUSPECTED"
    assert refused.value.extensions()["retryable"] is False
    async with engine.begin() as connection:
        with pytest.raises(AuditUnavailable):
            await log.append_in(connection, drafts())
    assert log.state().halted == Mismatch.SHRUNK
    await log.stop()
    verdicts = await check(engine)
    assert (verdicts.exit, verdicts.size, len(verdicts.unstopped)) == (Exit.INTACT, 1, 1)
