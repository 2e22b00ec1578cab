"""hub/edge/verifying.py, hub/printing/verifying.py: a stranger with a paper, and one without."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator

import httpx
import pytest
from sqlalchemy import func, select, text
from starlette.applications import Starlette
from starlette.routing import Route

from hub.app import assemble as assembled
from hub.app import create_app, running
from hub.demo.site import Site
from hub.edge.verifying import AT_ONCE, NOT_GENUINE, WAITING, Verifying
from hub.printing.verifying import verified
from hub.worker import Hub
from store.audit import audit_event
from store.engine import single
from store.prints import printed_record
from tests.sites import copied
from tests.trusted import PATIENT

pytestmark = pytest.mark.anyio

CASE = "SQ20520190001"
Shop = tuple[Hub, httpx.AsyncClient, str, str]


@pytest.fixture(scope="module")
async def shop(
    site: Site, anyio_backend: str, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[Shop]:
    """A hub with one print: hub, client, its code, its digest."""
    copy = copied(site, tmp_path_factory.mktemp("verify") / "site")
    async with running(assembled(copy.settings(None, **PATIENT))) as hub:
        transport = httpx.ASGITransport(create_app(hub), client=("192.0.2.7", 1))
        async with httpx.AsyncClient(transport=transport, base_url="http://hub") as client:
            token = hub.tokens.issue("zhelai-town-01", ("aid.file",))
            headers = {"Authorization": f"Bearer {token}"}
            made = await client.post("/print/decision", json={"caseNo": CASE}, headers=headers)
            assert made.status_code == 201
            async with hub.store.connect() as connection:
                row = (await connection.execute(select(printed_record))).one()
            yield hub, client, row.code, row.sha256


async def test_a_genuine_code_says_what_stands_on_the_paper_but_names_nobody(shop: Shop) -> None:
    _, client, code, sha256 = shop
    answer = await client.get(f"/verify/{code}")
    body = answer.json()
    assert [*body] == ["genuine", "kind", "number", "date", "department", "sha256"]
    assert (body["genuine"], body["number"], body["sha256"]) == (True, "YS-2026-000001", sha256)
    assert [word for word in ("陆云山", CASE, "zhelai", code, "同意") if word in answer.text] == []
    assert {**answer.headers} == {
        "content-type": "application/json; charset=utf-8",
        "cache-control": "no-store",
        "x-content-type-options": "nosniff",
        "vary": "Accept, Origin",
        "content-length": str(len(answer.content)),
        "x-request-id": answer.headers["X-Request-Id"],
        "traceparent": answer.headers["traceparent"],
    }


async def test_whatever_is_wrong_has_one_answer_to_the_byte(shop: Shop) -> None:
    _, client, code, sha256 = shop
    wrong = code[:-1] + ("2" if code[-1] != "2" else "3")
    asked = [
        await client.get(f"/verify/{one}")
        for one in ("2222-2222-2222-2222", wrong, code[:-1], "x", "%F0%9F%98%80", "YS-2026-000001")
    ]
    asked += [
        await client.post(f"/verify/{code}", json={"sha256": digest})
        for digest in ("0" * 64, sha256[:-1], "", "陆云山", sha256 + "0")
    ]
    asked.append(await client.post(f"/verify/{wrong}", json={"sha256": sha256}))
    assert {(a.status_code, a.content) for a in asked} == {
        (
            200,
            b'{"genuine":false,"kind":null,"number":null,"date":null,"department":null,'
            b'"sha256":null}',
        )
    }
    named = [{*a.headers} for a in asked]
    assert all(names == named[0] for names in named)
    pages = [
        await client.get(f"/verify/{o}", headers={"Accept": "text/html"}) for o in (wrong, "x")
    ]
    assert pages[0].content == pages[1].content
    assert "不是真件" in pages[0].text


async def test_a_browser_gets_a_page_and_may_type_the_digest(shop: Shop) -> None:
    _, client, code, sha256 = shop
    accept = {"Accept": "text/html,application/xhtml+xml,*/*;q=0.8"}
    page = await client.get(f"/verify/{code}", headers=accept)
    assert page.headers["Content-Type"] == "text/html; charset=utf-8"
    assert "style-src 'sha256-" in page.headers["Content-Security-Policy"]
    assert "YS-2026-000001" in page.text
    assert "陆云山" not in page.text
    assert "<script" not in page.text
    typed = " ".join(sha256[at : at + 8] for at in range(0, 64, 8)).upper()
    good = await client.post(f"/verify/{code}", data={"sha256": typed}, headers=accept)
    assert "YS-2026-000001" in good.text
    bad = await client.post(f"/verify/{code}", data={"sha256": "ab"}, headers=accept)
    assert "不是真件" in bad.text
    assert "YS-2026-000001" not in bad.text


@pytest.mark.parametrize(
    ("given", "status"),
    [
        ({"json": {}}, 400),
        ({"json": {"sha256": 1}}, 400),
        ({"json": {"sha256": "a", "code": "b"}}, 400),
        ({"data": {"sha": "a"}}, 400),
        ({"content": b"sha256=%ff", "headers": {"Content-Type": "text/plain"}}, 415),
        (
            {
                "content": b"a=1&b=2",
                "headers": {"Content-Type": "application/x-www-form-urlencoded"},
            },
            400,
        ),
    ],
)
async def test_a_body_is_the_digest_alone(
    shop: Shop, given: dict[str, object], status: int
) -> None:
    _, client, code, _ = shop
    answer = await client.post(f"/verify/{code}", **given)  # type: ignore[arg-type]
    assert answer.status_code == status
    assert answer.headers["Content-Type"] == "application/problem+json; charset=utf-8"
    assert "sha256" not in (answer.json().get("kind") or "")


async def test_other_methods_are_told_which_there_are(shop: Shop) -> None:
    _, client, code, _ = shop
    answer = await client.put(f"/verify/{code}")
    assert (answer.status_code, answer.headers["Allow"]) == (405, "GET, POST")


async def test_what_is_genuine_leaves_no_record_and_what_is_not_is_counted(shop: Shop) -> None:
    hub, client, code, _ = shop
    await hub.rejects.flush()
    async with hub.store.connect() as connection:
        before = await connection.scalar(select(func.count()).select_from(audit_event))
    for one in (code, "x", code, "y", "2222-2222-2222-2222"):
        await client.get(f"/verify/{one}")
    await hub.rejects.flush()
    wanted = select(audit_event.c.body).where(audit_event.c.idx >= before)
    async with hub.store.connect() as connection:
        (body,) = [json.loads(one) for one in await connection.scalars(wanted)]
    assert (body["kind"], body["code"], body["ip"]) == ("REJECTS", NOT_GENUINE, "192.0.2.7")
    assert body["op"] == {"name": "anonymous", "vars": {"count": 3}}
    assert "actor" not in body


async def test_few_are_looked_up_at_once_and_few_wait(shop: Shop) -> None:
    hub, _, code, _ = shop
    face = Verifying(hub)
    app = Starlette(routes=[Route("/verify/{code}", face)])
    await asyncio.gather(*(face.turns.acquire() for _ in range(AT_ONCE)))
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://hub") as http:
        asked = [asyncio.create_task(http.get(f"/verify/{code}")) for _ in range(WAITING + 1)]
        done, others = await asyncio.wait(asked, return_when=asyncio.FIRST_COMPLETED)
        (refused,) = [await one for one in done]
        for _ in range(AT_ONCE):
            face.turns.release()
        answers = await asyncio.gather(*others)
    assert (refused.status_code, refused.headers["Retry-After"]) == (429, "1")
    assert refused.json()["reason"] == "CONCURRENCY"
    assert [answer.json()["genuine"] for answer in answers] == [True] * WAITING


async def test_a_print_whose_record_is_in_the_archive_is_genuine(
    site: Site, tmp_path_factory: pytest.TempPathFactory
) -> None:
    copy = copied(site, tmp_path_factory.mktemp("gone") / "site")
    async with running(assembled(copy.settings(None, **PATIENT))) as hub:
        transport = httpx.ASGITransport(create_app(hub))
        async with httpx.AsyncClient(transport=transport, base_url="http://hub") as client:
            token = hub.tokens.issue("zhelai-town-01", ("aid.file",))
            headers = {"Authorization": f"Bearer {token}"}
            await client.post("/print/decision", json={"caseNo": CASE}, headers=headers)
    async with single(copy.store_url) as connection:
        row = (await connection.execute(select(printed_record))).one()
        assert (await verified(connection, row.code)).genuine
        for deed in ("update", "delete"):
            await connection.execute(text(f"DROP TRIGGER audit_event_no_{deed}"))
        body = select(audit_event.c.body).where(audit_event.c.idx == row.audit_idx)
        kept = await connection.scalar(body)
        for bad in ("no JSON", "{}", str(kept).replace(row.sha256, "0" * 64)):
            changed = text("UPDATE audit_event SET body = :body WHERE idx = :idx")
            await connection.execute(changed, {"body": bad, "idx": row.audit_idx})
            assert not (await verified(connection, row.code)).genuine
        gone = text("DELETE FROM audit_event WHERE idx = :idx")
        await connection.execute(gone, {"idx": row.audit_idx})
        assert not (await verified(connection, row.code)).genuine
        await connection.execute(
            text(
                "INSERT INTO audit_segment VALUES (:idx, :idx + 1, 'f', '', x'', '', 'DETACHED', 0)"
            ),
            {"idx": row.audit_idx},
        )
        assert (await verified(connection, row.code)).genuine
