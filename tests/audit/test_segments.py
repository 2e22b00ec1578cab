"""Segments: what is written of archived records fits those that are still here."""

from __future__ import annotations

from typing import Any

import pytest
from sqlalchemy import delete, insert, select, update
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from audit.drill import made
from audit.note import Ed25519Signer
from audit.plant import unlock, write
from audit.tile_rows import stored_rows
from audit.tiles import StoreReader
from audit.verify import Code, DatedKey, Evidence, Exit, check
from store.audit import audit_checkpoint, audit_event, audit_segment, audit_subject, audit_tile

pytestmark = pytest.mark.anyio
LOG = "demo.invalid/hub/test/sha256"
SIGNER = Ed25519Signer(LOG, bytes(32))
EVIDENCE = Evidence((DatedKey(SIGNER.verifier),))
END = 100


async def segment(connection: AsyncConnection, state: str) -> dict[str, Any]:
    size = audit_checkpoint.c.size
    query = select(audit_checkpoint.c.note).where(size >= END).order_by(size)
    return {
        "first": 0,
        "end": END,
        "path": "0.jsonl.gz",
        "sha256": "0" * 64,
        "frontier": (await stored_rows(StoreReader(connection), END)).frontier().encode(),
        "note": (await connection.execute(query.limit(1))).scalar_one(),
        "state": state,
        "changed_at": 0,
    }


@pytest.fixture
async def archived(engine: AsyncEngine) -> AsyncEngine:
    """Four hundred records, the first hundred written to a segment."""
    async with engine.begin() as connection:
        await write(connection, made(400, LOG), [SIGNER])
        await connection.execute(insert(audit_segment), await segment(connection, "ARCHIVED"))
    return engine


async def detach(connection: AsyncConnection) -> None:
    await unlock(connection)
    await connection.execute(update(audit_segment).values(state="DETACHED"))
    gone = await connection.execute(delete(audit_event).where(audit_event.c.idx < END))
    assert gone.rowcount == END
    await connection.execute(delete(audit_subject).where(audit_subject.c.idx < END))


async def test_records_still_here_fit_their_segment(archived: AsyncEngine) -> None:
    verdicts = await check(archived, evidence=EVIDENCE)
    assert (verdicts.exit, verdicts.counts, verdicts.since) == (Exit.INTACT, {}, 0)


async def test_without_the_detached_records_the_rest_still_verifies(
    archived: AsyncEngine,
) -> None:
    async with archived.begin() as connection:
        await detach(connection)
    verdicts = await check(archived, evidence=EVIDENCE)
    assert (verdicts.exit, verdicts.counts) == (Exit.INTACT, {})
    assert (verdicts.since, verdicts.size, verdicts.last_good) == (END, 400, 390)


@pytest.mark.parametrize("detached", [False, True])
async def test_another_frontier_is_found(archived: AsyncEngine, detached: bool) -> None:
    async with archived.begin() as connection:
        if detached:
            await detach(connection)
        await connection.execute(update(audit_segment).values(frontier=bytes(96)))
    verdicts = await check(archived, evidence=EVIDENCE)
    assert (verdicts.exit, verdicts.counts) == (Exit.TAMPERED, {Code.SEGMENT: 1})
    assert (verdicts.first_bad, verdicts.completeness) == (0, False)


async def test_records_that_went_without_a_segment_are_missing(archived: AsyncEngine) -> None:
    async with archived.begin() as connection:
        await detach(connection)
        await connection.execute(update(audit_segment).values(state="ARCHIVED"))
    verdicts = await check(archived, evidence=EVIDENCE)
    assert verdicts.exit is Exit.TAMPERED
    assert verdicts.counts[Code.GAP] == 1
    assert verdicts.first_bad == 0


async def test_a_segment_whose_tiles_are_gone_proves_nothing(archived: AsyncEngine) -> None:
    async with archived.begin() as connection:
        await detach(connection)
        assert (await connection.execute(delete(audit_tile))).rowcount == 1
    verdicts = await check(archived, evidence=EVIDENCE)
    assert (verdicts.exit, verdicts.counts[Code.SEGMENT]) == (Exit.TAMPERED, 2)


async def test_a_segment_s_checkpoint_is_judged_too(archived: AsyncEngine) -> None:
    async with archived.begin() as connection:
        query = select(audit_checkpoint.c.note).where(audit_checkpoint.c.size == 75)
        note = (await connection.execute(query)).scalar_one()
        await connection.execute(update(audit_segment).values(note=note))
    assert (await check(archived, evidence=EVIDENCE)).counts == {Code.SEGMENT: 1}
    async with archived.begin() as connection:
        await connection.execute(update(audit_segment).values(note="nothing"))
    assert (await check(archived, evidence=EVIDENCE)).counts == {Code.CHECKPOINT_SIG: 1}
    async with archived.begin() as connection:
        await connection.execute(update(audit_segment).values(first=5))
    found = (await check(archived, evidence=EVIDENCE)).counts
    assert found == {Code.CHECKPOINT_SIG: 1, Code.SEGMENT: 1}
