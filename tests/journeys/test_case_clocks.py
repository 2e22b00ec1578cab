"""The clocks of a case over HTTP: work orders begin and end with its nodes, lateness stays."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import Table, select

from catalog.load import load
from catalog.nodes import Node
from catalog.workdays import ZONE
from domain.clock import due
from hub.demo.site import Site
from store.cases import case_event, case_file
from store.engine import single
from store.rows import utc
from store.work_orders import timeout_event, work_order
from tests.casework import MANY, MORE, TOWN, Time, do, filed
from tests.trusted import Edge, over

pytestmark = [pytest.mark.anyio]


@pytest.fixture
def time() -> Time:
    return Time()


@pytest.fixture
async def edge(site_copy: Site, time: Time) -> AsyncIterator[Edge]:
    async with over(site_copy, MANY, clock=time) as made:
        yield made


async def rows(edge: Edge, table: Table, case: dict[str, Any]) -> list[dict[str, Any]]:
    """The rows of a table that belong to a case, moments aware, in the order of their start."""
    of = select(table).join(case_file, case_file.c.id == table.c.case_id)
    async with single(edge.site.store_url, readonly=True) as conn:
        found = await conn.execute(of.where(case_file.c.case_no == case["caseNo"]))
        every = [dict(row) for row in found.mappings()]
    for row in every:
        row |= {k: utc(v) for k, v in row.items() if isinstance(v, datetime)}
    order = {work_order: "opened_at", timeout_event: "recorded_at", case_event: "seq"}[table]
    return sorted(every, key=lambda row: row[order])


async def moved(edge: Edge, case: dict[str, Any], name: str, needed: str) -> dict[str, Any]:
    """The case one act further."""
    given = {"caseNo": case["caseNo"], "version": case["version"], needed: "照办"}
    answer = await do(edge, TOWN, name, {**given, **MORE.get(name, {})})
    found: dict[str, Any] = answer.json()["data"]["done"]["case"]
    return found


def after(moment: datetime, item: str, node: str) -> datetime:
    """When a node that begins at this moment is due, by the catalogue's row."""
    catalog = load()
    day = moment.astimezone(ZONE).date()
    row = catalog.limits.of(catalog.items[item].flow, Node(node), item, day)
    assert row is not None
    assert row.limit is not None
    return due(moment, row.limit, catalog.calendar).at


async def test_filing_opens_the_order_of_acceptance_for_the_township(edge: Edge) -> None:
    case = await filed(edge)
    (order,) = await rows(edge, work_order, case)
    assert (order["node"], order["tier"], order["handler_role"], order["handler_path"]) == (
        *("ACCEPT", "TOWNSHIP"),
        *("town", "532622205"),
    )
    assert (
        order["due_at"]
        == order["first_due_at"]
        == after(order["opened_at"], "EXTREME_POVERTY", "ACCEPT")
    )
    assert order["opened_at"] < order["remind_at"] < order["due_at"]
    assert (order["closed_at"], order["void"], order["late"]) == (None, False, False)


async def test_a_node_ends_where_the_next_begins_and_verifying_is_one_node(edge: Edge) -> None:
    case = await filed(edge)
    case = await moved(edge, case, "acceptCase", "opinion")
    case = await moved(edge, case, "visitCase", "findings")
    case = await moved(edge, case, "deliberateCase", "opinion")
    orders = await rows(edge, work_order, case)
    assert [o["node"] for o in orders] == ["ACCEPT", "VERIFY", "DELIBERATE"]
    accept, verify, deliberate = orders
    assert accept["closed_at"] == verify["opened_at"]
    assert verify["closed_at"] == deliberate["opened_at"]
    assert deliberate["closed_at"] is None


async def test_time_in_the_citizens_hands_does_not_count(edge: Edge, time: Time) -> None:
    case = await filed(edge)
    case = await moved(edge, case, "returnCase", "reason")
    (standing,) = await rows(edge, work_order, case)
    assert (standing["due_at"], standing["closed_at"]) == (None, None)
    time.pass_days(9)
    case = await moved(edge, case, "acceptCase", "opinion")
    order, verify = await rows(edge, work_order, case)
    assert order["due_at"] == after(verify["opened_at"], "EXTREME_POVERTY", "ACCEPT")
    assert order["due_at"] > order["first_due_at"]
    assert order["late"] is False
    assert await rows(edge, timeout_event, case) == []


async def test_who_is_late_is_recorded_once_though_he_finishes_later(
    edge: Edge, time: Time
) -> None:
    case = await filed(edge)
    time.pass_days(6)
    case = await moved(edge, case, "acceptCase", "opinion")
    order, _verify = await rows(edge, work_order, case)
    (late,) = await rows(edge, timeout_event, case)
    assert (late["id"], late["node"], late["due_at"]) == (order["id"], "ACCEPT", order["due_at"])
    assert order["late"] is True
    events = await rows(edge, case_event, case)
    assert [(e["act"], e["overdue"]) for e in events] == [
        (None, False),
        ("ROUTE", False),
        ("ACCEPT", True),
    ]
    async with single(edge.site.store_url, readonly=True) as conn:
        told = select(case_file.c.overdue).where(case_file.c.case_no == case["caseNo"])
        assert await conn.scalar(told) is True


async def test_a_review_begins_when_the_notice_has_run(edge: Edge, time: Time) -> None:
    case = await filed(edge)
    for name, needed in (
        ("acceptCase", "opinion"),
        ("visitCase", "findings"),
        ("deliberateCase", "opinion"),
        ("publishCase", "opinion"),
    ):
        case = await moved(edge, case, name, needed)
    notice, review = (await rows(edge, work_order, case))[-2:]
    assert (notice["node"], review["node"]) == ("NOTICE", "TOWNSHIP_REVIEW")
    shanghai = notice["due_at"].astimezone(ZONE)
    assert shanghai.date() - notice["opened_at"].astimezone(ZONE).date() == timedelta(days=8)
    assert (shanghai.hour, shanghai.minute) == (0, 0)  # seven whole days after the day itself
    assert review["opened_at"] == notice["due_at"]
    assert review["due_at"] == after(review["opened_at"], "EXTREME_POVERTY", "TOWNSHIP_REVIEW")
    time.pass_days(30)
    case = await moved(edge, case, "reviewCase", "opinion")
    late = await rows(edge, timeout_event, case)
    assert [one["node"] for one in late] == ["TOWNSHIP_REVIEW"]  # a notice is nobody's delay


async def test_an_objection_takes_away_the_review_that_had_not_begun(edge: Edge) -> None:
    case = await filed(edge)
    for name, needed in (
        ("acceptCase", "opinion"),
        ("visitCase", "findings"),
        ("deliberateCase", "opinion"),
        ("publishCase", "opinion"),
        ("objectToCase", "reason"),
    ):
        case = await moved(edge, case, name, needed)
    orders = await rows(edge, work_order, case)
    told = {o["node"]: (o["void"], o["closed_at"] is None) for o in orders[-3:]}
    assert told == {
        "NOTICE": (False, False),
        "TOWNSHIP_REVIEW": (True, False),
        "VERIFY": (False, True),
    }
    assert datetime.now(UTC) > orders[0]["opened_at"]


async def test_a_transfer_gives_the_next_department_its_own_time(edge: Edge, time: Time) -> None:
    case = await filed(edge)
    given = {"caseNo": case["caseNo"], "version": 1, "reason": "转办", "item": "WATER_SAFETY"}
    await do(edge, TOWN, "transferCase", given)
    first, second = await rows(edge, work_order, case)
    assert first["closed_at"] == second["opened_at"]
    assert second["handling_dept"] == "wat"
    assert second["due_at"] - second["opened_at"] == timedelta(hours=4)
