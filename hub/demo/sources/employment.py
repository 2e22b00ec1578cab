"""人社 ``rs_jiuye``: every value a text, dates YYYYMMDD, the national column names aac…."""

from __future__ import annotations

from random import Random
from typing import Any

from hub.demo.dirt import Scribe
from hub.demo.files import Rows, Sheet, texts
from hub.demo.people import Person
from hub.demo.village import Village

_AC01 = "aac001 aac002 aac003 aac004 aac005 aac006 aac058 aac147 aac008 aac031 aac066"
SHEETS = (
    Sheet("ac01", texts(_AC01), (("aac002",),)),
    Sheet(
        "qzdj",
        texts("qzbh aac002 aac003 qwgz qwdd qwyx djrq tjzt"),
        (("aac002",),),
    ),
    Sheet(
        "pxbm",
        texts("pxbh aac002 aac003 pxgz kbrq pxzt"),
        (("aac002",),),
    ),
    Sheet("gwxx", texts("gwbh dwmc gz gzdd zprs yx fbrq")),
)

REGISTERED = 0.62  # of people from 16 on
WISHES, TRAININGS = 0.03, 0.02  # of people from 18 to 59, a year
ADULT, RETIRED = 18, 60
TRADES = (
    "电子装配",
    "建筑小工",
    "保洁",
    "餐饮服务",
    "家政",
    "茶叶采摘",
    "三七种植",
    "驾驶",
    "缝纫",
)
PLACES = ("县内", "州内", "省内", "省外")


def rows(village: Village, rng: Random) -> Rows:
    """A village's insured people, job wishes and trainings, and a post offered nearby."""
    scribe = Scribe("rs_jiuye", rng)
    found: dict[str, list[tuple[Any, ...]]] = {sheet.name: [] for sheet in SHEETS}
    for household, person in village.persons():
        if person.age < 16:
            continue
        number = scribe.number(person, planted=household.planted)
        name = scribe.name(person, planted=household.planted)
        if household.planted or rng.random() < REGISTERED:
            found["ac01"].append(_insured(rng, person, name, number))
        if not ADULT <= person.age < RETIRED or person.dead_on:
            continue
        if rng.random() < WISHES:
            found["qzdj"].append(_wish(village, rng, person.serial, name, number))
        if rng.random() < TRAININGS:
            found["pxbm"].append(_training(village, rng, person.serial, name, number))
    found["gwxx"].append(_post(village, rng))
    return found


def _insured(rng: Random, person: Person, name: str, number: str | None) -> tuple[Any, ...]:
    ended = "4" if person.dead_on else rng.choices("120", (88, 7, 5))[0]
    paying = {"1": "1", "2": "2", "4": "3", "0": "2"}[ended]
    worker = "101" if person.insured == "310" else "390"
    sex, born = "1" if person.male else "2", f"{person.birth:%Y%m%d}"
    serial = f"5326{person.serial.replace('-', '')}"
    return (serial, number, name, sex, person.ethnic, born, "01", number, ended, paying, worker)


def _wish(
    village: Village, rng: Random, serial: str, name: str, number: str | None
) -> tuple[Any, ...]:
    pay = 500 * (5 + int(rng.random() * 11))
    day, state = village.compact(int(rng.random() * 365)), rng.choices("0123", (30, 30, 30, 10))[0]
    return (
        f"QZ{serial}",
        number,
        name,
        rng.choice(TRADES),
        rng.choice(PLACES),
        f"{pay}.00",
        day,
        state,
    )


def _training(
    village: Village, rng: Random, serial: str, name: str, number: str | None
) -> tuple[Any, ...]:
    day, state = village.compact(int(rng.random() * 365)), rng.choices("1234", (20, 15, 55, 10))[0]
    return (f"PX{serial}", number, name, rng.choice(TRADES), day, state)


def _post(village: Village, rng: Random) -> tuple[Any, ...]:
    trade, place = rng.choice(TRADES), rng.choice(PLACES)
    number, pay = 1 + int(rng.random() * 20), 2_500 + 100 * int(rng.random() * 30)
    day = village.compact(int(rng.random() * 60))
    serial = f"GW{village.place.path}"
    return (serial, f"{place}{trade}企业", trade, place, str(number), f"{pay}.00", day)
