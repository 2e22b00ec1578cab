"""How a source writes a value, undone: one pure function per catalogue field.

A decoder takes the raw value of a row and gives ``(value, fault)``. `value` is what the
field's type holds: text, int or bool; dates ``YYYY-MM-DD``, months ``YYYY-MM``, times ISO
8601 with ``+08:00``, money decimal text in yuan with two digits, places 12-digit canonical
codes. A value that cannot be read is ``(None, DQ10)``, an unknown place ``(None, DQ07)``:
a dirty row is shown as such, never guessed at and never dropped. Nothing written (None,
blank) is ``(None, None)``: absence is no fault. A column of a real type (DATE, DECIMAL, INT,
TIMESTAMP) gives what its text would give: a department may change a type and no words.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable, Mapping
from datetime import date, datetime, timedelta, timezone
from decimal import ROUND_HALF_UP, Decimal
from typing import Any, TypeAlias

from adapters.crosswalk import to_canonical
from catalog.datasets import Decode, Field, FieldType
from catalog.divisions import Divisions
from catalog.states import CodeScheme, DQCode

Decoded: TypeAlias = tuple[Any, DQCode | None]
Decoder: TypeAlias = Callable[[Any], Decoded]
Reader: TypeAlias = Callable[[str], Any]

CST = timezone(timedelta(hours=8))  # departments write local time without an offset
YEARS = range(1880, 2200)  # nobody registered is older, no term ends later
EXCEL_DAY_0 = date(1899, 12, 30)  # right from serial 61 on: Excel believes in 1900-02-29
EXCEL_SERIALS = range(61, 109_575)  # 1900-03-01 … 2199-12-31
CENT = Decimal("0.01")
MAX_WHOLE = 10**18 - 1  # as many digits as a whole number in text may have
SCALARS = (str, int, float, Decimal, date)  # anything else is no value but a structure

_GROUPED = re.compile(r"[+-]?\d{1,3}(,\d{3})+(\.\d+)?\Z", re.ASCII)
_NUMBER = re.compile(r"[+-]?\d{1,15}(\.\d{1,8})?\Z", re.ASCII)
_AREA = re.compile(r"(\d{1,9}(?:\.\d{1,4})?)(?:m2|平方米|平米|平)?\Z", re.ASCII)
_WHOLE = re.compile(r"[+-]?\d{1,18}\Z", re.ASCII)
_ISO_DATE = re.compile(r"\d{4}-\d{2}-\d{2}\Z", re.ASCII)
_ISO_MONTH = re.compile(r"\d{4}-\d{2}\Z", re.ASCII)
_BOOLS = {"1": True, "0": False, "true": True, "false": False, "是": True, "否": False}


def decoder(
    field: Field, divisions: Divisions, scheme: CodeScheme = CodeScheme.NBS_STAT
) -> Decoder:
    """The decoder of one field; `scheme` is the one its division codes are written in."""
    if field.decode is Decode.DIVISION:
        return _or_fault(lambda text: _division(divisions, scheme, text), DQCode.DQ07)
    if field.decode is Decode.PLACE_NAME:
        return _or_fault(lambda text: _known(divisions, CodeScheme.DEPT_LOCAL, text), DQCode.DQ07)
    if field.decode is Decode.VALUES:
        return _flag(_or_fault(_mapped(field.values, _plain(field.type)), DQCode.DQ10))
    if field.decode is Decode.PLAIN:
        return _typed(field.type, _or_fault(_plain(field.type), DQCode.DQ10))
    return _typed(field.type, _or_fault(_folded(_READERS[field.decode]), DQCode.DQ10))


def _or_fault(read: Reader, fault: DQCode) -> Decoder:
    def decode(raw: Any) -> Decoded:
        if raw is None:
            return None, None
        if not isinstance(raw, SCALARS):
            return None, fault
        try:
            text = _written(raw).strip()
            return (read(text), None) if text else (None, None)
        except (ValueError, KeyError):
            return None, fault

    return decode


def _written(raw: Any) -> str:
    """A typed value as a column of texts would hold it."""
    if isinstance(raw, Decimal):
        return f"{raw:f}"  # never 0E-8
    return str(raw)


def _flag(decode: Decoder) -> Decoder:
    # A BOOLEAN among written codes is 1 or 0, as databases without that type keep it.
    return lambda raw: decode(int(raw) if isinstance(raw, bool) else raw)


def _typed(kind: FieldType, decode: Decoder) -> Decoder:
    # A driver that knows types has already read the value; only the shape is left to make.
    read = _SHAPES.get(kind)
    if read is None:
        return decode

    def keep(raw: Any) -> Decoded:
        known, value = read(raw)
        if not known:
            return decode(raw)
        return value, DQCode.DQ10 if value is None else None

    return keep


Shaped: TypeAlias = tuple[bool, Any]
"""Was it of the type already, and what is it then: None beyond what an answer may hold."""


def _whole_number(raw: Any) -> Shaped:
    # JSON has no limit; in our answer a longer one would break the whole.
    fits = type(raw) is int and -MAX_WHOLE <= raw <= MAX_WHOLE
    return type(raw) is int, raw if fits else None


def _yes_or_no(raw: Any) -> Shaped:
    return isinstance(raw, bool), raw


def _day(raw: Any) -> Shaped:
    if not isinstance(raw, date):
        return False, None
    if isinstance(raw, datetime) and raw.tzinfo is not None:
        raw = raw.astimezone(CST)
    return True, f"{raw:%Y-%m-%d}" if raw.year in YEARS else None


def _day_of_month(raw: Any) -> Shaped:
    known, day = _day(raw)
    return known, day and day[:7]


def _moment(raw: Any) -> Shaped:
    known = isinstance(raw, datetime)
    return known, _iso(raw) if known and raw.year in YEARS else None


_SHAPES: Mapping[FieldType, Callable[[Any], Shaped]] = {
    FieldType.INT: _whole_number,
    FieldType.SEQUENCE: _whole_number,
    FieldType.BOOL: _yes_or_no,
    FieldType.DATE: _day,
    FieldType.MONTH: _day_of_month,
    FieldType.DATETIME: _moment,
}


def _iso(moment: datetime) -> str:
    if moment.tzinfo is None:
        return moment.replace(tzinfo=CST).isoformat()
    return moment.astimezone(CST).isoformat()


def _plain(kind: FieldType) -> Reader:
    read = _PLAIN.get(kind)
    return _text if read is None else _folded(read)


def _folded(read: Reader) -> Reader:
    # Full-width digits are digits; the text of a name stays as it was written.
    return lambda text: read(unicodedata.normalize("NFKC", text))


def _text(text: str) -> str:
    # A lone surrogate or NUL would break the answer or the store, not only this value.
    if "\0" in text:
        raise ValueError("NUL")
    text.encode("utf-8")
    return text


def _mapped(values: Mapping[str, str], read: Reader) -> Reader:
    def look_up(text: str) -> Any:
        return read(values[text])

    return look_up


def _yyyymmdd(text: str) -> str:
    if len(text) != 8:
        raise ValueError("eight digits")
    return _date(f"{text[:4]}-{text[4:6]}-{text[6:]}")


def _yyyymm(text: str) -> str:
    if len(text) != 6:
        raise ValueError("six digits")
    return _month(f"{text[:4]}-{text[4:]}")


def _date(text: str) -> str:
    if not _ISO_DATE.match(text) or date.fromisoformat(text).year not in YEARS:
        raise ValueError("no date")
    return text


def _month(text: str) -> str:
    if not _ISO_MONTH.match(text):
        raise ValueError("no month")
    _date(f"{text}-01")
    return text


def _datetime(text: str) -> str:
    moment = datetime.fromisoformat(text)
    if moment.year not in YEARS:
        raise ValueError("no time")
    return _iso(moment)


def _excel_serial(text: str) -> str:
    # The fraction is the time of day; a cell read as number shows it.
    serial = int(_decimal(text))
    if serial not in EXCEL_SERIALS:
        raise ValueError("no serial day")
    return (EXCEL_DAY_0 + timedelta(days=serial)).isoformat()


def _decimal(text: str) -> Decimal:
    digits = text.removeprefix("¥").strip()
    if _GROUPED.match(digits):
        digits = digits.replace(",", "")
    if not _NUMBER.match(digits):
        raise ValueError("no number")
    return Decimal(digits)


def _amount(text: str) -> str:
    cents = _decimal(text).quantize(CENT, ROUND_HALF_UP)
    return f"{abs(cents) if cents == 0 else cents:f}"


def _number(text: str) -> str:
    return _short(_decimal(text))


def _square_metres(text: str) -> str:
    found = _AREA.match(text.replace(" ", "").lower())
    if found is None:
        raise ValueError("no area")
    return _short(Decimal(found.group(1)))


def _short(number: Decimal) -> str:
    plain = f"{number:f}"
    short = plain.rstrip("0").rstrip(".") if "." in plain else plain
    return "0" if number == 0 else short


def _whole(text: str) -> int:
    if not _WHOLE.match(text):
        raise ValueError("no whole number")
    return int(text)


def _bool(text: str) -> bool:
    return _BOOLS[text.lower()]


def _division(divisions: Divisions, scheme: CodeScheme, text: str) -> str:
    # A county (6) or township (9) code may come without the zeros of the lower levels.
    return _known(divisions, scheme, text.ljust(12, "0") if len(text) in (6, 9) else text)


def _known(divisions: Divisions, scheme: CodeScheme, foreign: str) -> str:
    canonical = to_canonical(divisions, scheme, foreign)
    if canonical is None:
        raise KeyError(foreign)
    return canonical


_PLAIN: Mapping[FieldType, Reader] = {
    FieldType.INT: _whole,
    FieldType.SEQUENCE: _whole,
    FieldType.BOOL: _bool,
    FieldType.DATE: _date,
    FieldType.MONTH: _month,
    FieldType.DATETIME: _datetime,
    FieldType.MONEY: _amount,
    FieldType.DECIMAL: _number,
}
_READERS: Mapping[Decode, Reader] = {
    Decode.YYYYMMDD: _yyyymmdd,
    Decode.YYYYMM: _yyyymm,
    Decode.EXCEL_SERIAL: _excel_serial,
    Decode.AMOUNT: _amount,
    Decode.SQUARE_METRES: _square_metres,
}
