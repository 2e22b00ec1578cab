"""住建 ``wfgz``: 15-digit numbers, the village as free text, '?' for rare characters."""

from __future__ import annotations

from random import Random
from typing import Any

from hub.demo.dirt import Scribe
from hub.demo.files import Rows, Sheet, texts
from hub.demo.people import House, Household
from hub.demo.village import Village

SHEETS = (
    Sheet(
        "house_archive",
        texts("fwbh hzxm hzzjh cun zu jzmj jgxs"),
        (("hzzjh",), ("fwbh",)),
    ),
    Sheet("house_appraisal", texts("fwbh jddj jdrq jddw"), (("fwbh",),)),
    Sheet(
        "renovate_plan",
        texts("ndpc fwbh gzfs kgrq jgrq btje"),
        (("fwbh",),),
    ),
)

STRUCTURES = ("砖混", "砖木", "土木", "框架")
SUFFIX_DROPPED = 0.4  # of the village texts lack 村委会 or 社区
OTHER_CHARACTER = 0.5  # of 蚌峨乡's texts write the village with 峨
APPRAISERS = ("砚山县房屋安全鉴定站", "文山州建筑工程质量检测中心")
SUBSIDY = {"REINFORCE": 12_000, "REBUILD": 32_000}  # yuan, around it (invented)


def rows(village: Village, rng: Random) -> Rows:
    """A village's rural houses with their appraisals and plans."""
    scribe = Scribe("wfgz", rng, fifteen=True, blanks=True, lossy=True)
    found: dict[str, list[tuple[Any, ...]]] = {sheet.name: [] for sheet in SHEETS}
    for household in village.households:
        if household.house is None:
            continue
        number = f"FW{household.no}"
        found["house_archive"].append(_archive(village, rng, household, number, scribe))
        _appraisals(village, rng, household.house, number, found)
    return found


def _archive(
    village: Village, rng: Random, household: Household, number: str, scribe: Scribe
) -> tuple[Any, ...]:
    head = household.members[0]
    area = 40 + int(rng.random() * 140)
    return (
        number,
        scribe.name(head, planted=household.planted),
        scribe.number(head, planted=household.planted),
        place_text(village, rng),
        household.hamlet + "小组",
        f"{area}㎡",
        rng.choice(STRUCTURES),
    )


def place_text(village: Village, rng: Random) -> str:
    """Township and village as a clerk types them."""
    name = village.place.name
    if rng.random() < SUFFIX_DROPPED:
        name = name.removesuffix("村委会").removesuffix("社区")
    if rng.random() < OTHER_CHARACTER:
        name = name.replace("蚌蛾", "蚌峨")
    return village.place.township_name + name


def _appraisals(
    village: Village,
    rng: Random,
    house: House,
    number: str,
    found: dict[str, list[tuple[Any, ...]]],
) -> None:
    for ago, grade in house.appraisals:
        written = grade + "级" if rng.random() < 0.1 else grade
        day = village.day(ago).isoformat()
        found["house_appraisal"].append((number, written, day, rng.choice(APPRAISERS)))
    if house.plan is None:
        return
    started, finished = house.plan
    rebuilt = house.appraisals[-1][1] == "D"
    money = SUBSIDY["REBUILD" if rebuilt else "REINFORCE"] + 500 * int(rng.random() * 10)
    found["renovate_plan"].append(
        (
            str(village.day(started).year),
            number,
            "重建" if rebuilt else "修缮",
            village.day(started).isoformat(),
            None if finished is None else village.day(finished).isoformat(),
            f"{money}.00",
        )
    )
