"""``hub source list`` and ``ping``: who answers, who does not and why; nobody waits."""

from __future__ import annotations

import hashlib
import json
import shutil
import socket
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from adapters.drops.snapshot import shapes
from adapters.fit import NO_ROWS, REFUSED, UNSEEN
from adapters.health import State
from catalog.datasets import Kind
from catalog.load import load
from hub.cli.source import SAID
from hub.source_form import form

pytestmark = pytest.mark.loopback

Hub = Callable[..., Any]
ALL_DAY = "00:00-23:59:59.999999"


@pytest.fixture
def silent() -> Iterator[int]:
    """The port of a server that takes calls and never answers."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield int(server.getsockname()[1])


@pytest.fixture
def dead() -> int:
    """A port nobody listens at."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        return int(server.getsockname()[1])


def http_source(folder: Path, name: str) -> None:
    """A catalogue file of a further HTTP source, with the form's blanks filled."""
    text = form(load(), name, Kind.REST, "med").replace('person_name = ""\n', "")
    kind = "".join(word.capitalize() for word in name.split("_"))
    values = iter(
        [name, name, kind, "外部", "外部", "9162", "certno", name, "f", "c", "字段", "字段"]
    )
    lines = []
    for line in text.splitlines():
        blank = '""' in line and not line.startswith("#")
        lines.append(line.replace('""', f'"{next(values)}"') if blank else line)
    (folder / f"{name}.toml").write_text("\n".join(lines), encoding="utf-8")


@pytest.fixture
def extra(tmp_path: Path, dead: int, silent: int) -> dict[str, str]:
    """Settings with two further HTTP sources: one is not there, one hangs; and one unconnected."""
    folder = tmp_path / "departments"
    folder.mkdir()
    for name in ("away", "hangs", "later"):
        http_source(folder, name)
    return {
        "HUB_CATALOG_EXTRA_DIR": str(folder),
        "HUB_SOURCES_AWAY": f"http://127.0.0.1:{dead}",
        "HUB_SOURCES_HANGS": f"http://127.0.0.1:{silent}",
        "HUB_SOURCE_DEADLINE_S": "1",
        "HUB_OUTAGES_WFGZ": ALL_DAY,
    }


def line(text: str, name: str) -> list[str]:
    (found,) = [ln.split() for ln in text.splitlines() if ln.split()[0] == name]
    return found


def _untimed(words: list[str]) -> list[str]:
    """A line of the list without its name and its milliseconds, which must be a number."""
    assert words[4].isdigit()
    return [*words[1:4], *words[5:]]


def test_every_source_is_listed_with_how_it_stands(
    hub: Hub, county: Path, extra: dict[str, str]
) -> None:
    ran = hub("source", "list", "--dir", county, **extra)
    assert (ran.code, ran.err) == (0, "")
    head, *rows = ran.out.splitlines()
    assert head.split() == [
        *("名称", "部门", "种类", "状态", "毫秒", "数据时点", "今日次数", "停机时段", "数据集"),
    ]
    assert [row.split()[0] for row in rows] == [
        *("audit", "audit_proof", "hub", "jt_xueji", "mz_assist", "rs_jiuye", "sj_exchange"),
        *("source_status", "sw_gongcheng", "wfgz", "wj_resident", "xczx_monitor", "yb_settle"),
        *("away", "hangs", "later"),
    ]
    told = {row.split()[0]: _untimed(row.split()) for row in rows}
    assert told["jt_xueji"][:3] == ["edu", "files", "应答"]
    assert told["jt_xueji"][3].removesuffix("（逾期）") == "2026-11-01T00:00"
    assert told["away"] == ["med", "rest", "未能应答", "—", "—", "—", "away"]
    assert told["hangs"] == ["med", "rest", "应答超时", "—", "—", "—", "hangs"]
    assert told["later"] == ["med", "rest", "尚未接入", "—", "—", "—", "later"]
    assert (told["wfgz"][2], told["wfgz"][5]) == ("停机时段", "00:00-23:59")
    # It was asked whether it is there, and that is a call, too.
    used, limit = told["sj_exchange"][4].split("/")
    assert (int(used) >= 1, limit) == (True, "5000")
    assert int(told["rs_jiuye"][4]) >= 1
    assert line(ran.out, "yb_settle")[3] == "应答"


def test_a_source_of_files_is_listed_with_the_age_of_its_oldest_list(
    hub: Hub, county: Path, extra: dict[str, str], tmp_path: Path
) -> None:
    copy = shutil.copytree(county, tmp_path / "county")
    spec = load(Path(extra["HUB_CATALOG_EXTRA_DIR"])).sources["later"]
    drop = tmp_path / "drop"
    drop.mkdir()
    (shape,) = shapes(spec)
    content = f"{','.join(shape.columns)}\n{','.join('x' for _ in shape.columns)}\n".encode()
    (drop / "a.csv").write_bytes(content)
    manifest = {"table": shape.table, "file": "a.csv", "as_of": "2020-01-31", "rows": 1}
    manifest |= {"encoding": "utf-8", "sha256": hashlib.sha256(content).hexdigest()}
    (drop / "a.manifest.json").write_text(json.dumps(manifest), encoding="utf-8")
    given = extra | {"HUB_SOURCES_LATER": f"files://{drop}"}
    before = hub("source", "list", "--dir", copy, **given)
    assert line(before.out, "later")[3:6:2] == ["未能应答", "—"]
    assert hub("source", "sync", "later", "--dir", copy, **given).code == 0
    after = hub("source", "list", "--dir", copy, **given)
    assert line(after.out, "later")[3:6:2] == ["应答", "2020-01-31T00:00（逾期）"]
    told = json.loads(hub("source", "list", "--dir", copy, "--json", **given).out)
    (found,) = [row for row in told if row["name"] == "later"]
    assert (found["asOf"], found["stale"]) == ("2020-01-31T00:00:00+08:00", True)


def test_the_list_for_programs(hub: Hub, county: Path) -> None:
    ran = hub("source", "list", "--dir", county, "--json")
    (found,) = [row for row in json.loads(ran.out) if row["name"] == "yb_settle"]
    assert found.pop("latencyMs") >= 0
    assert found == {
        "name": "yb_settle",
        "title": "医疗保障结算系统",
        "department": "med",
        "kind": "rest",
        "state": "ANSWERS",
        "asOf": None,
        "stale": None,
        "quotaLimit": None,
        "quotaUsed": None,
        "outage": None,
        "datasets": ["medical_enrolment", "medical_settlement", "medical_self_pay"],
    }


def test_all_answer_is_0(hub: Hub, county: Path) -> None:
    ran = hub("source", "ping", "mz_assist", "yb_settle", "--dir", county)
    assert (ran.code, ran.err) == (0, "")
    head, first, second = ran.out.splitlines()
    assert head.split() == ["名称", "状态", "毫秒", "原因"]
    for told, name in ((first, "mz_assist"), (second, "yb_settle")):
        assert told.split()[:2] == [name, "应答"]
        assert told.split()[2].isdigit()
        assert told.split()[3] == "—"


def test_each_that_does_not_answer_is_told_with_its_reason(
    hub: Hub, county: Path, extra: dict[str, str]
) -> None:
    ran = hub("source", "ping", "--dir", county, **extra)
    assert (ran.code, ran.err) == (1, "")
    for name, said, reason in (
        ("away", "未能应答", "DOWN"),
        ("hangs", "应答超时", "TIMEOUT"),
        ("later", "尚未接入", "NOT_CONNECTED"),
        ("wfgz", "停机时段", "OUTAGE_WINDOW"),
        ("hub", "应答", "—"),
    ):
        told = line(ran.out, name)
        assert [told[0], told[1], told[3]] == [name, said, reason]


def test_one_that_hangs_delays_nobody(hub: Hub, county: Path, extra: dict[str, str]) -> None:
    slow = extra | {"HUB_SOURCE_DEADLINE_S": "3"}
    ran = hub("source", "ping", "hangs", "hub", "away", "later", "--dir", county, "--json", **slow)
    assert ran.code == 1
    hangs, store, away, later = json.loads(ran.out)
    assert (hangs["name"], hangs["answers"], hangs["reason"]) == ("hangs", False, "TIMEOUT")
    assert 2_900 < hangs["latencyMs"] < 6_000
    assert store["answers"]
    assert all(one["latencyMs"] < 2_900 for one in (store, away, later))


def test_a_file_that_is_no_database_is_down(hub: Hub, county: Path, tmp_path: Path) -> None:
    copy = shutil.copytree(county, tmp_path / "county")
    file = copy / "sources/wj_resident.sqlite"
    file.write_bytes(b"no database" * 100)
    ran = hub("source", "ping", "wj_resident", "--dir", copy)
    assert ran.code == 1
    told = line(ran.out, "wj_resident")
    assert [told[1], told[3]] == ["未能应答", "DOWN"]


def test_a_name_nobody_knows_is_usage(hub: Hub, county: Path) -> None:
    ran = hub("source", "ping", "mz_asist", "--dir", county)
    assert (ran.code, ran.out) == (2, "")
    assert ran.err == "没有数据源 `mz_asist`：hub source list 列出全部\n"


def test_a_database_that_hangs_is_given_up_as_well(
    hub: Hub, county: Path, extra: dict[str, str], silent: int, tmp_path: Path
) -> None:
    file = tmp_path / "departments" / "hangs.toml"
    # The address decides, not the kind.
    assert 'kind = "rest"' in file.read_text(encoding="utf-8")
    given = extra | {"HUB_SOURCES_HANGS": f"postgresql+asyncpg://a:geheim@127.0.0.1:{silent}/x"}
    begun = time.monotonic()
    ran = hub("source", "ping", "hangs", "hub", "--dir", county, **given)
    assert time.monotonic() - begun < 20
    assert ran.code == 1
    assert [line(ran.out, "hangs")[n] for n in (1, 3)] == ["应答超时", "TIMEOUT"]
    assert line(ran.out, "hub")[1] == "应答"
    assert "geheim" not in ran.out + ran.err


@pytest.mark.parametrize(("name", "said"), [("away", "未能应答"), ("hangs", "应答超时")])
def test_a_check_of_one_that_does_not_answer_is_one_line(
    hub: Hub, county: Path, extra: dict[str, str], tmp_path: Path, name: str, said: str
) -> None:
    copy = shutil.copytree(county, tmp_path / "county")
    ran = hub("source", "check", name, "--as", "authority-01", "--dir", copy, **extra)
    assert (ran.code, ran.err) == (1, "")
    assert ran.out.splitlines() == [f"数据源 {name}（{name}）：{said}", "", "结论：不相符"]


def test_every_state_and_reason_has_its_words() -> None:
    assert {*State, REFUSED, NO_ROWS, UNSEEN} == {*SAID}
