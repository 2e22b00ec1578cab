"""``hub source check``: each planted fault told in its line, in counts, never a value."""

from __future__ import annotations

import json
import sqlite3
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing
from pathlib import Path
from shutil import copytree
from typing import Any

import pytest

from adapters.identity import with_check_digit
from adapters.sample import PEOPLE
from catalog.datasets import Kind
from catalog.load import load
from hub.demo.department import insurance, program
from hub.source_form import form
from tests.subgraph import KEY, subgraph

pytestmark = pytest.mark.loopback

Hub = Callable[..., Any]
SQL, HTTP, GRAPH = "mz_butie", "yb_two", "wj_two"
WHO = ("--as", "authority-01")
MARK = "秘密"
FIELDS = """
[[dataset.field]]
name = "amount"
column = "je"
title = "金额"
type = "money"
sensitivity = "L4_SENSITIVE"
mask = "HIDE"
decode = "amount"
[[dataset.field]]
name = "paidFor"
column = "ny"
title = "年月"
type = "month"
sensitivity = "L4_SENSITIVE"
mask = "HIDE"
decode = "yyyymm"
[[dataset.field]]
name = "place"
column = "qh"
title = "区划"
type = "division"
sensitivity = "L2_INTERNAL"
decode = "division"
"""


def an_id(serial: int) -> str:
    return with_check_digit(f"53992219700101{serial:03d}")


def filled(name: str, kind: Kind, dept: str, answers: Sequence[str]) -> str:
    """The form with its blanks filled in, in their order."""
    left = iter(answers)
    lines = []
    for line in form(load(), name, kind, dept).splitlines():
        blank = '""' in line and not line.startswith("#")
        lines.append(line.replace('""', f'"{next(left)}"') if blank else line)
    assert next(left, None) is None
    return "\n".join(lines)


def catalogue_file(region: str = 'kind = "code", column = "qh"') -> str:
    blanks = ["补贴台账", "butie", "Butie", "补贴", "补贴", "btff", "xm", "sfzh", "butie"]
    text = filled(SQL, Kind.SQL, "mca", [*blanks, "name", "xm", "姓名", "姓名"])
    return text.replace('region = { kind = "citizen" }', f"region = {{ {region} }}") + FIELDS


@pytest.fixture
def copy(county: Path, tmp_path: Path) -> Path:
    return copytree(county, tmp_path / "county")


@pytest.fixture
def register(county: Path) -> list[str]:
    """Three invented citizens of the register."""
    with closing(sqlite3.connect(county / "store.sqlite")) as store:
        rows = store.execute("SELECT id18 FROM citizen WHERE id18 NOT NULL LIMIT 3").fetchall()
    return [str(number) for (number,) in rows]


Department = Callable[[str, Sequence[Sequence[Any]]], None]


@pytest.fixture
def department(tmp_path: Path) -> Department:
    """``department(columns, rows)``: the department's file with its one table."""

    def made(columns: str, rows: Sequence[Sequence[Any]]) -> None:
        with closing(sqlite3.connect(tmp_path / "butie.sqlite")) as file, file:
            file.execute(f"CREATE TABLE btff ({columns})")
            marks = ", ".join("?" * len(columns.split(",")))
            file.executemany(f"INSERT INTO btff VALUES ({marks})", rows)

    return made


COLUMNS = "sfzh, xm, je, ny, qh"


@pytest.fixture
def settings(tmp_path: Path) -> dict[str, str]:
    folder = tmp_path / "departments"
    folder.mkdir()
    (folder / f"{SQL}.toml").write_text(catalogue_file(), encoding="utf-8")
    return {
        "HUB_CATALOG_EXTRA_DIR": str(folder),
        f"HUB_SOURCES_{SQL.upper()}": f"sqlite+aiosqlite:///{tmp_path / 'butie.sqlite'}",
        "HUB_SOURCE_DEADLINE_S": "2",
    }


def row(number: Any, je: Any = "90.00", ny: Any = "202610", qh: Any = "532622205000") -> list[Any]:
    return [number, f"陆{MARK}", je, ny, qh]


def told(text: str) -> list[str]:
    return [" ".join(line.split()) for line in text.splitlines()]


def test_what_fits_is_told_in_counts(
    hub: Hub, copy: Path, department: Department, settings: dict[str, str], register: list[str]
) -> None:
    department(COLUMNS, [row(register[0]), row(register[1]), row(an_id(1)), row(register[0])])
    ran = hub("source", "check", SQL, *WHO, "--dir", copy, **settings)
    assert (ran.code, ran.err) == (0, "")
    assert told(ran.out) == [
        f"数据源 {SQL}（补贴台账）：应答",
        "",
        "数据集 butie（补贴）：相符",
        "表 btff，取样 4 行",
        "列 字段 有值 可读 结论",
        "sfzh — 4 4 正常",
        "xm name 4 4 正常",
        "je amount 4 4 正常",
        "ny paidFor 4 4 正常",
        "qh place 4 4 正常",
        "键：有值 4，有效 4，按所列写法可查到 4",
        "人员：3 人，其中底册中有 2 人（67%）",
        "区划：有值 4，识别 4",
        "数据质量：无",
        "",
        "结论：相符",
    ]


def test_dirty_rows_are_counted_and_never_shown(
    hub: Hub, copy: Path, department: Department, settings: dict[str, str], register: list[str]
) -> None:
    good = register[0]
    wrong_digit = an_id(2)[:17] + ("0" if an_id(2)[17] != "0" else "1")
    rows = [
        *([row(good)] * 5),
        row(f"'{good}"),  # a spelling the file does not list
        row(wrong_digit, je=MARK),
        row("5.39922E+17", ny="2026年"),
        row(None, qh="999999999999"),
    ]
    department(COLUMNS, rows)
    ran = hub("source", "check", SQL, *WHO, "--dir", copy, **settings)
    assert (ran.code, ran.err) == (0, "")
    lines = told(ran.out)
    for line in (
        "je amount 9 8 少数不可读",
        "ny paidFor 9 8 少数不可读",
        "qh place 9 8 少数不可读",
        "键：有值 8，有效 6，按所列写法可查到 5",
        "人员：1 人，其中底册中有 1 人（100%）",
        "区划：有值 9，识别 8",
        "数据质量：DQ02 1，DQ04 1，DQ05 1，DQ07 1，DQ10 2",
    ):
        assert line in lines
    for value in (MARK, good, wrong_digit, "5.39922", "陆", "999999"):
        assert value not in ran.out + ran.err


def test_the_counts_for_programs(
    hub: Hub, copy: Path, department: Department, settings: dict[str, str], register: list[str]
) -> None:
    department(COLUMNS, [row(register[0]), row(register[1], je=MARK)])
    ran = hub("source", "check", SQL, *WHO, "--dir", copy, "--json", **settings)
    found = json.loads(ran.out)
    assert ran.code == 0
    assert (found["source"], found["state"], found["fits"]) == (SQL, "ANSWERS", True)
    (one,) = found["datasets"]
    assert (one["dataset"], one["rows"], one["faults"]) == ("butie", 2, {"DQ10": 1})
    assert one["key"] == {"filled": 2, "canonical": 2, "reachable": 2, "people": 2, "known": 2}
    assert one["region"] == {"filled": 2, "understood": 2}
    (amount,) = [c for c in one["columns"] if c["field"] == "amount"]
    assert (amount["filled"], amount["read"], amount["found"]) == (2, 1, True)
    assert MARK not in ran.out


def test_a_wrong_decoder_is_told_by_its_column(
    hub: Hub, copy: Path, department: Department, settings: dict[str, str], register: list[str]
) -> None:
    department(COLUMNS, [row(number, ny="2026-10") for number in register])
    ran = hub("source", "check", SQL, *WHO, "--dir", copy, **settings)
    assert ran.code == 1
    assert "ny paidFor 3 0 多数不可读" in told(ran.out)
    assert told(ran.out)[-1] == "结论：不相符"


def test_a_spelling_that_is_not_listed_is_told_by_the_key(
    hub: Hub, copy: Path, department: Department, settings: dict[str, str], register: list[str]
) -> None:
    department(COLUMNS, [row(f"'{number}") for number in register])
    ran = hub("source", "check", SQL, *WHO, "--dir", copy, **settings)
    assert ran.code == 1
    assert "键：有值 3，有效 3，按所列写法可查到 0" in told(ran.out)


def test_another_code_scheme_is_told_by_the_region(
    hub: Hub, copy: Path, department: Department, settings: dict[str, str], register: list[str]
) -> None:
    department(COLUMNS, [row(number, qh="者腊乡") for number in register])
    ran = hub("source", "check", SQL, *WHO, "--dir", copy, **settings)
    assert ran.code == 1
    assert "区划：有值 3，识别 0" in told(ran.out)


def test_a_missing_column_is_named_and_the_others_are_still_judged(
    hub: Hub, copy: Path, department: Department, settings: dict[str, str], register: list[str]
) -> None:
    department("sfzh, xm, je, qh", [[n, "陆", "1", "532622205000"] for n in register])
    ran = hub("source", "check", SQL, *WHO, "--dir", copy, **settings)
    assert ran.code == 1
    assert "ny paidFor 0 0 没有此列" in told(ran.out)
    assert "je amount 3 3 正常" in told(ran.out)


def test_a_missing_table_is_named(
    hub: Hub, copy: Path, settings: dict[str, str], tmp_path: Path
) -> None:
    sqlite3.connect(tmp_path / "butie.sqlite").execute("CREATE TABLE other (x)").connection.close()
    ran = hub("source", "check", SQL, *WHO, "--dir", copy, **settings)
    assert ran.code == 1
    assert told(ran.out) == [
        f"数据源 {SQL}（补贴台账）：应答",
        "",
        "数据集 butie（补贴）：不相符",
        "没有表 btff",
        "",
        "结论：不相符",
    ]


def test_a_source_that_is_not_there_is_one_line(
    hub: Hub, copy: Path, settings: dict[str, str]
) -> None:
    ran = hub("source", "check", SQL, *WHO, "--dir", copy, **settings)
    assert ran.code == 1
    assert told(ran.out) == [f"数据源 {SQL}（补贴台账）：未能应答", "", "结论：不相符"]


def test_a_file_without_a_data_set_says_so(
    hub: Hub, copy: Path, department: Department, settings: dict[str, str]
) -> None:
    department(COLUMNS, [])
    file = Path(settings["HUB_CATALOG_EXTRA_DIR"]) / f"{SQL}.toml"
    file.write_text(catalogue_file().partition("[[dataset]]")[0], encoding="utf-8")
    ran = hub("source", "check", SQL, *WHO, "--dir", copy, **settings)
    assert ran.code == 1
    assert told(ran.out)[1] == "目录中没有它的数据集：请加 [[dataset]]"


# ---- HTTP --------------------------------------------------------------------------------------


def http_file(column: str = "medfee_sumamt", table: str = "9162") -> str:
    blanks = ["医保二", "yb_two_set", "YbTwo", "结算", "结算", table, "psn_name", "certno", "two"]
    text = filled(HTTP, Kind.REST, "med", [*blanks, "total", column, "总额", "总额"])
    return text.replace('type = "string"', 'type = "money"')


@pytest.fixture
def http(county: Path, settings: dict[str, str]) -> Iterator[dict[str, str]]:
    """The settings with the medical-insurance department's real program as a further source."""
    with insurance(county / "sources" / "yb_settle.sqlite") as address:
        keys = {"HUB_SOURCES_YB_TWO": address, "HUB_SOURCE_KEYS_YB_TWO": "demo"}
        yield settings | keys | {"HUB_SOURCE_DEADLINE_S": "5"}


def put(settings: dict[str, str], text: str) -> None:
    folder = Path(settings["HUB_CATALOG_EXTRA_DIR"])
    (folder / f"{HTTP}.toml").write_text(text, encoding="utf-8")


def test_an_http_source_is_asked_about_people_of_the_register(
    hub: Hub, copy: Path, http: dict[str, str]
) -> None:
    put(http, http_file())
    ran = hub("source", "check", HTTP, *WHO, "--dir", copy, **http)
    assert (ran.code, ran.err) == (0, "")
    lines = told(ran.out)
    assert "数据集 yb_two_set（结算）：相符" in lines
    (total,) = [line.split() for line in lines if line.startswith("medfee_sumamt ")]
    assert int(total[2]) == int(total[3]) > 0
    assert total[4] == "正常"
    assert "539922" not in ran.out


def test_a_column_the_interface_does_not_send_is_named(
    hub: Hub, copy: Path, http: dict[str, str]
) -> None:
    put(http, http_file(column="no_such"))
    ran = hub("source", "check", HTTP, *WHO, "--dir", copy, **http)
    assert ran.code == 1
    assert "no_such total 0 0 没有此列" in told(ran.out)


def test_an_interface_that_knows_none_of_them_cannot_be_judged(
    hub: Hub, copy: Path, http: dict[str, str], tmp_path: Path
) -> None:
    put(http, http_file())
    empty = tmp_path / "empty.sqlite"
    with closing(sqlite3.connect(copy / "sources" / "yb_settle.sqlite")) as old:
        whole = [sql for (sql,) in old.execute("SELECT sql FROM sqlite_master WHERE sql NOT NULL")]
    with closing(sqlite3.connect(empty)) as made, made:
        made.executescript(";".join(whole))
    with insurance(empty) as address:
        given = http | {"HUB_SOURCES_YB_TWO": address}
        ran = hub("source", "check", HTTP, *WHO, "--dir", copy, **given)
    assert ran.code == 1
    assert "没有取得底册中任何人的行，不能核对" in told(ran.out)


def test_an_interface_that_is_closed_is_down(
    hub: Hub, copy: Path, http: dict[str, str], county: Path
) -> None:
    put(http, http_file())
    db = county / "sources" / "yb_settle.sqlite"
    command = [sys.executable, str(program()), "--db", str(db), "--clock", "23:45", "--watch-stdin"]
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as night:
        assert night.stdout is not None
        address = night.stdout.readline().removeprefix("ready ").strip()
        given = http | {"HUB_SOURCES_YB_TWO": address}
        ran = hub("source", "check", HTTP, *WHO, "--dir", copy, **given)
        night.terminate()
    assert ran.code == 1
    assert told(ran.out)[0] == f"数据源 {HTTP}（医保二）：未能应答"


# ---- GraphQL -----------------------------------------------------------------------------------


def graph_file(column: str = "icd10") -> str:
    blanks = [
        "卫健二",
        "wj_two_set",
        "WjTwo",
        "慢病",
        "慢病",
        "chronic_record",
        "name",
        "idCard",
        "two",
    ]
    return filled(GRAPH, Kind.GRAPHQL, "hea", [*blanks, "code", column, "编码", "编码"])


@pytest.fixture
def graph(county: Path, settings: dict[str, str]) -> Iterator[dict[str, str]]:
    """The settings with a subgraph over the health department's file as a further source."""
    with subgraph(county / "sources" / "wj_resident.sqlite") as running:
        keys = {"HUB_SOURCES_WJ_TWO": running.address, "HUB_SOURCE_KEYS_WJ_TWO": KEY}
        yield settings | keys | {"HUB_SOURCE_DEADLINE_S": "5"}


@pytest.mark.parametrize(
    ("words", "code", "line"),
    [
        (graph_file(), 0, "数据集 wj_two_set（慢病）：相符"),
        (graph_file("no_such"), 1, "no_such code 0 0 没有此列"),
        (graph_file().replace('"chronicRecords"', '"noSuch"'), 1, "没有表 chronic_record"),
        (graph_file().replace('"aid.review"', '"another"'), 1, "结论：不相符"),
        (graph_file().replace('"Bearer "', '"Basic "'), 1, f"数据源 {GRAPH}（卫健二）：未能应答"),
    ],
    ids=["fits", "column", "field", "masked numbers", "key"],
)
def test_a_subgraph_is_seen_as_it_is(
    hub: Hub, copy: Path, graph: dict[str, str], words: str, code: int, line: str
) -> None:
    (Path(graph["HUB_CATALOG_EXTRA_DIR"]) / f"{GRAPH}.toml").write_text(words, encoding="utf-8")
    ran = hub("source", "check", GRAPH, *WHO, "--dir", copy, **graph)
    assert (ran.code, ran.err) == (code, "")
    assert line in told(ran.out)
    assert "539922" not in ran.out
    if '"another"' in words:
        (key,) = [line for line in told(ran.out) if line.startswith("键：")]
        assert "有值 0" not in key
        assert "有效 0，" in key


# ---- who, and the record -----------------------------------------------------------------------


def records(copy: Path) -> list[dict[str, Any]]:
    with closing(sqlite3.connect(copy / "store.sqlite")) as store:
        rows = store.execute("SELECT body FROM audit_event ORDER BY idx").fetchall()
    bodies = [json.loads(body) for (body,) in rows]
    return [b for b in bodies if b.get("op", {}).get("name") == "source.check"]


def test_every_check_has_its_record(
    hub: Hub, copy: Path, department: Department, settings: dict[str, str], register: list[str]
) -> None:
    department(COLUMNS, [row(number) for number in register])
    before = len(records(copy))
    assert hub("source", "check", SQL, *WHO, "--dir", copy, **settings).code == 0
    *_, last = records(copy)
    assert len(records(copy)) == before + 1
    assert (last["kind"], last["outcome"], last["actor"]) == ("READ", "OK", "authority-01")
    assert (last["purpose"], last["op"]["vars"]) == ("admin", {"source": SQL})
    assert last["reads"] == [{"d": "butie", "src": SQL, "how": "tally", "n": 3, "s": 0}]
    assert "subjects" not in last
    assert "sought" not in last
    assert hub("audit", "verify", "--dir", copy).code == 0


def test_whose_numbers_a_department_was_handed_is_in_the_record(
    hub: Hub, copy: Path, http: dict[str, str]
) -> None:
    put(http, http_file())
    assert hub("source", "check", HTTP, *WHO, "--dir", copy, **http).code == 0
    *_, last = records(copy)
    assert len(last["sought"]) == PEOPLE
    assert "subjects" not in last
    assert hub("audit", "verify", "--dir", copy).code == 0


def test_a_check_that_failed_has_its_record_too(
    hub: Hub, copy: Path, settings: dict[str, str]
) -> None:
    assert hub("source", "check", SQL, *WHO, "--dir", copy, **settings).code == 1
    assert records(copy)[-1]["outcome"] == "FAILED"
    assert "reads" not in records(copy)[-1]


def test_what_cannot_be_recorded_is_not_told(
    hub: Hub, copy: Path, department: Department, settings: dict[str, str], register: list[str]
) -> None:
    department(COLUMNS, [row(number) for number in register])
    with closing(sqlite3.connect(copy / "store.sqlite")) as store, store:
        store.execute("DROP TABLE audit_event")
    ran = hub("source", "check", SQL, *WHO, "--dir", copy, **settings)
    assert (ran.code, ran.out) == (3, "")
    assert len(ran.err.splitlines()) == 1


@pytest.mark.parametrize("account", ["zhelai-town-01", "auditor-01", "nobody"])
def test_whoever_does_not_answer_for_sources_is_refused_unasked(
    hub: Hub, copy: Path, settings: dict[str, str], account: str
) -> None:
    ran = hub("source", "check", SQL, "--as", account, "--dir", copy, **settings)
    assert (ran.code, ran.out) == (2, "")
    assert ran.err == f"账号 `{account}` 不能核对数据源：今日须任系统管理员或数据主管岗位\n"
    assert [r for r in records(copy) if r["actor"] == account] == []


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("nowhere", "没有数据源 `nowhere`：hub source list 列出全部\n"),
        ("hub", "数据源 `hub` 是中枢自有库：由 hub doctor 检查\n"),
        ("audit", "数据源 `audit` 是中枢自有库：由 hub doctor 检查\n"),
    ],
)
def test_only_departments_are_checked(hub: Hub, copy: Path, name: str, said: str) -> None:
    ran = hub("source", "check", name, *WHO, "--dir", copy)
    assert (ran.code, ran.out, ran.err) == (2, "", said)
