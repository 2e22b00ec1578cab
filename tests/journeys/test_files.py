"""Two departments that hand over files: the same answers as from their databases, dated."""

from __future__ import annotations

import csv
import hashlib
import io
import json
import sqlite3
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from adapters.decode import CST
from adapters.drops.drop import Fate, load_drop
from adapters.drops.files import snapshot_of
from adapters.drops.snapshot import shapes
from catalog.datasets import Layout
from catalog.load import load
from hub.demo.site import FILE_SOURCES

if TYPE_CHECKING:
    from hub.demo.site import Site
    from tests.journeys.conftest import Desk, OpenDesk

pytestmark = [pytest.mark.anyio, pytest.mark.loopback]

TOWN = "zhelai-town-01"
NOW = datetime.now(UTC).replace(microsecond=0)
AS_OF = (NOW - timedelta(days=1)).astimezone(CST).isoformat()
LAST_YEAR = (NOW - timedelta(days=400)).astimezone(CST).isoformat()
FACETS = """{ citizens(first: 100) { nodes { name
  education { enrolment { name sex birthDate schoolCode grade } dropout { name kind } }
  household { householdNo water { supply { workNo name state faultOn repairedOn households } } }
  access { field state source }
} } }"""
LISTED = """{ citizens(first: 100) { nodes { name
  education { enrolment { name sex grade guardianName } dropout { name kind } }
  monitoring { record { householdNo name monitoringClass riskType incomePerHead measures } }
  household { householdNo water { supply { workNo name state faultOn repairedOn households } } }
} } }"""
DATED = """{ citizens(first: 100) { nodes {
  education { enrolment { grade provenance { source asOf matchGrade quality } } } } } }"""
STANDING = "{ sources { name kind state asOf stale } }"


def _delivered(site: Site, source: str, as_of: str = AS_OF) -> tuple[dict[str, object], int]:
    """The tables of a department's database as files in GB18030, loaded; its setting, rows."""
    folder = site.folder / "inbox" / source
    folder.mkdir(parents=True)
    database = sqlite3.connect(site.folder / "sources" / f"{source}.sqlite")
    tables = [n for (n,) in database.execute("SELECT name FROM sqlite_master WHERE type = 'table'")]
    layouts = {shape.table: shape.layout for shape in shapes(load().sources[source])}
    whole = 0
    for table in tables:
        found = database.execute(f'SELECT * FROM "{table}"')
        text = io.StringIO()
        writer = csv.writer(text)
        writer.writerows(_head([column[0] for column in found.description], layouts[table]))
        rows = found.fetchall()
        writer.writerows(rows)
        _write(folder, table, text.getvalue().encode("gb18030"), len(rows), as_of)
        whole += len(rows)
    database.close()
    snapshot = snapshot_of(site.folder / "snapshots", source)
    snapshot.unlink()  # what the demonstration itself had loaded
    loaded = load_drop(folder, snapshot, shapes(load().sources[source]), now=lambda: NOW)
    assert [o.fate for o in loaded.outcomes] == [Fate.LOADED] * len(tables), loaded.refused
    return {f"sources.{source}": f"files://{folder}"}, whole


def _head(columns: list[str], layout: Layout) -> list[list[str]]:
    """Title lines, the names, and below them what a merged header has there: nothing."""
    titles = [["名册"]] * (layout.header_row - layout.header_rows)
    return [*titles, columns, *[[""] * len(columns)] * (layout.header_rows - 1)]


def _write(folder: Path, table: str, content: bytes, rows: int, as_of: str) -> None:
    file = f"{table}.csv"
    told = {"table": table, "file": file, "as_of": as_of, "rows": rows, "encoding": "gb18030"}
    told["sha256"] = hashlib.sha256(content).hexdigest()
    (folder / file).write_bytes(content)
    (folder / f"{table}.manifest.json").write_text(json.dumps(told), encoding="utf-8")


async def test_files_answer_as_the_database_they_were_written_from(
    desk: Desk, site_copy: Site, open_desk: OpenDesk
) -> None:
    school, pupils = _delivered(site_copy, "jt_xueji")
    water, works = _delivered(site_copy, "sw_gongcheng")
    assert pupils > 100
    assert works > 10
    async with open_desk(site_copy, **school, **water) as filed:
        answers: list[Any] = []
        for one in (desk, filed):
            before = one.calls()
            answer = (await one.ask(TOWN, FACETS, purpose="aid.review")).json()
            assert "errors" not in answer
            answers.append(answer["data"])
            assert one.sent(before)["jt_xueji"] == 2  # one a data set, both ways
        found = answers[0]["citizens"]["nodes"]
        assert sum(n["education"]["enrolment"] is not None for n in found) > 5
        assert any(n["household"] and n["household"]["water"]["supply"] for n in found)
        assert answers[0] == answers[1]


async def test_the_demonstrations_lists_answer_as_the_databases(
    desk: Desk, site: Site, open_desk: OpenDesk
) -> None:
    connected = site.connected({}).sources
    given = {f"sources.{name}": connected[name] for name in FILE_SOURCES}
    async with open_desk(site, **given) as filed:
        first, second = [
            (await one.ask(TOWN, LISTED, purpose="aid.review")).json() for one in (desk, filed)
        ]
    assert "errors" not in first
    assert first["data"] == second["data"]
    found = first["data"]["citizens"]["nodes"]
    assert any(node["education"]["enrolment"] for node in found)
    assert any(node["monitoring"]["record"] for node in found)
    assert any(node["household"] and node["household"]["water"]["supply"] for node in found)
    states = [{s["name"]: s["status"] for s in a["extensions"]["sources"]} for a in (first, second)]
    assert set(FILE_SOURCES) <= set(states[0])
    assert {states[0][name] for name in FILE_SOURCES} == {"LIVE"}
    assert set(states[1]) == set(states[0])


async def test_answer_and_record_say_of_when_the_file_is(
    site_copy: Site, open_desk: OpenDesk
) -> None:
    school, _ = _delivered(site_copy, "jt_xueji")
    async with open_desk(site_copy, **school) as filed:
        answer = await filed.ask(TOWN, DATED, purpose="aid.review")
        found = answer.json()["data"]["citizens"]["nodes"]
        told = {
            n["education"]["enrolment"]["provenance"]["asOf"]
            for n in found
            if n["education"]["enrolment"]
        }
        assert told == {AS_OF}
        assert _said(answer) == {"name": "jt_xueji", "status": "LIVE", "asOf": AS_OF}
        assert not _overdue(found)
        (read,) = [r for r in (await filed.record(answer))["reads"] if r["d"] == "enrolment"]
        assert read["src"] == "jt_xueji"
        moment = datetime.fromisoformat(AS_OF)
        assert read["as_of"] == int(moment.timestamp() * 1_000_000)


def _said(answer: Any) -> dict[str, str]:
    """What the answer says of the school's source beside its data."""
    told = answer.json()["extensions"]["sources"]
    return next(one for one in told if one["name"] == "jt_xueji")


def _overdue(nodes: list[Any]) -> list[bool]:
    """Of each pupil who has quality codes: is the list's age one of them?"""
    found = [n["education"]["enrolment"] for n in nodes if n["education"]["enrolment"]]
    return [one for one in ("DQ11" in f["provenance"]["quality"] for f in found) if one]


async def test_an_overdue_list_is_told_where_it_is_seen_and_where_sources_are(
    site_copy: Site, open_desk: OpenDesk
) -> None:
    school, _ = _delivered(site_copy, "jt_xueji", LAST_YEAR)
    water, _ = _delivered(site_copy, "sw_gongcheng")
    async with open_desk(site_copy, **school, **water) as filed:
        answer = await filed.ask(TOWN, DATED, purpose="aid.review")
        standing = (await filed.ask(TOWN, STANDING)).json()["data"]["sources"]
    found = answer.json()["data"]["citizens"]["nodes"]
    pupils = [n for n in found if n["education"]["enrolment"]]
    assert len(_overdue(found)) == len(pupils) > 0
    assert _said(answer) == {"name": "jt_xueji", "status": "STALE", "asOf": LAST_YEAR}
    told = {one["name"]: one for one in standing}
    assert told["jt_xueji"] == {
        "name": "jt_xueji",
        "kind": "FILES",
        "state": "ANSWERS",
        "asOf": LAST_YEAR,
        "stale": True,
    }
    assert (told["sw_gongcheng"]["state"], told["sw_gongcheng"]["stale"]) == ("NOT_ASKED", False)
    assert (told["mz_assist"]["asOf"], told["mz_assist"]["stale"]) == (None, None)


async def test_an_overdue_list_is_given_and_called_stale(
    site_copy: Site, open_desk: OpenDesk
) -> None:
    school, _ = _delivered(site_copy, "jt_xueji", LAST_YEAR)
    async with open_desk(site_copy, **school) as filed:
        answer = await filed.ask(TOWN, FACETS, purpose="aid.review")
        found = answer.json()["data"]["citizens"]["nodes"]
        pupils = [n for n in found if n["education"]["enrolment"]]
        assert pupils
        for pupil in pupils:
            states = {a["field"]: a["state"] for a in pupil["access"]}
            assert states["education.enrolment"] == "STALE"
        (read,) = [r for r in (await filed.record(answer))["reads"] if r["d"] == "enrolment"]
        assert read["states"]["STALE"] == len(pupils)


async def test_before_the_first_delivery_the_department_is_down_and_the_rest_is_answered(
    site_copy: Site, open_desk: OpenDesk
) -> None:
    folder = site_copy.folder / "drop"
    snapshot_of(site_copy.folder / "snapshots", "jt_xueji").unlink()
    async with open_desk(site_copy, **{"sources.jt_xueji": f"files://{folder}"}) as filed:
        answer = (await filed.ask(TOWN, FACETS, purpose="aid.review")).json()
        assert answer["data"]["citizens"]["nodes"][0]["name"]
        assert {e["extensions"]["code"] for e in answer["errors"]} == {"SOURCE_UNAVAILABLE"}
        assert {e["extensions"]["source"] for e in answer["errors"]} == {"jt_xueji"}
