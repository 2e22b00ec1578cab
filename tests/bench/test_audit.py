"""The bench of the access log runs, its log is one that verify calls intact, and it says all."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
from sqlalchemy.engine import URL

from bench.folders import ROOT

LINE = re.compile(r"(\S+) +(\S+)(?: \S+)? +(?:–|(?:<= )?[\d.,]+)  (ok|short|missing)\Z")
STORES = ("sqlite", "postgres")
NAMES = (
    *(f"append/{store}/{load}" for store in STORES for load in ("1", "32", "256", "64x20")),
    "append/two-writers/one",
    *(f"online/{store}" for store in STORES),
    *(f"verify/{what}" for what in (*STORES, "jsonl", "one-file", "archive")),
    *(f"verify/{what}/memory" for what in (*STORES, "jsonl", "one-file", "archive")),
    *(f"subject/p95/{store}" for store in STORES),
    *(f"account-week/p95/{store}" for store in STORES),
    *(f"group-by/slowest/{store}" for store in STORES),
    *(f"top-subjects-7d/{store}" for store in STORES),
    *(f"proof/{which}/{store}" for which in ("first", "remembered") for store in STORES),
    *(f"alert/most/{store}" for store in STORES),
    *(f"signed-after-1000/{store}" for store in STORES),
    *(f"export/{kind}/{store}" for kind in ("jsonl", "csv", "ocsf") for store in STORES),
    "archived",
    "whole-run",
)


@pytest.mark.postgres
@pytest.mark.loopback
def test_a_quick_run_says_every_number(pg_server: URL, tmp_path: Path) -> None:
    address = pg_server.set(drivername="postgresql", database=None)
    known = {"HUB_BENCH_POSTGRES": address.render_as_string(hide_password=False)}
    # A verification that does not end with "intact" ends the run.
    ran = subprocess.run(
        [sys.executable, "-m", "bench.audit", "--quick", "--folder", str(tmp_path / "audit")],
        cwd=ROOT,
        env=os.environ | known,
        capture_output=True,
        text=True,
        check=False,
    )
    assert ran.returncode == 0, ran.stderr[-2_000:]
    found = [LINE.match(line) for line in ran.stdout.splitlines()]
    assert None not in found, ran.stdout
    told = {one[1]: one[2] for one in found if one is not None}
    assert set(NAMES) <= told.keys()
    assert "–" not in told.values()
