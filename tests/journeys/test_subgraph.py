"""The health department as a subgraph: the same answers as from its database, and its own mask."""

from __future__ import annotations

import contextlib
import sqlite3
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from hub.demo.department import PROGRAMS, departments
from store.accounts import NewPost, NewPrincipal, seed_accounts
from store.engine import open_engine
from tests.subgraph import KEY, Subgraph, subgraph

if TYPE_CHECKING:
    from hub.demo.site import Site
    from tests.journeys.conftest import Desk, OpenDesk

pytestmark = [pytest.mark.anyio, pytest.mark.loopback]

SOURCE, CLINIC, VILLAGE = "wj_resident", "hea-dept-01", "zhelai-village-01"
HEALTH = """health {
  chronic { disease icd10 managedSince lastFollowUp grade provenance { source matchGrade quality } }
  serious { disease admittedOn hospital cured }
  appointments { hospital clinic visitOn state }
  medications { drug days dispensedOn delivery } } access { field state source }"""
ONE = f"query($n: String!) {{ citizen(by: {{idNumber: $n}}) {{ name {HEALTH} }} }}"
ALL = f"{{ citizens(first: 100) {{ nodes {{ name {HEALTH} }} }} }}"
PATIENT: dict[str, object] = {"source.deadline_s": 20, "deadline_s": 60}
FACETS = ("health.chronic", "health.serious", "health.appointments", "health.medications")
SETS = {"chronic_record", "serious_illness", "appointment", "medication"}


def _database(site: Site) -> Path:
    return site.folder / "sources" / f"{SOURCE}.sqlite"


@pytest.fixture
def clinic(site_copy: Site) -> Iterator[Subgraph]:
    with subgraph(_database(site_copy)) as running:
        yield running


@pytest.fixture
async def staffed(site_copy: Site) -> Site:
    """A county of one's own in which the health department has an account."""
    engine = open_engine(site_copy.store_url, pool_size=1)
    async with engine.begin() as connection:
        post = NewPost("hea", "dept", "532622")
        who = NewPrincipal(CLINIC, "official", "测试经办", "hea", (post,))
        await seed_accounts(connection, [who])
    await engine.dispose()
    return site_copy


@pytest.fixture
async def two(
    staffed: Site, clinic: Subgraph, open_desk: OpenDesk
) -> AsyncIterator[tuple[Desk, Desk]]:
    """One hub that reads the department's database, and one that asks its subgraph."""
    async with open_desk(staffed) as told, open_desk(staffed, **_asking(clinic)) as asking:
        yield told, asking


def _asking(clinic: Subgraph) -> dict[str, object]:
    return {f"sources.{SOURCE}": clinic.address, f"source_keys.{SOURCE}": KEY, **PATIENT}


def _ill(site: Site, table: str) -> str:
    """Somebody of the register who has a row in this table."""
    with contextlib.closing(sqlite3.connect(_database(site))) as connection:
        numbers = [row[0] for row in connection.execute(f"SELECT idCard FROM {table}")]
    with contextlib.closing(sqlite3.connect(site.folder / "register.sqlite")) as connection:
        marks = ",".join("?" * len(numbers))
        text = f"SELECT id18 FROM citizen WHERE birth < '2000' AND id18 IN ({marks}) ORDER BY id"
        return str(connection.execute(text, numbers).fetchone()[0])


async def _both(
    two: tuple[Desk, Desk], account: str, query: str, *, purpose: str, **given: Any
) -> dict[str, Any]:
    """The answer, which is the same from both; so is the record, but for the time of the read."""
    answers = [await one.ask(account, query, given, purpose=purpose) for one in two]
    reads = [(await d.record(a))["reads"] for d, a in zip(two, answers, strict=True)]
    for read in [read for one in reads for read in one]:
        read.pop("as_of", None)
    assert reads[0] == reads[1]
    told, asked = (a.json() for a in answers)
    assert "errors" not in told
    assert told["data"] == asked["data"]
    found: dict[str, Any] = asked["data"]
    return found


@pytest.mark.parametrize("table", sorted(SETS))
async def test_a_subgraph_answers_as_the_database_behind_it(
    two: tuple[Desk, Desk], clinic: Subgraph, table: str
) -> None:
    person = _ill(two[0].site, table)
    found = await _both(two, CLINIC, ONE, purpose="aid.file", n=person)
    field = table.split("_")[0].removesuffix("s")
    (rows,) = [rows for name, rows in found["citizen"]["health"].items() if name.startswith(field)]
    assert rows
    assert any(value for row in rows for value in row.values())
    assert clinic.numbers == [[person]] * 4  # a call a data set


async def test_the_departments_own_program_answers_as_its_database(
    staffed: Site, open_desk: OpenDesk
) -> None:
    with departments({SOURCE: _database(staffed)}) as addresses:
        given: dict[str, object] = {
            f"sources.{SOURCE}": addresses[SOURCE],
            f"source_keys.{SOURCE}": PROGRAMS[SOURCE].key,
        }
        async with open_desk(staffed) as told, open_desk(staffed, **PATIENT, **given) as asking:
            for table in sorted(SETS):
                person = _ill(staffed, table)
                found = await _both((told, asking), CLINIC, ONE, purpose="aid.file", n=person)
                assert any(found["citizen"]["health"].values())
            assert asking.calls()[SOURCE] == 4 * len(SETS)


async def test_masks_and_a_hundred_people_are_the_same(
    two: tuple[Desk, Desk], clinic: Subgraph
) -> None:
    found = await _both(two, "lab", ALL, purpose="aid.review")
    people = found["citizens"]["nodes"]
    ill = [p for p in people if p["health"]["chronic"]]
    assert len(people) == 100
    assert ill
    for person in ill:
        assert {row["disease"] for row in person["health"]["chronic"]} == {None}
    assert len(clinic.asked) == 4
    # What he may not see, the department was not even asked for.
    assert not any("disease" in document for document in clinic.documents)


async def test_who_may_not_see_makes_no_call(two: tuple[Desk, Desk], clinic: Subgraph) -> None:
    shown = two[0].site.shown("zhelai")
    before = two[1].calls()
    answers = [await desk.ask(VILLAGE, ONE, {"n": shown.id18}) for desk in two]
    assert answers[0].json()["data"] == answers[1].json()["data"]
    citizen = answers[1].json()["data"]["citizen"]
    assert set(citizen["health"].values()) == {None}
    denied = [a for a in citizen["access"] if a["source"] == SOURCE]
    assert [a["state"] for a in denied] == ["DENIED"] * 4
    assert SOURCE not in two[1].sent(before)
    assert clinic.asked == []
    await two[1].ask(CLINIC, ONE, {"n": shown.id18}, purpose="aid.review")
    assert len(clinic.asked) == 4  # it would have noted a call


async def test_what_the_department_masks_is_masked_not_missing(
    staffed: Site, open_desk: OpenDesk
) -> None:
    site = staffed
    person, gone = _ill(site, "chronic_record"), site.shown("zhelai").id18
    with contextlib.closing(sqlite3.connect(_database(site))) as connection, connection:
        connection.execute("DELETE FROM resident WHERE idCard = ?", (gone,))
    with subgraph(_database(site), purpose="another agreement") as strict:
        async with open_desk(site, **_asking(strict)) as desk:
            answer = await desk.ask(CLINIC, ONE, {"n": person}, purpose="aid.file")
            record = await desk.record(answer)
            unknown = await desk.ask(CLINIC, ONE, {"n": gone}, purpose="aid.file")
            assert len(strict.asked) == 8
            assert "chronicRecords" in "".join(strict.documents)
    body = answer.json()
    assert "errors" not in body
    assert set(body["data"]["citizen"]["health"].values()) == {None}
    assert _states(body) == dict.fromkeys(FACETS, "MASKED")
    told = {one["name"]: one["status"] for one in body["extensions"]["sources"]}
    assert told[SOURCE] == "LIVE"
    for type_ in ("ChronicRecord", "SeriousIllness", "Appointment", "Medication"):
        masked = {"coordinate": type_, "state": "MASKED", "count": 1}
        assert masked in body["extensions"]["fields"]
    for read in record["reads"]:
        if read["src"] == SOURCE:
            assert (read["n"], read["s"], read["states"]) == (0, 0, {"MASKED": 1})
    # A person it does not know is no secret of it.
    assert _states(unknown.json()) == dict.fromkeys(FACETS, "NO_RECORD")
    assert set(map(str, unknown.json()["data"]["citizen"]["health"].values())) == {"[]"}


def _states(body: dict[str, Any]) -> dict[str, str]:
    access = body["data"]["citizen"]["access"]
    return {a["field"]: a["state"] for a in access if a["source"] == SOURCE}


async def test_of_a_page_each_person_is_told_by_himself(staffed: Site, open_desk: OpenDesk) -> None:
    site = staffed
    with subgraph(_database(site), purpose="another agreement") as strict:
        async with open_desk(site, **_asking(strict)) as desk:
            answer = await desk.ask("lab", ALL, purpose="aid.review")
            (read,) = [
                r for r in (await desk.record(answer))["reads"] if r["d"] == "chronic_record"
            ]
        people = answer.json()["data"]["citizens"]["nodes"]
        states = [[a["state"] for a in p["access"] if a["field"] == FACETS[0]] for p in people]
        assert len(strict.asked) == 4
    masked = states.count(["MASKED"])
    assert masked > 90  # nearly everybody has a health record; none of them is shown
    assert read["states"].get("MASKED") == masked
    assert sum(read["states"].values()) == 100
    assert all(not p["health"]["chronic"] for p in people)
