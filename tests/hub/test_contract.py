"""hub/edge/contract.py: the SDL is a right, a record and a text that may be kept."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from hashlib import sha256
from pathlib import Path
from typing import Any

import httpx
import pytest
from sqlalchemy import select

from hub.app import assemble, create_app, running
from hub.demo.site import Site
from hub.limits import RATE_PERSON
from hub.worker import Hub
from store.audit import audit_event

pytestmark = pytest.mark.anyio

SDL = Path(__file__).parents[2] / "schema/schema.graphql"


@pytest.fixture
async def hub(site: Site, anyio_backend: str) -> AsyncIterator[Hub]:
    async with running(assemble(site.settings())) as made:
        yield made


async def get(hub: Hub, account: str | None = "lab", **headers: str) -> httpx.Response:
    given = dict(headers)
    if account is not None:
        purpose = "aid.review" if account == "lab" else "aid.file"
        given["Authorization"] = f"Bearer {hub.tokens.issue(account, (purpose, 'report'))}"
        given.setdefault("X-Purpose", purpose)
    transport = httpx.ASGITransport(create_app(hub))
    async with httpx.AsyncClient(transport=transport, base_url="http://hub") as client:
        return await client.get("/schema.graphql", headers=given)


async def record(hub: Hub, answer: httpx.Response) -> dict[str, Any]:
    wanted = select(audit_event.c.body).where(
        audit_event.c.idx == int(answer.headers["X-Audit-Id"])
    )
    async with hub.store.connect() as connection:
        found: dict[str, Any] = json.loads(await connection.scalar(wanted) or "{}")
    return found


async def test_who_may_gets_the_contract_of_git_and_it_is_recorded(hub: Hub) -> None:
    answer = await get(hub)
    assert answer.status_code == 200
    assert answer.text == SDL.read_text(encoding="utf-8")
    digest = sha256(answer.content).hexdigest()
    assert dict(answer.headers) == {
        "content-type": "text/plain; charset=utf-8",
        "cache-control": "private, no-cache",
        "x-content-type-options": "nosniff",
        "vary": "Authorization, Origin",
        "etag": f'"{digest}"',
        "x-request-id": answer.headers["X-Request-Id"],
        "x-audit-id": answer.headers["X-Audit-Id"],
        "x-audit-receipt": answer.headers["X-Audit-Receipt"],
        "x-sandbox": "true",
        "traceparent": answer.headers["traceparent"],
        "ratelimit-limit": str(RATE_PERSON),
        "ratelimit-remaining": answer.headers["RateLimit-Remaining"],
        "ratelimit-reset": answer.headers["RateLimit-Reset"],
        "content-length": str(len(answer.content)),
    }
    told = await record(hub, answer)
    assert (told["kind"], told["outcome"], told["actor"]) == ("READ", "OK", "lab")
    assert told["op"] == {"name": "Schema_sdl", "type": "query", "hash": digest}
    assert (told["purpose"], told["request"]) == ("aid.review", answer.headers["X-Request-Id"])
    assert "reads" not in told or told["reads"] == []


async def test_one_who_has_it_already_is_told_so_and_that_is_recorded_too(hub: Hub) -> None:
    etag = (await get(hub)).headers["ETag"]
    for given, status in {etag: 304, f'W/{etag}, "x"': 304, "*": 304, '"other"': 200}.items():
        answer = await get(hub, **{"If-None-Match": given})
        assert (answer.status_code, answer.headers["ETag"]) == (status, etag)
        assert bool(answer.content) is (status == 200)
        assert (await record(hub, answer))["outcome"] == "OK"


async def test_a_clerk_may_not_and_his_trying_is_recorded(hub: Hub) -> None:
    etag = (await get(hub)).headers["ETag"]
    for more in ({}, {"If-None-Match": etag}):
        answer = await get(hub, "zhelai-town-01", **more)
        assert answer.status_code == 403
        (error,) = answer.json()["errors"]
        assert error["extensions"]["code"] == "FORBIDDEN"
        assert "ETag" not in answer.headers
        told = await record(hub, answer)
        assert (told["outcome"], told["code"]) == ("DENIED", "FORBIDDEN")
        assert told["actor"] == "zhelai-town-01"


async def test_a_stranger_and_one_without_a_purpose_are_refused(hub: Hub) -> None:
    answer = await get(hub, None)
    assert answer.status_code == 401
    assert answer.json()["errors"][0]["extensions"]["reason"] == "TOKEN_MISSING"
    assert answer.headers["WWW-Authenticate"] == "Bearer"
    answer = await get(hub, **{"X-Purpose": "nothing"})
    assert answer.status_code == 403
    assert answer.json()["errors"][0]["extensions"]["code"] == "PURPOSE_REQUIRED"


async def test_without_a_record_there_is_no_contract(hub: Hub) -> None:
    hub.log.halt("for the test")
    answer = await get(hub)
    assert answer.status_code == 503
    assert answer.json()["errors"][0]["extensions"]["code"] == "AUDIT_UNAVAILABLE"
    assert b"type Query" not in answer.content


async def test_it_is_read_and_nothing_else(hub: Hub) -> None:
    transport = httpx.ASGITransport(create_app(hub))
    async with httpx.AsyncClient(transport=transport, base_url="http://hub") as client:
        for method in ("POST", "PUT", "DELETE"):
            answer = await client.request(method, "/schema.graphql")
            assert answer.status_code == 405
            assert "GET" in answer.headers["Allow"]


async def test_another_method_of_somebody_known_is_refused_and_recorded(hub: Hub) -> None:
    headers = {"Authorization": f"Bearer {hub.tokens.issue('lab', ('aid.review',))}"}
    transport = httpx.ASGITransport(create_app(hub))
    async with httpx.AsyncClient(transport=transport, base_url="http://hub") as client:
        answer = await client.post("/schema.graphql", headers=headers)
    (error,) = answer.json()["errors"]
    assert (answer.status_code, answer.headers["Allow"]) == (405, "GET")
    assert error["extensions"]["code"] == "METHOD_NOT_ALLOWED"
    told = await record(hub, answer)
    assert (told["actor"], told["outcome"], told["code"]) == (
        "lab",
        "INVALID",
        "METHOD_NOT_ALLOWED",
    )
    assert b"type Query" not in answer.content
