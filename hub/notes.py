"""``X-Purpose-Note``: why, in the asker's own words; and what emergency access costs beside.

The words stand in a table of their own, where they can be erased; the record has their keyed
digest alone. An asker in an emergency (应急访问) must say why, and before anything is read a
record says that he is about to: who is cut off in the middle has left it behind.

    note kept ──► BREAK_GLASS_INTENT ──► Plan, sources ──► BREAK_GLASS_RESULT ──► bytes
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from urllib.parse import unquote

from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.ext.asyncio import AsyncEngine

from authz.rule import EMERGENCY
from catalog.errors import AuditUnavailable, BadRequest, PurposeRequired
from hub.keys import note_digest
from store.audit import purpose_note
from store.rows import INSERT

HEADER = b"x-purpose-note"
SHORTEST, LONGEST = 4, 500  # characters; as long as one sentence, not a file


def words(headers: Mapping[bytes, bytes], purpose: str) -> str:
    """The note, empty if there is none; it travels as percent-encoded UTF-8.

    BadRequest HEADER for one that cannot be read, PurposeRequired for an emergency without one.
    """
    given = headers.get(HEADER, b"").decode("latin-1").strip()
    try:
        note = unquote(given, errors="strict").strip()
    except UnicodeDecodeError:
        note = "\ufffd"
    if not note.isprintable() or len(note) > LONGEST or "\ufffd" in note:
        raise BadRequest(
            f"X-Purpose-Note 须为百分号编码的 UTF-8 文字，不超过 {LONGEST} 字", reason="HEADER"
        )
    if purpose == EMERGENCY and len(note) < SHORTEST:
        raise PurposeRequired(
            f"应急访问须在 X-Purpose-Note 头中说明事由（{SHORTEST} 字以上，百分号编码）",
            reason="BREAK_GLASS_REASON_REQUIRED",
        )
    return note


class Notes:
    """Keeps the words. `ring`: the audit keys."""

    def __init__(self, engine: AsyncEngine, ring: Mapping[int, bytes]) -> None:
        self._engine, self._ring = engine, ring

    async def keep(self, note: str) -> str:
        """The note's digest, once its words are stored; AuditUnavailable if they cannot be."""
        digest = note_digest(self._ring, note)
        row = {"digest": digest, "text": note, "at": time.time_ns() // 1000}
        made = INSERT[self._engine.dialect.name](purpose_note).values(row)
        try:
            async with self._engine.begin() as connection:
                await connection.execute(made.on_conflict_do_nothing())
        except (SQLAlchemyError, OSError):
            raise AuditUnavailable("事由无法记录，暂不提供数据", reason="WRITE") from None
        return digest
