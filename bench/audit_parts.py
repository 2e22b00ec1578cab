"""Processes of `make bench-audit`: each does one thing to a log and says how it went, as JSON.

    python -m bench.audit_parts writer URL LOG           appends, as lines on standard input ask
    python -m bench.audit_parts verify URL VKEYS SINCE   a store from a checkpoint on
    python -m bench.audit_parts archive DIR VKEYS        a folder of segments
    python -m bench.audit_parts lines DIR                a JSONL export, by the hub's own code
    python -m bench.audit_parts export URL LOG FORMAT OUT END

A process of its own, because its peak memory is one of the numbers, and so that no measurement
pays for another's garbage. `cpu` are processor seconds of the process alone, `mb` its peak.
"""

from __future__ import annotations

import asyncio
import json
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from audit.derived import columns
from audit.export import Order, export
from audit.log import AuditLog, writer_name
from audit.record import Draft, Kind, Op, ReadEntry
from audit.segments import verify_archive
from audit.tile_rows import Rows
from audit.tokens import SubjectTokens
from audit.tree import leaf
from audit.verify import Evidence, dated_keys, run
from audit.verify.bodies import parsed
from store.engine import open_engine

PERSONS = 1_000
PAGE = 1_000  # lines a step


def main() -> None:
    """Do what the command line says."""
    name, *given = sys.argv[1:]
    if name == "writer":
        asyncio.run(_writer(*given))
        return
    deeds: dict[str, Callable[..., dict[str, Any]]] = {
        "verify": _verify,
        "archive": _archive,
        "lines": _lines,
        "export": _export,
    }
    deed = deeds[name]
    print(json.dumps(_measured(lambda: deed(*given))))


def _measured(deed: Callable[[], dict[str, Any]]) -> dict[str, Any]:
    began, before = time.perf_counter(), time.process_time()
    told = deed()
    spent = {"seconds": time.perf_counter() - began, "cpu": time.process_time() - before}
    return told | spent | {"mb": peak_mb("self")}


def peak_mb(process: int | str) -> float:
    """The most memory a running process has had; getrusage counts its parent's, too."""
    status = Path(f"/proc/{process}/status").read_text()
    return int(status.partition("VmHWM:")[2].split()[0]) / 1024


# ---- appends


async def _writer(url: str, log_id: str) -> None:
    """For each line ``[clients, subjects, seconds]`` append at full speed and tell of it."""
    engine = open_engine(url, pool_size=2)
    log = AuditLog(engine, writer_name("bench"), log_id)
    await log.start()
    print("ready", flush=True)
    try:
        while line := await asyncio.to_thread(sys.stdin.readline):
            clients, subjects, seconds = json.loads(line)
            print(json.dumps(await _load(log, clients, subjects, seconds)), flush=True)
    finally:
        await log.stop()
        await engine.dispose()


async def _load(log: AuditLog, clients: int, subjects: int, seconds: float) -> dict[str, Any]:
    spent: list[float] = []
    draft = _draft(subjects)
    began = time.perf_counter()

    async def client() -> None:
        while (now := time.perf_counter()) - began < seconds:
            await log.append(draft)
            spent.append(time.perf_counter() - now)

    await asyncio.gather(*(client() for _ in range(clients)))
    return {"seconds": time.perf_counter() - began, "ms": [round(one * 1e3, 3) for one in spent]}


def _draft(subjects: int) -> Draft:
    """What a township's clerk was shown of so many citizens."""
    tokens = SubjectTokens({1: b"a key that only this bench knows"})
    read = ReadEntry(
        "citizen",
        "hub",
        "row" if subjects == 1 else "list",
        subjects,
        subjects,
        clear={"Citizen.name": subjects, "Citizen.division": subjects},
        masked={"Citizen.idNumber": subjects},
        by=("Citizen.id",),
        rules=("r-17", "r-18"),
        lens="0123456789abcdef",
    )
    return Draft(
        Kind.READ,
        actor="zhelai-town-01",
        org="rev",
        role="town",
        post_area="532622205",
        client="console",
        ip="127.0.0.1",
        request="0123456789abcdef",
        op=Op("CitizenById", "ab" * 32, "query", {"id": "ID!"}),
        purpose="aid.verify",
        basis="MEASURES_ART_4",
        area="532622205",
        areas=("532622205",),
        reads=(read,),
        subjects=tokens.tokens([f"1-{at:032x}" for at in range(subjects)]),
        policy="2",
    )


# ---- verification


def _verify(url: str, vkeys: str, since: str) -> dict[str, Any]:
    keys = dated_keys(Path(vkeys).read_text().splitlines())
    found = run(url, evidence=Evidence(keys), since=int(since))
    counts = {code.value: count for code, count in found.counts.items()}
    return {"records": found.size - found.since, "exit": int(found.exit), "counts": counts}


def _archive(folder: str, vkeys: str) -> dict[str, Any]:
    keys = [one.key for one in dated_keys(Path(vkeys).read_text().splitlines())]
    found = verify_archive(Path(folder), keys=keys)
    return {"records": found.records, "exit": 0 if found.intact else 1}


def _lines(folder: str) -> dict[str, Any]:
    """Leaves, root, canonical form and derived columns of every line."""
    told = json.loads((Path(folder) / "manifest.json").read_text())
    tree, leaves = Rows(), list[bytes]()
    bad = 0
    with (Path(folder) / told["file"]).open("rb") as file:
        for line in file:
            body = parsed(line[:-1].decode())
            bad += body is None or not columns(body)
            leaves.append(leaf(line[:-1]))
            if len(leaves) == PAGE:
                tree.extend(leaves)
                leaves = []
    tree.extend(leaves)
    good = not bad and tree.root().hex() == told["root"]
    return {"records": tree.size, "exit": 0 if good else 1}


# ---- export


def _export(url: str, log_id: str, format_: str, out: str, end: str) -> dict[str, Any]:
    order = Order(format_, "BENCH", "auditor-01", "office-01", second="authority-01", end=int(end))

    async def written() -> int:
        engine = open_engine(url, pool_size=2)
        log = AuditLog(engine, writer_name("bench"), log_id)
        await log.start()
        try:
            done = await export(engine, log, order, Path(out))
        finally:
            await log.stop()
            await engine.dispose()
        return done.end - done.first

    return {"records": asyncio.run(written())}


if __name__ == "__main__":
    main()
