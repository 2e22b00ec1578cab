"""SQL sources: the hub's own store (SQLite or PostgreSQL) and departments' databases (any).

A statement is rendered once to driver text with the slots of its values; a warm request only
fills the slots and talks to the driver (`database`). A department's values are decoded and
masked here, before they leave the adapter; the hub's own rows arrive masked by the statement.
A database that is read in rows (`row_mode`) is asked by key alone, in as many statements as the
keys need.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

from sqlalchemy import MetaData

from adapters.contract import Call, Prepared, ReadRequest, Rows
from adapters.crosswalk import place_spellings
from adapters.databases.database import Database, Row, StatementFault
from adapters.databases.keyed import Keyed
from adapters.databases.row_mode import Marked, batches, json_of, plain_of
from adapters.databases.statement import Statements
from adapters.identity import spellings
from adapters.resilience import SAID, Guard, Reason
from adapters.row import MaskText, RowReader
from adapters.sample import Known, Sample, Somebody, first_rows, in_any_case, tables_of, there
from catalog.datasets import Dataset, KeyKind, SourceSpec
from catalog.divisions import Divisions
from catalog.errors import Readable, SourceUnavailable

Slot = Callable[[Call], Any]
"""The value of one parameter, as the driver wants it."""

AS_IT_IS = frozenset({str, int, float, type(None)})
"""Types that every driver takes without being asked."""
Spelled = Callable[[Sequence[str]], list[Any]]
"""Every way the source may write the keys it is asked by."""

_log = logging.getLogger("hub.sources")


@dataclass(frozen=True, slots=True)
class SqlRead:
    """Driver text and its values' slots, in order; for a department's rows also their reader.

    In row mode there are no slots: the text is `marked` where its lists go.
    """

    dataset: str
    text: str
    slots: tuple[Slot, ...]
    columns: tuple[str, ...]
    reader: RowReader | None
    spelled: Spelled
    marked: Marked | None = None

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
        self.name, self.guard, self._title = spec.name, guard, spec.title
        self.calls = 0  # statements sent, for the tests of cost
        self.database, self._divisions, self._mask = database, divisions, mask
        json = json_of(database.dialect)
        if metadata is not None and json is None:
            raise Readable(f"数据源 {spec.name}：中枢自有的数据集只能放在 SQLite 或 PostgreSQL")
        self.json = json is not None  # closed subtrees may ride
        self._dialect, self._ours = plain_of(database.dialect), metadata is not None
        self._keyed = Keyed(self._dialect, metadata, json)
        self._statements = None if json is None else Statements(json, metadata)

    def prepare(self, request: ReadRequest) -> Prepared:
        """Render the statement of a request; no I/O."""
        if request.lens is not None:
            assert self._statements is not None  # noqa: S101  departments' rows have no Lens
            statement, columns = self._statements.rows(request)
            return self._render(request, statement, columns, None)
        statement, found = self._keyed.keyed(request)
        reader = RowReader(request, found, self._divisions, self._mask)
        return self._render(request, statement, reader.columns, reader)

    def _render(
        self,
        request: ReadRequest,
        statement: Any,
        columns: tuple[str, ...],
        reader: RowReader | None,
    ) -> SqlRead:
        rendering = self.database.dialect
        compiled = statement.compile(dialect=rendering)
        text = str(compiled)
        return SqlRead(
            dataset=request.dataset.name,
            text=text,
            slots=tuple(self._slot(request, n, compiled.params) for n in compiled.positiontup),
            columns=columns,
            reader=reader,
            spelled=self._spelling(request),
            marked=None if self._statements else Marked.of(text, rendering.paramstyle),
        )

    async def read(self, prepared: Prepared, call: Call) -> Rows:
        """One statement; in row mode several, if the keys are many.

        SourceUnavailable DOWN or TIMEOUT, or SCHEMA if a department's tables are not as the
        catalogue says; never a driver's text.
        """
        return await self.rows(prepared, call)

    async def rows(self, prepared: Prepared, call: Call) -> Rows:
        """What `read` gives, for a source that adds to it."""
        assert isinstance(prepared, SqlRead)  # noqa: S101  made by prepare above
        until = self.guard.until(call.deadline)
        reader = prepared.reader
        found: list[tuple[Any, ...]] = []
        try:
            for text, values, part in _asked(prepared, call):
                ask = partial(self._fetch, text, values, part.reach)
                rows = await self.guard.run(ask, until=until)
                if prepared.marked is None:
                    return Rows(rows if reader is None else reader.read(rows, part))
                assert reader is not None  # noqa: S101  in row mode every read is a department's
                found += reader.read(rows, part)
        except StatementFault as fault:
            if self._ours:
                raise
            raise self._misfit(prepared.dataset, fault) from None
        return Rows(found)

    def _misfit(self, dataset: str, fault: StatementFault) -> SourceUnavailable:
        """A department's tables are not as the catalogue says: told to the operator, once a read.

        It answers, so the breaker stays closed for its other data sets.
        """
        said = {"source": self.name, "dataset": dataset, "error": str(fault)}
        _log.error("source does not fit the catalogue", extra=said)
        return SourceUnavailable(
            f"{self._title}{SAID[Reason.SCHEMA]}，其余数据照常给出",
            reason=Reason.SCHEMA.value,
            source=self.name,
            retryable=False,
        )

    async def ping(self) -> None:
        """One row of nothing in particular."""
        await self.guard.run(partial(self._fetch, self._dialect.ping, ()))

    async def sample(self, dataset: Dataset, _somebody: Somebody) -> Sample:
        """Which tables and columns are there, and the first rows of them, within one deadline."""
        until = self.guard.until()
        known: Known = {n: await self._described(n, until) for n in tables_of(dataset)}
        if self._dialect.any_case:
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

    def _spelling(self, request: ReadRequest) -> Spelled:
        key = request.dataset.key
        if request.key == "identity" and key.kind is KeyKind.IDENTITY:
            return lambda keys: [s for k in keys for s in spellings(k, key.formats)]
        if request.key == "division":
            return lambda keys: [s for k in keys for s in place_spellings(self._divisions, k)]
        by_number = self._statements is not None and self._statements.by_number(request)
        return _numbers if by_number else list


def _asked(read: SqlRead, call: Call) -> Iterator[tuple[str, Sequence[Any], Call]]:
    """Each statement: text, values, and the call with the keys it asks for."""
    if read.marked is None:
        yield read.text, [slot(call) for slot in read.slots], call
        return
    for keys, texts in batches(call.keys or (), read.spelled):
        lists = {"codes": call.params.get("codes", ()), "keys": texts}
        yield *read.marked.filled(lists), replace(call, keys=keys)


def _numbers(keys: Sequence[str]) -> list[Any]:
    return [int(key) for key in keys]
