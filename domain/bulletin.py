"""月通报: a month's figures as they were known when they were frozen (第十五条).

    rows ──facts──► inputs ──document──► the bulletin          document(inputs) again: replay

`facts` cuts rows of the store down to what a month's figures need: one line of JSON a case, an
order, a township's register. These lines are kept with the bulletin and are all that `document`
reads, so a bulletin can be made again, byte for byte, after every row behind it has changed.
No line speaks of a person: an opaque key, where, whose, what for, and when.

What becomes known later never enters a frozen bulletin. The month made again from the rows of a
later day differs by its `adjustments`, which are listed beside it (领域设计 1.1, principle 7).

Months are Beijing's; whatever happened after the month's end is not in its lines, so that freezing
a day later counts the same. Sums are whole numbers, shares and means are exact fractions until
they are written.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta, timezone
from decimal import Decimal
from fractions import Fraction
from itertools import chain
from typing import Any

from catalog.bulletin import KINDS, Edition, Figure, GroupKind, Unit, edition_of, plain

BEIJING = timezone(timedelta(hours=8))
COUNTY_PATH = "532622"
COUNTY = "532622000000"
FORMAT = 1
_MONTH = re.compile(r"20\d{2}-(0[1-9]|1[0-2])\Z", re.ASCII)
DAY_S = 86_400
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)

NO_REGISTER = "NO_REGISTER"
"""What the figure is made from is not registered by the hub."""
NO_CASES = "NO_CASES"
"""Nothing to take a share or a mean of."""
NOT_BY_GROUP = "NOT_BY_GROUP"
"""The figure is not told for this kind of group."""

CASE, ORDER, REGISTER, APPEAL, SURVEY = KINDS
"""Kinds of line that `facts` writes; a bulletin names those it was made from."""

Group = tuple[GroupKind, str]


@dataclass(frozen=True, slots=True)
class CaseRow:
    """诉求件: an opaque `id`, where it was filed, who handles it, what for and when."""

    id: str
    region_path: str
    dept: str
    item: str
    filed_at: datetime
    closed_at: datetime | None
    complaint: bool


@dataclass(frozen=True, slots=True)
class EventRow:
    """办件事件: the state a case reached, when, by which post, and whether its node was late."""

    case_id: str
    state: str
    at: datetime
    post: str
    overdue: bool


@dataclass(frozen=True, slots=True)
class OrderRow:
    """督办单 with the item of its case."""

    id: str
    region_path: str
    dept: str
    item: str
    due_at: datetime
    closed_at: datetime | None


@dataclass(frozen=True, slots=True)
class AppealRow:
    """申诉, with where, whose and what for its case is."""

    id: str
    region_path: str
    dept: str
    item: str
    received_at: datetime


@dataclass(frozen=True, slots=True)
class SurveyRow:
    """回访: how content a citizen said he is, 1 to 5, and of which case."""

    id: str
    region_path: str
    dept: str
    item: str
    at: datetime
    score: int


@dataclass(frozen=True, slots=True)
class RegisterRow:
    """底册 of one place: rows, and how many of them have a quality code."""

    region_path: str
    rows: int
    faulty: int


@dataclass(frozen=True, slots=True)
class Rows:
    """What the store holds, in any order; rows of other months do no harm."""

    cases: Iterable[CaseRow]
    events: Iterable[EventRow]
    orders: Iterable[OrderRow]
    register: Iterable[RegisterRow]
    appeals: Iterable[AppealRow] = ()
    surveys: Iterable[SurveyRow] = ()


@dataclass(frozen=True, slots=True)
class Groups:
    """Who is told of even if nothing happened there: 12-digit codes, departments, items."""

    townships: tuple[str, ...] = ()
    departments: tuple[str, ...] = ()
    items: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Snapshot:
    """A bulletin: its one text, the lines it was made from, and their digests (hex)."""

    document: str
    inputs: tuple[str, ...]

    @property
    def sha256(self) -> str:
        """Of the document."""
        return digest(self.document)

    @property
    def inputs_sha256(self) -> str:
        """Of the lines, each with its end."""
        return digest_of(self.inputs)


@dataclass(frozen=True, slots=True)
class Adjustment:
    """A figure that is another one by what is known now; `difference` only between numbers."""

    kind: GroupKind
    code: str
    figure: str
    frozen: str | None
    now: str | None
    difference: str | None


def compute(
    rows: Rows, month: str, frozen_at: datetime, groups: Groups, edition: Edition
) -> Snapshot:
    """The bulletin of a month (``2026-10``) by the rows known at `frozen_at`. ValueError."""
    inputs = facts(rows, month, frozen_at, groups, edition)
    return Snapshot(document(inputs, edition), inputs)


def replay(inputs: Sequence[str], parameters: str) -> str:
    """The bulletin's text from the lines and the parameters kept with it.

    KeyError, TypeError, IndexError or ValueError for lines or parameters no bulletin has.
    """
    return document(inputs, edition_of(json.loads(parameters)))


def parameters(edition: Edition) -> str:
    """The edition as it is kept with a bulletin."""
    return canonical(plain(edition))


# ---- when -------------------------------------------------------------------------------------


def span(month: str) -> tuple[datetime, datetime]:
    """From (included) and until (not) when a month lasts in Beijing. ValueError."""
    if not _MONTH.match(month):
        raise ValueError("a month is written 2026-10")
    begins = datetime(int(month[:4]), int(month[5:]), 1, tzinfo=BEIJING)
    return begins, _next(begins)


def may_freeze_from(month: str, edition: Edition) -> datetime:
    """When a month may be frozen at the earliest: the edition's day of the month after."""
    return span(month)[1] + timedelta(days=edition.freeze_day - 1)


def first_day(month: str) -> date:
    """The day by which a month's edition is chosen."""
    return span(month)[0].date()


def _next(begins: datetime) -> datetime:
    year, month = divmod(begins.year * 12 + begins.month, 12)
    return begins.replace(year=year, month=month + 1)


# ---- what is kept -----------------------------------------------------------------------------


def facts(
    rows: Rows, month: str, frozen_at: datetime, groups: Groups, edition: Edition
) -> tuple[str, ...]:
    """The lines of a month, sorted by kind: a head, the groups, what the edition is made from."""
    begins, ends = (_seconds(at) for at in span(month))
    head = ["bulletin", FORMAT, month, frozen_at.astimezone(UTC).isoformat(), [*edition.made_from]]
    listed = ["groups", *(sorted(g) for g in (groups.townships, groups.departments, groups.items))]
    seen = _events(rows.events, ends, edition)
    cases = (_case_line(one, seen.get(one.id), begins, ends) for one in rows.cases)
    lines: Mapping[str, Iterable[str | None]] = {
        CASE: cases,
        ORDER: (_order_line(one, begins, ends) for one in rows.orders),
        REGISTER: _register_lines(rows.register),
        APPEAL: (_appeal_line(one, begins, ends) for one in rows.appeals),
        SURVEY: (_survey_line(one, begins, ends) for one in rows.surveys),
    }
    told = (sorted(line for line in lines[kind] if line) for kind in edition.made_from)
    return (canonical(head), canonical(listed), *chain.from_iterable(told))


@dataclass(slots=True)
class _Seen:
    """Of one case's events before the month's end."""

    contact: int | None = None
    at: list[tuple[int, bool]] = field(default_factory=list)


def _events(events: Iterable[EventRow], ends: int, edition: Edition) -> dict[str, _Seen]:
    found: dict[str, _Seen] = {}
    for event in events:
        at = _seconds(event.at)
        if at >= ends:
            continue
        seen = found.setdefault(event.case_id, _Seen())
        seen.at.append((at, event.overdue))
        by_hand = event.post not in edition.machine_posts
        if event.state not in edition.before_contact and by_hand:
            seen.contact = at if seen.contact is None else min(seen.contact, at)
    return found


def _case_line(case: CaseRow, seen: _Seen | None, begins: int, ends: int) -> str | None:
    """A case that was in hand in the month or had an event in it; else nothing is said of it."""
    filed = _seconds(case.filed_at)
    closed = None if case.closed_at is None else _seconds(case.closed_at)
    if closed is not None and closed >= ends:
        closed = None  # it was still open when the month ended
    within = [late for at, late in seen.at if at >= begins] if seen else []
    if filed >= ends or (closed is not None and closed < begins and not within):
        return None
    contact = seen.contact if seen else None
    where = [township(case.region_path), case.dept, case.item]
    when = [filed, closed, contact, bool(within), any(within), case.complaint]
    return canonical([CASE, case.id, *where, *when])


def _order_line(order: OrderRow, begins: int, ends: int) -> str | None:
    due = _seconds(order.due_at)
    if not begins <= due < ends:
        return None
    closed = None if order.closed_at is None else _seconds(order.closed_at)
    in_time = closed is not None and closed <= due
    where = [township(order.region_path), order.dept, order.item]
    return canonical([ORDER, order.id, *where, due, in_time])


def _appeal_line(appeal: AppealRow, begins: int, ends: int) -> str | None:
    received = _seconds(appeal.received_at)
    if not begins <= received < ends:
        return None
    where = [township(appeal.region_path), appeal.dept, appeal.item]
    return canonical([APPEAL, appeal.id, *where, received])


def _survey_line(survey: SurveyRow, begins: int, ends: int) -> str | None:
    at = _seconds(survey.at)
    if not begins <= at < ends:
        return None
    where = [township(survey.region_path), survey.dept, survey.item]
    return canonical([SURVEY, survey.id, *where, at, survey.score])


def _register_lines(register: Iterable[RegisterRow]) -> Iterator[str]:
    found: dict[str, list[int]] = {}
    for one in register:
        sums = found.setdefault(township(one.region_path), [0, 0])
        sums[0] += one.rows
        sums[1] += one.faulty
    for code, sums in sorted(found.items()):
        yield canonical([REGISTER, code, *sums])


def with_register_of(inputs: Sequence[str], frozen: Sequence[str]) -> tuple[str, ...]:
    """Lines made later, with the register as it was: a stock of that day has no later truth."""
    start = canonical([REGISTER])[:-1]
    kept = [line for line in inputs if not line.startswith(start)]
    return (*kept, *(line for line in frozen if line.startswith(start)))


def groups_of(inputs: Sequence[str]) -> Groups:
    """The groups a bulletin was made for."""
    _, townships, departments, items = json.loads(inputs[1])
    return Groups(tuple(townships), tuple(departments), tuple(items))


def township(path: str) -> str:
    """The 12-digit code of the township a place lies in (of the county for the county's own)."""
    return path[:9].ljust(12, "0")


# ---- what is told -----------------------------------------------------------------------------


@dataclass(slots=True)
class _Sums:
    """Whole numbers of one group, by figure; `seconds`: what a mean is taken of."""

    counts: dict[str, int] = field(default_factory=dict)
    seconds: dict[str, int] = field(default_factory=dict)

    def count(self, code: str, more: int = 1) -> None:
        self.counts[code] = self.counts.get(code, 0) + more

    def lasted(self, code: str, seconds: int) -> None:
        # Closed before it was filed: a row somebody will have to correct, no time won.
        self.seconds[code] = self.seconds.get(code, 0) + max(seconds, 0)


def document(inputs: Sequence[str], edition: Edition) -> str:
    """The bulletin's one text: canonical JSON of its head, edition, digest and figures."""
    lines = [json.loads(line) for line in inputs]
    _, number, month, frozen_at, kinds = lines[0]
    if number != FORMAT:
        raise ValueError("a bulletin of another format")
    begins, ends = (_seconds(at) for at in span(month))
    sums = _listed(groups_of(inputs))
    lines = lines[2:]
    for line in lines:
        for group in _groups(line):
            found = sums.setdefault(group, _Sums())
            if line[0] == SURVEY:
                _add_survey(found, line, edition.satisfied_from)
            else:
                _ADDED[line[0]](found, line, begins, ends)
    told = {
        "format": FORMAT,
        "month": month,
        "frozen_at": frozen_at,
        "edition": plain(edition),
        "inputs": {
            "sha256": digest_of(inputs),
            **{kind: sum(line[0] == kind for line in lines) for kind in kinds},
        },
        "groups": [_told(group, sums[group], edition, kinds) for group in _in_order(sums)],
    }
    return canonical(told)


def _listed(groups: Groups) -> dict[Group, _Sums]:
    named: list[Group] = [(GroupKind.COUNTY, COUNTY)]
    named += [(GroupKind.TOWNSHIP, code) for code in groups.townships]
    named += [(GroupKind.DEPARTMENT, code) for code in groups.departments]
    named += [(GroupKind.ITEM, code) for code in groups.items]
    return {group: _Sums() for group in named}


def _in_order(sums: Mapping[Group, _Sums]) -> list[Group]:
    kinds = list(GroupKind)
    return sorted(sums, key=lambda group: (kinds.index(group[0]), group[1]))


def _groups(line: Sequence[Any]) -> Iterator[Group]:
    yield GroupKind.COUNTY, COUNTY
    if line[0] == REGISTER:
        yield GroupKind.TOWNSHIP, line[1]
        return
    yield GroupKind.TOWNSHIP, line[2]
    yield GroupKind.DEPARTMENT, line[3]
    yield GroupKind.ITEM, line[4]


def _add_case(sums: _Sums, line: Sequence[Any], begins: int, ends: int) -> None:
    *_, filed, closed, contact, _worked, overdue, complaint = line
    sums.count("handled")
    if closed is None or closed >= begins:
        sums.count("in_hand")
    if overdue:
        sums.count("overdue")
    if begins <= filed < ends:
        sums.count("applications")
        sums.count("complaints", int(complaint))
    if closed is not None and begins <= closed < ends:
        sums.count("closed")
        sums.lasted("days_to_close", closed - filed)
    if contact is not None and begins <= contact < ends:
        sums.count("contacted")
        sums.lasted("days_to_contact", contact - filed)


def _add_order(sums: _Sums, line: Sequence[Any], _begins: int, _ends: int) -> None:
    sums.count("supervision_due")
    sums.count("supervision_in_time", int(line[-1]))


def _add_register(sums: _Sums, line: Sequence[Any], _begins: int, _ends: int) -> None:
    sums.count("register_rows", line[2])
    sums.count("dq_open", line[3])


def _add_appeal(sums: _Sums, _line: Sequence[Any], _begins: int, _ends: int) -> None:
    sums.count("appeals")


def _add_survey(sums: _Sums, line: Sequence[Any], satisfied_from: int | None) -> None:
    sums.count("surveys")
    if satisfied_from is not None:
        sums.count("satisfied", int(line[-1] >= satisfied_from))


_ADDED = {CASE: _add_case, ORDER: _add_order, REGISTER: _add_register, APPEAL: _add_appeal}


def _told(group: Group, sums: _Sums, edition: Edition, kinds: Sequence[str]) -> dict[str, Any]:
    figures: dict[str, str] = {}
    absent: dict[str, str] = {}
    for figure in edition.figures:
        value = _value(group[0], figure, sums, edition, kinds)
        if value in (NO_REGISTER, NO_CASES, NOT_BY_GROUP):
            absent[figure.code] = value
        else:
            figures[figure.code] = value
    return {"kind": group[0].value, "code": group[1], "figures": figures, "absent": absent}


def _value(
    kind: GroupKind, figure: Figure, sums: _Sums, edition: Edition, kinds: Sequence[str]
) -> str:
    """The figure as it is written, or why there is none."""
    if figure.needs not in kinds:
        return NO_REGISTER
    if figure.needs == REGISTER and kind not in (GroupKind.COUNTY, GroupKind.TOWNSHIP):
        return NOT_BY_GROUP
    if figure.unit is Unit.COUNT:
        return str(sums.counts.get(figure.code, 0))
    per = sums.counts.get(figure.per or "", 0)
    if not per:
        return NO_CASES
    if figure.unit is Unit.RATE:
        share = Fraction(sums.counts.get(figure.of or "", 0), per)
        return written(share, edition.rate_decimals)
    mean = Fraction(sums.seconds.get(figure.code, 0), per * DAY_S)
    return written(mean, edition.days_decimals)


def written(value: Fraction, decimals: int) -> str:
    """A number from nought with so many decimals, rounded HALF_UP."""
    whole = (2 * value.numerator * 10**decimals + value.denominator) // (2 * value.denominator)
    return f"{whole // 10**decimals}.{whole % 10**decimals:0{decimals}d}"


# ---- what is compared -------------------------------------------------------------------------

Told = dict[tuple[GroupKind, str, str], tuple[str | None, str | None]]
"""Group and figure -> its value and, where it has none, why."""


def told(text: str) -> Told:
    """A bulletin's figures, by group and figure in its order."""
    whole = json.loads(text)
    codes = [figure["code"] for figure in whole["edition"]["figures"]]
    return {
        (GroupKind(group["kind"]), group["code"], code): (
            group["figures"].get(code),
            group["absent"].get(code),
        )
        for group in whole["groups"]
        for code in codes
    }


def adjustments(frozen: str, recomputed: str) -> list[Adjustment]:
    """Every figure in which two bulletins of one month differ, in the order of the groups."""
    before, after = told(frozen), told(recomputed)
    found = []
    for at in [*before, *(at for at in after if at not in before)]:
        was, is_ = before.get(at, (None, None)), after.get(at, (None, None))
        if was == is_:
            continue
        numbers = was[0] is not None and is_[0] is not None
        difference = str(Decimal(is_[0] or 0) - Decimal(was[0] or 0)) if numbers else None
        found.append(Adjustment(*at, was[0], is_[0], difference))
    return found


def first_difference(kept: str, made: str) -> str | None:
    """Where two texts of a bulletin part: group and figure, else the byte; None if they do not."""
    if kept == made:
        return None
    try:
        found = adjustments(kept, made)
    except (KeyError, TypeError, ValueError):
        found = []
    if found:
        first = found[0]
        return f"{first.kind} {first.code} {first.figure}"
    one, other = kept.encode(), made.encode()
    byte = next((i for i, (a, b) in enumerate(zip(one, other, strict=False)) if a != b), None)
    return f"byte {min(len(one), len(other)) if byte is None else byte}"


# ---- bytes ------------------------------------------------------------------------------------


def canonical(value: object) -> str:
    """The one JSON text of a value: keys sorted, no blanks, no number with a point."""
    return json.dumps(value, ensure_ascii=False, sort_keys=True, separators=(",", ":"))


def digest(text: str) -> str:
    """sha256 of a text's UTF-8, in hex."""
    return hashlib.sha256(text.encode()).hexdigest()


def digest_of(inputs: Iterable[str]) -> str:
    """sha256 of lines, each with its end."""
    return digest("".join(f"{line}\n" for line in inputs))


def _seconds(at: datetime) -> int:
    """Whole seconds since 1970; the part of a second is cut off, and no month ends within one."""
    return (at - EPOCH) // timedelta(seconds=1)
