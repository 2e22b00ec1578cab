"""民政 ``mz_assist``: civil-scheme division codes, lower-case x; stopped rows stay (zt 3)."""

from __future__ import annotations

from random import Random
from typing import Any

from hub.demo.dirt import Scribe
from hub.demo.files import Rows, Sheet, texts
from hub.demo.people import Household
from hub.demo.village import Village

SHEETS = (
    Sheet(
        "v_dbhz",
        texts("dbzh hzxm hzsfzh xzqhdm bzrk bzje ffny zt"),
        (("dbzh",),),
    ),
    Sheet("v_dbcy", texts("dbzh xm sfzh ysqrgx"), (("sfzh",), ("dbzh",))),
    Sheet("v_tk", texts("tkzh xm sfzh gyfs zlnl"), (("sfzh",),)),
    Sheet(
        "v_lsjz",
        texts("jzbh xm sfzh jzlx jzje spsj"),
        (("sfzh",),),
    ),
    Sheet("v_hdbg", texts("hdbh xm sfzh hdjg hdrq"), (("sfzh",),)),
    Sheet("v_bz", texts("xm sfzh swrq"), (("sfzh",),)),
)

A_HEAD_AND_MONTH = 430  # yuan, around it each certificate's amount (invented)
TEMP_AID_SHARE = 0.006  # of persons a year
LATE_DEATHS_D = 20  # deaths arrive that late
TEMP_AID_YUAN = (500, 8_000)


def rows(village: Village, rng: Random) -> Rows:
    """A village's rows of all six views."""
    scribe = Scribe("mz_assist", rng, lower_x=True, blanks=True, apostrophe=True)
    found: dict[str, list[tuple[Any, ...]]] = {sheet.name: [] for sheet in SHEETS}
    for household in village.households:
        if household.min_living:
            _min_living(village, household, scribe, found)
    for household, person in village.persons():
        number = scribe.number(person, planted=household.planted)
        name = scribe.name(person, planted=household.planted)
        if person.extreme_poverty:
            found["v_tk"].append((f"TK{person.serial}", name, number, *_support(rng)))
        if not household.planted and rng.random() < TEMP_AID_SHARE:
            found["v_lsjz"].append(_temp_aid(village, rng, person.serial, name, number))
        if person.dead_on and (village.as_of - person.dead_on).days > LATE_DEATHS_D:
            found["v_bz"].append((name, number, f"{person.dead_on:%Y%m%d}"))
    return found


def _min_living(
    village: Village,
    household: Household,
    scribe: Scribe,
    found: dict[str, list[tuple[Any, ...]]],
) -> None:
    rng, aid = scribe.rng, household.min_living
    assert aid is not None  # noqa: S101  the caller looked
    card, head = f"DB{household.no}", household.members[0]
    number = scribe.number(head, planted=household.planted)
    amount = len(household.members) * round(A_HEAD_AND_MONTH * (0.7 + 0.6 * rng.random()))
    found["v_dbhz"].append(
        (
            card,
            scribe.name(head, planted=household.planted),
            number,
            village.civil_code,
            str(len(household.members)),
            f"{amount}.00",
            village.month(aid.months_ago),
            aid.state,
        )
    )
    for person in household.members:
        found["v_dbcy"].append(
            (
                card,
                scribe.name(person, planted=household.planted),
                scribe.number(person, planted=household.planted),
                "本人" if person is head else person.relation,
            )
        )
    checked = village.compact(30 + int(rng.random() * 300))
    report = (f"HD{household.no}", head.name, number, "符合", checked)
    found["v_hdbg"].append(report)


def _support(rng: Random) -> tuple[str, str]:
    mode = "集中" if rng.random() < 0.2 else "分散"
    return mode, rng.choices(("全自理", "半护理", "全护理"), (70, 20, 10))[0]


def _temp_aid(
    village: Village, rng: Random, serial: str, name: str, number: str | None
) -> tuple[Any, ...]:
    kind = "急难型" if rng.random() < 0.4 else "支出型"
    low, high = TEMP_AID_YUAN
    yuan = 100 * int((low + (high - low) * rng.random()) / 100)
    return (
        f"LS{serial}",
        name,
        number,
        kind,
        f"{yuan}.00",
        village.compact(int(rng.random() * 365)),
    )
