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

from calendar import monthrange
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from decimal import Decimal
from enum import StrEnum
from hashlib import sha256

from catalog.comparison import HouseholdClass, Outcome, Rule, Schedule, Threshold, Tier, plain
from domain.clock import MONTHS_A_YEAR

NOTHING = Decimal(0)
CLASSES: Mapping[HouseholdClass, str] = {
    HouseholdClass.EX_POOR: "脱贫户",
    HouseholdClass.OTHER: "一般户",
}


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


# ---- R03 大额自付未监测 ------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Payment:
    """One settlement or refund, in yuan; a refund's amounts are negative."""

    on: date
    personal: Decimal
    own_expense: Decimal
    over_limit: Decimal

    @property
    def in_scope(self) -> Decimal:
        """合规自付: psn_part_amt − fulamt_ownpay_amt − overlmt_selfpay."""
        return self.personal - self.own_expense - self.over_limit


@dataclass(frozen=True, slots=True)
class Payer:
    """A person and his household; None of a fact: its source did not say."""

    citizen: str
    household: str | None
    payments: tuple[Payment, ...] | None
    monitored: bool | None
    ex_poor: bool | None


@dataclass(slots=True)
class _Home:
    """A household, as far as it has been read."""

    monitored: bool = False
    ex_poor: bool = False
    unknown: bool = False

    def add(self, payer: Payer) -> None:
        self.monitored = self.monitored or bool(payer.monitored)
        self.ex_poor = self.ex_poor or bool(payer.ex_poor)
        self.unknown = self.unknown or payer.monitored is None or payer.ex_poor is None


def self_pay(payers: Iterable[Payer], rule: Rule, day: date) -> Judged:
    """R03: members whose in-scope self-pay of the last months reaches their household's threshold.

    Summed per person by date of settlement, refunds and all; the household, looked at as a whole,
    is not monitored. A household no list could be asked about is judged only if it cannot matter.
    """
    since = months_before(day, rule.parameters["months"])
    thresholds = rule.on(day)
    least = min((Decimal(one.yuan) for one in thresholds), default=None)
    homes: dict[str, _Home] = {}
    paid: dict[str, tuple[str, Decimal]] = {}
    unjudged = 0
    for payer in payers:
        home = payer.household or payer.citizen
        homes.setdefault(home, _Home()).add(payer)
        if payer.payments is None:
            unjudged += 1
            continue
        whole = sum((one.in_scope for one in payer.payments if since < one.on <= day), NOTHING)
        if least is not None and whole >= least:
            paid[payer.citizen] = home, whole
    hits = []
    for citizen, (name, whole) in sorted(paid.items()):
        home_ = homes[name]
        if home_.monitored:
            continue
        if home_.unknown:
            unjudged += 1
            continue
        kind = HouseholdClass.EX_POOR if home_.ex_poor else HouseholdClass.OTHER
        reached = _reached(thresholds, kind, whole)
        if reached is not None:
            months = rule.parameters["months"]
            says = f"近 {months} 个月合规自付 {whole:.2f} 元，{CLASSES[kind]}，未纳入监测"
            hits.append(Hit(citizen, reached.outcome, tier(rule, whole), says))
    return Judged(tuple(hits), unjudged)


def _reached(
    thresholds: Iterable[Threshold], kind: HouseholdClass, whole: Decimal
) -> Threshold | None:
    """The highest threshold of this class that is reached."""
    return next((t for t in thresholds if t.household is kind and whole >= t.yuan), None)


def tier(rule: Rule, whole: Decimal) -> Tier:
    """The tier of an amount."""
    return next((one for one, yuan in rule.tiers if whole >= yuan), Tier.PLAIN)


def months_before(day: date, months: int) -> date:
    """The same day so many months earlier, or the last of a shorter month."""
    count = day.year * MONTHS_A_YEAR + day.month - 1 - months
    year, month = count // MONTHS_A_YEAR, count % MONTHS_A_YEAR + 1
    return date(year, month, min(day.day, monthrange(year, month)[1]))


# ---- every rule --------------------------------------------------------------------------------


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
