"""Complaints and spot checks over HTTP: every road to its end, and what is refused on it."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import UTC, datetime
from hashlib import sha256
from typing import Any

import pytest
from sqlalchemy import Table, delete, select, update
from sqlalchemy.exc import DBAPIError

from catalog.limits import Limit, Unit
from catalog.load import load
from catalog.workdays import ZONE
from domain.clock import due
from hub.demo.site import Site
from store.cases import case_file
from store.complaints import complaint, complaint_event
from store.engine import single
from store.rows import utc
from store.spot_checks import spot_check, spot_check_item
from store.work_orders import work_order
from tests.casework import DEPT, MANY, MORE, TOWN, VILLAGE, Time, applicant, code, do, filed
from tests.complaints import (
    CHECKED,
    CLOSED_PATH,
    DRAWN,
    OFFICE,
    TURNED,
    as_citizen,
    closed_case,
    complained,
    complaint_after,
    open_portal,
    turned,
)
from tests.trusted import Edge, over

pytestmark = [pytest.mark.anyio]

ROAD = (
    (OFFICE, "assignComplaint", "ASSIGNED"),
    (DEPT, "answerComplaint", "ANSWERED"),
    (DEPT, "notifyComplaint", "ANSWERED"),
    (OFFICE, "closeComplaint", "CLOSED"),
)
"""Who does what, and the state it leads to."""
READ = """query($in: String!) { complaint(complaintNo: $in) {
  complaintNo kind state body answer events { nodes { act note } } case { caseNo } } }"""

FILE = f"mutation($in: FileComplaintInput!) {{ done: fileComplaint(input: $in) {{ {TURNED} }} }}"


@pytest.fixture
def time() -> Time:
    return Time()


@pytest.fixture
async def edge(site_copy: Site, time: Time) -> AsyncIterator[Edge]:
    async with over(site_copy, MANY, clock=time) as made:
        yield made


async def rows(edge: Edge, table: Table, **equal: object) -> list[dict[str, Any]]:
    """The rows of a table with these values, moments aware."""
    wanted = select(table).where(*(table.c[name] == value for name, value in equal.items()))
    async with single(edge.site.store_url, readonly=True) as conn:
        found = [dict(row) for row in (await conn.execute(wanted)).mappings()]
    return [{k: utc(v) if isinstance(v, datetime) else v for k, v in r.items()} for r in found]


async def stored(edge: Edge, number: str) -> dict[str, Any]:
    """The complaint as the store has it."""
    (row,) = await rows(edge, complaint, complaint_no=number)
    return row


async def done_with(edge: Edge, row: dict[str, Any], outcome: str = "DISMISSED") -> dict[str, Any]:
    """The complaint answered, told and closed."""
    for account, name, _ in ROAD:
        more: dict[str, Any] = {"outcome": outcome} if name == "answerComplaint" else {}
        row = await complaint_after(edge, account, row, name, **more)
    return row


def working_days(moment: datetime, days: int) -> datetime:
    """The end of the n-th working day after."""
    return due(moment, Limit(days, Unit.WORKING_DAY), load().calendar).at


# ---- the road ----------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", ["COMPLAINT", "APPEAL", "PRIVACY_OBJECTION"])
async def test_each_kind_goes_from_its_filing_to_its_end(edge: Edge, kind: str) -> None:
    about = None if kind == "PRIVACY_OBJECTION" else (await filed(edge, "TEMP_AID"))["caseNo"]
    made = await complained(edge, about, kind)
    year = datetime.now(ZONE).year
    assert made == {"complaintNo": f"TS{year}-000001", "state": "RECEIVED", "version": 1}
    at = made
    for version, (account, name, state) in enumerate(ROAD, start=2):
        answer = await turned(edge, account, at, name)
        assert answer.status_code == 200, (name, answer.text)
        done = answer.json()["data"]["done"]
        at = done["complaint"]
        assert at == {"complaintNo": made["complaintNo"], "state": state, "version": version}
        assert done["event"]["state"] == state
    row = await stored(edge, made["complaintNo"])
    assert (row["kind"], row["outcome"], row["channel"]) == (kind, "DISMISSED", "PHONE")
    stamps = [row[f"{name}_at"] for name in ("received", "assigned", "answered", "notified")]
    assert sorted(stamps) == stamps
    assert row["closed_at"] >= stamps[-1]
    assert (row["escalated_at"], row["due_at"], row["overdue"]) == (None, None, False)
    events = await rows(edge, complaint_event, complaint_id=row["id"])
    events.sort(key=lambda event: int(event["seq"]))
    assert [(e["act"], e["post"].split("/")[1]) for e in events] == [
        *((None, "village"), ("ASSIGN", "office")),
        *(("ANSWER", "dept"), ("NOTIFY", "dept"), ("CLOSE", "office")),
    ]


async def test_a_filed_complaint_marks_its_case_in_the_same_deed(edge: Edge) -> None:
    case = await filed(edge)
    made = await complained(edge, case["caseNo"])
    (marked,) = await rows(edge, case_file, case_no=case["caseNo"])
    assert (marked["has_complaint"], marked["version"]) == (True, 2)
    row = await stored(edge, made["complaintNo"])
    lies = ("applicant_uid", "household_id", "region_path", "handling_dept")
    assert [row[name] for name in lies] == [marked[name] for name in lies]
    await complained(edge, case["caseNo"], "APPEAL")
    (again,) = await rows(edge, case_file, case_no=case["caseNo"])
    assert again["version"] == 2  # it was marked already


async def test_what_is_owed_follows_the_rows_of_the_procedure(edge: Edge, time: Time) -> None:
    case = await filed(edge, "TEMP_AID")
    made = await complained(edge, case["caseNo"])
    first = await stored(edge, made["complaintNo"])
    assert first["due_at"] == working_days(first["received_at"], 1)
    time.pass_days(6)
    made = await complaint_after(edge, OFFICE, made, "assignComplaint")
    second = await stored(edge, made["complaintNo"])
    assert second["due_at"] == working_days(second["assigned_at"], 10)
    assert (first["overdue"], second["overdue"]) == (False, True)
    made = await complaint_after(edge, DEPT, made, "answerComplaint")
    assert (await stored(edge, made["complaintNo"]))["due_at"] is None
    made = await complaint_after(edge, VILLAGE, made, "escalateComplaint")
    third = await stored(edge, made["complaintNo"])
    assert third["due_at"] == working_days(third["escalated_at"], 10)
    late = await rows(edge, complaint_event, complaint_id=third["id"], overdue=True)
    assert [event["act"] for event in late] == ["ASSIGN"]


async def test_a_complaint_owed_too_long_says_so_by_itself_and_once(edge: Edge, time: Time) -> None:
    made = await complained(edge, (await filed(edge, "TEMP_AID"))["caseNo"])
    async with single(edge.hub.settings.store_url) as conn:  # the county's own were late before
        await conn.execute(update(complaint).values(overdue=True))
        mine = update(complaint).where(complaint.c.complaint_no == made["complaintNo"])
        await conn.execute(mine.values(overdue=False))
    done = []
    for days in (0, 6, 0):
        time.pass_days(days)
        time.ahead_us += 120_000_000
        ran = await edge.hub.jobs.run("lateness")
        assert ran is not None
        done.append(ran.done)
    assert done == [0, 1, 0]
    row = await stored(edge, made["complaintNo"])
    assert (row["overdue"], row["version"], row["state"]) == (True, 1, "RECEIVED")
    await complaint_after(edge, OFFICE, made, "assignComplaint")  # what he has seen still holds


async def test_a_complaint_is_recorded_without_a_word_of_it(edge: Edge) -> None:
    made = await complained(edge, (await filed(edge))["caseNo"])
    deed, read = (await edge.records())[-2:]
    assert (deed["kind"], deed["case"]) == ("MUTATION", made["complaintNo"])
    assert deed["op"]["vars"] == {"after": "RECEIVED", "changed": "state"}
    assert len(deed["subjects"]) == 1
    assert [r["d"] for r in read["reads"]] == ["complaint", "complaint_event"]
    assert "推诿" not in str([deed, read])


async def test_what_was_done_cannot_be_changed_or_taken_away(edge: Edge) -> None:
    await complained(edge, (await filed(edge))["caseNo"])
    for deed in (update(complaint_event).values(note="别的"), delete(complaint_event)):
        with pytest.raises(DBAPIError, match="stays recorded"):
            async with single(edge.site.store_url) as conn:
                await conn.execute(deed)


# ---- escalated, told, closed -------------------------------------------------------------------


async def test_who_is_not_content_says_so_once_and_the_office_answers(edge: Edge) -> None:
    made = await complained(edge, (await filed(edge, "TEMP_AID"))["caseNo"])
    for account, name in ((OFFICE, "assignComplaint"), (DEPT, "answerComplaint")):
        made = await complaint_after(edge, account, made, name)
    made = await complaint_after(edge, VILLAGE, made, "escalateComplaint")
    assert made["state"] == "ESCALATED"
    other = await turned(edge, DEPT, made, "answerComplaint")
    assert (other.status_code, code(other)) == (403, ("FORBIDDEN", "NO_RULE"))
    made = await complaint_after(edge, OFFICE, made, "answerComplaint", outcome="UPHELD")
    wanted = "... on AlreadyEscalated { message }"
    again = await turned(edge, VILLAGE, made, "escalateComplaint", wanted)
    assert again.json()["data"]["done"]["__typename"] == "AlreadyEscalated"
    row = await stored(edge, made["complaintNo"])
    assert (row["state"], row["outcome"], row["version"]) == ("ANSWERED", "UPHELD", 5)


async def test_nothing_is_closed_before_the_citizen_was_told_of_the_last_answer(edge: Edge) -> None:
    made = await complained(edge, (await filed(edge, "TEMP_AID"))["caseNo"])
    for account, name in ((OFFICE, "assignComplaint"), (DEPT, "answerComplaint")):
        made = await complaint_after(edge, account, made, name)
    wanted = "... on NotNotified { message }"
    untold = await turned(edge, OFFICE, made, "closeComplaint", wanted)
    assert untold.json()["data"]["done"]["__typename"] == "NotNotified"
    for account, name in (
        (DEPT, "notifyComplaint"),
        (VILLAGE, "escalateComplaint"),
        (OFFICE, "answerComplaint"),
    ):
        made = await complaint_after(edge, account, made, name)
    told_of_the_first = await turned(edge, OFFICE, made, "closeComplaint", wanted)
    assert told_of_the_first.json()["data"]["done"]["__typename"] == "NotNotified"
    assert (await stored(edge, made["complaintNo"]))["closed_at"] is None
    made = await complaint_after(edge, OFFICE, made, "notifyComplaint", channel="SMS")
    assert (await complaint_after(edge, OFFICE, made, "closeComplaint"))["state"] == "CLOSED"


async def test_what_the_table_does_not_list_is_refused_with_what_it_does(edge: Edge) -> None:
    made = await complained(edge, (await filed(edge))["caseNo"])
    answer = await turned(edge, OFFICE, made, "closeComplaint")
    assert (answer.status_code, code(answer)) == (409, ("CONFLICT", "STATE"))
    more = answer.json()["errors"][0]["extensions"]
    assert (more["state"], more["allowed"]) == ("RECEIVED", ["ASSIGN"])
    seen = await turned(edge, OFFICE, {**made, "version": 7}, "assignComplaint")
    assert (seen.status_code, code(seen)) == (409, ("CONFLICT", "VERSION"))


@pytest.mark.parametrize(
    "given",
    [
        {"kind": "COMPLAINT"},
        {"kind": "APPEAL", "citizen": "HIS"},
        {"kind": "PRIVACY_OBJECTION", "citizen": "HIS", "caseNo": "SQ2026-000001"},
        {"kind": "PRIVACY_OBJECTION", "citizen": "HIS", "body": "  "},
    ],
)
async def test_what_it_is_about_is_said_in_one_way(edge: Edge, given: dict[str, object]) -> None:
    if "citizen" in given:
        given = given | {"citizen": applicant(edge)}
    before = await rows(edge, complaint)
    answer = await do(edge, VILLAGE, "fileComplaint", {"body": "内容", **given}, TURNED)
    assert (answer.status_code, code(answer)) == (400, ("BAD_USER_INPUT", "VARIABLE"))
    assert await rows(edge, complaint) == before


async def test_it_goes_to_a_department_that_there_is(edge: Edge) -> None:
    made = await complained(edge, (await filed(edge))["caseNo"])
    answer = await turned(edge, OFFICE, made, "assignComplaint", department="nobody")
    assert (answer.status_code, code(answer)) == (400, ("BAD_USER_INPUT", "VARIABLE"))


async def test_the_township_answers_what_is_assigned_to_it(edge: Edge) -> None:
    made = await complained(edge, (await filed(edge, "TEMP_AID"))["caseNo"])
    made = await complaint_after(edge, OFFICE, made, "assignComplaint", department="rev")
    gone = await turned(edge, DEPT, made, "answerComplaint")
    assert (gone.status_code, code(gone)) == (404, ("NOT_FOUND", None))
    assert (await complaint_after(edge, TOWN, made, "answerComplaint"))["state"] == "ANSWERED"


# ---- an upheld appeal --------------------------------------------------------------------------


async def reopened(edge: Edge, case_no: str, version: int, appeal: str) -> Any:
    """What comes of reopening a case by an appeal."""
    given = {"caseNo": case_no, "version": version, "reason": "申诉成立", "appealNo": appeal}
    wanted = (
        "... on CaseChanged { case { state closedAt version } } ... on AppealNotUpheld { message }"
    )
    answer = await do(edge, OFFICE, "reopenCase", given, wanted)
    assert answer.status_code == 200, answer.text
    return answer.json()["data"]["done"]


async def test_an_upheld_appeal_reopens_its_case_once(edge: Edge) -> None:
    case = await closed_case(edge)
    number, version = case["caseNo"], case["version"] + 1
    appeal = await complained(edge, number, "APPEAL")
    early = await reopened(edge, number, version, appeal["complaintNo"])
    assert early["__typename"] == "AppealNotUpheld"
    await done_with(edge, appeal, "UPHELD")
    done = await reopened(edge, number, version, appeal["complaintNo"])
    assert done == {
        "__typename": "CaseChanged",
        "case": {"state": "REOPENED", "closedAt": None, "version": version + 1},
    }
    (row,) = await rows(edge, case_file, case_no=number)
    orders = await rows(edge, work_order, case_id=row["id"], closed_at=None)
    assert [order["node"] for order in orders] == ["VERIFY"]
    assert (await stored(edge, appeal["complaintNo"]))["reopened_at"] is not None
    for ahead, (account, name, needed) in enumerate(CLOSED_PATH[1:], start=1):
        seen: dict[str, object] = {"caseNo": number, "version": version + ahead, needed: "照办"}
        seen |= MORE.get(name, {})
        answer = await do(edge, account, name, seen)
        assert answer.status_code == 200, (name, answer.text)
    again = await reopened(edge, number, version + len(CLOSED_PATH), appeal["complaintNo"])
    assert again["__typename"] == "AppealNotUpheld"


@pytest.mark.parametrize("what", ["dismissed", "no appeal", "of another case", "none"])
async def test_nothing_else_reopens_a_case(edge: Edge, what: str) -> None:
    case = await closed_case(edge)
    about, version = case["caseNo"], case["version"]
    if what == "of another case":
        about = (await filed(edge))["caseNo"]
    number = "TS2026-999999"
    if what != "none":
        kind = "COMPLAINT" if what == "no appeal" else "APPEAL"
        made = await complained(edge, about, kind)
        if about == case["caseNo"]:
            version += 1
        made = await complaint_after(edge, OFFICE, made, "assignComplaint")
        outcome = "DISMISSED" if what == "dismissed" else "UPHELD"
        made = await complaint_after(edge, DEPT, made, "answerComplaint", outcome=outcome)
        made = await complaint_after(edge, DEPT, made, "notifyComplaint")
        made = await complaint_after(edge, OFFICE, made, "closeComplaint")
        number = made["complaintNo"]
    done = await reopened(edge, case["caseNo"], version, number)
    assert done["__typename"] == "AppealNotUpheld"
    (row,) = await rows(edge, case_file, case_no=case["caseNo"])
    assert (row["state"], row["version"]) == ("CLOSED", version)


# ---- the citizens' side ------------------------------------------------------------------------


async def test_a_citizen_files_for_himself_and_follows_it_through_the_portal(edge: Edge) -> None:
    await open_portal(edge)
    case = await filed(edge, "TEMP_AID")
    me = applicant(edge)
    given = {"kind": "COMPLAINT", "caseNo": case["caseNo"], "body": "窗口推诿"}
    answer = await as_citizen(edge, me, FILE, given)
    assert answer.status_code == 200, answer.text
    made = answer.json()["data"]["done"]["complaint"]
    made = await complaint_after(edge, OFFICE, made, "assignComplaint")
    await complaint_after(edge, DEPT, made, "answerComplaint")
    seen = (await as_citizen(edge, me, READ, made["complaintNo"])).json()["data"]["complaint"]
    assert (seen["state"], seen["body"], seen["answer"]) == ("ANSWERED", "窗口推诿", "照办")
    assert seen["case"] == {"caseNo": case["caseNo"]}
    assert [event["note"] for event in seen["events"]["nodes"]] == [None] * 3  # the office's own


async def test_another_citizen_neither_files_nor_sees_it(edge: Edge) -> None:
    await open_portal(edge)
    made = await complained(edge, (await filed(edge))["caseNo"])
    other = edge.site.shown("bange").citizen
    given = {"kind": "PRIVACY_OBJECTION", "citizen": applicant(edge), "body": "查看不当"}
    answer = await as_citizen(edge, other, FILE, given)
    assert (answer.status_code, code(answer)) == (404, ("NOT_FOUND", None))
    seen = await as_citizen(edge, other, READ, made["complaintNo"])
    assert seen.json()["data"] == {"complaint": None}


# ---- spot checks -------------------------------------------------------------------------------

SEED = "双色球2026136期 03 09 14 22 27 31 + 08"


async def drawn(edge: Edge, size: int, **more: object) -> dict[str, Any]:
    """A sample of this month's closed cases."""
    month = f"{datetime.now(ZONE):%Y-%m}"
    given = {"seed": SEED, "size": size, "month": month, **more}
    answer = await do(edge, OFFICE, "drawSpotCheck", given, DRAWN)
    assert answer.status_code == 200, answer.text
    found: dict[str, Any] = answer.json()["data"]["done"]["spotCheck"]
    return found


async def closed_numbers(edge: Edge, of: str = "") -> list[str]:
    """Numbers of the cases that were closed this month and are closed, by the store."""
    since = datetime.now(ZONE).replace(day=1, hour=0, minute=0, second=0, microsecond=0)
    closed = [*await rows(edge, case_file, state="CLOSED")]
    closed += await rows(edge, case_file, state="FOLLOWED_UP")
    return sorted(
        row["case_no"]
        for row in closed
        if row["closed_at"] >= since.astimezone(UTC) and of in ("", row["handling_dept"])
    )


async def test_the_sample_is_what_anybody_reckons_by_sha256(edge: Edge) -> None:
    numbers = {(await closed_case(edge))["caseNo"] for _ in range(5)}
    check = await drawn(edge, 3)
    population = await closed_numbers(edge)
    assert numbers <= set(population)
    lots = sorted((sha256(f"{SEED}\n{n}".encode()).hexdigest(), n) for n in population)
    got = [(i["lot"], i["case"]["caseNo"]) for i in check["items"]["nodes"]]
    assert got == lots[:3]
    number = check["checkNo"]
    assert [i["itemNo"] for i in check["items"]["nodes"]] == [f"{number}-00{n}" for n in (1, 2, 3)]
    lines = "".join(f"{n}\n" for n in population)
    assert (check["population"], check["populationSize"]) == (lines, len(population))
    assert check["populationDigest"] == sha256(lines.encode()).hexdigest()


async def test_a_draw_stays_though_its_cases_move_on(edge: Edge) -> None:
    await closed_case(edge)
    first = await drawn(edge, 1, department="mca")
    assert first["population"].split() == await closed_numbers(edge, "mca")
    await closed_case(edge)
    second = await drawn(edge, 1, department="mca")
    assert second["populationSize"] == first["populationSize"] + 1
    kept = await rows(edge, spot_check, check_no=first["checkNo"])
    assert kept[0]["population"] == first["population"]
    for deed in (update(spot_check).values(seed="别的"), delete(spot_check)):
        with pytest.raises(DBAPIError, match="what was drawn stays drawn"):
            async with single(edge.site.store_url) as conn:
                await conn.execute(deed)


async def test_nothing_is_drawn_from_nothing(edge: Edge) -> None:
    given = {"seed": SEED, "size": 3, "month": "2019-02"}
    answer = await do(edge, OFFICE, "drawSpotCheck", given, "... on NothingToDraw { message }")
    assert answer.json()["data"]["done"]["__typename"] == "NothingToDraw"
    assert await rows(edge, spot_check) == []


@pytest.mark.parametrize(
    "wrong",
    [
        {"seed": "a\nb"},
        {"seed": "长" * 201},
        {"size": 0},
        {"size": 201},
        {"month": "2026-13"},
        {"month": "0000-01"},
        {"month": "2999-01"},
        {"month": "2026-1"},
        {"department": "nobody"},
    ],
)
async def test_a_draw_that_cannot_be_is_refused(edge: Edge, wrong: dict[str, object]) -> None:
    given = {"seed": SEED, "size": 3, "month": "2026-10", **wrong}
    answer = await do(edge, OFFICE, "drawSpotCheck", given, DRAWN)
    assert (answer.status_code, code(answer)) == (400, ("BAD_USER_INPUT", "VARIABLE"))


async def acted(
    edge: Edge, account: str, item: dict[str, Any], name: str, selection: str = CHECKED, **more: Any
) -> Any:
    """What comes of one act on an item as it is."""
    keys = {key: item[key] for key in ("itemNo", "version")}
    answer = await do(edge, account, name, {**keys, **more}, selection)
    assert answer.status_code == 200, (name, answer.text)
    return answer.json()["data"]["done"]


async def test_what_is_found_is_put_right_before_it_is_struck_off(edge: Edge, time: Time) -> None:
    await closed_case(edge)
    check = await drawn(edge, 1, department="mca", division="532622205000")
    (item,) = check["items"]["nodes"]
    found: dict[str, Any] = {"inOrder": False, "finding": "缺少入户照片"}
    item = (await acted(edge, OFFICE, item, "checkSpotCheckItem", **found))["item"]
    assert (item["state"], item["inOrder"]) == ("CHECKED", False)
    wanted = "... on NotRectified { message }"
    early = await acted(edge, OFFICE, item, "closeSpotCheckItem", wanted)
    assert early["__typename"] == "NotRectified"
    item = (await acted(edge, OFFICE, item, "orderRectification", reason="补齐"))["item"]
    (row,) = await rows(edge, spot_check_item, item_no=item["itemNo"])
    assert row["due_at"] > row["checked_at"]
    assert row["due_at"] == working_days(row["checked_at"], 10)
    time.pass_days(30)
    right = {"rootCause": "交接疏漏", "measure": "补拍并复核"}
    item = (await acted(edge, TOWN, item, "rectifySpotCheckItem", **right))["item"]
    item = (await acted(edge, OFFICE, item, "closeSpotCheckItem"))["item"]
    assert item["state"] == "CLOSED"
    (row,) = await rows(edge, spot_check_item, item_no=item["itemNo"])
    assert (row["root_cause"], row["overdue"], row["version"]) == ("交接疏漏", True, 5)
    assert row["closed_at"] >= row["rectified_at"]


async def test_what_is_in_order_is_struck_off_and_nothing_is_ordered(edge: Edge) -> None:
    await closed_case(edge)
    (item,) = (await drawn(edge, 1))["items"]["nodes"]
    found: dict[str, Any] = {"inOrder": True, "finding": "材料齐全"}
    item = (await acted(edge, OFFICE, item, "checkSpotCheckItem", **found))["item"]
    given = {"itemNo": item["itemNo"], "version": item["version"], "reason": "补齐"}
    answer = await do(edge, OFFICE, "orderRectification", given, CHECKED)
    assert (answer.status_code, code(answer)) == (409, ("CONFLICT", "STATE"))
    assert answer.json()["errors"][0]["extensions"]["allowed"] == ["CLOSE"]
    assert (await acted(edge, OFFICE, item, "closeSpotCheckItem"))["item"]["state"] == "CLOSED"
