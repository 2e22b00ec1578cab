"""Scenario (b): 医保 and 乡村振兴 are compared, a hit becomes a clue, a case, a visit, a decision.

The hit alone changes nothing of anybody's: what 民政 pays is the same to the byte.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import sqlite3
from collections.abc import AsyncIterator, Iterator
from datetime import datetime
from hashlib import sha256
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from sqlalchemy import func, select

from adapters.drops.delivery import SCHEME
from authz.rule import NO_END, Rule
from catalog.workdays import ZONE
from domain.comparison import ClueState
from hub.comparing.reading import NotRead
from hub.demo.department import insurance
from hub.demo.site import HTTP_SOURCE, Site
from hub.demo.sources.insurance import SHEETS
from store.accounts import NewPost, NewPrincipal, seed_accounts
from store.comparisons import runs
from store.policy import add_denial
from store.register import citizen
from tests.casework import Time
from tests.comparisons import (
    DEPT,
    OFFICE,
    clues,
    compared,
    done,
    lifting,
    planted,
    shown,
)
from tests.journeys.conftest import CLERKS
from tests.sites import copied
from tests.trusted import over

if TYPE_CHECKING:
    from hub.worker import Hub
    from tests.journeys.conftest import Desk, FillStore, OpenDesk

pytestmark = [pytest.mark.anyio, pytest.mark.loopback]

R03 = "R03"
RULES = (R03, "R04", "R05", "R06", "R16")
HOUR_US = 3_600_000_000
COLUMNS = tuple(c.split()[0] for c in SHEETS[1].columns)
AMOUNTS = frozenset(c for c in COLUMNS if c.endswith(("amt", "pay", "selfpay")))
OTHERS = """query($state: ClueState) { riskClues(first: 100, filter: {state: $state}) {
  totalCount nodes { clueNo } } }"""
RUNS = """query { comparisonRuns { nodes { runNo rule ruleVersion period asOf state people unjudged
  hits added standing suppressed digest } } }"""


@contextlib.asynccontextmanager
async def opened(site: Site, open_desk: OpenDesk, *, up: bool = True) -> AsyncIterator[Desk]:
    """A hub of one's own with a clerk in every township; 医保 answers, or is not there at all."""
    with contextlib.ExitStack() as stack:
        file = site.folder / "sources" / f"{HTTP_SOURCE}.sqlite"
        address = stack.enter_context(insurance(file)) if up else None
        async with open_desk(site, address) as desk:
            posts = {name: (NewPost("rev", "town", path),) for name, path in CLERKS.items()}
            people = [NewPrincipal(n, "official", "测试经办", "rev", p) for n, p in posts.items()]
            async with desk.hub.store.begin() as connection:
                await seed_accounts(connection, people)
            await desk.hub.keeper.look()
            yield desk


@pytest.fixture(scope="module")
async def county(
    anyio_backend: str, site: Site, open_desk: OpenDesk, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[Desk]:
    """One county that has been compared once."""
    async with opened(
        copied(site, tmp_path_factory.mktemp("compared") / "site"), open_desk
    ) as desk:
        for code in RULES:
            ran = await compared(desk.hub, code)
            assert (ran.state, ran.people, ran.unjudged) == ("COMPLETE", desk.site.people, 0)
        yield desk


def clerk(region: str) -> str:
    """The clerk of a place's township."""
    return next(name for name, path in CLERKS.items() if region.startswith(path))


def stranger(region: str) -> str:
    """A clerk of another one."""
    return next(name for name, path in CLERKS.items() if not region.startswith(path))


def payments(site: Site) -> str:
    """民政's own system, every byte."""
    file = site.folder / "sources" / "mz_assist.sqlite"
    return sha256(file.read_bytes()).hexdigest()


async def numbered(desk: Desk) -> int:
    """How many people of the register have an id number."""
    wanted = select(func.count()).where(citizen.c.id18.is_not(None))
    async with desk.hub.store.connect() as connection:
        return (await connection.execute(wanted)).scalar_one()


@pytest.mark.parametrize("rule", RULES)
async def test_planted_hits_are_open_clues_and_near_misses_are_not(county: Desk, rule: str) -> None:
    found, expected = await clues(county.hub, rule), planted(county.site, rule)
    assert sorted(expected.values()) == ["HIT"] * 3 + ["NEAR_MISS"] * 3
    for who, result in expected.items():
        is_open = who in found and found[who].state == ClueState.OPEN
        assert is_open == (result == "HIT"), who


async def test_r03_has_tiers_and_a_watch_list(county: Desk) -> None:
    found, expected = await clues(county.hub, R03), planted(county.site, R03)
    tiers = sorted(found[c].tier for c, result in expected.items() if result == "HIT")
    assert tiers == ["ORANGE", "PLAIN", "RED"]
    # 19,400 yuan of an ordinary household: to be looked at, without a case and without a limit.
    (watched,) = [found[c] for c, r in expected.items() if r == "NEAR_MISS" and c in found]
    assert (watched.state, watched.due_at, watched.tier) == ("WATCH", None, "YELLOW")


async def test_a_hit_becomes_a_case_a_visit_and_a_decision_and_nothing_of_anybodys(
    county: Desk,
) -> None:
    before, found = payments(county.site), await clues(county.hub, R03)
    expected = planted(county.site, R03)
    clue = next(found[c] for c, r in expected.items() if r == "HIT" and found[c].tier == "RED")
    town, neighbour = clerk(clue.region_path), stranger(clue.region_path)

    own = await shown(county, town, clue.clue_no)
    assert own is not None
    assert (own["state"], own["rule"], own["case"]) == ("OPEN", R03, None)
    assert own["detail"] == "近 12 个月合规自付 31000.00 元，脱贫户，未纳入监测"
    assert await shown(county, neighbour, clue.clue_no) is None
    office = await shown(county, OFFICE, clue.clue_no)
    assert office is not None
    assert (office["state"], office["detail"]) == ("OPEN", None)
    assert {"field": "detail", "state": "MASKED"} in office["access"]

    answer = await done(county, OFFICE, "submitCase", lifting(clue))
    case = answer.json()["data"]["done"]["case"]
    assert (case["state"], case["channel"]) == ("ROUTED", "GOV_LIFTED")
    lifted = await shown(county, town, clue.clue_no)
    assert lifted is not None
    assert (lifted["state"], lifted["case"]["caseNo"]) == ("LIFTED", case["caseNo"])

    async def step(account: str, name: str, **given: object) -> dict[str, Any]:
        keys = {"caseNo": case["caseNo"], "version": case["version"]}
        answer = await done(county, account, name, {**keys, **given})
        assert answer.status_code == 200, answer.text
        found: dict[str, Any] = answer.json()["data"]["done"]["case"]
        return found

    case = await step(town, "acceptCase", opinion="受理")
    case = await step(town, "visitCase", findings="自付属实，家庭困难", found=True)
    assert case["state"] == "VERIFYING"
    visited = await shown(county, town, clue.clue_no)
    assert visited is not None
    assert visited["state"] == "VISITED_FOUND"
    assert visited["visitedAt"] is not None
    case = await step(town, "presentCase", opinion="建议救助并纳入监测")
    case = await step(DEPT, "approveCase", conclusion="同意，建议纳入监测")
    assert case["state"] == "DELIVERING"
    assert payments(county.site) == before


async def test_a_clue_is_lifted_once_and_for_the_person_it_is_about(county: Desk) -> None:
    found = [c for c in (await clues(county.hub, R03)).values() if c.state == ClueState.OPEN]
    first, second = found[:2]
    refused = "... on ClueNotOpen { message state } ... on ClueMissing { message }"

    async def tried(account: str = OFFICE, **more: object) -> tuple[str, str | None]:
        answer = await done(county, account, "submitCase", lifting(first, **more), refused)
        told = answer.json()["data"]["done"]
        return told["__typename"], told.get("state")

    assert await tried(clue="XS2026-999999") == ("ClueNotOpen", None)
    assert await tried(clue=second.clue_no) == ("ClueNotOpen", None)
    assert await tried(clue=None) == ("ClueMissing", None)
    assert (await clues(county.hub, R03))[first.applicant_id].state == ClueState.OPEN
    assert await tried() == ("CaseChanged", None)
    assert await tried(item="MIN_LIVING", urgent=False) == ("ClueNotOpen", "LIFTED")
    # A watch list has no cases.
    watched = next(c for c in (await clues(county.hub, R03)).values() if c.state == ClueState.WATCH)
    given = lifting(first, applicant=watched.applicant_id, clue=watched.clue_no)
    answer = await done(county, OFFICE, "submitCase", given, refused)
    assert answer.json()["data"]["done"]["state"] == "WATCH"


async def test_a_visit_says_whether_it_is_so_and_only_where_there_is_a_clue(county: Desk) -> None:
    suppressed = (await compared(county.hub, R03)).suppressed
    clue = [c for c in (await clues(county.hub, R03)).values() if c.state == ClueState.OPEN][5]
    town = clerk(clue.region_path)
    answer = await done(county, town, "submitCase", lifting(clue))
    case = answer.json()["data"]["done"]["case"]
    keys = {"caseNo": case["caseNo"], "version": case["version"], "opinion": "受理"}
    case = (await done(county, town, "acceptCase", keys)).json()["data"]["done"]["case"]
    visit = {"caseNo": case["caseNo"], "version": case["version"], "findings": "已入户"}
    silent = await done(county, town, "visitCase", visit)
    assert silent.json()["errors"][0]["extensions"]["code"] == "BAD_USER_INPUT"
    assert (await clues(county.hub, R03))[clue.applicant_id].state == ClueState.LIFTED
    told = await done(county, town, "visitCase", {**visit, "found": False})
    assert told.json()["data"]["done"]["case"]["state"] == "VERIFYING"
    assert (await clues(county.hub, R03))[clue.applicant_id].state == ClueState.VISITED_NOT_FOUND
    # Who was visited and not found is not asked for again for a while, and is counted.
    again = await compared(county.hub, R03)
    assert again.suppressed == suppressed + 1


async def test_a_case_that_ends_unvisited_leaves_its_clue_open(county: Desk) -> None:
    clue = [c for c in (await clues(county.hub, R03)).values() if c.state == ClueState.OPEN][6]
    town = clerk(clue.region_path)
    answer = await done(county, town, "submitCase", lifting(clue))
    case = answer.json()["data"]["done"]["case"]
    keys = {"caseNo": case["caseNo"], "version": case["version"], "reason": "填报有误"}
    answer = await done(county, town, "rejectCase", keys)
    assert answer.json()["data"]["done"]["case"]["state"] == "NOT_ACCEPTED"
    after = (await clues(county.hub, R03))[clue.applicant_id]
    assert (after.state, after.case_id) == (ClueState.OPEN, None)


async def test_townships_list_their_own_clues_and_the_office_all(county: Desk) -> None:
    found = (await clues(county.hub, R03)).values()
    state = {"state": "WATCH"}
    counts = {}
    for name, path in CLERKS.items():
        answer = await county.ask(name, OTHERS, state)
        listed = answer.json()["data"]["riskClues"]
        own = {c.clue_no for c in found if c.state == "WATCH" and c.region_path.startswith(path)}
        assert {node["clueNo"] for node in listed["nodes"]} == own
        counts[name] = listed["totalCount"]
    answer = await county.ask(OFFICE, OTHERS, state)
    everybody = answer.json()["data"]["riskClues"]["totalCount"]
    unplaced = sum(c.state == "WATCH" and c.region_path == "532622" for c in found)
    assert everybody == sum(counts.values()) + unplaced
    runs = await county.ask(next(iter(CLERKS)), RUNS)
    assert runs.json()["data"]["comparisonRuns"] is None
    assert runs.json()["errors"][0]["extensions"]["code"] == "FORBIDDEN"


async def test_every_page_is_recorded_and_the_run_too(county: Desk) -> None:
    records = [r for r in await county.records() if r.get("actor") == "comparison"]
    pages = [r for r in records if r["kind"] == "READ"]
    assert len(pages) >= -(-county.site.people // county.hub.settings.page_max)
    assert {(r["purpose"], r["role"]) for r in pages} == {("compare", "comparison")}
    first = next(r for r in records if r["kind"] == "MUTATION")
    assert first["op"]["name"] == "comparison.run"
    assert first["op"]["vars"]["rule"] == R03
    runs = (await county.ask(OFFICE, RUNS)).json()["data"]["comparisonRuns"]["nodes"]
    assert first["ref"] in {run["runNo"] for run in runs}


async def test_a_rerun_has_a_new_number_and_the_same_digest(county: Desk) -> None:
    before = await clues(county.hub, R03)
    refuted = sum(c.state == ClueState.VISITED_NOT_FOUND for c in before.values())
    one, two = await compared(county.hub, R03), await compared(county.hub, R03)
    assert one.run_no != two.run_no
    assert one.digest == two.digest
    assert (one.hits, one.suppressed) == (two.hits, refuted)
    # Open and lifted clues stand; only the watch list is written anew, and the old one lapses.
    watched = sum(c.state == ClueState.WATCH for c in before.values())
    assert one.added == two.added == watched
    assert one.standing == (one.hits or 0) - watched - refuted
    answer = await county.ask(OFFICE, OTHERS, {"state": "WATCH"})
    assert answer.json()["data"]["riskClues"]["totalCount"] == watched


async def test_without_insurance_a_run_is_partial_and_never_an_empty_list(
    site_copy: Site, open_desk: OpenDesk
) -> None:
    async with opened(site_copy, open_desk, up=False) as desk:
        ran = await compared(desk.hub, R03)
        # All but those without an id number, of whom no department can be asked.
        assert (ran.state, ran.hits, ran.unjudged) == ("PARTIAL", None, await numbered(desk))
        assert await clues(desk.hub, R03) == {}
        answer = await desk.ask(OFFICE, "{ comparisonRuns { nodes { state hits snapshots } } }")
        (run,) = answer.json()["data"]["comparisonRuns"]["nodes"]
        assert (run["state"], run["hits"]) == ("PARTIAL", None)
        assert '"source": "yb_settle", "state": "SOURCE_DOWN"' in run["snapshots"]


async def test_an_insurance_that_is_gone_takes_nothing_back(
    site_copy: Site, open_desk: OpenDesk
) -> None:
    async with opened(site_copy, open_desk) as desk:
        whole = await compared(desk.hub, R03)
    async with open_desk(site_copy, None) as desk:
        later, standing = await compared(desk.hub, R03), await clues(desk.hub, R03)
    assert (whole.state, later.state, later.hits) == ("COMPLETE", "PARTIAL", None)
    assert later.digest != whole.digest
    states = [c.state for c in standing.values()]
    assert len(states) == whole.added
    assert set(states) == {ClueState.OPEN, ClueState.WATCH}


# ---- the month's own run -----------------------------------------------------------------------


def moved(day: int, hour: int, months: int = 1) -> Time:
    """A clock at this Beijing day and hour of a month to come."""
    time, today = Time(), datetime.now(ZONE).date()
    count = today.year * 12 + today.month - 1 + months
    then = datetime(count // 12, count % 12 + 1, day, hour, 30, tzinfo=ZONE)
    time.ahead_us = round((then - datetime.now(ZONE)).total_seconds() * 1_000_000)
    return time


async def test_the_months_run_comes_by_itself_and_once(site_copy: Site) -> None:
    time = moved(5, 18)
    async with over(site_copy, clock=time) as first, over(site_copy, clock=time) as second:

        async def came(hub: Hub) -> int:
            ran = await hub.jobs.run("comparison", now=True)
            assert ran is not None
            return ran.done

        assert await came(first.hub) == 0  # half an hour early
        time.ahead_us += HOUR_US
        # Both read; one keeps.
        both = await asyncio.gather(first.hub.comparing.due(), second.hub.comparing.due())
        rules = len(first.hub.catalog.comparisons.on(time.now().astimezone(ZONE).date()))
        assert sum(both) == rules
        assert await came(second.hub) == 0
        # Nobody was there on the fifth of the next month: it is made up for, but not by night.
        time.ahead_us = moved(9, 3, 2).ahead_us
        assert await came(first.hub) == 0
        time.ahead_us = moved(9, 8, 2).ahead_us
        assert await came(second.hub) == rules
        assert await came(first.hub) == 0
        async with first.hub.store.connect() as connection:
            found = await runs(connection, 99)
    months = [one.period for one in found if one.rule == R03]
    assert len(months) == len(set(months)) == 2
    assert None not in months
    # Without 医保 they are partial, and are the month's runs all the same.
    assert {one.state for one in found if one.rule == R03} == {"PARTIAL"}


async def test_what_the_policy_closes_ends_the_run_and_nothing_is_kept(
    site_copy: Site, open_desk: OpenDesk
) -> None:
    async with opened(site_copy, open_desk) as desk:
        what = ("Citizen.monitoring@minor", "read", "county", "any", "compare", NO_END)
        rule = Rule("comparison", "*", *what, "deny", "处置")
        async with desk.hub.store.begin() as connection:
            await add_denial(connection, (rule.id, *rule.line, rule.basis), by="tester")
        with pytest.raises(NotRead, match="权限策略不允许比对程序读取"):
            await compared(desk.hub, R03)
        assert await clues(desk.hub, R03) == {}
        async with desk.hub.store.connect() as connection:
            assert await runs(connection, 9) == []


@pytest.mark.postgres
async def test_the_same_with_postgresql_as_the_store(
    site_copy: Site, open_desk: OpenDesk, fill_store: FillStore, pg_url: str
) -> None:
    await fill_store(site_copy, pg_url)
    async with open_desk(site_copy, None) as desk:
        expected = await compared(desk.hub, "R06")
    async with open_desk(site_copy, None, **{"store.url": pg_url}) as desk:
        assert desk.hub.store.dialect.name == "postgresql"
        one, two = await compared(desk.hub, "R06"), await compared(desk.hub, "R06")
        assert (one.state, one.hits, one.added) == ("COMPLETE", 3, 3)
        assert (two.hits, two.added, two.standing) == (3, 0, 3)
        assert one.digest == two.digest == expected.digest
        clue = next(iter((await clues(desk.hub, "R06")).values()))
        answer = await done(desk, OFFICE, "submitCase", lifting(clue, urgent=False))
        assert answer.json()["data"]["done"]["case"]["channel"] == "GOV_LIFTED"
        refused = "... on ClueNotOpen { state }"
        again = lifting(clue, item="TEMP_AID")
        answer = await done(desk, OFFICE, "submitCase", again, refused)
        assert answer.json()["data"]["done"]["state"] == "LIFTED"


# ---- what the sources hold ---------------------------------------------------------------------


@contextlib.contextmanager
def damaged(file: Path) -> Iterator[sqlite3.Connection]:
    """A source's file, to be changed."""
    with contextlib.closing(sqlite3.connect(file)) as connection, connection:
        yield connection


async def test_a_doubtful_match_makes_no_hit_and_a_refund_takes_one_back(
    site_copy: Site, open_desk: OpenDesk
) -> None:
    refunded, doubted, kept = (c for c, r in planted(site_copy, R03).items() if r == "HIT")
    async with open_desk(site_copy, None) as desk, desk.hub.store.connect() as connection:
        wanted = select(citizen.c.id, citizen.c.id18).where(citizen.c.id.in_((refunded, doubted)))
        numbers = {row.id: row.id18 for row in await connection.execute(wanted)}
    with damaged(site_copy.folder / "sources" / f"{HTTP_SOURCE}.sqlite") as source:
        back = [f"printf('%.2f', -{name})" if name in AMOUNTS else name for name in COLUMNS]
        done = source.execute(
            f"INSERT INTO settlement ({', '.join(COLUMNS)}) SELECT {', '.join(back)} "
            "FROM settlement WHERE certno = ?",
            [numbers[refunded]],
        )
        assert done.rowcount == 2
        renamed = "UPDATE settlement SET psn_name = '别某' WHERE certno = ?"
        assert source.execute(renamed, [numbers[doubted]]).rowcount == 2
    async with opened(site_copy, open_desk) as desk:
        ran, found = await compared(desk.hub, R03), await clues(desk.hub, R03)
    assert ran.state == "COMPLETE"
    assert {refunded, doubted, kept} & found.keys() == {kept}


async def test_an_old_list_is_used_and_makes_the_run_partial(
    site_copy: Site, open_desk: OpenDesk
) -> None:
    with damaged(site_copy.folder / "snapshots" / "xczx_monitor.sqlite") as snapshot:
        old = "UPDATE __delivery SET as_of = '2025-01-01T00:00:00+08:00'"
        assert snapshot.execute(old).rowcount == 2
    drop = f"{SCHEME}{(site_copy.folder / 'drop' / 'xczx_monitor').resolve()}"
    async with open_desk(site_copy, None, **{"sources.xczx_monitor": drop}) as desk:
        ran, found = await compared(desk.hub, "R16"), await clues(desk.hub, "R16")
        answer = await desk.ask(OFFICE, "{ comparisonRuns { nodes { snapshots } } }")
    (run,) = answer.json()["data"]["comparisonRuns"]["nodes"]
    assert (ran.state, ran.unjudged, ran.hits) == ("PARTIAL", 0, 3)
    assert {c for c, r in planted(site_copy, "R16").items() if r == "HIT"} == found.keys()
    states = {one["source"]: one["state"] for one in json.loads(run["snapshots"])}
    assert states == {"hub": "LIVE", "xczx_monitor": "STALE"}


async def test_a_stranger_lifts_no_clue_and_a_portal_sees_none(county: Desk) -> None:
    clue = next(c for c in (await clues(county.hub, R03)).values() if c.state == ClueState.OPEN)
    away = stranger(clue.region_path)
    answer = await done(county, away, "submitCase", lifting(clue))
    assert answer.json()["errors"][0]["extensions"]["code"] == "NOT_FOUND"
    # Somebody of his own, with a number he has heard of: as if it were not there.
    own = next(
        c
        for c in (await clues(county.hub, R03)).values()
        if c.region_path.startswith(CLERKS[away]) and c.state == ClueState.OPEN
    )
    given = lifting(own, clue=clue.clue_no)
    answer = await done(county, away, "submitCase", given, "... on ClueNotOpen { state }")
    assert answer.json()["data"]["done"] == {"__typename": "ClueNotOpen", "state": None}
    assert (await clues(county.hub, R03))[clue.applicant_id].state == ClueState.OPEN


async def test_the_office_sees_the_finding_with_the_clues_number(county: Desk) -> None:
    clue = next(c for c in (await clues(county.hub, R03)).values() if c.state == ClueState.OPEN)
    masked = await shown(county, OFFICE, clue.clue_no)
    clear = await shown(county, OFFICE, clue.clue_no, case_no=clue.clue_no)
    assert masked is not None
    assert clear is not None
    assert (masked["detail"], clear["detail"]) == (None, clue.detail)
