"""hub/cli/compare.py: rules run by hand, and what there is."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest

from hub.demo.site import Site
from tests.comparisons import planted
from tests.sites import copied

Run = Callable[..., Any]
DAY = ("--as-of", "2026-11-01")


@pytest.fixture(scope="module")
def desk(site: Site, tmp_path_factory: pytest.TempPathFactory) -> Site:
    """A demonstration of one's own, to be compared."""
    return copied(site, tmp_path_factory.mktemp("compare") / "site")


@pytest.mark.loopback
def test_a_rule_is_run_and_listed_and_nobody_named(hub: Run, desk: Site) -> None:
    where = ("--dir", desk.folder)
    ran = hub("compare", "run", "--rule", "R06", *DAY, *where)
    assert (ran.code, ran.err) == (0, "")
    hits = sum(result == "HIT" for result in planted(desk, "R06").values())
    first, second = ran.out.splitlines()
    assert first == (
        f"BD2026-000001 R06 完整：{desk.people} 人，命中 {hits}，新增线索 {hits}，已有 0，抑制 0，"
        "未能判断 0"
    )
    again = json.loads(hub("compare", "run", "--rule", "R06", *DAY, *where, "--json").out)
    assert [(one["run_no"], one["standing"]) for one in again] == [("BD2026-000002", hits)]
    assert second == f"摘要 {again[0]['digest']}"

    listed = hub("compare", "list", *where)
    assert listed.code == 0
    head, newest, oldest, visits = listed.out.splitlines()
    assert head.split()[:3] == ["批次", "规则", "月份"]
    assert [line.split()[0] for line in (newest, oldest)] == ["BD2026-000002", "BD2026-000001"]
    assert visits == "R06 入户核实：属实 0，不属实 0"
    told = json.loads(hub("compare", "list", *where, "--json").out)
    assert told["clues"] == {"R06": {"OPEN": hits}}
    assert [run["as_of"] for run in told["runs"]] == ["2026-11-01"] * 2


def test_what_cannot_be_run_is_one_line(hub: Run, desk: Site) -> None:
    where = ("--dir", desk.folder)
    assert hub("compare", "run", "--as-of", "5 November", *where).code == 2
    assert hub("compare", "run", "--as-of", "2999-01-01", *where).code == 2
    unknown = hub("compare", "run", "--rule", "R99", *DAY, *where)
    assert (unknown.code, unknown.out) == (1, "")
    assert "没有有效的规则 R99" in unknown.err
    early = hub("compare", "run", "--as-of", "2020-01-01", *where)
    assert (early.code, "没有有效的规则" in early.err) == (1, True)


def test_without_a_store_the_operator_is_asked(hub: Run, production: dict[str, str]) -> None:
    gone = production | {"HUB_STORE_URL": "postgresql+asyncpg://hub@127.0.0.1:1/none"}
    ran = hub("compare", "list", **gone)
    assert (ran.code, ran.out) == (3, "")
    assert "数据库无法连接" in ran.err


@pytest.mark.loopback
def test_the_month_is_a_job_among_the_others(hub: Run, desk: Site) -> None:
    listed = json.loads(hub("job", "list", "--dir", desk.folder, "--json").out)
    assert "comparison" in [one["name"] for one in listed]
    ran = hub("job", "run", "comparison", "--dir", desk.folder)
    assert ran.code == 0
    assert ran.out.startswith("comparison：处理 ")
