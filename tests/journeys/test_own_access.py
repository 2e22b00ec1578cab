"""本人查询: a portal speaks for one citizen, sees his household alone, and who has seen him."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import date, timedelta
from typing import TYPE_CHECKING, Any

import pytest
from sqlalchemy import insert, select

from adapters.identity import citizen_uid
from audit.tokens import SubjectTokens
from hub.rights import today
from store.accounts import NewPost, NewPrincipal, seed_accounts
from store.audit import audit_withholding
from store.register import citizen

if TYPE_CHECKING:
    from hub.demo.site import Site
    from tests.journeys.conftest import Desk, FillStore, OpenDesk

pytestmark = [pytest.mark.anyio, pytest.mark.loopback]

PORTAL, TOWN, OFFICE = "portal-01", "zhelai-town-01", "office-01"
BY_NUMBER = "query($n: String!) { citizen(by: {idNumber: $n}) { name phone } }"
OWN = """query($s: DateTime) { mySubjectAccess(first: 50, since: $s) { totalCount nodes {
  shown at how office system purpose basis department { name } } } }"""


@pytest.fixture(params=["sqlite", pytest.param("postgres", marks=pytest.mark.postgres)])
def address(request: pytest.FixtureRequest, tmp_path: Any) -> str:
    if request.param == "postgres":
        return str(request.getfixturevalue("pg_url"))
    return f"sqlite+aiosqlite:///{tmp_path / 'own.sqlite'}"


@pytest.fixture
async def seen(
    address: str, open_desk: OpenDesk, fill_store: FillStore, site_copy: Site
) -> AsyncIterator[Desk]:
    """A citizen of 者腊乡 was read by the township and sought by the office; a portal is there."""
    await fill_store(site_copy, address)
    given: dict[str, object] = {
        "store.url": address,
        "audit.signer_file": site_copy.folder / "signer of this store.json",
    }
    async with open_desk(site_copy, **given) as desk:
        async with desk.hub.store.begin() as connection:
            post = NewPost("rev", "portal", "532622")
            portal = NewPrincipal(PORTAL, "portal", "群众端", "rev", (post,))
            await seed_accounts(connection, [portal])
        await desk.hub.keeper.look()
        person = desk.site.shown("zhelai")
        number = {"n": person.id18}
        assert (await desk.ask(TOWN, BY_NUMBER, number, purpose="aid.file")).status_code == 200
        assert (await desk.ask(OFFICE, BY_NUMBER, number, purpose="supervise")).status_code == 200
        assert await desk.hub.log.indexed()
        yield desk


async def own(
    desk: Desk, who: str | None, text: str = OWN, account: str = PORTAL, **more: str
) -> Any:
    token = desk.hub.tokens.issue(account, ["self"])
    headers = {"Authorization": f"Bearer {token}", "X-Purpose": "self", **more}
    if who is not None:
        headers["X-End-User"] = who
    return await desk.client.post("/graphql", json={"query": text}, headers=headers)


async def withhold(desk: Desk, level: str, until: date | None = None, **aims: str) -> None:
    row = {
        "id": f"w-{level}", "level": level, "org": "", "purpose": "", "case_ref": "",
        "basis": "某法第九条", "until": until or today() + timedelta(days=30),
        "written_by": "a", "approved_by": "b", "at": 1,
    }  # fmt: skip
    async with desk.hub.store.begin() as connection:
        await connection.execute(insert(audit_withholding), row | aims)


async def test_a_citizen_is_told_who_saw_him(seen: Desk) -> None:
    person = seen.site.shown("zhelai")
    answer = await own(seen, person.citizen)
    assert "errors" not in answer.json(), answer.text
    nodes = answer.json()["data"]["mySubjectAccess"]["nodes"]
    assert [(n["shown"], n["how"], n["office"], n["purpose"]) for n in nodes] == [
        ("FULL", "SEEN", "rev", "supervise"),
        ("FULL", "SEEN", "rev", "aid.file"),
    ]
    assert {n["system"] for n in nodes} == {"hub-demo"}
    assert all(n["at"].endswith("+08:00") and n["basis"] is None for n in nodes)
    assert nodes[0]["department"]["name"].startswith("砚山县")
    record = await seen.record(answer)
    uid = citizen_uid(seen.hub.keys.identity, person.id18)
    token = SubjectTokens(seen.hub.keys.audit).token(uid)
    assert (record["kind"], record["actor"], record["end_user"]) == ("AUDIT_READ", PORTAL, token)
    assert "subjects" not in record
    assert person.citizen not in str(record)


async def test_what_is_withheld_is_counted_and_its_ground_told(seen: Desk) -> None:
    who = seen.site.shown("zhelai").citizen
    await withhold(seen, "WITHHELD", purpose="supervise")
    await withhold(seen, "OFFICE_ONLY", org="rev")
    nodes = (await own(seen, who)).json()["data"]["mySubjectAccess"]["nodes"]
    assert nodes[0] == {
        "shown": "WITHHELD", "at": None, "how": None, "office": None, "system": None,
        "purpose": None, "basis": "某法第九条", "department": None,
    }  # fmt: skip
    assert (nodes[1]["shown"], nodes[1]["office"]) == ("OFFICE_ONLY", "rev")
    assert (nodes[1]["system"], nodes[1]["purpose"], nodes[1]["basis"]) == (None, None, None)
    assert nodes[1]["at"] is not None


async def test_a_withholding_ends_with_its_day(seen: Desk) -> None:
    who = seen.site.shown("zhelai").citizen
    await withhold(seen, "WITHHELD", until=today() - timedelta(days=2), org="rev")
    nodes = (await own(seen, who)).json()["data"]["mySubjectAccess"]["nodes"]
    assert [n["shown"] for n in nodes] == ["FULL", "FULL"]


async def test_he_sees_his_household_and_nobody_else(seen: Desk) -> None:
    mine, other = seen.site.shown("zhelai").citizen, seen.site.shown("bange").citizen
    asked = '{{ citizen(by: {{id: "{}"}}) {{ id household {{ id members {{ id }} }} }} }}'
    found = (await own(seen, mine, asked.format(mine))).json()["data"]["citizen"]
    async with seen.hub.store.connect() as connection:
        household = await connection.scalar(
            select(citizen.c.household_id).where(citizen.c.id == mine)
        )
        members = set(
            await connection.scalars(
                select(citizen.c.id).where(citizen.c.household_id == household)
            )
        )
    assert found["household"]["id"] == household
    assert {one["id"] for one in found["household"]["members"]} <= members
    stranger = await own(seen, mine, asked.format(other))
    assert stranger.json()["data"] == {"citizen": None}


@pytest.mark.parametrize("who", ["nobody", "", "a b", "' OR 1=1 --", "x" * 65])
async def test_whom_nobody_knows_is_refused(seen: Desk, who: str) -> None:
    answer = await own(seen, who)
    (error,) = answer.json()["errors"]
    assert (error["extensions"]["code"], error["extensions"]["reason"]) == (
        "FORBIDDEN",
        "END_USER",
    )
    assert answer.json().get("data") is None
    record = (await seen.records())[-1]
    assert (record["outcome"], record["actor"]) == ("DENIED", PORTAL)


async def test_a_portal_that_names_nobody_is_told_nothing(seen: Desk) -> None:
    answer = await own(seen, None)
    assert answer.json()["data"] == {"mySubjectAccess": None}
    assert answer.json()["errors"][0]["extensions"]["reason"] == "END_USER"
    everybody = await own(seen, None, "{ citizens { totalCount } }")
    assert everybody.json()["data"] == {"citizens": None}


@pytest.mark.parametrize("header", ["X-Case-No", "X-Road-Issue"])
async def test_a_portal_that_names_nobody_has_no_case_either(seen: Desk, header: str) -> None:
    """Case numbers can be counted up: they must not lead to whom they are about."""
    from store.cases import case_file

    async with seen.hub.store.connect() as connection:
        number = await connection.scalar(select(case_file.c.case_no).limit(1))
    text = f'{{ case(caseNo: "{number}") {{ applicant {{ id }} }} }}'
    answer = await own(seen, None, text, **{header: str(number)})
    said = answer.json()["errors"][0]["extensions"]
    assert (answer.status_code, said["code"], said["reason"]) == (403, "FORBIDDEN", "CASE")
    assert "data" not in answer.json()


async def test_only_a_portal_speaks_for_somebody(seen: Desk) -> None:
    headers = seen.headers(TOWN, "aid.file") | {"X-End-User": seen.site.shown("zhelai").citizen}
    body = {"query": "{ viewer { account } }"}
    answer = await seen.client.post("/graphql", json=body, headers=headers)
    assert answer.json()["errors"][0]["extensions"]["reason"] == "HEADER"


async def test_a_case_of_another_household_is_none_of_his_business(seen: Desk) -> None:
    mine = seen.site.shown("zhelai").citizen
    from store.cases import case_file

    async with seen.hub.store.connect() as connection:
        household = await connection.scalar(
            select(citizen.c.household_id).where(citizen.c.id == mine)
        )
        other = await connection.scalar(
            select(case_file.c.case_no).where(case_file.c.household_id != household).limit(1)
        )
    answer = await own(seen, mine, "{ viewer { account } }", **{"X-Case-No": str(other)})
    assert answer.json()["errors"][0]["extensions"]["reason"] == "CASE"


@pytest.mark.parametrize("account", ["auditor-01", TOWN, OFFICE, "lab"])
async def test_nobody_else_reads_a_citizens_own_list(seen: Desk, account: str) -> None:
    for purpose in seen.purposes(account):
        answer = await seen.ask(account, OWN, purpose=purpose)
        assert answer.json()["data"] == {"mySubjectAccess": None}
