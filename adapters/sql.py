"""SQL sources: the hub's own store and departments' databases, SQLite or PostgreSQL.

A statement is rendered once to driver text with its parameter order; a warm request only
binds values. A department's values are decoded and masked here, before they leave the
adapter; the hub's own rows arrive masked by the statement.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any

from sqlalchemy import MetaData
from sqlalchemy.exc import DataError, ProgrammingError
from sqlalchemy.ext.asyncio import AsyncEngine

from adapters.contract import Call, Prepared, ReadRequest, Rows
from adapters.crosswalk import place_spellings
from adapters.dialect import DIALECTS, Dialect
from adapters.identity import spellings
from adapters.resilience import Guard
from adapters.row import MaskText, RowReader
from adapters.statement import Statements
from catalog.datasets import Dataset, KeyKind, SourceSpec
from catalog.divisions import Divisions


class StatementFault(RuntimeError):
    """The database refused a statement of ours; names the driver's error class, no value."""


@dataclass(frozen=True)
class SqlRead:
    """Driver text and parameter order; for a department's rows also their reader."""

    text: str
    params: tuple[str, ...]
    columns: tuple[str, ...]
    dataset: Dataset
    key: str | None
    reader: RowReader | None
    binds: Mapping[str, Any] = field(default_factory=dict)

    def describe(self) -> str:
        """The statement; it holds no values."""
        return self.text


class SqlSource:
    """One database. `metadata` for the hub's own store, whose columns are typed."""

    def __init__(
        self,
        spec: SourceSpec,
        engine: AsyncEngine,
        divisions: Divisions,
        *,
        guard: Guard,
        mask: MaskText,
        metadata: MetaData | None = None,
    ) -> None:
        self.name, self.guard = spec.name, guard
        self.json = True  # closed subtrees may ride
        self.calls = 0  # statements sent, for the tests of cost
        self._engine, self._divisions, self._mask = engine, divisions, mask
        self._dialect: Dialect = DIALECTS[engine.dialect.name]
        self._statements = Statements(self._dialect, metadata)

    def prepare(self, request: ReadRequest) -> Prepared:
        """Render the statement of a request; no I/O."""
        if request.lens is not None:
            statement, columns = self._statements.rows(request)
            return self._render(request, statement, columns, None)
        statement, found = self._statements.keyed(request)
        reader = RowReader(request, found, self._divisions, self._mask)
        return self._render(request, statement, reader.columns, reader)

    def _render(
        self,
        request: ReadRequest,
        statement: Any,
        columns: tuple[str, ...],
        reader: RowReader | None,
    ) -> SqlRead:
        compiled = statement.compile(dialect=self._engine.dialect)
        return SqlRead(
            text=str(compiled),
            params=tuple(compiled.positiontup),
            columns=columns,
            dataset=request.dataset,
            key=request.key,
            reader=reader,
            binds=dict(compiled.params),
        )

    async def read(self, prepared: Prepared, call: Call) -> Rows:
        """One statement. SourceUnavailable DOWN or TIMEOUT, never a driver's text."""
        assert isinstance(prepared, SqlRead)  # noqa: S101  made by prepare above
        ask = partial(self._fetch, prepared.text, self._values(prepared, call))
        rows = await self.guard.run(ask, until=self.guard.until(call.deadline))
        return Rows(prepared.reader.read(rows, call) if prepared.reader else rows)

    async def ping(self) -> None:
        """SELECT 1."""
        await self.guard.run(partial(self._fetch, "SELECT 1", ()))

    async def close(self) -> None:
        """Close the pool."""
        await self._engine.dispose()

    async def _fetch(self, text: str, values: tuple[Any, ...]) -> list[tuple[Any, ...]]:
        self.calls += 1
        try:
            async with self._engine.connect() as connection:
                result = await connection.exec_driver_sql(text, values)
                return [tuple(row) for row in result]
        except (ProgrammingError, DataError) as error:
            # Ours, not the source's: it must not open the breaker for everybody.
            raise StatementFault(type(error.orig).__name__) from None

    def _values(self, prepared: SqlRead, call: Call) -> tuple[Any, ...]:
        given = dict(prepared.binds) | dict(call.params)
        if call.keys is not None:
            given["keys"] = self._spelled(prepared, call.keys)
        if call.limit is not None:
            given["limit"] = call.limit
        return tuple(self._dialect.bound(given[name]) for name in prepared.params)

    def _spelled(self, prepared: SqlRead, keys: Sequence[str]) -> list[str]:
        """Every way the source may write the keys."""
        key = prepared.dataset.key
        if prepared.key == "identity" and key.kind is KeyKind.IDENTITY:
            return [s for k in keys for s in spellings(k, key.formats)]
        if prepared.key == "division":
            return [s for k in keys for s in place_spellings(self._divisions, k)]
        return list(keys)
