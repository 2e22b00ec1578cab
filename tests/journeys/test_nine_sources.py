"""Five accounts, nine departments, each on the kind of system it really has.

民政 on PostgreSQL, 住建 on MariaDB, 教体, 水务 and 乡村振兴 by drop folders, 人社 over REST with a
token, 医保 over REST with a key, 省级 over REST with signatures, 卫健 as a GraphQL subgraph: real
servers and processes of their own. What anybody is told is what he is told when all nine are
SQLite files, and a source he may not see is not asked.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import httpx
import pytest

from adapters.databases.sql import SqlSource
from hub.demo.department import PROGRAMS, departments
from hub.demo.run import sample
from hub.demo.serve_sql import serve_sql
from hub.demo.site import FILE_SOURCES, HTTP_SOURCES

if TYPE_CHECKING:
    from hub.demo.site import Site
    from tests.journeys.conftest import Desk, OpenDesk

pytestmark = [
    pytest.mark.anyio,
    pytest.mark.loopback,
    pytest.mark.postgres,
    pytest.mark.mariadb,
]

ACCOUNTS = ("zhelai-village-01", "zhelai-town-01", "mca-dept-01", "office-01", "auditor-01")
NINE = """query Nine($n: String!) { citizen(by: {idNumber: $n}) { name
  civilAffairs { minLiving { status monthlyAmount paidMonth division }
    extremePoverty { supportMode } tempAid { kind } }
  education { enrolment { schoolCode grade } dropout { kind } }
  employment { insurance { insuredState } jobWish { trade registeredOn } training { course } }
  housing { house { structure village area appraisals { grade appraisedOn } plans { batch } } }
  health { chronic { disease managedSince } serious { disease } appointments { clinic }
    medications { drug days } }
  medicalInsurance { enrolment { state } settlements { settledAt personalYuan } }
  monitoring { record { monitoringClass } }
  provincial { registration { state married } }
  household { householdNo water { supply { workNo state faultOn } } }
  access { field state source } } }"""
MANY = NINE.replace("query Nine($n: String!)", "").replace(
    "citizen(by: {idNumber: $n}) {", "citizens { nodes {"
)
MANY += " }"
SLOW = {"source.deadline_s": 60, "deadline_s": 120}
"""Of the test's patience, not of the product's."""


@pytest.fixture(scope="module")
async def real(
    anyio_backend: str,
    site: Site,
    open_desk: OpenDesk,
    pg_database: Callable[[], Awaitable[str]],
    maria_database: Callable[[], str],
) -> AsyncIterator[Desk]:
    """The hub with all nine sources on their real kinds."""
    folder = site.folder / "sources"
    civil, housing = await pg_database(), maria_database()
    await serve_sql(folder / "mz_assist.sqlite", civil)
    await serve_sql(folder / "wfgz.sqlite", housing)
    programs = {
        **PROGRAMS,
        "sj_exchange": replace(PROGRAMS["sj_exchange"], options=("--delay", "0")),
    }
    with departments({n: folder / f"{n}.sqlite" for n in HTTP_SOURCES}, programs) as addresses:
        given: dict[str, object] = {"sources.mz_assist": civil, "sources.wfgz": housing}
        for name, address in addresses.items():
            given |= {f"sources.{name}": address, f"source_keys.{name}": PROGRAMS[name].key}
        for name in FILE_SOURCES:
            given[f"sources.{name}"] = f"files://{site.folder / 'drop' / name}"
        async with open_desk(site, **given, **SLOW) as desk:
            yield desk


def test_each_source_is_of_its_kind(real: Desk) -> None:
    kinds = {name: type(source).__name__ for name, source in real.hub.sources.items()}
    assert {name: kinds[name] for name in (*FILE_SOURCES, *HTTP_SOURCES)} == {
        **dict.fromkeys(FILE_SOURCES, "FilesSource"),
        **dict.fromkeys(HTTP_SOURCES, "RestSource"),
        "wj_resident": "GraphqlSource",
    }
    drivers = {}
    for name in ("mz_assist", "wfgz"):
        source = real.hub.sources[name]
        assert isinstance(source, SqlSource)
        drivers[name] = source.database.dialect.name
    assert drivers == {"mz_assist": "postgresql", "wfgz": "mysql"}


@pytest.mark.parametrize("account", ACCOUNTS)
async def test_the_five_are_told_what_they_are_told_from_files(
    desk: Desk, real: Desk, account: str
) -> None:
    question, person = sample(), {"n": desk.site.shown("zhelai").id18}
    for query, variables in ((question.text, question.variables), (NINE, person)):
        one, other = [await d.ask(account, query, variables) for d in (desk, real)]
        assert "SOURCE_UNAVAILABLE" not in other.text
        assert _told(one) == _told(other)
        ours, theirs = [await d.record(a) for d, a in ((desk, one), (real, other))]
        assert [_read(r) for r in ours["reads"]] == [_read(r) for r in theirs["reads"]]
        assert ours.get("subjects") == theirs.get("subjects")


async def test_who_may_not_see_a_department_does_not_have_it_asked(real: Desk) -> None:
    person = {"n": real.site.shown("zhelai").id18}
    asked = {}
    for account in ACCOUNTS:
        before = real.calls()
        await real.ask(account, NINE, person)
        asked[account] = real.sent(before).keys() - {"hub"}
    assert asked == {
        "zhelai-village-01": {
            *("mz_assist", "wfgz", "yb_settle", "xczx_monitor", "sw_gongcheng"),
        },
        "zhelai-town-01": {
            *("mz_assist", "wfgz", "yb_settle", "xczx_monitor", "sw_gongcheng"),
            *("jt_xueji", "rs_jiuye"),
        },
        "mca-dept-01": {"mz_assist"},
        "office-01": {"xczx_monitor"},
        "auditor-01": set(),
    }


async def test_a_list_of_people_has_all_nine_asked_in_a_few_calls(desk: Desk, real: Desk) -> None:
    before = real.calls()
    one, other = [await d.ask("lab", MANY) for d in (desk, real)]
    assert "errors" not in other.json()
    assert _told(one) == _told(other)
    assert real.sent(before).keys() == {"hub", "mz_assist", "wfgz", *FILE_SOURCES, *HTTP_SOURCES}


def _told(answer: httpx.Response) -> Any:
    body = answer.json()
    return _plain(body.get("data")), _plain(body.get("errors"))


PASSING = frozenset({"asOf", "requestId"})
"""What differs from one question to the next: when a source was asked, which request it was."""


def _plain(told: Any) -> Any:
    if isinstance(told, list):
        return [_plain(one) for one in told]
    if isinstance(told, dict):
        return {k: _plain(v) for k, v in told.items() if k not in PASSING}
    return told


def _read(read: Mapping[str, Any]) -> dict[str, Any]:
    """A record's read, but how old its rows are: a list handed over some day grows old."""
    states = {k: v for k, v in read.get("states", {}).items() if k != "STALE"}
    return {k: v for k, v in read.items() if k != "as_of"} | {"states": states}
