"""The access log as a way round: the auditor reads who asked for what, never about whom."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from hub.demo.site import Site
    from tests.journeys.conftest import OpenDesk

pytestmark = [pytest.mark.anyio, pytest.mark.loopback]

LOG = """{ auditEvents(first: 100) { totalCount nodes {
  idx at kind outcome decisionCode actor actorOrg actorRole purpose caseRef operation
  rowCount subjectCount leaf body } } }"""
PERSON = "id name idNumber phone address household { id householdNo members { id name phone } }"
ROADS: dict[str, tuple[str, str | None]] = {
    "root by key": (f"query A($v: ID!) {{ citizen(by: {{id: $v}}) {{ {PERSON} }} }}", "citizen"),
    "look-up": (f"query B($v: String!) {{ citizen(by: {{idNumber: $v}}) {{ {PERSON} }} }}", "id18"),
    "list": (f"{{ citizens(first: 3) {{ nodes {{ {PERSON} }} }} }}", None),
    "relation": (
        f"query C($v: String!) {{ case(caseNo: $v) {{ body applicant {{ {PERSON} }} }} }}",
        "case_no",
    ),
    "facet": (
        "query D($v: ID!) { citizen(by: {id: $v})"
        " { civilAffairs { minLiving { name status certificateNo } } } }",
        "citizen",
    ),
    "counts": ("{ caseStats(by: [VILLAGE, ITEM]) { division item count } }", None),
}


async def test_no_value_of_a_person_reaches_the_log_by_any_road(
    site_copy: Site, open_desk: OpenDesk
) -> None:
    shown = [site_copy.shown(label) for label in ("zhelai", "bange")]
    async with open_desk(site_copy) as desk:
        answers: list[str] = []
        before = len(await desk.records())  # the copied county was asked by others, too
        for text, given in ROADS.values():
            for who in shown if given else shown[:1]:
                variables = {"v": getattr(who, given)} if given else {}
                answer = await desk.ask("zhelai-town-01", text, variables)
                answers.append(answer.text)
        read = await desk.ask("auditor-01", LOG, purpose="audit")
    page = read.json()["data"]["auditEvents"]
    asked = [n for n in page["nodes"] if int(n["idx"]) >= before]
    assert {n["actor"] for n in asked} == {"zhelai-town-01"}
    assert len(asked) == len(answers) == 10
    assert page["totalCount"] == before + len(asked)
    seen, said = "".join(answers), read.text
    known = _values(site_copy)
    told = [value for value in known if value in seen]
    assert len(told) > 20  # the answers were about somebody
    assert [value for value in known if value in said] == []
    # Who asked, for what purpose and how much was shown, is what the log is for.
    assert {n["purpose"] for n in asked} == {"aid.file"}
    assert max(n["subjectCount"] for n in asked) >= 3


def _values(site: Site) -> list[str]:
    """What names a person or is his: of everybody in the two households and the first page."""
    import contextlib
    import sqlite3

    with contextlib.closing(sqlite3.connect(site.folder / "store.sqlite")) as connection:
        rows: list[tuple[Any, ...]] = connection.execute(
            "SELECT id, name, id18, phone, address, citizen_uid, household_id FROM citizen"
            " WHERE region_path LIKE '532622205%' OR household_id = ?",
            (site.shown("bange").household,),
        ).fetchall()
    return [value for row in rows for value in row if value and len(value) > 1]
