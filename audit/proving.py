"""A record's proof out of the store: from the newest checkpoint, with what witnesses signed."""

from __future__ import annotations

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncConnection

from audit.note import BadNote, Checkpoint, Signature
from audit.proof import Proof
from audit.signer import newest_note
from audit.suite import suite_in
from audit.tiles import Roots, StoreReader, TileMissing, inclusion
from audit.tree import verify_inclusion
from store.audit import audit_cosignature, audit_event


class Uncovered(LookupError):
    """No checkpoint covers the record yet; `size` is what the newest one covers."""

    def __init__(self, size: int) -> None:
        super().__init__(size)
        self.size = size


class Damaged(Exception):
    """What the store holds does not lead to the root that was signed: it must not leave."""


async def proof_of(connection: AsyncConnection, idx: int, roots: Roots | None = None) -> Proof:
    """From the newest checkpoint. `roots` remembers what proofs have in common. Uncovered, Damaged.

    A remembered root that is no longer the store's does not lead to the signed one: Damaged.
    """
    note = await newest_note(connection)
    if note is None:
        raise Uncovered(0)
    signed = Checkpoint.parse(note.text)
    if idx >= signed.size:
        raise Uncovered(signed.size)
    suite = suite_in(signed.origin)
    try:
        path = await inclusion(StoreReader(connection), idx, signed.size, roots, suite)
    except TileMissing as error:
        raise Damaged from error
    leaf = await connection.scalar(select(audit_event.c.leaf).where(audit_event.c.idx == idx))
    if not verify_inclusion(bytes.fromhex(leaf or ""), idx, signed.size, path, signed.root, suite):
        raise Damaged
    return Proof(idx, tuple(path), note.with_signatures(await _witnesses(connection, signed.size)))


async def _witnesses(connection: AsyncConnection, size: int) -> list[Signature]:
    lines = select(audit_cosignature.c.line).where(audit_cosignature.c.size == size)
    found = []
    for line in await connection.scalars(lines.order_by(audit_cosignature.c.witness)):
        try:
            found.append(Signature.parse(line.removesuffix("\n")))
        except BadNote:
            continue  # found by verify; a proof stands without it
    return found
