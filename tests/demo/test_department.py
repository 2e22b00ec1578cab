"""hub/demo/department.py: the departments' programs start side by side and end with us."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from datetime import date
from pathlib import Path

import httpx
import pytest

from hub.demo.county import County
from hub.demo.department import PROGRAMS, ServiceError, departments, hand_over, program
from hub.demo.site import FILE_SOURCES, HTTP_SOURCES
from hub.demo.sources import WRITERS

pytestmark = pytest.mark.loopback

PATIENT_S = 60.0
HELD = """
import sys
from pathlib import Path
from hub.demo.department import PROGRAMS, departments
with departments({name: Path(sys.argv[1]) / f"{name}.sqlite" for name in PROGRAMS}) as found:
    print(*found.values(), flush=True)
    sys.stdin.read()
"""


def databases(county: County) -> dict[str, Path]:
    return {name: county.source(name) for name in PROGRAMS}


def answers(address: str) -> bool:
    try:
        return httpx.get(address, trust_env=False, timeout=PATIENT_S).status_code == 404
    except httpx.ConnectError:
        return False


def is_gone(address: str) -> bool:
    """Does nobody listen any more? One that dies over a question is looked at again."""
    try:
        return not answers(address)
    except (httpx.NetworkError, httpx.RemoteProtocolError):
        return False


def children(word: Path) -> list[bytes]:
    """Command lines of our own processes that hold a word."""
    found = []
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            line = (folder / "cmdline").read_bytes()
            parent = (folder / "stat").read_text().rpartition(")")[2].split()[1]
        except OSError:
            continue
        if int(parent) == os.getpid() and os.fsencode(word) in line:
            found.append(line)
    return found


def test_all_start_and_all_end(county: County) -> None:
    with departments(databases(county)) as addresses:
        assert list(addresses) == list(PROGRAMS)
        assert len(set(addresses.values())) == len(PROGRAMS)
        assert all(map(answers, addresses.values()))
        assert len(children(county.folder)) == len(PROGRAMS)
    assert not any(map(answers, addresses.values()))
    assert children(county.folder) == []


@pytest.mark.parametrize("broken", PROGRAMS)
def test_who_did_not_start_is_named_and_nobody_is_left(
    county: County, tmp_path: Path, broken: str
) -> None:
    files = databases(county) | {broken: tmp_path / "none.sqlite"}
    with pytest.raises(ServiceError) as refused, departments(files):
        raise AssertionError("one has no file")
    one = PROGRAMS[broken]
    assert str(refused.value) == f"{one.title}示例系统（{one.file}）未能启动"
    assert children(county.folder) == []


def test_they_end_when_we_are_killed(county: County) -> None:
    process = subprocess.Popen(
        [sys.executable, "-c", HELD, str(county.folder / "sources")],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdin is not None
    assert process.stdout is not None
    addresses = process.stdout.readline().split()
    assert len(addresses) == len(PROGRAMS)
    assert all(map(answers, addresses))
    os.kill(process.pid, signal.SIGKILL)
    assert process.wait(PATIENT_S) == -signal.SIGKILL
    process.stdin.close()
    process.stdout.close()
    until = time.monotonic() + PATIENT_S
    while not all(map(is_gone, addresses)):
        assert time.monotonic() < until
        time.sleep(0.05)


def test_lists_are_handed_over_or_it_is_said(county: County, tmp_path: Path) -> None:
    hand_over(FILE_SOURCES, county.folder / "sources", tmp_path / "drop", date(2026, 11, 1))
    assert sorted(p.name for p in (tmp_path / "drop").iterdir()) == sorted(FILE_SOURCES)
    with pytest.raises(ServiceError, match=r"deliveries\.py"):
        hand_over(FILE_SOURCES, tmp_path, tmp_path / "other", date(2026, 11, 1))


def test_each_source_has_its_one_way() -> None:
    assert set(HTTP_SOURCES) <= set(PROGRAMS)
    assert not set(PROGRAMS) & set(FILE_SOURCES)
    assert set(PROGRAMS) | set(FILE_SOURCES) == set(WRITERS) - {"mz_assist", "wfgz"}
    assert all(program(one.file).is_file() for one in PROGRAMS.values())
