"""An empty store with the log's tables, and a log that runs on it; on both databases."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import replace
from typing import Any

import pytest
from sqlalchemy import Table, text
from sqlalchemy.engine import Row
from sqlalchemy.ext.asyncio import AsyncEngine

from audit.log import AuditLog, writer_name
from audit.record import Draft, Kind, Op, ReadEntry
from audit.tokens import SubjectTokens
from store import audit
from store.audit import protect
from store.engine import open_engine
from store.metadata import metadata

LOG = "demo.invalid/hub/test/sha256"

Sql = Callable[..., Awaitable[list[Row[Any]]]]
Drafts = Callable[..., Draft]


@pytest.fixture
def audit_url(store_url: str) -> str:
    """A store with the log's tables and their triggers."""
    asyncio.run(create(store_url))
    return store_url


async def create(url: str) -> None:
    """The log's tables and triggers in the store at `url`."""
    engine = open_engine(url)
    async with engine.begin() as connection:
        tables = [table for table in vars(audit).values() if isinstance(table, Table)]
        await connection.run_sync(metadata.create_all, tables=tables)
        await connection.run_sync(protect)
    await engine.dispose()


@pytest.fixture
async def engine(audit_url: str) -> AsyncIterator[AsyncEngine]:
    engine = open_engine(audit_url)
    yield engine
    await engine.dispose()


@pytest.fixture
async def log(engine: AsyncEngine) -> AsyncIterator[AuditLog]:
    """A log that has started: record 0 is its HUB_START."""
    log = AuditLog(engine, writer_name("test"), LOG, wait_s=5.0)
    await log.start()
    yield log
    await log.stop()


@pytest.fixture
def sql(engine: AsyncEngine) -> Sql:
    """Run statements on a connection of their own, commit, give the last one's rows."""

    async def run(*statements: str) -> list[Row[Any]]:
        rows: list[Row[Any]] = []
        async with engine.begin() as connection:
            for statement in statements:
                result = await connection.execute(text(statement))
                rows = list(result.all()) if result.returns_rows else []
        return rows

    return run


@pytest.fixture
def tokens() -> SubjectTokens:
    return SubjectTokens({1: b"a key that only the tests know"})


@pytest.fixture
def drafts(tokens: SubjectTokens) -> Drafts:
    """A draft as the hub would make it for one citizen read by a township clerk."""

    def make(number: int = 1, **changes: Any) -> Draft:
        read = ReadEntry(
            dataset="citizen",
            source="hub",
            how="row",
            rows=1,
            subjects=1,
            clear={"Citizen.name": 1},
            masked={"Citizen.phone": 1},
            hidden={"Citizen.idNumber": "POLICY"},
            by=("Citizen.id",),
            rules=("r-17",),
            lens="0123456789abcdef",
        )
        draft = Draft(
            Kind.READ,
            actor="zhelai-town-01",
            org="rev",
            role="town",
            post_area="532622205",
            client="console",
            ip="127.0.0.1",
            request=f"r-{number}",
            op=Op("CitizenById", "ab" * 32, "query", {"id": "ID!"}),
            purpose="aid.verify",
            basis="MEASURES_2022",
            area="532622205",
            areas=("532622205",),
            reads=(read,),
            subjects=tokens.tokens((f"uid-{number}",)),
            sought=tokens.tokens((f"uid-{number + 1}",)),
            policy="12",
        )
        return replace(draft, **changes)

    return make
