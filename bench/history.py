"""An access log of any length, made at once and valid: what `make bench-audit` asks about.

Records are made by the hub's own code: `record.entry` checks and encodes a draft, `batch.number`
gives a batch its places, leaves and root, as the writer does under the head's lock. Only the
transaction a batch is left out: rows go into both databases by bulk insert, in the tables' own
shape with all their indexes, and head, writers, tiles and signed checkpoints fit them. Verify
must find the result intact.

    a million in thirty days, evenly, the newest an hour old; fewer in less
    400 accounts of 11 departments and 11 townships
    100,000 persons, a few seen by many     every fifth record has three reads, two persons
    every third record was looked for by number
    a checkpoint every 20 records: 52 s, what ten seconds are at 80,000 accesses in ten hours

The subject index and the roll-up of the last records are left to their followers.
"""

from __future__ import annotations

import asyncio
import random
import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass, field
from hashlib import sha256
from itertools import count
from pathlib import Path
from typing import Any

from audit.batch import EVENT_COLUMNS, Head, Ticks, number
from audit.derived import SUBJECT_COLUMNS, index_rows
from audit.log import uuid7
from audit.note import Checkpoint, CheckpointSigner, signed
from audit.record import Draft, Entry, Kind, Op, ReadEntry, entry
from audit.subjects import split
from audit.tile_rows import Rows
from audit.tokens import SubjectTokens
from audit.tree import EMPTY_ROOT, SUITE, Frontier

DAY_US = 86_400_000_000
STEP_US = 30 * DAY_US // 1_000_000
AGO_US = 3_600_000_000  # the newest record is an hour old
PERSONS, ACCOUNTS = 100_000, 400
SIGNED_EVERY = 20  # records
CHUNK = 10_000  # records inserted at once
WRITER = "bench/000000000000"
SEED = 20_261_126
DEPARTMENTS = ("rev", "mca", "edu", "hrss", "hous", "water", "nhc", "med", "rural", "dpf", "fin")
TOWNSHIPS = tuple(f"532622{n}" for n in (101, 102, 103, 104, 201, 202, 203, 204, 205, 206, 207))
OPERATIONS = ("CitizenById", "WhoComes", "HouseholdOf", "CaseFile", "AidReview")
SHOWN = ("Citizen.name", "Citizen.birthDate", "Citizen.division")
FACETS = (("min_living", "mz_assist"), ("house", "wfgz"))
_EVENTS = ",".join(EVENT_COLUMNS)
_CHECKPOINT = ("size", "note", "created_at")
_TILE = ("level", "n", "hashes")


@dataclass(frozen=True, slots=True)
class Chunk:
    """Rows in the order of the tables' columns, and where the log is behind them."""

    events: list[tuple[Any, ...]]
    subjects: list[tuple[Any, ...]]
    checkpoints: list[tuple[int, str, int]]
    tiles: list[tuple[int, int, bytes]]
    head: Head


@dataclass(slots=True)
class History:
    """The log `log` of `size` records up to `end` (µs UTC), its last one a HUB_STOP.

    Index rows are given for records below `indexed`. `note` and `head` are the newest ones
    once all chunks were taken, `body_bytes` the sum of all bodies.
    """

    log: str
    size: int
    end: int
    tokens: SubjectTokens
    signer: CheckpointSigner
    indexed: int
    body_bytes: int = 0
    note: str = ""
    head: Head = field(default_factory=lambda: Head(0, b"", EMPTY_ROOT.hex(), 0))

    def frontier(self) -> Frontier:
        """Of the whole log."""
        return Frontier.decode(self.head.size, self.head.frontier)

    def persons(self) -> list[bytes]:
        """The tokens of all persons of whom it may speak, those whom many see first."""
        uids = [f"1-{at:032x}" for at in range(PERSONS)]
        return split(self.tokens.tokens(uids))

    def chunks(self) -> Iterator[Chunk]:
        """All of it, in order."""
        ticks = Ticks(count(self.end - (self.size + 2) * STEP_US, STEP_US).__next__)
        drafts, tree = _Drafts(self), Rows()
        events, subjects, notes, tiles = _empty()
        for first in range(0, self.size, SIGNED_EVERY):
            last = min(first + SIGNED_EVERY, self.size)
            entries = [drafts.entry(idx) for idx in range(first, last)]
            batch = number(entries, self.head, writer=WRITER, ticks=ticks)
            self.head = batch.head
            events += batch.events
            for idx, one in zip(range(first, min(last, self.indexed)), entries, strict=False):
                subjects += index_rows({**one.body, "idx": idx})
            made = tree.extend([bytes.fromhex(place.leaf) for place in batch.places])
            tiles += [(one.level, one.n, one.hashes) for one in made]
            notes.append((last, self._signed(), batch.events[-1][2]))
            if len(events) >= CHUNK or last == self.size:
                self.body_bytes += sum(len(event[-1].encode()) for event in events)
                yield Chunk(events, subjects, notes, tiles, self.head)
                events, subjects, notes, tiles = _empty()

    def _signed(self) -> str:
        checkpoint = Checkpoint(self.log, self.head.size, bytes.fromhex(self.head.root))
        self.note = str(signed(checkpoint, [self.signer]))
        return self.note


def _empty() -> tuple[list[Any], list[Any], list[Any], list[Any]]:
    return [], [], [], []


class _Drafts:
    """The records of a history, one after another; the same for the same seed and keys."""

    def __init__(self, history: History) -> None:
        self._history, self._persons = history, history.persons()
        self._chance = random.Random(SEED)
        self._reads = (_read("citizen", "hub", SHOWN), *(_read(d, s, ("A.b",)) for d, s in FACETS))

    def entry(self, idx: int) -> Entry:
        """The record at `idx`, but for its stamp."""
        at = self._history.end - (self._history.size - idx) * STEP_US
        if idx == 0:
            return entry(Draft(Kind.HUB_START), uuid7(at))
        if idx == self._history.size - 1:
            return entry(Draft(Kind.HUB_STOP), uuid7(at))
        return entry(self._read(idx), uuid7(at))

    def _read(self, idx: int) -> Draft:
        chance = self._chance
        wide = idx % 5 == 0
        seen = self._person() + (self._person() if wide else b"")
        if wide and seen[:16] == seen[16:]:
            seen = seen[:16]
        account = chance.randrange(ACCOUNTS)
        area = TOWNSHIPS[account % len(TOWNSHIPS)]
        operation = OPERATIONS[idx % len(OPERATIONS)]
        return Draft(
            Kind.READ,
            actor=f"clerk-{account:03d}",
            org=DEPARTMENTS[account % len(DEPARTMENTS)],
            role="town",
            post_area=area,
            client="console",
            ip=f"10.1.{account % 11}.{account % 250}",
            request=f"{chance.getrandbits(64):016x}",
            trace=f"{chance.getrandbits(128):032x}",
            op=Op(operation, sha256(operation.encode()).hexdigest(), "query", {"id": "ID!"}),
            purpose="aid.verify",
            basis="MEASURES_ART_4",
            area=area,
            areas=(area,),
            reads=self._reads if wide else self._reads[:1],
            subjects=seen,
            sought=seen[:16] if idx % 3 == 0 else b"",
            policy="2",
        )

    def _person(self) -> bytes:
        # The square puts a tenth of all accesses on a hundredth of the persons.
        return self._persons[int(PERSONS * self._chance.random() ** 2)]


def _read(dataset: str, source: str, shown: Sequence[str]) -> ReadEntry:
    return ReadEntry(
        dataset,
        source,
        "row",
        1,
        1,
        clear=dict.fromkeys(shown, 1),
        masked={"Citizen.idNumber": 1} if dataset == "citizen" else {},
        by=("Citizen.id",),
        rules=("r-17", "r-18"),
        lens="0123456789abcdef",
    )


# ---- into the databases


async def fill(history: History, file: Path, address: str) -> None:
    """Put the history into both stores, which hold the tables and no log.

    `file` of SQLite, `address` of PostgreSQL as asyncpg has it.
    """
    import asyncpg

    server = await asyncpg.connect(address)
    with closing(_opened(file)) as own:
        chunks = history.chunks()
        waiting: list[asyncio.Task[None]] = []
        while (chunk := await asyncio.to_thread(next, chunks, None)) is not None:
            await asyncio.gather(*waiting)
            here = asyncio.to_thread(_into_sqlite, own, chunk)
            waiting = [asyncio.create_task(here), asyncio.create_task(_copied(server, chunk))]
        await asyncio.gather(*waiting)
        for statement, values in _ends(history):
            own.execute(statement, values)
            numbered = statement
            for at in range(1, len(values) + 1):
                numbered = numbered.replace("?", f"${at}", 1)
            await server.execute(numbered, *values)
        own.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    await server.execute("VACUUM (ANALYZE)")
    await server.execute("CHECKPOINT")
    await server.close()


def _opened(file: Path) -> sqlite3.Connection:
    own = sqlite3.connect(file, isolation_level=None, check_same_thread=False)
    own.execute("PRAGMA synchronous=OFF")
    own.execute("PRAGMA cache_size=-500000")
    return own


def _tables(chunk: Chunk) -> Iterator[tuple[str, Sequence[str], list[Any]]]:
    yield "audit_event", EVENT_COLUMNS, chunk.events
    yield "audit_subject", SUBJECT_COLUMNS, chunk.subjects
    yield "audit_checkpoint", _CHECKPOINT, chunk.checkpoints
    yield "audit_tile", _TILE, chunk.tiles


def _into_sqlite(own: sqlite3.Connection, chunk: Chunk) -> None:
    own.execute("BEGIN")
    for table, columns, rows in _tables(chunk):
        marks = ",".join("?" * len(columns))
        own.executemany(f"INSERT INTO {table} ({','.join(columns)}) VALUES ({marks})", rows)
    own.execute("COMMIT")


async def _copied(server: Any, chunk: Chunk) -> None:
    async with server.transaction():
        for table, columns, rows in _tables(chunk):
            await server.copy_records_to_table(table, records=rows, columns=columns)


def _ends(history: History) -> Iterator[tuple[str, tuple[Any, ...]]]:
    head = history.head
    yield (
        "INSERT INTO audit_head (id, log, suite, size, frontier, root) VALUES (1, ?, ?, ?, ?, ?)",
        (history.log, SUITE, head.size, head.frontier, head.root),
    )
    yield "INSERT INTO audit_writer (writer, last_wseq) VALUES (?, ?)", (WRITER, head.wseq)
    yield "INSERT INTO audit_index (id, next_idx) VALUES (1, ?)", (history.indexed,)
