"""adapters/drops/drop.py: good deliveries replace the snapshot, bad ones leave it and are named."""

from __future__ import annotations

import hashlib
import os
import signal
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest

from adapters.drops.drop import Fate, NoFolder, Outcome, load_drop
from adapters.drops.snapshot import SnapshotBroken, deliveries
from catalog.datasets import Layout

HOLLOW = (
    '{"table": "enrolment", "file": "a\\u0000.csv", "as_of": "2026-11-01", "rows": 1,'
    f' "encoding": "utf-8", "sha256": "{"0" * 64}"}}'
)
ANCIENT = HOLLOW.replace("\\u0000", "").replace("2026", "0001")
FILE = "在校生名册_202609.csv"
TABLE = "在校生名册"
ATTEMPTS = 20  # to meet a loader between its last write and its rename
LOADER = """
import sys
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from adapters.drops.drop import load_drop
from adapters.drops.snapshot import shapes
from catalog.datasets import Layout
from catalog.load import load

made = tuple(replace(s, layout=Layout()) for s in shapes(load().sources["jt_xueji"]))
now = datetime(2026, 11, 26, 12, tzinfo=UTC)
print("ready", flush=True)
loaded = load_drop(Path(sys.argv[1]), Path(sys.argv[2]), made, now=lambda: now)
print(*(o.fate for o in loaded.outcomes), flush=True)
"""


def _names(snapshot: Path) -> list[str]:
    connection = sqlite3.connect(snapshot)
    try:
        return [name for (name,) in connection.execute(f'SELECT "姓名" FROM "{TABLE}"')]
    finally:
        connection.close()


def _digest(file: Path) -> str:
    return hashlib.sha256(file.read_bytes()).hexdigest()


@pytest.fixture
def good(school: Any, roll: Callable[..., bytes]) -> Any:
    """A drop whose first delivery is loaded and taken away again."""
    school.deliver(TABLE, "first.csv", roll(1, 2), as_of="2026-10-01")
    assert [o.fate for o in school.load().outcomes] == [Fate.LOADED]
    for file in school.folder.iterdir():
        file.unlink()
    return school


# -- what is good


def test_a_delivery_becomes_an_indexed_table_with_its_date(
    school: Any, roll: Callable[..., bytes]
) -> None:
    school.deliver(TABLE, FILE, roll(1, 2))
    (outcome,) = school.load().outcomes
    assert (outcome.fate, outcome.table, outcome.rows) == (Fate.LOADED, TABLE, 2)
    (kept,) = deliveries(school.snapshot)
    assert kept.as_of == datetime.fromisoformat("2026-11-01T00:00:00+08:00")
    assert _names(school.snapshot) == ["陆云", "陆云"]
    connection = sqlite3.connect(school.snapshot)
    plan = connection.execute(
        f"EXPLAIN QUERY PLAN SELECT 1 FROM \"{TABLE}\" WHERE \"身份证件号\" IN ('1', '2')"
    ).fetchall()
    connection.close()
    assert "USING INDEX" in plan[0][3] or "COVERING INDEX" in plan[0][3]


def test_nobody_else_may_read_a_snapshot(good: Any) -> None:
    assert good.snapshot.stat().st_mode & 0o777 == 0o600


def test_what_is_sent_twice_is_loaded_once(school: Any, roll: Callable[..., bytes]) -> None:
    school.deliver(TABLE, FILE, roll(1, 2))
    school.load()
    before = school.snapshot.stat()
    school.deliver(TABLE, "again.csv", roll(1, 2))
    assert [o.fate for o in school.load().outcomes] == [Fate.KNOWN, Fate.KNOWN]
    after = school.snapshot.stat()
    assert (after.st_ino, after.st_mtime_ns) == (before.st_ino, before.st_mtime_ns)


def test_an_unchanged_list_of_a_newer_day_is_news(school: Any, roll: Callable[..., bytes]) -> None:
    school.deliver(TABLE, FILE, roll(1, 2))
    school.load()
    school.deliver(TABLE, FILE, roll(1, 2), as_of="2026-11-15")
    assert [o.fate for o in school.load().outcomes] == [Fate.LOADED]
    assert school.standing() == {TABLE: (2, "11-14")}  # midnight in Beijing, in UTC


def test_a_late_file_is_refused_and_what_was_loaded_long_ago_is_known(
    school: Any, roll: Callable[..., bytes]
) -> None:
    school.deliver(TABLE, "september.csv", roll(1, 2), as_of="2026-09-01")
    school.deliver(TABLE, "november.csv", roll(1, 2, name="韦山"), as_of="2026-11-02")
    assert [o.fate for o in school.load().outcomes] == [Fate.LOADED, Fate.LOADED]
    school.deliver(TABLE, "october.csv", roll(1, 2, name="农海"), as_of="2026-10-01")
    loaded = school.load()
    assert [o.fate for o in loaded.outcomes] == [Fate.KNOWN, Fate.REFUSED, Fate.KNOWN]
    (refused,) = loaded.refused
    assert str(refused) == (
        "october.csv：数据时点 2026-10-01T00:00+08:00 早于已载入的 2026-11-01T16:00+00:00"
    )
    assert _names(school.snapshot) == ["韦山", "韦山"]


def test_a_correction_of_the_same_day_is_taken(school: Any, roll: Callable[..., bytes]) -> None:
    school.deliver(TABLE, FILE, roll(1, 2))
    school.load()
    school.deliver(TABLE, FILE, roll(1, 2, 3), rows=3)
    school.load()
    assert school.standing()[TABLE][0] == 3


def test_a_list_of_nobody_or_of_less_than_half_is_refused_unless_its_department_says_so(
    school: Any, roll: Callable[..., bytes]
) -> None:
    school.deliver(TABLE, FILE, roll(), rows=0)
    assert school.refused() == (
        "EMPTY",
        f"{FILE}：没有数据行：确无数据的，请部门在清单中写明 shrunk = true",
    )
    school.deliver(TABLE, FILE, roll(1, 2, 3, 4, 5), rows=5)
    school.load()
    school.deliver(TABLE, FILE, roll(1, 2), rows=2, as_of="2026-11-02")
    assert school.refused() == (
        "SHRUNK",
        f"{FILE}：只有 2 行，不及已载入的 5 行的一半：确已减少的，请部门在清单中写明 shrunk = true",
    )
    assert school.standing()[TABLE][0] == 5
    school.deliver(TABLE, FILE, roll(1, 2), rows=2, as_of="2026-11-02", shrunk=True)
    assert [o.fate for o in school.load().outcomes] == [Fate.LOADED]
    school.deliver(TABLE, FILE, roll(1), rows=1, as_of="2026-11-03")  # one of two is half
    assert [o.fate for o in school.load().outcomes] == [Fate.LOADED]
    school.deliver(TABLE, FILE, roll(), rows=0, as_of="2026-11-04", shrunk=True)
    assert [o.fate for o in school.load().outcomes] == [Fate.LOADED]
    assert school.standing()[TABLE][0] == 0


def test_a_load_is_told_when_it_is_whole_and_before_it_stands(
    school: Any, roll: Callable[..., bytes]
) -> None:
    stood = list[bool]()
    school.deliver(TABLE, FILE, roll(1, 2))
    school.deliver("nothing", "b.csv", roll(1))
    told = list[tuple[str, str]]()

    def record(outcome: Outcome) -> None:
        stood.append(school.snapshot.exists())
        told.append((outcome.manifest, outcome.fate))

    load_drop(school.folder, school.snapshot, school.shapes, record=record)
    assert stood[told.index((f"{FILE}.manifest.json", "LOADED"))] is False
    assert ("b.csv.manifest.json", "REFUSED") in told
    told.clear()
    load_drop(school.folder, school.snapshot, school.shapes, record=record)
    assert told == [("b.csv.manifest.json", "REFUSED")]  # what is known is no news


def test_a_load_that_cannot_be_told_does_not_stand(good: Any, roll: Callable[..., bytes]) -> None:
    good.deliver(TABLE, FILE, roll(1, 2, name="韦山"))

    def record(_outcome: Outcome) -> None:
        raise RuntimeError("no log")

    with pytest.raises(RuntimeError, match="no log"):
        load_drop(good.folder, good.snapshot, good.shapes, record=record)
    assert _names(good.snapshot) == ["陆云", "陆云"]
    assert [f.name for f in good.snapshot.parent.iterdir() if ".part" in f.name] == []


def test_tables_stand_beside_each_other_with_their_own_dates(
    school: Any, roll: Callable[..., bytes], lines: Callable[..., bytes]
) -> None:
    school.deliver(TABLE, FILE, roll(1, 2))
    school.load()
    wanted = next(s for s in school.shapes if s.table == "疑似辍学")
    content = lines([tuple(wanted.columns), tuple("x" for _ in wanted.columns)])
    school.deliver("dropout", "疑似辍学.csv", content, rows=1, as_of="2026-11-06")
    school.load()
    assert school.standing() == {TABLE: (2, "10-31"), "疑似辍学": (1, "11-05")}
    connection = sqlite3.connect(school.snapshot)
    indexes = connection.execute("SELECT count(*) FROM sqlite_master WHERE type = 'index'")
    assert indexes.fetchone() == (2,)
    connection.close()


def test_a_catalogue_with_a_column_more_loads_a_known_file_again(
    school: Any, lines: Callable[..., bytes]
) -> None:
    whole = next(s for s in school.shapes if s.table == TABLE)
    content = lines([tuple(whole.columns), tuple("x" for _ in whole.columns)])
    fewer = {c: d for c, d in whole.columns.items() if c != "班级"}
    old = type(whole)(whole.table, whole.names, fewer, whole.keys, Layout())
    school.deliver(TABLE, FILE, content, rows=1)
    load_drop(school.folder, school.snapshot, (old,))
    assert [o.fate for o in school.load().outcomes] == [Fate.LOADED]
    assert [o.fate for o in school.load().outcomes] == [Fate.KNOWN]


# -- what is bad leaves what stands


@pytest.mark.parametrize(
    ("fault", "reason", "line"),
    [
        ("checksum", "CHECKSUM", "bad.csv：校验和与清单不符：传输未完成或文件已改动，请重新送达"),
        ("half", "COUNT", "bad.csv：有 1 行，少于清单所写的 2 行"),
        ("more", "COUNT", "bad.csv：有 3 行，多于清单所写的 2 行"),
        ("torn", "ROW", "bad.csv 第 3 行：只有 4 列，应有 11 列"),
        ("quote", "ROW", "bad.csv 第 3 行：引号或换行不成对"),
        ("charset", "CHARSET", "bad.csv 第 1 行：不是 utf-8 编码"),
        ("gb18030", "CHARSET", "bad.csv：清单写 gb18030，内容是 utf-8"),
        ("column", "HEADER", "bad.csv 第 1 行 列“身份证件号”：表头中没有这一列"),
        ("twice", "HEADER", "bad.csv 第 1 行 列“姓名”：表头中这一列出现多次"),
        ("alone", "MISSING", "bad.csv：清单 bad.csv.manifest.json 已到，文件未到"),
        ("future", "AHEAD", "bad.csv.manifest.json：数据时点 2027-01-01T00:00+08:00 尚未到来"),
        ("table", "MANIFEST", "bad.csv.manifest.json：table 不是此数据源的表或数据集"),
        ("outside", "MANIFEST", "file 须是同一目录中的文件名，以 .csv、.xlsx、.xls 结尾"),
        (
            "key",
            "MANIFEST",
            "有不认识的键：请只写 table、file、sha256、as_of、rows、encoding、shrunk",
        ),
        ("link", "UNREADABLE", "bad.csv：不可读，或是链接：请检查权限，送达文件本身"),
        ("workbook", "UNREADABLE", "bad.xlsx：文件内容不是所声明的表格，或已损坏"),
    ],
)
def test_a_bad_delivery_is_named_and_the_good_snapshot_stays(
    fault: str, reason: str, line: str, good: Any, roll: Callable[..., bytes]
) -> None:
    before = _digest(good.snapshot)
    _misdeliver(good, fault, roll)
    told, message = good.refused()
    assert (told, message.endswith(line)) == (reason, True), message
    assert "539922" not in message
    assert "韦山" not in message
    assert _digest(good.snapshot) == before
    assert _names(good.snapshot) == ["陆云", "陆云"]


def _misdeliver(drop: Any, fault: str, roll: Callable[..., bytes]) -> None:
    whole, file = roll(1, 2, name="韦山"), "bad.csv"
    said: dict[str, Any] = {}
    match fault:
        case "checksum":
            drop.deliver(TABLE, file, whole)
            (drop.folder / file).write_bytes(whole[:-20])
            return
        case "half":
            content = roll(1, name="韦山")
        case "more":
            content = roll(1, 2, 3)
        case "torn":
            content = whole[: whole.rindex("男".encode())] + "男,539922".encode()
        case "quote":
            content = whole[:-2] + b'\r\n"open'
            content = whole.replace(b"G539922", b'"G539922', 2).replace(b'"', b"", 1)
        case "charset":
            content = roll(1, 2, name="韦山", encoding="gb18030")
        case "gb18030":
            content, said = whole, {"encoding": "gb18030"}
        case "column":
            content = whole.replace("身份证件号".encode(), "证件".encode())
        case "twice":
            content = whole.replace("性别".encode(), "姓名".encode())
        case "alone":
            drop.vouch(TABLE, file, sha256="0" * 64)
            return
        case "future":
            content, said = whole, {"as_of": "2027-01-01"}
        case "table":
            drop.deliver("花名册", file, whole)
            return
        case "outside":
            drop.vouch(TABLE, file, sha256="0" * 64)
            manifest = drop.folder / f"{file}.manifest.json"
            manifest.write_text(manifest.read_text().replace('"bad.csv"', '"../bad.csv"'))
            return
        case "key":
            content, said = whole, {"owner": "韦山"}
        case "link":
            drop.deliver(TABLE, file, whole)
            (drop.folder / file).rename(drop.folder.parent / "elsewhere.csv")
            (drop.folder / file).symlink_to(drop.folder.parent / "elsewhere.csv")
            return
        case _:
            content, file = whole, "bad.xlsx"
    drop.deliver(TABLE, file, content, **said)


@pytest.mark.parametrize(
    "text",
    ["", "[]", "{", "\xff", '{"table": 1}', "[" * 60_000, '{"rows": true}', HOLLOW, ANCIENT],
)
def test_no_manifest_whatever_it_holds_stops_the_others(
    text: str, school: Any, roll: Callable[..., bytes]
) -> None:
    (school.folder / "a.manifest.json").write_bytes(text.encode("latin-1"))
    school.deliver(TABLE, FILE, roll(1, 2))
    assert [o.fate for o in school.load().outcomes] == [Fate.REFUSED, Fate.LOADED]


def test_a_manifest_in_toml_may_write_a_date(school: Any, roll: Callable[..., bytes]) -> None:
    content = roll(1, 2)
    (school.folder / FILE).write_bytes(content)
    (school.folder / "a.manifest.toml").write_text(
        f'table = "enrolment"\nfile = "{FILE}"\nsha256 = "{hashlib.sha256(content).hexdigest()}"\n'
        'as_of = 2026-11-01T18:00:00\nrows = 2\nencoding = "utf-8"\n',
        encoding="utf-8",
    )
    (outcome,) = school.load().outcomes
    assert (outcome.fate, str(outcome.as_of)) == (Fate.LOADED, "2026-11-01 18:00:00+08:00")


def test_a_file_without_manifest_waits(school: Any, roll: Callable[..., bytes]) -> None:
    (school.folder / FILE).write_bytes(roll(1, 2))
    loaded = school.load()
    assert (loaded.outcomes, loaded.waiting) == ((), (FILE,))
    assert not school.snapshot.exists()


def test_without_a_folder_the_operator_is_told(school: Any) -> None:
    school.folder.rmdir()
    with pytest.raises(NoFolder, match="送达目录"):
        school.load()


def test_a_snapshot_that_is_none_is_not_written_over(good: Any, roll: Callable[..., bytes]) -> None:
    good.snapshot.write_bytes(b"no database, but somebody's" * 1_000)
    good.deliver(TABLE, FILE, roll(1, 2))
    with pytest.raises(SnapshotBroken, match="已损坏"):
        good.load()
    assert good.snapshot.read_bytes().startswith(b"no database")


# -- processes


def _loader(drop: Any) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-c", LOADER, str(drop.folder), str(drop.snapshot)],
        stdout=subprocess.PIPE,
        text=True,
        cwd=Path(__file__).parents[2],
    )


def _parts(drop: Any) -> list[Path]:
    return list(drop.snapshot.parent.glob(".*.part"))


def test_a_loader_killed_before_the_rename_leaves_the_old_snapshot_and_the_next_cleans_up(
    good: Any, roll: Callable[..., bytes]
) -> None:
    before = _digest(good.snapshot)
    good.deliver(TABLE, FILE, roll(*[7] * 60_000, name="韦山"), rows=60_000)
    process = _loader(good)
    until = time.monotonic() + 60
    while not any(part.stat().st_size for part in _parts(good)):
        assert process.poll() is None, "the loader ended before it could be killed"
        assert time.monotonic() < until
        time.sleep(0.001)
    os.kill(process.pid, signal.SIGKILL)
    process.communicate()
    assert process.returncode == -signal.SIGKILL
    assert len(_parts(good)) == 1  # it was killed with its new file half written
    assert _digest(good.snapshot) == before
    assert _names(good.snapshot) == ["陆云", "陆云"]

    assert [o.fate for o in good.load().outcomes] == [Fate.LOADED]
    assert _parts(good) == []
    assert good.standing()[TABLE][0] == 60_000


def test_a_loader_killed_with_its_file_complete_leaves_the_old_snapshot(
    good: Any, roll: Callable[..., bytes]
) -> None:
    good.deliver(TABLE, FILE, roll(*[7] * 60_000, name="韦山"), rows=60_000)
    aside = good.snapshot.with_name("aside.sqlite")
    old = good.snapshot.read_bytes()
    aside.write_bytes(old)
    load_drop(good.folder, aside, good.shapes)
    size, before = aside.stat().st_size, _digest(good.snapshot)
    for _ in range(ATTEMPTS):
        process = _loader(good)
        while process.poll() is None and not any(_size(p) >= size for p in _parts(good)):
            pass  # the moment between the last write and the rename is short
        process.kill()
        process.communicate()
        if any(_is_whole(part) for part in _parts(good)):
            break
        good.snapshot.write_bytes(old)
    (part,) = _parts(good)
    assert deliveries(part)[-1].rows == 60_000  # whole, and never renamed
    assert _digest(good.snapshot) == before
    assert _names(good.snapshot) == ["陆云", "陆云"]
    assert [o.fate for o in good.load().outcomes] == [Fate.LOADED]


def _is_whole(part: Path) -> bool:
    try:
        return len(deliveries(part)) == 2
    except SnapshotBroken:
        return False


def _size(part: Path) -> int:
    try:
        return part.stat().st_size
    except FileNotFoundError:
        return 0


def test_two_loaders_at_once_load_once(school: Any, roll: Callable[..., bytes]) -> None:
    school.deliver(TABLE, FILE, roll(*[7] * 20_000), rows=20_000)
    both = [_loader(school) for _ in range(2)]
    said = sorted(process.communicate(timeout=60)[0].split()[-1] for process in both)
    assert said == ["KNOWN", "LOADED"]
    assert len(deliveries(school.snapshot)) == 1
    assert school.standing()[TABLE][0] == 20_000
    assert _parts(school) == []


def test_a_full_disk_leaves_the_old_snapshot(good: Any, roll: Callable[..., bytes]) -> None:
    before = _digest(good.snapshot)
    good.deliver(TABLE, FILE, roll(*[7] * 20_000), rows=20_000)
    limited = (
        "import resource, signal; signal.signal(signal.SIGXFSZ, signal.SIG_IGN);"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, 100_000))\n" + LOADER
    )
    done = subprocess.run(
        [sys.executable, "-c", limited, str(good.folder), str(good.snapshot)],
        capture_output=True,
        text=True,
        check=False,
        cwd=Path(__file__).parents[2],
    )
    assert "未能写出，原快照不变" in done.stderr
    assert _digest(good.snapshot) == before
    assert _parts(good) == []
