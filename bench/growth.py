"""Whether the product stays as fast when the county or the policy grows.

Every size has a database and a process of its own, all are up, one is loaded at a time.
"""

from __future__ import annotations

import asyncio
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

from authz.roles import pairs, roles
from authz.start import start_rules
from bench import county, load, systems
from bench.figures import QUESTIONS, Number
from bench.folders import CACHE, ROOT
from bench.postgres import Server
from bench.profiled import lines
from bench.questions import DOCUMENTS
from bench.rounds import Cell, Say, checked, measured
from bench.rules import of_size
from bench.systems import System
from catalog.load import load as load_catalog
from store.engine import open_engine
from store.policy import seed_policy

GROWING = QUESTIONS[:3]
RULES = (100, 1_000, 3_000)
COUNTY_MOST, RULES_MOST = 1.3, 1.1  # times the smallest size's latency
COLD_MS, OVERHEAD_US, WORKER_MB = 4.0, 25.0, 120.0
PROFILE_S = 5
ASKED_INSIDE = 100  # citizens
SAME = {name: text.replace("first: 500", "first: 200") for name, text in DOCUMENTS.items()}
"""The questions with answers of one size: 1 % of the township has 208 people."""


@dataclass(frozen=True, slots=True)
class Growth:
    """Latencies by size: `cells` question -> its loads, one system per size."""

    what: str
    sizes: tuple[str, ...]
    cells: Mapping[str, Cell]
    most: float

    def times(self, question: str) -> float:
        """The largest size's median latency over the smallest's."""
        cell = self.cells[question]
        return cell.p50(self.sizes[-1]) / cell.p50(self.sizes[0])

    def numbers(self) -> list[Number]:
        """One number a question."""
        return [
            Number(f"{self.what}/{q}", self.times(q), self.most, "x", most=True) for q in self.cells
        ]


def by_county(server: Server, rounds: int, seconds: int, say: Say) -> Growth:
    """1, 10 and 100 % of the county."""
    made = {}
    for percent in county.SCALES:
        source = county.template(server, percent)
        made[f"{percent} %"] = county.copied(server, source, f"county_{percent}")
    return _grown("county", server, made, COUNTY_MOST, rounds, seconds, say)


def by_rules(server: Server, rounds: int, seconds: int, say: Say) -> Growth:
    """The whole county under 100, 1,000 and 3,000 lines of policy."""
    source = county.template(server, max(county.SCALES))
    made = {}
    for size in RULES:
        name = county.copied(server, source, f"rules_{size}")
        asyncio.run(_ruled(server.url(name, "postgresql+asyncpg"), size))
        made[f"{size:,}"] = name
    return _grown("rules", server, made, RULES_MOST, rounds, seconds, say)


def inside(server: Server, database: str) -> dict[str, dict[str, float]]:
    """What bench.inside measures, on a database of the bench."""
    ids = systems.applicants(server, database)[:ASKED_INSIDE]
    done = subprocess.run(
        [sys.executable, "-m", "bench.inside", *ids],
        cwd=ROOT,
        env=systems.settings(server, database, 0),
        capture_output=True,
        text=True,
    )
    if done.returncode != 0:
        raise RuntimeError(f"bench.inside failed: {done.stderr[-500:]}")
    found: dict[str, dict[str, float]] = json.loads(done.stdout)
    return found


def profile(server: Server, database: str, question: str = "Q1") -> list[tuple[str, str, str, str]]:
    """Where the time of a warm question goes in the product's process."""
    file = CACHE / "profile.stats"
    file.unlink(missing_ok=True)
    system = systems.product(server, database, "profiled", run=("bench.profiled", str(file)))
    try:
        asked = system.asked(question)
        load.run(asked, 1, 2)
        pid = system.processes[0].popen.pid
        os.kill(pid, signal.SIGUSR1)
        seen = load.run(asked, 1, PROFILE_S)
        os.kill(pid, signal.SIGUSR2)
        _await_file(file)
        return list(lines(file, max(1, round(seen.rate * PROFILE_S))))
    finally:
        system.stop()


def numbers(inner: Mapping[str, Mapping[str, float]], worker_mb: float) -> list[Number]:
    """The numbers to keep below: cold document, overhead of a warm one, the worker's memory."""
    cold = max((figures["cold_ms"] for figures in inner.values()), default=None)
    warm = max((figures["overhead_us"] for figures in inner.values()), default=None)
    return [
        Number("cold-document", cold, COLD_MS, "ms", most=True),
        Number("warm-overhead", warm, OVERHEAD_US, "us", most=True),
        Number("worker-memory", worker_mb, WORKER_MB, "MB", most=True),
    ]


def _grown(
    what: str,
    server: Server,
    databases: Mapping[str, str],
    most: float,
    rounds: int,
    seconds: int,
    say: Say,
) -> Growth:
    with _running(what, server, databases) as running:
        cells = {}
        for question in GROWING:
            if any(one.fault for one in checked(running, question)):
                continue
            say(f"{what}: {', '.join(databases)}")
            cells[question] = measured(running, question, 1, rounds, seconds, say)
    for name in databases.values():
        county.drop(server, name)
    return Growth(what, tuple(databases), cells, most)


@contextmanager
def _running(what: str, server: Server, databases: Mapping[str, str]) -> Iterator[list[System]]:
    running: list[System] = []
    try:
        for size, database in databases.items():
            system = systems.product(server, database, f"{size} of {what}")
            running.append(replace(system, name=size, documents=SAME))
        yield running
    finally:
        for system in running:
            system.stop()


async def _ruled(url: str, size: int) -> None:
    catalog = load_catalog()
    rules = of_size(start_rules(catalog, demo=True), size, catalog)
    lines = [(rule.id, *rule.line, rule.basis) for rule in rules]
    objects = [(o.name, o.provider, o.sharing.value) for o in catalog.objects.values()]
    engine = open_engine(url, pool_size=1)
    try:
        async with engine.begin() as connection:
            await seed_policy(connection, lines, pairs(roles()), objects, "bench")
    finally:
        await engine.dispose()


def _await_file(file: Path) -> None:
    end = time.monotonic() + 10
    while not file.is_file() and time.monotonic() < end:
        time.sleep(0.1)
    time.sleep(0.2)  # the file is written in one go, but not at once
