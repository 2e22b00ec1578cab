"""比对: what a rule finds in rows of several departments, and what becomes of it (领域设计 1.15).

1. A hit is 疑似, never a decision (个人信息保护法第二十四条): it asks for a home visit, and no row
   of any department is changed by it.
2. Who could not be judged, because a source that his hit depends on did not answer, is counted, not
   passed over: a run with such people, or with a source that is not up to date, is PARTIAL.
3. A hit whose household was visited and not found a short while ago is suppressed and counted; one
   whose clue is still being worked on stands already and gets no second one.
4. The digest is over the rule as it was, the day, what each source gave and every hit: two runs of
   one snapshot have the same, whatever has become of older clues meanwhile.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from enum import StrEnum
from hashlib import sha256

from catalog.comparison import Outcome, Rule, Schedule, Tier, plain


class ComparisonState(StrEnum):
    """批次状态; the Chinese labels stand in ``codes.toml``."""

    COMPLETE = "COMPLETE"
    PARTIAL = "PARTIAL"


class ClueState(StrEnum):
    """线索状态. WATCH is a list to look at, until the next run makes another (LAPSED)."""

    OPEN = "OPEN"
    WATCH = "WATCH"
    LIFTED = "LIFTED"
    VISITED_FOUND = "VISITED_FOUND"
    VISITED_NOT_FOUND = "VISITED_NOT_FOUND"
    LAPSED = "LAPSED"


class ClueAct(StrEnum):
    """What is done about a clue: it becomes a case, and the visit says whether it is so.

    RELEASE: the case has ended and nobody has visited. LAPSE: a later run has a newer list.
    """

    LIFT = "LIFT"
    RELEASE = "RELEASE"
    LAPSE = "LAPSE"
    CONFIRM = "CONFIRM"
    REFUTE = "REFUTE"


class Fate(StrEnum):
    """What becomes of a hit, by what is known of its person under the same rule."""

    NEW = "NEW"
    STANDING = "STANDING"
    SUPPRESSED = "SUPPRESSED"


S, A = ClueState, ClueAct
_VISITABLE = (S.LIFTED, S.VISITED_FOUND, S.VISITED_NOT_FOUND)
MOVES: Mapping[tuple[ClueState, ClueAct], ClueState] = {
    (S.OPEN, A.LIFT): S.LIFTED,
    (S.LIFTED, A.RELEASE): S.OPEN,
    (S.WATCH, A.LAPSE): S.LAPSED,
    # A second visit, after an objection, may find otherwise.
    **{(before, A.CONFIRM): S.VISITED_FOUND for before in _VISITABLE},
    **{(before, A.REFUTE): S.VISITED_NOT_FOUND for before in _VISITABLE},
}
"""Every move; what is not here is refused."""
FIRST: Mapping[Outcome, ClueState] = {Outcome.LIFT: S.OPEN, Outcome.WATCH: S.WATCH}
"""The state in which a hit's clue begins."""


@dataclass(frozen=True, slots=True)
class Hit:
    """Whom a rule has found. `says`: the rule's output in one line, for whoever visits."""

    citizen: str
    outcome: Outcome
    tier: Tier
    says: str


@dataclass(frozen=True, slots=True)
class Judged:
    """Hits by citizen, and how many people could not be judged."""

    hits: tuple[Hit, ...]
    unjudged: int


@dataclass(frozen=True, slots=True)
class Known:
    """An earlier clue of the same rule and person; `visited_on` the Beijing day of the visit."""

    state: ClueState
    visited_on: date | None


@dataclass(frozen=True, slots=True)
class Snapshot:
    """What a source gave: rows, and the SHA-256 of them in the order they were read."""

    source: str
    rows: int
    digest: str


def fate(hit: Hit, known: Iterable[Known], rule: Rule, day: date) -> Fate:
    """What becomes of a hit. A watch list belongs to its run: only a fresh refutation hides it."""
    quiet_from = day - timedelta(days=rule.quiet_days)
    for one in known:
        fresh = one.visited_on is not None and one.visited_on >= quiet_from
        if one.state is S.VISITED_NOT_FOUND and fresh:
            return Fate.SUPPRESSED
    if hit.outcome is Outcome.WATCH:
        return Fate.NEW
    working = any(_worked_on(one, quiet_from) for one in known)
    return Fate.STANDING if working else Fate.NEW


def _worked_on(one: Known, quiet_from: date) -> bool:
    if one.state is S.VISITED_FOUND:
        return one.visited_on is not None and one.visited_on >= quiet_from
    return one.state in (S.OPEN, S.LIFTED)


def digest(rule: Rule, day: date, snapshots: Iterable[Snapshot], hits: Iterable[Hit]) -> str:
    """What a run was made from and what it found: 64 hexadecimal digits."""
    made = sha256()
    for part in (plain(rule, day), day.isoformat()):
        made.update(f"{part}\n".encode())
    for one in sorted(snapshots, key=lambda one: one.source):
        made.update(f"{one.source} {one.rows} {one.digest}\n".encode())
    for hit in hits:
        made.update(f"{hit.citizen} {hit.outcome} {hit.tier} {hit.says}\n".encode())
    return made.hexdigest()


def state_of(unjudged: int, stale: Collection[str]) -> ComparisonState:
    """PARTIAL, if anybody was not judged or a source was down or not up to date."""
    return ComparisonState.PARTIAL if unjudged or stale else ComparisonState.COMPLETE


def due_rules(
    schedule: Schedule, rules: Iterable[Rule], done: Collection[str], day: date, hour: int
) -> Sequence[Rule]:
    """The rules whose run of this month is due at this Beijing day and hour and is not `done`."""
    begun = (day.day, hour) >= (schedule.day, schedule.hour)
    if not begun or not schedule.opens <= hour < schedule.closes:
        return ()
    return tuple(rule for rule in rules if rule.code not in done)
