"""A stranger's workbook, opened in a process of its own: XLSX and XLS as lines of cells.

    loader ──bytes──► python -m adapters.drops.workbook ──one JSON list a row──► loader

Two kilobytes can claim seventeen thousand million cells, and a reader that believes them is
ended by the system, not by an exception. Here that is the end of the child: it may have so much
memory and so much time, inherits no environment, and what it says on the way out is not kept,
because it may hold values.
"""

from __future__ import annotations

import io
import json
import resource
import subprocess
import sys
from collections.abc import Iterator, Sequence
from datetime import date, datetime
from typing import Any

MEMORY = 4 * 1024**3  # bytes of address space; half a million pupils take under one
TIME_S = 300.0  # half a million pupils take some ten seconds
NO_SHEET = 3  # the child's exit code, also for a workbook without any
DATE = "date"


class NotAWorkbook(Exception):
    """It cannot be read, whatever the cause."""


class NoSheet(Exception):
    """It has no sheet of that name."""


def sheet_rows(content: bytes, sheet: str | None) -> Iterator[Sequence[Any]]:
    """The rows of a sheet, the first one if None, empty ones above and cells before included.

    Cells are text, int, float, bool, date, datetime or ``""``. NotAWorkbook, NoSheet.
    """
    # -P: whatever lies in the working directory is not our package.
    asked = [
        sys.executable,
        "-P",
        "-m",
        "adapters.drops.workbook",
        *([] if sheet is None else [sheet]),
    ]
    try:
        done = subprocess.run(  # noqa: S603  our own module; the sheet's name is the catalogue's
            asked,
            input=content,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            env={},
            timeout=TIME_S,
            check=False,
        )
    except subprocess.TimeoutExpired:
        raise NotAWorkbook from None
    if done.returncode == NO_SHEET:
        raise NoSheet
    if done.returncode != 0:
        raise NotAWorkbook
    return (json.loads(line, object_hook=_dated) for line in done.stdout.splitlines())


def _dated(cell: dict[str, str]) -> date:
    text = cell[DATE]
    return datetime.fromisoformat(text) if "T" in text else date.fromisoformat(text)


# -- in the child


def main() -> None:
    """Read a workbook from standard input, write the rows of the sheet named, or of the first."""
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))  # a core would hold the whole list
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))
    from python_calamine import CalamineWorkbook

    book = CalamineWorkbook.from_filelike(io.BytesIO(sys.stdin.buffer.read()))
    name = sys.argv[1] if len(sys.argv) > 1 else next(iter(book.sheet_names), None)
    if name not in book.sheet_names:
        sys.exit(NO_SHEET)
    for row in book.get_sheet_by_name(str(name)).to_python(skip_empty_area=False):
        line = json.dumps([_plain(cell) for cell in row]) + "\n"
        sys.stdout.buffer.write(line.encode("ascii"))


def _plain(cell: Any) -> Any:
    if isinstance(cell, date):
        return {DATE: cell.isoformat()}
    return cell if isinstance(cell, str | int | float) else str(cell)


if __name__ == "__main__":
    main()
