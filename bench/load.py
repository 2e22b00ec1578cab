"""Load by wrk: one question, one system, so many clients, so many seconds."""

from __future__ import annotations

import re
import subprocess
from dataclasses import dataclass
from pathlib import Path

from bench.folders import CACHE
from bench.questions import SIGN, Asked

SCRIPT = Path(__file__).with_name("wrk.lua")
TIMEOUT_S = 10  # an answer that takes longer is an error
_FIGURES = re.compile(r"^BENCH (\d+) (\d+) (\d+) (\d+) (\d+) (\d+) (\d+)$", re.MULTILINE)
_SAMPLE = re.compile(r"^SAMPLE (.*)$", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class Load:
    """What one run gave. `rate` answers per second, `p50` and `p99` in ms, `size` bytes.

    `errors` counts wrong and missing answers; `sample` is the beginning of the first wrong one.
    """

    rate: float
    p50: float
    p99: float
    errors: int
    size: int
    sample: str = ""


def run(asked: Asked, clients: int, seconds: int) -> Load:
    """Ask for `seconds` with `clients` connections on one thread."""
    file = CACHE / "bodies.txt"
    file.write_text("\n".join(asked.bodies) + "\n", encoding="utf-8")
    headers = {"Content-Type": "application/json", "Accept": "application/json", **asked.headers}
    said = subprocess.run(
        [
            *("wrk", "-t1", f"-c{clients}", f"-d{seconds}s", f"--timeout={TIMEOUT_S}s"),
            *(part for name, value in headers.items() for part in ("-H", f"{name}: {value}")),
            *("--latency", "-s", SCRIPT, asked.url, "--", file, SIGN[asked.question]),
        ],
        capture_output=True,
        text=True,
        check=True,
    )
    return read(said.stdout)


def read(said: str) -> Load:
    """The figures in wrk's output; ValueError if there are none."""
    found = _FIGURES.search(said)
    if found is None:
        raise ValueError(f"no figures from wrk: {said[-300:]}")
    answers, micros, p50, p99, wrong, broken, size = map(int, found.groups())
    sample = _SAMPLE.search(said)
    return Load(
        rate=(answers - wrong) / (micros / 1e6),
        p50=p50 / 1000,
        p99=p99 / 1000,
        errors=wrong + broken,
        size=size // max(answers, 1),
        sample=sample[1] if sample else "",
    )
