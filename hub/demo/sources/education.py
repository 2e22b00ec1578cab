"""教体 ``jt_xueji``: enrolment and dropout lists of minors; padded and temporary numbers."""

from __future__ import annotations

from random import Random
from typing import Any

from hub.demo.dirt import Scribe
from hub.demo.files import Rows, Sheet, texts
from hub.demo.people import Household, Person
from hub.demo.village import Village

_ROLL = (
    "学籍号 姓名 性别 身份证件号 出生日期 学校标识码 年级 班级 户口所在地 监护人1姓名 监护人1电话"
)
SHEETS = (
    Sheet("在校生名册", texts(_ROLL), (("身份证件号",),)),
    Sheet(
        "疑似辍学",
        texts("名单月份 姓名 身份证号 类别 劝返状态"),
        (("身份证号",),),
    ),
)

FIRST_YEAR = 6  # age in the first form
AFTER_SCHOOL = 0.7  # of 16 and 17 are in upper secondary school
GRADES = "一二三四五六七八九"
TEMPORARY = 0.01  # have a temporary number (L…) instead of G + id


def rows(village: Village, rng: Random) -> Rows:
    """A village's pupils and the dropout list of the as-of month."""
    scribe = Scribe("jt_xueji", rng, blanks=True)
    roll: list[tuple[Any, ...]] = []
    dropouts: list[tuple[Any, ...]] = []
    for household, person in village.persons():
        if person.age < FIRST_YEAR or person.age > 17 or person.dead_on:
            continue
        number = scribe.number(person, planted=household.planted)
        name = scribe.name(person, planted=household.planted)
        if person.dropout:
            status = rng.choice(("未劝返", "劝返中", "已返校"))
            dropouts.append((village.month(0), name, number, person.dropout, status))
        if person.enrolled and (person.age <= 15 or rng.random() < AFTER_SCHOOL):
            roll.append(_pupil(village, rng, household, person, name, number))
    return {"在校生名册": roll, "疑似辍学": dropouts}


def _pupil(
    village: Village,
    rng: Random,
    household: Household,
    person: Person,
    name: str,
    number: str | None,
) -> tuple[Any, ...]:
    form = min(person.age - FIRST_YEAR, 11)
    temporary = number is None or (not household.planted and rng.random() < TEMPORARY)
    head, place = household.members[0], village.place
    return (
        f"L532622{person.serial[-7:].replace('-', '0')}" if temporary else f"G{person.number}",
        name,
        "男" if person.male else "女",
        number,
        f"{person.birth:%Y%m%d}",
        f"2153{place.path[6:9]}{form // 6 + 1:03d}",
        f"{GRADES[form]}年级" if form < 9 else f"高{'一二三'[form - 9]}",
        f"{1 + int(rng.random() * 4)}班",
        place.township_name + place.name,
        head.name,
        head.phone,
    )
