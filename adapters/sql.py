"""SQL sources: the hub's own store and departments' databases, SQLite or PostgreSQL.

A statement is rendered once to driver text with the slots of its values; a warm request only
fills the slots and talks to the driver (`database`). A department's values are decoded and
masked here, before they leave the adapter; the hub's own rows arrive masked by the statement.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

from sqlalchemy import MetaData

from adapters.contract import Call, Prepared, ReadRequest, Rows
from adapters.crosswalk import place_spellings
from adapters.database import Database, Row
from adapters.dialect import DIALECTS, Dialect
from adapters.identity import spellings
from adapters.resilience import Guard
from adapters.row import MaskText, RowReader
from adapters.sample import Known, Sample, Somebody, first_rows, in_any_case, tables_of, there
from adapters.statement import Statements
from catalog.datasets import Dataset, KeyKind, SourceSpec
from catalog.divisions import Divisions

Slot = Callable[[Call], Any]
"""The value of one parameter, as the driver wants it."""

AS_IT_IS = frozenset({str, int, float, type(None)})
"""Types that every driver takes without being asked."""


@dataclass(frozen=True, slots=True)
class SqlRead:
    """Driver text and its values' slots, in order; for a department's rows also their reader."""

    text: str
    slots: tuple[Slot, ...]
    columns: tuple[str, ...]
    reader: RowReader | None

    def describe(self) -> str:
        """The statement; it holds no values."""
        return self.text


class SqlSource:
    """One database. `metadata` for the hub's own tables, whose columns are typed."""

    def __init__(
        self,
        spec: SourceSpec,
        database: Database,
        divisions: Divisions,
        *,
        guard: Guard,
        mask: MaskText,
        metadata: MetaData | None = None,
    ) -> None:
        self.name, self.guard = spec.name, guard
        self.json = True  # closed subtrees may ride
        self.calls = 0  # statements sent, for the tests of cost
        self.database, self._divisions, self._mask = database, divisions, mask
        self._dialect: Dialect = DIALECTS[database.dialect.name]
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
        compiled = statement.compile(dialect=self.database.dialect)
        return SqlRead(
            text=str(compiled),
            slots=tuple(self._slot(request, n, compiled.params) for n in compiled.positiontup),
            columns=columns,
            reader=reader,
        )

    async def read(self, prepared: Prepared, call: Call) -> Rows:
        """One statement. SourceUnavailable DOWN or TIMEOUT, never a driver's text."""
        return await self.rows(prepared, call)

    async def rows(self, prepared: Prepared, call: Call) -> Rows:
        """What `read` gives, for a source that adds to it."""
        assert isinstance(prepared, SqlRead)  # noqa: S101  made by prepare above
        values = [slot(call) for slot in prepared.slots]
        ask = partial(self._fetch, prepared.text, values, call.reach)
        rows = await self.guard.run(ask, until=self.guard.until(call.deadline))
        return Rows(prepared.reader.read(rows, call) if prepared.reader else rows)

    async def ping(self) -> None:
        """One row of nothing in particular."""
        await self.guard.run(partial(self._fetch, self._dialect.ping, ()))

    async def sample(self, dataset: Dataset, _somebody: Somebody) -> Sample:
        """Which tables and columns are there, and the first rows of them, within one deadline."""
        until = self.guard.until()
        known: Known = {n: await self._described(n, until) for n in tables_of(dataset)}
        if self._dialect is DIALECTS["sqlite"]:
            known = in_any_case(dataset, known)
        missing = tuple(name for name, columns in known.items() if not columns)
        if dataset.table in missing:
            return Sample(missing, frozenset(), ())
        statement, columns = first_rows(dataset, known)
        compiled = statement.compile(dialect=self.database.dialect)
        values = [compiled.params[name] for name in compiled.positiontup]
        rows = await self.guard.run(partial(self._fetch, str(compiled), values), until=until)
        found = [dict(zip(columns, row, strict=True)) for row in rows]
        return Sample(missing, frozenset(there(dataset, known)), found)

    async def _described(self, name: str, until: float) -> frozenset[str]:
        text = str(self._dialect.described().compile(dialect=self.database.dialect))
        rows = await self.guard.run(partial(self._fetch, text, [name]), until=until)
        return frozenset(str(row[0]) for row in rows)

    async def close(self) -> None:
        """Close the pool."""
        await self.database.close()

    async def _fetch(
        self, text: str, values: Sequence[Any], reach: str | None = None
    ) -> Sequence[Row]:
        self.calls += 1
        return await self.database.fetch(text, values, reach)

    # -- values

    def _slot(self, request: ReadRequest, name: str, fixed: Mapping[str, Any]) -> Slot:
        """Where a call has the value of parameter `name`; else it is the statement's own."""
        bound, own = self._dialect.bound, self._dialect.bound(fixed[name])

        def given(call: Call) -> Any:
            value = call.params.get(name, own)
            return value if type(value) in AS_IT_IS else bound(value)

        def limit(call: Call) -> Any:
            return given(call) if call.limit is None else call.limit

        def keys(call: Call) -> Any:
            return given(call) if call.keys is None else bound(spelled(call.keys))

        spelled = self._spelling(request)
        return {"keys": keys, "limit": limit}.get(name, given)

    def _spelling(self, request: ReadRequest) -> Callable[[Sequence[str]], list[Any]]:
        """Every way the source may write the keys it is asked by."""
        key = request.dataset.key
        if request.key == "identity" and key.kind is KeyKind.IDENTITY:
            return lambda keys: [s for k in keys for s in spellings(k, key.formats)]
        if request.key == "division":
            return lambda keys: [s for k in keys for s in place_spellings(self._divisions, k)]
        return _numbers if self._statements.by_number(request) else list


def _numbers(keys: Sequence[str]) -> list[Any]:
    return [int(key) for key in keys]
