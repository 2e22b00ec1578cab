"""Segments of the log that lie in files: their format, and whether they are what they were.

    segment-000000000000-000001000000.jsonl.gz   bodies verbatim, one a line, gzip
    segment-000000000000-000001000000.json       manifest: one line of JSON

A segment proves itself. Its bodies lead from the frontier before it to the frontier after it,
which the manifest's proof leads on to a signed checkpoint; a file's hash only says sooner and
more exactly what is wrong. So a segment whose neighbours are offline, or were destroyed at the
end of their time, is judged all the same:

    frontier before ──bodies──► frontier after ──proof──► root of a checkpoint that covers it

Nothing here knows the archive's order of work (`archive.py`); a store is only asked which
segments have left it.
"""

from __future__ import annotations

import contextlib
import gzip
import json
import re
import zlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from enum import StrEnum
from hashlib import sha256
from pathlib import Path
from typing import Any, BinaryIO

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncConnection

from audit.note import BadNote, Checkpoint, Note, VerifierKey, opened
from audit.record import MAX_BODY_BYTES
from audit.suite import NoSuite, suite_of
from audit.tree import SHA256, Frontier, Suite, verify_consistency
from store.audit import audit_head, audit_segment

FORMAT = 1
DATA, MANIFEST, UNFINISHED = ".jsonl.gz", ".json", ".tmp"
CHUNK = 1 << 20
MANIFEST_BYTES = 256 * 1024

WRITTEN, ARCHIVED, DETACHED, DESTROYED = "WRITTEN", "ARCHIVED", "DETACHED", "DESTROYED"
LEFT = (DETACHED, DESTROYED)  # states whose records are not online any more

_NAME = re.compile(r"segment-(\d{12})-(\d{12})\Z", re.ASCII)


class Fault(StrEnum):
    """What can be wrong with a segment."""

    MISSING = "MISSING"
    UNREADABLE = "UNREADABLE"
    CONTENT = "CONTENT"
    RECOMPRESSED = "RECOMPRESSED"
    RENAMED = "RENAMED"
    MANIFEST = "MANIFEST"
    NOTE = "NOTE"
    TABLE = "TABLE"


@dataclass(frozen=True, slots=True)
class SegmentFinding:
    """One fault of the records `first` … `end`-1, which lie in `name`; never a value of theirs.

    `intact`: every body is there as it was written, only its wrapping is not.
    """

    first: int
    end: int
    name: str
    fault: Fault
    about: str
    intact: bool = False


@dataclass(frozen=True, slots=True)
class Manifest:
    """What is said of one segment. Hashes are hex, times µs UTC; `proof` is a list of hashes.

    `note` is a checkpoint that covers `end`, `proof` the consistency of the tree of `end`
    records with it.
    """

    log: str
    suite: str
    first: int
    end: int
    sha256: str
    plain_sha256: str
    plain_bytes: int
    before: str
    after: str
    last_ts: int
    note: str
    proof: tuple[str, ...]
    v: int = FORMAT

    @property
    def name(self) -> str:
        """The file's name without what it ends with."""
        return name_of(self.first, self.end)

    @property
    def text(self) -> str:
        """The manifest's file."""
        return json.dumps(asdict(self), sort_keys=True, ensure_ascii=False) + "\n"

    @classmethod
    def parse(cls, text: str) -> Manifest:
        """From `text`; BadManifest for anything that `text` would not have written."""
        try:
            fields = json.loads(text)
            one = cls(**{**fields, "proof": tuple(fields["proof"])})
            good = one.text == text and one.v == FORMAT and 0 <= one.first < one.end
        except (ValueError, TypeError, KeyError, RecursionError):
            raise BadManifest("no manifest") from None
        if not good or not all(isinstance(getattr(one, n), t) for n, t in _TYPES.items()):
            raise BadManifest("a manifest's fields are not of their kinds")
        return one


_TYPES: Mapping[str, type] = {
    **dict.fromkeys(("first", "end", "plain_bytes", "last_ts"), int),
    **dict.fromkeys(("log", "suite", "sha256", "plain_sha256", "before", "after", "note"), str),
}


class BadManifest(ValueError):
    """A manifest that cannot be read."""


class Unreadable(ValueError):
    """A segment's file cannot be unpacked, or holds what is no line of records."""


@dataclass(frozen=True, slots=True)
class Row:
    """What the table `audit_segment` says of a segment."""

    first: int
    end: int
    path: str
    sha256: str
    frontier: bytes
    note: str
    state: str
    changed_at: int


@dataclass(frozen=True, slots=True)
class Content:
    """A segment's file, read whole: hashes hex, `frontier` after its last record."""

    sha256: str
    plain_sha256: str
    plain_bytes: int
    records: int
    frontier: Frontier
    last_ts: int


@dataclass(frozen=True, slots=True)
class ArchiveVerdict:
    """The outcome over a folder.

    `records` whose bodies were read and lead where they should; `end` up to which the chain of
    frontiers is known, `frontier` there; `unfinished` what a killed run left behind;
    `destroyed` ranges whose bodies are gone on purpose.
    """

    findings: tuple[SegmentFinding, ...]
    segments: int
    records: int
    end: int
    frontier: Frontier | None
    destroyed: tuple[tuple[int, int], ...] = ()
    unfinished: tuple[str, ...] = ()

    @property
    def intact(self) -> bool:
        """No body was changed and none is missing."""
        return all(one.intact for one in self.findings)


def name_of(first: int, end: int) -> str:
    """The name of a segment's files, without what they end with."""
    return f"segment-{first:012d}-{end:012d}"


def range_of(name: str) -> tuple[int, int] | None:
    """(first, end) of a file's name without its ending, None if it is none of ours."""
    found = _NAME.match(name)
    return (int(found[1]), int(found[2])) if found else None


async def rows_of(connection: AsyncConnection) -> list[Row]:
    """The segments a store knows, in order."""
    table = audit_segment.c
    wanted = [table[name] for name in Row.__dataclass_fields__]
    found = await connection.execute(select(*wanted).order_by(table.first))
    return [Row(*row) for row in found]


def online_from(rows: Sequence[Row]) -> int:
    """The first record that is still to be online: the end of what has left from the start."""
    end = 0
    for row in rows:
        if row.first != end or row.state not in LEFT:
            break
        end = row.end
    return end


async def frontier_at(connection: AsyncConnection, first: int) -> Frontier | None:
    """The frontier of the `first` records as the table says; None if no segment ends there.

    A walk of the online log starts from it. It proves nothing by itself: that the walk ends at
    a root that was signed does, for the root depends on every hash it began with.
    """
    name = await connection.scalar(select(audit_head.c.suite))
    suite = suite_of(name or "sha256")
    if first == 0:
        return Frontier(suite=suite)
    row = next((one for one in await rows_of(connection) if one.end == first), None)
    if row is None:
        return None
    with contextlib.suppress(ValueError):
        return Frontier.decode(first, row.frontier, suite)
    return None


def bodies(file: BinaryIO) -> Iterator[bytes]:
    """The records of an open file, each without its newline. Unreadable."""
    try:
        with gzip.GzipFile(fileobj=file, mode="rb") as lines:
            while line := lines.readline(MAX_BODY_BYTES + 2):
                if not line.endswith(b"\n"):
                    raise Unreadable("a line without an end, or longer than a record can be")
                yield line[:-1]
    except (EOFError, OSError, zlib.error) as error:
        raise Unreadable(type(error).__name__) from error


def content_of(path: Path, before: Frontier) -> Content:
    """Read a file whole, from the frontier before it. Unreadable, OSError."""
    frontier = Frontier.decode(before.size, before.encode(), before.suite)
    leaf, append, plain, size, last = before.suite.leaf, frontier.append, sha256(), 0, b""
    with path.open("rb") as file:
        for body in bodies(file):
            append(leaf(body))
            plain.update(body + b"\n")
            size += len(body) + 1
            last = body
    count = frontier.size - before.size
    return Content(file_hash(path), plain.hexdigest(), size, count, frontier, _ts(last))


def file_hash(path: Path) -> str:
    """SHA-256 of a file's bytes, hex."""
    with path.open("rb") as file:
        whole = sha256()
        while chunk := file.read(CHUNK):
            whole.update(chunk)
    return whole.hexdigest()


def leads_to(frontier: Frontier, note: str, proof: Sequence[str]) -> Checkpoint:
    """The checkpoint of a note that goes on from this frontier. BadNote, ValueError."""
    checkpoint = Checkpoint.parse(Note.parse(note).text)
    hashes = [bytes.fromhex(one) for one in proof]
    held = verify_consistency(
        frontier.size, checkpoint.size, frontier.root(), checkpoint.root, hashes, frontier.suite
    )
    if not held:
        raise ValueError("the records do not lead to the checkpoint")
    return checkpoint


def verify_segment(
    folder: Path,
    manifest: Manifest,
    before: Frontier | None = None,
    *,
    keys: Sequence[VerifierKey] = (),
    row: Row | None = None,
) -> tuple[list[SegmentFinding], Content | None]:
    """Read a segment whole and judge it; the content if it could be read.

    `before` is what the segment in front of it ended with; without it the manifest is believed,
    which the checkpoint still holds to its word. `keys` are the log's: then the note must bear
    a signature by one. `row` is what the store says of it.
    """
    return _Judge(folder, manifest, keys, row).run(before)


def verify_archive(
    folder: Path, *, keys: Sequence[VerifierKey] = (), rows: Sequence[Row] | None = None
) -> ArchiveVerdict:
    """Judge every segment of a folder, in order. OSError if the folder cannot be read.

    `rows` are the store's: only they tell that the newest segments are missing, or that a
    missing one was destroyed on purpose.
    """
    return _Chain(folder, keys, rows).run()


class _Judge:
    """One segment."""

    def __init__(
        self, folder: Path, manifest: Manifest, keys: Sequence[VerifierKey], row: Row | None
    ) -> None:
        self._folder, self._said, self._keys, self._row = folder, manifest, keys, row
        self._found: list[SegmentFinding] = []

    def run(self, before: Frontier | None) -> tuple[list[SegmentFinding], Content | None]:
        claimed = self._claimed()
        if before is None:
            before = claimed
        elif claimed is not None and claimed.encode() != before.encode():
            self._add(Fault.MANIFEST, "begins elsewhere than the segment before it ends")
        if before is None:
            return self._found, None
        content = self._read(before)
        if content is not None:
            self._judge(content)
        return self._found, content

    def _claimed(self) -> Frontier | None:
        said = self._said
        try:
            if said.log.endswith(f"/{said.suite}"):
                suite = suite_of(said.suite)
                return Frontier.decode(said.first, bytes.fromhex(said.before), suite)
        except ValueError:
            pass
        self._add(Fault.MANIFEST, "no suite, or no frontier before the segment")
        return None

    def _add(self, fault: Fault, about: str, *, intact: bool = False) -> None:
        one = self._said
        self._found.append(SegmentFinding(one.first, one.end, one.name, fault, about, intact))

    def _read(self, before: Frontier) -> Content | None:
        path = self._folder / (self._said.name + DATA)
        try:
            return content_of(path, before)
        except FileNotFoundError:
            self._missing()
        except Unreadable as error:
            self._add(Fault.UNREADABLE, f"cannot be unpacked: {error}")
        return None

    def _missing(self) -> None:
        for other in sorted(self._folder.glob("*")):
            lies = other.is_file() and not other.name.endswith((MANIFEST, UNFINISHED))
            if lies and file_hash(other) == self._said.sha256:
                return self._add(Fault.RENAMED, f"lies under the name {other.name}")
        return self._add(Fault.MISSING, "the file is not there")

    def _judge(self, content: Content) -> None:
        said = self._said
        proved = self._proved(content)
        if not proved:
            return self._add(Fault.CONTENT, "the records are not those that were signed")
        told = (said.plain_sha256, said.plain_bytes, said.after, said.last_ts, said.end)
        frontier = content.frontier
        read = (
            content.plain_sha256,
            content.plain_bytes,
            frontier.encode().hex(),
            content.last_ts,
            frontier.size,
        )
        if told != read:
            self._add(Fault.MANIFEST, "differs from the records, which are as signed", intact=True)
        if content.sha256 != said.sha256:
            self._add(Fault.RECOMPRESSED, "another file with the same records", intact=True)
        return self._compare(content)

    def _proved(self, content: Content) -> bool:
        """Do the records lead to the note? If the note itself is bad that is said, too."""
        said = self._said
        try:
            note = Note.parse(said.note)
            checkpoint = opened(note, self._keys)[0] if self._keys else Checkpoint.parse(note.text)
            if checkpoint.origin != said.log:
                self._add(Fault.NOTE, "a checkpoint of another log")
        except BadNote as error:
            self._add(Fault.NOTE, f"the checkpoint cannot be taken: {error.fault}")
            return content.plain_sha256 == said.plain_sha256
        if content.frontier.size != said.end:
            return False
        with contextlib.suppress(ValueError):
            leads_to(content.frontier, said.note, said.proof)
            return True
        if content.frontier.encode().hex() != said.after:
            return False
        self._add(Fault.NOTE, "the checkpoint does not follow from the records")
        return content.plain_sha256 == said.plain_sha256

    def _compare(self, content: Content) -> None:
        row, said = self._row, self._said
        if row is None:
            return
        if (row.first, row.end, row.path) != (said.first, said.end, said.name + DATA):
            self._add(Fault.TABLE, "the store names another range or file", intact=True)
        if row.frontier != content.frontier.encode() or row.note != said.note:
            self._add(Fault.TABLE, "the store has another frontier or checkpoint", intact=True)
        if row.sha256 != said.sha256:
            wrong = Fault.MANIFEST if row.sha256 == content.sha256 else Fault.TABLE
            self._add(wrong, "manifest and store name different files", intact=True)


@dataclass(slots=True)
class _Walked:
    findings: list[SegmentFinding] = field(default_factory=list)
    unfinished: list[str] = field(default_factory=list)
    destroyed: list[tuple[int, int]] = field(default_factory=list)
    segments: int = 0
    records: int = 0
    end: int = 0


class _Chain:
    """All segments of a folder."""

    def __init__(
        self, folder: Path, keys: Sequence[VerifierKey], rows: Sequence[Row] | None
    ) -> None:
        self._folder, self._keys = folder, keys
        self._rows = {row.first: row for row in rows or ()}
        self._strict = rows is not None
        self._walked = _Walked()
        self._suite: Suite = SHA256
        self._frontier: Frontier | None = None

    def run(self) -> ArchiveVerdict:
        names = sorted(one.name for one in self._folder.iterdir() if one.is_file())
        walked = self._walked
        walked.unfinished = [n for n in names if n.endswith(UNFINISHED)]
        manifests = self._manifests(names)
        if manifests:
            with contextlib.suppress(NoSuite):
                self._suite = suite_of(next(iter(manifests.values())).log.rpartition("/")[2])
        self._frontier = Frontier(suite=self._suite)
        for first in sorted({*manifests, *self._rows}):
            self._judge(first, manifests.get(first))
        covered = walked.end
        for name in names:
            found = range_of(name.removesuffix(DATA)) if name.endswith(DATA) else None
            if found and found[0] not in manifests and found[0] >= covered:
                walked.unfinished.append(name)
        return ArchiveVerdict(
            tuple(walked.findings),
            walked.segments,
            walked.records,
            walked.end,
            self._frontier,
            tuple(walked.destroyed),
            tuple(walked.unfinished),
        )

    def _manifests(self, names: Sequence[str]) -> dict[int, Manifest]:
        found: dict[int, Manifest] = {}
        for name in names:
            span = range_of(name.removesuffix(MANIFEST)) if name.endswith(MANIFEST) else None
            if span is None:
                continue
            try:
                text = (self._folder / name).read_bytes()[:MANIFEST_BYTES].decode()
                one = Manifest.parse(text)
            except (BadManifest, UnicodeDecodeError):
                self._add(*span, Fault.MANIFEST, "cannot be read")
                continue
            if (one.first, one.end) != span:
                self._add(*span, Fault.RENAMED, f"the manifest is that of {one.name}")
                continue
            found[one.first] = one
        return found

    def _add(self, first: int, end: int, fault: Fault, about: str) -> None:
        one = SegmentFinding(first, end, name_of(first, end), fault, about)
        self._walked.findings.append(one)

    def _judge(self, first: int, manifest: Manifest | None) -> None:
        row, walked = self._rows.get(first), self._walked
        if first > walked.end:
            self._add(walked.end, first, Fault.MISSING, "no segment holds these records")
            self._frontier = None
        elif first < walked.end:
            end = manifest.end if manifest else walked.end
            return self._add(first, end, Fault.MANIFEST, "overlaps the segment before it")
        if row is not None and row.state == DESTROYED:
            return self._destroyed(row)
        if manifest is None:
            assert row is not None  # noqa: S101  `first` is of one or the other
            self._add(row.first, row.end, Fault.MISSING, "no manifest is there")
            return self._pass(row.end, row)
        if row is None and self._strict:
            walked.unfinished.append(manifest.name)  # written, and killed before it was entered
        elif row is not None and row.state == WRITTEN:
            walked.unfinished.append(manifest.name)
        found, content = verify_segment(
            self._folder, manifest, self._frontier, keys=self._keys, row=row
        )
        walked.findings += found
        walked.segments += 1
        if content is not None and all(one.intact for one in found):
            walked.records += content.records
            walked.end, self._frontier = manifest.end, content.frontier
            return None
        return self._pass(manifest.end, row, manifest)

    def _destroyed(self, row: Row) -> None:
        self._walked.destroyed.append((row.first, row.end))
        if (self._folder / row.path).exists():
            self._walked.unfinished.append(row.path)
        self._pass(row.end, row)

    def _pass(self, end: int, row: Row | None, manifest: Manifest | None = None) -> None:
        """Go on behind a segment that was not read: from what is said of its end."""
        self._walked.end, self._frontier = end, None
        with contextlib.suppress(ValueError):
            if row is not None:
                self._frontier = Frontier.decode(end, row.frontier, self._suite)
            elif manifest is not None:
                self._frontier = Frontier.decode(end, bytes.fromhex(manifest.after), self._suite)


def _ts(body: bytes) -> int:
    """The time of a record, 0 if it has none: then the manifest's does not fit."""
    try:
        found: Any = json.loads(body)["ts"]
    except (ValueError, KeyError, TypeError, RecursionError):
        return 0
    return found if isinstance(found, int) else 0
