"""Every way a source writes a value is undone, or named as a fault."""

from __future__ import annotations

from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

import pytest

from adapters.decode import decoder
from catalog.datasets import Decode, Field, FieldType
from catalog.divisions import Divisions
from catalog.grades import Mask, Sensitivity
from catalog.load import load
from catalog.states import CodeScheme, DQCode

DQ07, DQ10 = DQCode.DQ07, DQCode.DQ10


def a_field(kind: FieldType, decode: Decode, values: dict[str, str] | None = None) -> Field:
    return Field(
        name="x",
        column="x",
        title="某项",
        description="某项",
        type=kind,
        object="Citizen.basic",
        sensitivity=Sensitivity.L2_INTERNAL,
        mask=Mask.NONE,
        nullable=True,
        decode=decode,
        code=None,
        values=values or {},
        exposed=True,
    )


@pytest.fixture(scope="module")
def places() -> Divisions:
    return load().divisions


@pytest.mark.parametrize(
    ("kind", "decode", "raw", "value"),
    [
        (FieldType.STRING, Decode.PLAIN, "  张某某　", "张某某"),
        (FieldType.STRING, Decode.PLAIN, "𣲗某·？", "𣲗某·？"),
        (FieldType.STRING, Decode.PLAIN, 12, "12"),
        (FieldType.INT, Decode.PLAIN, "０12", 12),
        (FieldType.INT, Decode.PLAIN, 12, 12),
        (FieldType.BOOL, Decode.PLAIN, "0", False),
        (FieldType.BOOL, Decode.PLAIN, "是", True),
        (FieldType.BOOL, Decode.PLAIN, True, True),
        (FieldType.DATE, Decode.PLAIN, "2026-02-28", "2026-02-28"),
        (FieldType.DATE, Decode.PLAIN, date(2026, 2, 28), "2026-02-28"),
        (FieldType.DATE, Decode.PLAIN, datetime.fromisoformat("2026-02-28 23:30"), "2026-02-28"),
        (FieldType.DATE, Decode.PLAIN, datetime(2026, 2, 27, 16, tzinfo=UTC), "2026-02-28"),
        (FieldType.DATE, Decode.YYYYMMDD, date(2026, 2, 28), "2026-02-28"),
        (FieldType.DATE, Decode.YYYYMMDD, 20260228, "2026-02-28"),
        (FieldType.DATE, Decode.EXCEL_SERIAL, date(2026, 2, 28), "2026-02-28"),
        (FieldType.MONTH, Decode.PLAIN, "2026-02", "2026-02"),
        (FieldType.MONTH, Decode.PLAIN, date(2026, 2, 1), "2026-02"),
        (FieldType.MONTH, Decode.YYYYMM, date(2026, 2, 1), "2026-02"),
        (FieldType.MONTH, Decode.YYYYMM, 202602, "2026-02"),
        (FieldType.INT, Decode.PLAIN, Decimal(12), 12),
        (FieldType.DECIMAL, Decode.PLAIN, Decimal("0.00000000"), "0"),
        (FieldType.DECIMAL, Decode.PLAIN, Decimal("1E+3"), "1000"),
        (FieldType.DECIMAL, Decode.PLAIN, 120.5, "120.5"),
        (FieldType.MONEY, Decode.AMOUNT, Decimal("12000"), "12000.00"),
        (FieldType.STRING, Decode.PLAIN, Decimal("12.50"), "12.50"),
        (FieldType.DATETIME, Decode.PLAIN, "2026-02-28 09:30:00", "2026-02-28T09:30:00+08:00"),
        (FieldType.DATETIME, Decode.PLAIN, "2026-02-28T01:30:00Z", "2026-02-28T09:30:00+08:00"),
        (
            FieldType.DATETIME,
            Decode.PLAIN,
            datetime(2026, 2, 28, 1, 30, tzinfo=UTC),
            "2026-02-28T09:30:00+08:00",
        ),
        (FieldType.MONEY, Decode.PLAIN, Decimal("12.3"), "12.30"),
        (FieldType.DECIMAL, Decode.PLAIN, "12.500", "12.5"),
        (FieldType.DATE, Decode.YYYYMMDD, "20240229", "2024-02-29"),
        (FieldType.DATE, Decode.YYYYMMDD, 20240229, "2024-02-29"),
        (FieldType.MONTH, Decode.YYYYMM, "202612", "2026-12"),
        (FieldType.DATE, Decode.EXCEL_SERIAL, "46327", "2026-11-01"),
        (FieldType.DATE, Decode.EXCEL_SERIAL, 46327.75, "2026-11-01"),
        (FieldType.DATE, Decode.EXCEL_SERIAL, 61, "1900-03-01"),
        (FieldType.MONEY, Decode.AMOUNT, "1234.5", "1234.50"),
        (FieldType.MONEY, Decode.AMOUNT, "-88.005", "-88.01"),
        (FieldType.MONEY, Decode.AMOUNT, "1,234,567.8", "1234567.80"),
        (FieldType.MONEY, Decode.AMOUNT, "￥１２", "12.00"),
        (FieldType.MONEY, Decode.AMOUNT, "-0.001", "0.00"),
        (FieldType.DECIMAL, Decode.SQUARE_METRES, "120㎡", "120"),
        (FieldType.DECIMAL, Decode.SQUARE_METRES, "86.50 平方米", "86.5"),
        (FieldType.DECIMAL, Decode.SQUARE_METRES, "99m²", "99"),
    ],
)
def test_readable_values_take_the_fields_form(
    places: Divisions, kind: FieldType, decode: Decode, raw: Any, value: Any
) -> None:
    got, fault = decoder(a_field(kind, decode), places)(raw)
    assert (got, type(got), fault) == (value, type(value), None)


@pytest.mark.parametrize(
    ("kind", "decode", "raw"),
    [
        (FieldType.STRING, Decode.PLAIN, "a\ud800"),
        (FieldType.STRING, Decode.PLAIN, "a\0b"),
        (FieldType.STRING, Decode.PLAIN, {"a": 1}),
        (FieldType.INT, Decode.PLAIN, "12.0"),
        (FieldType.INT, Decode.PLAIN, "一"),
        (FieldType.INT, Decode.PLAIN, True),
        (FieldType.INT, Decode.PLAIN, 2**70),
        (FieldType.INT, Decode.PLAIN, -(10**18)),
        (FieldType.BOOL, Decode.PLAIN, "2"),
        (FieldType.DATE, Decode.PLAIN, "2026-02-30"),
        (FieldType.DATE, Decode.PLAIN, "20260228"),
        (FieldType.DATE, Decode.PLAIN, "0000-00-00"),
        (FieldType.DATE, Decode.PLAIN, date.max),  # PostgreSQL's infinity
        (FieldType.DATE, Decode.YYYYMMDD, date(1, 1, 1)),
        (FieldType.MONTH, Decode.YYYYMM, date.max),
        (FieldType.MONTH, Decode.PLAIN, "2026-13"),
        (FieldType.DATETIME, Decode.PLAIN, "yesterday"),
        (FieldType.DATETIME, Decode.PLAIN, "0001-01-01 00:00:00"),
        (FieldType.DATETIME, Decode.PLAIN, "0000-00-00 00:00:00"),
        (FieldType.DATETIME, Decode.PLAIN, datetime(9999, 12, 31, tzinfo=UTC)),
        (FieldType.DATE, Decode.YYYYMMDD, "20230229"),
        (FieldType.DATE, Decode.YYYYMMDD, "00000000"),
        (FieldType.DATE, Decode.YYYYMMDD, "2026-1-1"),
        (FieldType.MONTH, Decode.YYYYMM, "202613"),
        (FieldType.MONTH, Decode.YYYYMM, "20261"),
        (FieldType.DATE, Decode.EXCEL_SERIAL, "60"),
        (FieldType.DATE, Decode.EXCEL_SERIAL, "2026-11-01"),
        (FieldType.MONEY, Decode.AMOUNT, "5.3E+3"),
        (FieldType.MONEY, Decode.AMOUNT, float("nan")),
        (FieldType.MONEY, Decode.AMOUNT, "1,23"),
        (FieldType.MONEY, Decode.AMOUNT, "--"),
        (FieldType.DECIMAL, Decode.SQUARE_METRES, "约120"),
    ],
)
def test_an_unreadable_value_is_null_and_dq10(
    places: Divisions, kind: FieldType, decode: Decode, raw: Any
) -> None:
    assert decoder(a_field(kind, decode), places)(raw) == (None, DQ10)


@pytest.mark.parametrize("decode", list(Decode))
@pytest.mark.parametrize("raw", [None, "", " 　"])
def test_nothing_written_is_null_without_a_fault(
    places: Divisions, decode: Decode, raw: str | None
) -> None:
    assert decoder(a_field(FieldType.STRING, decode), places)(raw) == (None, None)


def test_mapped_values_become_our_codes_and_unknown_ones_dq10(places: Divisions) -> None:
    read = decoder(a_field(FieldType.CODE, Decode.VALUES, {"1": "ACTIVE", "停": "PAUSED"}), places)
    assert [read(raw) for raw in (1, "停 ", "9")] == [
        ("ACTIVE", None),
        ("PAUSED", None),
        (None, DQ10),
    ]


def test_a_mapped_flag_is_a_bool(places: Divisions) -> None:
    read = decoder(a_field(FieldType.BOOL, Decode.VALUES, {"Y": "true", "N": "false"}), places)
    assert [read("Y"), read("N")] == [(True, None), (False, None)]


def test_a_boolean_among_written_codes_is_one_or_nought(places: Divisions) -> None:
    read = decoder(a_field(FieldType.CODE, Decode.VALUES, {"1": "ACTIVE", "0": "ENDED"}), places)
    assert [read(True), read(False)] == [("ACTIVE", None), ("ENDED", None)]


def test_the_same_digits_are_two_townships_in_two_schemes(places: Divisions) -> None:
    field = a_field(FieldType.DIVISION, Decode.DIVISION)
    nbs = decoder(field, places, CodeScheme.NBS_STAT)
    civil = decoder(field, places, CodeScheme.CIVIL_GB10114)
    assert nbs("532622205000") == ("532622205000", None)
    assert civil("532622205000") == ("532622206000", None)
    assert civil("532622204") == ("532622205000", None)


def test_an_unknown_place_is_dq07_and_never_its_nearest(places: Divisions) -> None:
    code = decoder(a_field(FieldType.DIVISION, Decode.DIVISION), places)
    name = decoder(a_field(FieldType.DIVISION, Decode.PLACE_NAME), places)
    assert code("532622999000") == (None, DQ07)
    assert code("5326222") == (None, DQ07)
    assert name("某某乡某某村") == (None, DQ07)


def test_a_place_written_in_words_becomes_its_canonical_code(places: Divisions) -> None:
    read = decoder(a_field(FieldType.DIVISION, Decode.PLACE_NAME), places)
    assert read("蚌峨乡") == ("532622206000", None)
