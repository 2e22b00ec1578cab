"""Real processes: killed in the middle of the load, and two at once on one database."""

from __future__ import annotations

import asyncio
import signal
import subprocess
import sys
from pathlib import Path

from sqlalchemy import select

from audit.verify import Exit, run
from store.audit import audit_event
from store.engine import open_engine

CHILD = Path(__file__).with_name("load_writer.py")
ROUNDS = 2
ACKED = 300  # receipts a child must have printed before it is killed


def start(url: str, node: str, *count: str) -> subprocess.Popen[str]:
    """A child that has started its log and waits for `go`."""
    child = subprocess.Popen(
        [sys.executable, "-P", str(CHILD), url, node, *count],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert child.stdout is not None
    assert child.stdout.readline() == "ready\n"
    return child


def go(child: subprocess.Popen[str]) -> None:
    assert child.stdin is not None
    child.stdin.write("go\n")
    child.stdin.flush()


def receipts(lines: str) -> dict[int, str]:
    # The last line may have been cut by the kill.
    whole = lines[: lines.rfind("\n") + 1].splitlines()
    return {int(idx): leaf for idx, leaf in (line.split() for line in whole)}


async def stored(url: str) -> dict[int, str]:
    engine = open_engine(url)
    async with engine.connect() as connection:
        rows = await connection.execute(select(audit_event.c.idx, audit_event.c.leaf))
        found = {row.idx: row.leaf for row in rows}
    await engine.dispose()
    return found


def test_a_killed_writer_loses_no_acknowledged_record(audit_url: str) -> None:
    acked: dict[int, str] = {}
    for number in range(ROUNDS):
        child = start(audit_url, f"node{number}")
        assert child.stdout is not None
        go(child)
        read = "".join(child.stdout.readline() for _ in range(ACKED))
        child.kill()
        rest, _ = child.communicate(timeout=20)
        assert child.returncode == -signal.SIGKILL
        acked |= receipts(read + rest)
    rows = asyncio.run(stored(audit_url))
    assert len(acked) >= ROUNDS * ACKED
    assert len(rows) >= len(acked) + ROUNDS  # each HUB_START too
    assert {idx: rows.get(idx) for idx in acked} == acked
    verdicts = run(audit_url)
    assert (verdicts.exit, verdicts.size) == (Exit.INTACT, len(rows))
    assert len(verdicts.unstopped) == ROUNDS  # the kills are seen: no HUB_STOP


def test_two_processes_write_one_log(audit_url: str) -> None:
    children = [start(audit_url, node, "2000") for node in ("east", "west")]
    for child in children:
        go(child)
    printed = [child.communicate(timeout=60)[0] for child in children]
    assert [child.returncode for child in children] == [0, 0]
    east, west = (receipts(text) for text in printed)
    rows = asyncio.run(stored(audit_url))
    assert (len(east), len(west), len(rows)) == (2000, 2000, 4004)
    assert east | west == {idx: rows[idx] for idx in east | west}
    assert not east.keys() & west.keys()
    # They did run at once: neither is wholly before the other.
    assert min(east) < max(west)
    assert min(west) < max(east)
    verdicts = run(audit_url)
    assert (verdicts.exit, verdicts.unstopped) == (Exit.INTACT, ())
