"""``make bench-audit``: what the access log costs and gives, a line a number beside audit 5.1.

    python -m bench.audit            (everything, ten minutes at most)
    python -m bench.audit --quick    (a log of 6,000 records, does it run?)

In order: appends on both stores, turn by turn; then one long log in both (`history.py` says how
it is made), verified, asked (`officer.py`), exported, archived. What is measured runs in a
process of its own (`audit_parts.py`). Everything lies in ``.cache/bench/audit``, PostgreSQL is
the bench's own with default durability. Times are wall-clock; where a number is of one process
alone, its rate by that process's own processor seconds stands beside it, for machines that
have something else to do.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import math
import os
import shutil
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Callable, Iterable, Iterator, Sequence
from contextlib import ExitStack, asynccontextmanager, contextmanager, suppress
from dataclasses import dataclass, replace
from pathlib import Path
from statistics import median
from subprocess import PIPE, Popen
from typing import Any

from sqlalchemy import select
from sqlalchemy.engine import make_url

from audit.archive import Archive, Plan
from audit.audit_verify import __file__ as verifier_file
from audit.batch import now_us
from audit.keyring import day_of
from audit.log import AuditLog, writer_name
from audit.memory import Memory, MemoryFile
from audit.postgres_index import PostgresIndex
from audit.rollup import Rollup
from audit.sqlite_index import SqliteIndex
from audit.tokens import SubjectTokens
from bench import county, officer
from bench.audit_parts import peak_mb
from bench.figures import Number, nearest
from bench.folders import CACHE, ROOT
from bench.history import AGO_US, DAY_US, History, fill
from bench.postgres import Server, server
from bench.report import line
from hub.demo.accounts import accounts
from hub.found import found
from hub.keys import Keys, load_keys
from hub.settings import Settings, load_settings
from store.audit import audit_index
from store.engine import open_engine
from store.migrate import upgrade

LOG = "demo.invalid/hub/main/sha256"
LATER_DAYS = 500  # until the log is old enough for the archive
VILLAGE = "532622205200"
SQLITE, POSTGRES = "sqlite", "postgres"
CLIENTS = ((1, 1), (32, 1), (256, 1), (64, 20))  # clients, subjects an event
TWO = (128, 1)  # of each of two writers
LATENCY = {1: (0.50, 2.0), 32: (0.50, 10.0), 256: (0.99, 100.0)}  # clients: share, ms at most
LEAST = {(POSTGRES, 256): 5_000, (SQLITE, 256): 8_000, (POSTGRES, 64): 1_500}
WHOLE_PER_S = 10_000_000 / 120  # 10 M records in two minutes
SEGMENT_PER_S, EXPORT_PER_S, MEMORY_MB = 100_000, 20_000, 200
LOOK_S = 0.02
FORMATS = ("jsonl", "csv", "ocsf")


@dataclass(frozen=True, slots=True)
class Size:
    """How much is done: records, those left to the followers, exported, archived; load.

    `folder` is emptied first.
    """

    folder: Path
    records: int
    tail: int
    exported: int
    segment: int
    seconds: float
    rounds: int

    @property
    def since(self) -> int:
        """Verification of a store begins at the checkpoint over a half."""
        return self.records // 2


FULL = Size(CACHE / "audit", 1_000_000, 30_000, 100_000, 300_000, 2.0, 3)
QUICK = Size(CACHE / "audit-quick", 6_000, 1_000, 3_000, 4_000, 0.1, 1)


def main() -> None:
    """Print every number."""
    began = time.monotonic()
    asked = argparse.ArgumentParser(prog="bench.audit")
    asked.add_argument("--quick", action="store_true")
    asked.add_argument("--folder", type=Path)
    given = asked.parse_args()
    size = QUICK if given.quick else FULL
    if given.folder is not None:
        size = replace(size, folder=given.folder)
    for number in numbers(size):
        print(line(number), flush=True)
    print(line(Number("whole-run", (time.monotonic() - began) / 60, 10, "min", most=True)))


def numbers(size: Size) -> Iterator[Number]:
    """Everything, as it is measured."""
    yield Number("load-average/begin", os.getloadavg()[0], None)
    shutil.rmtree(size.folder, ignore_errors=True)
    size.folder.mkdir(parents=True)
    keys = load_keys(size.folder / "keys", create=True)
    with server() as made, ExitStack() as stack:
        append, audit = (
            stack.enter_context(_store(made, size.folder, name)) for name in ("append", "audit")
        )
        yield from _appends(append, size)
        yield from _long(made, audit, keys, size)
    yield Number("load-average/end", os.getloadavg()[0], None)


# ---- stores and processes


@contextmanager
def _store(made: Server, folder: Path, name: str) -> Iterator[dict[str, str]]:
    """An empty store on each database, with words, policy and accounts."""
    database = f"{county.PREFIX}run_{name}"
    county.drop(made, database)
    made.execute(f"CREATE DATABASE {database}")
    urls = {
        SQLITE: f"sqlite+aiosqlite:///{folder / name}.sqlite",
        POSTGRES: made.url(database, "postgresql+asyncpg"),
    }
    known = [account.principal() for account in accounts(VILLAGE)]
    for url in urls.values():
        upgrade(url)
        asyncio.run(found(url, demo=True, accounts=known))
    try:
        yield urls
    finally:
        county.drop(made, database)


def _part(*given: object) -> dict[str, Any]:
    """What a process of `audit_parts` told."""
    command = [sys.executable, "-m", "bench.audit_parts", *map(str, given)]
    said = subprocess.run(command, cwd=ROOT, stdout=PIPE, text=True, check=True).stdout
    told: dict[str, Any] = json.loads(said)
    return told


@contextmanager
def _writer(url: str) -> Iterator[Callable[[], Popen[str]]]:
    """A process that appends when it is asked to."""
    command = [sys.executable, "-m", "bench.audit_parts", "writer", url, LOG]
    process = Popen(command, cwd=ROOT, stdin=PIPE, stdout=PIPE, text=True)
    try:
        assert process.stdout is not None
        if process.stdout.readline() != "ready\n":
            raise RuntimeError("the writer did not start")
        yield lambda: process
    finally:
        assert process.stdin is not None
        process.stdin.close()
        process.wait()


def _loaded(writers: Sequence[Popen[str]], *asked: float) -> list[dict[str, Any]]:
    """All writers at once: clients, subjects, seconds."""
    for one in writers:
        assert one.stdin is not None
        one.stdin.write(json.dumps(asked) + "\n")
        one.stdin.flush()
    return [json.loads(one.stdout.readline()) for one in writers if one.stdout is not None]


# ---- appends


def _appends(urls: dict[str, str], size: Size) -> Iterator[Number]:
    got: dict[tuple[str, int], list[dict[str, Any]]] = {}
    shares: list[tuple[float, float]] = []
    with ExitStack() as stack:
        each = {name: stack.enter_context(_writer(url))() for name, url in urls.items()}
        other = stack.enter_context(_writer(urls[POSTGRES]))()
        for at in range(size.rounds):
            for clients, subjects in CLIENTS:
                for name in (SQLITE, POSTGRES)[:: 1 if at % 2 else -1]:
                    told = _loaded([each[name]], clients, subjects, size.seconds)
                    got.setdefault((name, clients), []).extend(told)
            one = _rate(_loaded([each[POSTGRES]], *TWO, size.seconds))
            two = _rate(_loaded([each[POSTGRES], other], *TWO, size.seconds))
            shares.append((two / one, two))
    for (name, clients), rounds in got.items():
        rate = median([_rate([one]) for one in rounds])
        yield Number(f"append/{name}/{_load_of(clients)}", rate, LEAST.get((name, clients)), "ev/s")
        for share in (0.50, 0.99):
            spent = median([nearest(one["ms"], share) for one in rounds])
            known, most = LATENCY.get(clients, (0.0, None))
            demanded = most if share == known else None
            label = f"added/{name}/{_load_of(clients)}/p{share * 100:.0f}"
            yield Number(label, spent, demanded, "ms", most=True)
    yield Number("append/two-writers", median([two for _, two in shares]), None, "ev/s")
    yield Number("append/two-writers/one", median([share for share, _ in shares]), 0.9)


def _load_of(clients: int) -> str:
    subjects = dict(CLIENTS)[clients]
    return f"{clients}" if subjects == 1 else f"{clients}x{subjects}"


def _rate(told: Iterable[dict[str, Any]]) -> float:
    """Events a second of writers that ran at the same time."""
    return math.fsum(len(one["ms"]) / one["seconds"] for one in told)


# ---- one long log


def _long(made: Server, urls: dict[str, str], keys: Keys, size: Size) -> Iterator[Number]:
    file = Path(make_url(urls[SQLITE]).database or "")
    before = {SQLITE: file.stat().st_size, POSTGRES: 0}
    history = _history(keys, size)
    began = time.monotonic()
    asyncio.run(fill(history, file, urls[POSTGRES].replace("+asyncpg", "")))
    yield Number("filled", size.records / (time.monotonic() - began), None, "rec/s")
    for name, url in urls.items():
        asyncio.run(_rolled(url, size.records - size.tail))
        yield from asyncio.run(_followed(name, url, size))
        memory = Memory(LOG, history.frontier(), history.note)
        MemoryFile(size.folder / f"{name}.json").write(memory)
    yield Number("body", history.body_bytes / size.records, None, "B")
    stored = {SQLITE: file.stat().st_size - before[SQLITE], POSTGRES: _weight(made, urls)}
    for name, whole in stored.items():
        yield Number(f"online/{name}", whole / size.records, 1_200, "B/event", most=True)
    vkeys = size.folder / "vkeys"
    vkeys.write_text(history.signer.verifier.vkey + "\n")
    for name, url in urls.items():
        verified = _part("verify", url, vkeys, size.since)
        yield from _verified(f"verify/{name}", verified, WHOLE_PER_S)
    persons = history.persons()
    for name, url in urls.items():
        told = asyncio.run(officer.asked(_settings(name, url, size.folder), persons, size.records))
        yield from _told(name, told)
    yield from _exports(urls, size, vkeys)
    yield from _archived(urls[SQLITE], size, keys, vkeys)


def _history(keys: Keys, size: Size) -> History:
    (signer,) = keys.checkpoint.signers(LOG, day_of(now_us()))
    return History(
        log=LOG,
        size=size.records,
        end=now_us() - AGO_US,
        tokens=SubjectTokens(keys.audit),
        signer=signer,
        indexed=size.records - size.tail,
    )


def _settings(name: str, url: str, folder: Path) -> Settings:
    return load_settings(
        {},
        given={
            "profile": "demo",
            "data_dir": folder,
            "store.url": url,
            "audit.signer_file": folder / f"{name}.json",
            "log.level": "WARNING",
        },
    )


async def _rolled(url: str, records: int) -> None:
    """Roll up the log but for its end, in one step."""
    engine = open_engine(url, pool_size=1)
    rollup = Rollup(engine, records=records)
    await rollup.step()
    await rollup.step()
    await engine.dispose()


async def _followed(name: str, url: str, size: Size) -> list[Number]:
    """Roll-up and subject index of the log's end, in the followers' own steps, without rest."""
    engine = open_engine(url, pool_size=1)
    rollup = Rollup(engine)
    rolled = await _reached(rollup.step, size.records)
    address = make_url(url)
    index = PostgresIndex(address) if name == POSTGRES else SqliteIndex(address.database or "")
    indexed = await _reached(index.step, size.records)
    await index.close()
    async with engine.connect() as connection:
        assert await connection.scalar(select(audit_index.c.next_idx)) == size.records
    await engine.dispose()
    return [
        Number(f"roll-up/{name}", size.tail / rolled, None, "rec/s"),
        Number(f"index/{name}", size.tail / indexed, None, "rec/s"),
    ]


async def _reached(step: Callable[[], Any], end: int) -> float:
    began = time.perf_counter()
    while await step() < end:
        pass
    return time.perf_counter() - began


def _weight(made: Server, urls: dict[str, str]) -> int:
    """Bytes of the log's tables on PostgreSQL, indexes and all."""
    query = (
        "SELECT sum(pg_total_relation_size(c.oid))::bigint FROM pg_class c WHERE c.relkind = 'r' "
        "AND c.relname LIKE 'audit!_%' ESCAPE '!'"
    )
    return int(made.rows(query, make_url(urls[POSTGRES]).database or "")[0][0])


def _verified(name: str, told: dict[str, Any], least: float) -> Iterator[Number]:
    if told["exit"] != 0:
        raise ValueError(f"{name}: the log was made wrongly: {told}")
    yield Number(name, told["records"] / told["seconds"], least, "rec/s")
    yield Number(f"{name}/cpu", told["records"] / told["cpu"], None, "rec/s")
    yield Number(f"{name}/memory", told["mb"], MEMORY_MB, "MB", most=True)


def _told(name: str, told: officer.Told) -> Iterator[Number]:
    for label, reached, most in (
        ("subject/p95", told.subject_p95, 50.0),
        ("subject/most-seen", told.subject_most, None),
        ("account-week/p95", told.activity_p95, 100.0),
        ("group-by/slowest", told.summary, 1_000.0),
        ("top-subjects-7d", told.top, 1_000.0),
        ("proof/first", told.proof_first, 20.0),
        ("proof/remembered", told.proof, 20.0),
    ):
        yield Number(f"{label}/{name}", reached, most, "ms", most=True)
    yield Number(f"alert/p50/{name}", told.alert_p50, 30, "s", most=True)
    yield Number(f"alert/most/{name}", told.alert_most, 30, "s", most=True)
    yield Number(f"signed-after-1000/{name}", told.signed, 10, "s", most=True)


# ---- exports and the archive


def _exports(urls: dict[str, str], size: Size, vkeys: Path) -> Iterator[Number]:
    for format_ in FORMATS:
        for name, url in urls.items():
            out = size.folder / f"export-{name}-{format_}"
            told = _part("export", url, LOG, format_, out, size.exported)
            rate = told["records"] / told["seconds"]
            yield Number(f"export/{format_}/{name}", rate, EXPORT_PER_S, "rec/s")
            yield Number(
                f"export/{format_}/{name}/cpu", told["records"] / told["cpu"], None, "rec/s"
            )
            yield Number(f"export/{format_}/{name}/memory", told["mb"], None, "MB")
    folder = size.folder / f"export-{SQLITE}-jsonl"
    yield from _verified("verify/jsonl", _part("lines", folder), WHOLE_PER_S)
    told = _by_one_file(folder, vkeys)
    yield from _verified("verify/one-file", told | {"records": size.exported}, WHOLE_PER_S)


def _by_one_file(folder: Path, vkeys: Path) -> dict[str, Any]:
    """The verifier that is shipped with an export, as an outsider runs it."""
    began = time.perf_counter()
    command = [sys.executable, "-I", verifier_file, str(folder), "--vkey", str(vkeys)]
    process = Popen(command, stdout=subprocess.DEVNULL)
    most = 0.0
    while (ended := os.wait4(process.pid, os.WNOHANG))[0] == 0:
        with suppress(OSError, IndexError):  # it may end just now
            most = max(most, peak_mb(process.pid))
        time.sleep(LOOK_S)
    process.returncode = os.waitstatus_to_exitcode(ended[1])
    return {
        "seconds": time.perf_counter() - began,
        "cpu": ended[2].ru_utime + ended[2].ru_stime,
        "mb": most,
        "exit": process.returncode,
    }


def _archived(url: str, size: Size, keys: Keys, vkeys: Path) -> Iterator[Number]:
    folder = size.folder / "archive"
    began = time.perf_counter()
    rows = asyncio.run(_segment(url, folder, size.segment))
    spent = time.perf_counter() - began
    if [(row.first, row.end, row.state) for row in rows][:1] != [(0, size.segment, "ARCHIVED")]:
        raise ValueError(f"the segment was not archived: {len(rows)}")
    (folder / rows[0].path).stat()
    weight = sum(file.stat().st_size for file in folder.iterdir()) / rows[-1].end
    yield Number("archive/written-and-read-back", rows[-1].end / spent, None, "rec/s")
    yield Number("archived", weight, 200, "B/event", most=True)
    yield from _verified("verify/archive", _part("archive", folder, vkeys), SEGMENT_PER_S)


async def _segment(url: str, folder: Path, records: int) -> list[Any]:
    engine = open_engine(url, pool_size=2)

    @asynccontextmanager
    async def opened() -> AsyncIterator[AuditLog]:
        log = AuditLog(engine, writer_name("archive"), LOG, wait_s=10.0)
        await log.start()
        try:
            yield log
        finally:
            await log.stop()

    archive = Archive(
        engine,
        Plan(folder, segment=records),
        opened,
        clock=lambda: now_us() + LATER_DAYS * DAY_US,
    )
    try:
        return await archive.run()
    finally:
        await engine.dispose()


if __name__ == "__main__":
    main()
