"""医保 ``yb_settle``: amounts as texts, refunds negative, lower-case x (served over HTTP)."""

from __future__ import annotations

from random import Random
from typing import Any

from hub.demo.dirt import Scribe
from hub.demo.files import Rows, Sheet, texts
from hub.demo.people import Stay
from hub.demo.village import Village

COUNTY = "532622"
_AMOUNTS = (
    "medfee_sumamt fulamt_ownpay_amt overlmt_selfpay preselfpay_amt inscp_scp_amt hifp_pay "
    "hifmi_pay maf_pay fund_pay_sumamt psn_part_amt"
)
_ENROLMENT = "psn_no psn_name certno psn_cert_type insutype insu_admdvs year paid_date state"
_SETTLEMENT = (
    "setl_id mdtrt_id psn_no psn_name certno setl_time med_type hospital offsite refund " + _AMOUNTS
)
SHEETS = (
    Sheet("enrolment", texts(_ENROLMENT), (("certno",),)),
    Sheet("settlement", texts(_SETTLEMENT), (("certno",),)),
)

REFUNDED = 0.01  # of settlements are refunded: the same amounts, negative
PAUSED = 0.01  # of enrolments
OUT_OF_SCOPE, OVER_LIMIT = 0.12, 0.05  # of the in-scope self-pay, on top of it
LATE_OFFSITE_D = 30  # off-site settlements come that late: younger ones are not there yet
HOSPITALS = ("砚山县人民医院", "砚山县中医医院", "文山州人民医院")
OFFSITE_HOSPITALS = ("昆明市延安医院", "广西右江民族医学院附属医院")


def rows(village: Village, rng: Random) -> Rows:
    """A village's enrolments of the year and settlements of the last twelve months."""
    scribe = Scribe("yb_settle", rng, lower_x=True, blanks=True)
    enrolments: list[tuple[Any, ...]] = []
    settlements: list[tuple[Any, ...]] = []
    for household, person in village.persons():
        number = scribe.number(person, planted=household.planted)
        name = scribe.name(person, planted=household.planted)
        who = (f"P{person.serial.replace('-', '')}", name, number)
        if person.insured:
            paid, state = _payment(village, rng, planted=household.planted)
            year = str(village.as_of.year)
            enrolments.append((*who, "01", person.insured, COUNTY, year, paid, state))
        for index, stay in enumerate(person.stays):
            if not stay.offsite or household.planted or stay.days_ago >= LATE_OFFSITE_D:
                settlements += _settlement(village, rng, who, index, stay, household.planted)
    return {"enrolment": enrolments, "settlement": settlements}


def _payment(village: Village, rng: Random, *, planted: bool) -> tuple[str, str]:
    # Residents pay for the coming year from September on.
    day = f"{village.as_of.year - 1}{9 + int(rng.random() * 4):02d}{1 + int(rng.random() * 28):02d}"
    return day, "2" if not planted and rng.random() < PAUSED else "1"


def _settlement(
    village: Village,
    rng: Random,
    who: tuple[str, str, str | None],
    index: int,
    stay: Stay,
    planted: bool,
) -> list[tuple[Any, ...]]:
    hospital = rng.choice(OFFSITE_HOSPITALS if stay.offsite else HOSPITALS)
    seconds = int(rng.random() * 28_800)
    clock = f"{9 + seconds // 3600:02d}:{seconds // 60 % 60:02d}:{seconds % 60:02d}"
    time = f"{village.day(stay.days_ago).isoformat()} {clock}"
    amounts = _amounts(rng, stay.self_pay)
    serial = f"{who[0]}{index}"
    tail = (time, "21", hospital, "1" if stay.offsite else "0")
    found = [(f"S{serial}", f"M{serial}", *who, *tail, "0", *map(_yuan, amounts))]
    if not planted and rng.random() < REFUNDED:
        back = [-fen for fen in amounts]
        found.append((f"R{serial}", f"M{serial}", *who, *tail, "1", *map(_yuan, back)))
    return found


def _amounts(rng: Random, self_pay: int) -> list[int]:
    # psn_part_amt − fulamt_ownpay_amt − overlmt_selfpay is the in-scope self-pay.
    own, over = round(self_pay * OUT_OF_SCOPE), round(self_pay * OVER_LIMIT)
    before = round(self_pay * 0.1)
    part = self_pay + own + over
    fund = round(self_pay * (1.2 + rng.random()))
    aid = round(fund * 0.05)
    serious = round(fund * 0.1)
    in_scope = part - own - over + fund
    return [
        part + fund,
        own,
        over,
        before,
        in_scope,
        fund - serious - aid,
        serious,
        aid,
        fund,
        part,
    ]


def _yuan(fen: int) -> str:
    sign, value = "-" if fen < 0 else "", abs(fen)
    return f"{sign}{value // 100}.{value % 100:02d}"
