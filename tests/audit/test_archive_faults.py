"""Kills, refused writes and full disks at every step of the archive: nothing is lost.

After each fault the archive verifies, or names what is unfinished; the log verifies from where
the archive ends; every record is in one of the two, as it was written. Then a run without a
fault ends what was begun. Each test counts the faults that did happen.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import random
import re
import resource
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from sqlalchemy import text

from audit.record import Draft
from audit.segments import (
    DATA,
    ArchiveVerdict,
    bodies,
    name_of,
    online_from,
    rows_of,
    verify_archive,
)
from audit.verify import Exit, check
from store.engine import open_engine
from tests.audit.archive_run import run
from tests.audit.conftest import create
from tests.audit.sealed import KEYS, seal, write

CHILD = Path(__file__).with_name("archive_run.py")
ROOT = Path(__file__).parents[2]
KILLS, LEAST = 24, 12  # the work may end before the last kill
ROOM = 40_000  # bytes a file may have; the store's own files of this test need 33 kB
STRACE = shutil.which("strace")

Drafts = Callable[..., Draft]


async def _fill(url: str, drafts: Drafts, count: int) -> dict[int, str]:
    engine = open_engine(url)
    size = await write(engine, [drafts(n) for n in range(count - 2)])
    await seal(engine, size)
    found = await _online(url)
    await engine.dispose()
    return found


async def _online(url: str) -> dict[int, str]:
    engine = open_engine(url)
    async with engine.connect() as connection:
        rows = await connection.execute(text("SELECT idx, body FROM audit_event"))
        found = {row.idx: row.body for row in rows}
    await engine.dispose()
    return found


def proved(url: str, folder: Path, written: dict[int, str]) -> tuple[ArchiveVerdict, int]:
    """The archive's verdict and where the online log begins; nothing of `written` is lost."""
    return asyncio.run(_proved(url, folder, written))


async def _proved(url: str, folder: Path, written: dict[int, str]) -> tuple[ArchiveVerdict, int]:
    engine = open_engine(url)
    async with engine.connect() as connection:
        rows = await rows_of(connection)
    verdict = verify_archive(folder, keys=KEYS, rows=rows)
    log = await check(engine)
    await engine.dispose()
    assert verdict.findings == ()
    assert (log.exit, log.first) == (Exit.INTACT, online_from(rows))
    left = {n: body for n, body in (await _online(url)).items() if n >= log.first}
    for row in rows:
        if row.end <= log.first:
            with (folder / (name_of(row.first, row.end) + DATA)).open("rb") as file:
                left |= dict(enumerate((b.decode() for b in bodies(file)), start=row.first))
    assert {n: left[n] for n in written} == written
    return verdict, log.first


def child(*given: object) -> list[str]:
    return [sys.executable, "-P", str(CHILD), *map(str, given)]


def environment() -> dict[str, str]:
    return {**os.environ, "PYTHONPATH": str(ROOT), "PYTHONDONTWRITEBYTECODE": "1"}


def finish(url: str, folder: Path, copy: Path, segment: int, *days: float) -> None:
    """Run without a fault, so many days ahead."""
    for one in days:
        asyncio.run(run(url, str(folder), str(copy), str(segment), str(one)))


class Runs:
    """A process that runs the archive again and again, and is killed in between."""

    def __init__(self, *given: object) -> None:
        self._server = subprocess.Popen(
            child(*given),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env=environment(),
        )
        assert self._line() == "ready"

    def killed(self, days: float, batch: int, after_s: float) -> bool:
        """Begin a run and kill it; False if it had ended before."""
        assert self._server.stdin is not None
        self._server.stdin.write(f"{days} {batch}\n")
        self._server.stdin.flush()
        pid = int(self._line())
        time.sleep(after_s)
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
        return int(self._line()) == -signal.SIGKILL

    def close(self) -> None:
        self._server.communicate(timeout=20)

    def _line(self) -> str:
        assert self._server.stdout is not None
        return self._server.stdout.readline().strip()


def test_a_run_killed_at_any_moment_is_taken_up_again(
    audit_url: str, drafts: Drafts, tmp_path: Path
) -> None:
    folder, copy, segment, count = tmp_path / "archive", tmp_path / "copy", 16, 512
    folder.mkdir()
    written = asyncio.run(_fill(audit_url, drafts, count))
    assert len(written) == count
    chance, kills, unfinished, days = random.Random(20), 0, 0, 0.0
    longest, done = 0.25, 0
    runs = Runs(audit_url, folder, copy, segment)
    while kills < KILLS:
        days += 8
        if not runs.killed(days, 20, chance.uniform(0.02, longest)):
            break  # all is done
        kills += 1
        verdict, first = proved(audit_url, folder, written)
        if verdict.records + first - done > 2 * count // KILLS:
            longest = max(0.05, longest * 0.7)  # too fast for so many kills
        done = verdict.records + first
        unfinished += bool(verdict.unfinished)
    runs.close()
    finish(audit_url, folder, copy, segment, days + 8, days + 16)
    verdict, first = proved(audit_url, folder, written)
    assert (first, verdict.records, verdict.unfinished) == (count, count, ())
    assert kills >= LEAST
    assert unfinished > 0
    assert min(asyncio.run(_online(audit_url))) >= count
    assert sorted(p.name for p in copy.iterdir()) == sorted(
        p.name for p in folder.iterdir() if p.name != ".lock"
    )


def test_a_run_killed_while_rows_leave_says_so_and_is_taken_up_again(
    audit_url: str, drafts: Drafts, tmp_path: Path
) -> None:
    folder, copy, count = tmp_path / "archive", tmp_path / "copy", 768
    folder.mkdir()
    written = asyncio.run(_fill(audit_url, drafts, count))
    finish(audit_url, folder, copy, count, 0)
    chance, inside = random.Random(5), set[int]()
    runs = Runs(audit_url, folder, copy, count)
    left = count
    while left:
        runs.killed(8, 1, chance.uniform(0.06, 0.16))
        _, first = proved(audit_url, folder, written)
        left = len([n for n in asyncio.run(_online(audit_url)) if n < count])
        if 0 < left < count:
            inside.add(left)
            assert first == count
            assert asyncio.run(_leaving(audit_url)) == left
    runs.close()
    assert len(inside) >= 2
    finish(audit_url, folder, copy, count, 8)
    verdict, first = proved(audit_url, folder, written)
    assert (first, verdict.records, asyncio.run(_leaving(audit_url))) == (count, count, 0)


async def _leaving(url: str) -> int:
    engine = open_engine(url)
    verdicts = await check(engine)
    await engine.dispose()
    return verdicts.leaving


# -- every call on the files, one after the other

CALLS = ("write", "fsync", "rename")


def traced(given: list[str], folders: tuple[Path, ...], log: Path, inject: str = "") -> int:
    """Run under strace, watching the calls on what lies in `folders`; the exit code."""
    named = [f"segment-000000000000-000000000200{ending}" for ending in (".jsonl.gz", ".json")]
    paths = [f / n for f in folders for n in (*named, *(f"{n}.tmp" for n in named))]
    watch = [arg for path in (*paths, *folders) for arg in ("-P", str(path))]
    fault = ["-e", f"inject={inject}"] if inject else []
    trace = [STRACE or "strace", "-f", "-qq", "-o", str(log), *watch]
    done = subprocess.run(
        [*trace, "-e", f"trace={','.join(CALLS)}", *fault, *given],
        env=environment(),
        stderr=subprocess.DEVNULL,
    )
    return done.returncode


def calls(log: Path) -> list[str]:
    found = (re.match(r"\d+\s+(\w+)\(", line) for line in log.read_text().splitlines())
    return [one[1] for one in found if one]


@pytest.fixture
def one_segment(tmp_path: Path, drafts: Drafts) -> Callable[[], tuple[str, Path, Path]]:
    """``fresh()``: a store with one segment of 200 to archive, and its two empty folders."""
    original = tmp_path / "original.sqlite"
    asyncio.run(create(f"sqlite+aiosqlite:///{original}"))
    asyncio.run(_fill(f"sqlite+aiosqlite:///{original}", drafts, 300))
    count = iter(range(1000))

    def fresh() -> tuple[str, Path, Path]:
        place = tmp_path / f"run-{next(count)}"
        (place / "archive").mkdir(parents=True)
        (place / "copy").mkdir()
        shutil.copy(original, place / "store.sqlite")
        url = f"sqlite+aiosqlite:///{place / 'store.sqlite'}"
        return url, place / "archive", place / "copy"

    return fresh


@pytest.mark.skipif(STRACE is None, reason="strace is not there: kills at random prove the same")
@pytest.mark.parametrize(
    ("fault", "failing"),
    [
        ("signal=SIGKILL", ("write", "fsync", "rename")),
        ("error=EIO", ("fsync",)),
        ("error=ENOSPC", ("write",)),
    ],
)
def test_every_call_on_the_files_may_fail(
    one_segment: Callable[[], tuple[str, Path, Path]],
    tmp_path: Path,
    fault: str,
    failing: tuple[str, ...],
) -> None:
    url, folder, copy = one_segment()
    written, log = asyncio.run(_online(url)), tmp_path / "trace"
    if traced(child(url, folder, copy, 200, 0), (folder, copy), log) != 0:
        pytest.skip("strace may not trace here: kills at random prove the same")
    made = calls(log)
    counts = {call: made.count(call) for call in CALLS}
    # Two files in two folders: each is written, put on disk, named, and its folder put on disk.
    assert (counts["fsync"], counts["rename"]) == (8, 4)
    assert counts["write"] >= 4
    points = [(call, n) for call in failing for n in range(1, counts[call] + 1)]
    happened = 0
    for call, n in points:
        url, folder, copy = one_segment()
        code = traced(
            child(url, folder, copy, 200, 0), (folder, copy), log, f"{call}:{fault}:when={n}"
        )
        hit = "SIGKILL" if fault == "signal=SIGKILL" else "INJECTED"
        happened += hit in log.read_text()
        assert code != 0, (call, n)
        verdict, first = proved(url, folder, written)
        assert (first, len(verdict.unfinished) <= 2) == (0, True)
        finish(url, folder, copy, 200, 0, 8)
        verdict, first = proved(url, folder, written)
        assert (first, verdict.records, verdict.unfinished) == (200, 200, ())
    assert happened == len(points) >= 4


@pytest.mark.parametrize("store_url", ["sqlite"], indirect=True)
def test_a_full_disk_stops_the_archive_and_not_the_log(
    audit_url: str, drafts: Drafts, tmp_path: Path
) -> None:
    """No file may grow beyond 40 kB, which the segment needs more than: as on a full disk."""
    folder, copy = tmp_path / "archive", tmp_path / "copy"
    folder.mkdir()
    written = asyncio.run(_fill(audit_url, drafts, 2048))
    limit = (ROOM, ROOM)
    done = subprocess.run(
        child(audit_url, folder, copy, 2048, 0),
        env=environment(),
        capture_output=True,
        text=True,
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, limit),
    )
    assert done.returncode == 1
    assert "File too large" in done.stderr
    assert [p.name for p in folder.iterdir()] == [".lock"]  # it gave the room back
    assert proved(audit_url, folder, written)[1] == 0
    finish(audit_url, folder, copy, 2048, 0, 8)
    assert (folder / (name_of(0, 2048) + DATA)).stat().st_size > ROOM
    verdict, first = proved(audit_url, folder, written)
    assert (first, verdict.records, verdict.unfinished) == (2048, 2048, ())
