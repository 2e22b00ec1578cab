"""What verify finds, shown by doing it: each tampering, at each level, on copies of a small log.

Against a history that was rewritten and signed anew by who holds the signing key, only what
lies outside helps; the table says so, and the drill fails if a cell is not as it says. Two
rows are demanded *not* to be found from inside (a whole store put back), one only by a receipt
(what came after the last checkpoint): those are the limits the promises name.
"""

from __future__ import annotations

import asyncio
import json
import secrets
import shutil
import sqlite3
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from functools import partial
from pathlib import Path

from sqlalchemy import delete, select
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from audit.batch import Head, Ticks, number
from audit.note import Ed25519Signer
from audit.plant import (
    Body,
    Change,
    Level,
    Store,
    cut,
    deleted,
    edited,
    forged,
    forget_followers,
    plant,
    renumbered,
    swapped,
    taken,
    unlock,
    write,
)
from audit.record import Draft, Kind, Op, ReadEntry, canonical, entry
from audit.tree import leaf
from audit.verify import DatedKey, Evidence, Exit, Verdicts, check
from store import audit
from store.audit import audit_alert, audit_checkpoint, audit_event, audit_segment, audit_subject
from store.engine import open_engine
from store.metadata import metadata

RECORDS = 400  # of the throw-away log: one whole tile and a part
COPIED = 2_000  # of a real log: as many as show everything
LEAST = 60
EVERY = 25  # records a checkpoint
LEFT = 10  # records after the last checkpoint
STEP_US = 1_000_000
SPAN_US = 50_000_000  # a checkpoint covers less than verify allows

Plant = Callable[[AsyncConnection], Awaitable[None]]


class TooSmall(ValueError):
    """The log has too few records for a drill, or is not whole."""


class Column(StrEnum):
    """Who tampers and what the verifier holds beside the store and the public key."""

    A0 = "A0"
    A1 = "A1"
    A2 = "A2"
    ANCHOR = "A2+检查点"
    RECEIPT = "A2+回执"


@dataclass(frozen=True, slots=True)
class Cell:
    """One tampering at one level: what is demanded, and what verify said."""

    demanded: bool
    verdicts: Verdicts

    @property
    def found(self) -> bool:
        """Was it told that something is wrong?"""
        return self.verdicts.exit is not Exit.INTACT

    @property
    def holds(self) -> bool:
        """Is the cell as demanded?"""
        return self.found is self.demanded


@dataclass(frozen=True, slots=True)
class Line:
    """One tampering: its name, whether it is found, by column, and how it is done, by level."""

    name: str
    demanded: Mapping[Column, bool]
    deeds: Mapping[Level, Plant]


Table = Sequence[tuple[str, Mapping[Column, Cell]]]

_LEVELS = {
    Column.A0: Level.PLAIN,
    Column.A1: Level.RECOMPUTED,
    Column.A2: Level.RESIGNED,
    Column.ANCHOR: Level.RESIGNED,
    Column.RECEIPT: Level.RESIGNED,
}


async def drill(folder: Path, source: Path | None = None) -> Table:
    """Do all of it in `folder`, which must be empty; `source` is a SQLite store to copy from.

    TooSmall if the copy does not do. The source is only read.
    """
    base = folder / "base.sqlite"
    signer = await _base(base, source)
    evidence = Evidence((DatedKey(signer.verifier),))
    async with _Opened(base) as engine:
        if (await check(engine, evidence=evidence)).exit is not Exit.INTACT:
            raise TooSmall("the copy is not whole")
        async with engine.connect() as connection:
            store = await taken(connection)
            notes = (await connection.execute(select(audit_checkpoint.c.note))).scalars().all()
    outside = folder / "anchors.txt"
    outside.write_text("".join(f"{note}\n" for note in notes), encoding="utf-8")
    receipts = folder / "receipts.jsonl"
    receipts.write_text(_receipts(store), encoding="utf-8")
    given = {
        Column.ANCHOR: Evidence(evidence.keys, (outside,)),
        Column.RECEIPT: Evidence(evidence.keys, (receipts,)),
    }
    return [
        (line.name, await _line(line, base, {c: given.get(c, evidence) for c in Column}))
        for line in lines(store, signer)
    ]


async def _line(line: Line, base: Path, given: Mapping[Column, Evidence]) -> dict[Column, Cell]:
    cells: dict[Column, Cell] = {}
    for column, demanded in line.demanded.items():
        copy = base.with_name("copy.sqlite")
        await asyncio.to_thread(shutil.copy, base, copy)
        async with _Opened(copy) as engine:
            async with engine.begin() as connection:
                await line.deeds[_LEVELS[column]](connection)
            cells[column] = Cell(demanded, await check(engine, evidence=given[column]))
    return cells


class _Opened:
    """An engine for a while."""

    def __init__(self, file: Path) -> None:
        self._engine = open_engine(f"sqlite+aiosqlite:///{file}", pool_size=1)

    async def __aenter__(self) -> AsyncEngine:
        return self._engine

    async def __aexit__(self, *_: object) -> None:
        await self._engine.dispose()


def lines(store: Store, signer: Ed25519Signer) -> list[Line]:
    """The table of audit 4.1 for this log."""
    size, covered = len(store.bodies), max(store.sizes)
    middle, early = covered // 2, store.sizes[len(store.sizes) // 3]
    other = {"actor": "somebody-else"}

    def at_every(change: Change) -> dict[Level, Plant]:
        return {level: partial(_planted, change, level, signer) for level in Level}

    def after(deed: Plant) -> dict[Level, Plant]:
        async def done(connection: AsyncConnection) -> None:
            await unlock(connection)
            await deed(connection)

        return dict.fromkeys(Level, done)

    def back(bodies: Sequence[Body], sizes: Sequence[int]) -> dict[Level, Plant]:
        async def done(connection: AsyncConnection) -> None:
            await unlock(connection)
            await write(connection, Store(store.log, tuple(bodies), tuple(sizes)), [signer])

        return dict.fromkeys(Level, done)

    kept = store.bodies[:early]
    went_on = renumbered([*kept, *({**body, **other} for body in store.bodies[early:])])
    sizes_kept = [one for one in store.sizes if one <= early]
    return [
        Line("改写正文", REWRITTEN, at_every(edited(middle, other))),
        Line("删除一条并重新编号", REWRITTEN, at_every(deleted(middle))),
        Line("插入一条伪造记录并重新编号", REWRITTEN, at_every(forged(middle))),
        Line("截掉最后检查点之前起的尾部", REWRITTEN, at_every(cut(early + 1))),
        Line("调换两条并重新编号", ALWAYS, at_every(swapped(_apart(store.bodies, middle)))),
        Line("只改派生列", ALWAYS, after(_column(middle))),
        Line("删除一行，留下空缺", ALWAYS, after(_row(middle))),
        Line("删除全部检查点", ALWAYS, after(_checkpoints)),
        Line("删除一条人员索引", ALWAYS, after(_subject)),
        Line("整库退回到从前", OUTSIDE, back(kept, sizes_kept)),
        Line("整库退回后继续写", OUTSIDE, back(went_on, store.sizes)),
        Line("改写最后检查点之后的记录", WINDOW, at_every(edited(size - 2, other))),
    ]


async def _planted(
    change: Change, level: Level, signer: Ed25519Signer, connection: AsyncConnection
) -> None:
    await plant(connection, change, level, [signer])


REWRITTEN = {
    Column.A0: True,
    Column.A1: True,
    Column.A2: False,
    Column.ANCHOR: True,
    Column.RECEIPT: True,
}
ALWAYS = dict.fromkeys(Column, True)
OUTSIDE = {Column.A0: False, Column.ANCHOR: True, Column.RECEIPT: True}
WINDOW = {
    Column.A0: True,
    Column.A1: False,
    Column.A2: False,
    Column.ANCHOR: False,
    Column.RECEIPT: True,
}


def _apart(bodies: Sequence[Body], near: int) -> int:
    """A neighbour to swap with: the same writer at another time, or the order would not show."""
    places: list[int] = [*range(near, len(bodies) - 1), *range(near)]
    for idx in places:
        one, two = bodies[idx], bodies[idx + 1]
        if one["writer"] == two["writer"] and one["ts"] < two["ts"]:
            return idx
    raise TooSmall("no two records of one writer")


def _column(idx: int) -> Plant:
    async def deed(connection: AsyncConnection) -> None:
        query = audit_event.update().where(audit_event.c.idx == idx)
        await connection.execute(query.values(actor="somebody-else"))

    return deed


def _row(idx: int) -> Plant:
    async def deed(connection: AsyncConnection) -> None:
        await connection.execute(delete(audit_event).where(audit_event.c.idx == idx))

    return deed


async def _checkpoints(connection: AsyncConnection) -> None:
    await connection.execute(delete(audit_checkpoint))


async def _subject(connection: AsyncConnection) -> None:
    first = (await connection.execute(select(audit_subject).limit(1))).first()
    if first is None:
        raise TooSmall("nobody was seen")
    row = audit_subject.c
    here = (row.subject == first.subject) & (row.idx == first.idx)
    await connection.execute(delete(audit_subject).where(here))


async def _base(base: Path, source: Path | None) -> Ed25519Signer:
    """The log that is tampered with, whole and signed by a key of the drill's own."""
    if source is not None:
        await asyncio.to_thread(_copy, source, base)
    async with _Opened(base) as engine, engine.begin() as connection:
        if source is None:
            tables = [one for one in vars(audit).values() if isinstance(one, type(audit_event))]
            await connection.run_sync(metadata.create_all, tables=tables)
            store = made(RECORDS)
        else:
            await unlock(connection)
            store = await _beginning(connection)
        signer = Ed25519Signer(store.log, secrets.token_bytes(32))
        await write(connection, store, [signer])
    return signer


def _copy(source: Path, base: Path) -> None:
    one, two = sqlite3.connect(f"file:{source}?mode=ro", uri=True), sqlite3.connect(base)
    try:
        one.backup(two)
    finally:
        one.close()
        two.close()


async def _beginning(connection: AsyncConnection) -> Store:
    """The first records of a copied log; what followed them is taken out of the copy."""
    await connection.execute(delete(audit_event).where(audit_event.c.idx >= COPIED))
    await forget_followers(connection)
    await connection.execute(delete(audit_alert))
    await connection.execute(delete(audit_segment))
    store = await taken(connection)
    bodies = [body for body in store.bodies if not body["kind"].startswith("ALERT_")]
    if len(bodies) < LEAST:
        raise TooSmall(f"fewer than {LEAST} records")
    return Store(store.log, tuple(renumbered(bodies)), sizes(bodies))


def sizes(bodies: Sequence[Body]) -> tuple[int, ...]:
    """Where checkpoints stand: every 25 records, sooner if their time asks for it."""
    found, first = [], 0
    for idx, body in enumerate(bodies[:-LEFT]):
        if idx - first >= EVERY or body["ts"] - bodies[first]["ts"] > SPAN_US:
            found.append(idx)
            first = idx
    return (*found, len(bodies) - LEFT)


def made(count: int, log: str = "demo.invalid/hub/drill/sha256") -> Store:
    """A log of one writer, a record a second: a start, reads of invented people, a stop."""
    drafts = [Draft(Kind.HUB_START), *map(_read, range(count - 2)), Draft(Kind.HUB_STOP)]
    entries = [entry(draft, f"drill-{place:06d}") for place, draft in enumerate(drafts)]
    clock = _Clock()
    batch = number(entries, Head(0, b"", "", 0), writer="drill/1", ticks=Ticks(clock))
    bodies = tuple(json.loads(row[-1]) for row in batch.events)
    return Store(log, bodies, sizes(bodies))


def _read(place: int) -> Draft:
    token = leaf(b"%d" % (place % 97))[:16]
    read = ReadEntry("citizen", "hub", "row", 1, 1, clear={"Citizen.name": 1})
    return Draft(
        Kind.READ,
        actor=f"clerk-{place % 7}",
        org="rev",
        role="town",
        post_area="532622205",
        client="drill",
        request=f"r-{place}",
        op=Op("CitizenById", "ab" * 32, "query", {"id": "ID!"}),
        purpose="aid.verify",
        area="532622205",
        areas=("532622205",),
        reads=(read,),
        subjects=token,
    )


class _Clock:
    """A second later each time."""

    def __init__(self) -> None:
        self._now = 1_790_000_000 * STEP_US

    def __call__(self) -> int:
        self._now += STEP_US
        return self._now


def _receipts(store: Store) -> str:
    """What callers were given for every record."""
    line = '{{"idx":{},"leaf":"{}","log":"{}"}}\n'
    return "".join(
        line.format(body["idx"], leaf(canonical(body).encode()).hex(), store.log)
        for body in store.bodies
    )
