"""The log's writer killed at every point of its path, on both databases, another writer beside it.

In each round one child dies at a named point, the other goes on and is killed at a moment drawn at
random. After every kill: no acknowledged record is lost, the rest is contiguous, its root is right.
"""

from __future__ import annotations

import asyncio
import random
import signal
import sys
from asyncio.subprocess import PIPE, Process
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncEngine

from audit.tree import Frontier
from audit.tree import leaf as leaf_of
from audit.verify import Exit, check
from store.audit import audit_event, audit_head
from tests.kills import DAILY, KILLS, share
from tests.proxy import IDLE, Proxy

pytestmark = [pytest.mark.anyio, pytest.mark.loopback]

CHILD = Path(__file__).with_name("load_writer.py")
ROUNDS = share(12) // 2  # two kills a round
ACKED = 60  # receipts before a point is armed, and after it from the other child
SQLITE_POINTS = ("record", "commit", "head", "durable", "counter", "begin")
POSTGRES_POINTS = ("at work", "uncommitted", "answered", "committing", "on its way", "locked")
RECORD = b'"kind":"READ"'
START_S, DIE_S = 30.0, 30.0


@dataclass(slots=True)
class Child:
    """A process under load, and what it has acknowledged."""

    process: Process
    receipts: dict[int, str] = field(default_factory=dict)
    grown: asyncio.Event = field(default_factory=asyncio.Event)
    reading: asyncio.Task[None] | None = None

    async def read(self) -> None:
        """Take receipts until the pipe ends; the last line may have been cut by the kill."""
        assert self.process.stdout is not None
        async for line in self.process.stdout:
            if line.endswith(b"\n"):
                idx, leaf = line.split()
                self.receipts[int(idx)] = leaf.decode()
                self.grown.set()

    async def acked(self, more: int) -> None:
        """Wait for so many more receipts."""
        end = len(self.receipts) + more
        async with asyncio.timeout(START_S):
            while len(self.receipts) < end:
                self.grown.clear()
                await self.grown.wait()

    async def killed(self) -> None:
        """Dead by SIGKILL, and everything it said is read."""
        async with asyncio.timeout(DIE_S):
            assert await self.process.wait() == -signal.SIGKILL
            assert self.reading is not None
            await self.reading


@asynccontextmanager
async def child(url: str, node: str, *more: str) -> AsyncIterator[Child]:
    command = [sys.executable, "-P", str(CHILD), url, node, "0", *more]
    process = await asyncio.create_subprocess_exec(*command, stdin=PIPE, stdout=PIPE, stderr=PIPE)
    assert process.stdin is not None
    assert process.stdout is not None
    try:
        async with asyncio.timeout(START_S):
            assert await process.stdout.readline() == b"ready\n"
        made = Child(process)
        process.stdin.write(b"go\n")
        made.reading = asyncio.create_task(made.read())
        yield made
    finally:
        if process.returncode is None:
            process.kill()
        await process.wait()


@dataclass(slots=True)
class Told:
    """What the rounds did: the points hit, and records of the transactions they hit."""

    points: Counter[str] = field(default_factory=Counter)
    cut: list[int] = field(default_factory=list)
    kills: int = 0
    roots: int = 0  # heads that were compared with their records
    acked: dict[int, str] = field(default_factory=dict)
    stored: dict[int, str] = field(default_factory=dict)
    frontier: Frontier = field(default_factory=Frontier)


async def holds(engine: AsyncEngine, told: Told, acked: dict[int, str]) -> None:
    """What came since the last look: none is missing or lost, and the root is theirs.

    What was there before is looked at once more in the end, by the verifier.
    """
    async with engine.connect() as connection:
        event = audit_event.c
        since = select(event.idx, event.leaf, event.body).where(event.idx >= told.frontier.size)
        rows = (await connection.execute(since.order_by(event.idx))).all()
        root = select(audit_head.c.size, audit_head.c.root)
        head = (await connection.execute(root)).one()
    first = told.frontier.size
    assert [row.idx for row in rows] == list(range(first, first + len(rows)))
    for row in rows:
        assert leaf_of(row.body.encode()).hex() == row.leaf
        told.frontier.append(bytes.fromhex(row.leaf))
        told.stored[int(row.idx)] = str(row.leaf)
    assert {idx: told.stored.get(idx) for idx in acked} == acked
    told.acked |= acked
    # A writer that goes on meanwhile may have moved the head on.
    if head.size == told.frontier.size:
        assert told.frontier.root().hex() == head.root
        told.roots += 1


@pytest.mark.parametrize("store_url", ["sqlite"], indirect=True)
async def test_killed_at_every_point_of_sqlite(audit_url: str, engine: AsyncEngine) -> None:
    chance, told = random.Random(), Told()
    for number in range(ROUNDS):
        point = SQLITE_POINTS[number % len(SQLITE_POINTS)]
        nth = chance.randint(20, 200) if point == "record" else chance.randint(4, 12)
        async with (
            child(audit_url, f"east{number}", point, str(nth)) as dying,
            child(audit_url, f"west{number}") as other,
        ):
            await dying.killed()
            assert dying.process.stderr is not None
            where, records = (await dying.process.stderr.read()).decode().split()
            told.points[where] += 1
            told.cut.append(int(records))
            await survived(engine, dying, other, told, chance)
    assert told.points.keys() == set(SQLITE_POINTS[:ROUNDS])
    await ended(engine, told)


@pytest.mark.postgres
@pytest.mark.parametrize("store_url", ["postgres"], indirect=True)
async def test_killed_at_every_point_of_postgresql(audit_url: str, engine: AsyncEngine) -> None:
    chance, told = random.Random(), Told()
    for number in range(ROUNDS):
        point = POSTGRES_POINTS[number % len(POSTGRES_POINTS)]
        proxy = Proxy(audit_url)
        async with (
            proxy as through,
            child(through, f"east{number}") as dying,
            child(audit_url, f"west{number}") as other,
        ):
            await dying.acked(ACKED)
            striker = Striker(point, dying.process, told)
            proxy.ask, proxy.answer = striker.ask, striker.answer
            await dying.killed()
            assert told.points.total() == number + 1
            await survived(engine, dying, other, told, chance)
    assert told.points.keys() == set(POSTGRES_POINTS[:ROUNDS])
    await ended(engine, told)


async def survived(
    engine: AsyncEngine, dying: Child, other: Child, told: Told, chance: random.Random
) -> None:
    """One is dead: what it acknowledged is there, the other goes on; then that is killed, too."""
    told.kills += 1
    await holds(engine, told, dying.receipts)
    await other.acked(ACKED)
    await asyncio.sleep(chance.uniform(0, 0.02))
    other.process.kill()
    await other.killed()
    told.kills += 1
    await holds(engine, told, other.receipts)


async def ended(engine: AsyncEngine, told: Told) -> None:
    """The proof that it happened, and what must hold of the whole log."""
    rows = len(told.stored)
    assert told.kills == 2 * ROUNDS >= 12
    assert told.roots >= ROUNDS  # whenever both were dead
    found = {idx: told.stored.get(idx) for idx in told.acked}
    assert found == told.acked
    assert len(told.acked) > ROUNDS * ACKED
    # Each HUB_START, and what nobody was told of: whether a round leaves any is chance.
    assert rows - len(told.acked) - 2 * ROUNDS >= int(KILLS > DAILY)
    assert sum(records > 1 for records in told.cut) >= ROUNDS // 2  # in the middle of a batch
    verdicts = await check(engine)
    assert (verdicts.exit, verdicts.size) == (Exit.INTACT, rows)
    assert len(verdicts.unstopped) == told.kills  # every kill is seen: no HUB_STOP


# ---- where the proxy kills: statements on their way, at work, and answers on their way back


@dataclass(slots=True)
class Striker:
    """Kills once, at its point, and counts the records of the transaction it struck."""

    point: str
    process: Process
    told: Told
    records: int = 0
    answers: int | None = None  # since BEGIN
    struck: bool = False

    async def ask(self, part: bytes) -> bool:
        """What the writer sends; False keeps it from the server."""
        if RECORD in part:
            self.records = part.count(RECORD)
            if self.point in ("on its way", "at work"):
                return self._strike(passing=self.point == "at work")
        if b"BEGIN\0" in part:
            self.answers, self.records = 0, 0
        if b"COMMIT\0" in part and self.point in ("uncommitted", "committing"):
            return self._strike(passing=self.point == "committing")
        return True

    async def answer(self, part: bytes) -> bool:
        """What the server says; False keeps it from the writer."""
        if self.answers is not None:
            self.answers += 1
        if self.point == "locked" and self.answers == 2:  # BEGIN, then the head's row
            return self._strike(passing=False)
        if self.point == "answered" and self.records and part.endswith(IDLE):
            return self._strike(passing=False)
        return True

    def _strike(self, *, passing: bool) -> bool:
        if self.struck:
            return False
        self.struck = True
        self.process.kill()
        self.told.points[self.point] += 1
        self.told.cut.append(self.records)
        return passing
