"""The departments' own systems: programs on ports of their own, and one that hands over files.

They know nothing of the hub. Whoever is started here ends with us, even if we are killed.
"""

from __future__ import annotations

import contextlib
import selectors
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date
from pathlib import Path

import hub
from catalog.errors import Readable

PROGRAM = "medical_insurance.py"
DELIVERIES = "deliveries.py"
READY_S = 60  # a cold start takes half a second; a loaded machine gets its time


@dataclass(frozen=True, slots=True)
class Program:
    """A department's program: who it is for people, its file, the caller's key, its options."""

    title: str
    file: str
    key: str
    options: tuple[str, ...] = ()


PROGRAMS: Mapping[str, Program] = {
    "rs_jiuye": Program("人社", "employment.py", "demo:demo"),
    "sj_exchange": Program("省级", "provincial.py", "demo:demo", ("--delay", "0.05")),
    "wj_resident": Program("卫健", "health.py", "demo"),
    "yb_settle": Program("医保", PROGRAM, "demo"),
}
"""By source name. A key of two parts is who asks and its secret."""


class ServiceError(Readable):
    """A department's program did not start, or did not do its work."""


def program(file: str = PROGRAM) -> Path:
    """The sample program: beside the checkout, or carried in the wheel."""
    root = Path(hub.__file__).parent
    places = (root.parent / "examples" / "departments", root / "_departments")
    return next(place / file for place in places if (place / file).is_file())


@contextlib.contextmanager
def insurance(db: Path, clock: str = "10:00") -> Iterator[str]:
    """The insurance department alone, at a time of its own; gives its address."""
    one = replace(PROGRAMS["yb_settle"], options=("--clock", clock))
    with departments({"yb_settle": db}, {"yb_settle": one}) as addresses:
        yield addresses["yb_settle"]


@contextlib.contextmanager
def departments(
    files: Mapping[str, Path], programs: Mapping[str, Program] = PROGRAMS
) -> Iterator[dict[str, str]]:
    """Start the programs of these sources side by side, each over its file; their addresses.

    ServiceError names the first that did not start; no other is left behind.
    """
    with contextlib.ExitStack() as stack:
        started = {
            name: stack.enter_context(_started(programs[name], db)) for name, db in files.items()
        }
        yield {name: _address(programs[name], child) for name, child in started.items()}


@contextlib.contextmanager
def _started(one: Program, db: Path) -> Iterator[subprocess.Popen[str]]:
    command = _command(one.file, "--db", str(db), "--port", "0", "--watch-stdin", *one.options)
    process = subprocess.Popen(  # noqa: S603  our own program, no input of others
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
    )
    try:
        yield process
    finally:
        for stream in (process.stdin, process.stdout):
            if stream is not None:
                stream.close()
        process.terminate()
        process.wait(READY_S)


def _address(one: Program, process: subprocess.Popen[str]) -> str:
    assert process.stdout is not None  # noqa: S101  opened as a pipe
    with selectors.DefaultSelector() as ready:
        ready.register(process.stdout, selectors.EVENT_READ)
        line = process.stdout.readline() if ready.select(READY_S) else ""
    if not line.startswith("ready "):
        raise ServiceError(f"{one.title}示例系统（{one.file}）未能启动")
    return line.removeprefix("ready ").strip()


def hand_over(names: Sequence[str], sources: Path, drop: Path, as_of: date) -> None:
    """These departments write their lists, as of a day, into ``DROP/NAME``; ServiceError."""
    folders = ("--sources", str(sources), "--drop", str(drop), "--as-of", as_of.isoformat())
    command = _command(DELIVERIES, *folders, *names)
    ran = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, check=False)  # noqa: S603
    if ran.returncode != 0:
        raise ServiceError(f"部门送达示例（{DELIVERIES}）未能完成")


def _command(file: str, *words: str) -> list[str]:
    return [sys.executable, str(program(file)), *words]
