"""What fits and what does not, by hand-made samples; the counts say it, half is the measure."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace
from typing import Any

import pytest

from adapters.databases.database import StatementFault
from adapters.fit import NO_ROWS, REFUSED, UNSEEN, Fit, fit, mostly
from adapters.identity import with_check_digit
from adapters.sample import Sample, Somebody, columns_of
from catalog.datasets import Dataset, RegionKind
from catalog.errors import SourceUnavailable
from catalog.load import load

pytestmark = pytest.mark.anyio

WORDS = load()
ENROLMENT = WORDS.datasets["medical_enrolment"]
WATER = WORDS.datasets["water_work"]


def an_id(serial: int) -> str:
    return with_check_digit(f"53992219700101{serial:03d}")


class Shown:
    """A source with these rows, or this error."""

    def __init__(self, sample: Sample | Exception) -> None:
        self._sample = sample

    async def sample(self, _dataset: Dataset, _somebody: Somebody) -> Sample:
        if isinstance(self._sample, Exception):
            raise self._sample
        return self._sample


class People:
    """A register of these."""

    def __init__(self, numbers: Collection[str] | None) -> None:
        self._numbers = numbers

    async def somebody(self, _limit: int) -> Sequence[str]:
        return ()

    async def known(self, numbers: Collection[str]) -> int | None:
        return None if self._numbers is None else len({*numbers} & {*self._numbers})


async def seen(
    dataset: Dataset, rows: Sequence[Mapping[str, Any]], known: Collection[str] | None = ()
) -> Fit:
    sample = Sample((), frozenset(columns_of(dataset)), rows)
    return await fit(Shown(sample), dataset, People(known), WORDS.divisions, WORDS.codes)


def enrolled(number: str, **over: Any) -> dict[str, Any]:
    row = {"certno": number, "psn_name": "张某", "psn_no": "P1", "insutype": "390"}
    row |= {"insu_admdvs": "532622", "year": "2026", "paid_date": "20251220", "state": "1"}
    return row | over


@pytest.mark.parametrize(
    ("error", "reason"),
    [
        (SourceUnavailable("不", reason="TIMEOUT", source="x"), "TIMEOUT"),
        (StatementFault("InsufficientPrivilegeError"), REFUSED),
    ],
)
async def test_what_cannot_be_seen_has_its_reason(error: Exception, reason: str) -> None:
    found = await fit(Shown(error), ENROLMENT, People(()), WORDS.divisions, WORDS.codes)
    assert (found.reason, found.fits, found.rows) == (reason, False, 0)


async def test_no_row_shows_no_column_where_rows_alone_tell_them() -> None:
    sample = Sample((), None, ())
    found = await fit(Shown(sample), ENROLMENT, People(()), WORDS.divisions, WORDS.codes)
    assert (found.reason, found.fits) == (NO_ROWS, False)


async def test_a_kind_of_source_that_shows_no_samples_says_so() -> None:
    found = await fit(object(), ENROLMENT, People(()), WORDS.divisions, WORDS.codes)
    assert (found.reason, found.fits) == (UNSEEN, False)


async def test_an_empty_table_with_all_its_columns_fits() -> None:
    found = await seen(ENROLMENT, [])
    assert (found.fits, found.rows, found.faults) == (True, 0, {})


async def test_a_code_the_table_does_not_hold_is_not_read() -> None:
    rows = [enrolled(an_id(n), insutype="999") for n in range(3)]
    found = await seen(ENROLMENT, rows)
    (kind,) = [c for c in found.columns if c.column == "insutype"]
    assert (kind.filled, kind.read, kind.fits) == (3, 0, False)
    assert found.faults == {"DQ10": 3}
    assert not found.fits


async def test_a_required_value_may_not_be_empty_even_once() -> None:
    year = ENROLMENT.by_name["year"]
    fields = tuple(replace(f, nullable=f is not year) for f in ENROLMENT.fields)
    strict = replace(ENROLMENT, fields=fields)
    found = await seen(
        strict, [enrolled(an_id(n)) for n in range(9)] + [enrolled(an_id(9), year="")]
    )
    (column,) = [c for c in found.columns if c.column == "year"]
    assert (column.holes, column.read, column.fits) == (1, 9, False)


async def test_keys_are_counted_by_what_they_mean_and_how_they_are_found() -> None:
    texts = [an_id(1), an_id(1), f"{an_id(2)} ", f"'{an_id(3)}", f"G{an_id(4)}", "*" * 18, ""]
    found = await seen(ENROLMENT, [enrolled(t) for t in texts], known=[an_id(1), an_id(2)])
    assert found.key is not None
    assert (found.key.filled, found.key.canonical, found.key.reachable) == (6, 5, 3)
    assert (found.key.people, found.key.known) == (4, 2)
    assert found.faults == {"DQ05": 1}  # what the source masked itself is no fault


async def test_a_register_that_does_not_answer_leaves_the_share_open() -> None:
    found = await seen(ENROLMENT, [enrolled(an_id(1))], known=None)
    assert found.key is not None
    assert (found.key.known, found.fits) == (None, True)


async def test_places_are_keys_too() -> None:
    township, village = WATER.key.columns
    there = dict.fromkeys(columns_of(WATER))
    place = WORDS.divisions.villages()[0]
    above = WORDS.divisions.by_path[place.path[:9]]
    rows = [
        there | {township: above.name, village: place.name},
        there | {township: "无此乡", village: "无此村"},
        there | {township: above.name, village: None},
    ]
    found = await seen(WATER, rows)
    assert found.key is not None
    assert (found.key.filled, found.key.canonical, found.key.reachable) == (2, 1, 1)
    assert found.key.known is None


async def test_a_path_is_a_region_of_ours() -> None:
    region = replace(ENROLMENT.region, kind=RegionKind.PATH, column="insu_admdvs")
    rows = [enrolled(an_id(1), insu_admdvs=v) for v in ("532622205", "532622", "110000", None)]
    found = await seen(replace(ENROLMENT, region=region), rows)
    assert found.region is not None
    assert (found.region.filled, found.region.understood, found.region.fits) == (3, 2, True)


async def test_no_value_is_in_what_comes_out() -> None:
    rows = [enrolled(an_id(1), psn_name="秘密", paid_date="秘密", year="秘密")]
    found = await seen(ENROLMENT, rows)
    assert "秘密" not in repr(found)
    assert an_id(1) not in repr(found)


@pytest.mark.parametrize(
    ("part", "whole", "fits"), [(0, 0, True), (1, 2, True), (1, 3, False), (2, 3, True)]
)
def test_half_is_the_measure(part: int, whole: int, fits: bool) -> None:
    assert mostly(part, whole) is fits
