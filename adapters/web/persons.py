"""What the sources asked over HTTP share: a read by id numbers, batch by batch.

Persons are asked for in every spelling the source is known to hold, several batches on their
way together; what comes is filed under the persons asked about, sorted and handed to the row
reader. Nobody else's rows pass.
"""

from __future__ import annotations

import asyncio
from collections.abc import (
    AsyncIterator,
    Callable,
    Collection,
    Coroutine,
    Iterable,
    Iterator,
    Mapping,
    Sequence,
)
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from itertools import chain, islice
from typing import Any, Generic, TypeAlias, TypeVar

from adapters.contract import KEY, Call, ReadRequest, Rows
from adapters.identity import spellings
from adapters.resilience import Guard
from adapters.row import MaskText, RowReader
from adapters.web.credential import Signer
from adapters.web.http import Door
from catalog.datasets import Dataset, KeyKind, SourceSpec
from catalog.divisions import Divisions
from catalog.grades import Mask

NAME = "__name"  # the row reader's word for the source's own spelling of the name
AT_ONCE = 8  # batches of one read on their way together
NOBODY = "0" * 18  # no checksum makes this a person

Raw: TypeAlias = Mapping[str, Any]
T = TypeVar("T")
W = TypeVar("W")


@dataclass(frozen=True, slots=True)
class KeyedRead:
    """A prepared read: raw columns in order, how one person's rows sort, its shape as text."""

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

    def rows(
        self,
        found: Mapping[str, list[Raw]],
        call: Call,
        *,
        as_of: datetime,
        withheld: Collection[str] = (),
    ) -> Rows:
        """The raw rows of each person asked for, fit to leave the adapter."""
        rows = [
            tuple(raw.get(column) for column in self.raw)
            for raws in found.values()
            for raw in _ordered(raws, self.order)
        ]
        cut = replace(call, limit=1) if self.single else call
        return Rows(self.reader.read(rows, cut), as_of=as_of, withheld=frozenset(withheld))


def refusal(dataset: Dataset, request: ReadRequest) -> str | None:
    """Why a request is none for such a source; None for a plain read by id number."""
    if dataset.key.kind is not KeyKind.IDENTITY or len(dataset.key.columns) != 1:
        return "an HTTP source is read by id number only"
    if request.key != KeyKind.IDENTITY:
        return "ask by the data set's own key: this interface has no lists and no other look-ups"
    if request.lens is not None or request.where or request.codes or request.rides:
        return "an HTTP source takes no conditions and carries no subtrees"
    if request.page is not None or request.count:
        return "an HTTP source has neither cursors nor counts"
    return None


def wanted(
    request: ReadRequest, unseen: Collection[Mask] = ()
) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """The reader's names and, beside each, the source's column it is taken from.

    A column whose mask is one of `unseen` is left out. `extra` columns serve relations and
    cursors, which such a source has none of: they stay where they are.
    """
    dataset, masks = request.dataset, request.masks or {}
    pairs = [(KEY, dataset.key.columns[0])]
    if dataset.person_name is not None:
        pairs.append((NAME, dataset.person_name))
    shown = [name for name in request.columns if masks.get(name) not in unseen]
    pairs += [(name, dataset.by_name[name].column) for name in shown]
    return tuple(name for name, _ in pairs), tuple(column for _, column in pairs)


def masked(request: ReadRequest) -> str:
    """The columns that leave the adapter masked, as they stand behind a read's shape."""
    told = [f"{n}:{m}" for n, m in (request.masks or {}).items() if m is not Mask.NONE]
    return f" (脱敏 {'、'.join(told)})" if told else ""


def batches(keys: Iterable[str], formats: Sequence[str], size: int) -> Iterator[list[str]]:
    """Every spelling of every key, none twice, `size` at a time."""
    texts = list(dict.fromkeys(chain.from_iterable(spellings(key, formats) for key in keys)))
    for start in range(0, len(texts), size):
        yield texts[start : start + size]


class PersonsSource(Generic[W]):
    """A department's system asked over HTTP, read by id number, by the `words` of its kind.

    `mask` turns a decoded value into its masked shape (authz owns the shapes; an adapter may
    not import it). `door` leads to the address, `signer` makes the headers that let us in.
    """

    json = False
    way = "over HTTP"

    def __init__(
        self,
        spec: SourceSpec,
        door: Door,
        signer: Signer,
        *,
        guard: Guard,
        divisions: Divisions,
        mask: MaskText,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        words = self.words_of(spec)
        if words is None:
            raise ValueError(f"{spec.name}: the catalogue does not say how it is asked {self.way}")
        self.name, self.guard, self._words = spec.name, guard, words
        self._spec, self._door, self._signer = spec, door, signer
        self._divisions, self._mask, self._now = divisions, mask, now

    @staticmethod
    def words_of(spec: SourceSpec) -> W | None:
        """What the catalogue says of this kind."""
        raise NotImplementedError

    @property
    def calls(self) -> int:
        """Calls sent, for the tests of cost."""
        return self._door.calls

    async def close(self) -> None:
        """Give connections back."""
        await self._door.close()


async def in_batches(
    keys: Iterable[str],
    formats: Sequence[str],
    size: int,
    ask: Callable[[Sequence[str]], Coroutine[Any, Any, T]],
) -> AsyncIterator[T]:
    """What each batch gives, in order; AT_ONCE of them are on their way together."""
    asked = batches(keys, formats, size)
    while some := list(islice(asked, AT_ONCE)):
        for answer in await together([ask(texts) for texts in some]):
            yield answer


async def together(jobs: Sequence[Coroutine[Any, Any, T]]) -> list[T]:
    """What all of them give, in order; if one fails, the others end and its error is raised."""
    tasks = [asyncio.ensure_future(job) for job in jobs]
    try:
        return await asyncio.gather(*tasks)
    finally:
        for task in tasks:
            task.cancel()  # harmless to those that are done
        await asyncio.gather(*tasks, return_exceptions=True)


def _ordered(rows: list[Raw], order: Sequence[tuple[str, bool]]) -> list[Raw]:
    # Sources write times and numbers so that their texts sort; missing ones come last.
    for column, descending in reversed(order):
        rows = sorted(rows, key=lambda row: str(row.get(column) or ""), reverse=descending)
        rows.sort(key=lambda row: row.get(column) in (None, ""))
    return rows
