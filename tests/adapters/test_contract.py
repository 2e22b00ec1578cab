"""What every kind of source must do alike: the same rows of one department behind each of them."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest

from adapters.contract import Call, Freshness, ReadRequest, Rows, Source
from adapters.sample import Sampled
from catalog.errors import SourceUnavailable
from catalog.grades import Mask
from catalog.load import Catalog
from tests.adapters.kinds import (
    AS_OF,
    DATASET,
    ENDS_IN_X,
    GONE,
    KEY,
    NAME,
    NAMES,
    NOBODY,
    OLD,
    OTHER,
    PLACES,
    ROWS,
    UNASKED,
    opened,
    wired,
    words,
)

pytestmark = [pytest.mark.anyio, pytest.mark.loopback]

MARKS = {"postgres": pytest.mark.postgres, "mariadb": pytest.mark.mariadb}
KINDS = [pytest.param(k, marks=MARKS[k]) if k in MARKS else k for k in PLACES]
FIELDS = ("plotNo", "area", "rent", "since", "place", "grade")
ZHELAI, BANGE = "532622205000", "532622206000"
EVERY = [
    (ENDS_IN_X, "M1", "", "P1", "120", "1200.50", "2020-03-01", ZHELAI, "GOOD"),
    (ENDS_IN_X, "M1", "", "P2", "80.5", "0.00", "2021-04-01", BANGE, "POOR"),
    (OLD, "M2", "DQ06 DQ10", "P3", "60", None, "2022-05-01", ZHELAI, "GOOD"),
    (OTHER, "M3", "DQ12 DQ10 DQ07", "P4", "40", "-10.00", None, None, None),
]
ASKED = [ENDS_IN_X, OLD, OTHER, NOBODY]

Bench = tuple[Source, Catalog]


@pytest.fixture(params=KINDS)
async def bench(
    request: pytest.FixtureRequest,
    tmp_path: Path,
    pg_database: Callable[[], Awaitable[str]],
) -> AsyncIterator[Bench]:
    async def database(kind: str) -> str:
        if kind == "mariadb":
            return str(request.getfixturevalue("maria_database")())
        return await pg_database()

    async with opened(str(request.param), tmp_path, database) as made:
        yield made


def wanted(catalog: Catalog, *columns: str, **more: Any) -> ReadRequest:
    given = {"key": "identity", "masks": {}} | more
    return ReadRequest(catalog.datasets[DATASET], columns or FIELDS, **given)


async def read(bench: Bench, keys: list[str], *columns: str, **call: Any) -> Rows:
    source, catalog = bench
    prepared = source.prepare(wanted(catalog, *columns))
    return await source.read(prepared, Call(keys, {}, **({"limit": 100} | call)))


def by_key(rows: Rows) -> list[tuple[Any, ...]]:
    """Rows in the order of the keys asked for; within one key as the source gave them."""
    return sorted((tuple(row) for row in rows.rows), key=lambda row: ASKED.index(row[0]))


async def test_rows_come_decoded_graded_and_with_their_faults(bench: Bench) -> None:
    assert by_key(await read(bench, ASKED, names=NAMES)) == EVERY


async def test_nobody_leaves_who_was_not_asked_about(bench: Bench) -> None:
    found = await read(bench, [OTHER, NOBODY], "plotNo", names=NAMES)
    assert [row[0] for row in found.rows] == [OTHER]
    assert UNASKED not in str(found.rows)


async def test_no_more_rows_a_key_than_the_limit(bench: Bench) -> None:
    found = await read(bench, [ENDS_IN_X], "plotNo", names=NAMES, limit=1)
    assert [row[3] for row in found.rows] == ["P1"]


async def test_names_not_given_are_not_judged(bench: Bench) -> None:
    found = await read(bench, [OTHER], "plotNo")
    assert [tuple(row) for row in found.rows] == [(OTHER, None, "", "P4")]


async def test_masked_columns_leave_the_adapter_masked(bench: Bench) -> None:
    source, catalog = bench
    masks = {"plotNo": Mask.TAIL4, "rent": Mask.HIDE}
    prepared = source.prepare(wanted(catalog, "plotNo", "rent", "area", masks=masks))
    found = await source.read(prepared, Call([ENDS_IN_X], {}, names=NAMES, limit=1))
    assert [tuple(row)[3:] for row in found.rows] == [("TAIL4:P1", None, "120")]
    assert "1200.50" not in str(found.rows)


async def test_a_prepared_read_serves_many_calls_and_describes_itself_without_values(
    bench: Bench,
) -> None:
    source, catalog = bench
    prepared = source.prepare(wanted(catalog, "plotNo"))
    one, other = await asyncio.gather(
        source.read(prepared, Call([ENDS_IN_X], {}, limit=100)),
        source.read(prepared, Call([OLD], {}, limit=100)),
    )
    assert [row[3] for row in one.rows] == ["P1", "P2"]
    assert [row[3] for row in other.rows] == ["P3"]
    described = prepared.describe()
    assert "plot" in described
    assert not any(row[1] in described for row in ROWS)


async def test_the_same_question_costs_the_same_number_of_calls(bench: Bench) -> None:
    source: Any = bench[0]
    before = source.calls
    await read(bench, ASKED, names=NAMES)
    first = source.calls - before
    await read(bench, ASKED, names=NAMES)
    assert first > 0
    assert source.calls - before == 2 * first


async def test_answers_are_dated_where_the_source_can_tell(bench: Bench) -> None:
    found = await read(bench, [OTHER], "plotNo")
    assert found.freshness is Freshness.LIVE
    assert found.as_of is None or found.as_of.tzinfo is not None
    if type(bench[0]).__name__ == "FilesSource":
        assert found.as_of == datetime.fromisoformat(AS_OF)


async def test_an_asker_who_leaves_harms_nobody(bench: Bench) -> None:
    leaving = asyncio.ensure_future(read(bench, ASKED, names=NAMES))
    await asyncio.sleep(0)
    leaving.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await leaving
    assert by_key(await read(bench, ASKED, names=NAMES)) == EVERY


async def test_it_answers_when_it_is_asked_how_it_is(bench: Bench) -> None:
    source = bench[0]
    await source.ping()
    await source.close()
    await source.close()  # harmless


async def test_it_shows_a_sample_of_its_own_rows(bench: Bench) -> None:
    source, catalog = bench
    assert isinstance(source, Sampled)

    async def somebody(_most: int) -> list[str]:
        return [ENDS_IN_X, OLD]

    sample = await source.sample(catalog.datasets[DATASET], somebody)
    assert sample.tables == ()
    assert sample.columns is not None
    assert {"plot_no", "owner", "rent"} <= sample.columns
    assert {"P1", "P2", "P3"} <= {row["plot_no"] for row in sample.rows}


@pytest.mark.parametrize("kind", KINDS)
async def test_nobody_there_is_a_source_that_is_down_and_says_nothing_more(
    kind: str, tmp_path: Path
) -> None:
    catalog = words(tmp_path, kind)
    source = wired(catalog, tmp_path, GONE[kind])
    try:
        prepared = source.prepare(wanted(catalog, "plotNo"))
        for ask in (source.ping, lambda: source.read(prepared, Call([OTHER], {}, limit=1))):
            with pytest.raises(SourceUnavailable) as caught:
                await ask()
            assert (caught.value.reason, caught.value.extra["source"]) == ("DOWN", NAME)
            said = f"{caught.value!r} {caught.value} {caught.value.extensions()!r}"
            assert not any(word in said for word in (OTHER, KEY, "geheim", "127.0.0.1", "none"))
    finally:
        await source.close()
