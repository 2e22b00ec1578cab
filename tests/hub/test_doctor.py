"""``hub doctor``: everything in order is 0; each planted fault is named with its remedy."""

from __future__ import annotations

import contextlib
import shutil
import sqlite3
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from audit.note import Cosigner

Hub = Callable[..., Any]
WITNESSES = (("audit.invalid/w1", bytes(32)), ("audit.invalid/w2", bytes(range(32))))


@pytest.fixture
def copy(county: Path, tmp_path: Path) -> Path:
    return shutil.copytree(county, tmp_path / "county")


def wrong(text: str) -> list[str]:
    return [line for line in text.splitlines() if not line.startswith("[正常] ")]


def test_a_demonstration_in_order_passes(hub: Hub, county: Path) -> None:
    ran = hub("doctor", "--dir", county)
    assert ran.err == ""
    # A full disk of the machine that runs the tests is not the demonstration's fault.
    assert [line for line in wrong(ran.out) if "磁盘" not in line] == []
    assert ran.code == (1 if wrong(ran.out) else 0)
    named = [line.split()[2] for line in ran.out.splitlines() if " 数据源 " in line]
    assert named == sorted(named)
    assert len(named) == 13  # nine departments; the hub's store, log, proofs and sources' states
    assert "[正常] 数据源 yb_settle" in ran.out  # its program was started for the question


def test_plain_text_across_a_network_is_a_warning_and_no_fault(
    hub: Hub, production: dict[str, str]
) -> None:
    given = {
        "HUB_SOURCES_YB_SETTLE": "http://192.0.2.7:9001",
        "HUB_SOURCES_AWAY": "https://192.0.2.8",
        "HUB_WITNESS_URLS": "http://127.0.0.1:1 http://witness.invalid",
        "HUB_WITNESS_KEYS": " ".join(Cosigner(n, s).verifier.vkey for n, s in WITNESSES),
        "HUB_ALERTS_WEBHOOK_URL": "http://192.0.2.9/geheim",
        "HUB_ALERTS_WEBHOOK_KEY": "0" * 64,
    }
    ran = hub("doctor", **production, **given)
    warned = [line for line in ran.out.splitlines() if line.startswith("[注意] ")]
    remedy = "以明文 http:// 访问：请改用 https://；暂不能改的，只经专线访问"
    assert warned == [
        f"[注意] sources.yb_settle {remedy}",
        f"[注意] alerts.webhook_url {remedy}",
        f"[注意] witness.urls[1] {remedy}",
    ]
    assert "geheim" not in ran.out


@pytest.mark.parametrize("missing", ["", "opentelemetry.exporter", "opentelemetry.exporter.otlp"])
def test_a_way_out_for_telemetry_whose_extra_is_missing_is_named(
    hub: Hub, production: dict[str, str], monkeypatch: pytest.MonkeyPatch, missing: str
) -> None:
    given = {
        "HUB_TELEMETRY_OTLP_URL": "http://192.0.2.7:4318",
        "HUB_TELEMETRY_METRICS": "127.0.0.1",
    }
    if missing:
        for name in [n for n in sys.modules if n.startswith(missing)]:
            monkeypatch.delitem(sys.modules, name)
        monkeypatch.setitem(sys.modules, missing, None)  # as if it were not installed
    ran = hub("doctor", **production, **given)
    told = [line for line in ran.out.splitlines() if " telemetry." in line]
    otlp, scraped = "telemetry.otlp_url", "telemetry.metrics"
    remedy = "请安装附加包：pip install 'data-sharing-hub[{}]'".format
    plain = f"[注意] {otlp} 以明文 http:// 访问：请改用 https://；暂不能改的，只经专线访问"
    assert told == [
        plain,
        f"[异常] {otlp}：{remedy('otlp')}" if missing else f"[正常] {otlp}",
        f"[异常] {scraped}：{remedy('prometheus')}"
        if missing == "opentelemetry.exporter"
        else f"[正常] {scraped}",
    ]


@pytest.mark.parametrize("source", ["mz_assist", "wfgz"])
def test_a_missing_source_is_named(hub: Hub, copy: Path, source: str) -> None:
    (copy / f"sources/{source}.sqlite").unlink()
    ran = hub("doctor", "--dir", copy)
    assert ran.code == 1
    (line,) = [line for line in wrong(ran.out) if "数据源" in line]
    assert line.startswith(f"[异常] 数据源 {source}：")
    assert line.endswith("尚未接入")


def test_an_older_store_is_named_with_the_verb_that_mends_it(hub: Hub, copy: Path) -> None:
    connection = sqlite3.connect(copy / "store.sqlite")
    connection.execute("UPDATE alembic_version SET version_num = 'older'")
    connection.commit()
    connection.close()
    ran = hub("doctor", "--dir", copy)
    assert ran.code == 1
    assert "[异常] 数据库版本 older：请运行 hub db upgrade" in wrong(ran.out)


def test_a_store_without_tables_is_named(hub: Hub, production: dict[str, str]) -> None:
    ran = hub("doctor", **production)
    assert ran.code == 1
    assert "[异常] 数据库版本 空：请运行 hub db upgrade" in wrong(ran.out)


def test_a_store_that_does_not_answer_is_named(hub: Hub, production: dict[str, str]) -> None:
    away = production | {"HUB_STORE_URL": "postgresql+asyncpg://hub:geheim@127.0.0.1:1/hub"}
    ran = hub("doctor", **away)
    assert ran.code == 1
    assert "[异常] 数据库：无法连接：请检查 store.url" in wrong(ran.out)
    assert "geheim" not in ran.out + ran.err


def test_missing_keys_are_named(hub: Hub, production: dict[str, str], tmp_path: Path) -> None:
    ran = hub("doctor", **production)
    assert ran.code == 1
    (line,) = [line for line in wrong(ran.out) if "密钥" in line]
    assert "issuer.pem" in line
    assert not (tmp_path / "keys").exists()  # production makes none


def test_a_readable_key_is_named(hub: Hub, copy: Path) -> None:
    (copy / "keys/identity.key").chmod(0o644)
    ran = hub("doctor", "--dir", copy)
    assert ran.code == 1
    assert [line for line in wrong(ran.out) if "chmod 600" in line]


def test_a_broken_word_of_a_department_is_named(
    hub: Hub, production: dict[str, str], tmp_path: Path
) -> None:
    (tmp_path / "extra").mkdir()
    (tmp_path / "extra/new.toml").write_text("[source]\nname = 'new'\nkind = 'fax'\n")
    ran = hub("doctor", **production, HUB_CATALOG_EXTRA_DIR=str(tmp_path / "extra"))
    assert ran.code == 1
    (line,) = [line for line in wrong(ran.out) if "目录" in line]
    assert line.startswith("[异常] 目录：new.toml: source.")


def apart(copy: Path) -> dict[str, str]:
    """The settings of a demonstration whose cases lie in a copy of its store."""
    shutil.copy(copy / "store.sqlite", copy / "cases.sqlite")
    placed = {f"HUB_PLACED_{name}": "cases" for name in ("CASE", "SUPERVISION_ORDER")}
    return placed | {"HUB_SOURCES_CASES": f"sqlite+aiosqlite:///{copy / 'cases.sqlite'}"}


def test_what_is_placed_is_shown_with_its_source(hub: Hub, copy: Path) -> None:
    ran = hub("doctor", "--dir", copy, **apart(copy))
    assert "[正常] 存放在数据源 cases 的数据集 case、supervision_order" in ran.out
    assert "[正常] 数据源 cases\n" in ran.out
    assert [line for line in wrong(ran.out) if "磁盘" not in line] == []


def test_a_placed_source_of_an_older_version_is_named(hub: Hub, copy: Path) -> None:
    given = apart(copy)
    with contextlib.closing(sqlite3.connect(copy / "cases.sqlite")) as connection, connection:
        connection.execute("UPDATE alembic_version SET version_num = 'older'")
    ran = hub("doctor", "--dir", copy, **given)
    assert ran.code == 1
    (line,) = [line for line in wrong(ran.out) if "磁盘" not in line]
    assert line.startswith(
        "[异常] 存放在数据源 cases 的数据集 case、supervision_order："
        "数据源 cases 的数据库版本为 older，"
    )


def test_a_placed_source_that_is_gone_is_named(hub: Hub, copy: Path) -> None:
    given = apart(copy)
    (copy / "cases.sqlite").unlink()
    ran = hub("doctor", "--dir", copy, **given)
    assert ran.code == 1
    (line,) = [line for line in wrong(ran.out) if "磁盘" not in line]
    assert line.startswith("[异常] 数据源 cases：中枢自有库（cases）未能应答")


def test_a_data_set_that_cannot_be_placed_is_named(hub: Hub, copy: Path) -> None:
    given = apart(copy) | {"HUB_PLACED_DIVISION": "cases"}
    ran = hub("doctor", "--dir", copy, **given)
    assert ran.code == 1
    (line,) = [line for line in wrong(ran.out) if "磁盘" not in line]
    assert line.startswith("[异常] 设置：设置 `placed.division` 的值 `cases` 无法使用")


def test_wrong_settings_are_named(hub: Hub) -> None:
    ran = hub("doctor", HUB_PORT="many")
    assert (ran.code, ran.err) == (1, "")
    (line,) = wrong(ran.out)
    assert line.startswith("[异常] 设置：")
    assert "`many`" in line


def test_a_folder_without_a_demonstration_is_the_operators(hub: Hub) -> None:
    ran = hub("doctor", "--dir", "nowhere")
    assert (ran.code, ran.out) == (3, "")
    assert ran.err == "目录 nowhere 中没有演示数据：请先运行 hub demo\n"
