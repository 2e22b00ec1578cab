"""The medical-insurance department's own system, as a process of its own on its own port."""

from __future__ import annotations

import contextlib
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import hub
from catalog.errors import Readable

PROGRAM = "medical_insurance.py"
READY_S = 15  # a cold start on a loaded machine takes three


class ServiceError(Readable):
    """The department's program did not start."""


def program() -> Path:
    """The sample program: beside the checkout, or carried in the wheel."""
    root = Path(hub.__file__).parent
    places = (root.parent / "examples" / "departments", root / "_departments")
    return next(place / PROGRAM for place in places if (place / PROGRAM).is_file())


@contextlib.contextmanager
def insurance(db: Path, clock: str = "10:00") -> Iterator[str]:
    """Start it on a free loopback port; gives its address. It ends with us, even if killed."""
    command = [sys.executable, str(program()), "--db", str(db), "--clock", clock, "--watch-stdin"]
    process = subprocess.Popen(  # noqa: S603  our own program, no input of others
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
    )
    try:
        yield _address(process)
    finally:
        for stream in (process.stdin, process.stdout):
            if stream is not None:
                stream.close()
        process.terminate()
        process.wait(READY_S)


def _address(process: subprocess.Popen[str]) -> str:
    assert process.stdout is not None  # noqa: S101  opened as a pipe
    line = process.stdout.readline()
    if not line.startswith("ready "):
        raise ServiceError("医保示例系统未能启动")
    return line.removeprefix("ready ").strip()
