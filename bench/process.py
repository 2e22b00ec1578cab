"""Processes of the bench: started in a group of their own, found ready, weighed, ended."""

from __future__ import annotations

import os
import signal
import subprocess
import time
import urllib.error
import urllib.request
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from bench.folders import CACHE, ROOT

READY_S = 60.0
STOP_S = 10.0
TICKS = os.sysconf("SC_CLK_TCK")
PAGE_KB = os.sysconf("SC_PAGE_SIZE") // 1024


class NotStarted(Exception):
    """A system cannot be installed or started; the text says why."""


@dataclass(frozen=True, slots=True)
class Process:
    """A running program; `log` holds what it says."""

    name: str
    popen: subprocess.Popen[bytes]
    log: Path

    def memory_mb(self) -> float:
        """Resident memory of the process and its children, in MB."""
        return sum(_resident_kb(pid) for pid in _family(self.popen.pid)) / 1024

    def busy_s(self) -> float:
        """Processor seconds of the process and its children so far."""
        return sum(_ticks(pid) for pid in _family(self.popen.pid)) / TICKS

    def stop(self, how: signal.Signals = signal.SIGTERM) -> None:
        """End it and its children."""
        if self.popen.poll() is None:
            os.killpg(self.popen.pid, how)
        try:
            self.popen.wait(STOP_S)
        except subprocess.TimeoutExpired:
            os.killpg(self.popen.pid, signal.SIGKILL)
            self.popen.wait()


def start(
    name: str,
    command: Sequence[str | Path],
    *,
    cwd: Path = ROOT,
    settings: Mapping[str, str] | None = None,
) -> Process:
    """Start a program. It sees no HUB_* variable but those of `settings`."""
    log = CACHE / "logs" / f"{name}.log"
    log.parent.mkdir(parents=True, exist_ok=True)
    inherited = {k: v for k, v in os.environ.items() if not k.startswith("HUB_")}
    with log.open("wb") as said:
        popen = subprocess.Popen(
            [str(part) for part in command],
            cwd=cwd,
            env=inherited | dict(settings or {}),
            stdin=subprocess.DEVNULL,
            stdout=said,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
    return Process(name, popen, log)


def await_answer(process: Process, url: str) -> None:
    """Return when something answers at `url`, be it a refusal; NotStarted if it never does."""
    end = time.monotonic() + READY_S
    while time.monotonic() < end:
        if process.popen.poll() is not None:
            raise NotStarted(f"{process.name} ended: {_last_line(process.log)}")
        try:
            with urllib.request.urlopen(url, timeout=2):
                return
        except urllib.error.HTTPError:
            return
        except OSError:
            time.sleep(0.1)
    process.stop()
    raise NotStarted(f"{process.name} did not answer within {READY_S:.0f} s")


def _last_line(log: Path) -> str:
    lines = log.read_text(encoding="utf-8", errors="replace").strip().splitlines()
    return lines[-1][:200] if lines else "it said nothing"


def _family(pid: int) -> list[int]:
    """The process and all below it."""
    try:
        text = Path(f"/proc/{pid}/task/{pid}/children").read_text()
    except OSError:
        return [pid]
    return [pid, *(one for child in text.split() for one in _family(int(child)))]


def _resident_kb(pid: int) -> int:
    try:
        return int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * PAGE_KB
    except OSError:
        return 0


def _ticks(pid: int) -> int:
    """User and system time: the fields after the name, which may hold anything, in brackets."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
        return int(fields[11]) + int(fields[12])
    except (OSError, IndexError):
        return 0
