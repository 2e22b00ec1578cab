"""What people and departments write stands on pages, in print and in files as text, not as markup.

A canary lies in every text that is shown: it would run as a script, close an attribute, end a style
or be taken for a formula.
"""

from __future__ import annotations

import csv
import io
import re
from collections.abc import AsyncIterator

import pytest
from markupsafe import escape
from sqlalchemy import text

from hub.demo.site import Site
from store.engine import single
from tests.casework import MANY
from tests.console.conftest import browser
from tests.trusted import Edge, over

pytestmark = pytest.mark.anyio

CASE, ORDER = "SQ20520190004", "DB20520190004"
CANARY = """=<script>alert('岩')</script>"onmouseover="x</style>{{7*7}}&amp;"""
TEXTS = (
    *(("case_file", "body"), ("case_file", "decision"), ("case_event", "note")),
    *(("supervision_order", "note"), ("supervision_order", "result")),
    *(("supervision_order", "attachments"), ("case_event", "post")),
)
NAME = "<b>岩</b>"


@pytest.fixture
async def hub(own_site: Site) -> AsyncIterator[Edge]:
    """A county with the canary in every text of cases and orders, and in every name."""
    async with single(own_site.store_url) as conn:
        found = await conn.execute(text("SELECT name FROM sqlite_master WHERE type = 'trigger'"))
        for (trigger,) in found.all():
            await conn.execute(text(f'DROP TRIGGER "{trigger}"'))
        for table, column in TEXTS:
            done = await conn.execute(text(f"UPDATE {table} SET {column} = :c"), {"c": CANARY})
            assert done.rowcount > 0, table
        await conn.execute(text("UPDATE citizen SET name = :n"), {"n": NAME})
    async with over(own_site, MANY) as made:
        yield made


async def test_a_canary_is_text_wherever_it_is_shown(hub: Edge) -> None:
    desk = browser(hub)
    page = await desk.sign_in("office-01")
    await desk.post("/purpose", page, purpose="supervise", case_no=CASE, target="/console")
    case = await desk.get(f"/cases/{CASE}")
    assert case.status_code == 200
    order = await desk.get(f"/orders/{ORDER}")
    assert order.status_code == 200
    form = await desk.get(f"/cases/{CASE}")
    issued = await desk.post(
        f"/cases/{CASE}", form, kind="SUPERVISE", reason="MAJOR", note=CANARY, deadline=""
    )
    number = re.search(r"/console/orders/(DB2026-[0-9]+)", issued.text)
    assert number is not None
    new = await desk.get(f"/orders/{number[1]}")
    for shown, times in ((case, 4), (order, 3), (new, 2)):
        assert CANARY not in shown.text
        assert "<script" not in shown.text
        assert shown.text.count(str(escape(CANARY))) >= times, shown.url
    assert NAME not in case.text
    assert "&lt;b&gt;岩&lt;/b&gt;" in case.text


async def test_a_canary_of_an_address_is_text_on_the_page_it_leads_to(hub: Edge) -> None:
    desk = browser(hub)
    await desk.sign_in("auditor-01")
    for path in (
        "/audit?actor=%3Cscript%3Ealert(1)%3C/script%3E",
        "/audit?operation=%22%3E%3Cimg%20src=x%3E",
        "/cases/x?done=%3Cscript%3E",
        "/catalogue?text=%3Cscript%3Ealert(1)%3C/script%3E",
        "/sign-in?target=javascript:alert(1)",
    ):
        page = await desk.get(path)
        assert "<script" not in page.text
        assert "<img src=x" not in page.text
        assert "javascript:" not in page.text


async def test_a_canary_of_a_client_is_text_for_the_officer_and_in_his_file(hub: Edge) -> None:
    token = hub.hub.tokens.issue("zhelai-town-01", ("aid.file",), client="=cmd|' /C calc'!A0")
    headers = {"Authorization": f"Bearer {token}", "X-Purpose": "aid.file"}
    query = "query 岩Script { viewer { account } }"
    await hub.http.post("/graphql", json={"query": query}, headers=headers)
    desk = browser(hub)
    await desk.sign_in("auditor-01")
    file = await desk.get("/audit?format=csv")
    rows = list(csv.reader(io.StringIO(file.content.decode("utf-8-sig"))))
    assert len(rows) > 2
    assert not [c for row in rows for c in row if c.startswith(("=", "+", "@"))]
