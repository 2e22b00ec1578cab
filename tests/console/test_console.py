"""Every page: whose it is, what it asks and leaves in the log, what its head and foot say."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Mapping
from datetime import datetime

import httpx
import pytest

from catalog.workdays import ZONE
from console import rendering
from console.page import Page
from console.pages import PAGES
from console.pages.home import AUDITOR as HOME_AUDITOR
from console.pages.home import CLERK as HOME_CLERK
from console.pages.home import OFFICE as HOME_OFFICE
from tests.console.conftest import Browser, browser, said
from tests.trusted import Edge

pytestmark = pytest.mark.anyio

CASE, ORDER = "SQ20520190001", "DB20520190004"
PATHS: Mapping[str, str] = {
    "": "",
    "/board": "/board",
    "/cases": "/cases",
    "/cases/{number}": f"/cases/{CASE}",
    "/orders": "/orders",
    "/orders/{number}": f"/orders/{ORDER}",
    "/bulletins": "/bulletins",
    "/bulletins/{month}": "/bulletins/2026-10",
    "/ranking": "/ranking",
    "/audit": "/audit",
    "/audit/events/{idx:number}": "/audit/events/0",
    "/audit/integrity": "/audit/integrity",
    "/audit/alerts": "/audit/alerts",
    "/audit/accounts/{actor}": "/audit/accounts/office-01",
    "/catalogue": "/catalogue",
    "/catalogue/{name}": "/catalogue/min_living",
    "/sources": "/sources",
    "/own/rights": "/own/rights",
    "/own/history": "/own/history",
}
"""Every page that asks, as somebody would call it. /audit/who asks with a form alone."""
EVERYBODY = ("", "/catalogue", "/catalogue/{name}", "/sources", "/own/rights", "/own/history")
CASEWORK = ("/board", "/cases", "/cases/{number}", "/orders", "/orders/{number}")
REPORTS = ("/bulletins", "/bulletins/{month}", "/ranking")
AUDIT = (
    *("/audit", "/audit/events/{idx:number}", "/audit/integrity"),
    *("/audit/alerts", "/audit/accounts/{actor}"),
)
SEEN: Mapping[str, tuple[str, ...]] = {
    "zhelai-village-01": (*EVERYBODY, "/board", "/cases", "/cases/{number}"),
    "zhelai-town-01": (*EVERYBODY, *CASEWORK),
    "mca-dept-01": (*EVERYBODY, *CASEWORK),
    "office-01": (*EVERYBODY, *CASEWORK, *REPORTS),
    "authority-01": (*EVERYBODY, *REPORTS),
    "auditor-01": (*EVERYBODY, *AUDIT),
}
"""Account -> the pages that are shown to it under its first purpose; all others are refused."""
DENIED = ("/board", "/cases", "/cases/{number}")
WHY: Mapping[tuple[str, str], str] = {
    **{("auditor-01", path): "DENIED" for path in DENIED},
    **{("mca-dept-01", path): "PURPOSE" for path in REPORTS},
}
"""Why a page is refused, where there is a rule for it."""
UNSEEN = {"zhelai-village-01": {"/orders"}, "mca-dept-01": {"/bulletins", "/ranking"}}
"""Account -> words of its menu that its first purpose, or its place, does not open."""
HOMES = {
    "office-01": HOME_OFFICE,
    "auditor-01": HOME_AUDITOR,
    "authority-01": PAGES[0],
}
CSP = (
    "default-src 'none'; style-src 'self'; script-src 'self'; img-src 'self' data:; "
    "connect-src 'self'; form-action 'self'; frame-ancestors 'none'; base-uri 'none'"
)
ADDRESS = re.compile(r'(?:href|src|action)="([^"]*)"')


@pytest.fixture(scope="module", params=sorted(SEEN))
async def desk(request: pytest.FixtureRequest, edge: Edge) -> Browser:
    """Each account in turn, signed in."""
    made = browser(edge)
    page = await made.sign_in(request.param)
    assert page.status_code == 200
    return made


def account_of(desk: Browser) -> str:
    found = re.search(r"<strong>([\w-]+)</strong>", desk.pages[1].text)
    assert found is not None
    return found[1]


def test_every_page_is_called_here() -> None:
    assert set(PATHS) == {page.path for page in PAGES} - {"/audit/who"}


@pytest.mark.parametrize("path", PATHS)
async def test_a_page_is_shown_or_refused_and_leaves_its_one_record(
    desk: Browser, path: str
) -> None:
    account = account_of(desk)
    before = len(await desk.edge.records())
    page = await desk.get(PATHS[path])
    wanted = 200 if path in SEEN[account] else 403
    assert page.status_code == wanted, said(page)
    new = [r for r in (await desk.edge.records())[before:] if r.get("actor") == account]
    (record,) = [r for r in new if r["kind"] in ("READ", "AUDIT_READ")]
    row = HOMES.get(account, HOME_CLERK) if path == "" else _row(path)
    named = re.search(r"query (\w+)", row.text)
    assert named is not None
    assert record["op"]["name"] == named[1]
    assert record["outcome"] == ("OK" if wanted == 200 else "DENIED")
    assert record["request"] == page.headers["x-request-id"]
    assert f"审计序号 {record['idx']} ·" in said(page)
    if wanted == 403:
        reason = WHY.get((account, path), "NO_RULE")
        assert f"代码 FORBIDDEN · 原因 {reason}" in said(page)


def _row(path: str) -> Page:
    return next(page for page in PAGES if page.path == path)


async def test_every_page_keeps_the_policy_and_names_nothing_outside(desk: Browser) -> None:
    for path in [*PATHS.values(), "/sign-in", "/nothing", "/audit/who"]:
        page = await desk.get(path)
        assert page.headers["content-security-policy"] == CSP
        assert page.headers["cache-control"] == "no-store"
        assert page.headers["x-content-type-options"] == "nosniff"
        assert "<script" not in page.text
        assert " style=" not in page.text
        assert "<style" not in page.text
        for address in ADDRESS.findall(page.text):
            assert address.startswith(("/console", "#", "data:")), address
            assert "539922" not in address


async def test_the_menu_holds_what_is_shown_and_nothing_that_is_not(desk: Browser) -> None:
    account = account_of(desk)
    page = await desk.get("")
    nav = page.text[page.text.index('<nav class="menu"') :]
    nav = nav[: nav.index("</nav>")]
    listed = {a.removeprefix("/console") for a in ADDRESS.findall(nav)} - {"/audit/who"}
    lists = {p for p in PATHS if "{" not in p}
    shown = {p for p in SEEN[account] if p in lists}
    assert listed - shown == UNSEEN.get(account, set())
    assert shown <= listed


async def test_who_is_nobody_is_led_to_the_door_from_every_page(edge: Edge) -> None:
    nobody = browser(edge)
    for path in PATHS.values():
        first: httpx.Response = await nobody.http.get(f"/console{path}")
        assert first.status_code == 303
        assert first.headers["location"].startswith("/console/sign-in")
        assert first.content == b""


async def test_the_stylesheet_is_small_and_kept(edge: Edge) -> None:
    style = await browser(edge).http.get(rendering.style_address())
    assert style.status_code == 200
    assert style.headers["content-type"] == "text/css; charset=utf-8"
    assert style.headers["cache-control"] == "public, max-age=31536000, immutable"
    assert len(style.content) <= 30 * 1024
    assert b"//" not in style.content


async def test_the_console_is_off_where_it_is_set_off(edge: Edge) -> None:
    from dataclasses import replace

    from hub.app import create_app  # the same hub without it

    settings = replace(edge.hub.settings, console_enabled=False)
    app = create_app(replace(edge.hub, settings=settings))
    transport = httpx.ASGITransport(app)
    async with httpx.AsyncClient(transport=transport, base_url="http://localhost") as http:
        assert (await http.get("/console")).status_code == 404


async def test_an_odd_method_and_an_odd_address_are_pages_too(edge: Edge) -> None:
    desk = browser(edge)
    await desk.sign_in("office-01")
    put = await desk.http.put("/console/board")
    assert (put.status_code, "METHOD_NOT_ALLOWED" in put.text) == (405, True)
    long = await desk.get("/cases?item=" + "x" * 600)
    assert (long.status_code, "BAD_REQUEST" in long.text) == (400, True)
    wrong = await desk.get("/cases?item=NO_SUCH_ITEM")
    assert (wrong.status_code, "BAD_USER_INPUT" in wrong.text) == (400, True)
    day = await browser_of(edge, "auditor-01")
    refused = await day.get("/audit?since=yesterday")
    assert (refused.status_code, "日期请写作" in refused.text) == (400, True)


async def browser_of(edge: Edge, account: str) -> Browser:
    made = browser(edge)
    await made.sign_in(account)
    return made


async def test_the_pages_of_a_list_join_by_their_links(edge: Edge) -> None:
    desk = await browser_of(edge, "office-01")
    page, numbers = await desk.get("/cases"), []
    for _ in range(20):
        numbers += re.findall(r'href="/console/cases/([A-Z0-9-]+)"', page.text)
        after = re.search(r'rel="next" href="/console([^"]+)"', page.text)
        if after is None:
            break
        page = await desk.get(after[1].replace("&amp;", "&"))
    assert "共 125 行" in said(page)
    assert len(numbers) == len(set(numbers)) == 125


async def test_my_rights_say_what_the_plan_does(edge: Edge) -> None:
    desk = await browser_of(edge, "zhelai-town-01")
    told = said(await desk.get("/own/rights"))
    clear = "标识、性别、出生年代、区划归属、数据质量问题 姓名（逐行而定）"  # by age
    assert f"人员 领导小组办公室 可 可 {clear}" in told
    household = edge.hub.catalog.datasets["household"].title
    assert f"{household} 领导小组办公室 可 可 标识、户编号、户内人数" in told
    chronic = edge.hub.catalog.datasets["chronic_record"].title
    assert f"{chronic} 卫健 否 否 没有适用于这些岗位的规则" in told


async def test_nobody_sees_anothers_history(edge: Edge) -> None:
    town, office = await browser_of(edge, "zhelai-town-01"), await browser_of(edge, "office-01")
    await town.get("/cases")
    mine = said(await town.get("/own/history"))
    assert "ConsoleCases" in mine
    assert "ConsoleHomeClerk" in mine
    theirs = said(await office.get("/own/history"))
    assert "ConsoleHomeOffice" in theirs
    assert "ConsoleHomeClerk" not in theirs


async def test_an_accounts_week_adds_up_to_its_records(edge: Edge) -> None:
    desk = await browser_of(edge, "auditor-01")
    records = [r for r in await edge.records() if r.get("actor") == "zhelai-town-01"]
    today = datetime.now(ZONE).date().isoformat()
    for _ in range(100):  # the sums follow the log by a second or two
        page = said(await desk.get("/audit/accounts/zhelai-town-01"))
        (line,) = re.findall(rf"{today} ((?:\d+ )+)\d{{4}}-", page)
        *hours, total = map(int, line.split())
        if total == len(records):
            break
        await asyncio.sleep(0.2)
    assert sum(hours) == total == len(records)
    odd = await desk.get("/audit/accounts/zhelai-town-01?until=yesterday")
    assert odd.status_code == 400


async def test_a_first_page_counts_and_sees_nobody(edge: Edge) -> None:
    for account in ("zhelai-town-01", "office-01"):
        desk = await browser_of(edge, account)
        await desk.get("")
        record = await edge.last()
        assert record["actor"] == account
        assert "subjects" not in record
        assert {read["n"] for read in record["reads"] if read["d"] != "source_system"} == {0}


async def test_the_board_counts_what_the_answer_counts(edge: Edge) -> None:
    desk = await browser_of(edge, "office-01")
    counted = {}
    for show in ("open", "today", "late"):
        (found,) = re.findall(r"的环节 ?共 (\d+) 行", said(await desk.get(f"/board?show={show}")))
        counted[show] = int(found)
    home = said(await desk.get(""))
    assert (
        f"{counted['open']} 未办结环节 {counted['today']} 今日到期 {counted['late']} 已超时" in home
    )
    assert counted["open"] == 67
    assert counted["late"] == 1
