"""Is a paper genuine? Asked by whoever holds it, with the code that stands on it.

    code ──► row ──► its digest anew ──► the record that was written when it was printed ──► genuine

A row that somebody changed or added past its triggers has no such record: it would need one in a
log that is signed and witnessed. Whatever is wrong, the answer is the one "not genuine", and it is
looked up alike.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Select, select
from sqlalchemy.ext.asyncio import AsyncConnection

from audit.keyring import day_of
from hub.printing.code import code_of, digest_of
from hub.printing.kinds import KINDS
from hub.release import Paper
from store.audit import audit_event, audit_segment
from store.prints import Printed, by_code

GONE = ("DETACHED", "DESTROYED")


@dataclass(frozen=True, slots=True)
class Verdict:
    """What the holder of a paper is told; nothing of whom it is about, nothing it says.

    `date` is the day it was printed, in Beijing; all are None for what is not genuine.
    """

    genuine: bool
    kind: str | None = None
    number: str | None = None
    date: str | None = None
    department: str | None = None
    sha256: str | None = None


NOT_GENUINE = Verdict(False)


async def verified(connection: AsyncConnection, code: str, sha256: str | None = None) -> Verdict:
    """The verdict on a code as somebody typed it, and on the digest of the paper if it is given.

    SQLAlchemyError or OSError if the store does not answer: then nobody knows.
    """
    printed = await by_code(connection, code_of(code))
    if printed is None or not await genuine(connection, printed):
        return NOT_GENUINE
    if sha256 is not None and digest_of(sha256) != printed.sha256:
        return NOT_GENUINE
    return Verdict(
        True,
        KINDS[printed.kind].title,
        printed.number,
        printed_on(printed),
        printed.issuer,
        printed.sha256,
    )


async def genuine(connection: AsyncConnection, printed: Printed) -> bool:
    """Is a stored print what its digest was made of, and does the log say that it was printed?

    Yes, too, once the record has left for the archive. Whether log and archive are what was
    written is `hub audit verify`'s to say.
    """
    if not printed.sound:
        return False
    at = audit_event.c.idx == printed.audit_idx
    body = await connection.scalar(select(audit_event.c.body).where(at))
    if body is None:
        return bool((await connection.execute(_archived(printed.audit_idx))).first())
    try:
        told = json.loads(body)["op"]["vars"]
    except (ValueError, LookupError):  # a record of something else, or none at all
        return False
    wanted = Paper(printed.number, printed.sha256).told()
    return Paper.COPY not in told and wanted.items() <= told.items()


def printed_on(printed: Printed) -> str:
    """The day of a print in Beijing, ``2026-11-26``."""
    return day_of(printed.printed_at).isoformat()


def _archived(idx: int) -> Select[Any]:
    return select(audit_segment.c.first).where(
        audit_segment.c.first <= idx, audit_segment.c.end > idx, audit_segment.c.state.in_(GONE)
    )
