"""The product and its peers: how each is started, and how each is asked the four questions.

All on the same database at the same time; only one is loaded at a time. The peers have no
token, no rights and no record, but for PostGraphile's row-level security.
"""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from bench import county, installed
from bench.folders import CACHE
from bench.index import Caught, Index
from bench.postgres import Server, free_port
from bench.process import NotStarted, Process, await_answer, start
from bench.questions import ACCOUNT, APPLICANTS, DOCUMENTS, PURPOSE, Asked, bodies
from hub.identity.tokens import Tokens
from hub.keys import load_keys
from hub.settings import load_settings

PRODUCT = "product"
SETTLE_S = 20.0  # as long as the slowest needs for 32 answers
STILL_S, IDLE = 0.2, 0.2  # idle: less than a fifth of a core for so many seconds
SUBGRAPHS = ("citizens", "cases", "events")
NODE = {"NODE_ENV": "production"}
DAY_S = 24 * 3600  # longer than any run
PAGE_MAX = 500  # Q3 asks for 500 rows; the product's own limit is 100


@dataclass(frozen=True, slots=True)
class System:
    """A running system, asked about citizens `ids`. `path` may hold ``{question}``."""

    name: str
    address: str
    processes: tuple[Process, ...]
    ids: Sequence[str]
    path: str = "/graphql"
    headers: Mapping[str, str] = field(default_factory=dict)
    documents: Mapping[str, str] = field(default_factory=lambda: DOCUMENTS)
    index: Index | None = None

    def asked(self, question: str) -> Asked:
        """The question as this system is asked it."""
        url = self.address + self.path.format(question=question)
        texts = bodies(question, self.documents[question], self.ids)
        return Asked(question, url, texts, self.headers)

    def memory_mb(self) -> float:
        """Resident memory of all its processes, MB."""
        return sum(process.memory_mb() for process in self.processes)

    def settle(self) -> Caught | None:
        """Wait until it has done what was asked of it; what its index, if any, had left to do."""
        caught = self.index.catch_up() if self.index else None
        self._rest()
        return caught

    def _rest(self) -> None:
        end = time.monotonic() + SETTLE_S
        before = self._busy_s()
        while time.monotonic() < end:
            time.sleep(STILL_S)
            now = self._busy_s()
            if now - before < STILL_S * IDLE:
                return
            before = now

    def _busy_s(self) -> float:
        return sum(process.busy_s() for process in self.processes)

    def stop(self) -> None:
        """End it."""
        for process in reversed(self.processes):
            process.stop()


# Databases are made anew under the same names: a memory of the run before would be of another.
_MEMORIES = Path(tempfile.mkdtemp(prefix="hub-bench-"))


def settings(server: Server, database: str, port: int) -> dict[str, str]:
    """The product's settings as HUB_* variables: one worker, everything on."""
    return {
        "HUB_PROFILE": "demo",
        "HUB_DATA_DIR": str(CACHE / "data"),
        "HUB_KEYS_DIR": str(county.KEYS),
        "HUB_AUDIT_SIGNER_FILE": str(_MEMORIES / f"{database}.json"),
        "HUB_STORE_URL": server.url(database, "postgresql+asyncpg"),
        "HUB_PORT": str(port),
        "HUB_PAGE_MAX": str(PAGE_MAX),
        "HUB_RATE_PERSON": "10000000",  # all clients are one clerk
        "HUB_RUNNING_PERSON": "1000",
        "HUB_LOG_LEVEL": "WARNING",
    }


def headers(given: Mapping[str, str]) -> dict[str, str]:
    """A signed token of the township's officer and the purpose; `given` the product's settings."""
    read = load_settings(given)
    keys = load_keys(read.keys_dir, create=False)
    tokens = Tokens(keys.issuer, read.issuer, read.audience)
    token = tokens.issue(ACCOUNT, [PURPOSE], ttl_s=DAY_S, client="hub-bench")
    return {"Authorization": f"Bearer {token}", "X-Purpose": PURPOSE}


def applicants(server: Server, database: str) -> list[str]:
    """The citizens Q1 is asked about."""
    return [row[0] for row in server.rows(APPLICANTS, database)]


def product(
    server: Server,
    database: str,
    name: str = PRODUCT,
    *,
    run: Sequence[str] = ("hub", "serve"),
    more: Mapping[str, str] | None = None,
) -> System:
    """``hub serve`` with `more` settings; another module may `run` it with a profiler around."""
    port = free_port()
    (CACHE / "data").mkdir(exist_ok=True)
    given = settings(server, database, port) | dict(more or {})
    process = start(name, (sys.executable, "-m", *run), settings=given)
    address = f"http://127.0.0.1:{port}"
    await_answer(process, f"{address}/readyz")
    ids, index = applicants(server, database), Index(server, database)
    return System(name, address, (process,), ids, headers=headers(given), index=index)


def limit(server: Server, database: str) -> System:
    """Starlette and asyncpg, one hand-written statement a question."""
    port = free_port()
    command = (installed.python(), "-m", "bench.peers.limit", server.url(database), str(port))
    process = start("limit", command)
    address = f"http://127.0.0.1:{port}"
    await_answer(process, address)
    ids = applicants(server, database)
    return System("limit", address, (process,), ids, path="/{question}")


def strawberry(server: Server, database: str) -> System:
    """Plain Strawberry, DataLoader, SQLAlchemy ORM."""
    port = free_port()
    url = server.url(database, "postgresql+asyncpg")
    process = start("strawberry", (installed.python(), "-m", "bench.peers.orm", url, str(port)))
    address = f"http://127.0.0.1:{port}"
    await_answer(process, address)
    ids = applicants(server, database)
    return System("strawberry", address, (process,), ids, path="/")


def postgraphile(server: Server, database: str) -> System:
    """PostGraphile 5; a role of its own, so that row-level security binds it and nobody else."""
    program, folder = installed.node("postgraphile")
    server.execute(
        f"DO $$ BEGIN CREATE ROLE {county.ROLE}; EXCEPTION WHEN duplicate_object THEN NULL; END $$"
    )
    server.execute((folder / "setup.sql").read_text(encoding="utf-8"), database)
    port = free_port()
    process = start(
        "postgraphile",
        (program, folder / "server.mjs", server.url(database), str(port)),
        cwd=folder,
        settings={"GRAPHILE_ENV": "production", **NODE},
    )
    address = f"http://127.0.0.1:{port}"
    await_answer(process, address)
    documents = json.loads((folder / "documents.json").read_text(encoding="utf-8"))
    ids = applicants(server, database)
    return System("postgraphile", address, (process,), ids, documents=documents)


def hive(server: Server, database: str) -> System:
    """Hive Gateway before three subgraphs, four processes of node."""
    program, folder = installed.node("hive")
    ports = {name: free_port() for name in SUBGRAPHS}
    pairs = [f"{name}=http://127.0.0.1:{port}/graphql" for name, port in ports.items()]
    composed = subprocess.run(
        [program, "compose.mjs", *pairs], cwd=folder, capture_output=True, text=True
    )
    if composed.returncode != 0:
        raise NotStarted(f"composition failed: {composed.stderr.strip()[-200:]}")
    running: list[Process] = []
    try:
        for name, port in ports.items():
            command = (program, "subgraph.mjs", name, server.url(database), str(port))
            running.append(start(f"hive-{name}", command, cwd=folder, settings=NODE))
            await_answer(running[-1], f"http://127.0.0.1:{port}/graphql")
        port = free_port()
        gateway = folder / "node_modules" / "@graphql-hive" / "gateway" / "dist" / "bin.js"
        listen = ("--host", "127.0.0.1", "--port", str(port), "--fork", "1")
        serve = (program, gateway, "supergraph", "supergraph.graphql", *listen)
        running.append(start("hive-gateway", serve, cwd=folder, settings=NODE))
        address = f"http://127.0.0.1:{port}"
        await_answer(running[-1], f"{address}/healthcheck")
    except NotStarted:
        for process in running:
            process.stop()
        raise
    return System("hive", address, tuple(running), applicants(server, database))


STARTERS: Mapping[str, Callable[[Server, str], System]] = {
    "limit": limit,
    "postgraphile": postgraphile,
    "strawberry": strawberry,
    "hive": hive,
}
"""Peer -> how it is started; NotStarted says why not."""
