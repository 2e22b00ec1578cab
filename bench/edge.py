"""``make bench-edge``: what hostile documents cost, and whether honest questions notice.

One ``hub serve`` over the demonstration's county on SQLite, asked over the wire. An attacker sends
the documents of `hostile.py`, as often as the rate limit lets an account (ten a second); another
account asks an honest question in an even pace. Each round asks once without and once with the
attack, in alternating order; the p99 of the honest answers are compared, the median ratio counts.
How long the event loop stood still is seen from outside: by the longest wait for /healthz, beside
what it is without the attack. The limit pass and the edge of a warm question are measured in this
process, by the processor's time.
"""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import sys
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from statistics import median
from typing import Any, cast

import httpx
from graphql import OperationDefinitionNode, parse
from starlette.types import Message

from audit.log import AuditLog
from audit.record import Draft, Receipt
from authz.gate import Gate
from bench.figures import OK, Number, nearest
from bench.folders import CACHE
from bench.hostile import BODIES, DOCUMENTS, HONEST
from bench.process import TICKS
from bench.report import line
from bench.served import Served, serving
from catalog.errors import HubError
from catalog.load import load
from hub.app import DOCUMENT_LIMITS, assemble, running
from hub.demo.site import Site, prepared
from hub.edge.endpoint import Endpoint
from hub.release import Release
from hub.telemetry import logs
from hub.worker import Hub
from resolvers.answer import Answer, Engine, Question
from resolvers.document import Documents
from resolvers.plan import Disclosure
from resolvers.scale import check_scale
from schema.build import build

ROUNDS, ASKED = 5, 300
PACE_S = 0.01  # of the honest account: as a page that is leafed through by a few
ATTACK_S = 0.1  # ten a second: RATE_PERSON
EACH = 20  # times each document is sent, for the processor's time of one
PROBE_S = 0.005
WALKS, WARM = 30, 3_000
OK_STATUS = 200
ATTACKER, CLERK = "bange-town-01", "zhelai-town-01"
REFUSED_MS, RATIO, STILL_MS, WALK_MS, EDGE_MS = 50.0, 2.0, 100.0, 10.0, 1.0


def _busy_s(served: Served) -> float:
    """Processor seconds of the server so far."""
    text = Path(f"/proc/{served.process.pid}/stat").read_text()
    fields = text.rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / TICKS


# ---- what a refusal costs the server ------------------------------------------------------------


def costs(served: Served) -> dict[str, float]:
    """Document -> milliseconds of the server's processor for one refusal."""
    found = {}
    with served.client() as client:
        for name, hostile in DOCUMENTS.items():
            before = _busy_s(served)
            for _ in range(EACH):
                client.post("/graphql", content=hostile.body(), headers=served.headers(ATTACKER))
            found[name] = (_busy_s(served) - before) / EACH * 1_000
    return found


# ---- honest questions beside it -----------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Beside:
    """A round's side: the honest p99 and the longest wait for /healthz, ms."""

    p99: float
    still: float


async def _paced(pace_s: float, deed: Callable[[], Awaitable[None]]) -> None:
    """Again and again, evenly; what comes late is not made up for."""
    while True:
        begun = time.monotonic()
        await deed()
        await asyncio.sleep(max(0.0, begun + pace_s - time.monotonic()))


@contextlib.asynccontextmanager
async def _behind(*tasks: Awaitable[None]) -> AsyncIterator[None]:
    running_ = [asyncio.ensure_future(task) for task in tasks]
    try:
        yield
    finally:
        for task in running_:
            task.cancel()
        await asyncio.gather(*running_, return_exceptions=True)


async def _side(served: Served, bodies: Sequence[bytes]) -> Beside:
    """Ask ASKED honest questions while `bodies` are sent in turn; none: nobody attacks."""
    waits: list[float] = []
    turn = itertools.cycle(bodies or [b""])
    async with (
        httpx.AsyncClient(base_url=served.address, timeout=60) as client,
        httpx.AsyncClient(base_url=served.address, timeout=60) as other,
        httpx.AsyncClient(base_url=served.address, timeout=60) as third,
    ):
        hostile, honest = served.headers(ATTACKER), served.headers(CLERK)

        async def attack() -> None:
            if bodies:
                await other.post("/graphql", content=next(turn), headers=hostile)

        async def probe() -> None:
            begun = time.perf_counter()
            await third.get("/healthz")
            waits.append((time.perf_counter() - begun) * 1_000)

        took = []
        async with _behind(_paced(ATTACK_S, attack), _paced(PROBE_S, probe)):
            for _ in range(ASKED):
                begun = time.perf_counter()
                answer = await client.post("/graphql", json={"query": HONEST}, headers=honest)
                took.append((time.perf_counter() - begun) * 1_000)
                if "errors" in answer.json():
                    raise RuntimeError("an honest question was refused")
                await asyncio.sleep(max(0.0, begun + PACE_S - time.perf_counter()))
    return Beside(nearest(took, 0.99), max(waits))


async def beside(served: Served) -> tuple[list[Beside], list[Beside]]:
    """Rounds without and with the attack."""
    bodies = [hostile.body() for hostile in DOCUMENTS.values()]
    calm: list[Beside] = []
    attacked: list[Beside] = []
    for number in range(ROUNDS):
        for attack in (False, True) if number % 2 == 0 else (True, False):
            side = await _side(served, bodies if attack else ())
            (attacked if attack else calm).append(side)
    return calm, attacked


# ---- in this process ----------------------------------------------------------------------------


def _own_ms(deed: Callable[[], object]) -> float:
    """Milliseconds of this thread's processor: what neighbours on the machine take is not ours."""
    begun = time.thread_time()
    with contextlib.suppress(HubError):
        deed()
    return (time.thread_time() - begun) * 1_000


def walk_ms() -> float:
    """The limit pass on documents of 4,000 tokens, the slowest of several kinds; medians."""
    texts = (
        "{ " + " ".join(f"a{n}" for n in range(3_990)) + " }",
        "{ " + " ".join(f"a{n} {{ b }}" for n in range(990)) + " }",
        "{ " + " ".join(f"... {{ a{n} }}" for n in range(990)) + " }",
    )
    found = []
    for text in texts:
        operation = cast(OperationDefinitionNode, parse(text).definitions[0])

        def walk(operation: OperationDefinitionNode = operation) -> None:
            check_scale([operation], {}, DOCUMENT_LIMITS)

        found.append(median(_own_ms(walk) for _ in range(WALKS)))
    return max(found)


def largest_ms() -> float:
    """A valid document of nearly 2,000 fields, read for the first time; median."""
    documents = Documents(build(load()).schema, DOCUMENT_LIMITS)
    people = " ".join(f"c{n}: citizen(by: {{id: $id}}) {{ {_person(3)} }}" for n in range(24))
    text = f"query($id: ID!) {{ {people} }}"
    documents.get(text)  # it is valid
    return median(_own_ms(partial(documents.get, f"{text}#{n}")) for n in range(WALKS))


def _person(levels: int) -> str:
    plain = "id name sex birthDate idNumber phone address access { field state source }"
    if not levels:
        return plain
    return f"{plain} division {{ code name }} household {{ members {{ {_person(levels - 1)} }} }}"


class _Ready:
    """An engine without Plan: the document is looked up, the answer is there."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    async def answer(self, question: Question, gate: Gate, _context: object) -> Answer:
        operation = self._engine.documents.get(question.query).operation(None)
        told = Disclosure("query", operation.name, operation.digest, (), "OK", None, policy=1)
        return Answer({"viewer": {"account": gate.asker.principal_id}}, True, (), {}, told)


class _Unwritten:
    """A log that writes nothing."""

    async def append(self, _draft: Draft) -> Receipt:
        return Receipt(1, "0" * 64, "log")


async def edge_ms(site: Site) -> float:
    """The p99 of a warm question from its first byte to its last, without Plan and record."""
    made = assemble(site.settings(None, **{"rate.person": 10_000_000}))
    async with running(made):
        release = Release(cast(AuditLog, _Unwritten()), made.release._tokens, made.quorum)
        hub = replace(made, engine=cast(Engine, _Ready(made.engine)), release=release)
        body = b'{"query": "' + HONEST.encode() + b'"}'
        asked = _Door(hub)
        taken = []
        for _ in range(WARM):
            begun = time.thread_time()
            status = await asked(body)
            taken.append((time.thread_time() - begun) * 1_000)
            if status != OK_STATUS:
                raise RuntimeError(f"the edge answered {status}")
    return nearest(taken, 0.99)


async def blocked_ms(site: Site) -> float:
    """The longest this process's loop worked on hostile documents without a turn for others.

    By the processor's time of its thread: neither the machine's other work nor the thread in which
    long texts are read is in it.
    """
    gaps = []

    async def turns() -> None:
        while True:
            begun = time.thread_time()
            await asyncio.sleep(0)
            gaps.append((time.thread_time() - begun) * 1_000)

    async with running(assemble(site.settings(None, **{"rate.person": 10_000_000}))) as hub:
        asked = _Door(hub)
        await asked(DOCUMENTS["no GraphQL"].body())
        async with _behind(turns()):
            for body in (*(hostile.body() for hostile in DOCUMENTS.values()), *BODIES.values()):
                await asked(body)
    return max(gaps)


class _Door:
    """The endpoint, asked by the clerk without a wire: the status of each answer."""

    def __init__(self, hub: Hub) -> None:
        self._endpoint = Endpoint(hub)
        token = hub.tokens.issue(CLERK, ("aid.file",))
        self._scope: dict[str, Any] = {
            "type": "http",
            "method": "POST",
            "path": "/graphql",
            "headers": [
                (b"authorization", f"Bearer {token}".encode()),
                (b"content-type", b"application/json"),
                (b"x-purpose", b"aid.file"),
                (b"accept", b"application/graphql-response+json, application/json;q=0.9"),
            ],
            "client": ("127.0.0.1", 1),
        }

    async def __call__(self, body: bytes) -> int:
        statuses: list[int] = []

        async def receive() -> Message:
            return {"type": "http.request", "body": body, "more_body": False}

        async def send(message: Message) -> None:
            if "status" in message:
                statuses.append(message["status"])

        await self._endpoint(self._scope, receive, send)
        return statuses[0]


def main() -> int:
    """A line a number; 1 if one of them is missed."""
    logs.configure("CRITICAL")
    site = asyncio.run(prepared(CACHE / "edge", 0.01, lambda _what, _share: None))
    numbers = []

    def told(name: str, reached: float, most: float | None, unit: str = "ms") -> None:
        numbers.append(Number(name, reached, most, unit, most=True))
        print(line(numbers[-1]), flush=True)

    told("walk/4,000-tokens", walk_ms(), WALK_MS)
    told("read/largest", largest_ms(), STILL_MS)
    told("edge/warm/p99", asyncio.run(edge_ms(site)), EDGE_MS)
    told("blocked/longest", asyncio.run(blocked_ms(site)), STILL_MS)
    with serving(site, {"HUB_RATE_PERSON": "10000000"}) as served:
        for name, cost in costs(served).items():
            told(f"refused/{name.replace(' ', '-')}", cost, REFUSED_MS)
        calm, attacked = asyncio.run(beside(served))
    told("honest/p99/calm", median(b.p99 for b in calm), None)
    told("honest/p99/attacked", median(b.p99 for b in attacked), None)
    ratios = [a.p99 / c.p99 for a, c in zip(attacked, calm, strict=True)]
    told("honest/p99/ratio", median(ratios), RATIO, "")
    told("still/calm", median(b.still for b in calm), None)
    told("still/attacked", median(b.still for b in attacked), STILL_MS)
    return int(any(number.verdict != OK for number in numbers))


if __name__ == "__main__":
    sys.exit(main())
