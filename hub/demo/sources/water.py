"""水务 ``sw_gongcheng``: no persons; Excel serial dates; totals that do not match details."""

from __future__ import annotations

from collections import Counter
from datetime import date
from random import Random
from typing import Any

from hub.demo.files import Rows, Sheet, texts
from hub.demo.places import HAMLETS, TOTAL
from hub.demo.village import Village

_WORK = "工程编码 工程名称 乡镇 村委会 自然村 受益户数 受益人口"
_SUPPLY = "水源类型 供水状态 故障日期 修复日期 应急措施"
SHEETS = (Sheet("饮水工程", texts(f"{_WORK} {_SUPPLY}"), (("乡镇", "村委会"),)),)

WORKS = 1_050  # in the county
FAULTS_A_MONTH = 30
DRY_MONTHS, DRY_FACTOR = (3, 4, 5), 2.5  # March–May
EXCEL_EPOCH = date(1899, 12, 30)  # serial 1 is 1899-12-31, and Excel believes in 1900-02-29
REPAIR_DAYS = 9  # at most
SOURCES = ("山泉水", "水库水", "地下水", "小水窖")
REMEDIES = ("维修", "拉水", "新建")
# Planted for rule R11 and its near misses: no other work serves these two.
BROKEN_HAMLET, MENDED_HAMLET = "龙潭", "石洞"
OTHERS = tuple(h for h in HAMLETS if h not in (BROKEN_HAMLET, MENDED_HAMLET))


def rows(village: Village, rng: Random) -> Rows:
    """A village's works, each with its latest fault of the last twelve months."""
    people = village.place.people
    # The county's works by head count, never none: the demo's villages are small.
    count = max(2, round(WORKS * people / TOTAL))
    living = Counter(h.hamlet for h in village.households)
    works = []
    for number in range(count):
        hamlet = _hamlet(number)
        works.append(_work(village, rng, number, hamlet, living[hamlet]))
    return {"饮水工程": works}


def _hamlet(number: int) -> str:
    first = (BROKEN_HAMLET, MENDED_HAMLET)
    return first[number] if number < len(first) else OTHERS[number % len(OTHERS)]


def _work(
    village: Village, rng: Random, number: int, hamlet: str, households: int
) -> tuple[Any, ...]:
    place = village.place
    fault, repaired, state = _fault(village, rng, number)
    return (
        f"GC{place.path[6:]}{number + 1:03d}",
        f"{place.name.removesuffix('村委会').removesuffix('社区')}{hamlet}饮水工程",
        place.township_name,
        _village_text(place.name, rng),
        hamlet,
        str(households + int(rng.random() * 4)),
        str(round(households * 3.66) + int(rng.random() * 12)),
        rng.choice(SOURCES),
        state,
        _serial(fault),
        _serial(repaired),
        rng.choice(REMEDIES) if fault else None,
    )


def _fault(village: Village, rng: Random, number: int) -> tuple[date | None, date | None, str]:
    if number == 0:
        return village.day(6), None, "停水"
    if number == 1:
        return village.day(40), village.day(38), "正常"
    ago = int(rng.random() * 365)
    day = village.day(ago)
    usual = FAULTS_A_MONTH * 12 / WORKS
    if rng.random() >= usual * (DRY_FACTOR if day.month in DRY_MONTHS else 1):
        return None, None, "正常"
    mended = ago - 1 - int(rng.random() * REPAIR_DAYS)
    if mended <= 0:
        return day, None, rng.choice(("停水", "间歇"))
    return day, village.day(mended), "正常"


def _village_text(name: str, rng: Random) -> str:
    bare = name.removesuffix("村委会").removesuffix("社区") if rng.random() < 0.3 else name
    return bare.replace("蚌蛾", "蚌峨") if rng.random() < 0.5 else bare


def _serial(day: date | None) -> str | None:
    return None if day is None else str((day - EXCEL_EPOCH).days)
