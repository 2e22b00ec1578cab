"""In and out of the console: cookie, session, record; whoever has no desk is not let in."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from typing import Any

import pytest
from sqlalchemy import select, update

from hub.demo.accounts import CLIENT, MACHINE
from hub.demo.site import Site
from hub.identity.asking import POSTS_S
from store.accounts import principal
from store.audit import audit_event
from store.sessions import console_session
from tests.casework import MANY, Time
from tests.console.conftest import CSRF, Browser, browser, said
from tests.trusted import Edge, over

pytestmark = pytest.mark.anyio

TOWN, AUDITOR = "zhelai-town-01", "auditor-01"
ENDED = ("SIGN_IN", "SIGN_OUT")


@pytest.fixture
def time() -> Time:
    return Time()


@pytest.fixture
async def hub(own_site: Site, time: Time) -> AsyncIterator[Edge]:
    """A hub whose clock the test moves."""
    async with over(own_site, MANY, clock=time) as made:
        yield made


async def records(edge: Edge, *kinds: str) -> list[dict[str, Any]]:
    """The bodies of these kinds, in order."""
    async with edge.hub.store.connect() as conn:
        found = await conn.scalars(select(audit_event.c.body).order_by(audit_event.c.idx))
        return [one for one in map(json.loads, found) if one["kind"] in kinds]


async def rows(edge: Edge) -> list[Any]:
    async with edge.hub.store.connect() as conn:
        return list((await conn.execute(select(console_session))).mappings())


async def test_a_session_begins_and_ends_with_its_records_and_its_row(hub: Edge) -> None:
    desk = browser(hub)
    page = await desk.sign_in(TOWN)
    assert page.status_code == 200
    assert str(page.url) == "http://localhost/console"
    (row,) = await rows(hub)
    assert (row["account"], row["purpose"], row["case_no"]) == (TOWN, "aid.file", "")
    out = await desk.post("/sign-out", page)
    assert "登录控制台" in said(out)
    assert await rows(hub) == []
    into, gone = await records(hub, *ENDED)
    assert (into["kind"], gone["kind"]) == ENDED
    for record in (into, gone):
        assert record["actor"] == TOWN
        assert record["outcome"] == "OK"
        assert record["op"] == {"name": "console", "type": "session"}
        assert record["ip"] == "127.0.0.1"
    assert into["session"] == gone["session"]
    assert (into["org"], into["role"], into["post_area"]) == ("rev", "town", "532622205")
    (read,) = await records(hub, "READ")
    assert read["session"] == into["session"]
    assert read["op"]["name"] == "ConsoleHomeClerk"


async def test_a_copy_of_the_cookie_is_worth_nothing_once_he_signed_out(hub: Edge) -> None:
    desk = browser(hub)
    page = await desk.sign_in(TOWN)
    thief = browser(hub)
    thief.http.cookies = type(desk.http.cookies)(desk.http.cookies)
    assert "未办结环节" in said(await thief.get(""))
    await desk.post("/sign-out", page)
    assert "登录控制台" in said(await thief.get(""))


async def test_the_cookie_is_out_of_reach_of_scripts_and_of_other_sites(edge: Edge) -> None:
    desk = browser(edge)
    form = await desk.get("/sign-in")
    before = form.headers["set-cookie"]
    assert before.startswith("hub-console-form=")
    found = edge.site.account(TOWN)
    assert found is not None
    token = edge.hub.tokens.issue(TOWN, found.purposes)
    csrf = CSRF.findall(form.text)[0]
    sent = await desk.http.post("/console/sign-in", data={"csrf": csrf, "token": token})
    assert sent.status_code == 303
    name, *rest = sent.headers["set-cookie"].split("; ")
    assert name.startswith("hub-console=")
    assert len(name) == len("hub-console=") + 43
    assert rest == ["Path=/", "HttpOnly", "SameSite=Strict"]
    assert token not in sent.headers["set-cookie"]


async def test_elsewhere_than_at_the_machine_the_cookie_is_for_tls_alone(edge: Edge) -> None:
    desk = browser(edge)
    page = await desk.http.get("http://hub.example.cn/console/sign-in")
    name, *rest = page.headers["set-cookie"].split("; ")
    assert name.startswith("__Host-hub-console-form=")
    assert rest == ["Path=/", "HttpOnly", "SameSite=Strict", "Secure"]


async def test_neither_cookie_nor_token_stands_in_the_store(hub: Edge) -> None:
    desk = browser(hub)
    await desk.sign_in(TOWN)
    secret = desk.http.cookies["hub-console"]
    (row,) = await rows(hub)
    written = " ".join(str(value) for value in row.values())
    assert secret not in written
    assert "eyJ" not in written  # how every token begins
    assert await hub.hub.sessions.found(secret) is not None


async def test_whoever_leaves_his_desk_is_signed_out_and_it_is_recorded(
    hub: Edge, time: Time
) -> None:
    desk = browser(hub)
    await desk.sign_in(TOWN)
    idle_us = hub.hub.settings.console_idle_minutes * 60 * 1_000_000
    for _ in range(3):  # he works on: each page counts anew
        time.ahead_us += idle_us - 1_000_000
        assert (await desk.get("")).status_code == 200
    time.ahead_us += idle_us + 1_000_000
    page = await desk.http.get("/console")
    assert page.status_code == 401
    assert "因长时间没有操作" in said(page)
    gone = (await records(hub, "SIGN_OUT"))[-1]
    assert (gone["actor"], gone["code"]) == (TOWN, "SESSION_IDLE")
    assert await rows(hub) == []


async def test_a_suspended_account_is_out_on_its_next_page(hub: Edge) -> None:
    desk = browser(hub)
    await desk.sign_in(TOWN)
    async with hub.hub.store.begin() as conn:
        await conn.execute(
            update(principal).where(principal.c.id == TOWN).values(state="suspended")
        )
    await asyncio.sleep(POSTS_S)
    page = await desk.http.get("/console")
    assert page.status_code == 401
    assert "登录已失效" in said(page)
    gone = (await records(hub, "SIGN_OUT"))[-1]
    assert (gone["actor"], gone["code"]) == (TOWN, "SESSION_VOID")


async def test_a_token_that_is_none_lets_nobody_in_and_is_counted(hub: Edge) -> None:
    desk = browser(hub)
    page = await desk.post("/sign-in", await desk.get("/sign-in"), token="not.a.token")
    assert page.status_code == 401
    assert "访问令牌无效" in said(page)
    await hub.hub.rejects.flush()
    (counted,) = await records(hub, "REJECTS")
    assert (counted["code"], counted["op"]["vars"]) == ("TOKEN_INVALID", {"count": 1})
    assert await records(hub, *ENDED) == []
    assert await rows(hub) == []


async def test_a_machine_has_no_desk(hub: Edge) -> None:
    desk = browser(hub)
    for machine in (True, False):
        token = hub.hub.tokens.issue(MACHINE.id, ("sync",), client=CLIENT.id, machine=machine)
        page = await desk.post("/sign-in", await desk.get("/sign-in"), token=token)
        assert page.status_code == 403
        assert "控制台只供工作人员本人使用" in said(page)
    refused = await records(hub, *ENDED)
    assert [(r["actor"], r["outcome"], r["code"]) for r in refused] == [
        (MACHINE.id, "DENIED", "FORBIDDEN")
    ] * 2
    assert await rows(hub) == []


async def test_what_cannot_be_recorded_lets_nobody_in(hub: Edge) -> None:
    desk = browser(hub)
    form = await desk.get("/sign-in")
    await hub.hub.log.stop()
    found = hub.site.account(TOWN)
    assert found is not None
    token = hub.hub.tokens.issue(TOWN, found.purposes)
    page = await desk.post("/sign-in", form, token=token)
    assert page.status_code == 503
    assert "AUDIT_UNAVAILABLE" in said(page)
    assert await rows(hub) == []


async def test_a_form_of_nowhere_is_refused(edge: Edge) -> None:
    desk = browser(edge)
    page = await desk.sign_in(TOWN)
    other = CSRF.findall((await browser(edge).get("/sign-in")).text)[0]
    for form in ({"x": "y"}, {"csrf": other}, {"csrf": ""}):
        sent = await desk.http.post("/console/sign-out", data=form)
        assert sent.status_code == 403
        assert "FORBIDDEN · 原因 FORM" in said(sent)
    csrf = CSRF.findall(page.text)[0]
    from_elsewhere = {"sec-fetch-site": "cross-site"}
    sent = await desk.http.post("/console/sign-out", data={"csrf": csrf}, headers=from_elsewhere)
    assert sent.status_code == 403
    assert (await desk.get("")).status_code == 200  # he is still there


async def test_the_form_to_sign_in_is_of_the_same_browser(edge: Edge) -> None:
    mine, theirs = browser(edge), browser(edge)
    form = await theirs.get("/sign-in")
    found = edge.site.account(TOWN)
    assert found is not None
    token = edge.hub.tokens.issue(TOWN, found.purposes)
    await mine.get("/sign-in")
    page = await mine.post("/sign-in", form, token=token)
    assert page.status_code == 403


async def test_a_link_leads_where_it_should_after_signing_in_and_never_elsewhere(
    edge: Edge,
) -> None:
    desk = browser(edge)
    form = await desk.get("/board?show=late")
    assert "登录控制台" in said(form)
    assert 'name="target" value="/console/board?show=late"' in form.text
    for target in ("https://evil.invalid/", "//evil.invalid", "/console//evil", "/graphql"):
        page = await desk.get(f"/sign-in?target={target}")
        assert 'name="target" value="/console"' in page.text


async def test_purpose_and_case_number_are_of_the_session(edge: Edge) -> None:
    desk: Browser = browser(edge)
    page = await desk.sign_in(TOWN)
    turned = await desk.post(
        "/purpose", page, purpose="aid.review", case_no="SQ20520190001", target="/console/cases"
    )
    assert str(turned.url) == "http://localhost/console/cases"
    record = await edge.last()
    assert (record["purpose"], record["case"]) == ("aid.review", "SQ20520190001")
    refused = await desk.post("/purpose", turned, purpose="audit", case_no="")
    assert refused.status_code == 404
    not_his = await desk.post(
        "/purpose", turned, purpose="aid.review", case_no="SQ20620190004", target="/console/cases"
    )
    assert not_his.status_code == 403
    assert "原因 CASE" in said(not_his)
