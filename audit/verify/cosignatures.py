"""What witnesses have signed of the stored checkpoints; how far they have seen the log as it is.

A cosignature stands for the checkpoint of its size: of any other text it is worth nothing. Who
signs another history in the log's name cannot make the witness's line fit it. Lines by keys that
the verifier was not given are not judged: a witness may have left, or changed its key.
"""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy import select
from sqlalchemy.engine import Row
from sqlalchemy.ext.asyncio import AsyncConnection

from audit.note import BadNote, Fault, Note, VerifierKey, opened, stamp_of
from audit.verify.verdict import Code, Found
from store.audit import audit_checkpoint, audit_cosignature

SECOND = 1_000_000
PAGE = 1_000  # lines read at a time


class Cosignatures:
    """`judge` after the checkpoints: `last_good` is the newest size at which one fits."""

    def __init__(self, found: Found, witnesses: Sequence[VerifierKey]) -> None:
        self._found = found
        self._keys = tuple(witnesses)
        self._seen = 0

    async def judge(self, connection: AsyncConnection, since: int, last_good: int | None) -> None:
        """Every line of a size above `since` of a known witness's name."""
        row, after = audit_cosignature.c, (since, "")
        names = {one.name for one in self._keys}
        joined = audit_cosignature.outerjoin(audit_checkpoint, audit_checkpoint.c.size == row.size)
        wanted = (row.size, row.witness, row.line, row.at, audit_checkpoint.c.note)
        query = select(*wanted).select_from(joined).where(row.witness.in_(names))
        query = query.order_by(row.size, row.witness)
        while self._keys:
            size, witness = after
            behind = (row.size > size) | ((row.size == size) & (row.witness > witness))
            page = (await connection.execute(query.where(behind).limit(PAGE))).all()
            for one in page:
                self._judge(one, last_good or 0)
            if len(page) < PAGE:
                return
            after = (page[-1].size, page[-1].witness)

    def _judge(self, one: Row[int, str, str, int, str | None], last_good: int) -> None:
        try:
            if one.note is None:
                raise BadNote(Fault.MALFORMED, "a cosignature of a checkpoint that is not there")
            note = Note.parse(f"{Note.parse(one.note).text}\n{one.line}")
            _, signatures = opened(note, self._keys)
            if [stamp_of(signature) * SECOND for signature in signatures] != [one.at]:
                raise BadNote(Fault.BAD_SIGNATURE, "a cosignature of another time than its row")
        except BadNote as error:
            if error.fault is not Fault.UNKNOWN_SIGNATURE:  # a witness may change its key
                self._found.add(one.size, Code.COSIGNATURE, str(error))
            return
        if one.size <= last_good:
            self._seen = max(self._seen, one.size)

    @property
    def witnessed(self) -> int | None:
        """Records that a known witness has seen as they are; None if none are known."""
        return self._seen if self._keys else None
