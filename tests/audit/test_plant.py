"""Matrix row 10: each change of the records at each level, on both databases."""

from __future__ import annotations

from pathlib import Path

import pytest
from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from audit.drill import made
from audit.note import Ed25519Signer
from audit.plant import Change, Level, deleted, edited, forged, plant, swapped, write
from audit.verify import Code, DatedKey, Evidence, Exit, check
from store.audit import audit_checkpoint, audit_event

pytestmark = pytest.mark.anyio
LOG = "demo.invalid/hub/test/sha256"
SIGNER = Ed25519Signer(LOG, bytes(32))
STORE = made(120, LOG)
SELF = Evidence((DatedKey(SIGNER.verifier),))
AT = 60  # in the records 50 … 74 of the checkpoint of 75

CHANGES: dict[str, Change] = {
    "edit": edited(AT, {"actor": "somebody-else"}),
    "delete and renumber": deleted(AT),
    "insert and renumber": forged(AT),
    "duplicate": lambda bodies: [*bodies[:AT], {**bodies[AT], "id": "again"}, *bodies[AT:]],
    "swap": swapped(AT),
}
PLAIN = {
    "edit": {Code.LEAF: 1, Code.COLUMN: 1},
    "delete and renumber": {Code.COLUMN: 59, Code.WRITER_SEQ: 1},
    "insert and renumber": {Code.LEAF: 1, Code.COLUMN: 61, Code.WRITER_SEQ: 2},
    "swap": {Code.COLUMN: 2, Code.WRITER_SEQ: 3, Code.CLOCK_BACK: 1},
}


@pytest.fixture
async def whole(engine: AsyncEngine) -> AsyncEngine:
    async with engine.begin() as connection:
        await write(connection, STORE, [SIGNER])
    return engine


async def rows(connection: AsyncConnection) -> list[tuple[int, str]]:
    query = select(audit_event.c.idx, audit_event.c.body).order_by(audit_event.c.idx)
    return [(row[0], row[1]) for row in await connection.execute(query)]


async def planted(engine: AsyncEngine, change: Change, level: Level, folder: Path) -> Evidence:
    """Do it; proves that rows differ. What outsiders held before."""
    async with engine.begin() as connection:
        notes = (await connection.execute(select(audit_checkpoint.c.note))).scalars().all()
        before = await rows(connection)
        await plant(connection, change, level, [SIGNER])
        assert await rows(connection) != before
    file = folder / "anchors.txt"
    file.write_text("".join(f"{note}\n" for note in notes), encoding="utf-8")
    assert len(notes) == 5
    return Evidence(SELF.keys, (file,))


@pytest.mark.parametrize("name", PLAIN)
async def test_plain_sql_is_found_at_its_very_record(
    whole: AsyncEngine, tmp_path: Path, name: str
) -> None:
    await planted(whole, CHANGES[name], Level.PLAIN, tmp_path)
    verdicts = await check(whole, evidence=SELF, window=25)
    assert verdicts.exit is Exit.TAMPERED
    assert (verdicts.first_bad, verdicts.bad_range) == (AT, (50, 75))
    assert {code: verdicts.counts[code] for code in PLAIN[name]} == PLAIN[name]
    assert verdicts.last_good == 50


@pytest.mark.parametrize("name", CHANGES)
async def test_who_recomputes_all_but_cannot_sign_leaves_a_fork(
    whole: AsyncEngine, tmp_path: Path, name: str
) -> None:
    await planted(whole, CHANGES[name], Level.RECOMPUTED, tmp_path)
    verdicts = await check(whole, evidence=SELF)
    assert verdicts.counts[Code.FORK] == 1
    assert (verdicts.exit, verdicts.bad_range) == (Exit.TAMPERED, (50, 75))
    assert {Code.LEAF, Code.COLUMN, Code.HEAD, Code.TILE, Code.WRITER_SEQ}.isdisjoint(
        verdicts.counts
    )


@pytest.mark.parametrize("name", ["edit", "delete and renumber", "insert and renumber", "swap"])
async def test_who_signs_anew_is_found_by_who_holds_a_note(
    whole: AsyncEngine, tmp_path: Path, name: str
) -> None:
    evidence = await planted(whole, CHANGES[name], Level.RESIGNED, tmp_path)
    inside = await check(whole, evidence=SELF)
    assert inside.counts == ({Code.CLOCK_BACK: 1} if name == "swap" else {})
    verdicts = await check(whole, evidence=evidence)
    assert verdicts.counts[Code.FORK] == 1
    assert (verdicts.exit, verdicts.bad_range, verdicts.anchored) == (
        Exit.TAMPERED,
        (50, 75),
        50,
    )
    assert verdicts.first_bad == (AT + 1 if name == "swap" else 50)
