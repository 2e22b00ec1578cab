"""数据校核 over HTTP: scenario (f), from what a citizen says is wrong to his being told."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest
from sqlalchemy import select

from hub.demo.site import Site
from store.corrections import correction, correction_event
from store.engine import single
from tests.casework import DEPT, MANY, NEIGHBOUR, TOWN, VILLAGE, Time, applicant, code
from tests.corrections import (
    AID,
    AMOUNT,
    CORRECT,
    DISPUTED,
    NOTICES,
    OFFICE,
    PHONE,
    STEPS,
    act,
    asked,
    mended,
    moved,
    request,
    requested,
    taken_to,
)
from tests.trusted import Edge, over

if TYPE_CHECKING:
    from tests.journeys.conftest import FillStore

pytestmark = [pytest.mark.anyio]

AT_HOME = "query($id: ID!) { citizen(by: {id: $id}) { household { id } } }"
HOUSE = "query($id: ID!) { household(id: $id) { members { id phone address } } }"


@pytest.fixture
def time() -> Time:
    return Time()


@pytest.fixture
async def edge(site_copy: Site, time: Time) -> AsyncIterator[Edge]:
    async with over(site_copy, MANY, clock=time) as made:
        yield made


async def aid(edge: Edge, account: str = TOWN, purpose: str = "aid.file") -> dict[str, Any]:
    """His 低保 as this account is shown it."""
    answer = await asked(edge, account, AID, purpose, id=applicant(edge))
    found: dict[str, Any] = answer["data"]["citizen"]["civilAffairs"]["minLiving"]
    return found


async def test_a_wrong_value_is_disputed_at_once_mended_at_its_source_and_told(edge: Edge) -> None:
    await from_the_request_to_the_citizen(edge)


@pytest.mark.postgres
@pytest.mark.loopback
async def test_the_same_with_postgresql_as_the_store(
    site_copy: Site, fill_store: FillStore, pg_url: str
) -> None:
    await fill_store(site_copy, pg_url)
    async with over(site_copy, {**MANY, "store.url": pg_url}) as edge:
        assert edge.hub.store.dialect.name == "postgresql"
        await from_the_request_to_the_citizen(edge)


async def from_the_request_to_the_citizen(edge: Edge) -> None:
    """Scenario (f) of 领域设计 4."""
    before = await aid(edge)
    assert before["monthlyAmount"] is not None
    assert before["access"] == []
    number = await requested(edge)
    assert number == "JH2026-000001"
    assert (await aid(edge))["access"] == []  # asked for, not yet taken on
    version = await taken_to(edge, number, "FLAGGED")

    shown = await aid(edge, DEPT, CORRECT)
    assert shown == {**before, "access": DISPUTED}
    record = (await edge.asked())[-1]
    (read,) = [r for r in record["reads"] if r["d"] == "min_living"]
    assert (read["clear"][AMOUNT], read["states"]) == (1, {"DISPUTED": 1})
    assert (await aid(edge))["access"] == DISPUTED

    for account, name, state in STEPS[2:6]:
        if state == "CORRECTED_AT_SOURCE":
            assert (await aid(edge))["access"] == DISPUTED
            mended(edge, "812.50")
        answer = await moved(edge, account, name, number, version)
        assert answer.status_code == 200, (name, answer.text)
        version += 1
    after = await aid(edge)
    assert after == {**before, "monthlyAmount": "812.50"}

    masked = await aid(edge, VILLAGE)  # who is shown a mask has not read the value
    assert masked["monthlyAmount"] is None
    answer = await moved(edge, OFFICE, "replayCorrection", number, version)
    assert answer.status_code == 200, answer.text
    told = (await asked(edge, OFFICE, NOTICES, CORRECT, no=number))["data"]["correction"]
    nodes = told["readers"]["nodes"]
    assert sorted((n["account"], n["department"]["code"], n["coordinate"]) for n in nodes) == [
        (DEPT, "mca", AMOUNT),
        (TOWN, "rev", AMOUNT),
    ]
    assert all(n["lastReadAt"] <= n["toldAt"] for n in nodes)

    version += 1
    for account, name, state in STEPS[7:]:
        answer = await moved(edge, account, name, number, version)
        assert answer.json()["data"]["done"]["correction"] == {
            "correctionNo": number,
            "state": state,
            "version": version + 1,
        }
        version += 1
    assert (await aid(edge)) == after
    async with single(edge.hub.settings.store_url, readonly=True) as conn:
        acts = (
            await conn.scalars(select(correction_event.c.act).order_by(correction_event.c.seq))
        ).all()
        row = (await conn.execute(select(correction))).mappings().one()
    assert acts == [
        *(None, "ACCEPT", "FLAG", "ASSIGN", "INVESTIGATE", "UPHOLD", "CORRECT", "REPLAY"),
        *("NOTIFY", "CLOSE"),
    ]
    assert (row["notified_by"], str(row["source_as_of"])) == ("PHONE", "2026-11-01")
    assert None not in (row["notified_at"], row["closed_at"], row["corrected_at"])
    assert "812.50" not in str(dict(row))


async def test_a_reader_of_another_department_is_told_in_its_own_list(edge: Edge) -> None:
    await aid(edge, DEPT, CORRECT)
    await aid(edge)
    number = await requested(edge)
    version = await taken_to(edge, number, "CORRECTED_AT_SOURCE")
    assert (await moved(edge, OFFICE, "replayCorrection", number, version)).status_code == 200
    text = "{ correctionReaders { nodes { account correctionNo citizenId coordinate } } }"
    lists = {
        who: (await asked(edge, who, text, CORRECT))["data"]["correctionReaders"]["nodes"]
        for who in (DEPT, NEIGHBOUR)
    }
    assert lists[NEIGHBOUR] == []
    mine = {"correctionNo": number, "citizenId": applicant(edge), "coordinate": AMOUNT}
    assert lists[DEPT] == [{"account": DEPT, **mine}]


# ---- disputed ------------------------------------------------------------------------------------


async def test_a_disputed_column_of_the_register_is_told_and_counted_wherever_it_is_shown(
    edge: Edge,
) -> None:
    number = await requested(edge, PHONE)
    mine = applicant(edge)
    home = (await asked(edge, TOWN, AT_HOME, "aid.file", id=mine))["data"]["citizen"]["household"]
    calm = await asked(edge, TOWN, HOUSE, "aid.file", id=home["id"])
    assert mine in [one["id"] for one in calm["data"]["household"]["members"]]
    await moved(edge, OFFICE, "acceptCorrection", number, 1)
    await moved(edge, OFFICE, "flagCorrection", number, 2)
    one = await asked(edge, TOWN, AID, "aid.file", id=mine)
    states = one["data"]["citizen"]["access"]
    assert {"field": "phone", "state": "DISPUTED"} in states
    assert one["data"]["citizen"]["phone"] is not None

    many = await asked(edge, TOWN, HOUSE, "aid.file", id=home["id"])  # rides as JSON text
    assert many["data"] == calm["data"]
    fields = many["extensions"]["fields"]
    assert [f for f in fields if f["state"] == "DISPUTED"] == [
        {"coordinate": PHONE, "state": "DISPUTED", "count": 1}
    ]
    reads = (await edge.asked())[-1]["reads"]
    assert [(r["d"], r.get("states")) for r in reads] == [
        ("household", None),
        ("citizen", {"DISPUTED": 1}),
    ]
    assert [f for f in calm["extensions"]["fields"] if f["state"] == "DISPUTED"] == []


async def test_a_mask_stays_a_mask_and_who_may_not_see_it_is_not_told(edge: Edge) -> None:
    number = await requested(edge)
    await taken_to(edge, number, "FLAGGED")
    masked = await aid(edge, VILLAGE)
    assert masked["access"] == [
        {"field": "monthlyAmount", "state": "MASKED", "source": "mz_assist"},
        {"field": "paidMonth", "state": "MASKED", "source": "mz_assist"},
    ]
    text = "query($id: ID!) { citizen(by: {id: $id}) { civilAffairs { minLiving { status } } "
    text += "access { field state } } }"
    denied = await asked(edge, OFFICE, text, "supervise", id=applicant(edge))
    entry = {"field": "civilAffairs.minLiving", "state": "DENIED"}
    assert entry in denied["data"]["citizen"]["access"]
    assert "DISPUTED" not in json.dumps(denied)


async def test_every_worker_tells_it_from_the_next_request_on(edge: Edge) -> None:
    number = await requested(edge)
    await moved(edge, OFFICE, "acceptCorrection", number, 1)
    async with over(edge.site, MANY) as other:
        assert (await aid(other))["access"] == []
        answer = await moved(edge, OFFICE, "flagCorrection", number, 2)
        assert answer.status_code == 200, answer.text
        assert (await aid(other))["access"] == DISPUTED


# ---- other ways ----------------------------------------------------------------------------------


async def test_what_is_not_upheld_is_disputed_no_more_and_its_citizen_is_told(edge: Edge) -> None:
    number = await requested(edge)
    version = await taken_to(edge, number, "INVESTIGATING")
    assert (await aid(edge))["access"] == DISPUTED
    given = {"decision": "REJECTED", "reason": "发放记录与存折一致"}
    answer = await moved(edge, DEPT, "decideCorrection", number, version, **given)
    assert answer.json()["data"]["done"]["correction"]["state"] == "REJECTED"
    assert (await aid(edge))["access"] == []
    for name, state in (("notifyCorrection", "NOTIFIED"), ("closeCorrection", "CLOSED")):
        version += 1
        answer = await moved(edge, OFFICE, name, number, version)
        assert answer.json()["data"]["done"]["correction"]["state"] == state
    again = await act(edge, VILLAGE, "fileCorrection", request(edge))
    assert again.json()["data"]["done"]["correction"]["correctionNo"] == "JH2026-000002"


async def test_nothing_is_closed_before_its_citizen_is_told(edge: Edge) -> None:
    number = await requested(edge)
    version = await taken_to(edge, number, "REPLAYED")
    answer = await moved(edge, OFFICE, "closeCorrection", number, version)
    assert (answer.status_code, code(answer)) == (409, ("CONFLICT", "STATE"))
    more = answer.json()["errors"][0]["extensions"]
    assert (more["state"], more["allowed"]) == ("REPLAYED", ["NOTIFY"])


async def test_a_provider_is_given_more_time_once(edge: Edge) -> None:
    number = await requested(edge)
    version = await taken_to(edge, number, "ASSIGNED")
    wanted = "{ corrections { nodes { filedAt acceptDueAt dueAt } } }"
    (filed,) = (await asked(edge, OFFICE, wanted, CORRECT))["data"]["corrections"]["nodes"]
    answer = await moved(edge, OFFICE, "extendCorrection", number, version)
    assert answer.json()["data"]["done"]["event"] == {"act": "EXTEND"}
    (longer,) = (await asked(edge, OFFICE, wanted, CORRECT))["data"]["corrections"]["nodes"]
    assert filed["acceptDueAt"] < filed["dueAt"] < longer["dueAt"]
    days = edge.hub.catalog.calendar
    assert [worked(days, filed["filedAt"], one) for one in (filed["dueAt"], longer["dueAt"])] == [
        10,
        15,
    ]
    again = await moved(edge, OFFICE, "extendCorrection", number, version + 1)
    assert (again.status_code, code(again)) == (409, ("CONFLICT", "STATE"))
    assert again.json()["errors"][0]["extensions"]["allowed"] == ["INVESTIGATE"]


def worked(calendar: Any, filed: str, due: str) -> int:
    """The working days after the day of the filing and before the due moment."""
    day, end = datetime.fromisoformat(filed).date(), datetime.fromisoformat(due).date()
    span = [day + timedelta(days=n) for n in range(1, (end - day).days)]
    return sum(calendar.is_working(one) for one in span)


async def test_a_correction_owed_too_long_says_so_by_itself_and_once(
    edge: Edge, time: Time
) -> None:
    number = await requested(edge)
    wanted = "{ corrections { nodes { state overdue version } } }"
    done, seen = [], []
    for days in (0, 6, 0):
        time.pass_days(days)
        time.ahead_us += 120_000_000
        ran = await edge.hub.jobs.run("lateness")
        assert ran is not None
        done.append(ran.done)
        seen += (await asked(edge, OFFICE, wanted, CORRECT))["data"]["corrections"]["nodes"]
    assert done == [0, 1, 0]
    assert [one["overdue"] for one in seen] == [False, True, True]
    assert {one["version"] for one in seen} == {1}
    await taken_to(edge, number, "FLAGGED")


async def test_a_late_decision_that_no_job_has_met_marks_it_itself(edge: Edge, time: Time) -> None:
    number = await requested(edge)
    version = await taken_to(edge, number, "INVESTIGATING")
    time.pass_days(30)
    answer = await moved(edge, DEPT, "decideCorrection", number, version)
    assert answer.status_code == 200, answer.text
    wanted = "{ corrections { nodes { overdue } } }"
    found = (await asked(edge, OFFICE, wanted, CORRECT))["data"]["corrections"]["nodes"]
    assert found == [{"overdue": True}]


async def test_who_read_it_longer_ago_than_the_days_is_not_told(edge: Edge, time: Time) -> None:
    await aid(edge, DEPT, CORRECT)
    time.pass_days(181)
    await aid(edge)
    number = await requested(edge)
    version = await taken_to(edge, number, "CORRECTED_AT_SOURCE")
    assert (await moved(edge, OFFICE, "replayCorrection", number, version)).status_code == 200
    told = (await asked(edge, OFFICE, NOTICES, CORRECT, no=number))["data"]["correction"]
    assert [one["account"] for one in told["readers"]["nodes"]] == [TOWN]


async def test_nobody_files_twice_about_one_value_nor_about_what_is_none(edge: Edge) -> None:
    number = await requested(edge)
    wanted = "... on CorrectionOpen { correctionNo }"
    again = await act(edge, VILLAGE, "fileCorrection", request(edge), wanted)
    assert again.json()["data"]["done"] == {
        "__typename": "CorrectionOpen",
        "correctionNo": number,
    }
    for coordinate in ("MinLiving.nothing", "Case.state", "monthlyAmount", "Division.name"):
        answer = await act(edge, VILLAGE, "fileCorrection", request(edge, coordinate))
        assert (answer.status_code, code(answer)) == (400, ("BAD_USER_INPUT", "VARIABLE"))


async def test_a_deed_says_what_changed_and_no_word_of_it(edge: Edge) -> None:
    number = await requested(edge)
    version = await taken_to(edge, number, "INVESTIGATING")
    await moved(edge, DEPT, "decideCorrection", number, version)
    deed = [r for r in await edge.records() if r["kind"] == "MUTATION"][-1]
    assert deed["op"] == {
        "name": "decideCorrection",
        "type": "mutation",
        "vars": {
            "before": "INVESTIGATING",
            "after": "UPHELD",
            "changed": "state,finding,decided_at",
        },
    }
    assert (deed["case"], len(deed["subjects"])) == (number, 1)
    assert "录入有误" not in str(await edge.records())
