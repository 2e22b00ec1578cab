"""A case or order is found by its number, wherever they lie, and nobody waits for it for ever."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import UTC, datetime

import pytest
from sqlalchemy import insert

from adapters.databases.database import Database, open_database
from adapters.resilience import THRESHOLD, Guard
from catalog.errors import SourceUnavailable
from hub.identity.case_files import NUMBERED, CaseFiles, Filed
from store.cases import case_file
from store.comparisons import comparison_run, risk_clue
from store.complaints import complaint
from store.engine import open_engine
from store.migrate import upgrade
from store.register import citizen
from store.supervision import supervision_order

pytestmark = pytest.mark.anyio
NUMBER, HOMELESS, ORDER = "SQ20260001001", "SQ20260001002", "DB20260001001"
OBJECTION, CLUE = "TS2026-000001", "XS2026-000001"


@dataclass
class Here:
    """A data set's place."""

    name: str
    guard: Guard
    database: Database


def files_of(database: Database, guard: Guard) -> CaseFiles:
    here = Here(guard.name, guard, database)
    return CaseFiles(dict.fromkeys(NUMBERED, here))


async def _file(url: str) -> None:
    engine = open_engine(url, pool_size=1)
    person = {
        "id": "p",
        "citizen_uid": "u",
        "name": "某某",
        "sex": "UNKNOWN",
        "region_path": "532622205",
        "region_state": "PLACED",
        "dq": "",
        "as_of": datetime(2026, 1, 1, tzinfo=UTC).date(),
    }
    case = {
        "item": "TEMP_AID",
        "state": "ACCEPTED",
        "channel": "WINDOW",
        "intake": "SELF",
        "applicant_id": "p",
        "applicant_uid": "u",
        "region_path": "532622205",
        "handling_dept": "mca",
        "filed_at": datetime(2026, 11, 1, tzinfo=UTC),
        "overdue": False,
        "has_complaint": False,
    }
    cases = [
        case | {"id": "c1", "case_no": NUMBER, "household_id": "h1"},
        case | {"id": "c2", "case_no": HOMELESS, "household_id": None},
    ]
    order = {
        "id": "o1",
        "order_no": ORDER,
        "case_id": "c1",
        "kind": "URGE",
        "reason": "OVERDUE",
        "state": "ISSUED",
        "issued_at": datetime(2026, 11, 2, tzinfo=UTC),
        "due_at": datetime(2026, 11, 9, tzinfo=UTC),
        "expired": False,
        "applicant_uid": "u",
        "household_id": "h1",
        "region_path": "532622205",
        "handling_dept": "mca",
    }
    objection = {
        "id": "t1",
        "complaint_no": OBJECTION,
        "kind": "PRIVACY_OBJECTION",
        "version": 1,
        "state": "RECEIVED",
        "received_at": datetime(2026, 11, 2, tzinfo=UTC),
        "due_confirmed": True,
        "overdue": False,
        "body": "查看不当",
        "applicant_id": "p",
        "applicant_uid": "u",
        "household_id": "h2",
        "region_path": "532622205",
        "handling_dept": "rev",
    }
    at = datetime(2026, 11, 5, 11, tzinfo=UTC)
    run = {
        **{"id": "r1", "run_no": "BD2026-000001", "rule": "R03", "rule_version": 1},
        **{"as_of": at.date(), "state": "COMPLETE", "started_at": at, "finished_at": at},
        **dict.fromkeys(("people", "unjudged", "added", "standing", "suppressed"), 0),
        **{"parameters": "{}", "snapshots": "[]", "digest": "d", "region_path": "532622"},
    }
    clue = {
        **{"id": "x1", "clue_no": CLUE, "run_id": "r1", "rule": "R03", "version": 1},
        **{"state": "OPEN", "tier": "RED", "item": "TEMP_AID", "found_at": at, "detail": "说明"},
        **{"due_confirmed": True, "applicant_id": "p", "applicant_uid": "u"},
        **{"household_id": "h3", "region_path": "532622205", "handling_dept": "rev"},
    }
    async with engine.begin() as connection:
        await connection.execute(insert(citizen), [person])
        await connection.execute(insert(comparison_run), [run])
        await connection.execute(insert(risk_clue), [clue])
        await connection.execute(insert(case_file), cases)
        await connection.execute(insert(supervision_order), [order])
        await connection.execute(insert(complaint), [objection])
    await engine.dispose()


@pytest.fixture
async def files(store_url: str, anyio_backend: str) -> AsyncIterator[CaseFiles]:
    await asyncio.to_thread(upgrade, store_url)
    await _file(store_url)
    database = open_database(store_url, statement_s=5)
    yield files_of(database, Guard("cases"))
    await database.close()


async def test_a_case_is_where_it_was_filed_who_handles_it_and_whose_household(
    files: CaseFiles,
) -> None:
    assert await files.find(NUMBER) == Filed("Case.basic", "532622205", "mca", "h1")
    assert await files.find(HOMELESS) == Filed("Case.basic", "532622205", "mca", None)


async def test_an_order_is_named_by_its_own_number(files: CaseFiles) -> None:
    assert await files.find(ORDER) == Filed("SupervisionOrder.basic", "532622205", "mca", "h1")


async def test_a_complaint_is_named_by_its_own_number(files: CaseFiles) -> None:
    assert await files.find(OBJECTION) == Filed("Complaint.basic", "532622205", "rev", "h2")


async def test_a_clue_is_named_by_its_own_number(files: CaseFiles) -> None:
    assert await files.find(CLUE) == Filed("RiskClue.basic", "532622205", "rev", "h3")


@pytest.mark.parametrize("number", ["SQ20269999999", "", "' OR 1=1 --"])
async def test_any_other_number_is_no_case(files: CaseFiles, number: str) -> None:
    assert await files.find(number) is None


@pytest.mark.loopback
async def test_cases_that_are_not_there_are_unavailable_and_soon_not_asked_for(
    store_url: str,
) -> None:
    database = open_database(f"{store_url}_gone", statement_s=5)
    files = files_of(database, Guard("cases", attempts=1))
    reasons = []
    for _ in range(THRESHOLD + 1):
        with pytest.raises(SourceUnavailable) as caught:
            await files.find(NUMBER)
        assert caught.value.message == "诉求件库暂时不可用"
        assert caught.value.extra == {"source": "cases"}
        reasons.append(caught.value.reason)
    assert reasons == ["DOWN"] * THRESHOLD + ["BREAKER_OPEN"]
    await database.close()
