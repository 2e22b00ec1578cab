"""月通报 and 季度红黑榜: a month is read, frozen and recorded, and made again to be compared.

    rows of one moment ──► compute ──► bulletin, lines, figures, record ──► COMMIT

Whoever is first freezes; everybody after him gets what was frozen. Nothing here changes what is.
"""

from __future__ import annotations

import contextlib
import json
from collections.abc import Awaitable, Callable, Iterator
from datetime import datetime
from typing import Any, TypeVar

from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.ext.asyncio import AsyncConnection

from audit.record import Kind
from catalog.bulletin import Edition, edition_of, in_force
from catalog.errors import AuditUnavailable, Readable
from catalog.load import Catalog
from domain import bulletin as months
from domain import ranking as quarters
from domain.bulletin import (
    Adjustment,
    AppealRow,
    CaseRow,
    EventRow,
    Groups,
    OrderRow,
    RegisterRow,
    Rows,
    SurveyRow,
)
from hub.deeds import Change, Deed, Signature, do
from hub.placing import address_of
from hub.settings import Settings
from store import bulletins as store
from store.bulletins import Bulletin, FigureRow, PlaceRow, Ranking
from store.engine import single
from store.policy import read_version
from store.rows import utc

SIGNERS = (("office", "rev"),)
"""The leading group's office analyses and publishes (第三条、第十五条)."""
PURPOSE = "report"
T = TypeVar("T")


class NotFrozen(Readable):
    """One Chinese line: why a month or a quarter cannot be frozen, shown or ranked."""


class _Taken(Exception):
    """Another worker was first: his stands, and this transaction is undone."""


# ---- a month ----------------------------------------------------------------------------------


async def freeze(
    settings: Settings, catalog: Catalog, month: str, *, by: str, now: datetime
) -> tuple[Bulletin, bool]:
    """The month's bulletin, and whether it was frozen by this call. `now` is aware.

    NotFrozen for a month that is no month, not yet to be frozen or without definitions, NotSigned,
    AuditUnavailable, SQLAlchemyError or OSError: then nothing was frozen.
    """
    edition = _edition(catalog, month, now)
    kept = await bulletin(settings, month)
    if kept is not None:
        return kept, False
    rows = await rows_of(settings, month)
    made = months.compute(rows, month, now, groups(catalog), edition)
    row = Bulletin(
        month=month,
        frozen_at=now,
        frozen_by=by,
        edition=edition.code,
        sha256=made.sha256,
        inputs_sha256=made.inputs_sha256,
        parameters=months.parameters(edition),
        document=made.document,
    )

    async def change(conn: AsyncConnection) -> int:
        if not await store.freeze(conn, row, made.inputs, figures(made.document)):
            raise _Taken
        return await read_version(conn)

    deed = _deed("bulletin.freeze", by, row.sha256, month=month, inputs=len(made.inputs))
    return await _settled(settings, catalog, deed, change, row, bulletin, month)


async def bulletin(settings: Settings, month: str) -> Bulletin | None:
    """The month's bulletin, None if it is not frozen."""
    async with single(settings.store_url, readonly=True) as conn:
        return await store.bulletin(conn, month)


async def frozen(settings: Settings, month: str) -> Bulletin:
    """The month's bulletin; NotFrozen."""
    found = await bulletin(settings, month)
    if found is None:
        raise NotFrozen(f"{month} 没有冻结的通报：请先运行 hub bulletin freeze {month}")
    return found


async def verify(settings: Settings, month: str) -> str | None:
    """What is not as it was frozen, in one Chinese line; None if the month is, byte for byte.

    The text is made again from the lines and parameters kept with it, and nothing else.
    """
    kept = await frozen(settings, month)
    async with single(settings.store_url, readonly=True) as conn:
        inputs = await store.inputs_of(conn, month)
        asked = await store.figures_of(conn, month)
    if months.digest(kept.document) != kept.sha256:
        return "正文与所记 sha256 不符"
    if months.digest_of(inputs) != kept.inputs_sha256:
        return "冻结的输入与所记摘要不符"
    try:
        made = months.replay(inputs, kept.parameters)
    except (KeyError, TypeError, IndexError, ValueError):
        return "冻结的输入或参数不能读取"
    where = months.first_difference(kept.document, made)
    if where is not None:
        return f"由冻结的输入重算与正文不同，首处在 {where}"
    differing = asked ^ set(figures(kept.document))
    if differing:
        first = min(differing, key=lambda one: (one.kind, one.code, one.figure))
        return f"供查询的指标与正文不同，首处在 {first.kind} {first.code} {first.figure}"
    return None


async def adjustments(settings: Settings, month: str, *, now: datetime) -> list[Adjustment]:
    """Where the month, by what is known now, is another than what was frozen. NotFrozen."""
    kept = await frozen(settings, month)
    async with single(settings.store_url, readonly=True) as conn:
        before = await store.inputs_of(conn, month)
    edition = edition_of(json.loads(kept.parameters))
    rows = await rows_of(settings, month)
    after = months.facts(rows, month, now, months.groups_of(before), edition)
    made = months.document(months.with_register_of(after, before), edition)
    return months.adjustments(kept.document, made)


def groups(catalog: Catalog) -> Groups:
    """Every township, department with items, and item: told of even if nothing happened."""
    return Groups(
        tuple(one.code for one in catalog.divisions.townships()),
        tuple(sorted({item.department for item in catalog.items.values()})),
        tuple(catalog.items),
    )


def figures(document: str) -> Iterator[FigureRow]:
    """A bulletin's figures as rows."""
    for (kind, code, figure), (value, absent) in months.told(document).items():
        yield FigureRow(kind, code, figure, value, absent)


async def rows_of(settings: Settings, month: str) -> Rows:
    """What the store knows of a month, of one moment in each database it lies in."""
    begins, ends = months.span(month)
    names = ("case", "case_event", "supervision_order", "citizen", "complaint")
    async with contextlib.AsyncExitStack() as stack:
        at: dict[str, AsyncConnection] = {}
        for address in dict.fromkeys(address_of(settings, name) for name in names):
            at[address] = await stack.enter_async_context(single(address, readonly=True))
            await store.hold_still(at[address])
        cases, events, orders, people, appeals = [at[address_of(settings, n)] for n in names]
        worked = await store.cases_with_events(events, begins, ends)
        found = await store.cases_of(cases, begins, ends, worked)
        happened = await store.events_of(events, [row.id for row in found], ends)
        due = await store.orders_due(orders, begins, ends)
        appealed = await store.appeals_received(appeals, begins, ends)
        asked = await store.surveys_made(events, begins, ends)
        of = await store.about(cases, {row.case_id for row in (*due, *appealed, *asked)})
        register = await store.register_sums(people)
    return Rows(
        cases=[_case(row) for row in found],
        events=[
            EventRow(row.case_id, row.state, utc(row.at), row.post, row.overdue) for row in happened
        ],
        orders=[_order(row, of[row.case_id].item) for row in due],
        register=[RegisterRow(*row) for row in register],
        appeals=[
            AppealRow(row.id, *_where(of[row.case_id]), utc(row.received_at)) for row in appealed
        ],
        surveys=[
            SurveyRow(row.id, *_where(of[row.case_id]), utc(row.at), row.satisfaction)
            for row in asked
        ],
    )


def _where(case: Any) -> tuple[str, str, str]:
    return case.region_path, case.handling_dept, case.item


def _case(row: Any) -> CaseRow:
    return CaseRow(
        row.id,
        row.region_path,
        row.handling_dept,
        row.item,
        utc(row.filed_at),
        None if row.closed_at is None else utc(row.closed_at),
        row.has_complaint,
    )


def _order(row: Any, item: str) -> OrderRow:
    closed = None if row.closed_at is None else utc(row.closed_at)
    where = (row.id, row.region_path, row.handling_dept, item)
    return OrderRow(*where, utc(row.due_at), closed)


def _edition(catalog: Catalog, month: str, now: datetime) -> Edition:
    try:
        edition = in_force(catalog.bulletins, months.first_day(month))
    except ValueError:
        raise NotFrozen(f"`{month}` 不是月份：请写作 2026-10") from None
    if edition is None:
        raise NotFrozen(f"{month} 没有适用的通报口径：见 catalog/bulletin.toml")
    since = months.may_freeze_from(month, edition)
    if now < since:
        raise NotFrozen(f"{month} 尚不能冻结：自 {since:%Y-%m-%d}（北京时间）起")
    return edition


# ---- a quarter --------------------------------------------------------------------------------


async def rank(
    settings: Settings, catalog: Catalog, quarter: str, *, by: str, now: datetime
) -> tuple[Ranking, bool]:
    """The quarter's ranking, and whether it was made by this call; from frozen bulletins only.

    NotFrozen if one of the three is missing or not as it was frozen; otherwise as `freeze`.
    """
    try:
        named = quarters.months_of(quarter)
        edition = in_force(catalog.bulletins, months.first_day(named[0]))
    except ValueError:
        raise NotFrozen(f"`{quarter}` 不是季度：请写作 2026-Q4") from None
    if edition is None:
        raise NotFrozen(f"{quarter} 没有适用的排名办法：见 catalog/bulletin.toml")
    kept = await ranking(settings, quarter)
    if kept is not None:
        return kept, False
    document = quarters.rank(quarter, [await _sound(settings, one) for one in named], edition)
    row = Ranking(quarter, now, by, edition.code, months.digest(document), document)

    async def change(conn: AsyncConnection) -> int:
        if not await store.keep(conn, row, places(document)):
            raise _Taken
        return await read_version(conn)

    deed = _deed("bulletin.rank", by, row.sha256, quarter=quarter)
    return await _settled(settings, catalog, deed, change, row, ranking, quarter)


async def ranking(settings: Settings, quarter: str) -> Ranking | None:
    """The quarter's ranking, None if there is none."""
    async with single(settings.store_url, readonly=True) as conn:
        return await store.ranking(conn, quarter)


def places(document: str) -> Iterator[PlaceRow]:
    """A ranking's places as rows."""
    for one in json.loads(document)["places"]:
        where = (one["kind"], one["code"], one["cases"], one["rank"], one.get("score"))
        yield PlaceRow(*where, one["list"], one["reason"], " ".join(one["missing"]))


async def _sound(settings: Settings, month: str) -> str:
    fault = await verify(settings, month)
    if fault is not None:
        raise NotFrozen(f"{month} 的通报核验不符，不能据以排名：{fault}")
    return (await frozen(settings, month)).document


# ---- both -------------------------------------------------------------------------------------


def _deed(what: str, by: str, sha256: str, **about: str | int) -> Deed:
    signed = (Signature(by, SIGNERS),)
    told: dict[str, str | int | bool] = {**about}
    return Deed(what, signed, Kind.MUTATION, f"sha256:{sha256}", told, PURPOSE)


async def _settled(
    settings: Settings,
    catalog: Catalog,
    deed: Deed,
    change: Change,
    ours: T,
    theirs: Callable[[Settings, str], Awaitable[T | None]],
    period: str,
) -> tuple[T, bool]:
    """Ours, if it is done and recorded; `theirs`, if another was first or kept the store busy."""
    try:
        await do(settings, catalog, deed, change)
    except (_Taken, AuditUnavailable, SQLAlchemyError, OSError):
        kept = await theirs(settings, period)
        if kept is None:
            raise
        return kept, False
    return ours, True
