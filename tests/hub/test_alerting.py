"""Alerts leave the hub: what a receiver gets, how it checks it, and what happens if it is away."""

from __future__ import annotations

import asyncio
import hashlib
import hmac
import json
import re
import socket
import socketserver
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import insert, select, update

from hub.alerting import (
    FIRST_S,
    LAST_S,
    TIMEOUT_S,
    Deliveries,
    Syslog,
    Webhook,
    escaped,
    signature,
    syslog_message,
    told,
)
from store.audit import audit_alert, audit_delivery
from store.engine import open_engine
from store.migrate import upgrade

pytestmark = [pytest.mark.anyio, pytest.mark.loopback]
KEY = "a key for the webhook"
LOG = "demo.invalid/hub/test/sha256"
RAISED = 1_790_000_000_123_456


class Clock:
    """Seconds that pass when told."""

    def __init__(self) -> None:
        self.now = 1_790_000_000.0

    def __call__(self) -> float:
        return self.now


class Receiver:
    """A real HTTP server that does what it is told: a status, or `hang` until let go."""

    def __init__(self) -> None:
        self.got: list[tuple[str, dict[str, str], bytes]] = []
        self.answers: list[int | str] = []
        self.let_go = threading.Event()
        owner = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                owner.got.append((self.path, {k.lower(): v for k, v in self.headers.items()}, body))
                answer = owner.answers.pop(0) if owner.answers else 204
                if answer == "hang":
                    owner.let_go.wait(30)
                    return
                if answer == "cut":
                    self.connection.shutdown(socket.SHUT_RDWR)
                    return
                self.send_response(int(answer))
                if answer == 302:
                    self.send_header("Location", "/elsewhere")
                self.send_header("Content-Length", "0")
                self.end_headers()

            def log_message(self, *_: Any) -> None:
                """Nothing."""

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_address[1]}/hook"


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    made = Receiver()
    thread = threading.Thread(target=made.server.serve_forever, args=(0.01,))
    thread.start()
    yield made
    made.let_go.set()
    made.server.shutdown()
    made.server.server_close()
    thread.join()


@pytest.fixture
def url(store_url: str) -> str:
    upgrade(store_url)
    return store_url


def row(number: int, **changes: Any) -> dict[str, Any]:
    return {
        "id": f"{number:032x}",
        "rule": "denials",
        "actor": "zhelai-town-01",
        "area": "532622205",
        "window_start": RAISED - 456 - (number - 1),
        "count": 10,
        "evidence": "[1]",
        "state": "OPEN",
        "raised_at": RAISED,
        "raised_idx": 13,
        "due_at": None,
    } | changes


@contextmanager
def no_proxy_matters(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """A proxy in the environment that nobody must speak to."""
    with monkeypatch.context() as now:
        now.setenv("HTTP_PROXY", "http://127.0.0.1:9")
        now.setenv("ALL_PROXY", "http://127.0.0.1:9")
        yield


class Desk:
    """A store with alerts to tell, and what is written of it."""

    def __init__(self, url: str) -> None:
        self.engine = open_engine(url)

    async def raised(self, *numbers: int, channel: str = "webhook", **changes: Any) -> None:
        async with self.engine.begin() as connection:
            for number in numbers:
                await connection.execute(insert(audit_alert), row(number, **changes))
                due = {"alert_id": f"{number:032x}", "channel": channel, "tries": 0, "next_at": 0}
                await connection.execute(insert(audit_delivery), due)

    async def state(self) -> list[tuple[Any, ...]]:
        d = audit_delivery.c
        asked = select(d.tries, d.next_at, d.done_at, d.error).order_by(d.alert_id)
        async with self.engine.connect() as connection:
            return [tuple(one) for one in (await connection.execute(asked)).all()]


@pytest.fixture
async def desk(url: str) -> Any:
    made = Desk(url)
    yield made
    await made.engine.dispose()


async def test_a_receiver_can_check_who_sent_it_and_when(
    desk: Desk, receiver: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    clock = Clock()
    await desk.raised(1, due_at=RAISED + 5)
    with no_proxy_matters(monkeypatch):
        deliveries = Deliveries(
            desk.engine, {"webhook": Webhook(receiver.url, KEY, clock)}, LOG, clock
        )
        assert await deliveries.deliver() == 1
        assert await deliveries.deliver() == 0
    ((path, headers, body),) = receiver.got
    assert path == "/hook"
    stamp, _, mac = headers["x-hub-signature"].partition(",v1=")
    signed = hmac.new(KEY.encode(), f"{stamp[2:]}.".encode() + body, hashlib.sha256).hexdigest()
    assert (stamp, mac) == ("t=1790000000", signed)
    assert mac not in signature(KEY.encode(), 1_790_000_001, body)  # the time is signed, too
    assert json.loads(body) == {
        "id": f"{1:032x}",
        "rule": "denials",
        "title": "账号多次被拒",
        "about": "zhelai-town-01",
        "area": "532622205",
        "count": 10,
        "windowStart": "2026-09-21T14:13:20.123000Z",
        "raisedAt": "2026-09-21T14:13:20.123456Z",
        "dueAt": "2026-09-21T14:13:20.123461Z",
        "record": 13,
        "log": LOG,
    }
    ((tries, _, done, error),) = await desk.state()
    assert (tries, done, error) == (1, 1_790_000_000_000_000, None)


async def test_a_citizens_token_does_not_leave(desk: Desk) -> None:
    await desk.raised(1, rule="most-read", actor="ab" * 16)
    async with desk.engine.connect() as connection:
        alert = (await connection.execute(select(audit_alert))).one()
    said = told(alert, LOG)
    assert said["about"] == ""
    assert "ab" * 16 not in json.dumps(said)


async def test_a_receiver_that_fails_hangs_and_comes_back(desk: Desk, receiver: Receiver) -> None:
    clock = Clock()
    receiver.answers = [500, "cut", "hang", 302, 204]
    await desk.raised(1)
    channels = {"webhook": Webhook(receiver.url, KEY, clock, timeout_s=0.5)}
    errors, waits = [], []
    for _ in range(4):
        # Each try by a new process: what is to be done stands in the store.
        assert await Deliveries(desk.engine, channels, LOG, clock).deliver() == 0
        ((_, next_at, done, error),) = await desk.state()
        assert done is None
        assert await Deliveries(desk.engine, channels, LOG, clock).deliver() == 0  # not due
        errors.append(error)
        waits.append(next_at / 1e6 - clock.now)
        clock.now = next_at / 1e6
    assert waits == [FIRST_S * 2**n + TIMEOUT_S for n in range(4)]
    assert errors == ["HTTP 500", "RemoteProtocolError", "TimeoutError", "HTTP 302"]
    assert await Deliveries(desk.engine, channels, LOG, clock).deliver() == 1
    assert len(receiver.got) == 5
    assert [path for path, *_ in receiver.got] == ["/hook"] * 5  # the redirect was not followed
    assert len({body for *_, body in receiver.got}) == 1
    ((tries, *_, error),) = await desk.state()
    assert (tries, error) == (5, None)


async def test_tries_are_an_hour_apart_at_most_and_never_end(desk: Desk) -> None:
    clock = Clock()
    with socket.socket() as bound:
        bound.bind(("127.0.0.1", 0))  # nobody listens
        address = f"http://127.0.0.1:{bound.getsockname()[1]}/"
        deliveries = Deliveries(desk.engine, {"webhook": Webhook(address, KEY)}, LOG, clock)
        await desk.raised(1)
        for _ in range(14):
            assert await deliveries.deliver() == 0
            ((tries, next_at, _, error),) = await desk.state()
            waited, clock.now = next_at / 1e6 - clock.now, next_at / 1e6
    assert (tries, waited, error) == (14, LAST_S + TIMEOUT_S, "ConnectError")


async def test_two_processes_do_not_tell_it_at_one_time(desk: Desk, receiver: Receiver) -> None:
    await desk.raised(*range(1, 16))
    channels = {"webhook": Webhook(receiver.url, KEY)}
    many = [Deliveries(desk.engine, channels, LOG) for _ in range(4)]
    assert sum(await asyncio.gather(*(one.deliver() for one in many))) == 15
    assert len(receiver.got) == 15


async def test_a_dead_receiver_does_not_hold_up_another(desk: Desk, receiver: Receiver) -> None:
    receiver.answers = ["hang"]
    await desk.raised(1)
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as heard:
        heard.bind(("127.0.0.1", 0))
        heard.settimeout(5)
        await desk.raised(2, channel="syslog")
        channels: dict[str, Any] = {
            "webhook": Webhook(receiver.url, KEY),
            "syslog": Syslog(f"udp://127.0.0.1:{heard.getsockname()[1]}"),
        }
        telling = asyncio.create_task(Deliveries(desk.engine, channels, LOG).deliver())
        message = await asyncio.to_thread(heard.recv, 9_000)
        assert not telling.done()  # the other one still hangs
        assert f"{2:032x}".encode() in message
        receiver.let_go.set()
        assert await telling == 1


async def test_without_a_channel_nothing_is_done(desk: Desk) -> None:
    await asyncio.wait_for(Deliveries(desk.engine, {}, LOG).follow(), 5)


# ---- syslog

ALERT = {
    "title": "账号多次被拒",
    "id": "ab",
    "about": 'a"b\\c]d',
    "count": 10,
    "raisedAt": "2026-09-21T14:13:20.123456Z",
}


def test_structured_data_is_escaped_and_can_be_read_back() -> None:
    text = syslog_message(ALERT).decode()
    assert text == (
        "<108>1 2026-09-21T14:13:20.123456Z - hub - ALERT "
        '[alert@32473 id="ab" about="a\\"b\\\\c\\]d" count="10" '
        'raisedAt="2026-09-21T14:13:20.123456Z"] \ufeff账号多次被拒'
    )
    values = re.findall(r'(\w+)="((?:[^"\\\]]|\\.)*)"', text)
    read = {name: re.sub(r"\\(.)", r"\1", value) for name, value in values}
    assert read["about"] == ALERT["about"]
    assert escaped("plain") == "plain"


async def test_syslog_over_tcp_counts_its_octets() -> None:
    got: list[bytes] = []
    done = threading.Event()

    class Handler(socketserver.StreamRequestHandler):
        def handle(self) -> None:
            got.append(self.rfile.read())
            done.set()

    with socketserver.TCPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.handle_request)
        thread.start()
        await Syslog(f"tcp://127.0.0.1:{server.server_address[1]}").send(ALERT)
        assert await asyncio.to_thread(done.wait, 5)
        thread.join()
    size, _, message = got[0].partition(b" ")
    assert (int(size), message) == (len(message), syslog_message(ALERT))


async def test_syslog_over_a_unix_socket(tmp_path: Path) -> None:
    path = tmp_path / "log"
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as heard:
        heard.bind(str(path))
        await Syslog(f"unix://{path}").send(ALERT)
        assert heard.recv(9_000) == syslog_message(ALERT)
    with pytest.raises(OSError, match="refused"):
        await Syslog(f"unix://{path}").send(ALERT)


async def test_what_is_not_due_is_left_alone(desk: Desk, receiver: Receiver) -> None:
    await desk.raised(1, 2)
    later = int((time.time() + 3_600) * 1e6)
    async with desk.engine.begin() as connection:
        await connection.execute(update(audit_delivery).values(next_at=later))
    channels = {"webhook": Webhook(receiver.url, KEY)}
    assert await Deliveries(desk.engine, channels, LOG).deliver() == 0
    assert (receiver.got, await desk.state()) == ([], [(0, later, None, None)] * 2)
