"""A table as a file: CSV with BOM for the office's spreadsheets, or XLSX; no cell is a formula.

What a spreadsheet would run is told apart by its first sign (OWASP, CSV injection): in CSV such a
text gets an apostrophe before it, in XLSX it is written as a text. The last line says who took
the file, when, and where the log has it.
"""

from __future__ import annotations

import csv
from collections.abc import Sequence
from io import BytesIO, StringIO

FORMULA = ("=", "+", "-", "@", "\t", "\r")
BOM = "\ufeff"
WIDEST = 60  # characters of a column
CSV, XLSX = "csv", "xlsx"
MEDIA = {
    CSV: "text/csv; charset=utf-8",
    XLSX: "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
}


def as_csv(heads: Sequence[str], rows: Sequence[Sequence[str]], mark: str) -> bytes:
    """UTF-8 with BOM, lines ended as RFC 4180 has it."""
    out = StringIO(newline="")
    writer = csv.writer(out)
    writer.writerows([[guarded(cell) for cell in line] for line in (heads, *rows, [mark])])
    return (BOM + out.getvalue()).encode()


def as_xlsx(heads: Sequence[str], rows: Sequence[Sequence[str]], mark: str) -> bytes:
    """One sheet; every cell a text, the head repeated on paper."""
    from openpyxl import Workbook  # 180 ms: only for who takes one
    from openpyxl.cell.cell import ILLEGAL_CHARACTERS_RE
    from openpyxl.styles import Font
    from openpyxl.utils import get_column_letter

    book = Workbook()
    sheet = book.active
    for at, line in enumerate((heads, *rows, [mark]), 1):
        for across, text in enumerate(line, 1):
            cell = sheet.cell(at, across)
            cell.value = ILLEGAL_CHARACTERS_RE.sub("", text)
            cell.data_type = "s"
            cell.number_format = "@"
    for across in range(1, len(heads) + 1):
        sheet.cell(1, across).font = Font(bold=True)
        longest = max(len(line[across - 1]) for line in (heads, *rows))
        sheet.column_dimensions[get_column_letter(across)].width = min(WIDEST, 2 * longest + 2)
    sheet.freeze_panes = "A2"
    sheet.print_title_rows = "1:1"
    out = BytesIO()
    book.save(out)
    return out.getvalue()


def guarded(text: str) -> str:
    """The text, which no spreadsheet takes for a formula."""
    return f"'{text}" if text.startswith(FORMULA) else text
