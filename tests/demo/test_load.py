"""Loading the register into the store: all or nothing, on both databases."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from sqlalchemy import func, select
from sqlalchemy.exc import IntegrityError

from hub.demo.county import County
from hub.demo.load import TABLES, load_store
from store.cases import case_event, case_file
from store.engine import open_engine
from store.metadata import metadata
from store.register import citizen, household
from store.sharing_requests import sharing_request

pytestmark = pytest.mark.anyio


async def migrated(url: str) -> None:
    engine = open_engine(url, pool_size=1)
    async with engine.begin() as connection:
        await connection.run_sync(
            lambda c: metadata.create_all(c, tables=[sharing_request, *TABLES])
        )
    await engine.dispose()


async def test_every_row_arrives_with_its_types(county: County, store_url: str) -> None:
    await migrated(store_url)
    seen: list[str] = []
    counts = await load_store(county.register, store_url, lambda table, _: seen.append(table))
    assert counts == county.counts["hub"]
    assert list(dict.fromkeys(seen)) == [table.name for table in TABLES]

    engine = open_engine(store_url, pool_size=1)
    shown = county.demonstration("zhelai")
    async with engine.connect() as connection:
        for table in TABLES:
            count = await connection.scalar(select(func.count()).select_from(table))
            assert count == county.counts["hub"][table.name]
        row = (
            await connection.execute(
                select(citizen.c.birth, citizen.c.citizen_uid, household.c.size)
                .join(household, household.c.id == citizen.c.household_id)
                .where(citizen.c.id18 == shown.id18)
            )
        ).one()
        case = (
            await connection.execute(
                select(case_file.c.filed_at, case_file.c.overdue, case_file.c.has_complaint).where(
                    case_file.c.case_no == shown.overdue_case_no
                )
            )
        ).one()
        events = await connection.scalar(
            select(func.count())
            .select_from(case_event.join(case_file, case_file.c.id == case_event.c.case_id))
            .where(case_file.c.case_no == shown.overdue_case_no)
        )
    await engine.dispose()
    assert (row.birth.isoformat(), row.size) == ("1977-04-12", 4)
    # SQLite gives back naive UTC.
    filed_at = case.filed_at.replace(tzinfo=UTC) if case.filed_at.tzinfo is None else case.filed_at
    assert filed_at == datetime(2026, 8, 18, 2, 30, tzinfo=UTC)
    assert (case.overdue, case.has_complaint) == (True, True)
    assert events is not None
    assert events >= 4


async def test_a_second_load_is_refused_and_changes_nothing(county: County, store_url: str) -> None:
    await migrated(store_url)
    await load_store(county.register, store_url)
    with pytest.raises(Exception, match=r"(?i)unique") as caught:
        await load_store(county.register, store_url)
    assert not isinstance(caught.value, IntegrityError)
    engine = open_engine(store_url, pool_size=1)
    async with engine.connect() as connection:
        count = await connection.scalar(select(func.count()).select_from(citizen))
    await engine.dispose()
    assert count == county.counts["hub"]["citizen"]
