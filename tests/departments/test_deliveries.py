"""examples/departments/deliveries.py: what is handed over, byte by byte, and that it is taken."""

from __future__ import annotations

import contextlib
import csv
import io
import sqlite3
import subprocess
import sys
import zipfile
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import pytest
from openpyxl import load_workbook

from adapters.decode import EXCEL_DAY_0
from adapters.drops.drop import Fate, Loaded, load_drop
from adapters.drops.snapshot import shapes
from catalog.load import load
from hub.demo.county import County
from tests.departments.conftest import FOLDER, PATIENT_S, Ask

AS_OF = date(2026, 11, 1)
LATER = date(2026, 12, 1)
FILES = {
    "jt_xueji": {"在校生名册": "在校生名册_202611.csv", "疑似辍学": "疑似辍学_202611.xlsx"},
    "sw_gongcheng": {"饮水工程": "饮水工程_20261101.csv"},
    "xczx_monitor": {
        "监测对象": "监测对象_202611.xlsx",
        "脱贫人口": "脱贫人口_202611.xlsx",
    },
}


def deliver(
    sources: Path, drop: Path, *names: str, as_of: date = AS_OF
) -> subprocess.CompletedProcess[str]:
    folders = ["--sources", str(sources), "--drop", str(drop), "--as-of", as_of.isoformat()]
    return subprocess.run(
        [sys.executable, str(FOLDER / "deliveries.py"), *folders, *names],
        capture_output=True,
        text=True,
        timeout=PATIENT_S,
    )


@pytest.fixture(scope="module")
def drop(county: County, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Everything, handed over once."""
    folder = tmp_path_factory.mktemp("drop")
    ran = deliver(county.folder / "sources", folder)
    assert (ran.returncode, ran.stderr) == (0, "")
    assert len(ran.stdout.splitlines()) == 5
    return folder


def taken(drop: Path, snapshots: Path, name: str) -> Loaded:
    """As ``hub source sync`` takes it, in the year after."""
    tables = shapes(load().sources[name])
    now = datetime(2027, 1, 1, tzinfo=UTC)
    return load_drop(drop / name, snapshots / f"{name}.sqlite", tables, now=lambda: now)


def contents(folder: Path) -> dict[str, bytes]:
    files = sorted(f for f in folder.rglob("*") if f.is_file())
    return {f.relative_to(folder).as_posix(): f.read_bytes() for f in files}


def lines_of(drop: Path, source: str, table: str) -> list[list[Any]]:
    """All lines of a delivered file, read by another reader than the hub's."""
    file = drop / source / FILES[source][table]
    if file.suffix == ".xlsx":
        (sheet,) = load_workbook(file).worksheets
        return [list(row) for row in sheet.iter_rows(values_only=True)]
    encoding = "gb18030" if source == "jt_xueji" else "utf-8-sig"
    return list(csv.reader(io.StringIO(file.read_bytes().decode(encoding), newline="")))


@pytest.mark.parametrize("source", FILES)
def test_every_delivery_is_taken_and_its_rows_are_the_departments(
    county: County, drop: Path, rows: Ask, tmp_path: Path, source: str
) -> None:
    loaded = taken(drop, tmp_path, source)
    assert [o.fate for o in loaded.outcomes] == [Fate.LOADED] * len(FILES[source])
    assert (loaded.refused, loaded.waiting) == ((), ())
    assert {o.table: o.rows for o in loaded.outcomes} == county.counts[source]
    assert {o.as_of for o in loaded.outcomes} == {datetime(2026, 10, 31, 16, tzinfo=UTC)}
    with contextlib.closing(sqlite3.connect(tmp_path / f"{source}.sqlite")) as snapshot:
        for shape in shapes(load().sources[source]):
            columns = ", ".join(f'"{name}"' for name in shape.columns)
            asked = f'SELECT {columns} FROM "{shape.table}" ORDER BY rowid'
            stands = [tuple(map(trimmed, row.values())) for row in rows(source, asked)]
            assert snapshot.execute(asked).fetchall() == stands
            assert stands


def trimmed(cell: str | None) -> str | None:
    return None if cell is None else cell.strip()


def test_what_is_delivered_twice_is_known(county: County, drop: Path, tmp_path: Path) -> None:
    first = contents(drop)
    again = tmp_path / "drop"
    for _ in range(2):
        assert deliver(county.folder / "sources", again).returncode == 0
        assert contents(again) == first
    for source, files in FILES.items():
        fates = [[o.fate for o in taken(again, tmp_path, source).outcomes] for _ in range(2)]
        assert fates == [[Fate.LOADED] * len(files), [Fate.KNOWN] * len(files)]


def test_the_next_list_replaces_the_last(county: County, tmp_path: Path) -> None:
    folder = tmp_path / "drop"
    assert deliver(county.folder / "sources", folder, "sw_gongcheng").returncode == 0
    assert [o.fate for o in taken(folder, tmp_path, "sw_gongcheng").outcomes] == [Fate.LOADED]
    assert deliver(county.folder / "sources", folder, "sw_gongcheng", as_of=LATER).returncode == 0
    later = taken(folder, tmp_path, "sw_gongcheng")
    assert [o.fate for o in later.outcomes] == [Fate.KNOWN, Fate.LOADED]
    assert [p.name for p in folder.iterdir()] == ["sw_gongcheng"]


def test_the_school_roll_is_gb18030_with_a_title_and_a_merged_header(drop: Path, rows: Ask) -> None:
    content = (drop / "jt_xueji" / FILES["jt_xueji"]["在校生名册"]).read_bytes()
    with pytest.raises(UnicodeDecodeError):
        content.decode("utf-8")
    title, upper, lower, *pupils = lines_of(drop, "jt_xueji", "在校生名册")
    assert title == ["砚山县2026年11月在校生名册"]
    assert upper[:2] == ["学籍号", "姓名"]
    assert upper[-2:] == ["监护人1", ""]
    assert lower == [""] * 9 + ["姓名", "电话"]
    assert len(pupils) == len(rows("jt_xueji", "SELECT * FROM 在校生名册")) > 500
    assert {len(name) for name in (pupil[1] for pupil in pupils)} >= {4}
    padded = [pupil[1] for pupil in pupils if pupil[1].endswith("\u3000")]
    assert len(padded) > 500  # nearly every name has two or three characters
    assert any(pupil[3].endswith("\u3000") for pupil in pupils)
    assert any(pupil[0].startswith("L532622") for pupil in pupils)
    assert sum(pupil[0].startswith("G539922") for pupil in pupils) > 500


def test_characters_beyond_two_bytes_survive(county: County, tmp_path: Path) -> None:
    sources = tmp_path / "sources"
    sources.mkdir()
    (sources / "jt_xueji.sqlite").write_bytes(county.source("jt_xueji").read_bytes())
    with contextlib.closing(sqlite3.connect(sources / "jt_xueji.sqlite")) as file, file:
        file.execute("UPDATE 在校生名册 SET 姓名 = '䶮𣲗' WHERE rowid = 1")
    assert deliver(sources, tmp_path / "drop", "jt_xueji").returncode == 0
    assert lines_of(tmp_path / "drop", "jt_xueji", "在校生名册")[3][1] == "䶮𣲗\u3000\u3000"
    assert taken(tmp_path / "drop", tmp_path, "jt_xueji").refused == ()
    with contextlib.closing(sqlite3.connect(tmp_path / "jt_xueji.sqlite")) as snapshot:
        asked = "SELECT 姓名 FROM 在校生名册 WHERE rowid = 1"
        assert snapshot.execute(asked).fetchone() == ("䶮𣲗",)


def test_the_dropout_list_is_a_workbook_with_a_title_row(drop: Path, rows: Ask) -> None:
    title, header, *listed = lines_of(drop, "jt_xueji", "疑似辍学")
    assert title[0] == "砚山县2026年11月疑似辍学名单"
    assert title[1:] == [None] * 4
    assert header == ["名单月份", "姓名", "身份证号", "类别", "劝返状态"]
    assert listed == [list(row.values()) for row in rows("jt_xueji", "SELECT * FROM 疑似辍学")]


def test_the_water_list_has_a_byte_order_mark_and_serial_dates(drop: Path, rows: Ask) -> None:
    content = (drop / "sw_gongcheng" / FILES["sw_gongcheng"]["饮水工程"]).read_bytes()
    assert content.startswith(b"\xef\xbb\xbf")
    assert content.count(b"\xef\xbb\xbf") == 1
    header, *works = lines_of(drop, "sw_gongcheng", "饮水工程")
    assert header[0] == "工程编码"
    assert len(works) == len(rows("sw_gongcheng", "SELECT * FROM 饮水工程"))
    days = [work[header.index("故障日期")] for work in works]
    faults = [int(day) for day in days if day]
    assert len(faults) > 5
    latest = (AS_OF - EXCEL_DAY_0).days
    assert all(latest - 366 < fault <= latest for fault in faults)


def test_the_monitoring_list_keeps_long_numbers_as_text(drop: Path, rows: Ask) -> None:
    header, *people = lines_of(drop, "xczx_monitor", "监测对象")
    column = header.index("证件号码")
    numbers = [person[column] for person in people]
    assert {type(number) for number in numbers if number} == {str}
    stands = [row["证件号码"] for row in rows("xczx_monitor", "SELECT * FROM 监测对象")]
    assert numbers == stands
    assert sum(len(number or "") == 20 for number in numbers) > 3


def test_no_file_knows_the_hour_it_was_written(drop: Path) -> None:
    books = sorted(drop.rglob("*.xlsx"))
    assert len(books) == 3
    for file in books:
        with zipfile.ZipFile(file) as book:
            assert {entry.date_time[0] for entry in book.infolist()} == {1980}
            about = book.read("docProps/core.xml").decode()
        assert about.count("2026-11-01T00:00:00Z") == 2
        assert str(datetime.now(UTC).date()) not in about


def test_there_is_no_manifest_without_its_file(county: County, tmp_path: Path) -> None:
    """Where the file cannot be put, nobody vouches for it."""
    blocked = tmp_path / "sw_gongcheng" / FILES["sw_gongcheng"]["饮水工程"]
    (blocked / "in the way").mkdir(parents=True)
    ran = deliver(county.folder / "sources", tmp_path, "sw_gongcheng")
    assert ran.returncode == 1
    assert "OSError" in ran.stderr or "Error" in ran.stderr
    assert list(tmp_path.rglob("*.manifest.toml")) == []


def test_no_part_is_left_and_none_is_seen(drop: Path, tmp_path: Path) -> None:
    assert list(drop.rglob(".*")) == []
    folder = tmp_path / "sw_gongcheng"
    folder.mkdir()
    (folder / ".饮水工程_20261101.csv.part").write_bytes(b"half")  # of one who was killed
    loaded = taken(tmp_path, tmp_path / "snapshots", "sw_gongcheng")
    assert (loaded.outcomes, loaded.waiting) == ((), ())


def test_what_it_cannot_do_it_says(county: County, tmp_path: Path) -> None:
    unknown = deliver(county.folder / "sources", tmp_path, "wfgz")
    assert unknown.returncode == 2
    assert "没有以文件送达的数据源 wfgz" in unknown.stderr
    missing = deliver(tmp_path, tmp_path, "jt_xueji")
    assert missing.returncode == 2
    assert "jt_xueji.sqlite` 不存在" in missing.stderr
    assert list(tmp_path.iterdir()) == []
