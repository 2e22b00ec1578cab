"""A log whose records are old and covered by signed checkpoints, and its archive."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator, Callable, Sequence
from pathlib import Path

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncEngine

from audit.archive import DAY_US, Archive, Plan
from audit.batch import now_us
from audit.log import AuditLog, writer_name
from audit.note import Checkpoint, Ed25519Signer, signed
from audit.record import Draft
from audit.segments import Row
from audit.suite import suite_of
from audit.tree import root_of
from store.audit import audit_checkpoint, audit_event, audit_tile

LOG = "demo.invalid/hub/test/sha256"
SIGNER = Ed25519Signer(LOG, b"the seed of a key of the tests..")
KEYS = (SIGNER.verifier,)
OLD_US = 500 * DAY_US  # more than thirteen months
SEGMENT = 100
TILE = 256


def signer_of(log: str) -> Ed25519Signer:
    return Ed25519Signer(log, b"the seed of a key of the tests..")


async def write(
    engine: AsyncEngine, drafts: Sequence[Draft], *, age_us: int = OLD_US, log: str = LOG
) -> int:
    """Records as old as `age_us`, between a HUB_START and a HUB_STOP; the log's size."""
    suite = log.rpartition("/")[2]
    ours = AuditLog(
        engine, writer_name("test"), log, lambda: now_us() - age_us, wait_s=10.0, suite=suite
    )
    await ours.start()
    for draft in drafts:
        await ours.append(draft)
    await ours.stop()
    return await size_of(engine)


async def size_of(engine: AsyncEngine) -> int:
    async with engine.connect() as connection:
        return len((await connection.scalars(select(audit_event.c.idx))).all())


async def seal(engine: AsyncEngine, *sizes: int, log: str = LOG) -> None:
    """Sign checkpoints of the log as it is and write its tiles, as the signer would have done."""
    async with engine.begin() as connection:
        found = await connection.scalars(select(audit_event.c.leaf).order_by(audit_event.c.idx))
        leaves = [bytes.fromhex(leaf) for leaf in found]
        there = set(await connection.scalars(select(audit_tile.c.n)))
        for n in sorted(set(range(max(sizes) // TILE)) - there):
            hashes = b"".join(leaves[n * TILE : (n + 1) * TILE])
            await connection.execute(audit_tile.insert(), {"level": 0, "n": n, "hashes": hashes})
        for size in sizes:
            root = root_of(leaves[:size], suite_of(log.rpartition("/")[2]))
            note = str(signed(Checkpoint(log, size, root), [signer_of(log)]))
            row = {"size": size, "note": note, "created_at": now_us()}
            await connection.execute(audit_checkpoint.insert(), row)


@contextlib.asynccontextmanager
async def opened_log(engine: AsyncEngine, log: str = LOG) -> AsyncIterator[AuditLog]:
    ours = AuditLog(engine, writer_name("archive"), log, wait_s=10.0, suite=log.rpartition("/")[2])
    await ours.start()
    try:
        yield ours
    finally:
        await ours.stop()


def archive(
    engine: AsyncEngine,
    folder: Path,
    *,
    later_days: float = 0,
    told: Callable[[str, Row], None] = lambda _deed, _row: None,
    log: str = LOG,
    **plan: object,
) -> Archive:
    """An archive whose clock is `later_days` ahead."""
    given = {"segment": SEGMENT, **plan}
    return Archive(
        engine,
        Plan(folder, **given),  # type: ignore[arg-type]
        lambda: opened_log(engine, log),
        keys=(signer_of(log).verifier,),
        clock=lambda: now_us() + int(later_days * DAY_US),
        told=told,
    )
