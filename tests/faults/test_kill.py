"""The server is killed in the middle of its load: the log is whole, no answer lacks its record."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import httpx
import pytest
from sqlalchemy import select

from hub.app import assemble
from store.audit import audit_event
from store.engine import open_engine
from tests.kills import share

if TYPE_CHECKING:
    from hub.demo.site import Site

pytestmark = pytest.mark.loopback

HUB = [sys.executable, "-m", "hub"]
TOWN = "zhelai-town-01"
CLIENTS = 8
UNHURRIED = {"HUB_RATE_PERSON": "1000000", "HUB_RUNNING_PERSON": "100"}  # all are one clerk
ANSWERED = 120  # receipts that must have come before the kill
ROUNDS = share(1)
READY_S, LOAD_S = 20.0, 20.0
Place = tuple[int, str]
"""Place in the log and leaf hash, by request id."""
QUERY = "{ viewer { account } cases(first: 2) { totalCount nodes { caseNo applicant { name } } } }"


@dataclass(slots=True)
class Load:
    """Clients that ask as fast as they are answered, until the server is gone."""

    address: str
    token: str
    receipts: dict[str, Place] = field(default_factory=dict)
    cut: int = 0  # requests that were under way when the server died
    enough: threading.Event = field(default_factory=threading.Event)

    def ask(self) -> None:
        """One client: its own connection, one question after the other."""
        headers = {"Authorization": f"Bearer {self.token}", "X-Purpose": "aid.file"}
        with httpx.Client(base_url=self.address, headers=headers, trust_env=False) as client:
            while True:
                try:
                    answer = client.post("/graphql", json={"query": QUERY})
                except httpx.ConnectError:
                    return  # not under way: the server was gone before it was asked
                except httpx.TransportError:
                    self.cut += 1
                    return
                self._keep(answer)

    def _keep(self, answer: httpx.Response) -> None:
        assert answer.status_code == 200
        receipt = answer.json()["extensions"]["audit"]
        self.receipts[answer.headers["X-Request-Id"]] = (receipt["idx"], receipt["leaf"])
        if len(self.receipts) >= ANSWERED:
            self.enough.set()


@pytest.fixture
def demo_server(site_copy: Site) -> Iterator[tuple[subprocess.Popen[str], Load]]:
    """``hub demo --serve``, with the address and the token it prints."""
    command = [*HUB, "demo", "--serve", "--port", "0", "--dir", str(site_copy.folder)]
    given = os.environ | UNHURRIED
    with subprocess.Popen(command, env=given, stdout=subprocess.PIPE, text=True) as process:
        try:
            yield process, _printed(process)
        finally:
            process.kill()


def _printed(process: subprocess.Popen[str]) -> Load:
    assert process.stdout is not None
    address = token = ""
    account = ""
    for line in process.stdout:
        words = line.split()
        if line.strip().startswith("查询"):
            address = words[1].removesuffix("/graphql")
        if "账号" in words:
            account = words[words.index("账号") + 1]
        if words[:1] == ["令牌"] and account == TOWN:
            token = words[1]
        if "Ctrl+C" in line:
            return Load(address, token)
    raise AssertionError("the server did not start")


def test_a_killed_demo_server_leaves_a_whole_log(
    site_copy: Site, demo_server: tuple[subprocess.Popen[str], Load]
) -> None:
    process, load = demo_server
    _killed_under_load(process, load)
    count = _all_recorded(load, site_copy.store_url)
    assert _verified(1, "--dir", str(site_copy.folder))["records"] == count


def test_a_killed_server_leaves_a_whole_log(site_copy: Site, filled_store: str) -> None:
    """The production verb, killed and started anew on what it left, share after share."""
    token = assemble(site_copy.settings()).tokens.issue(TOWN, ("aid.file",))
    receipts: dict[str, Place] = {}
    count = 0
    for _ in range(ROUNDS):
        port = _free_port()
        settings = {
            "HUB_PROFILE": "demo",
            "HUB_DATA_DIR": str(site_copy.folder),
            "HUB_STORE_URL": filled_store,
            "HUB_PORT": str(port),
        }
        load = Load(f"http://127.0.0.1:{port}", token)
        with subprocess.Popen([*HUB, "serve"], env=os.environ | settings | UNHURRIED) as process:
            try:
                _wait_ready(load.address)
                _killed_under_load(process, load)
            finally:
                process.kill()
        receipts |= load.receipts
        load.receipts = receipts  # none of an earlier round is lost by a later kill
        count = _all_recorded(load, filled_store)
    assert len(receipts) >= ROUNDS * ANSWERED
    verified = _verified(ROUNDS, HUB_STORE_URL=filled_store, HUB_PROFILE="demo")
    assert verified["records"] == count


def _killed_under_load(
    process: subprocess.Popen[str] | subprocess.Popen[bytes], load: Load
) -> None:
    """All clients asking; SIGKILL once enough is answered; the proof that it was so."""
    with ThreadPoolExecutor(CLIENTS) as pool:
        clients = [pool.submit(load.ask) for _ in range(CLIENTS)]
        came = load.enough.wait(LOAD_S)
        process.send_signal(signal.SIGKILL)
        for client in clients:
            client.result(timeout=LOAD_S)
    assert came
    assert process.wait(READY_S) == -signal.SIGKILL
    assert len(load.receipts) >= ANSWERED
    assert load.cut > 0  # questions were under way


def _all_recorded(load: Load, url: str) -> int:
    """Each answered request has a record of its own, at its receipt's place; records in all."""
    count, stored = asyncio.run(_places(url))
    assert {request: stored.get(request) for request in load.receipts} == load.receipts
    return count


async def _places(url: str) -> tuple[int, dict[str, Place]]:
    event = audit_event.c
    engine = open_engine(url, pool_size=1)
    async with engine.connect() as connection:
        rows = (await connection.execute(select(event.request_id, event.idx, event.leaf))).all()
    await engine.dispose()
    return len(rows), {row.request_id: (row.idx, row.leaf) for row in rows}


def _verified(kills: int, *arguments: str, **settings: str) -> dict[str, Any]:
    """What ``hub audit verify`` says in a process of its own; it must end with 0."""
    command = [*HUB, "audit", "verify", "--json", *arguments]
    ended = subprocess.run(
        command, env=os.environ | settings, capture_output=True, text=True, timeout=READY_S
    )
    assert ended.returncode == 0, ended.stderr
    found: dict[str, Any] = json.loads(ended.stdout)
    assert found["findings"] == {}
    assert len(found["unstopped"]) == kills  # each is seen: a start without an end
    return found


def _free_port() -> int:
    with socket.socket() as bound:
        bound.bind(("127.0.0.1", 0))
        port: int = bound.getsockname()[1]
        return port


def _wait_ready(address: str) -> None:
    transport = httpx.HTTPTransport(retries=50)
    with httpx.Client(base_url=address, transport=transport, trust_env=False) as client:
        assert client.get("/readyz", timeout=READY_S).status_code == 200
