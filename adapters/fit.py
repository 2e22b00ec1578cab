"""Does the catalogue describe what a source really holds? Counts alone answer.

    Sample ──► each column by its decoder, each key by `canonical`, each region by its scheme
           ──► Fit: how many are written, how many can be read, which DQ codes, how often

INVARIANT: no value of a row is in a Fit, an error or a log line; id numbers go to `Register`
to be counted, and nowhere else.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Protocol

from adapters.crosswalk import parse_place, place_spellings, to_canonical
from adapters.databases.database import StatementFault
from adapters.decode import Decoder, decoder
from adapters.identity import canonical, spellings
from adapters.sample import Sample, Sampled, columns_of
from catalog.datasets import Dataset, Field, KeyKind, RegionKind
from catalog.divisions import Divisions
from catalog.errors import SourceUnavailable
from catalog.states import DQCode

REFUSED = "REFUSED"
"""Reason of a data set whose statement the source refused: no right, or no such function."""


NO_ROWS = "NO_ROWS"
"""Reason of a source that tells its columns by its rows alone, and gave none."""
UNSEEN = "UNSEEN"
"""Reason of a source whose kind shows no samples."""


class Register(Protocol):
    """The hub's own people, by canonical id number."""

    async def somebody(self, limit: int) -> Sequence[str]:
        """Some of them."""

    async def known(self, numbers: Collection[str]) -> int | None:
        """How many of these it has; None if it cannot be asked."""


@dataclass(frozen=True, slots=True)
class ColumnFit:
    """One column: `field` in GraphQL if it is shown; of the sample's rows `filled` and `read`."""

    column: str
    field: str | None
    found: bool
    filled: int = 0
    read: int = 0
    holes: int = 0

    @property
    def fits(self) -> bool:
        """It is there, no required value is empty, and most of what is written can be read."""
        return self.found and not self.holes and mostly(self.read, self.filled)


@dataclass(frozen=True, slots=True)
class KeyFit:
    """The key: rows that have one, that mean somebody, that the declared formats would find.

    `people` different persons, of whom the register has `known` (None: not to be asked).
    """

    filled: int
    canonical: int
    reachable: int
    people: int
    known: int | None

    @property
    def fits(self) -> bool:
        """Most keys mean somebody, and most of those are found as they are written."""
        return mostly(self.canonical, self.filled) and mostly(self.reachable, self.canonical)


@dataclass(frozen=True, slots=True)
class RegionFit:
    """Rows that say where they lie, and those whose place is known."""

    filled: int
    understood: int

    @property
    def fits(self) -> bool:
        """Most places are known; else the scheme is another one."""
        return mostly(self.understood, self.filled)


@dataclass(frozen=True, slots=True)
class Fit:
    """One data set beside its source. `reason`: why it could not be seen at all, else None.

    `rows` in the sample; `faults` DQ code -> how often.
    """

    dataset: str
    title: str
    table: str
    reason: str | None = None
    rows: int = 0
    missing: tuple[str, ...] = ()
    columns: tuple[ColumnFit, ...] = ()
    key: KeyFit | None = None
    region: RegionFit | None = None
    faults: Mapping[str, int] = field(default_factory=dict)

    @property
    def fits(self) -> bool:
        """Nothing is missing and most of everything is understood."""
        parts = [*self.columns, *(p for p in (self.key, self.region) if p is not None)]
        return self.reason is None and not self.missing and all(p.fits for p in parts)


def mostly(part: int, whole: int) -> bool:
    """At least half: dirty rows are every source's, a wrong word in the catalogue hits all."""
    return 2 * part >= whole


async def fit(
    source: object,
    dataset: Dataset,
    register: Register,
    divisions: Divisions,
    codes: Mapping[str, Mapping[str, str]],
) -> Fit:
    """One data set seen in a sample; never raises for what the source does."""
    unseen = Fit(dataset.name, dataset.title, dataset.table)
    if not isinstance(source, Sampled):
        return replace(unseen, reason=UNSEEN)
    try:
        sample = await source.sample(dataset, register.somebody)
    except SourceUnavailable as error:
        return replace(unseen, reason=error.reason)
    except StatementFault:
        return replace(unseen, reason=REFUSED)
    if sample.columns is None:
        return replace(unseen, reason=NO_ROWS)
    if dataset.table in sample.tables:
        return replace(unseen, missing=sample.tables)
    faults: Counter[str] = Counter()
    columns = _columns(dataset, sample, _decoders(dataset, divisions, codes), faults)
    return replace(
        unseen,
        rows=len(sample.rows),
        missing=sample.tables,
        columns=columns,
        key=await _key(dataset, sample, divisions, register, faults),
        region=_region(dataset, sample, divisions),
        faults=dict(sorted(faults.items())),
    )


# -- columns


def _decoders(
    dataset: Dataset, divisions: Divisions, codes: Mapping[str, Mapping[str, str]]
) -> Mapping[str, Decoder]:
    scheme = dataset.region.scheme
    return {f.name: _listed(decoder(f, divisions, scheme), f, codes) for f in dataset.fields}


def _listed(read: Decoder, shown: Field, codes: Mapping[str, Mapping[str, str]]) -> Decoder:
    """A code must be one of its table: any other word would fail when it is answered."""
    if shown.code is None:
        return read
    words = codes[shown.code]

    def decode(raw: Any) -> tuple[Any, DQCode | None]:
        value, fault = read(raw)
        return (value, fault) if value is None or value in words else (None, DQCode.DQ10)

    return decode


def _columns(
    dataset: Dataset, sample: Sample, decoders: Mapping[str, Decoder], faults: Counter[str]
) -> tuple[ColumnFit, ...]:
    assert sample.columns is not None  # noqa: S101  asked before
    shown = {f.column for f in dataset.fields}
    others = [c for c in columns_of(dataset) if c not in shown]
    found = [_field(f, sample, decoders[f.name], faults) for f in dataset.fields]
    return (*(_plain(c, sample) for c in others), *found)


def _plain(column: str, sample: Sample) -> ColumnFit:
    there = sample.columns is not None and column in sample.columns
    filled = sum(_is_filled(row.get(column)) for row in sample.rows)
    return ColumnFit(column, None, there, filled, filled)


def _field(shown: Field, sample: Sample, read: Decoder, faults: Counter[str]) -> ColumnFit:
    if sample.columns is None or shown.column not in sample.columns:
        return ColumnFit(shown.column, shown.name, found=False)
    filled = good = 0
    for row in sample.rows:
        value, fault = read(row.get(shown.column))
        filled += value is not None or fault is not None
        good += value is not None
        if fault is not None:
            faults[fault] += 1
    holes = 0 if shown.nullable else len(sample.rows) - good
    return ColumnFit(shown.column, shown.name, True, filled, good, holes)


def _is_filled(raw: Any) -> bool:
    return raw is not None and bool(str(raw).strip())


# -- keys


async def _key(
    dataset: Dataset,
    sample: Sample,
    divisions: Divisions,
    register: Register,
    faults: Counter[str],
) -> KeyFit | None:
    key = dataset.key
    if key.kind is KeyKind.COLUMN or not set(key.columns) <= (sample.columns or frozenset()):
        return None
    texts = [_joined([row.get(c) for c in key.columns]) for row in sample.rows]
    filled = sum(_is_filled(text) for text in texts)
    if key.kind is KeyKind.DIVISION:
        places = [(parse_place(divisions, text), text) for text in texts]
        means = [(place, text) for place, text in places if place is not None]
        found = sum(text in place_spellings(divisions, place) for place, text in means)
        return KeyFit(filled, len(means), found, len({p for p, _ in means}), None)
    numbers = []
    reachable = 0
    for text in texts:
        meant = canonical(text)
        faults.update(meant.dq)
        if meant.id18 is not None:
            numbers.append(meant.id18)
            reachable += text in spellings(meant.id18, key.formats)
    people = set(numbers)
    return KeyFit(filled, len(numbers), reachable, len(people), await register.known(people))


def _joined(parts: Sequence[Any]) -> str:
    # As the statement joins them: one missing part leaves nothing.
    return "" if any(part is None for part in parts) else "/".join(map(str, parts))


def _region(dataset: Dataset, sample: Sample, divisions: Divisions) -> RegionFit | None:
    region = dataset.region
    if region.column is None or region.column not in (sample.columns or frozenset()):
        return None
    texts = [str(row.get(region.column) or "").strip() for row in sample.rows]
    written = [text for text in texts if text]
    if region.kind is RegionKind.PATH:
        return RegionFit(len(written), sum(text in divisions.by_path for text in written))
    known = sum(to_canonical(divisions, region.scheme, text) is not None for text in written)
    return RegionFit(len(written), known)
