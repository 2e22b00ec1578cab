"""People put into the county on purpose: the same at every scale.

`demonstrations` are the three people that examples and the demo ask for by id number.
`rule_plants` are, for each comparison rule of the first set (领域设计 1.15), three hits and three
near misses, since rare events vanish at a small scale; ``planted.csv`` lists them.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import date, timedelta
from random import Random
from typing import Any

from catalog.items import FlowKind
from hub.demo.cases import APPROVED, Wish
from hub.demo.names import full_name, surname
from hub.demo.people import (
    House,
    Household,
    MinLiving,
    Monitored,
    Person,
    Stay,
    number_of,
    years,
)
from hub.demo.register import opaque_id
from hub.demo.sources.water import BROKEN_HAMLET, MENDED_HAMLET
from hub.demo.worktime import local

ZHELAI, BANGE, JIANGNA = "532622205", "532622206", "532622101"
FIRST_SEQUENCE = 990  # of a birth date, above all drawn people
FIRST_HOUSEHOLD = 90_001
HIT, NEAR_MISS = "HIT", "NEAR_MISS"
DEMO = "DEMO"  # planted to be shown, not for a rule


@dataclass(frozen=True, slots=True)
class Demonstration:
    """A person to show: all of it is the same at every scale. `child` is under 14, or None."""

    label: str
    village: str
    name: str
    id18: str
    citizen: str
    household: str
    child: str | None
    case_no: str
    overdue_case_no: str
    order_no: str


@dataclass(frozen=True, slots=True)
class Plant:
    """A planted household, the member a rule shall or shall not find, and its cases."""

    rule: str
    expected: str
    village: str
    household: Household
    focus: int
    wishes: tuple[Wish, ...] = ()

    @property
    def person(self) -> Person:
        """The member it was planted for."""
        return self.household.members[self.focus]


@dataclass(slots=True)
class Planter:
    """Makes households with numbers of their own, in the order they are asked for."""

    villages: Sequence[str]
    as_of: date
    _sequences: dict[date, int] = field(default_factory=dict)
    _households: dict[str, int] = field(default_factory=dict)
    _turn: int = 0

    def next_village(self) -> str:
        """The first village of each township in turn."""
        self._turn += 1
        return self.villages[self._turn % len(self.villages)]

    def number(self, birth: date, male: bool) -> str:
        """A number above those of the drawn people; odd sequence for men."""
        sequence = self._sequences.get(birth, FIRST_SEQUENCE)
        sequence += sequence % 2 != (1 if male else 0)
        self._sequences[birth] = sequence + 1
        return number_of(birth, sequence)

    def household(self, village: str, people: Sequence[dict[str, Any]], **facts: Any) -> Household:
        """A household of people given by their facts; the head comes first."""
        count = self._households.get(village, 0)
        self._households[village] = count + 1
        no = f"{village[6:]}-{FIRST_HOUSEHOLD + count}"
        rng = Random(f"planted/{no}")  # noqa: S311  invented people, no secret
        family = surname(rng, "01")
        members = tuple(
            self._person(f"{no}-{index}", rng, family, given)
            for index, given in enumerate(people, start=1)
        )
        usual: dict[str, Any] = {"hamlet": "上寨", "rural": True, "income": 9_200, "planted": True}
        return Household(no=no, members=members, **(usual | facts))

    def _person(self, serial: str, rng: Random, family: str, given: dict[str, Any]) -> Person:
        birth, male = given["birth"], given.get("male", True)
        usual: dict[str, Any] = {
            "name": full_name(rng, family, male),
            "ethnic": "01",
            "phone": f"12{int(rng.random() * 10**9):09d}",
            "relation": "户主" if serial.endswith("-1") else "子女",
            "male": male,
        }
        number = given.get("number") or self.number(birth, male)
        age = years(birth, self.as_of)
        facts = {k: v for k, v in given.items() if k != "number"}
        return Person(serial=serial, number=number, age=age, **(usual | facts))


def plants(villages: Sequence[str], as_of: date) -> list[Plant]:
    """Everything planted; `villages` are the first of each township in code order."""
    planter = Planter(villages, as_of)
    demos = [_demonstration(planter, label, township) for label, township in DEMOS]
    return [*demos, *rule_plants(planter)]


DEMOS = (("zhelai", ZHELAI), ("bange", BANGE), ("jiangna", JIANGNA))
# Head, wife, child under 14, father, people, year of the head's birth. Invented.
_NAMES = {
    "zhelai": ("陆云山", "韦春花", "陆小明", "陆国福", "08", 1977),
    "bange": ("黄海平", "农月兰", "黄小燕", "黄金德", "08", 1976),
    "jiangna": ("李文华", "张秀英", "李小洁", "李永福", "01", 1978),
}


def _demonstration(planter: Planter, label: str, township: str) -> Plant:
    head, wife, child, father, ethnic, born = _NAMES[label]
    village = next(v for v in planter.villages if v.startswith(township))
    people: list[dict[str, Any]] = [
        {
            "birth": date(born, 4, 12),
            "name": head,
            "stays": (Stay(140, 612_350, True), Stay(45, 288_460, False)),
            "chronic": ("高血压",),
            "serious": True,
            "disability": "43",
        },
        {"birth": date(born + 2, 9, 3), "name": wife, "male": False, "relation": "配偶"},
        {"birth": date(2015, 3, 12), "name": child, "male": label == "zhelai", "phone": None},
        {
            "birth": date(born - 27, 6, 21),
            "name": father,
            "relation": "父母",
            "chronic": ("高血压", "糖尿病"),
        },
    ]
    household = planter.household(
        village,
        [{"ethnic": ethnic} | person for person in people],
        income=7_860,
        hamlet="田坝",
        min_living=MinLiving("1", 1),
        monitored=Monitored("脱贫不稳定户", 14, "未消除", True),
        ex_poor=True,
        house=House(((900, "B"), (420, "D"), (150, "C")), (100, None)),
    )
    return Plant(DEMO, HIT, village, household, 0, _wishes(planter.as_of, village))


# Item, flow, days before the as-of date, overdue with an order; the last is still open.
_CASES = (
    ("MIN_LIVING", FlowKind.F1, 240, False),
    ("TEMP_AID", FlowKind.F1_URGENT, 150, False),
    ("OFFSITE_REIMBURSEMENT", FlowKind.F4, 110, False),
    ("HOUSE_RENOVATION", FlowKind.F1, 75, True),
    ("CHRONIC_CARE", FlowKind.F3, 60, False),
    ("SERIOUS_ILLNESS_AID", FlowKind.F4, 12, False),
)
OVERDUE_CASE, OPEN_CASE = 4, 6  # positions in _CASES, from one


def case_number(village: str, position: int) -> str:
    """The number of a planted case."""
    return f"SQ{village[6:]}{90_000 + position:05d}"


def _wishes(as_of: date, village: str) -> tuple[Wish, ...]:
    return tuple(
        Wish(
            item=item,
            flow=flow,
            outcome=APPROVED,
            filed_at=local(as_of - timedelta(days=ago), 10.5),
            overdue=late,
            long_overdue=late,
            complaint=late,
            channel="PROXY_RAISED" if late else "SELF_RAISED",
            intake="HOME_VISIT" if late else "ONLINE",
            order=late,
            number=case_number(village, position),
            illness="患病支出较大",
        )
        for position, (item, flow, ago, late) in enumerate(_CASES, start=1)
    )


def demonstrations(villages: Sequence[str], seed: int, as_of: date) -> tuple[Demonstration, ...]:
    """The people to show, in the order of `DEMOS`."""
    found = [p for p in plants(villages, as_of) if p.rule == DEMO]
    return tuple(
        Demonstration(
            label=label,
            village=plant.village,
            name=plant.person.name,
            id18=plant.person.number,
            citizen=opaque_id(seed, "citizen", plant.person.serial),
            household=opaque_id(seed, "household", plant.household.no),
            child=opaque_id(seed, "citizen", plant.household.members[2].serial),
            case_no=case_number(plant.village, OPEN_CASE),
            overdue_case_no=case_number(plant.village, OVERDUE_CASE),
            order_no=f"DB{case_number(plant.village, OVERDUE_CASE)[2:]}",
        )
        for (label, _), plant in zip(DEMOS, found, strict=True)
    )


def rule_plants(planter: Planter) -> list[Plant]:
    """Three hits and three near misses a rule."""
    found = []
    for rule, cases in _cases(planter.as_of):
        for position, (people, facts) in enumerate(cases):
            village = planter.next_village()
            household = planter.household(village, people, **facts)
            expected = HIT if position < 3 else NEAR_MISS
            found.append(Plant(rule, expected, village, household, len(people) - 1))
    return found


Spec = tuple[list[dict[str, Any]], dict[str, Any]]


def _cases(as_of: date) -> Iterator[tuple[str, list[Spec]]]:
    yield "R01", _paid_after_death(as_of)
    yield "R02", _not_enrolled(as_of)
    yield "R03", _self_pay(as_of)
    yield "R04", _houses(as_of)
    yield "R05", _not_insured(as_of)
    yield "R06", _twice_aided(as_of)
    yield "R11", _water(as_of)
    yield "R16", _no_measures(as_of)
    yield "R18", _conflicts(as_of)


def _adult(as_of: date, age: int = 52, day: int = 1, **facts: Any) -> dict[str, Any]:
    return {"birth": date(as_of.year - age - 1, 12, day), **facts}


def _months_before(as_of: date, months: int) -> date:
    count = as_of.year * 12 + as_of.month - 1 - months
    return date(count // 12, count % 12 + 1, 8)


def _paid_after_death(as_of: date) -> list[Spec]:
    def dead(months: int) -> list[dict[str, Any]]:
        return [_adult(as_of, 74, months, dead_on=_months_before(as_of, months))]

    hits: list[Spec] = [(dead(m), {"min_living": MinLiving("1", 1)}) for m in (4, 5, 6)]
    return [
        *hits,
        (dead(2), {"min_living": MinLiving("1", 1)}),  # the month after death is granted
        (dead(1), {"min_living": MinLiving("1", 1)}),
        (dead(3), {"min_living": MinLiving("3", 3)}),  # stopped, the row stays
    ]


def _not_enrolled(as_of: date) -> list[Spec]:
    def child(birth: date, **facts: Any) -> Spec:
        parent = _adult(as_of, 38, birth.day)
        return [parent, {"birth": birth, "enrolled": False, "phone": None, **facts}], {}

    hits = [child(date(as_of.year - age, 3, age + 3)) for age in (8, 10, 13)]
    return [
        *hits,
        child(date(as_of.year - 9, 3, 16), dropout="送教上门"),
        child(date(as_of.year - 16, 3, 17)),
        child(date(as_of.year - 6, 9, 15)),  # not yet six on 31 August
    ]


def _self_pay(as_of: date) -> list[Spec]:
    def patient(yuan: int, day: int, **facts: Any) -> Spec:
        stays = (Stay(200, yuan * 60, True), Stay(70, yuan * 40, False))
        return [_adult(as_of, 47, day, stays=stays)], facts

    watched = Monitored("突发严重困难户", 3, "未消除", True)
    return [
        patient(6_200, 4, ex_poor=True),
        patient(22_500, 5),
        patient(31_000, 6, ex_poor=True),
        patient(4_900, 7, ex_poor=True),
        patient(19_400, 8),
        patient(25_000, 9, monitored=watched),
    ]


def _houses(as_of: date) -> list[Spec]:
    def owner(day: int, house: House) -> Spec:
        return [_adult(as_of, 58, day)], {"house": house, "ex_poor": True}

    return [
        owner(4, House(((300, "C"),))),
        owner(5, House(((200, "D"),))),
        owner(6, House(((600, "C"),), (400, None))),  # begun more than a year ago
        owner(7, House(((700, "D"), (90, "B")))),  # the latest counts
        owner(8, House(((500, "C"),), (300, 120))),
        owner(9, House(((500, "C"),), (100, None))),
    ]


def _not_insured(as_of: date) -> list[Spec]:
    def person(day: int, insured: str | None, **facts: Any) -> Spec:
        return [_adult(as_of, 44, day, insured=insured)], facts

    paid, watched = MinLiving("1", 1), Monitored("边缘易致贫户", 8, "未消除", True)
    return [
        person(4, None, min_living=paid),
        person(5, None, monitored=watched),
        person(6, None, min_living=paid),
        person(7, "390", min_living=paid),
        person(8, None),
        person(9, None, min_living=MinLiving("3", 5)),
    ]


def _twice_aided(as_of: date) -> list[Spec]:
    def person(day: int, supported: bool, aid: MinLiving | None) -> Spec:
        return [_adult(as_of, 69, day, extreme_poverty=supported)], {"min_living": aid}

    hits = [person(day, True, MinLiving("1", 1)) for day in (4, 5, 6)]
    stopped = person(7, True, MinLiving("3", 4))
    return [*hits, stopped, person(8, True, None), person(9, False, MinLiving("1", 1))]


def _water(as_of: date) -> list[Spec]:
    def family(day: int, hamlet: str, watched: bool = True) -> Spec:
        monitored = Monitored("脱贫不稳定户", 9, "未消除", True) if watched else None
        return [_adult(as_of, 55, day)], {"hamlet": hamlet, "monitored": monitored}

    hits = [family(day, BROKEN_HAMLET) for day in (4, 5, 6)]
    mended = [family(day, MENDED_HAMLET) for day in (7, 8)]
    return [*hits, *mended, family(9, BROKEN_HAMLET, watched=False)]


def _no_measures(as_of: date) -> list[Spec]:
    def family(day: int, months: int, risk: str, measures: bool) -> Spec:
        watched = Monitored("突发严重困难户", months, risk, measures)
        return [_adult(as_of, 49, day)], {"monitored": watched}

    hits = [family(day, 3, "未消除", False) for day in (4, 5, 6)]
    return [
        *hits,
        family(7, 0, "未消除", False),
        family(8, 3, "未消除", True),
        family(9, 3, "已消除", False),
    ]


def _conflicts(as_of: date) -> list[Spec]:
    def person(day: int, source: str, fault: str) -> Spec:
        return [_adult(as_of, 41, day, dirt=(source, fault))], {}

    lower = _number_ending_in_x(as_of)
    return [
        person(4, "sj_exchange", "wrong_check_digit"),
        person(5, "sj_exchange", "future_birth"),
        person(6, "yb_settle", "wrong_check_digit"),
        ([{**_adult(as_of, 41, 7), **lower, "dirt": ("yb_settle", "lower_x")}], {}),
        person(8, "sj_exchange", "blank_in_name"),
        person(9, "wj_resident", "other_name"),  # a doubt (M3), not another person's number
    ]


def _number_ending_in_x(as_of: date) -> dict[str, Any]:
    for day in range(1, 31):
        birth = date(as_of.year - 41, 6, day)
        number = number_of(birth, 999)
        if number.endswith("X"):
            return {"birth": birth, "number": number, "male": True}
    raise ValueError("no number of this month ends in X")
