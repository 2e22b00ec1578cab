"""Twelve months of cases, events and supervision orders of one village.

A case is a sequence of states (only moves of ``domain/case.py``) laid on working time: each
node takes part of its limit, save for one node of an overdue case. What lies after the as-of
date has not happened. Shares: 领域设计 2.7, invented; limits: 1.5, defaults of this product.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from itertools import pairwise
from math import cos, pi
from random import Random
from typing import Any

from catalog.items import FlowKind, ServiceItem
from domain.case import CaseState as S
from domain.case import path
from hub.demo.files import Sheet, mixed
from hub.demo.places import POPULATION
from hub.demo.register import Entry, opaque_id
from hub.demo.village import Village
from hub.demo.worktime import local, moment, worktime

YEARLY = 10_800  # cases at full scale: 900 a month
SEASON = 0.25  # more in winter, fewer in summer
BLACK_LIST = ("532622201", "532622202")  # the two worst townships
OVERDUE_THERE, OVERDUE_ALL = 0.14, 0.065
DRAWN_MORE = 1.08  # of the late are open or withdrawn before any node could be late
PAST_SEVEN_DAYS = 0.17  # of the overdue cases: 1.1 % of all
COMPLAINTS = 0.009
ORDER_IF_OVERDUE, ORDER_OTHERWISE = 0.27, 0.0048  # gives 2.2 % of cases
URGENT = 0.4  # of 临时救助
TRANSFERRED, OBJECTED, FOLLOWED_UP = 0.03, 0.02, 0.7
COUNTY_POST = "532622"

ITEM_MIX = {
    "TEMP_AID": 26,
    "MIN_LIVING": 21,
    "JOB_SEEKING": 9,
    "OFFSITE_REIMBURSEMENT": 8,
    "TRAINING_SEEKING": 6,
    "CHRONIC_CARE": 6,
    "INSURANCE_ENROLMENT": 5,
    "SERIOUS_ILLNESS_AID": 5,
    "HOUSE_RENOVATION": 4,
    "APPOINTMENT": 2.5,
    "EXTREME_POVERTY": 2,
    "WATER_SAFETY": 2,
    "SERIOUS_ILLNESS_TREATMENT": 1.6,
    "MEDICATION_SERVICE": 1,
    "DROPOUT_PREVENTION": 0.5,
}  # per cent; HOSPITAL_LOOKUP is a query and opens no case
CHANNELS = {"SELF_RAISED": 54, "PROXY_RAISED": 29, "GOV_LIFTED": 17}
APPROVED, REFUSED, RETURNED, WITHDRAWN = "approved", "refused", "returned", "withdrawn"
OUTCOMES = {APPROVED: 61, REFUSED: 24, RETURNED: 10, WITHDRAWN: 5}

# Working days from the state before to this one.
COMMON_LIMITS = {
    S.ACCEPTED: 1.0,
    S.RETURNED: 1.0,
    S.NOT_ACCEPTED: 1.0,
    S.TRANSFERRED: 0.5,
    S.ROUTED: 0.5,
    S.VERIFYING: 1.0,
    S.SUSPENDED: 3.0,
    S.WITHDRAWN: 2.0,
}
LIMITS: Mapping[FlowKind, Mapping[S, float]] = {
    FlowKind.F1: {
        S.DELIBERATING: 3.0,
        S.NOTICING: 5.0,
        S.TOWNSHIP_REVIEWED: 7.0,  # seven days of notice, then two for the review
        S.APPROVING: 1.0,
        S.APPROVED: 10.0,
        S.DENIED: 10.0,
        S.DELIVERING: 1.0,
        S.CLOSED: 15.0,
        S.FOLLOWED_UP: 22.0,
    },
    FlowKind.F1_URGENT: {
        S.ACCEPTED: 0.25,
        S.VERIFYING: 0.5,
        S.APPROVING: 1.0,
        S.DENIED: 1.0,
        S.DELIVERING: 1.0,
        S.CLOSED: 3.0,
        S.FOLLOWED_UP: 7.0,
    },
    FlowKind.F2: {S.DELIVERING: 3.0, S.CLOSED: 5.0, S.FOLLOWED_UP: 5.0},
    FlowKind.F3: {S.DELIVERING: 1.0, S.CLOSED: 5.0, S.FOLLOWED_UP: 22.0},
    FlowKind.F4: {
        S.APPROVING: 2.0,
        S.DENIED: 3.0,
        S.DELIVERING: 3.0,
        S.CLOSED: 20.0,
        S.FOLLOWED_UP: 7.0,
    },
    FlowKind.F5: {},
}
NOTICE_DAYS = 5.0  # seven natural days are five working days: nobody may shorten them
ENDS = (S.CLOSED, S.NOT_ACCEPTED, S.WITHDRAWN)

PLACE = "applicant_uid household_id region_path handling_dept"
_CASE = (
    f"id case_no item flow state channel intake applicant_id {PLACE} "
    "filed_at due_at closed_at overdue has_complaint body decision"
)
_EVENT = f"id case_id seq state at post overdue {PLACE}"
_NUMBERS = ("overdue", "has_complaint", "seq")


CASE = Sheet("case_file", mixed(_CASE, *_NUMBERS))
EVENT = Sheet("case_event", mixed(_EVENT, *_NUMBERS))


@dataclass(frozen=True, slots=True)
class Wish:
    """What a case shall be like; the rest is drawn."""

    item: str
    flow: FlowKind
    outcome: str
    filed_at: datetime
    overdue: bool
    long_overdue: bool
    complaint: bool
    channel: str
    intake: str
    order: bool
    number: str
    illness: str


@dataclass(frozen=True, slots=True)
class Step:
    """One event to come: state reached, when, and whether its node was late."""

    state: S
    at: datetime
    late: bool


@dataclass(frozen=True, slots=True)
class Case:
    """A case as it stands on the as-of date, with its rows' values."""

    id: str
    wish: Wish
    entry: Entry
    steps: tuple[Step, ...]
    due_at: datetime
    overdue_at: datetime | None
    village: Village
    dept: str

    @property
    def state(self) -> S:
        """The last state reached."""
        return self.steps[-1].state

    @property
    def closed_at(self) -> datetime | None:
        """When it ended, if it did."""
        ended = [step.at for step in self.steps if step.state in ENDS]
        return ended[-1] if ended else None

    def row(self) -> tuple[Any, ...]:
        """A row of `case_file`."""
        wish, closed = self.wish, self.closed_at
        return (
            self.id,
            wish.number,
            wish.item,
            wish.flow,
            self.state,
            wish.channel,
            wish.intake,
            self.entry.citizen,
            self.entry.uid,
            self.entry.household,
            self.village.place.path,
            self.dept,
            stamp(wish.filed_at),
            stamp(self.due_at),
            stamp(closed) if closed else None,
            int(self.overdue_at is not None),
            int(wish.complaint),
            f"因{wish.illness}致生活困难，申请办理{BODIES[wish.item]}，请予核实。",
            decision(self),
        )

    def event_rows(self, seed: int) -> list[tuple[Any, ...]]:
        """Rows of `case_event`."""
        return [
            (
                opaque_id(seed, "event", f"{self.wish.number}/{seq}"),
                self.id,
                seq,
                step.state,
                stamp(step.at),
                self._post(step.state),
                int(step.late),
                self.entry.uid,
                self.entry.household,
                self.village.place.path,
                self.dept,
            )
            for seq, step in enumerate(self.steps, start=1)
        ]

    def _post(self, state: S) -> str:
        if state is S.SUBMITTED:
            return {
                "SELF_RAISED": "portal",
                "PROXY_RAISED": f"rev/village/{self.village.place.path}",
                "GOV_LIFTED": f"rev/office/{COUNTY_POST}",
            }[self.wish.channel]
        if state is S.ROUTED:
            return "system"
        if state in _COUNTY_STATES:
            return f"{self.dept}/dept/{COUNTY_POST}"
        if state in (S.FOLLOWED_UP, S.WITHDRAWN):
            return f"rev/village/{self.village.place.path}"
        return f"rev/town/{self.village.place.township}"


_COUNTY_STATES = (S.APPROVING, S.APPROVED, S.DENIED, S.DELIVERING, S.CLOSED)

BODIES = {
    "TEMP_AID": "临时救助",
    "MIN_LIVING": "最低生活保障",
    "JOB_SEEKING": "就业岗位推荐",
    "OFFSITE_REIMBURSEMENT": "异地就医报销",
    "TRAINING_SEEKING": "技能培训",
    "CHRONIC_CARE": "慢病健康管理",
    "INSURANCE_ENROLMENT": "医保参保登记",
    "SERIOUS_ILLNESS_AID": "大病救助",
    "HOUSE_RENOVATION": "农村危房改造",
    "APPOINTMENT": "看病预约",
    "EXTREME_POVERTY": "特困供养",
    "WATER_SAFETY": "饮水安全保障",
    "SERIOUS_ILLNESS_TREATMENT": "大病专项救治",
    "MEDICATION_SERVICE": "用药服务",
    "DROPOUT_PREVENTION": "子女返校就学帮助",
}
ILLNESSES = ("患病支出较大", "家庭缺少劳动力", "务工收入减少", "自然灾害受损", "子女就学负担")


def decision(case: Case) -> str | None:
    """The conclusion's text, None before there is one."""
    seen = {step.state for step in case.steps}
    if S.DENIED in seen or S.NOT_ACCEPTED in seen:
        return "经核实不符合条件，已书面告知理由。"
    if S.APPROVED in seen or (S.DELIVERING in seen and S.APPROVING in seen):
        return "经审核同意，按规定落实。"
    return "已落实服务。" if S.CLOSED in seen else None


def stamp(at: datetime) -> str:
    """A UTC instant as SQLAlchemy's DateTime writes it to SQLite."""
    return f"{at:%Y-%m-%d %H:%M:%S.%f}"


def village_wishes(
    village: Village, scale: float, rng: Random, items: Mapping[str, ServiceItem]
) -> list[Wish]:
    """The cases a village files in the twelve months before the as-of date."""
    people = 1_000 * scale * sum(POPULATION.values())
    expected = YEARLY * scale * village.place.people / people
    count = int(expected + rng.random())
    late = DRAWN_MORE * overdue_share(village.place.township)
    return [_wish(village, rng, number, late, items) for number in range(1, count + 1)]


def overdue_share(township: str) -> float:
    """The share of overdue cases: 14 % in two townships, 6.5 % over the whole county."""
    if township in BLACK_LIST:
        return OVERDUE_THERE
    whole = sum(POPULATION.values())
    black = sum(POPULATION[path] for path in BLACK_LIST) / whole
    return (OVERDUE_ALL - black * OVERDUE_THERE) / (1 - black)


def _wish(
    village: Village, rng: Random, number: int, late: float, items: Mapping[str, ServiceItem]
) -> Wish:
    item = rng.choices(list(ITEM_MIX), list(ITEM_MIX.values()))[0]
    flow = items[item].flow
    if items[item].urgent and rng.random() < URGENT:
        flow = FlowKind.F1_URGENT
    channel = rng.choices(list(CHANNELS), list(CHANNELS.values()))[0]
    intake = _intake(rng, channel)
    filed_at = _filed_at(village, rng, intake)
    overdue = rng.random() < late
    return Wish(
        item=item,
        flow=flow,
        outcome=rng.choices(list(OUTCOMES), list(OUTCOMES.values()))[0],
        filed_at=filed_at,
        overdue=overdue,
        long_overdue=overdue and rng.random() < PAST_SEVEN_DAYS,
        complaint=rng.random() < COMPLAINTS,
        channel=channel,
        intake=intake,
        order=rng.random() < (ORDER_IF_OVERDUE if overdue else ORDER_OTHERWISE),
        number=f"SQ{village.place.path[6:]}{number:05d}",
        illness=rng.choice(ILLNESSES),
    )


def _intake(rng: Random, channel: str) -> str:
    if channel == "GOV_LIFTED":
        return "HOME_VISIT"
    if channel == "PROXY_RAISED":
        return "HOME_VISIT" if rng.random() < 0.6 else "OFFLINE_COUNTER"
    return "ONLINE" if rng.random() < 0.6 else "OFFLINE_COUNTER"


def _filed_at(village: Village, rng: Random, intake: str) -> datetime:
    while True:
        day = village.day(1 + int(rng.random() * 365))
        if intake != "ONLINE" and day.isoweekday() > 5:
            continue
        if rng.random() * (1 + SEASON) < 1 + SEASON * cos(2 * pi * (day.month - 1) / 12):
            break
    opens, hours = (7, 14) if intake == "ONLINE" else (9, 7.5)
    return local(day, opens + hours * rng.random())


def states(wish: Wish, rng: Random) -> list[S]:
    """The states a case goes through, if it had all the time it needs."""
    main = list(path(wish.flow))
    if wish.outcome == RETURNED:
        return [S.SUBMITTED, S.ROUTED, S.RETURNED]
    if wish.outcome == WITHDRAWN:
        decided = main.index(S.APPROVED if S.APPROVED in main else S.DELIVERING)
        return [*main[: 1 + int(rng.random() * decided)], S.WITHDRAWN]
    if wish.outcome == REFUSED and S.APPROVING not in main:
        return [S.SUBMITTED, S.ROUTED, S.NOT_ACCEPTED]
    if rng.random() < TRANSFERRED:
        main[2:2] = [S.TRANSFERRED, S.ROUTED]
    if S.NOTICING in main and rng.random() < OBJECTED:
        notice = main.index(S.NOTICING) + 1
        again = main[main.index(S.VERIFYING) : notice]
        main[notice:notice] = [S.SUSPENDED, *again]
    if wish.outcome == REFUSED:
        return [*main[: main.index(S.APPROVING) + 1], S.DENIED, S.CLOSED]
    return main if rng.random() < FOLLOWED_UP else main[:-1]


def build_case(
    wish: Wish, entry: Entry, village: Village, dept: str, rng: Random, seed: int
) -> Case:
    """The case as far as it has come on the as-of date."""
    all_steps, due_at, overdue_at = _schedule(wish, rng)
    now = local(village.as_of, 0)
    happened = tuple(step for step in all_steps if step.at < now)
    noticed = overdue_at if overdue_at and overdue_at < now else None
    return Case(
        opaque_id(seed, "case", wish.number),
        replace(wish, order=wish.order and (noticed is not None or not wish.overdue)),
        entry,
        happened,
        due_at,
        noticed,
        village,
        dept,
    )


def _schedule(wish: Wish, rng: Random) -> tuple[list[Step], datetime, datetime | None]:
    sequence = states(wish, rng)
    late = _late_step(sequence, rng) if wish.overdue else None
    at = worktime(wish.filed_at)
    steps = [
        Step(S.SUBMITTED, wish.filed_at, False),
        Step(S.ROUTED, wish.filed_at + timedelta(seconds=3 + int(rng.random() * 50)), False),
    ][: len(sequence)]
    if sequence[1] is not S.ROUTED:
        steps = steps[:1]
    overdue_at = None
    for index, (before, state) in enumerate(pairwise(sequence), start=1):
        if index < len(steps):
            continue
        limit = limit_of(wish.flow, state)
        if index == late:
            overdue_at = moment(at + limit)
        at += _days(rng, before, limit, late=index == late, long=wish.long_overdue)
        steps.append(Step(state, moment(at), index == late))
    total = max(_limits(wish.flow, path(wish.flow)), _limits(wish.flow, sequence))
    return steps, moment(worktime(wish.filed_at) + total), overdue_at


def _limits(flow: FlowKind, sequence: Sequence[S]) -> float:
    # A transfer or an objection has its own days; following up is after the end.
    return sum(limit_of(flow, state) for state in sequence[2:] if state is not S.FOLLOWED_UP)


def _late_step(sequence: Sequence[S], rng: Random) -> int | None:
    # Routing is automatic and a notice has a fixed length; neither is anybody's delay.
    fixed = (S.NOTICING, S.SUBMITTED)
    late = [
        i
        for i, s in enumerate(sequence)
        if i > 1 and sequence[i - 1] not in fixed and s != "WITHDRAWN"
    ]
    return rng.choice(late) if late else None


def limit_of(flow: FlowKind, state: S) -> float:
    """Working days a node of this flow may take until `state` is reached."""
    own = LIMITS[flow]
    return own[state] if state in own else COMMON_LIMITS[state]


def _days(rng: Random, before: S, limit: float, *, late: bool, long: bool) -> float:
    if late:
        return limit + (5.5 + 15 * rng.random() if long else 0.1 + 3 * rng.random())
    floor = NOTICE_DAYS if before is S.NOTICING and limit > NOTICE_DAYS else 0.0
    return floor + (limit - floor) * (0.3 + 0.6 * rng.random())
