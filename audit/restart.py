"""A log started anew after a genuine loss: the same tables, another name.

The records that are left stay where they are and keep their places; the new log's tree is
over them, too. What is new is the name in which it is signed, so that no note of the old log
and none of the new one can be taken for each other; its first own record, LOG_RESTARTED,
names the last note of the old. What the old notes say of records that are gone stays true,
and whoever keeps them can show it.

    0 … m-1 what is left | m LOG_RESTARTED | …        notes: old name ≤ m, new name > m
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass

from sqlalchemy import delete, select, update
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from audit.log import AuditLog
from audit.memory import Lock, Memory, MemoryFile, RollbackSuspected
from audit.note import Checkpoint, CheckpointSigner, Note, signed
from audit.record import Draft, Kind, Op
from audit.rollup import NAME as ROLLUP
from audit.signer import newest_note
from audit.suite import suite_in
from audit.tree import Frontier
from audit.verify import check
from store.audit import audit_follower, audit_head, audit_rollup_hour


class CannotRestart(Exception):
    """BUSY: a hub still runs. NOTHING: nothing was ever signed. BROKEN: restore a backup first."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


@dataclass(frozen=True, slots=True)
class Order:
    """Who wants it and why; `by` and `approved_by` are accounts, `reason` is a code."""

    by: str
    approved_by: str
    reason: str


async def restart(
    engine: AsyncEngine,
    memory: MemoryFile,
    order: Order,
    *,
    writer: str,
    name: Callable[[str], str],
    keys: Callable[[str], tuple[CheckpointSigner, ...]],
) -> Memory:
    """Start the log anew under ``name(old name)``; the new memory. CannotRestart.

    Can be run again if it was cut short: the memory is exchanged last, so the name is the same.
    """
    lock = Lock(memory.lock_path)
    if not lock.acquire():
        raise CannotRestart("BUSY")
    try:
        return await _restarted(engine, memory, order, writer, name, keys)
    finally:
        lock.release()


async def _restarted(
    engine: AsyncEngine,
    file: MemoryFile,
    order: Order,
    writer: str,
    name: Callable[[str], str],
    keys: Callable[[str], tuple[CheckpointSigner, ...]],
) -> Memory:
    old, former = await _old(engine, file)
    await _whole(engine)
    log_id = name(old.origin)
    signers = keys(log_id)
    if not signers:
        raise CannotRestart("KEYS")
    async with engine.begin() as connection:
        await connection.execute(update(audit_head).values(log=log_id))
        await _behind(connection)
    log = AuditLog(engine, writer, log_id, suite=suite_in(log_id).name)
    await log.start(_record(old, order))
    await log.stop()
    async with engine.connect() as connection:
        row = audit_head.c
        size, raw = (await connection.execute(select(row.size, row.frontier))).one()
    frontier = Frontier.decode(size, raw, suite_in(log_id))
    note = str(signed(Checkpoint(log_id, size, frontier.root()), signers))
    memory = Memory(log_id, frontier, note, (*former, old.origin))
    await asyncio.to_thread(file.exchange, memory, f"{old.size}-{old.root.hex()[:8]}")
    return memory


async def _old(engine: AsyncEngine, file: MemoryFile) -> tuple[Checkpoint, tuple[str, ...]]:
    """The last note of the log that ends: the memory's, else the newest in the database."""
    try:
        memory = file.read()
    except RollbackSuspected:
        memory = None
    if memory is not None:
        return Checkpoint.parse(Note.parse(memory.note).text), memory.former
    async with engine.connect() as connection:
        found = await newest_note(connection)
    if found is None:
        raise CannotRestart("NOTHING")
    return Checkpoint.parse(found.text), ()


async def _whole(engine: AsyncEngine) -> None:
    """What is left must fit together: a log that goes on over a hole proves nothing."""
    verdicts = await check(engine)
    async with engine.connect() as connection:
        newest = await newest_note(connection)
    covered = Checkpoint.parse(newest.text).size if newest else 0
    fits = verdicts.integrity and (verdicts.completeness or not verdicts.begun)
    if not fits or covered > verdicts.size:
        raise CannotRestart("BROKEN")


async def _behind(connection: AsyncConnection) -> None:
    """What follows the log follows what is left: the roll-up is added up again, nobody is ahead."""
    size = select(audit_head.c.size).scalar_subquery()
    row = audit_follower.c
    await connection.execute(delete(audit_rollup_hour))
    ahead = update(audit_follower).where(row.next_idx > size)
    await connection.execute(ahead.values(next_idx=size))
    again = update(audit_follower).where(row.name == ROLLUP)
    await connection.execute(again.values(next_idx=0))


def _record(old: Checkpoint, order: Order) -> Draft:
    said: dict[str, str | int | bool] = {
        "size": old.size,
        "log": old.origin,
        "approvedBy": order.approved_by,
    }
    op = Op(name="restart-log", hash=old.root.hex(), vars=said)
    return Draft(Kind.LOG_RESTARTED, actor=order.by, code=order.reason, op=op)
