"""What witnesses signed, beside the checkpoints: counted as it is, named if it is not so."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytest
from sqlalchemy import delete, insert, select
from sqlalchemy.ext.asyncio import AsyncEngine

from audit.drill import made
from audit.note import Cosigner, Ed25519Signer, Note, VerifierKey
from audit.plant import Level, edited, plant, unlock, write
from audit.verify import Code, DatedKey, Evidence, Exit, Verdicts, check
from audit.verify.cosignatures import PAGE
from store.audit import audit_checkpoint, audit_cosignature

pytestmark = pytest.mark.anyio
LOG = "demo.invalid/hub/test/sha256"
SIGNER = Ed25519Signer(LOG, bytes([1]) * 32)
OFFICE, OTHER = (Cosigner(name, bytes([n]) * 32) for n, name in ((2, "a.invalid/1"), (3, "b/1")))
CHANGED = Cosigner(OFFICE.verifier.name, bytes([4]) * 32)
STORE = made(200, LOG)  # a checkpoint each 25 records, the last at 190
AT = 1_795_000_000


@pytest.fixture
async def signed_log(engine: AsyncEngine) -> AsyncEngine:
    async with engine.begin() as connection:
        await write(connection, STORE, [SIGNER])
    return engine


async def cosigned(engine: AsyncEngine, witness: Cosigner, *sizes: int, **changed: Any) -> None:
    """The witness's lines for these checkpoints; `changed` columns differ from what it said."""
    async with engine.begin() as connection:
        for size in sizes:
            here = select(audit_checkpoint.c.note).where(audit_checkpoint.c.size == size)
            text = Note.parse((await connection.execute(here)).scalar_one()).text
            row = {
                "size": size,
                "witness": witness.verifier.name,
                "line": witness.sign(text, AT + size).line,
                "at": (AT + size) * 1_000_000,
            }
            await connection.execute(insert(audit_cosignature).values(row | changed))


async def judged(engine: AsyncEngine, *keys: VerifierKey) -> Verdicts:
    return await check(engine, evidence=Evidence((DatedKey(SIGNER.verifier),), witnesses=keys))


def told(verdicts: Verdicts) -> tuple[Exit, dict[Code, int], int | None]:
    return verdicts.exit, dict(verdicts.counts), verdicts.witnessed


async def test_how_far_a_witness_has_seen_the_log_is_told(signed_log: AsyncEngine) -> None:
    await cosigned(signed_log, OFFICE, 25, 50, 100)
    await cosigned(signed_log, OTHER, 150)
    assert told(await judged(signed_log)) == (Exit.INTACT, {}, None)
    assert told(await judged(signed_log, OFFICE.verifier)) == (Exit.INTACT, {}, 100)
    assert told(await judged(signed_log, OFFICE.verifier, OTHER.verifier))[2] == 150
    assert told(await judged(signed_log, CHANGED.verifier)) == (Exit.INTACT, {}, 0)


async def test_a_witness_may_change_its_key(signed_log: AsyncEngine) -> None:
    await cosigned(signed_log, OFFICE, 25, 50)
    await cosigned(signed_log, CHANGED, 75)
    assert told(await judged(signed_log, CHANGED.verifier)) == (Exit.INTACT, {}, 75)
    assert told(await judged(signed_log, OFFICE.verifier, CHANGED.verifier))[2] == 75


@pytest.mark.parametrize(
    "changed",
    [
        {"at": AT},
        {"line": OFFICE.sign("another text\n", AT + 100).line},
        {"line": OFFICE.sign("another text\n", AT + 100).line * 2},
        {"line": "— a.invalid/1 AAAA\n"},
        {"line": ""},
    ],
)
async def test_a_line_that_does_not_stand_for_its_checkpoint_is_named(
    signed_log: AsyncEngine, changed: dict[str, Any]
) -> None:
    await cosigned(signed_log, OFFICE, 50)
    await cosigned(signed_log, OFFICE, 100, **changed)
    verdicts = await judged(signed_log, OFFICE.verifier)
    assert told(verdicts) == (Exit.TAMPERED, {Code.COSIGNATURE: 1}, 50)
    assert (verdicts.first_bad, verdicts.anchoring, verdicts.integrity) == (100, False, True)


async def test_a_history_signed_anew_does_not_fit_what_the_witness_saw(
    signed_log: AsyncEngine,
) -> None:
    await cosigned(signed_log, OFFICE, 50, 100, 150)
    async with signed_log.begin() as connection:
        await unlock(connection)
        await plant(connection, edited(60, {"actor": "someone-else"}), Level.RESIGNED, [SIGNER])
    assert told(await judged(signed_log)) == (Exit.INTACT, {}, None)  # the store alone agrees
    verdicts = await judged(signed_log, OFFICE.verifier)
    assert told(verdicts) == (Exit.TAMPERED, {Code.COSIGNATURE: 2}, 50)
    assert verdicts.first_bad == 100


async def test_a_checkpoint_that_was_taken_away_is_missed(signed_log: AsyncEngine) -> None:
    await cosigned(signed_log, OFFICE, 50, 100)
    async with signed_log.begin() as connection:
        await unlock(connection)
        gone = delete(audit_checkpoint).where(audit_checkpoint.c.size == 100)
        assert (await connection.execute(gone)).rowcount == 1
    verdicts = await judged(signed_log, OFFICE.verifier)
    assert told(verdicts) == (Exit.TAMPERED, {Code.COSIGNATURE: 1}, 50)


async def test_lines_are_read_in_pages_and_none_is_passed_over(signed_log: AsyncEngine) -> None:
    names: Sequence[Cosigner] = [
        Cosigner(f"w{n:04}.invalid", n.to_bytes(32, "big")) for n in range(PAGE + 1)
    ]
    for one in names:
        await cosigned(signed_log, one, 50, at=AT)
    verdicts = await judged(signed_log, *(one.verifier for one in names))
    assert dict(verdicts.counts) == {Code.COSIGNATURE: PAGE + 1}
