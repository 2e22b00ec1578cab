"""省级 ``sj_exchange``: registration, death notices and yes/no answers; nothing else."""

from __future__ import annotations

from random import Random
from typing import Any

from hub.demo.dirt import Scribe
from hub.demo.files import Rows, Sheet, texts
from hub.demo.village import Village

SHEETS = (
    Sheet(
        "hjhc",
        texts("gmsfhm xm hjzt zxrq swrq hyzk bdc"),
        (("gmsfhm",),),
    ),
)

NORMAL, CANCELLED = "1", "2"
NOTICE_D = 10  # a death notice arrives about so late
MARRIED_FROM, MARRIED = 22, 0.75
OWNS_HOUSE = 0.12  # registered real estate, of adults


def rows(village: Village, rng: Random) -> Rows:
    """A village's people as the province answers for them."""
    scribe = Scribe("sj_exchange", rng)
    found: list[tuple[Any, ...]] = []
    for household, person in village.persons():
        adult = person.age >= MARRIED_FROM
        married = adult and rng.random() < MARRIED
        owner = adult and rng.random() < OWNS_HOUSE
        gone = person.dead_on is not None and (village.as_of - person.dead_on).days > NOTICE_D
        day = f"{person.dead_on:%Y%m%d}" if gone else None
        found.append(
            (
                scribe.number(person, planted=household.planted),
                scribe.name(person, planted=household.planted),
                CANCELLED if gone else NORMAL,
                day,
                day,
                "是" if married else "否",
                "是" if owner else "否",
            )
        )
    return {"hjhc": found}
