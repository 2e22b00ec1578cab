"""Invented people: households, ages, and the facts that every department's rows come from.

Facts are drawn once (a person is dead, poor, ill, enrolled or not); each department then
writes them in its own words, so that what two systems say of one person can be compared.
All shares: 领域设计 2.7, invented.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import date
from itertools import accumulate
from math import exp, log
from random import Random
from typing import NamedTuple

from adapters.identity import with_check_digit
from hub.demo.names import full_name, surname
from hub.demo.places import HAMLETS, Place

ID_PREFIX = "539922"  # never issued: no prefecture 5399 since 1980
LAST_SEQUENCE = 989  # of a birth date; above are the planted people
YEAR_DAYS = 365.2425

SIZES = (1, 2, 3, 4, 5, 6, 7)
SIZE_WEIGHTS = list(accumulate((8, 16.5, 23, 24, 16, 8, 4.5)))  # mean 3.66
AGES = ((0, 6, 7.2), (6, 15, 14.3), (15, 25, 12.5), (25, 40, 21.5), (40, 60, 29.5), (60, 75, 11.0))
OLDEST = (75, 96)
AGE_WEIGHTS = list(accumulate([w for _, _, w in AGES] + [4.0]))
HEAD_AGE = 25  # a household's head is at least this old
TWIN_SHARE = 0.008  # of later household members: gives 0.3 % twins

RURAL = 0.73
MEDIAN_INCOME, INCOME_SIGMA = 13_500, 0.45  # yuan a head and year, log-normal
MIN_LIVING_BELOW, MIN_LIVING_SHARE = -1.0, 0.34  # standard deviations; gives 5.4 % of persons
EX_POOR_BELOW, EX_POOR_SHARE = 0.4, 0.336  # gives 22 % of rural persons
MONITORED_BELOW, MONITORED_SHARE = -0.3, 0.068  # gives 2.6 % of rural households
EXTREME_POVERTY_60 = 0.04  # of people over 60: gives 0.6 % of persons
DISABLED = 0.029
INSURED, EMPLOYEE_INSURED = 0.975, 0.12
ADMITTED, SELF_PAY = 0.18, (7.55, 1.12)  # a year; log-normal in yuan
HYPERTENSION_35, DIABETES_35 = 0.155, 0.042  # of people over 35: 8.5 and 2.3 % of all
MENTAL, TUBERCULOSIS, SERIOUS = 0.0055, 0.0006, 0.0035
NOT_ENROLLED = 0.0014  # of ages 6–15
DEATHS_60, DEATHS_BELOW = 0.035, 0.00147  # a year: 0.65 % of all
STILL_PAID = 0.06  # of dead recipients
GRADES = ("A", "B", "C", "D")
GRADE_WEIGHTS = (71.0, 98.4, 99.6, 100.0)
NO_PLAN = 0.18  # of C and D houses
PHONE_FROM, PHONE_SHARE = 14, 0.85  # years; of them


class Stay(NamedTuple):
    """One hospital settlement: days before the as-of date, in-scope self-pay in fen."""

    days_ago: int
    self_pay: int
    offsite: bool


class Person(NamedTuple):
    """One invented person with the facts drawn for it. `number` is its true id number."""

    serial: str
    number: str
    name: str
    male: bool
    birth: date
    age: int
    ethnic: str
    phone: str | None
    relation: str
    insured: str | None = "390"
    stays: tuple[Stay, ...] = ()
    enrolled: bool = True
    dropout: str | None = None
    disability: str | None = None
    chronic: tuple[str, ...] = ()
    serious: bool = False
    extreme_poverty: bool = False
    dead_on: date | None = None
    dirt: tuple[str, str] | None = None


class House(NamedTuple):
    """Appraisals (days before the as-of date, grade), latest last; plan: started, finished."""

    appraisals: tuple[tuple[int, str], ...]
    plan: tuple[int, int | None] | None = None


class MinLiving(NamedTuple):
    """低保: state 1 paid, 2 paused, 3 stopped; months since the last payment."""

    state: str
    months_ago: int


class Monitored(NamedTuple):
    """监测对象: class text, months since identification, risk state, has measures."""

    kind: str
    months_ago: int
    risk: str
    measures: bool


class Household(NamedTuple):
    """A household; `members[0]` is the head. Income in yuan a head and year."""

    no: str
    hamlet: str
    rural: bool
    income: int
    members: tuple[Person, ...]
    min_living: MinLiving | None = None
    monitored: Monitored | None = None
    ex_poor: bool = False
    house: House | None = None
    planted: bool = False


@dataclass(slots=True)
class Numbers:
    """Hands out id numbers of the invented prefix, each once."""

    _used: dict[tuple[date, bool], int] = field(default_factory=dict)

    def take(self, birth: date, male: bool) -> str:
        """The next free number of a birth date; odd sequence for men."""
        count = self._used.get((birth, male), 0)
        self._used[birth, male] = count + 1
        sequence = 2 * count + (1 if male else 2)
        if sequence > LAST_SEQUENCE:
            raise ValueError("too many people of one birth date")
        return number_of(birth, sequence)


def number_of(birth: date, sequence: int) -> str:
    """The id number of the invented prefix with this birth date and sequence (1–999)."""
    if not 1 <= sequence <= 999:
        raise ValueError("a sequence has three digits")
    return with_check_digit(f"{ID_PREFIX}{birth:%Y%m%d}{sequence:03d}")


def years(birth: date, on: date) -> int:
    """Full years of age on a day."""
    return on.year - birth.year - ((on.month, on.day) < (birth.month, birth.day))


def villagers(place: Place, rng: Random, numbers: Numbers, as_of: date) -> list[Household]:
    """All households of a village, dirt not yet written."""
    births = sorted(_births(rng, place.people, as_of), reverse=True)
    old_enough = as_of.toordinal() - int(HEAD_AGE * YEAR_DAYS)
    minors = [b for b in births if b > old_enough]
    adults = [b for b in births if b <= old_enough]
    rng.shuffle(adults)
    sizes = _sizes(rng, place.people, len(adults))
    heads, rest = adults[: len(sizes)], adults[len(sizes) :] + minors
    rng.shuffle(rest)
    codes, weights = list(place.ethnic), list(accumulate(place.ethnic.values()))
    found = []
    for index, (size, head) in enumerate(zip(sizes, heads, strict=True), start=1):
        own, rest = rest[: size - 1], rest[size - 1 :]
        ethnic = rng.choices(codes, cum_weights=weights)[0]
        drawing = Drawing(rng, numbers, as_of, f"{place.path[6:]}-{index:05d}", ethnic)
        found.append(drawing.household([head, *own]))
    return found


def _births(rng: Random, count: int, as_of: date) -> Iterable[int]:
    today = as_of.toordinal()
    bands = [(low, high) for low, high, _ in AGES] + [OLDEST]
    for low, high in rng.choices(bands, cum_weights=AGE_WEIGHTS, k=count):
        yield today - int((low + (high - low) * rng.random()) * YEAR_DAYS)


def _sizes(rng: Random, people: int, adults: int) -> list[int]:
    # The sizes add up to the head count exactly; each household has one adult at least.
    sizes: list[int] = []
    left = people
    while left and len(sizes) < adults:
        size = min(rng.choices(SIZES, cum_weights=SIZE_WEIGHTS)[0], left)
        sizes.append(size)
        left -= size
    sizes[-1] += left
    return sizes


@dataclass(frozen=True, slots=True)
class Drawing:
    """Draws one household's people and facts."""

    rng: Random
    numbers: Numbers
    as_of: date
    no: str
    ethnic: str

    def household(self, births: list[int]) -> Household:
        """The household of people born on these days (ordinals), the head first."""
        rng = self.rng
        rural, z = rng.random() < RURAL, rng.gauss(0, 1)
        aided = z < MIN_LIVING_BELOW and rng.random() < MIN_LIVING_SHARE
        ex_poor = rural and z < EX_POOR_BELOW and rng.random() < EX_POOR_SHARE
        watched = rural and z < MONITORED_BELOW and rng.random() < MONITORED_SHARE
        members = self._members(births, aided)
        return Household(
            no=self.no,
            hamlet=rng.choice(HAMLETS),
            rural=rural,
            income=round(exp(log(MEDIAN_INCOME) + INCOME_SIGMA * z)),
            members=members,
            min_living=self._min_living(members) if aided else None,
            monitored=self._monitored() if watched else None,
            ex_poor=ex_poor,
            house=self._house() if rural else None,
        )

    def _members(self, births: list[int], aided: bool) -> tuple[Person, ...]:
        rng = self.rng
        family = surname(rng, self.ethnic)
        found: list[Person] = []
        married = False
        for index, ordinal in enumerate(births):
            day = ordinal
            if index > 1 and rng.random() < TWIN_SHARE and found[-1].age < HEAD_AGE:
                day = found[-1].birth.toordinal()
            birth = date.fromordinal(day)
            relation = _relation(found[0].birth, birth, married) if found else "户主"
            male = rng.random() < (0.75 if relation == "户主" else 0.5)
            if relation == "配偶":
                married, male = True, not found[0].male
            own = surname(rng, self.ethnic) if relation in ("配偶", "其他") else family
            found.append(self._person(index, birth, male, own, relation, aided))
        return tuple(found)

    def _person(
        self, index: int, birth: date, male: bool, family: str, relation: str, aided: bool
    ) -> Person:
        rng, age = self.rng, years(birth, self.as_of)
        dead_on = self._dead_on(age)
        school_age = 6 <= age <= 15
        missing = school_age and rng.random() < NOT_ENROLLED
        return Person(
            serial=f"{self.no}-{index + 1}",
            number=self.numbers.take(birth, male),
            name=full_name(rng, family, male),
            male=male,
            birth=birth,
            age=age,
            ethnic=self.ethnic,
            phone=_phone(rng) if age >= PHONE_FROM and rng.random() < PHONE_SHARE else None,
            relation=relation,
            insured=self._insured(age),
            stays=self._stays(),
            enrolled=not missing,
            dropout=_dropout(rng) if missing and rng.random() < 0.7 else None,
            disability=self._disability(),
            chronic=self._chronic(age),
            serious=rng.random() < SERIOUS,
            extreme_poverty=age >= 60 and not aided and rng.random() < EXTREME_POVERTY_60,
            dead_on=dead_on,
        )

    def _dead_on(self, age: int) -> date | None:
        rng = self.rng
        if rng.random() >= (DEATHS_60 if age >= 60 else DEATHS_BELOW):
            return None
        return date.fromordinal(self.as_of.toordinal() - 1 - int(rng.random() * 364))

    def _insured(self, age: int) -> str | None:
        rng = self.rng
        if rng.random() >= INSURED:
            return None
        return "310" if 20 <= age < 60 and rng.random() < EMPLOYEE_INSURED else "390"

    def _stays(self) -> tuple[Stay, ...]:
        rng = self.rng
        if rng.random() >= ADMITTED:
            return ()
        fen = round(100 * exp(rng.gauss(*SELF_PAY)))
        return (Stay(1 + int(rng.random() * 364), fen, rng.random() < 0.2),)

    def _disability(self) -> str | None:
        rng = self.rng
        if rng.random() >= DISABLED:
            return None
        return f"{1 + int(rng.random() * 7)}{1 + int(rng.random() * 4)}"

    def _chronic(self, age: int) -> tuple[str, ...]:
        rng, found = self.rng, []
        if age >= 35:
            found += ["高血压"] if rng.random() < HYPERTENSION_35 else []
            found += ["糖尿病"] if rng.random() < DIABETES_35 else []
        found += ["严重精神障碍"] if rng.random() < MENTAL else []
        found += ["肺结核"] if rng.random() < TUBERCULOSIS else []
        return tuple(found)

    def _min_living(self, members: tuple[Person, ...]) -> MinLiving:
        rng = self.rng
        gone = all(p.dead_on for p in members)
        if gone and rng.random() >= STILL_PAID:
            return MinLiving("3", 1 + int(rng.random() * 6))
        draw = rng.random()
        if draw < 0.04:
            return MinLiving("3", 2 + int(rng.random() * 10))
        return MinLiving("2" if draw < 0.06 else "1", 1)

    def _monitored(self) -> Monitored:
        rng = self.rng
        kind = rng.choices(("脱贫不稳定户", "边缘易致贫户", "突发严重困难户"), (34, 32, 34))[0]
        risk = "已消除" if rng.random() < 0.5 else "未消除"
        return Monitored(kind, 2 + int(rng.random() * 46), risk, rng.random() < 0.985)

    def _house(self) -> House:
        rng = self.rng
        grade = rng.choices(GRADES, cum_weights=GRADE_WEIGHTS)[0]
        latest = 30 + int(rng.random() * 700)
        seen = [(latest, grade)]
        if rng.random() < 0.25:
            seen.insert(0, (latest + 300 + int(rng.random() * 600), rng.choice(GRADES)))
        plan = None
        if grade in "CD" and rng.random() >= NO_PLAN:
            started = int(rng.random() * min(latest, 330))
            plan = (started, max(0, started - 120) if rng.random() < 0.6 else None)
        return House(tuple(seen), plan)


def _relation(head: date, birth: date, married: bool) -> str:
    gap = (birth - head).days / YEAR_DAYS
    if abs(gap) < 12 and not married:
        return "配偶"
    if gap >= 16:
        return "孙子女" if gap >= 42 else "子女"
    return "父母" if gap <= -16 else "其他"


def _dropout(rng: Random) -> str:
    return rng.choice(("休学", "长期请假", "疑似辍学", "送教上门", "延缓入学"))


def _phone(rng: Random) -> str:
    # No mobile range begins with 12 (unverified): nobody can be called.
    return f"12{int(rng.random() * 10**9):09d}"
