"""``make conformance``: the running hub held to the public's suites, one table, 0 or 1.

    python -m tests.conformance [SUITE …]

A county of its own is made and served; every suite is a program beside it that is told by the
environment where the hub is and who asks, and says in its last line what it reached. Each has
its time, and so has the whole run. Only processes that were started here are ended.
"""

from __future__ import annotations

import contextlib
import json
import os
import selectors
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from tests.conformance import installed
from tests.conformance.suites import SUITES, By, Suite

RUN_S = 15 * 60.0  # of all suites together, without installing
SERVED_S = 60.0
ENDED_S = 15.0
MINUTES = "HUB_TEST_MINUTES"
LOGS = installed.CACHE / "logs"


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a suite reached in how many seconds; what it missed; why it could not be run, if so."""

    suite: Suite
    reached: str
    seconds: float
    missed: Sequence[str] = ()
    absent: str = ""

    @property
    def verdict(self) -> str:
        """One word."""
        if self.missed:
            return "MISSED"
        return "absent" if self.absent else "ok"


def main(names: Sequence[str]) -> int:
    """Run these suites, or all; 1 if a threshold is missed, 2 for a name nobody knows."""
    unknown = set(names) - {suite.name for suite in SUITES}
    if unknown:
        known = ", ".join(suite.name for suite in SUITES)
        sys.stderr.write(f"no suite {', '.join(sorted(unknown))}: there are {known}\n")
        return 2
    signal.signal(signal.SIGTERM, lambda _number, _frame: sys.exit(1))  # so that all is ended
    chosen = [suite for suite in SUITES if not names or suite.name in names]
    programs = _programs({suite.by for suite in chosen})
    outcomes = []
    with tempfile.TemporaryDirectory(prefix="hub-conformance-") as folder, _hub(folder) as given:
        end = time.monotonic() + RUN_S
        for suite in chosen:
            command, where = _command(suite, programs[suite.by])
            outcomes.append(outcome(suite, command, where, given, end - time.monotonic()))
            _say(f"{_line(outcomes[-1])}\n")
    _say("\n" + table(outcomes))
    return 1 if any(one.missed for one in outcomes) else 0


def _programs(needed: set[By]) -> dict[By, Path]:
    """What runs the files, installed if need be."""
    programs = {By.CHECKOUT: Path(sys.executable)}
    if By.NODE in needed:
        programs[By.NODE], _ = installed.node()
    if By.TOOLS in needed:
        programs[By.TOOLS] = installed.python()
    return programs


# ---- the hub -----------------------------------------------------------------------------------


@contextlib.contextmanager
def _hub(folder: str) -> Iterator[Mapping[str, str]]:
    """The served hub; what its suites find in the environment."""
    command = [sys.executable, "-m", "tests.conformance.served", folder]
    with started(command, "hub", installed.ROOT, {}) as process:
        told = json.loads(_first_line(process))
        yield {
            "HUB_TEST_URL": told["url"],
            "HUB_TEST_TOKENS": json.dumps(told["tokens"]),
            "HUB_TEST_CITIZEN": told["citizen"],
            "HUB_TEST_SITE": folder,
            "HUB_TEST_CHECKOUT": str(installed.ROOT),
        }


def _first_line(process: subprocess.Popen[str]) -> str:
    assert process.stdout is not None  # opened as a pipe
    with selectors.DefaultSelector() as ready:
        ready.register(process.stdout, selectors.EVENT_READ)
        line = process.stdout.readline() if ready.select(SERVED_S) else ""
    if not line:
        raise SystemExit(f"the hub did not start: see {LOGS / 'hub.log'}")
    return line


# ---- a suite -----------------------------------------------------------------------------------


def outcome(
    suite: Suite, command: Sequence[str], where: Path, given: Mapping[str, str], left_s: float
) -> Outcome:
    """Run a suite within its time and what is left of the whole; never longer, never raises."""
    begun, limit = time.monotonic(), min(suite.limit_s, left_s)
    if limit <= 0:
        return Outcome(suite, "not run", 0.0, (f"the whole run may take {RUN_S:.0f} s",))
    with started(command, suite.name, where, given) as process:
        try:
            said, _ = process.communicate(timeout=limit)
        except subprocess.TimeoutExpired:
            return Outcome(suite, "not ended", limit, (f"it may take {limit:.0f} s",))
    seconds = time.monotonic() - begun
    try:
        told = json.loads(said.strip().splitlines()[-1])
    except (ValueError, IndexError):
        log = LOGS / f"{suite.name}.log"
        return Outcome(suite, "nothing said", seconds, (f"it ended early: see {log}",))
    return Outcome(suite, told["reached"], seconds, told["missed"], told.get("absent", ""))


def _command(suite: Suite, program: Path) -> tuple[list[str], Path]:
    """What is run, and in which folder: Node finds packages beside the file that asks for them."""
    if suite.by is By.NODE:
        return [str(program), suite.file], installed.NODE
    if suite.by is By.TOOLS:
        return [str(program), str(installed.HERE / suite.file)], installed.CACHE
    return [str(program), "-m", f"tests.conformance.{Path(suite.file).stem}"], installed.ROOT


@contextlib.contextmanager
def started(
    command: Sequence[str], name: str, cwd: Path, given: Mapping[str, str]
) -> Iterator[subprocess.Popen[str]]:
    """A program in a group of its own, ended with all it started; what it complains of is kept."""
    LOGS.mkdir(parents=True, exist_ok=True)
    with (
        (LOGS / f"{name}.log").open("w") as log,
        subprocess.Popen(
            command,
            cwd=cwd,
            env=_inherited() | dict(given),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=log,
            text=True,
            start_new_session=True,
        ) as process,
    ):
        try:
            yield process
        finally:
            _end(process)


def _inherited() -> dict[str, str]:
    """Our environment without settings of a hub; how long a suite may take is for its program."""
    return {n: v for n, v in os.environ.items() if not n.startswith("HUB_") or n == MINUTES}


def _end(process: subprocess.Popen[str]) -> None:
    """Its group, too: a suite's own servers must not stay."""
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGTERM)
    with contextlib.suppress(subprocess.TimeoutExpired):
        process.wait(ENDED_S)
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()


# ---- what is told ------------------------------------------------------------------------------


def _line(one: Outcome) -> str:
    suite, seconds = one.suite, f"{one.seconds:.0f} s"
    return " | ".join((suite.name, suite.threshold, one.reached, seconds, one.verdict))


def table(outcomes: Sequence[Outcome]) -> str:
    head = ("suite", "threshold", "reached", "time", "")
    rows = [head, *(tuple(_line(one).split(" | ")) for one in outcomes)]
    widths = [max(len(row[at]) for row in rows) for at in range(len(head))]
    lines = [" | ".join(c.ljust(w) for c, w in zip(row, widths, strict=True)) for row in rows]
    lines.insert(1, "-+-".join("-" * width for width in widths))
    for one in outcomes:
        told = [one.absent] if one.absent else []
        lines += [f"  {one.suite.name}: {said}" for said in (*told, *one.missed)]
    return "\n".join(line.rstrip() for line in lines) + "\n"


def _say(text: str) -> None:
    sys.stdout.write(text)
    sys.stdout.flush()


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
