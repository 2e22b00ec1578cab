"""Departments that are asked over HTTP: the ``infcode`` envelope of the national interface style.

    POST {address}/fsi/api  {"infno": table, "input": {"certnos": […], "pageNum", "pageSize"}}
    -> {"infcode": 0 | -1, "err_msg": …, "output": {"total": n, "list": [row, …]}}

Only rows of persons whose keys were handed over are asked for, in every spelling the source
is known to hold, and page by page. HTTP 200 is not success: any ``infcode`` but 0 is a source
that is down, not a person without records. The sieve sits here: what nobody asked for, and
whoever nobody asked about, is dropped before a row leaves; `adapters/row.py` decodes,
grades and masks.
"""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from functools import partial
from itertools import chain
from typing import Any, TypeAlias

import httpx

from adapters.contract import EXTRA, KEY, Call, Prepared, ReadRequest, Rows
from adapters.identity import canonical, spellings
from adapters.resilience import Fault, Guard, Reason
from adapters.row import MaskText, RowReader
from adapters.sample import PEOPLE, ROWS, Sample, Somebody, columns_of
from catalog.datasets import Dataset, KeyKind, SourceSpec
from catalog.divisions import Divisions
from catalog.grades import Mask

ENVELOPE = "infcode"
NAME = "__name"  # the row reader's word for the source's own spelling of the name
PATH = "/fsi/api"
BATCH = 100  # certificate numbers a call, the interface's own limit
PAGE = 100  # rows a page, the interface's own limit
MAX_PAGES = 200  # 20,000 rows for 100 persons: a source that never ends is broken
MAX_BODY = 8 * 1024 * 1024  # a page of 100 rows has about 60 kB
NOBODY = "0" * 18  # no checksum makes this a person
AGAIN = frozenset({429, 502, 503, 504})  # statuses a second try may heal

Raw: TypeAlias = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class RestRead:
    """A prepared read: interface number, raw columns in order, how one person's rows sort."""

    dataset: Dataset
    raw: tuple[str, ...]
    reader: RowReader
    order: tuple[tuple[str, bool], ...]
    single: bool
    shape: str

    @property
    def columns(self) -> tuple[str, ...]:
        """``__key``, ``__grade``, ``__dq``, then what was asked."""
        return self.reader.columns

    def describe(self) -> str:
        """The call's shape; no values."""
        return self.shape


class RestSource:
    """A department's HTTP interface, read by id number.

    `mask` turns a decoded value into its masked shape (authz owns the shapes; an adapter may
    not import it). `client` is closed with the source only if the source made it.
    """

    def __init__(
        self,
        spec: SourceSpec,
        base_url: str,
        client: httpx.AsyncClient | None = None,
        *,
        guard: Guard,
        divisions: Divisions,
        mask: MaskText,
        app_key: str | None = None,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        if spec.envelope != ENVELOPE:
            raise ValueError(f"{spec.name}: envelope {spec.envelope!r} is not {ENVELOPE}")
        self.name, self.guard, self.json = spec.name, guard, False
        self.calls = 0  # calls sent, for the tests of cost
        self._url = base_url.rstrip("/") + PATH
        self._spec, self._divisions, self._mask, self._now = spec, divisions, mask, now
        self._headers = {"appKey": app_key} if app_key else {}
        self._own = client is None
        # The guard keeps the time, and no proxy of the environment may see citizens' keys.
        self._client = client or httpx.AsyncClient(timeout=None, trust_env=False)  # noqa: S113

    def prepare(self, request: ReadRequest) -> Prepared:
        """Compile the cells; ValueError for anything but a plain read by id number."""
        dataset = request.dataset
        refused = _refusal(dataset, request)
        if refused:
            raise ValueError(f"{self.name}.{dataset.name}: {refused}")
        found, raw = _wanted(request)
        return RestRead(
            dataset=dataset,
            raw=raw,
            reader=RowReader(request, found, self._divisions, self._mask),
            order=request.order or dataset.order,
            single=dataset.facet is not None and not dataset.facet.many,
            shape=_shape(request, raw),
        )

    async def read(self, prepared: Prepared, call: Call) -> Rows:
        """Rows grouped by key in the order asked. SourceUnavailable if any call fails."""
        assert isinstance(prepared, RestRead)  # noqa: S101  made by prepare above
        until = self.guard.until(call.deadline)
        found: dict[str, list[Raw]] = {key: [] for key in call.keys or ()}
        for certnos in _batches(found, prepared.dataset.key.formats):
            async for row in self._pages(prepared.dataset.table, certnos, until):
                _file(found, prepared.dataset.key.columns[0], row)
        rows = [
            tuple(raw.get(column) for column in prepared.raw)
            for raws in found.values()
            for raw in _ordered(raws, prepared.order)
        ]
        cut = replace(call, limit=1) if prepared.single else call
        return Rows(prepared.reader.read(rows, cut), as_of=self._now())

    async def ping(self) -> None:
        """Ask for nobody: an empty page shows that the system is up and lets us in."""
        await self.guard.run(
            partial(self._ask, _question(self._spec.datasets[0].table, [NOBODY], 1))
        )

    async def sample(self, dataset: Dataset, somebody: Somebody) -> Sample:
        """The first rows of some persons of the register, within one deadline."""
        people = await somebody(PEOPLE)
        until, found = self.guard.until(), list[Raw]()
        for certnos in _batches(people, dataset.key.formats):
            async for row in self._pages(dataset.table, certnos, until):
                found.append(row)
                if len(found) == ROWS:
                    return _sampled(dataset, found)
        return _sampled(dataset, found)

    async def close(self) -> None:
        """Give connections back."""
        if self._own:
            await self._client.aclose()

    async def _pages(self, infno: str, certnos: Sequence[str], until: float) -> AsyncIterator[Raw]:
        seen = 0
        for page in range(1, MAX_PAGES + 1):
            ask = partial(self._ask, _question(infno, certnos, page))
            total, rows = await self.guard.run(ask, until=until)
            for row in rows:
                yield row
            seen += len(rows)
            if seen >= total or not rows:
                return
        await self.guard.run(_endless, until=until)

    async def _ask(self, body: bytes) -> tuple[int, list[Raw]]:
        return _opened(await self._post(body))

    async def _post(self, body: bytes) -> bytes:
        self.calls += 1
        headers = {"Content-Type": "application/json", **self._headers}
        try:
            async with self._client.stream(
                "POST", self._url, content=body, headers=headers
            ) as answer:
                if answer.status_code != httpx.codes.OK:
                    raise Fault(again=answer.status_code in AGAIN)
                return await _bounded(answer.aiter_bytes())
        except httpx.TimeoutException:
            raise Fault(Reason.TIMEOUT) from None
        except httpx.HTTPError:
            raise Fault(again=True) from None


def _refusal(dataset: Dataset, request: ReadRequest) -> str | None:
    if dataset.key.kind is not KeyKind.IDENTITY or len(dataset.key.columns) != 1:
        return "an HTTP source is read by id number only"
    if request.key != KeyKind.IDENTITY:
        return "ask by the data set's own key: this interface has no lists and no other look-ups"
    if request.lens is not None or request.where or request.codes or request.rides:
        return "an HTTP source takes no conditions and carries no subtrees"
    if request.page is not None or request.count:
        return "an HTTP source has neither cursors nor counts"
    return None


def _wanted(request: ReadRequest) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """The reader's names and, beside each, the source's column it is taken from."""
    dataset = request.dataset
    pairs = [(KEY, dataset.key.columns[0])]
    if dataset.person_name is not None:
        pairs.append((NAME, dataset.person_name))
    pairs += [(name, dataset.by_name[name].column) for name in request.columns]
    pairs += [(EXTRA + column, column) for column in request.extra]
    return tuple(name for name, _ in pairs), tuple(column for _, column in pairs)


def _shape(request: ReadRequest, raw: Sequence[str]) -> str:
    masks = request.masks or {}
    masked = "、".join(f"{n}:{m}" for n, m in masks.items() if m is not Mask.NONE)
    return (
        f"POST {PATH} infno={request.dataset.table} certnos=[…≤{BATCH}] pageSize={PAGE}"
        f" -> {', '.join(raw)}" + (f" (脱敏 {masked})" if masked else "")
    )


def _sampled(dataset: Dataset, rows: Sequence[Raw]) -> Sample:
    names = columns_of(dataset)
    sent = frozenset(name for row in rows for name in row)
    kept = [{name: row[name] for name in names if name in row} for row in rows]
    return Sample((), sent if rows else None, kept)


def _batches(keys: Iterable[str], formats: Sequence[str]) -> Iterator[list[str]]:
    texts = list(dict.fromkeys(chain.from_iterable(spellings(key, formats) for key in keys)))
    for start in range(0, len(texts), BATCH):
        yield texts[start : start + BATCH]


def _question(infno: str, certnos: Sequence[str], page: int) -> bytes:
    asked = {"certnos": list(certnos), "pageNum": page, "pageSize": PAGE}
    return json.dumps({"infno": infno, "input": asked}).encode()


async def _bounded(parts: AsyncIterator[bytes]) -> bytes:
    whole = bytearray()
    async for part in parts:
        whole += part
        if len(whole) > MAX_BODY:
            raise Fault
    return bytes(whole)


def _opened(body: bytes) -> tuple[int, list[Raw]]:
    """The envelope's total and rows; Fault if it is none, or says that the system failed."""
    try:
        envelope = json.loads(body)
        if str(envelope["infcode"]) != "0":
            raise Fault
        output = envelope["output"]
        total, rows = int(output["total"]), output["list"]
    except (ValueError, OverflowError, KeyError, TypeError, RecursionError):  # 1e999 is a total
        raise Fault from None
    if not isinstance(rows, list) or not all(isinstance(row, dict) for row in rows):
        raise Fault
    return total, rows


async def _endless() -> None:
    raise Fault


def _file(found: Mapping[str, list[Raw]], column: str, row: Raw) -> None:
    # INVARIANT: nobody leaves the adapter who was not asked about, whatever the source sends.
    text = row.get(column)
    key = canonical(text).id18 if isinstance(text, str) else None
    if key is not None and key in found:
        found[key].append(row)


def _ordered(rows: list[Raw], order: Sequence[tuple[str, bool]]) -> list[Raw]:
    # The interface writes times and numbers so that their texts sort; missing ones come last.
    for column, descending in reversed(order):
        rows = sorted(rows, key=lambda row: str(row.get(column) or ""), reverse=descending)
        rows.sort(key=lambda row: row.get(column) in (None, ""))
    return rows
