"""What three made-up departments hand over: lists as files in a drop folder, with manifests.

    python deliveries.py --sources sources --drop drop --as-of 2026-11-01

    jt_xueji      在校生名册_202611.csv   GB18030, a title, a header of two lines, padded names
                  疑似辍学_202611.xlsx    a workbook with a title row
    sw_gongcheng  饮水工程_20261101.csv   UTF-8 with a byte order mark, dates as Excel serials
    xczx_monitor  监测对象_202611.xlsx    a plain workbook; numbers of 18, 20 or 22 characters
                  脱贫人口_202611.xlsx    the same

Each department reads its own SQLite file ``SOURCES/NAME.sqlite`` and writes to ``DROP/NAME``. A
file stands there whole or not at all, and its manifest comes last. Same rows and same day: same
bytes. Nothing reads the wall clock. All persons are invented.
"""

from __future__ import annotations

import argparse
import csv
import hashlib
import io
import json
import os
import sqlite3
import sys
import zipfile
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass
from datetime import date, datetime
from pathlib import Path

NO_DATABASE = 2  # exit code
COUNTY = "砚山县"
FULL_BLANK = "\u3000"
NAME_WIDTH = 4  # names are padded to so many full-width characters
GUARDIAN = "监护人1"  # its columns stand below one merged cell
MONTH, DAY = "%Y%m", "%Y%m%d"
ZIP_TIME = (1980, 1, 1, 0, 0, 0)  # the first a zip file can hold

Cells = Sequence[str | None]


@dataclass(frozen=True, slots=True)
class Table:
    """A table as its department has it."""

    name: str
    columns: tuple[str, ...]
    rows: tuple[Cells, ...]


@dataclass(frozen=True, slots=True)
class Handover:
    """How one table is handed over: file suffix, date in the name, CSV encoding, its writer."""

    table: str
    suffix: str
    stamp: str
    encoding: str | None
    write: Callable[[Table, date], bytes]


def main(argv: Sequence[str] | None = None) -> int:
    """The program."""
    parser = argparse.ArgumentParser(description="以文件送达的部门样例（全部人员均为虚构）")
    parser.add_argument("names", nargs="*", metavar="NAME", help="部门数据源，不给则为全部")
    parser.add_argument("--sources", type=Path, required=True, help="SQLite 数据库所在目录")
    parser.add_argument("--drop", type=Path, required=True, help="送达目录的上级目录")
    parser.add_argument("--as-of", type=date.fromisoformat, required=True, help="数据时点")
    given = parser.parse_args(argv)
    for name in given.names or HANDOVERS:
        if name not in HANDOVERS:
            parser.error(f"没有以文件送达的数据源 {name}：可写 {' '.join(HANDOVERS)}")
        db = given.sources / f"{name}.sqlite"
        if not db.is_file():
            sys.stderr.write(f"数据库 `{db}` 不存在：请先生成样例数据\n")
            return NO_DATABASE
        for file, count in deliver(name, db, given.drop / name, given.as_of):
            sys.stdout.write(f"{name} {file} {count} 行\n")
    return 0


def deliver(name: str, db: Path, folder: Path, as_of: date) -> list[tuple[str, int]]:
    """Hand over everything of one department; file names and their rows."""
    folder.mkdir(parents=True, exist_ok=True)
    done = []
    for handover in HANDOVERS[name]:
        table = _read(db, handover.table)
        stem = f"{handover.table}_{as_of:{handover.stamp}}"
        file, content = f"{stem}{handover.suffix}", handover.write(table, as_of)
        told = _manifest(handover, file, content, len(table.rows), as_of)
        _put(folder / file, content)
        _put(folder / f"{stem}.manifest.toml", told)
        done.append((file, len(table.rows)))
    return done


def _read(db: Path, table: str) -> Table:
    with closing(sqlite3.connect(f"{db.resolve().as_uri()}?mode=ro", uri=True)) as connection:
        found = connection.execute(f'SELECT * FROM "{table}" ORDER BY rowid')  # noqa: S608
        columns = tuple(column[0] for column in found.description)
        return Table(table, columns, tuple(found.fetchall()))


def _manifest(handover: Handover, file: str, content: bytes, rows: int, as_of: date) -> bytes:
    told = {
        "table": handover.table,
        "file": file,
        "sha256": hashlib.sha256(content).hexdigest(),
        "as_of": f"{as_of}T00:00:00+08:00",
        "rows": rows,
        "encoding": handover.encoding,
    }
    # A JSON text or number is a TOML one, too.
    lines = (f"{key} = {_toml(value)}\n" for key, value in told.items() if value is not None)
    return "".join(lines).encode()


def _toml(value: object) -> str:
    return json.dumps(value, ensure_ascii=False)


def _put(path: Path, content: bytes) -> None:
    """The whole file under its name, or nothing: no reader sees a part."""
    part = path.with_name(f".{path.name}.part")
    with part.open("wb") as stream:
        stream.write(content)
        stream.flush()
        os.fsync(stream.fileno())
    part.replace(path)


# -- writers


def school_roll(table: Table, as_of: date) -> bytes:
    """教体: a title line, guardians below one merged cell, names padded; GB18030."""
    title = [f"{COUNTY}{as_of.year}年{as_of.month}月{table.name}"]
    padded = {i for i, column in enumerate(table.columns) if column.endswith("姓名")}
    rows = ([_padded(c) if i in padded else c for i, c in enumerate(r)] for r in table.rows)
    return _csv([title, *_merged(table.columns), *rows]).encode("gb18030")


def _merged(columns: Sequence[str]) -> tuple[list[str], list[str]]:
    """The two lines of a header; of a merged cell only the first column has the text."""
    upper: list[str] = []
    lower: list[str] = []
    for column in columns:
        below = column.removeprefix(GUARDIAN)
        inside = below != column
        upper.append(("" if GUARDIAN in upper else GUARDIAN) if inside else column)
        lower.append(below if inside else "")
    return upper, lower


def _padded(cell: str | None) -> str | None:
    return None if cell is None else cell.ljust(NAME_WIDTH, FULL_BLANK)


def water_works(table: Table, _as_of: date) -> bytes:
    """水务: a plain list, as a spreadsheet exports it; UTF-8 with a byte order mark."""
    return _csv([table.columns, *table.rows]).encode("utf-8-sig")


def titled_workbook(table: Table, as_of: date) -> bytes:
    """A title row above the header."""
    title = [f"{COUNTY}{as_of.year}年{as_of.month}月{table.name}名单"]
    return _workbook("名单", [title, table.columns, *table.rows], as_of)


def plain_workbook(table: Table, as_of: date) -> bytes:
    """A header and its rows."""
    return _workbook(table.name, [table.columns, *table.rows], as_of)


def _csv(lines: Iterable[Cells]) -> str:
    text = io.StringIO(newline="")
    csv.writer(text).writerows(lines)
    return text.getvalue()


def _workbook(sheet: str, lines: Iterable[Cells], as_of: date) -> bytes:
    """One sheet of text cells: a number of 18 digits as a number would lose its last three."""
    from openpyxl import Workbook

    book = Workbook(write_only=True)
    page = book.create_sheet(sheet)
    for line in lines:
        page.append(line)
    content = io.BytesIO()
    book.save(content)
    return _timeless(content, as_of)


def _timeless(written: io.BytesIO, as_of: date) -> bytes:
    """The same workbook without the hour it was written, which openpyxl puts in."""
    from openpyxl.packaging.core import DocumentProperties
    from openpyxl.xml.constants import ARC_CORE
    from openpyxl.xml.functions import tostring

    day = datetime.combine(as_of, datetime.min.time())
    about = tostring(DocumentProperties(created=day, modified=day).to_tree())
    content = io.BytesIO()
    with zipfile.ZipFile(written) as old, zipfile.ZipFile(content, "w") as new:
        for name in old.namelist():
            entry = zipfile.ZipInfo(name, ZIP_TIME)
            entry.compress_type = zipfile.ZIP_DEFLATED
            new.writestr(entry, about if name == ARC_CORE else old.read(name))
    return content.getvalue()


HANDOVERS: Mapping[str, tuple[Handover, ...]] = {
    "jt_xueji": (
        Handover("在校生名册", ".csv", MONTH, "gb18030", school_roll),
        Handover("疑似辍学", ".xlsx", MONTH, None, titled_workbook),
    ),
    "sw_gongcheng": (Handover("饮水工程", ".csv", DAY, "utf-8-sig", water_works),),
    "xczx_monitor": (
        Handover("监测对象", ".xlsx", MONTH, None, plain_workbook),
        Handover("脱贫人口", ".xlsx", MONTH, None, plain_workbook),
    ),
}
"""By source name: what each department hands over."""


if __name__ == "__main__":
    raise SystemExit(main())
