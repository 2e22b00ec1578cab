"""A hub's side without the hub: a store, its log, a signer by hand, and its follower."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import Table, select
from sqlalchemy.ext.asyncio import AsyncEngine

from audit.batch import now_us
from audit.log import AuditLog, writer_name
from audit.note import Checkpoint, Ed25519Signer, Note, VerifierKey, opened, signed
from audit.quorum import Quorum, WitnessState, witness_state
from audit.record import Draft, Kind
from hub.cosigning import Cosigning, Pace, Witness
from store import audit
from store.audit import audit_checkpoint, audit_cosignature, audit_event, audit_head, protect
from store.engine import open_engine
from store.metadata import metadata

LOG = "demo.invalid/hub/main/sha256"
SIGNER = Ed25519Signer(LOG, bytes(range(7, 39)))
EAGER = Pace(every_s=0.01, retry_s=0.0, again_s=0.0, wait_s=1.0, settled_s=0.0)


async def create(url: str) -> None:
    """The log's tables and their triggers."""
    engine = open_engine(url)
    async with engine.begin() as connection:
        tables = [table for table in vars(audit).values() if isinstance(table, Table)]
        await connection.run_sync(metadata.create_all, tables=tables)
        await connection.run_sync(protect)
    await engine.dispose()


async def checkpointed(engine: AsyncEngine, signer: Ed25519Signer = SIGNER) -> int:
    """Sign the log as it is, as its signer does; the size."""
    async with engine.begin() as connection:
        head = (await connection.execute(select(audit_head.c.size, audit_head.c.root))).one()
        note = signed(
            Checkpoint(signer.verifier.name, head.size, bytes.fromhex(head.root)), [signer]
        )
        there = select(audit_checkpoint.c.size).where(audit_checkpoint.c.size == head.size)
        if (await connection.execute(there)).one_or_none() is None:
            row = {"size": head.size, "note": str(note), "created_at": now_us()}
            await connection.execute(audit_checkpoint.insert(), row)
    return int(head.size)


@dataclass
class Keeper:
    """One process of the hub."""

    engine: AsyncEngine
    log: AuditLog
    cosigning: Cosigning

    @classmethod
    async def begun(
        cls, url: str, witnesses: Sequence[Witness], quorum: int = 1, pace: Pace = EAGER
    ) -> Keeper:
        """Started on the store at `url`."""
        engine = open_engine(url)
        log = AuditLog(engine, writer_name("test"), LOG, wait_s=5.0)
        await log.start()
        return cls(engine, log, Cosigning(engine, log, witnesses, Quorum(quorum), pace))

    async def ended(self) -> None:
        await self.cosigning.close()
        await self.log.stop()
        await self.engine.dispose()

    async def grown(self, records: int = 1) -> int:
        """That many records more, and a checkpoint over them; its size."""
        for _ in range(records):
            await self.log.append(Draft(Kind.READ))
        return await checkpointed(self.engine)

    async def sent(self, records: int = 1) -> int:
        """Grown, and shown to the witnesses."""
        size = await self.grown(records)
        await self.cosigning.look()
        return size

    async def kept(self, key: VerifierKey) -> list[int]:
        """Sizes cosigned by a witness; every line holds over the note it belongs to."""
        row, note = audit_cosignature.c, audit_checkpoint.c
        wanted = (
            select(row.size, row.line, note.note)
            .join(audit_checkpoint, note.size == row.size)
            .where(row.witness == key.name)
            .order_by(row.size)
        )
        async with self.engine.connect() as connection:
            rows = (await connection.execute(wanted)).all()
        for size, line, text in rows:
            checkpoint, _ = opened(Note.parse(Note.parse(text).text + "\n" + line), (key,))
            assert checkpoint.size == size
        return [size for size, _, _ in rows]

    async def told(self) -> list[str]:
        """Codes of the WITNESS_STATE records, in order."""
        row = audit_event.c
        wanted = select(row.decision_code).where(row.kind == "WITNESS_STATE").order_by(row.idx)
        async with self.engine.connect() as connection:
            return [str(code) for code in (await connection.execute(wanted)).scalars()]

    async def state(self) -> WitnessState:
        names = [one.name for one in self.cosigning.witnesses]
        async with self.engine.connect() as connection:
            return await witness_state(connection, names, self.cosigning.quorum.needed)
