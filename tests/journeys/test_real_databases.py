"""Housing read from a real MariaDB is, byte for byte, what it is from SQLite; a department whose
tables are not as described costs its own facets only."""

from __future__ import annotations

import contextlib
import sqlite3
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import httpx
import pytest
from sqlalchemy import text
from sqlalchemy.ext.asyncio import create_async_engine

from adapters.identity import canonical
from hub.demo.serve_sql import serve_sql

if TYPE_CHECKING:
    from hub.demo.site import Site
    from tests.journeys.conftest import OpenDesk

pytestmark = [pytest.mark.anyio, pytest.mark.loopback]

TOWN, EVERYWHERE = "zhelai-town-01", "lab"
HOUSING = """housing { house {
  houseNo ownerName village villageGroup area structure
  appraisals { grade appraisedOn appraiser } plans { batch mode startedOn finishedOn subsidy } } }
  access { field state }"""
ONE = f"query($n: String!) {{ citizen(by: {{idNumber: $n}}) {{ name {HOUSING} }} }}"
PAGE = f"{{ citizens(first: 100) {{ nodes {{ id {HOUSING} }} }} }}"
FACETS = """query($n: String!) { citizen(by: {idNumber: $n}) {
  name housing { house { structure appraisals { grade } } }
  civilAffairs { minLiving { status } } access { field state source } } }"""


@pytest.mark.mariadb
async def test_housing_and_its_nests_are_the_same_bytes_from_mariadb(
    site_copy: Site, open_desk: OpenDesk, maria_url: str
) -> None:
    file = site_copy.folder / "sources" / "wfgz.sqlite"
    await serve_sql(file, maria_url)
    heads = _heads(file)
    lite, costs = await _asked(site_copy, open_desk, heads)
    maria, again = await _asked(site_copy, open_desk, heads, **{"sources.wfgz": maria_url})
    for ours, theirs in zip(lite, maria, strict=True):
        assert _told(ours) == _told(theirs)
    # House, appraisals, plans. A page's hundred numbers in up to eight spellings are two lists.
    assert costs == {"one": 3 * len(heads), "page": 3}
    assert again == {"one": 3 * len(heads), "page": 4}
    houses = [a.json()["data"]["citizen"]["housing"]["house"] for a in maria[:-1]]
    assert all(houses)  # by 15 digits, and whatever the village is called
    assert {h["village"] for h in houses} > {"532622205201", "532622206201"}
    assert sum(len(h["appraisals"]) > 1 for h in houses) > 0
    assert sum(len(h["plans"]) > 0 for h in houses) > 0


async def _asked(
    site: Site, open_desk: OpenDesk, heads: Sequence[str], **given: object
) -> tuple[list[httpx.Response], dict[str, int]]:
    """The answers to ONE for each head and to PAGE; statements sent to 住建 for either."""
    async with open_desk(site, **given) as desk:
        before = desk.calls()
        answers = [await desk.ask(EVERYWHERE, ONE, {"n": head}) for head in heads]
        costs = {"one": desk.sent(before)["wfgz"]}
        before = desk.calls()
        answers.append(await desk.ask(EVERYWHERE, PAGE))
        return answers, costs | {"page": desk.sent(before)["wfgz"]}


def _told(answer: httpx.Response) -> tuple[str, Any]:
    """The data's own bytes, and what was shown of which field."""
    body = answer.json()
    assert "errors" not in body
    return answer.text.partition('"extensions":')[0], body["extensions"]["fields"]


def _heads(file: Path) -> list[str]:
    """Heads whom the department writes with 15 digits, and all of two townships, whose villages
    it writes in every way."""
    with contextlib.closing(sqlite3.connect(file)) as connection:
        found = connection.execute(
            "SELECT hzzjh FROM house_archive WHERE LENGTH(TRIM(hzzjh)) = 15"
            " OR cun LIKE '者腊%' OR cun LIKE '蚌%' OR hzxm LIKE '%?%'"
        )
        numbers = [canonical(row[0]).id18 for row in found]
    assert len(numbers) > 60
    return sorted({number for number in numbers if number is not None})


@pytest.mark.postgres
@pytest.mark.mariadb
async def test_a_department_that_changed_its_tables_costs_its_own_facets(
    site_copy: Site, open_desk: OpenDesk, pg_url: str, maria_url: str
) -> None:
    sources, number = site_copy.folder / "sources", {"n": site_copy.shown("zhelai").id18}
    await serve_sql(sources / "mz_assist.sqlite", pg_url)
    await serve_sql(sources / "wfgz.sqlite", maria_url)
    given = {"sources.mz_assist": pg_url, "sources.wfgz": maria_url}
    async with open_desk(site_copy, **given) as desk:
        whole = await desk.ask(TOWN, FACETS, number)
        assert "errors" not in whole.json()
        await _do(maria_url, "ALTER TABLE house_appraisal RENAME COLUMN jddj TO dengji")
        nest = await desk.ask(TOWN, FACETS, number)
        await _do(maria_url, "DROP TABLE house_archive")
        await _do(pg_url, "DROP VIEW v_dbhz")
        facets = await desk.ask(TOWN, FACETS, number)
        record = await desk.record(facets)
        states = {n: desk.hub.sources[n].guard.state for n in ("mz_assist", "wfgz")}  # type: ignore[attr-defined]
    told = whole.json()["data"]["citizen"]
    one = nest.json()["data"]["citizen"]
    assert one["housing"]["house"]["structure"] == told["housing"]["house"]["structure"]
    assert one["civilAffairs"] == told["civilAffairs"] == {"minLiving": {"status": "ACTIVE"}}
    assert _misfits(nest) == ["wfgz"]
    assert facets.status_code == 200
    both = facets.json()["data"]["citizen"]
    assert both["name"] == "陆云山"
    assert (both["housing"], both["civilAffairs"]) == ({"house": None}, {"minLiving": None})
    assert _misfits(facets) == ["mz_assist", "wfgz"]
    assert {(a["field"], a["state"]) for a in both["access"]} == {
        ("housing.house", "SOURCE_DOWN"),
        ("civilAffairs.minLiving", "SOURCE_DOWN"),
    }
    assert (record["outcome"], record["code"]) == ("PARTIAL", "SOURCE_UNAVAILABLE")
    assert [state.failures for state in states.values()] == [0, 0]


def _misfits(answer: httpx.Response) -> list[str]:
    """The sources of the errors, each of them SCHEMA and not to be tried again."""
    found = [error["extensions"] for error in answer.json()["errors"]]
    assert {(e["code"], e["reason"], e["retryable"]) for e in found} == {
        ("SOURCE_UNAVAILABLE", "SCHEMA", False)
    }
    return sorted(e["source"] for e in found)


async def _do(url: str, statement: str) -> None:
    engine = create_async_engine(url)
    async with engine.begin() as connection:
        await connection.execute(text(statement))
    await engine.dispose()
