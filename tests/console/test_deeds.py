"""What is done at a desk: an order of supervision, once; who saw a citizen, by a form."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator

import pytest
from sqlalchemy import func, select

from hub.demo.site import Site
from store.supervision import supervision_order
from tests.casework import MANY
from tests.console.conftest import CSRF, KEY, browser, said
from tests.trusted import Edge, over

pytestmark = pytest.mark.anyio

CASE = "SQ20520190001"
FORM = {"kind": "SUPERVISE", "reason": "OVERDUE", "note": "请回报", "deadline": ""}


@pytest.fixture
async def hub(own_site: Site) -> AsyncIterator[Edge]:
    async with over(own_site, MANY) as made:
        yield made


async def orders(edge: Edge) -> int:
    async with edge.hub.store.connect() as conn:
        return int(await conn.scalar(select(func.count()).select_from(supervision_order)) or 0)


async def test_an_order_is_issued_once_however_often_its_form_is_sent(hub: Edge) -> None:
    desk = browser(hub)
    await desk.sign_in("office-01")
    form, before = await desk.get(f"/cases/{CASE}"), await orders(hub)
    sent = {**FORM, "csrf": CSRF.findall(form.text)[-1], "key": KEY.findall(form.text)[0]}
    answers = [await desk.http.post(f"/console/cases/{CASE}", data=sent) for _ in range(2)]
    assert [one.status_code for one in answers] == [303, 303]
    (where,) = {one.headers["location"] for one in answers}
    assert await orders(hub) == before + 1
    number = re.search(rf"/console/cases/{CASE}\?done=(DB[\w-]+)\Z", where)
    assert number is not None
    page = await desk.http.get(where)
    assert f"已交办督办单 {number[1]}" in said(page)
    assert f'href="/console/orders/{number[1]}"' in page.text
    deeds = [r for r in await hub.records() if r["kind"] == "MUTATION"]
    (deed,) = deeds
    told = (deed["actor"], deed["op"]["name"], deed["case"])
    assert told == ("office-01", "issueSupervision", number[1])
    assert deed["session"]


async def test_who_may_not_order_is_refused_and_nothing_is_done(hub: Edge) -> None:
    desk, before = browser(hub), await orders(hub)
    await desk.sign_in("zhelai-town-01")
    shown = await desk.get(f"/cases/{CASE}")
    assert "交办督办单" not in shown.text  # it is not even offered
    page = await desk.post(f"/cases/{CASE}", shown, **FORM)
    assert page.status_code == 403
    assert "FORBIDDEN" in said(page)
    assert await orders(hub) == before
    last = (await hub.records())[-1]
    assert (last["actor"], last["outcome"]) == ("zhelai-town-01", "DENIED")


async def test_a_deed_that_lacks_something_says_so(hub: Edge) -> None:
    desk, before = browser(hub), await orders(hub)
    await desk.sign_in("office-01")
    given = {**FORM, "kind": "KEY"}  # needs its deadline
    page = await desk.post(f"/cases/{CASE}", await desk.get(f"/cases/{CASE}"), **given)
    assert page.status_code in (400, 409)
    assert "代码" in said(page)
    assert await orders(hub) == before


async def test_nothing_is_posted_where_nothing_is_done(hub: Edge) -> None:
    desk = browser(hub)
    await desk.sign_in("office-01")
    page = await desk.post("/board", await desk.get("/board"))
    assert page.status_code == 404


async def test_who_saw_a_citizen_is_asked_without_his_number_in_an_address(hub: Edge) -> None:
    person = hub.site.shown("zhelai")
    query = "query WhoComes($n: String!) { citizen(by: {idNumber: $n}) { name } }"
    answer = await hub.ask({"query": query, "variables": {"n": person.id18}})
    assert answer.status_code == 200
    assert await hub.hub.log.indexed()
    desk = browser(hub)
    await desk.sign_in("auditor-01")
    form = await desk.get("/audit/who")
    before = len(await hub.records())
    page = await desk.post("/audit/who", form, idNumber=f" {person.id18} ")
    assert page.status_code == 200
    told = said(page)
    assert "被看到" in told
    assert "zhelai-town-01" in told
    assert "WhoComes" in told
    assert person.id18 not in page.text
    read = (await hub.records())[before]
    assert (read["kind"], read["actor"]) == ("AUDIT_READ", "auditor-01")
    assert len(read["sought"]) == 1
    assert person.id18 not in str(read)
    link = re.search(r'href="/console(/audit/who\?person=[0-9a-f]{32})"', page.text)
    assert link is not None
    again = said(await desk.get(link[1]))
    assert "WhoComes" in again
    assert "导出 CSV" in again
    odd = await desk.post("/audit/who", form, idNumber="123")
    assert odd.status_code == 400
    assert "BAD_USER_INPUT" in said(odd)
