"""随机抽查与整改: a sample nobody chooses, each of its cases checked and put right (第十五条).

    drawSpotCheck           the office: a seed, a size, a month; the sample is `domain`'s
    checkSpotCheckItem      in order or not, with what was found
    orderRectification      what is to be put right, within the procedure's limit
    rectifySpotCheckItem    the handler: root cause and measure
    closeSpotCheckItem      销号

A draw is kept with its population for ever: whoever tries several seeds leaves several draws.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from typing import Any

from catalog.divisions import COUNTY
from catalog.errors import BadUserInput, NotFound
from catalog.procedures import Procedure, Step
from catalog.workdays import ZONE
from domain.case import CaseState
from domain.machine import Fact, Why
from domain.machine import Refused as Not
from domain.spot_check import MACHINE, SpotCheckAct, SpotCheckState, digest, draw, lot, roll
from resolvers.commands.command import (
    Deed,
    Desk,
    Input,
    Refused,
    area,
    department,
    lies,
    new_id,
    not_from_here,
    numbered,
    same_version,
    stamps_of,
    text,
)
from resolvers.commands.timing import owed
from resolvers.deed import Done, Told
from store.spot_checks import (
    ClosedCase,
    ItemRow,
    add_spot_check,
    change_item,
    closed_cases,
    item_to_change,
)

S, A = SpotCheckState, SpotCheckAct
NUMBERED = "CC{}-{:06d}"  # 抽查编号: year and number within it
ITEM = "{}-{:03d}"  # 抽查编号 and place in the sample
SIZES = range(1, 201)
"""Sizes of a sample: what is read at one sitting, and three digits number it."""
SEED = 200  # characters
CHECKED_STATES = (CaseState.CLOSED, CaseState.FOLLOWED_UP)
"""Cases that were handled to their end; who withdrew or was not accepted is not among them."""
OFFICE = "rev"
_MONTH = re.compile(r"\d{4}-(0[1-9]|1[0-2])\Z", re.ASCII)


# ---- drawing -----------------------------------------------------------------------------------


async def draw_check(desk: Desk, given: Input) -> tuple[Done, Told]:
    """Draw a sample of the cases closed in a month. Refused if there are none."""
    desk.demand("SpotCheck.drawing", COUNTY, OFFICE)
    seed, size = _seed(given), given["size"]
    if size not in SIZES:
        raise BadUserInput(f"请抽取 {SIZES[0]} 到 {SIZES[-1]} 件", reason="VARIABLE")
    since, until = _month(desk, given["month"])
    place, whose = given.get("division"), given.get("department")
    path = None if place is None else area(desk, place)
    dept = None if whose is None else department(desk, whose)
    cases = await closed_cases(desk.connection, since, until, CHECKED_STATES, dept, path)
    by_number = {case.case_no: case for case in cases}
    if not by_number:
        raise Refused("NothingToDraw", message="此范围当月没有办结的诉求件")
    sample = draw(seed, by_number, size)
    number, key = await numbered(desk.connection, desk.now, "spot_check", NUMBERED), new_id()
    check = {
        "id": key,
        "check_no": number,
        "month": given["month"],
        "department": dept,
        "area_path": path,
        "seed": seed,
        "size": size,
        "population": roll(by_number),
        "population_size": len(by_number),
        "population_digest": digest(by_number),
        "drawn_at": desk.now,
        "post": desk.post,
        "region_path": COUNTY,
    }
    items = [
        _item(desk, key, ITEM.format(number, seq), seq, seed, by_number[case_no])
        for seq, case_no in enumerate(sample, 1)
    ]
    await add_spot_check(desk.connection, check, items)
    told = Told("", number, COUNTY, "", S.DRAWN, ("state",))
    return Done("SpotCheckDrawn", {"spotCheck": key}), told


def _seed(given: Input) -> str:
    seed = text(given, "seed", "种子")
    if "\n" in seed or "\r" in seed or len(seed) > SEED:
        raise BadUserInput(f"种子为一行文字，最多 {SEED} 字", reason="VARIABLE")
    return seed


def _month(desk: Desk, month: str) -> tuple[datetime, datetime]:
    """From its first moment to before the next month's, in Shanghai. BadUserInput."""
    if not _MONTH.match(month) or month > f"{desk.now.astimezone(ZONE):%Y-%m}":
        raise BadUserInput("请写明月份，如 2026-10；不能是将来的月份", reason="VARIABLE")
    year, number = int(month[:4]), int(month[5:])
    if not year:
        raise BadUserInput("请写明月份，如 2026-10", reason="VARIABLE")
    after = (year + 1, 1) if number == 12 else (year, number + 1)
    return datetime(year, number, 1, tzinfo=ZONE), datetime(*after, 1, tzinfo=ZONE)


def _item(
    desk: Desk, check: str, number: str, seq: int, seed: str, case: ClosedCase
) -> dict[str, Any]:
    return {
        "id": new_id(),
        "item_no": number,
        "spot_check_id": check,
        "case_id": case.id,
        "seq": seq,
        "lot": lot(seed, case.case_no),
        "version": 1,
        "state": S.DRAWN,
        "drawn_at": desk.now,
        "due_confirmed": True,
        "overdue": False,
        **lies(case),
    }


# ---- checking ----------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Turn:
    """One act on an item: the object to be written; its texts by column, with their titles.

    `facts`: what the act needs and is always given with this mutation. `stamp`: its column.
    """

    act: SpotCheckAct
    object: str
    texts: Mapping[str, tuple[str, str]]
    facts: tuple[Fact, ...] = ()
    stamp: str | None = None


TURNS: Mapping[str, Turn] = {
    "checkSpotCheckItem": Turn(
        A.CHECK,
        "SpotCheckItem.checking",
        {"finding": ("finding", "检查情况")},
        (Fact.FINDING,),
        "checked_at",
    ),
    "orderRectification": Turn(
        A.ORDER_RECTIFICATION,
        "SpotCheckItem.checking",
        {"demand": ("reason", "整改要求")},
        (Fact.REASON, Fact.DEADLINE),
    ),
    "rectifySpotCheckItem": Turn(
        A.RECTIFY,
        "SpotCheckItem.rectifying",
        {"root_cause": ("rootCause", "问题根源"), "measure": ("measure", "整改措施")},
        (Fact.ROOT_CAUSE, Fact.MEASURE),
        "rectified_at",
    ),
    "closeSpotCheckItem": Turn(A.CLOSE, "SpotCheckItem.closing", {}, stamp="closed_at"),
}
"""Mutation -> its act."""


async def turn(what: Turn, desk: Desk, given: Input) -> tuple[Done, Told]:
    """One act on an item: NotFound, Forbidden, Conflict VERSION or STATE, Refused."""
    row = await _seen_item(desk, given["itemNo"])
    desk.demand(what.object, row.region_path, row.handling_dept)
    same_version(given, row.version)
    after = _after(row, what)
    values: dict[str, Any] = {"state": after}
    values |= {column: text(given, *said) for column, said in what.texts.items()}
    if what.stamp is not None:
        values[what.stamp] = desk.now
    if what.act is A.CHECK:
        values["in_order"] = given["inOrder"]
    if what.act is A.ORDER_RECTIFICATION:
        due = owed(desk, Procedure.SPOT_CHECK, Step.RECTIFY)
        values |= {"due_at": due.at, "due_confirmed": due.confirmed}
    if what.act is A.RECTIFY and row.due_at is not None and row.due_at <= desk.now:
        values["overdue"] = True
    await change_item(desk.connection, row, values)
    told = Told(
        *("", row.item_no, row.region_path, row.state, after),
        changed=tuple(values),
        subject=row.applicant_uid,
    )
    return Done("SpotCheckItemChanged", {"item": row.id}), told


async def _seen_item(desk: Desk, number: str) -> ItemRow:
    """The item, locked; NotFound for none and for one that he may not read alike."""
    row = await item_to_change(desk.connection, number)
    if row is None or not desk.sees(
        "spot_check_item", row.region_path, row.handling_dept, row.household_id
    ):
        raise NotFound("没有此抽查件：请核对编号")
    return row


def _after(row: ItemRow, what: Turn) -> SpotCheckState:
    """Where the act leads. Conflict STATE; Refused for closing what is not put right."""
    state = S(row.state)
    given = {*what.facts, *((Fact.IN_ORDER,) if row.in_order else ())}
    step = MACHINE.take(state, what.act, given, stamps_of(row, [Fact.RECTIFIED_AT]))
    pointless = what.act is A.ORDER_RECTIFICATION and row.in_order  # nothing is to be put right
    if not isinstance(step, Not) and not pointless:
        return step.after
    if isinstance(step, Not) and step.why is Why.FACTS_MISSING:
        raise Refused("NotRectified", message="检查发现问题，须责令整改并整改完成后方可销号")
    allowed = [one for one in MACHINE.open_to(state) if not pointless or one is not what.act]
    raise not_from_here(state, allowed)


SPOT_CHECK_COMMANDS: Mapping[str, Deed] = {
    "drawSpotCheck": draw_check,
    **{name: partial(turn, what) for name, what in TURNS.items()},
}
