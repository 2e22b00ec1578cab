"""比对规则: whom each rule finds (领域设计 1.15). A fact is None where its source did not say.

Every rule takes people in any order and a day, and gives its hits by citizen; who could not be
judged is counted. What cannot matter is not waited for: of somebody who is insured nobody need
know whether he is poor.
"""

from __future__ import annotations

from calendar import monthrange
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from decimal import Decimal

from catalog.comparison import HouseholdClass, Outcome, Rule, Threshold, Tier
from domain.clock import MONTHS_A_YEAR
from domain.comparison import Hit, Judged

NOTHING = Decimal(0)
CLASSES: Mapping[HouseholdClass, str] = {
    HouseholdClass.EX_POOR: "脱贫户",
    HouseholdClass.OTHER: "一般户",
}
DANGEROUS = ("C", "D")  # 危房


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
    """A person and his household. `cut`: there are older payments that were not read."""

    citizen: str
    household: str | None
    payments: tuple[Payment, ...] | None
    monitored: bool | None
    ex_poor: bool | None
    cut: bool = False


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
    is not monitored. A household no list could be asked about is judged only if it cannot matter;
    whose payments were cut is judged only if those that were read are enough.
    """
    since = months_before(day, rule.parameters["months"])
    thresholds = rule.on(day)
    least = min((Decimal(one.yuan) for one in thresholds), default=None)
    homes: dict[str, _Home] = {}
    paid: dict[str, tuple[str, Decimal, bool]] = {}
    unjudged = 0
    for payer in payers:
        home = payer.household or payer.citizen
        homes.setdefault(home, _Home()).add(payer)
        if payer.payments is None:
            unjudged += 1
            continue
        whole = sum((one.in_scope for one in payer.payments if since < one.on <= day), NOTHING)
        if least is not None and (whole >= least or payer.cut):
            paid[payer.citizen] = home, whole, payer.cut
    hits = []
    for citizen, (name, whole, cut) in sorted(paid.items()):
        home_ = homes[name]
        if home_.monitored:
            continue
        if home_.unknown:
            unjudged += 1
            continue
        kind = HouseholdClass.EX_POOR if home_.ex_poor else HouseholdClass.OTHER
        reached = _reached(thresholds, kind, whole)
        unjudged += reached is None and cut
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


# ---- R04 危房未列改造 --------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Appraisal:
    """A grade, and the day it was given."""

    on: date
    grade: str


@dataclass(frozen=True, slots=True)
class Plan:
    """A renovation; not begun or not finished where there is no day."""

    started: date | None
    finished: date | None


@dataclass(frozen=True, slots=True)
class House:
    """A house by its owner."""

    appraisals: tuple[Appraisal, ...]
    plans: tuple[Plan, ...]


@dataclass(frozen=True, slots=True)
class Owner:
    """A person with the houses on his name, and whether he is of a low-income household."""

    citizen: str
    household: str | None
    houses: tuple[House, ...] | None
    low_income: bool | None


def unplanned(owners: Iterable[Owner], rule: Rule, day: date) -> Judged:
    """R04: low-income households whose house is dangerous and is not being renovated.

    The latest appraisal counts, not the worst. A renovation that was finished before it, or has
    stood unfinished for so many months, is none.
    """
    overdue_from = months_before(day, rule.parameters["months"])
    homes: dict[str, list[bool | None]] = {}
    dangerous: list[tuple[str, str, Appraisal]] = []
    unjudged = 0
    for owner in owners:
        home = owner.household or owner.citizen
        homes.setdefault(home, []).append(owner.low_income)
        if owner.houses is None:
            unjudged += 1
            continue
        worst = [one for house in owner.houses if (one := _dangerous(house, overdue_from))]
        dangerous += [(owner.citizen, home, max(worst, key=lambda a: a.on))] if worst else []
    hits = []
    for citizen, home, latest in sorted(dangerous, key=lambda one: one[0]):
        poor = anybody(homes[home])
        unjudged += poor is None
        if poor:
            graded = f"{latest.on.isoformat()} 鉴定为 {latest.grade} 级"
            says = f"{graded}，低收入户，未列入改造或逾期未竣工"
            hits.append(Hit(citizen, Outcome.LIFT, Tier.PLAIN, says))
    return Judged(tuple(hits), unjudged)


def _dangerous(house: House, overdue_from: date) -> Appraisal | None:
    """The latest appraisal, if by it something is owed that nobody does."""
    latest = max(house.appraisals, key=lambda one: one.on, default=None)
    if latest is None or latest.grade not in DANGEROUS:
        return None
    for plan in house.plans:
        if plan.finished is not None and plan.finished >= latest.on:
            return None
        if plan.finished is None and (plan.started is None or plan.started >= overdue_from):
            return None
    return latest


# ---- R05 应保未参保 ----------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Entitled:
    """A person: aided by 民政, of a monitored household, insured for the day's year."""

    citizen: str
    aided: bool | None
    monitored: bool | None
    insured: bool | None


def uninsured(people: Iterable[Entitled], _rule: Rule, day: date) -> Judged:
    """R05: who is aided or monitored and has no active insurance, 390 or 310, this year."""
    hits, unjudged = [], 0
    for one in people:
        entitled = anybody((one.aided, one.monitored))
        if entitled is False or one.insured:
            continue
        if entitled is None or one.insured is None:
            unjudged += 1
            continue
        kind = "低保或特困对象" if one.aided else "监测对象"
        says = f"{kind}，{day.year} 年度没有正常的居民或职工医保"
        hits.append(Hit(one.citizen, Outcome.LIFT, Tier.PLAIN, says))
    return Judged(_sorted(hits), unjudged)


# ---- R06 重复享受 ------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Aided:
    """A person: of a household with 低保 in pay, himself in 特困供养."""

    citizen: str
    min_living: bool | None
    extreme_poverty: bool | None


def twice_aided(people: Iterable[Aided], _rule: Rule, _day: date) -> Judged:
    """R06: who is in two schemes that exclude each other."""
    hits, unjudged = [], 0
    for one in people:
        both = (one.min_living, one.extreme_poverty)
        if False in both:
            continue
        if None in both:
            unjudged += 1
            continue
        says = "同时在最低生活保障与特困供养名册中"
        hits.append(Hit(one.citizen, Outcome.LIFT, Tier.PLAIN, says))
    return Judged(_sorted(hits), unjudged)


# ---- R16 未落实帮扶 ----------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Record:
    """A person's record as monitored: the first day of the month he was identified in."""

    identified: date | None
    open: bool
    measures: bool


@dataclass(frozen=True, slots=True)
class Watched:
    """A person of a household; `head`: the list names him as its head."""

    citizen: str
    household: str | None
    head: bool
    records: tuple[Record, ...] | None


@dataclass(slots=True)
class _Waiting:
    """Who of a household waits for help, and whether somebody of it has got some."""

    citizens: list[tuple[bool, str]] = field(default_factory=list)
    since: date | None = None
    helped: bool = False


def unhelped(people: Iterable[Watched], rule: Rule, day: date) -> Judged:
    """R16: monitored households for which no measure stands so many months after identification.

    The whole month of identification is waited for. One hit a household: its head, or whoever of
    those on the list comes first.
    """
    limit = months_before(day, rule.parameters["months"])
    homes: dict[str, _Waiting] = {}
    unjudged = 0
    for one in people:
        if one.records is None:
            unjudged += 1
            continue
        for record in one.records:
            if not record.open:
                continue
            home = homes.setdefault(one.household or one.citizen, _Waiting())
            home.helped = home.helped or record.measures
            if record.identified is not None and _end(record.identified) < limit:
                home.citizens.append((not one.head, one.citizen))
                home.since = min(home.since or record.identified, record.identified)
    hits = [
        Hit(
            min(home.citizens)[1],
            Outcome.LIFT,
            Tier.PLAIN,
            f"{home.since:%Y-%m} 识别为监测对象，尚无帮扶措施",
        )
        for home in homes.values()
        if home.citizens and not home.helped
    ]
    return Judged(_sorted(hits), unjudged)


# ---- in common ---------------------------------------------------------------------------------


def anybody(facts: Iterable[bool | None]) -> bool | None:
    """True if one of them is; None if none is and of one nobody could say."""
    known = list(facts)
    return True if True in known else None if None in known else False


def _sorted(hits: Sequence[Hit]) -> tuple[Hit, ...]:
    return tuple(sorted(hits, key=lambda hit: hit.citizen))


def _end(first: date) -> date:
    """The last day of the month."""
    return first.replace(day=monthrange(first.year, first.month)[1])


def months_before(day: date, months: int) -> date:
    """The same day so many months earlier, or the last of a shorter month."""
    count = day.year * MONTHS_A_YEAR + day.month - 1 - months
    year, month = count // MONTHS_A_YEAR, count % MONTHS_A_YEAR + 1
    return date(year, month, min(day.day, monthrange(year, month)[1]))
