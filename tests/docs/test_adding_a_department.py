"""The page is executed: its files are written as they stand, its command runs as it stands."""

from __future__ import annotations

import json
import shutil
import sqlite3
import tomllib
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import httpx
import pytest

from hub.app import create_app
from hub.demo.run import started
from hub.demo.site import FOLDER, Site

pytestmark = [pytest.mark.anyio, pytest.mark.loopback]

PAGE = "docs/adding-a-department.md"
SOURCE, DATASET = "mz_canbu", "disability_allowance"


@pytest.fixture
def office(page: Callable[[str], Any], desk: Path, tmp_path: Path) -> Path:
    """A folder with everything the page makes; the settings' line is the page's own."""
    told = page(PAGE)
    (sql,), (source, settings) = told.blocks("sql"), told.blocks("toml")
    with sqlite3.connect(tmp_path / f"{SOURCE}.sqlite") as department:
        department.executescript(sql)
    department.close()
    (tmp_path / "departments").mkdir()
    (tmp_path / "departments" / f"{SOURCE}.toml").write_text(source, encoding="utf-8")
    (tmp_path / "hub.toml").write_text(settings, encoding="utf-8")
    (tmp_path / "question.graphql").write_text(told.blocks("graphql")[0], encoding="utf-8")
    (tmp_path / "question.variables.json").write_text(told.blocks("json")[0], encoding="utf-8")
    shutil.copytree(desk / FOLDER, tmp_path / FOLDER)
    return tmp_path


@pytest.fixture
def own_site(office: Path, site: Site) -> Site:
    return Site(office / FOLDER, site.scale, site.people, site.demonstrations)


async def _asked(
    site: Site, office: Path, account: str, settings: Mapping[str, str]
) -> tuple[dict[str, Any], int]:
    """The answer of the page's question, and how often the new department was asked."""
    variables = json.loads((office / "question.variables.json").read_text(encoding="utf-8"))
    query = (office / "question.graphql").read_text(encoding="utf-8")
    async with started(site) as hub:
        assert hub.settings.origins["catalog.extra_dir"] == settings["from"]
        found = site.account(account)
        assert found is not None
        headers = {
            "Authorization": f"Bearer {hub.tokens.issue(found.name, found.purposes)}",
            "X-Purpose": found.purposes[0],
        }
        transport = httpx.ASGITransport(create_app(hub))
        async with httpx.AsyncClient(transport=transport, base_url="http://hub") as client:
            body = {"query": query, "variables": variables}
            answer = await client.post("/graphql", json=body, headers=headers)
        source: Any = hub.sources[SOURCE]
        return answer.json(), getattr(source, "calls", 0)


def _last_reads(site: Site) -> list[dict[str, Any]]:
    with sqlite3.connect(site.folder / "store.sqlite") as store:
        rows = store.execute("SELECT body FROM audit_event WHERE kind = 'READ' ORDER BY idx")
        found: list[dict[str, Any]] = json.loads(rows.fetchall()[-1][0])["reads"]
    store.close()
    return [read for read in found if read["d"] == DATASET]


async def test_the_form_asks_for_what_the_page_fills_in(
    page: Callable[[str], Any], office: Path, run: Callable[..., Any]
) -> None:
    new, *_ = page(PAGE).blocks("")
    file = office / "departments" / f"{SOURCE}.toml"
    file.unlink()
    done = run(new, office)
    assert done.returncode == 0, done.stderr
    form = tomllib.loads(file.read_text(encoding="utf-8"))
    told = tomllib.loads(page(PAGE).blocks("toml")[0])
    (empty,), (full,) = form["dataset"], told["dataset"]
    assert form["source"].keys() == told["source"].keys()
    assert empty.keys() == full.keys()
    assert {*empty["field"][0]} == {key for field in full["field"] for key in field}
    assert (empty["object"], empty["facet"]["container"]) == (
        full["object"],
        full["facet"]["container"],
    )


async def test_the_check_tells_what_the_page_shows(
    page: Callable[[str], Any], office: Path, run: Callable[..., Any]
) -> None:
    _, check, _ = page(PAGE).blocks("")
    done = run(check, office)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout == page(PAGE).blocks("text")[0]


async def test_the_command_reads_the_new_data_set_as_the_page_says(
    page: Callable[[str], Any], office: Path, own_site: Site, run: Callable[..., Any]
) -> None:
    *_, command = page(PAGE).blocks("")
    done = run(command, office)
    assert done.returncode == 0, done.stderr
    citizen = json.loads(done.stdout)["data"]["citizen"]
    assert citizen["civilAffairs"]["disabilityAllowance"] == {
        "kind": "生活补贴",
        "monthlyAmount": "90.00",
        "paidFor": "2026-10",
        "provenance": {"source": SOURCE, "matchGrade": "M1"},
    }
    (read,) = _last_reads(own_site)
    assert (read["src"], read["n"], read["s"]) == (SOURCE, 1, 1)
    assert read["clear"] == {
        "DisabilityAllowance.kind": 1,
        "DisabilityAllowance.monthlyAmount": 1,
        "DisabilityAllowance.paidFor": 1,
    }


async def test_a_post_without_the_right_gets_null_and_the_department_is_not_asked(
    office: Path, own_site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(office)
    monkeypatch.setenv("HUB_CONFIG", "hub.toml")
    answer, calls = await _asked(own_site, office, "office-01", {"from": "文件 hub.toml"})
    citizen = answer["data"]["citizen"]
    assert citizen["civilAffairs"] == {"disabilityAllowance": None}
    assert citizen["access"][-1] == {
        "field": "civilAffairs.disabilityAllowance",
        "state": "DENIED",
        "source": SOURCE,
    }
    assert calls == 0
    (read,) = _last_reads(own_site)
    assert (read["n"], read["hidden"]) == (0, {"DisabilityAllowance": "NO_RULE"})


async def test_without_the_settings_line_the_source_is_down_and_the_rest_is_answered(
    office: Path, own_site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    variable = "HUB_CATALOG_EXTRA_DIR"
    monkeypatch.setenv(variable, str(office / "departments"))
    origin = f"环境变量 {variable}"
    answer, _ = await _asked(own_site, office, "zhelai-town-01", {"from": origin})
    citizen = answer["data"]["citizen"]
    assert citizen["name"] == "陆云山"
    assert citizen["access"] == [
        {"field": "civilAffairs.disabilityAllowance", "state": "SOURCE_DOWN", "source": SOURCE}
    ]
    (error,) = answer["errors"]
    assert error["extensions"]["code"] == "SOURCE_UNAVAILABLE"
    assert error["message"] == "残疾人两项补贴台账尚未接入"
