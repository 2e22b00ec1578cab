"""The officer's proofs: rows of the log under his Lens, each with the text that proves it.

The row comes through the Plan's statement like any other, so that whoever may not see the
record is told nothing; the proof is made of hashes alone and added to what was admitted.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.ext.asyncio import AsyncEngine

from adapters.contract import EXTRA, Call, Prepared, ReadRequest, Rows
from adapters.databases.sql import SqlSource
from audit.proving import Damaged, Uncovered, proof_of
from audit.tiles import Roots
from catalog.errors import SourceUnavailable

NAME, IDX, PROOF = "audit_proof", f"{EXTRA}idx", "proof"


class Proofs:
    """Adds to the rows of `inner` their proofs, out of the store of `engine`."""

    json = False  # a proof is made in the hub, so its row does not ride

    def __init__(self, inner: SqlSource, engine: AsyncEngine) -> None:
        self.name, self._inner, self._engine = inner.name, inner, engine
        self._roots: Roots = {}  # of whole tiles, which never change

    @property
    def calls(self) -> int:
        """Statements sent, for the tests of cost."""
        return self._inner.calls

    def prepare(self, request: ReadRequest) -> Prepared:
        """The rows' statement, which always brings their places in the log."""
        if request.count:
            return self._inner.prepare(request)
        extra = tuple(dict.fromkeys((*request.extra, IDX)))
        return self._inner.prepare(replace(request, extra=extra))

    async def read(self, prepared: Prepared, call: Call) -> Rows:
        """The rows; `proof` is null for one that no checkpoint covers yet."""
        found = await self._inner.rows(prepared, call)
        if PROOF not in prepared.columns:
            return found
        at, place = prepared.columns.index(PROOF), prepared.columns.index(IDX)
        rows = [await self._proved(row, at, int(row[place])) for row in found.rows]
        return replace(found, rows=rows)

    async def ping(self) -> None:
        """As the store."""
        await self._inner.ping()

    async def close(self) -> None:
        """The pool is the store's."""
        await self._inner.close()

    async def _proved(self, row: Sequence[Any], at: int, idx: int) -> tuple[Any, ...]:
        try:
            async with self._engine.connect() as connection:
                proof: str | None = str(await proof_of(connection, idx, self._roots))
        except Uncovered:
            proof = None
        except (Damaged, SQLAlchemyError, OSError):
            self._roots.clear()  # a store that was mended must not be judged by what it was
            raise SourceUnavailable(
                "证明与日志不符或暂时无法读取：请运行 hub audit verify", reason="DOWN", source=NAME
            ) from None
        return (*row[:at], proof, *row[at + 1 :])
