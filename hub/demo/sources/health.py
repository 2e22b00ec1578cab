"""卫健 ``wj_resident``: health records by resident, all of class HEALTH."""

from __future__ import annotations

from random import Random
from typing import Any

from hub.demo.dirt import Scribe
from hub.demo.files import Rows, Sheet, texts
from hub.demo.people import Person
from hub.demo.village import Village

SHEETS = (
    Sheet("resident", texts("ehrNo idCard name"), (("idCard",),)),
    Sheet(
        "chronic_record",
        texts("ehrNo idCard name disease icd10 managedSince lastFollowUp grade"),
        (("idCard",),),
    ),
    Sheet(
        "serious_illness",
        texts("recordNo idCard name disease admitted hospital cured"),
        (("idCard",),),
    ),
    Sheet(
        "appointment",
        texts("recordNo idCard name hospital clinic visitDate state"),
        (("idCard",),),
    ),
    Sheet(
        "medication",
        texts("recordNo idCard name drug days dispensed delivery"),
        (("idCard",),),
    ),
    Sheet("death", texts("idCard name date cause"), (("idCard",),)),
)

ICD10 = {"高血压": "I10", "糖尿病": "E11", "严重精神障碍": "F20", "肺结核": "A15"}
DRUGS = {
    "高血压": "硝苯地平缓释片",
    "糖尿病": "二甲双胍片",
    "严重精神障碍": "奥氮平片",
    "肺结核": "异烟肼片",
}
SERIOUS = ("食管癌", "胃癌", "终末期肾病", "儿童先心病", "尿毒症", "急性心肌梗死")
HOSPITALS = ("砚山县人民医院", "砚山县中医医院", "文山州人民医院")
CLINICS = ("内科", "外科", "儿科", "妇产科", "中医科", "眼科")
APPOINTED, MEDICATED = 0.04, 0.4  # of persons; of the chronically ill, a year


def rows(village: Village, rng: Random) -> Rows:
    """A village's residents and their records."""
    scribe = Scribe("wj_resident", rng)
    found: dict[str, list[tuple[Any, ...]]] = {sheet.name: [] for sheet in SHEETS}
    for count, (household, person) in enumerate(village.persons(), start=1):
        number = scribe.number(person, planted=household.planted)
        who = (number, scribe.name(person, planted=household.planted))
        record = f"{village.place.path}{count:05d}"  # 17 digits: village, and who came when
        found["resident"].append((record, *who))
        for disease in person.chronic:
            _chronic(village, rng, record, who, disease, found)
        if person.serious:
            found["serious_illness"].append(_serious(village, rng, record, who))
        if rng.random() < APPOINTED:
            found["appointment"].append(_appointment(village, rng, record, who))
        if person.dead_on:
            found["death"].append((*who, person.dead_on.isoformat(), _cause(rng, person)))
    return found


def _chronic(
    village: Village,
    rng: Random,
    record: str,
    who: tuple[str | None, str],
    disease: str,
    found: dict[str, list[tuple[Any, ...]]],
) -> None:
    since, seen = village.day(200 + int(rng.random() * 2_500)), village.day(int(rng.random() * 120))
    grade = rng.choices("123", (70, 22, 8))[0]
    found["chronic_record"].append(
        (record, *who, disease, ICD10[disease], since.isoformat(), seen.isoformat(), grade)
    )
    if rng.random() < MEDICATED:
        day, way = village.day(int(rng.random() * 90)), rng.choice(("pickup", "home"))
        found["medication"].append(
            (f"M{record}{ICD10[disease]}", *who, DRUGS[disease], "30", day.isoformat(), way)
        )


def _serious(
    village: Village, rng: Random, record: str, who: tuple[str | None, str]
) -> tuple[Any, ...]:
    day, cured = village.day(int(rng.random() * 365)), "1" if rng.random() < 0.3 else "0"
    disease, hospital = rng.choice(SERIOUS), rng.choice(HOSPITALS)
    return (f"S{record}", *who, disease, day.isoformat(), hospital, cured)


def _appointment(
    village: Village, rng: Random, record: str, who: tuple[str | None, str]
) -> tuple[Any, ...]:
    ago = int(rng.random() * 120) - 14
    done = ("done", "cancelled", "missed")
    state = "booked" if ago < 0 else rng.choices(done, (80, 12, 8))[0]
    hospital, clinic = rng.choice(HOSPITALS), rng.choice(CLINICS)
    return (f"A{record}", *who, hospital, clinic, village.day(ago).isoformat(), state)


def _cause(rng: Random, person: Person) -> str:
    return "疾病" if person.age >= 60 or rng.random() < 0.6 else "意外"
