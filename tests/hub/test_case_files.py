"""A case is found by its number, wherever the cases lie, and nobody waits for it for ever."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from datetime import UTC, datetime

import pytest
from sqlalchemy import insert

from adapters.database import open_database
from adapters.resilience import THRESHOLD, Guard
from catalog.errors import SourceUnavailable
from hub.case_files import CaseFiles, Filed
from store.cases import case_file
from store.engine import open_engine
from store.migrate import upgrade
from store.register import citizen

pytestmark = pytest.mark.anyio
NUMBER, HOMELESS = "SQ20260001001", "SQ20260001002"


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
    async with engine.begin() as connection:
        await connection.execute(insert(citizen), [person])
        await connection.execute(insert(case_file), cases)
    await engine.dispose()


@pytest.fixture
async def files(store_url: str, anyio_backend: str) -> AsyncIterator[CaseFiles]:
    await asyncio.to_thread(upgrade, store_url)
    await _file(store_url)
    database = open_database(store_url, statement_s=5)
    yield CaseFiles(database, Guard("cases"))
    await database.close()


async def test_a_case_is_where_it_was_filed_who_handles_it_and_whose_household(
    files: CaseFiles,
) -> None:
    assert await files.find(NUMBER) == Filed("532622205", "mca", "h1")
    assert await files.find(HOMELESS) == Filed("532622205", "mca", None)


@pytest.mark.parametrize("number", ["SQ20269999999", "", "' OR 1=1 --"])
async def test_any_other_number_is_no_case(files: CaseFiles, number: str) -> None:
    assert await files.find(number) is None


@pytest.mark.loopback
async def test_cases_that_are_not_there_are_unavailable_and_soon_not_asked_for(
    store_url: str,
) -> None:
    database = open_database(f"{store_url}_gone", statement_s=5)
    files = CaseFiles(database, Guard("cases", attempts=1))
    reasons = []
    for _ in range(THRESHOLD + 1):
        with pytest.raises(SourceUnavailable) as caught:
            await files.find(NUMBER)
        assert caught.value.message == "诉求件库暂时不可用"
        assert caught.value.extra == {"source": "cases"}
        reasons.append(caught.value.reason)
    assert reasons == ["DOWN"] * THRESHOLD + ["BREAKER_OPEN"]
    await database.close()
