"""Departments that are asked over HTTP, each by the words of its ``[source.rest]``.

    POST {address}{path}  {…, "certnos": [key, …], "pageNum": 1, "pageSize": 100}
    -> {"infcode": 0, "output": {"total": n, "list": [row, …]}}

Only rows of persons whose keys were handed over are asked for, in every spelling the source
is known to hold, batch by batch and page by page. HTTP 200 is not success: another code in the
body than the agreed one is a source that is down, not a person without records. The sieve sits
here: what nobody asked for, and whoever nobody asked about, is dropped before a row leaves;
`adapters/row.py` decodes, grades and masks.
"""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Iterable, Mapping, Sequence
from functools import partial
from typing import Any, NoReturn

from adapters.contract import Call, Prepared, ReadRequest, Rows
from adapters.identity import canonical
from adapters.resilience import Fault, Reason
from adapters.row import RowReader
from adapters.sample import PEOPLE, ROWS, Sample, Somebody, columns_of
from adapters.web.http import decoded, inside
from adapters.web.persons import (
    NOBODY,
    KeyedRead,
    PersonsSource,
    Raw,
    in_batches,
    masked,
    refusal,
    wanted,
)
from catalog.datasets import Dataset, SourceSpec
from catalog.interface import Interface, filled

MAX_PAGES = 200  # 20,000 rows for 100 persons: a source that never ends is broken


class RestSource(PersonsSource[Interface]):
    """A department's HTTP interface, read by id number."""

    @staticmethod
    def words_of(spec: SourceSpec) -> Interface | None:
        """``[source.rest]``."""
        return spec.rest

    def prepare(self, request: ReadRequest) -> Prepared:
        """Compile the cells; ValueError for anything but a plain read by id number."""
        dataset = request.dataset
        refused = refusal(dataset, request)
        if refused:
            raise ValueError(f"{self.name}.{dataset.name}: {refused}")
        found, raw = wanted(request)
        return KeyedRead(
            dataset=dataset,
            raw=raw,
            reader=RowReader(request, found, self._divisions, self._mask),
            order=request.order or dataset.order,
            single=dataset.facet is not None and not dataset.facet.many,
            shape=_shape(self._words, request, raw),
        )

    async def read(self, prepared: Prepared, call: Call) -> Rows:
        """Rows grouped by key in the order asked. SourceUnavailable if any call fails."""
        assert isinstance(prepared, KeyedRead)  # noqa: S101  made by prepare above
        found: dict[str, list[Raw]] = {key: [] for key in call.keys or ()}
        column = prepared.dataset.key.columns[0]
        async for row in self._rows(prepared.dataset, found, self.guard.until(call.deadline)):
            _file(found, column, row)
        return prepared.rows(found, call, as_of=self._now())

    async def ping(self) -> None:
        """Ask for nobody: an empty page shows that the system is up and lets us in."""
        dataset = self._spec.datasets[0]
        await self.guard.run(partial(self._ask, dataset, [NOBODY], 1))

    async def sample(self, dataset: Dataset, somebody: Somebody) -> Sample:
        """The first rows of some persons of the register, within one deadline."""
        found = list[Raw]()
        async for row in self._rows(dataset, await somebody(PEOPLE), self.guard.until()):
            found.append(row)
            if len(found) == ROWS:
                break
        return _sampled(dataset, found)

    async def _rows(
        self, dataset: Dataset, people: Iterable[str], until: float
    ) -> AsyncIterator[Raw]:
        ask = partial(self._pages, dataset, until)
        formats, size = dataset.key.formats, self._words.batch
        async for rows in in_batches(people, formats, size, ask):
            for row in rows:
                yield row

    async def _pages(self, dataset: Dataset, until: float, keys: Sequence[str]) -> list[Raw]:
        found = list[Raw]()
        for page in range(1, MAX_PAGES + 1):
            ask = partial(self._ask, dataset, keys, page)
            total, rows = await self.guard.run(ask, until=until)
            found += rows
            if not self._more(total, len(found), len(rows)):
                return found
        return await self.guard.run(_endless, until=until)

    def _more(self, total: int | None, seen: int, last: int) -> bool:
        if not self._words.paged or not last:
            return False
        return last >= self._words.page if total is None else seen < total

    async def _ask(
        self, dataset: Dataset, keys: Sequence[str], page: int
    ) -> tuple[int | None, list[Raw]]:
        interface = self._words
        body = json.dumps(filled(interface.body, _slots(interface, dataset, keys, page))).encode()
        headers = {**interface.headers, **await self._signer.headers(body)}
        answer = await self._door.post(_path(interface, dataset), body, headers)
        return self._opened(decoded(answer, interface.charset), dataset)

    def _opened(self, answer: Any, dataset: Dataset) -> tuple[int | None, list[Raw]]:
        """Total and rows; Fault if the answer is none, or says that the system failed."""
        interface = self._words
        if interface.success is not None:
            way, good = interface.success
            self._judge(inside(answer, way), good)
        rows = inside(answer, interface.rows)
        if not isinstance(rows, list) or not all(isinstance(row, dict) for row in rows):
            raise Fault(Reason.SCHEMA)
        # Rows that cannot be told apart by person would all look like "no record".
        if rows and not any(dataset.key.columns[0] in row for row in rows):
            raise Fault(Reason.SCHEMA)
        return _total(inside(answer, interface.total)) if interface.total else None, rows

    def _judge(self, code: Any, good: str) -> None:
        if code is None:
            raise Fault(Reason.SCHEMA)
        if str(code) == good:
            return
        if str(code) == self._words.exhausted:
            raise Fault(Reason.QUOTA)
        # The second try of the guard brings the new token.
        renewed = str(code) == self._words.expired and self._signer.refused()
        raise Fault(again=renewed)


def _shape(interface: Interface, request: ReadRequest, raw: Sequence[str]) -> str:
    some = {"$keys": [f"≤{interface.batch}"], "$size": interface.page}
    body = filled(interface.body, some | {"$table": request.dataset.table})
    return (
        f"POST {_path(interface, request.dataset)} {json.dumps(body, ensure_ascii=False)}"
        f" -> {', '.join(raw)}{masked(request)}"
    )


def _path(interface: Interface, dataset: Dataset) -> str:
    return interface.path.replace("$table", dataset.table)


def _slots(
    interface: Interface, dataset: Dataset, keys: Sequence[str], page: int
) -> Mapping[str, Any]:
    return {
        "$table": dataset.table,
        "$keys": list(keys),
        "$keys_text": ",".join(keys),
        "$key": keys[0],
        "$page": page,
        "$offset": (page - 1) * interface.page,
        "$size": interface.page,
    }


def _sampled(dataset: Dataset, rows: Sequence[Raw]) -> Sample:
    names = columns_of(dataset)
    sent = frozenset(name for row in rows for name in row)
    kept = [{name: row[name] for name in names if name in row} for row in rows]
    return Sample((), sent if rows else None, kept)


def _total(told: Any) -> int:
    try:
        return int(told)
    except (TypeError, ValueError):
        raise Fault(Reason.SCHEMA) from None


async def _endless() -> NoReturn:
    raise Fault


def _file(found: Mapping[str, list[Raw]], column: str, row: Raw) -> None:
    # INVARIANT: nobody leaves the adapter who was not asked about, whatever the source sends.
    text = row.get(column)
    key = canonical(str(text)).id18 if type(text) in (str, int) else None
    if key is not None and key in found:
        found[key].append(row)
