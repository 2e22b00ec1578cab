"""``hub serve`` with a profiler that a signal switches on and off.

    python -m bench.profiled FILE   (the product's settings in HUB_*)

SIGUSR1 begins, SIGUSR2 ends and writes FILE. Only the warm requests between are seen.
"""

from __future__ import annotations

import cProfile
import pstats
import signal
import sys
from collections.abc import Iterator
from pathlib import Path
from types import FrameType

from bench.folders import ROOT

LINES = 25


def main(file: str) -> None:
    """Serve until a signal."""
    profile = cProfile.Profile()

    def begin(_number: int, _frame: FrameType | None) -> None:
        profile.enable()

    def end(_number: int, _frame: FrameType | None) -> None:
        profile.disable()
        profile.dump_stats(file)

    signal.signal(signal.SIGUSR1, begin)
    signal.signal(signal.SIGUSR2, end)
    from hub.cli.serve import serve

    serve.main(args=[], standalone_mode=False)


def lines(file: Path, requests: int) -> Iterator[tuple[str, str, str, str]]:
    """(µs per request in the function itself, in all below it, calls per request, where)."""
    # The module's attributes are made at run time: typeshed knows no `stats`.
    stats: dict[tuple[str, int, str], tuple[int, int, float, float, object]]
    stats = pstats.Stats(str(file)).stats  # type: ignore[attr-defined]
    ranked = sorted(stats.items(), key=lambda item: item[1][2], reverse=True)
    for (path, number, name), (_, calls, own, below, _callers) in ranked[:LINES]:
        where = f"{name} {_short(path, number)}".strip()
        each = 1e6 / requests
        yield f"{own * each:.1f}", f"{below * each:.1f}", f"{calls / requests:.1f}", where


def _short(path: str, number: int) -> str:
    if path == "~":
        return ""
    parts = Path(path)
    if parts.is_relative_to(ROOT) and ".venv" not in parts.parts:
        return f"({parts.relative_to(ROOT)}:{number})"
    return f"({'/'.join(parts.parts[-2:])}:{number})"


if __name__ == "__main__":
    main(sys.argv[1])
