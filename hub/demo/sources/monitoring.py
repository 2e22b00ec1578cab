"""乡村振兴 ``xczx_monitor``: the monthly lists of monitored and of formerly poor households.

Numbers of 18 or 20 digits, old category names.
"""

from __future__ import annotations

from random import Random
from typing import Any

from hub.demo.dirt import Scribe
from hub.demo.files import Rows, Sheet, texts
from hub.demo.people import Household, Person
from hub.demo.village import Village

_MEMBER = "户编号 人编号 户主姓名 姓名 证件号码 与户主关系"
_RISK = "监测对象类别 风险类型 识别监测时间 风险是否消除 人均纯收入 帮扶措施"
SHEETS = (
    Sheet("监测对象", texts(f"{_MEMBER} {_RISK}"), (("证件号码",),)),
    Sheet("脱贫人口", texts(f"{_MEMBER} 脱贫年度"), (("证件号码",),)),
)

OLD_NAMES = {"脱贫不稳定户": "脱贫监测户", "边缘易致贫户": "边缘户", "突发严重困难户": "突发困难户"}
OLD_NAME_SHARE = 0.15
RISKS = (
    "因病",
    "因残",
    "因学",
    "因灾",
    "因意外",
    "因务工就业不稳",
    "因产业失败",
    "住房",
    "饮水",
    "其他",
)
RISK_WEIGHTS = (40, 15, 6, 5, 6, 12, 6, 4, 2, 4)
OUT_OF_POVERTY = ("2016", "2017", "2018", "2019", "2020")
MEASURES = ("产业帮扶", "公益性岗位", "医疗救助", "教育资助", "低保兜底", "危房改造")


def rows(village: Village, rng: Random) -> Rows:
    """A village's monitored and formerly poor households, one row a member."""
    scribe = Scribe("xczx_monitor", rng, blanks=True)
    found: list[tuple[Any, ...]] = []
    for household in village.households:
        if household.monitored:
            found += _household(village, rng, household, scribe)
    poor = [row for h in village.households if h.ex_poor for row in _left(rng, h, scribe)]
    return {"监测对象": found, "脱贫人口": poor}


def _left(rng: Random, household: Household, scribe: Scribe) -> list[tuple[Any, ...]]:
    year = rng.choice(OUT_OF_POVERTY)
    return [(*member, year) for member in _members(f"TP{household.no}", household, scribe)]


def _household(
    village: Village, rng: Random, household: Household, scribe: Scribe
) -> list[tuple[Any, ...]]:
    watched = household.monitored
    assert watched is not None  # noqa: S101  the caller looked
    old = not household.planted and rng.random() < OLD_NAME_SHARE
    kind = OLD_NAMES[watched.kind] if old else watched.kind
    risk = rng.choices(RISKS, RISK_WEIGHTS)[0]
    measures = "、".join(sorted({rng.choice(MEASURES), rng.choice(MEASURES)}))
    tail = (
        kind,
        risk,
        village.month(watched.months_ago),
        watched.risk,
        f"{household.income}.00",
        measures if watched.measures else None,
    )
    return [(*member, *tail) for member in _members(f"YS{household.no}", household, scribe)]


def _members(number: str, household: Household, scribe: Scribe) -> list[tuple[Any, ...]]:
    return [
        (
            number,
            f"{number}-{position:02d}",
            household.members[0].name,
            scribe.name(person, planted=household.planted),
            _number(household, person, scribe),
            person.relation,
        )
        for position, person in enumerate(household.members, start=1)
    ]


def _number(household: Household, person: Person, scribe: Scribe) -> str | None:
    number = scribe.number(person, planted=household.planted)
    # The certificate's number is the id number with type and grade of the disability.
    if person.disability and number == person.number:
        return number + person.disability
    return number
