"""What was found, and what follows from it: four verdicts and an exit code."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import IntEnum, StrEnum

KEPT_FINDINGS = 100  # listed one by one; the rest is counted


class Code(StrEnum):
    """What can be wrong."""

    GAP = "GAP"
    LEAF = "LEAF"
    COLUMN = "COLUMN"
    NOT_CANONICAL = "NOT_CANONICAL"
    WRITER_SEQ = "WRITER_SEQ"
    CLOCK_BACK = "CLOCK_BACK"
    HEAD = "HEAD"
    CHECKPOINT_SIG = "CHECKPOINT_SIG"
    UNKNOWN_SIGNATURE = "UNKNOWN_SIGNATURE"
    CHECKPOINT_GAP = "CHECKPOINT_GAP"
    COSIGNATURE = "COSIGNATURE"
    FORK = "FORK"
    TRUNCATED = "TRUNCATED"
    SEGMENT = "SEGMENT"
    SUBJECT_INDEX = "SUBJECT_INDEX"
    INDEX_BEHIND = "INDEX_BEHIND"
    TILE = "TILE"
    ROLLUP = "ROLLUP"
    ALERT = "ALERT"


INTEGRITY = frozenset({Code.LEAF, Code.COLUMN, Code.NOT_CANONICAL, Code.CLOCK_BACK, Code.HEAD})
ANCHORING = frozenset(
    {
        Code.CHECKPOINT_SIG,
        Code.UNKNOWN_SIGNATURE,
        Code.CHECKPOINT_GAP,
        Code.COSIGNATURE,
        Code.FORK,
    }
)
COMPLETENESS = frozenset({Code.GAP, Code.WRITER_SEQ, Code.TRUNCATED, Code.SEGMENT})
INDEXES = frozenset({Code.SUBJECT_INDEX, Code.INDEX_BEHIND, Code.TILE, Code.ROLLUP, Code.ALERT})

MILD = frozenset({Code.UNKNOWN_SIGNATURE, Code.CHECKPOINT_GAP, Code.INDEX_BEHIND})
"""Evidence that is missing, not a sign that anything was altered: a signer that was away, a
key the verifier was not given, an index that a killed stop left behind."""


class Exit(IntEnum):
    """Exit codes of ``hub audit verify``; 2 is wrong usage and belongs to the CLI."""

    INTACT = 0
    TAMPERED = 1
    CANNOT_READ = 3
    INCOMPLETE = 4


@dataclass(frozen=True, slots=True)
class Finding:
    """One fault: where (idx), which, and what was compared; never a value of the record.

    `end` > `idx` if the place is known only as a range: records idx … end-1 are others than
    those that were signed.
    """

    idx: int
    code: Code
    about: str
    end: int = 0


@dataclass(frozen=True, slots=True)
class Verdicts:
    """The outcome. `begun` is False if no log was ever started: then nothing is proved."""

    log: str
    size: int
    subjects: int
    root: str
    begun: bool
    findings: tuple[Finding, ...]
    counts: Mapping[Code, int]
    first_bad: int | None
    unstopped: tuple[str, ...]
    """Writers without HUB_STOP: running now, or ended without a word (killed, power cut)."""
    unindexed: int = 0
    """Records that the subject index has not reached yet: a search would not find them."""
    since: int = 0
    """Records below this were not read; their root is that of a verified checkpoint."""
    first: int = 0
    """The first record that is online; those before it lie in the archive."""
    leaving: int = 0
    """Records of the archive whose rows a run that was interrupted has left in the store."""
    checkpoints: int = 0
    """Stored checkpoints looked at."""
    last_good: int | None = None
    """Size of the newest checkpoint, stored or from outside, that the records agree with."""
    anchored: int | None = None
    """Size of the newest note or receipt from outside that the records agree with."""
    witnessed: int | None = None
    """Records that a witness has seen as they are; None if no witness's key was given."""
    bad_range: tuple[int, int] | None = None
    """If a signed tree is not that of the records: the first bad one lies in first … end-1."""

    @property
    def integrity(self) -> bool:
        """What is there is what was written."""
        return not INTEGRITY & self.counts.keys()

    @property
    def anchoring(self) -> bool:
        """The records are those that were signed, as often as promised."""
        return not ANCHORING & self.counts.keys()

    @property
    def completeness(self) -> bool:
        """No record is missing in the middle, at the end, or of a writer's sequence."""
        return self.begun and not COMPLETENESS & self.counts.keys()

    @property
    def indexes(self) -> bool:
        """Subject index, roll-up, alerts and tiles say what the bodies say."""
        return not INDEXES & self.counts.keys()

    @property
    def exit(self) -> Exit:
        """Tampered, or only short of evidence (`MILD`, or nothing to judge), or intact."""
        if self.counts.keys() - MILD:
            return Exit.TAMPERED
        return Exit.INTACT if self.begun and not self.counts else Exit.INCOMPLETE


@dataclass(slots=True)
class Found:
    """Findings so far: all are counted, the first are kept."""

    kept: list[Finding] = field(default_factory=list)
    counts: Counter[Code] = field(default_factory=Counter)
    first: int | None = None
    first_mild: int | None = None
    narrowed: tuple[int, int] | None = None
    forked: tuple[int, int] | None = None

    def add(self, idx: int, code: Code, about: str) -> None:
        """A fault whose place is known."""
        self.counts[code] += 1
        if code in MILD:
            self.first_mild = idx if self.first_mild is None else min(self.first_mild, idx)
        else:
            self.first = idx if self.first is None else min(self.first, idx)
        self._keep(Finding(idx, code, about))

    def within(self, first: int, end: int, code: Code, about: str) -> None:
        """A fault that lies somewhere in records first … end-1."""
        self.counts[code] += 1
        if self.narrowed is None or end < self.narrowed[1]:
            self.narrowed = (first, end)
        if code is Code.FORK and (self.forked is None or end < self.forked[1]):
            self.forked = (first, end)
        self._keep(Finding(first, code, about, end))

    def first_bad(self) -> int | None:
        """The first place: exact where a record speaks for itself, else where its range begins.

        Where evidence only is missing counts if nothing is wrong.
        """
        if self.narrowed is None:
            return self.first_mild if self.first is None else self.first
        low, high = self.narrowed
        return low if self.first is None or self.first >= high else self.first

    def _keep(self, finding: Finding) -> None:
        if len(self.kept) < KEPT_FINDINGS or finding.code not in {f.code for f in self.kept}:
            self.kept.append(finding)
