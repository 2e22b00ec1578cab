"""Drop folders with real files in them: what a department hands over, faults included."""

from __future__ import annotations

import hashlib
import json
import zipfile
from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from xml.sax.saxutils import escape

import pytest

from adapters.drops.drop import Loaded, load_drop
from adapters.drops.snapshot import Shape, deliveries, shapes
from adapters.identity import with_check_digit
from catalog.datasets import Layout
from catalog.load import load

NOW = datetime(2026, 11, 26, 12, tzinfo=UTC)
ROLL = (
    "学籍号",
    "姓名",
    "性别",
    "身份证件号",
    "出生日期",
    "学校标识码",
    "年级",
    "班级",
    "户口所在地",
    "监护人1姓名",
    "监护人1电话",
)


def pupil(number: int, name: str = "陆云") -> tuple[str, ...]:
    """A line of the enrolment list; nobody real."""
    id18 = with_check_digit(f"53992220150101{number:03}")
    return (
        f"G{id18}",
        name,
        "男",
        id18,
        "20150101",
        "2153205001",
        "五年级",
        "1班",
        "者腊乡者腊村委会",
        "陆山",
        "12000000000",
    )


class Drop:
    """One source's drop folder and the snapshot it is loaded into.

    Its files have their header in the first line; how titles and merged headers are read, the
    tests of sheets and of the departments' own deliveries say.
    """

    def __init__(self, folder: Path, source: str) -> None:
        self.folder, self.snapshot = folder / "drop", folder / "snapshots" / f"{source}.sqlite"
        self.folder.mkdir()
        spec = load().sources[source]
        plain = tuple(replace(dataset, layout=Layout()) for dataset in spec.datasets)
        self.spec = replace(spec, datasets=plain)
        self.shapes: tuple[Shape, ...] = shapes(self.spec)

    def deliver(self, table: str, file: str, content: bytes, **said: Any) -> None:
        """A data file and its manifest; `said` overrides what the manifest says."""
        (self.folder / file).write_bytes(content)
        self.vouch(table, file, sha256=hashlib.sha256(content).hexdigest(), **said)

    def vouch(self, table: str, file: str, **said: Any) -> None:
        """The manifest alone."""
        told = {"table": table, "file": file, "as_of": "2026-11-01", "rows": 2} | said
        if file.endswith(".csv"):
            told = {"encoding": "utf-8"} | told
        text = json.dumps(told, ensure_ascii=False)
        (self.folder / f"{file}.manifest.json").write_text(text, encoding="utf-8")

    def load(self) -> Loaded:
        """As ``hub source sync`` does it, on an unchanging day."""
        return load_drop(self.folder, self.snapshot, self.shapes, now=lambda: NOW)

    def refused(self) -> tuple[str, str]:
        """The reason and the line for people of the only outcome."""
        (refused,) = self.load().refused
        return refused.reason, str(refused)

    def standing(self) -> dict[str, tuple[int, str]]:
        """Table -> rows and date of what stands."""
        found = deliveries(self.snapshot)
        return {d.table: (d.rows, f"{d.as_of:%m-%d}") for d in found if d.current}


@pytest.fixture
def school(tmp_path: Path) -> Drop:
    """教体: 在校生名册 and 疑似辍学."""
    return Drop(tmp_path, "jt_xueji")


@pytest.fixture
def water(tmp_path_factory: pytest.TempPathFactory) -> Drop:
    """水务: 饮水工程."""
    return Drop(tmp_path_factory.mktemp("water"), "sw_gongcheng")


@pytest.fixture(scope="session")
def lines() -> Callable[..., bytes]:
    """``lines(rows, encoding="utf-8")``: a CSV file as a spreadsheet writes it."""

    def write(rows: Sequence[Sequence[str]], encoding: str = "utf-8") -> bytes:
        return "".join(",".join(row) + "\r\n" for row in rows).encode(encoding)

    return write


@pytest.fixture(scope="session")
def roll(lines: Callable[..., bytes]) -> Callable[..., bytes]:
    """``roll(1, 2, name=…, encoding=…)``: an enrolment list of these pupils."""

    def write(*numbers: int, name: str = "陆云", encoding: str = "utf-8") -> bytes:
        return lines([ROLL, *(pupil(n, name) for n in numbers)], encoding)

    return write


_TYPES = """<?xml version="1.0" encoding="UTF-8"?>
<Types xmlns="http://schemas.openxmlformats.org/package/2006/content-types">
<Default Extension="rels" ContentType="application/vnd.openxmlformats-package.relationships+xml"/>
<Default Extension="xml" ContentType="application/xml"/>
<Override PartName="/xl/workbook.xml"
 ContentType="application/vnd.openxmlformats-officedocument.spreadsheetml.sheet.main+xml"/>
<Override PartName="/xl/styles.xml"
 ContentType="application/vnd.openxmlformats-officedocument.spreadsheetml.styles+xml"/>
<Override PartName="/xl/worksheets/sheet1.xml"
 ContentType="application/vnd.openxmlformats-officedocument.spreadsheetml.worksheet+xml"/></Types>"""
_OFFICE = "http://schemas.openxmlformats.org/officeDocument/2006/relationships"
_PACKAGE = "http://schemas.openxmlformats.org/package/2006/relationships"
_MAIN = "http://schemas.openxmlformats.org/spreadsheetml/2006/main"
_RELS = f"""<?xml version="1.0" encoding="UTF-8"?><Relationships xmlns="{_PACKAGE}">
<Relationship Id="rId1" Type="{_OFFICE}/officeDocument" Target="xl/workbook.xml"/>
</Relationships>"""
_BOOK = f"""<?xml version="1.0" encoding="UTF-8"?><workbook xmlns="{_MAIN}" xmlns:r="{_OFFICE}">
<sheets><sheet name="名单" sheetId="1" r:id="rId1"/></sheets></workbook>"""
_BOOK_RELS = f"""<?xml version="1.0" encoding="UTF-8"?><Relationships xmlns="{_PACKAGE}">
<Relationship Id="rId1" Type="{_OFFICE}/worksheet" Target="worksheets/sheet1.xml"/>
<Relationship Id="rId2" Type="{_OFFICE}/styles" Target="styles.xml"/></Relationships>"""
_STYLES = f"""<?xml version="1.0" encoding="UTF-8"?><styleSheet xmlns="{_MAIN}">
<cellXfs count="2"><xf numFmtId="0"/><xf numFmtId="14" applyNumberFormat="1"/></cellXfs>
</styleSheet>"""


@pytest.fixture(scope="session")
def workbook() -> Callable[..., bytes]:
    """``workbook(rows, folder, merged=())``: an XLSX of one sheet 名单.

    Text cells, int and float as numbers, ``("day", serial)`` as a cell shown as a date.
    """

    def write(rows: Sequence[Sequence[Any]], folder: Path, merged: Sequence[str] = ()) -> bytes:
        body = "".join(_row(n, cells) for n, cells in enumerate(rows, 1))
        ranges = "".join(f'<mergeCell ref="{ref}"/>' for ref in merged)
        merges = f'<mergeCells count="{len(merged)}">{ranges}</mergeCells>' if merged else ""
        sheet = f'<worksheet xmlns="{_MAIN}"><sheetData>{body}</sheetData>{merges}</worksheet>'
        file = folder / "made.xlsx"
        with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
            archive.writestr("[Content_Types].xml", _TYPES)
            archive.writestr("_rels/.rels", _RELS)
            archive.writestr("xl/workbook.xml", _BOOK)
            archive.writestr("xl/_rels/workbook.xml.rels", _BOOK_RELS)
            archive.writestr("xl/styles.xml", _STYLES)
            archive.writestr("xl/worksheets/sheet1.xml", sheet)
        return file.read_bytes()

    return write


def _row(number: int, cells: Sequence[Any]) -> str:
    inside = "".join(_cell(f"{chr(65 + i)}{number}", cell) for i, cell in enumerate(cells))
    return f'<row r="{number}">{inside}</row>'


def _cell(place: str, cell: Any) -> str:
    if cell is None:
        return ""
    if isinstance(cell, str):
        text = f'<t xml:space="preserve">{escape(cell)}</t>'
        return f'<c r="{place}" t="inlineStr"><is>{text}</is></c>'
    style, value = (' s="1"', cell[1]) if isinstance(cell, tuple) else ("", cell)
    return f'<c r="{place}"{style}><v>{value}</v></c>'
