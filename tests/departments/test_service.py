"""examples/departments/service.py: the door, the clock, and who ends with whom."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Callable
from datetime import datetime, time
from pathlib import Path
from types import ModuleType

import httpx
import pytest

from hub.demo.county import County
from tests.departments.conftest import FOLDER, PATIENT_S, started

pytestmark = pytest.mark.loopback

Module = Callable[[str], ModuleType]
PROGRAMS = {
    "employment": "rs_jiuye",
    "health": "wj_resident",
    "medical_insurance": "yb_settle",
    "provincial": "sj_exchange",
}
PARENT = """
import subprocess, sys
child = subprocess.Popen(sys.argv[1:], stdin=subprocess.PIPE)
sys.stdin.read()
"""


@pytest.mark.parametrize(("program", "source"), PROGRAMS.items())
def test_it_says_where_it_listens_and_ends_with_its_input(
    county: County, program: str, source: str
) -> None:
    with started(program, county.source(source)) as (process, address):
        assert httpx.get(f"{address}/", trust_env=False, timeout=PATIENT_S).status_code == 404
    assert process.returncode == 0


def test_every_program_has_its_line_above() -> None:
    served = {f.stem for f in FOLDER.glob("*.py") if "serve(" in f.read_text(encoding="utf-8")}
    assert served - {"service"} == set(PROGRAMS)


def test_it_ends_when_its_parent_is_killed(county: County) -> None:
    command = [sys.executable, str(FOLDER / "provincial.py"), "--watch-stdin"]
    parent = subprocess.Popen(
        [sys.executable, "-c", PARENT, *command, "--db", str(county.source("sj_exchange"))],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert parent.stdin is not None
    assert parent.stdout is not None
    said, address = parent.stdout.readline().split()
    assert said == "ready"
    assert httpx.get(address, trust_env=False, timeout=PATIENT_S).status_code == 404
    os.kill(parent.pid, signal.SIGKILL)
    assert parent.wait(PATIENT_S) == -signal.SIGKILL
    # The child writes to the same pipe: its end is reached when nobody can write any more.
    assert parent.stdout.read() == ""
    parent.stdin.close()
    parent.stdout.close()
    with pytest.raises(httpx.ConnectError):
        httpx.get(address, trust_env=False, timeout=PATIENT_S)


def test_without_its_file_it_says_so(tmp_path: Path) -> None:
    command = [sys.executable, str(FOLDER / "employment.py"), "--db", str(tmp_path / "none.sqlite")]
    ran = subprocess.run(command, capture_output=True, text=True, timeout=PATIENT_S)
    assert ran.returncode == 2
    assert "none.sqlite` 不存在：请先生成样例数据" in ran.stderr
    assert ran.stdout == ""


def test_the_clock_stands_where_it_was_set_or_goes_with_beijing(module: Module) -> None:
    service = module("service")
    assert service.clock("23:45")() == time(23, 45)
    assert service.clock("2026-11-01T05:29:00")() == time(5, 29)
    before = datetime.now(service.CST)
    assert 0 <= (_seconds(service.clock("now")()) - _seconds(before.time())) % 86_400 < PATIENT_S


def _seconds(at: time) -> float:
    return at.hour * 3600 + at.minute * 60 + at.second + at.microsecond / 1e6


def test_a_file_is_only_read(module: Module, county: County) -> None:
    service, file = module("service"), county.source("sj_exchange")
    assert service.query(file, "SELECT count(*) AS n FROM hjhc")[0]["n"] > 4000
    with pytest.raises(service.sqlite3.OperationalError, match="readonly"):
        service.query(file, "DELETE FROM hjhc")
