"""What a witness decides about a checkpoint it is shown: c2sp.org/tlog-witness. Pure.

A witness is a stranger with a memory: for each log it knows the newest checkpoint it has
signed, and it signs another only if that one continues it. What it is sent:

    old 4711                              size of the checkpoint the witness signed last
    PlRNCrwHpqhGrupue0L7gxbjbMiKA9te…     ≤ 63 hashes: the old tree is the beginning of the new

    demo.invalid/hub/main/sha256          the new checkpoint, a note signed by the log
    4723
    …

The order of the checks is that of the specification, so that every answer is the one it
names: 400, 404, 403, 400, 409, 409, 422, 200.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import IntEnum, StrEnum

from audit.note import (
    NOTE_BYTES,
    BadNote,
    Checkpoint,
    Note,
    VerifierKey,
    base64_of,
    bytes_of,
    opened,
)
from audit.suite import NoSuite, suite_in
from audit.tree import EMPTY_ROOT, HASH_BYTES, SHA256, Suite, verify_consistency

PROOF_LINES = 63  # a tree of 2^63 leaves needs no more
BODY_BYTES = NOTE_BYTES + 64 + PROOF_LINES * 45  # the note, the old size, 44 characters a hash
SIZE_TYPE = "text/x.tlog.size"  # of the answer that tells the size the witness holds

_OLD = re.compile(r"old (0|[1-9]\d{0,17})\Z", re.ASCII)
_TOLD = re.compile(rb"(0|[1-9]\d{0,17})\n\Z")

Logs = Mapping[str, Sequence[VerifierKey]]
"""The keys of each log a witness knows, by the log's origin."""


class Answer(IntEnum):
    """The HTTP statuses of ``add-checkpoint``."""

    COSIGNED = 200
    MALFORMED = 400
    NOT_SIGNED = 403
    UNKNOWN_LOG = 404
    CONFLICT = 409
    NOT_PROVED = 422


class Evidence(StrEnum):
    """What a signed checkpoint that is not cosigned may show.

    FORK: the log has signed two trees of one size, which proves that it did wrong. PROOF: what
    came with it does not lead there from what is known; that may be the sender's doing alone.
    """

    FORK = "FORK"
    PROOF = "PROOF"


class Refused(Exception):
    """A submission that is not even judged: `answer` says why."""

    def __init__(self, answer: Answer) -> None:
        super().__init__(answer.name)
        self.answer = answer


@dataclass(frozen=True, slots=True)
class Submission:
    """One request: the size the witness is believed to hold, the proof, the new checkpoint."""

    old: int
    proof: tuple[bytes, ...]
    note: Note

    def __str__(self) -> str:
        lines = [f"old {self.old}", *map(base64_of, self.proof)]
        return "\n".join(lines) + f"\n\n{self.note}"

    @classmethod
    def parse(cls, body: bytes) -> Submission:
        """Refused (400) for what is no such request."""
        try:
            head, gap, note = body.decode().partition("\n\n")
            first, *lines = head.split("\n")
            old = _OLD.match(first)
            if not gap or old is None or len(lines) > PROOF_LINES:
                raise Refused(Answer.MALFORMED)
            return cls(int(old[1]), tuple(map(_hash, lines)), Note.parse(note))
        except (BadNote, UnicodeDecodeError):
            raise Refused(Answer.MALFORMED) from None


@dataclass(frozen=True, slots=True)
class Judgement:
    """What becomes of a checkpoint that its log has signed."""

    answer: Answer
    evidence: Evidence | None = None


def nothing_seen(origin: str) -> Checkpoint:
    """What a witness knows of a log of which it has signed nothing."""
    return Checkpoint(origin, 0, EMPTY_ROOT)


def recognised(submission: Submission, logs: Logs) -> tuple[Checkpoint, Note]:
    """The checkpoint, and its note with the signatures of known keys alone.

    Refused: 404 for a log that is not known, 403 if none of its keys has signed, 400 if it
    is no checkpoint or smaller than the old one.
    """
    try:
        checkpoint = Checkpoint.parse(submission.note.text)
    except BadNote:
        raise Refused(Answer.MALFORMED) from None
    if "" in submission.note.text.split("\n")[:-1]:
        raise Refused(Answer.MALFORMED)  # a line of an extension is never empty
    if checkpoint.origin not in logs:
        raise Refused(Answer.UNKNOWN_LOG)
    try:
        _, signatures = opened(submission.note, logs[checkpoint.origin])
    except BadNote:
        raise Refused(Answer.NOT_SIGNED) from None
    if submission.old > checkpoint.size:
        raise Refused(Answer.MALFORMED)
    return checkpoint, Note(submission.note.text, signatures)


def judged(seen: Checkpoint, new: Checkpoint, submission: Submission) -> Judgement:
    """May `new`, which its log has signed, follow `seen`, the newest the witness signed?"""
    same_size = new.size == seen.size
    fork = Evidence.FORK if same_size and new.root != seen.root else None
    if submission.old != seen.size or fork is not None:
        return Judgement(Answer.CONFLICT, fork)
    suite = _suite(new.origin)
    if not verify_consistency(seen.size, new.size, seen.root, new.root, submission.proof, suite):
        return Judgement(Answer.NOT_PROVED, None if same_size else Evidence.PROOF)
    return Judgement(Answer.COSIGNED)


def _suite(origin: str) -> Suite:
    """How the log hashes, as its name ends; other people's logs hash with SHA-256."""
    try:
        return suite_in(origin)
    except NoSuite:
        return SHA256


def told_size(content_type: str, body: bytes) -> int | None:
    """The size that an answer 409 tells; None if it tells none."""
    found = _TOLD.match(body)
    if content_type.partition(";")[0].strip() != SIZE_TYPE or found is None:
        return None
    return int(found[1])


def _hash(line: str) -> bytes:
    raw = bytes_of(line)
    if len(raw) != HASH_BYTES:
        raise Refused(Answer.MALFORMED)
    return raw
