"""The departments' own programs answer over HTTP what stands in their databases."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest

from hub.demo.department import PROGRAMS, departments

if TYPE_CHECKING:
    from hub.demo.site import Site
    from tests.journeys.conftest import Desk, OpenDesk

pytestmark = [pytest.mark.anyio, pytest.mark.loopback]

TOWN = "zhelai-town-01"
FREELY = {"rs_jiuye": ("--per-second", "1000000"), "sj_exchange": ("--delay", "0")}
FACETS = {
    "rs_jiuye": """employment { insurance { personNo name insuredState payingState insuredAs }
      jobWish { wishNo trade place monthlyPay registeredOn state }
      training { trainingNo course startOn state } }""",
    "sj_exchange": "provincial { registration { name state cancelledOn married realEstate } }",
}


@pytest.mark.parametrize("source", FACETS)
async def test_a_program_answers_as_its_database(
    desk: Desk, site: Site, open_desk: OpenDesk, source: str
) -> None:
    query = f"{{ citizens(first: 100) {{ nodes {{ name {FACETS[source]}"
    query += " access { field state source } } } }"
    programs = {source: replace(PROGRAMS[source], options=FREELY[source])}
    file = site.folder / "sources" / f"{source}.sqlite"
    with departments({source: file}, programs) as addresses:
        given = {
            f"sources.{source}": addresses[source],
            f"source_keys.{source}": PROGRAMS[source].key,
            "source.deadline_s": 10,
            "deadline_s": 10,
        }
        async with open_desk(site, **given) as asked:
            before = asked.calls()[source]
            answers: list[dict[str, Any]] = [
                (await one.ask(TOWN, query, purpose="aid.review")).json() for one in (desk, asked)
            ]
            assert asked.calls()[source] > before
    assert "errors" not in answers[1]
    assert answers[0]["data"] == answers[1]["data"]
    told = {one["name"]: one["status"] for one in answers[1]["extensions"]["sources"]}
    assert told[source] == "LIVE"
    facet = FACETS[source].split()[0]
    kinds = [
        kind for node in answers[1]["data"]["citizens"]["nodes"] for kind in node[facet].items()
    ]
    assert {name for name, found in kinds if found} == {name for name, _ in kinds}
