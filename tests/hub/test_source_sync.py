"""hub/cli/source_sync.py: what the operator and the timer's log are told, and the exit codes."""

from __future__ import annotations

import hashlib
import json
import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from adapters.drops.snapshot import deliveries, shapes
from adapters.identity import with_check_digit
from catalog.load import load
from hub.cli import cli
from hub.settings import SettingsError
from store import migrate

TABLE = "疑似辍学"
NUMBER = with_check_digit("53992220150101001")
Sync = Callable[..., Result]


@pytest.fixture
def drop(tmp_path: Path) -> Path:
    folder = tmp_path / "drop"
    folder.mkdir()
    return folder


@pytest.fixture
def sync(tmp_path: Path, drop: Path, monkeypatch: pytest.MonkeyPatch) -> Sync:
    """``sync("jt_xueji", "--json")`` under settings in which 教体 drops files."""
    settings = tmp_path / "hub.toml"
    settings.write_text(
        f'data_dir = "data"\nissuer = "https://idp.invalid"\n'
        f'[store]\nurl = "sqlite+aiosqlite:///{tmp_path}/store.sqlite"\n'
        f'[sources]\njt_xueji = "files://{drop}"\nwfgz = "sqlite+aiosqlite:///{tmp_path}/w.sqlite"\n',
        encoding="utf-8",
    )
    monkeypatch.setenv("HUB_CONFIG", str(settings))
    migrate.upgrade(f"sqlite+aiosqlite:///{tmp_path}/store.sqlite")

    def called(*words: str) -> Result:
        return CliRunner().invoke(cli, ["source", "sync", *words])

    return called


def _records(folder: Path) -> list[dict[str, Any]]:
    """What the log says of loads, in order."""
    with closing(sqlite3.connect(folder / "store.sqlite")) as store:
        rows = store.execute("SELECT body FROM audit_event ORDER BY idx").fetchall()
    bodies = [json.loads(body) for (body,) in rows]
    return [body for body in bodies if body["kind"] == "MUTATION"]


def _standing(folder: Path) -> list[tuple[str, int]]:
    found = deliveries(folder / "data" / "snapshots" / "jt_xueji.sqlite")
    return [(one.file, one.rows) for one in found if one.current]


def _deliver(folder: Path, file: str, **said: Any) -> None:
    (shape,) = [s for s in shapes(load().sources["jt_xueji"]) if s.table == TABLE]
    row = dict.fromkeys(shape.columns, "") | {"姓名": "陆云", "身份证号": NUMBER}
    lines = ["名单", ",".join(shape.columns), ",".join(row.values())]  # the header is line 2
    content = "\n".join([*lines, ""]).encode("gb18030")
    told = {"table": "dropout", "file": file, "as_of": "2026-10-31", "rows": 1}
    told |= {"encoding": "gb18030", "sha256": hashlib.sha256(content).hexdigest()} | said
    (folder / file).write_bytes(content)
    (folder / f"{file}.manifest.json").write_text(json.dumps(told), encoding="utf-8")


def test_a_good_delivery_is_told_and_loaded_once(sync: Sync, drop: Path, tmp_path: Path) -> None:
    _deliver(drop, "a.csv")
    (drop / "b.csv").write_text("on its way", encoding="utf-8")
    first, second = sync("jt_xueji"), sync("jt_xueji")
    assert (first.exit_code, second.exit_code) == (0, 0)
    assert first.output.splitlines() == [
        "a.csv.manifest.json：已载入 1 行，数据时点 2026-10-31T00:00+08:00",
        "b.csv：尚无清单，等待",
    ]
    assert "a.csv.manifest.json：此前已载入 1 行" in second.output
    assert len(deliveries(tmp_path / "data" / "snapshots" / "jt_xueji.sqlite")) == 1


def test_a_bad_one_is_named_and_the_good_one_loaded(sync: Sync, drop: Path) -> None:
    _deliver(drop, "a.csv")
    _deliver(drop, "b.csv", rows=2, as_of="2026-11-01")
    told = sync("jt_xueji")
    assert told.exit_code == 1
    assert told.output.splitlines() == [
        "a.csv.manifest.json：已载入 1 行，数据时点 2026-10-31T00:00+08:00",
        "b.csv.manifest.json：未载入 COUNT b.csv：有 1 行，少于清单所写的 2 行",
    ]
    assert NUMBER not in told.output


def test_programs_read_the_same(sync: Sync, drop: Path) -> None:
    _deliver(drop, "a.csv", encoding="utf-8")
    told = sync("jt_xueji", "--json")
    assert told.exit_code == 1
    assert json.loads(told.output) == {
        "source": "jt_xueji",
        "failed": None,
        "deliveries": [
            {
                "manifest": "a.csv.manifest.json",
                "fate": "REFUSED",
                "table": TABLE,
                "asOf": "2026-10-31T00:00:00+08:00",
                "rows": 1,
                "reason": "CHARSET",
                "message": "a.csv 第 1 行：不是 utf-8 编码",
                "file": "a.csv",
                "line": 1,
                "column": None,
            }
        ],
        "waiting": [],
    }


@pytest.mark.parametrize(
    ("name", "code", "said"),
    [
        ("nothing", 2, "没有数据源 nothing"),
        ("wfgz", 3, "数据源 wfgz 不以文件送达：请把 sources.wfgz 写作 files:///送达目录"),
        ("mz_assist", 3, "数据源 mz_assist 不以文件送达"),
    ],
)
def test_what_cannot_be_synced_says_why(name: str, code: int, said: str, sync: Sync) -> None:
    told = sync(name)
    assert told.exit_code == code
    assert said in told.output


def test_a_relative_folder_stops_at_the_settings(
    sync: Sync, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HUB_SOURCES_JT_XUEJI", "files://drop")
    told = sync("jt_xueji")
    assert isinstance(told.exception, SettingsError)
    assert "送达目录须是绝对路径，如 files:///srv/drop/jt_xueji" in str(told.exception)


# ---- what is recorded


def test_each_load_and_each_refusal_has_its_record(sync: Sync, drop: Path, tmp_path: Path) -> None:
    _deliver(drop, "陆云.csv")
    _deliver(drop, "b.csv", rows=2, as_of="2026-11-01")
    (drop / "c.manifest.json").write_text("not JSON", encoding="utf-8")
    assert sync("jt_xueji").exit_code == 1
    bad, loaded, refused = _records(tmp_path)
    manifest = json.loads((drop / "陆云.csv.manifest.json").read_text(encoding="utf-8"))
    assert (loaded["outcome"], loaded["org"], loaded["purpose"]) == ("OK", "edu", "sync")
    assert loaded["op"] == {
        "name": "source.sync",
        "type": "command",
        "vars": {
            "source": "jt_xueji",
            "fate": "LOADED",
            "table": TABLE,
            "as_of": "2026-10-31T00:00:00+08:00",
            "rows": 1,
            "sha256": manifest["sha256"],
        },
    }
    said = refused["op"]["vars"]
    assert (refused["outcome"], said["fate"], said["reason"]) == ("INVALID", "REFUSED", "COUNT")
    assert bad["op"]["vars"] == {"source": "jt_xueji", "fate": "REFUSED", "reason": "MANIFEST"}
    assert "陆云" not in json.dumps(_records(tmp_path), ensure_ascii=False)


def test_a_timer_that_finds_nothing_new_writes_nothing(
    sync: Sync, drop: Path, tmp_path: Path
) -> None:
    _deliver(drop, "a.csv")
    sync("jt_xueji")
    with closing(sqlite3.connect(tmp_path / "store.sqlite")) as store:
        ((before,),) = store.execute("SELECT count(*) FROM audit_event")
        assert sync("jt_xueji").exit_code == 0
        ((after,),) = store.execute("SELECT count(*) FROM audit_event")
    assert (len(_records(tmp_path)), after) == (1, before)


def test_what_cannot_be_recorded_does_not_stand(sync: Sync, drop: Path, tmp_path: Path) -> None:
    _deliver(drop, "a.csv")
    sync("jt_xueji")
    _deliver(drop, "b.csv", as_of="2026-11-01")
    store = tmp_path / "store.sqlite"
    store.rename(tmp_path / "away.sqlite")
    told = sync("jt_xueji")
    assert told.exit_code == 3
    assert "AUDIT_UNAVAILABLE" in told.output
    assert _standing(tmp_path) == [("a.csv", 1)]
    assert list((tmp_path / "data" / "snapshots").glob(".*part*")) == []
    store.unlink(missing_ok=True)
    (tmp_path / "away.sqlite").rename(store)
    assert sync("jt_xueji").exit_code == 0
    assert _standing(tmp_path) == [("b.csv", 1)]
    assert [one["op"]["vars"]["as_of"][:10] for one in _records(tmp_path)] == [
        "2026-10-31",
        "2026-11-01",
    ]


# ---- all of them


def test_all_takes_in_every_folder_and_one_that_is_gone_keeps_nobody_waiting(
    sync: Sync, drop: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    _deliver(drop, "a.csv")
    monkeypatch.setenv("HUB_SOURCES_MZ_ASSIST", f"files://{tmp_path}/gone")
    told = sync("--all")
    assert told.exit_code == 1
    assert sorted(told.output.splitlines()) == [
        "jt_xueji：a.csv.manifest.json：已载入 1 行，数据时点 2026-10-31T00:00+08:00",
        f"mz_assist：送达目录 {tmp_path}/gone 不存在或不可读：请检查路径与权限",
    ]
    told = sync("--all", "--json")
    found = {
        one["source"]: (one["failed"], len(one["deliveries"])) for one in json.loads(told.output)
    }
    assert found["jt_xueji"] == (None, 1)
    assert found["mz_assist"] == (f"送达目录 {tmp_path}/gone 不存在或不可读：请检查路径与权限", 0)


def test_a_name_or_all_and_not_both(sync: Sync) -> None:
    for words in ((), ("jt_xueji", "--all")):
        told = sync(*words)
        assert (told.exit_code, told.output) == (2, "请给出一个数据源的名称，或 --all\n")


def test_all_of_none_says_so(sync: Sync, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HUB_SOURCES_JT_XUEJI", f"sqlite+aiosqlite:///{tmp_path}/x.sqlite")
    told = sync("--all")
    assert told.exit_code == 3
    assert told.output == "没有以文件送达的数据源：请把 sources.名称 写作 files:///送达目录\n"
