"""hub/edge/sse.py on a real server: JSON or stream by Accept, beats, refusals, ends."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest

from hub import limits
from hub.demo.site import Site
from hub.edge.decoding import GRAPHQL_JSON, JSON, STREAM
from hub.worker import Hub
from tests.faults.conftest import _listening
from tests.listeners import COUNTS, EVENTS, Part, added, known_line, parts, records, until
from tests.sites import copied

pytestmark = [pytest.mark.anyio, pytest.mark.loopback]

TOWN = "zhelai-town-01"
VIEWER = "{ viewer { account } }"
URQL = f"{GRAPHQL_JSON}, application/graphql+json, {JSON}, {STREAM}, multipart/mixed"


@dataclass(frozen=True)
class Served:
    """A hub on a real port."""

    hub: Hub
    url: str
    site: Site

    def headers(self, accept: str | None, ttl_s: int = 600) -> dict[str, str]:
        token = self.hub.tokens.issue(TOWN, ("aid.file",), ttl_s=ttl_s)
        given = {"Authorization": f"Bearer {token}", "X-Purpose": "aid.file"}
        return given if accept is None else given | {"Accept": accept}

    async def post(self, query: str, accept: str | None) -> httpx.Response:
        async with httpx.AsyncClient(base_url=self.url) as client:
            return await client.post(
                "/graphql", json={"query": query}, headers=self.headers(accept), timeout=10
            )

    @contextlib.asynccontextmanager
    async def stream(
        self, query: str, accept: str = STREAM, ttl_s: int = 600, forwarded: str = ""
    ) -> AsyncIterator[httpx.Response]:
        headers = self.headers(accept, ttl_s)
        if forwarded:
            headers["X-Forwarded-For"] = forwarded
        async with (
            httpx.AsyncClient(base_url=self.url, timeout=30) as client,
            client.stream("POST", "/graphql", json={"query": query}, headers=headers) as response,
        ):
            yield response


@pytest.fixture(scope="module")
async def served(site: Site, anyio_backend: str) -> AsyncIterator[Served]:
    async with _listening(site) as (hub, url):
        yield Served(hub, url, site)


async def first(response: httpx.Response, count: int = 1) -> list[Part]:
    found: list[Part] = []
    async with asyncio.timeout(20):
        async for part in parts(response):
            found.append(part)
            if len(found) == count:
                break
    return found


@pytest.mark.parametrize(
    ("accept", "kind"),
    [
        (URQL, GRAPHQL_JSON),
        (f"{STREAM}, {JSON}", JSON),
        (f"{STREAM}, */*", JSON),
        (JSON, JSON),
        (None, JSON),
    ],
)
async def test_a_query_is_json_whatever_else_is_taken(
    served: Served, accept: str | None, kind: str
) -> None:
    answer = await served.post(VIEWER, accept)
    assert (answer.status_code, answer.headers["Content-Type"]) == (200, f"{kind}; charset=utf-8")
    assert answer.json()["data"] == {"viewer": {"account": TOWN}}


async def test_a_query_of_who_takes_streams_alone_is_one_next_and_complete(served: Served) -> None:
    answer = await served.post(VIEWER, STREAM)
    assert answer.status_code == 200
    request_id = answer.headers["X-Request-Id"]
    told = {k: v for k, v in answer.headers.items() if k != "date"}
    assert told.pop("traceparent").split("-")[1] == request_id
    assert 0 < int(told.pop("ratelimit-remaining")) < int(told.pop("ratelimit-limit"))
    assert 0 <= int(told.pop("ratelimit-reset")) <= 60
    assert told == {
        "content-type": f"{STREAM}; charset=utf-8",
        "cache-control": "no-store",
        "x-content-type-options": "nosniff",
        "vary": "Accept, Origin",
        "x-accel-buffering": "no",
        "x-sandbox": "true",
        "x-request-id": request_id,
        "transfer-encoding": "chunked",
    }
    beat, head, *rest = answer.text.split("\n\n")
    assert (beat, rest) == (":", ["event: complete\ndata:", ""])
    assert head.startswith('event: next\ndata: {"data":{"viewer":{"account":"zhelai-town-01"}}')
    written = (await records(served.site.store_url, "READ"))[-1]
    assert written["request"] == request_id


WRONG = [VIEWER[:-1], "{ nothing }", "subscription { nothing }"]


@pytest.mark.parametrize("query", WRONG)
async def test_what_never_begins_is_an_ordinary_refusal(served: Served, query: str) -> None:
    answer = await served.post(query, URQL)
    assert answer.headers["Content-Type"] == f"{GRAPHQL_JSON}; charset=utf-8"
    said = answer.json()["errors"][0]["extensions"]["code"]
    assert said in ("GRAPHQL_PARSE_FAILED", "GRAPHQL_VALIDATION_FAILED")
    assert answer.status_code == 400


@pytest.mark.parametrize(
    ("query", "code"),
    [
        *zip(WRONG, ["GRAPHQL_PARSE_FAILED", *["GRAPHQL_VALIDATION_FAILED"] * 2], strict=True),
        ('subscription { caseEvents(area: "999") { id } }', "BAD_USER_INPUT"),
    ],
)
async def test_who_takes_streams_alone_is_told_in_one_what_is_wrong_with_the_question(
    served: Served, query: str, code: str
) -> None:
    async with served.stream(query) as response:
        assert response.status_code == 200
        assert response.headers["Content-Type"] == f"{STREAM}; charset=utf-8"
        told, end = await first(response, 2)
    assert (told.event, end.event) == ("next", "complete")
    assert told.data["errors"][0]["extensions"]["code"] == code
    assert told.data.get("data") is None
    written = (await records(served.site.store_url, "READ"))[-1]
    assert (written["outcome"], written["code"]) == ("INVALID", code)
    assert written["request"] == response.headers["X-Request-Id"]


@pytest.mark.parametrize("accept", [STREAM, URQL])
async def test_who_may_not_ask_is_told_by_a_status(served: Served, accept: str) -> None:
    async with httpx.AsyncClient(base_url=served.url) as client:
        headers = {"Accept": accept, "X-Purpose": "aid.file"}
        answer = await client.post("/graphql", json={"query": EVENTS}, headers=headers, timeout=10)
    assert answer.status_code == 401
    assert answer.json()["errors"][0]["extensions"]["code"] == "UNAUTHENTICATED"


@pytest.mark.parametrize("accept", [JSON, GRAPHQL_JSON, "*/*", None])
async def test_a_subscription_by_plain_post_is_told_how_to_ask(
    served: Served, accept: str | None
) -> None:
    answer = await served.post(COUNTS, accept)
    assert answer.status_code == 406
    error = answer.json()["errors"][0]
    assert error["extensions"]["code"] == "SUBSCRIPTION_NEEDS_STREAM"
    assert STREAM in error["message"]
    assert "graphql-transport-ws" in error["message"]
    written = (await records(served.site.store_url, "READ"))[-1]
    assert (written["outcome"], written["code"]) == ("INVALID", "SUBSCRIPTION_NEEDS_STREAM")


@pytest.mark.parametrize("accept", [STREAM, URQL])
async def test_events_come_as_they_happen(served: Served, accept: str) -> None:
    async with served.stream(EVENTS, accept) as response:
        assert response.status_code == 200
        await until(lambda: served.hub.changes.subscribers == 1)
        keys = await added(
            served.site.store_url, served.site.shown("zhelai").case_no, "ROUTED", "ACCEPTED"
        )
        told = await first(response, 2)
    assert [(p.event, p.data["data"]["caseEvents"]["id"]) for p in told] == [
        ("next", keys[0]),
        ("next", keys[1]),
    ]
    await until(lambda: served.hub.changes.subscribers == 0)
    result = (await records(served.site.store_url, "SUBSCRIBE_RESULT"))[-1]
    assert (result["outcome"], result["code"]) == ("OK", "CLIENT_GONE")


async def test_a_still_stream_gives_a_sign_of_life_every_twelve_seconds(served: Served) -> None:
    clock = asyncio.get_running_loop().time
    async with served.stream(EVENTS) as response:
        begun, beats = clock(), []
        async with asyncio.timeout(40):
            async for line in response.aiter_lines():
                if line == ":":
                    beats.append(clock() - begun)
                if len(beats) == 2:
                    break
    assert beats[0] < 5
    assert limits.BEAT_S - 1 < beats[1] - beats[0] < limits.BEAT_S + 5


async def test_an_expired_token_ends_it_with_its_error(served: Served) -> None:
    async with served.stream(EVENTS, ttl_s=2 - 60) as response:
        told = await first(response, 2)
    assert [p.event for p in told] == ["next", "complete"]
    errors = told[0].data["errors"]
    assert [e["extensions"]["code"] for e in errors] == ["UNAUTHENTICATED"]
    assert told[1].data is None
    assert "data" not in told[0].data


async def test_so_many_streams_an_account_and_no_more(served: Served) -> None:
    async with contextlib.AsyncExitStack() as stack:
        for _ in range(limits.STREAMS_A_PRINCIPAL):
            response = await stack.enter_async_context(served.stream(EVENTS))
            assert response.status_code == 200
        more = await served.post(EVENTS, STREAM)
        assert (more.status_code, code(more)) == (429, ("RATE_LIMITED", "CONCURRENCY"))
        assert (await served.post(VIEWER, JSON)).status_code == 200
    await until(lambda: served.hub.changes.subscribers == 0)
    async with served.stream(EVENTS) as response:
        assert response.status_code == 200


async def test_events_take_no_place_of_what_an_account_asks(pristine: Site, tmp_path: Path) -> None:
    """Ten streams and ten operations of a line get one event; one question may run at once."""
    site = copied(pristine, tmp_path / "other")
    async with contextlib.AsyncExitStack() as stack:
        one: dict[str, Any] = {"running.person": 1}
        other = Served(*await stack.enter_async_context(_listening(site, **one)), site)
        streams = [await stack.enter_async_context(other.stream(EVENTS)) for _ in range(10)]
        token = other.hub.tokens.issue(TOWN, ("aid.file",))
        line = await stack.enter_async_context(known_line(other.url, token))
        for number in range(10):
            await line.ask(str(number), EVENTS)
        await until(lambda: other.hub.changes.subscribers == 20)
        (key,) = await added(site.store_url, site.shown("zhelai").case_no, "ROUTED")
        told = [(await first(one))[0].data for one in streams]
        told += [(await line.next(20))["payload"] for _ in range(10)]
    assert [one["data"]["caseEvents"]["id"] for one in told] == [key] * 20


async def test_a_query_of_who_takes_streams_alone_is_refused_like_any_other(
    pristine: Site, tmp_path: Path, capfd: Any
) -> None:
    site = copied(pristine, tmp_path / "other")
    one: dict[str, Any] = {"running.person": 1}
    async with _listening(site, **one) as (hub, url):
        other, account = Served(hub, url, site), site.account(TOWN)
        assert account is not None
        token = hub.tokens.issue(TOWN, account.purposes)
        given = {b"authorization": f"Bearer {token}".encode(), b"x-purpose": b"aid.file"}
        with hub.pace.running((await hub.askers.known(given)).gate.asker):
            answer = await other.post(VIEWER, STREAM)
        assert (answer.status_code, code(answer)) == (429, ("RATE_LIMITED", "CONCURRENCY"))
        assert answer.headers["Retry-After"] == "1"
        assert (await other.post(VIEWER, STREAM)).status_code == 200
    first, second = await records(site.store_url, "READ")
    assert (first["outcome"], first["code"], first["actor"]) == ("DENIED", "RATE_LIMITED", TOWN)
    assert second["outcome"] == "OK"
    assert "Traceback" not in "".join(capfd.readouterr())


def code(answer: httpx.Response) -> Any:
    extensions = answer.json()["errors"][0]["extensions"]
    return extensions["code"], extensions.get("reason")


PROXIED: list[tuple[dict[str, Any], str]] = [
    ({}, ""),
    ({"trusted_proxies": "127.0.0.1"}, "203.0.113.7"),
]


@pytest.mark.parametrize(("settings", "forwarded"), PROXIED, ids=["alone", "behind a proxy"])
async def test_a_server_that_stops_cuts_its_streams_and_says_so_in_the_log(
    pristine: Site, tmp_path: Path, settings: dict[str, Any], forwarded: str
) -> None:
    site = copied(pristine, tmp_path / "other")
    async with contextlib.AsyncExitStack() as stack:
        server = _listening(site, **settings)
        hub, url = await stack.enter_async_context(server)
        other = Served(hub, url, site)
        response = await stack.enter_async_context(other.stream(EVENTS, forwarded=forwarded))
        await until(lambda: hub.changes.subscribers == 1)
        stopping = asyncio.create_task(server.__aexit__(None, None, None))
        left = [p async for p in parts(response)]
        async with asyncio.timeout(15):
            await stopping
        assert left == []
        stack.pop_all()
    result = (await records(site.store_url, "SUBSCRIBE_RESULT"))[-1]
    assert (result["outcome"], result["code"]) == ("OK", "HUB_STOP")
    assert result["ip"] == (forwarded or "127.0.0.1")
