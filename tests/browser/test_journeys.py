"""Each role's day at the console in a real browser: keyboard, paper, no script, no road outside."""

from __future__ import annotations

import re

import pytest

from tests.browser.conftest import Seat

pytestmark = [pytest.mark.anyio, pytest.mark.browser, pytest.mark.loopback]

CASE = "SQ20520190001"
EVERYBODY = ("/catalogue", "/catalogue/min_living", "/sources", "/own/rights", "/own/history")
DAYS = {
    "office-01": (
        *("", "/board", "/board?show=late", "/cases", f"/cases/{CASE}", "/orders"),
        *("/orders/DB20520190004", "/bulletins", "/bulletins/2026-09?kind=TOWNSHIP", "/ranking"),
        *EVERYBODY,
    ),
    "auditor-01": (
        *("", "/audit", "/audit?kind=READ", "/audit/events/0", "/audit/who", "/audit/integrity"),
        *("/audit/alerts", "/audit/accounts/office-01", "/own/history"),
    ),
    "zhelai-town-01": ("", "/board", "/cases", f"/cases/{CASE}", "/orders", "/own/rights"),
    "authority-01": ("", "/bulletins", "/ranking", "/catalogue", "/own/rights"),
}


@pytest.mark.parametrize("account", DAYS)
async def test_a_day_of_each_post(seat: Seat, account: str) -> None:
    await seat.sign_in(account)
    for path in DAYS[account]:
        await seat.go(path)
        name = re.sub(r"\W+", "-", path).strip("-") or "home"
        await seat.shot(f"{account}-{name}")
        assert await seat.page.get_by_role("alert").count() == 0, path
        assert await seat.barriers() == [], path
        wide = await seat.page.evaluate("document.documentElement.scrollWidth")
        assert wide <= 1366, path  # nothing to be pushed aside at 1366 × 768
    assert seat.outside() == []
    assert seat.complaints == []


async def test_a_month_is_a_picture_that_is_drawn(seat: Seat) -> None:
    await seat.sign_in("authority-01")
    await seat.go("/bulletins/2026-09?kind=TOWNSHIP")
    picture = seat.page.get_by_role("img")
    assert "者腊乡" in (await picture.get_attribute("alt") or "")
    size = await picture.evaluate("one => [one.complete, one.naturalWidth]")
    assert size == [True, 900]
    assert await seat.page.locator("tbody tr").count() == 12
    await seat.paper("authority-bulletin")
    assert seat.complaints == []
    assert seat.outside() == []


async def test_the_door_by_keyboard_alone(seat: Seat) -> None:
    await seat.go("")
    assert await seat.page.title() == "登录 · 数据共享中心"
    assert await seat.barriers() == []
    await seat.shot("sign-in")
    found = seat.edge.site.account("office-01")
    assert found is not None
    token = seat.edge.hub.tokens.issue("office-01", found.purposes)
    keyboard = seat.page.keyboard
    reached = []
    for _ in range(12):
        await keyboard.press("Tab")
        at = await seat.page.evaluate(
            "document.activeElement.name || document.activeElement.textContent"
        )
        reached.append(at)
        if at == "token":
            break
    assert reached[0] == "跳到正文"
    await keyboard.insert_text(token)
    await keyboard.press("Tab")
    await keyboard.press("Enter")
    await seat.page.get_by_role("button", name="退出").wait_for()
    assert await seat.page.title() == "首页 · 数据共享中心"


async def test_the_office_orders_a_supervision_once(seat: Seat) -> None:
    await seat.sign_in("office-01")
    await seat.go(f"/cases/{CASE}")
    await seat.page.get_by_label("督办说明").fill("请于期限内办结并回报 <script>alert(1)</script>")
    await seat.page.get_by_role("button", name="交办").click()
    told = seat.page.get_by_text("已交办督办单")
    await told.wait_for()
    await seat.shot("office-supervised")
    number = re.search(r"已交办督办单 (\S+)", await told.inner_text())
    assert number is not None
    await seat.page.get_by_role("link", name=number[1]).click()
    assert await seat.page.title() == f"督办单 {number[1]} · 数据共享中心"
    await seat.page.go_back()
    await seat.page.reload()
    assert await seat.page.get_by_role("link", name=number[1]).count() == 1
    assert seat.complaints == []


async def test_a_clerk_turns_to_a_case_and_prints_it(seat: Seat) -> None:
    await seat.sign_in("zhelai-town-01")
    await seat.go(f"/cases/{CASE}")
    await seat.page.get_by_label("用途").select_option("aid.review")
    await seat.page.get_by_label("诉求编号", exact=True).fill(CASE)
    await seat.page.get_by_role("button", name="采用").click()
    assert seat.page.url.endswith(f"/console/cases/{CASE}")
    facts = await seat.page.locator("dl").first.inner_text()
    assert "陆云山" in facts
    await seat.shot("clerk-case")
    paper = await seat.paper("clerk-case")
    assert paper.startswith(b"%PDF-")
    await seat.page.emulate_media(media="print")
    assert not await seat.page.locator("nav.menu").is_visible()
    assert not await seat.page.locator("section.deed").is_visible()
    assert await seat.page.locator("footer .print-only").is_visible()
    assert seat.outside() == []


async def test_the_officer_sees_who_saw_a_citizen_and_takes_a_file(seat: Seat) -> None:
    town = seat.edge.headers("zhelai-town-01")
    person = seat.edge.site.shown("zhelai")
    query = "query WhoComes($n: String!) { citizen(by: {idNumber: $n}) { name } }"
    body = {"query": query, "variables": {"n": person.id18}}
    assert (await seat.edge.http.post("/graphql", json=body, headers=town)).status_code == 200
    assert await seat.edge.hub.log.indexed()
    await seat.sign_in("auditor-01")
    await seat.page.get_by_role("link", name="谁看过").click()
    await seat.page.get_by_label("公民身份号码").fill(person.id18)
    await seat.page.get_by_role("button", name="查谁看过").click()
    await seat.page.get_by_role("heading", name="谁看过、查过此人").wait_for()
    await seat.shot("officer-who-saw")
    assert person.id18 not in seat.page.url
    rows = await seat.page.locator("tbody").inner_text()
    assert "zhelai-town-01" in rows
    assert "WhoComes" in rows
    await seat.page.get_by_role("link", name="人员代号").click()
    assert "person=" in seat.page.url
    async with seat.page.expect_download() as coming:
        await seat.page.get_by_role("link", name="导出 CSV").click()
    file = await (await coming.value).path()
    text = file.read_bytes()
    assert text.startswith(b"\xef\xbb\xbf")
    assert "zhelai-town-01" in text.decode("utf-8-sig")
    assert all(person.id18 not in asked for asked in seat.requests)
    assert seat.outside() == []
