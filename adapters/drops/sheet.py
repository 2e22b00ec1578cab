"""A delivered file as rows of text: what the columns are called, and what stands in them.

    bytes ──► lines of cells (CSV, or a workbook's sheet) ──► header ──► rows of the wanted columns

Only columns the catalogue knows are kept. Cells become the text their column's decoder reads
later; what a cell means is not judged here, so one odd value costs one value and not a delivery.
A file that is not what its manifest says is `Refused` as a whole.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import date, datetime, time
from itertools import zip_longest
from typing import Any, TypeAlias

from adapters.decode import EXCEL_DAY_0
from adapters.drops.delivery import SHEETS, Manifest, Refusal, Refused
from adapters.drops.workbook import NoSheet, NotAWorkbook, sheet_rows
from catalog.datasets import Decode, Layout

Line: TypeAlias = tuple[int, Sequence[Any]]
"""A line's number in the file, from 1, and its cells."""
Row: TypeAlias = tuple[str | None, ...]

MAX_CELL = 1024 * 1024  # characters; longer than any remark, shorter than an open quote's end
EXACT = 10**15  # whole numbers a spreadsheet's cell still holds digit by digit
BROKEN = "文件内容不是所声明的表格，或已损坏"


def rows_of(
    content: bytes, manifest: Manifest, columns: Mapping[str, Decode], layout: Layout
) -> Iterator[Row]:
    """Every data row in the order of `columns`, blank cells None, blank lines left out.

    While it is read: Refused CHARSET, UNREADABLE, HEADER, ROW, and behind the last row COUNT
    if there were not as many as promised.
    """
    lines = _lines(content, manifest, layout)
    names = _header(lines, manifest.file, layout)
    places = _places(names, columns, manifest.file, layout.header_row)
    readers = [_reader(columns[name], layout.trim) for name in columns]
    # Blank cells behind the last named column are a spreadsheet's habit.
    width = max((i for i, name in enumerate(names) if name), default=-1) + 1
    count = 0
    for number, cells in lines:
        if all(_blank(cell) for cell in cells):
            continue
        _check(number, cells, width, manifest)
        count += 1
        yield tuple(read(cells[i]) for read, i in zip(readers, places, strict=True))
    if count != manifest.rows:
        less = "少于" if count < manifest.rows else "多于"
        why = f"有 {count} 行，{less}清单所写的 {manifest.rows} 行"
        raise Refused(Refusal.COUNT, manifest.file, why)


def _check(number: int, cells: Sequence[Any], width: int, manifest: Manifest) -> None:
    if len(cells) < width:
        why = f"只有 {len(cells)} 列，应有 {width} 列"
        raise Refused(Refusal.ROW, manifest.file, why, line=number)
    for i in range(width, len(cells)):
        if not _blank(cells[i]):
            why = "在最后一列之后还有内容"
            raise Refused(Refusal.ROW, manifest.file, why, line=number, column=str(i + 1))


# -- lines


def _lines(content: bytes, manifest: Manifest, layout: Layout) -> Iterator[Line]:
    if manifest.file.lower().endswith(SHEETS):
        return _sheet(content, manifest.file, layout.sheet)
    return _csv(_text(content, manifest), manifest.file)


def _text(content: bytes, manifest: Manifest) -> str:
    encoding = manifest.encoding or "utf-8"
    if encoding == "gb18030":
        _not_utf8(content, manifest.file)
    else:
        encoding = "utf-8-sig"  # with the mark or without
    try:
        return content.decode(encoding)
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        why = f"不是 {manifest.encoding} 编码"
        raise Refused(Refusal.CHARSET, manifest.file, why, line=line) from None


def _not_utf8(content: bytes, file: str) -> None:
    # GB18030 gives a meaning to nearly all bytes: UTF-8 read as such is nonsense, not an error.
    if content.isascii():
        return
    try:
        content.decode("utf-8")
    except UnicodeDecodeError:
        return
    raise Refused(Refusal.CHARSET, file, "清单写 gb18030，内容是 utf-8")


def _csv(text: str, file: str) -> Iterator[Line]:
    csv.field_size_limit(MAX_CELL)
    reader = csv.reader(io.StringIO(text, newline=""), strict=True)
    try:
        for cells in reader:
            yield reader.line_num, cells
    except csv.Error:
        raise Refused(Refusal.ROW, file, "引号或换行不成对", line=reader.line_num) from None


def _sheet(content: bytes, file: str, name: str | None) -> Iterator[Line]:
    try:
        yield from enumerate(sheet_rows(content, name), 1)
    except NoSheet:
        why = "没有工作表" if name is None else f"没有工作表“{name}”"
        raise Refused(Refusal.HEADER, file, why) from None
    except NotAWorkbook:
        raise Refused(Refusal.UNREADABLE, file, BROKEN) from None


# -- header


def _header(lines: Iterator[Line], file: str, layout: Layout) -> list[str]:
    head: list[Sequence[Any]] = []
    above = layout.header_row - layout.header_rows
    for place, (_, cells) in enumerate(lines, 1):
        if place > above:
            head.append([_name(cell) for cell in cells])
        if place == layout.header_row:
            return _joined(head)
    raise Refused(Refusal.HEADER, file, f"没有第 {layout.header_row} 行，表头应在那里")


def _joined(head: Sequence[Sequence[str]]) -> list[str]:
    """One name a column: a merged cell's text stands only in its first column."""
    names = list(head[-1])
    for upper in reversed(head[:-1]):
        merged, below = "", names
        names = []
        for over, under in zip_longest(upper, below, fillvalue=""):
            # A cell merged downwards has nothing below and covers no neighbour.
            merged = over if over else merged
            names.append(merged + under if under else over)
            merged = merged if under else ""
    return names


def _name(cell: Any) -> str:
    return "".join(str(cell).split()) if cell is not None else ""


def _places(names: Sequence[str], wanted: Mapping[str, Any], file: str, line: int) -> list[int]:
    places = []
    for name in wanted:
        plain = _name(name)
        count = names.count(plain)
        if count != 1:
            why = "表头中没有这一列" if count == 0 else "表头中这一列出现多次"
            raise Refused(Refusal.HEADER, file, why, line=line, column=name)
        places.append(names.index(plain))
    return places


# -- cells


def _blank(cell: Any) -> bool:
    return cell is None or (isinstance(cell, str) and not cell.strip())


def _reader(decode: Decode, trim: bool) -> Callable[[Any], str | None]:
    def read(cell: Any) -> str | None:
        if isinstance(cell, str):
            return (cell.strip() if trim else cell) or None
        return None if cell is None else _written(cell, decode)

    return read


def _written(cell: Any, decode: Decode) -> str:
    """A spreadsheet's typed cell as the text its column is declared to hold."""
    if isinstance(cell, bool):
        return "1" if cell else "0"
    if isinstance(cell, float):
        # Longer numbers have lost digits already: that must stay visible (DQ04).
        return str(int(cell)) if cell.is_integer() and abs(cell) < EXACT else repr(cell)
    if isinstance(cell, date):
        return _dated(cell, decode)
    return str(cell)


def _dated(cell: date, decode: Decode) -> str:
    if decode is Decode.EXCEL_SERIAL:
        day = cell.date() if isinstance(cell, datetime) else cell
        return str((day - EXCEL_DAY_0).days)
    if decode is Decode.YYYYMMDD:
        return f"{cell:%Y%m%d}"
    if decode is Decode.YYYYMM:
        return f"{cell:%Y%m}"
    if isinstance(cell, datetime) and cell.time() == time():
        return cell.date().isoformat()
    return cell.isoformat()
