"""Each call by which SQLite writes the log fails, once or for good, or is its process's last."""

from __future__ import annotations

import asyncio
import re
import shutil
import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest
from sqlalchemy.engine import make_url

from audit.verify import Exit, run
from tests.audit.test_crash import receipts, stored
from tests.kills import share

CHILD = Path(__file__).with_name("load_writer.py")
STRACE = shutil.which("strace")
CALLS = ("pwrite64", "fdatasync")
COUNT = 160  # records a child writes
HITS = share(2)  # calls of each kind that are struck, spread over all there are
FAULTS = {
    "killed": ("signal=SIGKILL", "", ("pwrite64", "fdatasync")),
    "once": ("error=EIO", "", ("pwrite64", "fdatasync")),
    "full": ("error=ENOSPC", "+", ("pwrite64",)),
    "broken": ("error=EIO", "+", ("fdatasync",)),
}

pytestmark = pytest.mark.skipif(STRACE is None, reason="strace is not there; see test_kills.py")


def traced(url: str, log: Path, inject: str = "") -> tuple[bool, int, dict[int, str]]:
    """A child under strace, which watches the database's files.

    Whether it had started, its end, and its receipts.
    """
    file = make_url(url).database or ""
    watch = [arg for name in (file, f"{file}-wal") for arg in ("-P", name)]
    fault = ["-e", f"inject={inject}"] if inject else []
    command = [STRACE or "", "-f", "-qq", "-o", str(log), *watch, "-e", f"trace={','.join(CALLS)}"]
    child = [sys.executable, "-P", str(CHILD), url, "node", str(COUNT)]
    done = subprocess.run(
        [*command, *fault, *child], input="go\n", capture_output=True, text=True, timeout=60
    )
    began = done.stdout.startswith("ready\n")
    return began, done.returncode, receipts(done.stdout.removeprefix("ready\n"))


def calls(log: Path, kind: str) -> int:
    """How often the thread that calls most does: strace counts each thread by itself."""
    found = re.findall(rf"^(\d+)\s+{kind}\(", log.read_text(), re.MULTILINE)
    return max(Counter(found).values())


@pytest.mark.parametrize("store_url", ["sqlite"], indirect=True)
@pytest.mark.parametrize("fault", FAULTS)
def test_no_call_that_fails_costs_an_acknowledged_record(
    audit_url: str, tmp_path: Path, fault: str
) -> None:
    log = tmp_path / "trace"
    _, code, acked = traced(audit_url, log)
    if code != 0 and not acked:
        pytest.skip("strace may not trace here; see test_kills.py")
    what, ever, kinds = FAULTS[fault]
    counts = {kind: calls(log, kind) for kind in kinds}
    assert len(acked) == COUNT
    hits = ends = again = runs = 0
    for kind, count in counts.items():
        assert count >= 8
        # Batches differ from run to run, so the last of all may not come again. What fails once
        # is done again by a log that has begun: a start is refused.
        first = count // 2 if fault == "once" else 0
        for nth in sorted({1 + first + n * (count * 3 // 4 - first) // HITS for n in range(HITS)}):
            runs += 1
            began, code, told = traced(audit_url, log, f"{kind}:{what}:when={nth}{ever}")
            hits += ("SIGKILL" if fault == "killed" else "INJECTED") in log.read_text()
            ends += code != 0
            again += began and code == 0
            rows = asyncio.run(stored(audit_url))
            acked |= told
            assert {idx: rows.get(idx) for idx in acked} == acked
            verdicts = run(audit_url)
            assert (verdicts.exit, verdicts.size) == (Exit.INTACT, len(rows))
    assert hits >= 0.8 * runs >= 0.8 * len(kinds) * min(HITS, 2)
    assert again == runs if fault == "once" else ends >= 0.8 * hits
    _, code, told = traced(audit_url, log)
    assert (code, len(told)) == (0, COUNT)  # and it goes on as if nothing had been
