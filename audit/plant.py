"""Tampering, as one with the database would do it: for drills and tests, on copies alone.

    PLAIN       plain SQL: the rows are changed, nothing is made to fit
    RECOMPUTED  he also recomputes columns, leaves, root, writers and tiles
    RESIGNED    he holds the signing key, too: signs every checkpoint anew, rebuilds the index

A Store is what such a one has in his hands: all rows of a small log. `plant` puts it back
changed; the triggers do not stop him.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from sqlalchemy import delete, insert, select, text, update
from sqlalchemy.ext.asyncio import AsyncConnection

from audit.batch import EVENT_COLUMNS
from audit.derived import SUBJECT_COLUMNS, columns, index_rows
from audit.note import Checkpoint, CheckpointSigner, signed
from audit.record import canonical
from audit.tile_rows import Rows
from audit.tree import SUITE, leaf
from store.audit import (
    audit_checkpoint,
    audit_event,
    audit_follower,
    audit_head,
    audit_index,
    audit_rollup_hour,
    audit_subject,
    audit_tile,
    audit_writer,
    trigger_names,
)

Body = dict[str, Any]
Change = Callable[[list[Body]], list[Body]]
"""What is done to the records, in order; their `idx` is put right afterwards."""


class Level(StrEnum):
    """How far the one who tampers goes."""

    PLAIN = "A0"
    RECOMPUTED = "A1"
    RESIGNED = "A2"


@dataclass(frozen=True, slots=True)
class Store:
    """Bodies of all records and sizes of all checkpoints of the log `log`."""

    log: str
    bodies: tuple[Body, ...]
    sizes: tuple[int, ...]


async def unlock(connection: AsyncConnection) -> None:
    """Take the triggers away: for good in SQLite, for this transaction in PostgreSQL."""
    if connection.dialect.name == "sqlite":
        for name in trigger_names("sqlite"):
            await connection.execute(text(f"DROP TRIGGER IF EXISTS {name}"))
    else:
        await connection.execute(text("SET LOCAL session_replication_role = replica"))


async def taken(connection: AsyncConnection) -> Store:
    """What is there."""
    bodies = await connection.execute(select(audit_event.c.body).order_by(audit_event.c.idx))
    sizes = select(audit_checkpoint.c.size).order_by(audit_checkpoint.c.size)
    return Store(
        (await connection.execute(select(audit_head.c.log))).scalar_one(),
        tuple(json.loads(body) for body in bodies.scalars()),
        tuple((await connection.execute(sizes)).scalars()),
    )


async def write(
    connection: AsyncConnection, store: Store, signers: Sequence[CheckpointSigner]
) -> None:
    """A log of these bodies as the hub, its followers and its signer would have left it."""
    for table in (audit_event, audit_tile, audit_checkpoint, audit_subject):
        await connection.execute(delete(table))
    await recompute(connection, store.log, store.bodies, covered=max(store.sizes, default=0))
    await reindex(connection, store.bodies)
    await sign(connection, store.log, store.bodies, store.sizes, signers)


async def recompute(
    connection: AsyncConnection, log: str, bodies: Sequence[Body], *, covered: int
) -> None:
    """Events, head, writers, and tiles below `covered`, all fitting the bodies."""
    await connection.execute(delete(audit_event))
    await connection.execute(delete(audit_tile))
    await connection.execute(delete(audit_writer))
    rows, texts = Rows(), [canonical(body) for body in bodies]
    leaves = [leaf(one.encode()) for one in texts]
    events = [
        dict(zip(EVENT_COLUMNS, (*columns(body), hashed.hex(), one), strict=True))
        for body, hashed, one in zip(bodies, leaves, texts, strict=True)
    ]
    if events:
        await connection.execute(insert(audit_event), events)
    tiles = [
        {"level": one.level, "n": one.n, "hashes": one.hashes}
        for one in rows.extend(leaves[:covered])
    ]
    if tiles:
        await connection.execute(insert(audit_tile), tiles)
    rows.extend(leaves[covered:])
    reached = {"size": rows.size, "frontier": rows.frontier().encode(), "root": rows.root().hex()}
    await connection.execute(delete(audit_head))
    await connection.execute(insert(audit_head), {"id": 1, "log": log, "suite": SUITE, **reached})
    counts = {body["writer"]: body["wseq"] for body in bodies}
    if counts:
        last = [{"writer": writer, "last_wseq": count} for writer, count in counts.items()]
        await connection.execute(insert(audit_writer), last)


async def reindex(connection: AsyncConnection, bodies: Sequence[Body]) -> None:
    """The subject index of the bodies, its cursor at their end."""
    await connection.execute(delete(audit_subject))
    rows = [
        dict(zip(SUBJECT_COLUMNS, row, strict=True)) for body in bodies for row in index_rows(body)
    ]
    if rows:
        await connection.execute(insert(audit_subject), rows)
    await connection.execute(delete(audit_index))
    await connection.execute(insert(audit_index), {"id": 1, "next_idx": len(bodies)})


async def sign(
    connection: AsyncConnection,
    log: str,
    bodies: Sequence[Body],
    sizes: Iterable[int],
    signers: Sequence[CheckpointSigner],
) -> None:
    """A checkpoint at each size, in place of all that are there."""
    await connection.execute(delete(audit_checkpoint))
    rows, at = Rows(), 0
    for size in sorted(sizes):
        rows.extend([leaf(canonical(body).encode()) for body in bodies[at:size]])
        at = size
        note = signed(Checkpoint(log, size, rows.root()), signers)
        ts = bodies[size - 1]["ts"] if size else 0
        row = {"size": size, "note": str(note), "created_at": ts}
        await connection.execute(insert(audit_checkpoint), row)


async def forget_followers(connection: AsyncConnection) -> None:
    """No roll-up and no cursor of one: nothing to compare."""
    await connection.execute(delete(audit_rollup_hour))
    await connection.execute(delete(audit_follower))


async def plant(
    connection: AsyncConnection,
    change: Change,
    level: Level,
    signers: Sequence[CheckpointSigner] = (),
) -> None:
    """Change the records in the way of `level`; `signers` only for RESIGNED."""
    store = await taken(connection)
    await unlock(connection)
    changed = change([dict(body) for body in store.bodies])
    if level is Level.PLAIN:
        return await _plainly(connection, changed)
    bodies = renumbered(changed)
    size = len(bodies)
    covered = min(max(store.sizes, default=0), size)
    await recompute(connection, store.log, bodies, covered=covered)
    if level is Level.RESIGNED:
        await reindex(connection, bodies)
        sizes = [one for one in store.sizes if one <= size]
        await sign(connection, store.log, bodies, sizes, signers)
    return None


async def _plainly(connection: AsyncConnection, changed: Sequence[Body]) -> None:
    """Rows are moved and bodies overwritten; columns, leaves and root stay what they were."""
    query = select(*(audit_event.c[name] for name in EVENT_COLUMNS))
    old = {row.id: row._asdict() for row in await connection.execute(query)}
    await connection.execute(delete(audit_event))
    rows = []
    for place, body in enumerate(changed):
        row = old.get(body["id"]) or {**old[body["ref"]], "id": body["id"], "wseq": body["wseq"]}
        was = json.loads(row["body"])
        rows.append({**row, "idx": place, "body": row["body"] if was == body else canonical(body)})
    if rows:
        await connection.execute(insert(audit_event), rows)
    await connection.execute(update(audit_head).values(size=len(rows)))


def renumbered(bodies: Sequence[Body]) -> list[Body]:
    """Each at its place: idx from 0, every writer's count from 1; times stay."""
    counts: dict[str, int] = {}
    numbered = []
    for idx, body in enumerate(bodies):
        counts[body["writer"]] = wseq = counts.get(body["writer"], 0) + 1
        numbered.append({**body, "idx": idx, "wseq": wseq})
    return numbered


def edited(idx: int, fields: Mapping[str, Any]) -> Change:
    """Other values in one record."""

    def change(bodies: list[Body]) -> list[Body]:
        bodies[idx] = {**bodies[idx], **fields}
        return bodies

    return change


def deleted(idx: int) -> Change:
    """One record less."""
    return lambda bodies: bodies[:idx] + bodies[idx + 1 :]


def forged(idx: int) -> Change:
    """One record more, made after the one before it."""

    def change(bodies: list[Body]) -> list[Body]:
        model = bodies[idx - 1]
        more = {**model, "id": "forged", "ref": model["id"], "wseq": len(bodies) + 1}
        return [*bodies[:idx], more, *bodies[idx:]]

    return change


def swapped(idx: int) -> Change:
    """Two neighbours change places."""

    def change(bodies: list[Body]) -> list[Body]:
        bodies[idx], bodies[idx + 1] = bodies[idx + 1], bodies[idx]
        return bodies

    return change


def cut(size: int) -> Change:
    """Nothing after the first `size` records."""
    return lambda bodies: bodies[:size]
