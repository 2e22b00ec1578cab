"""``make bench-sick``: does a sick department slow a question that does not ask it?

One hub in this process over the demonstration's county. In the background four clients ask, in
an even pace, a question that needs the insurance department; in the foreground one client asks
another that does not. Each round asks once while that department is well and once while it is
sick, in alternating order; the median latencies of the foreground are compared (issue: ≤ 1.10).
One event loop does everything, also the sick department's part: nothing is kinder than life.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import sys
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from dataclasses import dataclass
from statistics import median

import httpx

from bench.figures import OK, Number
from bench.folders import CACHE
from bench.report import line
from hub.app import assemble, create_app, running
from hub.demo.site import Site, prepared
from hub.telemetry import logs
from hub.worker import Hub

ROUNDS, ASKED = 7, 300
CLIENTS, PACE_S = 4, 0.2  # of the background: twenty questions a second
SOURCE, ACCOUNT, PURPOSE = "yb_settle", "zhelai-town-01", "aid.file"
MOST = 1.10
UNHURRIED = {"rate.person": 10_000_000, "running.person": 1_000}  # all clients are one clerk
SICK = """query Sick($id: ID!) { citizen(by: {id: $id}) { name
  medicalInsurance { enrolment { state } } } }"""
WELL = """query Well($id: ID!) { citizen(by: {id: $id}) { name
  civilAffairs { minLiving { status } } } }"""

Answer = Callable[[asyncio.StreamWriter], Awaitable[None]]


def _json(answer: Mapping[str, object]) -> bytes:
    body = json.dumps(answer).encode()
    return f"HTTP/1.1 200 OK\r\nContent-Length: {len(body)}\r\n\r\n".encode() + body


NOTHING = _json({"infcode": 0, "output": {"total": 0, "list": []}})


async def _well(writer: asyncio.StreamWriter) -> None:
    writer.write(NOTHING)


async def _hangs(_writer: asyncio.StreamWriter) -> None:
    await asyncio.sleep(3_600)


async def _drips(writer: asyncio.StreamWriter) -> None:
    for at in range(len(NOTHING) - 1):
        writer.write(NOTHING[at : at + 1])
        await writer.drain()
        await asyncio.sleep(0.05)
    await asyncio.sleep(3_600)


async def _breaks_off(writer: asyncio.StreamWriter) -> None:
    writer.write(NOTHING[:-9])
    writer.close()


async def _fails(writer: asyncio.StreamWriter) -> None:
    writer.write(_json({"infcode": -1, "output": None}))


async def _babbles(writer: asyncio.StreamWriter) -> None:
    writer.write(_json({"infcode": 0, "output": {"total": 1, "list": [{"id": 1}]}}))


FAULTS: Mapping[str, Answer] = {
    "hang": _hangs,
    "slow drip": _drips,
    "half an answer": _breaks_off,
    "error in the body": _fails,
    "wrong schema": _babbles,
}


@contextlib.asynccontextmanager
async def _department(answer: Answer) -> AsyncIterator[str]:
    """The insurance department's system, which answers everything so; its address."""
    lines: set[asyncio.Task[None]] = set()

    async def line_(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(ConnectionError, asyncio.IncompleteReadError):
            while not writer.is_closing():
                head = (await reader.readuntil(b"\r\n\r\n")).lower()
                await reader.readexactly(int(head.split(b"content-length:")[1].split()[0]))
                await answer(writer)
                await writer.drain()
        writer.close()

    def accept(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.ensure_future(line_(reader, writer))
        lines.add(task)
        task.add_done_callback(lines.discard)

    server = await asyncio.start_server(accept, "127.0.0.1", 0)
    try:
        yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    finally:
        server.close()
        for task in lines:
            task.cancel()
        await asyncio.gather(*lines, return_exceptions=True)


@dataclass(frozen=True, slots=True)
class Desk:
    """The hub and a clerk who asks it."""

    site: Site
    hub: Hub
    client: httpx.AsyncClient

    async def ask(self, query: str) -> float:
        """Milliseconds until the answer."""
        person = self.site.shown("zhelai").citizen
        token = self.hub.tokens.issue(ACCOUNT, (PURPOSE,))
        headers = {"Authorization": f"Bearer {token}", "X-Purpose": PURPOSE}
        begun = time.perf_counter()
        answer = await self.client.post(
            "/graphql", json={"query": query, "variables": {"id": person}}, headers=headers
        )
        took = (time.perf_counter() - begun) * 1_000
        answer.raise_for_status()
        if query is WELL and "errors" in answer.json():
            raise RuntimeError("the question that asks no sick department failed")
        return took

    async def background(self) -> None:
        """Ask what needs the department, evenly, until cancelled."""
        while True:
            begun = time.monotonic()
            await self.ask(SICK)
            await asyncio.sleep(max(0.0, begun + PACE_S - time.monotonic()))


@contextlib.asynccontextmanager
async def _opened(address: str) -> AsyncIterator[Desk]:
    """A hub of its own for each state of the department: no breaker remembers the other."""
    site = await prepared(CACHE / "sick", 0.01, lambda _what, _share: None)
    settings = site.settings(
        address, **{f"source_keys.{SOURCE}": "demo", "lookup.per_hour": 100_000, **UNHURRIED}
    )
    async with running(assemble(settings)) as hub:
        transport = httpx.ASGITransport(create_app(hub))
        async with httpx.AsyncClient(transport=transport, base_url="http://hub") as client:
            yield Desk(site, hub, client)


async def _p50(answer: Answer) -> float:
    """The foreground's median while the department is so."""
    async with _department(answer) as address, _opened(address) as desk:
        await desk.ask(WELL)
        behind = [asyncio.create_task(desk.background()) for _ in range(CLIENTS)]
        found = [await desk.ask(WELL) for _ in range(ASKED)]
        for task in behind:
            task.cancel()
        await asyncio.gather(*behind, return_exceptions=True)
    return median(found)


async def measured(fault: Answer, rounds: int = ROUNDS) -> float:
    """The median of the rounds' ratios, sick over well."""
    ratios = []
    for number in range(rounds):
        order = (_well, fault) if number % 2 == 0 else (fault, _well)
        found = {answer: await _p50(answer) for answer in order}
        ratios.append(found[fault] / found[_well])
    return median(ratios)


async def main() -> int:
    """A line a fault; 1 if one of them slows others by more than a tenth."""
    logs.configure("CRITICAL")
    numbers = []
    for name, fault in FAULTS.items():
        numbers.append(Number(f"sick/{name}", await measured(fault), MOST, most=True))
        print(line(numbers[-1]), flush=True)
    return int(any(number.verdict != OK for number in numbers))


if __name__ == "__main__":
    sys.exit(asyncio.run(main()))
