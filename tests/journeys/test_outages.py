"""Pauses and what a decision says, over HTTP: outages, extensions, telling, delivery (1.4, 1.5).

Scenario (d): 医保 is closed at 23:40. What can be answered is; the clerk's clock stands.
"""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator, Iterator, Mapping
from datetime import date, datetime, timedelta
from datetime import time as Clock
from typing import Any

import httpx
import pytest
from sqlalchemy import Table, select

from catalog.load import load
from catalog.workdays import ZONE
from hub.demo.department import insurance
from hub.demo.site import HTTP_SOURCE, Site
from store.accounts import NewPost, NewPrincipal, seed_accounts
from store.cases import case_event, case_file
from store.engine import single
from store.outages import source_outage
from store.rows import utc
from store.work_orders import timeout_event, work_order
from tests.casework import DEPT, MANY, MORE, TOWN, VILLAGE, Time, code, do, filing
from tests.trusted import Edge, over

pytestmark = [pytest.mark.anyio, pytest.mark.loopback]

CLOSED_AT_NIGHT = {
    f"outages.{HTTP_SOURCE}": "23:30-05:30",
    f"source_keys.{HTTP_SOURCE}": "demo",
}
LEAD, MED, OFFICE = "mca-lead-01", "med-dept-01", "office-01"
POSTS = {LEAD: ("mca", "lead"), MED: ("med", "dept"), "med-lead-01": ("med", "lead")}
"""Accounts beside the demonstration's: who approves, and who handles 医保's cases."""
ORDER = "... on WorkOrderChanged { workOrder { dueAt firstDueAt extendedAt extendedBy } }"
FACETS = """query($i: ID!) { citizen(by: {id: $i}) {
  name
  medicalInsurance { enrolment { state } }
  civilAffairs { minLiving { status } }
  access { field state source }
} }"""


@pytest.fixture
def time() -> Time:
    return Time()


@pytest.fixture
def insurance_at(site_copy: Site) -> Iterator[str]:
    """医保's own system, a process of its own that is open by its own clock."""
    with insurance(site_copy.folder / "sources" / f"{HTTP_SOURCE}.sqlite") as address:
        yield address


@pytest.fixture
async def edge(site_copy: Site, time: Time, insurance_at: str) -> AsyncIterator[Edge]:
    named = {f"sources.{HTTP_SOURCE}": insurance_at}
    async with over(site_copy, {**MANY, **CLOSED_AT_NIGHT, **named}, clock=time) as made:
        await _posts(made)
        yield made


async def _posts(edge: Edge) -> None:
    people = [
        NewPrincipal(name, "official", "测试经办", dept, (NewPost(dept, role, "532622"),))
        for name, (dept, role) in POSTS.items()
        if edge.site.account(name) is None
    ]
    async with edge.hub.store.begin() as connection:
        await seed_accounts(connection, people)
    await edge.hub.keeper.look()


# ---- what the tests do and look at -------------------------------------------------------------


async def by(
    edge: Edge, account: str, name: str, given: Mapping[str, object], selection: str | None = None
) -> httpx.Response:
    """One mutation by an account of the demonstration or of POSTS."""
    more = {}
    if account in POSTS:
        token = edge.hub.tokens.issue(account, ["aid.review"])
        more = {"Authorization": f"Bearer {token}", "X_Purpose": "aid.review"}
        account = TOWN
    return await do(edge, account, name, given, *([selection] if selection else []), **more)


async def filed(edge: Edge, item: str, **more: object) -> dict[str, Any]:
    """A new case."""
    answer = await do(edge, VILLAGE, "submitCase", filing(edge, item, **more))
    assert answer.status_code == 200, answer.text
    found: dict[str, Any] = answer.json()["data"]["done"]["case"]
    return found


async def moved(
    edge: Edge, account: str, case: Mapping[str, Any], name: str, needed: str, **more: object
) -> dict[str, Any]:
    """The case one act further."""
    given = {"caseNo": case["caseNo"], "version": case["version"], needed: "照办"}
    answer = await by(edge, account, name, {**given, **MORE.get(name, {}), **more})
    assert answer.status_code == 200, (name, answer.text)
    done = answer.json()["data"]["done"]
    assert done["__typename"] == "CaseChanged", (name, done)
    found: dict[str, Any] = done["case"]
    return found


async def refused(
    edge: Edge, account: str, case: Mapping[str, Any], name: str, needed: str, **more: object
) -> str:
    """The type of the refusal of an act, which changes nothing."""
    given = {"caseNo": case["caseNo"], "version": case["version"], needed: "照办"}
    answer = await by(edge, account, name, {**given, **MORE.get(name, {}), **more})
    return str(answer.json()["data"]["done"]["__typename"])


async def rows(edge: Edge, table: Table, case: Mapping[str, Any]) -> list[dict[str, Any]]:
    """The rows of a table that belong to a case, moments aware, oldest first."""
    of = select(table).join(case_file, case_file.c.id == table.c.case_id)
    at = {work_order: "opened_at", timeout_event: "recorded_at", case_event: "seq"}[table]
    async with single(edge.site.store_url, readonly=True) as conn:
        asked = of.where(case_file.c.case_no == case["caseNo"]).order_by(table.c[at], table.c.id)
        found = [dict(row) for row in (await conn.execute(asked)).mappings()]
    for row in found:
        row |= {k: utc(v) for k, v in row.items() if isinstance(v, datetime)}
    return found


async def order(
    edge: Edge, case: Mapping[str, Any], node: str, part: str | None = None
) -> dict[str, Any]:
    """The newest work order of a node or a part of it."""
    found = await rows(edge, work_order, case)
    return [one for one in found if (one["node"], one["part"]) == (node, part)][-1]


async def out(edge: Edge) -> list[tuple[str, bool, datetime, datetime | None]]:
    """Every outage as it is stored."""
    async with single(edge.site.store_url, readonly=True) as conn:
        found = (await conn.execute(select(source_outage))).all()
    return [
        (row.source, row.announced, utc(row.started_at), row.ended_at and utc(row.ended_at))
        for row in sorted(found, key=lambda row: row.started_at)
    ]


def working(after: date, number: int = 1) -> date:
    """The working day that comes so many after a day."""
    calendar, day = load().calendar, after
    while number:
        day += timedelta(days=1)
        number -= calendar.is_working(day)
    return day


def at(day: date, hour: int, minute: int = 0) -> datetime:
    """A Shanghai clock time of a day."""
    return datetime.combine(day, Clock(hour, minute), ZONE)


def end_of(day: date) -> datetime:
    return at(day + timedelta(days=1), 0)


def two_days_on(time: Time) -> date:
    """A working day that is followed by another and lies ahead."""
    day = working(time.now().astimezone(ZONE).date())
    while working(day) != day + timedelta(days=1):
        day = working(day)
    return day


# ---- (d): closed by its timetable --------------------------------------------------------------


async def test_at_2340_the_rest_is_answered_and_the_clerks_clock_stands(
    edge: Edge, time: Time, insurance_at: str
) -> None:
    evening = two_days_on(time)
    morning = evening + timedelta(days=1)
    time.move_to(at(evening, 22, 30))
    await edge.hub.outages.look()
    assert await out(edge) == []
    urgent = await filed(edge, "TEMP_AID", urgent=True)  # to be accepted within two hours
    accepting = await order(edge, urgent, "ACCEPT")
    assert accepting["due_at"] == accepting["opened_at"] + timedelta(hours=2)

    time.move_to(at(evening, 23, 40))
    body = (await edge.ask({"query": FACETS, "variables": {"i": _person(edge)}})).json()
    citizen = body["data"]["citizen"]
    assert citizen["medicalInsurance"] == {"enrolment": None}
    assert citizen["access"] == [
        {"field": "medicalInsurance.enrolment", "state": "SOURCE_DOWN", "source": HTTP_SOURCE}
    ]
    assert citizen["name"] == "陆云山"
    assert citizen["civilAffairs"]["minLiving"] is not None
    (error,) = body["errors"]
    assert error["extensions"]["reason"] == "OUTAGE_WINDOW"
    await edge.hub.outages.look()
    await edge.hub.outages.look()
    begun = (HTTP_SOURCE, True, at(evening, 23, 30))
    assert await out(edge) == [(*begun, None)]
    await edge.hub.jobs.run("outages", now=True)
    stands = await order(edge, urgent, "ACCEPT")
    assert (stands["due_at"], stands["remind_at"]) == (None, None)
    assert stands["first_due_at"] == accepting["due_at"]

    time.move_to(at(morning, 3, 0))  # long past the two hours
    await edge.hub.jobs.run("overdue", now=True)
    assert await rows(edge, timeout_event, urgent) == []

    # Another worker sees the same rows, and ends the outage by its timetable.
    named = {f"sources.{HTTP_SOURCE}": insurance_at}
    async with over(edge.site, {**MANY, **CLOSED_AT_NIGHT, **named}, clock=time) as second:
        await second.hub.outages.look()
        assert await out(edge) == [(*begun, None)]
        time.move_to(at(morning, 5, 40))
        await second.hub.outages.look()
        await second.hub.jobs.run("outages", now=True)
    assert await out(edge) == [(*begun, at(morning, 5, 30))]
    runs = await order(edge, urgent, "ACCEPT")
    assert runs["due_at"] == accepting["due_at"] + timedelta(hours=6)
    assert runs["first_due_at"] == accepting["due_at"]

    answer = await edge.ask({"query": FACETS, "variables": {"i": _person(edge)}})
    assert "errors" not in answer.json()
    time.move_to(runs["due_at"] - timedelta(minutes=1))
    urgent = await moved(edge, TOWN, urgent, "acceptCase", "opinion")
    assert await rows(edge, timeout_event, urgent) == []
    assert (await order(edge, urgent, "ACCEPT"))["late"] is False
    records = [r["op"]["name"] for r in await edge.records() if r["kind"] == "MUTATION"]
    assert (records.count("source.out"), records.count("source.back")) == (1, 1)


def _person(edge: Edge) -> str:
    return edge.site.shown("zhelai").citizen


async def test_a_clock_that_stood_all_night_runs_out_in_the_morning(edge: Edge, time: Time) -> None:
    evening = two_days_on(time)
    time.move_to(at(evening, 22, 30))
    urgent = await filed(edge, "TEMP_AID", urgent=True)
    due_at = (await order(edge, urgent, "ACCEPT"))["due_at"] + timedelta(hours=6)
    time.move_to(at(evening, 23, 40))
    await edge.hub.outages.look()
    time.move_to(due_at)
    await edge.hub.outages.look()
    # No job has reckoned anything again: who is late is late by what was proven.
    await edge.hub.jobs.run("overdue", now=True)
    (late,) = await rows(edge, timeout_event, urgent)
    assert (late["node"], late["due_at"]) == ("ACCEPT", due_at)


async def test_announced_hours_lengthen_no_limit_of_days(edge: Edge, time: Time) -> None:
    evening = two_days_on(time)
    time.move_to(at(evening, 9))
    case = await filed(edge, "OFFSITE_REIMBURSEMENT")
    case = await moved(edge, TOWN, case, "acceptCase", "opinion")
    before = await order(edge, case, "VERIFY")
    assert before["due_at"] == end_of(working(evening, 2))
    for moment in (at(evening, 23, 40), at(evening + timedelta(days=1), 5, 40)):
        time.move_to(moment)
        await edge.hub.outages.look()
        await edge.hub.jobs.run("outages", now=True)
    assert len(await out(edge)) == 1
    after = await order(edge, case, "VERIFY")
    assert (after["due_at"], after["remind_at"]) == (before["due_at"], before["remind_at"])


# ---- (d): out when nobody announced it ---------------------------------------------------------


@contextlib.contextmanager
def gone(site: Site, source: str) -> Iterator[None]:
    """A department's database is not to be had."""
    file = site.folder / "sources" / f"{source}.sqlite"
    away = file.with_suffix(".away")
    file.rename(away)
    file.mkdir()  # what stands in its place now is no database
    try:
        yield
    finally:
        file.rmdir()
        away.rename(file)


async def test_a_source_that_fails_is_proven_to_be_out_and_moves_what_was_due(
    edge: Edge, time: Time
) -> None:
    day = two_days_on(time)
    time.move_to(at(day, 8))
    case = await filed(edge, "MIN_LIVING")
    other = await filed(edge, "CHRONIC_CARE")
    case = await moved(edge, TOWN, case, "acceptCase", "opinion")
    before = await order(edge, case, "VERIFY")
    assert before["due_at"] == end_of(working(day, 3))
    next_day = working(day)
    time.move_to(at(next_day, 10))
    with gone(edge.site, "mz_assist"):
        await edge.hub.outages.look()
        assert await out(edge) == []  # nobody has asked it: nothing is known
        answer = await edge.ask({"query": FACETS, "variables": {"i": _person(edge)}})
        assert answer.json()["errors"][0]["extensions"]["source"] == "mz_assist"
        await edge.hub.outages.look()
        ((source, announced, begun, ended),) = await out(edge)
        assert (source, announced, ended) == ("mz_assist", False, None)
        assert timedelta(0) <= begun - at(next_day, 10) < timedelta(minutes=1)
        await edge.hub.jobs.run("outages", now=True)
        assert (await order(edge, case, "VERIFY"))["due_at"] is None
        assert (await order(edge, other, "ACCEPT"))["due_at"] is not None
        # What begins meanwhile stands from its begin, and says what it would have been.
        time.move_to(at(next_day, 12))
        late_comer = await filed(edge, "EXTREME_POVERTY")
        stands = await order(edge, late_comer, "ACCEPT")
        assert (stands["due_at"], stands["first_due_at"]) == (None, end_of(working(next_day)))
        async with over(edge.site, MANY, clock=time) as second:
            await second.hub.outages.look()  # it asks, too, and is not answered
        assert [one[3] for one in await out(edge)] == [None]
    time.move_to(at(next_day, 16))
    await edge.hub.outages.look()
    ((*_, ended),) = await out(edge)
    assert ended is not None
    assert timedelta(0) <= ended - at(next_day, 16) < timedelta(minutes=1)
    await edge.hub.jobs.run("outages", now=True)
    after = await order(edge, case, "VERIFY")
    # Six hours of a working day are gone: three whole days end within the fourth.
    assert after["due_at"] == end_of(working(day, 4))
    assert after["first_due_at"] == before["due_at"]
    assert (await order(edge, late_comer, "ACCEPT"))["due_at"] == end_of(working(next_day))
    time.move_to(before["due_at"] + timedelta(hours=1))
    await edge.hub.jobs.run("overdue", now=True)
    assert await rows(edge, timeout_event, case) == []
    case = await moved(edge, TOWN, case, "visitCase", "findings")
    case = await moved(edge, TOWN, case, "deliberateCase", "opinion")
    assert (await order(edge, case, "VERIFY"))["late"] is False
    assert await rows(edge, timeout_event, case) == []


async def test_one_bad_moment_proves_no_outage(edge: Edge) -> None:
    with gone(edge.site, "mz_assist"):
        answer = await edge.ask({"query": FACETS, "variables": {"i": _person(edge)}})
        assert "errors" in answer.json()
    await edge.hub.outages.look()  # it is asked once more, and answers
    assert await out(edge) == []


async def test_who_was_late_before_an_outage_stays_late(edge: Edge, time: Time) -> None:
    day = two_days_on(time)
    time.move_to(at(day, 8))
    case = await filed(edge, "MIN_LIVING")
    due_at = (await order(edge, case, "ACCEPT"))["due_at"]
    time.move_to(due_at + timedelta(hours=9))
    with gone(edge.site, "mz_assist"):
        await edge.ask({"query": FACETS, "variables": {"i": _person(edge)}})
        await edge.hub.outages.look()
        await edge.hub.jobs.run("outages", now=True)
        await edge.hub.jobs.run("overdue", now=True)
    (late,) = await rows(edge, timeout_event, case)
    assert late["due_at"] == due_at


# ---- one approved extension --------------------------------------------------------------------


async def test_a_work_order_is_extended_once_and_exactly(edge: Edge, time: Time) -> None:
    day = two_days_on(time)
    time.move_to(at(day, 9))
    case = await filed(edge, "MIN_LIVING")
    case = await moved(edge, TOWN, case, "acceptCase", "opinion")
    before = await order(edge, case, "VERIFY")
    given = {"workOrder": before["id"], "reason": "山洪断路，延三日入户"}
    for account in (TOWN, DEPT):  # who handles does not approve
        assert code(await by(edge, account, "extendWorkOrder", given, ORDER))[0] == "FORBIDDEN"
    answer = await by(edge, LEAD, "extendWorkOrder", given, ORDER)
    done = answer.json()["data"]["done"]
    assert done["__typename"] == "WorkOrderChanged", answer.text
    after = await order(edge, case, "VERIFY")
    assert before["due_at"] == end_of(working(day, 3))
    assert after["due_at"] == end_of(working(day, 6))
    assert after["first_due_at"] == before["due_at"]
    assert datetime.fromisoformat(done["workOrder"]["dueAt"]) == after["due_at"]
    assert done["workOrder"]["extendedBy"] == "mca/lead/532622"
    deed = [r for r in await edge.records() if r["kind"] == "MUTATION"][-1]
    assert (deed["op"]["name"], deed["case"]) == ("extendWorkOrder", case["caseNo"])
    assert "山洪" not in str(deed)
    again = await by(edge, OFFICE, "extendWorkOrder", given, ORDER)
    assert again.json()["data"]["done"]["__typename"] == "AlreadyExtended"
    time.move_to(after["due_at"] - timedelta(hours=1))
    await edge.hub.jobs.run("overdue", now=True)
    assert await rows(edge, timeout_event, case) == []
    time.move_to(after["due_at"])
    await edge.hub.jobs.run("overdue", now=True)
    assert [late["due_at"] for late in await rows(edge, timeout_event, case)] == [after["due_at"]]


async def test_what_cannot_be_extended_says_so(edge: Edge, time: Time) -> None:
    day = two_days_on(time)
    time.move_to(at(day, 9))
    case = await filed(edge, "MIN_LIVING")
    accepting = await order(edge, case, "ACCEPT")

    async def told(order_id: str, account: str = OFFICE) -> str:
        given = {"workOrder": order_id, "reason": "来不及"}
        answer = await by(edge, account, "extendWorkOrder", given, ORDER)
        return str(answer.json()["data"]["done"]["__typename"])

    assert await told(accepting["id"]) == "NotExtendable"  # no row for this node
    case = await moved(edge, TOWN, case, "acceptCase", "opinion")
    verifying = await order(edge, case, "VERIFY")
    time.move_to(verifying["due_at"])  # too late, though nobody has recorded it
    assert await told(verifying["id"]) == "NotExtendable"
    urgent = await filed(edge, "TEMP_AID", urgent=True)
    assert await told((await order(edge, urgent, "ACCEPT"))["id"]) == "NotExtendable"
    nobody = await by(
        edge, OFFICE, "extendWorkOrder", {"workOrder": "x", "reason": "来不及"}, ORDER
    )
    foreign = {"workOrder": verifying["id"], "reason": "来不及"}
    of_another = await by(edge, "med-lead-01", "extendWorkOrder", foreign, ORDER)
    assert code(nobody) == code(of_another) == ("NOT_FOUND", None)


# ---- a refusal is told --------------------------------------------------------------------------


async def decided(edge: Edge, item: str, name: str) -> dict[str, Any]:
    """A case of 医保 that its department has decided on."""
    case = await filed(edge, item)
    case = await moved(edge, TOWN, case, "acceptCase", "opinion")
    case = await moved(edge, MED, case, "visitCase", "findings")
    case = await moved(edge, MED, case, "presentCase", "opinion")
    return await moved(edge, MED, case, name, "conclusion")


async def test_a_refusal_is_told_within_three_working_days_before_it_is_closed(
    edge: Edge, time: Time
) -> None:
    day = two_days_on(time)
    time.move_to(at(day, 9))
    case = await decided(edge, "OFFSITE_REIMBURSEMENT", "denyCase")
    assert case["state"] == "DENIED"
    telling = await order(edge, case, "COUNTY_DECISION", "REFUSAL")
    assert telling["due_at"] == end_of(working(day, 3))
    assert telling["handler_dept"] == "med"
    assert await refused(edge, MED, case, "closeCase", "result") == "NotNotified"
    silly = {"caseNo": case["caseNo"], "version": case["version"], "note": "照办"}
    silly |= {"channel": "PHONE", "expectedOn": "2099-01-01"}
    assert code(await by(edge, MED, "notifyDecision", silly)) == ("BAD_USER_INPUT", "VARIABLE")
    time.move_to(telling["due_at"] + timedelta(hours=9))
    case = await moved(edge, MED, case, "notifyDecision", "note", channel="SMS")
    assert case["state"] == "DENIED"
    (late,) = await rows(edge, timeout_event, case)
    assert (late["node"], late["part"], late["due_at"]) == (
        *("COUNTY_DECISION", "REFUSAL"),
        telling["due_at"],
    )
    event = (await rows(edge, case_event, case))[-1]
    assert (event["act"], event["channel"], event["overdue"]) == ("NOTIFY", "SMS", True)
    assert [o for o in await rows(edge, work_order, case) if o["open"]] == []
    case = await moved(edge, MED, case, "closeCase", "result")
    assert case["state"] == "CLOSED"


async def test_a_refusal_told_in_time_is_not_late(edge: Edge) -> None:
    case = await decided(edge, "OFFSITE_REIMBURSEMENT", "denyCase")
    case = await moved(edge, MED, case, "notifyDecision", "note")
    assert await rows(edge, timeout_event, case) == []
    assert (await order(edge, case, "COUNTY_DECISION", "REFUSAL"))["late"] is False


# ---- delivery: 预审类 and urgent aid -----------------------------------------------------------


async def test_a_pre_check_is_told_within_a_day_and_delivered_within_twenty(
    edge: Edge, time: Time
) -> None:
    day = two_days_on(time)
    time.move_to(at(day, 9))
    case = await decided(edge, "INSURANCE_ENROLMENT", "approveCase")
    assert case["state"] == "DELIVERING"
    telling = await order(edge, case, "DELIVER", "TOLD")
    whole = await order(edge, case, "DELIVER")
    assert telling["due_at"] == end_of(working(day))
    assert whole["due_at"] == end_of(working(day, 20))
    assert await refused(edge, MED, case, "deliverCase", "measure") == "NotNotified"
    assert await refused(edge, MED, case, "closeCase", "result") == "NotNotified"
    given = {"caseNo": case["caseNo"], "version": case["version"], "note": "已电话告知"}
    for said in ({"channel": "WECHAT"}, {"channel": "WECHAT", "expectedOn": "2020-01-01"}):
        answer = await by(edge, MED, "notifyDecision", {**given, **said})
        assert code(answer) == ("BAD_USER_INPUT", "VARIABLE")
    expected_on = working(day, 9).isoformat()
    case = await moved(
        edge, MED, case, "notifyDecision", "note", channel="WECHAT", expectedOn=expected_on
    )
    assert await refused(edge, MED, case, "closeCase", "result") == "NotDelivered"
    still = [o for o in await rows(edge, work_order, case) if o["open"]]
    assert [(o["node"], o["part"]) for o in still] == [("DELIVER", None)]
    asked = "query($n: String!) { case(caseNo: $n) { expectedOn notifiedAt state } }"
    time.move_to(at(working(day, 9), 10))
    case = await moved(
        edge, MED, case, "deliverCase", "measure", deliveredOn=working(day, 9).isoformat()
    )
    assert [o for o in await rows(edge, work_order, case) if o["open"]] == []
    case = await moved(edge, MED, case, "closeCase", "result")
    assert case["state"] == "CLOSED"
    assert await rows(edge, timeout_event, case) == []
    shown = await edge.ask({"query": asked, "variables": {"n": case["caseNo"]}})
    assert shown.json()["data"]["case"]["expectedOn"] == expected_on


async def test_not_telling_and_not_delivering_are_late_each_by_itself(
    edge: Edge, time: Time
) -> None:
    day = two_days_on(time)
    time.move_to(at(day, 9))
    case = await decided(edge, "INSURANCE_ENROLMENT", "approveCase")
    time.move_to(at(working(day, 21), 9))
    await edge.hub.jobs.run("overdue", now=True)
    late = await rows(edge, timeout_event, case)
    assert {(one["node"], one["part"], one["due_at"]) for one in late} == {
        ("DELIVER", "TOLD", end_of(working(day))),
        ("DELIVER", None, end_of(working(day, 20))),
    }


async def test_urgent_aid_is_delivered_in_a_day_and_deliberated_after_it(
    edge: Edge, time: Time
) -> None:
    day = two_days_on(time)
    time.move_to(at(day, 9))
    case = await filed(edge, "TEMP_AID", urgent=True)
    for account, name, needed in (
        (TOWN, "acceptCase", "opinion"),
        (TOWN, "visitCase", "findings"),
        (TOWN, "presentCase", "opinion"),
        (DEPT, "approveCase", "conclusion"),
    ):
        case = await moved(edge, account, case, name, needed)
    assert case["state"] == "DELIVERING"
    aid, papers = [o for o in await rows(edge, work_order, case) if o["open"]]
    told = {o["node"]: o for o in (aid, papers)}
    assert told["DELIVER"]["due_at"] - told["DELIVER"]["opened_at"] == timedelta(hours=24)
    assert told["DELIBERATE"]["due_at"] is None  # afterwards, without a length
    assert told["DELIBERATE"]["handler_role"] == "town"
    assert await refused(edge, TOWN, case, "deliberateCase", "opinion") == "NotDelivered"
    assert await refused(edge, DEPT, case, "closeCase", "result") == "NotDelivered"
    time.move_to(told["DELIVER"]["due_at"])
    case = await moved(edge, DEPT, case, "deliverCase", "measure", deliveredOn=day.isoformat())
    assert case["state"] == "DELIVERING"
    (late,) = await rows(edge, timeout_event, case)
    assert (late["node"], late["due_at"]) == ("DELIVER", told["DELIVER"]["due_at"])
    assert await refused(edge, DEPT, case, "closeCase", "result") == "NotDeliberated"
    case = await moved(edge, TOWN, case, "deliberateCase", "opinion")
    assert case["state"] == "DELIVERING"
    case = await moved(edge, DEPT, case, "closeCase", "result")
    assert case["state"] == "CLOSED"
    acts = [e["act"] for e in await rows(edge, case_event, case)]
    assert acts[-4:] == ["APPROVE", "DELIVER", "DELIBERATE", "CLOSE"]
