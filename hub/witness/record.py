"""A witness's memory: one SQLite file. What it has signed is on disk before it says so.

    seen       for each log the newest checkpoint signed, and the note with our signatures
    evidence   signed checkpoints that were not: the first hundred of each kind and log

The check and the change are one transaction under the file's write lock, so of two requests
at once one wins and the other meets what the first has left. Triggers refuse what would take
a log back, whoever asks for it.
"""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Callable, Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from audit.note import Checkpoint, Cosigner, Note, Signature
from audit.sqlite_link import SqliteLink
from audit.witness import Answer, Evidence, Judgement, Submission, judged, nothing_seen
from catalog.errors import Readable

BUSY_MS = 5_000  # another program may hold the file; then the log tries again
KEPT = 100  # pieces of evidence of one kind about one log: a hundred convict as well as all
FORMAT = 1

_MADE = f"""
CREATE TABLE seen (
    origin TEXT PRIMARY KEY, size INTEGER NOT NULL, root BLOB NOT NULL, note TEXT NOT NULL,
    at INTEGER NOT NULL
) STRICT;
CREATE TABLE evidence (
    origin TEXT NOT NULL, kind TEXT NOT NULL, size INTEGER NOT NULL, root BLOB NOT NULL,
    request TEXT NOT NULL, beside TEXT NOT NULL, at INTEGER NOT NULL,
    PRIMARY KEY (origin, kind, size, root)
) STRICT;
CREATE TRIGGER seen_never_goes_back BEFORE UPDATE ON seen
WHEN NEW.origin <> OLD.origin OR NEW.size < OLD.size
    OR (NEW.size = OLD.size AND NEW.root <> OLD.root)
BEGIN SELECT RAISE(ABORT, 'a witness does not go back'); END;
CREATE TRIGGER seen_is_kept BEFORE DELETE ON seen
BEGIN SELECT RAISE(ABORT, 'a witness does not forget'); END;
CREATE TRIGGER evidence_is_kept BEFORE DELETE ON evidence
BEGIN SELECT RAISE(ABORT, 'a witness does not forget'); END;
CREATE TRIGGER evidence_stays BEFORE UPDATE ON evidence
BEGIN SELECT RAISE(ABORT, 'a witness does not forget'); END;
PRAGMA user_version = {FORMAT};
"""
_SEEN = "SELECT size, root, note FROM seen WHERE origin = ?"
_SIGNED = (
    "INSERT INTO seen (origin, size, root, note, at) VALUES (?, ?, ?, ?, ?) "
    "ON CONFLICT (origin) DO UPDATE SET "
    "size = excluded.size, root = excluded.root, note = excluded.note, at = excluded.at"
)
_COUNT = "SELECT count(*) FROM evidence WHERE origin = ? AND kind = ?"
_KEEP = "INSERT OR IGNORE INTO evidence VALUES (?, ?, ?, ?, ?, ?, ?)"

Clock = Callable[[], float]


class Unusable(Readable):
    """The file cannot be used. One Chinese line."""


@dataclass(frozen=True, slots=True)
class Reply:
    """The status, the size that is held, and our signature lines if it is 200."""

    answer: Answer
    size: int
    lines: str = ""


@dataclass(frozen=True, slots=True)
class Held:
    """The newest checkpoint signed of one log; `at` seconds since 1970."""

    origin: str
    size: int
    root: bytes
    note: str
    at: int


@dataclass(frozen=True, slots=True)
class Piece:
    """A signed checkpoint that was not cosigned: its request, and what was held beside it."""

    origin: str
    kind: Evidence
    size: int
    root: bytes
    request: str
    beside: str
    at: int


class Record:
    """The open file of a serving witness; one thread, one connection."""

    def __init__(self, file: Path, cosigners: Sequence[Cosigner], clock: Clock = time.time) -> None:
        self._cosigners, self._clock = cosigners, clock
        self._link = SqliteLink(str(file), "witness", BUSY_MS, _durable)

    async def add(self, submission: Submission, new: Checkpoint, note: Note) -> Reply:
        """Judge, keep, sign: on disk when it returns. sqlite3.Error leaves nothing behind."""
        return await self._link.run(lambda one: self._added(one, submission, new, note))

    async def newest(self, origin: str) -> str | None:
        """The note of the newest checkpoint signed of a log."""
        row = await self._link.run(lambda one: one.execute(_SEEN, (origin,)).fetchone())
        return None if row is None else str(row[2])

    async def close(self) -> None:
        """For good."""
        await self._link.close()

    def _added(
        self, connection: sqlite3.Connection, submission: Submission, new: Checkpoint, note: Note
    ) -> Reply:
        connection.execute("BEGIN IMMEDIATE")
        try:
            reply = self._judged(connection, submission, new, note)
            connection.execute("COMMIT")
        except BaseException:
            if connection.in_transaction:
                connection.execute("ROLLBACK")
            raise
        return reply

    def _judged(
        self, connection: sqlite3.Connection, submission: Submission, new: Checkpoint, note: Note
    ) -> Reply:
        row = connection.execute(_SEEN, (new.origin,)).fetchone()
        seen = nothing_seen(new.origin) if row is None else Checkpoint(new.origin, row[0], row[1])
        found, now = judged(seen, new, submission), int(self._clock())
        if found.answer is Answer.COSIGNED:
            ours = tuple(one.sign(note.text, now) for one in self._cosigners)
            whole = str(note.with_signatures(ours))
            connection.execute(_SIGNED, (new.origin, new.size, new.root, whole, now))
            return Reply(found.answer, new.size, _lines(ours))
        _keep(connection, found, submission, new, "" if row is None else row[2], now)
        return Reply(found.answer, seen.size)


def make(file: Path) -> None:
    """An empty memory; Unusable if there is a file already."""
    try:
        file.touch(mode=0o600, exist_ok=False)
        with closing(sqlite3.connect(file, isolation_level=None)) as connection:
            connection.execute("PRAGMA journal_mode=WAL")
            connection.executescript(f"BEGIN IMMEDIATE; {_MADE} COMMIT;")
    except FileExistsError:
        raise Unusable(f"文件 {file} 已经存在：见证不得从头开始，请去掉 --create") from None
    except (OSError, sqlite3.Error):
        raise Unusable(f"文件 {file} 无法建立：请检查目录与权限") from None


def check(file: Path) -> None:
    """Unusable unless the file is a witness's memory."""
    _read(file, "SELECT count(*) FROM seen")


def held(file: Path) -> list[Held]:
    """The newest checkpoint of each log, by origin."""
    rows = _read(file, "SELECT origin, size, root, note, at FROM seen ORDER BY origin")
    return [Held(*row) for row in rows]


def evidence(file: Path) -> list[Piece]:
    """What was kept, the oldest first."""
    rows = _read(
        file,
        "SELECT origin, kind, size, root, request, beside, at FROM evidence ORDER BY at, size",
    )
    return [Piece(o, Evidence(kind), *rest) for o, kind, *rest in rows]


def _keep(
    connection: sqlite3.Connection,
    found: Judgement,
    submission: Submission,
    new: Checkpoint,
    beside: str,
    now: int,
) -> None:
    if found.evidence is None:
        return
    (count,) = connection.execute(_COUNT, (new.origin, found.evidence)).fetchone()
    if count < KEPT:
        row = (new.origin, found.evidence, new.size, new.root, str(submission), beside, now)
        connection.execute(_KEEP, row)


def _lines(signatures: Sequence[Signature]) -> str:
    return "".join(one.line for one in signatures)


def _durable(connection: sqlite3.Connection) -> None:
    connection.execute("PRAGMA synchronous=FULL")  # what is answered 200 survives a power cut


def _read(file: Path, statement: str) -> list[tuple[Any, ...]]:
    try:
        # Not mode=ro: a file in WAL mode whose last user was killed has to be put in order first.
        address = f"{file.absolute().as_uri()}?mode=rw"
        with closing(sqlite3.connect(address, uri=True, timeout=BUSY_MS / 1000)) as connection:
            (version,) = connection.execute("PRAGMA user_version").fetchone()
            if version != FORMAT:
                raise Unusable(f"文件 {file} 不是本程序的见证记录：请检查 --file")
            return connection.execute(statement).fetchall()
    except (OSError, sqlite3.Error):
        raise Unusable(
            f"文件 {file} 不存在或无法读取：首次启动请加 --create，其后请勿更换"
        ) from None
