"""Prints: numbers without a gap, rows that nobody changes, digests that tell what was changed."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import replace

import pytest
from sqlalchemy import select, text
from sqlalchemy.exc import DBAPIError, IntegrityError
from sqlalchemy.ext.asyncio import AsyncEngine

from store.engine import open_engine
from store.migrate import upgrade
from store.prints import (
    FROZEN,
    NUMBER,
    Printed,
    by_code,
    by_number,
    keep,
    next_number,
    printed_record,
    sha256_of,
)

pytestmark = pytest.mark.anyio

CODE = "2222-3333-4444-5555"


def printed(number: str = "YS-2026-000001", code: str = CODE) -> Printed:
    content = '{"data":{"record":{"id":"c1"}}}'
    return Printed(
        number=number,
        code=code,
        kind="decision",
        subject="c1",
        template="decision/1",
        content=content,
        sha256=sha256_of(number, code, "decision/1", 1_700_000_000_000_000, content),
        printed_at=1_700_000_000_000_000,
        account="clerk",
        dept="rev",
        role="town",
        area="532622205",
        issuer="者腊乡",
        address="",
        audit_idx=7,
    )


@pytest.fixture
async def engine(store_url: str, anyio_backend: str) -> AsyncIterator[AsyncEngine]:
    import asyncio

    await asyncio.to_thread(upgrade, store_url)
    made = open_engine(store_url)
    yield made
    await made.dispose()


async def test_numbers_run_without_a_gap_and_begin_anew_with_the_year(engine: AsyncEngine) -> None:
    found = []
    for year in (2026, 2026, 2027, 2026):
        async with engine.begin() as connection:
            found.append(await next_number(connection, year))
    assert found == ["YS-2026-000001", "YS-2026-000002", "YS-2027-000001", "YS-2026-000003"]
    assert all(NUMBER.match(number) for number in found)


async def test_a_deed_that_fails_gives_its_number_back(engine: AsyncEngine) -> None:
    async with engine.connect() as connection:
        assert await next_number(connection, 2026) == "YS-2026-000001"
        await connection.rollback()
    async with engine.begin() as connection:
        assert await next_number(connection, 2026) == "YS-2026-000001"


async def test_a_print_is_found_by_number_and_code_as_it_was_kept(engine: AsyncEngine) -> None:
    one = printed()
    async with engine.begin() as connection:
        await keep(connection, one)
    async with engine.connect() as connection:
        assert await by_number(connection, one.number) == one
        assert await by_code(connection, one.code) == one
        assert await by_number(connection, "YS-2026-000002") is None
        assert await by_code(connection, one.number) is None
    assert one.sound


@pytest.mark.parametrize("other", [printed(code="9999-3333-4444-5555"), printed("YS-2026-000002")])
async def test_neither_number_nor_code_stands_twice(engine: AsyncEngine, other: Printed) -> None:
    async with engine.begin() as connection:
        await keep(connection, printed())
    with pytest.raises(IntegrityError):
        async with engine.begin() as connection:
            await keep(connection, other)


@pytest.mark.parametrize(
    "deed",
    ["UPDATE printed_record SET content = '{}'", "DELETE FROM printed_record", "TRUNCATE"],
)
async def test_nobody_changes_or_removes_a_print(engine: AsyncEngine, deed: str) -> None:
    if deed == "TRUNCATE":
        if engine.dialect.name == "sqlite":
            deed = "DELETE FROM printed_record WHERE 1"  # SQLite's own way to empty a table
        else:
            deed = "TRUNCATE printed_record"
    async with engine.begin() as connection:
        await keep(connection, printed())
    with pytest.raises(DBAPIError, match=FROZEN.refusal):
        async with engine.begin() as connection:
            await connection.execute(text(deed))
    async with engine.connect() as connection:
        assert len((await connection.execute(select(printed_record))).all()) == 1


@pytest.mark.parametrize(
    "changed",
    [
        {"number": "YS-2026-000002"},
        {"code": "2222-3333-4444-5556"},
        {"template": "decision/2"},
        {"content": "{}"},
        {"printed_at": 1},
        {"sha256": "0" * 64},
    ],
)
def test_whatever_stands_on_the_paper_is_in_its_digest(changed: dict[str, object]) -> None:
    assert printed().sound
    assert not replace(printed(), **changed).sound  # type: ignore[arg-type]
