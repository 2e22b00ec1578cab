"""督办 over HTTP: a node overdue → a timeout recorded by itself → an urge → three stamps → 销号."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import AsyncIterator
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import select, update

from audit.log import AuditLog
from catalog.load import load
from hub.demo.site import Site
from hub.jobs import Jobs
from resolvers.commands.urging import BATCH
from store.cases import case_file
from store.deeds import Deeds, deed_receipt
from store.engine import single
from store.jobs import job, read_jobs
from store.supervision import supervision_event, supervision_order
from store.work_orders import reminder, timeout_event, work_order
from tests.casework import MANY, NEIGHBOUR, TOWN, Time, code, do, filed
from tests.trusted import Edge, over

pytestmark = [pytest.mark.anyio]

OFFICE = "office-01"
ORDER = "... on SupervisionChanged { order { orderNo state version sendBacks escalated expired } }"
ROAD: tuple[tuple[str, str, dict[str, object], str], ...] = (
    (TOWN, "signSupervision", {}, "SIGNED"),
    (TOWN, "startSupervision", {}, "IN_PROGRESS"),
    (TOWN, "finishSupervision", {"result": "已受理并入户"}, "RESULT_READY"),
    (TOWN, "reportSupervision", {"attachments": "附-1、附-2"}, "REPORTED"),
    (OFFICE, "reviewSupervision", {}, "REVIEWING"),
    (OFFICE, "closeSupervision", {}, "CLOSED"),
)
"""From the handler's signature to the office's 销号."""


@pytest.fixture
def time() -> Time:
    return Time()


@pytest.fixture
async def edge(site_copy: Site, time: Time) -> AsyncIterator[Edge]:
    async with single(site_copy.store_url) as conn:  # the county's own work is done
        await conn.execute(update(work_order).values(open=False))
    async with over(site_copy, MANY, clock=time) as made:
        yield made


async def rows(edge: Edge, table: Any) -> list[dict[str, Any]]:
    """The rows of a table that deeds and jobs have filled; the county has timeouts of its own."""
    asked = select(table)
    if table is timeout_event:
        new = select(case_file.c.id).where(case_file.c.case_no.like("SQ____-%"))
        asked = asked.where(timeout_event.c.case_id.in_(new))
    async with single(edge.site.store_url, readonly=True) as conn:
        return [dict(row) for row in (await conn.execute(asked)).mappings()]


async def urges(edge: Edge, case: dict[str, Any]) -> list[dict[str, Any]]:
    """The orders about a case."""
    of = select(supervision_order).join(case_file, case_file.c.id == supervision_order.c.case_id)
    async with single(edge.site.store_url, readonly=True) as conn:
        found = await conn.execute(of.where(case_file.c.case_no == case["caseNo"]))
        return [dict(row) for row in found.mappings()]


async def test_what_is_overdue_is_recorded_urged_and_closed_with_three_stamps(
    edge: Edge, time: Time
) -> None:
    case = await filed(edge)
    await edge.hub.jobs.run("overdue")
    assert await rows(edge, timeout_event) == []
    time.pass_days(6)
    ran = await edge.hub.jobs.run("overdue")
    assert ran is not None
    assert (ran.done, ran.batches) == (1, 1)
    (event,) = await rows(edge, timeout_event)
    assert event["node"] == "ACCEPT"
    (urge,) = await urges(edge, case)
    assert (urge["kind"], urge["reason"], urge["state"], urge["node"]) == (
        *("URGE", "OVERDUE"),
        *("ISSUED", "ACCEPT"),
    )
    assert urge["triggers"] == event["id"]
    version = 1
    for account, name, more, state in ROAD:
        given = {"orderNo": urge["order_no"], "version": version, **more}
        answer = await do(edge, account, name, given, ORDER)
        assert answer.status_code == 200, (name, answer.text)
        version += 1
        told = answer.json()["data"]["done"]["order"]
        assert (told["state"], told["version"]) == (state, version)
    (closed,) = await urges(edge, case)
    stamps = [closed[name] for name in ("signed_at", "result_at", "reported_at", "closed_at")]
    assert stamps == sorted(stamps)
    given = {"caseNo": case["caseNo"], "version": 1, "opinion": "现予受理"}
    late = await do(edge, TOWN, "acceptCase", given)
    assert late.json()["data"]["done"]["case"]["state"] == "ACCEPTED"
    assert await rows(edge, timeout_event) == [event]  # finishing late keeps the event


async def test_a_run_missed_for_days_catches_up_and_does_nothing_twice(
    edge: Edge, time: Time
) -> None:
    for item in ("EXTREME_POVERTY", "TEMP_AID", "HOUSE_RENOVATION"):
        await filed(edge, item)
    time.pass_days(20)
    done = []
    for _ in range(3):
        time.ahead_us += 120_000_000
        ran = await edge.hub.jobs.run("overdue")
        assert ran is not None
        done.append(ran.done)
    assert done == [3, 0, 0]
    assert len(await rows(edge, timeout_event)) == 3
    mine = [r for r in await rows(edge, supervision_order) if r["triggers"]]
    assert len(mine) == 3


async def test_of_several_workers_one_does_a_job_and_the_rest_of_a_dead_ones_is_done(
    edge: Edge, time: Time
) -> None:
    await filed(edge)
    time.pass_days(6)
    catalog, deeds = load(), Deeds(edge.hub.store)

    def worker(name: str, log: AuditLog = edge.hub.log) -> Jobs:
        return Jobs(deeds, catalog, log, name, clock=time.now)

    ran = await asyncio.gather(*(worker(f"w{n}").run("overdue") for n in range(8)))
    assert Counter(one is not None for one in ran) == {False: 7, True: 1}
    async with single(edge.site.store_url) as conn:  # one that took it and died
        gone = time.now() + timedelta(minutes=5)
        held = update(job).where(job.c.name == "overdue")
        await conn.execute(held.values(holder="dead", until=gone, finished_at=None))
    assert await worker("w9").run("overdue", now=True) is None
    time.ahead_us += 301_000_000
    assert await worker("w9").run("overdue", now=True) is not None
    async with single(edge.site.store_url, readonly=True) as conn:
        assert (await read_jobs(conn))["overdue"].holder is None
    assert len(await rows(edge, timeout_event)) == 1


async def test_the_handler_is_reminded_before_and_the_department_after_the_limit(
    edge: Edge, time: Time
) -> None:
    await filed(edge)
    time.pass_days(6)
    await edge.hub.jobs.run("overdue")
    for _ in range(2):
        time.ahead_us += 120_000_000
        await edge.hub.jobs.run("reminders")
    told = await rows(edge, reminder)
    assert Counter(one["kind"] for one in told) == {"BEFORE": 1, "DEPARTMENT": 1}


async def test_orders_that_are_late_since_today_do_not_hide_one_that_is_late_since_long(
    edge: Edge, time: Time
) -> None:
    of = work_order.c
    async with single(edge.site.store_url) as conn:
        keys = list(await conn.scalars(select(of.id).order_by(of.id).limit(BATCH + 1)))
        assert len(keys) == BATCH + 1
        late = update(work_order).values(open=True, late=True, remind_at=None)
        today, before = time.now() - timedelta(minutes=1), time.now() - timedelta(days=30)
        await conn.execute(late.where(of.id.in_(keys)).values(due_at=today))
        await conn.execute(late.where(of.id == keys[-1]).values(due_at=before))
    await edge.hub.jobs.run("reminders")
    told = await rows(edge, reminder)
    assert [(one["work_order_id"], one["kind"]) for one in told] == [(keys[-1], "DEPARTMENT")]


async def test_an_order_past_its_limit_expires_and_three_days_later_goes_to_the_leader(
    edge: Edge, time: Time
) -> None:
    case = await filed(edge)
    given = {"caseNo": case["caseNo"], "kind": "SUPERVISE", "reason": "MAJOR", "note": "请限期办结"}
    issued = await do(edge, OFFICE, "issueSupervision", given, ORDER)
    number = issued.json()["data"]["done"]["order"]["orderNo"]
    assert number == "DB2026-000001"

    async def flags() -> tuple[bool, bool, int]:
        (row,) = await urges(edge, case)
        return row["expired"], row["escalated"], row["version"]

    await edge.hub.jobs.run("escalation")
    assert await flags() == (False, False, 1)
    time.pass_days(6)  # three working days, a weekend among them
    await edge.hub.jobs.run("escalation", now=True)
    assert (await flags())[0] is True
    time.pass_days(4)
    await edge.hub.jobs.run("escalation", now=True)
    assert (await flags())[:2] == (True, True)


async def test_two_send_backs_go_to_the_leader_and_the_round_is_done_anew(edge: Edge) -> None:
    case = await filed(edge)
    given = {"caseNo": case["caseNo"], "kind": "SUPERVISE", "reason": "MAJOR", "note": "请限期办结"}
    order = (await do(edge, OFFICE, "issueSupervision", given, ORDER)).json()["data"]["done"][
        "order"
    ]
    reason: dict[str, object] = {"reason": "材料不全"}
    back = (OFFICE, "sendBackSupervision", reason, "SENT_BACK")
    again = ROAD[1:5]
    for account, name, more, state in (*ROAD[:5], back, *again, back, *again, ROAD[5]):
        given = {**more, "orderNo": order["orderNo"], "version": order["version"]}
        answer = await do(edge, account, name, given, ORDER)
        assert answer.status_code == 200, (name, answer.text)
        order = answer.json()["data"]["done"]["order"]
        assert order["state"] == state
    assert (order["sendBacks"], order["escalated"]) == (2, True)
    (mine,) = await urges(edge, case)
    events = [e for e in await rows(edge, supervision_event) if e["order_id"] == mine["id"]]
    assert [e["seq"] for e in sorted(events, key=lambda e: e["seq"])] == list(range(1, 18))


async def test_a_leaders_order_says_its_limit_and_an_urge_is_issued_by_nobody(edge: Edge) -> None:
    case = await filed(edge)
    given = {"caseNo": case["caseNo"], "reason": "LEADER_ASSIGNED", "note": "领导批示"}
    for kind in ("LEADER", "KEY", "URGE"):
        answer = await do(edge, OFFICE, "issueSupervision", {**given, "kind": kind}, ORDER)
        assert (answer.status_code, code(answer)) == (400, ("BAD_USER_INPUT", "VARIABLE")), kind
    named = {**given, "kind": "LEADER", "deadline": "2099-12-31"}
    answer = await do(edge, OFFICE, "issueSupervision", named, ORDER)
    assert answer.json()["data"]["done"]["order"]["state"] == "ISSUED"
    for bad in ("soon", "2020-01-01"):
        answer = await do(edge, OFFICE, "issueSupervision", {**named, "deadline": bad}, ORDER)
        assert (answer.status_code, code(answer)) == (400, ("BAD_USER_INPUT", "VARIABLE"))


async def test_who_handles_does_not_issue_and_who_issues_does_not_handle(edge: Edge) -> None:
    case = await filed(edge)
    given = {"caseNo": case["caseNo"], "kind": "SUPERVISE", "reason": "MAJOR", "note": "请限期办结"}
    refused = await do(edge, TOWN, "issueSupervision", given, ORDER)
    assert (refused.status_code, code(refused)[0]) == (403, "FORBIDDEN")
    order = (await do(edge, OFFICE, "issueSupervision", given, ORDER)).json()["data"]["done"][
        "order"
    ]
    of = {"orderNo": order["orderNo"], "version": 1}
    office = await do(edge, OFFICE, "signSupervision", of, ORDER)
    assert (office.status_code, code(office)[0]) == (403, "FORBIDDEN")
    neighbour = await do(edge, NEIGHBOUR, "signSupervision", of, ORDER)
    assert (neighbour.status_code, code(neighbour)) == (404, ("NOT_FOUND", None))
    early = await do(edge, TOWN, "finishSupervision", {**of, "result": "好"}, ORDER)
    assert code(early) == ("CONFLICT", "STATE")


async def test_receipts_a_day_old_are_forgotten_and_their_keys_are_free_again(
    edge: Edge, time: Time
) -> None:
    await filed(edge)
    await edge.hub.jobs.run("expiry")
    assert len(await rows(edge, deed_receipt)) == 1
    time.pass_days(2)
    await edge.hub.jobs.run("expiry", now=True)
    assert await rows(edge, deed_receipt) == []


async def test_a_job_is_recorded_with_its_count_and_no_person(edge: Edge, time: Time) -> None:
    await filed(edge)
    time.pass_days(6)
    await edge.hub.jobs.run("overdue")
    (record,) = [r for r in await edge.records() if r.get("op", {}).get("name") == "job.overdue"]
    assert (record["kind"], record["op"]["vars"]) == ("MUTATION", {"count": 1})
    assert "subjects" not in record
    assert len(await rows(edge, timeout_event)) == 1
