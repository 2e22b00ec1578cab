"""What the verifier was given from outside: dated keys, notes and receipts. Pure but for files.

    keys      lines ``vkey since until``; days of Asia/Shanghai, until ``-`` while in use
    anchors   notes, an empty line after each; or receipts, a JSON line ``{idx, leaf, log}`` each

Days are judged by the newest record under a checkpoint, as a checkpoint itself has no time.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, timedelta
from pathlib import Path

from audit.keyring import day_of
from audit.note import ED25519, BadNote, Checkpoint, Fault, Note, VerifierKey, opened
from audit.tree import HASH_BYTES
from audit.verify.verdict import Code

_EARLY = timedelta(days=1)  # a key's first checkpoint may cover records of the day before
_SIZE_BYTES = 8


class BadEvidence(ValueError):
    """A file of keys or anchors that cannot be read; says which line, not what stands there."""


class BadCheckpoint(Exception):
    """A note that is no proof: the finding's code and what is wrong with it."""

    def __init__(self, code: Code, about: str) -> None:
        super().__init__(about)
        self.code, self.about = code, about


@dataclass(frozen=True, slots=True)
class DatedKey:
    """A key and the days from which and until which it signs, both included."""

    key: VerifierKey
    since: date | None = None
    until: date | None = None

    def signs_at(self, ts: int) -> bool:
        """May it sign a checkpoint whose newest record is of `ts` (µs UTC)?"""
        day = day_of(ts)
        if self.since is not None and day < self.since - _EARLY:
            return False
        return self.until is None or day <= self.until

    @property
    def line(self) -> str:
        """As lists have it."""
        days = (one.isoformat() if one is not None else "-" for one in (self.since, self.until))
        return " ".join((self.key.vkey, *days))

    @classmethod
    def parse(cls, line: str) -> DatedKey:
        """From ``vkey since until``, or the key alone. ValueError."""
        vkey, *days = line.split()
        if len(days) not in (0, 2):
            raise ValueError("a key has two days or none")
        since, until = (None if day == "-" else date.fromisoformat(day) for day in days or "--")
        return cls(VerifierKey.parse(vkey), since, until)


def dated_keys(lines: Iterable[str]) -> tuple[DatedKey, ...]:
    """Keys from lines; empty ones are passed over. BadEvidence."""
    keys = []
    for number, line in enumerate(lines, 1):
        if line.strip():
            try:
                keys.append(DatedKey.parse(line))
            except ValueError:
                raise BadEvidence(f"line {number}") from None
    return tuple(keys)


@dataclass(frozen=True, slots=True)
class Evidence:
    """Known keys and files from outside. Without keys no signature is judged.

    `witnesses`: keys of witnesses; what they signed is judged beside the checkpoints.
    `former`: names the log had before two people started it anew, and the records it had then.
    What was signed under such a name holds for these; what it said of more was lost, and the
    record of the new beginning says so.
    """

    keys: tuple[DatedKey, ...] = ()
    anchors: tuple[Path, ...] = ()
    former: Mapping[str, int] = field(default_factory=dict)
    witnesses: tuple[VerifierKey, ...] = ()

    def speaks_of(self, origin: str, log: str, size: int) -> bool:
        """Is what `origin` says of the first `size` records said of this log?"""
        return origin == log or size <= self.former.get(origin, -1)

    def opened(self, text: str, log: str, ts: int | None) -> Checkpoint:
        """The checkpoint of a note of this log. BadCheckpoint if it does not hold.

        `ts` of the newest record under it, None if it is not at hand: then days do not count.
        """
        if not isinstance(text, str):  # SQLite keeps what it is given
            raise BadCheckpoint(Code.CHECKPOINT_SIG, "no note")
        try:
            note = Note.parse(text)
            checkpoint = Checkpoint.parse(note.text)
        except BadNote as error:
            raise BadCheckpoint(Code.CHECKPOINT_SIG, str(error)) from None
        if not self.speaks_of(checkpoint.origin, log, checkpoint.size):
            raise BadCheckpoint(Code.CHECKPOINT_SIG, "a checkpoint of another log")
        if self.keys:
            self._judge(note, checkpoint.origin, ts)
        return checkpoint

    def _judge(self, note: Note, log: str, ts: int | None) -> None:
        keys = [one for one in self.keys if one.key.name == log and one.key.kind == ED25519]
        try:
            _, signatures = opened(note, [one.key for one in keys])
        except BadNote as error:
            unknown = error.fault is Fault.UNKNOWN_SIGNATURE
            code = Code.UNKNOWN_SIGNATURE if unknown else Code.CHECKPOINT_SIG
            raise BadCheckpoint(code, str(error)) from None
        if ts is None:
            return
        used = [one for one in keys if any(one.key.made(line) for line in signatures)]
        if not any(one.signs_at(ts) for one in used):
            raise BadCheckpoint(Code.CHECKPOINT_SIG, "signed by a key outside of its days")


@dataclass(slots=True)
class Anchors:
    """Notes and receipts of one log, each as 40 bytes (place, hash), in order of place.

    `faults` are notes that do not hold; `foreign` counts those of other logs.
    """

    notes: list[bytes] = field(default_factory=list)
    receipts: list[bytes] = field(default_factory=list)
    faults: list[BadCheckpoint] = field(default_factory=list)
    foreign: int = 0

    @property
    def given(self) -> bool:
        """Is there anything of this log?"""
        return bool(self.notes or self.receipts)

    @classmethod
    def read(cls, evidence: Evidence, log: str) -> Anchors:
        """All files; BadEvidence for one that cannot be read."""
        anchors = cls()
        for file in evidence.anchors:
            anchors._read(file, evidence, log)
        if evidence.anchors and not anchors.given:
            about = "outside: no note or receipt of this log"
            anchors.faults.append(BadCheckpoint(Code.CHECKPOINT_SIG, about))
        anchors.notes = sorted(set(anchors.notes))
        anchors.receipts = sorted(set(anchors.receipts))
        return anchors

    def _read(self, file: Path, evidence: Evidence, log: str) -> None:
        try:
            with file.open(encoding="utf-8", newline="\n") as lines:
                for text, whole in _pieces(lines):
                    if text.startswith("{"):
                        self._receipt(text, evidence, log)
                    else:
                        self._note(text, whole, evidence, log)
        except (OSError, UnicodeDecodeError):
            raise BadEvidence(file.name) from None

    def _note(self, text: str, whole: bool, evidence: Evidence, log: str) -> None:
        try:
            checkpoint = Checkpoint.parse(Note.parse(text).text)
        except BadNote as error:
            if whole:  # the last one may have been cut while it was written
                self.faults.append(BadCheckpoint(Code.CHECKPOINT_SIG, f"outside: {error}"))
            return
        if not evidence.speaks_of(checkpoint.origin, log, checkpoint.size):
            self.foreign += 1
            return
        try:
            one = evidence.opened(text, log, None)
        except BadCheckpoint as fault:
            if whole:
                self.faults.append(fault)
            return
        self.notes.append(packed(one.size, one.root))

    def _receipt(self, line: str, evidence: Evidence, log: str) -> None:
        try:
            told = json.loads(line)
            idx, leaf = told["idx"], bytes.fromhex(told["leaf"])
            if type(idx) is not int or idx < 0 or len(leaf) != HASH_BYTES:
                raise ValueError("no receipt")
            place = packed(idx, leaf)
        except (ValueError, TypeError, KeyError, OverflowError, RecursionError):
            self.faults.append(BadCheckpoint(Code.CHECKPOINT_SIG, "outside: no receipt"))
            return
        if evidence.speaks_of(str(told.get("log")), log, idx + 1):
            self.receipts.append(place)
        else:
            self.foreign += 1


def packed(place: int, digest: bytes) -> bytes:
    """Place and hash in an order that sorts by place."""
    return place.to_bytes(_SIZE_BYTES, "big") + digest


def unpacked(one: bytes) -> tuple[int, bytes]:
    """Place and hash."""
    return int.from_bytes(one[:_SIZE_BYTES], "big"), one[_SIZE_BYTES:]


class Ordered:
    """Goes through packed places once, in order."""

    def __init__(self, places: Sequence[bytes], since: int) -> None:
        self._places, self._at = places, 0
        for _ in self.below(since):
            pass

    def below(self, end: int) -> Iterator[tuple[int, bytes]]:
        """Those not yet given with a place below `end`."""
        while self._at < len(self._places):
            place, digest = unpacked(self._places[self._at])
            if place >= end:
                return
            self._at += 1
            yield place, digest


def _pieces(lines: Iterable[str]) -> Iterator[tuple[str, bool]]:
    """Notes and receipt lines of a file, and whether each is surely whole.

    A note is a text, an empty line, signature lines; so its end is the second empty line.
    """
    note: list[str] = []
    gaps = 0
    for line in lines:
        if line.startswith("{") and not note:
            yield line, line.endswith("\n")
        elif line == "\n" and (gaps or not note):
            if note:
                yield "".join(note), True
            note, gaps = [], 0
        else:
            gaps += line == "\n"
            note.append(line)
    if note:
        yield "".join(note), False
