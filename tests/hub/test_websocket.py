"""The protocol on a real socket: each code, each limit, and what is left behind."""

from __future__ import annotations

import asyncio
import json
import random
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from starlette.types import Message
from websockets.asyncio.client import connect
from websockets.exceptions import ConnectionClosed, InvalidStatus

from hub import limits
from hub.app import assemble, create_app, running
from hub.demo.site import Site
from hub.edge.websocket import is_foreign
from hub.telemetry.spans import Telemetry
from hub.worker import Hub
from tests.faults.conftest import _listening
from tests.listeners import (
    COUNTS,
    EVENTS,
    PROTOCOL,
    Line,
    added,
    codes,
    known_line,
    open_line,
    records,
    until,
)
from tests.sites import copied

pytestmark = [pytest.mark.anyio, pytest.mark.loopback]

TOWN = "zhelai-town-01"
FRIEND = "https://desk.invalid"


@dataclass(frozen=True)
class Served:
    """A hub on a real port."""

    hub: Hub
    url: str
    site: Site

    def token(self, account: str = TOWN, ttl_s: int = 600) -> str:
        found = self.site.account(account)
        assert found is not None
        return self.hub.tokens.issue(account, found.purposes, ttl_s=ttl_s)


@pytest.fixture(scope="module")
async def served(site: Site, anyio_backend: str) -> AsyncIterator[Served]:
    given: dict[str, Any] = {"cors.origins": [FRIEND]}
    async with _listening(site, **given) as (hub, url):
        yield Served(hub, url, site)


async def turned_away(served: Served) -> dict[str, int]:
    """Strangers that were turned away since the last time, by reason."""
    before = len(await records(served.site.store_url, "REJECTS"))
    await served.hub.rejects.flush()
    written = (await records(served.site.store_url, "REJECTS"))[before:]
    assert {r["ip"] for r in written} <= {"127.0.0.1"}
    return {r["code"]: r["op"]["vars"]["count"] for r in written}


GOOD_INIT = '{"type": "connection_init"}'
LATER = {"id": "1", "type": "subscribe", "payload": {"query": COUNTS}}


@pytest.mark.parametrize(
    "text",
    [
        b"\x00\x01",
        "",
        "no json",
        "[]",
        '"ping"',
        "{}",
        '{"type": 1}',
        '{"type": "start", "id": "1", "payload": {}}',
        '{"type": "connection_terminate"}',
        '{"type": "ping", "type": "ping"}',
        "[" * 100,
        '{"type": "ping", "payload": "\\ud800"}',
        '{"type": "connection_init", "payload": []}',
        '{"type": "connection_init", "payload": {"authorization": 1}}',
        '{"type": "complete"}',
        '{"type": "complete", "id": 7}',
    ],
)
async def test_a_bad_message_closes_the_line(served: Served, text: str | bytes) -> None:
    async with open_line(served.url) as line:
        await line.socket.send(text)
        code, reason = await line.closed()
    assert code == 4400
    assert reason in ("Invalid message", "Unknown message type", "Only text messages")


@pytest.mark.parametrize(
    "message",
    [
        {"type": "subscribe", "payload": {"query": COUNTS}},
        {"type": "subscribe", "id": "", "payload": {"query": COUNTS}},
        {"type": "subscribe", "id": 1, "payload": {"query": COUNTS}},
        {"type": "subscribe", "id": "x" * 129, "payload": {"query": COUNTS}},
        {"type": "subscribe", "id": "1"},
        {"type": "subscribe", "id": "1", "payload": {}},
        {"type": "subscribe", "id": "1", "payload": {"query": 5}},
        {"type": "subscribe", "id": "1", "payload": [{"query": COUNTS}]},
        {"type": "subscribe", "id": "1", "payload": {"query": COUNTS, "variables": []}},
    ],
)
async def test_a_bad_subscription_closes_the_line(served: Served, message: Any) -> None:
    async with known_line(served.url, served.token()) as line:
        await line.say(**message)
        assert await line.closed() == (4400, "Invalid message")


async def test_who_subscribes_before_the_acknowledgement_is_closed_out(served: Served) -> None:
    async with open_line(served.url) as line:
        await line.say(**LATER)
        assert await line.closed() == (4401, "Unauthorized")


@pytest.mark.parametrize(
    ("message", "closed", "reason"),
    [
        ({"type": "nothing"}, (4400, "Unknown message type"), "BAD_REQUEST"),
        ({"type": "complete", "id": "1"}, (4401, "Unauthorized"), "UNAUTHENTICATED"),
        (LATER, (4401, "Unauthorized"), "UNAUTHENTICATED"),
        ({"type": "connection_init"}, (4403, "UNAUTHENTICATED"), "TOKEN_MISSING"),
        (
            {"type": "ping", "payload": "x" * limits.INIT_BYTES},
            (1009, "Message too big"),
            "PAYLOAD_TOO_LARGE",
        ),
    ],
)
async def test_whom_nobody_knows_yet_is_counted_when_he_is_turned_away(
    served: Served, message: dict[str, Any], closed: tuple[int, str], reason: str
) -> None:
    await turned_away(served)
    async with open_line(served.url) as line:
        await line.say(**message)
        assert await line.closed() == closed
    assert await turned_away(served) == {reason: 1}


async def test_who_is_known_is_no_stranger_and_says_longer_things(served: Served) -> None:
    await turned_away(served)
    async with known_line(served.url, served.token()) as line:
        await line.say(type="ping", payload="x" * limits.INIT_BYTES)
        assert await line.next() == {"type": "pong"}
        await line.say(type="nothing")
        assert await line.closed() == (4400, "Unknown message type")
    assert await turned_away(served) == {}


@pytest.mark.parametrize(
    ("who", "reason"),
    [
        ({}, "UNAUTHENTICATED"),
        ({"authorization": "Bearer x"}, "UNAUTHENTICATED"),
        ({"purpose": "nothing"}, "PURPOSE_REQUIRED"),
        ({"purpose": ""}, "PURPOSE_REQUIRED"),
        ({"purpose": "aid.review", "caseNo": "SQ00000000"}, "FORBIDDEN"),
        ({"purpose": "aid.file", "endUser": "nobody"}, "BAD_REQUEST"),
    ],
)
async def test_who_may_not_ask_is_refused_and_that_is_recorded(
    served: Served, who: dict[str, str], reason: str
) -> None:
    given = {"authorization": f"Bearer {served.token()}"} if "purpose" in who else {}
    before = len(await records(served.site.store_url, "READ"))
    async with open_line(served.url) as line:
        await line.say(type="connection_init", payload={**given, **who})
        assert await line.closed() == (4403, reason)
    written = (await records(served.site.store_url, "READ"))[before:]
    assert [(r["outcome"], r["code"], r["actor"]) for r in written] == (
        [("INVALID" if reason == "BAD_REQUEST" else "DENIED", reason, TOWN)] if given else []
    )


@pytest.mark.parametrize("protocols", [(), ("graphql-ws",), ("graphql-ws", "graphql-transport")])
async def test_another_protocol_is_closed_out(served: Served, protocols: tuple[str, ...]) -> None:
    async with open_line(served.url, protocols) as line:
        assert await line.closed() == (4406, "Subprotocol not acceptable")


async def test_ours_is_chosen_among_several(served: Served) -> None:
    async with open_line(served.url, ("graphql-ws", PROTOCOL)) as line:
        assert line.socket.subprotocol == PROTOCOL


async def test_an_id_in_use_and_a_second_init_close_the_line(served: Served) -> None:
    async with known_line(served.url, served.token()) as line:
        await line.ask("1", EVENTS)
        await line.ask("1", EVENTS)
        assert await line.closed() == (4409, "Subscriber already exists")
    async with known_line(served.url, served.token()) as line:
        await line.say(type="connection_init")
        assert await line.closed() == (4429, "Too many initialisation requests")


async def test_an_id_is_free_again_after_its_end(served: Served) -> None:
    async with known_line(served.url, served.token()) as line:
        for _ in range(2):
            await line.ask("1", "{ viewer { account } }")
            assert await line.told("1") == {"viewer": {"account": TOWN}}
            assert await line.next() == {"id": "1", "type": "complete"}
            await line.ask("1", EVENTS)
            await line.say(id="1", type="complete")


async def test_a_silent_line_is_closed_after_ten_seconds_whatever_it_pings(served: Served) -> None:
    clock = asyncio.get_running_loop().time
    begun = clock()
    async with open_line(served.url) as line:
        for _ in range(3):
            await line.say(type="ping", payload={})
            assert await line.next() == {"type": "pong"}
            await line.say(type="pong")
            await asyncio.sleep(1)
        closed = await line.closed(20)
    assert closed == (4408, "Connection initialisation timeout")
    assert (await turned_away(served))["INIT_TIMEOUT"] == 1
    assert limits.INIT_S - 0.5 < clock() - begun < limits.INIT_S + 5


async def test_a_message_over_the_limit_closes_the_line(served: Served) -> None:
    async with known_line(served.url, served.token()) as line:
        fits = "x" * (limits.MESSAGE_BYTES - 100)
        await line.say(type="ping", payload=fits)
        assert await line.next() == {"type": "pong"}
        await line.say(type="ping", payload=fits + "x" * 200)
        assert (await line.closed())[0] == 1009


# ---- who may connect ----------------------------------------------------------------------------


@pytest.mark.parametrize("origin", ["https://elsewhere.invalid", "null", "https://desk.invalid.x"])
async def test_a_foreign_page_gets_403_before_the_upgrade(served: Served, origin: str) -> None:
    await turned_away(served)
    with pytest.raises(InvalidStatus) as refused:
        async with open_line(served.url, headers={"Origin": origin}):
            pass
    assert refused.value.response.status_code == 403
    assert await turned_away(served) == {"ORIGIN": 1}


async def test_a_listed_page_and_the_hubs_own_may_connect(served: Served) -> None:
    for origin in (FRIEND, served.url):
        async with open_line(served.url, headers={"Origin": origin}) as line:
            said = await line.init(authorization=f"Bearer {served.token()}", purpose="aid.file")
            assert said == {"type": "connection_ack"}


@pytest.mark.parametrize(
    ("origin", "foreign"),
    [
        (None, False),
        (b"https://hub.invalid:8532", False),
        (b"https://hub.invalid", True),
        (b"HTTPS://DESK.invalid", False),
        (b"http://desk.invalid", True),
        (b"null", True),
        (b"", True),
        (b"https://[", True),
        (b"https://desk.invalid/", True),
    ],
)
def test_an_origin_is_the_hubs_own_listed_or_foreign(origin: bytes | None, foreign: bool) -> None:
    headers = {b"host": b"hub.invalid:8532"} | ({} if origin is None else {b"origin": origin})
    assert is_foreign(headers, "wss", (FRIEND,)) is foreign


@pytest.mark.parametrize(
    ("origin", "scheme", "foreign"),
    [
        (b"https://hub.invalid", "wss", False),
        (b"http://hub.invalid", "wss", True),  # whoever sits on the wire may have written it
        (b"http://hub.invalid", "ws", False),
        (b"https://hub.invalid", "ws", False),  # a proxy that does not say that TLS ends there
        (b"ftp://hub.invalid", "ws", True),
    ],
)
def test_a_page_in_clear_is_foreign_to_an_encrypted_line(
    origin: bytes, scheme: str, foreign: bool
) -> None:
    headers = {b"host": b"hub.invalid", b"origin": origin}
    assert is_foreign(headers, scheme, ()) is foreign


async def test_where_a_proxy_ends_tls_a_page_in_clear_opens_no_line(
    pristine: Site, tmp_path: Path
) -> None:
    given: dict[str, Any] = {"trusted_proxies": "127.0.0.1"}
    async with _listening(copied(pristine, tmp_path / "other"), **given) as (_, url):
        for proto, page, status in [
            ("https", "https", 101),
            ("https", "http", 403),
            ("http", "http", 101),
            ("http, https", "http", 403),  # the last is our proxy's word
        ]:
            origin = url.replace("http", page, 1)
            headers = {"Origin": origin, "X-Forwarded-Proto": proto}
            try:
                async with open_line(url, headers=headers) as line:
                    assert line.socket.response is not None
                    got = line.socket.response.status_code
            except InvalidStatus as refused:
                got = refused.response.status_code
            assert got == status, (proto, page)


async def test_elsewhere_no_line_is_opened(served: Served) -> None:
    with pytest.raises(InvalidStatus):
        async with connect(f"{served.url.replace('http', 'ws')}/other", proxy=None):
            pass


async def test_upgrade_headers_say_who_asks_and_the_payload_says_the_rest(served: Served) -> None:
    token = f"Bearer {served.token()}"
    who = {"Authorization": token, "X-Purpose": "aid.verify"}
    async with open_line(served.url, headers=who) as line:
        assert await line.init() == {"type": "connection_ack"}
        await line.ask("1", "{ viewer { account purpose } }")
        assert await line.told("1") == {"viewer": {"account": TOWN, "purpose": "aid.verify"}}
    async with open_line(served.url, headers={"Authorization": token}) as line:
        said = await line.init(authorization=token, purpose="aid.file")  # the same once more
        assert said == {"type": "connection_ack"}
        await line.ask("1", "{ viewer { purpose } }")
        assert await line.told("1") == {"viewer": {"purpose": "aid.file"}}


OTHERWISE = [
    ({"X-Purpose": "aid.verify"}, {"purpose": "aid.file"}),
    ({"X-Case-No": "SQ10100190006"}, {"caseNo": "SQ10100190004"}),
    ({"X-Case-No": "SQ10100190006"}, {"caseNo": ""}),  # would ask of all cases
    ({"X-Road-Issue": "SQ10100190006"}, {"caseNo": "SQ10100190004"}),
    ({"X-Road-Issue": "SQ10100190006"}, {"caseNo": ""}),
    ({"X-End-User": "a"}, {"endUser": "b"}),
    ({"X-Road-UserId": "a"}, {"endUser": ""}),
    ({}, {"authorization": "Bearer x"}),
]


@pytest.mark.parametrize(("headers", "payload"), OTHERWISE)
async def test_the_payload_does_not_say_otherwise_what_the_upgrade_said(
    served: Served, headers: dict[str, str], payload: dict[str, str]
) -> None:
    before = len(await records(served.site.store_url, "READ"))
    who = {"Authorization": f"Bearer {served.token()}", **headers}
    async with open_line(served.url, headers=who) as line:
        await line.say(type="connection_init", payload=payload)
        assert await line.closed() == (4403, "BAD_REQUEST")
    written = (await records(served.site.store_url, "READ"))[before:]
    assert [(r["outcome"], r["code"], r["actor"]) for r in written] == [
        ("INVALID", "BAD_REQUEST", TOWN)
    ]


# ---- operations ---------------------------------------------------------------------------------


async def test_a_query_is_answered_as_by_post_and_recorded(served: Served) -> None:
    shown = served.site.shown("zhelai")
    text = "query Q($n: String!) { case(caseNo: $n) { state applicant { name idNumber } } }"
    async with known_line(served.url, served.token()) as line:
        await line.ask("q", text, n=shown.case_no)
        message = await line.next()
        assert await line.next() == {"id": "q", "type": "complete"}
    async with httpx.AsyncClient(base_url=served.url) as client:
        headers = {"Authorization": f"Bearer {served.token()}", "X-Purpose": "aid.file"}
        body = {"query": text, "variables": {"n": shown.case_no}}
        posted = (await client.post("/graphql", json=body, headers=headers)).json()
    assert message["payload"]["data"] == posted["data"]
    assert posted["data"]["case"]["applicant"] == {"name": shown.name, "idNumber": None}
    idx = message["payload"]["extensions"]["audit"]["idx"]
    both = [
        r
        for r in await records(served.site.store_url, "READ")
        if r["idx"] in (str(idx), idx, posted["extensions"]["audit"]["idx"])
    ]
    assert len(both) == 2
    assert [{k: r[k] for k in ("actor", "op", "reads", "subjects", "outcome")} for r in both] == [
        {k: both[0][k] for k in ("actor", "op", "reads", "subjects", "outcome")}
    ] * 2


@pytest.mark.parametrize(
    ("query", "code"),
    [
        ("{", "GRAPHQL_PARSE_FAILED"),
        ("{ nothing }", "GRAPHQL_VALIDATION_FAILED"),
        ("subscription { nothing }", "GRAPHQL_VALIDATION_FAILED"),
        ("mutation { x }", "GRAPHQL_VALIDATION_FAILED"),
        ('subscription { caseEvents(area: "110000") { id } }', "BAD_USER_INPUT"),
    ],
)
async def test_what_cannot_be_run_is_an_error_of_that_operation_alone(
    served: Served, query: str, code: str
) -> None:
    async with known_line(served.url, served.token()) as line:
        await line.ask("bad", query)
        message = await line.next()
        assert (message["id"], [c for c, _ in codes(message)]) == ("bad", [code])
        await line.ask("good", "{ viewer { account } }")
        assert await line.told("good") == {"viewer": {"account": TOWN}}


async def test_complete_ends_a_subscription_and_its_record_says_so(served: Served) -> None:
    url = served.site.store_url
    async with known_line(served.url, served.token()) as line:
        await line.ask("1", EVENTS)
        await until(lambda: served.hub.changes.subscribers == 1)
        await line.say(id="1", type="complete")
        await line.say(id="never", type="complete")
        await until(lambda: served.hub.changes.subscribers == 0)
        await added(url, served.site.shown("zhelai").case_no, "ROUTED")
        assert await line.silent()
    intent = (await records(url, "SUBSCRIBE_INTENT"))[-1]
    result = (await records(url, "SUBSCRIBE_RESULT"))[-1]
    assert (result["outcome"], result["code"]) == ("OK", "COMPLETED")
    assert result["ref"] == str(intent["idx"])
    assert (intent["actor"], intent["op"]["name"], intent["op"]["type"]) == (
        TOWN,
        "Watch",
        "subscription",
    )


async def test_a_client_that_is_gone_leaves_nothing_behind(served: Served) -> None:
    async with known_line(served.url, served.token()) as line:
        for number in range(5):
            await line.ask(str(number), EVENTS)
        await until(lambda: served.hub.changes.subscribers == 5)
        line.socket.transport.abort()
    await until(lambda: served.hub.changes.subscribers == 0)
    results = (await records(served.site.store_url, "SUBSCRIBE_RESULT"))[-5:]
    assert [r["code"] for r in results] == ["CLIENT_GONE"] * 5
    names = {task.get_name() for task in asyncio.all_tasks()}
    assert names & {"operation", "websocket-tended"} == set()


# ---- limits -------------------------------------------------------------------------------------


async def test_ten_lines_an_account_and_no_more(served: Served) -> None:
    async def opened(line: Line) -> dict[str, Any]:
        return await line.init(authorization=f"Bearer {served.token()}", purpose="aid.file")

    async with AsyncExitStack() as stack:
        for _ in range(limits.CONNECTIONS_A_PRINCIPAL):
            line = await stack.enter_async_context(open_line(served.url))
            assert await opened(line) == {"type": "connection_ack"}
        more = await stack.enter_async_context(open_line(served.url))
        with pytest.raises(ConnectionClosed):
            await opened(more)
        assert await more.closed() == (4403, "RATE_LIMITED")
        other = await stack.enter_async_context(open_line(served.url))
        token = served.token("bange-town-01")
        assert (await other.init(authorization=f"Bearer {token}", purpose="aid.file"))["type"] == (
            "connection_ack"
        )
    async with known_line(served.url, served.token()):
        pass


async def test_a_thousand_subscriptions_are_a_hundred_and_nine_hundred_refusals(
    served: Served,
) -> None:
    async with known_line(served.url, served.token()) as line:
        for number in range(1_000):
            await line.ask(str(number), EVENTS)
        refused = [await line.next(30) for _ in range(900)]
        assert {codes(m)[0] for m in refused} == {("RATE_LIMITED", "CONCURRENCY")}
        assert len({m["id"] for m in refused}) == 900
        await until(lambda: served.hub.changes.subscribers == 100)
        async with httpx.AsyncClient(base_url=served.url) as client:
            assert (await client.get("/readyz", timeout=5)).status_code == 200
        (key,) = await added(served.site.store_url, served.site.shown("zhelai").case_no, "ROUTED")
        told = [await line.next(30) for _ in range(100)]
        assert {m["payload"]["data"]["caseEvents"]["id"] for m in told} == {key}
        assert len({m["id"] for m in told}) == 100
        assert await line.silent()
    await until(lambda: served.hub.changes.subscribers == 0)


async def test_no_bytes_make_an_error_of_ours(served: Served, capfd: Any) -> None:
    rng = random.Random(7)
    alphabet = ["{", "}", '"', ":", ",", "type", "id", "subscribe", "payload", "query", "\\u"]
    for _ in range(60):
        async with open_line(served.url) as line:
            if rng.random() < 0.5:
                who = {"authorization": f"Bearer {served.token()}", "purpose": "aid.file"}
                await line.say(type="connection_init", payload=who)
            text: str | bytes = "".join(rng.choices(alphabet, k=rng.randrange(1, 40)))
            if rng.random() < 0.3:
                text = rng.randbytes(rng.randrange(1, 300))
            await line.socket.send(text, text=rng.random() < 0.7)
            code, _ = await line.closed()
            assert code in (4400, 1007), text
    async with known_line(served.url, served.token()) as line:
        await line.ask("1", "{ viewer { account } }")
        assert await line.told("1") == {"viewer": {"account": TOWN}}
    said = "".join(capfd.readouterr())
    assert "Traceback" not in said
    assert "internal error" not in said


# ---- the token ends -----------------------------------------------------------------------------

ALMOST = 2 - 60  # of a token's seconds: clocks may differ by sixty


async def test_an_expired_token_closes_the_line_that_only_waits(served: Served) -> None:
    async with known_line(served.url, served.token(ttl_s=ALMOST)) as line:
        assert await line.closed() == (4403, "UNAUTHENTICATED")


async def test_an_expired_token_ends_a_subscription_without_an_event(served: Served) -> None:
    async with known_line(served.url, served.token(ttl_s=ALMOST)) as line:
        await line.ask("1", EVENTS)
        message = await line.next()
        assert (message["id"], codes(message)) == ("1", [("UNAUTHENTICATED", "TOKEN_EXPIRED")])
        assert await line.closed() == (4403, "UNAUTHENTICATED")
    result = (await records(served.site.store_url, "SUBSCRIBE_RESULT"))[-1]
    assert (result["outcome"], result["code"]) == ("DENIED", "UNAUTHENTICATED")


# ---- a reader that takes nothing ----------------------------------------------------------------

WIDE = "{ " + " ".join(f"d{n}: divisions {{ code name path level }}" for n in range(20)) + " }"


async def test_a_line_that_takes_nothing_is_cut_and_leaves_nothing_behind(served: Served) -> None:
    """Its answers fill all buffers on the way; then the hub waits for twenty seconds."""
    clock = asyncio.get_running_loop().time
    async with known_line(served.url, served.token()) as line:
        await line.ask("watch", EVENTS)
        await until(lambda: served.hub.changes.subscribers == 1)
        begun = clock()
        for number in range(90):  # 30 MB, and nobody reads
            await line.ask(f"w{number}", WIDE)
        await until(lambda: served.hub.changes.subscribers == 0, 90)
        assert clock() - begun >= limits.SEND_S
        names = {task.get_name() for task in asyncio.all_tasks()}
        assert names & {"operation", "websocket-tended"} == set()
        taken = await line.rest(60)
        assert 0 < len(taken) < 180
        assert line.socket.close_code == 1006
    async with known_line(served.url, served.token()) as line:
        await line.ask("1", "{ viewer { account } }")
        assert await line.told("1") == {"viewer": {"account": TOWN}}


# ---- spans --------------------------------------------------------------------------------------


async def test_an_operation_is_a_span_of_its_kind_and_holds_its_parts(
    served: Served, tmp_path: Path
) -> None:
    exporter = InMemorySpanExporter()
    site = served.site
    given = {"rate.person": 100_000}  # what its neighbours asked within this minute counts, too
    hub = assemble(site.settings(None, **given), telemetry=Telemetry(exporter))
    said: asyncio.Queue[Message] = asyncio.Queue()
    heard: asyncio.Queue[Message] = asyncio.Queue()
    scope = {
        "type": "websocket",
        "path": "/graphql",
        "headers": [(b"x-purpose", b"aid.file")],
        "subprotocols": [PROTOCOL],
        "client": ("127.0.0.1", 1),
    }

    def say(**message: object) -> None:
        said.put_nowait({"type": "websocket.receive", "text": json.dumps(message)})

    async def next_text() -> Any:
        async with asyncio.timeout(20):
            message = await heard.get()
        return json.loads(message["text"])

    async with running(hub):
        said.put_nowait({"type": "websocket.connect"})
        task = asyncio.ensure_future(create_app(hub)(scope, said.get, heard.put))
        say(type="connection_init", payload={"authorization": f"Bearer {served.token()}"})
        assert (await heard.get())["subprotocol"] == PROTOCOL
        assert await next_text() == {"type": "connection_ack"}
        say(id="1", type="subscribe", payload={"query": EVENTS})
        await until(lambda: hub.changes.subscribers == 1)
        await added(site.store_url, site.shown("zhelai").case_no, "ROUTED")
        assert (await next_text())["type"] == "next"
        said.put_nowait({"type": "websocket.disconnect", "code": 1000})
        await task
    spans = exporter.get_finished_spans()
    (whole,) = [s for s in spans if s.name == "subscription"]
    (root,) = [s for s in spans if whole.parent and s.context.span_id == whole.parent.span_id]
    assert (root.name, root.parent) == ("query", None)
    of_it = [s for s in spans if s.context.trace_id == whole.context.trace_id]
    within = [s.name for s in of_it if s.parent and s.parent.span_id == whole.context.span_id]
    assert within == ["hub.limits", "hub.plan", "hub.read", "hub.audit"]
    assert [s.name for s in of_it[4:]] == ["subscription", "query"]
    assert (whole.attributes or {})["graphql.operation.type"] == "subscription"
    others = [(s.name, s.parent) for s in spans if s not in of_it]
    assert others == [("query", None)]  # who asks: a request of its own
    text = json.dumps([s.to_json() for s in spans], ensure_ascii=False)
    shown = site.shown("zhelai")
    for secret in (shown.name, shown.id18, shown.case_no, "Watch", TOWN):
        assert secret not in text
