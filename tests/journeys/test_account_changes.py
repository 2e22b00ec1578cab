"""账号变更与人员缺口 over HTTP: both routes to their end, and scenario (g) in two workers."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from typing import TYPE_CHECKING, Any

import pytest
from sqlalchemy import select, update

from adapters.identity import citizen_uid, with_check_digit
from catalog.load import load
from domain.staffing import Station, gaps, required
from hub.demo.site import Site
from hub.rights import today
from store.account_changes import account_change, account_change_event, training_record
from store.accounts import NewPost, NewPrincipal, post, principal, seed_accounts, suspend
from store.cases import case_file
from store.engine import single
from store.policy import policy_change
from tests.account_changes import (
    ADMIN,
    BANGE,
    CHANGED,
    COUNTY_WAY,
    HEAD,
    MCA_ADMIN,
    NEW,
    NUMBER,
    OFFICE,
    PREFECTURE_WAY,
    REV_ADMIN,
    TOWN_HEAD,
    ZHELAI,
    act,
    filed,
    joining,
    leaving,
    moved,
    moving,
    place,
    refused,
    taken_to,
    trained,
)
from tests.casework import ACCEPT, DEPT, MANY, NEIGHBOUR, TOWN, code, do
from tests.corrections import asked
from tests.trusted import Edge, over

if TYPE_CHECKING:
    from tests.journeys.conftest import FillStore

pytestmark = [pytest.mark.anyio]

SEEN = """query($id: ID!, $mine: String!, $theirs: String!) {
  citizen(by: {id: $id}) { id } mine: case(caseNo: $mine) { caseNo }
  theirs: case(caseNo: $theirs) { caseNo } }"""
WHOLE = """query($no: String!) { accountChange(changeNo: $no) {
  changeNo kind route state version account realName employment oldPosts newRole filedBy approvedBy
  documentNo reason department { code } division { code } newDepartment { code }
  newDivision { code } access { field state }
  events { nodes { seq act state post account note } }
  trainings { nodes { account subject } } } }"""
OTHER = with_check_digit("53992219910408123")
"""Another invented person's id number."""
GAPS = """query($after: String, $filter: StaffingFilter) {
  staffingGaps(first: 100, after: $after, filter: $filter) {
  totalCount pageInfo { hasNextPage endCursor }
  nodes { department { code } division { code } level required held missing legalBasis } } }"""


@pytest.fixture
async def edge(site_copy: Site) -> AsyncIterator[Edge]:
    async with over(site_copy, MANY) as made:
        yield made


async def rows(edge: Edge, table: Any, *where: Any) -> list[dict[str, Any]]:
    async with single(edge.hub.settings.store_url, readonly=True) as conn:
        return [dict(row) for row in (await conn.execute(select(table).where(*where))).mappings()]


async def case_in(edge: Edge, path: str) -> str:
    """The number of a case of this township."""
    wanted = select(case_file.c.case_no).where(case_file.c.region_path.startswith(path))
    async with single(edge.hub.settings.store_url, readonly=True) as conn:
        return str(await conn.scalar(wanted.order_by(case_file.c.case_no).limit(1)))


async def whole(edge: Edge, by: str, number: str) -> Any:
    return (await asked(edge, by, WHOLE, ADMIN, no=number))["data"]["accountChange"]


async def let_in(edge: Edge, account: str) -> int:
    """The status with which an account is answered."""
    token = edge.hub.tokens.issue(account, ("aid.review",))
    headers = {"Authorization": f"Bearer {token}", "X-Purpose": "aid.review", **ACCEPT}
    body = {"query": "{ viewer { account } }"}
    return (await edge.http.post("/graphql", json=body, headers=headers)).status_code


# ---- scenario (g) --------------------------------------------------------------------------------


async def sees(edge: Edge, cases: Mapping[str, str]) -> tuple[bool, bool, bool]:
    """Does the clerk see a citizen of 者腊乡, a case there, a case of 蚌峨乡?"""
    given = {"id": edge.site.shown("zhelai").citizen, **cases}
    data = (await asked(edge, TOWN, SEEN, "aid.file", **given))["data"]
    return data["citizen"] is not None, data["mine"] is not None, data["theirs"] is not None


OLD, NEXT = (True, True, False), (False, False, True)


async def test_a_clerk_who_moves_leaves_his_scope_behind_with_the_next_request(edge: Edge) -> None:
    await moves_between_townships(edge)


@pytest.mark.postgres
@pytest.mark.loopback
async def test_the_same_with_postgresql_as_the_store(
    site_copy: Site, fill_store: FillStore, pg_url: str
) -> None:
    await fill_store(site_copy, pg_url)
    async with over(site_copy, {**MANY, "store.url": pg_url}) as edge:
        assert edge.hub.store.dialect.name == "postgresql"
        await moves_between_townships(edge)
        await has_these_gaps(edge)


async def moves_between_townships(edge: Edge) -> None:
    """Scenario (g) of 领域设计 4, asked in two workers."""
    cases = {
        "mine": await case_in(edge, "532622205"),
        "theirs": await case_in(edge, "532622206"),
    }
    given = dict(MANY)
    if edge.hub.store.dialect.name == "postgresql":
        given["store.url"] = edge.hub.settings.store_url
    async with over(edge.site, given) as other:
        number = await filed(edge, REV_ADMIN, moving(TOWN, place("rev", "town", BANGE)))
        version = await taken_to(edge, number, TOWN_HEAD, COUNTY_WAY, "OFFICE_APPLIED")
        assert (await trained(edge, OFFICE, TOWN)).status_code == 200
        # Approved everywhere, and not yet in force: nothing has moved.
        assert [await sees(one, cases) for one in (edge, other)] == [OLD, OLD]
        answer = await moved(edge, OFFICE, "activateAccountChange", number, version)
        assert answer.json()["data"]["done"]["accountChange"] == {
            "changeNo": "ZH2026-000001",
            "kind": "MOVING",
            "route": "COUNTY",
            "state": "EFFECTIVE",
            "version": 4,
        }
        assert [await sees(one, cases) for one in (other, edge)] == [NEXT, NEXT]
        opinion = {"caseNo": cases["mine"], "version": 1, "opinion": "齐全"}
        for one in (other, edge):
            late = await do(one, TOWN, "acceptCase", opinion)
            assert (late.status_code, code(late)) == (404, ("NOT_FOUND", None))
    held = [
        (row["id"], row["region_path"], row["appointed_by"], row["approved_by"])
        for row in await rows(edge, post, post.c.principal_id == TOWN, post.c.ends_on >= today())
    ]
    assert held == [(f"{TOWN}.2", "532622206", OFFICE, TOWN_HEAD)]
    (noted,) = await rows(edge, policy_change, policy_change.c.what == "account.move")
    assert (noted["who"], noted["before"], noted["after"], noted["basis"]) == (
        OFFICE,
        f"{TOWN} rev/town/532622205",
        f"{TOWN} rev/town/532622206",
        f"办法第六条，{number}",
    )


# ---- both routes ---------------------------------------------------------------------------------


async def test_a_townships_change_ends_with_the_office(edge: Edge) -> None:
    number = await filed(edge, REV_ADMIN, moving(TOWN, place("rev", "town", BANGE)))
    await taken_to(edge, number, TOWN_HEAD, COUNTY_WAY, "OFFICE_APPLIED")
    await trained(edge, OFFICE, TOWN)
    await moved(edge, OFFICE, "activateAccountChange", number, 3)
    told = await whole(edge, OFFICE, number)
    assert told.pop("events")["nodes"] == [
        *step(1, None, "DRAFT", "rev/account_admin/532622", REV_ADMIN, None),
        *step(2, "APPROVE", "ORG_APPROVED", "rev/lead/532622205", TOWN_HEAD, "同意"),
        *step(3, "APPLY", "OFFICE_APPLIED", "rev/office/532622", OFFICE, "材料齐全"),
        *step(4, "PUT_IN_FORCE", "EFFECTIVE", "rev/office/532622", OFFICE, None),
    ]
    assert told == {
        "changeNo": "ZH2026-000001",
        "kind": "MOVING",
        "route": "COUNTY",
        "state": "EFFECTIVE",
        "version": 4,
        "account": TOWN,
        "realName": "陆某乙",
        "employment": "CIVIL",
        "oldPosts": "rev/town/532622205",
        "newRole": "town",
        "filedBy": REV_ADMIN,
        "approvedBy": TOWN_HEAD,
        "documentNo": None,
        "reason": "工作需要",
        "department": {"code": "rev"},
        "division": {"code": ZHELAI},
        "newDepartment": {"code": "rev"},
        "newDivision": {"code": BANGE},
        "access": [{"field": "documentNo", "state": "NO_RECORD"}],
        "trainings": {"nodes": [{"account": TOWN, "subject": "网络安全与个人信息保护"}]},
    }


def step(
    seq: int, act: str | None, state: str, post: str, account: str, note: str | None
) -> list[dict[str, Any]]:
    return [
        {"seq": seq, "act": act, "state": state, "post": post, "account": account, "note": note}
    ]


async def test_a_departments_change_waits_for_the_prefecture_and_for_training(edge: Edge) -> None:
    number = await filed(edge, MCA_ADMIN, joining())
    version = await taken_to(edge, number, HEAD, PREFECTURE_WAY, "CONFIRMED_BY_PREFECTURE")
    assert await let_in(edge, NEW) == 401
    wanted = f"{CHANGED} ... on TrainingMissing {{ account }}"
    answer = await moved(edge, OFFICE, "activateAccountChange", number, version, wanted)
    assert refused(answer) == {"__typename": "TrainingMissing", "account": NEW}
    assert await rows(edge, principal, principal.c.id == NEW) == []

    answer = await trained(edge, MCA_ADMIN, NEW)
    assert answer.json()["data"]["done"]["training"] == {
        "account": NEW,
        "heldOn": "2026-11-02",
        "subject": "网络安全与个人信息保护",
        "recordedBy": MCA_ADMIN,
    }
    answer = await moved(edge, OFFICE, "activateAccountChange", number, version)
    assert refused(answer)["accountChange"]["state"] == "EFFECTIVE"
    assert await let_in(edge, NEW) == 200
    uid = citizen_uid(edge.hub.keys.identity, NUMBER)
    (made,) = await rows(edge, principal, principal.c.id == NEW)
    assert made == {
        "id": NEW,
        "kind": "official",
        "real_name": "沙某丑",
        "home_dept": "mca",
        "employment": "institution",
        "state": "active",
        "duty": "work",
        "token_epoch": 0,
        "person_uid": uid,
    }
    (held,) = await rows(edge, post, post.c.principal_id == NEW)
    assert (held["id"], held["dept"], held["role"], held["region_path"], held["starts_on"]) == (
        *(f"{NEW}.1", "mca", "dept", "532622"),
        today(),
    )
    told = await whole(edge, MCA_ADMIN, number)
    assert (told["route"], told["documentNo"]) == ("PREFECTURE", "文民账〔2026〕12号")
    assert [(e["act"], e["state"], e["account"]) for e in told["events"]["nodes"]] == [
        (None, "DRAFT", MCA_ADMIN),
        ("APPROVE", "ORG_APPROVED", HEAD),
        ("HAND_OVER", "HANDED_OVER", OFFICE),
        ("CONFIRM", "CONFIRMED_BY_PREFECTURE", OFFICE),
        ("PUT_IN_FORCE", "EFFECTIVE", OFFICE),
    ]
    stamps = ("approved_at", "handed_over_at", "effective_at")
    (row,) = await rows(edge, account_change)
    assert None not in [row[name] for name in stamps]


async def test_no_id_number_stays_anywhere(edge: Edge) -> None:
    number = await filed(edge, MCA_ADMIN, joining())
    stored = (edge.site.folder / "store.sqlite").read_bytes()
    wal = edge.site.folder / "store.sqlite-wal"
    stored += wal.read_bytes() if wal.exists() else b""
    assert number.encode() in stored
    assert NUMBER.encode() not in stored
    deed = next(r for r in await edge.records() if r["kind"] == "MUTATION")
    assert (deed["case"], deed["op"]["name"], len(deed["subjects"])) == (
        number,
        "fileAccountChange",
        1,
    )
    wrong = joining("mca-dept-03", NUMBER[:-1] + ("0" if NUMBER[-1] != "0" else "1"))
    answer = await act(edge, MCA_ADMIN, "fileAccountChange", wrong)
    assert (answer.status_code, code(answer)) == (400, ("BAD_USER_INPUT", "ID_NUMBER"))
    assert NUMBER[:-1] not in answer.text


# ---- leaving -------------------------------------------------------------------------------------


async def test_who_leaves_is_suspended_at_once_and_closed_in_the_end(edge: Edge) -> None:
    async with over(edge.site, MANY) as other:
        assert [await let_in(one, DEPT) for one in (edge, other)] == [200, 200]
        number = await filed(edge, MCA_ADMIN, leaving(DEPT))
        assert [await let_in(one, DEPT) for one in (other, edge)] == [401, 401]
    (held,) = await rows(edge, principal, principal.c.id == DEPT)
    assert held["state"] == "suspended"
    version = await taken_to(edge, number, HEAD, PREFECTURE_WAY, "EFFECTIVE")
    assert version == 5  # who loses rights needs no training
    (held,) = await rows(edge, principal, principal.c.id == DEPT)
    assert held["state"] == "closed"
    assert await rows(edge, post, post.c.principal_id == DEPT, post.c.ends_on >= today()) == []
    changes = await rows(edge, policy_change, policy_change.c.what.startswith("account."))
    assert [(c["what"], c["after"]) for c in changes] == [
        ("account.suspend", f"{DEPT} suspended"),
        ("account.close", DEPT),
    ]
    again = await act(edge, MCA_ADMIN, "fileAccountChange", leaving(DEPT))
    assert (again.status_code, code(again)) == (404, ("NOT_FOUND", None))


async def test_a_filing_that_is_refused_suspends_nobody(edge: Edge) -> None:
    answer = await act(edge, MCA_ADMIN, "fileAccountChange", leaving(TOWN))
    assert (answer.status_code, code(answer)) == (404, ("NOT_FOUND", None))
    empty = await act(edge, MCA_ADMIN, "fileAccountChange", {**leaving(DEPT), "reason": " "})
    assert (empty.status_code, code(empty)) == (400, ("BAD_USER_INPUT", "VARIABLE"))
    assert {row["state"] for row in await rows(edge, principal)} == {"active"}
    assert await rows(edge, account_change) == []


# ---- who may not ---------------------------------------------------------------------------------


async def test_who_filed_it_and_whom_it_is_about_cannot_approve(edge: Edge) -> None:
    own = await filed(edge, HEAD, moving(DEPT, place("mca", "lead", "532622000000")))
    wanted = f"{CHANGED} ... on OwnFiling {{ message }}"
    answer = await moved(edge, HEAD, "approveAccountChange", own, 1, wanted)
    assert refused(answer)["__typename"] == "OwnFiling"
    mine = await filed(edge, MCA_ADMIN, moving(HEAD, place("mca", "dept", "532622000000")))
    answer = await moved(edge, HEAD, "approveAccountChange", mine, 1, wanted)
    assert refused(answer)["__typename"] == "OwnFiling"
    assert [row["state"] for row in await rows(edge, account_change)] == ["DRAFT", "DRAFT"]
    assert [row["act"] for row in await rows(edge, account_change_event)] == [None, None]


async def test_a_person_has_one_account_and_a_name_is_one_persons(edge: Edge) -> None:
    number = await filed(edge, MCA_ADMIN, joining())
    kinds = "__typename ... on ChangeRunning { changeNo }"

    async def said(by: str, given: Mapping[str, object]) -> Any:
        return refused(await act(edge, by, "fileAccountChange", given, kinds))

    taken = {"__typename": "AccountTaken"}
    assert await said(MCA_ADMIN, joining(NEW, OTHER)) == taken
    assert await said(MCA_ADMIN, joining(TOWN, OTHER)) == taken
    assert await said(MCA_ADMIN, joining("mca-dept-03")) == {"__typename": "PersonHasAccount"}
    version = await taken_to(edge, number, HEAD, PREFECTURE_WAY, "CONFIRMED_BY_PREFECTURE")
    await trained(edge, OFFICE, NEW)
    await moved(edge, OFFICE, "activateAccountChange", number, version)
    assert await said(MCA_ADMIN, joining("mca-dept-03")) == {"__typename": "PersonHasAccount"}
    running = await filed(edge, MCA_ADMIN, leaving(NEW))
    assert await said(MCA_ADMIN, moving(NEW, place("mca", "lead", "532622000000"))) == {
        "__typename": "ChangeRunning",
        "changeNo": running,
    }


@pytest.mark.parametrize(
    ("by", "given", "status", "said"),
    [
        # A department's administrator appoints nobody to management, nor into another department.
        (MCA_ADMIN, joining(post=place("mca", "account_admin", "532622000000")), 403, "NO_RULE"),
        (MCA_ADMIN, joining(post=place("edu", "dept", "532622000000")), 403, "OWNER"),
        (TOWN_HEAD, moving(TOWN, place("rev", "town", BANGE)), 403, "REACH"),
        # Villages and townships belong to rev; the three separate duties are given otherwise.
        (MCA_ADMIN, joining(post=place("mca", "town", ZHELAI)), 400, "VARIABLE"),
        (OFFICE, joining(post=place("rev", "auditor", "532622000000")), 400, "VARIABLE"),
        (OFFICE, leaving("auditor-01"), 400, "VARIABLE"),
        (OFFICE, joining(post=place("rev", "town", "532622000000")), 400, "VARIABLE"),
        (MCA_ADMIN, joining(post=place("mca", "dept", "530100000000")), 400, "CODE_SCHEME"),
        (MCA_ADMIN, {**joining(), "post": None}, 400, "VARIABLE"),
        (MCA_ADMIN, {**leaving(DEPT), "post": place("mca", "dept", ZHELAI)}, 400, "VARIABLE"),
        (MCA_ADMIN, {**joining(), "person": None}, 400, "VARIABLE"),
        (MCA_ADMIN, joining("Mca Dept"), 400, "VARIABLE"),
        (MCA_ADMIN, leaving("nobody"), 404, None),
        (MCA_ADMIN, leaving("mca-system-01"), 404, None),
    ],
)
async def test_what_cannot_be_filed(
    edge: Edge, by: str, given: Mapping[str, object], status: int, said: str | None
) -> None:
    answer = await act(edge, by, "fileAccountChange", given)
    assert (answer.status_code, code(answer)[1]) == (status, said), answer.text
    assert await rows(edge, account_change) == []


async def test_the_office_alone_appoints_an_account_administrator(edge: Edge) -> None:
    given = joining("edu-admin-01", post=place("edu", "account_admin", "532622000000"))
    number = await filed(edge, OFFICE, given)
    told = await whole(edge, OFFICE, number)
    assert (told["department"]["code"], told["route"]) == ("edu", "PREFECTURE")
    for by in (MCA_ADMIN, REV_ADMIN, HEAD):
        assert await whole(edge, by, number) is None
        answer = await moved(edge, by, "approveAccountChange", number, 1)
        assert (answer.status_code, code(answer)) == (404, ("NOT_FOUND", None))


async def test_who_moves_from_a_township_to_a_department_goes_the_departments_way(
    edge: Edge,
) -> None:
    number = await filed(edge, OFFICE, moving(TOWN, place("mca", "dept", "532622000000")))
    assert (await whole(edge, OFFICE, number))["route"] == "PREFECTURE"


async def test_acts_out_of_turn_old_versions_and_strangers_are_refused(edge: Edge) -> None:
    number = await filed(edge, MCA_ADMIN, joining())
    answer = await moved(edge, OFFICE, "activateAccountChange", number, 1)
    assert (answer.status_code, code(answer)) == (409, ("CONFLICT", "STATE"))
    assert answer.json()["errors"][0]["extensions"]["allowed"] == ["APPROVE"]
    answer = await moved(edge, OFFICE, "approveAccountChange", number, 1)
    assert (answer.status_code, code(answer)) == (403, ("FORBIDDEN", "NO_RULE"))
    await moved(edge, HEAD, "approveAccountChange", number, 1)
    answer = await moved(edge, OFFICE, "applyAccountChange", number, 2)
    assert answer.json()["errors"][0]["extensions"]["allowed"] == ["HAND_OVER"]
    answer = await moved(edge, OFFICE, "handOverAccountChange", number, 1)
    assert (answer.status_code, code(answer)) == (409, ("CONFLICT", "VERSION"))


async def test_a_change_is_filed_once_under_its_key(edge: Edge) -> None:
    given = {"Idempotency_Key": "zh-2026-0001", "X_Purpose": ADMIN}
    first = await do(edge, MCA_ADMIN, "fileAccountChange", joining(), CHANGED, **given)
    again = await do(edge, MCA_ADMIN, "fileAccountChange", joining(), CHANGED, **given)
    assert first.json()["data"] == again.json()["data"]
    assert len(await rows(edge, account_change)) == 1


async def test_a_name_that_a_right_to_unmask_shows_leaves_under_the_new_policy(
    edge: Edge,
) -> None:
    """The deed itself makes a new version; the payload is judged anew, the deed is not redone."""
    wanted = "... on AccountChangeChanged { accountChange { realName state } }"
    answer = await act(edge, MCA_ADMIN, "fileAccountChange", leaving(DEPT), wanted)
    assert answer.json()["data"]["done"]["accountChange"] == {
        "realName": "李某丁",
        "state": "DRAFT",
    }
    assert len(await rows(edge, account_change)) == 1
    assert len([r for r in await edge.records() if r["kind"] == "MUTATION"]) == 1


async def test_training_of_others_is_not_recorded_nor_of_tomorrow(edge: Edge) -> None:
    answer = await trained(edge, MCA_ADMIN, TOWN)
    assert (answer.status_code, code(answer)) == (404, ("NOT_FOUND", None))
    given = {"account": DEPT, "heldOn": "2999-01-01", "subject": "网络安全"}
    answer = await act(edge, MCA_ADMIN, "recordTraining", given, "__typename")
    assert (answer.status_code, code(answer)) == (400, ("BAD_USER_INPUT", "VARIABLE"))
    assert await rows(edge, training_record) == []
    assert (await trained(edge, MCA_ADMIN, DEPT)).status_code == 200
    text = "{ trainingRecords { nodes { account department { code } } } }"
    lists = {
        by: (await asked(edge, by, text, ADMIN))["data"]["trainingRecords"]["nodes"]
        for by in (MCA_ADMIN, HEAD, REV_ADMIN, TOWN_HEAD, OFFICE)
    }
    one = [{"account": DEPT, "department": {"code": "mca"}}]
    assert lists == {MCA_ADMIN: one, HEAD: one, REV_ADMIN: [], TOWN_HEAD: [], OFFICE: one}


# ---- staffing gaps -------------------------------------------------------------------------------


Gap = tuple[str, str, int, int, int]
"""Department, place, required, held, missing."""


async def gaps_of(edge: Edge, by: str, **where: object) -> list[Gap]:
    """Every gap this account is told of, page by page."""
    found: list[Gap] = []
    after = None
    while True:
        answer = await asked(edge, by, GAPS, ADMIN, after=after, filter=where or None)
        page = answer["data"]["staffingGaps"]
        for one in page["nodes"]:
            station = one["department"]["code"], one["division"]["code"]
            assert one["legalBasis"] == "MEASURES_ART_12"
            found.append((*station, one["required"], one["held"], one["missing"]))
        if not page["pageInfo"]["hasNextPage"]:
            assert len(found) == page["totalCount"]
            return found
        after = page["pageInfo"]["endCursor"]


async def has_these_gaps(edge: Edge) -> None:
    """Held by hand: what the accounts are, less the three duties, the systems and the suspended."""
    catalog = load()
    needed = required(catalog.procedures.staffing(today()), catalog.divisions)
    held: dict[Station, int] = {}
    for account in await rows(edge, principal, principal.c.state == "active"):
        if account["kind"] == "official" and account["duty"] == "work":
            mine = (post.c.principal_id == account["id"], post.c.ends_on >= today())
            for one in await rows(edge, post, *mine):
                station = Station(one["dept"], one["region_path"])
                held[station] = held.get(station, 0) + 1
    by_path = catalog.divisions.by_path
    expected = {
        (g.station.department, by_path[g.station.path].code, g.required, g.held, g.missing)
        for g in gaps(needed, held)
    }
    assert {*await gaps_of(edge, OFFICE)} == expected


async def test_the_demonstrations_few_accounts_leave_these_gaps(edge: Edge) -> None:
    """者腊乡 has its clerk and its head, 蚌峨乡 one clerk, one village one clerk, 民政 three."""
    found = await gaps_of(edge, OFFICE)
    short = {(dept, at): counts for dept, at, *counts in found}
    village = edge.site.shown("zhelai").village
    assert len(found) == 204 - 4  # all stations but four
    assert sum(missing for *_, missing in found) == 223 - (2 + 2 + 1 + 1 + 2)
    for full in (
        ("rev", "532622000000"),
        ("rev", ZHELAI),
        ("rev", village),
        ("mca", "532622000000"),
    ):
        assert full not in short
    assert short["rev", BANGE] == [2, 1, 1]
    assert short["mca", BANGE] == [1, 0, 1]
    assert short["edu", "532622000000"] == [2, 0, 2]
    await has_these_gaps(edge)


async def test_a_department_is_told_of_its_own_gaps(edge: Edge) -> None:
    mine = await gaps_of(edge, MCA_ADMIN)
    assert {dept for dept, *_ in mine} == {"mca"}
    assert (len(mine), sum(missing for *_, missing in mine)) == (11, 11)
    assert mine == await gaps_of(edge, OFFICE, department="mca")
    below = await gaps_of(edge, OFFICE, division=BANGE)
    assert len(below) == 8 + 6  # its township's eight departments and its six villages
    assert len(await gaps_of(edge, OFFICE, level="COUNTY")) == 6
    answer = await asked_of(edge, NEIGHBOUR)
    assert answer == (200, ("FORBIDDEN", "NO_RULE"))


async def asked_of(edge: Edge, by: str) -> tuple[int, tuple[str, str | None]]:
    body = {"query": "{ staffingGaps { totalCount } }"}
    headers = edge.headers(by) | ACCEPT
    answer = await edge.http.post("/graphql", json=body, headers=headers)
    return answer.status_code, code(answer)


async def test_223_accounts_have_no_gap_and_each_that_goes_is_named(site_copy: Site) -> None:
    catalog = load()
    needed = required(catalog.procedures.staffing(today()), catalog.divisions)
    roles = {6: "dept", 9: "dept", 12: "village"}
    staff = [
        NewPrincipal(
            f"staff-{station.department}-{station.path}-{n}",
            *("official", "测试经办", station.department),
            (NewPost(station.department, roles[len(station.path)], station.path),),
        )
        for station, count in needed.items()
        for n in range(count)
    ]
    assert len(staff) == 223
    async with single(site_copy.store_url) as conn:
        # Whoever was there before is there no more: 223 are neither more nor less.
        await conn.execute(
            update(principal).where(principal.c.id != OFFICE).values(state="suspended")
        )
        office = f"staff-rev-532622-{needed[Station('rev', '532622')] - 1}"
        await seed_accounts(conn, [one for one in staff if one.id != office])
    async with over(site_copy, MANY) as edge:
        assert await gaps_of(edge, OFFICE) == []
        for number, gone in enumerate(("staff-hea-532622204-0", "staff-rev-532622101-1")):
            async with single(site_copy.store_url) as conn:
                await suspend(conn, gone, by="test", basis="test")
            found = await gaps_of(edge, OFFICE)
            assert len(found) == number + 1
        assert found == [
            ("rev", "532622101000", 2, 1, 1),
            ("hea", "532622204000", 1, 0, 1),
        ]
