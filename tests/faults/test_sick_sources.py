"""Every bad day of a department: what is answered, what is recorded, and that others do not notice.

One source is sick, the others are well. Its facets are null with their reason, all else is
byte for byte what it is on a good day, the record is PARTIAL, and a question that does not ask
the sick source never reaches it.
"""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import json
import shutil
import sqlite3
import tomllib
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable, Collection, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

import httpx
import pytest
from sqlalchemy import select

from adapters.drops.drop import load_drop
from adapters.drops.files import snapshot_of
from adapters.drops.snapshot import shapes
from adapters.resilience import COUNTY_ZONE
from hub.demo.department import insurance
from hub.demo.site import Site
from store.audit import audit_event
from tests.servers import Asked, Authority, Handler, http, serving

if TYPE_CHECKING:
    from hub.worker import Hub
    from tests.faults.conftest import Listening

pytestmark = [pytest.mark.anyio, pytest.mark.loopback]

TOWN = "zhelai-town-01"
QUERY = """query Sick($id: ID!) { citizen(by: {id: $id}) { name
  civilAffairs { minLiving { status monthlyAmount } }
  education { enrolment { schoolCode grade } }
  housing { house { structure appraisals { grade } } }
  medicalInsurance { enrolment { state } }
  provincial { registration { state married } }
  access { field state source } } }"""
SCHOOL = """query School { citizens(first: 100) { nodes { id
  education { enrolment { schoolCode grade provenance { asOf } } } } } }"""
WELL = """query Well($id: ID!) { citizen(by: {id: $id}) { name
  civilAffairs { minLiving { status monthlyAmount } } access { field state source } } }"""
FACET = {
    "yb_settle": ("medicalInsurance", "enrolment"),
    "sj_exchange": ("provincial", "registration"),
    "wfgz": ("housing", "house"),
}
PATIENT = {"source.deadline_s": "20", "deadline_s": "60"}
"""For faults that are told at once: a busy machine must not make them time-outs."""
IMPATIENT = {"source.deadline_s": "0.5"}


@dataclass(frozen=True, slots=True)
class Sick:
    """What makes the source sick: settings, and how often it was asked (None: it cannot know)."""

    given: Mapping[str, object]
    asked: Callable[[], int] | None = None


Fault = Callable[["Site", Path], contextlib.AbstractAsyncContextManager[Sick]]


@dataclass(frozen=True, slots=True)
class Row:
    """One line of the table."""

    source: str
    fault: Fault
    reason: str
    given: Mapping[str, object]
    asked: int | None = None
    """How often the source is asked for this one person; None if it cannot know."""


# ---- faults --------------------------------------------------------------------------------------


def http_fault(source: str, handle: Handler) -> Fault:
    """The department's system is a server that does this."""

    @contextlib.asynccontextmanager
    async def made(_site: Site, _folder: Path) -> AsyncIterator[Sick]:
        async with serving(handle) as served:
            given = {f"sources.{source}": served.address, f"source_keys.{source}": "hub:geheim"}
            yield Sick(given, lambda: len(served.asked))

    return made


async def hang(_asked: Asked) -> AsyncIterator[bytes]:
    await asyncio.sleep(3_600)
    yield b""


async def drip(_asked: Asked) -> AsyncIterator[bytes]:
    """A healthy answer, a byte every twentieth of a second: it would take a minute."""
    whole = http(200, json.dumps({"infcode": 0, "output": {"total": 0, "list": []}}).encode())
    for at in range(len(whole)):
        yield whole[at : at + 1]
        await asyncio.sleep(0.05)
    await asyncio.sleep(60)


async def half(_asked: Asked) -> AsyncIterator[bytes]:
    whole = http(200, json.dumps({"infcode": 0, "output": {"total": 0, "list": []}}).encode())
    yield whole[:-20]


def says(answer: object, charset: str = "utf-8") -> Callable[[Asked], Awaitable[bytes]]:
    """HTTP 200 with this JSON."""

    async def handle(_asked: Asked) -> bytes:
        return http(200, json.dumps(answer, ensure_ascii=False).encode(charset))

    return handle


@contextlib.asynccontextmanager
async def refused(_site: Site, _folder: Path) -> AsyncIterator[Sick]:
    """Nobody listens: the port was ours a moment ago."""
    async with serving(hang) as served:
        address = served.address
    host, _, port = address.removeprefix("http://").partition(":")
    with pytest.raises(ConnectionRefusedError):
        await asyncio.open_connection(host, int(port))
    yield Sick({"sources.yb_settle": address})


@contextlib.asynccontextmanager
async def expired(_site: Site, folder: Path) -> AsyncIterator[Sick]:
    """Its certificate ended an hour ago; nobody is asked over such a line."""
    authority = Authority(folder)
    tls = authority.context(until=timedelta(hours=-1))
    async with serving(says({"infcode": 0, "output": {"total": 0, "list": []}}), tls) as served:
        given = {"sources.yb_settle": served.address, "source.ca_file": str(authority.file)}
        yield Sick(given, lambda: len(served.asked))


@contextlib.asynccontextmanager
async def at_night(site: Site, _folder: Path) -> AsyncIterator[Sick]:
    """The window it announced: an hour before and after now, in Beijing."""
    now = datetime.now(COUNTY_ZONE)
    window = f"{now - timedelta(hours=1):%H:%M}-{now + timedelta(hours=1):%H:%M}"
    async with serving(hang) as served:
        given = {"sources.yb_settle": served.address, "outages.yb_settle": window}
        yield Sick(given, lambda: len(served.asked))


@contextlib.asynccontextmanager
async def closed_unannounced(site: Site, _folder: Path) -> AsyncIterator[Sick]:
    """The department's own program in its nightly window, of which the hub was not told."""
    with insurance(site.folder / "sources" / "yb_settle.sqlite", clock="23:45") as address:
        yield Sick({"sources.yb_settle": address, "source_keys.yb_settle": "demo"})


def in_file(source: str, *statements: str) -> Fault:
    """Somebody changed the department's own database."""

    @contextlib.asynccontextmanager
    async def made(site: Site, _folder: Path) -> AsyncIterator[Sick]:
        file = site.folder / "sources" / f"{source}.sqlite"
        with contextlib.closing(sqlite3.connect(file)) as connection:
            for statement in statements:
                connection.execute(statement)
            connection.commit()
        yield Sick({})

    return made


@contextlib.asynccontextmanager
async def half_a_database(site: Site, _folder: Path) -> AsyncIterator[Sick]:
    """A copy that broke off in the middle."""
    file = site.folder / "sources" / "wfgz.sqlite"
    whole = file.read_bytes()
    file.write_bytes(whole[: len(whole) // 2])
    with contextlib.closing(sqlite3.connect(file)) as connection, pytest.raises(sqlite3.Error):
        connection.execute("SELECT * FROM house_archive").fetchall()
    yield Sick({})


ROWS = {
    "refused connection": Row("yb_settle", refused, "DOWN", PATIENT),
    "hang": Row("yb_settle", http_fault("yb_settle", hang), "TIMEOUT", IMPATIENT, 1),
    "slow drip": Row("yb_settle", http_fault("yb_settle", drip), "TIMEOUT", IMPATIENT, 1),
    "half an answer": Row("yb_settle", http_fault("yb_settle", half), "DOWN", PATIENT, 2),
    "half a database": Row("wfgz", half_a_database, "DOWN", PATIENT),
    "wrong schema, HTTP": Row(
        "yb_settle",
        http_fault("yb_settle", says({"infcode": 0, "output": {"total": 1, "list": [{"id": 1}]}})),
        "SCHEMA",
        PATIENT,
        1,
    ),
    "wrong schema, a column renamed": Row(
        "wfgz",
        in_file("wfgz", "ALTER TABLE house_archive RENAME COLUMN jgxs TO jiegou"),
        "SCHEMA",
        PATIENT,
    ),
    "wrong schema, no table": Row(
        "wfgz", in_file("wfgz", "ALTER TABLE house_archive RENAME TO fw"), "SCHEMA", PATIENT
    ),
    "wrong charset": Row(
        "yb_settle",
        http_fault("yb_settle", says({"infcode": 0, "err_msg": "成功"}, "gb18030")),
        "SCHEMA",
        PATIENT,
        1,
    ),
    "error in the body": Row(
        "yb_settle",
        http_fault("yb_settle", says({"infcode": -1, "err_msg": "系统忙", "output": None})),
        "DOWN",
        PATIENT,
        1,
    ),
    "expired certificate": Row("yb_settle", expired, "TLS", PATIENT, 0),
    "quota exhausted": Row(
        "sj_exchange",
        http_fault("sj_exchange", says({"code": "4290", "message": "次数用完", "data": None})),
        "QUOTA",
        PATIENT,
        1,
    ),
    "night window": Row("yb_settle", at_night, "OUTAGE_WINDOW", PATIENT, 0),
    "closed without a word": Row("yb_settle", closed_unannounced, "DOWN", PATIENT),
}


# ---- the table -----------------------------------------------------------------------------------


@contextlib.asynccontextmanager
async def well(site: Site) -> AsyncIterator[dict[str, object]]:
    """The insurance department's own program at its desk by day."""
    with insurance(site.folder / "sources" / "yb_settle.sqlite") as address:
        yield {"sources.yb_settle": address, "source_keys.yb_settle": "demo"}


async def ask(hub: Hub, address: str, site: Site, query: str) -> dict[str, Any]:
    token = hub.tokens.issue(TOWN, ("aid.review",))
    headers = {"Authorization": f"Bearer {token}", "X-Purpose": "aid.review"}
    person = site.shown("zhelai")
    if "$id" in query:  # a list under a case number would be the people of that case
        headers["X-Case-No"] = person.case_no
    body = {"query": query, "variables": {"id": person.citizen}}
    async with httpx.AsyncClient(trust_env=False, timeout=90) as client:
        answer = await client.post(f"{address}/graphql", json=body, headers=headers)
    assert answer.status_code == 200, answer.text
    found: dict[str, Any] = answer.json()
    return found


async def record(hub: Hub, answer: dict[str, Any]) -> dict[str, Any]:
    idx = answer["extensions"]["audit"]["idx"]
    async with hub.store.connect() as connection:
        body = await connection.scalar(select(audit_event.c.body).where(audit_event.c.idx == idx))
    assert body is not None
    found: dict[str, Any] = json.loads(body)
    return found


@pytest.fixture(scope="module")
async def good_day(
    site: Site, tmp_path_factory: pytest.TempPathFactory, listening: Listening
) -> dict[str, Any]:
    """What is answered when all are well."""
    folder = tmp_path_factory.mktemp("good") / "site"
    shutil.copytree(site.folder, folder)
    copy = Site(folder, site.scale, site.people, site.demonstrations)
    async with well(copy) as given, listening(copy, **given, **PATIENT) as (hub, address):
        answer = await ask(hub, address, copy, QUERY)
    assert "errors" not in answer
    citizen: dict[str, Any] = answer["data"]["citizen"]
    for container, facet in FACET.values():
        assert citizen[container][facet] is not None
    return citizen


@pytest.mark.parametrize("name", ROWS)
async def test_one_sick_department_costs_its_own_facets_alone(
    name: str,
    site_copy: Site,
    good_day: dict[str, Any],
    listening: Listening,
    tmp_path: Path,
) -> None:
    row = ROWS[name]
    async with (
        well(site_copy) as healthy,
        row.fault(site_copy, tmp_path) as sick,
        listening(site_copy, **{**healthy, **row.given, **sick.given}) as (hub, address),
    ):
        answer = await ask(hub, address, site_copy, QUERY)
        asked = None if sick.asked is None else sick.asked()
        other = await ask(hub, address, site_copy, WELL)
        log = await record(hub, answer)
        assert asked == row.asked
        assert asked is None or sick.asked is None or sick.asked() == asked
    _told(answer, row, good_day)
    assert (log["outcome"], log["code"]) == ("PARTIAL", "SOURCE_UNAVAILABLE")
    (read,) = [r for r in log["reads"] if r["src"] == row.source]
    assert (read["n"], read["states"]) == (0, {"SOURCE_DOWN": 1})
    assert "errors" not in other
    assert other["data"]["citizen"]["civilAffairs"] == good_day["civilAffairs"]


def _told(answer: dict[str, Any], row: Row, good_day: dict[str, Any]) -> None:
    container, facet = FACET[row.source]
    (error,) = answer["errors"]
    told = error["extensions"]
    assert (told["code"], told["reason"], told["source"]) == (
        "SOURCE_UNAVAILABLE",
        row.reason,
        row.source,
    )
    assert error["path"] == ["citizen"]
    down = [{"field": f"{container}.{facet}", "state": "SOURCE_DOWN", "source": row.source}]
    expected = {**good_day, container: {facet: None}}
    expected["access"] = [*good_day["access"], *down]
    found = answer["data"]["citizen"]
    found["access"].sort(key=lambda a: a["state"] == "SOURCE_DOWN")
    assert found == expected


# ---- restarted in the middle ---------------------------------------------------------------------

LIST = """query Many { citizens(first: 100) { nodes { id
  medicalInsurance { settlements { settlementNo settledAt } } access { field state } } } }"""


class Restarted:
    """Before the department's program, which dies at its second call and comes back, or does not.

    Whoever is on his way to it when it dies loses his line, as before a real one.
    """

    def __init__(self, file: Path, *, again: bool) -> None:
        self.calls = self.deaths = 0
        self._file, self._again = file, again
        self._one = asyncio.Lock()
        self._life = contextlib.ExitStack()
        self._address = self._life.enter_context(insurance(file))

    async def __call__(self, asked: Asked) -> bytes:
        self.calls += 1
        if self.calls == 2:
            self.deaths += 1
            self.close()
            raise ConnectionResetError
        async with self._one:
            if not self._address and self._again:
                begun = insurance(self._file)
                self._address = await asyncio.to_thread(self._life.enter_context, begun)
        try:
            async with httpx.AsyncClient(trust_env=False, timeout=30) as client:
                to, key = f"{self._address}/fsi/api", {"appKey": "demo"}
                answer = await client.post(to, content=asked.body, headers=key)
        except (httpx.TransportError, httpx.UnsupportedProtocol):
            raise ConnectionResetError from None
        return http(200, answer.content)

    def close(self) -> None:
        self._life.close()
        self._address = ""


async def _listed(site: Site, listening: Listening, address: str) -> dict[str, Any]:
    given = {"sources.yb_settle": address, "source_keys.yb_settle": "demo", **PATIENT}
    async with listening(site, **given) as (hub, at):
        return await ask(hub, at, site, LIST)


async def test_a_restart_in_the_middle_is_healed_by_one_more_try(
    site_copy: Site, listening: Listening
) -> None:
    file = site_copy.folder / "sources" / "yb_settle.sqlite"
    with insurance(file) as address:
        whole = await _listed(site_copy, listening, address)
    front = Restarted(file, again=True)
    try:
        async with serving(front) as served:
            healed = await _listed(site_copy, listening, served.address)
    finally:
        front.close()
    assert front.deaths == 1
    assert "errors" not in healed
    assert healed["data"] == whole["data"]


async def test_a_department_that_died_in_the_middle_gives_nothing_of_the_half(
    site_copy: Site, listening: Listening
) -> None:
    file = site_copy.folder / "sources" / "yb_settle.sqlite"
    front = Restarted(file, again=False)
    try:
        async with serving(front) as served:
            answer = await _listed(site_copy, listening, served.address)
    finally:
        front.close()
    assert (front.deaths, front.calls >= 3) == (1, True)
    (error,) = answer["errors"]
    assert error["extensions"]["reason"] == "DOWN"
    nodes = answer["data"]["citizens"]["nodes"]
    assert len(nodes) == 100
    told = {n["id"]: (n["access"][0]["state"], _number(n["medicalInsurance"])) for n in nodes}
    assert Counter(told.values())["SOURCE_DOWN", None] > 50
    # Nobody is told that there is nothing, but who has no id number to ask by.
    numberless = {who for who, state in told.items() if state == ("NO_RECORD", 0)}
    assert numberless == _without_number(site_copy, told.keys())
    assert {*told.values()} <= {("SOURCE_DOWN", None), ("DENIED", None), ("NO_RECORD", 0)}


def _number(facets: Mapping[str, Any]) -> int | None:
    found = facets["settlements"]
    return None if found is None else len(found)


def _without_number(site: Site, people: Collection[str]) -> set[str]:
    found = "SELECT id FROM citizen WHERE id18 IS NULL"
    with contextlib.closing(sqlite3.connect(site.folder / "store.sqlite")) as connection:
        return {who for (who,) in connection.execute(found)} & {*people}


# ---- what is handed over -------------------------------------------------------------------------


def _half(whole: bytes) -> bytes:
    return whole[: len(whole) // 2]


def _other_charset(whole: bytes) -> bytes:
    return whole.decode("gb18030").encode("utf-16")


@pytest.mark.parametrize(
    ("damage", "vouched", "reason"),
    [(_half, False, "CHECKSUM"), (_half, True, "ROW"), (_other_charset, True, "CHARSET")],
    ids=["half a file", "half a file, vouched for", "wrong charset"],
)
async def test_a_list_that_arrives_broken_leaves_the_last_one_standing(
    damage: Callable[[bytes], bytes],
    vouched: bool,
    reason: str,
    site_copy: Site,
    listening: Listening,
) -> None:
    drop = site_copy.folder / "drop" / "jt_xueji"
    given = {"sources.jt_xueji": f"files://{drop}", **PATIENT}
    async with listening(site_copy, **given) as (hub, address):
        before = await ask(hub, address, site_copy, SCHOOL)
        (good,) = (f for f in drop.glob("*.csv"))
        told = tomllib.loads(good.with_suffix(".manifest.toml").read_text(encoding="utf-8"))
        broken = damage(good.read_bytes())
        (drop / "new.csv").write_bytes(broken)
        told |= {"file": "new.csv", "as_of": "2026-11-20"}
        if vouched:
            told["sha256"] = hashlib.sha256(broken).hexdigest()
        (drop / "new.manifest.json").write_text(json.dumps(told, default=str), encoding="utf-8")
        snapshot = snapshot_of(site_copy.folder / "snapshots", "jt_xueji")
        loaded = load_drop(drop, snapshot, shapes(hub.catalog.sources["jt_xueji"]))
        assert [one.reason for one in loaded.refused] == [reason]
        after = await ask(hub, address, site_copy, SCHOOL)
    pupils = [n["education"]["enrolment"] for n in after["data"]["citizens"]["nodes"]]
    assert sum(one is not None for one in pupils) > 5
    assert "errors" not in after
    assert after["data"] == before["data"]
